//! Stories about nodes that are built anew.

use crate::{HEALS, Story};
use anyhow::{Context, Result, bail};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};
use xenon_api::{JobState, JobStatus, Reply, Request};
use xenon_election::Rejoin;

/// A statement by hand.
const STATEMENT: Duration = Duration::from_secs(10);
/// A rebuild of a story's little data takes no longer than this, on a busy machine too.
pub const REBUILT: Duration = Duration::from_secs(90);

impl Story {
    /// Asks the leader, as `xenoncli` does: again, while the answer is "not right now".
    ///
    /// # Errors
    /// It refuses; with the logs.
    pub async fn ask_leader(&self, request: Request) -> Result<()> {
        let leader = self.cluster.wait_for_leader(Duration::from_secs(10)).await?.value;
        let endpoint = self.cluster.node(leader)?.endpoint;
        let until = Instant::now() + HEALS;
        loop {
            match self.cluster.caller().call(&endpoint, request.clone(), Duration::from_secs(30)).await? {
                Reply::Ok(_) => return Ok(()),
                Reply::Refused(refusal) if refusal.is_for_the_moment() && Instant::now() < until => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Reply::Refused(refusal) => bail!("{refusal}\n{}", self.cluster.picture().await),
            }
        }
    }

    /// What becomes of a node that cannot come back as it is.
    ///
    /// # Errors
    /// The leader refuses.
    pub async fn rejoin(&self, rejoin: Rejoin) -> Result<()> {
        self.ask_leader(Request::SetRejoin { rejoin }).await
    }

    /// Runs `xenoncli` on a node's host to its end.
    ///
    /// # Errors
    /// It does not run.
    pub async fn xenoncli(&self, node: usize, words: &[&str]) -> Result<Output> {
        let mut command = tokio::process::Command::new(&self.cluster.bins().xenoncli);
        command.arg("-c").arg(self.cluster.node(node)?.config()).args(words).stdin(Stdio::null());
        let output = tokio::time::timeout(REBUILT, command.kill_on_drop(true).output()).await??;
        println!(
            "xenoncli {}: {}\n{}{}",
            words.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr),
            String::from_utf8_lossy(&output.stdout)
        );
        Ok(output)
    }

    /// Somebody writes to a replica: it is INVALID then.
    ///
    /// # Errors
    /// It is not within the bound; with the logs.
    pub async fn make_invalid(&self, node: usize) -> Result<()> {
        let mut sql = self.cluster.admin(node).await?;
        // A careless operator's table, closed again at once so that no client writes there.
        sql.run(
            "SET GLOBAL super_read_only = 0; CREATE TABLE app.by_hand (id INT); SET GLOBAL super_read_only = 1",
            STATEMENT,
        )
        .await?;
        self.cluster
            .wait_until(HEALS, "the node is INVALID", async || {
                let status = self.cluster.status(node).await.ok()?;
                (status.state == "INVALID").then_some(())
            })
            .await
            .map(drop)
    }

    /// Waits until the job of a node is as wanted, and gives it.
    ///
    /// # Errors
    /// It is not within the bound; with the logs.
    pub async fn job(
        &self,
        node: usize,
        what: &str,
        bound: Duration,
        wanted: impl Fn(&JobStatus) -> bool,
    ) -> Result<JobStatus> {
        let found = async || self.cluster.status(node).await.ok()?.job.filter(|job| wanted(job));
        let job = self.cluster.wait_until(bound, what, found).await?.value;
        println!("{what}: {} {} {}% {}", job.state.word(), job.phase, job.percent, job.last_error);
        Ok(job)
    }

    /// Waits until the rebuild of a node has ended well.
    ///
    /// # Errors
    /// It has not within the bound, or was given up; with the logs.
    pub async fn rebuilt(&self, node: usize, bound: Duration) -> Result<JobStatus> {
        let job = self.job(node, "the rebuild has ended", bound, |job| !job.is_active()).await?;
        if job.state != JobState::Done {
            bail!("the rebuild of node{}: {job:#?}\n{}", node + 1, self.cluster.picture().await);
        }
        Ok(job)
    }

    /// Makes a node's rebuild stand still at these phases (builds with debug assertions only).
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn pause_at(&self, node: usize, phases: &str) -> Result<()> {
        let file = self.cluster.node(node)?.meta().join("rebuild.pause-at");
        std::fs::write(&file, phases).with_context(|| file.display().to_string())
    }
}
