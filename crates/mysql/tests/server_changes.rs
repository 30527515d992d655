//! Changing one server: markers, read-only, sessions, variables, the account.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use support::*;
use xenon_gtid::Uuid;
use xenon_mysql::{AccountState, Ensured, MarkerWritten, ReadOnlyOutcome, Secret, SqlError};

const CLUSTER: &str = "aaaaaaaa-0000-4000-8000-000000000001";

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_is_bounded_behind_a_commit_that_waits_for_an_acknowledgement() {
    let server = Server::start(11).await;
    let door = &server.door;
    let mut control = door.control(LONG).await.unwrap();
    control.open_for_writes(LONG).await.unwrap();
    server.sql("CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY)").await;
    // A plain writer does not hold it up.
    assert_eq!(control.set_read_only(SECOND).await.unwrap(), ReadOnlyOutcome::Done);
    assert!(door.observe(LONG).await.unwrap().super_read_only);
    control.open_for_writes(LONG).await.unwrap();

    control.semi_sync_source(true, 1, false, LONG).await.unwrap();
    let state = door.observe(LONG).await.unwrap().semi_sync_source.unwrap();
    assert!(state.enabled && state.after_sync && state.wait_no_replica && state.wait_for_replicas == 1);
    assert_eq!(state.timeout_ms, xenon_mysql::SEMI_SYNC_TIMEOUT_MS);
    let mut writer = server.client().await;
    let writer = tokio::spawn(async move { writer.query_drop("INSERT INTO d.t VALUES (1)").await });
    eventually("the commit waits", || async {
        door.observe(LONG).await.unwrap().semi_sync_source.unwrap().waiting_sessions == 1
    })
    .await;

    let started = Instant::now();
    let bound = Duration::from_millis(300);
    assert_eq!(control.set_read_only(bound).await.unwrap(), ReadOnlyOutcome::TimedOut);
    let took = started.elapsed();
    println!("set_read_only with a bound of {bound:?} came back after {took:?}");
    assert!(took >= bound && took < bound + Duration::from_millis(150), "{took:?}");
    let state = door.observe(LONG).await.unwrap();
    println!("after the bound: read_only {} super_read_only {}", state.read_only, state.super_read_only);
    assert!(!state.super_read_only);

    // Spent for the next caller, not for the door.
    assert!(!control.is_usable());
    drop(control);
    let mut control = door.control(LONG).await.unwrap();
    // D2: not switched off while it waits, and no later either while clients may write.
    let error = control.semi_sync_source_off(LONG).await.unwrap_err();
    assert!(matches!(&error, SqlError::Unsupported { why, .. } if why.contains("D2")), "{error}");
    // Killing the session doesn't release the commit (D2), and the count of sessions says so.
    assert_eq!(control.kill_sessions(LONG).await.unwrap(), 1);
    assert!(writer.await.unwrap().is_err(), "the client's connection ended");
    assert_eq!(door.observe(LONG).await.unwrap().semi_sync_source.unwrap().waiting_sessions, 1);
    assert_eq!(control.set_read_only(bound).await.unwrap(), ReadOnlyOutcome::TimedOut);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_marker_is_written_once_and_waits_with_nobody_to_acknowledge() {
    let server = Server::start(12).await;
    let cluster: Uuid = CLUSTER.parse().unwrap();
    let mut control = server.door.control(LONG).await.unwrap();
    // Seen on 9.7: super_read_only does not refuse an empty transaction. Nothing may rest on its doing so.
    assert_eq!(control.write_marker(&cluster, 2, LONG).await.unwrap(), MarkerWritten::Written);
    control.allow_own_writes(LONG).await.unwrap();
    let state = server.door.observe(LONG).await.unwrap();
    assert!(state.read_only && !state.super_read_only);
    assert_eq!(control.write_marker(&cluster, 3, LONG).await.unwrap(), MarkerWritten::Written);
    assert_eq!(control.write_marker(&cluster, 3, LONG).await.unwrap(), MarkerWritten::AlreadyThere);
    assert_eq!(control.write_marker(&cluster, 7, LONG).await.unwrap(), MarkerWritten::Written);
    let state = server.door.observe(LONG).await.unwrap();
    assert_eq!(state.executed.last_number(&cluster), Some(7));
    assert_eq!(state.executed.to_string(), format!("{CLUSTER}:2-3:7"));

    // With nobody to acknowledge: no answer in time, and its thread counts as harmless, so the door opens again.
    control.semi_sync_source(true, 1, false, LONG).await.unwrap();
    let error = control.write_marker(&cluster, 8, Duration::from_millis(200)).await.unwrap_err();
    assert!(matches!(error, SqlError::Timeout { .. }), "{error}");
    drop(control);
    let started = Instant::now();
    let mut control = server.door.control(SECOND).await.unwrap();
    println!("control behind a marker that waits: {:?}", started.elapsed());
    assert_eq!(server.door.observe(LONG).await.unwrap().executed.last_number(&cluster), Some(7));
    // A repeated attempt waits for the first one.
    let error = control.write_marker(&cluster, 8, Duration::from_millis(200)).await.unwrap_err();
    assert!(matches!(error, SqlError::Timeout { .. }), "{error}");
    drop(control);
    server.door.control(SECOND).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_clients_end_and_ours_do_not() {
    let server = Server::start(13).await;
    let earlier_agent = xenon_mysql::Door::new(door_options(&server.host, server.port));
    let mut left_behind = earlier_agent.control(LONG).await.unwrap();
    server.door.observe(LONG).await.unwrap();
    server.door.probe(LONG).await.unwrap();
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(server.client().await);
    }
    let mut control = server.door.control(LONG).await.unwrap();
    // V3: what an agent killed in the middle of a statement left behind must not take effect later.
    assert!(left_behind.stop_receiver(LONG).await.is_err(), "an earlier agent's session lives on");
    assert_eq!(control.kill_sessions(LONG).await.unwrap(), 5);
    for client in &mut clients {
        assert!(client.query_drop("DO 1").await.is_err());
    }
    let mut looking = server.client().await;
    let own: Vec<String> = looking
        .query("SELECT PROCESSLIST_COMMAND FROM performance_schema.threads WHERE PROCESSLIST_USER = 'agent'")
        .await
        .unwrap();
    assert!(own.len() >= 4, "observer, probe, control, this one: {own:?}");
    drop(looking);
    eventually("nothing is left to kill", || {
        let door = server.door.clone();
        async move { door.probe(LONG).await.is_ok() }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_replication_account_is_made_once_and_leaves_no_transaction() {
    let server = Server::start(14).await;
    let password = Secret::from(r#"re'pl\"%;"#);
    let mut control = server.door.control(LONG).await.unwrap();
    let before = server.door.observe(LONG).await.unwrap();
    assert!(before.super_read_only);
    let check = control.check_replication_account("repl", &password, true, LONG).await.unwrap();
    assert_eq!(check, AccountState::Missing);
    let ensured = control.ensure_replication_account("repl", &password, true, LONG).await.unwrap();
    assert_eq!(ensured, Ensured::Created);
    for ssl in [true, false] {
        let ensured = control.ensure_replication_account("repl", &password, ssl, LONG).await.unwrap();
        assert_eq!(ensured, Ensured::Already);
        let check = control.check_replication_account("repl", &password, ssl, LONG).await.unwrap();
        assert_eq!(check, AccountState::Good);
    }
    // Another password, and without TLS: the RSA exchange.
    let other = Secret::from("other");
    let check = control.check_replication_account("repl", &other, false, LONG).await.unwrap();
    assert_eq!(check, AccountState::LoginFails);
    let ensured = control.ensure_replication_account("repl", &other, false, LONG).await.unwrap();
    assert_eq!(ensured, Ensured::PasswordChanged);
    assert_eq!(
        control.ensure_replication_account("repl", &other, false, LONG).await.unwrap(),
        Ensured::Already
    );
    let now = server.door.observe(LONG).await.unwrap();
    assert!(now.super_read_only && now.read_only, "as it was");
    assert_eq!(now.executed, before.executed, "no transaction of its own");
    control.open_for_writes(LONG).await.unwrap();
    server.sql("SET sql_log_bin = 0; REVOKE REPLICATION CLIENT, BACKUP_ADMIN ON *.* FROM repl").await;
    let ensured = control.ensure_replication_account("repl", &other, false, LONG).await.unwrap();
    assert_eq!(ensured, Ensured::GrantsAdded(vec!["REPLICATION CLIENT".into(), "BACKUP_ADMIN".into()]));
    let now = server.door.observe(LONG).await.unwrap();
    assert!(now.is_writable(), "a primary stays one");
    assert_eq!(now.executed, before.executed);
    // An error in the middle leaves the door as closed as it was.
    control.set_read_only(SECOND).await.unwrap();
    let long_name = "x".repeat(80);
    let error = control.ensure_replication_account(&long_name, &other, false, LONG).await.unwrap_err();
    println!("{error}");
    assert!(!error.to_string().contains("other"));
    assert!(server.door.observe(LONG).await.unwrap().super_read_only);
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_are_set_each_for_itself() {
    let server = Server::start(15).await;
    let mut control = server.door.control(LONG).await.unwrap();
    let given = [
        pair("sync_binlog", "7"),
        pair("no_such_variable", "1"),
        pair("innodb_flush_log_at_trx_commit", "default"),
        pair("slave_net_timeout", "33"),
        pair("sql_mode", "'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'"),
        pair("event_scheduler", "OFF"),
        pair("max_connections", "many"),
        pair("a; DROP TABLE mysql.user", "1"),
        pair("rpl_semi_sync_master_timeout", "1000"),
        pair("@@global.super_read_only", "0"),
    ];
    let outcomes = control.set_variables(&given, LONG).await;
    for (name, outcome) in &outcomes {
        println!("{name}: {outcome:?}");
    }
    let good: Vec<bool> = outcomes.iter().map(|(_, outcome)| outcome.is_ok()).collect();
    assert_eq!(good, [true, false, true, true, true, true, false, false, false, false]);
    let mut client = server.client().await;
    let row: (u32, u32, String) = client
        .query_first(
            "SELECT @@global.sync_binlog, @@global.innodb_flush_log_at_trx_commit, @@global.sql_mode",
        )
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row, (7, 1, "ANSI_QUOTES,NO_BACKSLASH_ESCAPES".to_owned()));
    // A session opened under that global sql_mode still reads our literals as meant.
    let door = xenon_mysql::Door::new(door_options(&server.host, server.port));
    let mut other = door.control(LONG).await.unwrap();
    let ensured = other.ensure_replication_account("o'r\\r", &r"a'\b".into(), true, LONG).await.unwrap();
    assert_eq!(ensured, Ensured::Created);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_control_at_a_time_and_orderly_shutdown() {
    let server = Server::start(16).await;
    let mut control = server.door.control(LONG).await.unwrap();
    let error = server.door.control(Duration::from_millis(100)).await.unwrap_err();
    assert!(matches!(error, SqlError::Timeout { .. }), "{error}");
    assert!(!control.load_semi_sync_plugins(LONG).await.unwrap(), "loaded at start");
    // A call that is cancelled spends this control; its thread is ended before the next one opens.
    let set = format!("{CLUSTER}:99").parse().unwrap();
    let waiting = tokio::time::timeout(Duration::from_millis(100), control.wait_applied(&set, LONG)).await;
    assert!(waiting.is_err());
    assert!(matches!(control.stop_receiver(LONG).await, Err(SqlError::Lost { .. })));
    drop(control);
    let mut control = server.door.control(LONG).await.unwrap();
    let mut client = server.client().await;
    let sql = "SELECT COUNT(*) FROM performance_schema.threads WHERE PROCESSLIST_INFO LIKE '%WAIT_FOR_EXECUTED%' \
               AND PROCESSLIST_ID <> CONNECTION_ID()";
    assert_eq!(client.query_first::<u32, _>(sql).await.unwrap(), Some(0));
    let started = Instant::now();
    let applied = control.wait_applied(&set, Duration::from_millis(50)).await.unwrap();
    assert_eq!(applied, xenon_mysql::Applied::TimedOut);
    assert!(started.elapsed() < Duration::from_millis(500));
    assert!(control.is_usable());
    control.shutdown(LONG).await.unwrap();
    server.mysqld.gone(LONG).await.unwrap();
    assert_eq!(server.mysqld.exit_record().await.code, Some(0));
}
