//! Binlog purge: what nobody can need goes on every node, a member that is gone holds it for a while, and is told before and
//! after it holds it no more.

use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};
use xenon_api::{NodeStatus, Request};
use xenon_election::Rejoin;
use xenon_testkit::{LocalCluster, Options, Signal};
use xenon_tests::{COMES_UP, HEALS, REBUILT, Story, options, strike};

const SEEN: Duration = Duration::from_secs(20);
const ANSWERS: Duration = Duration::from_secs(5);

/// Small files, and a round every 300 ms.
fn purging(nodes: usize, wait_ms: u64) -> Result<Options> {
    let mut options = options(nodes)?;
    options.server_lines.push("max-binlog-size = 4096".to_owned());
    // The kit's servers wish to keep a week's.
    options.server_lines.push("binlog-expire-logs-seconds = 0".to_owned());
    let key = |name: &str, value: u64| ("raft".to_owned(), name.to_owned(), value.into());
    options.agent_keys.extend([key("purge-binlog-interval", 300), key("purge-binlog-wait", wait_ms)]);
    Ok(options)
}

/// A day: longer than any story.
const DAY_MS: u64 = 86_400_000;

/// Waits until a node's status is so, and gives it.
async fn until(
    story: &Story,
    node: usize,
    what: &str,
    is_so: impl Fn(&NodeStatus) -> bool,
) -> Result<NodeStatus> {
    let what = format!("node{}: {what}", node + 1);
    let found = async || story.cluster.status(node).await.ok().filter(&is_so);
    Ok(story.cluster.wait_until(SEEN, &what, found).await?.value)
}

async fn tell(story: &Story, node: usize, request: Request) -> Result<()> {
    let endpoint = story.cluster.node(node)?.endpoint;
    story.cluster.caller().demand(&endpoint, request, ANSWERS).await.map(drop)
}

/// Files go on this node, from now on.
async fn goes_on(story: &Story, node: usize) -> Result<()> {
    let before = story.cluster.status(node).await?.purge;
    let now = until(story, node, "binlogs are purged", |status| {
        status.purge.purged_files > before.purged_files + 3 && status.purge.oldest != before.oldest
    })
    .await?;
    ensure!(now.purge.on && now.purge.files < 100, "{:?}", now.purge);
    Ok(())
}

