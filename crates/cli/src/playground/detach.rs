//! Starting one in the background, and coming back when it serves.

use super::{StartArguments, dir_option, introduction, progress::Progress, start};
use crate::failure::{Failure, Outcome};
use crate::output::{Output, print};
use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use xenon_testkit::{LOG_FILE, State};

/// It serves within this, or has said why not.
const COMES_UP: Duration = Duration::from_secs(300);
/// Pause between two looks.
const EVERY: Duration = Duration::from_millis(50);

pub(super) async fn run(folder: &Path, arguments: &StartArguments, output: Output) -> Outcome {
    // Told here and now rather than in a log.
    let options = start::prepare(folder, arguments)?;
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let folder = folder.canonicalize()?;
    let mut background = spawn(&folder, arguments, &options.base.dir)?;
    let state = wait(&folder, &mut background).await?;
    if output == Output::Json {
        return super::status::run(&folder, output).await;
    }
    let session = start::session(&state.nodes)?;
    let text = introduction::text(&folder, &options.base, &options.bins, &state.nodes, &session).await;
    let dir = dir_option(&folder);
    print(&format!(
        "{text}\n\nIt runs in the background, and writes what happens to {}. End it with:\n  xenoncli playground stop{dir}",
        folder.join(LOG_FILE).display()
    ))
}

fn spawn(folder: &Path, arguments: &StartArguments, basedir: &Path) -> Outcome<Child> {
    let log =
        OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(folder.join(LOG_FILE))?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["playground", "--background", "--nodes", &arguments.nodes.to_string()]);
    command.arg("--dir").arg(folder).arg("--basedir").arg(basedir);
    if arguments.keep {
        command.arg("--keep");
    }
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
    Ok(command.spawn()?)
}

async fn wait(folder: &Path, background: &mut Child) -> Outcome<State> {
    let mut progress = Progress::new();
    let mut shown = String::new();
    let until = Instant::now() + COMES_UP;
    while Instant::now() < until {
        if let Some(status) = background.try_wait()? {
            let log = std::fs::read_to_string(folder.join(LOG_FILE)).unwrap_or_default();
            return Err(Failure::new(format!("it has ended ({status}):\n{}", log.trim_end())));
        }
        let state = State::read(folder)?;
        let phase = state.as_ref().map_or("making data folders", |state| state.phase.as_str());
        if let Some(state) = state.as_ref().filter(|state| state.ready) {
            return Ok(state.clone());
        }
        if phase != shown {
            phase.clone_into(&mut shown);
            progress.step(phase);
        }
        sleep(EVERY).await;
    }
    Err(Failure::new(format!("it does not serve after {} s", COMES_UP.as_secs()))
        .cure(format!("look into {}", folder.join(LOG_FILE).display())))
}
