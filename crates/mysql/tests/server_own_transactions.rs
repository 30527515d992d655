//! L5: a replica gets back by replication what it wrote itself, and nothing goes round in circles.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::Duration;

use support::*;
use xenon_mysql::{Applied, Mysqld, Secret};
use xenon_plan::observation::SourceAddress;

/// Adopts the server under the same server_id, with fresh data: what a node is that was built from one that had nothing of
/// what it had written.
async fn lose_data(server: &mut Server) {
    server.mysqld.kill().unwrap();
    server.mysqld.gone(LONG).await.unwrap();
    std::fs::remove_dir_all(server.data_dir()).unwrap();
    copy_template(server.folder.path());
    server.mysqld = Mysqld::start(&server.options).await.expect("start");
    server.wait_serving().await;
}

async fn follow(replica: &Server, source: &Server, password: &Secret) {
    let mut control = replica.door.control(LONG).await.unwrap();
    let address = SourceAddress { host: source.host.clone(), port: source.port };
    control.point_at(&address, "repl", password, true, true, LONG).await.unwrap();
    control.start_replication(LONG).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn own_transactions_come_back_and_do_not_go_round() {
    let (mut first, second) = tokio::join!(Server::start(91), Server::start(92));
    let password: Secret = "re'pl".into();
    for server in [&first, &second] {
        let mut control = server.door.control(LONG).await.unwrap();
        control.ensure_replication_account("repl", &password, true, LONG).await.unwrap();
    }
    first.door.control(LONG).await.unwrap().open_for_writes(LONG).await.unwrap();
    first
        .sql("CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY); INSERT INTO d.t VALUES (1), (2), (3)")
        .await;
    let written = first.door.observe(LONG).await.unwrap().executed;
    follow(&second, &first, &password).await;
    let mut control = second.door.control(LONG).await.unwrap();
    assert_eq!(control.wait_applied(&written, LONG).await.unwrap(), Applied::Applied);
    drop(control);

    lose_data(&mut first).await;
    follow(&first, &second, &password).await;
    let mut control = first.door.control(LONG).await.unwrap();
    assert_eq!(control.wait_applied(&written, LONG).await.unwrap(), Applied::Applied, "its own, too");
    drop(control);
    let rows: Option<u64> = {
        use mysql_async::prelude::Queryable;
        first.client().await.query_first("SELECT COUNT(*) FROM d.t").await.unwrap()
    };
    assert_eq!(rows, Some(3));

    // Each follows the other now, and the second writes: it is applied once on each, and then there is rest.
    let mut control = second.door.control(LONG).await.unwrap();
    control.stop_replication(LONG).await.unwrap();
    drop(control);
    follow(&second, &first, &password).await;
    second.door.control(LONG).await.unwrap().open_for_writes(LONG).await.unwrap();
    second.sql("INSERT INTO d.t VALUES (4)").await;
    let wanted = second.door.observe(LONG).await.unwrap().executed;
    let mut control = first.door.control(LONG).await.unwrap();
    assert_eq!(control.wait_applied(&wanted, LONG).await.unwrap(), Applied::Applied);
    drop(control);
    let positions = async || {
        let (one, two) = (first.door.observe(LONG).await.unwrap(), second.door.observe(LONG).await.unwrap());
        (one.executed, one.binlog_position, two.executed, two.binlog_position)
    };
    let before = positions().await;
    assert_eq!(before.0, before.2, "equal");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(positions().await, before, "nothing moves any more");
}
