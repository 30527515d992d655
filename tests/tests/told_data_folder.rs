//! L6: a data folder that is moved or deleted under the running server is seen, told, and hands over.

use anyhow::Result;
use std::time::Duration;
use xenon_testkit::Fault;
use xenon_tests::{HEALS, SERVES_AGAIN, Story, at_most};

const SEEN: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn moved_under_the_primary() -> Result<()> {
    let (mut story, leader) = Story::begin(3).await?;
    let struck = story.strike(Fault::DataMoved(leader)).await?;
    let at = struck.at;
    story.event(leader, "was moved to", at, SEEN).await?;
    at_most(story.taken_over(at, SERVES_AGAIN).await?, SERVES_AGAIN)?;
    story.unfit(leader, "was moved to", at, SEEN).await?;
    story.heal(struck).await?;
    story.steps_down(leader, HEALS).await?;
    story.end_with_returned(leader).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_under_a_replica_which_then_acknowledges_nothing() -> Result<()> {
    // Quiet: with something to write, the server itself soon ends for want of its files (seen on 9.7.4, exit code 2). It may do
    // so all the same when a session needs its first temporary table, and is then not started without data.
    let (mut story, leader) = Story::quiet(3).await?;
    let replica = (leader + 1) % 3;
    let struck = story.strike(Fault::DataDeleted(replica)).await?;
    let at = struck.at;
    story.trouble(replica, "was deleted", at, SEEN).await?;
    story.unfit(replica, "was deleted", at, SEEN).await?;
    let what = "a voter whose data is lost acknowledges nothing";
    let acknowledges = async || {
        let status = story.cluster.status(replica).await.ok()?;
        (!status.mysql.alive || status.mysql.semi_sync_replica == Some(false)).then_some(())
    };
    story.cluster.wait_until(SEEN, what, acknowledges).await?;
    story.heal(struck).await?;
    story.cluster.wait_all_following(2, HEALS).await?;
    story.cluster.end()
}
