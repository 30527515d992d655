//! Purging binary logs of a live server, and keeping it from purging by itself.
//!
//! What is in the files is asked of the server (`SHOW BINLOG EVENTS`), not read from the disk: so encrypted ones are
//! understood, and no right to the folder is needed. On connections of its own: neither looks nor changes wait for it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use xenon_gtid::GtidSet;
use xenon_plan::purge::FileSearch;

use crate::link::{Link, Purpose, Rows, text, until};
use crate::literal::quoted;
use crate::{Door, SqlError};

const WHAT: &str = "purging binary logs";
/// The server keeps its list of files locked while it removes some, and a commit that begins a new file waits for that.
const FILES_AT_ONCE: usize = 4;
/// Between two of these.
const PAUSE: Duration = Duration::from_millis(100);
/// So many files in one round; the rest goes in the next.
const FILES_AT_MOST: usize = 200;
/// The Previous_gtids event is the second of a file, behind at most one other.
const EVENTS: u32 = 3;

/// Somebody has set it (in the option file, persisted, or since the start): then it is meant.
const CHOSEN_AGE: &str = "SELECT @@global.log_bin_basename, @@global.binlog_expire_logs_seconds, \
     (SELECT VARIABLE_SOURCE FROM performance_schema.variables_info WHERE VARIABLE_NAME = 'binlog_expire_logs_seconds')";

/// What came of a round of purging.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Purged {
    /// How many files went.
    pub files: u64,
    /// Their size, bytes.
    pub bytes: u64,
    /// The oldest file that is left.
    pub first_left: String,
    /// How many are left.
    pub files_left: u64,
    /// Their size, bytes.
    pub bytes_left: u64,
    /// What kept the oldest file that had to stay, the newest ones aside: somebody lacks some of it.
    pub blocked: Option<GtidSet>,
    /// Files are kept that nobody lacks, since they are younger than this, seconds.
    pub young: Option<u64>,
    /// The server purged by itself until now, by age: that was switched off.
    pub stopped_expiry: bool,
}

/// A file of the server's list.
struct File {
    name: String,
    bytes: u64,
}

impl Door {
    /// Removes the oldest binary log files in which there is nothing but what is in `within`; the newest two stay. First
    /// switches off that the server does so by itself, by age: it asks nobody (`binlog_expire_logs_auto_purge`; before
    /// 8.0.29 `binlog_expire_logs_seconds`). Not written to its option file.
    ///
    /// `within`: `None` removes nothing. A `binlog_expire_logs_seconds` that somebody has set is a wish for files of that age
    /// (backups are brought up to date from them), and younger ones stay.
    ///
    /// # Errors
    /// As [`Door::control`]. Files that went before an error stay gone, which is as safe.
    pub async fn purge_binlogs(
        &self,
        within: Option<&GtidSet>,
        deadline: Duration,
    ) -> Result<Purged, SqlError> {
        let until = until(deadline);
        let mut link = self.open(Purpose::Reading, until).await?;
        let stopped_expiry = stop_expiry(&mut link, until).await?;
        let mut files = list(&mut link, until).await?;
        let mut purged = Purged { stopped_expiry, ..Purged::default() };
        if let Some(within) = within {
            let (found, blocked) = search(&mut link, &files, within, until).await?;
            purged.blocked = blocked;
            let candidates = files.get(..found).unwrap_or_default();
            let (found, young) = old_enough(&mut link, candidates, until).await?;
            purged.young = young;
            for to in steps(found.min(FILES_AT_MOST)) {
                let Some(file) = files.get(to) else { break };
                let sql = format!("PURGE BINARY LOGS TO {}", quoted(&file.name));
                link.run(WHAT, sql, until).await?;
                sleep(PAUSE).await;
            }
            if found > 0 {
                // One that a replica reads at this moment stays, and those behind it.
                let left = list(&mut link, until).await?;
                let gone = files.iter().take_while(|file| left.first().is_none_or(|f| f.name != file.name));
                (purged.files, purged.bytes) =
                    gone.fold((0, 0), |(count, bytes), file| (count + 1, bytes + file.bytes));
                files = left;
            }
        }
        purged.first_left = files.first().map(|file| file.name.clone()).unwrap_or_default();
        purged.files_left = files.len().try_into().unwrap_or(u64::MAX);
        purged.bytes_left = files.iter().map(|file| file.bytes).sum();
        Ok(purged)
    }
}

/// The files to name in statement after statement, so that this many go.
fn steps(count: usize) -> impl Iterator<Item = usize> {
    (1..=count).filter(move |to| to % FILES_AT_ONCE == 0 || *to == count)
}

