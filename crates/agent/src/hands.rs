//! W4: what a rebuild does to disks and servers, one phase a call. Decides nothing: see `rebuild/`.
//!
//! In `sim-net`, where there are no disks, a file of the same name stands in.

mod clean;
mod stream;

pub(crate) use clean::{Dropped, clean};
pub(crate) use stream::{
    GiveOrder, StreamOrder, donor_for_streams, forget_given, give, no_clone_here, tool_of, tools,
};

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use xenon_gtid::GtidSet;
use xenon_mysql::{
    CloneFrom, CloneLimits, CloneOrder, CopyError, CopyProgress, Donor, Door, Layout, MysqldOptions, Scratch,
    ScratchOptions, Secret, Swap, SwapState, WorkFolder,
};
use xenon_plan::rebuild::OnDisk;

/// The folder beside the data folder in which a copy is made; hidden, so that it may lie inside one that is a mount point.
const WORK_FOLDER: &str = ".xenon-rebuild";
/// The copy in it.
const COPY: &str = "data";
/// How long it may take to make a scratch server.
const SCRATCH: Duration = Duration::from_secs(180);
/// Its memory, MiB: it only receives.
const SCRATCH_MIB: u32 = 64;
/// How long ending a copy under way may take.
const END: Duration = Duration::from_secs(10);
/// How long the donor's agent may look at the size of its data.
const SIZE: Duration = Duration::from_secs(20);

/// How long this node's own server may take to say what data it has.
const FACTS: Duration = Duration::from_secs(5);
/// Between two words on how far a restore's copy is.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// Where a rebuild's folders are; durable as part of its journal.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Places {
    swap: Option<Swap>,
    /// There was a data folder, so there must be old data after the swap.
    #[serde(default)]
    had_data: bool,
}

/// All that a phase needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) mysqld: MysqldOptions,
    pub(crate) door: Door,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: Secret,
    pub(crate) require_tls: bool,
    pub(crate) throttle_mib_s: u32,
    pub(crate) places: Places,
    /// Names the old data's folder.
    pub(crate) stamp: String,
    /// The old data has what the leader lacks.
    pub(crate) keep_old: bool,
    /// By the stream of a tool; without it by CLONE.
    pub(crate) stream: Option<StreamOrder>,
    /// W3: and that by itself is kept instead.
    pub(crate) dropped: Option<Dropped>,
}

/// What a phase tells while it works.
#[derive(Debug)]
pub(crate) enum Told {
    Bytes { done: u64, total: u64 },
    Line(String),
}

pub(crate) type Tell = mpsc::Sender<Told>;

/// What the check must know of this node's disk.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) data: PathBuf,
    pub(crate) free_bytes: u64,
    /// Old data of earlier rebuilds that is kept.
    pub(crate) kept: usize,
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CopyError> + Send + 'static,
) -> Result<T, String> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("its thread is gone".to_owned()),
    }
}

/// Can the data folder be replaced at all, and how much is free for it?
pub(crate) async fn room(options: &MysqldOptions) -> Result<Room, String> {
    let options = options.clone();
    blocking(move || {
        let layout = Layout::of(&options)?;
        let beside = layout.beside().to_owned();
        // Both a folder and the right to rename in it are wanted: tried rather than guessed.
        let (owner, _) = model(&layout);
        WorkFolder::open(&beside, WORK_FOLDER, &owner)?;
        let space = rustix::fs::statvfs(&beside).map_err(|error| CopyError::Io {
            doing: "cannot look at",
            path: beside.clone(),
            source: error.into(),
        })?;
        let kept = std::fs::read_dir(&beside).map_or(0, |entries| {
            let is_kept = |name: &str| name.contains(".xenon-old-");
            entries.flatten().filter(|entry| is_kept(&entry.file_name().to_string_lossy())).count()
        });
        Ok(Room { data: layout.data, free_bytes: space.f_bavail.saturating_mul(space.f_frsize), kept })
    })
    .await
}

/// Whose owner and mode the copy gets: the old data folder's, or, when that is lost, the one's above it.
fn model(layout: &Layout) -> (PathBuf, bool) {
    match layout.data.exists() {
        true => (layout.data.clone(), true),
        false => (layout.data.parent().unwrap_or(Path::new("/")).to_owned(), false),
    }
}

pub(crate) async fn on_disk(places: &Places) -> OnDisk {
    let Some(swap) = places.swap.clone() else { return OnDisk::Unknown };
    let state = tokio::task::spawn_blocking(move || swap.state()).await;
    match state {
        Ok(SwapState::Before) => OnDisk::Before,
        Ok(SwapState::Between) => OnDisk::Between,
        Ok(SwapState::After) => OnDisk::After,
        Err(_) => OnDisk::Unknown,
    }
}

