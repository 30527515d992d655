//! One line an event: time, node, kind, what. Written only when somebody reads it.

use crate::world::queue::Us;

/// The lines of a run, or nothing.
#[derive(Debug, Default)]
pub(crate) struct Log {
    wanted: bool,
    lines: Vec<String>,
}

impl Log {
    pub(crate) fn new(wanted: bool) -> Log {
        Log { wanted, lines: Vec::new() }
    }

    /// `what` is asked only when it is wanted: most runs are read by nobody.
    pub(crate) fn tell(&mut self, now: Us, node: &str, kind: &str, what: impl FnOnce() -> String) {
        if self.wanted {
            let (s, us) = (now / 1_000_000, now % 1_000_000);
            self.lines.push(format!("{s:>5}.{us:06}  {node:<4} {kind:<8} {}", what()));
        }
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines
    }
}
