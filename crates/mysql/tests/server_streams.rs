//! What a tool's copy becomes on a real server: a data folder with the tool's position.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::future::pending;

use support::*;
use tokio::sync::watch;
use xenon_gtid::GtidSet;
use xenon_mysql::{
    CloneFrom, CloneLimits, CloneOrder, CopyPosition, CopyProgress, Scratch, ScratchOptions, WorkFolder,
    make_whole, read_position, strip_identity, tidy_copy,
};

/// Transactions that the copy's own table of GTIDs lacks: seen where that table is written after the copy's moment.
#[tokio::test(flavor = "multi_thread")]
async fn server_a_copy_gets_the_position_that_its_tool_has_noted() {
    let server = Server::start(61).await;
    server.door.control(LONG).await.unwrap().open_for_writes(LONG).await.unwrap();
    server.sql("CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY); INSERT INTO d.t VALUES (1)").await;
    let executed = server.door.observe(LONG).await.unwrap().executed;
    let work = WorkFolder::open(server.folder.path(), ".xenon-copy", &server.data_dir()).unwrap();
    let copy = work.path().join("data");
    let order = CloneOrder { from: CloneFrom::Local, to: copy.clone(), limits: CloneLimits::default() };
    server.door.control(LONG).await.unwrap().load_clone_plugin(LONG).await.unwrap();
    server.door.clone_data(&order, &watch::Sender::new(CopyProgress::default()), pending()).await.unwrap();

    let more = "6e11fa47-71ca-11e1-9e33-c80aa9429562:1-9,\n7e11fa47-71ca-11e1-9e33-c80aa9429562:5:a_tag:1-3";
    let text = format!("binlog.000002\t157\t{executed},\n{more}\n");
    std::fs::write(copy.join("xtrabackup_binlog_info"), text).unwrap();
    std::fs::write(copy.join("binlog.000002"), "not a log").unwrap();
    let CopyPosition::Gtids(position) = read_position(&copy).unwrap() else { panic!("MySQL's") };
    let more: GtidSet = more.replace('\n', "").parse().unwrap();
    assert_eq!(position, executed.union(&more));
    tidy_copy(&copy).unwrap();
    assert!(!copy.join("binlog.000002").exists() && !copy.join("xtrabackup_binlog_info").exists());
    let options = ScratchOptions { mysqld: server.options.clone(), work: work.clone(), buffer_pool_mib: 32 };
    let facts = make_whole(&options, &copy, &position).await.unwrap();
    assert_eq!((facts.executed, facts.tables), (position.clone(), 1));
    // It was written, and a second time there is nothing to add.
    strip_identity(&copy).unwrap();
    let scratch = Scratch::start_on(&options, &copy, LONG).await.unwrap();
    assert_eq!(scratch.facts(LONG).await.unwrap().executed, position);
    scratch.kill().await.unwrap();
    work.remove().unwrap();
}
