//! W4: whatever strikes at whichever phase of a rebuild, it goes on or begins anew, and nothing is lost meanwhile.

use anyhow::{Result, bail, ensure};
use std::time::{Duration, Instant};
use xenon_api::{JobState, RebuildOptions, Reply, Request};
use xenon_testkit::{Damage, Fault, Reach, Signal, Struck, Volume, Way};
use xenon_tests::{COMES_UP, HEALS, REBUILT, Story, on_hosts, options, strike};

const SEEN: Duration = Duration::from_secs(30);

/// Begins one; slow enough that something can strike in the middle when that is wanted.
async fn begin(story: &Story, node: usize, throttle_mib_s: Option<u32>) -> Result<()> {
    let request = Request::Rebuild(RebuildOptions { throttle_mib_s, ..RebuildOptions::default() });
    let endpoint = story.cluster.node(node)?.endpoint;
    let reply = story.cluster.caller().call(&endpoint, request, Duration::from_secs(30)).await?;
    ensure!(matches!(reply, Reply::Ok(_)), "{reply:?}");
    Ok(())
}

fn skipped() -> bool {
    if !cfg!(debug_assertions) {
        eprintln!("SKIPPED: an agent built without debug assertions does not stand still for a test");
    }
    !cfg!(debug_assertions)
}

