//! From the Go tool: its files as people have them, its servers as it leaves them, and our agents in the place of its own.

use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use xenon_testkit::{LocalCluster, Node, Sql};
use xenon_tests::{Story, options};

/// A server is up within this.
const UP: Duration = Duration::from_secs(60);
/// One statement.
const SHORT: Duration = Duration::from_secs(10);
/// The others take over within this.
const ADOPTED: Duration = Duration::from_secs(30);

/// As people write them: comments, tabs, words and keys of old, no secret, a relative folder; what makes the server writable
/// stands among the variables.
fn xenon_json(cluster: &LocalCluster, node: &Node, user: &str) -> String {
    let accounts = cluster.accounts();
    format!(
        r#"{{
	"server": {{
		"endpoint": "{endpoint}" // this host
	}},
	"raft": {{
		"meta-datadir": "raft.meta",
		"heartbeat-timeout": 200,
		"election-timeout": 1000,
		"admit-defeat-hearbeat-count": 5,
		"candidate-wait-for-2nodes": 60000,
		"leader-start-command": "echo start >> hooks",
		"leader-stop-command": "echo stop >> hooks"
	}},
	"mysql": {{
		"admin": "{admin}",
		"passwd": "{password}",
		"host": "{address}",
		"port": {port},
		"version": "mysql57",
		"basedir": "{basedir}",
		"defaults-file": "{defaults}",{user}
		"ping-timeout": 1000,
		"master-sysvars": "super_read_only=0;read_only=0;sync_binlog=default",
		"slave-sysvars": "super_read_only=1;read_only=1;sync_binlog=1"
	}},
	"replication": {{ "user": "{repl}", "passwd": "{repl_password}" }},
	"backup": {{
		"ssh-host": "{address}", // not needed any more
		"ssh-user": "mysql",
		"ssh-passwd": "nobody-reads-this",
		"ssh-port": 22,
		"backupdir": "{data}",
		"xtrabackup-bindir": "/usr/bin",
		"backup-iops-limits": 100000,
		"backup-use-memory": "1GB",
		"backup-parallel": 2
	}},
	"rpc": {{ "request-timeout": 500 }},
	"log": {{ "level": "INFO" }}
}}
"#,
        endpoint = node.endpoint,
        admin = accounts.admin.user,
        password = accounts.admin.password,
        address = node.address,
        port = node.mysql_port,
        basedir = cluster.base().dir.display(),
        defaults = node.defaults_file().display(),
        repl = accounts.replication.user,
        repl_password = accounts.replication.password,
        data = node.data().display(),
    )
}

