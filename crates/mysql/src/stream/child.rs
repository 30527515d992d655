//! One program under way: a process group of its own, the end of its standard error, and a certain end.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, Command};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::{Kit, StreamError};
use crate::Secret;

/// By this variable of its environment a program, and whatever it starts, is found again. It holds a folder.
const MARK: &str = "XENON_STREAM";
/// So much of what a program says is kept, bytes.
const KEPT: usize = 16 << 10;
/// So much of it is told to people, characters.
const TOLD: usize = 600;
/// Its last words may come a moment after its end.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long a killed program may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(10);
/// Between two looks whether it is.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Longest environment of a process that is looked at, bytes.
const ENVIRONMENT_MAX: usize = 1 << 20;
/// What the tools end with when all went well.
const COMPLETED: &str = "completed OK!";

/// The end of what it says.
#[derive(Debug)]
struct Said {
    bytes: VecDeque<u8>,
    last: Instant,
}

/// A program that runs; dropping it ends it and all that it has started.
#[derive(Debug)]
pub(super) struct Running {
    name: String,
    pub(super) child: Child,
    group: Option<Pid>,
    said: Arc<Mutex<Said>>,
    listening: JoinHandle<()>,
    hidden: Option<Secret>,
}

/// How a program is run.
pub(super) struct Start<'a> {
    pub(super) program: &'a Path,
    pub(super) arguments: Vec<OsString>,
    pub(super) stdin: Stdio,
    pub(super) stdout: Stdio,
    /// The folder that it works for; by it [`end_marked`] finds it.
    pub(super) mark: &'a Path,
    /// Never shown, should it be among its words.
    pub(super) hidden: Option<Secret>,
}

