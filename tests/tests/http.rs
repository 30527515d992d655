//! The HTTP API of real agents: health checks, a real HAProxy that goes by them, changes asked of whichever node, events.

#[path = "http/haproxy.rs"]
mod haproxy;
#[path = "http/metrics.rs"]
mod metrics;

use anyhow::{Context, Result, ensure};
use haproxy::Haproxy;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use xenon_testkit::{LocalCluster, Signal};
use xenon_tests::http::{self, Got};
use xenon_tests::{COMES_UP, HEALS, Story, options, strike};

/// A change may wait for the leader.
const DO: Duration = Duration::from_secs(35);
/// Health checks of load balancers wait about so long. The agents answer within milliseconds; the rest is for a busy machine.
const CHECK: Duration = Duration::from_secs(1);

async fn health(cluster: &LocalCluster, node: usize, path: &str) -> Result<Got> {
    http::ask(&cluster.node(node)?, None, "GET", path, "", CHECK).await
}

async fn get(cluster: &LocalCluster, node: usize, path: &str) -> Result<Got> {
    http::ask(&cluster.node(node)?, Some(&cluster.accounts().admin), "GET", path, "", DO).await
}

async fn post(cluster: &LocalCluster, node: usize, path: &str, body: &str) -> Result<Got> {
    http::ask(&cluster.node(node)?, Some(&cluster.accounts().admin), "POST", path, body, DO).await
}

/// Waits until one node alone says that it is the primary, and gives its index.
async fn primary(cluster: &LocalCluster, bound: Duration) -> Result<usize> {
    let what = "exactly one node says that it is the primary";
    let look = async || {
        let mut found = Vec::new();
        for node in 0..cluster.nodes().len() {
            let got = health(cluster, node, "/primary").await.ok()?;
            (got.status == 200).then(|| found.push(node));
        }
        match found.as_slice() {
            [one] => Some(*one),
            _ => None,
        }
    };
    Ok(cluster.wait_until(bound, what, look).await?.value)
}

#[tokio::test(flavor = "multi_thread")]
async fn health_changes_and_events_over_http_and_haproxy_before_it() -> Result<()> {
    let mut options = options(3)?;
    options.agent_keys.push(("server".to_owned(), "enable-apis".to_owned(), true.into()));
    let (mut story, leader) = Story::begin_with(options, COMES_UP).await?;
    let cluster = &story.cluster;
    assert_eq!(primary(cluster, HEALS).await?, leader);
    let others: Vec<usize> = (0..3).filter(|node| *node != leader).collect();
    let [follower, third] = others.as_slice() else { unreachable!("three nodes") };
    let (follower, third) = (*follower, *third);
    for node in [follower, third] {
        let what = "a replica is one by its own word";
        let is_one = async || {
            let got = health(cluster, node, "/replica?lag=30s").await.ok()?;
            (got.status == 200).then_some(())
        };
        cluster.wait_until(HEALS, what, is_one).await?;
        assert_eq!(health(cluster, node, "/primary").await?.status, 503);
    }
    assert_eq!(health(cluster, leader, "/replica").await?.status, 503);
    for node in 0..3 {
        for path in ["/read-only?lag=30s", "/health", "/ready"] {
            let got = health(cluster, node, path).await?;
            assert_eq!(got.status, 200, "{path} of node{}: {}", node + 1, got.json);
        }
        assert!(cluster.status(node).await?.troubles.iter().all(|trouble| !trouble.contains("HTTP")));
    }

    looks_and_changes(cluster, leader, follower, third).await?;
    let haproxy = Haproxy::start(cluster).await?;
    metrics::of_a_quiet_cluster(cluster, leader).await?;
    switchover(&story, haproxy.as_ref(), leader, follower).await?;
    metrics::of_a_switchover(cluster, leader, follower).await?;
    let now = hang(&story, haproxy.as_ref(), follower).await?;

    // `kill -9`, with a session through HAProxy that was there before.
    let session = match &haproxy {
        Some(haproxy) => Some(haproxy.session(cluster).await?),
        None => None,
    };
    let fault = strike(cluster.mysqld(now)?, Signal::KILL)?;
    story.served_again(fault, Duration::from_secs(30)).await?;
    if let (Some(haproxy), Some(session)) = (&haproxy, session) {
        session.ends(Duration::from_secs(10)).await?;
        haproxy.serves(cluster, Duration::from_secs(30)).await?;
    }
    drop(haproxy);
    cluster.wait_all_following(2, HEALS).await?;
    let now = primary(cluster, HEALS).await?;
    story.old_primary_has_no_agent();
    stopped_agent(&story, now).await?;
    story.end_with_rewound(now).await?;
    Ok(())
}

