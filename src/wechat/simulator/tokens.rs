//! access_tokens as WeChat gives them out: stable, with five minutes in which the old and the new one both work.

use std::collections::HashMap;
use std::time::Duration;

use crate::clock::{Timestamp, after, before};

const LIFETIME: Duration = Duration::from_secs(7200);
const OVERLAP: Duration = Duration::from_secs(300);
/// Between two forced refreshes.
const REST: Duration = Duration::from_secs(30);
const FORCED_A_DAY: usize = 20;

/// The tokens of every app.
#[derive(Default)]
pub(super) struct ServerTokens {
    issued: Vec<Issued>,
    forced: HashMap<String, Vec<Timestamp>>,
}

struct Issued {
    app: String,
    text: String,
    expires: Timestamp,
    void: bool,
}

/// Why a forced refresh isn't had.
pub(super) struct TooOften;

/// What a token is worth.
pub(super) enum Worth {
    /// It is this app's.
    App(String),
    Expired,
    Invalid,
}

impl ServerTokens {
    /// The app's token and the seconds it has left; `fresh` becomes it where a new one is due.
    pub(super) fn stable(
        &mut self,
        app: &str,
        force: bool,
        fresh: String,
        now: Timestamp,
    ) -> Result<(String, i64), TooOften> {
        if force {
            let forced = self.forced.entry(app.to_owned()).or_default();
            forced.retain(|at| after(*at, Duration::from_secs(86_400)) > now);
            if forced.len() >= FORCED_A_DAY || forced.last().is_some_and(|at| after(*at, REST) > now) {
                return Err(TooOften);
            }
            forced.push(now);
            // A forced refresh voids what was there.
            for issued in self.issued.iter_mut().filter(|issued| issued.app == app) {
                issued.void = true;
            }
        }
        self.issued.retain(|issued| after(issued.expires, LIFETIME) > now);
        let standing = self.issued.iter().rev().find(|issued| issued.app == app && !issued.void);
        if let Some(issued) = standing.filter(|issued| before(issued.expires, OVERLAP) > now) {
            return Ok((issued.text.clone(), issued.expires.as_second() - now.as_second()));
        }
        let expires = after(now, LIFETIME);
        self.issued.push(Issued { app: app.to_owned(), text: fresh.clone(), expires, void: false });
        Ok((fresh, expires.as_second() - now.as_second()))
    }

    pub(super) fn worth(&self, text: &str, now: Timestamp) -> Worth {
        match self.issued.iter().find(|issued| issued.text == text) {
            Some(issued) if issued.void => Worth::Invalid,
            Some(issued) if issued.expires <= now => Worth::Expired,
            Some(issued) => Worth::App(issued.app.clone()),
            None => Worth::Invalid,
        }
    }

    /// Voids what is there, as an operator's reset of the AppSecret would.
    pub(super) fn void_all(&mut self) {
        self.issued.iter_mut().for_each(|issued| issued.void = true);
    }
}
