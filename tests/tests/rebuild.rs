//! W4: a node that cannot come back as it is, is built anew from another's data, by hand and by itself.

use anyhow::{Context, Result, ensure};
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use std::time::{Duration, Instant};
use xenon_api::{JobState, Request};
use xenon_election::Rejoin;
use xenon_testkit::{Fault, Volume};
use xenon_tests::{COMES_UP, HEALS, REBUILT, Story, options};

const STATEMENT: Duration = Duration::from_secs(10);

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn nightly_an_invalid_node_by_hand() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    story.rejoin(Rejoin::Ask).await?;
    let (node, donor) = ((leader + 1) % 3, (leader + 2) % 3);
    story.make_invalid(node).await?;
    let before = story.cluster.status(node).await?.mysql.server_uuid;
    let endpoint = |node| anyhow::Ok(story.cluster.node(node)?.endpoint);

    let refused = story.xenoncli(leader, &["mysql", "rebuildme"]).await?;
    ensure!(
        refused.status.code() == Some(1) && text(&refused.stderr).contains("never rebuilt"),
        "the leader is refused"
    );
    for (from, says) in [(endpoint(node)?, "is this node itself"), ("127.0.0.1:1".to_owned(), "no member")] {
        let refused = story.xenoncli(node, &["mysql", "rebuildme", "--from", &from]).await?;
        ensure!(
            refused.status.code() == Some(1) && text(&refused.stderr).contains(says),
            "{from} is refused"
        );
    }
    let refused = story.xenoncli(donor, &["mysql", "rebuildme", "--from", &endpoint(node)?]).await?;
    ensure!(
        refused.status.code() == Some(1) && text(&refused.stderr).contains("are well"),
        "too few others are well"
    );
    let dry = story.xenoncli(node, &["mysql", "rebuildme", "--dry-run"]).await?;
    ensure!(dry.status.success() && text(&dry.stdout).contains(&endpoint(donor)?), "a replica gives");
    let waits = story.cluster.status(node).await?.troubles.join("; ");
    ensure!(story.cluster.status(node).await?.job.is_none(), "nothing was begun: {waits}");

    let done = story.xenoncli(node, &["mysql", "rebuildme"]).await?;
    ensure!(done.status.success() && text(&done.stdout).contains("rebuilt"), "rebuilt");
    let after = story.cluster.status(node).await?;
    ensure!(after.mysql.server_uuid != before, "a server_uuid of its own");
    ensure!(after.errant.is_empty() && after.doubt.is_none(), "{after:?}");
    story.end(2, Vec::new()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_node_by_itself() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    let node = (leader + 1) % 3;
    let at = Instant::now();
    story.make_invalid(node).await?;
    story.event(node, "as the policy says", at, HEALS).await?;
    let job = story.rebuilt(node, REBUILT).await?;
    ensure!(job.by == "policy" && job.tries == 1, "{job:?}");
    // W3: what only that node had is not thrown away; the rest of its old data is.
    let named = |folder: &std::path::Path, word: &str| -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.to_string_lossy().contains(word)).collect()
    };
    let here = story.cluster.node(node)?;
    ensure!(named(&here.folder, "xenon-old").is_empty(), "the old data is removed: {:?}", job.lines);
    let kept = named(&here.meta().join("quarantine"), "-rebuild");
    ensure!(kept.len() == 1, "what nobody else has is kept: {kept:?}");
    let said = std::fs::read_to_string(kept[0].join("summary.txt"))?;
    println!("{said}");
    ensure!(
        said.starts_with("1 transaction(s) dropped by a rebuild") && said.contains("--include-gtids="),
        "{said}"
    );
    let base = std::path::PathBuf::from(std::env::var_os("MYSQL_BASEDIR").context("MYSQL_BASEDIR")?);
    let log = named(&kept[0], "binlog.0");
    let shown = std::process::Command::new(base.join("bin/mysqlbinlog")).arg("-v").args(&log).output()?;
    ensure!(text(&shown.stdout).contains("by_hand"), "mysqlbinlog reads it: {}", text(&shown.stderr));
    story.end(2, Vec::new()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_whose_data_folder_is_deleted_under_it() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    let node = (leader + 1) % 3;
    story.strike(Fault::DataDeleted(node)).await?;
    let job = story.job(node, "it is being rebuilt", HEALS, |_| true).await?;
    ensure!(job.by == "policy", "{job:?}");
    story.rebuilt(node, REBUILT).await?;
    story.end(2, Vec::new()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nightly_a_primary_whose_data_folder_is_lost_while_its_host_was_down() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    story.cluster.switch_off(leader)?;
    let at = Instant::now();
    std::fs::remove_dir_all(story.cluster.node(leader)?.data())?;
    story.taken_over(at, xenon_tests::SERVES_AGAIN).await?;
    story.cluster.start_agent(leader)?;
    story.rebuilt(leader, REBUILT).await?;
    story.end(2, Vec::new()).await?;
    Ok(())
}

/// What it lacks is in nobody's binlog any more, so replication alone could not bring it.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_empty_node_builds_itself() -> Result<()> {
    let (story, _) = Story::begin(3).await?;
    for node in 0..3 {
        let mut sql = story.cluster.admin(node).await?;
        sql.run("FLUSH BINARY LOGS", STATEMENT).await?;
        let (file, ..): (String, u64, String, String, String) =
            sql.row("SHOW BINARY LOG STATUS", STATEMENT).await?;
        // A file that is still being sent to a replica is left alone, without an error.
        let until = Instant::now() + HEALS;
        loop {
            sql.run(&format!("PURGE BINARY LOGS TO '{file}'"), STATEMENT).await?;
            let files: Vec<(String, u64, String)> = sql.rows("SHOW BINARY LOGS", STATEMENT).await?;
            if files.len() == 1 {
                break;
            }
            ensure!(Instant::now() < until, "it keeps {files:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let fourth = story.cluster.add_node()?;
    story.cluster.start_agent(fourth)?;
    story.cluster.wait_for_agents(COMES_UP).await?;
    let id = story.cluster.node(fourth)?.id();
    story.ask_leader(Request::ClusterAdd { nodes: vec![id], idle: false }).await?;
    let job = story.rebuilt(fourth, REBUILT).await?;
    ensure!(job.by == "policy", "{job:?}");
    story.end(3, Vec::new()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn too_little_room_is_told_before_it_begins() -> Result<()> {
    if std::fs::File::options().write(true).open("/dev/loop-control").is_err() {
        eprintln!("SKIPPED: disks of their own need root and loop devices");
        return Ok(());
    }
    let mut options = options(3)?;
    options.disks = vec![Volume::Data];
    let (story, leader) = Story::begin_with(options, COMES_UP).await?;
    let node = (leader + 1) % 3;
    let place = story.cluster.node(node)?.data().parent().context("the disk")?.to_owned();
    let free = statvfs(&place)?.f_bavail * statvfs(&place)?.f_frsize;
    let filler = std::fs::File::create(place.join("big"))?;
    fallocate(&filler, FallocateFlags::empty(), 0, free - (150 << 20))?;
    let refused = story.xenoncli(node, &["mysql", "rebuildme"]).await?;
    ensure!(refused.status.code() == Some(1) && text(&refused.stderr).contains("are wanted"), "no room");
    ensure!(
        story.cluster.status(node).await?.job.is_none_or(|job| job.state == JobState::Failed),
        "nothing goes on"
    );
    // What is open is not free.
    drop(filler);
    std::fs::remove_file(place.join("big"))?;
    let done = story.xenoncli(node, &["mysql", "rebuildme"]).await?;
    ensure!(done.status.success(), "rebuilt");
    story.end(2, Vec::new()).await?;
    Ok(())
}
