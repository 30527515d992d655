//! What is being done: a spinner on a terminal, else a line for each step.

use crate::output::note;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Steps, one after the other.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    step: Option<(String, Instant)>,
}

impl Progress {
    pub(super) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { bar, step: None }
    }

    /// Ends the step before, and begins one.
    pub(super) fn step(&mut self, what: impl Into<String>) {
        self.finish();
        let what = what.into();
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{what} …"));
        }
        self.step = Some((what, Instant::now()));
    }

    /// Ends the last step.
    pub(super) fn finish(&mut self) {
        let Some((what, began)) = self.step.take() else { return };
        let line = format!("  {what} ({:.1} s)", began.elapsed().as_secs_f64());
        match &self.bar {
            Some(bar) => bar.suspend(|| note(&line)),
            None => note(&line),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
