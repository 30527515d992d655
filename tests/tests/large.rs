//! The primary dies in the middle of something large: it is there on all servers afterwards, or on none.

use anyhow::{Result, anyhow};
use std::time::Duration;
use xenon_testkit::{Fault, LocalCluster, Sql, Whom};
use xenon_tests::{HEALS, SERVES_AGAIN, Story, at_most, on_hosts};

/// One statement may take so long.
const LONG: Duration = Duration::from_secs(60);

/// Makes a table with so many rows of 1 MiB.
async fn fill(cluster: &LocalCluster, primary: usize, rows: u32) -> Result<()> {
    let mut sql = cluster.admin(primary).await?;
    sql.run("CREATE TABLE app.large (id INT UNSIGNED PRIMARY KEY, body LONGBLOB NOT NULL)", LONG).await?;
    for id in 0..rows {
        sql.run(&row(id), LONG).await?;
    }
    Ok(())
}

fn row(id: u32) -> String {
    format!("INSERT INTO app.large VALUES ({id}, REPEAT('x', 1 << 20))")
}

/// Kills the primary's server when something is under way on it, and sees the cluster through to the end.
async fn die_meanwhile(
    mut story: Story,
    leader: usize,
    under_way: impl AsyncFnOnce(&mut Sql) -> Result<()>,
    statement: &'static str,
    seen: &str,
) -> Result<()> {
    let mut sql = story.cluster.admin(leader).await?;
    under_way(&mut sql).await?;
    // It gets no answer; its end is the server's.
    let asking = tokio::spawn(async move { sql.run(statement, LONG).await });
    let mut watching = story.cluster.admin(leader).await?;
    let question = format!(
        "SELECT COUNT(*) FROM performance_schema.processlist WHERE id <> CONNECTION_ID() AND ({seen})"
    );
    story
        .cluster
        .wait_until(HEALS, "the statement is under way", async || {
            let count: u64 = watching.row(&question, Duration::from_secs(5)).await.ok()?;
            (count > 0 || asking.is_finished()).then_some(())
        })
        .await?;
    let killed = story.strike(Fault::Kill(leader, Whom::Mysqld)).await?;
    at_most(story.served_again(killed.at, SERVES_AGAIN).await?, SERVES_AGAIN)?;
    story.heal(killed).await?;
    println!(
        "the statement itself: {:?}",
        asking.await.map_err(|error| anyhow!(error))?.map_err(|e| e.to_string())
    );
    story.some_more().await?;
    story.end_with_returned(leader).await?;
    Ok(())
}

#[test]
fn a_transaction_of_200_megabytes_that_commits() -> Result<()> {
    on_hosts(3, async |story, leader| {
        fill(&story.cluster, leader, 0).await?;
        let begin = async |sql: &mut Sql| {
            sql.run("BEGIN", LONG).await?;
            for id in 0..200 {
                sql.run(&row(id), LONG).await?;
            }
            Ok(())
        };
        die_meanwhile(story, leader, begin, "COMMIT", "info = 'COMMIT'").await
    })
}

#[test]
fn nightly_an_alter_that_copies_the_table() -> Result<()> {
    on_hosts(3, async |story, leader| {
        fill(&story.cluster, leader, 100).await?;
        story.cluster.wait_all_following(2, HEALS).await?;
        let alter = "ALTER TABLE app.large ADD COLUMN more INT NOT NULL DEFAULT 7, ALGORITHM=COPY";
        die_meanwhile(story, leader, async |_: &mut Sql| Ok(()), alter, "state LIKE 'copy to tmp table%'")
            .await
    })
}
