//! The thread that writes the record: a stalled disk stalls its caller, and the agent must go on to say so.

use crate::store::{Pair, StoreError};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Saves waiting behind a disk that does not answer.
const QUEUE: usize = 4;

struct Save {
    pair: Pair,
    bytes: Vec<u8>,
    done: oneshot::Sender<io::Result<()>>,
}

/// Holds the record's file, and with it the lock, until it is dropped and its last write has ended.
pub(crate) struct Saver {
    path: PathBuf,
    saves: mpsc::SyncSender<Save>,
}

impl Saver {
    pub(crate) fn start(file: File, path: PathBuf) -> Result<Saver, StoreError> {
        let (saves, queue) = mpsc::sync_channel::<Save>(QUEUE);
        let write = move || {
            while let Ok(save) = queue.recv() {
                // The receiver may have given up: then the write still matters, for it may hold a vote.
                let _ = save.done.send(save.pair.write(&file, &save.bytes));
            }
        };
        match std::thread::Builder::new().name("record".to_owned()).spawn(write) {
            Ok(_) => Ok(Saver { path, saves }),
            Err(source) => Err(StoreError::Io { doing: "start a thread for", path, source }),
        }
    }

    /// S1: returns only when the bytes are on disk, in both slots of the pair.
    pub(crate) async fn save(
        &self,
        pair: Pair,
        bytes: Vec<u8>,
        deadline: Duration,
    ) -> Result<(), StoreError> {
        let (done, answer) = oneshot::channel();
        let stalled = || StoreError::Stalled {
            path: self.path.clone(),
            after_ms: deadline.as_millis().try_into().unwrap_or(u64::MAX),
        };
        self.saves.try_send(Save { pair, bytes, done }).map_err(|_| stalled())?;
        match tokio::time::timeout(deadline, answer).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(source))) => Err(StoreError::Io { doing: "write", path: self.path.clone(), source }),
            Ok(Err(_)) | Err(_) => Err(stalled()),
        }
    }
}

/// A small file that is there as it was or as it is to be, whatever happens meanwhile.
pub(crate) async fn write_note(path: &Path, bytes: Vec<u8>) -> io::Result<()> {
    let path = path.to_owned();
    let write = move || {
        let new = path.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(&bytes)?;
        file.sync_data()?;
        std::fs::rename(&new, &path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    tokio::task::spawn_blocking(write).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}
