//! A follower dies and comes back; clients hardly notice.

use anyhow::Result;
use std::time::{Duration, Instant};
use xenon_testkit::Signal;
use xenon_tests::{HEALS, Story, at_most, strike};

#[tokio::test(flavor = "multi_thread")]
async fn one_and_then_the_other() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    let begun = Instant::now();
    for follower in (0..3).filter(|index| *index != leader) {
        strike(story.cluster.mysqld(follower)?, Signal::KILL)?;
        story.some_more().await?;
        story.cluster.wait_all_following(2, HEALS).await?;
        story.some_more().await?;
    }
    let now = story.cluster.wait_for_leader(Duration::from_secs(5)).await?.value;
    assert_eq!(now, leader, "the primary has not changed");
    if let Some(gap) = story.longest_gap(begun) {
        println!("longest gap: {:.1} ms", gap.as_secs_f64() * 1e3);
        at_most(gap, xenon_tests::SERVES_AGAIN)?;
    }
    story.end(2, Vec::new()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_follower_host() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    let follower = (leader + 1) % 3;
    let mysqld = story.cluster.mysqld(follower)?;
    story.cluster.kill_agent(follower)?;
    strike(mysqld, Signal::KILL)?;
    story.some_more().await?;
    story.cluster.start_agent(follower)?;
    story.end(2, Vec::new()).await?;
    Ok(())
}
