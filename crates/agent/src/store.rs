//! The durable record on disk (rules S1 and S2).
//!
//! One file of four fixed slots, in two pairs that take turns. A save writes both slots of one pair and makes them
//! durable together: whatever moment a crash hits, the other pair is whole and holds the record saved last, and on the one
//! being saved nothing depends yet. Two copies of each, so that a slot that goes bad later is told from a save that was
//! cut short (decision 4). The file keeps its size for ever, so a full disk does not hinder a save.

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
const FORMAT: u32 = 2;
/// Of two slots, one pair: what agents before 0.1 wrote. Read once and written anew.
const FORMAT_OF_ONE_PAIR: u32 = 1;
/// Slots in the file.
const SLOTS: u64 = 4;

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
    /// No slot can be trusted.
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
            prepare(&file, 0).map_err(io_error("write"))?;
            File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(io_error("make durable the folder of"))?;
            (None, 0)
        } else if length < SLOTS * SLOT_BYTES as u64 {
            take_over(&file, &path)?
        } else {
            read_newest(&file, &path)?
        };
        Ok((Store { seq, saver: Saver::start(file, path)? }, record))
    }

    /// S1: returns only when the record is on disk, in both slots of a pair.
    pub(crate) async fn save(&mut self, record: &Record, deadline: Duration) -> Result<(), StoreError> {
        let seq = self.seq + 1;
        // A save that fails may be on the disk in part, or will be. The next one takes the same turn and number: it must not
        // touch the pair that is whole.
        self.saver.save(Pair::of(seq), encode(record, seq)?, deadline).await?;
        self.seq = seq;
        Ok(())
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

/// Two slots that hold the same record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair(u64);

impl Pair {
    /// Of the save with this number, the first of which is 1: they take turns.
    fn of(seq: u64) -> Pair {
        Pair((seq + 1) % 2)
    }

    fn slots(self) -> [u64; 2] {
        [self.0 * 2, self.0 * 2 + 1]
    }

    /// Blocking.
    pub(crate) fn write(self, file: &File, bytes: &[u8]) -> io::Result<()> {
        for slot in self.slots() {
            file.write_all_at(bytes, slot * SLOT_BYTES as u64)?;
        }
        // Once for both: a crash that tears both leaves the other pair, and so does one in between.
        file.sync_data()
    }
}

/// Real zeros from slot `from` on, so that no later write needs a new block.
fn prepare(file: &File, from: u64) -> io::Result<()> {
    let zeros = vec![0; SLOT_BYTES];
    file.set_len(from * SLOT_BYTES as u64)?;
    for slot in from..SLOTS {
        file.write_all_at(&zeros, slot * SLOT_BYTES as u64)?;
    }
    file.sync_all()
}

/// A file of one pair becomes one of two, both with what was in it: an older agent that is put back must not find an older
/// record that it takes for whole.
fn take_over(file: &File, path: &Path) -> Result<(Option<Record>, u64), StoreError> {
    let write_error = |source| StoreError::Io { doing: "write", path: path.to_owned(), source };
    let slots = [read_slot(file, path, 0)?, read_slot(file, path, 1)?];
    if slots.iter().any(|slot| matches!(slot, Slot::Whole { format: FORMAT, .. })) {
        return Err(StoreError::Damaged { path: path.to_owned(), detail: "it was cut short".to_owned() });
    }
    let old = decide(slots, path)?;
    prepare(file, 2).map_err(write_error)?;
    let Some((seq, record)) = old else { return Ok((None, 0)) };
    // The new pair first, while the old one is whole.
    let first = if Pair::of(seq + 1) == Pair(1) { seq + 1 } else { seq + 2 };
    for seq in [first, first + 1] {
        Pair::of(seq).write(file, &encode(&record, seq)?).map_err(write_error)?;
    }
    Ok((Some(*record), first + 1))
}

enum Slot {
    Empty,
    Torn(Torn),
    Whole { format: u32, seq: u64, record: Box<Record> },
}

/// What is wrong with a slot.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Torn {
    /// Begins as a record does: a save that was cut short leaves that, bytes of two saves.
    Mixed,
    /// Never written by an agent.
    Strange(&'static str),
}

impl Slot {
    fn is_whole(&self) -> bool {
        matches!(self, Slot::Whole { .. })
    }

    fn word(&self) -> &'static str {
        match self {
            Slot::Empty => "empty",
            Slot::Torn(Torn::Mixed) => "checksum does not match",
            Slot::Torn(Torn::Strange(detail)) => detail,
            Slot::Whole { .. } => "whole",
        }
    }
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
    let slots = [0, 1, 2, 3].map(|slot| read_slot(file, path, slot));
    let [one, two, three, four] = slots;
    let slots = [one?, two?, three?, four?];
    let detail = slots.iter().map(Slot::word).collect::<Vec<_>>().join(", ");
    let damaged =
        || StoreError::Damaged { path: path.to_owned(), detail: format!("its slots, in order: {detail}") };
    let bad: Vec<u64> =
        (0..).zip(&slots).filter(|(_, slot)| !slot.is_whole()).map(|(number, _)| number).collect();
    let [one, two, three, four] = slots;
    let newest = match [Found::of(one, two), Found::of(three, four)] {
        // The first save was never begun, or cut short: nothing was ever saved.
        [Found::Nothing | Found::CutShort, Found::Nothing] => return Ok((None, 0)),
        // It was the only one so far. A later one would have an elder beside it.
        [Found::Save { seq: 1, record }, Found::Nothing] => (1, record),
        [Found::Save { seq: a, record: first }, Found::Save { seq: b, record: second }] => {
            if a > b {
                (a, first)
            } else {
                (b, second)
            }
        }
        [Found::Save { seq, record }, Found::CutShort] | [Found::CutShort, Found::Save { seq, record }] => {
            (seq, record)
        }
        _ => return Err(damaged()),
    };
    let (seq, record) = newest;
    let write_error = |source| StoreError::Io { doing: "write", path: path.to_owned(), source };
    // The next save goes to the other pair: until it is done there must be two of this one. What is whole is not touched.
    for slot in Pair::of(seq).slots().into_iter().filter(|slot| bad.contains(slot)) {
        file.write_all_at(&encode(&record, seq)?, slot * SLOT_BYTES as u64).map_err(write_error)?;
    }
    // What a predecessor had written may be in memory only.
    file.sync_data().map_err(write_error)?;
    Ok((Some(*record), seq))
}

