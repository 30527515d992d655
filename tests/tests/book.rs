//! The commands of the book, run as they stand there: docs/start.md and what of docs/operate.md does no harm, on one
//! playground, by the shell.

#[path = "../../crates/cli/src/book/shell.rs"]
#[allow(dead_code, reason = "the crate of the command line uses the rest")]
mod shell;

use anyhow::{Context, Result, ensure};
use shell::{Document, documents};
use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use xenon_tests::options;

/// All of it ends within this; mostly that is starting three servers.
const BOUND: Duration = Duration::from_secs(180);

/// Between two blocks a person looks, and goes on when all is well again.
const SETTLED: &str = r#"
settled() {
    [[ -n ${XENON_CONFIG:-} && -e $XENON_CONFIG ]] || return 0
    local until=$((SECONDS + 60)) table
    while ((SECONDS < until)); do
        table=$(xenoncli cluster status 2>/dev/null || true)
        if (($(grep -c '\[true/true\]' <<<"$table") == 3 && $(grep -c READWRITE <<<"$table") == 1)); then
            return 0
        fi
        sleep 0.1
    done
    printf 'not settled:\n'
    xenoncli cluster status
    return 1
}
"#;

fn blocks(root: &Path, name: &str) -> Result<Vec<(usize, String)>> {
    let text = std::fs::read_to_string(root.join("docs").join(name))?;
    let blocks = Document::of(&text).blocks.into_iter().filter(shell::Block::is_run);
    Ok(blocks.map(|block| (block.line, block.text)).collect())
}

/// One script of both documents: the playground of the first is ended behind the second.
fn script(root: &Path) -> Result<String> {
    let mut start = blocks(root, "start.md")?;
    let last = start.pop().context("docs/start.md has blocks that are run")?;
    ensure!(last.1.contains("playground stop"), "the last of them ends the playground: {}", last.1);
    let operate = blocks(root, "operate.md")?;
    ensure!(start.len() >= 4 && operate.len() >= 4, "too few blocks are run");
    let mut script = format!("set -euo pipefail\n{SETTLED}");
    let named = |name: &'static str| move |(line, text): (usize, String)| (format!("{name}:{line}"), text);
    let start_name = named("start.md");
    let all = start.into_iter().map(start_name).chain(operate.into_iter().map(named("operate.md")));
    for (place, text) in all.chain([start_name(last)]) {
        writeln!(
            script,
            "settled\nprintf '\\n== docs/{place}\\n'\nset -x\n{text}\n{{ set +x; }} 2>/dev/null"
        )?;
    }
    Ok(script)
}

#[test]
fn the_commands_of_the_book_do_what_they_say() -> Result<()> {
    let options = options(3)?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace's folder")?;
    // A home of its own: the playground is made below it.
    let home = tempfile::tempdir()?;
    let shown = home.path().join("shown");
    let script_file = home.path().join("script");
    std::fs::write(&script_file, script(root)?)?;
    let programs = options.bins.xenoncli.parent().context("the programs' folder")?;
    let path = std::env::join_paths(
        std::iter::once(programs.to_owned())
            .chain(std::iter::once(options.base.dir.join("bin")))
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    )?;
    let cache = std::env::var_os("XENON_CACHE")
        .or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cache/xenon").into_os_string()));
    let out = std::fs::File::create(&shown)?;
    let mut child = Command::new("bash")
        .arg(&script_file)
        .current_dir(home.path())
        .env("HOME", home.path())
        .env("PATH", path)
        .env("MYSQL_BASEDIR", &options.base.dir)
        .envs(cache.map(|cache| ("XENON_CACHE", cache)))
        .env_remove("XDG_STATE_HOME")
        .env_remove("XENON_CONFIG")
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out)
        .spawn()?;
    let until = Instant::now() + BOUND;
    let code = loop {
        if let Some(status) = child.try_wait()? {
            break status.code();
        }
        if Instant::now() > until {
            child.kill()?;
            child.wait()?;
            break None;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let told = std::fs::read_to_string(&shown)?;
    let playground = home.path().join(".local/state/xenon/playground");
    if playground.exists() {
        // Whatever went wrong, nothing stays behind.
        let mut stop = Command::new(&options.bins.xenoncli);
        stop.args(["playground", "stop", "--remove", "--dir"]).arg(&playground).output()?;
    }
    ensure!(code == Some(0), "the commands of the book failed ({code:?}):\n{told}");
    for words in ["LEADER", "switchover", "failover", "Failover"] {
        ensure!(told.contains(words), "{words} is not in what they printed:\n{told}");
    }
    Ok(())
}

/// Whether the agent takes these words is asked of the agent itself; with --help it does no more than read them.
fn is_understood(xenon: &Path, words: &[String]) -> Result<bool> {
    let output =
        Command::new(xenon).args(words.iter().skip(1)).arg("--help").stdin(Stdio::null()).output()?;
    Ok(output.status.success())
}

#[test]
fn the_agent_understands_what_the_book_shows() -> Result<()> {
    let options = options(3)?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace's folder")?;
    let mut count = 0;
    for (path, text) in documents(root)? {
        for shown in Document::of(&text).commands() {
            if shown.words.first().is_some_and(|word| word == "xenon") {
                count += 1;
                let fine = is_understood(&options.bins.xenon, &shown.words)?;
                ensure!(fine, "{}:{}: {}", path.display(), shown.line, shown.words.join(" "));
            }
        }
    }
    ensure!(count >= 2, "only {count} were found");
    let planted = ["xenon", "-c", "xenon.json", "--nonsense"].map(str::to_owned);
    ensure!(!is_understood(&options.bins.xenon, &planted)?, "a planted mistake is not found");
    Ok(())
}
