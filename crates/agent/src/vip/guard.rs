//! The guard process, from both ends: the agent starts it, tells it until when the address may stay, and sees that it hears.

use super::leftover;
use super::watch;
use super::{VipNews, mark};
use crate::input::Input;
use rustix::fs::{FlockOperation, flock};
use std::collections::VecDeque;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};
use tokio::process::Command;
use tokio::sync::{mpsc, oneshot};
use xenon_address::guard::{Answer, Order};

/// A guard that has not answered for so long hangs.
const HANGS: Duration = Duration::from_secs(2);
/// Pause before another one is started, when the last one did not live long.
const PAUSE: Duration = Duration::from_secs(1);
/// A guard that lived so long is replaced at once.
const LIVED: Duration = Duration::from_secs(10);

/// What comes from it.
#[derive(Debug)]
pub(crate) enum GuardNews {
    /// It answers.
    Said {
        /// Which guard.
        id: u64,
        /// What it said.
        answer: Answer,
    },
    /// It has ended.
    Ended {
        /// Which guard.
        id: u64,
        /// How.
        how: String,
    },
}

/// The guards of this node: the one that runs, and those of earlier agents.
pub(crate) struct Guard {
    folder: PathBuf,
    watch: Order,
    inputs: mpsc::Sender<Input>,
    running: Option<Running>,
    last_id: u64,
    /// Told to the next one, too.
    until: Option<Order>,
    start_at: Option<Instant>,
    why: String,
    old: Vec<OwnedFd>,
}

struct Running {
    id: u64,
    stream: UnixStream,
    /// Orders without an answer, and when they were given; whether they say until when.
    waiting: VecDeque<(Instant, bool)>,
    since: Instant,
    kill: Option<oneshot::Sender<()>>,
}

impl Guard {
    pub(super) fn start(
        folder: &Path,
        watch: Order,
        old: Vec<OwnedFd>,
        inputs: mpsc::Sender<Input>,
    ) -> Guard {
        let mut guard = Guard {
            folder: folder.to_owned(),
            watch,
            inputs,
            running: None,
            last_id: 0,
            until: None,
            start_at: None,
            why: String::new(),
            old,
        };
        guard.launch();
        guard
    }

    fn launch(&mut self) {
        self.last_id += 1;
        self.start_at = None;
        match launch(self.last_id, &self.folder, &self.inputs) {
            Ok(running) => {
                self.running = Some(running);
                let watch = self.watch.clone();
                self.write(&watch);
                if let Some(until) = self.until.clone() {
                    self.write(&until);
                }
            }
            Err(error) => {
                self.why = format!("it cannot be started: {error}");
                self.start_at = Some(Instant::now() + PAUSE);
            }
        }
    }

    pub(super) fn send(&mut self, order: &Order) {
        self.until = matches!(order, Order::Until(_)).then(|| order.clone());
        self.write(order);
    }

    fn write(&mut self, order: &Order) {
        let Some(running) = &mut self.running else { return };
        let line = format!("{}\n", order.line());
        // The loop does not wait: a guard that reads nothing is found out by the answers that are missing.
        let sent = (&running.stream).write_all(line.as_bytes()).is_ok();
        if sent || running.waiting.is_empty() {
            running.waiting.push_back((Instant::now(), matches!(order, Order::Until(_))));
        }
    }

    pub(super) fn on_news(&mut self, news: GuardNews) -> Option<String> {
        match news {
            GuardNews::Said { id, answer } => {
                let running = self.running.as_mut().filter(|running| running.id == id)?;
                match answer {
                    Answer::Heard => {
                        self.why.clear();
                        if running.waiting.pop_front().is_some_and(|(_, until)| until) {
                            // From here on this one watches what the earlier ones would take away.
                            self.end_old();
                        }
                        None
                    }
                    Answer::Removed(0) => None,
                    Answer::Removed(_) => Some(
                        "the guard took the service address away: this agent did not say in time that it may stay"
                            .to_owned(),
                    ),
                    Answer::Failed(why) => {
                        Some(format!("the guard cannot take the service address away: {why}"))
                    }
                }
            }
            GuardNews::Ended { id, how } => {
                let ended = self.running.take_if(|running| running.id == id)?;
                self.why = format!("it ended ({how})");
                let pause = if ended.since.elapsed() > LIVED { Duration::ZERO } else { PAUSE };
                self.start_at = Some(Instant::now() + pause);
                Some(format!("the guard of the service address ended ({how}); another one is started"))
            }
        }
    }

