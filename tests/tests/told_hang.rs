//! L6: a server that hangs since before its agent was started, so that nobody has ever seen it answer.

use anyhow::Result;
use std::time::{Duration, Instant};
use xenon_testkit::Signal;
use xenon_tests::{SERVES_AGAIN, Story, at_most, strike};

/// It counts as hanging after half a minute of silence.
const SEEN: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn nightly_of_an_old_primary_is_ended_and_it_comes_back() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    let mysqld = story.cluster.mysqld(leader)?;
    let fault = strike(mysqld, Signal::STOP)?;
    story.cluster.kill_agent(leader)?;
    at_most(story.taken_over(fault, SERVES_AGAIN).await?, SERVES_AGAIN)?;
    let started = Instant::now();
    story.cluster.start_agent(leader)?;
    story.event(leader, "mysqld hangs", started, SEEN).await?;
    story.event(leader, "cannot be closed any other way", started, SEEN).await?;
    assert!(mysqld.wait_dead(Duration::from_secs(10)), "it might have been open");
    story.end_with_returned(leader).await?;
    Ok(())
}
