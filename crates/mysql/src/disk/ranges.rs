//! The bytes of a tail, as relay log files that another server can apply (W2).

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use xenon_binlog::preamble_end;

use super::dead::must_be_dead;
use super::{BinlogTail, DiskError, DiskLimits, LogPlaces, within};

/// Some bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRange {
    /// The file.
    pub path: PathBuf,
    /// Offset of its first byte.
    pub from: u64,
    /// Offset behind its last byte.
    pub to: u64,
}

impl FileRange {
    /// Its length, bytes.
    pub fn bytes(&self) -> u64 {
        self.to.saturating_sub(self.from)
    }
}

/// For each file of the tail the ranges that make a log file of their own: its preamble, and the transactions from the
/// first that is lacking on. A torn end is left out. The files stay files: the numbers by which an applier knows what it
/// may apply at the same time begin anew in each.
///
/// # Errors
/// A file cannot be read, or does not begin as one; or a mysqld works in the folder.
pub async fn relay_ranges(
    places: &LogPlaces,
    tail: &BinlogTail,
    limits: DiskLimits,
) -> Result<Vec<Vec<FileRange>>, DiskError> {
    let (folder, tail) = (places.data_dir.clone(), tail.clone());
    within(limits, move |_| {
        must_be_dead(&folder)?;
        ranges(&tail)
    })
    .await
}

fn ranges(tail: &BinlogTail) -> Result<Vec<Vec<FileRange>>, DiskError> {
    let mut files = Vec::new();
    let paths: Vec<&PathBuf> = std::iter::once(&tail.file).chain(&tail.later_files).collect();
    for (number, path) in paths.iter().enumerate() {
        let io = |source| DiskError::Io { path: (*path).clone(), source };
        let file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let read = |at| {
            let mut header = [0; 19];
            file.read_exact_at(&mut header, at).ok().map(|()| header)
        };
        let head = preamble_end(read).filter(|head| *head <= length);
        let last = number + 1 == paths.len();
        let end = if last { tail.whole_until } else { length };
        let Some(head) = head else {
            if last && end <= 4 {
                // The server died while it created the file.
                continue;
            }
            let why =
                format!("{} does not begin as a binary log file does; rebuild the others", path.display());
            return Err(DiskError::NotInTheFiles { why });
        };
        let start = if number == 0 { tail.start.max(head) } else { head };
        if start >= end {
            continue;
        }
        let range = |from, to| FileRange { path: (*path).clone(), from, to };
        files.push(if start == head { vec![range(0, end)] } else { vec![range(0, head), range(start, end)] });
    }
    Ok(files)
}
