//! Backups and restores: proved copies, a fresh node that joins with one, and all that is told or undone on the way.

use anyhow::{Context, Result, anyhow, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use xenon_api::{JobKind, JobState, Request};
use xenon_election::Standing;
use xenon_mysql::Manifest;
use xenon_tests::{HEALS, Story};

const STATEMENT: Duration = Duration::from_secs(10);

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `xenoncli` refuses or fails, and says why.
async fn refused(story: &Story, node: usize, words: &[&str], says: &str) -> Result<()> {
    let output = story.xenoncli(node, words).await?;
    let said = text(&output.stderr);
    ensure!(output.status.code() == Some(1) && said.contains(says), "{words:?} should say {says:?}");
    Ok(())
}

async fn goes_well(story: &Story, node: usize, words: &[&str]) -> Result<String> {
    let output = story.xenoncli(node, words).await?;
    if !output.status.success() {
        return Err(anyhow!("{words:?}\n{}", story.cluster.picture().await));
    }
    Ok(text(&output.stdout))
}

fn copied(from: &Path, to: &Path) -> Result<()> {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    ensure!(done.success(), "cp -a");
    Ok(())
}

/// The manifest says something else, and its checksum fits.
fn falsified(backup: &Path, from: &str, to: &str) -> Result<()> {
    let path = backup.join("manifest.json");
    let before = std::fs::read_to_string(&path)?;
    ensure!(before.contains(from), "{from} is in the manifest");
    std::fs::write(&path, before.replace(from, to))?;
    let sum = Command::new("sha256sum").arg("manifest.json").current_dir(backup).output()?;
    std::fs::write(backup.join("manifest.json.sha256"), sum.stdout)?;
    Ok(())
}

/// Begins a new binary log: its name.
async fn new_log(story: &Story, node: usize) -> Result<String> {
    let mut sql = story.cluster.admin(node).await?;
    sql.run("FLUSH BINARY LOGS", STATEMENT).await?;
    let files: Vec<(String, u64, String)> = sql.rows("SHOW BINARY LOGS", STATEMENT).await?;
    files.last().map(|(name, _, _)| name.clone()).context("a binary log")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_node_is_restored_and_joins() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    let node = (leader + 1) % 3;
    let folder = tempfile::tempdir()?;
    let backups = std::fs::canonicalize(folder.path())?;
    let (one, two) = (backups.join("one"), backups.join("two"));
    let to = |folder: &Path| format!("--to={}", folder.display());
    let from = |folder: &Path| format!("--from={}", folder.display());

    // Told before it starts.
    let inside = story.cluster.node(node)?.data().join("b");
    for (words, says) in [
        ("--to=here".to_owned(), "relative"),
        (to(&backups.join("no/such")), "make it first"),
        (to(&inside), "inside the data folder"),
        (to(story.cluster.folder()), "not empty"),
    ] {
        refused(&story, node, &["mysql", "backup", &words], says).await?;
    }
    refused(&story, node, &["mysql", "cancelbackup"], "no backup").await?;
    let mut sql = story.cluster.admin(leader).await?;
    sql.run("CREATE TABLE app.old (id INT) ENGINE = MyISAM", STATEMENT).await?;
    story.cluster.wait_all_following(2, HEALS).await?;
    refused_when_there(&story, node, &["mysql", "backup", &to(&one)], "app.old (MyISAM)").await?;
    sql.run("DROP TABLE app.old", STATEMENT).await?;
    story.some_more().await?;

    let mut logs = Vec::new();
    for index in 0..3 {
        logs.push(new_log(&story, index).await?);
    }
    let before = story.cluster.status(leader).await?.mysql.executed;
    story
        .cluster
        .wait_until(HEALS, "the replica has applied it", async || {
            let status = story.cluster.status(node).await.ok()?;
            status.mysql.executed.contains_set(&before).then_some(())
        })
        .await?;
    let said = goes_well(&story, node, &["mysql", "backup", &to(&one)]).await?;
    ensure!(said.contains("proved"), "{said}");
    let manifest: Manifest = serde_json::from_slice(&std::fs::read(one.join("manifest.json"))?)?;
    ensure!(manifest.gtid_executed.contains_set(&before), "what was there before is in it");
    ensure!(manifest.files.iter().any(|file| file.path.starts_with("app/")), "{manifest:?}");
    ensure!(!manifest.files.iter().any(|file| file.path.contains("auto.cnf") || file.path.ends_with(".pem")));
    ensure!(Some(manifest.server_uuid) == story.cluster.status(node).await?.mysql.server_uuid);
    let names: Vec<_> = std::fs::read_dir(&backups)?.flatten().map(|entry| entry.file_name()).collect();
    ensure!(names == ["one"], "nothing else is left: {names:?}");
    let inside: Vec<_> = std::fs::read_dir(&one)?.flatten().map(|entry| entry.file_name()).collect();
    ensure!(inside.len() == 3, "{inside:?}");
    let checked =
        Command::new("sha256sum").args(["-c", "manifest.json.sha256"]).current_dir(&one).status()?;
    ensure!(checked.success(), "sha256sum reads it, too");
    refused(&story, node, &["mysql", "backup", &to(&one)], "a backup already").await?;
    story.some_more().await?;
    // Nobody can join by replication alone any more.
    for (index, log) in logs.iter().enumerate() {
        story.cluster.admin(index).await?.run(&format!("PURGE BINARY LOGS TO '{log}'"), STATEMENT).await?;
    }

    // Never over what others follow, or over data, unasked.
    refused(&story, leader, &["mysql", "restore", &from(&one)], "this node leads").await?;
    refused(&story, node, &["mysql", "restore", &from(&one)], "data of its own").await?;
    let fourth = story.cluster.add_node()?;
    story.cluster.start_agent(fourth)?;
    story.cluster.wait_for_agents(HEALS).await?;
    story
        .cluster
        .wait_until(HEALS, "the fourth server answers", async || {
            story.cluster.status(fourth).await.ok()?.mysql.alive.then_some(())
        })
        .await?;
    let fresh = story.cluster.status(fourth).await?.mysql.server_uuid;
    refused(&story, fourth, &["mysql", "restore", "--from=one"], "relative").await?;
    refused(&story, fourth, &["mysql", "restore", &from(&backups)], "no complete backup").await?;
    // One bit of a table's file.
    copied(&one, &two)?;
    let table = manifest.files.iter().find(|file| file.path.starts_with("app/")).context("a table")?;
    let path = two.join("data").join(&table.path);
    let mut bytes = std::fs::read(&path)?;
    let middle = bytes.len() / 2;
    *bytes.get_mut(middle).context("a byte")? ^= 1;
    std::fs::write(&path, bytes)?;
    refused(&story, fourth, &["mysql", "restore", &from(&two)], "SHA-256").await?;
    std::fs::remove_file(&path)?;
    refused(&story, fourth, &["mysql", "restore", &from(&two)], "missing").await?;
    // Of a server that this one cannot read.
    falsified(&two, &manifest.server_version, "9.99.1")?;
    copied(&one.join("data").join(&table.path), &path)?;
    refused(&story, fourth, &["mysql", "restore", &from(&two)], "9.99.1").await?;
    let untouched = story.cluster.status(fourth).await?;
    ensure!(untouched.mysql.server_uuid == fresh && untouched.mysql.alive, "its own data is untouched");

    let said = goes_well(&story, fourth, &["mysql", "restore", &from(&one)]).await?;
    ensure!(said.contains("restored from the backup"), "{said}");
    let restored = story
        .cluster
        .wait_until(HEALS, "it serves the backup's data", async || {
            let status = story.cluster.status(fourth).await.ok()?;
            (status.mysql.alive && !status.mysql.executed.is_empty()).then_some(status)
        })
        .await?
        .value;
    ensure!(restored.mysql.executed == manifest.gtid_executed, "exactly that");
    ensure!(restored.mysql.server_uuid != fresh && restored.mysql.server_uuid != Some(manifest.server_uuid));
    ensure!(restored.job.is_some_and(|job| job.kind == JobKind::Restore && job.state == JobState::Done));
    // It joins, and gets what came later by replication.
    let id = story.cluster.node(fourth)?.id();
    story.ask_leader(Request::ClusterAdd { nodes: vec![id.clone()], idle: false }).await?;
    story
        .cluster
        .wait_until(HEALS, "the restored node votes", async || {
            let status = story.cluster.status(leader).await.ok()?;
            let votes = |standing| matches!(standing, Standing::Voter);
            status.members.iter().any(|member| member.id == id && votes(member.standing)).then_some(())
        })
        .await?;
    story.some_more().await?;
    story.cluster.wait_all_following(3, HEALS).await?;
    let job = story.cluster.status(fourth).await?.job;
    ensure!(job.is_some_and(|job| job.kind == JobKind::Restore), "it was not rebuilt from another node");
    story.end(3, Vec::new()).await?;
    Ok(())
}

/// As [`refused`], when the statement that is the reason has reached the node.
async fn refused_when_there(story: &Story, node: usize, words: &[&str], says: &str) -> Result<()> {
    let mut sql = story.cluster.admin(node).await?;
    story
        .cluster
        .wait_until(HEALS, "the table is there", async || {
            let sql = sql.row::<(u64,)>("SELECT COUNT(*) FROM app.old", STATEMENT).await;
            sql.ok().map(drop)
        })
        .await?;
    refused(story, node, words, says).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_a_backup_leaves_nothing_and_data_is_replaced_only_by_force() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    let (node, third) = ((leader + 1) % 3, (leader + 2) % 3);
    let folder = tempfile::tempdir()?;
    let backups = std::fs::canonicalize(folder.path())?;
    let (good, slow) = (backups.join("good"), backups.join("slow"));
    let to = |folder: &Path| format!("--to={}", folder.display());
    let left = || -> Result<Vec<PathBuf>> {
        Ok(std::fs::read_dir(&backups)?.flatten().map(|entry| entry.path()).collect())
    };
    let copies = async || {
        story
            .job(node, "the backup copies", HEALS, |job| {
                job.kind == JobKind::Backup && job.is_active() && job.phase == "copy"
            })
            .await
    };

    // Enough that a copy takes its time.
    let mut sql = story.cluster.admin(leader).await?;
    sql.run("CREATE TABLE app.large (id INT AUTO_INCREMENT PRIMARY KEY, b LONGBLOB)", STATEMENT).await?;
    for _ in 0..8 {
        sql.run("INSERT INTO app.large (b) VALUES (REPEAT(RANDOM_BYTES(1024), 8192))", STATEMENT).await?;
    }
    story.cluster.wait_all_following(2, HEALS).await?;
    let large = story.cluster.status(leader).await?.mysql.executed;
    story
        .cluster
        .wait_until(HEALS, "the replica has it", async || {
            story.cluster.status(node).await.ok()?.mysql.executed.contains_set(&large).then_some(())
        })
        .await?;

    // One job at a time; cancelled in the middle.
    let slowly = ["mysql", "backup", &to(&slow), "--throttle=1", "--detach"];
    goes_well(&story, node, &slowly).await?;
    copies().await?;
    ensure!(story.cluster.status(node).await?.backup.state == "BACKUPING");
    refused(&story, node, &["mysql", "backup", &to(&good)], "goes on here").await?;
    refused(&story, node, &["mysql", "rebuildme"], "goes on here").await?;
    refused(&story, node, &["mysql", "restore", "--from=/x"], "goes on here").await?;
    goes_well(&story, node, &["mysql", "cancelbackup"]).await?;
    story.job(node, "cancelled", HEALS, |job| job.state == JobState::Cancelled).await?;
    ensure!(left()?.is_empty(), "{:?}", left()?);

    // The agent is killed in the middle: the next one cleans up, and the node votes and follows all the while.
    goes_well(&story, node, &slowly).await?;
    copies().await?;
    ensure!(left()? == [backups.join("slow.incomplete")], "never by its own name before it is whole");
    story.cluster.kill_agent(node)?;
    story.cluster.start_agent(node)?;
    let job = story.job(node, "cleaned up", HEALS, |job| job.state == JobState::Failed).await?;
    ensure!(job.last_error.contains("the agent ended"), "{job:?}");
    ensure!(left()?.is_empty(), "{:?}", left()?);
    story.cluster.wait_all_following(2, HEALS).await?;

    // A backup of the primary, put over a replica that has data: only by force, and that data is kept.
    goes_well(&story, leader, &["mysql", "backup", &to(&good)]).await?;
    story.some_more().await?;
    let before = story.cluster.status(third).await?.mysql.server_uuid;
    let from = format!("--from={}", good.display());
    let said = goes_well(&story, third, &["mysql", "restore", &from, "--force"]).await?;
    ensure!(said.contains("is kept in"), "{said}");
    ensure!(story.cluster.status(third).await?.mysql.server_uuid != before);
    let folder = story.cluster.node(third)?.data();
    let beside = folder.parent().context("a folder above it")?;
    let kept = std::fs::read_dir(beside)?
        .flatten()
        .find(|entry| text(entry.file_name().as_encoded_bytes()).contains("xenon-old"));
    ensure!(kept.is_some_and(|kept| kept.path().join("ibdata1").exists()), "the old data is beside it");
    story.end(2, Vec::new()).await?;
    Ok(())
}
