//! Two servers: following, freezing, markers and their acknowledgements.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use support::*;
use xenon_gtid::Uuid;
use xenon_mysql::{Applied, MarkerWritten, Secret, SqlError};
use xenon_plan::observation::{ReceiverState, SourceAddress};

const CLUSTER: &str = "aaaaaaaa-0000-4000-8000-000000000002";

struct Pair {
    source: Server,
    replica: Server,
    password: Secret,
}

impl Pair {
    fn address(&self) -> SourceAddress {
        SourceAddress { host: self.source.host.clone(), port: self.source.port }
    }

    /// A writable source and a replica that follows it, with semi-sync loaded and off.
    async fn start(number: u8, ssl: bool) -> Self {
        let (source, replica) = tokio::join!(Server::start(number), Server::start(number + 1));
        let pair = Self { source, replica, password: "re'pl".into() };
        let mut control = pair.source.door.control(LONG).await.unwrap();
        control.ensure_replication_account("repl", &pair.password, ssl, LONG).await.unwrap();
        control.open_for_writes(LONG).await.unwrap();
        pair.source.sql("CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY)").await;
        let mut control = pair.replica.door.control(LONG).await.unwrap();
        control.semi_sync_replica(true, LONG).await.unwrap();
        control.point_at(&pair.address(), "repl", &pair.password, ssl, true, LONG).await.unwrap();
        control.start_replication(LONG).await.unwrap();
        pair.receiving().await;
        pair
    }

