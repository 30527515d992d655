//! The real HAProxy with docs/samples/haproxy.cfg, its addresses put in.

use anyhow::{Context, Result, bail, ensure};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use xenon_testkit::{LocalCluster, Node, Sql};

const STATEMENT: Duration = Duration::from_secs(20);

pub(crate) struct Haproxy {
    child: Child,
    /// What a client takes for the primary.
    front: Node,
}

/// A client's session that was there before something happened.
pub(crate) struct Session(Sql);

impl Haproxy {
    /// `None` when it is not installed.
    pub(crate) async fn start(cluster: &LocalCluster) -> Result<Option<Haproxy>> {
        let places = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy", "/usr/bin/haproxy"];
        let Some(program) = places.iter().map(Path::new).find(|path| path.is_file()) else {
            println!("skipped: HAProxy is not installed here (as root: scripts/setup)");
            return Ok(None);
        };
        let writes = free_port()?;
        let file = config(cluster, writes, free_port()?)?;
        let checked = Command::new(program).arg("-c").arg("-f").arg(&file).output()?;
        ensure!(
            checked.status.success(),
            "haproxy.cfg: {}{}",
            String::from_utf8_lossy(&checked.stdout),
            String::from_utf8_lossy(&checked.stderr)
        );
        let child = Command::new(program).arg("-db").arg("-f").arg(&file).stdin(Stdio::null()).spawn()?;
        let mut front = cluster.node(0)?;
        (front.address, front.mysql_port) = (Ipv4Addr::LOCALHOST, writes);
        let haproxy = Haproxy { child, front };
        haproxy.serves(cluster, Duration::from_secs(20)).await?;
        Ok(Some(haproxy))
    }

    /// Waits until a new client through it can write.
    pub(crate) async fn serves(&self, cluster: &LocalCluster, bound: Duration) -> Result<()> {
        let begun = Instant::now();
        let served = cluster
            .wait_until(bound, "a client through HAProxy is served", async || {
                let mut sql = Sql::connect(&self.front, &cluster.accounts().app).await.ok()?;
                let table = "CREATE TABLE IF NOT EXISTS app.through (id BIGINT AUTO_INCREMENT PRIMARY KEY)";
                sql.run(table, STATEMENT).await.ok()?;
                sql.run("INSERT INTO app.through () VALUES ()", STATEMENT).await.ok()
            })
            .await;
        println!("through HAProxy: served after {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
        served.map(drop)
    }

    pub(crate) async fn session(&self, cluster: &LocalCluster) -> Result<Session> {
        let mut sql = Sql::connect(&self.front, &cluster.accounts().app).await?;
        sql.run("INSERT INTO app.through () VALUES ()", STATEMENT).await?;
        Ok(Session(sql))
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Session {
    /// Its next statement fails within the bound, instead of waiting for a server that will never answer.
    pub(crate) async fn ends(mut self, bound: Duration) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < bound {
            let statement = "INSERT INTO app.through () VALUES ()";
            if self.0.run(statement, bound.saturating_sub(begun.elapsed())).await.is_err() {
                ensure!(begun.elapsed() < bound, "the old session hung for {bound:?}");
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("the old session still writes after {bound:?}")
    }
}

fn config(cluster: &LocalCluster, writes: u16, reads: u16) -> Result<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace's folder")?;
    let mut text = std::fs::read_to_string(workspace.join("docs/samples/haproxy.cfg"))?;
    let mut replace = |from: &str, to: &str| {
        ensure!(text.contains(from), "the sample has no {from:?} any more");
        text = text.replace(from, to);
        Ok(())
    };
    replace("bind :3307", &format!("bind 127.0.0.1:{writes}"))?;
    replace("bind :3308", &format!("bind 127.0.0.1:{reads}"))?;
    for (number, node) in (11..).zip(cluster.nodes()) {
        replace(&format!("192.168.0.{number}:3306 "), &format!("{}:{} ", node.address, node.mysql_port))?;
        let port = node.http().rsplit(':').next().context("a port")?.to_owned();
        if number == 11 {
            replace("port 6060 inter", &format!("port {port} inter"))?;
        }
    }
    let file = cluster.folder().join("haproxy.cfg");
    std::fs::write(&file, text)?;
    Ok(file)
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
