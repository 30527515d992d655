//! The thread that writes the record: a stalled disk stalls its caller, and the agent must go on to say so.

use crate::store::{StoreError, write_both};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Saves waiting behind a disk that does not answer.
const QUEUE: usize = 4;

struct Save {
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
                let _ = save.done.send(write_both(&file, &save.bytes));
            }
        };
        match std::thread::Builder::new().name("record".to_owned()).spawn(write) {
            Ok(_) => Ok(Saver { path, saves }),
            Err(source) => Err(StoreError::Io { doing: "start a thread for", path, source }),
        }
    }

    /// S1: returns only when the bytes are on disk, in both slots.
    pub(crate) async fn save(&self, bytes: Vec<u8>, deadline: Duration) -> Result<(), StoreError> {
        let (done, answer) = oneshot::channel();
        let stalled = || StoreError::Stalled {
            path: self.path.clone(),
            after_ms: deadline.as_millis().try_into().unwrap_or(u64::MAX),
        };
        self.saves.try_send(Save { bytes, done }).map_err(|_| stalled())?;
        match tokio::time::timeout(deadline, answer).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(source))) => Err(StoreError::Io { doing: "write", path: self.path.clone(), source }),
            Ok(Err(_)) | Err(_) => Err(stalled()),
        }
    }
}
