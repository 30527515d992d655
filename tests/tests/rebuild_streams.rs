//! W4 by the stream of a backup tool. The tool is a stand-in with xtrabackup's command line (`tests/tools`), which copies
//! a running MySQL server for real; all else is as everywhere: agents, servers, the channel between them.

use anyhow::{Context, Result, ensure};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use xenon_api::{JobState, JobStatus, Method, RebuildOptions, Request};
use xenon_election::Rejoin;
use xenon_testkit::{Damage, Fault, Options, Reach, Volume, Way};
use xenon_tests::{COMES_UP, HEALS, REBUILT, Story, on_hosts_with, options};

const STATEMENT: Duration = Duration::from_secs(10);

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The stand-ins' folder, the same for all nodes.
struct Tools(tempfile::TempDir);

impl Tools {
    fn empty() -> Result<Self> {
        Ok(Self(tempfile::Builder::new().prefix("xenon-tools-").tempdir()?))
    }

    fn install(&self) -> Result<()> {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools");
        for name in ["xtrabackup", "xbstream"] {
            symlink(from.join(name), self.0.path().join(name))?;
        }
        let base = PathBuf::from(std::env::var_os("MYSQL_BASEDIR").context("MYSQL_BASEDIR")?);
        symlink(base.join("bin/mysql"), self.0.path().join("mysql"))?;
        Ok(())
    }

    fn folder(&self) -> String {
        self.0.path().to_string_lossy().into_owned()
    }

    fn mode(&self, words: &str) -> Result<()> {
        Ok(std::fs::write(self.0.path().join("mode"), words)?)
    }

    fn calls(&self) -> String {
        std::fs::read_to_string(self.0.path().join("calls")).unwrap_or_default()
    }

    /// Programs of a stream that live, on any host of this machine that works for this test.
    fn running(&self) -> usize {
        let ours = self.folder();
        let is_ours = |entry: &std::fs::DirEntry| {
            let command = text(&std::fs::read(entry.path().join("cmdline")).unwrap_or_default());
            command.contains(&format!("{ours}/xtrabackup")) || command.contains(&format!("{ours}/xbstream"))
        };
        std::fs::read_dir("/proc").map_or(0, |all| all.flatten().filter(is_ours).count())
    }