/// Files are kept on this node for that one, however many there are.
async fn holds(story: &Story, node: usize, holder: usize) -> Result<()> {
    let id = story.cluster.node(holder)?.id();
    // For some rounds: what was seen of the others last is taken in only in the next one.
    let held = |status: &NodeStatus| {
        let mut holds = status.purge.held_by.iter();
        holds.any(|hold| hold.node == id && hold.why.starts_with("it is gone") && hold.for_s >= 2)
    };
    let before = until(story, node, "the one that is gone holds binlogs", held).await?.purge;
    until(story, node, "its binlogs grow", |status| status.purge.files > before.files + 10).await?;
    let now = story.cluster.status(node).await?;
    ensure!(held(&now) && now.purge.oldest == before.oldest, "{before:?}, then {:?}", now.purge);
    ensure!(now.purge.purged_files == before.purged_files, "{before:?}, then {:?}", now.purge);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn binlogs_go_on_all_nodes_and_a_replica_that_is_gone_holds_them() -> Result<()> {
    let (story, leader) = Story::begin_with(purging(3, DAY_MS)?, COMES_UP).await?;
    let (replica, other) = ((leader + 1) % 3, (leader + 2) % 3);
    for node in 0..3 {
        goes_on(&story, node).await?;
        let mut sql = story.cluster.admin(node).await?;
        let (auto,): (u8,) = sql.row("SELECT @@global.binlog_expire_logs_auto_purge", ANSWERS).await?;
        ensure!(auto == 0, "the server of node{} does not purge by itself", node + 1);
    }

    tell(&story, replica, Request::MysqlShutdown).await?;
    for node in [leader, other] {
        holds(&story, node, replica).await?;
    }
    tell(&story, replica, Request::MysqlStart).await?;
    for node in 0..3 {
        goes_on(&story, node).await?;
    }

    // Switched off on one node, by an operator: only there.
    tell(&story, other, Request::PurgeBinlog { on: false }).await?;
    let before = story.cluster.status(other).await?.purge;
    ensure!(!before.on);
    for node in [leader, replica] {
        goes_on(&story, node).await?;
    }
    let after = story.cluster.status(other).await?.purge;
    ensure!(after.purged_files <= before.purged_files + 200, "a round that was under way ends");
    let mut sql = story.cluster.admin(other).await?;
    let first = async |sql: &mut xenon_testkit::Sql| -> Result<String> {
        let files: Vec<(String, u64, String)> = sql.rows("SHOW BINARY LOGS", ANSWERS).await?;
        Ok(files.first().context("a binlog")?.0.clone())
    };
    let oldest = first(&mut sql).await?;
    goes_on(&story, leader).await?;
    ensure!(first(&mut sql).await? == oldest, "nothing goes on node{}", other + 1);
    tell(&story, other, Request::PurgeBinlog { on: true }).await?;
    goes_on(&story, other).await?;
    story.end(2, Vec::new()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nightly_one_that_is_gone_for_too_long_is_warned_of_let_go_and_needs_a_rebuild() -> Result<()> {
    let (story, leader) = Story::begin_with(purging(3, 6_000)?, COMES_UP).await?;
    let (replica, other) = ((leader + 1) % 3, (leader + 2) % 3);
    story.rejoin(Rejoin::Ask).await?;
    goes_on(&story, leader).await?;
    let at = Instant::now();
    tell(&story, replica, Request::MysqlShutdown).await?;
    let id = story.cluster.node(replica)?.id();
    holds(&story, leader, replica).await?;
    for node in [leader, other] {
        story.trouble(node, "binlogs are kept for it for", at, SEEN).await?;
        story.event(node, &format!("{id} has said nothing of its server"), at, SEEN).await?;
    }
    let warned = at.elapsed();
    for node in [leader, other] {
        story.trouble(node, "longer than raft.purge-binlog-wait", at, SEEN).await?;
        goes_on(&story, node).await?;
    }
    println!("warned after {warned:?}, let go after {:?}", at.elapsed());
    tell(&story, replica, Request::MysqlStart).await?;
    story.trouble(replica, "this node needs a rebuild", at, HEALS).await?;
    story
        .trouble(leader, &format!("{id} lacks transactions whose binlogs are purged here"), at, SEEN)
        .await?;
    // It does not hold anything any more.
    goes_on(&story, leader).await?;
    // Left to itself it is rebuilt, and finds what its copy lacks: nothing is purged meanwhile.
    story.rejoin(Rejoin::Auto).await?;
    story.rebuilt(replica, REBUILT).await?;
    goes_on(&story, leader).await?;
    goes_on(&story, replica).await?;
    story.end(2, Vec::new()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nightly_an_idle_node_holds_too_and_a_new_leader_goes_on() -> Result<()> {
    let cluster = LocalCluster::create(purging(3, DAY_MS)?)?;
    let leader = cluster.serve(COMES_UP).await?;
    // Nobody has written yet, so that no binlog is gone that a fresh node needs.
    let idle = cluster.add_node()?;
    cluster.start_agent(idle)?;
    cluster.wait_for_agents(COMES_UP).await?;
    let nodes = vec![cluster.node(idle)?.id()];
    let request = Request::ClusterAdd { nodes, idle: true };
    cluster.caller().demand(&cluster.node(leader)?.endpoint, request, HEALS).await?;
    cluster.wait_all_following(3, HEALS).await?;
    let story = Story::of(cluster).await?;
    for node in 0..4 {
        goes_on(&story, node).await?;
    }

    tell(&story, idle, Request::MysqlShutdown).await?;
    holds(&story, leader, idle).await?;
    let killed = strike(story.cluster.mysqld(leader)?, Signal::KILL)?;
    story.served_again(killed, HEALS).await?;
    let new = story.cluster.wait_for_leader(HEALS).await?.value;
    // Whoever leads now knows for whom to keep what.
    holds(&story, new, idle).await?;
    tell(&story, idle, Request::MysqlStart).await?;
    goes_on(&story, new).await?;
    goes_on(&story, idle).await?;
    Ok(())
}
