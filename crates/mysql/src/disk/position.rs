//! received(n) of a dead mysqld.

use std::path::{Path, PathBuf};

use xenon_binlog::{LogKind, Summary, Tear};
use xenon_gtid::{GtidSet, Uuid};

use super::dead::must_be_dead;
use super::files::{listed, read};
use super::{Budget, DiskError, DiskLimits, LogPlaces, within};

/// What a dead mysqld has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskPosition {
    /// What `gtid_executed` will be after a restart, unacknowledged transactions included (V5).
    pub executed: GtidSet,
    /// What the retrieved set of the default channel will be after a restart with `--relay-log-recovery=OFF`.
    pub retrieved: GtidSet,
    /// The last binary log file.
    pub binlog: FileSeen,
    /// The last relay log file; `None` when there is none, as on a server that never followed another.
    pub relay_log: Option<FileSeen>,
}

/// How the last file of a log was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSeen {
    /// The file.
    pub path: PathBuf,
    /// End of its last complete transaction or file event, bytes.
    pub whole_until: u64,
    /// Its torn end, if it has one.
    pub tear: Option<Tear>,
    /// The server died with it open (of a binary log).
    pub in_use: bool,
}

impl DiskPosition {
    /// received(n) of the protocol: executed ∪ retrieved.
    #[must_use]
    pub fn received(&self) -> GtidSet {
        self.executed.union(&self.retrieved)
    }
}

/// Reads what the dead mysqld of these files has (V4). The caller must have seen it dead; that nothing works in its
/// folder is checked here too, before and after. On another thread: the files may be large and the disk slow.
///
/// # Errors
/// Whenever the files do not tell it with certainty; then this node does not vote. See [`DiskError`].
pub async fn position_on_disk(places: &LogPlaces, limits: DiskLimits) -> Result<DiskPosition, DiskError> {
    let places = places.clone();
    within(limits, move |mut budget| position(&places, &mut budget)).await
}

fn position(places: &LogPlaces, budget: &mut Budget) -> Result<DiskPosition, DiskError> {
    let binlog_index = trusted_binlog(places)?;
    must_be_dead(&places.data_dir)?;
    must_be_the_same(places)?;
    let (logged, binlog) = held(LogKind::Binlog, binlog_index, places, budget)?;
    let relay = match held(LogKind::Relay, &places.relay_log_index, places, budget) {
        Err(DiskError::NoIndex { .. }) if !places.follows => None,
        outcome => Some(outcome?),
    };
    // One that was started meanwhile may have changed what was read.
    must_be_dead(&places.data_dir)?;
    let (retrieved, relay_log) = relay.unzip();
    Ok(DiskPosition {
        executed: logged.union(&places.purged),
        retrieved: retrieved.unwrap_or_default(),
        binlog,
        relay_log,
    })
}

/// The index of a binary log that holds everything the server has executed.
pub(super) fn trusted_binlog(places: &LogPlaces) -> Result<&Path, DiskError> {
    let not_in_the_files = |why: &str| DiskError::NotInTheFiles { why: why.to_owned() };
    let Some(index) = &places.binlog_index else {
        return Err(not_in_the_files("it writes no binary log; remove skip-log-bin from its options"));
    };
    match places.log_replica_updates {
        true => Ok(index),
        false => Err(not_in_the_files(
            "what it applies is not in its binary log; set log_replica_updates=ON in its options",
        )),
    }
}

/// What a log holds, from its last file: that one names what was in all before it. A server that died while it created
/// the last file has not written that yet; then the file before it tells.
fn held(
    log: LogKind,
    index: &Path,
    places: &LogPlaces,
    budget: &mut Budget,
) -> Result<(GtidSet, FileSeen), DiskError> {
    for path in listed(index, &places.data_dir)?.into_iter().rev().take(2) {
        let summary = read(log, &path, budget, |_| ())?;
        if summary.previous.is_some() {
            return Ok((summary.all(), FileSeen::of(path, &summary)));
        }
    }
    Err(DiskError::BadIndex {
        path: index.to_owned(),
        what: "none of the last files that it names says which transactions were before it",
    })
}

impl FileSeen {
    fn of(path: PathBuf, summary: &Summary) -> Self {
        let tear = match summary.end {
            xenon_binlog::End::Torn(tear) => Some(tear),
            xenon_binlog::End::Closed | xenon_binlog::End::Whole => None,
        };
        Self { path, whole_until: summary.whole_until, tear, in_use: summary.in_use }
    }
}

/// The folder's own server must be the one that was seen: another one's `gtid_purged` would be added to its set.
pub(super) fn must_be_the_same(places: &LogPlaces) -> Result<(), DiskError> {
    let Some(wanted) = places.server_uuid else { return Ok(()) };
    let found = named_in(&places.data_dir)?;
    match found.parse::<Uuid>() {
        Ok(uuid) if uuid == wanted => Ok(()),
        _ => Err(DiskError::OtherServer {
            data_dir: places.data_dir.clone(),
            found: found.chars().take(50).collect(),
            wanted: wanted.to_string(),
        }),
    }
}

/// The `server_uuid` of the folder's server; `None` when it names none.
pub(super) fn server_uuid_in(data_dir: &Path) -> Result<Option<Uuid>, DiskError> {
    Ok(named_in(data_dir)?.parse().ok())
}

fn named_in(data_dir: &Path) -> Result<String, DiskError> {
    let path = data_dir.join("auto.cnf");
    let text = std::fs::read_to_string(&path).map_err(|source| DiskError::Io { path, source })?;
    let found = text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == "server-uuid" || name.trim() == "server_uuid").then_some(value.trim())
    });
    Ok(found.unwrap_or_default().to_owned())
}
