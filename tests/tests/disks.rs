//! Disks that are full, stalled or read-only: under the data, under the binlog, under the agent's record.

use anyhow::Result;
use std::time::Duration;
use xenon_testkit::{Damage, Fault, Options, Volume, Whom};
use xenon_tests::{HEALS, SERVES_AGAIN, Story, at_most, on_hosts_with};

fn on_disks(
    volumes: &'static [Volume],
    story: impl AsyncFnOnce(Story, usize) -> Result<()> + Send,
) -> Result<()> {
    on_hosts_with(3, |options: &mut Options| options.disks = volumes.to_vec(), story)
}

/// The primary can write no more, so another node takes over (L6); with a sound disk it follows.
fn primary_replaced(volume: Volume, damage: Damage) -> Result<()> {
    let volumes: &[Volume] =
        if volume == Volume::Data { &[Volume::Data] } else { &[Volume::Data, Volume::Binlog] };
    on_disks(volumes, async move |mut story, leader| {
        let struck = story.strike(Fault::Disk(leader, volume, damage)).await?;
        at_most(story.taken_over(struck.at, SERVES_AGAIN).await?, SERVES_AGAIN)?;
        story.some_more().await?;
        story.heal(struck).await?;
        story.steps_down(leader, HEALS).await?;
        story.end_with_returned(leader).await?;
        Ok(())
    })
}

#[test]
fn nightly_full_under_the_data_of_the_primary() -> Result<()> {
    primary_replaced(Volume::Data, Damage::Full)
}

#[test]
fn nightly_full_under_the_binlog_of_the_primary() -> Result<()> {
    primary_replaced(Volume::Binlog, Damage::Full)
}

#[test]
fn nightly_stalled_under_the_data_of_the_primary() -> Result<()> {
    primary_replaced(Volume::Data, Damage::Stalled)
}

#[test]
fn read_only_under_the_data_of_the_primary() -> Result<()> {
    primary_replaced(Volume::Data, Damage::ReadOnly)
}

/// The agent cannot save anything. As long as it needs not, clients notice nothing; it takes part again when it can.
fn record(damage: Damage, primary: bool) -> Result<()> {
    on_disks(&[Volume::Record], async move |mut story, leader| {
        let node = if primary { leader } else { (leader + 1) % 3 };
        let struck = story.strike(Fault::Disk(node, Volume::Record, damage)).await?;
        story.some_more().await?;
        // The next term wants a record: of this node, too, if it can.
        let killed = story.strike(Fault::Kill(leader, Whom::Mysqld)).await?;
        at_most(story.served_again(killed.at, SERVES_AGAIN).await?, SERVES_AGAIN)?;
        story.heal(killed).await?;
        story.cluster.wait_for_leader(SERVES_AGAIN).await?;
        story.some_more().await?;
        story.heal(struck).await?;
        story.end_with_returned(leader).await?;
        Ok(())
    })
}

#[test]
fn full_under_the_record_of_the_primary() -> Result<()> {
    record(Damage::Full, true)
}

#[test]
fn nightly_full_under_the_record_of_a_replica() -> Result<()> {
    record(Damage::Full, false)
}

#[test]
fn nightly_read_only_under_the_record_of_a_replica() -> Result<()> {
    record(Damage::ReadOnly, false)
}

/// A replica that can write no more harms nobody while the other one acknowledges.
fn replica(damage: Damage) -> Result<()> {
    on_disks(&[Volume::Data], async move |mut story, leader| {
        let replica = (leader + 1) % 3;
        let struck = story.strike(Fault::Disk(replica, Volume::Data, damage)).await?;
        let begun = struck.at;
        story
            .cluster
            .wait_until(HEALS, "the client is served for some seconds", async || {
                (begun.elapsed() > Duration::from_secs(5)).then_some(())
            })
            .await?;
        story.some_more().await?;
        story.heal(struck).await?;
        if let Some(gap) = story.longest_gap(begun) {
            println!("longest gap: {:.1} ms", gap.as_secs_f64() * 1e3);
            at_most(gap, SERVES_AGAIN)?;
        }
        story.end(2, Vec::new()).await?;
        Ok(())
    })
}

#[test]
fn full_under_the_data_of_a_replica() -> Result<()> {
    replica(Damage::Full)
}

#[test]
fn nightly_stalled_under_the_data_of_a_replica() -> Result<()> {
    replica(Damage::Stalled)
}
