//! Usernames: one form for all ways of writing one (NFKC, case-folded), from an alphabet without invisible twins.

use icu_casemap::CaseMapperBorrowed;
use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::CodePointSetData;
use icu_properties::props::DefaultIgnorableCodePoint;

use crate::error::{Error, Result};

/// In characters, as folded; the column counts the same.
const LONGEST: usize = 64;

/// A username as the database has it.
#[derive(Clone, PartialEq, Eq)]
pub struct Username(String);

impl Username {
    /// The name that `text` means; the error names `field`.
    pub fn read(text: &str, field: &str) -> Result<Self> {
        Self::of(text).ok_or_else(|| {
            Error::invalid(
                field,
                "用户名为 1 到 64 个字符，只能包含字母（含中文）、数字和 . _ - @ +",
                "takes 1 to 64 letters (of any script), digits and . _ - @ +",
            )
        })
    }

    /// The name that `text` means; none if it can't be one.
    pub fn of(text: &str) -> Option<Self> {
        // Longer than any form of a name that fits: folding shortens at most by the factor of one character.
        if text.len() > 64 * LONGEST {
            return None;
        }
        let name = folded(text.trim());
        let fits = (1..=LONGEST).contains(&name.chars().count());
        // Letters and digits show themselves; blanks, joiners, marks and fillers are what twins of names are made of.
        let unseen = CodePointSetData::new::<DefaultIgnorableCodePoint>();
        let plain = |c: char| {
            (c.is_alphanumeric() && !unseen.contains(c)) || matches!(c, '.' | '_' | '-' | '@' | '+')
        };
        (fits && name.chars().all(plain)).then_some(Self(name))
    }

    /// The name itself. Personal: not for a log.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Username {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Username(…)")
    }
}

/// NFKC and case folding until nothing changes any more (Unicode §3.13, D146 does it in two turns): folding can make
/// what NFKC would compose, and the other way round.
fn folded(text: &str) -> String {
    let (normalizer, mapper) = (ComposingNormalizerBorrowed::new_nfkc(), CaseMapperBorrowed::new());
    let mut name = text.to_owned();
    for _ in 0..4 {
        let next = normalizer.normalize(&mapper.fold_string(&normalizer.normalize(&name))).into_owned();
        if next == name {
            break;
        }
        name = next;
    }
    name
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Option<String> {
        Username::of(text).map(|name| name.0)
    }

    #[test]
    fn all_ways_of_writing_a_name_are_one_name() {
        for (written, name) in [
            ("Alice", "alice"),
            (" alice\n", "alice"),
            ("ＡＬＩＣＥ", "alice"),
            ("STRASSE", "strasse"),
            ("Straße", "strasse"),
            ("ΣΊΣΥΦΟΣ", "σίσυφοσ"),
            ("σίσυφος", "σίσυφοσ"),
            ("e\u{301}ve", "éve"),
            ("ﬁsh", "fish"),
            ("小明", "小明"),
            ("a.b-c_d+e@x.example", "a.b-c_d+e@x.example"),
        ] {
            assert_eq!(of(written).as_deref(), Some(name), "{written:?}");
        }
    }

    #[test]
    fn what_cannot_be_seen_or_is_too_long_is_no_name() {
        for bad in [
            "",
            "  ",
            "a b",
            "a\0b",
            "a\u{200d}b",
            "a\u{202e}b",
            "a\u{3164}b",
            "a'b",
            "<a>",
            "👻",
            "a\u{ad}b",
        ] {
            assert_eq!(of(bad), None, "{bad:?}");
        }
        assert!(of(&"长".repeat(64)).is_some() && of(&"长".repeat(65)).is_none());
        assert_eq!(of(&"ß".repeat(33)), None, "66 characters, folded");
        // One character that unfolds into eighteen.
        assert_eq!(of(&"\u{fdfa}".repeat(1000)), None);
    }

    proptest! {
        #[test]
        fn a_name_is_its_own_form_and_fits_the_column(text in any::<String>()) {
            if let Some(name) = of(&text) {
                prop_assert_eq!(of(&name), Some(name.clone()));
                prop_assert!(name.chars().count() <= 64);
                prop_assert_eq!(of(&text.to_uppercase()).unwrap_or(name.clone()), name);
            }
        }
    }
}
