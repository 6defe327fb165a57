//! Passwords: hashed with argon2id (RFC 9106), checked against whatever kind of hash is stored.
//!
//! The work is done by threads of its own (`threads`), and bounded on all sides: so many threads, so many waiting, so much
//! memory. Who finds no place is told to come again before anything is asked or computed. An unknown user costs what a
//! wrong password costs.

use std::sync::Arc;

use argon2::{Algorithm, Block, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tracing::Instrument as _;
use zeroize::Zeroizing;

use super::random;
use super::stored_hash::{StoredHash, Unusable, derive};
use crate::secret::{Password, PasswordHash};
use crate::telemetry::{elsewhere, spans};

mod threads;

use threads::{Memory, Threads};

/// Of a hash, in bytes.
pub(super) const OUTPUT: usize = 32;

/// What hashing may cost.
#[derive(Debug, Clone)]
pub struct Hashing {
    /// argon2id's m, in KiB.
    pub memory_kib: u32,
    /// argon2id's t.
    pub passes: u32,
    /// argon2id's p.
    pub lanes: u32,
    /// Threads; 0: one fewer than the machine has cores, at least one.
    pub threads: usize,
    /// Passwords that may wait for a thread.
    pub queue: usize,
}

/// Hashes passwords and checks them. One for the process.
pub struct Passwords {
    shared: Arc<Shared>,
    places: Arc<Semaphore>,
    /// How many places there are, and how many of them are threads.
    most: usize,
    running: usize,
    threads: Threads,
}

/// What the work needs.
struct Shared {
    params: Params,
    /// A hash of nothing anybody knows, for users that don't exist.
    decoy: PasswordHash,
}

/// A place among those that are hashed for or wait. It goes with the work and is free again when that is done.
#[derive(Debug)]
pub struct Place(OwnedSemaphorePermit);

/// What a check came to.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// It is not the password.
    Wrong,
    /// The stored hash can't be used, so that nothing is its password.
    Unusable(Unusable),
    /// It is.
    Right,
    /// It is, and here is its hash of today's kind and cost: the stored one is another.
    Outdated(PasswordHash),
}

/// The work broke off: a thread's memory, or a library that refused checked input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashError;

impl Passwords {
    /// Starts the threads.
    ///
    /// # Errors
    /// The settings are none for argon2, or the system gives no thread; in words for the operator.
    pub fn start(settings: &Hashing) -> Result<Self, String> {
        let params = Params::new(settings.memory_kib, settings.passes, settings.lanes, Some(OUTPUT))
            .map_err(|error| {
                format!("argon2_memory, argon2_passes and argon2_lanes don't go together: {error}")
            })?;
        let threads = match settings.threads {
            0 => std::thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1)).max(1),
            threads => threads,
        };
        // Its costs are all that counts: no password hashes to it.
        let decoy = write(&params, &random::bytes(), &random::bytes());
        Ok(Self {
            places: Arc::new(Semaphore::new(threads + settings.queue)),
            most: threads + settings.queue,
            running: threads,
            threads: Threads::start(threads, params.block_count())
                .map_err(|error| format!("hash_threads: no thread can be started: {error}"))?,
            shared: Arc::new(Shared { params, decoy }),
        })
    }

    /// A place, if there is one.
    pub fn admit(&self) -> Option<Place> {
        self.places.clone().try_acquire_owned().ok().map(Place)
    }

    /// Passwords that wait for a thread, and that are hashed.
    pub fn under_way(&self) -> (usize, usize) {
        let all = self.most.saturating_sub(self.places.available_permits());
        let running = all.min(self.running);
        (all - running, running)
    }

    /// Hashes a new password.
    pub async fn hash(&self, place: Place, password: Password) -> Result<PasswordHash, HashError> {
        let shared = self.shared.clone();
        self.run(place, move |memory| hash(&shared.params, &password, memory.blocks())).await?
    }

    /// Checks a password against the stored hash; without one (there is no such user) the same work for nothing.
    pub async fn verify(
        &self,
        place: Place,
        password: Password,
        stored: Option<PasswordHash>,
    ) -> Result<Verdict, HashError> {
        let shared = self.shared.clone();
        self.run(place, move |memory| shared.verify(&password, stored.as_ref(), memory)).await?
    }

    /// The place goes along and is given back when the work is done, whether or not somebody still waits for it. Nobody
    /// does: then it isn't begun.
    async fn run<T: Send + 'static>(
        &self,
        Place(permit): Place,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let (answer, answered) = oneshot::channel();
        self.threads.run(Box::new(move |memory| {
            let done = if answer.is_closed() { None } else { Some(work(memory)) };
            // Free before the answer is there: whoever has it finds a place again.
            drop(permit);
            if let Some(done) = done {
                // Who left meanwhile is not told.
                let _ = answer.send(done);
            }
        }));
        // Its queue is bounded by places, and no sign that anybody else has to wait.
        elsewhere::waited(answered.instrument(spans::hashed())).await.map_err(|_| HashError)
    }
}

impl Shared {
    fn verify(
        &self,
        password: &Password,
        stored: Option<&PasswordHash>,
        memory: &mut Memory,
    ) -> Result<Verdict, HashError> {
        let known = match stored.map(StoredHash::read) {
            Some(Ok(known)) => known,
            none => {
                let decoy = StoredHash::read(&self.decoy).map_err(|_| HashError)?;
                decoy.matches(password, memory.blocks()).map_err(|_| HashError)?;
                return Ok(none.and_then(std::result::Result::err).map_or(Verdict::Wrong, Verdict::Unusable));
            }
        };
        let is_right = match memory.fits(known.memory()) {
            true => known.matches(password, memory.blocks()),
            false => memory.with_one_large(|| known.matches(password, &mut [])),
        };
        if !is_right.map_err(|_| HashError)? {
            return Ok(Verdict::Wrong);
        }
        if known.is_current(&self.params) {
            return Ok(Verdict::Right);
        }
        hash(&self.params, password, memory.blocks()).map(Verdict::Outdated)
    }
}

fn hash(params: &Params, password: &Password, blocks: &mut [Block]) -> Result<PasswordHash, HashError> {
    let salt: [u8; 16] = random::bytes();
    let mut out = Zeroizing::new([0; OUTPUT]);
    let password = password.expose().as_bytes();
    derive(Algorithm::Argon2id, Version::V0x13, params, password, &salt, &mut *out, blocks)
        .map_err(|_| HashError)?;
    Ok(write(params, &salt, &out))
}

/// The PHC string.
fn write(params: &Params, salt: &[u8; 16], hash: &[u8; OUTPUT]) -> PasswordHash {
    let (m, t, p) = (params.m_cost(), params.t_cost(), params.p_cost());
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    PasswordHash::new(format!("$argon2id$v=19$m={m},t={t},p={p}${salt}${hash}"))
}

#[cfg(test)]
mod tests;