/// Copies the donor's data into a new folder: through this node's own server when it serves, else through one made for it.
pub(crate) async fn copy(order: &Order, own: bool, tell: &Tell) -> Result<(), String> {
    if let Some(stream) = &order.stream {
        return stream::copy(order, stream, tell).await;
    }
    let options = order.mysqld.clone();
    let (layout, work) = blocking(move || {
        let layout = Layout::of(&options)?;
        let work = WorkFolder::open(layout.beside(), WORK_FOLDER, &model(&layout).0)?;
        Ok((layout, work))
    })
    .await?;
    // What an earlier try, or an agent that was killed, has left.
    Scratch::end_stale(work.path()).await.map_err(|error| error.to_string())?;
    clear(&work).await?;
    let to = work.path().join(COPY);
    if own && !layout.is_mount {
        return clone(order, &order.door, to, tell).await;
    }
    let line = "this node's own mysqld cannot receive the copy: an empty one is made for it".to_owned();
    let _ = tell.send(Told::Line(line)).await;
    let options =
        ScratchOptions { mysqld: order.mysqld.clone(), work: work.clone(), buffer_pool_mib: SCRATCH_MIB };
    let scratch = Scratch::start_empty(&options, SCRATCH).await.map_err(|error| error.to_string())?;
    let copied = clone(order, scratch.door(), to, tell).await;
    scratch.kill().await.map_err(|error| error.to_string())?;
    let cleared = work.clone();
    blocking(move || cleared.clear("scratch-data")).await?;
    copied
}

async fn clone(order: &Order, door: &Door, to: PathBuf, tell: &Tell) -> Result<(), String> {
    let order = CloneOrder {
        from: CloneFrom::Donor(Donor {
            host: order.host.clone(),
            port: order.port,
            user: order.user.clone(),
            password: order.password.clone(),
            require_tls: order.require_tls,
        }),
        to,
        limits: CloneLimits {
            data_mib_per_s: order.throttle_mib_s,
            network_mib_per_s: order.throttle_mib_s,
            ..CloneLimits::default()
        },
    };
    let (progress, mut seen) = watch::channel(CopyProgress::default());
    let mut cloning = std::pin::pin!(door.clone_data(&order, &progress, std::future::pending::<()>()));
    loop {
        tokio::select! {
            cloned = &mut cloning => {
                let cloned = cloned.map_err(|error| error.to_string())?;
                let done = cloned.progress.copied_bytes;
                let _ = tell.send(Told::Bytes { done, total: done }).await;
                return Ok(());
            }
            Ok(()) = seen.changed() => {
                let now = seen.borrow_and_update().clone();
                let told = Told::Bytes { done: now.copied_bytes, total: now.estimate_bytes };
                let _ = tell.send(told).await;
            }
        }
    }
}

async fn clear(work: &WorkFolder) -> Result<(), String> {
    let work = work.clone();
    blocking(move || ["data", "scratch-data"].iter().try_for_each(|name| work.clear(name))).await
}

/// The copy is whole, has no other server's identity, the right owner, and is on disk. Plans the swap.
pub(crate) async fn verify(order: &Order, tell: &Tell) -> Result<Places, String> {
    if order.stream.is_some() {
        stream::make_whole(order, tell).await?;
    }
    let (options, stamp) = (order.mysqld.clone(), order.stamp.clone());
    blocking(move || {
        let layout = Layout::of(&options)?;
        let (like, had_data) = model(&layout);
        let work = WorkFolder::open(layout.beside(), WORK_FOLDER, &like)?;
        let copy = work.path().join(COPY);
        xenon_mysql::check_complete(&copy)?;
        xenon_mysql::strip_identity(&copy)?;
        if had_data {
            xenon_mysql::own_like(&copy, &like)?;
        }
        xenon_mysql::sync_all(&copy)?;
        Ok(Places { swap: Some(Swap::plan(layout, &copy, &stamp)?), had_data })
    })
    .await
}

/// The old data aside, the copy in its place.
pub(crate) async fn swap(order: &Order) -> Result<(), String> {
    let Some(swap) = order.places.swap.clone() else { return Err("no swap was planned".to_owned()) };
    blocking(move || swap.forward()).await
}

/// The copy away, the old data in its place.
pub(crate) async fn put_back(order: &Order) -> Result<(), String> {
    let Some(swap) = order.places.swap.clone() else { return Ok(()) };
    let had_data = order.places.had_data;
    blocking(move || {
        // Before it, logs may be aside already.
        if had_data && !swap.old().exists() && swap.state() == SwapState::After {
            // Then what is in the data folder is the old data, or all that is left.
            return Ok(());
        }
        swap.undo()
    })
    .await
}

