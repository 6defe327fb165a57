//! Importing accounts of before: what each record must be, and a batch of them. Hashes are stored as they come; a login
//! renews them. A refusal says what is wrong in words of ours and never quotes the record.

use std::collections::HashSet;
use std::fmt;

use uuid::Uuid;

use super::username::Username;
use super::{Rooms, profile};
use crate::error::Result;
use crate::secret::PasswordHash;
use crate::store::{Batch, Import, Imported, NewAccount, Source};
use crate::vault;

/// One record, before anything of it is believed. Empty and absent are the same.
#[derive(Default)]
pub struct Record {
    /// In any way of writing it.
    pub username: Option<String>,
    /// As another program stored it.
    pub password_hash: Option<PasswordHash>,
    /// Any text.
    pub nickname: Option<String>,
    /// A number.
    pub level: Option<String>,
    /// true, false, 1 or 0.
    pub disabled: Option<String>,
}

/// A record and where its file has it.
pub struct Numbered {
    /// The line on which it begins, from 1.
    pub line: u64,
    /// What stands there, if it can be read at all.
    pub record: std::result::Result<Record, Refusal>,
}

/// Why a record makes no account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It has another number of fields than the header.
    Fields {
        /// The record's.
        has: usize,
        /// The header's.
        header: usize,
    },
    /// Not UTF-8.
    NotText,
    /// Longer than a record can be.
    TooLong,
    /// The line is no JSON.
    NotJson,
    /// The line is JSON of another shape.
    NotThisObject,
    /// A required field is empty.
    Missing(&'static str),
    /// The username can't be one.
    Username,
    /// The hash is of no use; why, without quoting it.
    Hash(String),
    /// The nickname won't do.
    Nickname,
    /// There is no such level.
    Level {
        /// The highest there is.
        highest: usize,
    },
    /// Neither yes nor no.
    Disabled,
    /// The same name stands shortly before.
    Twice,
    /// Somebody has the name.
    Taken,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fields { has, header } => write!(f, "it has {has} fields where the header has {header}"),
            Self::NotText => f.write_str("it is not UTF-8"),
            Self::TooLong => f.write_str("it is longer than a record can be"),
            Self::NotJson => f.write_str("it is not valid JSON"),
            Self::NotThisObject => f.write_str(
                "it is not an object of username, password_hash, nickname, level and disabled, each at most once",
            ),
            Self::Missing(field) => write!(f, "{field} is missing"),
            Self::Username => {
                f.write_str("username takes 1 to 64 letters (of any script), digits and . _ - @ +")
            }
            Self::Hash(why) => write!(f, "password_hash {why}"),
            Self::Nickname => f.write_str(
                "nickname takes up to 64 characters, not only blanks, no control characters",
            ),
            Self::Level { highest } => write!(f, "level is a number of 0 to {highest} (accounts.levels)"),
            Self::Disabled => f.write_str("disabled is true, false, 1, 0 or empty"),
            Self::Twice => f.write_str("this username stands further up in the file"),
            Self::Taken => f.write_str("this username is taken"),
        }
    }
}

