//! Making a backup: copied by CLONE, proved by a server that starts on it, summed, and only then named.
//!
//! The server that proves it works on the backup itself, not on a copy of it: so the very bytes that are kept are those that
//! a server recovered and shut down in order, no further room is needed, and a restored backup starts without recovery.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use super::check::check_target;
use super::files::{digest, list, tidy};
use super::{BackupOrigin, BackupRoom, DATA, MANIFEST, MANIFEST_SUM, Manifest};
use crate::copy::{blocking, sync_folder};
use crate::{
    CloneFrom, CloneLimits, CloneOrder, CopyError, CopyProgress, Door, Layout, MysqldOptions, Scratch,
    ScratchOptions, WorkFolder, check_complete, strip_identity, sync_all,
};

/// Questions to the server.
const ASK: Duration = Duration::from_secs(10);
/// Starting on the copy: its redo log is applied meanwhile.
const START: Duration = Duration::from_secs(1800);
/// And shutting down: changed pages are written.
const STOP: Duration = Duration::from_secs(600);
/// Memory of the server that proves a backup, MiB.
const PROVE_MIB: u32 = 128;

/// What is to be backed up, and where to.
#[derive(Debug, Clone)]
pub struct BackupOrder {
    /// How the node runs its mysqld.
    pub mysqld: MysqldOptions,
    /// The server that is backed up. It serves on meanwhile.
    pub door: Door,
    /// The backup's folder: absolute, not there yet or empty, with its parent there.
    pub to: PathBuf,
    /// MiB a second; 0 for as fast as it goes.
    pub throttle_mib_per_s: u32,
    /// For the manifest.
    pub origin: BackupOrigin,
}

/// How far a backup is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BackupProgress {
    /// What is being done.
    pub phase: BackupPhase,
    /// Bytes of this phase that are done.
    pub done_bytes: u64,
    /// Bytes of this phase, as far as known.
    pub total_bytes: u64,
}

/// The phases of a backup, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackupPhase {
    /// Is the folder good, is there room, can all be copied?
    #[default]
    Check,
    /// The server copies itself.
    Copy,
    /// A server starts on the copy and shuts down.
    Prove,
    /// Every file is read, its pages are checked and its checksum is taken.
    Sum,
    /// Onto the disk, and named.
    Keep,
}

impl BackupPhase {
    /// The word that status shows.
    pub fn word(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Copy => "copy",
            Self::Prove => "prove",
            Self::Sum => "checksum",
            Self::Keep => "keep",
        }
    }
}

/// All that can be told before it begins: the folder, the room, and tables that CLONE would leave out. Changes nothing.
///
/// # Errors
/// See [`CopyError`].
pub async fn check_backup_target(order: &BackupOrder) -> Result<BackupRoom, CopyError> {
    let (mysqld, to) = (order.mysqld.clone(), order.to.clone());
    let room = blocking(move || check_target(&to, &Layout::of(&mysqld)?)).await?;
    let left_out = order.door.left_out_by_clone(ASK).await?;
    if left_out.count > 0 {
        let why = format!(
            "{} table(s) would be in it without their rows, since CLONE copies InnoDB only: {}; convert them (ALTER TABLE … \
             ENGINE=InnoDB) or drop them",
            left_out.count,
            left_out.names.join(", ")
        );
        return Err(CopyError::impossible("making a backup", why));
    }
    Ok(room)
}

/// Makes a backup. When it is cancelled or fails, what is there of it is removed.
///
/// # Errors
/// See [`CopyError`].
pub async fn take_backup(
    order: &BackupOrder,
    progress: &watch::Sender<BackupProgress>,
    cancel: watch::Receiver<bool>,
) -> Result<Manifest, CopyError> {
    let room = check_backup_target(order).await?;
    abandon_backup(&room.to).await?;
    let outcome = make(order, &room, progress, cancel).await;
    if outcome.is_err()
        && let Err(error) = abandon_backup(&room.to).await
    {
        tracing::warn!(%error, "what is there of the backup was not removed");
    }
    outcome
}

/// Ends and removes what an attempt at a backup in `to` has left, of an agent that was killed, too. Nothing happens when
/// there is nothing.
///
/// # Errors
/// When something cannot be ended or removed.
pub async fn abandon_backup(to: &Path) -> Result<(), CopyError> {
    let (Some(parent), Some(name)) = (to.parent(), to.file_name()) else { return Ok(()) };
    let name = format!("{}.incomplete", name.to_string_lossy());
    let Some(work) = WorkFolder::find(parent, &name) else { return Ok(()) };
    Scratch::end_stale(work.path()).await?;
    blocking(move || work.remove()).await
}

