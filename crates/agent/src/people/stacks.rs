//! `perf quickstack`: what every thread of mysqld is doing.
//!
//! A tool that reads stacks stops the process for as long as it reads. A primary that stands still for two missed probes is a
//! hung one, and another takes over (L6); and where there are two voters with data only, a primary's commits wait for the other
//! one. Such servers are looked at through `/proc` alone, which stops nothing, unless whoever asks says otherwise; and every tool
//! has a bound, after which it is ended and the server goes on.

use super::{busy, frames, no};
use crate::agent::Agent;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::sync::oneshot;
use tokio::time::Instant;
use xenon_api::{Reply, Response, StackTool, Stacks, ThreadStack};
use xenon_election::State;
use xenon_mysql::{Door, ServerThread};

/// How long a tool may take at a server that nobody waits for.
const TOOL: Duration = Duration::from_secs(15);
/// And at one that clients wait for: below the deadline of a probe.
const TOOL_AT_NEEDED: Duration = Duration::from_millis(800);
/// How long the server may take to name its threads.
const NAMES: Duration = Duration::from_secs(2);
/// So much of a tool's output is read, bytes.
const OUTPUT: u64 = 16 << 20;
/// So many threads are told of.
const THREADS: usize = 4096;
/// So much of a kernel's stack is read, bytes.
const KERNEL: u64 = 4096;

/// The quickest first: gdb reads all symbols before it looks.
const TOOLS: [StackTool; 4] = [StackTool::EuStack, StackTool::Quickstack, StackTool::Gdb, StackTool::Pstack];

impl Agent {
    pub(super) fn look_at_stacks(&mut self, tool: StackTool, may_stop: bool, reply: oneshot::Sender<Reply>) {
        let refuse = |reply: oneshot::Sender<Reply>, refusal| drop(reply.send(refusal));
        let Some(mysqld) = &self.local.mysqld else {
            return refuse(
                reply,
                no("mysqld does not run, or is not known to the agent", "xenoncli mysql start"),
            );
        };
        let voters = self.core.record().config.as_ref().map_or(0, |config| config.data_voters().count());
        let whose = if self.core.state() == State::Leader {
            Some("it is the primary's")
        } else {
            // It is the only one that acknowledges.
            (voters == 2).then_some("the primary's commits wait for it")
        };
        if let Some(whose) = whose
            && !may_stop
            && !matches!(tool, StackTool::Auto | StackTool::Proc)
        {
            return refuse(
                reply,
                no(
                    format!("{} would stop this node's server while it looks, and {whose}", tool.word()),
                    "leave --tool out, which stops nothing; or take the stop, at most 0.8 s: --stop",
                ),
            );
        }
        let Ok(turn) = self.people.stacks.clone().try_acquire_owned() else {
            return refuse(reply, busy("somebody looks at the stacks already"));
        };
        let (door, pid) = (self.means.door.clone(), mysqld.pid());
        let choice = Choice {
            tool,
            only_proc: whose.is_some() && !may_stop,
            bound: if whose.is_some() { TOOL_AT_NEEDED } else { TOOL },
        };
        tokio::spawn(async move {
            let answer = match look(&door, pid, choice).await {
                Ok(stacks) => Reply::Ok(Response::Stacks(Box::new(stacks))),
                Err((what, cure)) => no(what, cure),
            };
            drop(turn);
            let _ = reply.send(answer);
        });
    }
}

struct Choice {
    tool: StackTool,
    only_proc: bool,
    bound: Duration,
}

async fn look(door: &Door, pid: i32, choice: Choice) -> Result<Stacks, (String, String)> {
    let begun = Instant::now();
    let (tool, path, mut note) = choose(&choice)?;
    let mut stacks = BTreeMap::new();
    let mut used = StackTool::Proc;
    if let Some(path) = path {
        match run(tool, &path, pid, choice.bound).await {
            Ok(output) => {
                stacks = frames::by_thread(&output);
                used = tool;
                if stacks.is_empty() {
                    used = StackTool::Proc;
                    note = format!(
                        "{} printed no stack; run the agent as mysqld's user, or look at kernel.yama.ptrace_scope",
                        tool.word()
                    );
                }
            }
            Err(why) => note = format!("{}: {why}; looked through /proc instead", tool.word()),
        }
    }
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut threads =
        tokio::task::spawn_blocking(move || threads_of(Path::new("/proc"), pid)).await.unwrap_or_default();
    if threads.is_empty() {
        return Err((format!("process {pid} is gone"), "xenoncli mysql status".to_owned()));
    }
    let cut = threads.len() > THREADS;
    threads.truncate(THREADS);
    let named: BTreeMap<u32, ServerThread> = match door.threads(NAMES).await {
        Ok(named) => named.into_iter().map(|thread| (thread.os_id, thread)).collect(),
        Err(error) => {
            let also = format!("the server does not name its threads: {error}");
            note = if note.is_empty() { also } else { format!("{note}; {also}") };
            BTreeMap::new()
        }
    };
    for thread in &mut threads {
        if let Some(frames) = stacks.remove(&thread.tid) {
            thread.frames = frames;
        }
        if let Some(known) = named.get(&thread.tid) {
            thread.name.clone_from(&known.name);
            thread.session.clone_from(&known.session);
        }
    }
    let pid = u32::try_from(pid).unwrap_or_default();
    Ok(Stacks { pid, tool: used, note, took_ms, threads, cut })
}

