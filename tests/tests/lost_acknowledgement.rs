//! A commit that the voters have and whose acknowledgement never came (MySQL bugs 104015, 101056): a replica that has
//! received it and connects anew does not acknowledge it again.

use anyhow::Result;
use std::time::{Duration, Instant};
use xenon_tests::{Story, at_most};

/// The client itself tries again after twenty seconds, and that commit would release the other.
const BEFORE_THE_CLIENT: Duration = Duration::from_secs(15);

/// As an operator may do it, for a moment: the replicas receive, and acknowledge nothing.
const WITHOUT: &str =
    "STOP REPLICA IO_THREAD; SET GLOBAL rpl_semi_sync_replica_enabled = 0; START REPLICA IO_THREAD";

#[tokio::test(flavor = "multi_thread")]
async fn is_released_by_a_transaction_of_the_agent() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    let begun = Instant::now();
    for follower in (0..3).filter(|index| *index != leader) {
        let mut sql = story.cluster.admin(follower).await?;
        sql.run(WITHOUT, Duration::from_secs(10)).await?;
    }
    let gap = story.served_again(begun + Duration::from_millis(300), BEFORE_THE_CLIENT).await?;
    at_most(gap, BEFORE_THE_CLIENT)?;
    let now = story.cluster.wait_for_leader(Duration::from_secs(5)).await?.value;
    assert_eq!(now, leader, "nobody was deposed for it");
    story.end(2, Vec::new()).await?;
    Ok(())
}