/// Makes the accounts of the next records, `last` if there are no more after them. Before they count, `report` hears who
/// is refused, in the file's order; it may hear so several times, and the last time is what counts.
pub async fn batch<E>(
    rooms: &Rooms,
    source: &Source,
    before: Import,
    records: &[Numbered],
    last: bool,
    report: impl Fn(&[(u64, Refusal)]) -> std::result::Result<(), E>,
) -> Result<Imported<E>> {
    let now = rooms.now();
    let (mut lines, mut accounts, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    let mut names = HashSet::new();
    for Numbered { line, record } in records {
        let judged = record.as_ref().map_err(Clone::clone);
        let judged = judged.and_then(|record| judge(record, rooms.levels.len(), rooms.new_id(now)));
        match judged {
            Ok(account) if !names.insert(account.username.clone()) => refused.push((*line, Refusal::Twice)),
            Ok(account) => {
                lines.push(*line);
                accounts.push(account);
            }
            Err(refusal) => refused.push((*line, refusal)),
        }
    }
    let ready = |taken: &[usize]| {
        let taken = taken.iter().filter_map(|index| lines.get(*index)).map(|line| (*line, Refusal::Taken));
        let mut all: Vec<_> = refused.iter().cloned().chain(taken).collect();
        all.sort_by_key(|(line, _)| *line);
        report(&all)
    };
    let batch = Batch { source, before, records: records.len(), accounts: &accounts, last, now };
    let imported = rooms.store.import(&batch, ready).await;
    if let Ok(Imported::Done(Import { records, imported, refused, finished: true })) = imported {
        tracing::info!(
            target: "wxgate::audit", event = "import", outcome = "done", records, imported, refused,
            "a file of accounts was imported"
        );
    }
    imported
}

/// The account that a record makes, of this id; whether its name is free is not asked here.
fn judge(record: &Record, levels: usize, id: Uuid) -> std::result::Result<NewAccount, Refusal> {
    let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let username = said(&record.username).ok_or(Refusal::Missing("username"))?;
    let username = Username::of(&username).ok_or(Refusal::Username)?;
    let hash = record.password_hash.clone().filter(|hash| !hash.expose().is_empty());
    let hash = hash.ok_or(Refusal::Missing("password_hash"))?;
    vault::accepted(&hash).map_err(|why| Refusal::Hash(why.to_string()))?;
    let nickname = said(&record.nickname).unwrap_or_default();
    let nickname = profile::nickname(&nickname).ok_or(Refusal::Nickname)?;
    let level = said(&record.level).unwrap_or_else(|| "0".into());
    let known = |level: &i16| usize::try_from(*level).is_ok_and(|level| level < levels);
    let level = level.parse().ok().filter(known);
    let level = level.ok_or(Refusal::Level { highest: levels.saturating_sub(1) })?;
    let disabled = match said(&record.disabled).unwrap_or_default().to_ascii_lowercase().as_str() {
        "true" | "1" => true,
        "false" | "0" | "" => false,
        _ => return Err(Refusal::Disabled),
    };
    Ok(NewAccount { id, username: username.as_str().to_owned(), hash, nickname, level, disabled })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASHED: &str = "$2b$04$jHeYyK0ykZq.r//mm6rlfuD57scueeBLzHs/CS9cVARrgLqjCBipu";

    fn record(change: impl FnOnce(&mut Record)) -> std::result::Result<NewAccount, Refusal> {
        let mut record = Record {
            username: Some("Alice".into()),
            password_hash: Some(PasswordHash::new(HASHED)),
            ..Record::default()
        };
        change(&mut record);
        judge(&record, 3, Uuid::nil())
    }

    #[test]
    fn a_record_of_a_name_and_a_hash_is_an_account_and_the_rest_is_optional() {
        let plain = record(|_| {}).ok().unwrap();
        assert_eq!((plain.username.as_str(), plain.hash.expose()), ("alice", HASHED));
        assert_eq!((plain.nickname.as_str(), plain.level, plain.disabled), ("", 0, false));
        let full = record(|record| {
            record.nickname = Some("小明".into());
            record.level = Some("2".into());
            record.disabled = Some("True".into());
        });
        let full = full.ok().unwrap();
        assert_eq!((full.nickname.as_str(), full.level, full.disabled), ("小明", 2, true));
        let anonymous = record(|record| record.nickname = Some("微信用户".into()));
        assert_eq!(anonymous.ok().unwrap().nickname, "", "what WeChat says of everybody");
    }

    #[test]
    fn a_refusal_names_the_field_and_quotes_nothing() {
        type Change = fn(&mut Record);
        let cases: [(Change, &str); 9] = [
            (|record| record.username = None, "username is missing"),
            (|record| record.username = Some("secret name".into()), "username takes"),
            (|record| record.password_hash = None, "password_hash is missing"),
            (|record| record.password_hash = Some(PasswordHash::new("secret")), "password_hash is"),
            (|record| record.nickname = Some("secret\n".into()), "nickname takes"),
            (|record| record.level = Some("3".into()), "level is a number of 0 to 2"),
            (|record| record.level = Some("-1".into()), "level is a number of 0 to 2"),
            (|record| record.level = Some("secret".into()), "level is a number of 0 to 2"),
            (|record| record.disabled = Some("secret".into()), "disabled is"),
        ];
        for (change, said) in cases {
            let refusal = record(change).err().unwrap().to_string();
            assert!(refusal.starts_with(said) && !refusal.contains("secret"), "{refusal}");
        }
    }
}
