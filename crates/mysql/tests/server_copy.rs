//! Copying data: CLONE from another server and of itself, scratch servers, the swap of a real server's data folder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::future::pending;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use support::*;
use tokio::sync::watch;
use xenon_mysql::{
    CloneFrom, CloneLimits, CloneOrder, CopyError, CopyProgress, Donor, Layout, Scratch, ScratchOptions,
    Secret, Swap, SwapState, WorkFolder, check_complete, folder_facts, own_like, strip_identity, sync_all,
};

const REPL: &str = "repl";
const REPL_PASSWORD: &str = r#"s'ecret\"7"#;
const MINUTE: Duration = Duration::from_secs(60);

fn donor_of(server: &Server) -> Donor {
    Donor {
        host: server.host.clone(),
        port: server.port,
        user: REPL.to_owned(),
        password: REPL_PASSWORD.into(),
        require_tls: true,
    }
}

fn order(from: CloneFrom, to: &Path) -> CloneOrder {
    CloneOrder { from, to: to.to_owned(), limits: CloneLimits { deadline: MINUTE, ..CloneLimits::default() } }
}

fn progress() -> watch::Sender<CopyProgress> {
    watch::Sender::new(CopyProgress::default())
}

/// A server with rows, open for writes, and the replication account.
async fn with_rows(number: u8, settings: &str) -> Server {
    let server = Server::start_with(number, settings).await;
    let mut control = server.door.control(LONG).await.unwrap();
    control.ensure_replication_account(REPL, &Secret::from(REPL_PASSWORD), true, LONG).await.unwrap();
    control.open_for_writes(LONG).await.unwrap();
    drop(control);
    server
        .sql(
            "CREATE DATABASE d; CREATE TABLE d.t (id INT AUTO_INCREMENT PRIMARY KEY, b LONGBLOB); \
             INSERT INTO d.t (b) VALUES (RANDOM_BYTES(1024)), (RANDOM_BYTES(1024)), (RANDOM_BYTES(1024)), (RANDOM_BYTES(1024)); \
             INSERT INTO d.t (b) SELECT REPEAT(b, 1000) FROM d.t; \
             INSERT INTO d.t (b) SELECT b FROM d.t; INSERT INTO d.t (b) SELECT b FROM d.t; INSERT INTO d.t (b) SELECT b FROM d.t",
        )
        .await;
    server
}

async fn checksum(door: &xenon_mysql::Door, socket: Option<PathBuf>, server: Option<&Server>) -> (u64, u64) {
    let _ = door;
    let sql = "SELECT COUNT(*), CAST(SUM(CRC32(b)) AS UNSIGNED) FROM d.t";
    let mut conn = match (socket, server) {
        (Some(socket), _) => {
            let options = mysql_async::OptsBuilder::default()
                .socket(Some(socket.to_string_lossy().into_owned()))
                .user(Some("root"))
                .max_allowed_packet(Some(1 << 24))
                .wait_timeout(Some(1000));
            mysql_async::Conn::new(options).await.unwrap()
        }
        (None, Some(server)) => server.client().await,
        (None, None) => unreachable!(),
    };
    conn.query_first(sql).await.unwrap().unwrap()
}

fn scratch_options(server: &Server, work: &WorkFolder) -> ScratchOptions {
    ScratchOptions { mysqld: server.options.clone(), work: work.clone(), buffer_pool_mib: 32 }
}