impl Running {
    pub(super) fn start(kit: &Kit, start: Start<'_>) -> Result<Self, StreamError> {
        let Start { program, arguments, stdin, stdout, mark, hidden } = start;
        let mut command = match &kit.guard {
            // Ends with the agent, however that ends. The kernel's own way is `unsafe` for this process.
            Some(guard) => {
                let mut command = Command::new(guard);
                command.args(["--pdeathsig", "KILL", "--"]).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.args(arguments).env(MARK, mark).env("LC_ALL", "C").env_remove("NOTIFY_SOCKET");
        command.stdin(stdin).stdout(stdout).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
        let run = |source| StreamError::Run { program: program.to_owned(), source };
        let mut child = command.spawn().map_err(run)?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let said = Arc::new(Mutex::new(Said { bytes: VecDeque::new(), last: Instant::now() }));
        let listening = tokio::spawn(listen(child.stderr.take(), said.clone()));
        let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
        Ok(Self { name, child, group, said, listening, hidden })
    }

    pub(super) fn name(&self) -> String {
        self.name.clone()
    }

    /// How long it has said nothing.
    pub(super) fn silent_for(&self) -> Duration {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).last.elapsed()
    }

    /// The end of what it has said: a few lines for people.
    pub(super) fn said(&self) -> String {
        let text = self.text();
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let last = lines.get(lines.len().saturating_sub(3)..).unwrap_or_default().join(" | ");
        let skip = last.chars().count().saturating_sub(TOLD);
        let last: String = last.chars().skip(skip).filter(|c| !c.is_control()).collect();
        if last.is_empty() { "none".to_owned() } else { last }
    }

    fn text(&self) -> String {
        let bytes: Vec<u8> = {
            let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            said.bytes.iter().copied().collect()
        };
        let text = String::from_utf8_lossy(&bytes);
        let text = text.lines().map(without_hash).collect::<Vec<_>>().join("\n");
        match self.hidden.as_ref().filter(|secret| !secret.is_empty()) {
            Some(secret) => text.replace(secret.reveal(), "***"),
            None => text,
        }
    }

    /// Its last line is that it has done what it was told.
    fn says_completed(&self) -> bool {
        self.text()
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .is_some_and(|line| line.trim_end().ends_with(COMPLETED))
    }

    /// It hangs: ends it.
    pub(super) fn hangs(&mut self, state: &'static str, after: Duration) -> StreamError {
        self.kill();
        StreamError::Hangs {
            program: self.name(),
            state,
            after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
            said: self.said(),
        }
    }

    /// Waits for its end, which must be a good one.
    pub(super) async fn ended(&mut self, within: Duration, must_say: bool) -> Result<(), StreamError> {
        let status = match timeout(within, self.child.wait()).await {
            Ok(Ok(status)) => status,
            Ok(Err(source)) => {
                let (program, said) = (self.name(), self.said());
                return Err(StreamError::Pipe { doing: "wait for", program, source, said });
            }
            Err(_) => return Err(self.hangs("did not end", within)),
        };
        // Reaped: its number may be another's from here on.
        self.group = None;
        let _ = timeout(LAST_WORDS, &mut self.listening).await;
        self.judge(status, must_say)
    }

    fn judge(&self, status: ExitStatus, must_say: bool) -> Result<(), StreamError> {
        let (program, said) = (self.name(), self.said());
        match status.success() {
            false => Err(StreamError::Ended { program, status: status.to_string(), said }),
            true if must_say && !self.says_completed() => Err(StreamError::NotCompleted { program, said }),
            true => Ok(()),
        }
    }

    fn kill(&mut self) {
        if let Some(group) = self.group {
            // Not reaped yet, so the number is still its own. It may have ended by itself.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        self.listening.abort();
    }
}

/// mariadb-backup shows an account's grants when it lacks one, and in them the hash of its password (seen on 10.11).
fn without_hash(line: &str) -> &str {
    line.split_once(" IDENTIFIED ").map_or(line, |(before, _)| before)
}

async fn listen(stderr: Option<ChildStderr>, said: Arc<Mutex<Said>>) {
    let Some(mut stderr) = stderr else { return };
    let mut piece = [0_u8; 4096];
    while let Ok(read @ 1..) = stderr.read(&mut piece).await {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.bytes.extend(piece.iter().take(read));
        let over = said.bytes.len().saturating_sub(KEPT);
        said.bytes.drain(..over);
        said.last = Instant::now();
    }
}

/// Ends every program that was started for this folder and whatever that has started: what an agent that crashed, or a
/// stream that was given up, has left. Returns when they are gone, or after ten seconds with how many are not.
///
/// # Errors
/// Some do not go away.
pub async fn end_marked(folder: &Path) -> Result<(), StreamError> {
    let until = Instant::now() + GONE_WITHIN;
    loop {
        let mark = folder.to_owned();
        let found = tokio::task::spawn_blocking(move || marked(&mark)).await.unwrap_or_default();
        if found.is_empty() {
            return Ok(());
        }
        if Instant::now() >= until {
            let source =
                std::io::Error::other(format!("{} programs work for it and do not end", found.len()));
            return Err(StreamError::io("cannot clear", folder, source));
        }
        for (_, process) in found {
            // It may have ended by itself.
            let _ = pidfd_send_signal(&process, Signal::KILL);
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Each is held before its mark is looked at, so that its number cannot be another's when it is killed. Blocking.
fn marked(folder: &Path) -> Vec<(Pid, OwnedFd)> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let wanted = [MARK.as_bytes(), b"=", folder.as_os_str().as_bytes()].concat();
    processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw))
        .filter_map(|pid| Some((pid, pidfd_open(pid, PidfdFlags::empty()).ok()?)))
        .filter(|(pid, _)| {
            let path = format!("/proc/{}/environ", pid.as_raw_nonzero());
            // A zombie's is empty, and another user's cannot be read.
            let environment = std::fs::read(path).unwrap_or_default();
            environment.len() <= ENVIRONMENT_MAX
                && environment.split(|byte| *byte == 0).any(|variable| variable == wanted)
        })
        .collect()
}

/// `--name=value`.
pub(super) fn option(name: &str, value: impl AsRef<OsStr>) -> OsString {
    let mut argument = OsString::from(format!("--{name}="));
    argument.push(value);
    argument
}
