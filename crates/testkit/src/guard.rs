//! Cleaning up after a process that had no chance to: killed, or ended by its test runner.

use anyhow::{Context, Result};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

/// The subcommand of `xenoncli playground` that waits for the end of its standard input, then ends the cluster.
pub(crate) const SUBCOMMAND: &str = "guard";

/// A process that ends the cluster in a folder as soon as this one is gone, in whatever way.
#[derive(Debug)]
pub(crate) struct Guard {
    child: Child,
    /// Held open: its end is what the guard waits for.
    _line: Option<ChildStdin>,
}

impl Guard {
    /// Starts one.
    pub(crate) fn start(xenoncli: &Path, folder: &Path) -> Result<Self> {
        let mut command = Command::new(xenoncli);
        command.args(["playground", SUBCOMMAND, "--dir"]).arg(folder);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A Ctrl-C or the test runner's signal to this process's group must not end it, too.
            .process_group(0)
            .spawn()
            .with_context(|| format!("{} does not run", xenoncli.display()))?;
        let line = child.stdin.take();
        Ok(Self { child, _line: line })
    }

    /// Tells it that there is nothing left to do.
    pub(crate) fn dismiss(mut self) {
        // It may have ended by itself; and it holds nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