/// What looks, where it is, and what there is to say about that.
fn choose(choice: &Choice) -> Result<(StackTool, Option<PathBuf>, String), (String, String)> {
    let install = "for stacks of functions install elfutils (eu-stack), on this node's host";
    match choice.tool {
        StackTool::Proc => Ok((StackTool::Proc, None, String::new())),
        StackTool::Auto if choice.only_proc => {
            let note = "clients wait for this server, so it is not stopped: only /proc was looked at; for stacks of functions: --stop, \
                        which stops it for at most 0.8 s";
            Ok((StackTool::Proc, None, note.to_owned()))
        }
        StackTool::Auto => Ok(match TOOLS.into_iter().find_map(|tool| Some((tool, on_path(tool.word())?))) {
            Some((tool, path)) => (tool, Some(path), String::new()),
            None => (StackTool::Proc, None, install.to_owned()),
        }),
        tool => match on_path(tool.word()) {
            Some(path) => Ok((tool, Some(path), String::new())),
            None => Err((
                format!("{} is not installed on this node's host", tool.word()),
                "install it, or leave --tool out".to_owned(),
            )),
        },
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

async fn run(tool: StackTool, path: &Path, pid: i32, bound: Duration) -> Result<String, String> {
    let pid_text = pid.to_string();
    let arguments: Vec<&str> = match tool {
        StackTool::EuStack => vec!["-n", "64", "-p", &pid_text],
        StackTool::Quickstack => vec!["-p", &pid_text],
        StackTool::Gdb => vec![
            "-nx",
            "-batch",
            "-iex",
            "set debuginfod enabled off",
            "-iex",
            "set auto-load off",
            "-p",
            &pid_text,
            "-ex",
            "set pagination off",
            "-ex",
            "thread apply all bt 64",
        ],
        _ => vec![&pid_text],
    };
    let mut child = Command::new(path)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| error.to_string())?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    let mut output = Vec::new();
    let stdout = child.stdout.take();
    let ended = tokio::time::timeout(bound, async {
        if let Some(stdout) = stdout {
            stdout.take(OUTPUT).read_to_end(&mut output).await.map_err(|error| error.to_string())?;
        }
        child.wait().await.map_err(|error| error.to_string())
    })
    .await;
    if !matches!(ended, Ok(Ok(_))) {
        if let Some(group) = group {
            // It may have ended a moment ago.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = child.wait().await;
        if let Some(server) = rustix::process::Pid::from_raw(pid) {
            // A tool that ends in the middle can leave the server stopped.
            let _ = rustix::process::kill_process(server, rustix::process::Signal::CONT);
        }
    }
    match ended {
        Ok(Ok(_)) => Ok(String::from_utf8_lossy(&output).into_owned()),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(format!("not done within {} ms, and ended", bound.as_millis())),
    }
}

/// The threads of a process, by number, as the system sees them.
fn threads_of(proc: &Path, pid: i32) -> Vec<ThreadStack> {
    let folder = proc.join(pid.to_string()).join("task");
    let Ok(entries) = std::fs::read_dir(&folder) else { return Vec::new() };
    let mut tids: Vec<u32> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    tids.sort_unstable();
    // One more than is told, so that it is known that there are more.
    tids.into_iter().take(THREADS + 1).map(|tid| thread_of(&folder.join(tid.to_string()), tid)).collect()
}

fn thread_of(folder: &Path, tid: u32) -> ThreadStack {
    let read = |name: &str| -> String {
        use std::io::Read;
        let mut text = String::new();
        // What is gone or not ours is not known.
        let file = std::fs::File::open(folder.join(name));
        let _ = file.and_then(|file| file.take(KERNEL).read_to_string(&mut text));
        text
    };
    let status = read("status");
    let state = status.lines().find_map(|line| line.strip_prefix("State:")).unwrap_or_default();
    let wait = read("wchan");
    let kernel = read("stack");
    ThreadStack {
        tid,
        name: read("comm").trim().to_owned(),
        state: state.trim().to_owned(),
        wait: Some(wait.trim()).filter(|wait| *wait != "0").unwrap_or_default().to_owned(),
        session: String::new(),
        frames: kernel
            .lines()
            .map(|line| format!("kernel: {}", line.rsplit(' ').next().unwrap_or(line)))
            .take(32)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threads_of_this_process() {
        let pid = i32::try_from(std::process::id()).expect("a number");
        let threads = threads_of(Path::new("/proc"), pid);
        assert!(!threads.is_empty());
        assert!(
            threads.iter().all(|thread| !thread.name.is_empty() && !thread.state.is_empty()),
            "{threads:?}"
        );
        assert!(threads_of(Path::new("/nowhere"), 1).is_empty());
    }

    #[test]
    fn a_leaders_server_is_not_stopped_by_default() {
        let choice = Choice { tool: StackTool::Auto, only_proc: true, bound: TOOL };
        let (tool, path, note) = choose(&choice).expect("it may");
        assert!(tool == StackTool::Proc && path.is_none() && note.contains("--stop"), "{note}");
    }

    #[tokio::test]
    async fn a_tool_that_hangs_is_ended() {
        let begun = Instant::now();
        let script = tempfile::NamedTempFile::new().expect("a file").into_temp_path();
        std::fs::write(&script, "#!/bin/sh\nsleep 60\n").expect("written");
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).expect("ours");
        // The "server" is a process of this test, so that nothing else is told to go on.
        let mut server = std::process::Command::new("sleep").arg("60").spawn().expect("sleep");
        let pid = i32::try_from(server.id()).expect("a number");
        let outcome = run(StackTool::Pstack, &script, pid, Duration::from_millis(200)).await;
        server.kill().and_then(|()| server.wait()).expect("ours");
        assert!(outcome.is_err_and(|why| why.contains("ended")));
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
}
