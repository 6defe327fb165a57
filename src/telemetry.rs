//! What we say: one subscriber, for a person or for a machine (`log`); and what we count (`numbers`).

pub mod elsewhere;
pub mod history;
mod log;
mod numbers;
mod process;

pub use log::{flush, init};
pub use numbers::{
    Accepted, Gauges, Signing, answered, batch, breaker, connections, count, keep_up, login, numbers, ready,
    reload_failing, reloaded, shed, token_issued, wechat_answered, wechat_took, went_alone,
};