/// What a pair holds.
enum Found {
    /// It was never written to.
    Nothing,
    /// A save that did not come to its end.
    CutShort,
    Save {
        seq: u64,
        record: Box<Record>,
    },
    /// What no save leaves.
    Strange,
}

impl Found {
    fn of(one: Slot, two: Slot) -> Found {
        match (one, two) {
            (Slot::Whole { seq: a, record, .. }, Slot::Whole { seq: b, .. }) if a >= b => {
                Found::Save { seq: a, record }
            }
            (_, Slot::Whole { seq, record, .. }) | (Slot::Whole { seq, record, .. }, _) => {
                Found::Save { seq, record }
            }
            (Slot::Empty, Slot::Empty) => Found::Nothing,
            (Slot::Empty | Slot::Torn(Torn::Mixed), Slot::Empty | Slot::Torn(Torn::Mixed)) => Found::CutShort,
            _ => Found::Strange,
        }
    }
}

/// The record of a pair: of its newer slot, when an agent of one pair was ended between the two.
fn decide(slots: [Slot; 2], path: &Path) -> Result<Option<(u64, Box<Record>)>, StoreError> {
    match slots {
        [Slot::Whole { seq: a, record: first, .. }, Slot::Whole { seq: b, record: second, .. }] => {
            Ok(Some(if a >= b { (a, first) } else { (b, second) }))
        }
        // One slot torn: a save was interrupted, and the other slot is what counts.
        [Slot::Whole { seq, record, .. }, _] | [_, Slot::Whole { seq, record, .. }] => {
            Ok(Some((seq, record)))
        }
        // The very first save was interrupted in its first slot: nothing was ever saved.
        [Slot::Empty | Slot::Torn(_), Slot::Empty] => Ok(None),
        [first, second] => {
            let detail = format!("first slot: {}; second slot: {}", first.word(), second.word());
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
    if header[..8].iter().all(|byte| *byte == 0) {
        // The first write to this slot was cut short before its first sector came.
        return Ok(Slot::Torn(Torn::Mixed));
    }
    if &header[..8] != MAGIC {
        return Ok(Slot::Torn(Torn::Strange("not a record")));
    }
    let Some(body) = rest.get(..number(12) as usize) else { return Ok(Slot::Torn(Torn::Mixed)) };
    if number(24) != checksum(&header[..24], body) {
        return Ok(Slot::Torn(Torn::Mixed));
    }
    if ![FORMAT, FORMAT_OF_ONE_PAIR].contains(&number(8)) {
        return Err(StoreError::Newer { path: path.to_owned(), found: number(8) });
    }
    let seq = u64::from(number(16)) | u64::from(number(20)) << 32;
    match serde_json::from_slice::<Content>(body) {
        Ok(content) => Ok(Slot::Whole { format: number(8), seq, record: Box::new(content.record) }),
        Err(_) => Ok(Slot::Torn(Torn::Strange("content not understood"))),
    }
}

#[cfg(test)]
#[path = "store/tests.rs"]
mod tests;
