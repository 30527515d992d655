//! L6: a disk that takes no writes is seen by the agent, told with what to do, and hands over; a replica's is no candidate.

use anyhow::{Result, ensure};
use std::time::Duration;
use xenon_testkit::{Damage, Fault, Volume};
use xenon_tests::{COMES_UP, HEALS, SERVES_AGAIN, Story, at_most, options};

/// Seen within this: an attempt every two seconds, and for a stall eight without an answer.
const SEEN: Duration = Duration::from_secs(20);

/// A server that waits for room tries again after a minute ("Retry in 60 secs", seen on 9.7.4). Its receiver is woken; a worker
/// that found no room for the binlog is not.
const TRIED_AGAIN: Duration = Duration::from_secs(90);

async fn begin(volumes: &[Volume]) -> Result<Option<(Story, usize)>> {
    if std::fs::File::options().write(true).open("/dev/loop-control").is_err() {
        eprintln!("SKIPPED: disks of their own need root and loop devices");
        return Ok(None);
    }
    let mut options = options(3)?;
    options.disks = volumes.to_vec();
    Story::begin_with(options, COMES_UP).await.map(Some)
}

async fn of_the_primary(volumes: &[Volume], volume: Volume, damage: Damage, says: &str) -> Result<()> {
    let Some((mut story, leader)) = begin(volumes).await? else { return Ok(()) };
    let struck = story.strike(Fault::Disk(leader, volume, damage)).await?;
    let at = struck.at;
    let event = story.event(leader, says, at, SEEN).await?;
    println!("{event:?}");
    at_most(story.taken_over(at, SERVES_AGAIN).await?, SERVES_AGAIN)?;
    story.unfit(leader, "", at, HEALS).await?;
    story.heal(struck).await?;
    story.steps_down(leader, HEALS).await?;
    story.end_with_returned(leader).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_one_under_the_primary() -> Result<()> {
    of_the_primary(&[Volume::Data], Volume::Data, Damage::Full, "is full").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_one_under_the_binlog_of_the_primary() -> Result<()> {
    of_the_primary(&[Volume::Data, Volume::Binlog], Volume::Binlog, Damage::Full, "is full").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_one_under_the_primary() -> Result<()> {
    of_the_primary(&[Volume::Data], Volume::Data, Damage::Stalled, "stalls").await
}

async fn of_a_replica(damage: Damage, says: &str) -> Result<()> {
    let Some((mut story, leader)) = begin(&[Volume::Data]).await? else { return Ok(()) };
    let replica = (leader + 1) % 3;
    let struck = story.strike(Fault::Disk(replica, Volume::Data, damage)).await?;
    let at = struck.at;
    story.trouble(replica, says, at, SEEN).await?;
    // A read-only one ends the server soon, and that is the better reason.
    let why = if damage == Damage::ReadOnly { "" } else { says };
    story.unfit(replica, why, at, SEEN).await?;
    story.some_more().await?;
    let now = story.cluster.wait_for_leader(Duration::from_secs(5)).await?.value;
    ensure!(now == leader, "nobody was deposed for it");
    story.heal(struck).await?;
    if damage != Damage::ReadOnly {
        // Taking a read-only one back restarts the agent, which has forgotten it then.
        story.event(replica, "over: ", at, HEALS).await?;
    }
    let reached = story.cluster.status(leader).await?.mysql.executed;
    let caught_up = async || {
        let status = story.cluster.status(replica).await.ok()?;
        status.mysql.executed.contains_set(&reached).then_some(())
    };
    story.cluster.wait_until(TRIED_AGAIN, "the replica has caught up", caught_up).await?;
    story.end(2, Vec::new()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nightly_a_full_one_under_a_replica() -> Result<()> {
    of_a_replica(Damage::Full, "is full").await
}

#[tokio::test(flavor = "multi_thread")]
async fn nightly_a_stalled_one_under_a_replica() -> Result<()> {
    of_a_replica(Damage::Stalled, "stalls").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_one_under_a_replica() -> Result<()> {
    of_a_replica(Damage::ReadOnly, "read-only").await
}
