//! W3: transactions that a rewind or a rebuild drops are kept, as binary log files with a readable summary.
//!
//! Each drop has a folder of its own below `<raft.meta-datadir>/quarantine`, named after its time and reason. It has this
//! name only when everything in it is on disk; until then it ends in `.part`, and is removed when the next one is made.
//! Nothing else is ever removed here: what is there is an operator's to look at and to delete.

use std::fmt::Write as _;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use xenon_binlog::{Transaction, TransactionKind};
use xenon_gtid::{Gtid, GtidSet};

use crate::disk::BinlogTail;

/// Below the agent's own folder.
const FOLDER: &str = "quarantine";
/// A folder that is being filled.
const PART: &str = "part";
/// The summary for programs.
const SUMMARY_JSON: &str = "summary.json";
/// The summary for people.
const SUMMARY_TEXT: &str = "summary.txt";
/// What is copied of a file that begins before the tail: its description, without which nothing of it can be read.
const DESCRIPTION_BYTES_MAX: u32 = 1024;
/// Magic, and the header of the first event.
const BEGINNING_BYTES: usize = 4 + 19;
/// Copied at once.
const PIECE_BYTES: usize = 1024 * 1024;
/// Folders that are looked at when the size of all is asked for.
const FOLDERS_MAX: usize = 10_000;

/// It could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("what would be dropped cannot be kept: {path}: {source}; make room there, or see to its rights")]
pub struct QuarantineError {
    /// Where.
    pub path: PathBuf,
    /// The system's own words.
    pub source: io::Error,
}

/// What is dropped, and why: becomes the summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// A word for the folder's name: `rewind`.
    pub reason: String,
    /// Why, in a sentence.
    pub why: String,
    /// This node.
    pub node: String,
    /// `server_uuid` of the server that wrote them.
    pub server_uuid: String,
    /// Whether clients were told OK for them, in a sentence.
    pub told_ok: String,
}

/// One transaction of the summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedTransaction {
    /// Its GTID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gtid: Option<Gtid>,
    /// What it is.
    pub kind: String,
    /// Its events are compressed.
    pub compressed: bool,
    /// Name of the kept file.
    pub file: String,
    /// Where it begins there, bytes.
    pub start: u64,
    /// Where it ends there, bytes.
    pub end: u64,
    /// When it was written, microseconds since 1970 by that server's clock; 0 if unknown.
    pub written_us: u64,
}

/// `summary.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Version of this form.
    pub version: u32,
    /// When it was kept, UTC.
    pub kept_at: String,
    /// What and why.
    #[serde(flatten)]
    pub dropped: Dropped,
    /// All of them.
    pub gtids: GtidSet,
    /// The kept files have transactions between them that others have, too, and that are not dropped.
    #[serde(default)]
    pub mixed: bool,
    /// How many they are.
    pub count: u64,
    /// Bytes of their events, a torn end included.
    pub bytes: u64,
    /// The kept files, in order.
    pub files: Vec<String>,
    /// One by one; the first of them, when they are very many.
    pub transactions: Vec<DroppedTransaction>,
}

/// The folder of all that is kept by the agent that has this folder.
pub fn quarantine_of(meta_dir: &Path) -> PathBuf {
    meta_dir.join(FOLDER)
}

/// Keeps the tail of a binary log aside: its files as they are from its beginning on, and the summaries. All of it is on
/// disk when this returns the folder. Blocking.
///
/// Of the first file the description of the format is kept, and the tail right behind it, byte by byte as it was:
/// `mysqlbinlog` reads that. The positions in its events are still those of the file that it was cut off.
///
/// # Errors
/// Nothing was kept: no space, no right.
pub fn keep_tail(meta_dir: &Path, tail: &BinlogTail, dropped: Dropped) -> Result<PathBuf, QuarantineError> {
    let root = quarantine_of(meta_dir);
    make_folder(&root)?;
    remove_parts(&root);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (part, folder) = name_free(&root, &format!("{}-{}", compact(now), dropped.reason))?;
    make_folder(&part)?;
    let kept = fill(&part, tail, dropped, now);
    if let Err(error) = kept.and_then(|()| sync_folder(&part)) {
        let _ = std::fs::remove_dir_all(&part);
        return Err(error);
    }
    std::fs::rename(&part, &folder).map_err(|source| QuarantineError { path: folder.clone(), source })?;
    sync_folder(&root)?;
    sync_folder(meta_dir)?;
    Ok(folder)
}

