//! W2, the side of the candidate: what only a dead server has is fetched, and executed by this one.

use crate::worker::Means;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout};
use xenon_api::{BinlogTailHead, PATH_STREAM, StreamRequest};
use xenon_channel::{Bytes, Client, Inflow, StreamBounds};
use xenon_election::NodeId;
use xenon_gtid::GtidSet;
use xenon_mysql::{Applied, Control, RescueFiles};

/// The most that is fetched, bytes. Whoever lacks more is rebuilt rather than waited for.
pub(crate) const BYTES_MAX: u64 = 256 << 20;
/// A statement.
const STATEMENT: Duration = Duration::from_secs(5);
/// From asking to the answer's head.
const OPEN: Duration = Duration::from_secs(5);
/// The other side reads its files before the first byte.
const IDLE: Duration = Duration::from_secs(15);
/// All of the fetching.
const FETCH: Duration = Duration::from_secs(60);
/// All of the applying, what had been received before included.
const APPLY: Duration = Duration::from_secs(60);
/// Between two looks at how the applier is doing.
const PIECE: Duration = Duration::from_millis(250);
/// The longest first line, bytes.
const HEAD_MAX: usize = 1 << 20;
/// More files than any tail within the limit has.
const FILES_MAX: usize = 100_000;

/// What is to be fetched.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) client: Client,
    pub(crate) from: NodeId,
    pub(crate) request: StreamRequest,
    /// received(n) here: executed before anything that comes after it.
    pub(crate) received: GtidSet,
    /// What the other one said it has, and this one lacks.
    pub(crate) lacks: GtidSet,
}

/// What came of it.
pub(crate) struct Rescued {
    pub(crate) transactions: u64,
    pub(crate) bytes: u64,
}

/// Fetches, applies, clears away. An error leaves nothing behind but what is executed; being dropped in the middle leaves
/// the channel to the next operation here, which clears it away first.
pub(crate) async fn rescue(order: &Order, means: &Means) -> Result<Rescued, String> {
    let files = {
        let mut control = control(means).await?;
        control.forget_rescue(STATEMENT).await.map_err(text)?;
        control.rescue_files(STATEMENT).await.map_err(text)?
    };
    let result = match timeout(FETCH, fetch(order, &files)).await {
        Ok(Ok(head)) => apply(order, &files, head, means).await,
        Ok(Err(why)) => Err(why),
        Err(_) => Err(format!("it could not be fetched within {} s", FETCH.as_secs())),
    };
    let mut control = control(means).await?;
    let cleared = control.forget_rescue(STATEMENT).await.map_err(text);
    remove(&files).await;
    // Cleared away or not: what is executed is executed, and the next freeze clears away first.
    if let Err(why) = cleared {
        tracing::warn!(why, "a rescue's channel could not be cleared away yet");
    }
    result
}

async fn control(means: &Means) -> Result<Control, String> {
    means.door.control(STATEMENT).await.map_err(text)
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

/// Into relay log files; no channel knows of them yet.
async fn fetch(order: &Order, files: &RescueFiles) -> Result<BinlogTailHead, String> {
    // Left by an agent that crashed before it had made the channel.
    remove(files).await;
    let bounds = StreamBounds { max_bytes: BYTES_MAX + HEAD_MAX as u64, idle: IDLE };
    let peer = order.from.as_str();
    let mut inflow =
        order.client.open(peer, PATH_STREAM, &order.request, OPEN, bounds).await.map_err(text)?;
    let (head, mut rest) = read_head(&mut inflow).await?;
    if !head.gtids.contains_set(&order.lacks) {
        return Err(format!(
            "its binary log does not hold all that it has: {} are elsewhere",
            order.lacks.subtract(&head.gtids)
        ));
    }
    if head.files.len() > FILES_MAX || head.files.iter().sum::<u64>() > BYTES_MAX {
        return Err("it sends more than was asked for".to_owned());
    }
    for (number, length) in head.files.iter().enumerate() {
        let path = files.file(number + 1);
        write_file(&path, *length, &mut inflow, &mut rest).await?;
    }
    // Nothing counts before the end mark has proved that it is all.
    if !rest.is_empty() || inflow.next().await.map_err(text)?.is_some() {
        return Err("it sends more than it said".to_owned());
    }
    let list = files.list(head.files.len());
    tokio::fs::write(&files.index, list).await.map_err(|error| cannot_write(&files.index, &error))?;
    give_to_server(&files.index).await?;
    Ok(head)
}

async fn read_head(inflow: &mut Inflow) -> Result<(BinlogTailHead, Bytes), String> {
    let mut line = Vec::new();
    while line.len() <= HEAD_MAX {
        let mut piece = inflow.next().await.map_err(text)?.ok_or("it sent nothing")?;
        let Some(end) = piece.iter().position(|byte| *byte == b'\n') else {
            line.extend_from_slice(&piece);
            continue;
        };
        let rest = piece.split_off(end + 1);
        line.extend_from_slice(&piece);
        let head =
            serde_json::from_slice(&line).map_err(|error| format!("what it sent is no tail: {error}"))?;
        return Ok((head, rest));
    }
    Err("what it sent is no tail".to_owned())
}

async fn write_file(path: &Path, length: u64, inflow: &mut Inflow, rest: &mut Bytes) -> Result<(), String> {
    let wrong = |error: std::io::Error| cannot_write(path, &error);
    let mut options = tokio::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o640).open(path).await.map_err(wrong)?;
    let mut left = length;
    while left > 0 {
        if rest.is_empty() {
            *rest = inflow.next().await.map_err(text)?.ok_or("it sent less than it said")?;
        }
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
        let piece = rest.split_to(count);
        file.write_all(&piece).await.map_err(wrong)?;
        left -= count as u64;
    }
    file.flush().await.map_err(wrong)?;
    give_to_server(path).await
}

