//! Brings every sealed value under the first column key, while logins go on; and counts what is sealed with which.
//!
//! Nothing is remembered between runs: what is done is seen by its key id, so a run that was killed at any instant is
//! simply begun again.

use std::collections::BTreeMap;

use serde::Serialize;
use uuid::Uuid;

use super::{Rooms, cells};
use crate::error::Result;
use crate::store::{Cursor, Resealed, SealedColumn, Standing};
use crate::vault::Cell;

/// Values of one key.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// Current session_keys.
    pub session_keys: u64,
    /// The ones before them.
    pub previous_session_keys: u64,
    /// Phone numbers.
    pub phones: u64,
}

impl Held {
    /// All of them.
    pub fn sum(&self) -> u64 {
        self.session_keys + self.previous_session_keys + self.phones
    }

    fn add(&mut self, column: SealedColumn) {
        match column {
            SealedColumn::SessionKey => self.session_keys += 1,
            SealedColumn::PreviousSessionKey => self.previous_session_keys += 1,
            SealedColumn::Phone => self.phones += 1,
        }
    }
}

/// What is sealed with which key.
#[derive(Debug, Default)]
pub struct Tally {
    /// By key id.
    pub keys: BTreeMap<String, Held>,
    /// Values that are no envelopes.
    pub malformed: u64,
}

/// Counts every sealed value. `seen` hears of each look how many rows it held.
pub async fn tally(rooms: &Rooms, mut seen: impl FnMut(u64)) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut from = Some(Cursor::START);
    while let Some(here) = from {
        let page = rooms.store.sealed_values(here).await?;
        for value in &page.values {
            match value.sealed.key_id() {
                Ok(id) => tally.keys.entry(id.to_owned()).or_default().add(value.column),
                Err(_) => tally.malformed += 1,
            }
        }
        seen(page.rows);
        from = page.next;
    }
    Ok(tally)
}

/// A value that couldn't be sealed anew: it stays as it is.
#[derive(Debug)]
pub struct Unreadable {
    /// Where.
    pub column: SealedColumn,
    /// The identity's id, or the user's.
    pub row: Uuid,
    /// Why.
    pub why: String,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Values sealed anew.
    pub resealed: u64,
    /// Values that stay as they are, because they don't open.
    pub unreadable: u64,
    /// The first few of them.
    pub examples: Vec<Unreadable>,
    /// Values that something went on sealing with another key: a replica that hasn't got this configuration.
    pub left: u64,
}

/// So often all rows are gone through: what a login puts back under an old key meanwhile (the key before its last one) is
/// found by the next round. More are needed only where somebody goes on sealing with another key.
const ROUNDS: usize = 4;

/// Values named of those that don't open.
const EXAMPLES: usize = 20;

/// Seals anew what isn't under the first key. `seen` hears of each look how many rows it held, in the first round.
pub async fn reseal(rooms: &Rooms, mut seen: impl FnMut(u64)) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    for round in 0..ROUNDS {
        let mut found = 0;
        outcome.unreadable = 0;
        outcome.examples.clear();
        let mut from = Some(Cursor::START);
        while let Some(here) = from {
            let page = rooms.store.sealed_values(here).await?;
            let mut anew: [Vec<Resealed>; 3] = Default::default();
            for value in page.values.into_iter().filter(|value| !rooms.vault.is_current(&value.sealed)) {
                let at = SealedColumn::ALL.iter().position(|column| *column == value.column);
                match (again(rooms, &value), at.and_then(|at| anew.get_mut(at))) {
                    (Ok(new), Some(column)) => column.push(new),
                    (Err(why), _) => {
                        outcome.unreadable += 1;
                        if outcome.examples.len() < EXAMPLES {
                            outcome.examples.push(Unreadable { column: value.column, row: value.id, why });
                        }
                    }
                    (Ok(_), None) => {}
                }
            }
            for (column, anew) in SealedColumn::ALL.into_iter().zip(&anew) {
                found += anew.len() as u64;
                for batch in anew.chunks(BATCH) {
                    outcome.resealed += rooms.store.put_resealed(column, batch).await?;
                }
            }
            if round == 0 {
                seen(page.rows);
            }
            from = page.next;
        }
        outcome.left = found;
        if found == 0 {
            break;
        }
    }
    Ok(outcome)
}

/// Values of one statement: few enough that a login beside it hardly waits.
const BATCH: usize = 500;

fn again(rooms: &Rooms, value: &Standing) -> std::result::Result<Resealed, String> {
    let anew = |cell: &Cell<'_>| {
        let plain = rooms.vault.open(cell, &value.sealed).map_err(|error| error.to_string())?;
        rooms.vault.seal(cell, &plain).map_err(|_| "the cryptographic library failed".to_owned())
    };
    let new = match &value.identity {
        Some((app, openid)) => anew(&cells::session_key(&[app, openid.expose()])),
        None => anew(&cells::phone(&[&value.id.to_string()])),
    };
    Ok(Resealed { id: value.id, old: value.sealed.clone(), new: new? })
}