/// Ends a copy that was given up, and removes what is there of it.
pub(crate) async fn give_up(order: &Order) -> Result<(), String> {
    if let Err(error) = order.door.kill_abandoned(END).await {
        tracing::debug!(%error, "the copy's statement ends with mysqld, or at the next change");
    }
    let options = order.mysqld.clone();
    let work = blocking(move || {
        let layout = Layout::of(&options)?;
        Ok(WorkFolder::find(layout.beside(), WORK_FOLDER))
    })
    .await?;
    let Some(work) = work else { return Ok(()) };
    xenon_mysql::end_marked(work.path()).await.map_err(|error| error.to_string())?;
    Scratch::end_stale(work.path()).await.map_err(|error| error.to_string())?;
    blocking(move || work.remove()).await
}

/// How much data a server has, its logs left out.
pub(crate) async fn data_bytes(data: &Path) -> Result<u64, String> {
    let data = data.to_owned();
    let sum = blocking(move || {
        let all = xenon_mysql::folder_facts(&data)?.bytes_on_disk;
        Ok(all.saturating_sub(log_bytes(&data)))
    });
    tokio::time::timeout(SIZE, sum)
        .await
        .unwrap_or_else(|_| Err(format!("its data could not be counted within {} s", SIZE.as_secs())))
}

/// Binary and relay logs, which no copy has: `name.000001`, directly in the data folder.
fn log_bytes(data: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(data) else { return 0 };
    let is_log = |path: &Path| {
        let number = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        number.len() >= 6 && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    let logs = entries.flatten().filter(|entry| is_log(&entry.path()));
    logs.filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).sum()
}

/// As a donor: can all be copied, and how much is it? Its server is made ready to give.
pub(crate) async fn donor(door: &Door, data: &Path) -> Result<u64, String> {
    const ASK: Duration = Duration::from_secs(10);
    let left_out = door.left_out_by_clone(ASK).await.map_err(|error| error.to_string())?;
    if left_out.count > 0 {
        return Err(format!(
            "it has {} table(s) that CLONE copies without their rows, for they are not InnoDB: {}",
            left_out.count,
            left_out.names.join(", ")
        ));
    }
    let loaded = async { door.control(ASK).await?.load_clone_plugin(ASK).await };
    loaded.await.map_err(|error| format!("its server cannot give: {error}"))?;
    data_bytes(data).await
}

/// What a backup is, and what stands in its way here.
#[derive(Debug)]
pub(crate) struct BackupFacts {
    pub(crate) data_bytes: u64,
    pub(crate) executed: GtidSet,
    pub(crate) wanted_bytes: u64,
    pub(crate) free_bytes: u64,
    /// This node has data: what.
    pub(crate) own_data: Option<String>,
    /// What it is, as a sentence.
    pub(crate) line: String,
}

pub(crate) async fn backup_facts(order: &Order, backup: &Path) -> Result<BackupFacts, String> {
    let manifest = xenon_mysql::read_backup(backup).await.map_err(|error| error.to_string())?;
    let program =
        xenon_mysql::mysqld_version(&order.mysqld.mysqld).await.map_err(|error| error.to_string())?;
    manifest.suits(program)?;
    let room = room(&order.mysqld).await?;
    if backup.starts_with(&room.data) {
        return Err(format!("{} is inside the data folder that it is to replace", backup.display()));
    }
    let line = format!(
        "the backup is of {}, MySQL {}, {} MiB in {} files, with the transactions {}",
        manifest.origin.node,
        manifest.server_version,
        manifest.bytes >> 20,
        manifest.files.len(),
        xenon_plan::brief(&manifest.gtid_executed)
    );
    Ok(BackupFacts {
        data_bytes: manifest.bytes,
        wanted_bytes: xenon_plan::rebuild::room_needed(manifest.bytes),
        free_bytes: room.free_bytes,
        own_data: own_data(&order.door, &room.data).await,
        executed: manifest.gtid_executed,
        line,
    })
}

/// A server that was only initialised has none.
async fn own_data(door: &Door, data: &Path) -> Option<String> {
    match door.facts(FACTS).await {
        Ok(facts) if facts.executed.is_empty() && facts.tables == 0 => None,
        Ok(facts) => Some(format!(
            "its server has {} table(s) and {} transaction(s)",
            facts.tables,
            facts.executed.count()
        )),
        Err(error) => {
            let entries = std::fs::read_dir(data).ok()?.next();
            entries.is_some().then(|| {
                format!(
                    "{} is not empty, and its server cannot be asked what is in it ({error})",
                    data.display()
                )
            })
        }
    }
}

