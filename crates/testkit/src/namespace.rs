//! A network of its own, as a host has one: addresses, routes, filters, ports.
//!
//! Namespaces here have no name in the file system: each lives as long as a process runs in it or somebody holds it open.
//! So when this process ends, in whatever way, and the processes that it started are ended, nothing is left to clean up.

use anyhow::{Context, Result, anyhow, bail};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A network namespace, held open.
#[derive(Debug)]
pub(crate) struct Namespace {
    file: File,
}

impl Namespace {
    /// Makes one, with nothing in it but a loopback device that is down.
    pub(crate) fn create() -> Result<Self> {
        // A child makes it: for this process, doing so would be `unsafe`. It says when it is there, then waits for the end
        // of its standard input, so that it ends with this process at the latest.
        let mut child = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo made; read -r end"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("unshare does not run (scripts/setup installs it)")?;
        let mut said = [0_u8; 5];
        let made = child.stdout.take().is_some_and(|mut out| out.read_exact(&mut said).is_ok());
        let file = File::open(format!("/proc/{}/ns/net", child.id()));
        drop(child.stdin.take());
        let output = child.wait_with_output()?;
        if !made {
            bail!("no network can be made: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(Self { file: file.context("the new network cannot be opened")? })
    }

    /// Moves the calling thread into it, and with it every thread and process that it starts from now on.
    pub(crate) fn enter(&self) -> Result<()> {
        move_into_link_name_space(self.file.as_fd(), Some(LinkNameSpaceType::Network))
            .context("a thread cannot change its network")
    }

    /// Does something inside, on a thread of its own; processes that are started there stay there.
    pub(crate) fn within<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                self.enter()?;
                work()
            });
            inside.join().map_err(|_| anyhow!("a thread in another network has panicked"))?
        })
    }

    /// Runs a program inside that reads what to do from its standard input.
    pub(crate) fn run(&self, program: &str, arguments: &[&str], input: &str) -> Result<()> {
        let output = self.within(|| {
            let mut child = Command::new(program)
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .with_context(|| format!("{program} does not run (scripts/setup installs it)"))?;
            if let Some(mut line) = child.stdin.take() {
                // One that ends before it has read everything says why.
                let _ = line.write_all(input.as_bytes());
            }
            Ok(child.wait_with_output()?)
        })?;
        if !output.status.success() {
            bail!("{program}: {}; given was:\n{input}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }

    /// By which another process of this machine finds it, as long as this one holds it.
    pub(crate) fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd()).into()
    }
}
