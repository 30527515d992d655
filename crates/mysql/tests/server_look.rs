//! Looking and probing, against a real server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::{Duration, Instant};

use support::*;
use xenon_mysql::{Door, SqlError};

#[tokio::test(flavor = "multi_thread")]
async fn a_look_shows_the_server() {
    let server = Server::start(1).await;
    let state = server.door.observe(LONG).await.unwrap();
    println!("{state:#?}");
    assert!(state.version.starts_with(|c: char| c.is_ascii_digit()));
    assert_eq!(state.server_id, 1);
    assert!(state.read_only && state.super_read_only, "always started read-only (L5)");
    assert!(state.executed.is_empty() && state.purged.is_empty() && state.replication.is_none());
    assert!(state.gtid_mode_on && state.log_bin && state.log_replica_updates);
    assert!(state.binlog_file.starts_with("binlog.") && state.binlog_position > 0);
    assert_eq!(state.data_dir.trim_end_matches('/'), server.data_dir().to_str().unwrap());
    assert!(!state.pid_file.is_empty());
    let source = state.semi_sync_source.expect("loaded at start");
    assert!(!source.enabled && source.clients == 0 && source.waiting_sessions == 0 && source.after_sync);
    let replica = state.semi_sync_replica.expect("loaded at start");
    assert!(!replica.enabled && !replica.operational);
    server.sql("SET GLOBAL super_read_only = 0, GLOBAL read_only = 0").await;
    server.sql("CREATE DATABASE d").await;
    let state = server.door.observe(LONG).await.unwrap();
    assert!(state.is_writable());
    assert_eq!(state.executed.to_string(), format!("{}:1", state.server_uuid));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_times_out_and_is_well_again_afterwards() {
    let server = Server::start(2).await;
    server.door.probe(LONG).await.unwrap();
    server.door.observe(LONG).await.unwrap();
    let pid = rustix::process::Pid::from_raw(server.mysqld.pid()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    // The signal is on its way to every thread: one may still answer until it has arrived.
    eventually("every thread has stopped", || async {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", server.mysqld.pid())).unwrap();
        tasks.flatten().all(|task| {
            let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with('T'))
        })
    })
    .await;
    let short = Duration::from_millis(100);
    let started = Instant::now();
    // Several at once, more than there are idle connections.
    let probes: Vec<_> = (0..4)
        .map(|_| {
            let door = server.door.clone();
            tokio::spawn(async move { door.probe(short).await })
        })
        .collect();
    for probe in probes {
        let outcome = probe.await.unwrap();
        assert!(matches!(outcome, Err(SqlError::Timeout { .. })), "{outcome:?}");
    }
    assert!(matches!(server.door.observe(short).await, Err(SqlError::Timeout { .. })));
    assert!(started.elapsed() < Duration::from_millis(600), "{:?}", started.elapsed());
    assert!(server.mysqld.is_alive(), "stopped is not dead");
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
    server.door.probe(LONG).await.unwrap();
    assert_eq!(server.door.observe(LONG).await.unwrap().server_id, 2);
    server.door.kill_abandoned(LONG).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_say_what_to_do() {
    let mut server = Server::start(3).await;
    let mut wrong = door_options(&server.host, server.port);
    wrong.password = "hunter2".into();
    let error = Door::new(wrong.clone()).observe(LONG).await.unwrap_err();
    assert!(matches!(error, SqlError::AccessDenied { code: 1045, .. }), "{error}");
    assert!(!error.to_string().contains("hunter2"));
    wrong.port = free_port(&server.host);
    let error = Door::new(wrong).observe(LONG).await.unwrap_err();
    assert!(matches!(error, SqlError::Unreachable { .. }), "{error}");
    // The socket, and TLS where it is demanded.
    let mut by_socket = door_options("nowhere.invalid", 1);
    by_socket.socket = Some(server.folder.path().join("s"));
    Door::new(by_socket).observe(LONG).await.unwrap();
    server.sql("SET GLOBAL require_secure_transport = 1").await;
    let demanding = Door::new(door_options(&server.host, server.port));
    demanding.observe(LONG).await.unwrap();
    demanding.probe(LONG).await.unwrap();
    server.door.observe(LONG).await.unwrap();
    // A restarted server is found again by every lane without an error in between.
    server.mysqld.kill().unwrap();
    server.mysqld.gone(LONG).await.unwrap();
    server.restart().await;
    server.door.observe(LONG).await.unwrap();
    // All connections taken.
    let mut hogs = Vec::new();
    let error = loop {
        match client(&server.host, server.port, ADMIN, PASSWORD).await {
            Ok(hog) => hogs.push(hog),
            Err(_) => {
                break Door::new(door_options(&server.host, server.port)).probe(LONG).await.unwrap_err();
            }
        }
        assert!(hogs.len() < 100);
    };
    assert!(matches!(error, SqlError::TooManyConnections { .. }), "{error}");
    server.door.probe(LONG).await.expect("the door keeps its connections");
}
