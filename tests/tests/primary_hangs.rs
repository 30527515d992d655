//! A primary's mysqld that hangs (SIGSTOP), and later would go on.

use anyhow::Result;
use std::time::Duration;
use xenon_testkit::Signal;
use xenon_tests::{Story, at_most, strike};

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_takes_over_and_the_hung_one_harms_nobody() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    let mysqld = story.cluster.mysqld(leader)?;
    let fault = strike(mysqld, Signal::STOP)?;
    let gap = story.served_again(fault, Duration::from_secs(30)).await?;
    at_most(gap, xenon_tests::SERVES_AGAIN)?;
    story.some_more().await?;
    let now = story.cluster.wait_for_leader(Duration::from_secs(5)).await?.value;
    assert_ne!(now, leader, "a replica took over");
    // Its agent may have ended it already.
    if mysqld.is_alive() {
        strike(mysqld, Signal::CONT)?;
    }
    story.some_more().await?;
    story.end_with_rewound(leader).await?;
    Ok(())
}