    pub(super) fn tend(&mut self) -> Option<String> {
        if self.start_at.is_some_and(|at| at <= Instant::now()) {
            self.launch();
        }
        let running = self.running.as_mut()?;
        let hangs = running.waiting.front().is_some_and(|(asked, _)| asked.elapsed() > HANGS);
        let kill = running.kill.take_if(|_| hangs)?;
        let _ = kill.send(());
        Some(
            "the guard of the service address does not answer; it is killed, and another one started"
                .to_owned(),
        )
    }

    pub(super) fn end_old(&mut self) {
        for guard in self.old.drain(..) {
            leftover::end(&guard);
        }
    }

    pub(super) fn wake_at(&self) -> Option<Instant> {
        let hangs = self
            .running
            .as_ref()
            .filter(|running| running.kill.is_some())
            .and_then(|running| Some(running.waiting.front()?.0 + HANGS));
        [self.start_at, hangs].into_iter().flatten().min()
    }

    pub(super) fn trouble(&self) -> Option<String> {
        self.running.is_none().then(|| {
            format!(
                "the service address has no guard: {}. Should this agent be killed or hang now, the address stays until the \
                 kernel removes it some seconds later",
                self.why
            )
        })
    }
}

fn launch(id: u64, folder: &Path, inputs: &mpsc::Sender<Input>) -> std::io::Result<Running> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    // The binary that runs, also when another version has been put in its place.
    let child = Command::new("/proc/self/exe")
        .arg0("xenon")
        .arg(GUARD)
        .arg(folder)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .process_group(0)
        .spawn()?;
    let (kill, killed) = oneshot::channel();
    let ear = ours.try_clone()?;
    let inputs = inputs.clone();
    tokio::spawn(async move {
        let how = watch::until_ended(child, ear, killed, |answer| {
            let news = GuardNews::Said { id, answer };
            let inputs = inputs.clone();
            async move { inputs.send(VipNews::Guard(news).into()).await.is_ok() }
        })
        .await;
        let news = GuardNews::Ended { id, how };
        let _ = inputs.send(VipNews::Guard(news).into()).await;
    });
    Ok(Running { id, stream: ours, waiting: VecDeque::new(), since: Instant::now(), kill: Some(kill) })
}

/// The hidden command that is the guard.
pub(crate) const GUARD: &str = "address-guard";

/// `xenon address-guard FOLDER`, with the agent on standard input. `None`: something else was asked for.
pub(crate) fn run(mut arguments: impl Iterator<Item = std::ffi::OsString>) -> Option<ExitCode> {
    if arguments.next()? != GUARD {
        return None;
    }
    let Some(folder) = arguments.next() else {
        eprintln!("xenon {GUARD}: started by the agent, and by nobody else");
        return Some(ExitCode::from(2));
    };
    match guard(Path::new(&folder)) {
        Ok(()) => Some(ExitCode::SUCCESS),
        Err(error) => {
            eprintln!("xenon {GUARD}: {error}");
            Some(ExitCode::FAILURE)
        }
    }
}

fn guard(folder: &Path) -> std::io::Result<()> {
    // A signal to the agent's terminal is none of the guard's. It may lead its session already.
    let _ = rustix::process::setsid();
    let path = mark(folder, std::process::id());
    // Without it (a full disk) only the next agent does not know of this guard.
    let lock = std::fs::File::create(&path).ok();
    if let Some(file) = &lock {
        let _ = flock(file, FlockOperation::NonBlockingLockExclusive);
    }
    let agent = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let ended = xenon_address::guard::serve(agent, |text, agent_gone| {
        eprintln!("xenon {GUARD}: {text}");
        if agent_gone {
            let _ = std::fs::write(leftover::last_words(folder), text);
        }
    });
    let _ = std::fs::remove_file(&path);
    ended
}
