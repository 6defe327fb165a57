//! May this set of keys follow that one? Pure: (old, new, now) to what stands against it.
//!
//! Two rules, so that no token is refused anywhere because keys were changed:
//! - **Nothing is dropped early.** A key that has signed stays published until its last token has ended.
//! - **Nothing signs unseen.** A key signs only once every sibling's cache has had the time to see it; one marked
//!   `emergency` may sign at once.
//!
//! A key marked `revoked` is the exception from the first: its tokens are to be refused.

use std::time::Duration;

use super::ring::{Listed, Ring};
use crate::clock::{Timestamp, after, whole_seconds};
use crate::config::{self, Problem};

/// Beyond `verifier_cache`, before a new key may sign: for replicas that reload one after the other, and for clocks.
pub const SLACK: Duration = Duration::from_secs(5 * 60);

/// Carries over since when each key is published, and says what stands against `new` following `old` at `now`.
pub(super) fn succeed(old: &Ring, new: &mut Ring, config: &config::Tokens, now: Timestamp) -> Vec<Problem> {
    let known: Vec<&str> = old.keys.published(now).map(|key| key.kid()).collect();
    for (kid, listed) in &mut new.listed {
        let before = old.listed.get(kid).filter(|_| known.contains(&kid.as_str()));
        listed.since = before.map_or(now, |before| before.since);
    }
    let back = revoked_yet_listed(old, new, config);
    if !back.is_empty() {
        return back;
    }
    let idle = idle_emergency(old, new, now);
    if !idle.is_empty() {
        // What else would be said comes of it.
        return idle;
    }
    let problems = dropped(old, new, config, now);
    problems.into_iter().chain(unseen(old, new, config, now)).collect()
}

/// Keys that are revoked by the file they were read from, and listed again by another: a copy of it would go on signing.
fn revoked_yet_listed(old: &Ring, new: &Ring, config: &config::Tokens) -> Vec<Problem> {
    let revoked = |listed: &Listed| config.keys.iter().any(|each| each.revoked && each.file == listed.file);
    let gone = old.listed.iter().filter(|(_, listed)| revoked(listed));
    let back = gone.filter_map(|(kid, old)| Some((new.listed.get(kid)?, old)));
    back.map(|(listed, old)| {
        let text = format!(
            "{} holds the same key as {}, which is revoked: take its lines off as well",
            listed.file.display(),
            old.file.display()
        );
        Problem::new(format!("tokens.keys[{}].file", listed.at), text)
    })
    .collect()
}

/// New keys for an emergency that would not sign, because another key's sign_from is later: the one before the stolen one
/// would be back in force.
fn idle_emergency(old: &Ring, new: &Ring, now: Timestamp) -> Vec<Problem> {
    let Some(signer) = new.keys.signer(now).map(|key| key.kid()) else { return Vec::new() };
    let file =
        |kid: &str| new.listed.get(kid).map(|listed| listed.file.display().to_string()).unwrap_or_default();
    let idle = new.listed.iter().filter(|(kid, listed)| {
        let unset = new.keys.schedule().any(|(key, from, _)| key.kid() == *kid && from == Timestamp::MIN);
        listed.emergency && unset && *kid != signer && !old.listed.contains_key(*kid)
    });
    let problem = |(kid, listed): (&String, &Listed)| {
        let text = format!(
            "{} is for an emergency, but {} would sign, whose sign_from is later than none: set sign_from = {} on the \
             new one",
            file(kid),
            file(signer),
            whole_seconds(now)
        );
        Problem::new(format!("tokens.keys[{}].sign_from", listed.at), text)
    };
    idle.map(problem).collect()
}

/// Keys whose tokens still count, and which would be gone. A list may say that a key which has signed is yet to begin, so
/// what it signed is carried along.
fn dropped(old: &Ring, new: &mut Ring, config: &config::Tokens, now: Timestamp) -> Vec<Problem> {
    let life = config.ttl.saturating_add(config.leeway);
    let mut problems = Vec::new();
    for (key, sign_from, superseded) in old.keys.schedule() {
        let Some(listed) = old.listed.get(key.kid()) else { continue };
        let last = superseded.map_or(now, |superseded| superseded.min(now));
        let signed = if sign_from <= now { after(last, life) } else { Timestamp::MIN };
        let needed_until = listed.needed_until.max(signed);
        if let Some(next) = new.listed.get_mut(key.kid()) {
            next.needed_until = needed_until;
        }
        let revoked = config.keys.iter().any(|each| each.revoked && each.file == listed.file);
        if needed_until <= now || revoked {
            continue;
        }
        let gone = match new.keys.schedule().find(|(each, ..)| each.kid() == key.kid()) {
            Some((.., None)) => continue,
            Some((.., Some(superseded))) => new.keys.gone_after(superseded),
            None => now,
        };
        if gone < needed_until {
            let text = format!(
                "the key of {} has signed tokens that count until {}, and would no longer be published: leave it \
                 listed as it was until then (`revoked = true` ends its tokens at once)",
                listed.file.display(),
                whole_seconds(needed_until)
            );
            problems.push(Problem::new("tokens.keys", text));
        }
    }
    problems
}

/// Keys that would sign before siblings can have fetched them.
fn unseen(old: &Ring, new: &Ring, config: &config::Tokens, now: Timestamp) -> Vec<Problem> {
    let lead = config.verifier_cache.saturating_add(SLACK);
    let signer = old.keys.signer(now).map(|key| key.kid());
    let mut problems = Vec::new();
    for (key, sign_from, superseded) in new.keys.schedule() {
        let over = superseded.is_some_and(|superseded| superseded <= now);
        let Some(listed) = new.listed.get(key.kid()).filter(|_| !over && signer != Some(key.kid())) else {
            continue;
        };
        let earliest = after(listed.since, lead);
        if sign_from.max(now) < earliest && !listed.emergency {
            let text = format!(
                "{} would sign before siblings have seen it: they may keep the keys they fetched for \
                 tokens.verifier_cache. Set sign_from = {} or later, or emergency = true if it must be sooner",
                listed.file.display(),
                whole_seconds(after(earliest, Duration::from_secs(60)))
            );
            problems.push(Problem::new(format!("tokens.keys[{}].sign_from", listed.at), text));
        }
    }
    problems
}

#[cfg(test)]
mod tests;
