//! W1: cutting the end off the binary log of a dead mysqld.
//!
//! What is to be done is written down first ([`Rewind::save`]); from then on it is carried out to its end, however often
//! the agent is killed meanwhile ([`Rewind::load`]): every step is harmless by itself, and safe to repeat. In order:
//!
//! 1. The new `server_uuid`. A server that somebody starts now has its tail still, and makes no GTID twice (I4).
//! 2. The in-use flag of the file that is to be the last: without it the server would look for nothing to recover, beside
//!    what InnoDB has prepared.
//! 3. The index names no later file. They are in the quarantine already.
//! 4. The cut.
//! 5. The later files go.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xenon_gtid::{GtidSet, Uuid};

use super::dead::must_be_dead;
use super::files::listed;
use super::position::{server_uuid_in, trusted_binlog};
use super::{BinlogTail, DiskError, LogPlaces};

/// In the agent's own folder.
const FILE: &str = "mysqld.rewind";
/// Version of its form.
const VERSION: u32 = 1;
/// The server's own name and number.
const AUTO_CNF: &str = "auto.cnf";
/// The longest one that is read, bytes.
const AUTO_CNF_BYTES_MAX: u64 = 64 * 1024;
/// The flags of a file's first event, bytes from the start of the file: magic, time, type, server, length, position.
const FLAGS_AT: u64 = 4 + 4 + 1 + 4 + 4 + 4;
/// The server has it open, or died with it open.
const IN_USE: u8 = 1;
/// One of its steps.
type CutStep = fn(&Rewind) -> Result<(), RewindError>;
/// How many steps it has.
pub const REWIND_STEPS: usize = 5;

/// What is to be cut off, and where it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewind {
    version: u32,
    /// `@@datadir`.
    pub data_dir: PathBuf,
    index: PathBuf,
    file: PathBuf,
    start: u64,
    /// Its length before the cut, bytes: another one would be somebody else's doing.
    file_bytes: u64,
    later_files: Vec<PathBuf>,
    /// Until now.
    pub old_server_uuid: Uuid,
    /// From now on.
    pub new_server_uuid: Uuid,
    /// What is cut off.
    pub gtids: GtidSet,
    /// What `gtid_executed` must be afterwards.
    pub expected: GtidSet,
    /// Where the tail is kept.
    pub quarantine: PathBuf,
    /// All steps are done; the server's own word on it is missing.
    pub cut: bool,
}

/// A rewind that was begun cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum RewindError {
    /// The server runs, or its files do not tell.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Somebody else has changed the files since: most likely a mysqld was started there.
    #[error(
        "{path}: {what}; a mysqld was started there meanwhile, so the tail is committed and is not cut off any more"
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// What is other than it was.
        what: &'static str,
    },
    /// A file cannot be written.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's own words.
        source: io::Error,
    },
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RewindError {
    let path = path.to_owned();
    move |source| RewindError::Io { doing, path, source }
}

impl Rewind {
    /// What is to be done about this tail. Changes nothing. Blocking.
    ///
    /// # Errors
    /// The files cannot be read.
    pub fn of(
        places: &LogPlaces,
        tail: &BinlogTail,
        old_server_uuid: Uuid,
        new_server_uuid: Uuid,
        quarantine: PathBuf,
    ) -> Result<Rewind, RewindError> {
        let meta = std::fs::metadata(&tail.file).map_err(io_error("read", &tail.file))?;
        Ok(Rewind {
            version: VERSION,
            data_dir: places.data_dir.clone(),
            index: trusted_binlog(places)?.to_owned(),
            file: tail.file.clone(),
            start: tail.start,
            file_bytes: meta.len(),
            later_files: tail.later_files.clone(),
            old_server_uuid,
            new_server_uuid,
            gtids: tail.gtids.clone(),
            expected: tail.executed.subtract(&tail.gtids),
            quarantine,
            cut: false,
        })
    }

    /// The one that was begun and not verified. Blocking.
    ///
    /// # Errors
    /// There is one that cannot be read: mysqld must not be started before somebody has looked.
    pub fn load(meta_dir: &Path) -> Result<Option<Rewind>, RewindError> {
        let path = meta_dir.join(FILE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(RewindError::Io { doing: "read", path, source }),
        };
        match serde_json::from_slice::<Rewind>(&bytes) {
            Ok(rewind) if rewind.version == VERSION => Ok(Some(rewind)),
            Ok(_) | Err(_) => {
                Err(RewindError::Io { doing: "understand", path, source: ErrorKind::InvalidData.into() })
            }
        }
    }

    /// From here on it is carried out. Blocking.
    ///
    /// # Errors
    /// It cannot be written down; then nothing may be changed.
    pub fn save(&self, meta_dir: &Path) -> Result<(), RewindError> {
        let path = meta_dir.join(FILE);
        let text =
            serde_json::to_vec_pretty(self).map_err(io::Error::other).map_err(io_error("write", &path))?;
        replace(&path, &text, None)
    }

