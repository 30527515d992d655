//! The donor's side: the program's standard output, piece by piece.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::ChildStdout;
use tokio::time::{Instant, sleep, timeout};

use super::child::{Running, Start, option};
use super::option_file::OptionFile;
use super::{Kit, StreamError, StreamLimits, Tool, end_marked};
use crate::copy::blocking;
use crate::{Door, WorkFolder};

/// Read at once, bytes.
const PIECE: usize = 64 << 10;
/// What one unit of xtrabackup's `--throttle` stands for, MiB: one chunk a second (its documentation says 10 MB).
const CHUNK_MIB: u32 = 10;

/// What is to be given, and how.
#[derive(Debug, Clone)]
pub struct GiveOrder {
    /// The way to the server: the program logs in as the agent does.
    pub door: Door,
    /// The server's own option file.
    pub defaults_file: PathBuf,
    /// The server's data folder.
    pub data_dir: PathBuf,
    /// A folder of the agent's own, in which the program keeps its temporary files.
    pub parent: PathBuf,
    /// Threads that copy (`backup.backup-parallel`); 0 is taken for 1.
    pub parallel: u32,
    /// At most so many reads a second (`backup.backup-iops-limits`), as the program counts them; 0 for no limit.
    pub iops: u64,
    /// At most so many MiB of the stream a second; 0 for as fast as it goes.
    pub throttle_mib_s: u32,
}

/// A backup that is being made. Dropping it ends the program, and removes the file with the password.
#[derive(Debug)]
pub struct Give {
    running: Running,
    stdout: ChildStdout,
    folder: PathBuf,
    bytes: u64,
    began: Instant,
    mib_s: u32,
    limits: StreamLimits,
    _login: OptionFile,
}

impl Give {
    /// Starts the program. What an earlier agent has left of one is ended first.
    ///
    /// # Errors
    /// The password's file cannot be written, or the program not run. That it fails shows at [`Give::next`].
    pub async fn start(kit: &Kit, order: &GiveOrder, limits: StreamLimits) -> Result<Self, StreamError> {
        let folder = work_folder(&order.parent);
        end_marked(&folder).await?;
        let (parent, server) = (order.parent.clone(), order.defaults_file.clone());
        let password = order.door.options().password.clone();
        let hidden = password.clone();
        let login = blocking(move || {
            let work = WorkFolder::open(&parent, FOLDER, &parent)?;
            work.clear(TARGET)?;
            Ok(OptionFile::write(work.path(), &server, &password))
        })
        .await??;
        let arguments = arguments(kit.tool, order, login.path(), &folder.join(TARGET));
        let start = Start {
            program: &kit.program,
            arguments,
            stdin: Stdio::null(),
            stdout: Stdio::piped(),
            mark: &folder,
            hidden: Some(hidden),
        };
        let mut running = Running::start(kit, start)?;
        let Some(stdout) = running.child.stdout.take() else {
            let source = std::io::Error::other("it has no standard output");
            return Err(StreamError::Run { program: kit.program.clone(), source });
        };
        let (began, mib_s) = (Instant::now(), order.throttle_mib_s);
        Ok(Self { running, stdout, folder, bytes: 0, began, mib_s, limits, _login: login })
    }