/// An agent that is root made it; mysqld, which most often is not, must read and remove it: so it gets the owner of the folder.
async fn give_to_server(path: &Path) -> Result<(), String> {
    let file = path.to_owned();
    let given = tokio::task::spawn_blocking(move || {
        let Some(folder) = file.parent() else { return Ok(()) };
        let (of_folder, of_file) = (std::fs::metadata(folder)?, std::fs::metadata(&file)?);
        let owner = (of_folder.uid(), of_folder.gid());
        if owner == (of_file.uid(), of_file.gid()) {
            return Ok(());
        }
        std::os::unix::fs::chown(&file, Some(owner.0), Some(owner.1))
    });
    given.await.map_err(text)?.map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> String {
    format!(
        "cannot write {}: {error}; the agent must run as mysqld's user, on a disk with room",
        path.display()
    )
}

/// The server's own applier executes the files, behind all that was received before.
async fn apply(
    order: &Order,
    files: &RescueFiles,
    head: BinlogTailHead,
    means: &Means,
) -> Result<Rescued, String> {
    let until = Instant::now() + APPLY;
    let late = || format!("not all of it was applied within {} s", APPLY.as_secs());
    let state = means.door.observe(STATEMENT).await.map_err(text)?;
    let mut control = control(means).await?;
    if state.replication.as_ref().is_some_and(|replication| !replication.applier_running)
        && !state.unapplied().is_empty()
    {
        control.start_applier(STATEMENT).await.map_err(text)?;
    }
    while control.wait_applied(&order.received, PIECE).await.map_err(text)? == Applied::TimedOut {
        if Instant::now() > until {
            return Err("what had been received before could not be applied".to_owned());
        }
    }
    control.begin_rescue(files, STATEMENT).await.map_err(text)?;
    while control.wait_applied(&head.gtids, PIECE).await.map_err(text)? == Applied::TimedOut {
        if let Some(error) = control.rescue_error(STATEMENT).await.map_err(text)? {
            return Err(format!("the applier has stopped: {error}"));
        }
        if Instant::now() > until {
            return Err(late());
        }
    }
    Ok(Rescued { transactions: head.transactions, bytes: head.files.iter().sum() })
}

/// Files that no channel knows of; most often there are none.
async fn remove(files: &RescueFiles) {
    for number in 1..=FILES_MAX {
        if tokio::fs::remove_file(files.file(number)).await.is_err() {
            break;
        }
    }
    let _ = tokio::fs::remove_file(&files.index).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_root_has_fetched_belongs_to_the_server() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("relay-xenon_rescue.000001");
        std::fs::write(&file, "x").expect("write");
        give_to_server(&file).await.expect("ours already");
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIPPED: only root can give a file away");
            return;
        }
        std::os::unix::fs::chown(folder.path(), Some(999), Some(998)).expect("chown");
        give_to_server(&file).await.expect("given");
        let meta = std::fs::metadata(&file).expect("metadata");
        assert_eq!((meta.uid(), meta.gid()), (999, 998));
    }
}