    /// It is verified, or cannot be carried out any more. Blocking.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn forget(meta_dir: &Path) -> Result<(), RewindError> {
        let path = meta_dir.join(FILE);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(io_error("remove", &path)(error)),
            _ => sync_parent(&path),
        }
    }

    /// The same, with all steps done: to be verified.
    #[must_use]
    pub fn done(&self) -> Rewind {
        Rewind { cut: true, ..self.clone() }
    }

    /// Does all steps, or those that are left. Blocking.
    ///
    /// # Errors
    /// See [`RewindError`]. After [`RewindError::Io`] it may be tried again.
    pub fn carry_out(&self) -> Result<(), RewindError> {
        self.carry_out_first(REWIND_STEPS)
    }

    /// Does only so many steps, as an agent does that is killed behind them: for tests.
    ///
    /// # Errors
    /// As [`Rewind::carry_out`].
    pub fn carry_out_first(&self, steps: usize) -> Result<(), RewindError> {
        must_be_dead(&self.data_dir)?;
        self.must_be_unchanged()?;
        let all: [CutStep; REWIND_STEPS] =
            [Self::rename_server, Self::flag, Self::shorten_index, Self::cut, Self::remove_later];
        all.iter().take(steps).try_for_each(|step| step(self))
    }

    fn must_be_unchanged(&self) -> Result<(), RewindError> {
        let changed = |path: &Path, what| Err(RewindError::Changed { path: path.to_owned(), what });
        let uuid = server_uuid_in(&self.data_dir)?;
        if uuid != Some(self.old_server_uuid) && uuid != Some(self.new_server_uuid) {
            return changed(&self.data_dir.join(AUTO_CNF), "it has another server_uuid");
        }
        let files = listed(&self.index, &self.data_dir)?;
        let behind = files.iter().position(|path| *path == self.file).and_then(|at| files.get(at + 1..));
        match behind {
            Some([]) => {}
            Some(later) if later == self.later_files => {}
            _ => return changed(&self.index, "it names other files than it did"),
        }
        let bytes = std::fs::metadata(&self.file).map_err(io_error("read", &self.file))?.len();
        if bytes != self.start && bytes != self.file_bytes {
            return changed(&self.file, "its length is another one");
        }
        Ok(())
    }

    fn rename_server(&self) -> Result<(), RewindError> {
        let path = self.data_dir.join(AUTO_CNF);
        let mut text = String::new();
        let read = File::open(&path).and_then(|file| file.take(AUTO_CNF_BYTES_MAX).read_to_string(&mut text));
        read.map_err(io_error("read", &path))?;
        let is_uuid = |line: &str| {
            let name = line.split('=').next().unwrap_or_default().trim();
            name == "server-uuid" || name == "server_uuid"
        };
        let renamed: String = text
            .lines()
            .map(|line| match is_uuid(line) {
                true => format!("server-uuid={}\n", self.new_server_uuid),
                false => format!("{line}\n"),
            })
            .collect();
        if renamed == text {
            return Ok(());
        }
        let meta = std::fs::metadata(&path).map_err(io_error("read", &path))?;
        replace(&path, renamed.as_bytes(), Some(&meta))
    }

    fn flag(&self) -> Result<(), RewindError> {
        let flagged = || {
            let file = OpenOptions::new().read(true).write(true).open(&self.file)?;
            let mut flags = [0];
            file.read_exact_at(&mut flags, FLAGS_AT)?;
            let [low] = flags;
            if low & IN_USE == 0 {
                file.write_all_at(&[low | IN_USE], FLAGS_AT)?;
                file.sync_all()?;
            }
            Ok(())
        };
        flagged().map_err(io_error("flag", &self.file))
    }

    fn shorten_index(&self) -> Result<(), RewindError> {
        if self.later_files.is_empty() {
            return Ok(());
        }
        let path = &self.index;
        let text = std::fs::read_to_string(path).map_err(io_error("read", path))?;
        let files = listed(path, &self.data_dir)?;
        let keep = files.iter().position(|file| *file == self.file).map_or(0, |at| at + 1);
        // In the server's own words, line by line.
        let shortened: String = text.lines().take(keep).map(|line| format!("{line}\n")).collect();
        if shortened == text {
            return Ok(());
        }
        let meta = std::fs::metadata(path).map_err(io_error("read", path))?;
        replace(path, shortened.as_bytes(), Some(&meta))
    }

    fn cut(&self) -> Result<(), RewindError> {
        let cut = || {
            let file = OpenOptions::new().write(true).open(&self.file)?;
            file.set_len(self.start)?;
            file.sync_all()
        };
        cut().map_err(io_error("cut", &self.file))
    }

    fn remove_later(&self) -> Result<(), RewindError> {
        for path in &self.later_files {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(io_error("remove", path)(error));
                }
                _ => sync_parent(path)?,
            }
        }
        Ok(())
    }
}

/// A file is there as it was or as it is to be, whatever happens meanwhile; with the owner and rights of the one before.
fn replace(path: &Path, bytes: &[u8], like: Option<&std::fs::Metadata>) -> Result<(), RewindError> {
    let new = path.with_extension("xenon-new");
    let written = || {
        let mut file = File::create(&new)?;
        let mode = like.map_or(0o600, |meta| meta.permissions().mode() & 0o777);
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
        if let Some(meta) = like {
            let own = file.metadata()?;
            if (own.uid(), own.gid()) != (meta.uid(), meta.gid()) {
                std::os::unix::fs::fchown(&file, Some(meta.uid()), Some(meta.gid()))?;
            }
        }
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&new, path)
    };
    written().map_err(io_error("replace", path))?;
    sync_parent(path)
}

fn sync_parent(path: &Path) -> Result<(), RewindError> {
    let Some(folder) = path.parent() else { return Ok(()) };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error("make durable", folder))
}
