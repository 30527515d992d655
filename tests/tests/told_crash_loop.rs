//! L6: a server that does not come up is tried less and less often, and that is told with its last words.

use anyhow::Result;
use std::io::Write;
use std::time::Duration;
use xenon_api::Request;
use xenon_testkit::Signal;
use xenon_tests::{Story, strike};

/// Six exits with pauses of 0, 1, 2, 4 and 8 s, and the starts themselves.
const SEEN: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn nightly_of_a_replica_is_named_and_ended_by_an_operator() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    let replica = (leader + 1) % 3;
    let node = story.cluster.node(replica)?;
    let good = std::fs::read_to_string(node.defaults_file())?;
    std::fs::File::options().append(true).open(node.defaults_file())?.write_all(b"no-such-option=1\n")?;
    let at = strike(story.cluster.mysqld(replica)?, Signal::KILL)?;
    story.unfit(replica, "", at, SEEN).await?;
    story.trouble(replica, "crash loop", at, SEEN).await?;
    story.trouble(replica, "no-such-option", at, SEEN).await?;
    story.some_more().await?;
    std::fs::write(node.defaults_file(), good)?;
    let caller = story.cluster.caller();
    caller.demand(&node.endpoint, Request::MysqlStart, Duration::from_secs(5)).await?;
    story.end(2, Vec::new()).await?;
    Ok(())
}
