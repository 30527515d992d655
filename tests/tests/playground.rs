//! `xenoncli playground`: started, looked at, broken, ended, and killed.

use anyhow::{Context, Result, anyhow};
use assert_cmd::Command;
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use xenon_testkit::{Options, Process, Signal, State};
use xenon_tests::options;

/// It serves, or has ended, within this.
const BOUND: Duration = Duration::from_secs(120);

fn playground(options: &Options, folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(&options.bins.xenoncli);
    command.arg("playground").args(words).arg("--dir").arg(folder).env("MYSQL_BASEDIR", &options.base.dir);
    command.timeout(BOUND);
    command
}

fn status(options: &Options, folder: &Path) -> Result<Value> {
    let output = playground(options, folder, &["status", "--output", "json"]).output()?;
    serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> Result<T> {
    let end = Instant::now() + BOUND;
    while Instant::now() < end {
        if let Some(value) = condition() {
            return Ok(value);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(anyhow!("{what}: not within {} s", BOUND.as_secs()))
}

fn processes(status: &Value) -> Vec<Process> {
    let nodes = status["nodes"].as_array().cloned().unwrap_or_default();
    let pids = nodes.iter().flat_map(|node| [node["agent"]["pid"].as_i64(), node["mysqld"]["pid"].as_i64()]);
    pids.flatten().filter_map(|pid| Process::of(i32::try_from(pid).ok()?)).collect()
}

#[test]
fn in_the_background() -> Result<()> {
    let options = options(3)?;
    let parent = tempfile::tempdir()?;
    let folder = parent.path().join("play");
    playground(&options, &folder, &["status"]).assert().code(1);
    // Nothing to end is no failure.
    playground(&options, &folder, &["stop"]).assert().success();

    let started = playground(&options, &folder, &["--detach"]).assert().success();
    let said = String::from_utf8_lossy(&started.get_output().stdout).into_owned();
    for words in ["(3 rows)", "[READWRITE]", "kill -9 ", "trytoleader", "playground stop", "app.cnf"] {
        assert!(said.contains(words), "{words} is not in\n{said}");
    }
    let twice = playground(&options, &folder, &["--detach"]).assert().code(1);
    let said = String::from_utf8_lossy(&twice.get_output().stderr).into_owned();
    assert!(said.contains("is running") && said.contains("stop"), "{said}");

    let seen = status(&options, &folder)?;
    assert_eq!(seen["ready"], true, "{seen}");
    let all = processes(&seen);
    assert_eq!(all.len(), 6, "{seen}");
    let nodes = seen["nodes"].as_array().context("nodes")?;
    let primary = nodes.iter().find(|node| node["writable"] == true).context("a primary")?;
    for key in ["endpoint", "config", "folder"] {
        assert!(primary[key].is_string(), "{key}: {primary}");
    }
    // The login works as it is given, and holds no password in the arguments of anything.
    let login = primary["mysql"]["app"]["password-file"].as_str().context("a login")?;
    Command::new(options.base.client("mysql"))
        .arg(format!("--defaults-file={login}"))
        .args(["app", "-e", "CREATE TABLE t (a INT PRIMARY KEY); INSERT INTO t VALUES (1)"])
        .timeout(Duration::from_secs(20))
        .assert()
        .success();
    no_secret_in_arguments(&folder, &all)?;

    playground(&options, &folder, &["stop"]).assert().success();
    assert!(all.iter().all(|process| !process.is_alive()), "a process is left");
    assert!(!folder.exists(), "the data is left");
    Ok(())
}

fn no_secret_in_arguments(folder: &Path, processes: &[Process]) -> Result<()> {
    let accounts = State::read(folder)?.context("a state")?.accounts;
    let secrets =
        [accounts.admin.password, accounts.app.password, accounts.replication.password, accounts.secret];
    for process in processes {
        let line = std::fs::read(format!("/proc/{}/cmdline", process.pid))?;
        let line = String::from_utf8_lossy(&line).into_owned();
        assert!(
            secrets.iter().all(|secret| !line.contains(secret)),
            "process {} shows a secret",
            process.pid
        );
    }
    Ok(())
}

#[test]
fn in_the_foreground_until_an_interrupt() -> Result<()> {
    let (events, left) = foreground(Signal::INT)?;
    assert!(events.contains("mysqld"), "the death of a server is shown:\n{events}");
    assert!(!left, "the data is left");
    Ok(())
}

#[test]
fn killed_it_still_leaves_nothing() -> Result<()> {
    let (_, left) = foreground(Signal::KILL)?;
    assert!(!left, "the data is left");
    Ok(())
}

/// Starts one, kills the primary's server, ends it by a signal. Gives the events it showed, and whether the folder is left.
fn foreground(signal: Signal) -> Result<(String, bool)> {
    let options = options(2)?;
    let parent = tempfile::tempdir()?;
    let folder = parent.path().join("play");
    let shown = parent.path().join("shown");
    let mut child = std::process::Command::new(&options.bins.xenoncli)
        .args(["playground", "--nodes", "2", "--dir"])
        .arg(&folder)
        .env("MYSQL_BASEDIR", &options.base.dir)
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&shown)?)
        .stderr(Stdio::null())
        .spawn()?;
    let seen =
        until("it serves", || status(&options, &folder).ok().filter(|status| status["ready"] == true))?;
    let text = || std::fs::read_to_string(&shown).unwrap_or_default();
    until("it says that events follow", || text().contains("Events").then_some(()))?;
    let nodes = seen["nodes"].as_array().context("nodes")?;
    let primary = nodes.iter().find(|node| node["writable"] == true).context("a primary")?;
    let pid = i32::try_from(primary["mysqld"]["pid"].as_i64().context("its mysqld")?)?;
    Process::of(pid).context("its mysqld")?.signal(Signal::KILL)?;
    let died = |text: &str| text.split_once("Events").is_some_and(|(_, events)| events.contains("mysqld"));
    until("its death is shown", || died(&text()).then_some(()))?;

    let all = processes(&status(&options, &folder)?);
    let own = Process::of(i32::try_from(child.id())?).context("the playground's process")?;
    own.signal(signal)?;
    child.wait()?;
    until("no process is left", || all.iter().all(|process| !process.is_alive()).then_some(()))?;
    // The guard removes the files a moment later.
    let removed = until("the folder is removed", || (!folder.exists()).then_some(()));
    Ok((text(), removed.is_err()))
}
