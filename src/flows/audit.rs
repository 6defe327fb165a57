//! The audit log: one line for each thing that changes who may be whom. Its own target, `wxgate::audit`; who (our user
//! id), through which app, from where, and what came of it. No secret, no openid, no name that somebody typed.

use std::net::IpAddr;

use uuid::Uuid;

use crate::error::Result;

/// Where a request came from, as the audit log has it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Origin<'o> {
    /// The mini-program's appid.
    pub(super) app: Option<&'o str>,
    /// The address; none: a command on the gateway's machine.
    pub(super) ip: Option<IpAddr>,
    /// The service at the internal listener, by its credential's name.
    pub(super) service: Option<&'o str>,
}

/// Whom an event is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Who {
    /// Nobody we know.
    Nobody,
    /// This user.
    User(Uuid),
    /// Nobody yet, at the password of this account.
    Account(Uuid),
    /// This user, on the way into that account.
    Into(Uuid, Uuid),
}

/// Writes `event` with its outcome: `done`, or the code it was refused with.
pub(super) fn write<T>(event: &'static str, who: Who, origin: Origin<'_>, outcome: &Result<T>) {
    let outcome = match outcome {
        Ok(_) => "done",
        Err(error) => error.code.as_str(),
    };
    let (user, account) = match who {
        Who::Nobody => (None, None),
        Who::User(user) => (Some(user), None),
        Who::Account(account) => (None, Some(account)),
        Who::Into(user, account) => (Some(user), Some(account)),
    };
    let (user, account) = (user.map(tracing::field::display), account.map(tracing::field::display));
    let ip = origin.ip.map(tracing::field::display);
    tracing::info!(target: "wxgate::audit", event, outcome, user, account, app = origin.app, ip, by = origin.service, "audit");
}