/// The Go tool's member list, where it keeps it.
fn peers_json(nodes: &[Node]) -> String {
    let peers: Vec<String> = nodes.iter().map(|node| format!("\"{}\"", node.endpoint)).collect();
    format!(r#"{{"ViewID":16,"EpochID":2,"Peers":[{}],"IdlePeers":[]}}"#, peers.join(","))
}

/// A server as somebody else started it: no argument of ours, semi-sync from the option file.
fn start_mysqld(cluster: &LocalCluster, node: &Node) -> Result<Child> {
    let mut command = Command::new(&cluster.base().mysqld);
    command.arg(format!("--defaults-file={}", node.defaults_file().display()));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().with_context(|| format!("the mysqld of {}", node.name))
}

async fn connected(cluster: &LocalCluster, index: usize) -> Result<Sql> {
    let what = format!("the server of node{} is up", index + 1);
    Ok(cluster.wait_until(UP, &what, async || cluster.admin(index).await.ok()).await?.value)
}

/// What the Go tool leaves behind: the first server open, with semi-sync; the others read-only below it.
async fn as_the_go_tool_leaves_it(cluster: &LocalCluster) -> Result<()> {
    let nodes = cluster.nodes();
    let source = nodes.first().context("a node")?;
    let accounts = cluster.accounts();
    let repl = &accounts.replication;
    for index in 0..nodes.len() {
        let mut sql = connected(cluster, index).await?;
        // The account is on each server, and in no binlog.
        sql.run("SET sql_log_bin = 0", SHORT).await?;
        sql.run("SET GLOBAL super_read_only = 0", SHORT).await?;
        let create = format!("CREATE USER '{}'@'%' IDENTIFIED BY '{}'", repl.user, repl.password);
        sql.run(&create, SHORT).await?;
        sql.run(&format!("GRANT REPLICATION SLAVE ON *.* TO '{}'@'%'", repl.user), SHORT).await?;
        if index == 0 {
            sql.run("SET sql_log_bin = 1", SHORT).await?;
            sql.run("SET GLOBAL read_only = 0, GLOBAL rpl_semi_sync_source_enabled = 1", SHORT).await?;
            continue;
        }
        sql.run("SET GLOBAL super_read_only = 1, GLOBAL rpl_semi_sync_replica_enabled = 1", SHORT).await?;
        let change = format!(
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{}', SOURCE_PORT = {}, SOURCE_USER = '{}', SOURCE_PASSWORD = '{}', \
             SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1",
            source.address, source.mysql_port, repl.user, repl.password
        );
        sql.run(&change, SHORT).await?;
        sql.run("START REPLICA", SHORT).await?;
    }
    let mut sql = cluster.admin(0).await?;
    sql.run("CREATE DATABASE IF NOT EXISTS app", SHORT).await?;
    sql.run("CREATE TABLE app.kept (a INT PRIMARY KEY)", SHORT).await?;
    sql.run("INSERT INTO app.kept VALUES (1), (2), (3)", SHORT).await
}

/// The server's name for itself, and how many rows it has.
async fn facts(cluster: &LocalCluster, index: usize) -> Result<(String, u64)> {
    let sql = "SELECT @@server_uuid, (SELECT COUNT(*) FROM app.kept)";
    cluster.admin(index).await?.row(sql, SHORT).await
}

fn written(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text)?;
    xenon_tests::make_private(path)
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_servers_of_the_go_tool_become_one_cluster() -> Result<()> {
    let mut wanted = options(3)?;
    wanted.without_secret = true;
    wanted.server_lines = vec![
        "plugin-load-add=semisync_source.so".to_owned(),
        "plugin-load-add=semisync_replica.so".to_owned(),
        "loose-rpl_semi_sync_source_timeout=1000000000000000000".to_owned(),
    ];
    let cluster = LocalCluster::create(wanted)?;
    let nodes = cluster.nodes();
    let root = rustix::process::geteuid().is_root();
    let user = if root { "\n\t\t\"user\": \"root\"," } else { "" };
    for node in &nodes {
        written(&node.config(), &xenon_json(&cluster, node, user))?;
        let meta = node.folder.join("raft.meta");
        std::fs::create_dir(&meta)?;
        std::fs::write(meta.join("peers.json"), peers_json(&nodes))?;
    }
    for node in &nodes {
        // Nobody's child for long: the cluster reaps servers.
        drop(start_mysqld(&cluster, node)?);
    }
    as_the_go_tool_leaves_it(&cluster).await?;
    let replicated = async || {
        let mut all = Vec::new();
        for index in 0..nodes.len() {
            all.push(facts(&cluster, index).await.ok()?);
        }
        all.iter().all(|(_, rows)| *rows == 3).then_some(all)
    };
    let before = cluster.wait_until(SHORT, "the replicas have it", replicated).await?.value;
    let processes = (0..3).map(|index| cluster.mysqld(index)).collect::<Result<Vec<_>>>()?;

    // The primary's agent first. It cannot know that nobody else leads, so it closes its server; the others make it a majority.
    let begun = Instant::now();
    cluster.start_agent(0)?;
    let closed = async || {
        let mut sql = cluster.admin(0).await.ok()?;
        let (closed,) = sql.row::<(u8,)>("SELECT @@super_read_only", SHORT).await.ok()?;
        (closed == 1).then_some(())
    };
    cluster.wait_until(UP, "it closes its server until it knows who leads", closed).await?;
    cluster.start_agent(1)?;
    cluster.start_agent(2)?;
    let leader = cluster.wait_all_following(2, ADOPTED).await?.value;
    println!("one cluster after {:.1} s", begun.elapsed().as_secs_f64());

    let statuses = cluster.statuses().await;
    let statuses: Vec<_> = statuses.into_iter().flatten().collect();
    ensure!(statuses.len() == 3, "all agents answer");
    for status in &statuses {
        ensure!(status.cluster.is_some() && status.cluster == statuses[0].cluster, "one cluster: {status:?}");
        ensure!(status.members.len() == 3 && status.errant.is_empty(), "{status:?}");
    }
    for (index, (uuid, _)) in before.iter().enumerate() {
        let (now, rows) = facts(&cluster, index).await?;
        ensure!(now == *uuid && rows == 3, "node{}: {now}, {rows} rows", index + 1);
        ensure!(processes[index].is_alive(), "mysqld of node{} was ended", index + 1);
        let peers = nodes[index].folder.join("raft.meta/peers.json");
        ensure!(std::fs::read_to_string(peers)? == peers_json(&nodes), "peers.json is left alone");
    }
    let hooks = std::fs::read_to_string(nodes[leader].folder.join("hooks"))?;
    ensure!(hooks.trim_end().ends_with("start"), "the leader's start command has run last: {hooks}");

    // And it is a cluster like any other.
    Story::of(cluster).await?.end(2, Vec::new()).await?;
    Ok(())
}
