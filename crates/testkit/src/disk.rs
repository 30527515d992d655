//! Disks that can fail: a file system of its own below a node's folder, in a file of limited size.
//!
//! They are real ones (ext4 on a loop device), so a full one says `ENOSPC` in the middle of a transaction, a stalled one
//! keeps whoever writes to it in the kernel where not even SIGKILL helps, and one that has turned read-only does so under
//! the files that are open on it.

use crate::state::State;
use anyhow::{Context, Result, anyhow, bail};
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// A killed process has closed its files within this, and how often that is looked for.
const CLOSED: Duration = Duration::from_secs(20);
const TRY_AGAIN: Duration = Duration::from_millis(50);
/// Takes up the free space of a full one.
const FILLER: &str = "filler";

/// What lies on a disk of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Volume {
    /// The server's data, and its binlog when that has no disk of its own.
    Data,
    /// The server's binlog.
    Binlog,
    /// The agent's durable record.
    Record,
}

impl Volume {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Data, Self::Binlog, Self::Record];

    /// Its name, which is that of the folder on it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Binlog => "binlog",
            Self::Record => "meta",
        }
    }

    /// Room enough for a story, and little enough to lay out at once.
    fn size_mib(self) -> u64 {
        match self {
            Self::Data | Self::Binlog => 2048,
            Self::Record => 8,
        }
    }

    fn mount_point(self, folder: &Path) -> PathBuf {
        folder.join(format!("{}-disk", self.name()))
    }

    /// Where it lies in a node's folder when it has a disk of its own.
    pub(crate) fn on_disk(self, folder: &Path) -> PathBuf {
        self.mount_point(folder).join(self.name())
    }
}

/// What is wrong with a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Damage {
    /// No byte is free.
    Full,
    /// Whoever writes waits.
    Stalled,
    /// It has met an error of its own, and takes no more writes. Mended by mounting it again: nobody may use it then.
    ReadOnly,
}

/// A disk below a node's folder.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    volume: Volume,
    folder: PathBuf,
}

impl Disk {
    /// The one of a node, by the node's folder.
    pub(crate) fn of(volume: Volume, folder: &Path) -> Self {
        Self { volume, folder: folder.to_owned() }
    }

    /// Makes and mounts it.
    pub(crate) fn create(&self) -> Result<()> {
        let image = self.image();
        File::create(&image)?.set_len(self.volume.size_mib() << 20)?;
        // Nothing kept back for root, who is who fills it here; nothing written that nobody asked for.
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0", "-E", "lazy_itable_init=1"]).arg(&image))?;
        fs::create_dir(self.place())?;
        self.mount()
    }

    fn mount(&self) -> Result<()> {
        run(Command::new("mount").args(["-o", "loop,errors=remount-ro"]).arg(self.image()).arg(self.place()))
    }

    /// Breaks it.
    pub(crate) fn damage(&self, damage: Damage) -> Result<()> {
        match damage {
            Damage::Full => self.fill(),
            Damage::Stalled => run(Command::new("fsfreeze").arg("--freeze").arg(self.place())),
            Damage::ReadOnly => {
                let place = self.place();
                // The files that the node was made of are older than its fault in any story: they are durable.
                rustix::fs::syncfs(File::open(&place)?)?;
                let device = device(&place)?;
                let trigger = PathBuf::from("/sys/fs/ext4").join(device).join("trigger_fs_error");
                fs::write(&trigger, "testkit")
                    .with_context(|| format!("{} cannot be written", trigger.display()))
            }
        }
    }

    /// Takes back what [`Disk::damage`] did.
    pub(crate) fn mend(&self, damage: Damage) -> Result<()> {
        match damage {
            Damage::Full => Ok(fs::remove_file(self.place().join(FILLER))?),
            Damage::Stalled => run(Command::new("fsfreeze").arg("--unfreeze").arg(self.place())),
            Damage::ReadOnly => {
                unmount(&self.place())?;
                // 1 = there were errors, and they are mended.
                let status = Command::new("e2fsck").args(["-p", "-f"]).arg(self.image()).output()?.status;
                if !matches!(status.code(), Some(0 | 1)) {
                    bail!("the disk {} is beyond repair: e2fsck {status}", self.image().display());
                }
                self.mount()
            }
        }
    }

    fn fill(&self) -> Result<()> {
        let filler = File::create(self.place().join(FILLER))?;
        let space = statvfs(self.place())?;
        let free = space.f_bavail.saturating_mul(space.f_frsize);
        // By reserving, which takes no time. What is free may be less by what the reserving itself takes, and others write
        // meanwhile: so in halves, until not one block is left.
        let mut piece = free;
        while piece >= space.f_frsize {
            let length = filler.metadata()?.len();
            if fallocate(&filler, FallocateFlags::empty(), length, piece).is_err() {
                piece /= 2;
            }
        }
        Ok(())
    }

