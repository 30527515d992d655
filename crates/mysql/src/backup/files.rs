//! The files of a copied data folder: which there are, and their checksums.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::manifest::{BackupFile, hex};
use super::pages::PageCheck;
use crate::CopyError;
use crate::copy::walk;

/// Read at once.
pub(super) const PIECE_BYTES: usize = 1024 * 1024;

/// What a server leaves behind that is no part of its data: made anew by the next one.
const LEFT_BEHIND: [&str; 3] = ["#innodb_temp", "ibtmp1", "performance_schema"];

/// Every file below `data`, by name. Blocking.
///
/// # Errors
/// Also when something is no plain file: a link would lead out of the backup.
pub(super) fn list(data: &Path) -> Result<Vec<(PathBuf, u64)>, CopyError> {
    let mut files = Vec::new();
    walk(data, &mut |path, meta| {
        if meta.is_file() {
            files.push((path.to_owned(), meta.len()));
        } else if !meta.is_dir() {
            return Err(CopyError::incomplete(
                path,
                "it is neither a file nor a folder: a backup cannot have it",
            ));
        }
        Ok(())
    })?;
    files.sort();
    Ok(files)
}

/// Removes what is no part of the data. Blocking.
pub(super) fn tidy(data: &Path) -> Result<(), CopyError> {
    for name in LEFT_BEHIND {
        let path = data.join(name);
        let removed =
            if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(CopyError::io("cannot remove", &path, error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Reads a file once: its SHA-256, and whether its InnoDB pages are sound. `each` is told of every piece. Blocking.
pub(super) fn digest(
    path: &Path,
    name: String,
    cancel: &watch::Receiver<bool>,
    each: &mut dyn FnMut(u64),
) -> Result<BackupFile, CopyError> {
    let cannot = |error| CopyError::io("cannot read", path, error);
    let mut file = File::open(path).map_err(cannot)?;
    let mut pages = PageCheck::new(path);
    let (mut sum, mut bytes, mut piece) = (Sha256::new(), 0, vec![0; PIECE_BYTES]);
    loop {
        stop_if_cancelled(cancel)?;
        let count = fill(&mut file, &mut piece).map_err(cannot)?;
        let Some(read) = piece.get(..count).filter(|read| !read.is_empty()) else { break };
        sum.update(read);
        pages.feed(read).map_err(|why| CopyError::incomplete(path, why))?;
        bytes += count as u64;
        each(count as u64);
    }
    Ok(BackupFile { path: name, bytes, sha256: hex(&sum.finalize()) })
}

/// Reads until the piece is full or the file ends.
pub(super) fn fill(file: &mut File, piece: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = piece.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

pub(super) fn stop_if_cancelled(cancel: &watch::Receiver<bool>) -> Result<(), CopyError> {
    // Whoever could have cancelled it is gone, and so is whoever waits for it.
    match *cancel.borrow() || cancel.has_changed().is_err() {
        true => Err(CopyError::Cancelled { what: "reading the copy".to_owned() }),
        false => Ok(()),
    }
}
