//! Any two processes are killed at the same moment. What two deaths leave of three nodes is a majority as soon as the agents
//! that died are started again, which something on their hosts does (systemd; here the test).

use anyhow::Result;
use std::time::{Duration, Instant};
use xenon_testkit::{Fault, Whom};
use xenon_tests::{HEALS, SERVES_AGAIN, Story, at_most, on_hosts};

/// A process, as seen from the primary: 0 is its own node, 1 and 2 are the replicas.
type Victim = (usize, Whom);

fn die(victims: [Victim; 2]) -> Result<()> {
    on_hosts(3, async move |mut story, leader| {
        let fault = Instant::now();
        let mut struck = Vec::new();
        for (node, whom) in victims {
            struck.push(story.strike(Fault::Kill((leader + node) % 3, whom)).await?);
        }
        if victims.contains(&(0, Whom::Agent)) {
            // For the moment in which nobody watches it.
            story.old_primary_has_no_agent();
        }
        for struck in struck {
            story.heal(struck).await?;
        }
        let gap = served(&story, fault).await?;
        println!("served {:.1} ms after the deaths", gap.as_secs_f64() * 1e3);
        at_most(gap, SERVES_AGAIN)?;
        story.some_more().await?;
        story.end_with_returned(leader).await?;
        Ok(())
    })
}

/// Until the client is served by whoever leads when the dust has settled.
async fn served(story: &Story, fault: Instant) -> Result<Duration> {
    let gap = story.served_again(fault, SERVES_AGAIN).await?;
    story.cluster.wait_for_leader(HEALS).await?;
    Ok(gap)
}

#[test]
fn primary_and_replica() -> Result<()> {
    die([(0, Whom::Mysqld), (1, Whom::Mysqld)])
}

#[test]
fn nightly_both_replicas() -> Result<()> {
    die([(1, Whom::Mysqld), (2, Whom::Mysqld)])
}

#[test]
fn nightly_primary_and_the_agent_of_a_replica() -> Result<()> {
    die([(0, Whom::Mysqld), (1, Whom::Agent)])
}

#[test]
fn the_agent_of_the_primary_and_a_replica() -> Result<()> {
    die([(0, Whom::Agent), (1, Whom::Mysqld)])
}

#[test]
fn two_agents() -> Result<()> {
    die([(0, Whom::Agent), (1, Whom::Agent)])
}

#[test]
fn nightly_the_agents_of_both_replicas() -> Result<()> {
    die([(1, Whom::Agent), (2, Whom::Agent)])
}
