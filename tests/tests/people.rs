//! Accounts, variables, stacks and check-ups against real servers, by nothing but the command line.

use anyhow::{Context, Result, bail};
use assert_cmd::Command;
use serde_json::Value;
use std::path::Path;
use std::process::Output;
use std::time::Duration;
use xenon_testkit::LocalCluster;
use xenon_tests::{COMES_UP, options};

const SOON: Duration = Duration::from_secs(10);
const ASK: Duration = Duration::from_secs(5);
/// Nothing else in the cluster is spelled so.
const PASSWORD: &str = "Hush-4711-hush-it";
const OTHER_PASSWORD: &str = "Hush-4712-hush-it";

/// Runs the program on a node's host; what is read from standard input is not in the list of processes.
fn xenoncli(cluster: &LocalCluster, node: usize, words: &[&str], input: &str) -> Result<Output> {
    let config = cluster.node(node)?.config();
    let mut command = Command::new(&cluster.bins().xenoncli);
    command.arg("-c").arg(config).args(words).write_stdin(input).timeout(Duration::from_secs(60));
    Ok(command.output()?)
}

fn done(cluster: &LocalCluster, node: usize, words: &[&str], input: &str) -> Result<String> {
    let output = xenoncli(cluster, node, words, input)?;
    if !output.status.success() {
        bail!("{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// It is refused, in words that hold this, and something to try.
fn refused(cluster: &LocalCluster, node: usize, words: &[&str], says: &str) -> Result<()> {
    let output = xenoncli(cluster, node, words, &format!("{PASSWORD}\n"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() != Some(1)
        || !said.contains(says)
        || !said.contains("try:")
        || said.contains(PASSWORD)
    {
        bail!("{words:?}: {:?}, {said}", output.status);
    }
    Ok(())
}

async fn has_account(cluster: &LocalCluster, node: usize, user: &str) -> Result<bool> {
    let sql = format!("SELECT COUNT(*) FROM mysql.user WHERE User = '{user}'");
    Ok(cluster.admin(node).await?.row::<u64>(&sql, ASK).await? > 0)
}

async fn everywhere(cluster: &LocalCluster, user: &str, there: bool) -> Result<()> {
    let what = format!("account {user} is {} on every node", if there { "there" } else { "gone" });
    let seen = async || {
        for node in 0..3 {
            if has_account(cluster, node, user).await.ok() != Some(there) {
                return None;
            }
        }
        Some(())
    };
    cluster.wait_until(SOON, &what, seen).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_variables_stacks_and_a_check_up() -> Result<()> {
    let cluster = LocalCluster::create(options(3)?)?;
    let leader = cluster.serve(COMES_UP).await?;
    let (replica, third) = ((leader + 1) % 3, (leader + 2) % 3);
    accounts(&cluster, leader, replica).await?;
    variables(&cluster, leader, replica).await?;
    stacks(&cluster, leader, replica).await?;
    // A tool that looks at stacks stops a replica for as long as it takes.
    let again = async || cluster.status(replica).await.is_ok_and(|status| status.mysql.alive).then_some(());
    cluster.wait_until(SOON, "the replica's server answers again", again).await?;
    cluster.wait_all_following(2, COMES_UP).await?;
    check_up(&cluster, leader, replica, third).await?;

    // No node has a transaction of its own from any of it, and nobody took over.
    assert_eq!(cluster.wait_all_following(2, COMES_UP).await?.value, leader);
    for node in 0..3 {
        let status = cluster.status(node).await?;
        assert!(status.errant.is_empty(), "node{}: {}", node + 1, status.errant);
    }
    let executed: String = cluster.admin(leader).await?.row("SELECT @@global.gtid_executed", ASK).await?;
    for node in [replica, third] {
        let sql = format!("SELECT GTID_SUBTRACT(@@global.gtid_executed, '{executed}')");
        let own: String = cluster.admin(node).await?.row(&sql, ASK).await?;
        assert_eq!(own, "", "node{} has what the leader lacks", node + 1);
    }
    nowhere(&cluster)?;
    cluster.end()
}

/// Asked for at a replica, made on the primary.
async fn accounts(cluster: &LocalCluster, leader: usize, replica: usize) -> Result<()> {
    let input = format!("{PASSWORD}\n");
    let said = done(
        cluster,
        replica,
        &["mysql", "createuser", "o'brien", "%", "--passwd-stdin", "--ssl", "NO"],
        &input,
    )?;
    assert!(
        said.contains("'o'brien'@'%' was made") && said.contains(&cluster.node(leader)?.endpoint),
        "{said}"
    );
    let name = "o\\'brien";
    everywhere(cluster, name, true).await?;
    let made = "SELECT COUNT(*) FROM mysql.user WHERE User = 'o\\'brien' AND plugin <> '' AND ssl_type = ''";
    assert_eq!(cluster.admin(replica).await?.row::<u64>(made, ASK).await?, 1);

    let words =
        ["mysql", "createuserwithgrants", "--user=shop", "--host=127.%", "--database=my_shop", "--table=*"];
    let words = [&words[..], &["--privs=SELECT,INSERT", "--ssl=YES", "--passwd-stdin"]].concat();
    done(cluster, replica, &words, &input)?;
    let grants: Vec<String> =
        cluster.admin(leader).await?.rows("SHOW GRANTS FOR 'shop'@'127.%'", ASK).await?;
    assert!(grants.iter().any(|grant| grant.contains("SELECT, INSERT ON `my\\_shop`.*")), "{grants:?}");
    done(
        cluster,
        leader,
        &["mysql", "createsuperuser", "dba", "localhost", "--passwd-stdin", "--ssl=NO"],
        &input,
    )?;
    let listed: Value =
        serde_json::from_str(&done(cluster, replica, &["mysql", "getuser", "-o", "json"], "")?)?;
    let users = listed["users"].as_array().context("a list")?;
    assert!(users.iter().any(|user| user["user"] == "shop" && user["ssl"] == true), "{listed}");

    let stdin = "--passwd-stdin";
    refused(
        cluster,
        replica,
        &["mysql", "createuser", "dba", "localhost", stdin],
        "there is an account 'dba'@'localhost' already",
    )?;
    refused(cluster, replica, &["mysql", "dropuser", "nobody", "%"], "there is no account 'nobody'@'%'")?;
    refused(cluster, leader, &["mysql", "changepassword", "nobody", "%", stdin], "there is no account")?;
    refused(
        cluster,
        replica,
        &["mysql", "dropuser", &cluster.accounts().replication.user, "%"],
        "is the replication account",
    )?;
    refused(cluster, replica, &["mysql", "dropuser", "mysql.sys", "localhost"], "the server's own")?;
    // Rights that are refused leave no account behind.
    let words = [
        "mysql",
        "createuserwithgrants",
        "--user=half",
        "--database=shop",
        "--table=none",
        "--privs=SELECT",
        stdin,
    ];
    refused(cluster, replica, &words, "1146")?;
    everywhere(cluster, "half", false).await?;
    // A policy of the server's, on the primary alone and not in its binlog.
    let install = ["SET SESSION sql_log_bin = 0", "INSTALL COMPONENT 'file://component_validate_password'"];
    let mut admin = cluster.admin(leader).await?;
    for sql in install {
        admin.run(sql, ASK).await?;
    }
    let output = xenoncli(cluster, replica, &["mysql", "createuser", "weak", "%", stdin], "abc\n")?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(1) && said.contains("1819") && said.contains("stronger password"),
        "{said}"
    );
    admin.run("UNINSTALL COMPONENT 'file://component_validate_password'", ASK).await?;

    done(
        cluster,
        replica,
        &["mysql", "changepassword", "o'brien", "%", stdin],
        &format!("{OTHER_PASSWORD}\n"),
    )?;
    done(cluster, replica, &["mysql", "dropuser", "o'brien", "%"], "")?;
    done(cluster, replica, &["mysql", "dropuser", "shop", "127.%"], "")?;
    everywhere(cluster, name, false).await?;
    everywhere(cluster, "shop", false).await
}

async fn variables(cluster: &LocalCluster, leader: usize, replica: usize) -> Result<()> {
    done(cluster, replica, &["mysql", "sysvar", "SET GLOBAL max_connections = 444"], "")?;
    let sql = "SELECT @@global.max_connections";
    assert_eq!(cluster.admin(replica).await?.row::<u64>(sql, ASK).await?, 444);
    assert_ne!(cluster.admin(leader).await?.row::<u64>(sql, ASK).await?, 444, "on that node alone");
    refused(cluster, replica, &["mysql", "sysvar", "SET GLOBAL read_only = 0"], "the agent's to decide")?;
    refused(
        cluster,
        leader,
        &["mysql", "sysvar", "SET GLOBAL rpl_semi_sync_source_timeout = 1"],
        "acknowledgement",
    )?;
    refused(cluster, leader, &["mysql", "sysvar", "SET GLOBAL no_such_thing = 1"], "1193")?;
    let usage = xenoncli(cluster, leader, &["mysql", "sysvar", "SET GLOBAL a = 1; DROP DATABASE mysql"], "")?;
    assert_eq!(usage.status.code(), Some(2));
    Ok(())
}

async fn stacks(cluster: &LocalCluster, leader: usize, replica: usize) -> Result<()> {
    let quick = |node: usize, words: &[&str]| -> Result<Value> {
        let words = [&["perf", "quickstack", "json"], words].concat();
        Ok(serde_json::from_str(&done(cluster, node, &words, "")?)?)
    };
    let seen = quick(leader, &[])?;
    assert_eq!(seen["tool"], "proc", "nothing stops a primary unasked: {}", seen["note"]);
    assert_eq!(seen["pid"].as_u64(), cluster.status(leader).await?.mysqld.pid.map(u64::from));
    let threads = seen["threads"].as_array().context("threads")?;
    assert!(threads.iter().any(|thread| thread["name"] == "thread/sql/main"), "{seen}");
    refused(cluster, leader, &["perf", "quickstack", "--tool", "gdb"], "would stop this node's server")?;
    // Whatever is installed on this host: either it saw stacks, or it is said why not.
    let seen = quick(replica, &[])?;
    let frames = seen["threads"].as_array().is_some_and(|threads| {
        threads.iter().any(|thread| thread["frames"].as_array().is_some_and(|frames| !frames.is_empty()))
    });
    println!("on a replica: {} in {} ms, {}", seen["tool"], seen["took_ms"], seen["note"]);
    assert!(frames || seen["note"].as_str().is_some_and(|note| !note.is_empty()), "{seen}");
    Ok(())
}

async fn check_up(cluster: &LocalCluster, leader: usize, replica: usize, third: usize) -> Result<()> {
    let doctor = |node: usize| -> Result<(Option<i32>, Vec<Value>)> {
        let output = xenoncli(cluster, node, &["doctor", "-o", "json"], "")?;
        let json: Value = serde_json::from_slice(&output.stdout)?;
        Ok((output.status.code(), json["findings"].as_array().context("findings")?.clone()))
    };
    let count = |findings: &[Value], check: &str, level: &str| {
        findings.iter().filter(|finding| finding["check"] == check && finding["level"] == level).count()
    };
    let (_, findings) = doctor(replica)?;
    for (check, wanted) in [
        ("reach-mysql", 6),
        ("gtid-mode", 3),
        ("binlog", 3),
        ("semi-sync", 3),
        ("admin-rights", 3),
        ("replication-account", 3),
        ("config-file", 3),
        ("names", 3),
        ("server-ids", 1),
        ("server-uuids", 1),
        ("clocks", 1),
        ("mysql-versions", 1),
        ("agent-versions", 1),
    ] {
        assert_eq!(count(&findings, check, "ok"), wanted, "{check}: {findings:#?}");
    }
    // A busy machine answers late.
    assert_eq!(
        count(&findings, "reach-agent", "ok") + count(&findings, "reach-agent", "warn"),
        6,
        "{findings:#?}"
    );
    // What is broken is found, and the exit code says so.
    done(cluster, leader, &["mysql", "sysvar", "SET GLOBAL innodb_flush_log_at_trx_commit = 2"], "")?;
    make_readable(&cluster.node(third)?.config(), 0o644)?;
    let (code, findings) = doctor(replica)?;
    make_readable(&cluster.node(third)?.config(), 0o600)?;
    assert_eq!(
        (code, count(&findings, "flush-at-commit", "error"), count(&findings, "config-file", "error")),
        (Some(1), 1, 1)
    );
    done(cluster, leader, &["mysql", "sysvar", "SET GLOBAL innodb_flush_log_at_trx_commit = 1"], "")?;
    Ok(())
}

fn make_readable(path: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?)
}

/// No password in any file of the cluster (logs, binary logs, the agents' records), nor in any process's arguments.
fn nowhere(cluster: &LocalCluster) -> Result<()> {
    let mut folders = vec![cluster.folder().to_owned()];
    let mut looked = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)?.flatten() {
            let Ok(meta) = entry.path().symlink_metadata() else { continue };
            if meta.is_dir() {
                folders.push(entry.path());
            } else if meta.is_file() && meta.len() < 32 << 20 {
                looked += 1;
                no_password_in(
                    &entry.path().display().to_string(),
                    &std::fs::read(entry.path()).unwrap_or_default(),
                )?;
            }
        }
    }
    assert!(looked > 30, "only {looked} files were looked at");
    for process in std::fs::read_dir("/proc")?.flatten() {
        let arguments = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        no_password_in(&process.path().display().to_string(), &arguments)?;
    }
    for node in 0..3 {
        let events = xenoncli(cluster, node, &["top", "--once"], "")?;
        no_password_in("the events", &events.stdout)?;
    }
    Ok(())
}

fn no_password_in(place: &str, bytes: &[u8]) -> Result<()> {
    // The library's own search of texts: one by windows takes a minute in a debug build.
    let text = String::from_utf8_lossy(bytes);
    if [PASSWORD, OTHER_PASSWORD].iter().any(|password| text.contains(password)) {
        bail!("a password stands in {place}");
    }
    Ok(())
}
