//! W1, W3 on a real server: whatever a dead primary's binlog ends with is undone as a whole, or not touched and the reason
//! named.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use support::*;
use xenon_gtid::{GtidSet, Uuid};
use xenon_mysql::{
    BinlogTail, DiskLimits, Dropped, LogPlaces, QuarantineSummary, REWIND_STEPS, Rewind, RewindError,
    binlog_tail_outside, keep_tail, kept_bytes, kind_in_words, quarantine_of,
};
use xenon_plan::rewind::{Decision, Facts, Life, Named, Tail, decide};

const LIMITS: DiskLimits = DiskLimits { bytes_max: 1 << 32, deadline: Duration::from_secs(20) };
const MARKERS: Uuid = Uuid::from_bytes([9; 16]);
const LEADER: Uuid = Uuid::from_bytes([2; 16]);
const NEW: &str = "0f0f0f0f-1111-2222-3333-";

/// One tail, and what must come of it.
struct Case {
    name: &'static str,
    /// In one session; the last of them is to wait for its acknowledgement.
    statements: &'static [&'static str],
    /// `None`: undone. Else the words with which it is refused.
    refused: Option<&'static str>,
}

const fn undone(name: &'static str, statements: &'static [&'static str]) -> Case {
    Case { name, statements, refused: None }
}

const fn refused(name: &'static str, statements: &'static [&'static str], words: &'static str) -> Case {
    Case { name, statements, refused: Some(words) }
}

const SETUP: &str = "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY AUTO_INCREMENT, v LONGTEXT); \
    INSERT INTO d.t (v) VALUES ('a'), ('b'); CREATE TABLE d.other LIKE d.t; INSERT INTO d.other (v) VALUES ('q'); \
    CREATE TABLE d.m (id INT PRIMARY KEY) ENGINE = MyISAM; INSERT INTO d.m VALUES (1); \
    CREATE DATABASE gone; CREATE TABLE gone.x (id INT PRIMARY KEY); CREATE USER old@'%' IDENTIFIED BY 'x'; \
    CREATE TABLE d.part (id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 2; INSERT INTO d.part VALUES (1), (2), (3); \
    CREATE VIEW d.v AS SELECT 1 AS a; CREATE PROCEDURE d.p() SELECT 1; CREATE TABLESPACE ts ADD DATAFILE 'ts.ibd'; \
    XA START 'kept'; INSERT INTO d.other VALUES (50, 'prepared'); XA END 'kept'; XA PREPARE 'kept'; \
    XA START 'kept too'; INSERT INTO d.other VALUES (51, 'prepared'); XA END 'kept too'; XA PREPARE 'kept too'";

const CASES: &[Case] = &[
    undone("rows", &["INSERT INTO d.t (v) VALUES ('tail')"]),
    undone("many rows", &["BEGIN", "UPDATE d.t SET v = 'x'", "DELETE FROM d.other WHERE id = 1", "COMMIT"]),
    undone(
        "a transaction larger than what is read at once",
        &["INSERT INTO d.t (v) VALUES (REPEAT('x', 9000000))"],
    ),
    undone("empty", &["SET gtid_next = '09090909-0909-0909-0909-090909090909:3'", "BEGIN", "COMMIT"]),
    undone("a tag", &["SET gtid_next = 'AUTOMATIC:some_tag'", "INSERT INTO d.t (v) VALUES ('tail')"]),
    undone(
        "compressed",
        &["SET binlog_transaction_compression = ON", "INSERT INTO d.t (v) VALUES (REPEAT('t', 5000))"],
    ),
    undone("CREATE TABLE", &["CREATE TABLE d.n (id INT PRIMARY KEY)"]),
    undone("CREATE TABLE … SELECT", &["CREATE TABLE d.n AS SELECT * FROM d.t"]),
    undone("DROP TABLE", &["DROP TABLE d.t"]),
    undone("TRUNCATE TABLE", &["TRUNCATE TABLE d.t"]),
    undone("RENAME TABLE", &["RENAME TABLE d.t TO d.renamed"]),
    undone("ALTER TABLE, copying", &["ALTER TABLE d.t ADD COLUMN z INT, ALGORITHM = COPY"]),
    undone("ALTER TABLE, in place", &["ALTER TABLE d.t ADD INDEX (v(10)), ALGORITHM = INPLACE"]),
    undone("ALTER TABLE, instant", &["ALTER TABLE d.t ADD COLUMN z INT, ALGORITHM = INSTANT"]),
    undone("ALTER TABLE, partitions", &["ALTER TABLE d.part COALESCE PARTITION 1"]),
    undone("CREATE DATABASE", &["CREATE DATABASE fresh"]),
    undone("DROP DATABASE", &["DROP DATABASE gone"]),
    undone("CREATE USER", &["CREATE USER nu@'%' IDENTIFIED BY 'x'"]),
    undone("GRANT", &["GRANT SELECT ON d.* TO old@'%'"]),
    undone("CREATE PROCEDURE", &["CREATE PROCEDURE d.p2() SELECT 2"]),
    undone("DROP VIEW", &["DROP VIEW d.v"]),
    undone("CREATE TRIGGER", &["CREATE TRIGGER d.tr BEFORE INSERT ON d.t FOR EACH ROW SET @a = 1"]),
    undone("CREATE TABLESPACE", &["CREATE TABLESPACE ts2 ADD DATAFILE 'ts2.ibd'"]),
    undone("DROP TABLESPACE", &["DROP TABLESPACE ts"]),
    undone("ANALYZE TABLE", &["ANALYZE TABLE d.t"]),
    undone(
        "XA PREPARE",
        &["XA START 'q'", "INSERT INTO d.t (v) VALUES ('tail')", "XA END 'q'", "XA PREPARE 'q'"],
    ),
    undone(
        "XA PREPARE, compressed",
        &[
            "SET binlog_transaction_compression = ON",
            "XA START 'q'",
            "INSERT INTO d.t (v) VALUES (REPEAT('t', 5000))",
            "XA END 'q'",
            "XA PREPARE 'q'",
        ],
    ),
    undone(
        "XA COMMIT ONE PHASE",
        &["XA START 'q'", "INSERT INTO d.t (v) VALUES ('tail')", "XA END 'q'", "XA COMMIT 'q' ONE PHASE"],
    ),
    undone("XA COMMIT of what was prepared before", &["XA COMMIT 'kept'"]),
    undone("XA ROLLBACK of what was prepared before", &["XA ROLLBACK 'kept too'"]),
    refused("a table without transactions", &["INSERT INTO d.m VALUES (7)"], "tables without transactions"),
    refused("ALTER TABLE … ENGINE = MyISAM", &["ALTER TABLE gone.x ENGINE = MyISAM"], "is not undone"),
    refused("DROP TABLE without transactions", &["DROP TABLE d.m"], "is not undone"),
    refused(
        "CREATE TABLE without transactions",
        &["CREATE TABLE d.m2 (id INT) ENGINE = MyISAM"],
        "is not undone",
    ),
    refused("DISCARD TABLESPACE", &["ALTER TABLE d.t DISCARD TABLESPACE"], "is not undone"),
    refused(
        "a GTID of another server",
        &["SET gtid_next = '03030303-0303-0303-0303-030303030303:3'", "INSERT INTO d.part VALUES (77)"],
        "not written first by this server",
    ),
];

/// Commits wait for an acknowledgement that never comes.
async fn wait_for_ever(server: &Server) {
    server
        .sql(
            "SET GLOBAL super_read_only = 0; SET GLOBAL read_only = 0; \
             SET GLOBAL rpl_semi_sync_source_timeout = 1000000000000000000; \
             SET GLOBAL rpl_semi_sync_source_wait_no_replica = 1; SET GLOBAL rpl_semi_sync_source_enabled = 1",
        )
        .await;
}

/// Runs the statements in a session of their own until the last one is in the binlog, and waits; then kills the server.
async fn die_waiting(server: &Server, statements: &'static [&'static str]) {
    // Taken before: a statement on accounts that waits keeps everybody from logging in.
    let mut watch = server.client().await;
    let mut conn = server.client().await;
    let id = u64::from(conn.id());
    let before = written(&mut watch).await;
    let session = tokio::spawn(async move {
        for statement in statements {
            conn.query_drop(*statement).await?;
        }
        Ok::<_, mysql_async::Error>(())
    });
    let sql = format!(
        "SELECT COUNT(*) FROM performance_schema.processlist WHERE id = {id} AND (state LIKE 'Waiting for semi-sync ACK%' OR \
         state = 'waiting for handler commit')"
    );
    let started = std::time::Instant::now();
    loop {
        let count: Option<u64> = watch.query_first(&sql).await.unwrap();
        // On its way into the binlog a commit shows as waiting, too.
        if count == Some(1) && written(&mut watch).await != before {
            break;
        }
        assert!(!session.is_finished(), "{statements:?} did not wait: {:?}", session.await);
        assert!(started.elapsed() < LONG, "{statements:?} do not come to wait");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    kill(server).await;
    session.await.unwrap().unwrap_err();
}

/// Where the binlog ends.
async fn written(watch: &mut mysql_async::Conn) -> (String, u64) {
    let row: Option<(String, u64, String, String, String)> =
        watch.query_first("SHOW BINARY LOG STATUS").await.unwrap();
    let (file, position, ..) = row.unwrap();
    (file, position)
}

async fn kill(server: &Server) {
    server.door.close_idle();
    server.mysqld.kill().unwrap();
    server.mysqld.gone(LONG).await.unwrap();
}

/// All that a client can see, and the files.
async fn everything(server: &Server) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut conn = server.client().await;
    let tables: Vec<String> = conn
        .query(
            "SELECT CONCAT(table_schema, '.', table_name) FROM information_schema.tables WHERE table_type = 'BASE TABLE' \
             AND table_schema IN ('d', 'gone', 'fresh') ORDER BY 1",
        )
        .await
        .unwrap();
    for table in tables {
        let sum: Option<(String, Option<u64>)> =
            conn.query_first(format!("CHECKSUM TABLE {table}")).await.unwrap();
        let shown: Option<(String, String)> =
            conn.query_first(format!("SHOW CREATE TABLE {table}")).await.unwrap();
        // Numbers that were drawn and not used are not given back by a rollback either.
        let shape = shown.unwrap().1;
        let shape: String = shape.split(' ').filter(|word| !word.starts_with("AUTO_INCREMENT=")).collect();
        all.insert(table, format!("{sum:?} {shape}"));
    }
    for sql in [
        "SELECT CONCAT(user, host, authentication_string) FROM mysql.user ORDER BY 1",
        "SELECT CONCAT(host, db, user) FROM mysql.db ORDER BY 1",
        "SELECT CONCAT(routine_schema, routine_name) FROM information_schema.routines WHERE routine_schema = 'd' ORDER BY 1",
        "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = 'd'",
        "SELECT table_name FROM information_schema.views WHERE table_schema = 'd'",
        "SELECT CAST(name AS CHAR) FROM information_schema.innodb_tablespaces ORDER BY 1",
    ] {
        let rows: Vec<String> = conn.query(sql).await.unwrap();
        all.insert(sql.to_owned(), rows.join(" "));
    }
    let prepared: Vec<(u32, u32, u32, String)> = conn.query("XA RECOVER").await.unwrap();
    let mut prepared: Vec<String> = prepared.into_iter().map(|row| row.3).collect();
    prepared.sort();
    all.insert("prepared".to_owned(), prepared.join(" "));
    let mut files = Vec::new();
    for folder in ["d", "gone", "fresh", "."] {
        let Ok(entries) = std::fs::read_dir(server.data_dir().join(folder)) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if folder != "." || name.ends_with(".ibd") {
                files.push(format!("{folder}/{name}"));
            }
        }
    }
    files.sort();
    all.insert("files".to_owned(), files.join(" "));
    all
}

