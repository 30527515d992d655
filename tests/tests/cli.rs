//! The command line against a real cluster: tables, JSON, nodes that are down, wrong secrets.

use anyhow::Result;
use assert_cmd::Command;
use assert_cmd::assert::Assert;
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};
use xenon_testkit::{LocalCluster, Signal};
use xenon_tests::{COMES_UP, options};

fn xenoncli(cluster: &LocalCluster, config: &Path, words: &[&str]) -> Assert {
    let mut command = Command::new(&cluster.bins().xenoncli);
    command.arg("-c").arg(config).args(words).timeout(Duration::from_secs(30)).assert()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What is on standard output; `null` when that is no JSON.
fn json(assert: &Assert) -> Value {
    serde_json::from_slice(&assert.get_output().stdout).unwrap_or_default()
}

/// Formed, looked at, switched over and shrunk by nothing but the command line.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_by_hand() -> Result<()> {
    let cluster = LocalCluster::create(options(3)?)?;
    let nodes = cluster.nodes();
    let config = nodes[0].config();

    // Before anything runs.
    let down = xenoncli(&cluster, &config, &["cluster", "status"]).code(1);
    let output = down.get_output();
    assert!(text(&output.stdout).contains("UNKNOW"), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("try: start it"), "{}", text(&output.stderr));
    xenoncli(&cluster, &config, &["raft", "trytoleader"]).code(1);
    xenoncli(&cluster, &config, &["cluster", "add", "10.0.0.1"]).failure();
    xenoncli(&cluster, &config, &["cluster", "nonsense"]).code(2);

    cluster.start_agents()?;
    cluster.wait_for_agents(COMES_UP).await?;
    xenoncli(&cluster, &config, &["xenon", "ping"]).success();
    // In no cluster yet.
    xenoncli(&cluster, &config, &["cluster", "status"]).success();
    let alone = xenoncli(&cluster, &config, &["raft", "trytoleader"]).code(1);
    assert!(text(&alone.get_output().stderr).contains("try:"), "{}", text(&alone.get_output().stderr));

    let others = format!("{},{}", nodes[1].endpoint, nodes[2].endpoint);
    xenoncli(&cluster, &config, &["cluster", "add", &others]).success();
    xenoncli(&cluster, &config, &["cluster", "add", &others]).success();
    let leader = cluster.wait_all_following(2, COMES_UP).await?.value;

    let table = text(&xenoncli(&cluster, &config, &["cluster", "status"]).success().get_output().stdout);
    assert!(table.trim_end().ends_with("(3 rows)"), "{table}");
    assert_eq!(table.matches("[ALIVE] [READWRITE]").count(), 1, "{table}");
    assert_eq!(table.matches("[true/true]").count(), 3, "{table}");
    let old = json(&xenoncli(&cluster, &config, &["cluster", "status", "json"]).success());
    let old: Vec<&str> =
        old["status"].as_array().expect("a list").iter().filter_map(|s| s["raft"].as_str()).collect();
    assert_eq!(old.iter().filter(|raft| raft.ends_with("@LEADER")).count(), 1, "{old:?}");
    for words in [
        ["cluster", "gtid"],
        ["cluster", "mysql"],
        ["cluster", "raft"],
        ["cluster", "xenon"],
        ["raft", "nodes"],
    ] {
        let table = text(&xenoncli(&cluster, &config, &words).success().get_output().stdout);
        assert!(table.trim_end().ends_with("(3 rows)"), "{words:?}: {table}");
        assert!(!table.contains("UNKNOW"), "{words:?}: {table}");
        let words = [words[0], words[1], "--output", "json"];
        assert!(json(&xenoncli(&cluster, &config, &words).success()).is_object(), "{words:?}");
    }
    let raft = json(&xenoncli(&cluster, &config, &["raft", "status"]).success());
    assert_eq!(raft["leader"], nodes[leader].endpoint.as_str());
    assert_eq!(raft["nodes"].as_array().map(Vec::len), Some(3));
    let mysql = json(&xenoncli(&cluster, &config, &["mysql", "status"]).success());
    assert_eq!((&mysql["mysql_working"], &mysql["monitor"]), (&Value::Bool(true), &Value::from("ON")));

    // Handed over to a follower, which then serves.
    let target = (leader + 1) % 3;
    xenoncli(&cluster, &nodes[target].config(), &["raft", "trytoleader"]).success();
    let closed: u8 = cluster
        .admin(target)
        .await?
        .row("SELECT @@super_read_only + @@read_only", Duration::from_secs(5))
        .await?;
    assert_eq!(closed, 0, "it is open for writes when the command returns");
    cluster.wait_all_following(2, COMES_UP).await?;

    // Stopped, it stays down; started, it follows again.
    let follower = (target + 1) % 3;
    let follower_config = nodes[follower].config();
    xenoncli(&cluster, &follower_config, &["mysql", "shutdown"]).success();
    cluster
        .wait_until(Duration::from_secs(30), "the follower's mysqld is down", async || {
            cluster.status(follower).await.is_ok_and(|status| !status.mysqld.running).then_some(())
        })
        .await?;
    let table = text(&xenoncli(&cluster, &config, &["cluster", "status"]).success().get_output().stdout);
    assert!(table.contains("NOTRUNNING") && table.contains("[DEAD]"), "{table}");
    xenoncli(&cluster, &follower_config, &["mysql", "start"]).success();
    cluster.wait_all_following(2, COMES_UP).await?;

    let gone = nodes[follower].endpoint.clone();
    let removed = xenoncli(&cluster, &config, &["cluster", "remove", &gone]);
    if !removed.get_output().status.success() {
        anyhow::bail!("{}\n{}", text(&removed.get_output().stderr), cluster.picture().await);
    }
    xenoncli(&cluster, &nodes[target].config(), &["cluster", "remove", &gone]).success();
    let left = json(&xenoncli(&cluster, &nodes[target].config(), &["raft", "status"]).success());
    assert_eq!(left["nodes"].as_array().map(Vec::len), Some(2), "{left}");
    cluster.end()
}

