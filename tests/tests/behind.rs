//! Both replicas have received and not applied what the primary wrote in the last seconds, and the primary dies. What clients
//! were told must be applied before the next primary opens (L2).

use anyhow::Result;
use std::time::{Duration, Instant};
use xenon_testkit::{Fault, Whom};
use xenon_tests::{HEALS, SERVES_AGAIN, at_most, on_hosts};

/// So long they fall behind.
fn by(held: Duration) -> Result<()> {
    on_hosts(3, async move |mut story, leader| {
        let mut locks = Vec::new();
        for replica in (0..3).filter(|index| *index != leader) {
            locks.push(story.strike(Fault::Behind(replica)).await?);
        }
        let locked = Instant::now();
        story
            .cluster
            .wait_until(held + HEALS, "the replicas are behind", async || {
                (locked.elapsed() > held).then_some(())
            })
            .await?;
        story.some_more().await?;
        let killed = story.strike(Fault::Kill(leader, Whom::Mysqld)).await?;
        // Whoever held the appliers lets go when the primary is gone, as a long query does.
        for lock in locks {
            story.heal(lock).await?;
        }
        // Applying takes its time, and on a slow machine as long as writing did.
        let bound = SERVES_AGAIN + held;
        at_most(story.served_again(killed.at, bound).await?, bound)?;
        story.heal(killed).await?;
        story.some_more().await?;
        story.end_with_returned(leader).await?;
        Ok(())
    })
}

#[test]
fn by_ten_seconds() -> Result<()> {
    by(Duration::from_secs(10))
}

#[test]
fn nightly_by_a_minute() -> Result<()> {
    by(Duration::from_secs(60))
}
