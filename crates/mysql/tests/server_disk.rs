//! The position of a dead mysqld from its files, against what the same server says after its restart.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use support::*;
use xenon_gtid::GtidSet;
use xenon_mysql::{
    DiskError, DiskLimits, DiskPosition, LogPlaces, Secret, binlog_tail_outside, position_on_disk,
};
use xenon_plan::observation::SourceAddress;

const LIMITS: DiskLimits = DiskLimits { bytes_max: 1 << 32, deadline: Duration::from_secs(20) };

/// Kills it, reads its files, starts it, and compares.
async fn killed_and_compared(server: &mut Server, round: &str) -> DiskPosition {
    let places = server.door.log_places(LONG).await.unwrap();
    server.mysqld.kill().unwrap();
    server.mysqld.gone(LONG).await.unwrap();
    let position = position_on_disk(&places, LIMITS).await.unwrap_or_else(|e| panic!("{round}: {e}"));
    server.restart().await;
    let state = server.door.observe(LONG).await.unwrap();
    assert_eq!(position.executed, state.executed, "{round}: {position:?}");
    let retrieved = state.replication.map(|replication| replication.retrieved).unwrap_or_default();
    assert_eq!(position.retrieved, retrieved, "{round}: {position:?}");
    position
}

async fn executed(server: &Server) -> GtidSet {
    server.door.observe(LONG).await.unwrap().executed
}

