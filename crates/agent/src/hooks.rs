//! The two commands of the config that move the service address (`leader-start-command`, `leader-stop-command`).

use crate::input::Input;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::sync::mpsc;

/// What is kept of a command's output, bytes.
const OUTPUT: usize = 4096;

/// How a command failed.
#[derive(Debug)]
pub(crate) enum HookFailure {
    /// It ended by itself, with an error.
    Exited(String),
    /// It was not run to its end: what it should have done is not done.
    NotDone(String),
}

impl std::fmt::Display for HookFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (HookFailure::Exited(text) | HookFailure::NotDone(text)) = self;
        f.write_str(text)
    }
}

/// Runs `command` with `bash -c` and reports how it went. `up`: it is the start command.
pub(crate) fn spawn(
    command: String,
    environment: Vec<(&'static str, String)>,
    up: bool,
    bound: Duration,
    inputs: mpsc::Sender<Input>,
) {
    tokio::spawn(async move {
        let result = run(&command, environment, bound).await;
        let _ = inputs.send(Input::Hook { up, result }).await;
    });
}

async fn run(
    command: &str,
    environment: Vec<(&'static str, String)>,
    bound: Duration,
) -> Result<String, HookFailure> {
    let mut child = Command::new("bash")
        .arg("-c")
        .arg(command)
        .envs(environment)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| HookFailure::NotDone(format!("bash cannot be run: {error}")))?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let ended = tokio::time::timeout(bound, async {
        // Both at once: a command blocks when either pipe is full.
        let (stderr, stdout) = tokio::join!(drain(stderr), drain(stdout));
        (child.wait().await, [stderr, stdout].concat())
    })
    .await;
    let (ended, output) = match ended {
        Ok((status, output)) => (Some(status), output),
        Err(_) => (None, Vec::new()),
    };
    let text = String::from_utf8_lossy(&output).trim().to_owned();
    match ended {
        Some(Ok(status)) if status.success() => Ok(text),
        Some(Ok(status)) => Err(HookFailure::Exited(format!("{status}: {text}"))),
        Some(Err(error)) => Err(HookFailure::NotDone(format!("{error}: {text}"))),
        None => {
            // What it has started goes with it: the whole process group.
            if let Some(group) = group {
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            Err(HookFailure::NotDone(format!("not done within {} ms, killed", bound.as_millis())))
        }
    }
}

/// Reads to the end and keeps the beginning.
async fn drain(from: Option<impl AsyncReadExt + Unpin>) -> Vec<u8> {
    let mut output = Vec::new();
    let Some(mut from) = from else { return output };
    let mut bytes = [0; 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        let room = OUTPUT.saturating_sub(output.len());
        output.extend(bytes.iter().take(read.min(room)));
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn the_output_is_kept_and_a_failure_says_why() {
        assert_eq!(run("echo moved", Vec::new(), BOUND).await.unwrap(), "moved");
        let error = run("echo 'no such device' >&2; exit 2", Vec::new(), BOUND).await.unwrap_err();
        assert!(matches!(error, HookFailure::Exited(_)));
        let error = error.to_string();
        assert!(error.contains("exit status: 2") && error.contains("no such device"), "{error}");
    }

    #[tokio::test]
    async fn it_is_told_what_happens() {
        let environment = vec![("XENON_EVENT", "start".to_owned()), ("XENON_WHY", "a 'b' $c".to_owned())];
        assert_eq!(
            run("echo \"$XENON_EVENT: $XENON_WHY\"", environment, BOUND).await.unwrap(),
            "start: a 'b' $c"
        );
    }

    #[tokio::test]
    async fn one_that_hangs_is_killed_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("mark");
        let command = format!("(sleep 1; touch {}) & wait", mark.display());
        let error = run(&command, Vec::new(), Duration::from_millis(100)).await.unwrap_err();
        assert!(matches!(error, HookFailure::NotDone(_)));
        let error = error.to_string();
        assert!(error.contains("not done within 100 ms"), "{error}");
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert!(!mark.exists(), "the child lived on");
    }

    #[tokio::test]
    async fn endless_output_is_bounded() {
        let text = run("head -c 1000000 /dev/zero | tr '\\0' x", Vec::new(), BOUND).await.unwrap();
        assert_eq!(text.len(), OUTPUT);
    }
}
