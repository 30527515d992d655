//! Lines for a person, and the folder for whoever must find out why.

use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use xenon_testkit::LocalCluster;

/// What happened, in columns of fixed width.
#[derive(Debug)]
pub(crate) struct Report {
    begun: Instant,
    lines: Mutex<Vec<String>>,
}

impl Report {
    /// Prints the heads of the columns.
    pub(crate) fn begin() -> Self {
        let report = Self { begun: Instant::now(), lines: Mutex::default() };
        report.print(format!("{:>8}  {:>5}  {:<8}  {}", "seconds", "round", "event", "what"));
        report
    }

    /// One event.
    pub(crate) fn line(&self, round: usize, event: &str, what: &str) {
        let seconds = self.begun.elapsed().as_secs_f64();
        self.print(format!("{seconds:>8.2}  {round:>5}  {event:<8}  {what}"));
    }

    fn print(&self, line: String) {
        println!("{line}");
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    /// Writes down the events, what is wrong, and all logs.
    pub(crate) fn leave(&self, folder: &Path, cluster: &LocalCluster, wrong: &str) -> Result<()> {
        let write = || -> Result<()> {
            fs::create_dir_all(folder)?;
            let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n");
            fs::write(folder.join("events.txt"), lines + "\n")?;
            fs::write(folder.join("wrong.txt"), wrong)?;
            for node in cluster.nodes() {
                for log in [node.agent_log(), node.server_log()] {
                    let name = log.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    // A node that never started has none.
                    let _ = fs::copy(&log, folder.join(format!("{}-{name}", node.name)));
                }
            }
            Ok(())
        };
        write().with_context(|| format!("the logs cannot be left in {}", folder.display()))
    }
}
