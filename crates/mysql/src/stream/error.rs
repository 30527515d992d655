//! What can go wrong with a stream, with what to try.

use std::io;
use std::path::{Path, PathBuf};

use crate::CopyError;

/// A stream that failed. Never holds a password.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// A program cannot be run.
    #[error("cannot run {program}: {source}; check backup.xtrabackup-bindir, and that this user may run it")]
    Run {
        /// The program.
        program: PathBuf,
        /// The system's own words.
        source: io::Error,
    },
    /// A program ended with an error, or was killed.
    #[error("{program} ended with {status}; its last words: {said}")]
    Ended {
        /// The program's name.
        program: String,
        /// `exit status: 1`, `signal: 9 (SIGKILL)`.
        status: String,
        /// The end of its standard error.
        said: String,
    },
    /// It ended with 0 and did not say that it is done.
    #[error(
        "{program} ended without an error, but its last words are not \"completed OK!\", so what it made is not taken: {said}"
    )]
    NotCompleted {
        /// The program's name.
        program: String,
        /// The end of its standard error.
        said: String,
    },
    /// Nothing moved, or it does not end.
    #[error(
        "{program} {state} for {after_ms} ms and was ended; is its disk slow, or does a statement hold a lock that it waits \
         for? Its last words: {said}"
    )]
    Hangs {
        /// The program's name.
        program: String,
        /// What was the matter.
        state: &'static str,
        /// How long it was waited for, milliseconds.
        after_ms: u64,
        /// The end of its standard error.
        said: String,
    },
    /// Its pipe broke.
    #[error("cannot {doing} {program}: {source}; its last words: {said}")]
    Pipe {
        /// `read from`, `write to`.
        doing: &'static str,
        /// The program's name.
        program: String,
        /// The system's own words.
        source: io::Error,
        /// The end of its standard error.
        said: String,
    },
    /// The copy's position is missing or not understood.
    #[error("{path}: {why}; the donor must write a binary log and use GTIDs")]
    Position {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A setting cannot be used.
    #[error("{setting}: {why}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// What is wrong, and what to put there.
        why: String,
    },
    /// Files, and the server that proves the copy.
    #[error(transparent)]
    Copy(#[from] CopyError),
}

impl StreamError {
    pub(crate) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Copy(CopyError::io(doing, path, source))
    }
}