/// Says whether it was on.
async fn stop_expiry(link: &mut Link, until: Instant) -> Result<bool, SqlError> {
    let sql = "SHOW GLOBAL VARIABLES WHERE Variable_name IN \
         ('binlog_expire_logs_auto_purge', 'binlog_expire_logs_seconds', 'expire_logs_days')";
    let sets = link.ask(WHAT, sql, until).await?;
    let rows = sets.into_iter().next().unwrap_or_default();
    let value = |name: &str| {
        rows.iter()
            .find(|row| text(row, 0).is_some_and(|found| found.eq_ignore_ascii_case(name)))
            .and_then(|row| text(row, 1))
    };
    if let Some(auto) = value("binlog_expire_logs_auto_purge") {
        if !auto.eq_ignore_ascii_case("ON") {
            return Ok(false);
        }
        link.run(WHAT, "SET GLOBAL binlog_expire_logs_auto_purge = OFF", until).await?;
        return Ok(true);
    }
    let mut was_on = false;
    for name in ["binlog_expire_logs_seconds", "expire_logs_days"] {
        if value(name).is_some_and(|value| value != "0") {
            link.run(WHAT, format!("SET GLOBAL {name} = 0"), until).await?;
            was_on = true;
        }
    }
    Ok(was_on)
}

/// How many of these are as old as somebody wants them to be; and that age, when it keeps one of them.
async fn old_enough(
    link: &mut Link,
    files: &[File],
    until: Instant,
) -> Result<(usize, Option<u64>), SqlError> {
    if files.is_empty() {
        return Ok((0, None));
    }
    let sets = match link.ask(WHAT, CHOSEN_AGE, until).await {
        Ok(sets) => sets,
        // No such variable, or performance schema cannot be read: then no wish is known.
        Err(error) if error.code().is_some() => return Ok((files.len(), None)),
        Err(error) => return Err(error),
    };
    let row = sets.first().and_then(|rows| rows.first());
    let column = |index: usize| row.and_then(|row| text(row, index)).unwrap_or_default();
    let seconds = column(1).parse::<u64>().unwrap_or(0);
    if seconds == 0 || matches!(column(2).as_str(), "" | "COMPILED") {
        return Ok((files.len(), None));
    }
    let folder = Path::new(&column(0)).parent().unwrap_or(Path::new("")).to_owned();
    let paths: Vec<PathBuf> = files.iter().map(|file| folder.join(&file.name)).collect();
    // The server goes by the same time when it purges by age. One that cannot be seen stays.
    let is_old = move |path: &PathBuf| {
        let written = std::fs::metadata(path).and_then(|meta| meta.modified()).ok();
        written.and_then(|at| at.elapsed().ok()).is_some_and(|age| age.as_secs() >= seconds)
    };
    let counted = tokio::task::spawn_blocking(move || paths.iter().take_while(|path| is_old(path)).count());
    let count = match timeout_at(until, counted).await {
        Ok(Ok(count)) => count,
        Ok(Err(_)) | Err(_) => 0,
    };
    Ok((count, (count < files.len()).then_some(seconds)))
}

async fn list(link: &mut Link, until: Instant) -> Result<Vec<File>, SqlError> {
    let sets = link.ask(WHAT, "SHOW BINARY LOGS", until).await?;
    let rows: Rows = sets.into_iter().next().unwrap_or_default();
    let bad = || SqlError::decode(WHAT, "the list of binary logs is not understood");
    rows.iter()
        .map(|row| {
            let bytes = text(row, 1).and_then(|bytes| bytes.parse().ok()).ok_or_else(bad)?;
            Ok(File { name: text(row, 0).ok_or_else(bad)?, bytes })
        })
        .collect()
}

/// How many of the oldest files hold nothing but what is in `within`; and what is in the next one, when it is held for
/// somebody.
async fn search(
    link: &mut Link,
    files: &[File],
    within: &GtidSet,
    until: Instant,
) -> Result<(usize, Option<GtidSet>), SqlError> {
    let Some(mut search) = FileSearch::new(files.len()) else { return Ok((0, None)) };
    let Some(oldest) = files.first() else { return Ok((0, None)) };
    let before_all = previous(link, &oldest.name, until).await?;
    let mut blocked = None;
    while let Some(file) = search.wants().and_then(|number| files.get(number)) {
        let held = previous(link, &file.name, until).await?.subtract(&before_all);
        let lacking = held.subtract(within);
        search.tell(lacking.is_empty());
        if !lacking.is_empty() {
            blocked = Some(lacking);
        }
    }
    Ok((search.found(), blocked))
}

/// What the server had in its binlog before this file.
async fn previous(link: &mut Link, file: &str, until: Instant) -> Result<GtidSet, SqlError> {
    let sql = format!("SHOW BINLOG EVENTS IN {} LIMIT {EVENTS}", quoted(file));
    let sets = link.ask(WHAT, sql, until).await?;
    let rows = sets.into_iter().next().unwrap_or_default();
    let shown = rows.iter().find(|row| text(row, 2).is_some_and(|kind| kind == "Previous_gtids"));
    let info = shown.and_then(|row| text(row, 5));
    let bad = |why: &str| SqlError::decode(WHAT, format!("{file} does not say what was before it: {why}"));
    info.ok_or_else(|| bad("no Previous_gtids event"))?.parse().map_err(|_| bad("not a GTID set"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_at_a_time() {
        let of = |count| steps(count).collect::<Vec<_>>();
        assert_eq!(of(0), Vec::<usize>::new());
        assert_eq!(of(1), [1]);
        assert_eq!(of(4), [4]);
        assert_eq!(of(9), [4, 8, 9]);
    }
}
