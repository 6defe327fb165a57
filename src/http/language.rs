//! Chinese or English, by Accept-Language (RFC 9110 §12.5.4). Chinese where nobody asks: this is its users' language.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;

use crate::error::Text;

/// The languages we answer in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Chinese,
    English,
}

impl Language {
    /// The one of ours that is wanted most.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let header = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut best = (0.0, Self::Chinese);
        for range in header.split(',') {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
            let quality = parameters.trim().strip_prefix("q=").map_or(Some(1.0), |q| q.parse::<f32>().ok());
            let language =
                match tag.trim().split('-').next().unwrap_or_default().to_ascii_lowercase().as_str() {
                    "zh" => Self::Chinese,
                    "en" => Self::English,
                    _ => continue,
                };
            if let Some(quality) = quality.filter(|quality| *quality > best.0) {
                best = (quality, language);
            }
        }
        best.1
    }

    /// The text in this language.
    pub(super) fn pick(self, text: &Text) -> &str {
        match self {
            Self::Chinese => &text.zh,
            Self::English => &text.en,
        }
    }

    /// For Content-Language.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh-CN",
            Self::English => "en",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_wanted_of_our_two_languages_is_picked_and_chinese_where_nobody_says() {
        for (header, wanted) in [
            ("", Language::Chinese),
            ("*", Language::Chinese),
            ("en-US,en;q=0.9", Language::English),
            ("zh-CN,zh;q=0.9,en;q=0.8", Language::Chinese),
            ("fr, en;q=0.2, zh;q=0.1", Language::English),
            ("en;q=0, zh;q=0.5", Language::Chinese),
            ("en;q=x", Language::Chinese),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, header.parse().unwrap());
            assert_eq!(Language::of(&headers), wanted, "{header:?}");
        }
    }
}
