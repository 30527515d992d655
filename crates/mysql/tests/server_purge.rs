//! Purging binary logs, against a real server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use mysql_async::prelude::Queryable;
use support::*;
use xenon_gtid::GtidSet;

/// Six files, of which file n holds transaction n, and an empty seventh; as a replica, read-only.
async fn with_files(number: u8, settings: &str) -> Server {
    let server = Server::start_with(number, settings).await;
    server
        .sql("SET GLOBAL super_read_only = 0, GLOBAL read_only = 0; CREATE DATABASE d; FLUSH BINARY LOGS")
        .await;
    for table in 2..=6 {
        server.sql(&format!("CREATE TABLE d.t{table} (id INT); FLUSH BINARY LOGS")).await;
    }
    server.sql("SET GLOBAL super_read_only = 1").await;
    server
}

async fn files(server: &Server) -> Vec<String> {
    let rows: Vec<mysql_async::Row> = server.client().await.query("SHOW BINARY LOGS").await.unwrap();
    rows.into_iter().map(|row| row.get(0).unwrap()).collect()
}

async fn up_to(server: &Server, last: u64) -> GtidSet {
    let uuid = server.door.observe(LONG).await.unwrap().server_uuid;
    format!("{uuid}:1-{last}").parse().unwrap()
}

async fn purges_what_it_may(number: u8, settings: &str) {
    let server = with_files(number, settings).await;
    let all = files(&server).await;
    assert_eq!(all.len(), 7, "{all:?}");

    let none = server.door.purge_binlogs(None, LONG).await.unwrap();
    assert!(none.stopped_expiry, "the server would purge by itself");
    assert_eq!((none.files, none.files_left, none.first_left), (0, 7, all[0].clone()));
    assert!(!server.door.purge_binlogs(None, LONG).await.unwrap().stopped_expiry, "once");

    let three = server.door.purge_binlogs(Some(&up_to(&server, 3).await), LONG).await.unwrap();
    assert_eq!((three.files, three.files_left), (3, 4));
    assert_eq!(files(&server).await, all[3..]);
    assert_eq!(three.first_left, all[3]);
    assert!(three.bytes > 0 && three.bytes_left > 0);
    let state = server.door.observe(LONG).await.unwrap();
    assert_eq!(state.purged, up_to(&server, 3).await);
    // 4 is what somebody lacks.
    let uuid = state.server_uuid;
    assert_eq!(three.blocked.unwrap().to_string(), format!("{uuid}:4"));

    let again = server.door.purge_binlogs(Some(&up_to(&server, 3).await), LONG).await.unwrap();
    assert_eq!(again.files, 0);
    // A hole: 4 is not there, so nothing behind it goes either.
    let hole: GtidSet = format!("{uuid}:1-3:5-6").parse().unwrap();
    assert_eq!(server.door.purge_binlogs(Some(&hole), LONG).await.unwrap().files, 0);
    // The newest two stay, whatever may go.
    let rest = server.door.purge_binlogs(Some(&up_to(&server, 1000).await), LONG).await.unwrap();
    assert_eq!((rest.files, rest.files_left, rest.blocked), (2, 2, None));
    assert_eq!(files(&server).await, all[5..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_may_go_goes() {
    purges_what_it_may(81, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_purged_already_holds_nothing() {
    let server = with_files(82, "").await;
    let uuid = server.door.observe(LONG).await.unwrap().server_uuid;
    server.door.purge_binlogs(Some(&up_to(&server, 2).await), LONG).await.unwrap();
    // Nobody else has 1 and 2: they are in no file any more.
    let without: GtidSet = format!("{uuid}:3-4").parse().unwrap();
    assert_eq!(server.door.purge_binlogs(Some(&without), LONG).await.unwrap().files, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_files_go_in_pieces() {
    let server = with_files(83, "").await;
    for _ in 0..20 {
        server.sql("FLUSH BINARY LOGS").await;
    }
    let purged = server.door.purge_binlogs(Some(&up_to(&server, 6).await), LONG).await.unwrap();
    assert_eq!((purged.files, purged.files_left), (25, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_wants_to_keep_for_a_time_stays() {
    let server = with_files(84, "binlog-expire-logs-seconds = 3600").await;
    let all = up_to(&server, 1000).await;
    let young = server.door.purge_binlogs(Some(&all), LONG).await.unwrap();
    assert_eq!((young.files, young.young), (0, Some(3600)));
    assert!(young.stopped_expiry, "by age alone it would not wait for a replica");
    // Two of them are older.
    let two_hours_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(7200);
    for name in &files(&server).await[..2] {
        let file = std::fs::File::options().write(true).open(server.data_dir().join(name)).unwrap();
        file.set_modified(two_hours_ago).unwrap();
    }
    let two = server.door.purge_binlogs(Some(&all), LONG).await.unwrap();
    assert_eq!((two.files, two.files_left, two.young), (2, 5, Some(3600)));
    // Set while it runs, too.
    server.sql("SET GLOBAL binlog_expire_logs_seconds = 0").await;
    assert_eq!(server.door.purge_binlogs(Some(&all), LONG).await.unwrap().files, 3);
}
