//! A planned switchover: nobody loses a row, and a client hardly sees it.

use anyhow::{Context, Result, bail, ensure};
use std::time::{Duration, Instant};
use xenon_api::{Reply, Request, Response, SwitchoverPlan};
use xenon_testkit::Signal;
use xenon_tests::{SERVES_AGAIN, Story, at_most};

const SHORT: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn leadership_is_handed_over_and_back() -> Result<()> {
    let (story, first) = Story::begin(3).await?;
    let mut leader = first;
    for target in [(first + 1) % 3, (first + 2) % 3, first] {
        let begun = hand_over(&story, leader, target).await?;
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

/// Asks as `xenoncli` does: again, while the answer is "not right now" (the target may be a few transactions behind). Gives
/// when it was asked last.
async fn hand_over(story: &Story, leader: usize, target: usize) -> Result<Instant> {
    let (leader, target) = (story.cluster.node(leader)?, story.cluster.node(target)?);
    let until = Instant::now() + SHORT;
    loop {
        let request = Request::HandOver { target: Some(target.id()) };
        let asked = Instant::now();
        match story.cluster.caller().call(&leader.endpoint, request, SHORT).await? {
            Reply::Ok(_) => return Ok(asked),
            Reply::Refused(refusal) if refusal.is_for_the_moment() && asked < until => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Reply::Refused(refusal) => bail!("{refusal}"),
        }
    }
}

async fn switchover(story: &Story, leader: usize, target: usize, wait_ms: u64) -> Result<Reply> {
    let (leader, target) = (story.cluster.node(leader)?, story.cluster.node(target)?);
    let request = Request::Switchover { target: Some(target.id()), dry_run: false, wait_ms };
    story.cluster.caller().call(&leader.endpoint, request, SHORT).await
}

async fn dry_run(story: &Story, leader: usize) -> Result<SwitchoverPlan> {
    let request = Request::Switchover { target: None, dry_run: true, wait_ms: 0 };
    let endpoint = story.cluster.node(leader)?.endpoint;
    match story.cluster.caller().demand(&endpoint, request, SHORT).await? {
        Response::Switchover(plan) => Ok(plan),
        other => bail!("{other:?}"),
    }
}

/// Where the servers of all nodes but one get their transactions from.
async fn sources(story: &Story, but: usize) -> Result<Vec<String>> {
    let mut sources = Vec::new();
    for node in (0..story.cluster.nodes().len()).filter(|node| *node != but) {
        let sql = "SELECT CONCAT(c.HOST, ':', c.PORT, ' ', s.SERVICE_STATE) \
                   FROM performance_schema.replication_connection_configuration AS c \
                   JOIN performance_schema.replication_connection_status AS s USING (CHANNEL_NAME)";
        sources.push(story.cluster.admin(node).await?.row::<(String,)>(sql, SHORT).await?.0);
    }
    Ok(sources)
}

fn refusal(reply: Reply) -> Result<String> {
    match reply {
        Reply::Refused(refusal) => Ok(refusal.to_string()),
        Reply::Ok(other) => bail!("not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_is_told_and_waited_for() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    let target = (leader + 1) % 3;
    let before = sources(&story, leader).await?;
    let plan = dry_run(&story, leader).await?;
    ensure!(plan.hindrances.is_empty() && plan.steps.len() >= 4, "{plan:?}");

    // A transaction that has changed something, and whose COMMIT would be refused.
    let mut client = story.cluster.admin(leader).await?;
    client.run("CREATE TABLE app.in_the_way (a INT PRIMARY KEY)", SHORT).await?;
    client.run("BEGIN", SHORT).await?;
    client.run("INSERT INTO app.in_the_way VALUES (1)", SHORT).await?;
    let what = "the open transaction is seen";
    let seen = async || {
        // INNODB_TRX is renewed only when nobody has read it for a tenth of a second.
        tokio::time::sleep(Duration::from_millis(250)).await;
        dry_run(&story, leader).await.ok().filter(|plan| !plan.hindrances.is_empty())
    };
    let plan = story.cluster.wait_until(SHORT, what, seen).await?.value;
    ensure!(plan.hindrances[0].contains("has changed 1 row(s)"), "{plan:?}");
    let said = refusal(switchover(&story, leader, target, 0).await?)?;
    ensure!(said.contains("has changed 1 row(s)") && said.contains("KILL"), "{said}");
    client.run("COMMIT", SHORT).await?;

    client.run("LOCK TABLES app.in_the_way WRITE", SHORT).await?;
    let said = refusal(switchover(&story, leader, target, 0).await?)?;
    ensure!(said.contains("LOCK TABLES"), "{said}");
    ensure!(sources(&story, leader).await? == before, "a refused switchover has changed something");

    // Without that look it begins, cannot close writes within its bound, and is given up: the others are back where they were.
    let begun = hand_over(&story, leader, target).await?;
    story.event(leader, "given up", begun, SHORT).await?;
    let what = "the replicas hang below the old primary again";
    let back = async || (sources(&story, leader).await.ok()? == before).then_some(());
    story.cluster.wait_until(SHORT, what, back).await?;
    story.some_more().await?;

    // With patience it begins when the way is free.
    let (reply, freed) = tokio::join!(switchover(&story, leader, target, 8_000), async {
        tokio::time::sleep(Duration::from_millis(600)).await;
        client.run("UNLOCK TABLES", SHORT).await
    });
    freed?;
    ensure!(matches!(reply?, Reply::Ok(Response::Done { .. })));
    at_most(story.taken_over(begun, SERVES_AGAIN).await?, SERVES_AGAIN)?;
    story.end(2, Vec::new()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_target_or_the_old_primarys_agent_dies_meanwhile() -> Result<()> {
    let (mut story, mut leader) = Story::begin(3).await?;
    // At moments from "the third node is being pointed at it" to "it has opened".
    for (kills_target, after_ms) in [(true, 100), (false, 205)] {
        let target = (leader + 1) % 3;
        let begun = hand_over(&story, leader, target).await?;
        tokio::time::sleep(Duration::from_millis(after_ms)).await;
        if kills_target {
            story.cluster.mysqld(target)?.signal(Signal::KILL)?;
        } else {
            story.old_primary_has_no_agent();
            story.cluster.kill_agent(leader)?;
            story.cluster.start_agent(leader)?;
        }
        at_most(story.served_again(begun, SERVES_AGAIN).await?, SERVES_AGAIN)?;
        leader = story.cluster.wait_all_following(2, xenon_tests::HEALS).await?.value;
        story.some_more().await?;
    }
    story.end(2, Vec::new()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nightly_killed_at_every_moment() -> Result<()> {
    let (mut story, mut leader) = Story::begin(3).await?;
    story.old_primary_has_no_agent();
    for after_ms in [0, 50, 150, 200, 210, 220, 230, 250, 300] {
        for kills_target in [true, false] {
            let target = (leader + 1) % 3;
            let begun = hand_over(&story, leader, target).await?;
            tokio::time::sleep(Duration::from_millis(after_ms)).await;
            if kills_target {
                story.cluster.mysqld(target)?.signal(Signal::KILL)?;
            } else {
                story.cluster.kill_agent(leader)?;
                story.cluster.start_agent(leader)?;
            }
            at_most(story.served_again(begun, SERVES_AGAIN).await?, SERVES_AGAIN)?;
            leader = story.cluster.wait_all_following(2, xenon_tests::HEALS).await?.value;
            story.some_more().await?;
        }
    }
    story.end(2, Vec::new()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nightly_with_the_third_node_down() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    let (target, third) = ((leader + 1) % 3, (leader + 2) % 3);
    story.cluster.kill_agent(third)?;
    story.cluster.mysqld(third)?.signal(Signal::KILL)?;
    let begun = hand_over(&story, leader, target).await?;
    at_most(story.taken_over(begun, SERVES_AGAIN).await?, SERVES_AGAIN)?;
    story.cluster.start_agent(third)?;
    story.end(2, Vec::new()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nightly_beside_64_clients() -> Result<()> {
    let (mut story, leader) = Story::begin(3).await?;
    story.add_clients(64).await?;
    let begun = hand_over(&story, leader, (leader + 1) % 3).await?;
    at_most(story.taken_over(begun, SERVES_AGAIN).await?, SERVES_AGAIN)?;
    story.end(2, Vec::new()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nightly_of_five() -> Result<()> {
    let (story, leader) = Story::begin(5).await?;
    let plan = dry_run(&story, leader).await?;
    let beforehand = plan.steps.iter().filter(|step| step.contains("beforehand")).count();
    // W is 2: the target and one more acknowledge to the old primary until the end.
    ensure!(beforehand == 2, "{plan:?}");
    let target =
        story.cluster.nodes().iter().position(|node| node.id() == plan.target).context("the target")?;
    let begun = hand_over(&story, leader, target).await?;
    at_most(story.taken_over(begun, SERVES_AGAIN).await?, SERVES_AGAIN)?;
    story.end(4, Vec::new()).await?;
    Ok(())
}
