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
    phone_codes: HashMap<String, PhoneCode>,
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

/// A phone button's code and what it stands for.
#[derive(Clone)]
pub(super) struct PhoneCode {
    who: Who,
    /// Without the country's code.
    pub(super) phone: String,
    pub(super) country: String,
    expires: Timestamp,
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
            phone_codes: HashMap::new(),
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
        let min_rotation = self.min_rotation;
        let Some(person) = self.people.get(&who) else { return Exchange::Invalid };
        let unionid = person.unionid.clone();
        let session_key = match &person.session_key {
            Some((key, since)) if after(*since, min_rotation) > now => key.clone(),
            _ => self.rotate(&who.0, &who.1, now),
        };
        Exchange::Session { openid: who.1, unionid, session_key }
    }

    /// A new session_key for somebody, whatever the time since the last one.
    pub(super) fn rotate(&mut self, appid: &str, openid: &str, now: Timestamp) -> String {
        let fresh = STANDARD.encode(self.draw());
        if let Some(person) = self.people.get_mut(&(appid.to_owned(), openid.to_owned())) {
            person.session_key = Some((fresh.clone(), now));
            // What tests look for; a simulator that runs for weeks needn't remember more.
            if self.given_out.len() < 10_000 {
                self.given_out.push(fresh.clone());
            }
        }
        fresh
    }

    /// Somebody's session_key as it is now.
    pub(super) fn session_key(&self, appid: &str, openid: &str) -> Option<String> {
        let person = self.people.get(&(appid.to_owned(), openid.to_owned()))?;
        person.session_key.as_ref().map(|(key, _)| key.clone())
    }

    /// Somebody's unionid.
    pub(super) fn unionid(&self, appid: &str, openid: &str) -> Option<String> {
        self.people.get(&(appid.to_owned(), openid.to_owned()))?.unionid.clone()
    }

    /// Somebody presses the phone button: a code, good for five minutes and once.
    pub(super) fn press_phone(
        &mut self,
        appid: &str,
        openid: &str,
        phone: &str,
        country: &str,
        now: Timestamp,
    ) -> String {
        let code = hex(&self.draw());
        let who = (appid.to_owned(), openid.to_owned());
        let expires = after(now, CODE_LIFETIME);
        let (phone, country) = (phone.to_owned(), country.to_owned());
        self.phone_codes.retain(|_, known| known.expires > now);
        self.phone_codes.insert(code.clone(), PhoneCode { who, phone, country, expires });
        code
    }

    /// Redeems it; with an openid only for that user.
    pub(super) fn redeem_phone(
        &mut self,
        appid: &str,
        code: &str,
        openid: Option<&str>,
        now: Timestamp,
    ) -> Option<PhoneCode> {
        let fits = self.phone_codes.get(code).is_some_and(|known| {
            known.who.0 == appid && known.expires > now && openid.is_none_or(|openid| openid == known.who.1)
        });
        if fits { self.phone_codes.remove(code) } else { None }
    }

    /// 16 random bytes in hex.
    pub(super) fn draw_hex(&mut self) -> String {
        hex(&self.draw())
    }

    pub(super) fn given_out(&self) -> &[String] {
        &self.given_out
    }

    /// The next 16 bytes that follow from the seed.
    pub(super) fn draw(&mut self) -> [u8; 16] {
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
