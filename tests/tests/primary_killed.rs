//! `kill -9` of the primary's mysqld.

use anyhow::Result;
use std::time::Duration;
use xenon_testkit::Signal;
use xenon_tests::{Story, at_most, strike};

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_takes_over_and_the_killed_one_comes_back() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    let fault = strike(story.cluster.mysqld(leader)?, Signal::KILL)?;
    let gap = story.served_again(fault, Duration::from_secs(20)).await?;
    at_most(gap, xenon_tests::SERVES_AGAIN)?;
    story.some_more().await?;
    let now = story.cluster.wait_for_leader(Duration::from_secs(5)).await?.value;
    assert_ne!(now, leader, "a replica took over");
    story.end_with_rewound(leader).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn with_two_nodes_too() -> Result<()> {
    let (story, leader) = Story::begin(2).await?;
    let fault = strike(story.cluster.mysqld(leader)?, Signal::KILL)?;
    story.served_again(fault, Duration::from_secs(40)).await?;
    story.end_with_returned(leader).await?;
    Ok(())
}
