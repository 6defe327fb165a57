//! The threads that hash, each with its own memory.
//!
//! Threads of our own rather than tokio's blocking pool, because they give way to everything else (nice), which a thread
//! can't take back, and that pool has other work: it resolves names. Logins by code keep the cores when both want them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use argon2::Block;

/// One piece of work.
pub(super) type Job = Box<dyn FnOnce(&mut Memory) + Send>;

/// How far hashing gives way, on a scale that ends at 19: about a tenth of the weight of a thread that doesn't.
const NICE: i32 = 10;

/// The threads; they end when this is dropped.
pub(super) struct Threads {
    jobs: mpsc::Sender<Job>,
}

impl Threads {
    /// So many, with so many of argon2's blocks each.
    pub(super) fn start(threads: usize, blocks: usize) -> std::io::Result<Self> {
        // Unbounded, because who may send is bounded: a job wants a place.
        let (jobs, queue) = mpsc::channel::<Job>();
        let (queue, large) = (Arc::new(Mutex::new(queue)), Arc::new(Mutex::new(())));
        for _ in 0..threads {
            let (queue, large) = (queue.clone(), large.clone());
            let work = move || work(&queue, blocks, &large);
            std::thread::Builder::new().name("wxgate-hash".into()).spawn(work)?;
        }
        Ok(Self { jobs })
    }

    pub(super) fn run(&self, job: Job) {
        // Fails only without a thread, and those end after this; the job's answer is dropped with it.
        let _ = self.jobs.send(job);
    }
}

fn work(queue: &Mutex<mpsc::Receiver<Job>>, blocks: usize, large: &Arc<Mutex<()>>) {
    // On Linux a priority belongs to the thread, and no pid means the calling one; elsewhere it is the whole process's,
    // and is left alone. Where it can't be set, hashing competes with the rest.
    if cfg!(target_os = "linux") {
        let _ = rustix::process::setpriority_process(None, NICE);
    }
    let mut memory = Memory { blocks: Vec::new(), count: blocks, large: large.clone() };
    loop {
        // The lock is held while waiting, so one thread waits for the job and the others for the lock: whoever it is.
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // A panic is one job's end, not the thread's; its memory may be in any state, and is made anew.
        if catch_unwind(AssertUnwindSafe(|| job(&mut memory))).is_err() {
            memory.blocks = Vec::new();
        }
    }
}

/// One thread's memory, kept from job to job: clearing and returning it would cost more than the hashing of a small one. It
/// isn't wiped: what argon2 leaves in it is overwritten by the next job, and is no password.
pub(super) struct Memory {
    blocks: Vec<Block>,
    count: usize,
    large: Arc<Mutex<()>>,
}

impl Memory {
    /// Argon2's memory at today's cost; made at the first use.
    pub(super) fn blocks(&mut self) -> &mut [Block] {
        if self.blocks.is_empty() {
            self.blocks = vec![Block::default(); self.count];
        }
        &mut self.blocks
    }

    /// Whether so many bytes are no more than this thread has.
    pub(super) fn fits(&self, bytes: u64) -> bool {
        bytes <= (self.count * Block::SIZE) as u64
    }

    /// Runs what wants more memory than a thread has, one at a time in the whole process.
    pub(super) fn with_one_large<T>(&self, run: impl FnOnce() -> T) -> T {
        let _one = self.large.lock().unwrap_or_else(PoisonError::into_inner);
        run()
    }
}