    async fn all_gone(&self, bound: Duration) -> Result<()> {
        let began = Instant::now();
        while self.running() > 0 {
            ensure!(began.elapsed() < bound, "{} programs of the stream live on", self.running());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

async fn begin(tools: &Tools) -> Result<(Story, usize)> {
    let mut options = options(3)?;
    options.agent_keys.push(("backup".to_owned(), "xtrabackup-bindir".to_owned(), tools.folder().into()));
    let (story, leader) = Story::begin_with(options, COMES_UP).await?;
    story.rejoin(Rejoin::Ask).await?;
    Ok((story, leader))
}

/// In the middle of it.
fn flows(job: &JobStatus) -> bool {
    job.phase == "copy" && job.bytes_done > 1 << 20
}

async fn by_stream(story: &Story, node: usize) -> Result<()> {
    let options = RebuildOptions { method: Some(Method::Xtrabackup), ..RebuildOptions::default() };
    let endpoint = story.cluster.node(node)?.endpoint;
    let reply = story.cluster.caller().call(&endpoint, Request::Rebuild(options), HEALS).await?;
    ensure!(matches!(reply, xenon_api::Reply::Ok(_)), "{reply:?}");
    Ok(())
}

/// The half copy is gone, and the node is as it was.
async fn untouched(story: &Story, node: usize, server_uuid: &str) -> Result<()> {
    let status = story.cluster.status(node).await?;
    ensure!(format!("{:?}", status.mysql.server_uuid) == server_uuid, "its own data: {status:?}");
    let work = story.cluster.node(node)?.folder.join(".xenon-rebuild");
    ensure!(!work.join("data").exists(), "the half copy is gone");
    Ok(())
}

async fn uuid(story: &Story, node: usize) -> Result<String> {
    Ok(format!("{:?}", story.cluster.status(node).await?.mysql.server_uuid))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_rebuilt_by_a_tools_stream() -> Result<()> {
    let tools = Tools::empty()?;
    let (story, leader) = begin(&tools).await?;
    let (node, donor) = ((leader + 1) % 3, (leader + 2) % 3);
    let here = story.cluster.node(node)?;
    let there = story.cluster.node(donor)?;
    // Nothing is begun without the tool, nor with one that does not suit.
    let stream = ["mysql", "rebuildme", "--method", "xtrabackup"];
    let refused = story.xenoncli(node, &stream).await?;
    let says = text(&refused.stderr);
    for host in [&here.endpoint, &there.endpoint] {
        ensure!(says.contains(&format!("{host}: xtrabackup is not in")), "what {host} lacks: {says}");
    }
    tools.install()?;
    tools.mode("old")?;
    let refused = story.xenoncli(node, &stream).await?;
    ensure!(text(&refused.stderr).contains("which does not copy MySQL"), "too old");
    tools.mode("")?;
    let refused = story.xenoncli(node, &["mysql", "rebuildme", "--method", "mariabackup"]).await?;
    ensure!(text(&refused.stderr).contains("MariaDB only"), "not for MySQL");
    let dry = story.xenoncli(node, &["mysql", "rebuildme", "--dry-run"]).await?;
    ensure!(text(&dry.stdout).contains("own CLONE"), "CLONE first");

    let before = uuid(&story, node).await?;
    // A node whose data is lost has no server to help itself with.
    story.cluster.kill_agent(node)?;
    if let Some(mysqld) = here.mysqld() {
        mysqld.signal(xenon_testkit::Signal::KILL)?;
        ensure!(mysqld.wait_dead(HEALS), "it dies");
    }
    std::fs::remove_dir_all(here.data())?;
    story.cluster.start_agent(node)?;
    story.cluster.wait_for_agents(HEALS).await?;
    let knows = async || {
        let status = story.cluster.status(node).await.ok()?;
        status.leader.is_some().then_some(())
    };
    story.cluster.wait_until(HEALS, "it hears the leader", knows).await?;
    let done = story.xenoncli(node, &stream).await?;
    ensure!(done.status.success() && text(&done.stdout).contains("rebuilt"), "rebuilt");
    let after = story.cluster.status(node).await?;
    ensure!(uuid(&story, node).await? != before, "a server_uuid of its own");
    ensure!(after.errant.is_empty() && after.doubt.is_none(), "{after:?}");
    let job = after.job.context("the job")?;
    ensure!(job.lines.iter().any(|line| line.contains("a stream of xtrabackup 9.7.0-1")), "{job:#?}");
    ensure!(job.bytes_done > 10 << 20, "bytes were counted: {job:#?}");
    let calls = tools.calls();
    let password = &story.cluster.accounts().admin.password;
    ensure!(calls.contains("login=600") && !calls.contains(password.as_str()), "{calls}");
    // What it has came with the copy, not from a binary log.
    let mut sql = story.cluster.admin(node).await?;
    let (purged,): (String,) = sql.row("SELECT REPLACE(@@global.gtid_purged, '\\n', '')", STATEMENT).await?;
    ensure!(purged.contains(':'), "gtid_purged is set: {purged}");
    for name in ["xtrabackup_info", "xtrabackup_binlog_info", "backup-my.cnf"] {
        ensure!(!here.data().join(name).exists(), "{name} is no part of a data folder");
    }
    ensure!(
        !there.meta().join("stream-give").exists(),
        "nothing is left at the donor, nor the password's file"
    );
    ensure!(tools.running() == 0, "no program is left");
    story.end(2, Vec::new()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nightly_a_stream_that_fails_or_is_cancelled_touches_nothing() -> Result<()> {
    let tools = Tools::empty()?;
    tools.install()?;
    let (story, leader) = begin(&tools).await?;
    let node = (leader + 1) % 3;
    let before = uuid(&story, node).await?;
    // It says that it is done, and ends with an error.
    tools.mode("exit1")?;
    by_stream(&story, node).await?;
    let failed = |says: &'static str| move |job: &JobStatus| job.last_error.contains(says);
    story.job(node, "the first try has failed", HEALS, failed("exit status: 1")).await?;
    untouched(&story, node, &before).await?;
    // The next try, which is cancelled in the middle of its stream.
    tools.mode("slow")?;
    let reckoned = |job: &JobStatus| flows(job) && job.eta_s.is_some();
    let job = story.job(node, "the stream flows", HEALS, reckoned).await?;
    ensure!(job.percent < 100 && job.bytes_total > job.bytes_done, "{job:#?}");
    ensure!(tools.running() > 0, "the tools work");
    let cancelled = story.xenoncli(node, &["mysql", "cancelrebuild"]).await?;
    ensure!(cancelled.status.success(), "cancelled");
    tools.all_gone(Duration::from_secs(5)).await?;
    story.job(node, "it is cancelled", HEALS, |job| job.state == JobState::Cancelled).await?;
    let folder = story.cluster.node(node)?.folder.join(".xenon-rebuild");
    let gift = story.cluster.node((leader + 2) % 3)?.meta().join("stream-give");
    let gone = async || (!folder.exists() && !gift.exists()).then_some(());
    story.cluster.wait_until(HEALS, "half a copy is on neither side", gone).await?;
    untouched(&story, node, &before).await?;
    story.end(2, Vec::new()).await?;
    Ok(())
}

/// Each of these modes of the tools fails a try with these words, and touches nothing; then one goes well.
async fn each_fails(modes: &[(&str, &str)]) -> Result<()> {
    let tools = Tools::empty()?;
    tools.install()?;
    let (story, leader) = begin(&tools).await?;
    let node = (leader + 1) % 3;
    let before = uuid(&story, node).await?;
    for (mode, says) in modes {
        tools.mode(mode)?;
        by_stream(&story, node).await?;
        let failed = |job: &JobStatus| !job.last_error.is_empty();
        let job = story.job(node, mode, Duration::from_secs(100), failed).await?;
        ensure!(job.last_error.contains(says), "{mode}: {}", job.last_error);
        untouched(&story, node, &before).await?;
        story.xenoncli(node, &["mysql", "cancelrebuild"]).await?;
        tools.all_gone(Duration::from_secs(5)).await?;
    }
    tools.mode("")?;
    let done = story.xenoncli(node, &["mysql", "rebuildme", "--method", "xtrabackup"]).await?;
    ensure!(done.status.success(), "rebuilt");
    story.end(2, Vec::new()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nightly_every_way_in_which_a_tool_fails() -> Result<()> {
    each_fails(&[
        ("unfinished", "are not \"completed OK!\""),
        ("garbage", "xbstream"),
        ("truncated", "xbstream ended with"),
        ("full", "No space left on device"),
        ("prepare-fails", "in the future"),
        ("prepare-unfinished", "are not \"completed OK!\""),
    ])
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn nightly_a_tool_that_gives_nothing_is_ended() -> Result<()> {
    each_fails(&[("hang", "has given no byte for 60000 ms"), ("chatter", "has given no byte for 60000 ms")])
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn nightly_either_agent_is_killed_during_the_stream() -> Result<()> {
    let tools = Tools::empty()?;
    tools.install()?;
    let (story, leader) = begin(&tools).await?;
    let (node, donor) = ((leader + 1) % 3, (leader + 2) % 3);
    let before = uuid(&story, node).await?;
    tools.mode("slow")?;
    by_stream(&story, node).await?;
    story.job(node, "the stream flows", HEALS, flows).await?;
    // The donor's agent: its tool ends with it, and the recipient begins anew.
    story.cluster.kill_agent(donor)?;
    tools.all_gone(Duration::from_secs(5)).await?;
    story.job(node, "that try has failed", HEALS, |job| !job.last_error.is_empty()).await?;
    untouched(&story, node, &before).await?;
    story.cluster.start_agent(donor)?;
    story.cluster.wait_for_agents(HEALS).await?;
    story.job(node, "the stream flows again", REBUILT, flows).await?;
    // The recipient's: both tools end, and it begins anew by itself.
    story.cluster.kill_agent(node)?;
    tools.all_gone(Duration::from_secs(10)).await?;
    tools.mode("")?;
    story.cluster.start_agent(node)?;
    story.cluster.wait_for_agents(HEALS).await?;
    story.rebuilt(node, REBUILT).await?;
    ensure!(uuid(&story, node).await? != before, "it has the copy");
    story.end(2, Vec::new()).await?;
    Ok(())
}

/// For longer than a side may be silent: both give up, and the next try goes through.
#[test]
fn nightly_the_network_is_cut_during_the_stream() -> Result<()> {
    let tools = Tools::empty()?;
    tools.install()?;
    tools.mode("slow")?;
    let folder = tools.folder();
    let change = |options: &mut Options| {
        options.agent_keys.push(("backup".to_owned(), "xtrabackup-bindir".to_owned(), folder.into()));
    };
    on_hosts_with(3, change, async |mut story, leader| {
        story.rejoin(Rejoin::Ask).await?;
        let node = (leader + 1) % 3;
        by_stream(&story, node).await?;
        story.job(node, "the stream flows", HEALS, flows).await?;
        let struck = story.strike(Fault::Cut(node, Way::Both, Reach::Nodes)).await?;
        let failed = |job: &JobStatus| !job.last_error.is_empty();
        story.job(node, "that try has failed", Duration::from_secs(120), failed).await?;
        tools.all_gone(Duration::from_secs(60)).await?;
        tools.mode("")?;
        story.heal(struck).await?;
        story.rebuilt(node, Duration::from_secs(180)).await?;
        story.end(2, Vec::new()).await?;
        Ok(())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn nightly_the_disk_fills_during_the_stream() -> Result<()> {
    if std::fs::File::options().write(true).open("/dev/loop-control").is_err() {
        eprintln!("SKIPPED: disks of their own need root and loop devices");
        return Ok(());
    }
    let tools = Tools::empty()?;
    tools.install()?;
    tools.mode("slow")?;
    let mut options = options(3)?;
    options.disks = vec![Volume::Data];
    options.agent_keys.push(("backup".to_owned(), "xtrabackup-bindir".to_owned(), tools.folder().into()));
    let (mut story, leader) = Story::begin_with(options, COMES_UP).await?;
    story.rejoin(Rejoin::Ask).await?;
    let node = (leader + 1) % 3;
    by_stream(&story, node).await?;
    story.job(node, "the stream flows", HEALS, flows).await?;
    let struck = story.strike(Fault::Disk(node, Volume::Data, Damage::Full)).await?;
    let failed = |job: &JobStatus| job.last_error.contains("xbstream ended with");
    story.job(node, "this try has failed", HEALS, failed).await?;
    tools.mode("")?;
    story.heal(struck).await?;
    let job = story.job(node, "it has ended", REBUILT, |job| !job.is_active()).await?;
    if job.state == JobState::Failed {
        let done = story.xenoncli(node, &["mysql", "rebuildme", "--method", "xtrabackup"]).await?;
        ensure!(done.status.success(), "a second one");
    }
    story.end(2, Vec::new()).await?;
    Ok(())
}
