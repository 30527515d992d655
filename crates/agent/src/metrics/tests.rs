//! The page, its reference and the samples beside it.

use super::names::ALL;
use super::page::Kind;
use super::*;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use xenon_api::{MemberStatus, MysqlStatus, MysqldStatus, PurgeStatus};

/// The reference is written anew with this in the environment.
const WRITE: &str = "XENON_UPDATE";

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).expect(path)
}

/// A node about which everything is known.
fn full() -> Measured {
    let id = NodeId::new("10.0.0.1:8801");
    let member = |id: &str, standing| MemberStatus { id: NodeId::new(id), standing, priority: 1 };
    let replication = ReplicationStatus {
        source: "10.0.0.2:3306".to_owned(),
        io_running: true,
        sql_running: true,
        seconds_behind: Some(9),
        lag_us: Some(12_345),
        ..ReplicationStatus::default()
    };
    let executed: GtidSet = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5".parse().expect("a set");
    let status = NodeStatus {
        id: id.clone(),
        service_address: Vec::new(),
        state: "LEADER".to_owned(),
        view_id: 7,
        epoch_id: 3,
        cluster: Some("3e11fa47-71ca-11e1-9e33-c80aa9429562".parse().expect("a uuid")),
        leader: Some(id),
        members: vec![member("10.0.0.1:8801", Standing::Voter), member("10.0.0.2:8801", Standing::Idle)],
        mysqld: MysqldStatus { running: true, starts: 2, ..MysqldStatus::default() },
        mysql: MysqlStatus {
            alive: true,
            writable: true,
            version: "9.7.4".to_owned(),
            server_uuid: Some("3e11fa47-71ca-11e1-9e33-c80aa9429562".parse().expect("a uuid")),
            executed: executed.clone(),
            replication: Some(replication),
            semi_sync_source: Some((true, 1, 2)),
            semi_sync_replica: Some(false),
            ..MysqlStatus::default()
        },
        backup: xenon_api::BackupStatus::default(),
        job: Some(JobStatus { kind: JobKind::Backup, bytes_done: 5, bytes_total: 9, ..JobStatus::default() }),
        doubt: None,
        rejoin: xenon_election::Rejoin::default(),
        counters: xenon_api::Counters::default(),
        unfit: None,
        errant: executed,
        doing: Vec::new(),
        troubles: vec!["something".to_owned()],
        purge: PurgeStatus {
            on: true,
            files: 3,
            bytes: 4096,
            oldest: "b.1".to_owned(),
            ..PurgeStatus::default()
        },
        holds_binlogs: None,
        last_promotion: Some(TimingStatus {
            term: 7,
            cause: "nothing heard of leader 10.0.0.2:8801".to_owned(),
            phases: vec![
                ("elected".to_owned(), 10.0),
                ("rescued 5 transactions, 700 bytes".to_owned(), 12.5),
                ("set-variables".to_owned(), 13.0),
                ("open".to_owned(), 14.0),
                ("set-variables".to_owned(), 15.0),
            ],
        }),
        config_path: "/etc/xenon/xenon.json".to_owned(),
        version: "0.1.0".to_owned(),
        pid: 1,
        uptime_s: 61,
        state_uptime_s: 60,
    };
    let mut tally = Tally::default();
    tally.elections_won = 1;
    tally.promoted_unix_ms = 1_700_000_000_250;
    tally.votes_refused.insert("behind", 4);
    tally.jobs.insert(("rebuild", "done"), 1);
    Measured {
        status,
        tally,
        events: BTreeMap::from([("step", 17)]),
        started_unix_ms: 1_700_000_000_000,
        lease_s: Some(0.75),
        heard_s: BTreeMap::from([(NodeId::new("10.0.0.2:8801"), 0.125)]),
        paused: false,
        degraded: true,
        witness: false,
        address_here: true,
        server: Some(ServerFacts {
            semi_sync_operational: true,
            semi_sync_sessions: Some(0),
            received: 8,
            unapplied: 3,
            ..ServerFacts::default()
        }),
    }
}

/// Of a sample: its name and the names of its labels.
fn shape(sample: &str) -> (String, Vec<String>) {
    let (name, labels) = sample
        .rsplit_once(' ')
        .expect(sample)
        .0
        .split_once('{')
        .unwrap_or_else(|| (sample.split_once(' ').expect(sample).0, ""));
    let labels = labels.split("\",").filter_map(|label| Some(label.split_once('=')?.0.to_owned()));
    (name.to_owned(), labels.collect())
}

