//! Every node is restarted in turn, agent and server, as for an upgrade.

use anyhow::{Result, bail};
use std::time::Duration;
use xenon_testkit::Signal;
use xenon_tests::{HEALS, Story, strike};

#[tokio::test(flavor = "multi_thread")]
async fn every_node_in_turn() -> Result<()> {
    let (story, _) = Story::begin(3).await?;
    for index in 0..3 {
        let mysqld = story.cluster.mysqld(index)?;
        story.cluster.stop_agent(index, Duration::from_secs(20))?;
        strike(mysqld, Signal::TERM)?;
        if !mysqld.wait_dead(Duration::from_secs(60)) {
            bail!("the mysqld of node{} does not end\n{}", index + 1, story.cluster.picture().await);
        }
        story.cluster.start_agent(index)?;
        story.cluster.wait_all_following(2, HEALS).await?;
        story.some_more().await?;
    }
    story.end(2, Vec::new()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leading_agent_that_is_stopped_hands_over_first() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    let begun = std::time::Instant::now();
    story.cluster.stop_agent(leader, Duration::from_secs(20))?;
    let now = story.cluster.wait_for_leader(Duration::from_secs(10)).await?.value;
    assert_ne!(now, leader, "it handed over");
    story.some_more().await?;
    if let Some(gap) = story.longest_gap(begun) {
        println!("longest gap: {:.1} ms", gap.as_secs_f64() * 1e3);
        xenon_tests::at_most(gap, xenon_tests::SERVES_AGAIN)?;
    }
    story.cluster.start_agent(leader)?;
    story.end(2, Vec::new()).await?;
    Ok(())
}
