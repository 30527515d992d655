//! The durable record on disk (rules S1 and S2).
//!
//! One file of two fixed slots. A save writes the first slot, makes it durable, then the second: whatever
//! moment a crash hits, one slot is whole, and it is either the record saved last or the one being saved
//! (on which nothing depends yet). The file keeps its size for ever, so a full disk does not hinder a save.

use crate::saver::Saver;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use xenon_election::Record;

/// Name of the file in `raft.meta-datadir`.
const FILE: &str = "xenon.record";
/// Bytes of one slot; room for some thousands of members.
const SLOT_BYTES: usize = 512 * 1024;
/// Magic, format version, length, sequence number, checksum.
const HEADER_BYTES: usize = 8 + 4 + 4 + 8 + 4;
const MAGIC: &[u8; 8] = b"XENONREC";
const FORMAT: u32 = 1;

/// Why the record cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The system said no.
    #[error(
        "cannot {doing} {path}: {source}; check that the folder exists, belongs to the agent's user and is not read-only"
    )]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    /// Another agent has it.
    #[error("{path} is in use by another agent; is one running for this folder (raft.meta-datadir) already?")]
    Locked { path: PathBuf },
    /// Neither slot is whole.
    #[error(
        "{path} is damaged ({detail}). The agent must not start as if it had never voted: restore the file, or, if \
         this node is to join anew, remove it from the cluster first (xenoncli cluster remove), then move the file away"
    )]
    Damaged { path: PathBuf, detail: String },
    /// Written by a newer agent.
    #[error("{path} has format {found}, this agent knows {FORMAT}: install the newer agent again")]
    Newer { path: PathBuf, found: u32 },
    /// The disk does not answer.
    #[error("the disk of {path} did not answer within {after_ms} ms")]
    Stalled { path: PathBuf, after_ms: u64 },
    /// It does not fit.
    #[error("the record of {bytes} bytes does not fit into its slot of {SLOT_BYTES}")]
    TooLarge { bytes: usize },
}

