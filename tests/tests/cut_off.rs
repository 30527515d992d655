//! Hosts that are cut off from the others, wholly and in one direction only.

use anyhow::{Result, ensure};
use std::time::Duration;
use xenon_testkit::{Fault, Reach, Way};
use xenon_tests::{HEALS, SERVES_AGAIN, at_most, on_hosts};

/// The primary is cut off while clients still reach it: it is the one that could go on alone.
fn primary(way: Way, reach: Reach) -> Result<()> {
    on_hosts(3, async move |mut story, leader| {
        let struck = story.strike(Fault::Cut(leader, way, reach)).await?;
        at_most(story.taken_over(struck.at, SERVES_AGAIN).await?, SERVES_AGAIN)?;
        story.some_more().await?;
        story.heal(struck).await?;
        story.steps_down(leader, HEALS).await?;
        story.end_with_returned(leader).await?;
        Ok(())
    })
}

#[test]
fn the_primary_from_the_other_nodes_but_not_from_clients() -> Result<()> {
    primary(Way::Both, Reach::Nodes)
}

#[test]
fn the_primary_from_everybody() -> Result<()> {
    primary(Way::Both, Reach::Everybody)
}

#[test]
fn a_primary_that_hears_no_other_node() -> Result<()> {
    primary(Way::Incoming, Reach::Nodes)
}

#[test]
fn nightly_a_primary_that_no_other_node_hears() -> Result<()> {
    primary(Way::Outgoing, Reach::Nodes)
}

/// A replica is cut off, and nobody notices: not when it goes, and not when it comes back.
fn replica(way: Way) -> Result<()> {
    on_hosts(3, async move |mut story, leader| {
        let replica = (leader + 1) % 3;
        let term = story.cluster.status(leader).await?.view_id;
        let struck = story.strike(Fault::Cut(replica, way, Reach::Everybody)).await?;
        let begun = struck.at;
        // Longer than any election timeout: it would stand, had it not to ask first (V1).
        let silent = "the replica hears no leader";
        story
            .cluster
            .wait_until(Duration::from_secs(20), silent, async || {
                let statuses = story.cluster.statuses().await;
                let unheard = statuses.get(replica)?.is_none();
                (unheard && begun.elapsed() > Duration::from_secs(4)).then_some(())
            })
            .await?;
        story.some_more().await?;
        story.heal(struck).await?;
        story.cluster.wait_all_following(2, HEALS).await?;
        story.some_more().await?;
        let status = story.cluster.status(leader).await?;
        ensure!(status.view_id == term && status.state == "LEADER", "there was an election: {status:?}");
        if let Some(gap) = story.longest_gap(begun) {
            println!("longest gap: {:.1} ms", gap.as_secs_f64() * 1e3);
            at_most(gap, Duration::from_secs(5))?;
        }
        story.end(2, Vec::new()).await?;
        Ok(())
    })
}

#[test]
fn a_replica() -> Result<()> {
    replica(Way::Both)
}

#[test]
fn nightly_a_replica_that_nobody_hears() -> Result<()> {
    replica(Way::Outgoing)
}

#[test]
fn a_majority_and_back() -> Result<()> {
    on_hosts(3, async |mut story, leader| {
        let others: Vec<usize> = (0..3).filter(|index| *index != leader).collect();
        let mut struck = Vec::new();
        for other in &others {
            struck.push(story.strike(Fault::Cut(*other, Way::Both, Reach::Everybody)).await?);
        }
        // Nobody acknowledges alone, and the one that led says so.
        story.steps_down(leader, HEALS).await?;
        let lost = struck.first().map(|struck| struck.at);
        for struck in struck {
            story.heal(struck).await?;
        }
        let healed = std::time::Instant::now();
        story.some_more().await?;
        println!("served {:.1} s after the network was back", healed.elapsed().as_secs_f64());
        if let Some(gap) = lost.and_then(|at| story.longest_gap(at)) {
            println!("longest gap: {:.1} ms", gap.as_secs_f64() * 1e3);
        }
        story.end_with_returned(leader).await?;
        Ok(())
    })
}
