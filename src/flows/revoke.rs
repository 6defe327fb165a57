//! Ends tokens before their time.

use std::net::IpAddr;

use super::Rooms;
use super::audit::{self, Origin, Who};
use super::session::Caller;
use crate::error::Result;

/// `POST /v1/logout`: every token of the caller issued until now stops counting, on every device; the next login counts.
pub async fn logout(rooms: &Rooms, caller: &Caller, ip: IpAddr) -> Result<()> {
    // Right after tokens were ended one may be issued a millisecond ahead: the caller's own ends too.
    let end = rooms.now().max(caller.issued);
    let ended = rooms.store.end_tokens(caller.user.id, end).await;
    rooms.standings.forget(caller.user.id);
    let origin = Origin { app: Some(&caller.app), ip: Some(ip) };
    audit::write("logout", Who::User(caller.user.id), origin, &ended);
    ended
}