/// How long a predecessor that was killed may take to end: a thread of its own may still wait for the disk.
const PREDECESSOR: Duration = Duration::from_secs(5);
/// Between two looks at it.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Blocking; nothing else of the agent runs yet.
fn locked(file: &File) -> bool {
    let until = std::time::Instant::now() + PREDECESSOR;
    loop {
        if rustix::fs::flock(file, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_ok() {
            return true;
        }
        if std::time::Instant::now() >= until {
            return false;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

#[derive(Serialize, Deserialize)]
struct Content {
    record: Record,
}

/// The record's file, held under a lock.
pub(crate) struct Store {
    seq: u64,
    saver: Saver,
}

impl Store {
    /// Opens or creates the record in `folder` (made if missing); `None` when there was none.
    pub(crate) fn open(folder: &Path) -> Result<(Store, Option<Record>), StoreError> {
        let path = folder.join(FILE);
        let io_error = |doing| {
            let path = path.clone();
            move |source| StoreError::Io { doing, path, source }
        };
        std::fs::create_dir_all(folder).map_err(io_error("make the folder of"))?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io_error("open"))?;
        if !locked(&file) {
            return Err(StoreError::Locked { path });
        }
        let length = file.metadata().map_err(io_error("read"))?.len();
        let (record, seq) = if length < 2 * SLOT_BYTES as u64 {
            // Shorter than it is ever left: a first start that did not get through, so nothing was saved in it.
            if length > 0 && has_record(&file, &path)? {
                return Err(StoreError::Damaged { path, detail: "it was cut short".to_owned() });
            }
            prepare(&file).map_err(io_error("write"))?;
            File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(io_error("make durable the folder of"))?;
            (None, 0)
        } else {
            read_newest(&file, &path)?
        };
        Ok((Store { seq, saver: Saver::start(file, path)? }, record))
    }

    /// S1: returns only when the record is on disk, in both slots.
    pub(crate) async fn save(&mut self, record: &Record, deadline: Duration) -> Result<(), StoreError> {
        self.seq += 1;
        self.saver.save(encode(record, self.seq)?, deadline).await
    }
}

fn encode(record: &Record, seq: u64) -> Result<Vec<u8>, StoreError> {
    let body = serde_json::to_vec(&Content { record: record.clone() }).unwrap_or_default();
    if body.is_empty() || HEADER_BYTES + body.len() > SLOT_BYTES {
        return Err(StoreError::TooLarge { bytes: body.len() });
    }
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&seq.to_le_bytes());
    bytes.extend_from_slice(&checksum(&bytes, &body).to_le_bytes());
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

fn checksum(header: &[u8], body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(header), body)
}

/// Blocking.
pub(crate) fn write_both(file: &File, bytes: &[u8]) -> io::Result<()> {
    for slot in 0..2 {
        file.write_all_at(bytes, slot * SLOT_BYTES as u64)?;
        // The first slot must be durable before the second is touched: a crash may tear only one of them.
        file.sync_data()?;
    }
    Ok(())
}

/// Real zeros, so that no later write needs a new block.
fn prepare(file: &File) -> io::Result<()> {
    file.set_len(0)?;
    let zeros = vec![0; SLOT_BYTES];
    file.write_all_at(&zeros, 0)?;
    file.write_all_at(&zeros, SLOT_BYTES as u64)?;
    file.sync_all()
}

enum Slot {
    Empty,
    Torn(&'static str),
    Whole { seq: u64, record: Box<Record> },
}

fn has_record(file: &File, path: &Path) -> Result<bool, StoreError> {
    let mut magic = [0; 8];
    match file.read_exact_at(&mut magic, 0) {
        Ok(()) => Ok(&magic == MAGIC),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(source) => Err(StoreError::Io { doing: "read", path: path.to_owned(), source }),
    }
}

fn read_newest(file: &File, path: &Path) -> Result<(Option<Record>, u64), StoreError> {
    let slots = [read_slot(file, path, 0)?, read_slot(file, path, 1)?];
    match slots {
        [Slot::Whole { seq: a, record: first }, Slot::Whole { seq: b, record: second }] => {
            let (seq, record) = if a >= b { (a, first) } else { (b, second) };
            Ok((Some(*record), seq))
        }
        // One slot torn: a save was interrupted, and the other slot is what counts.
        [Slot::Whole { seq, record }, _] | [_, Slot::Whole { seq, record }] => Ok((Some(*record), seq)),
        // The very first save was interrupted in its first slot: nothing was ever saved.
        [Slot::Empty | Slot::Torn(_), Slot::Empty] => Ok((None, 0)),
        [first, second] => {
            let word = |slot: &Slot| match slot {
                Slot::Torn(detail) => *detail,
                _ => "empty",
            };
            let detail = format!("first slot: {}; second slot: {}", word(&first), word(&second));
            Err(StoreError::Damaged { path: path.to_owned(), detail })
        }
    }
}

fn read_slot(file: &File, path: &Path, slot: u64) -> Result<Slot, StoreError> {
    let mut bytes = vec![0; SLOT_BYTES];
    file.read_exact_at(&mut bytes, slot * SLOT_BYTES as u64).map_err(|source| StoreError::Io {
        doing: "read",
        path: path.to_owned(),
        source,
    })?;
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(Slot::Empty);
    }
    let (header, rest) = bytes.split_at(HEADER_BYTES);
    let number = |from: usize| {
        header.get(from..from + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
    };
    if &header[..8] != MAGIC {
        return Ok(Slot::Torn("not a record"));
    }
    let Some(body) = rest.get(..number(12) as usize) else { return Ok(Slot::Torn("impossible length")) };
    if number(24) != checksum(&header[..24], body) {
        return Ok(Slot::Torn("checksum does not match"));
    }
    if number(8) != FORMAT {
        return Err(StoreError::Newer { path: path.to_owned(), found: number(8) });
    }
    let seq = u64::from(number(16)) | u64::from(number(20)) << 32;
    match serde_json::from_slice::<Content>(body) {
        Ok(content) => Ok(Slot::Whole { seq, record: Box::new(content.record) }),
        Err(_) => Ok(Slot::Torn("content not understood")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xenon_election::NodeId;

    fn record(term: u64) -> Record {
        Record { term, vote: Some(NodeId::new("127.0.0.1:1")), ..Record::default() }
    }

    const DEADLINE: Duration = Duration::from_secs(10);

    async fn save_and_reopen(folder: &Path, terms: &[u64]) -> Option<Record> {
        let (mut store, _) = Store::open(folder).unwrap();
        for term in terms {
            store.save(&record(*term), DEADLINE).await.unwrap();
        }
        drop(store);
        reopen(folder).unwrap()
    }

    /// The writing thread lets go of the lock a moment after the store is dropped.
    fn reopen(folder: &Path) -> Result<Option<Record>, StoreError> {
        for _ in 0..1000 {
            match Store::open(folder) {
                Err(StoreError::Locked { .. }) => std::thread::sleep(Duration::from_millis(1)),
                outcome => return outcome.map(|(_, record)| record),
            }
        }
        panic!("the lock is never let go");
    }

    fn damage(folder: &Path, slot: u64, at: u64) {
        let file = OpenOptions::new().write(true).open(folder.join(FILE)).unwrap();
        file.write_all_at(b"\xff\xff\xff", slot * SLOT_BYTES as u64 + at).unwrap();
    }

    #[tokio::test]
    async fn s1_what_was_saved_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(save_and_reopen(folder.path(), &[1, 2, 3]).await, Some(record(3)));
    }

    #[tokio::test]
    async fn a_first_start_has_no_record() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Store::open(&folder.path().join("new")).unwrap().1, None);
    }

    #[tokio::test]
    async fn s2_one_torn_slot_loses_nothing() {
        for slot in 0..2 {
            for at in [0, 9, 13, 17, 25, 30] {
                let folder = tempfile::tempdir().unwrap();
                save_and_reopen(folder.path(), &[1, 2]).await;
                damage(folder.path(), slot, at);
                assert_eq!(reopen(folder.path()).unwrap(), Some(record(2)), "slot {slot} at {at}");
            }
        }
    }

    #[tokio::test]
    async fn s2_two_damaged_slots_stop_the_agent() {
        let folder = tempfile::tempdir().unwrap();
        save_and_reopen(folder.path(), &[1]).await;
        damage(folder.path(), 0, 30);
        damage(folder.path(), 1, 30);
        let error = reopen(folder.path()).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("must not start as if it had never voted"), "{error}");
    }

    #[tokio::test]
    async fn s2_a_file_cut_short_stops_the_agent() {
        let folder = tempfile::tempdir().unwrap();
        save_and_reopen(folder.path(), &[1]).await;
        OpenOptions::new().write(true).open(folder.path().join(FILE)).unwrap().set_len(1000).unwrap();
        assert!(matches!(reopen(folder.path()), Err(StoreError::Damaged { .. })));
    }

    #[tokio::test]
    async fn two_agents_cannot_share_a_record() {
        let folder = tempfile::tempdir().unwrap();
        let _held = Store::open(folder.path()).unwrap();
        assert!(matches!(Store::open(folder.path()), Err(StoreError::Locked { .. })));
    }
}
