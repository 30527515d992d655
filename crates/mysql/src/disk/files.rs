//! Log files one by one: the list of them, and reading one within a budget.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Instant;

use xenon_binlog::{End, LogKind, Scan, Summary, Transaction};
use xenon_gtid::GtidSet;

use super::{Budget, DiskError};

/// The longest index that is read, bytes: room for a hundred thousand files.
const INDEX_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Read at once.
const PIECE_BYTES: usize = 1024 * 1024;

/// Read at once where only the beginning of a file is wanted.
const BEGINNING_BYTES: usize = 16 * 1024;

/// The files that an index names, in order; never none. Relative names are below the data folder. Blocking.
pub(super) fn listed(index: &Path, data_dir: &Path) -> Result<Vec<PathBuf>, DiskError> {
    let bad = |what| DiskError::BadIndex { path: index.to_owned(), what };
    let io = |source| DiskError::Io { path: index.to_owned(), source };
    let file = match File::open(index) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(DiskError::NoIndex { path: index.to_owned() });
        }
        Err(source) => return Err(io(source)),
    };
    let mut text = String::new();
    let read = file.take(INDEX_BYTES_MAX + 1).read_to_string(&mut text).map_err(io)?;
    if read as u64 > INDEX_BYTES_MAX {
        return Err(bad("it is too long"));
    }
    if text.is_empty() {
        return Err(bad("it is empty"));
    }
    // The server writes each name with its newline; one without was being written.
    if !text.ends_with('\n') {
        return Err(bad("its last line is cut off"));
    }
    // By components, which leaves out the "./" that the server writes in front.
    Ok(text.lines().map(|line| data_dir.join(line).components().collect()).collect())
}

/// Reads a whole file; `each` gets its complete transactions. A torn end is one only where the server did not close the
/// file. Blocking.
pub(super) fn read(
    log: LogKind,
    path: &Path,
    budget: &mut Budget,
    each: impl FnMut(&Transaction),
) -> Result<Summary, DiskError> {
    let mut each = each;
    let (mut file, file_bytes) = open(path, budget)?;
    if file_bytes > budget.bytes_left {
        let left_bytes = budget.bytes_left;
        return Err(DiskError::TooBig { path: path.to_owned(), file_bytes, left_bytes });
    }
    budget.bytes_left -= file_bytes;
    let unreadable = |source| DiskError::Unreadable { path: path.to_owned(), source };
    let mut scan = Scan::new(log, file_bytes);
    let mut piece = vec![0; PIECE_BYTES];
    while let Some(bytes) = next(&mut file, &mut piece, path, budget)? {
        scan.feed(bytes, &mut each).map_err(unreadable)?;
    }
    let summary = scan.finish().map_err(unreadable)?;
    match &summary.end {
        // A relay log has no flag, and its server may be killed at any byte of it.
        End::Torn(tear) if log == LogKind::Binlog && summary.server_version.is_some() && !summary.in_use => {
            Err(DiskError::ClosedAndTorn { path: path.to_owned(), at: tear.at })
        }
        _ => Ok(summary),
    }
}

/// The GTIDs of all files before this one, read from its beginning. `None` when the file does not say so (yet). Blocking.
pub(super) fn previous(log: LogKind, path: &Path, budget: &Budget) -> Result<Option<GtidSet>, DiskError> {
    let (mut file, file_bytes) = open(path, budget)?;
    let mut scan = Scan::new(log, file_bytes);
    let mut piece = vec![0; BEGINNING_BYTES];
    while scan.previous().is_none() {
        let Some(bytes) = next(&mut file, &mut piece, path, budget)? else { break };
        let mut transactions = false;
        scan.feed(bytes, |_| transactions = true)
            .map_err(|source| DiskError::Unreadable { path: path.to_owned(), source })?;
        if transactions {
            break;
        }
    }
    Ok(scan.previous().cloned())
}

fn open(path: &Path, budget: &Budget) -> Result<(File, u64), DiskError> {
    let io = |source| DiskError::Io { path: path.to_owned(), source };
    look_at_the_clock(budget)?;
    // Before it is opened: opening a named pipe would wait for its other end.
    if !std::fs::metadata(path).map_err(io)?.is_file() {
        return Err(io(ErrorKind::InvalidInput.into()));
    }
    let file = File::open(path).map_err(io)?;
    let file_bytes = file.metadata().map_err(io)?.len();
    Ok((file, file_bytes))
}

/// The next bytes; `None` at the end.
fn next<'a>(
    file: &mut File,
    piece: &'a mut [u8],
    path: &Path,
    budget: &Budget,
) -> Result<Option<&'a [u8]>, DiskError> {
    look_at_the_clock(budget)?;
    let count = loop {
        match file.read(piece) {
            Ok(count) => break count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(source) => return Err(DiskError::Io { path: path.to_owned(), source }),
        }
    };
    Ok(piece.get(..count).filter(|bytes| !bytes.is_empty()))
}

fn look_at_the_clock(budget: &Budget) -> Result<(), DiskError> {
    match Instant::now() < budget.until {
        true => Ok(()),
        false => {
            let after_ms = u64::try_from(budget.limits.deadline.as_millis()).unwrap_or(u64::MAX);
            Err(DiskError::TooSlow { after_ms })
        }
    }
}
