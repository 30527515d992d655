//! W3: of data that a rebuild has replaced, what nobody else has.

use std::path::{Path, PathBuf};

use xenon_gtid::GtidSet;

use super::position::server_uuid_in;
use super::{BinlogTail, DiskLimits, LogPlaces, binlog_tail_outside};
use crate::copy::blocking;
use crate::process::Defaults;
use crate::quarantine::{Dropped, keep_tail};
use crate::{CopyError, MysqldOptions};

/// What an old data folder may be removed for.
#[derive(Debug, Clone)]
pub struct OldData {
    /// The node's own options: its old server had the same.
    pub mysqld: MysqldOptions,
    /// Where the old data folder is now; nothing works in it.
    pub folder: PathBuf,
    /// The agent's own folder.
    pub meta_dir: PathBuf,
    /// What it had and the leader did not.
    pub errant: GtidSet,
    /// What this node has executed now, with its new data.
    pub known: GtidSet,
    /// This node.
    pub node: String,
    /// Why it was dropped, in a sentence.
    pub why: String,
}

/// Keeps in the quarantine what the old data has and this node now has not: its binary log from the first such transaction on, and
/// a summary. Gives its folder; `None` when there is no such transaction any more.
///
/// # Errors
/// A sentence: then nothing was kept, and the old data folder is the only place that has it. Among the reasons: its binary
/// log is outside of its folder, encrypted, has more than `bytes_max` to keep, or lacks some of the transactions.
pub async fn keep_dropped(
    old: &OldData,
    bytes_max: u64,
    limits: DiskLimits,
) -> Result<Option<PathBuf>, String> {
    // Its log is read even if nothing is left of these: somebody may have written more after they were noted.
    let wanted = old.errant.subtract(&old.known);
    let (options, folder) = (old.mysqld.clone(), old.folder.clone());
    let places = on_a_thread(move || places_of(&options, &folder)).await?;
    let tail = binlog_tail_outside(&places, &old.known, limits).await.map_err(|error| error.to_string())?;
    let Some(tail) = tail else {
        return if wanted.is_empty() { Ok(None) } else { Err("its binary log has none of it".to_owned()) };
    };
    let missing = wanted.subtract(&tail.gtids);
    if !missing.is_empty() {
        return Err(format!("its binary log lacks {} of {} transactions", missing.count(), wanted.count()));
    }
    let old = old.clone();
    on_a_thread(move || keep(&old, &tail, bytes_max)).await.map(Some)
}

/// Only of a log inside the folder: its index names files by where they lie in it.
fn places_of(options: &MysqldOptions, folder: &Path) -> Result<LogPlaces, String> {
    let file = &options.defaults_file;
    let defaults = Defaults::read(file)
        .map_err(|error| format!("{} cannot be read: {error}", file.display()))?
        .with_arguments(&options.extra_args);
    let base = match defaults.value("log_bin_index").or_else(|| defaults.value("log_bin")) {
        Some(base) => Path::new(base),
        // Named after the host then.
        None if defaults.has("log_bin") => return Err("log-bin has no value in its options".to_owned()),
        None => Path::new("binlog"),
    };
    let before = defaults.data_dir().unwrap_or_default();
    let index = before.join(base).with_extension("index");
    let name = index
        .strip_prefix(&before)
        .map_err(|_| format!("its binary log is in a folder of its own ({})", index.display()))?;
    Ok(LogPlaces {
        data_dir: folder.to_owned(),
        binlog_index: Some(folder.join(name)),
        relay_log_index: PathBuf::new(),
        // Whatever is not in its binary log is found missing there.
        log_replica_updates: true,
        follows: false,
        purged: GtidSet::new(),
        server_uuid: None,
    })
}

fn keep(old: &OldData, tail: &BinlogTail, bytes_max: u64) -> Result<PathBuf, String> {
    // An index with whole paths names the files of the server that has the folder's old name now.
    if let Some(path) = tail.files().find(|path| !path.starts_with(&old.folder)) {
        return Err(format!("its index names {}, which is not in it", path.display()));
    }
    let length = |path: &PathBuf| std::fs::metadata(path).map(|meta| meta.len());
    let lengths: Result<Vec<u64>, _> = tail.files().map(length).collect();
    let lengths = lengths.map_err(|error| format!("its binary log cannot be looked at: {error}"))?;
    let bytes =
        lengths.iter().fold(0_u64, |sum, bytes| sum.saturating_add(*bytes)).saturating_sub(tail.start);
    if bytes > bytes_max {
        return Err(format!(
            "its binary log has {} MiB from there on, and no more than {} are kept",
            bytes >> 20,
            bytes_max >> 20
        ));
    }
    let uuid = server_uuid_in(&old.folder).ok().flatten();
    let dropped = Dropped {
        reason: "rebuild".to_owned(),
        why: old.why.clone(),
        node: old.node.clone(),
        server_uuid: uuid.map_or_else(|| "unknown".to_owned(), |uuid| uuid.to_string()),
        told_ok: "Whether a client was told OK for them is not known here: most often they were written on this server while \
                  another one was the primary"
            .to_owned(),
    };
    keep_tail(&old.meta_dir, tail, dropped).map_err(|error| error.to_string())
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    blocking(move || Ok::<_, CopyError>(work())).await.map_err(|error| error.to_string())?
}
