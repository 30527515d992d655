//! The data folder of the primary is moved away, or deleted, under the running server.

use anyhow::Result;
use xenon_testkit::Fault;
use xenon_tests::{HEALS, SERVES_AGAIN, at_most, on_hosts};

#[test]
fn moved_away_and_brought_back() -> Result<()> {
    on_hosts(3, async |mut story, leader| {
        let struck = story.strike(Fault::DataMoved(leader)).await?;
        at_most(story.taken_over(struck.at, SERVES_AGAIN).await?, SERVES_AGAIN)?;
        story.some_more().await?;
        story.heal(struck).await?;
        story.steps_down(leader, HEALS).await?;
        story.end_with_returned(leader).await?;
        Ok(())
    })
}

#[test]
fn deleted_and_made_anew() -> Result<()> {
    on_hosts(3, async |mut story, leader| {
        let struck = story.strike(Fault::DataDeleted(leader)).await?;
        at_most(story.taken_over(struck.at, SERVES_AGAIN).await?, SERVES_AGAIN)?;
        story.some_more().await?;
        story.heal(struck).await?;
        story.steps_down(leader, HEALS).await?;
        story.end_with_returned(leader).await?;
        Ok(())
    })
}

#[test]
fn nightly_of_a_replica_deleted_and_made_anew() -> Result<()> {
    on_hosts(3, async |mut story, leader| {
        let struck = story.strike(Fault::DataDeleted((leader + 1) % 3)).await?;
        story.some_more().await?;
        story.heal(struck).await?;
        story.end(2, Vec::new()).await?;
        Ok(())
    })
}
