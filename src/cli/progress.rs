//! How far a long command is: a bar on a terminal, a line now and then elsewhere. Counts and nothing else, on stderr.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// So many go by without a line; of few, a tenth.
const MOST_SILENT: u64 = 50_000;

pub(super) struct Progress {
    /// On a terminal.
    bar: Option<ProgressBar>,
    done: u64,
    total: u64,
    what: &'static str,
}

impl Progress {
    /// Of `total` things, about: more may come meanwhile.
    pub(super) fn start(total: u64, what: &'static str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(
                "{bar:30} {human_pos} of {human_len} {msg}, {per_sec}, {eta} left",
            );
            ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr())
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
                .with_message(what)
        });
        Self { bar, done: 0, total, what }
    }

    /// So many more are done.
    pub(super) fn more(&mut self, things: u64) {
        let line = |done: u64| done / (self.total / 10).clamp(1, MOST_SILENT);
        let (before, after) = (line(self.done), line(self.done + things));
        self.done += things;
        match &self.bar {
            Some(bar) => bar.set_position(self.done),
            None if after > before => eprintln!("{} of {} {}", self.done, self.total, self.what),
            None => {}
        }
    }

    /// Leaves the terminal to what is said next.
    pub(super) fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
