//! How many files and connections the process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Besides the public side's connections: the database's, WeChat's, the internal side's, and files.
const OTHERS: u64 = 1024;

/// Takes as many as the system gives without being asked twice, and says where that is too few for `connections`.
pub(super) fn raise(connections: u32) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
    // None: as many as one likes.
    let have = if raised { maximum } else { current };
    let wanted = u64::from(connections) + OTHERS;
    if let Some(have) = have.filter(|have| *have < wanted) {
        tracing::warn!(
            have,
            wanted,
            "fewer files may be open than http.max_connections would need: raise LimitNOFILE or ulimit -n, or lower that setting"
        );
    }
}
