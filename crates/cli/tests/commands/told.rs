//! What agents tell of what happened: events, reports, and why each node may lead.

use crate::fixture::{Outcome, Stage, program, refused, run};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use xenon_api::{
    Event, EventKind, Explanation, NodeExplanation, Reply, Report, ReportHead, ReportKind, ReportOutcome,
    ReportPhase, ReportVote, Request, Response,
};
use xenon_election::NodeId;

/// 2026-11-28 08:43:12.345 UTC.
const BEGAN: u64 = 1_795_855_392_345;
/// 2020-01-01 10:00:12.345 UTC.
const OLD: u64 = 1_577_872_812_345;
const SERVER: &str = "4e11fa47-71ca-11e1-9e33-c80aa9429562";

/// As [`Stage::run`], in a zone that the test knows.
fn told(stage: &Stage, place: usize, line: &str) -> Outcome {
    let config = stage.config(place, "a secret of thirty-two characters");
    run(program().env("TZ", "UTC").arg("-c").arg(config).args(shell_words(line)))
}

/// Blanks part words, but between quotes.
fn shell_words(line: &str) -> Vec<String> {
    let quoted = line.split('\'').enumerate();
    let mut words = Vec::new();
    for (number, part) in quoted {
        if number % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

fn set(text: &str) -> xenon_gtid::GtidSet {
    format!("{SERVER}:{text}").parse().unwrap()
}

fn node(number: u8) -> NodeId {
    NodeId::new(format!("10.0.0.{number}:8801"))
}

/// A failover with all that can be told of one.
fn report() -> Report {
    let vote = |number, granted, why: &str, received| ReportVote {
        node: node(number),
        term: 5,
        granted,
        why: why.to_owned(),
        received,
    };
    let phase = |name: &str, at_ms, took_ms| ReportPhase { name: name.to_owned(), at_ms, took_ms };
    let event = |number, after, kind, text: &str| Event {
        seq: after,
        unix_ms: BEGAN + after,
        node: node(number),
        kind,
        text: text.to_owned(),
        since_start_ms: None,
    };
    Report {
        head: ReportHead {
            id: "20261128T084312-5-10-0-0-2-8801".to_owned(),
            node: node(2),
            kind: ReportKind::Failover,
            outcome: ReportOutcome::Promoted,
            term: 5,
            began_unix_ms: BEGAN,
            took_ms: 84.2,
            cause: "10.0.0.1:8801 cannot serve any more: mysqld has died".to_owned(),
            old_primary: Some(node(1)),
            by: None,
        },
        evidence: vec![
            "10.0.0.1:8801 said itself that its server does not serve; that had answered last 92 ms before".to_owned(),
        ],
        votes: vec![
            vote(2, true, "", Some(set("1-1200"))),
            vote(3, true, "", Some(set("1-1198"))),
            vote(1, false, "it lacks what my mysqld has, which is dead: marker 4", Some(set("1-1203"))),
        ],
        phases: vec![
            phase("frozen", 2.1, 2.1),
            phase("elected", 13.4, 11.3),
            phase("apply-all", 31.0, 17.6),
            phase("write-marker", 80.2, 49.2),
            phase("open", 84.2, 4.0),
        ],
        rescued: set("1201-1203"),
        rescue_failed: String::new(),
        quarantined: set("1204-1205"),
        todo: vec![
            "look through what is kept aside, and decide what of it is wanted: 2 transaction(s) that nobody had \
             acknowledged are set aside in /var/lib/xenon/quarantine/rewind-1 on 10.0.0.1:8801 (W3)"
                .to_owned(),
        ],
        events: vec![
            event(2, 3, EventKind::Election, "standing in term 5"),
            event(2, 84, EventKind::Election, "open for writes as the primary of term 5"),
        ],
        last_good_unix_ms: Some(BEGAN - 92),
        outage_at_most_ms: Some(176.2),
        aftermath: vec![
            "+0.3 s: mysqld of 10.0.0.1:8801 had ended: killed by signal 9".to_owned(),
            "+2.9 s: 10.0.0.1:8801 follows this node again".to_owned(),
        ],
    }
}

const TOLD: &str = "\
Failover 20261128T084312-5-10-0-0-2-8801

What
  primary    10.0.0.1:8801 → 10.0.0.2:8801, open for writes in term 5
  began      2026-11-28 08:43:12.345 +00:00 by the clock of 10.0.0.2:8801
  took       84 ms
  cause      10.0.0.1:8801 cannot serve any more: mysqld has died
  no writes  for at most 176 ms: the old primary was last known to serve at 08:43:12.253

What to do now
  1. look through what is kept aside, and decide what of it is wanted: 2 transaction(s) that nobody had
     acknowledged are set aside in /var/lib/xenon/quarantine/rewind-1 on 10.0.0.1:8801 (W3)

Evidence
  - 10.0.0.1:8801 said itself that its server does not serve; that had answered last 92 ms before

Votes
  term 5    10.0.0.2:8801  yes  4e11fa47-71ca-11e1-9e33-c80aa9429562:1-1200
  term 5    10.0.0.3:8801  yes  had received 2 transaction(s) less
  term 5    10.0.0.1:8801  no   had received 3 transaction(s) more: 4e11fa47-71ca-11e1-9e33-c80aa9429562:1201-1203
                               it lacks what my mysqld has, which is dead: marker 4

Phases
  frozen        █·····························        2.1 ms  at       2.1
  elected       ·████·························       11.3 ms  at      13.4
  apply-all     ·····██████···················       17.6 ms  at      31.0
  write-marker  ···········██████████████████·       49.2 ms  at      80.2
  open          ·····························█        4.0 ms  at      84.2

Transactions
  - rescued from the old primary's binary log: 3 (4e11fa47-71ca-11e1-9e33-c80aa9429562:1201-1203)
  - set aside, and in the cluster no more: 2 (4e11fa47-71ca-11e1-9e33-c80aa9429562:1204-1205)

Afterwards
  - +0.3 s: mysqld of 10.0.0.1:8801 had ended: killed by signal 9
  - +2.9 s: 10.0.0.1:8801 follows this node again

Events
  08:43:12.348  10.0.0.2:8801  election  standing in term 5
  08:43:12.429  10.0.0.2:8801  election  open for writes as the primary of term 5
";

fn with_reports(stage: &Stage, place: usize, reports: Vec<Report>) {
    stage.agents[place].script(move |request, _| match request {
        Request::Reports => {
            let reports = reports.iter().map(|report| report.head.clone()).collect();
            Some(Reply::Ok(Response::Reports { reports }))
        }
        Request::Report { id } => Some(match reports.iter().find(|report| report.head.id == *id) {
            Some(report) => Reply::Ok(Response::Report(Box::new(report.clone()))),
            None => refused("there is no such report here", "list them", None),
        }),
        _ => None,
    });
}

fn stage_with_reports() -> Stage {
    let stage = Stage::cluster(3);
    let mut before = report();
    before.head.id = "20261127T120000-4-10-0-0-1-8801".to_owned();
    before.head.kind = ReportKind::Switchover;
    before.head.began_unix_ms -= 60_000;
    before.head.by = Some("root@db1".to_owned());
    before.head.cause = "10.0.0.3:8801 hands over: cluster switchover".to_owned();
    with_reports(&stage, 0, vec![before]);
    with_reports(&stage, 1, vec![report()]);
    with_reports(&stage, 2, Vec::new());
    stage
}

#[test]
fn the_morning_after() {
    let stage = stage_with_reports();
    let outcome = told(&stage, 2, "failover show");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(outcome.out, TOLD);
    // The same from any node, by its ID or the beginning of it.
    for word in ["last", "20261128T084312-5-10-0-0-2-8801", "20261128"] {
        assert_eq!(told(&stage, 0, &format!("failover show {word}")).out, outcome.out);
    }
    let json = told(&stage, 0, "failover show -o json").json();
    assert_eq!(serde_json::from_value::<Report>(json).unwrap(), report());
    let none = told(&stage, 0, "failover show 1999");
    assert_eq!(none.code, 1);
    assert!(none.err.contains("there is no report 1999"), "{}", none.err);
}

#[test]
fn reports_of_all_nodes_newest_first() {
    let mut stage = stage_with_reports();
    let list = told(&stage, 2, "failover list");
    let rows: Vec<String> =
        list.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let first = "| 20261128T084312-5-10-0-0-2-8801 | 2026-11-28 08:43:12 | failover | 10.0.0.1:8801 → 10.0.0.2:8801 | 84 ms | \
                 promoted | 10.0.0.1:8801 cannot serve any more: mysqld has |";
    assert_eq!(rows[3], first, "{}", list.out);
    assert_eq!(rows.last().map(String::as_str), Some("(2 rows)"));
    let json = told(&stage, 0, "failover list --limit 1 -o json").json();
    assert_eq!(json["reports"][0]["id"], "20261128T084312-5-10-0-0-2-8801");
    assert_eq!(json["reports"].as_array().map(Vec::len), Some(1));
    // A node that is down is named, and the rest is there.
    stage.stop(0);
    let outcome = told(&stage, 1, "failover list");
    assert!(outcome.out.ends_with("(1 rows)\n"), "{}", outcome.out);
    assert!(outcome.err.contains(&format!("without the reports of {}", stage.ids()[0])), "{}", outcome.err);
    stage.stop(1);
    let outcome = told(&stage, 2, "failover show");
    assert_eq!(outcome.code, 1);
    assert!(outcome.err.contains("no failover has been told of yet"), "{}", outcome.err);
}

#[test]
fn events_of_all_nodes_by_time() {
    let mut stage = Stage::cluster(2);
    for (place, after, kind, text) in [
        (0, 0, EventKind::Mysqld, "mysqld has died"),
        (1, 4, EventKind::Election, "standing\nin term 5"),
        (0, 2, EventKind::Trouble, "DEGRADED: \u{1b}[2J"),
        (1, 3_600_000, EventKind::Operator, "cluster pause, asked by root@db1 (10.0.0.9)"),
    ] {
        stage.agents[place].event_at(OLD + after, kind, text);
    }
    let ids = stage.ids();
    let outcome = told(&stage, 1, "cluster events");
    let line = |time: &str, place: usize, rest: &str| format!("2020-01-01 {time}  {}  {rest}\n", ids[place]);
    let lines = [
        line("10:00:12.345", 0, "mysqld    mysqld has died"),
        line("10:00:12.347", 0, "trouble   DEGRADED:  [2J"),
        line("10:00:12.349", 1, "election  standing in term 5"),
        line("11:00:12.345", 1, "operator  cluster pause, asked by root@db1 (10.0.0.9)"),
    ];
    assert_eq!((outcome.out, outcome.err), (lines.concat(), String::new()));
    assert_eq!(told(&stage, 0, "cluster events --limit 1").out, lines[3]);
    assert_eq!(
        told(&stage, 0, "cluster events --kind trouble --kind OPERATOR").out,
        lines[1].clone() + &lines[3]
    );
    assert_eq!(told(&stage, 0, &format!("cluster events --node {}", ids[0])).out, lines[..2].concat());
    assert_eq!(told(&stage, 0, "cluster events --since 1s").out, "");
    let json = told(&stage, 0, "cluster events --kind operator -o json").json();
    assert_eq!((json["kind"].as_str(), json["unix_ms"].as_u64()), (Some("operator"), Some(OLD + 3_600_000)));

    let log = |words: &str| told(&stage, 0, &format!("cluster log {words}"));
    assert_eq!(log("").out, lines.concat());
    assert_eq!(log("--start-datetime '2020-01-01 10:00:13'").out, lines[3]);
    assert_eq!(log("--stop-datetime '2020-01-01 10:00:13' --grep DIED").out, lines[0]);
    let old = log("--logdir /var/log/xenon");
    assert_eq!(old.out, lines.concat());
    assert!(old.err.contains("--logdir is not needed"), "{}", old.err);
    let wrong = log("--start-datetime '2020-01-02' --stop-datetime '2020-01-01'");
    assert_eq!(wrong.code, 2, "{wrong:?}");
    assert_eq!(log("--start-datetime yesterday").code, 2);
    assert_eq!(told(&stage, 0, "cluster events --kind nonsense").code, 2);
    // A node that is down is named, and the rest is there.
    stage.stop(1);
    let outcome = told(&stage, 0, "cluster events");
    assert_eq!(outcome.out, lines[..2].concat());
    assert!(outcome.err.contains(&format!("without the events of {}", ids[1])), "{}", outcome.err);
}

#[test]
fn events_are_followed_while_an_agent_is_down_and_back() {
    let mut stage = Stage::cluster(2);
    let ids = stage.ids();
    stage.agents[0].event(EventKind::Agent, "before");
    let config = stage.config(0, "a secret of thirty-two characters");
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_xenoncli"))
        .arg("-c")
        .arg(config)
        .args(["cluster", "events", "--follow", "-o", "json"])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (sender, lines) = std::sync::mpsc::channel();
    let out = BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || out.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
    let next = || {
        let line = lines.recv_timeout(std::time::Duration::from_secs(20)).expect("another event");
        let json: Value = serde_json::from_str(&line).unwrap();
        (json["node"].as_str().unwrap().to_owned(), json["text"].as_str().unwrap().to_owned())
    };
    assert_eq!(next(), (ids[0].to_string(), "before".to_owned()));
    stage.agents[1].event(EventKind::Agent, "one");
    assert_eq!(next(), (ids[1].to_string(), "one".to_owned()));
    // What happens while an agent is away is there when it is back, for its numbers go on.
    stage.stop(1);
    stage.agents[0].event(EventKind::Agent, "two");
    assert_eq!(next(), (ids[0].to_string(), "two".to_owned()));
    stage.agents[1].event(EventKind::Agent, "three");
    stage.start(1);
    assert_eq!(next(), (ids[1].to_string(), "three".to_owned()));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn why_each_node_leads_or_may() {
    let mut stage = Stage::cluster(3);
    let ids = stage.ids();
    let explanation = |by: usize| {
        let (leader, by) = (ids[0].clone(), ids[by].clone());
        let nodes = ids.iter().map(|id| NodeExplanation {
            node: id.clone(),
            leads: *id == leader,
            may_lead: *id != ids[2],
            why: match (*id == by, by == leader) {
                (true, true) => vec!["it was elected in term 5".to_owned()],
                (true, false) => {
                    vec!["its vote counts only beside all the others' (S3): a reboot".to_owned()]
                }
                (false, true) => vec!["the leader says so".to_owned()],
                (false, false) => vec!["only the leader knows".to_owned()],
            },
            heard_ms_ago: (*id != by).then_some(120),
        });
        Explanation {
            by: by.clone(),
            nodes: nodes.collect(),
            cluster: vec!["term 5; 3 voters, 2 votes elect a leader".to_owned()],
            next: (by == leader).then(|| format!("if the primary died now, {} would be elected", ids[1])),
        }
    };
    for place in 0..3 {
        let answer = explanation(place);
        stage.agents[place].script(move |request, _| {
            (*request == Request::Explain).then(|| Reply::Ok(Response::Explanation(answer.clone())))
        });
    }
    let outcome = told(&stage, 2, "explain");
    let expected = format!(
        "term 5; 3 voters, 2 votes elect a leader\n\n{}  leads\n  - it was elected in term 5\n\n\
         {}  may lead       heard 120 ms ago\n  - the leader says so\n  - its vote counts only beside all the others' (S3): \
         a reboot\n\n{}  may not lead   heard 120 ms ago\n  - the leader says so\n  - its vote counts only beside all the \
         others' (S3): a reboot\n\nif the primary died now, {} would be elected\n",
        ids[0], ids[1], ids[2], ids[1]
    );
    assert_eq!((outcome.out, outcome.err), (expected, String::new()));
    let one = told(&stage, 0, &format!("explain {} -o json", ids[2])).json();
    assert_eq!(one["nodes"].as_array().map(Vec::len), Some(1));
    assert_eq!(told(&stage, 0, "explain 10.9.9.9:1").code, 1);
    assert_eq!(told(&stage, 0, "explain nonsense").code, 2);
    // Without the leader's word each node's own is what there is.
    stage.stop(0);
    let outcome = told(&stage, 1, "explain");
    assert!(outcome.err.contains(&format!("{} does not say", ids[0])), "{}", outcome.err);
    assert!(outcome.out.contains("only the leader knows") && outcome.out.contains("(S3)"), "{}", outcome.out);
}
