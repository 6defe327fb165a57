//! The simulator's people: codes, session_keys, unionids.

use std::collections::HashMap;
use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::clock::{Timestamp, after};

const CODE_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// (appid, openid)
type Who = (String, String);

pub(super) struct People {
    seed: [u8; 32],
    drawn: u64,
    min_rotation: Duration,
    codes: HashMap<String, Ticket>,
    people: HashMap<Who, Person>,
    given_out: Vec<String>,
}

struct Ticket {
    who: Who,
    expires: Timestamp,
    used: bool,
}

struct Person {
    unionid: Option<String>,
    session_key: Option<(String, Timestamp)>,
}

/// What became of a code.
pub(super) enum Exchange {
    Session { openid: String, unionid: Option<String>, session_key: String },
    Invalid,
    Used,
}

impl People {
    pub(super) fn new(seed: [u8; 32], min_rotation: Duration) -> Self {
        Self {
            seed,
            drawn: 0,
            min_rotation,
            codes: HashMap::new(),
            people: HashMap::new(),
            given_out: Vec::new(),
        }
    }

    /// wx.login on somebody's phone: a fresh code.
    pub(super) fn login(
        &mut self,
        appid: &str,
        openid: &str,
        unionid: Option<String>,
        now: Timestamp,
    ) -> String {
        let who = (appid.to_owned(), openid.to_owned());
        let person = self.people.entry(who.clone()).or_insert(Person { unionid: None, session_key: None });
        if unionid.is_some() {
            person.unionid = unionid;
        }
        // Codes live five minutes; expired ones need not be told from unknown ones.
        if self.drawn.is_multiple_of(1024) {
            self.codes.retain(|_, ticket| ticket.expires > now);
        }
        let code = hex(&self.draw());
        self.codes.insert(code.clone(), Ticket { who, expires: after(now, CODE_LIFETIME), used: false });
        code
    }

    pub(super) fn exchange(&mut self, appid: &str, code: &str, now: Timestamp) -> Exchange {
        let Some(ticket) = self.codes.get_mut(code) else { return Exchange::Invalid };
        if ticket.who.0 != appid || ticket.expires <= now {
            return Exchange::Invalid;
        }
        if std::mem::replace(&mut ticket.used, true) {
            return Exchange::Used;
        }
        let who = ticket.who.clone();
        let fresh = STANDARD.encode(self.draw());
        let min_rotation = self.min_rotation;
        let Some(person) = self.people.get_mut(&who) else { return Exchange::Invalid };
        let session_key = match &person.session_key {
            Some((key, since)) if after(*since, min_rotation) > now => key.clone(),
            _ => {
                person.session_key = Some((fresh.clone(), now));
                // What tests look for; a simulator that runs for weeks needn't remember more.
                if self.given_out.len() < 10_000 {
                    self.given_out.push(fresh.clone());
                }
                fresh
            }
        };
        Exchange::Session { openid: who.1, unionid: person.unionid.clone(), session_key }
    }

    pub(super) fn given_out(&self) -> &[String] {
        &self.given_out
    }

    /// The next 16 bytes that follow from the seed.
    fn draw(&mut self) -> [u8; 16] {
        self.drawn += 1;
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&self.seed);
        context.update(&self.drawn.to_be_bytes());
        let mut drawn = [0; 16];
        drawn.copy_from_slice(&context.finish().as_ref()[..16]);
        drawn
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
