//! T4: a paused cluster holds no elections, whatever happens.

use anyhow::Result;
use std::time::Duration;
use xenon_api::Request;
use xenon_testkit::Signal;
use xenon_tests::{HEALS, Story, strike};

/// How long one call may take.
const CALL: Duration = Duration::from_secs(5);

async fn tell(story: &Story, node: usize, request: Request) -> Result<()> {
    let endpoint = story.cluster.node(node)?.endpoint;
    story.cluster.caller().demand(&endpoint, request, CALL).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_dies_comes_back_as_the_primary_and_agents_are_exchanged() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    tell(&story, leader, Request::Pause).await?;
    let fault = strike(story.cluster.mysqld(leader)?, Signal::KILL)?;
    story.served_again(fault, HEALS).await?;
    let now = story.cluster.wait_for_leader(Duration::from_secs(5)).await?.value;
    assert_eq!(now, leader, "nobody took over");
    // As for an upgrade: every agent in turn, the leader's last.
    for node in (0..3).filter(|node| *node != leader).chain([leader]) {
        story.cluster.kill_agent(node)?;
        story.cluster.start_agent(node)?;
        story.some_more().await?;
    }
    let now = story.cluster.wait_all_following(2, HEALS).await?.value;
    assert_eq!(now, leader, "agents come and go without a failover");
    // Its last change settles again after the leader's agent was exchanged.
    let resumed = async || tell(&story, leader, Request::Resume).await.ok();
    story.cluster.wait_until(HEALS, "the pause is ended", resumed).await?;
    let fault = strike(story.cluster.mysqld(leader)?, Signal::KILL)?;
    story.served_again(fault, HEALS).await?;
    let now = story.cluster.wait_for_leader(Duration::from_secs(5)).await?.value;
    assert_ne!(now, leader, "elections are held again");
    story.end_with_returned(leader).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_kept_from_leading_at_run_time() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    let never = (leader + 1) % 3;
    let node = story.cluster.node(never)?.id();
    tell(&story, leader, Request::SetPriority { node, priority: Some(0) }).await?;
    let fault = strike(story.cluster.mysqld(leader)?, Signal::KILL)?;
    story.served_again(fault, HEALS).await?;
    let now = story.cluster.wait_for_leader(Duration::from_secs(5)).await?.value;
    assert_ne!(now, never, "it never leads");
    story.end_with_returned(leader).await?;
    Ok(())
}
