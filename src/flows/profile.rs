//! What a user says of themselves, and which of it counts.
//!
//! At a login the rule is: keep what is usable, pass over the rest. Nobody is kept out because of an avatar. When the
//! profile itself is changed, what won't do is refused by name.

use serde_json::Value;
use unicode_segmentation::UnicodeSegmentation as _;

use super::Rooms;
use super::session::{self, UserInfo};
use crate::error::{Code, Error, Result};
use crate::store::{Profile, User};
use crate::wechat::encrypted::Verified;

/// What WeChat answers for everybody since 2022 (WECHAT: "Profiles today"), with a grey avatar beside it.
const ANONYMOUS: &str = "微信用户";
/// In characters that people see: an emoji family is one.
const NICKNAME: usize = 64;
/// In code points, as the column counts: 64 of the longest emoji fit.
const NICKNAME_POINTS: usize = 1024;
const AVATAR_BYTES: usize = 1024;
/// In characters that people see; `language` has half of it.
const PLACE: usize = 64;
/// In code points, as the columns count.
const PLACE_POINTS: usize = 256;

/// A profile as a client sent it, before anything is believed.
#[derive(Debug, Default, Clone, Copy)]
pub struct Said<'s> {
    /// userInfo.nickName
    pub nickname: Option<&'s str>,
    /// userInfo.avatarUrl
    pub avatar_url: Option<&'s str>,
    /// userInfo.gender
    pub gender: Option<i64>,
    /// userInfo.country
    pub country: Option<&'s str>,
    /// userInfo.province
    pub province: Option<&'s str>,
    /// userInfo.city
    pub city: Option<&'s str>,
    /// userInfo.language
    pub language: Option<&'s str>,
}

impl Said<'_> {
    /// Nothing, where WeChat says it of everybody.
    fn unless_anonymous(&self) -> Self {
        if self.nickname == Some(ANONYMOUS) { Self::default() } else { *self }
    }

    /// With silence (an empty text, an unknown gender) as not said: programs that send whole objects mean no erasing.
    pub fn without_silence(&self) -> Self {
        Self {
            nickname: self.nickname.filter(|text| !text.is_empty()),
            avatar_url: self.avatar_url.filter(|text| !text.is_empty()),
            gender: self.gender.filter(|gender| *gender != 0),
            country: self.country.filter(|text| !text.is_empty()),
            province: self.province.filter(|text| !text.is_empty()),
            city: self.city.filter(|text| !text.is_empty()),
            language: self.language.filter(|text| !text.is_empty()),
        }
    }
}

/// What is usable of it; the rest is left empty.
pub fn usable(said: &Said<'_>) -> Profile {
    let said = &said.unless_anonymous();
    Profile {
        nickname: said.nickname.filter(|name| is_nickname(name)).unwrap_or_default().to_owned(),
        avatar_url: said.avatar_url.filter(|url| is_avatar(url)).unwrap_or_default().to_owned(),
        gender: said
            .gender
            .and_then(|gender| i16::try_from(gender).ok())
            .filter(|g| (0..=2).contains(g))
            .unwrap_or(0),
        country: place(said.country, PLACE),
        province: place(said.province, PLACE),
        city: place(said.city, PLACE),
        language: place(said.language, PLACE / 2),
    }
}

/// What verified data says of the user: encryptedData before rawData; none if it says nothing.
pub(super) fn proven(verified: &Verified) -> Option<Profile> {
    let data = if verified.data.is_empty() { verified.raw.as_ref()? } else { &verified.data };
    let text = |name: &str| data.get(name).and_then(Value::as_str);
    Some(usable(&Said {
        nickname: text("nickName"),
        avatar_url: text("avatarUrl"),
        gender: data.get("gender").and_then(Value::as_i64),
        country: text("country"),
        province: text("province"),
        city: text("city"),
        language: text("language"),
    }))
}

/// `PATCH /v1/me`: writes what is said, field by field, or says of every field what is wrong with it. An empty text
/// erases; an anonymous nickname counts as not said.
pub async fn change(rooms: &Rooms, user: &User, said: &Said<'_>) -> Result<UserInfo> {
    let profile = strict(&user.profile, said)?;
    if profile != user.profile {
        let written = rooms.store.update_profile(user.id, &user.profile, &profile, rooms.now()).await?;
        if !written {
            return Err(Error::from(Code::TokenInvalid).because("its user closed the account meanwhile"));
        }
    }
    Ok(session::user_info(rooms, &User { profile, ..user.clone() }))
}