/// Bytes on disk of all that is kept, and in how many folders. Blocking.
pub fn kept_bytes(meta_dir: &Path) -> (u64, usize) {
    use std::os::unix::fs::MetadataExt;
    let mut sum = (0_u64, 0);
    let Ok(folders) = std::fs::read_dir(quarantine_of(meta_dir)) else { return sum };
    for folder in folders.flatten().take(FOLDERS_MAX) {
        let Ok(files) = std::fs::read_dir(folder.path()) else { continue };
        sum.1 += 1;
        for file in files.flatten().take(FOLDERS_MAX) {
            // A hole takes no room.
            sum.0 += file.metadata().map_or(0, |meta| meta.blocks().saturating_mul(512));
        }
    }
    sum
}

fn fill(folder: &Path, tail: &BinlogTail, dropped: Dropped, now: u64) -> Result<(), QuarantineError> {
    let (mut names, mut bytes, mut moved) = (Vec::new(), 0, 0);
    for (number, path) in tail.files().enumerate() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let to = folder.join(&name);
        let from = if number == 0 { tail.start } else { 0 };
        let copied = copy(path, &to, from).map_err(|source| QuarantineError { path: to.clone(), source })?;
        if number == 0 {
            moved = tail.start.saturating_sub(copied.begins);
        }
        bytes += copied.bytes;
        names.push(name);
    }
    let transactions = tail
        .transactions
        .iter()
        .map(|(file, transaction)| (file, transaction, if *file == 0 { moved } else { 0 }))
        .map(|(file, transaction, moved)| DroppedTransaction {
            gtid: transaction.gtid,
            kind: kind_in_words(transaction).to_owned(),
            compressed: transaction.compressed,
            file: names.get(*file).cloned().unwrap_or_default(),
            start: transaction.start.saturating_sub(moved),
            end: transaction.end.saturating_sub(moved),
            written_us: transaction.original_commit_us,
        })
        .collect();
    let summary = Summary {
        version: 1,
        kept_at: readable(now),
        dropped,
        gtids: tail.gtids.clone(),
        mixed: !tail.is_clean(),
        count: tail.count,
        bytes,
        files: names,
        transactions,
    };
    let json = serde_json::to_vec_pretty(&summary).map_err(|error| QuarantineError {
        path: folder.join(SUMMARY_JSON),
        source: io::Error::other(error),
    })?;
    write_new(&folder.join(SUMMARY_JSON), &json)?;
    write_new(&folder.join(SUMMARY_TEXT), text(&summary).as_bytes())
}

/// What a kind is, for people.
pub fn kind_in_words(transaction: &Transaction) -> &'static str {
    match transaction.kind {
        TransactionKind::Empty => "empty, as a term's marker is",
        TransactionKind::Ddl if transaction.in_two_phases => "a statement such as DDL",
        TransactionKind::Ddl => "a statement such as DDL, without part in crash recovery",
        TransactionKind::Dml if transaction.compressed => "changes of rows, compressed",
        TransactionKind::Dml if transaction.in_two_phases => "changes of rows",
        TransactionKind::Dml => "changes in tables without transactions",
        TransactionKind::XaPrepare => "XA PREPARE",
        TransactionKind::XaCommit => "XA COMMIT",
        TransactionKind::XaRollback => "XA ROLLBACK",
        TransactionKind::Incident => "the server's word that its binlog lacks something",
    }
}

fn text(summary: &Summary) -> String {
    let Summary { dropped, .. } = summary;
    let mut text = format!(
        "{count} transaction(s) dropped by a {reason} on {node}, {at} UTC\n\n{why}.\n{told}.\n\nGTIDs:  {gtids}\nserver: {uuid}\n\
         bytes:  {bytes}\n\nTo read them, in this folder (nothing is changed by that):\n\n    \
         mysqlbinlog --verbose --base64-output=decode-rows {only}{files}\n\n\
         To write all of them again, on the present primary and under new GTIDs, if that is what you want:\n\n    \
         mysqlbinlog --skip-gtids {only}{files} | mysql --host=PRIMARY --user=…\n\nOne by one:\n\n",
        count = summary.count,
        reason = dropped.reason,
        node = dropped.node,
        at = summary.kept_at,
        why = dropped.why,
        told = dropped.told_ok,
        gtids = summary.gtids,
        uuid = dropped.server_uuid,
        bytes = summary.bytes,
        files = summary.files.join(" "),
        only = if summary.mixed { format!("--include-gtids='{}' ", summary.gtids) } else { String::new() },
    );
    for transaction in &summary.transactions {
        let gtid = transaction.gtid.map_or_else(|| "without GTID".to_owned(), |gtid| gtid.to_string());
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{gtid}\n    {at} UTC, {kind}, {bytes} bytes at {start} of {file}",
            at = readable(transaction.written_us / 1_000_000),
            kind = transaction.kind,
            bytes = transaction.end.saturating_sub(transaction.start),
            start = transaction.start,
            file = transaction.file,
        );
    }
    if (summary.transactions.len() as u64) < summary.count {
        let _ = writeln!(text, "… and {} more", summary.count - summary.transactions.len() as u64);
    }
    text
}

