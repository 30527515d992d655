//! In place of the agent's `saver.rs`: the same file, the same bytes, written where the caller stands. Virtual time does
//! not wait for a thread.

use crate::store::{Pair, StoreError};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Holds the record's file, and with it the lock.
pub(crate) struct Saver {
    path: PathBuf,
    file: File,
}

impl Saver {
    pub(crate) fn start(file: File, path: PathBuf) -> Result<Saver, StoreError> {
        Ok(Saver { path, file })
    }

    pub(crate) async fn save(
        &self,
        pair: Pair,
        bytes: Vec<u8>,
        deadline: Duration,
    ) -> Result<(), StoreError> {
        // A real save is a wait, in which other tasks run and a crash may come.
        let disk = tokio::time::sleep(Duration::from_millis(1));
        tokio::time::timeout(deadline, disk).await.map_err(|_| StoreError::Stalled {
            path: self.path.clone(),
            after_ms: deadline.as_millis().try_into().unwrap_or(u64::MAX),
        })?;
        pair.write(&self.file, &bytes).map_err(|source| StoreError::Io {
            doing: "write",
            path: self.path.clone(),
            source,
        })
    }
}

pub(crate) async fn write_note(path: &Path, bytes: Vec<u8>) -> io::Result<()> {
    tokio::time::sleep(Duration::from_millis(1)).await;
    std::fs::write(path, bytes)
}