/// Clients that insert rows of every size until the server is gone.
fn write_until_dead(server: &Server, clients: usize, bytes_max: usize) -> Vec<tokio::task::JoinHandle<u32>> {
    let (host, port) = (server.host.clone(), server.port);
    let client = |number: usize| {
        let host = host.clone();
        tokio::spawn(async move {
            let mut written = 0;
            let Ok(mut conn) = client(&host, port, ADMIN, PASSWORD).await else { return 0 };
            loop {
                // From some bytes to some megabytes, in one to three rows, compressed or not, with and without a tag.
                let bytes = (written as usize * 7919 + number * 104_729) % bytes_max + 1;
                let sql = format!(
                    "SET binlog_transaction_compression = {}; SET GTID_NEXT = {}; BEGIN; \
                     INSERT INTO d.big (v) VALUES (REPEAT(SHA2(RAND(), 256), {} DIV 64)), ('x'); \
                     INSERT INTO d.big (v) VALUES (REPEAT('z', {bytes})); COMMIT; SET GTID_NEXT = 'AUTOMATIC'",
                    u8::from(written % 3 == 1),
                    if written % 4 == 2 { "'AUTOMATIC:some_tag'" } else { "'AUTOMATIC'" },
                    bytes,
                );
                if conn.query_drop(sql).await.is_err() {
                    return written;
                }
                written += 1;
            }
        })
    };
    (0..clients).map(client).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn server_a_primary_killed_while_commits_wait_for_an_acknowledgement() {
    let mut server = Server::start(81).await;
    let mut control = server.door.control(LONG).await.unwrap();
    control.open_for_writes(LONG).await.unwrap();
    drop(control);
    server.sql("CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY); INSERT INTO d.t VALUES (1)").await;
    // What no binary log names: the base must come from what was last seen.
    server.sql("SET GLOBAL gtid_purged = '+bbbbbbbb-0000-0000-0000-000000000001:1-100'").await;
    server.sql("FLUSH BINARY LOGS; INSERT INTO d.t VALUES (2); FLUSH BINARY LOGS").await;
    let acknowledged = executed(&server).await;
    server
        .sql(
            "SET GLOBAL rpl_semi_sync_source_timeout = 4294967295; SET GLOBAL rpl_semi_sync_source_enabled = 1; \
             SET GLOBAL rpl_semi_sync_source_wait_no_replica = 1",
        )
        .await;
    let places = server.door.log_places(LONG).await.unwrap();
    let waiting: Vec<_> = (10..13)
        .map(|id| {
            let (host, port) = (server.host.clone(), server.port);
            tokio::spawn(async move {
                let mut conn = client(&host, port, ADMIN, PASSWORD).await.unwrap();
                conn.query_drop(format!("INSERT INTO d.t VALUES ({id})")).await.unwrap_err();
            })
        })
        .collect();
    // Of a group of commits only the first session waits itself, so the count is that of the file.
    let last = places.data_dir.join(server.door.observe(LONG).await.unwrap().binlog_file);
    eventually("three commits wait", || async {
        let bytes = std::fs::read(&last).unwrap();
        let written = xenon_binlog::scan(xenon_binlog::LogKind::Binlog, &bytes, |_| ());
        let waiting = server.door.observe(LONG).await.unwrap().semi_sync_source.unwrap().waiting_sessions;
        waiting > 0 && written.is_ok_and(|summary| summary.transactions == 3)
    })
    .await;
    assert_eq!(executed(&server).await, acknowledged, "the server does not show what waits");
    let error = position_on_disk(&places, LIMITS).await.unwrap_err();
    assert!(matches!(error, DiskError::Running { .. }), "{error}");

    server.mysqld.kill().unwrap();
    server.mysqld.gone(LONG).await.unwrap();
    for task in waiting {
        task.await.unwrap();
    }
    let position = position_on_disk(&places, LIMITS).await.unwrap();
    assert_eq!(position.executed.subtract(&acknowledged).count(), 3);
    assert!(position.executed.contains_set(&acknowledged) && position.relay_log.is_none());
    assert!(position.binlog.in_use && position.binlog.tear.is_none());

    // W1: the tail that others lack is those three, and cut off there they are rolled back.
    let tail = binlog_tail_outside(&places, &acknowledged, LIMITS).await.unwrap().expect("a tail");
    assert!(tail.is_clean() && tail.count == 3 && tail.later_files.is_empty(), "{tail:?}");
    assert_eq!(tail.gtids, position.executed.subtract(&acknowledged));
    assert_eq!(binlog_tail_outside(&places, &position.executed, LIMITS).await.unwrap(), None);
    // From one file earlier on, the second insert is outside, too.
    let less = acknowledged.subtract(&tail.gtids);
    let last_one =
        less.intervals().filter(|i| i.uuid == places.server_uuid.unwrap()).map(|i| i.last).max().unwrap();
    let earlier =
        less.subtract(&GtidSet::from(xenon_gtid::Gtid::untagged(places.server_uuid.unwrap(), last_one)));
    let longer = binlog_tail_outside(&places, &earlier, LIMITS).await.unwrap().unwrap();
    assert_eq!((longer.count, longer.later_files.len(), longer.is_clean()), (4, 1, true), "{longer:?}");
    let error = binlog_tail_outside(&places, &GtidSet::new(), LIMITS).await;
    assert!(matches!(&error, Ok(Some(tail)) if tail.count > 4), "{error:?}");

    std::fs::OpenOptions::new().write(true).open(&tail.file).unwrap().set_len(tail.start).unwrap();
    server.restart().await;
    assert_eq!(executed(&server).await, acknowledged);
    let rows: Vec<u32> = server.client().await.query("SELECT id FROM d.t").await.unwrap();
    assert_eq!(rows, [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nightly_server_killed_under_writes_again_and_again() {
    let (mut source, mut replica) = tokio::join!(Server::start(83), Server::start(84));
    let password: Secret = "re'pl".into();
    let mut control = source.door.control(LONG).await.unwrap();
    control.ensure_replication_account("repl", &password, true, LONG).await.unwrap();
    control.open_for_writes(LONG).await.unwrap();
    drop(control);
    source.sql("CREATE DATABASE d; CREATE TABLE d.big (id INT PRIMARY KEY AUTO_INCREMENT, v LONGTEXT)").await;
    let mut control = replica.door.control(LONG).await.unwrap();
    let address = SourceAddress { host: source.host.clone(), port: source.port };
    control.point_at(&address, "repl", &password, true, true, LONG).await.unwrap();
    drop(control);

    let (mut torn, mut unapplied, started) = (0, 0, Instant::now());
    // XENON_ROUNDS=100 for a long run.
    let rounds = std::env::var("XENON_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(8_u32);
    for round in 0..rounds {
        source.sql("SET GLOBAL super_read_only = 0; SET GLOBAL read_only = 0").await;
        // In half of the rounds nothing is applied, so the relay logs pile up over several files.
        let threads = if round % 2 == 0 { "REPLICA IO_THREAD" } else { "REPLICA" };
        replica.sql(&format!("SET GLOBAL max_relay_log_size = 4194304; START {threads}")).await;
        let writers = write_until_dead(&source, 3, 3_000_000);
        tokio::time::sleep(Duration::from_millis(250 + u64::from(round % 20) * 37)).await;

        let position = killed_and_compared(&mut replica, &format!("replica, round {round}")).await;
        torn += u32::from(position.relay_log.as_ref().is_some_and(|file| file.tear.is_some()));
        unapplied += u32::from(!position.executed.contains_set(&position.retrieved));
        if round % 4 == 3 {
            killed_and_compared(&mut source, &format!("source, round {round}")).await;
        }
        writers.iter().for_each(tokio::task::JoinHandle::abort);
    }
    println!(
        "16 rounds in {:?}: {torn} torn relay logs, {unapplied} with unapplied transactions",
        started.elapsed()
    );
    assert!(unapplied > rounds / 4, "the rounds had too little to read");
}

#[tokio::test(flavor = "multi_thread")]
async fn server_a_stopped_one_and_what_is_refused() {
    let mut server = Server::start(86).await;
    server
        .sql("SET GLOBAL super_read_only = 0; CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY)")
        .await;
    server.sql("XA START 'x'; INSERT INTO d.t VALUES (1); XA END 'x'; XA PREPARE 'x'").await;
    server.sql("FLUSH BINARY LOGS; INSERT INTO d.t VALUES (2)").await;
    let places = server.door.log_places(LONG).await.unwrap();
    let all = executed(&server).await;
    server.door.close_idle();
    server.mysqld.terminate().unwrap();
    server.mysqld.gone(LONG).await.unwrap();
    let position = position_on_disk(&places, LIMITS).await.unwrap();
    assert_eq!((&position.executed, position.binlog.in_use), (&all, false));

    let refused = async |places: &LogPlaces, limits: DiskLimits, words: &str| {
        let error = position_on_disk(places, limits).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    };
    refused(&LogPlaces { binlog_index: None, ..places.clone() }, LIMITS, "skip-log-bin").await;
    refused(&LogPlaces { log_replica_updates: false, ..places.clone() }, LIMITS, "log_replica_updates=ON")
        .await;
    refused(&LogPlaces { follows: true, ..places.clone() }, LIMITS, "is missing").await;
    refused(&LogPlaces { server_uuid: Some([7; 16].into()), ..places.clone() }, LIMITS, "last seen").await;
    refused(&places, DiskLimits { bytes_max: 100, ..LIMITS }, "only 100 more").await;
    refused(&places, DiskLimits { deadline: Duration::ZERO, ..LIMITS }, "within 0 ms").await;

    // From its option file alone, as of a server that this agent never saw.
    let guessed = LogPlaces::from_options(&server.options, GtidSet::new()).unwrap();
    assert_eq!(guessed.binlog_index, places.binlog_index);
    assert_eq!(guessed.relay_log_index, places.relay_log_index);
    assert_eq!(position_on_disk(&guessed, LIMITS).await.unwrap().executed, all);

    // The file that was created last and not written to, and one that is damaged.
    let file = position.binlog.path;
    let next = file.with_extension("000099");
    let index = places.binlog_index.clone().unwrap();
    let listed = std::fs::read_to_string(&index).unwrap();
    std::fs::write(&next, b"").unwrap();
    std::fs::write(&index, format!("{listed}./{}\n", next.file_name().unwrap().to_string_lossy())).unwrap();
    assert_eq!(position_on_disk(&places, LIMITS).await.unwrap().executed, all);
    std::fs::write(&index, &listed).unwrap();
    let bytes = std::fs::read(&file).unwrap();
    let write = |bytes: &[u8]| std::fs::write(&file, bytes).unwrap();
    write(&bytes[..bytes.len() - 40]);
    refused(&places, LIMITS, "closed in order").await;
    let mut damaged = bytes.clone();
    damaged[bytes.len() / 2] ^= 1;
    write(&damaged);
    refused(&places, LIMITS, "checksum").await;
    write(b"\xfdbin and more");
    refused(&places, LIMITS, "encrypted").await;
    std::fs::remove_file(&file).unwrap();
    refused(&places, LIMITS, "cannot read").await;
    write(&bytes);
    std::fs::write(&index, listed.trim_end()).unwrap();
    refused(&places, LIMITS, "cut off").await;
    std::fs::remove_file(&index).unwrap();
    refused(&places, LIMITS, "is missing").await;
    std::fs::write(&index, &listed).unwrap();
    server.restart().await;
    assert_eq!(executed(&server).await, all);
    refused(&places, LIMITS, "mysqld runs in").await;
}