/// A node that is down, or hangs, is told within a second; a wrong secret is told as such.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_do_not_answer_and_wrong_secrets() -> Result<()> {
    let cluster = LocalCluster::create(options(3)?)?;
    cluster.serve(COMES_UP).await?;
    let nodes = cluster.nodes();
    let config = nodes[0].config();
    let looks = |state: &str| {
        let begun = Instant::now();
        let table = text(&xenoncli(&cluster, &config, &["cluster", "status"]).success().get_output().stdout);
        let took = begun.elapsed();
        assert!(took < Duration::from_millis(1_100), "{state}: {took:?}");
        let row = table
            .lines()
            .find(|line| line.starts_with(&format!("| {}", nodes[2].endpoint)))
            .unwrap_or_default()
            .to_owned();
        assert_eq!(row.matches("UNKNOW").count(), 7, "{state}: {table}");
    };
    let agent = nodes[2].agent().expect("it runs");
    agent.signal(Signal::STOP)?;
    looks("hung");
    agent.signal(Signal::CONT)?;
    cluster.kill_agent(2)?;
    looks("killed");

    let wrong = cluster.folder().join("wrong.json");
    let good = std::fs::read_to_string(&config)?;
    let secret = cluster.accounts().secret;
    std::fs::write(&wrong, good.replace(&secret, &"x".repeat(secret.len())))?;
    xenon_tests::make_private(&wrong)?;
    let refused = xenoncli(&cluster, &wrong, &["xenon", "ping"]).code(1);
    let said = text(&refused.get_output().stderr);
    assert!(said.contains("secret"), "{said}");
    assert!(!said.contains(&secret), "a secret is never printed");
    std::fs::remove_file(&wrong)?;
    cluster.end()
}
