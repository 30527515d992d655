//! The process: started, seen dying, found again, told apart, crash loops.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::{Duration, Instant};

use support::*;
use xenon_mysql::{Door, Mysqld, RestartDecision, RestartPolicy, SeenBy, SqlError, StartError};

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_is_seen_at_once_and_the_process_is_found_again() {
    let mut server = Server::start(21).await;
    let error = Mysqld::start(&server.options).await.unwrap_err();
    assert!(matches!(error, StartError::Running { pid } if pid == server.mysqld.pid()), "{error}");
    // As an agent that has restarted: by its record, then by the server's own pid file.
    let nowhere = Door::new(door_options(&server.host, free_port(&server.host)));
    let by_record = Mysqld::find(&server.options, &nowhere, SECOND).await.expect("by record");
    assert_eq!(by_record.pid(), server.mysqld.pid());
    std::fs::write(server.options.meta_dir.join("mysqld.pid"), "1 1 another-boot\n").unwrap();
    let by_server =
        Mysqld::find(&server.options, &server.door, SECOND).await.expect("by the server's answer");
    assert_eq!(by_server.pid(), server.mysqld.pid());
    assert!(Mysqld::find(&server.options, &nowhere, SECOND).await.is_some(), "noted again");

    let (mut seen, mut gone) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        server.mysqld.look_every(Duration::from_millis(1));
        let watching = async { (server.mysqld.wait_exit().await, Instant::now()) };
        let ((exit, at), started) = tokio::join!(watching, async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let started = Instant::now();
            server.mysqld.kill().unwrap();
            started
        });
        seen.push((exit.unwrap().how, at - started));
        assert!(!server.mysqld.is_alive());
        server.mysqld.gone(LONG).await.unwrap();
        gone.push(started.elapsed());
        let record = server.mysqld.exit_record().await;
        assert_eq!((record.code, record.signal), (None, Some(9)), "{record}");
        assert!(!record.last_lines.is_empty());
        assert!(Mysqld::find(&server.options, &nowhere, SECOND).await.is_none(), "a dead one is not found");
        server.restart().await;
    }
    println!("kill to seen (looks every 1 ms): {seen:?}; gone after {gone:?}");
    assert!(seen.iter().any(|(how, _)| *how == SeenBy::ProcStat));
    // One that was found, not started here: no exit status, all the rest.
    let found = Mysqld::find(&server.options, &server.door, SECOND).await.unwrap();
    found.terminate().unwrap();
    found.wait_exit().await.unwrap();
    found.gone(LONG).await.unwrap();
    assert_eq!(found.exit_record().await.code, None);
    assert!(found.kill().is_ok(), "nothing to kill is no error");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_loop_shows_the_servers_last_words() {
    let folder = tempfile::tempdir().unwrap();
    // What looks like data.
    std::fs::create_dir_all(folder.path().join("data/mysql")).unwrap();
    let options =
        write_defaults(folder.path(), "127.0.71.22", free_port("127.0.71.22"), 22, "no-such-option = 1");
    let mut policy = RestartPolicy::default();
    let verdict = loop {
        let started = Instant::now();
        let mysqld = Mysqld::start(&options).await.unwrap();
        mysqld.wait_exit().await.unwrap();
        mysqld.gone(LONG).await.unwrap();
        let record = mysqld.exit_record().await;
        assert!(record.code.is_some_and(|code| code != 0), "{record}");
        let text = record.to_string();
        assert!(record.last_lines.len() <= 20 && text.contains("[ERROR]"), "{text}");
        match policy.next(u64::try_from(started.elapsed().as_millis()).unwrap()) {
            RestartDecision::After(_) => {}
            crash_loop @ RestartDecision::CrashLoop { .. } => break (crash_loop, text),
        }
    };
    println!("{verdict:?}");
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = write_defaults(folder.path(), "127.0.71.23", 1, 23, "");
    options.mysqld = folder.path().join("nothing/mysqld");
    let error = Mysqld::start(&options).await.unwrap_err();
    assert!(error.to_string().contains("mysql.basedir"), "{error}");
    options.mysqld = "/bin/true".into();
    assert!(matches!(Mysqld::start(&options).await.unwrap_err(), StartError::Program { .. }));
    options.mysqld = xenon_mysql::find_mysqld(&basedir()).unwrap();
    options.defaults_file = folder.path().join("none.cnf");
    let error = Mysqld::start(&options).await.unwrap_err();
    assert!(error.to_string().contains("mysql.defaults-file"), "{error}");
    if rustix::process::geteuid().is_root() {
        std::fs::write(&options.defaults_file, "[mysqld]\nport=1\n").unwrap();
        let error = Mysqld::start(&options).await.unwrap_err();
        assert!(matches!(error, StartError::NoUser { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_lost_data_folder_is_told_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = write_defaults(folder.path(), "127.0.71.24", 1, 24, "");
    options.user = Some("root".to_owned());
    let data = folder.path().join("data");
    for make in [|_: &std::path::Path| {}, |data: &std::path::Path| std::fs::create_dir(data).unwrap()] {
        make(&data);
        let error = Mysqld::start(&options).await.unwrap_err();
        assert!(matches!(&error, StartError::NoData { data_dir } if *data_dir == data), "{error}");
        assert!(error.to_string().contains("rebuild this node"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_own_config_cannot_open_it_and_plugins_are_not_loaded_twice() {
    let settings = "read-only = OFF\nsuper-read-only = OFF\nskip-replica-start = OFF\nplugin-load-add = semisync_source.so";
    let mut server = Server::start_with(24, settings).await;
    let state = server.door.observe(LONG).await.unwrap();
    assert!(state.super_read_only && state.semi_sync_source.is_some() && state.semi_sync_replica.is_some());
    assert!(std::fs::metadata(server.options.meta_dir.join("mysqld.out")).unwrap().len() > 0);

    // One that INSTALL PLUGIN wrote into the server's own table, and we load it, too.
    let mut control = server.door.control(LONG).await.unwrap();
    server.sql("SET GLOBAL super_read_only = 0; UNINSTALL PLUGIN rpl_semi_sync_replica").await;
    assert!(server.door.observe(LONG).await.unwrap().semi_sync_replica.is_none());
    let error = control.semi_sync_replica(true, LONG).await.unwrap_err();
    assert!(matches!(error, SqlError::Unsupported { .. }), "{error}");
    assert!(control.load_semi_sync_plugins(LONG).await.unwrap());
    assert!(server.door.observe(LONG).await.unwrap().semi_sync_replica.is_some());
    control.semi_sync_replica(true, LONG).await.unwrap();
    assert!(server.door.observe(LONG).await.unwrap().executed.is_empty(), "not in the binlog");
    control.shutdown(LONG).await.unwrap();
    server.mysqld.gone(LONG).await.unwrap();
    server.restart().await;
    let state = server.door.observe(LONG).await.unwrap();
    assert!(state.semi_sync_source.is_some() && state.semi_sync_replica.is_some() && state.super_read_only);
}