async fn executed(server: &Server) -> GtidSet {
    server.door.observe(LONG).await.unwrap().executed
}

async fn tail_of(places: &LogPlaces, set: &GtidSet) -> BinlogTail {
    binlog_tail_outside(places, set, LIMITS).await.unwrap().expect("a tail")
}

fn facts(places: &LogPlaces, tail: &BinlogTail) -> Facts {
    let named = |first: &xenon_mysql::TailTransaction| Named {
        gtid: first.gtid,
        what: kind_in_words(first).to_owned(),
    };
    Facts {
        tail: Ok(Tail {
            gtids: tail.gtids.clone(),
            count: tail.count,
            inside_after: tail.inside_after,
            in_use: tail.in_use,
            in_earlier_file: tail.in_earlier_file.as_ref().map(named),
            not_undone: tail.not_undone.as_ref().map(named),
        }),
        server_uuid: places.server_uuid.unwrap(),
        markers: MARKERS,
        leader_uuid: LEADER,
        leader_term: 5,
        life: Some(Life { primary_in: Some(4), ..Life::default() }),
        boot: None,
    }
}

fn dropped(places: &LogPlaces) -> Dropped {
    Dropped {
        reason: "rewind".to_owned(),
        why: "A test".to_owned(),
        node: "here".to_owned(),
        server_uuid: places.server_uuid.unwrap().to_string(),
        told_ok: "Nobody was told OK".to_owned(),
    }
}