fn work_folder(server: &Server) -> WorkFolder {
    WorkFolder::open(server.folder.path(), ".xenon-copy", &server.data_dir()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_from_another_server_is_proved_and_takes_its_place() {
    let donor = with_rows(31, "").await;
    let mut server = Server::start(32).await;
    let work = work_folder(&server);
    let to = work.path().join("data");
    // Own binlog and account: what a node has of its own, and loses in the swap.
    let before = server.door.observe(LONG).await.unwrap();
    assert!(before.super_read_only, "CLONE needs no write in the server that runs it");

    let told = progress();
    let started = Instant::now();
    let cloned = server
        .door
        .clone_data(&order(CloneFrom::Donor(donor_of(&donor)), &to), &told, pending())
        .await
        .unwrap();
    println!("{cloned:?} in {:?}", started.elapsed());
    assert!(cloned.progress.copied_bytes > 50_000_000 && cloned.progress.network_bytes > 50_000_000);
    assert_eq!(*told.borrow(), cloned.progress);
    check_complete(&to).unwrap();
    let facts = folder_facts(&to).unwrap();
    println!("{facts:?}");
    assert!(facts.bytes > 50_000_000 && facts.files > 6);
    // The limits are as they were.
    let mut client = server.client().await;
    let donors: Option<Option<String>> = client.query_first("SELECT @@clone_valid_donor_list").await.unwrap();
    assert_eq!(donors, Some(None));

    // The GTID set of the copy is only known to a server that has started on it.
    let wanted = donor.door.observe(LONG).await.unwrap().executed;
    let options = scratch_options(&server, &work);
    let scratch = Scratch::start_on(&options, &to, LONG).await.unwrap();
    let said = scratch.facts(LONG).await.unwrap();
    println!("{said:?}");
    assert_eq!((said.executed, said.tables, said.page_bytes), (wanted.clone(), 1, 16384));
    let socket = Some(work.path().join("s"));
    let rows = checksum(scratch.door(), socket, None).await;
    assert_eq!(rows, checksum(&donor.door, None, Some(&donor)).await);
    let mut control = scratch.door().control(LONG).await.unwrap();
    assert!(control.set_read_only(SECOND).await.is_ok());
    drop(control);
    scratch.stop(LONG).await.unwrap();
    assert!(!to.join("server-key.pem").exists() && !to.join("private_key.pem").exists(), "no keys in a copy");
    strip_identity(&to).unwrap();
    own_like(&to, &server.data_dir()).unwrap();
    sync_all(&to).unwrap();

    // In its place, and the server has the donor's data and GTIDs and an identity of its own.
    drop(client);
    server.mysqld.kill().unwrap();
    server.mysqld.gone(LONG).await.unwrap();
    let swap = Swap::plan(Layout::of(&server.options).unwrap(), &to, "20261128").unwrap();
    swap.forward().unwrap();
    server.restart().await;
    let after = server.door.observe(LONG).await.unwrap();
    assert_eq!(after.executed, wanted);
    assert_ne!(after.server_uuid, before.server_uuid, "GTID numbers are never used twice (I4)");
    assert_eq!(checksum(&server.door, None, Some(&server)).await, rows);
    // Undone: the old server, as it was.
    server.mysqld.kill().unwrap();
    server.mysqld.gone(LONG).await.unwrap();
    swap.undo().unwrap();
    assert_eq!(swap.state(), SwapState::Before);
    server.restart().await;
    let back = server.door.observe(LONG).await.unwrap();
    assert_eq!((back.server_uuid, back.executed), (before.server_uuid, before.executed));
    work.remove().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scratch_server_receives_where_no_other_can_and_leaves_nothing_running() {
    let donor = with_rows(33, "").await;
    let server = Server::start(34).await;
    server.mysqld.kill().unwrap();
    server.mysqld.gone(LONG).await.unwrap();
    let work = work_folder(&server);
    let options = scratch_options(&server, &work);
    let started = Instant::now();
    let scratch = Scratch::start_empty(&options, MINUTE).await.unwrap();
    println!("an empty scratch server serves after {:?}", started.elapsed());
    let to = work.path().join("data");
    let order = order(CloneFrom::Donor(donor_of(&donor)), &to);
    scratch.door().clone_data(&order, &progress(), pending()).await.unwrap();
    check_complete(&to).unwrap();
    let pid = scratch.mysqld().pid();

    // The agent crashes: the handle is lost, the process is not. Its successor finds and ends it.
    drop(scratch);
    assert!(Path::new(&format!("/proc/{pid}")).exists());
    assert!(Scratch::end_stale(work.path()).await.unwrap());
    assert!(!Scratch::end_stale(work.path()).await.unwrap());
    eventually("gone", || async { !Path::new(&format!("/proc/{pid}")).exists() }).await;
    // And one whose folder has been removed below it.
    let scratch = Scratch::start_empty(&options, MINUTE).await.unwrap();
    work.clear("scratch-data").unwrap();
    assert!(Scratch::end_stale(work.path()).await.unwrap());
    assert!(!scratch.mysqld().is_alive());

    // A damaged copy says so in the server's words; a folder with nothing in it does.
    let damaged = work.path().join("damaged");
    std::fs::create_dir(&damaged).unwrap();
    let error = Scratch::start_on(&options, &damaged, LONG).await.unwrap_err();
    println!("{error}");
    assert!(matches!(error, CopyError::Scratch { .. }), "{error}");
    let file = std::fs::OpenOptions::new().write(true).open(to.join("mysql.ibd")).unwrap();
    file.set_len(65_536).unwrap();
    let error = Scratch::start_on(&options, &to, LONG).await.unwrap_err();
    println!("{error}");
    assert!(matches!(error, CopyError::Scratch { .. }), "{error}");
    assert!(!Scratch::end_stale(work.path()).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_told_cancelled_throttled_and_bounded() {
    let donor =
        with_rows(35, "general-log = 1\ngeneral-log-file = general\nslow-query-log = 1\nlong-query-time = 0")
            .await;
    let server = Server::start_with(36, "general-log = 1\ngeneral-log-file = general").await;
    let work = work_folder(&server);
    let slow = |to: &str, deadline: Duration| {
        let mut order = order(CloneFrom::Donor(donor_of(&donor)), &work.path().join(to));
        order.limits = CloneLimits { data_mib_per_s: 10, network_mib_per_s: 10, deadline, ..order.limits };
        order
    };
    // Cancelled in the middle, after progress was seen.
    let told = progress();
    let mut seen = told.subscribe();
    let cancel = async move {
        let _ = seen.wait_for(|now| now.copied_bytes > 0 && now.estimate_bytes > now.copied_bytes).await;
    };
    let started = Instant::now();
    let error = server.door.clone_data(&slow("a", MINUTE), &told, cancel).await.unwrap_err();
    println!("{error} after {:?}; {:?}", started.elapsed(), told.borrow());
    assert!(matches!(error, CopyError::Cancelled { .. }), "{error}");
    let error = check_complete(&work.path().join("a")).unwrap_err();
    assert!(matches!(error, CopyError::Incomplete { .. }), "{error}");

    // The password is nowhere to be read while it runs, on neither side.
    let mut watcher = server.client().await;
    let watched = tokio::spawn(async move {
        for _ in 0..200 {
            let all: Vec<String> = watcher
                .query(
                    "SELECT COALESCE(INFO, '') FROM information_schema.PROCESSLIST UNION ALL \
                     SELECT COALESCE(SQL_TEXT, '') FROM performance_schema.events_statements_current",
                )
                .await
                .unwrap();
            if let Some(found) = all.iter().find(|text| text.contains("CLONE INSTANCE FROM")) {
                return found.clone();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("CLONE was not seen");
    });
    let started = Instant::now();
    let error = server.door.clone_data(&slow("b", 2 * SECOND), &progress(), pending()).await.unwrap_err();
    assert!(
        matches!(error, CopyError::TooSlow { .. }) && error.to_string().contains("not finished"),
        "{error}"
    );
    assert!(started.elapsed() < 10 * SECOND, "{:?}", started.elapsed());
    let statement = watched.await.unwrap();
    assert!(statement.contains("<secret>") && !statement.contains("ecret\\"), "{statement}");
    for server in [&donor, &server] {
        for log in ["general", "vm-slow.log", "mysqld.out"] {
            let text = std::fs::read(server.data_dir().join(log)).unwrap_or_default();
            assert!(!String::from_utf8_lossy(&text).contains(r"s'ecret"), "{log}");
        }
    }

    // A future that is dropped: the next control ends the statement.
    let order = slow("c", MINUTE);
    let dropped = tokio::time::timeout(SECOND, server.door.clone_data(&order, &progress(), pending())).await;
    assert!(dropped.is_err());
    server.door.control(LONG).await.unwrap();
    eventually("no CLONE is left", || async {
        let sql = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'CLONE INSTANCE%'";
        server.client().await.query_first::<u32, _>(sql).await.unwrap() == Some(0)
    })
    .await;

    // Only one at a time: the second one is told that the donor is busy.
    let other = Server::start(37).await;
    let (first, second) = (slow("d", MINUTE), slow("e", MINUTE));
    let told = progress();
    let mut seen = told.subscribe();
    let (finish, finished) = tokio::sync::oneshot::channel::<()>();
    let long = server.door.clone_data(&first, &told, async {
        let _ = finished.await;
    });
    let meanwhile = async {
        seen.wait_for(|now| now.estimate_bytes > 0).await.unwrap();
        let error = other.door.clone_data(&second, &progress(), pending()).await.unwrap_err();
        finish.send(()).unwrap();
        error
    };
    let (_, error) = tokio::join!(long, meanwhile);
    println!("{error}");
    assert!(matches!(error, CopyError::DonorBusy { .. }), "{error}");

    // The donor dies in the middle.
    let told = progress();
    let mut seen = told.subscribe();
    let mut order = slow("f", MINUTE);
    order.limits.stalled_after = 5 * SECOND;
    let copy = server.door.clone_data(&order, &told, pending());
    let kill = async {
        seen.wait_for(|now| now.estimate_bytes > 0).await.unwrap();
        donor.mysqld.kill().unwrap();
        Instant::now()
    };
    let (outcome, killed) = tokio::join!(copy, kill);
    let error = outcome.unwrap_err();
    println!("{error}; {:?} after the kill", killed.elapsed());
    // The recipient goes on trying: it is the limit that ends it.
    assert!(matches!(error, CopyError::TooSlow { .. }) || error.is_the_donors(), "{error}");
    assert!(killed.elapsed() < 20 * SECOND);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_orders_are_told_in_our_words() {
    let donor = with_rows(38, "").await;
    let server = Server::start(39).await;
    let work = work_folder(&server);
    let to = work.path().join("data");
    let good = donor_of(&donor);
    let try_from = async |change: &dyn Fn(&mut Donor), to: &Path| {
        let mut donor = good.clone();
        change(&mut donor);
        let error = server
            .door
            .clone_data(&order(CloneFrom::Donor(donor), to), &progress(), pending())
            .await
            .unwrap_err();
        println!("{error}");
        assert!(!error.to_string().contains("wrong-one"), "{error}");
        error
    };
    let error = try_from(&|donor| donor.password = "wrong-one".into(), &to).await;
    assert!(error.is_the_donors() && error.to_string().contains("1045"));
    let nobody = free_port(&donor.host);
    let error = try_from(&|donor| donor.port = nobody, &to).await;
    assert!(error.is_the_donors() && error.to_string().contains("2003"));
    let error = try_from(&|donor| donor.host = "no-such-host.invalid".to_owned(), &to).await;
    assert!(error.is_the_donors(), "{error}");
    donor.sql("SET sql_log_bin = 0; REVOKE BACKUP_ADMIN ON *.* FROM repl").await;
    let error = try_from(&|_| {}, &to).await;
    assert!(error.is_the_donors() && error.to_string().contains("BACKUP_ADMIN"));
    donor.sql("SET sql_log_bin = 0; GRANT BACKUP_ADMIN ON *.* TO repl").await;
    for (to, says) in [
        (PathBuf::from("relative"), "absolute"),
        (server.data_dir().join("inside"), "inside the data folder"),
        (work.path().to_owned(), "there already"),
    ] {
        let error = try_from(&|_| {}, &to).await;
        assert!(matches!(&error, CopyError::Impossible { why, .. } if why.contains(says)), "{error}");
    }
    // Without the plugin; loaded on a server that we did not start, with nothing in its binlog.
    donor.sql("UNINSTALL PLUGIN clone").await;
    let error = try_from(&|_| {}, &to).await;
    assert!(matches!(error, CopyError::Donor { .. } | CopyError::Impossible { .. }), "{error}");
    let before = donor.door.observe(LONG).await.unwrap().executed;
    let mut control = donor.door.control(LONG).await.unwrap();
    control.set_read_only(SECOND).await.unwrap();
    assert!(control.load_clone_plugin(LONG).await.unwrap());
    assert!(!control.load_clone_plugin(LONG).await.unwrap());
    let after = donor.door.observe(LONG).await.unwrap();
    assert!(after.super_read_only && after.executed == before);

    // What CLONE would leave out is known beforehand.
    assert_eq!(donor.door.left_out_by_clone(LONG).await.unwrap().count, 0);
    control.open_for_writes(LONG).await.unwrap();
    donor
        .sql("CREATE TABLE d.m (id INT) ENGINE = MyISAM; CREATE TABLE d.c (id INT NOT NULL) ENGINE = CSV")
        .await;
    let left_out = donor.door.left_out_by_clone(LONG).await.unwrap();
    assert_eq!(
        (left_out.count, left_out.names),
        (2, vec!["d.c (CSV)".to_owned(), "d.m (MyISAM)".to_owned()])
    );

    // Of itself.
    let local = work.path().join("local");
    let cloned =
        donor.door.clone_data(&order(CloneFrom::Local, &local), &progress(), pending()).await.unwrap();
    println!("{cloned:?}");
    check_complete(&local).unwrap();
    let mut slow = order(CloneFrom::Local, &work.path().join("local-slow"));
    slow.limits.data_mib_per_s = 10;
    let cloned = donor.door.clone_data(&slow, &progress(), pending()).await.unwrap();
    println!("with a limit of 10 MiB/s: {cloned:?}");
}
