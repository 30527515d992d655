//! Colours: on a terminal only, and not where NO_COLOR is set (no-color.org) or the terminal is a dumb one.

use std::io::IsTerminal;
use xenon_api::Level;

/// Colours, or none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint(bool);

impl Paint {
    /// For standard output as it is.
    pub(crate) fn stdout() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self(std::io::stdout().is_terminal() && !unwanted && !dumb)
    }

    /// None at all.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self(false)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.0 && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(crate) fn strong(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(crate) fn faint(self, text: &str) -> String {
        self.with("2", text)
    }

    pub(crate) fn level(self, level: Level, text: &str) -> String {
        let code = match level {
            Level::Ok => "32",
            Level::Unknown => "35",
            Level::Warn => "33",
            Level::Error => "1;31",
        };
        self.with(code, text)
    }
}