#[test]
fn a_page_has_every_metric_of_the_list_and_no_other() {
    let page = render(&full(), Format::Prometheus);
    let samples: Vec<&str> = page.lines().filter(|line| !line.starts_with('#')).collect();
    let mut seen = BTreeSet::new();
    for sample in &samples {
        let (name, labels) = shape(sample);
        let family =
            ALL.iter().find(|family| family.name == name).unwrap_or_else(|| panic!("{name} is not listed"));
        assert_eq!(labels, family.labels, "{sample}");
        seen.insert(family.name);
    }
    let missing: Vec<_> = ALL.iter().map(|family| family.name).filter(|name| !seen.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let heads = page.lines().filter(|line| line.starts_with("# TYPE")).count();
    assert_eq!(heads, ALL.len(), "a family whose samples do not stand together has two heads");
    let series: BTreeSet<&str> =
        samples.iter().filter_map(|sample| Some(sample.rsplit_once(' ')?.0)).collect();
    assert_eq!(series.len(), samples.len(), "no series twice");
    assert!(samples.len() < 250, "{} samples", samples.len());
}

#[test]
fn names_follow_the_conventions() {
    for family in ALL {
        let name = family.name;
        assert!(name.starts_with("xenon_") || name.starts_with("process_"), "{name}");
        assert_eq!(name.ends_with("_total"), family.kind == Kind::Counter, "{name}");
        let scaled = ["_ms", "_milliseconds", "_us", "_mib", "_kb", "_percent"];
        assert!(!scaled.iter().any(|unit| name.ends_with(unit)), "{name}: base units only");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
        assert!(family.help.ends_with('.') && !family.help.contains(['\n', '\\', '"', '|']), "{name}");
    }
}

#[test]
fn values_as_they_are() {
    let page = render(&full(), Format::OpenMetrics);
    for line in [
        "xenon_state{state=\"leader\"} 1",
        "xenon_state{state=\"follower\"} 0",
        "xenon_lease_remaining_seconds 0.75",
        "xenon_member_info{member=\"10.0.0.2:8801\",standing=\"idle\"} 1",
        "xenon_member_heard_age_seconds{member=\"10.0.0.2:8801\"} 0.125",
        "xenon_gtid_executed_transactions 5",
        "xenon_gtid_unapplied_transactions 3",
        "xenon_replication_lag_seconds 0.012345",
        "xenon_semi_sync_source_on 1",
        "xenon_semi_sync_clients 2",
        "xenon_votes_refused_total{reason=\"behind\"} 4",
        "xenon_votes_refused_total{reason=\"doubtful\"} 0",
        "xenon_last_promotion_timestamp_seconds 1700000000.250",
        "xenon_last_promotion_info{cause=\"leader-lost\"} 1",
        "xenon_last_promotion_seconds 0.015",
        "xenon_last_promotion_phase_seconds{phase=\"elected\"} 0.01",
        "xenon_last_promotion_phase_seconds{phase=\"rescued\"} 0.0025",
        // Twice among the phases, once here.
        "xenon_last_promotion_phase_seconds{phase=\"set-variables\"} 0.0015",
        "xenon_jobs_total{kind=\"rebuild\",outcome=\"done\"} 1",
        "xenon_job_active{kind=\"backup\"} 1",
        "xenon_job_copied_bytes 5",
        "xenon_binlog_bytes 4096",
        "xenon_events_total{kind=\"step\"} 17",
        "xenon_events_total{kind=\"trouble\"} 0",
        "process_start_time_seconds 1700000000.000",
    ] {
        assert!(page.lines().any(|other| other == line), "{line}\n{page}");
    }
    assert!(page.ends_with("# EOF\n"));
}

#[test]
fn what_is_not_known_is_absent_and_not_zero() {
    let mut measured = full();
    measured.server = None;
    measured.lease_s = None;
    measured.status.mysql = MysqlStatus::default();
    measured.status.job = None;
    measured.status.last_promotion = None;
    measured.status.purge = PurgeStatus::default();
    let page = render(&measured, Format::Prometheus);
    let has = |name: &str| page.lines().any(|line| line.starts_with(name));
    assert!(has("xenon_mysqld_answers 0") && has("xenon_mysql_writable 0"));
    for absent in [
        "xenon_gtid_executed",
        "xenon_replication_",
        "xenon_mysql_info",
        "xenon_mysql_read_only",
        "xenon_lease",
        "xenon_job_copied",
        "xenon_last_promotion_seconds",
        "xenon_binlog_bytes",
    ] {
        assert!(!has(absent), "{absent}\n{page}");
    }
}

#[test]
fn a_witness_has_no_server_to_be_missed() {
    let witness = Measured { witness: true, server: None, ..full() };
    let page = render(&witness, Format::Prometheus);
    assert!(page.contains("\nxenon_witness 1\n") && !page.contains("xenon_mysql"), "{page}");
}

#[test]
fn lag_falls_back_to_whole_seconds() {
    let mut measured = full();
    if let Some(replication) = &mut measured.status.mysql.replication {
        replication.lag_us = None;
    }
    assert!(render(&measured, Format::Prometheus).contains("\nxenon_replication_lag_seconds 9\n"));
}

#[test]
fn causes_are_of_few_sorts() {
    for (sentence, sort) in [
        ("no leader is known", "start"),
        ("leader 10.0.0.2:8801 of term 4 is not heard any more", "leader-lost"),
        ("nothing heard of leader mysqld-1:8801", "leader-lost"),
        ("handover: everything of the old primary is applied here", "handover"),
        ("10.0.0.2:8801 hands over: cluster switchover, asked by root (http 10.0.0.9)", "handover"),
        ("10.0.0.2:8801 hands over by itself", "handover"),
        ("10.0.0.2:8801 cannot serve any more: mysqld has died", "mysqld"),
        ("10.0.0.2:8801 cannot serve any more: its disk is full", "told"),
        ("10.0.0.2:8801 found this node ahead of itself", "told"),
        ("10.0.0.2:8801 said so", "told"),
        ("mysqld has died", "mysqld"),
        ("the data folder is gone", "other"),
    ] {
        assert_eq!(cause(sentence), sort, "{sentence}");
    }
}

#[test]
fn a_hostile_name_stays_within_its_label() {
    let mut measured = full();
    measured.status.version = "1\"} 1\nxenon_evil{a=\"".to_owned();
    let page = render(&measured, Format::Prometheus);
    assert!(!page.lines().any(|line| line.starts_with("xenon_evil")), "{page}");
}

fn reference() -> String {
    let mut text = "\
# Metrics

`GET /metrics` at the address of the HTTP API (`server.enable-apis`, `server.peer-address`), without a login, in Prometheus' text
format or, to who asks for it, OpenMetrics. A page costs nothing at mysqld: it is what the agent has seen last. Counters begin
anew with the agent. What is not known is absent, not 0: while mysqld does not answer there are no positions.

Samples: [alert rules](../samples/alerts.yml), [Grafana dashboard](../samples/grafana.json).

<!-- Written from crates/agent/src/metrics/names.rs: XENON_UPDATE=1 cargo test -p xenon-agent metrics -->

| metric | kind | labels | meaning |
|---|---|---|---|
"
    .to_owned();
    for family in ALL {
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind, help) = (family.name, family.kind.word(), family.help);
        let _ = writeln!(text, "| `{name}` | {kind} | {} | {help} |", labels.join(", "));
    }
    text
}

