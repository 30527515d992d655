//! Why the files do not tell what the server has.

use std::io;
use std::path::PathBuf;

use xenon_binlog::ScanError;

/// The files give no answer that a vote may rest on. Says which file, what, and what to try.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// This server's binary log does not hold all that it has.
    #[error("the files of this mysqld do not tell what it has: {why}")]
    NotInTheFiles {
        /// Why not, and what to do about it.
        why: String,
    },
    /// A mysqld works in the folder: then it is to be asked, and its files change while they are read.
    #[error("mysqld runs in {data_dir} (process {pid}): ask it, or wait for its end")]
    Running {
        /// Its data folder.
        data_dir: PathBuf,
        /// Its process id.
        pid: i32,
    },
    /// The folder belongs to another server than the one that was last seen.
    #[error(
        "{data_dir} belongs to server_uuid {found}, and {wanted} was last seen there; start mysqld once to be seen again"
    )]
    OtherServer {
        /// The data folder.
        data_dir: PathBuf,
        /// In its `auto.cnf`.
        found: String,
        /// Last seen.
        wanted: String,
    },
    /// The list of the log's files is not there.
    #[error(
        "{path} is missing, so it is not known which log files there are; start mysqld, or rebuild this node"
    )]
    NoIndex {
        /// The index file.
        path: PathBuf,
    },
    /// The list of the log's files is not in order.
    #[error("{path}: {what}; start mysqld, or rebuild this node")]
    BadIndex {
        /// The index file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's own words.
        source: io::Error,
    },
    /// A file is damaged, encrypted, or no log.
    #[error("{path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to try.
        source: ScanError,
    },
    /// A file was closed in order by its server, and is shorter now.
    #[error(
        "{path} was closed in order and ends in the middle of an event or transaction at offset {at}: something was lost from it; rebuild this node"
    )]
    ClosedAndTorn {
        /// The file.
        path: PathBuf,
        /// Where the tear begins, bytes.
        at: u64,
    },
    /// More bytes than may be read.
    #[error(
        "{path} has {file_bytes} bytes, and only {left_bytes} more may be read; start mysqld to be asked instead"
    )]
    TooBig {
        /// The file.
        path: PathBuf,
        /// Its length, bytes.
        file_bytes: u64,
        /// What was left of the limit, bytes.
        left_bytes: u64,
    },
    /// The deadline passed.
    #[error("the log files could not be read within {after_ms} ms; is the disk well?")]
    TooSlow {
        /// The deadline, milliseconds.
        after_ms: u64,
    },
}
