//! Processes of the primary stop, hold everything that they hold, and go on later as if nothing had been: SIGSTOP, a stalled
//! virtual machine, a long swap.

use anyhow::{Result, ensure};
use std::time::Duration;
use xenon_testkit::{Fault, Whom};
use xenon_tests::{HEALS, SERVES_AGAIN, at_most, on_hosts};

/// Another node takes over, and what wakes up later writes nothing that is not its own any more.
fn replaced(whom: Whom) -> Result<()> {
    on_hosts(3, async move |mut story, leader| {
        if whom != Whom::Mysqld {
            // Its server wakes up as open as it fell asleep, and stays so until its agent has looked. Nobody acknowledges
            // what it is sent.
            story.old_primary_has_no_agent();
        }
        let struck = story.strike(Fault::Stop(leader, whom)).await?;
        at_most(story.taken_over(struck.at, SERVES_AGAIN).await?, SERVES_AGAIN)?;
        story.some_more().await?;
        story.heal(struck).await?;
        story.steps_down(leader, HEALS).await?;
        story.end_with_returned(leader).await?;
        Ok(())
    })
}

#[test]
fn nightly_its_mysqld() -> Result<()> {
    replaced(Whom::Mysqld)
}

#[test]
fn both() -> Result<()> {
    replaced(Whom::Both)
}

#[test]
fn its_agent() -> Result<()> {
    replaced(Whom::Agent)
}

#[test]
fn those_of_a_replica() -> Result<()> {
    on_hosts(3, async |mut story, leader| {
        let replica = (leader + 1) % 3;
        let term = story.cluster.status(leader).await?.view_id;
        let struck = story.strike(Fault::Stop(replica, Whom::Both)).await?;
        let begun = struck.at;
        story
            .cluster
            .wait_until(HEALS, "the client is served for some seconds without the replica", async || {
                (begun.elapsed() > Duration::from_secs(4)).then_some(())
            })
            .await?;
        story.some_more().await?;
        story.heal(struck).await?;
        story.cluster.wait_all_following(2, HEALS).await?;
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