#[test]
fn the_reference_is_current() {
    let path = "docs/reference/metrics.md";
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(repository().join(path), reference()).expect(path);
    }
    assert!(
        read(path) == reference(),
        "{path} is old; write it anew: {WRITE}=1 cargo test -p xenon-agent metrics"
    );
}

/// Every word of a text that looks like a metric of ours.
fn metrics_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("xenon_") || word.starts_with("process_")).collect()
}

#[test]
fn the_samples_name_metrics_and_labels_that_exist() {
    for path in ["docs/samples/alerts.yml", "docs/samples/grafana.json"] {
        let text = read(path);
        let used = metrics_in(&text);
        assert!(used.len() > 10, "{path}: {used:?}");
        for name in used {
            assert!(ALL.iter().any(|family| family.name == name), "{path}: there is no {name}");
        }
    }
    // `on (…)`, `by (…)`, `{label=…}`, `{{ $labels.… }}` of the samples: labels of ours, or those that Prometheus adds.
    let alerts = read("docs/samples/alerts.yml");
    for label in alerts.split("$labels.").skip(1) {
        let label: String = label.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        let ours = ALL.iter().any(|family| family.labels.contains(&label.as_str()));
        assert!(
            ours || ["instance", "job"].contains(&label.as_str()),
            "alerts.yml: there is no label {label}"
        );
    }
}

#[test]
fn the_dashboard_is_one() {
    let board: serde_json::Value = serde_json::from_str(&read("docs/samples/grafana.json")).expect("JSON");
    let panels = board["panels"].as_array().expect("panels");
    let ids: BTreeSet<i64> = panels.iter().filter_map(|panel| panel["id"].as_i64()).collect();
    assert_eq!(ids.len(), panels.len(), "every panel has its own id");
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let targets = panel["targets"].as_array().expect("targets");
        assert!(!targets.is_empty() && targets.iter().all(|target| target["expr"].is_string()), "{panel}");
        assert!(panel["description"].as_str().is_some_and(|text| text.len() > 10), "{panel}");
    }
}

/// Prometheus' own tool, where it is installed (Debian: prometheus).
#[test]
fn promtool_finds_nothing_to_mend() {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let promtool = std::env::var_os("PROMTOOL").unwrap_or_else(|| "promtool".into());
    if Command::new(&promtool).arg("--version").output().is_err() {
        println!("skipped: promtool is not here (Debian: apt-get install prometheus)");
        return;
    }
    let rules = repository().join("docs/samples/alerts.yml");
    let checked = Command::new(&promtool).args(["check", "rules"]).arg(rules).output().expect("promtool");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    let mut lint = Command::new(&promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool");
    let page = render(&full(), Format::Prometheus);
    lint.stdin.take().expect("its input").write_all(page.as_bytes()).expect("a page");
    let lint = lint.wait_with_output().expect("promtool");
    assert!(
        lint.status.success(),
        "{}{}",
        String::from_utf8_lossy(&lint.stdout),
        String::from_utf8_lossy(&lint.stderr)
    );
}
