//! A planned switchover: nobody loses a row, and a client hardly sees it.

use anyhow::Result;
use std::time::{Duration, Instant};
use xenon_api::Request;
use xenon_tests::{Story, at_most};

#[tokio::test(flavor = "multi_thread")]
async fn leadership_is_handed_over_and_back() -> Result<()> {
    let (story, first) = Story::begin(3).await?;
    let mut leader = first;
    for target in [(first + 1) % 3, (first + 2) % 3, first] {
        let begun = Instant::now();
        hand_over(&story, leader, target).await?;
        let gap = story.taken_over(begun, Duration::from_secs(10)).await?;
        at_most(gap, xenon_tests::SERVES_AGAIN)?;
        let what = format!("node{} leads, and the others follow it", target + 1);
        story
            .cluster
            .wait_until(Duration::from_secs(20), &what, async || {
                story.cluster.followed_by(2).await.filter(|leader| *leader == target)
            })
            .await?;
        story.some_more().await?;
        leader = target;
    }
    story.end(2, Vec::new()).await?;
    Ok(())
}

async fn hand_over(story: &Story, leader: usize, target: usize) -> Result<()> {
    let (leader, target) = (story.cluster.node(leader)?, story.cluster.node(target)?);
    let request = Request::HandOver { target: Some(target.id()) };
    story.cluster.caller().demand(&leader.endpoint, request, Duration::from_secs(10)).await.map(drop)
}
