//! What can go wrong while data is copied, sorted by what the caller can do about it.

use std::io;
use std::path::{Path, PathBuf};

use crate::SqlError;
use crate::process::StartError;

/// A failed copy. Says what was being done, what happened, and what to try; never holds a password.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// It was told to stop, and has.
    #[error("{what}: cancelled")]
    Cancelled {
        /// What was being done.
        what: String,
    },
    /// The donor serves another copy, or runs a statement that no copy may run beside.
    #[error("{what}: the donor is busy ({cause}); wait for it, or copy from another node")]
    DonorBusy {
        /// What was being done.
        what: String,
        /// The server's own words.
        cause: String,
    },
    /// The donor cannot be reached, refuses the account, or went away: another one may do.
    #[error(
        "{what}: the donor cannot be copied from ({cause}); check that its mysqld runs and that the replication account \
         may log in there with BACKUP_ADMIN, or copy from another node"
    )]
    Donor {
        /// What was being done.
        what: String,
        /// The server's own words.
        cause: String,
    },
    /// These two servers never will copy this way: another version, plugin, character set or setting.
    #[error("{what}: not possible: {why}")]
    Impossible {
        /// What was being done.
        what: String,
        /// Why not, and what to do instead.
        why: String,
    },
    /// The disk is too small.
    #[error("{what}: not enough space ({cause}); free some, or copy to a larger disk")]
    NoSpace {
        /// What was being done.
        what: String,
        /// How much is there and how much is wanted, as far as it is known.
        cause: String,
    },
    /// Nothing moved for that long, or the whole took longer than it may.
    #[error(
        "{what}: {state} after {after_ms} ms; is the disk or the network slow, or does a statement block it?"
    )]
    TooSlow {
        /// What was being done.
        what: String,
        /// What was the matter.
        state: &'static str,
        /// How long it was waited for, milliseconds.
        after_ms: u64,
    },
    /// The copy is there and is not what it must be.
    #[error("{folder}: {why}")]
    Incomplete {
        /// The copy.
        folder: PathBuf,
        /// What is wrong with it, and what to try.
        why: String,
    },
    /// A file or folder.
    #[error("{doing} {path}: {source}")]
    Io {
        /// `cannot create`, `cannot rename` …
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's own words.
        source: io::Error,
    },
    /// A scratch mysqld did not start, or ended by itself.
    #[error("{what}: the scratch mysqld ended by itself: {said}")]
    Scratch {
        /// What was being done.
        what: String,
        /// Its last words.
        said: String,
    },
    /// A scratch mysqld could not be started at all.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The server that copies.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

impl CopyError {
    /// Another donor may do better.
    pub fn is_the_donors(&self) -> bool {
        matches!(self, Self::Donor { .. } | Self::DonorBusy { .. })
    }

    pub(crate) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::StorageFull {
            return Self::NoSpace { what: format!("{doing} {}", path.display()), cause: source.to_string() };
        }
        Self::Io { doing, path: path.to_owned(), source }
    }

    pub(crate) fn impossible(what: &str, why: impl Into<String>) -> Self {
        Self::Impossible { what: what.to_owned(), why: why.into() }
    }

    pub(crate) fn incomplete(folder: &Path, why: impl Into<String>) -> Self {
        Self::Incomplete { folder: folder.to_owned(), why: why.into() }
    }
}