fn kept(places: &LogPlaces, tail: &BinlogTail, meta: &Path, number: usize) -> Rewind {
    let folder = keep_tail(meta, tail, dropped(places)).unwrap();
    let new: Uuid = format!("{NEW}{number:012}").parse().unwrap();
    Rewind::of(places, tail, places.server_uuid.unwrap(), new, folder).unwrap()
}

/// The kept files hold the tail, as the server's own program reads it.
fn check_quarantine(rewind: &Rewind, tail: &BinlogTail) {
    let summary = std::fs::read(rewind.quarantine.join("summary.json")).unwrap();
    let summary: QuarantineSummary = serde_json::from_slice(&summary).unwrap();
    assert_eq!((&summary.gtids, summary.count), (&tail.gtids, tail.count));
    let text = std::fs::read_to_string(rewind.quarantine.join("summary.txt")).unwrap();
    let command = text.lines().find(|line| line.trim_start().starts_with("mysqlbinlog --verbose")).unwrap();
    let mut words = command.split_whitespace();
    let program = basedir().join("bin").join(words.next().unwrap());
    let output =
        std::process::Command::new(program).args(words).current_dir(&rewind.quarantine).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    for transaction in &summary.transactions {
        let gtid = transaction.gtid.unwrap().to_string();
        assert!(said.contains(&gtid), "{command} does not show {gtid}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn server_every_tail_is_undone_as_a_whole_or_refused() {
    let mut server = Server::start(91).await;
    server.sql("SET GLOBAL super_read_only = 0; SET GLOBAL read_only = 0").await;
    server.sql(SETUP).await;
    let meta = tempfile::tempdir().unwrap();
    for (number, case) in CASES.iter().enumerate() {
        let name = case.name;
        let (before, acknowledged) = (everything(&server).await, executed(&server).await);
        let places = server.door.log_places(LONG).await.unwrap();
        wait_for_ever(&server).await;
        die_waiting(&server, case.statements).await;

        let tail = tail_of(&places, &acknowledged).await;
        assert_eq!((tail.count, tail.is_clean(), tail.in_use), (1, true, true), "{name}: {tail:?}");
        let decision = decide(&facts(&places, &tail));
        if let Some(words) = case.refused {
            let Decision::Refuse { condition, .. } = &decision else { panic!("{name}: {decision:?}") };
            assert!(condition.contains(words), "{name}: {condition}");
            server.restart().await;
            continue;
        }
        assert!(matches!(decision, Decision::Rewind { .. }), "{name}: {decision:?}");
        let rewind = kept(&places, &tail, meta.path(), number);
        check_quarantine(&rewind, &tail);
        rewind.save(meta.path()).unwrap();
        // The agent is killed behind each of the steps in turn, and the next one goes on.
        rewind.carry_out_first(number % (REWIND_STEPS + 1)).unwrap();
        let again = Rewind::load(meta.path()).unwrap().unwrap();
        assert_eq!(again, rewind);
        again.carry_out().unwrap();
        again.carry_out().unwrap();
        Rewind::forget(meta.path()).unwrap();
        server.restart().await;

        let state = server.door.observe(LONG).await.unwrap();
        assert_eq!(state.executed, acknowledged, "{name}");
        assert_eq!(state.executed, rewind.expected, "{name}");
        assert_eq!(state.server_uuid, rewind.new_server_uuid, "{name}");
        assert_eq!(everything(&server).await, before, "{name}");
    }
    let (bytes, folders) = kept_bytes(meta.path());
    assert_eq!(folders, CASES.iter().filter(|case| case.refused.is_none()).count());
    assert!(bytes < 40_000_000, "{bytes}");
    assert_eq!(Rewind::load(meta.path()).unwrap(), None);
}

/// Were the agent's note of a rewind lost half-way, and mysqld started: it starts, and makes no GTID twice.
#[tokio::test(flavor = "multi_thread")]
async fn server_a_rewind_that_ends_half_way_harms_nothing() {
    let mut server = Server::start(92).await;
    server.sql("SET GLOBAL super_read_only = 0; SET GLOBAL read_only = 0; CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY)").await;
    let meta = tempfile::tempdir().unwrap();
    for steps in 0..REWIND_STEPS {
        let acknowledged = executed(&server).await;
        let places = server.door.log_places(LONG).await.unwrap();
        wait_for_ever(&server).await;
        die_waiting(&server, &["INSERT INTO d.t SELECT COALESCE(MAX(id), 0) + 1 FROM d.t AS x"]).await;
        let tail = tail_of(&places, &acknowledged).await;
        let rewind = kept(&places, &tail, meta.path(), 100 + steps);
        rewind.save(meta.path()).unwrap();
        rewind.carry_out_first(steps).unwrap();
        server.restart().await;
        let state = server.door.observe(LONG).await.unwrap();
        let is_cut = steps >= 4;
        assert_eq!(
            state.executed,
            if is_cut { acknowledged } else { tail.executed.clone() },
            "{steps} steps"
        );
        assert_eq!(state.server_uuid == rewind.new_server_uuid, steps >= 1, "{steps} steps");
        // Somebody else's recovery has been there: it is not gone on with.
        let error = rewind.carry_out().unwrap_err();
        assert!(error.to_string().contains("mysqld runs in"), "{error}");
        kill(&server).await;
        let error = rewind.carry_out().unwrap_err();
        assert!(matches!(error, RewindError::Changed { .. }), "{error}");
        server.restart().await;
        server.sql("SET GLOBAL super_read_only = 0; SET GLOBAL read_only = 0").await;
    }
}

/// A marker that waits keeps nobody from beginning a new file; a client's commit does.
#[tokio::test(flavor = "multi_thread")]
async fn server_tails_in_several_files() {
    let mut server = Server::start(93).await;
    server.sql("SET GLOBAL super_read_only = 0; SET GLOBAL read_only = 0; CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY); INSERT INTO d.t VALUES (1)").await;
    let meta = tempfile::tempdir().unwrap();
    let acknowledged = executed(&server).await;
    let before = everything(&server).await;
    let places = server.door.log_places(LONG).await.unwrap();
    wait_for_ever(&server).await;
    let mut marker = server.client().await;
    let writing = tokio::spawn(async move {
        marker.query_drop("SET gtid_next = '09090909-0909-0909-0909-090909090909:4'").await?;
        marker.query_drop("BEGIN").await?;
        marker.query_drop("COMMIT").await
    });
    eventually("the marker waits", || async {
        server.door.observe(LONG).await.unwrap().semi_sync_source.unwrap().waiting_sessions == 1
    })
    .await;
    server.sql("FLUSH BINARY LOGS").await;
    server.sql("FLUSH BINARY LOGS").await;
    die_waiting(&server, &["INSERT INTO d.t VALUES (2)"]).await;
    writing.await.unwrap().unwrap_err();
    let tail = tail_of(&places, &acknowledged).await;
    // What came before a new file and was not committed then is named by no later file: the server itself forgets it.
    assert_eq!((tail.later_files.len(), tail.count), (0, 1), "{tail:?}");
    let decision = decide(&facts(&places, &tail));
    assert!(matches!(decision, Decision::Rewind { .. }), "{decision:?}");
    let rewind = kept(&places, &tail, meta.path(), 200);
    check_quarantine(&rewind, &tail);
    rewind.carry_out().unwrap();
    server.restart().await;
    assert_eq!(executed(&server).await, acknowledged);
    assert_eq!(everything(&server).await, before);

    // Commits that were let go on, over three files: committed, so refused; and if they were cut off all the same, the
    // server's own set would tell.
    server.sql("SET GLOBAL super_read_only = 0; SET GLOBAL read_only = 0").await;
    let places = server.door.log_places(LONG).await.unwrap();
    for id in 10..13 {
        server.sql(&format!("INSERT INTO d.t VALUES ({id}); FLUSH BINARY LOGS")).await;
    }
    kill(&server).await;
    let tail = tail_of(&places, &acknowledged).await;
    let Decision::Refuse { condition, .. } = decide(&facts(&places, &tail)) else { panic!("{tail:?}") };
    assert!(condition.contains("in a binlog file before the last one"), "{condition}");
    let rewind = kept(&places, &tail, meta.path(), 201);
    check_quarantine(&rewind, &tail);
    rewind.carry_out().unwrap();
    assert_eq!(tail.later_files.len(), 3, "{tail:?}");
    assert!(!tail.later_files.iter().any(|path| path.exists()));
    server.restart().await;
    assert!(executed(&server).await.intersects(&rewind.gtids), "verified by gtid_executed");
}

#[tokio::test(flavor = "multi_thread")]
async fn server_ended_in_order_or_with_a_torn_end() {
    let mut server = Server::start(94).await;
    server.sql("SET GLOBAL super_read_only = 0; SET GLOBAL read_only = 0; CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY)").await;
    let meta = tempfile::tempdir().unwrap();
    let (before, acknowledged) = (everything(&server).await, executed(&server).await);
    let places = server.door.log_places(LONG).await.unwrap();
    wait_for_ever(&server).await;
    die_waiting(&server, &["INSERT INTO d.t VALUES (1)"]).await;
    // A second transaction that had come half-way when the power went.
    let tail = tail_of(&places, &acknowledged).await;
    let mut bytes = std::fs::read(&tail.file).unwrap();
    let start = usize::try_from(tail.start).unwrap();
    let half = (bytes.len() - start) / 2;
    bytes.extend_from_within(start..start + half);
    // Its positions are those of the place where it stands now.
    let moved = u32::try_from(bytes.len() - half - start).unwrap();
    let at = bytes.len() - half + 13;
    let end = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) + moved;
    bytes[at..at + 4].copy_from_slice(&end.to_le_bytes());
    bytes.truncate(bytes.len() - half + 40);
    std::fs::write(&tail.file, &bytes).unwrap();
    let torn = tail_of(&places, &acknowledged).await;
    assert_eq!((torn.count, torn.whole_until), (1, tail.whole_until), "{torn:?}");
    let decision = decide(&facts(&places, &torn));
    assert!(matches!(decision, Decision::Rewind { .. }), "{decision:?}");
    let rewind = kept(&places, &torn, meta.path(), 300);
    rewind.carry_out().unwrap();
    server.restart().await;
    assert_eq!(executed(&server).await, acknowledged);
    assert_eq!(everything(&server).await, before);

    // An orderly shutdown tells waiting commits OK.
    let places = server.door.log_places(LONG).await.unwrap();
    wait_for_ever(&server).await;
    let mut conn = server.client().await;
    let waiting = tokio::spawn(async move { conn.query_drop("INSERT INTO d.t VALUES (2)").await });
    eventually("it waits", || async {
        server.door.observe(LONG).await.unwrap().semi_sync_source.unwrap().waiting_sessions == 1
    })
    .await;
    server.door.close_idle();
    server.mysqld.terminate().unwrap();
    server.mysqld.gone(LONG).await.unwrap();
    let _ = waiting.await.unwrap();
    let tail = tail_of(&places, &acknowledged).await;
    let Decision::Refuse { condition, .. } = decide(&facts(&places, &tail)) else { panic!("{tail:?}") };
    assert!(condition.contains("in order"), "{condition}");

    // The quarantine is kept before anything is done, or nothing is done.
    let blocked = tempfile::tempdir().unwrap();
    std::fs::write(quarantine_of(blocked.path()), "").unwrap();
    let error = keep_tail(blocked.path(), &tail, dropped(&places)).unwrap_err();
    assert!(error.to_string().contains("cannot be kept"), "{error}");
}