    /// The next bytes; `None` when the program has closed its output: then [`Give::finish`] says what they are worth.
    ///
    /// # Errors
    /// Nothing came for [`StreamLimits::idle`], or all of it takes too long: the program is ended then.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, StreamError> {
        if self.began.elapsed() >= self.limits.total {
            return Err(self.running.hangs("has not finished", self.limits.total));
        }
        sleep(self.ahead()).await;
        let mut piece = vec![0; PIECE];
        match timeout(self.limits.idle, self.stdout.read(&mut piece)).await {
            Ok(Ok(0)) => Ok(None),
            Ok(Ok(read)) => {
                piece.truncate(read);
                self.bytes += read as u64;
                Ok(Some(piece))
            }
            Ok(Err(source)) => {
                let (program, said) = (self.running.name(), self.running.said());
                Err(StreamError::Pipe { doing: "read from", program, source, said })
            }
            Err(_) => Err(self.running.hangs("has given no byte", self.limits.idle)),
        }
    }

    /// How far it is ahead of the speed that it may have.
    fn ahead(&self) -> Duration {
        if self.mib_s == 0 {
            return Duration::ZERO;
        }
        let per_s = u64::from(self.mib_s) << 20;
        let due = Duration::from_millis(self.bytes.saturating_mul(1000).checked_div(per_s).unwrap_or(0));
        due.saturating_sub(self.began.elapsed())
    }

    /// All that was read is a whole backup.
    ///
    /// # Errors
    /// The program has ended with an error, does not say that it is done, or does not end.
    pub async fn finish(mut self) -> Result<u64, StreamError> {
        self.running.ended(self.limits.ends_within, true).await?;
        let (bytes, folder) = (self.bytes, self.folder.clone());
        drop(self);
        end_marked(&folder).await?;
        Ok(bytes)
    }
}

/// Below the agent's own folder.
const FOLDER: &str = "stream-give";
/// The program's `--target-dir` in it.
const TARGET: &str = "target";

/// Ends and removes what an agent that was killed has left of giving below `parent`: the program, and the file with the
/// password.
///
/// # Errors
/// The program does not end, or the folder cannot be removed.
pub async fn forget_given(parent: &Path) -> Result<(), StreamError> {
    let found = parent.to_owned();
    let Some(work) = blocking(move || Ok(WorkFolder::find(&found, FOLDER))).await? else { return Ok(()) };
    end_marked(work.path()).await?;
    Ok(blocking(move || work.remove()).await?)
}

fn work_folder(parent: &Path) -> PathBuf {
    parent.join(FOLDER)
}

/// `--defaults-file` must be the first; what follows it on the command line outweighs what is in the file.
fn arguments(tool: Tool, order: &GiveOrder, login: &Path, target: &Path) -> Vec<std::ffi::OsString> {
    let at = order.door.options();
    let mut all = vec![option("defaults-file", login)];
    all.extend(["--backup".into(), "--stream=xbstream".into()]);
    all.push(option("target-dir", target));
    all.push(option("datadir", &order.data_dir));
    all.push(option("user", &at.user));
    match &at.socket {
        Some(socket) => all.push(option("socket", socket)),
        None => {
            all.push(option("host", &at.host));
            all.push(option("port", at.port.to_string()));
        }
    }
    all.push(option("parallel", order.parallel.clamp(1, 64).to_string()));
    if let Some(throttle) = throttle(tool, order.iops, order.throttle_mib_s) {
        all.push(option("throttle", throttle.to_string()));
    }
    all
}

/// The tool's own limit keeps it from reading ahead; the exact speed is that of the stream ([`Give::next`]).
fn throttle(tool: Tool, iops: u64, mib_s: u32) -> Option<u64> {
    let by_speed = match (tool, mib_s) {
        (Tool::Xtrabackup, 1..) => Some(u64::from(mib_s.div_ceil(CHUNK_MIB))),
        _ => None,
    };
    // It is an `int` in the tools.
    let by_iops = (iops > 0).then(|| iops.min(1_000_000_000));
    by_speed.into_iter().chain(by_iops).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttle_is_in_chunks() {
        assert_eq!(throttle(Tool::Xtrabackup, 100_000, 0), Some(100_000));
        assert_eq!(throttle(Tool::Xtrabackup, 100_000, 1), Some(1));
        assert_eq!(throttle(Tool::Xtrabackup, 100_000, 25), Some(3));
        assert_eq!(throttle(Tool::Xtrabackup, 2, 1000), Some(2));
        assert_eq!(throttle(Tool::Mariabackup, 0, 25), None);
    }
}