/// Copies a backup into a new folder beside the data folder; each byte is compared with its checksum.
pub(crate) async fn copy_backup(order: &Order, backup: &Path, tell: &Tell) -> Result<(), String> {
    let options = order.mysqld.clone();
    let work = blocking(move || {
        let layout = Layout::of(&options)?;
        WorkFolder::open(layout.beside(), WORK_FOLDER, &model(&layout).0)
    })
    .await?;
    Scratch::end_stale(work.path()).await.map_err(|error| error.to_string())?;
    clear(&work).await?;
    let manifest = xenon_mysql::read_backup(backup).await.map_err(|error| error.to_string())?;
    let (to, total) = (work.path().join(COPY), manifest.bytes);
    // Dropped with this future: then the copying ends, too.
    let (_hold, cancel) = watch::channel(false);
    let (count, mut counted) = watch::channel(0_u64);
    let each = move |bytes| count.send_modify(|done| *done += bytes);
    let mut copying = std::pin::pin!(xenon_mysql::copy_backup(backup, &manifest, &to, cancel, each));
    let mut told = tokio::time::Instant::now();
    loop {
        tokio::select! {
            copied = &mut copying => {
                copied.map_err(|error| error.to_string())?;
                let _ = tell.send(Told::Bytes { done: total, total }).await;
                let (backup, to) = (backup.join("data"), to.clone());
                // Where the data folder is lost, nothing else says whose it was.
                return blocking(move || xenon_mysql::own_like(&to, &backup)).await;
            }
            Ok(()) = counted.changed() => {
                let done = *counted.borrow_and_update();
                if told.elapsed() >= TELL_EVERY {
                    told = tokio::time::Instant::now();
                    let _ = tell.send(Told::Bytes { done, total }).await;
                }
            }
        }
    }
}

/// A backup's order, from what the agent knows.
pub(crate) type BackupOrder = xenon_mysql::BackupOrder;

/// All that can be told before a backup begins.
pub(crate) async fn check_backup(order: &BackupOrder) -> Result<u64, String> {
    let room = xenon_mysql::check_backup_target(order).await.map_err(|error| error.to_string())?;
    Ok(room.data_bytes)
}

/// How a backup ended.
#[derive(Debug)]
pub(crate) enum BackupEnd {
    Done { bytes: u64, files: usize, executed: GtidSet },
    Cancelled,
    Failed(String),
}

/// How far a backup is: its phase's word, and bytes of that phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BackupAt {
    pub(crate) phase: &'static str,
    pub(crate) done: u64,
    pub(crate) total: u64,
}

/// Makes a backup; dropping the future ends it, and leaves the rest to [`clean_up_backup`].
pub(crate) async fn take_backup(
    order: &BackupOrder,
    cancel: watch::Receiver<bool>,
    tell: mpsc::Sender<BackupAt>,
) -> BackupEnd {
    let (progress, mut seen) = watch::channel(xenon_mysql::BackupProgress::default());
    let mut taking = std::pin::pin!(xenon_mysql::take_backup(order, &progress, cancel));
    let mut told = (tokio::time::Instant::now(), "");
    loop {
        tokio::select! {
            taken = &mut taking => return match taken {
                Ok(manifest) => BackupEnd::Done {
                    bytes: manifest.bytes,
                    files: manifest.files.len(),
                    executed: manifest.gtid_executed,
                },
                Err(CopyError::Cancelled { .. }) => BackupEnd::Cancelled,
                Err(error) => BackupEnd::Failed(error.to_string()),
            },
            Ok(()) = seen.changed() => {
                let now = *seen.borrow_and_update();
                let at = BackupAt { phase: now.phase.word(), done: now.done_bytes, total: now.total_bytes };
                if told.1 != at.phase || told.0.elapsed() >= TELL_EVERY {
                    told = (tokio::time::Instant::now(), at.phase);
                    let _ = tell.send(at).await;
                }
            }
        }
    }
}

/// What an agent that was killed has left of a backup. The statement that it left in the server is ended first.
pub(crate) async fn clean_up_backup(door: &Door, to: &Path) -> Result<(), String> {
    // Without a server there is none.
    if let Err(error) = door.control(FACTS).await {
        tracing::debug!(%error, "no statement of an earlier agent is looked for");
    }
    xenon_mysql::abandon_backup(to).await.map_err(|error| error.to_string())
}
