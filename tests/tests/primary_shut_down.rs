//! A clean shutdown of the primary's mysqld: by SQL, and by a signal.

use anyhow::Result;
use std::process::Command;
use std::time::{Duration, Instant};
use xenon_testkit::Signal;
use xenon_tests::{Story, at_most, strike};

#[tokio::test(flavor = "multi_thread")]
async fn by_mysqladmin() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    let node = story.cluster.node(leader)?;
    let fault = Instant::now();
    let status = Command::new(story.cluster.base().client("mysqladmin"))
        .arg(format!("--defaults-file={}", node.admin_login().display()))
        .arg("shutdown")
        .status()?;
    assert!(status.success(), "mysqladmin shutdown: {status}");
    ends(story, leader, fault).await
}

#[tokio::test(flavor = "multi_thread")]
async fn by_sigterm() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    let fault = strike(story.cluster.mysqld(leader)?, Signal::TERM)?;
    ends(story, leader, fault).await
}

async fn ends(story: Story, leader: usize, fault: Instant) -> Result<()> {
    let gap = story.taken_over(fault, Duration::from_secs(20)).await?;
    at_most(gap, xenon_tests::SERVES_AGAIN)?;
    story.some_more().await?;
    let now = story.cluster.wait_for_leader(Duration::from_secs(5)).await?.value;
    assert_ne!(now, leader, "a replica took over");
    story.end_with_returned(leader).await?;
    Ok(())
}
