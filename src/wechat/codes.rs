//! The memory of codes: one goes upstream once and logs in once.
//!
//! What is kept is a digest of appid and code. A code is forgotten after its five minutes, or when the memory is
//! full: WeChat then says 40163 itself, so that forgetting costs a call and nothing else.

use std::time::Duration;

use aws_lc_rs::digest;
use moka::ops::compute::{CompResult, Op};
use moka::policy::EvictionPolicy;

use super::{App, WechatSession};
use crate::clock::{Timestamp, after};
use crate::error::{Code, Error, Result};
use crate::secret::LoginCode;

/// How long a code lives at WeChat.
const LIFETIME: Duration = Duration::from_secs(5 * 60);
/// About 10 MB when full; at 300 logins a second that is the whole five minutes.
const CAPACITY: u64 = 100_000;

type Digest = [u8; 16];

#[derive(Clone, Copy)]
struct Known {
    answer: Code,
    until: Timestamp,
}

/// Codes seen in the last five minutes.
pub(super) struct Codes(moka::sync::Cache<Digest, Known>);

impl Default for Codes {
    fn default() -> Self {
        // LRU, because the default policy may decline a newcomer, and a code under way must be in here.
        let cache = moka::sync::Cache::builder()
            .max_capacity(CAPACITY)
            .time_to_live(LIFETIME)
            .eviction_policy(EvictionPolicy::lru());
        Self(cache.build())
    }
}

/// The right to take one code upstream. Dropped unsettled (nobody can say what came of it), the code may be tried again.
pub(super) struct Claim<'c> {
    codes: &'c Codes,
    digest: Digest,
    until: Timestamp,
    settled: bool,
}

impl Codes {
    /// The right to this code, or what its first use came to.
    pub(super) fn claim(&self, app: &App, code: &LoginCode, now: Timestamp) -> Result<Claim<'_>> {
        let digest = digest_of(app, code);
        let until = after(now, LIFETIME);
        let outcome = self.0.entry(digest).and_compute_with(|entry| match entry {
            // The window is measured by our clock; the cache's own only bounds the memory.
            Some(known) if known.value().until > now => Op::Nop,
            _ => Op::Put(Known { answer: Code::WechatCodeUsed, until }),
        });
        match outcome {
            CompResult::Inserted(_) | CompResult::ReplacedWith(_) => {
                Ok(Claim { codes: self, digest, until, settled: false })
            }
            CompResult::Unchanged(known) => {
                Err(Error::from(known.value().answer).because("answered from memory"))
            }
            CompResult::Removed(_) | CompResult::StillNone(_) => Err(Code::Internal.into()),
        }
    }
}

impl Claim<'_> {
    /// Remembers what came of it: used, invalid, or (when nobody can say) nothing.
    pub(super) fn settle(mut self, answer: &Result<WechatSession>) {
        let known = match answer {
            Ok(_) => Some(Code::WechatCodeUsed),
            Err(error) => match error.code {
                code @ (Code::WechatCodeUsed | Code::WechatCodeInvalid | Code::WechatUserBlocked) => {
                    Some(code)
                }
                _ => None,
            },
        };
        if let Some(answer) = known {
            self.codes.0.insert(self.digest, Known { answer, until: self.until });
            self.settled = true;
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if !self.settled {
            self.codes.0.invalidate(&self.digest);
        }
    }
}

fn digest_of(app: &App, code: &LoginCode) -> Digest {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(app.id.as_bytes());
    context.update(b"\0");
    context.update(code.expose().as_bytes());
    let mut half = Digest::default();
    half.copy_from_slice(&context.finish().as_ref()[..16]);
    half
}
