//! C5: two nodes with data, alone and beside a witness.

use anyhow::{Result, bail};
use std::time::{Duration, Instant};
use xenon_api::Request;
use xenon_election::Standing;
use xenon_testkit::{Fault, LocalCluster, Whom};
use xenon_tests::{COMES_UP, HEALS, Story, at_most, options};

/// Clients of two nodes wait no longer when the other one is lost: the design says two seconds on a quiet machine.
const UNBLOCKS: Duration = Duration::from_secs(10);
/// How long one call may take.
const CALL: Duration = Duration::from_secs(5);

async fn degraded(story: &Story, leader: usize) -> Option<String> {
    let status = story.cluster.status(leader).await.ok()?;
    status.troubles.into_iter().find(|trouble| trouble.starts_with("DEGRADED"))
}

/// The other one's agent and server die; writes go on, degraded, and are safe again once it is back.
async fn a_replica(how: Fault, leader: usize, mut story: Story) -> Result<()> {
    let begun = Instant::now();
    let struck = story.strike(how).await?;
    story.some_more().await?;
    story
        .cluster
        .wait_until(UNBLOCKS, "the leader says that it is degraded", async || degraded(&story, leader).await)
        .await?;
    story.some_more().await?;
    if let Some(gap) = story.longest_gap(begun) {
        println!("longest gap: {:.1} ms", gap.as_secs_f64() * 1e3);
        at_most(gap, UNBLOCKS)?;
    }
    story.heal(struck).await?;
    story
        .cluster
        .wait_until(HEALS, "commits wait for the replica again", async || {
            degraded(&story, leader).await.is_none().then_some(())
        })
        .await?;
    let now = story.cluster.wait_for_leader(Duration::from_secs(5)).await?.value;
    assert_eq!(now, leader, "the primary has not changed");
    story.end(1, Vec::new()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_dies_keeps_nobody_waiting() -> Result<()> {
    let (story, leader) = Story::begin(2).await?;
    a_replica(Fault::Kill(1 - leader, Whom::Both), leader, story).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_hangs_keeps_nobody_waiting() -> Result<()> {
    let (story, leader) = Story::begin(2).await?;
    a_replica(Fault::Stop(1 - leader, Whom::Both), leader, story).await
}

/// V4: the vote of a node whose server is dead and stays dead comes from its files.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_dies_for_good_votes_by_its_files() -> Result<()> {
    let cluster = LocalCluster::create(options(2)?)?;
    let leader = cluster.serve(COMES_UP).await?;
    let mut sql = cluster.admin(leader).await?;
    for statement in ["CREATE TABLE app.t (id INT PRIMARY KEY)", "INSERT INTO app.t VALUES (1), (2), (3)"] {
        sql.run(statement, CALL).await?;
    }
    // Nobody writes, so its files end with what the replica has.
    let endpoint = cluster.node(leader)?.endpoint;
    cluster.caller().demand(&endpoint, Request::Monitor { on: false }, CALL).await?;
    let struck = cluster.strike(Fault::Kill(leader, Whom::Mysqld)).await?;
    let took = struck.at;
    let what = "the other one leads, with the vote of a node whose server is dead";
    let now = cluster
        .wait_until(Duration::from_secs(30), what, async || {
            cluster
                .wait_for_leader(Duration::ZERO)
                .await
                .ok()
                .map(|waited| waited.value)
                .filter(|now| *now != leader)
        })
        .await?
        .value;
    println!("led again after {:.1} ms", took.elapsed().as_secs_f64() * 1e3);
    let mut sql = cluster.admin(now).await?;
    let count = sql.row::<(u64,)>("SELECT COUNT(*) FROM app.t", CALL).await?;
    assert_eq!(count.0, 3);
    cluster.end()
}

/// Three nodes, the last of them without mysqld.
async fn beside_a_witness() -> Result<(Story, usize)> {
    let cluster = LocalCluster::create(options(3)?)?;
    let file = cluster.node(2)?.config();
    let mut config: serde_json::Value = serde_json::from_slice(&std::fs::read(&file)?)?;
    config["raft"]["witness"] = true.into();
    std::fs::write(&file, serde_json::to_vec_pretty(&config)?)?;
    cluster.start_agents()?;
    cluster.wait_for_agents(COMES_UP).await?;
    cluster.form().await?;
    let leader = cluster.wait_all_following(1, COMES_UP).await?.value;
    let witness = cluster.node(2)?.id();
    cluster
        .wait_until(COMES_UP, "the witness votes", async || {
            let status = cluster.status(leader).await.ok()?;
            let votes = |standing| standing == Standing::Voter;
            status.members.iter().any(|member| member.id == witness && votes(member.standing)).then_some(())
        })
        .await?;
    Ok((Story::of(cluster).await?, leader))
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_witness_the_other_one_takes_over_alone() -> Result<()> {
    let (mut story, leader) = beside_a_witness().await?;
    let begun = Instant::now();
    let struck = story.strike(Fault::Kill(leader, Whom::Both)).await?;
    let gap = story.taken_over(begun, Duration::from_secs(40)).await?;
    at_most(gap, Duration::from_secs(30))?;
    story.some_more().await?;
    let now = story.cluster.wait_for_leader(Duration::from_secs(5)).await?.value;
    if now == leader || now == 2 {
        bail!("node{} leads", now + 1);
    }
    story.heal(struck).await?;
    // Its binlog may end with what nobody acknowledged; then it is INVALID until it is rebuilt.
    let returned = story.cluster.node(leader)?.id();
    let votes = async || {
        let status = story.cluster.status(now).await.ok()?;
        let own = story.cluster.status(leader).await.ok()?;
        let voter =
            |member: &xenon_api::MemberStatus| member.id == returned && member.standing == Standing::Voter;
        (status.members.iter().any(voter) || own.state == "INVALID").then_some(own.state == "INVALID")
    };
    let what = "the one that was lost votes again, or is INVALID";
    let invalid = story.cluster.wait_until(HEALS, what, votes).await?.value;
    let (followers, without) = if invalid { (0, vec![leader, 2]) } else { (1, vec![2]) };
    story.end(followers, without).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_witness_a_replica_that_dies_keeps_nobody_waiting_for_long() -> Result<()> {
    let (mut story, leader) = beside_a_witness().await?;
    let begun = Instant::now();
    let struck = story.strike(Fault::Kill(1 - leader, Whom::Both)).await?;
    story.some_more().await?;
    if let Some(gap) = story.longest_gap(begun) {
        println!("longest gap: {:.1} ms", gap.as_secs_f64() * 1e3);
        at_most(gap, UNBLOCKS)?;
    }
    story.heal(struck).await?;
    let returned = story.cluster.node(1 - leader)?.id();
    story
        .cluster
        .wait_until(HEALS, "the replica votes again", async || {
            let status = story.cluster.status(leader).await.ok()?;
            let voter = |member: &xenon_api::MemberStatus| {
                member.id == returned && member.standing == Standing::Voter
            };
            status.members.iter().any(voter).then_some(())
        })
        .await?;
    story.end(1, vec![2]).await?;
    Ok(())
}