    fn place(&self) -> PathBuf {
        self.volume.mount_point(&self.folder)
    }

    fn image(&self) -> PathBuf {
        self.folder.join(format!("{}-disk.img", self.volume.name()))
    }
}

/// Mount points below a folder, the innermost first.
pub(crate) fn mounts_below(folder: &Path) -> Vec<PathBuf> {
    let mut points: Vec<PathBuf> =
        mount_points().into_iter().filter(|point| point != folder && point.starts_with(folder)).collect();
    points.reverse();
    points
}

/// All mount points, in the order in which they were mounted.
pub(crate) fn mount_points() -> Vec<PathBuf> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    text.lines().filter_map(|line| line.split(' ').nth(4)).map(PathBuf::from).collect()
}

/// Lets go on who waits for a stalled disk below a folder: else it could not even be killed.
pub(crate) fn thaw_below(folder: &Path) {
    for point in mounts_below(folder) {
        // One that is not stalled says so.
        let _ = Command::new("fsfreeze").arg("--unfreeze").arg(&point).output();
    }
}

/// Ends what is left of clusters with disks whose owner is gone, and whose guard is gone too: a mount outlives everybody.
pub(crate) fn sweep() {
    for point in mount_points() {
        let Some(folder) = point.parent().and_then(Path::parent) else { continue };
        if let Ok(Some(state)) = State::read(folder)
            && !state.is_owned()
        {
            // What cannot be ended now may be by the next one; this cluster does not need it.
            let _ = state.end_abandoned(folder);
        }
    }
}

/// Takes all disks below a folder out.
pub(crate) fn unmount_below(folder: &Path) -> Result<()> {
    mounts_below(folder).iter().try_for_each(|point| unmount(point))
}

/// A killed process counts as ended a moment before the last of its threads has closed its files.
fn unmount(point: &Path) -> Result<()> {
    let until = Instant::now() + CLOSED;
    loop {
        match run(Command::new("umount").arg(point)) {
            Err(_) if Instant::now() < until => std::thread::sleep(TRY_AGAIN),
            outcome => return outcome,
        }
    }
}

/// The name of the device that is mounted at a place.
fn device(place: &Path) -> Result<String> {
    let text = fs::read_to_string("/proc/self/mountinfo")?;
    let line = text
        .lines()
        .rfind(|line| line.split(' ').nth(4).is_some_and(|point| Path::new(point) == place))
        .ok_or_else(|| anyhow!("nothing is mounted at {}", place.display()))?;
    let source = line.split_once(" - ").and_then(|(_, rest)| rest.split(' ').nth(1)).unwrap_or_default();
    Ok(source.trim_start_matches("/dev/").to_owned())
}

fn run(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("{} does not run", command.get_program().to_string_lossy()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        bail!("{command:?}: {said}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    /// Takes the disk out when the test fails, too.
    struct Out(PathBuf);

    impl Drop for Out {
        fn drop(&mut self) {
            unmount_below(&self.0).expect("unmount");
        }
    }

    #[test]
    fn one_is_filled_turned_read_only_mended_and_taken_out() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIPPED: disks of their own need root");
            return;
        }
        let folder = tempfile::tempdir().expect("folder");
        let _out = Out(folder.path().to_owned());
        let disk = Disk::of(Volume::Record, folder.path());
        disk.create().expect("a disk");
        let place = disk.place();
        assert_eq!(mounts_below(folder.path()), std::slice::from_ref(&place));
        // A thousand bytes may still fit into what a file already has; so many do not.
        let write = |name: &str| fs::write(place.join(name), vec![7; 100_000]).map_err(|error| error.kind());
        assert_eq!(write("before"), Ok(()));
        // What nobody has synced may be lost with the disk.
        File::open(place.join("before")).and_then(|file| file.sync_all()).expect("sync");
        disk.damage(Damage::Full).expect("fill");
        assert_eq!(write("full"), Err(ErrorKind::StorageFull));
        disk.mend(Damage::Full).expect("empty");
        assert_eq!(write("after"), Ok(()));

        let mut open = File::create(place.join("open")).expect("open");
        disk.damage(Damage::ReadOnly).expect("break");
        let error = std::io::Write::write(&mut open, b"more").expect_err("no more writes");
        assert_eq!(error.kind(), ErrorKind::ReadOnlyFilesystem);
        drop(open);
        disk.mend(Damage::ReadOnly).expect("mend");
        assert_eq!(write("mended"), Ok(()));
        assert_eq!(fs::read(place.join("before")).expect("read").len(), 100_000);

        disk.damage(Damage::Stalled).expect("stall");
        thaw_below(folder.path());
        unmount_below(folder.path()).expect("unmount");
        assert!(mounts_below(folder.path()).is_empty());
    }
}