    async fn receiving(&self) {
        eventually("the replica receives", || async {
            let state = self.replica.door.observe(LONG).await.unwrap();
            let replication = state.replication.unwrap();
            assert_eq!(replication.receiver_error, "");
            replication.receiver == ReceiverState::Running
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn following_and_being_pointed_elsewhere_keeps_what_was_received() {
    let pair = Pair::start(31, true).await;
    let state = pair.replica.door.observe(LONG).await.unwrap();
    let replication = state.replication.unwrap();
    assert_eq!(replication.source, pair.address());
    assert!(replication.auto_position && replication.ssl && replication.connect_retry_s == 1);
    assert_eq!(replication.user, "repl");
    let executed = pair.source.door.observe(LONG).await.unwrap().executed;
    let mut control = pair.replica.door.control(LONG).await.unwrap();
    assert_eq!(control.wait_applied(&executed, LONG).await.unwrap(), Applied::Applied);

    let lag_us = async || pair.replica.door.observe(LONG).await.unwrap().replication.unwrap().lag_us;
    assert_eq!(lag_us().await, Some(0), "nothing is left to apply");

    // Five transactions received and not applied: a lock on the replica holds the applier.
    let mut locker = pair.replica.client().await;
    locker.query_drop("LOCK TABLES d.t READ").await.unwrap();
    let began = Instant::now();
    for id in 0..5 {
        pair.source.sql(&format!("INSERT INTO d.t VALUES ({id})")).await;
    }
    let all = pair.source.door.observe(LONG).await.unwrap().executed;
    eventually("all is received", || async {
        pair.replica.door.observe(LONG).await.unwrap().received().contains_set(&all)
    })
    .await;
    // The age of the first of them, and finer than seconds.
    eventually("the lag grows", || async {
        let lag = Duration::from_micros(lag_us().await.expect("both threads run"));
        assert!(lag <= began.elapsed(), "{lag:?}, {:?}", began.elapsed());
        lag > Duration::from_millis(300) && lag.subsec_micros() > 0
    })
    .await;
    let frozen = control.freeze_replica(None, LONG).await.unwrap().state;
    assert_eq!(frozen.replication.as_ref().and_then(|replication| replication.lag_us), None, "no receiver");
    assert_eq!(frozen.received(), all);
    assert_eq!(frozen.unapplied().count(), 5);

    // Elsewhere: to where nothing listens, then back. The received transactions survive it.
    let nowhere = SourceAddress { host: "127.0.71.99".into(), port: 1 };
    control.point_at(&nowhere, "repl", &pair.password, true, false, LONG).await.unwrap();
    control.start_receiver(LONG).await.unwrap();
    let state = pair.replica.door.observe(LONG).await.unwrap();
    assert_eq!(state.replication.as_ref().unwrap().source, nowhere);
    assert_eq!(state.received(), all, "relay logs are kept");
    eventually("it tries to connect", || async {
        let state = pair.replica.door.observe(LONG).await.unwrap();
        state.replication.unwrap().receiver == ReceiverState::Connecting
    })
    .await;
    // Frozen while connecting, too.
    let frozen = control.freeze_replica(None, LONG).await.unwrap().state;
    assert_eq!(frozen.replication.as_ref().unwrap().receiver, ReceiverState::Stopped);
    assert_eq!(frozen.received(), all);
    control.point_at(&pair.address(), "repl", &pair.password, true, false, LONG).await.unwrap();
    control.start_receiver(LONG).await.unwrap();
    pair.receiving().await;
    drop(locker);
    assert_eq!(control.wait_applied(&all, LONG).await.unwrap(), Applied::Applied);
    // Options beside host and port are refused while the applier runs: the caller must stop it first.
    control.stop_receiver(LONG).await.unwrap();
    let error =
        control.point_at(&pair.address(), "repl", &pair.password, true, true, LONG).await.unwrap_err();
    println!("{error}");
    assert!(control.is_usable() && !error.to_string().contains("re'pl"));
    control.stop_replication(LONG).await.unwrap();
    control.reset_replication_all(LONG).await.unwrap();
    assert!(pair.replica.door.observe(LONG).await.unwrap().replication.is_none());
    assert!(control.freeze_replica(None, LONG).await.unwrap().state.replication.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_given_up_start_never_undoes_a_freeze() {
    let pair = Pair::start(33, false).await;
    let door = &pair.replica.door;
    for round in 0..20_u64 {
        let mut control = door.control(LONG).await.unwrap();
        control.freeze_replica(None, LONG).await.unwrap();
        // Given up somewhere between before it was sent and after it was answered.
        let given_up = Duration::from_micros(round * 150);
        let outcome = tokio::time::timeout(given_up, control.start_receiver(LONG)).await;
        drop(control);
        let mut control = door.control(LONG).await.unwrap();
        let frozen = control.freeze_replica(None, LONG).await.unwrap().state;
        let write = format!("INSERT INTO d.t VALUES ({})", 100 + round);
        pair.source.sql(&write).await;
        tokio::time::sleep(Duration::from_millis(30)).await;
        let later = door.observe(LONG).await.unwrap();
        let stopped = later.replication.as_ref().unwrap().receiver == ReceiverState::Stopped;
        assert!(stopped && later.received() == frozen.received(), "round {round}, {outcome:?}");
    }
}

/// The statement is stuck behind another one's lock in the server, where KILL does not reach it: the next control must not
/// open before it is gone.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_changed_while_a_given_up_start_is_stuck() {
    let pair = Pair::start(37, false).await;
    let door = &pair.replica.door;
    // The applier's own commit waits for an acknowledgement that never comes, STOP waits for the applier and holds the
    // channel, START waits for the channel.
    let mut control = door.control(LONG).await.unwrap();
    control.stop_receiver(LONG).await.unwrap();
    control.semi_sync_source(true, 1, false, LONG).await.unwrap();
    control.start_receiver(LONG).await.unwrap();
    pair.receiving().await;
    pair.source.sql("INSERT INTO d.t VALUES (1)").await;
    eventually("the applier's commit waits", || async {
        door.observe(LONG).await.unwrap().semi_sync_source.unwrap().waiting_sessions == 1
    })
    .await;
    control.stop_receiver(LONG).await.unwrap();
    let mut stopper = pair.replica.client().await;
    let stopping = tokio::spawn(async move { stopper.query_drop("STOP REPLICA SQL_THREAD").await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!stopping.is_finished());
    let error = control.start_receiver(Duration::from_millis(200)).await.unwrap_err();
    assert!(matches!(error, SqlError::Timeout { .. }), "{error}");
    drop(control);
    let error = door.control(Duration::from_millis(500)).await.unwrap_err();
    println!("while it is stuck: {error}");
    assert!(matches!(error, SqlError::Timeout { .. }), "{error}");
    println!("a look meanwhile: {:?}", door.observe(Duration::from_millis(500)).await.map(|_| ()));

    let mut releasing = pair.replica.client().await;
    releasing.query_drop("SET GLOBAL rpl_semi_sync_source_enabled = 0").await.unwrap();
    let mut control = door.control(LONG).await.unwrap();
    let frozen = control.freeze_replica(None, LONG).await.unwrap().state;
    pair.source.sql("INSERT INTO d.t VALUES (2)").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let later = door.observe(LONG).await.unwrap();
    assert_eq!(later.replication.as_ref().unwrap().receiver, ReceiverState::Stopped);
    assert_eq!(later.received(), frozen.received());
    let _ = stopping.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_marker_waits_for_its_acknowledgement() {
    let pair = Pair::start(35, true).await;
    let cluster: Uuid = CLUSTER.parse().unwrap();
    let mut replica = pair.replica.door.control(LONG).await.unwrap();
    replica.stop_receiver(LONG).await.unwrap();
    let mut source = pair.source.door.control(LONG).await.unwrap();
    source.semi_sync_source(true, 1, false, LONG).await.unwrap();
    let started = Instant::now();
    let writing =
        tokio::spawn(async move { (source.write_marker(&cluster, 5, LONG).await, Instant::now(), source) });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!writing.is_finished(), "nobody acknowledges");
    let looked = pair.source.door.observe(LONG).await.unwrap();
    assert_eq!(looked.executed.last_number(&cluster), None, "not executed before it is acknowledged");
    let acker = Instant::now();
    replica.start_receiver(LONG).await.unwrap();
    let (outcome, written, mut source) = writing.await.unwrap();
    assert_eq!(outcome.unwrap(), MarkerWritten::Written);
    println!("waited {:?}, {:?} after the acker's start", written - started, written - acker);
    let state = pair.source.door.observe(LONG).await.unwrap();
    assert_eq!(state.executed.last_number(&cluster), Some(5));
    // Two when the replica's old dump thread still lives: the server counts threads, not replicas.
    assert!(state.semi_sync_source.unwrap().clients >= 1);
    eventually("the replica has it", || async {
        pair.replica.door.observe(LONG).await.unwrap().received().last_number(&cluster) == Some(5)
    })
    .await;
    assert!(pair.replica.door.observe(LONG).await.unwrap().semi_sync_replica.unwrap().operational);
    // Replicas' threads are spared with the clients' sessions, and can be ended on their own.
    assert_eq!(source.kill_sessions(LONG).await.unwrap(), 0);
    assert_eq!(source.kill_dump_threads_of(Some("203.0.113.1"), LONG).await.unwrap(), 0);
    assert!(source.kill_dump_threads_of(None, LONG).await.unwrap() >= 1);
    pair.receiving().await;
    // Switched off only when no client can write and nothing waits (D2).
    assert!(source.semi_sync_source_off(LONG).await.is_err());
    source.set_read_only(SECOND).await.unwrap();
    source.semi_sync_source_off(LONG).await.unwrap();
    assert!(!pair.source.door.observe(LONG).await.unwrap().semi_sync_source.unwrap().enabled);
}

/// So it is on the target of a handover whose agent died before it opened, and that follows again: its source side is on, and
/// its applier's commits wait for nobody.
#[tokio::test(flavor = "multi_thread")]
async fn the_source_side_goes_off_though_the_applier_waits() {
    let pair = Pair::start(39, false).await;
    let mut control = pair.replica.door.control(LONG).await.unwrap();
    control.load_semi_sync_plugins(LONG).await.unwrap();
    control.semi_sync_source(true, 1, false, LONG).await.unwrap();
    pair.source.sql("INSERT INTO d.t VALUES (77)").await;
    eventually("the applier waits", || async {
        let state = pair.replica.door.observe(LONG).await.unwrap();
        state.semi_sync_source.is_some_and(|source| source.waiting_sessions > 0)
    })
    .await;
    control.semi_sync_source_off(LONG).await.unwrap();
    eventually("it goes on", || async {
        pair.replica.door.observe(LONG).await.unwrap().unapplied().is_empty()
    })
    .await;
}
