//! Primaries that die with transactions in their binlog that nobody else has.

use crate::{Story, strike};
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};
use xenon_testkit::{Fault, Signal, Sql, Whom};

const STATEMENT: Duration = Duration::from_secs(5);
/// A statement that waits for its acknowledgement is given up after this: its server is dead by then.
const WAITS: Duration = Duration::from_secs(20);
/// A commit is in the binlog within this.
const WRITTEN: Duration = Duration::from_secs(10);
/// States in which a commit is in the binlog and not told OK.
const IS_WAITING: &str = "state LIKE 'Waiting for semi-sync ACK%' OR state = 'waiting for handler commit'";

/// A primary that died so.
#[derive(Debug)]
pub struct Died {
    /// When its mysqld was killed.
    pub at: Instant,
    /// What it was called.
    pub server_uuid: String,
    /// How often it had been rewound before.
    before: usize,
}

impl Story {
    /// Runs each list of statements in a session of its own on the primary of three, so that the last of each is in its
    /// binlog and on no replica; then kills its mysqld. The others elect when this returns.
    ///
    /// # Errors
    /// A statement is refused, or does not come to wait.
    pub async fn die_with_tail(&self, leader: usize, sessions: &[&[&str]]) -> Result<Died> {
        let others: Vec<_> = (0..self.cluster.nodes().len()).filter(|node| *node != leader).collect();
        let mut admin = self.cluster.admin(leader).await?;
        let server_uuid: String = admin.row("SELECT @@server_uuid", STATEMENT).await?;
        let mut writers = Vec::new();
        for statements in sessions {
            let mut sql = self.cluster.admin(leader).await?;
            let (last, before) = statements.split_last().context("a statement")?;
            for statement in before {
                sql.run(statement, STATEMENT).await?;
            }
            writers.push((sql, (*last).to_owned()));
        }
        let before = self.rewinds(leader).await?;
        // Their agents would start the receivers again.
        let mut stopped = Vec::new();
        for node in &others {
            stopped.push(self.strike(Fault::Stop(*node, Whom::Agent)).await?);
        }
        for node in &others {
            self.cluster.admin(*node).await?.run("STOP REPLICA IO_THREAD", STATEMENT).await?;
        }
        let (mut count, mut waiting) = (self.waiting(&mut admin).await?, Vec::new());
        for (mut sql, statement) in writers {
            let before = written(&mut admin).await?;
            waiting.push(tokio::spawn(async move { sql.run(&statement, WAITS).await }));
            let least = count + 1;
            let until = Instant::now() + WRITTEN;
            // On its way into the binlog a commit shows as waiting, too.
            while count < least || written(&mut admin).await? == before {
                ensure!(Instant::now() < until, "a statement does not come to wait");
                tokio::time::sleep(Duration::from_millis(5)).await;
                count = self.waiting(&mut admin).await?;
            }
        }
        let at = strike(self.cluster.mysqld(leader)?, Signal::KILL)?;
        for task in waiting {
            ensure!(task.await?.is_err(), "a statement without an acknowledgement was told OK");
        }
        for struck in stopped {
            self.cluster.heal(struck).await?;
        }
        Ok(Died { at, server_uuid, before })
    }

    /// How often a node's agent has told of a rewind.
    async fn rewinds(&self, node: usize) -> Result<usize> {
        let events = self.events(node).await?;
        Ok(events.iter().filter(|event| event.text.starts_with("rewound: ")).count())
    }

    async fn waiting(&self, admin: &mut Sql) -> Result<u64> {
        let sql = format!("SELECT COUNT(*) FROM performance_schema.processlist WHERE {IS_WAITING}");
        Ok(admin.row::<(u64,)>(&sql, STATEMENT).await?.0)
    }

    /// Waits until a node that died so follows again, its tail cut off. Gives the time since its death.
    ///
    /// # Errors
    /// It does not; with the logs. Or it kept its `server_uuid`, or the tail.
    pub async fn rewound(&self, node: usize, died: &Died, bound: Duration) -> Result<Duration> {
        let what = format!("node{} is rewound", node + 1);
        let rewound = async || (self.rewinds(node).await.ok()? > died.before).then_some(());
        self.cluster.wait_until(bound, &what, rewound).await?;
        println!(
            "node{} answers again, rewound, after {:.0} ms",
            node + 1,
            died.at.elapsed().as_secs_f64() * 1e3
        );
        let what = format!("node{} follows again", node + 1);
        let replicates = async || {
            let status = self.cluster.status(node).await.ok()?;
            let replication = status.mysql.replication.as_ref()?;
            let runs = replication.io_running && replication.sql_running;
            (status.state == "FOLLOWER" && runs).then_some(status)
        };
        let waited = self.cluster.wait_until(bound, &what, replicates).await?;
        let took = died.at.elapsed();
        println!("node{} follows again after {:.0} ms", node + 1, took.as_secs_f64() * 1e3);
        let mut sql = self.cluster.admin(node).await?;
        let now: String = sql.row("SELECT @@server_uuid", STATEMENT).await?;
        ensure!(now != died.server_uuid, "it kept its server_uuid");
        ensure!(waited.value.errant.is_empty(), "it is errant: {}", waited.value.errant);
        Ok(took)
    }

    /// Waits until a rewound node's vote counts as any other's again (S3): until then the next crash needs everybody.
    ///
    /// # Errors
    /// It does not; with the logs.
    pub async fn trusted_again(&self, node: usize, bound: Duration) -> Result<()> {
        let what = format!("node{} is in no trouble", node + 1);
        let well = async || self.cluster.status(node).await.ok()?.troubles.is_empty().then_some(());
        self.cluster.wait_until(bound, &what, well).await.map(drop)
    }
}

/// Where the binlog ends.
async fn written(admin: &mut Sql) -> Result<(String, u64)> {
    let row: (String, u64, String, String, String) = admin.row("SHOW BINARY LOG STATUS", STATEMENT).await?;
    Ok((row.0, row.1))
}
