//! L6: clients that hold every connection, the one kept back for administrators included, neither blind the agent nor
//! depose it; and when somebody else leads, they do not keep the old primary open.

use anyhow::{Result, ensure};
use std::io::Write;
use std::time::{Duration, Instant};
use xenon_api::Request;
use xenon_testkit::{LocalCluster, Sql};
use xenon_tests::{COMES_UP, HEALS, SERVES_AGAIN, Story, options};

const SEEN: Duration = Duration::from_secs(30);
const STATEMENT: Duration = Duration::from_secs(5);
/// The sessions of a killed client are gone within this.
const FREED: Duration = Duration::from_secs(3);
/// More than these are not tried.
const MANY: usize = 100;

/// As an administrator, so that the last one is taken, too.
async fn take_all(cluster: &LocalCluster, node: usize) -> Result<Vec<Sql>> {
    let mut held = Vec::new();
    for _ in 0..MANY {
        match cluster.admin(node).await {
            Ok(sql) => held.push(sql),
            Err(error) => {
                ensure!(format!("{error:#}").contains("1040"), "turned away for another reason: {error:#}");
                return Ok(held);
            }
        }
    }
    anyhow::bail!("{MANY} connections, and more are to be had")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_whose_sessions_were_ended_comes_in_by_the_administrative_door() -> Result<()> {
    let mut options = options(3)?;
    options.server_lines.push("max-connections=40".to_owned());
    let cluster = LocalCluster::create(options)?;
    for node in cluster.nodes() {
        let mut file = std::fs::File::options().append(true).open(node.defaults_file())?;
        writeln!(file, "admin-address={}\nadmin-port={}", node.address, node.mysql_port + 1)?;
    }
    let leader = cluster.serve(COMES_UP).await?;
    let term = cluster.status(leader).await?.view_id;
    let held = take_all(&cluster, leader).await?;
    // Its own sessions are ended, as after a timeout: it has to come in anew.
    let mut killer = held;
    let own: Vec<u64> = match killer.last_mut() {
        Some(sql) => {
            sql.rows(
                "SELECT DISTINCT processlist_id FROM performance_schema.session_connect_attrs \
                 WHERE attr_name = 'program_name' AND attr_value = 'xenon'",
                STATEMENT,
            )
            .await?
        }
        None => Vec::new(),
    };
    ensure!(!own.is_empty(), "the agent has sessions");
    for id in own {
        if let Some(sql) = killer.last_mut() {
            // One that has ended meanwhile is what is wanted.
            let _ = sql.run(&format!("KILL {id}"), STATEMENT).await;
        }
        // Whoever is quicker gets the place.
        if let Ok(sql) = cluster.admin(leader).await {
            killer.push(sql);
        }
    }
    let at = Instant::now();
    let looks = async || {
        let status = cluster.status(leader).await.ok()?;
        (at.elapsed() > Duration::from_secs(8) && status.mysql.alive && status.troubles.is_empty())
            .then_some(())
    };
    cluster.wait_until(SEEN, "the agent looks at its server all the same", looks).await?;
    let status = cluster.status(leader).await?;
    ensure!(status.state == "LEADER" && status.view_id == term, "nobody was deposed: {status:?}");
    // It can do more than look: leadership is handed over, and what clients hold is taken from them.
    let endpoint = cluster.node(leader)?.endpoint;
    cluster.caller().demand(&endpoint, Request::HandOver { target: None }, HEALS).await?;
    let other = async || cluster.followed_by(2).await.filter(|now| *now != leader);
    cluster.wait_until(HEALS, "another node leads, and the old one follows", other).await?;
    drop(killer);
    cluster.end()
}

#[tokio::test(flavor = "multi_thread")]
async fn nightly_an_old_primary_into_which_nobody_can_look_is_ended() -> Result<()> {
    let mut options = options(3)?;
    options.server_lines.push("max-connections=40".to_owned());
    let (mut story, leader) = Story::begin_with(options, COMES_UP).await?;
    let mysqld = story.cluster.mysqld(leader)?;
    let mut held = take_all(&story.cluster, leader).await?;
    story.cluster.kill_agent(leader)?;
    // The places of its sessions are taken, too, as the server gives them free.
    let gone = Instant::now();
    while gone.elapsed() < FREED {
        held.extend(take_all(&story.cluster, leader).await?);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Nor can the next one close it before it has tried for some seconds. Nobody acknowledges its commits meanwhile.
    story.old_primary_has_no_agent();
    let at = Instant::now();
    story.served_again(at, SERVES_AGAIN).await?;
    story.cluster.start_agent(leader)?;
    story.trouble(leader, "no free connection", at, SEEN).await?;
    story.event(leader, "its clients have taken every connection", at, SEEN).await?;
    ensure!(mysqld.wait_dead(Duration::from_secs(10)), "it might have been open");
    drop(held);
    story.end_with_returned(leader).await?;
    Ok(())
}
