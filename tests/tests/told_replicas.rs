//! F2, F3: what somebody does to a replica by hand is named within seconds; a replica with a broken applier does not lead.

use anyhow::{Result, ensure};
use std::time::{Duration, Instant};
use xenon_api::Request;
use xenon_testkit::{Signal, Sql};
use xenon_tests::{COMES_UP, HEALS, Story, strike};

const SEEN: Duration = Duration::from_secs(10);
const STATEMENT: Duration = Duration::from_secs(5);

/// As a careless operator does it.
async fn write_by_hand(sql: &mut Sql) -> Result<()> {
    sql.run(
        "SET GLOBAL super_read_only = 0, GLOBAL read_only = 0; CREATE TABLE app.by_hand (id INT)",
        STATEMENT,
    )
    .await
}

async fn errant_is_named(story: &Story, node: usize) -> Result<()> {
    let at = Instant::now();
    let mut sql = story.cluster.admin(node).await?;
    let own: String = sql.row("SELECT @@server_uuid", STATEMENT).await?;
    write_by_hand(&mut sql).await?;
    story.event(node, "found open for writes", at, SEEN).await?;
    story.trouble(node, "somebody opened this server", at, SEEN).await?;
    let event = story.event(node, &own, at, SEEN).await?;
    ensure!(event.text.starts_with("INVALID"), "{event:?}");
    let status = story.cluster.status(node).await?;
    let named = status.errant.to_string() == format!("{own}:1");
    ensure!(!status.mysql.writable && named, "closed, and named: {status:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voter_that_is_written_to_by_hand() -> Result<()> {
    let (story, leader) = Story::quiet(3).await?;
    let replica = (leader + 1) % 3;
    errant_is_named(&story, replica).await?;
    story.cluster.end()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_node_that_is_written_to_by_hand() -> Result<()> {
    let (story, leader) = Story::quiet(3).await?;
    let idle = story.cluster.add_node()?;
    story.cluster.start_agent(idle)?;
    let (caller, node) = (story.cluster.caller(), story.cluster.node(idle)?);
    story.cluster.wait_for_agents(COMES_UP).await?;
    let request = Request::ClusterAdd { nodes: vec![node.id()], idle: true };
    caller.demand(&story.cluster.node(leader)?.endpoint, request, HEALS).await?;
    story.cluster.wait_all_following(3, HEALS).await?;
    errant_is_named(&story, idle).await?;
    story.cluster.end()
}

/// A row that the primary changes is not there.
async fn break_applier(story: &Story, leader: usize, replica: usize) -> Result<Instant> {
    let mut sql = story.cluster.admin(leader).await?;
    sql.run("CREATE TABLE app.gone (id INT PRIMARY KEY); INSERT INTO app.gone VALUES (1)", STATEMENT).await?;
    let mut there = story.cluster.admin(replica).await?;
    let found = async || {
        let count = story
            .cluster
            .admin(replica)
            .await
            .ok()?
            .row::<u64>("SELECT COUNT(*) FROM app.gone", STATEMENT)
            .await;
        (count.ok()? == 1).then_some(())
    };
    story.cluster.wait_until(SEEN, "the row has come", found).await?;
    there
        .run(
            "SET SESSION sql_log_bin = 0; SET GLOBAL super_read_only = 0; DELETE FROM app.gone; \
             SET GLOBAL super_read_only = 1",
            STATEMENT,
        )
        .await?;
    let at = Instant::now();
    sql.run("DELETE FROM app.gone", STATEMENT).await?;
    Ok(at)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_with_a_broken_applier_says_why_and_does_not_lead() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    let (replica, other) = ((leader + 1) % 3, (leader + 2) % 3);
    let at = break_applier(&story, leader, replica).await?;
    story.trouble(replica, "error 1032", at, SEEN).await?;
    story.event(replica, "error 1032", at, SEEN).await?;
    story.unfit(replica, "its applier has stopped: error 1032", at, SEEN).await?;
    // The one that is well takes over, though the broken one acknowledges as much.
    let killed = strike(story.cluster.mysqld(leader)?, Signal::KILL)?;
    story.served_again(killed, HEALS).await?;
    let now = story.cluster.wait_for_leader(HEALS).await?.value;
    ensure!(now == other || now == leader, "node{} leads", now + 1);
    // What is missing is put back, and the applier goes on by itself.
    let mut there = story.cluster.admin(replica).await?;
    there
        .run(
            "SET SESSION sql_log_bin = 0; SET GLOBAL super_read_only = 0; INSERT INTO app.gone VALUES (1); \
             SET GLOBAL super_read_only = 1",
            STATEMENT,
        )
        .await?;
    story.end(2, Vec::new()).await?;
    Ok(())
}
