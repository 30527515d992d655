//! Findings: what is wrong with a configuration file, where, and what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};

/// How much a [`Finding`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; nothing has to be done.
    Note,
    /// The file loads, and something in it is unsafe or probably not meant.
    Warning,
    /// The file does not load.
    Error,
}

/// A place in a text, as an editor shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters (a tab is one), counted from 1.
    pub column: usize,
}

/// The first place of a text.
impl Default for Place {
    fn default() -> Self {
        Place { line: 1, column: 1 }
    }
}

/// One problem of a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Line, counted from 1; `None` when the problem has no place in the text (a key that is absent, an unreadable file).
    pub line: Option<usize>,
    /// Column in characters, counted from 1; present exactly when `line` is.
    pub column: Option<usize>,
    /// The key, as `section.key`; empty when the file as a whole is meant.
    pub key: String,
    /// What is wrong. Never holds a secret's value.
    pub what: String,
    /// What to do about it; empty when `what` says it.
    pub cure: String,
    /// Whether the file loads nevertheless.
    pub severity: Severity,
}

impl Finding {
    pub(crate) fn new(
        severity: Severity,
        place: Option<Place>,
        key: impl Into<String>,
        what: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Finding {
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
            key: key.into(),
            what: what.into(),
            cure: cure.into(),
            severity,
        }
    }

    /// Where in the file it is, when it has a place.
    pub fn place(&self) -> Option<Place> {
        Some(Place { line: self.line?, column: self.column? })
    }
}

/// `key: what; cure`, without file and line.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.severity {
            Severity::Error => {}
            Severity::Warning => f.write_str("warning: ")?,
            Severity::Note => f.write_str("note: ")?,
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.what)?;
        if !self.cure.is_empty() {
            write!(f, "; {}", self.cure)?;
        }
        Ok(())
    }
}

/// Everything found in one file, in the order of its lines.
///
/// Printed as one line each: `xenon.json:12:9: raft.electon-timeout: unknown key; did you mean "election-timeout"?`.
/// Warnings and notes say so after the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// The file that they are about.
    pub file: PathBuf,
    list: Vec<Finding>,
}

impl Findings {
    pub(crate) fn new(file: &Path) -> Self {
        Findings { file: file.to_owned(), list: Vec::new() }
    }

    pub(crate) fn push(&mut self, finding: Finding) {
        self.list.push(finding);
    }

    /// By line; what has no line comes first. Equal places keep the order in which they were found.
    pub(crate) fn sort(&mut self) {
        self.list.sort_by_key(Finding::place);
    }

    /// One of them keeps the file from loading.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// Those of one severity.
    pub fn of(&self, severity: Severity) -> impl Iterator<Item = &Finding> {
        self.list.iter().filter(move |finding| finding.severity == severity)
    }

    /// The line that a person reads for one of the findings: file, line and column, then the finding.
    pub fn line_of(&self, finding: &Finding) -> String {
        match finding.place() {
            Some(Place { line, column }) => format!("{}:{line}:{column}: {finding}", self.file.display()),
            None => format!("{}: {finding}", self.file.display()),
        }
    }
}

impl std::ops::Deref for Findings {
    type Target = [Finding];

    fn deref(&self) -> &[Finding] {
        &self.list
    }
}

impl IntoIterator for Findings {
    type Item = Finding;
    type IntoIter = std::vec::IntoIter<Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl<'a> IntoIterator for &'a Findings {
    type Item = &'a Finding;
    type IntoIter = std::slice::Iter<'a, Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&self.line_of(finding))?;
        }
        Ok(())
    }
}

impl std::error::Error for Findings {}
