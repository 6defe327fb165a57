//! What we say: one subscriber, for a person or for a machine (`log`); what we count (`numbers`); and where a request's time went
//! (`spans`).

pub mod elsewhere;
#[cfg(feature = "otlp")]
mod exporter;
pub mod history;
mod log;
mod numbers;
mod process;
pub mod spans;

pub use log::{flush, init};
pub use numbers::{
    Accepted, Gauges, Signing, answered, batch, breaker, connections, count, keep_up, login, numbers, ready,
    reload_failing, reloaded, shed, token_issued, wechat_answered, wechat_took, went_alone,
};
