//! Waiting for a condition, with a bound, and with the whole picture when the bound passes.

use crate::cluster::LocalCluster;
use anyhow::{Result, anyhow};
use std::fmt::Write;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};
use xenon_api::NodeStatus;

/// Pause between two looks.
const EVERY: Duration = Duration::from_millis(20);
/// One node's answer must come within this.
const ASK: Duration = Duration::from_secs(1);
/// So much of the end of each log is shown.
const TAIL_BYTES: u64 = 6_000;

/// What a wait ended with: the value, and how long it took.
#[derive(Debug, Clone)]
pub struct Waited<T> {
    /// What was waited for.
    pub value: T,
    /// How long that took.
    pub took: Duration,
}

/// Looks every 20 ms until the condition gives something.
///
/// # Errors
/// The bound passes; `what` says what was waited for.
pub async fn wait_until<T>(
    bound: Duration,
    what: &str,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> Result<Waited<T>> {
    let started = Instant::now();
    loop {
        if let Some(value) = condition().await {
            return Ok(Waited { value, took: started.elapsed() });
        }
        if started.elapsed() >= bound {
            return Err(anyhow!("{what}: not within {} s", bound.as_secs_f64()));
        }
        tokio::time::sleep(EVERY).await;
    }
}

impl LocalCluster {
    /// As [`wait_until`]; the error shows the status of all nodes and the ends of their logs.
    ///
    /// # Errors
    /// The bound passes.
    pub async fn wait_until<T>(
        &self,
        bound: Duration,
        what: &str,
        condition: impl AsyncFnMut() -> Option<T>,
    ) -> Result<Waited<T>> {
        match wait_until(bound, what, condition).await {
            Ok(waited) => Ok(waited),
            Err(error) => Err(anyhow!("{error}\n{}", self.picture().await)),
        }
    }

    /// Waits until every agent that was started answers.
    ///
    /// # Errors
    /// The bound passes.
    pub async fn wait_for_agents(&self, bound: Duration) -> Result<Waited<()>> {
        self.wait_until(bound, "every agent that was started answers", async || {
            let started = self.started();
            let statuses = self.statuses().await;
            let answers = |index: &usize| statuses.get(*index).is_some_and(Option::is_some);
            started.iter().all(answers).then_some(())
        })
        .await
    }

    /// Waits for a leader with writes open; gives the index of its node.
    ///
    /// # Errors
    /// The bound passes.
    pub async fn wait_for_leader(&self, bound: Duration) -> Result<Waited<usize>> {
        self.wait_until(bound, "one node leads, and clients may write to it", async || self.leader().await)
            .await
    }

    /// Waits until one node leads and every other running node, of which there are `followers`, replicates from it.
    ///
    /// # Errors
    /// The bound passes.
    pub async fn wait_all_following(&self, followers: usize, bound: Duration) -> Result<Waited<usize>> {
        let what = format!("one node leads and {followers} replicate from it");
        self.wait_until(bound, &what, async || self.followed_by(followers).await).await
    }

    /// The node that leads now, if exactly so many others replicate from it.
    pub async fn followed_by(&self, followers: usize) -> Option<usize> {
        let statuses = self.statuses().await;
        let leader = leading(&statuses)?;
        let address = &statuses.get(leader)?.as_ref()?.mysql.address;
        let count = statuses.iter().flatten().filter(|status| follows(status, address)).count();
        (count == followers).then_some(leader)
    }

    /// The node that leads with writes open, if there is exactly one now.
    pub async fn leader(&self) -> Option<usize> {
        leading(&self.statuses().await)
    }

    /// The status of every node, `None` for those that don't answer; all asked at once.
    pub async fn statuses(&self) -> Vec<Option<NodeStatus>> {
        let caller = self.caller();
        let asked: Vec<_> = self
            .nodes()
            .into_iter()
            .map(|node| {
                let caller = caller.clone();
                tokio::spawn(async move { caller.status(&node.endpoint, ASK).await.ok() })
            })
            .collect();
        let mut statuses = Vec::with_capacity(asked.len());
        for answer in asked {
            statuses.push(answer.await.ok().flatten());
        }
        statuses
    }

    /// Everything a person needs to see what is wrong: statuses and the ends of all logs.
    pub async fn picture(&self) -> String {
        let mut text = String::new();
        for (node, status) in self.nodes().iter().zip(self.statuses().await) {
            let _ = writeln!(text, "---- {} {}", node.name, node.endpoint);
            let agent = node.agent().map_or("no agent".to_owned(), |agent| format!("agent {}", agent.pid));
            let mysqld =
                node.mysqld().map_or("no mysqld".to_owned(), |mysqld| format!("mysqld {}", mysqld.pid));
            let _ = writeln!(text, "processes: {agent}, {mysqld}");
            match status {
                Some(status) => {
                    let json = serde_json::to_string(&status).unwrap_or_else(|error| error.to_string());
                    let _ = writeln!(text, "status: {json}");
                }
                None => text.push_str("status: no answer\n"),
            }
            for log in [node.agent_log(), node.server_log()] {
                let _ = writeln!(text, "-- end of {}:\n{}", log.display(), tail(&log));
            }
        }
        text
    }
}

/// The one node that leads with writes open.
pub(crate) fn leading(statuses: &[Option<NodeStatus>]) -> Option<usize> {
    let leads = |status: &NodeStatus| status.state == "LEADER" && status.mysql.alive && status.mysql.writable;
    let mut leaders = statuses
        .iter()
        .enumerate()
        .filter(|(_, status)| status.as_ref().is_some_and(leads))
        .map(|(index, _)| index);
    match (leaders.next(), leaders.next()) {
        (Some(leader), None) => Some(leader),
        _ => None,
    }
}

fn follows(status: &NodeStatus, source: &str) -> bool {
    let replication = status.mysql.replication.as_ref();
    !status.mysql.writable && replication.is_some_and(|r| r.io_running && r.sql_running && r.source == source)
}

/// The end of a file, from the beginning of a line.
pub(crate) fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if length <= TAIL_BYTES {
            return Ok(text);
        }
        Ok(text.split_once('\n').map_or(text.clone(), |(_, rest)| rest.to_owned()))
    };
    read().unwrap_or_else(|error| format!("({error})"))
}