/// Whichever node is asked, the right one does it.
async fn looks_and_changes(
    cluster: &LocalCluster,
    leader: usize,
    follower: usize,
    third: usize,
) -> Result<()> {
    let names: Vec<String> = cluster.nodes().into_iter().map(|node| node.endpoint).collect();
    let nobody = http::ask(&cluster.node(follower)?, None, "POST", "/api/v1/pause", "", DO).await?;
    assert_eq!(nobody.status, 401);
    let whole = get(cluster, follower, "/api/v1/cluster").await?;
    ensure!(whole.took < Duration::from_secs(3), "{:?}", whole.took);
    let nodes = whole.json["nodes"].as_array().context("nodes")?;
    assert_eq!(nodes.len(), 3);
    assert!(
        nodes.iter().all(|node| node["error"].is_null() && node["status"]["view_id"].is_u64()),
        "{nodes:?}"
    );

    let mut events = http::events(&cluster.node(leader)?, &cluster.accounts().admin).await?;
    let paused = post(cluster, follower, "/api/v1/pause", "").await?;
    assert_eq!(
        (paused.status, &paused.json["node"]),
        (200, &names[leader].as_str().into()),
        "{}",
        paused.json
    );
    // Told at the leader, with who asked whom.
    let told = http::read_until(&mut events, "cluster pause, asked by root (http 127.", DO).await?;
    assert!(told.contains("\nid: ") && told.contains("text/event-stream"), "{told}");
    assert_eq!(primary(cluster, HEALS).await?, leader, "a pause closes nothing");
    let resumed = post(cluster, third, "/api/v1/resume", "{}").await?;
    assert_eq!(resumed.status, 200, "{}", resumed.json);
    http::read_until(&mut events, "cluster resume", DO).await?;

    let status = get(cluster, follower, &format!("/api/v1/nodes/{}/status", names[third])).await?;
    assert_eq!(status.json["id"], names[third].as_str());
    let monitor = format!("/api/v1/nodes/{}/monitor", names[third]);
    let monitor = post(cluster, follower, &monitor, r#"{"on":true}"#).await?;
    assert_eq!(monitor.json["node"], names[third].as_str(), "{}", monitor.json);
    let stranger = get(cluster, follower, "/api/v1/nodes/127.0.0.1:1/status").await?;
    assert_eq!(stranger.status, 404, "{}", stranger.json);
    let rebuild = format!("/api/v1/nodes/{}/rebuild", names[leader]);
    let refused = post(cluster, follower, &rebuild, r#"{"dry_run":true}"#).await?;
    assert_eq!(refused.status, 409, "a leader is never rebuilt: {}", refused.json);

    // As users' scripts of the Go tool do.
    let raft = get(cluster, third, "/v1/raft/status").await?;
    assert_eq!(raft.json["leader"], names[leader].as_str());
    let again = format!(r#"{{"address":"{}"}}"#, names.join(","));
    assert_eq!(post(cluster, third, "/v1/cluster/add", &again).await?.status, 200);
    assert_eq!(get(cluster, third, "/v1/xenon/ping").await?.status, 200);
    Ok(())
}

/// A planned switchover to `target`, asked of the target itself.
async fn switchover(story: &Story, haproxy: Option<&Haproxy>, old: usize, target: usize) -> Result<()> {
    let cluster = &story.cluster;
    let body = format!(r#"{{"target":"{}","dry_run":true}}"#, cluster.node(target)?.endpoint);
    let plan = post(cluster, target, "/api/v1/switchover", &body).await?;
    assert!(plan.status == 200 && plan.json["steps"].is_array(), "{}", plan.json);
    let session = match haproxy {
        Some(haproxy) => Some(haproxy.session(cluster).await?),
        None => None,
    };
    let body = format!(r#"{{"target":"{}","wait_ms":10000}}"#, cluster.node(target)?.endpoint);
    let begun = Instant::now();
    let answer = post(cluster, target, "/api/v1/switchover", &body).await?;
    assert_eq!(answer.status, 200, "{}", answer.json);
    let old = cluster.node(old)?;
    while health(cluster, target, "/primary").await?.status != 200 {
        ensure!(begun.elapsed() < HEALS, "the target does not become the primary");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Never two at once.
    let after = http::ask(&old, None, "GET", "/primary", "", CHECK).await?;
    assert_eq!(after.status, 503, "{}", after.json);
    story.taken_over(begun, Duration::from_secs(20)).await?;
    assert_eq!(primary(cluster, HEALS).await?, target);
    if let (Some(haproxy), Some(session)) = (haproxy, session) {
        session.ends(Duration::from_secs(10)).await?;
        haproxy.serves(cluster, Duration::from_secs(20)).await?;
    }
    Ok(())
}

/// The primary's mysqld hangs: health checks are answered all the same, and truly. Gives the new primary.
async fn hang(story: &Story, haproxy: Option<&Haproxy>, leader: usize) -> Result<usize> {
    let cluster = &story.cluster;
    let session = match haproxy {
        Some(haproxy) => Some(haproxy.session(cluster).await?),
        None => None,
    };
    let mysqld = cluster.mysqld(leader)?;
    let fault = strike(mysqld, Signal::STOP)?;
    let (mut longest, mut sum, mut count) = (Duration::ZERO, Duration::ZERO, 0u32);
    let mut closed = false;
    while !(closed && mysqld_is_known_to_hang(cluster, leader).await?) {
        ensure!(fault.elapsed() < Duration::from_secs(30), "the hung node still calls itself the primary");
        let got = health(cluster, leader, "/primary").await?;
        ensure!(got.status == 503 || !closed, "the primary again while its mysqld hangs: {}", got.json);
        closed = got.status == 503;
        (longest, sum, count) = (longest.max(got.took), sum + got.took, count + 1);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    println!("while mysqld hung: {count} checks, mean {:?}, longest {longest:?}", sum / count);
    story.served_again(fault, Duration::from_secs(30)).await?;
    let now = primary(cluster, HEALS).await?;
    assert_ne!(now, leader);
    if let (Some(haproxy), Some(session)) = (haproxy, session) {
        // Its server would never say a word again.
        session.ends(Duration::from_secs(10)).await?;
        haproxy.serves(cluster, Duration::from_secs(20)).await?;
    }
    // Its agent may have ended it already.
    if mysqld.is_alive() {
        strike(mysqld, Signal::CONT)?;
    }
    story.some_more().await?;
    cluster.wait_all_following(2, HEALS).await?;
    Ok(now)
}

/// The primary's agent is stopped for longer than its lease. The first thing that it says afterwards, to a check that has
/// waited for it, is not what it knew before.
async fn stopped_agent(story: &Story, leader: usize) -> Result<()> {
    let node = story.cluster.node(leader)?;
    let agent = node.agent().context("its agent runs")?;
    let mut waiting = Vec::new();
    for _ in 0..20 {
        // Accepted before, so that nothing but the answer is left to do.
        let mut stream = TcpStream::connect(node.http()).await?;
        stream.write_all(b"GET /primary HTTP/1.1\r\nHost: x\r\n\r\n").await?;
        http::read_until(&mut stream, "\"why\"", CHECK).await?;
        waiting.push(stream);
    }
    let stopped = strike(agent, Signal::STOP)?;
    for stream in &mut waiting {
        stream.write_all(b"GET /primary HTTP/1.1\r\nHost: x\r\n\r\n").await?;
    }
    story.served_again(stopped, Duration::from_secs(30)).await?;
    primary_but(&story.cluster, leader).await?;
    strike(agent, Signal::CONT)?;
    for stream in &mut waiting {
        let told = http::read_until(stream, "\"why\"", Duration::from_secs(10)).await?;
        assert!(told.contains(" 503 "), "{told}");
    }
    Ok(())
}

/// Waits until another node says that it is the primary.
async fn primary_but(cluster: &LocalCluster, old: usize) -> Result<()> {
    let what = "another node says that it is the primary";
    let look = async || {
        for node in (0..cluster.nodes().len()).filter(|node| *node != old) {
            if health(cluster, node, "/primary").await.ok()?.status == 200 {
                return Some(());
            }
        }
        None
    };
    cluster.wait_until(HEALS, what, look).await.map(drop)
}

async fn mysqld_is_known_to_hang(cluster: &LocalCluster, node: usize) -> Result<bool> {
    Ok(health(cluster, node, "/health").await?.status == 503)
}

/// keepalived itself reads the sample; what it does not understand it tells.
#[test]
fn keepalived_understands_the_sample() -> Result<()> {
    let program = std::path::Path::new("/usr/sbin/keepalived");
    if !program.is_file() {
        println!("skipped: keepalived is not installed here");
        return Ok(());
    }
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/samples/keepalived.conf");
    // Some versions end with a signal to their own process group after this check, so only their words count.
    let told = |file: &std::path::Path| -> Result<String> {
        use std::os::unix::process::CommandExt;
        let mut command = std::process::Command::new(program);
        command.args(["--config-test", "--log-console", "--use-file"]).arg(file).process_group(0);
        let output = command.output()?;
        Ok(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
    };
    let broken = tempfile::NamedTempFile::new()?;
    std::fs::write(broken.path(), std::fs::read_to_string(sample)?.replace("fall 1", "falls 1"))?;
    ensure!(told(broken.path())?.contains("falls"), "keepalived tells nothing of a mistake");
    assert_eq!(told(std::path::Path::new(sample))?, "");
    Ok(())
}
