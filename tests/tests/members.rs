//! A fourth node comes in while clients write, and one goes.

use anyhow::{Result, anyhow, bail};
use std::time::{Duration, Instant};
use xenon_api::{NodeStatus, Reply, Request};
use xenon_election::{NodeId, Standing};
use xenon_testkit::Signal;
use xenon_tests::{HEALS, Story, strike};

#[tokio::test(flavor = "multi_thread")]
async fn a_fourth_node_is_added_and_one_removed() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    let fourth = story.cluster.add_node()?;
    story.cluster.start_agent(fourth)?;
    story.cluster.wait_for_agents(HEALS).await?;
    let id = story.cluster.node(fourth)?.id();
    ask_leader(&story, Request::ClusterAdd { nodes: vec![id.clone()], idle: false }).await?;
    story
        .cluster
        .wait_until(HEALS, "the fourth node votes, and all know", async || {
            let statuses = story.cluster.statuses().await;
            statuses.iter().all(|status| status.as_ref().is_some_and(|s| votes(s, &id))).then_some(())
        })
        .await?;
    story.cluster.wait_all_following(3, HEALS).await?;
    story.some_more().await?;
    // Repeating it is harmless.
    ask_leader(&story, Request::ClusterAdd { nodes: vec![id.clone()], idle: false }).await?;

    let gone = (0..3).find(|index| *index != leader).ok_or_else(|| anyhow!("a follower"))?;
    let gone_id = story.cluster.node(gone)?.id();
    ask_leader(&story, Request::ClusterRemove { nodes: vec![gone_id.clone()] }).await?;
    story
        .cluster
        .wait_until(HEALS, "the removed node is a member for nobody who stays", async || {
            let statuses = story.cluster.statuses().await;
            let knows = |status: &NodeStatus| status.members.iter().any(|member| member.id == gone_id);
            let stay = statuses.iter().enumerate().filter(|(index, _)| *index != gone);
            stay.into_iter().all(|(_, status)| status.as_ref().is_some_and(|s| !knows(s))).then_some(())
        })
        .await?;
    // Its host is switched off.
    let mysqld = story.cluster.mysqld(gone)?;
    story.cluster.kill_agent(gone)?;
    strike(mysqld, Signal::KILL)?;
    story.some_more().await?;
    story.end(2, vec![gone]).await?;
    Ok(())
}

fn votes(status: &NodeStatus, id: &NodeId) -> bool {
    status.members.iter().any(|member| member.id == *id && member.standing == Standing::Voter)
}

/// As `xenoncli` does: again, while the answer is "not right now".
async fn ask_leader(story: &Story, request: Request) -> Result<()> {
    let leader = story.cluster.wait_for_leader(Duration::from_secs(10)).await?.value;
    let endpoint = story.cluster.node(leader)?.endpoint;
    let until = Instant::now() + HEALS;
    loop {
        match story.cluster.caller().call(&endpoint, request.clone(), Duration::from_secs(30)).await? {
            Reply::Ok(_) => return Ok(()),
            Reply::Refused(refusal) if refusal.is_for_the_moment() && Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Reply::Refused(refusal) => bail!("{refusal}\n{}", story.cluster.picture().await),
        }
    }
}
