//! W3, W4: the end of a rebuild that went well. The old data is removed, and what only it had is kept.

use super::{Order, WORK_FOLDER, blocking};
use std::path::{Path, PathBuf};
use std::time::Duration;
use xenon_gtid::GtidSet;
use xenon_mysql::{DiskLimits, Layout, OldData, WorkFolder};

/// More of an old binary log is not copied into the quarantine: then the old data is kept whole.
const QUARANTINE_BYTES_MAX: u64 = 1 << 30;
const QUARANTINE_LIMITS: DiskLimits = DiskLimits { bytes_max: 16 << 30, deadline: Duration::from_secs(120) };

/// What was only in the old data, and what a quarantine must know of it.
#[derive(Debug, Clone)]
pub(crate) struct Dropped {
    pub(crate) meta_dir: PathBuf,
    pub(crate) errant: GtidSet,
    /// What this node has executed now.
    pub(crate) known: GtidSet,
    pub(crate) node: String,
    pub(crate) why: String,
}

/// Removes what is left of the copying and, unless it is kept, the old data. Says what was kept.
pub(crate) async fn clean(order: &Order) -> Result<Option<String>, String> {
    let (options, swap, keep) = (order.mysqld.clone(), order.places.swap.clone(), order.keep_old);
    let quarantined = match (&order.dropped, swap.as_ref().filter(|swap| keep && swap.old().exists())) {
        (Some(dropped), Some(swap)) => Some(quarantine(order, dropped, swap.old()).await),
        _ => None,
    };
    blocking(move || {
        let layout = Layout::of(&options)?;
        if let Some(work) = WorkFolder::find(layout.beside(), WORK_FOLDER) {
            work.remove()?;
        }
        let Some(swap) = swap else { return Ok(None) };
        if !swap.old().exists() {
            return Ok(None);
        }
        let old = swap.old().display().to_string();
        match quarantined {
            Some(Ok(kept)) => {
                swap.remove_old()?;
                Ok(kept.map(|folder| {
                    format!("what only its old data had is kept in {} (W3)", folder.display())
                }))
            }
            Some(Err(why)) => Ok(Some(format!(
                "the old data has transactions that the leader lacks and is kept in {old}, whole, for {why}: remove it when they \
                 are judged"
            ))),
            None if keep => Ok(Some(format!(
                "the old data may be the only copy of something and is kept in {old}: remove it when it is judged"
            ))),
            None => swap.remove_old().map(|()| None),
        }
    })
    .await
}

/// W3. An error says why the old data is kept as a whole.
async fn quarantine(order: &Order, dropped: &Dropped, old: &Path) -> Result<Option<PathBuf>, String> {
    let data = OldData {
        mysqld: order.mysqld.clone(),
        folder: old.to_owned(),
        meta_dir: dropped.meta_dir.clone(),
        errant: dropped.errant.clone(),
        known: dropped.known.clone(),
        node: dropped.node.clone(),
        why: dropped.why.clone(),
    };
    xenon_mysql::keep_dropped(&data, QUARANTINE_BYTES_MAX, QUARANTINE_LIMITS).await
}