fn strict(old: &Profile, said: &Said<'_>) -> Result<Profile> {
    let said = &said.unless_anonymous();
    let mut wrong: Vec<(&str, &str, &str)> = Vec::new();
    let mut profile = old.clone();
    let mut set = |field, place: &mut String, text: Option<&str>, fits: bool, zh, en| match text {
        Some(text) if text.is_empty() || fits => *place = text.to_owned(),
        Some(_) => wrong.push((field, zh, en)),
        None => {}
    };
    let nickname = said.nickname;
    let fits = nickname.is_none_or(is_nickname);
    set(
        "nickName",
        &mut profile.nickname,
        nickname,
        fits,
        "最多 64 个字符，不能全是空白，不能含控制字符",
        "takes up to 64 characters, not only blanks, no control characters",
    );
    let avatar = said.avatar_url;
    let fits = avatar.is_none_or(is_avatar);
    set(
        "avatarUrl",
        &mut profile.avatar_url,
        avatar,
        fits,
        "必须是 https:// 开头、不超过 1024 字节的地址（chooseAvatar 给出的是手机上的临时文件，请先上传）",
        "must be an https:// URL of up to 1024 bytes (what chooseAvatar gives is a file on the phone: upload it first)",
    );
    for (field, place, text, most) in [
        ("country", &mut profile.country, said.country, PLACE),
        ("province", &mut profile.province, said.province, PLACE),
        ("city", &mut profile.city, said.city, PLACE),
        ("language", &mut profile.language, said.language, PLACE / 2),
    ] {
        let fits = text.is_none_or(|text| is_place(text, most));
        set(
            field,
            place,
            text,
            fits,
            "太长（最多 64 个字符，language 32 个），或含有控制字符",
            "is too long (64 characters, language 32), or holds control characters",
        );
    }
    if let Some(gender) = said.gender {
        match i16::try_from(gender) {
            Ok(gender @ 0..=2) => profile.gender = gender,
            _ => wrong.push(("gender", "只能是 0、1 或 2", "is 0, 1 or 2")),
        }
    }
    if wrong.is_empty() {
        return Ok(profile);
    }
    let list = |pick: fn(&(&str, &str, &str)) -> String, between: &str| {
        wrong.iter().map(pick).collect::<Vec<_>>().join(between)
    };
    Err(Error::from(Code::InvalidField).with_detail(
        list(|(field, zh, _)| format!("{field}：{zh}"), "；") + "。",
        list(|(field, _, en)| format!("{field} {en}"), "; ") + ".",
    ))
}

/// `old` with what `new` says over it; none if that changes nothing. Silence never erases.
pub fn merge(old: &Profile, new: &Profile) -> Option<Profile> {
    let over = |old: &str, new: &str| if new.is_empty() { old.to_owned() } else { new.to_owned() };
    let merged = Profile {
        nickname: over(&old.nickname, &new.nickname),
        avatar_url: over(&old.avatar_url, &new.avatar_url),
        gender: if new.gender == 0 { old.gender } else { new.gender },
        country: over(&old.country, &new.country),
        province: over(&old.province, &new.province),
        city: over(&old.city, &new.city),
        language: over(&old.language, &new.language),
    };
    (merged != *old).then_some(merged)
}

/// The nickname that an import brings: none if it won't do, empty if it says nothing.
pub(super) fn nickname(text: &str) -> Option<String> {
    let said = Said { nickname: Some(text), ..Said::default() }.without_silence().unless_anonymous();
    let text = said.nickname.unwrap_or_default();
    (text.is_empty() || is_nickname(text)).then(|| text.to_owned())
}

/// Any text a person can see, kept byte for byte. No control characters: they break other people's lines, and NUL
/// PostgreSQL.
fn is_nickname(name: &str) -> bool {
    let invisible = |c: char| {
        c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{3164}')
    };
    name.chars().any(|c| !invisible(c))
        && !name.chars().any(char::is_control)
        && name.chars().count() <= NICKNAME_POINTS
        && name.graphemes(true).count() <= NICKNAME
}

/// https only: `wxfile://` and `http://tmp/` are paths on the user's phone. A host, no login, nothing that would end an
/// attribute in somebody's page.
fn is_avatar(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let plain =
        |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, '"' | '\'' | '<' | '>' | '\\' | '`');
    url.len() <= AVATAR_BYTES
        && host.starts_with(char::is_alphanumeric)
        && !host.contains('@')
        && url.chars().all(plain)
}

fn place(text: Option<&str>, most: usize) -> String {
    text.filter(|text| is_place(text, most)).unwrap_or_default().to_owned()
}

fn is_place(text: &str, most: usize) -> bool {
    text.graphemes(true).count() <= most
        && text.chars().count() <= PLACE_POINTS
        && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anonymous_profile_says_nothing_and_erases_nothing() {
        let anonymous = usable(&Said {
            nickname: Some("微信用户"),
            avatar_url: Some("https://thirdwx.qlogo.cn/mmopen/grey/132"),
            gender: Some(0),
            ..Said::default()
        });
        assert!(anonymous == Profile::default());
        let real = usable(&Said { nickname: Some("小明"), gender: Some(1), ..Said::default() });
        assert!(merge(&real, &anonymous).is_none());
    }

    #[test]
    fn what_is_not_usable_is_passed_over_and_the_rest_is_kept() {
        let profile = usable(&Said {
            nickname: Some("👨‍👩‍👧‍👦 小明"),
            avatar_url: Some("wxfile://tmp_abc.jpg"),
            gender: Some(9),
            city: Some("Guang\0zhou"),
            province: Some("Guangdong"),
            ..Said::default()
        });
        assert_eq!(profile.nickname, "👨‍👩‍👧‍👦 小明");
        assert_eq!((profile.avatar_url.as_str(), profile.gender, profile.city.as_str()), ("", 0, ""));
        assert_eq!(profile.province, "Guangdong");
        assert!(usable(&Said { nickname: Some(&"长".repeat(65)), ..Said::default() }).nickname.is_empty());
        assert!(!usable(&Said { nickname: Some(&"长".repeat(64)), ..Said::default() }).nickname.is_empty());
    }
}
