//! What the system says of this process, named as Prometheus' own clients name it.
//!
//! Read from /proc by hand: the crates for it bring a system library's worth of code for five numbers.

use metrics::{counter, gauge};

/// Of /proc's times. Fixed in Linux' interface to programs, whatever the kernel's own is.
const TICKS_A_SECOND: f64 = 100.0;

/// Sets them. Where there is no /proc, nothing is set.
pub(super) fn set() {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    let kib = |name: &str| {
        let status = read("status");
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix(" kB")?.parse::<f64>().ok()
    };
    if let Some(kib) = kib("VmRSS") {
        gauge!("process_resident_memory_bytes").set(kib * 1024.0);
    }
    // Behind the program's name, which may hold anything but a closing bracket behind its last one.
    let stat = read("stat");
    let fields: Vec<&str> =
        stat.rsplit_once(')').map_or(vec![], |(_, rest)| rest.split_whitespace().collect());
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok());
    if let (Some(user), Some(system)) = (ticks(11), ticks(12)) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole seconds since the start"
        )]
        counter!("process_cpu_seconds_total").absolute(((user + system) / TICKS_A_SECOND) as u64);
    }
    if let (Some(started), Some(booted)) = (ticks(19), booted()) {
        gauge!("process_start_time_seconds").set(booted + started / TICKS_A_SECOND);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        gauge!("process_open_fds").set(f64::from(u32::try_from(open.count()).unwrap_or(u32::MAX)));
    }
    let limits = read("limits");
    let most = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next()?.parse().ok());
    if let Some(most) = most {
        gauge!("process_max_fds").set::<f64>(most);
    }
}

/// When the machine started, in seconds since the epoch.
fn booted() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime ")?.parse().ok())
}
