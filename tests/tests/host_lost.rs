//! The primary's host is lost: its agent and its mysqld die together. Later both come back.

use anyhow::Result;
use std::time::Duration;
use xenon_testkit::Signal;
use xenon_tests::{Story, at_most, strike};

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_takes_over_and_the_old_primary_returns() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    let mysqld = story.cluster.mysqld(leader)?;
    story.cluster.kill_agent(leader)?;
    let fault = strike(mysqld, Signal::KILL)?;
    let gap = story.served_again(fault, Duration::from_secs(30)).await?;
    at_most(gap, xenon_tests::SERVES_AGAIN)?;
    story.some_more().await?;
    let now = story.cluster.wait_for_leader(Duration::from_secs(5)).await?.value;
    assert_ne!(now, leader, "a replica took over");
    story.cluster.start_agent(leader)?;
    story.end_with_returned(leader).await?;
    Ok(())
}
