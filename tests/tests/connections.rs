//! Clients hold every connection that the primary gives them. It goes on serving those that it has, so nothing dies of it,
//! and no agent needs a connection that it has not got.

use anyhow::{Result, ensure};
use std::time::Duration;
use xenon_testkit::{Fault, Whom};
use xenon_tests::{HEALS, SERVES_AGAIN, at_most, on_hosts_with};

/// So few that a test takes them all in a moment.
const FEW: &str = "max-connections=40";

#[test]
fn none_is_left_and_the_primary_stays() -> Result<()> {
    let few = |options: &mut xenon_testkit::Options| options.server_lines.push(FEW.to_owned());
    on_hosts_with(3, few, async |mut story, leader| {
        let term = story.cluster.status(leader).await?.view_id;
        let struck = story.strike(Fault::Connections(leader)).await?;
        let begun = struck.at;
        story
            .cluster
            .wait_until(HEALS, "the client is served for some seconds", async || {
                (begun.elapsed() > Duration::from_secs(6)).then_some(())
            })
            .await?;
        story.some_more().await?;
        let status = story.cluster.status(leader).await?;
        ensure!(status.view_id == term && status.state == "LEADER", "there was an election: {status:?}");
        story.heal(struck).await?;
        story.some_more().await?;
        if let Some(gap) = story.longest_gap(begun) {
            println!("longest gap: {:.1} ms", gap.as_secs_f64() * 1e3);
            at_most(gap, Duration::from_secs(2))?;
        }
        story.end(2, Vec::new()).await?;
        Ok(())
    })
}

#[test]
fn none_is_left_and_the_agent_is_restarted() -> Result<()> {
    let few = |options: &mut xenon_testkit::Options| options.server_lines.push(FEW.to_owned());
    on_hosts_with(3, few, async |mut story, leader| {
        let struck = story.strike(Fault::Connections(leader)).await?;
        let begun = struck.at;
        let killed = story.strike(Fault::Kill(leader, Whom::Agent)).await?;
        story.heal(killed).await?;
        // It gets in or it is replaced: either way somebody serves.
        story.served_again(begun, SERVES_AGAIN).await?;
        story.cluster.wait_for_leader(SERVES_AGAIN).await?;
        story.some_more().await?;
        story.heal(struck).await?;
        story.end_with_returned(leader).await?;
        Ok(())
    })
}
