//! How far an import is: a bar on a terminal, a plain line every 5,000 records elsewhere. Counts and nothing else.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::store::Import;

const EVERY: u64 = 5000;

pub(super) struct Progress {
    /// On a terminal.
    bar: Option<ProgressBar>,
    /// Bytes of the file.
    length: u64,
    /// Records done when this run began: its speed is without them.
    began: u64,
    /// Records done when the last plain line was written.
    said: u64,
}

impl Progress {
    pub(super) fn start(length: u64, done: &Import) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:30} {bytes} of {total_bytes}, {eta} left, {msg}");
            ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr())
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar, length, began: done.records, said: done.records }
    }

    /// `position`: bytes of the file that were read.
    pub(super) fn show(&mut self, position: u64, done: &Import) {
        let Import { records, imported, refused, .. } = *done;
        if let Some(bar) = &self.bar {
            let speed = (records - self.began) as f64 / bar.elapsed().as_secs_f64().max(0.001);
            bar.set_message(format!("{speed:.0} records/s, {refused} refused"));
            bar.set_position(position);
        } else if records >= self.said + EVERY {
            self.said = records;
            let percent = position.saturating_mul(100) / self.length.max(1);
            eprintln!("imported {imported}, refused {refused}, {percent} %");
        }
    }

    /// Leaves the terminal to what is said next.
    pub(super) fn end(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