async fn make(
    order: &BackupOrder,
    room: &BackupRoom,
    progress: &watch::Sender<BackupProgress>,
    cancel: watch::Receiver<bool>,
) -> Result<Manifest, CopyError> {
    let started_unix_ms = unix_ms();
    let before = order.door.observe(ASK).await?;
    let (parent, name) = (room.parent.clone(), room.incomplete.clone());
    let owner_of = PathBuf::from(&before.data_dir);
    let work = blocking(move || WorkFolder::open(&parent, &name, &owner_of)).await?;
    let data = work.path().join(DATA);

    tell(progress, BackupPhase::Copy, 0, room.data_bytes);
    clone_itself(order, &data, progress, cancel.clone()).await?;
    check_complete(&data)?;

    tell(progress, BackupPhase::Prove, 0, 0);
    let options =
        ScratchOptions { mysqld: order.mysqld.clone(), work: work.clone(), buffer_pool_mib: PROVE_MIB };
    let facts = unless_cancelled(cancel.clone(), async {
        let scratch = Scratch::start_on(&options, &data, START).await?;
        let facts = scratch.facts(ASK).await?;
        scratch.stop(STOP).await?;
        Ok(facts)
    })
    .await?;
    if !facts.executed.contains_set(&before.executed) {
        let why = format!(
            "the copy lacks transactions that the server had before: {}",
            before.executed.subtract(&facts.executed)
        );
        return Err(CopyError::incomplete(&data, why));
    }

    let (summed, told) = (data.clone(), progress.clone());
    let files = blocking(move || {
        strip_identity(&summed)?;
        tidy(&summed)?;
        sum(&summed, &told, &cancel)
    })
    .await?;
    tell(progress, BackupPhase::Keep, 0, 0);
    let manifest = Manifest {
        format: Manifest::FORMAT,
        origin: order.origin.clone(),
        method: "clone".to_owned(),
        server_version: facts.version,
        server_uuid: before.server_uuid,
        gtid_executed: facts.executed,
        page_bytes: facts.page_bytes,
        tables: facts.tables,
        started_unix_ms,
        ended_unix_ms: unix_ms(),
        bytes: files.iter().map(|file| file.bytes).sum(),
        files,
    };
    let (kept, room) = (manifest.clone(), room.clone());
    blocking(move || keep(&kept, work, &room)).await?;
    Ok(manifest)
}

async fn clone_itself(
    order: &BackupOrder,
    data: &Path,
    progress: &watch::Sender<BackupProgress>,
    mut cancel: watch::Receiver<bool>,
) -> Result<(), CopyError> {
    let clone = CloneOrder {
        from: CloneFrom::Local,
        to: data.to_owned(),
        limits: CloneLimits {
            data_mib_per_s: order.throttle_mib_per_s,
            network_mib_per_s: order.throttle_mib_per_s,
            ..CloneLimits::default()
        },
    };
    load_plugin(&order.door).await?;
    let (copied, mut seen) = watch::channel(CopyProgress::default());
    let relay = async {
        while seen.changed().await.is_ok() {
            let now = seen.borrow_and_update().clone();
            tell(progress, BackupPhase::Copy, now.copied_bytes, now.estimate_bytes);
        }
        std::future::pending::<()>().await
    };
    let copy = order.door.clone_data(&clone, &copied, async move {
        let _ = cancel.wait_for(|cancel| *cancel).await;
    });
    tokio::select! {
        cloned = copy => cloned.map(drop),
        () = relay => Ok(()),
    }
}

/// One that the agent has started has it.
async fn load_plugin(door: &Door) -> Result<(), CopyError> {
    let mut control = door.control(ASK).await?;
    control.load_clone_plugin(ASK).await?;
    Ok(())
}

/// A scratch server that is left behind by a cancel is ended by [`abandon_backup`].
async fn unless_cancelled<T>(
    mut cancel: watch::Receiver<bool>,
    work: impl Future<Output = Result<T, CopyError>>,
) -> Result<T, CopyError> {
    tokio::select! {
        outcome = work => outcome,
        Ok(_) = cancel.wait_for(|cancel| *cancel) => {
            Err(CopyError::Cancelled { what: "proving the backup".to_owned() })
        }
    }
}

fn sum(
    data: &Path,
    progress: &watch::Sender<BackupProgress>,
    cancel: &watch::Receiver<bool>,
) -> Result<Vec<super::BackupFile>, CopyError> {
    let files = list(data)?;
    let total: u64 = files.iter().map(|(_, bytes)| bytes).sum();
    let mut done = 0;
    tell(progress, BackupPhase::Sum, 0, total);
    let mut summed = Vec::with_capacity(files.len());
    for (path, _) in files {
        let name = path.strip_prefix(data).ok().and_then(Path::to_str).map(str::to_owned);
        let Some(name) = name else {
            return Err(CopyError::incomplete(
                &path,
                "its name is not UTF-8 text, so no manifest can name it",
            ));
        };
        summed.push(digest(&path, name, cancel, &mut |bytes| {
            done += bytes;
            tell(progress, BackupPhase::Sum, done, total);
        })?);
    }
    Ok(summed)
}

/// Onto the disk, all of it, and only then by its own name.
fn keep(manifest: &Manifest, work: WorkFolder, room: &BackupRoom) -> Result<(), CopyError> {
    manifest.write(work.path())?;
    sync_all(work.path())?;
    let made = work.keep_only(&[DATA, MANIFEST, MANIFEST_SUM])?;
    std::fs::rename(&made, &room.to).map_err(|error| CopyError::io("cannot rename", &made, error))?;
    sync_folder(&room.parent)
}

fn tell(progress: &watch::Sender<BackupProgress>, phase: BackupPhase, done_bytes: u64, total_bytes: u64) {
    progress.send_replace(BackupProgress { phase, done_bytes, total_bytes });
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
