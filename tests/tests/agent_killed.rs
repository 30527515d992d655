//! The agent of the primary dies, and its mysqld goes on.

use anyhow::Result;
use std::time::{Duration, Instant};
use xenon_tests::{Story, at_most};

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_restarted_at_once_leads_on_without_an_outage() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    let mysqld = story.cluster.mysqld(leader)?;
    let term = story.cluster.status(leader).await?.view_id;
    let fault = Instant::now();
    story.cluster.kill_agent(leader)?;
    story.cluster.start_agent(leader)?;
    story
        .cluster
        .wait_until(Duration::from_secs(10), "the restarted agent leads", async || {
            story.cluster.status(leader).await.is_ok_and(|status| status.state == "LEADER").then_some(())
        })
        .await?;
    story.some_more().await?;
    story.cluster.wait_all_following(2, Duration::from_secs(10)).await?;
    // T3: an election, whoever had won it, would have begun another term.
    assert_eq!(story.cluster.status(leader).await?.view_id, term, "the term has not changed");
    let now = story.cluster.wait_for_leader(Duration::from_secs(5)).await?.value;
    assert_eq!(now, leader, "the primary has not changed");
    assert_eq!(story.cluster.mysqld(leader)?, mysqld, "its server is the same process");
    if let Some(gap) = story.longest_gap(fault) {
        println!("longest gap: {:.1} ms", gap.as_secs_f64() * 1e3);
    }
    story.end(2, Vec::new()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_stays_dead_is_replaced() -> Result<()> {
    let (mut story, leader) = Story::begin(3).await?;
    story.old_primary_has_no_agent();
    let fault = Instant::now();
    story.cluster.kill_agent(leader)?;
    story
        .cluster
        .wait_until(Duration::from_secs(20), "another node leads", async || {
            story.cluster.leader().await.filter(|now| *now != leader)
        })
        .await?;
    story.some_more().await?;
    if let Some(gap) = story.longest_gap(fault) {
        println!("longest gap: {:.1} ms", gap.as_secs_f64() * 1e3);
        at_most(gap, xenon_tests::SERVES_AGAIN)?;
    }
    story.cluster.start_agent(leader)?;
    story.end_with_returned(leader).await?;
    Ok(())
}