/// What was copied of a file.
struct Copied {
    /// From the offset on.
    bytes: u64,
    /// Where that begins in the copy.
    begins: u64,
}

/// Copies a file from an offset on, behind what it takes to read it.
fn copy(from: &Path, to: &Path, start: u64) -> io::Result<Copied> {
    let mut source = File::open(from)?;
    let mut target = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    let mut begins = 0;
    if start > 0 {
        let mut beginning = [0; BEGINNING_BYTES];
        source.read_exact(&mut beginning)?;
        let [.., a, b, c, d, _, _, _, _, _, _] = beginning;
        let event_bytes = u32::from_le_bytes([a, b, c, d]).min(DESCRIPTION_BYTES_MAX);
        source.seek(SeekFrom::Start(0))?;
        let description = (4 + u64::from(event_bytes)).min(start);
        begins = io::copy(&mut Read::by_ref(&mut source).take(description), &mut target)?;
        source.seek(SeekFrom::Start(start))?;
    }
    let mut piece = vec![0; PIECE_BYTES];
    let mut bytes_copied = 0;
    loop {
        let count = source.read(&mut piece)?;
        let Some(bytes) = piece.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
        target.write_all(bytes)?;
        bytes_copied += bytes.len() as u64;
    }
    target.sync_all()?;
    Ok(Copied { bytes: bytes_copied, begins })
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), QuarantineError> {
    let written = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    written().map_err(|source| QuarantineError { path: path.to_owned(), source })
}

fn make_folder(path: &Path) -> Result<(), QuarantineError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        outcome => outcome.map_err(|source| QuarantineError { path: path.to_owned(), source }),
    }
}

fn sync_folder(path: &Path) -> Result<(), QuarantineError> {
    let synced = File::open(path).and_then(|folder| folder.sync_all());
    synced.map_err(|source| QuarantineError { path: path.to_owned(), source })
}

/// Of an agent that crashed while it kept something: nothing had been dropped then.
fn remove_parts(root: &Path) {
    let Ok(entries) = std::fs::read_dir(root) else { return };
    for entry in entries.flatten().take(FOLDERS_MAX) {
        if entry.path().extension().is_some_and(|extension| extension == PART) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// A name that is not taken, with and without its ending.
fn name_free(root: &Path, name: &str) -> Result<(PathBuf, PathBuf), QuarantineError> {
    for number in 1..100 {
        let name = if number == 1 { name.to_owned() } else { format!("{name}-{number}") };
        let folder = root.join(&name);
        if !folder.exists() {
            return Ok((root.join(format!("{name}.{PART}")), folder));
        }
    }
    let source = io::ErrorKind::AlreadyExists.into();
    Err(QuarantineError { path: root.join(name), source })
}

/// Year, month, day, hour, minute, second, UTC.
fn date(unix_s: u64) -> (u64, u64, u64, u64, u64, u64) {
    let (days, second) = (unix_s / 86_400, unix_s % 86_400);
    // Days since 0000-03-01, in eras of 400 years (Hinnant's civil_from_days).
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    (year, month, day, second / 3600, second / 60 % 60, second % 60)
}

fn compact(unix_s: u64) -> String {
    let (year, month, day, hour, minute, second) = date(unix_s);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

fn readable(unix_s: u64) -> String {
    let (year, month, day, hour, minute, second) = date(unix_s);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(readable(0), "1970-01-01 00:00:00");
        assert_eq!(readable(951_827_696), "2000-02-29 12:34:56");
        assert_eq!(compact(1_798_761_599), "20261231T235959Z");
    }
}
