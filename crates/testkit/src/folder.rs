//! The folder of a local cluster: one process's own, with nothing of anybody else's in it.

use crate::state::{LOG_FILE, State};
use anyhow::{Context, Result, anyhow, bail};
use rustix::fs::{FlockOperation, flock, statvfs};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Held by the process that owns the cluster.
pub(crate) const LOCK_FILE: &str = "playground.lock";
/// Less free space than this is refused, bytes.
const NEEDED_SPACE: u64 = 1 << 30;

/// Makes a folder that only its owner can enter.
pub(crate) fn make_private(folder: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("the folder {} cannot be made", folder.display()))
}

/// Makes a folder this process's own, until the file is dropped.
pub(crate) fn take_lock(folder: &Path) -> Result<File> {
    let path = folder.join(LOCK_FILE);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("{} cannot be written", path.display()))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        anyhow!("a local cluster is running in {}, or is being started or ended", folder.display())
    })?;
    Ok(file)
}

/// Removes what a process that is gone has left behind; refuses whatever else is in the folder.
pub(crate) fn clear(folder: &Path, temporary: bool) -> Result<()> {
    if temporary {
        return Ok(());
    }
    if let Some(state) = State::read(folder)? {
        if state.is_owned() || state.is_running() {
            bail!("a local cluster is running in {}", folder.display());
        }
        if state.keep {
            bail!(
                "{} holds the data of an earlier local cluster, which was to be kept; choose another folder, or remove it",
                folder.display()
            );
        }
        state.remove_files(folder)?;
    }
    let ours = [LOCK_FILE, LOG_FILE];
    let foreign =
        fs::read_dir(folder)?.flatten().find(|entry| !ours.iter().any(|name| entry.file_name() == *name));
    match foreign {
        Some(entry) => bail!(
            "{} is not empty (it holds {}) and no local cluster was made there; choose another folder",
            folder.display(),
            entry.file_name().display()
        ),
        None => Ok(()),
    }
}

/// Refuses a folder without room for a cluster.
pub(crate) fn check_space(folder: &Path) -> Result<()> {
    let space = statvfs(folder).with_context(|| format!("the space in {} is not known", folder.display()))?;
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    if free < NEEDED_SPACE {
        bail!(
            "{} has {} MiB of free space, and a local cluster needs 1024; choose another folder",
            folder.display(),
            free >> 20
        );
    }
    Ok(())
}
