//! Data on standard output: a table, or one JSON object.

use crate::failure::Outcome;
use crate::table::Table;
use crate::views::Object;
use serde_json::json;
use std::io::{ErrorKind, Write};

/// How to print an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Table,
    /// One JSON object, for programs.
    Json,
}

/// Prints lines to standard output.
pub(crate) fn print(text: &str) -> Outcome {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{}", text.trim_end_matches('\n')).and_then(|()| out.flush()) {
        // The reader (head, less) has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        outcome => Ok(outcome?),
    }
}

/// Prints a JSON object on a line.
pub(crate) fn json(object: &Object) -> Outcome {
    print(&serde_json::to_string(object)?)
}

/// Prints an answer in one of its two forms.
pub(crate) fn answer(
    output: Output,
    table: impl FnOnce() -> Table,
    json: impl FnOnce() -> Object,
) -> Outcome {
    match output {
        Output::Table => print(&table().to_string()),
        Output::Json => self::json(&json()),
    }
}

/// Prints what was done: a sentence, or `{"ok": true, "message": "sentence", "node": who did it}`.
pub(crate) fn done(output: Output, node: &str, message: &str) -> Outcome {
    match output {
        Output::Table => print(message),
        Output::Json => {
            json(&Object::new(vec![("ok", json!(true)), ("message", json!(message)), ("node", json!(node))]))
        }
    }
}

/// Something that a person should know and a program's reader need not: to standard error.
pub(crate) fn note(text: &str) {
    // Standard error may be closed; the answer is what counts.
    let _ = writeln!(std::io::stderr(), "{}", printable(text));
}

/// Errors of servers stand in tables and notes: nothing of them may move the cursor of a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
}
