//! L6: a primary that answers probes and ends no commit, because a thread of InnoDB does not go on.

use anyhow::{Context, Result, bail};
use nix::sys::ptrace;
use nix::unistd::Pid;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};
use xenon_testkit::Process;
use xenon_tests::{COMES_UP, HEALS, SERVES_AGAIN, Story, at_most, options};

/// One thread of a process, held where it is as a debugger does it; let go when this is dropped.
struct HeldThread {
    _let_go: Sender<()>,
}

impl HeldThread {
    fn hold(process: Process, name: &str) -> Result<Self> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", process.pid))?;
        let found = tasks.flatten().find(|task| {
            std::fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim() == name)
        });
        let task = found.with_context(|| format!("mysqld has no thread {name}"))?;
        let thread = Pid::from_raw(task.file_name().to_string_lossy().parse()?);
        let (let_go, wait) = channel::<()>();
        let (tell, told) = channel();
        // Whoever holds a thread is a thread, and its end lets go.
        std::thread::spawn(move || {
            let held =
                ptrace::seize(thread, ptrace::Options::empty()).and_then(|()| ptrace::interrupt(thread));
            let _ = tell.send(held);
            let _ = wait.recv();
        });
        told.recv()?.with_context(|| format!("thread {thread} cannot be held"))?;
        Ok(Self { _let_go: let_go })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nightly_hands_over_and_the_wedged_one_harms_nobody() -> Result<()> {
    let mut options = options(3)?;
    // Commits wait for those threads instead of writing the log themselves.
    options.server_lines.push("innodb-log-writer-threads=ON".to_owned());
    let (story, leader) = Story::begin_with(options, COMES_UP).await?;
    let at = Instant::now();
    let held = match HeldThread::hold(story.cluster.mysqld(leader)?, "ib_log_flush") {
        Ok(held) => held,
        Err(error) if error.to_string().contains("cannot be held") => {
            eprintln!("SKIPPED: {error:#}");
            return Ok(());
        }
        Err(error) => bail!(error),
    };
    story.event(leader, "no commit has ended", at, Duration::from_secs(30)).await?;
    at_most(story.taken_over(at, SERVES_AGAIN).await?, SERVES_AGAIN)?;
    drop(held);
    story.steps_down(leader, HEALS).await?;
    story.end_with_returned(leader).await?;
    Ok(())
}
