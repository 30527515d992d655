//! Whether nothing works in a data folder any more.

use std::fs::File;
use std::path::Path;

use rustix::process::{Flock, FlockType, fcntl_getlk};

use super::DiskError;
use crate::process::works_in_folder;

/// An error if a mysqld still holds the folder: a process that works in it, or a lock on InnoDB's system tablespace
/// (which also shows one in another container that shares the disk, where `/proc` does not show it). Blocking.
pub(super) fn must_be_dead(data_dir: &Path) -> Result<(), DiskError> {
    let running = |pid| Err(DiskError::Running { data_dir: data_dir.to_owned(), pid });
    if let Some(pid) = works_in_folder(data_dir) {
        return running(pid);
    }
    let path = data_dir.join("ibdata1");
    let file = match File::open(&path) {
        Ok(file) => file,
        // Configured to be elsewhere: the process alone must tell.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(DiskError::Io { path, source }),
    };
    match fcntl_getlk(&file, &Flock::from(FlockType::WriteLock)) {
        Ok(None) => Ok(()),
        Ok(Some(lock)) => running(lock.pid.map_or(0, |pid| pid.as_raw_nonzero().get())),
        Err(errno) => Err(DiskError::Io { path, source: errno.into() }),
    }
}