/// The agent is killed where it stands, and started again.
async fn killed_at(phases: &[&str]) -> Result<()> {
    if skipped() {
        return Ok(());
    }
    let (story, leader) = Story::begin(3).await?;
    let node = (leader + 1) % 3;
    for phase in phases {
        story.pause_at(node, phase)?;
        begin(&story, node, None).await?;
        let stands = |job: &xenon_api::JobStatus| {
            job.phase == *phase && job.lines.last().is_some_and(|line| line.contains("a test makes"))
        };
        story.job(node, &format!("it stands at {phase}"), SEEN, stands).await?;
        story.some_more().await?;
        story.cluster.kill_agent(node)?;
        story.pause_at(node, "")?;
        story.cluster.start_agent(node)?;
        story.cluster.wait_for_agents(COMES_UP).await?;
        story.rebuilt(node, REBUILT).await?;
    }
    story.end(2, Vec::new()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_is_killed_before_the_swap() -> Result<()> {
    killed_at(&["stop"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_is_killed_about_the_swap() -> Result<()> {
    killed_at(&["swap"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nightly_the_agent_is_killed_at_every_phase() -> Result<()> {
    killed_at(&["check", "copy", "verify", "stop", "swap", "start", "follow", "clean"]).await
}

/// The server copies. Not "bytes have come": a story's little data may all have come before it is looked how many.
fn copies(job: &xenon_api::JobStatus) -> bool {
    job.phase == "copy"
}

/// Begins a rebuild, and strikes while it copies: again, should the copy have been quicker than the fault.
async fn struck_while_it_copies(story: &mut Story, node: usize, fault: Fault) -> Result<Struck> {
    for _ in 0..5 {
        begin(story, node, Some(10)).await?;
        story.job(node, "it copies, or is over", SEEN, |job| copies(job) || !job.is_active()).await?;
        let struck = story.strike(fault).await?;
        let hit = |job: &xenon_api::JobStatus| copies(job) || !job.last_error.is_empty();
        if story.cluster.status(node).await?.job.is_some_and(|job| hit(&job)) {
            return Ok(struck);
        }
        story.heal(struck).await?;
        story.rebuilt(node, REBUILT).await?;
    }
    bail!("no copy took as long as a fault takes to strike")
}

#[tokio::test(flavor = "multi_thread")]
async fn nightly_the_agent_is_killed_while_it_copies_and_an_operator_cancels() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    let node = (leader + 1) % 3;
    story.fill(leader, 11).await?;
    begin(&story, node, Some(10)).await?;
    story.job(node, "it copies", SEEN, copies).await?;
    story.cluster.kill_agent(node)?;
    story.cluster.start_agent(node)?;
    story.cluster.wait_for_agents(COMES_UP).await?;
    let before = story.cluster.status(node).await?.mysql.server_uuid;
    story.job(node, "it copies again", SEEN, |job| copies(job) && job.tries == 2).await?;
    let cancelled = story.xenoncli(node, &["mysql", "cancelrebuild"]).await?;
    ensure!(cancelled.status.success(), "cancelled");
    story.job(node, "it is over", SEEN, |job| job.state == JobState::Cancelled).await?;
    story.cluster.wait_all_following(2, HEALS).await?;
    let status = story.cluster.status(node).await?;
    ensure!(status.mysql.server_uuid == before && status.doubt.is_none(), "its own data is untouched");
    let work = story.cluster.node(node)?.folder.join(".xenon-rebuild");
    story
        .cluster
        .wait_until(SEEN, "the half copy is removed", async || (!work.exists()).then_some(()))
        .await?;
    let done = story.xenoncli(node, &["mysql", "rebuildme"]).await?;
    ensure!(done.status.success(), "a second one");
    story.end(2, Vec::new()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_donors_mysqld_is_killed() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    let (node, donor) = ((leader + 1) % 3, (leader + 2) % 3);
    begin(&story, node, Some(10)).await?;
    let job = story.job(node, "it copies", SEEN, copies).await?;
    ensure!(job.donor == Some(story.cluster.node(donor)?.id()), "the replica gives: {job:?}");
    strike(story.cluster.mysqld(donor)?, Signal::KILL)?;
    let job = story.rebuilt(node, REBUILT).await?;
    println!("{} tries: {}", job.tries, job.last_error);
    story.end(2, Vec::new()).await?;
    Ok(())
}

/// What takes the data folder's place must start: else the old data is put back, and nothing was lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_does_not_start() -> Result<()> {
    if skipped() {
        return Ok(());
    }
    let (story, leader) = Story::begin(3).await?;
    let node = (leader + 1) % 3;
    story.pause_at(node, "start")?;
    begin(&story, node, None).await?;
    story.job(node, "the copy is in place", SEEN, |job| job.phase == "start").await?;
    let copy = story.cluster.node(node)?.data();
    std::fs::write(copy.join("mysql.ibd"), b"no tablespace at all")?;
    let at = Instant::now();
    story.pause_at(node, "check")?;
    story.event(node, "the old data is in place again", at, SEEN).await?;
    story.cluster.wait_all_following(2, HEALS).await?;
    story.pause_at(node, "")?;
    let job = story.rebuilt(node, REBUILT).await?;
    ensure!(job.tries == 2, "{job:?}");
    story.end(2, Vec::new()).await?;
    Ok(())
}

#[test]
fn nightly_the_network_is_cut_while_it_copies() -> Result<()> {
    on_hosts(3, async |mut story, leader| {
        let node = (leader + 1) % 3;
        let cut = Fault::Cut(node, Way::Both, Reach::Nodes);
        let struck = struck_while_it_copies(&mut story, node, cut).await?;
        story.some_more().await?;
        // How long the fault lasts; nothing is waited for.
        tokio::time::sleep(Duration::from_secs(3)).await;
        story.heal(struck).await?;
        let job = story.rebuilt(node, REBUILT).await?;
        println!("{} tries: {}", job.tries, job.last_error);
        story.end(2, Vec::new()).await?;
        Ok(())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn nightly_the_disk_fills_while_it_copies() -> Result<()> {
    if std::fs::File::options().write(true).open("/dev/loop-control").is_err() {
        eprintln!("SKIPPED: disks of their own need root and loop devices");
        return Ok(());
    }
    let mut options = options(3)?;
    options.disks = vec![Volume::Data];
    let (mut story, leader) = Story::begin_with(options, COMES_UP).await?;
    let node = (leader + 1) % 3;
    let full = Fault::Disk(node, Volume::Data, Damage::Full);
    let struck = struck_while_it_copies(&mut story, node, full).await?;
    story.job(node, "this try has failed", SEEN, |job| !job.last_error.is_empty()).await?;
    story.heal(struck).await?;
    let ended = |job: &xenon_api::JobStatus| !job.is_active();
    let job = story.job(node, "it has ended", REBUILT, ended).await?;
    if job.state == JobState::Failed {
        let done = story.xenoncli(node, &["mysql", "rebuildme"]).await?;
        ensure!(done.status.success(), "a second one");
    }
    story.end(2, Vec::new()).await?;
    Ok(())
}
