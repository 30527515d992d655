//! The tables and JSON forms that people and scripts read, to the letter.

use super::*;
use crate::failure::Failure;
use xenon_api::{
    BackupStatus, Counters, MemberStatus, MysqlStatus, MysqldStatus, PurgeStatus, ReplicationStatus,
};
use xenon_election::{NodeId, Rejoin, Standing};
use xenon_gtid::GtidSet;

const CLUSTER: &str = "4e11fa47-71ca-11e1-9e33-c80aa9429562";

fn set(text: &str) -> GtidSet {
    text.parse().unwrap()
}

fn voter(id: &str) -> MemberStatus {
    MemberStatus { id: NodeId::from(id), standing: Standing::Voter, priority: 1 }
}

fn primary() -> NodeStatus {
    NodeStatus {
        id: NodeId::from("10.0.0.1:8801"),
        state: "LEADER".to_owned(),
        view_id: 5,
        epoch_id: 2,
        cluster: Some(CLUSTER.parse().unwrap()),
        leader: Some(NodeId::from("10.0.0.1:8801")),
        members: ["10.0.0.1:8801", "10.0.0.2:8801", "10.0.0.3:8801"].map(voter).to_vec(),
        mysqld: MysqldStatus { running: true, pid: Some(77), monitor: true, ..MysqldStatus::default() },
        mysql: MysqlStatus {
            alive: true,
            writable: true,
            address: "10.0.0.1:3306".to_owned(),
            executed: set("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5,4e11fa47-71ca-11e1-9e33-c80aa9429562:1"),
            binlog_file: "binlog.000009".to_owned(),
            binlog_position: 99,
            ..MysqlStatus::default()
        },
        backup: BackupStatus { state: "NONE".to_owned(), last_error: String::new() },
        job: None,
        doubt: None,
        rejoin: Rejoin::default(),
        counters: Counters {
            idle_count: 1,
            leader_promotes: 2,
            leader_degrades: 3,
            leader_gets_heartbeats: 4,
            leader_gets_votes: 5,
            candidate_promotes: 6,
            candidate_degrades: 7,
        },
        unfit: None,
        errant: GtidSet::default(),
        doing: Vec::new(),
        troubles: Vec::new(),
        purge: PurgeStatus::default(),
        holds_binlogs: None,
        service_address: Vec::new(),
        last_promotion: None,
        config_path: "/etc/xenon/xenon.json".to_owned(),
        version: "0.1.0".to_owned(),
        pid: 42,
        uptime_s: 60,
        state_uptime_s: 30,
    }
}

fn replica() -> NodeStatus {
    let mut status = primary();
    status.id = NodeId::from("10.0.0.2:8801");
    status.state = "FOLLOWER".to_owned();
    status.mysql.writable = false;
    status.mysql.replication = Some(ReplicationStatus {
        source: "10.0.0.1:3306".to_owned(),
        io_running: true,
        sql_running: false,
        retrieved: set("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5"),
        source_log_file: "binlog.000002".to_owned(),
        read_source_log_pos: 1234,
        seconds_behind: None,
        lag_us: None,
        last_error: "Duplicate entry '1'\tfor key".to_owned(),
    });
    status
}

fn crashed() -> NodeStatus {
    let mut status = primary();
    status.id = NodeId::from("10.0.0.3:8801");
    status.state = "FOLLOWER".to_owned();
    status.leader = None;
    status.mysqld = MysqldStatus { last_error: "killed by signal 9".to_owned(), ..MysqldStatus::default() };
    status.mysql = MysqlStatus::default();
    status.unfit = Some("its mysqld does not answer".to_owned());
    status
}

fn there(status: NodeStatus) -> Answer {
    Answer { id: status.id.to_string(), status: Ok(Box::new(status)) }
}

fn answers() -> Vec<Answer> {
    let down = Failure::new("10.0.0.4:8801 cannot be reached: connection refused").cure("start it");
    vec![
        there(primary()),
        there(replica()),
        there(crashed()),
        Answer { id: "10.0.0.4:8801".to_owned(), status: Err(down) },
    ]
}

#[test]
fn cluster_status() {
    assert_eq!(
        STATUS.table(&answers()).to_string(),
        "\
+---------------+-------------------------------+------------+---------+--------------+---------------------+----------------+---------------+
|      ID       |             Raft              |   Mysqld   | Monitor |    Backup    |        Mysql        | IO/SQL_RUNNING |   MyLeader    |
+---------------+-------------------------------+------------+---------+--------------+---------------------+----------------+---------------+
| 10.0.0.1:8801 | [ViewID:5 EpochID:2]@LEADER   | RUNNING    | ON      | state:[NONE] | [ALIVE] [READWRITE] | [true/true]    | 10.0.0.1:8801 |
|               |                               |            |         | LastError:   |                     |                |               |
+---------------+-------------------------------+------------+---------+--------------+---------------------+----------------+---------------+
| 10.0.0.2:8801 | [ViewID:5 EpochID:2]@FOLLOWER | RUNNING    | ON      | state:[NONE] | [ALIVE] [READONLY]  | [true/false]   | 10.0.0.1:8801 |
|               |                               |            |         | LastError:   |                     |                |               |
+---------------+-------------------------------+------------+---------+--------------+---------------------+----------------+---------------+
| 10.0.0.3:8801 | [ViewID:5 EpochID:2]@FOLLOWER | NOTRUNNING | OFF     | state:[NONE] | [DEAD] [UNKNOW]     | [false/false]  |               |
|               |                               |            |         | LastError:   |                     |                |               |
+---------------+-------------------------------+------------+---------+--------------+---------------------+----------------+---------------+
| 10.0.0.4:8801 | UNKNOW                        | UNKNOW     | UNKNOW  | UNKNOW       | UNKNOW              | UNKNOW         | UNKNOW        |
+---------------+-------------------------------+------------+---------+--------------+---------------------+----------------+---------------+
(4 rows)"
    );
}

#[test]
fn cluster_gtid() {
    assert_eq!(
        GTID.table(&answers()).to_string(),
        "\
+---------------+----------+--------+-------------------------------------------+------------------------------------------+
|      ID       |   Raft   | Mysql  |             Executed_GTID_Set             |            Retrieved_GTID_Set            |
+---------------+----------+--------+-------------------------------------------+------------------------------------------+
| 10.0.0.1:8801 | LEADER   | ALIVE  | 3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5, |                                          |
|               |          |        | 4e11fa47-71ca-11e1-9e33-c80aa9429562:1    |                                          |
+---------------+----------+--------+-------------------------------------------+------------------------------------------+
| 10.0.0.2:8801 | FOLLOWER | ALIVE  | 3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5, | 3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5 |
|               |          |        | 4e11fa47-71ca-11e1-9e33-c80aa9429562:1    |                                          |
+---------------+----------+--------+-------------------------------------------+------------------------------------------+
| 10.0.0.3:8801 | FOLLOWER | DEAD   |                                           |                                          |
+---------------+----------+--------+-------------------------------------------+------------------------------------------+
| 10.0.0.4:8801 | UNKNOW   | UNKNOW | UNKNOW                                    | UNKNOW                                   |
+---------------+----------+--------+-------------------------------------------+------------------------------------------+
(4 rows)"
    );
}

#[test]
fn cluster_mysql() {
    assert_eq!(
        MYSQL.table(&answers()).to_string(),
        "\
+---------------+----------+--------+-----------+----------------------+----------------+----------------+-----------------------------+
|      ID       |   Raft   | Mysql  |  Option   | Master_Log_File/Pos  | IO/SQL_Running | Seconds_Behind |         Last_Error          |
+---------------+----------+--------+-----------+----------------------+----------------+----------------+-----------------------------+
| 10.0.0.1:8801 | LEADER   | ALIVE  | READWRITE | [binlog.000009/99]   | [true/true]    | 0              |                             |
+---------------+----------+--------+-----------+----------------------+----------------+----------------+-----------------------------+
| 10.0.0.2:8801 | FOLLOWER | ALIVE  | READONLY  | [binlog.000002/1234] | [true/false]   |                | Duplicate entry '1' for key |
+---------------+----------+--------+-----------+----------------------+----------------+----------------+-----------------------------+
| 10.0.0.3:8801 | FOLLOWER | DEAD   | UNKNOW    | [/0]                 | [false/false]  |                |                             |
+---------------+----------+--------+-----------+----------------------+----------------+----------------+-----------------------------+
| 10.0.0.4:8801 | UNKNOW   | UNKNOW | UNKNOW    | UNKNOW               | UNKNOW         | UNKNOW         | UNKNOW                      |
+---------------+----------+--------+-----------+----------------------+----------------+----------------+-----------------------------+
(4 rows)"
    );
}

#[test]
fn cluster_raft() {
    assert_eq!(
        RAFT.table(&answers()[..1]).to_string(),
        "\
+---------------+-----------------------------+---------+-----------+-----------+----------------+-----------+-----------+-----------+------------------+-------------------+
|      ID       |            Raft             | IdleCnt | LPromotes | LDegrades | LGetHeartbeats | LGetVotes | CPromotes | CDegrades |    Raft@Mysql    | StateUptimes(sec) |
+---------------+-----------------------------+---------+-----------+-----------+----------------+-----------+-----------+-----------+------------------+-------------------+
| 10.0.0.1:8801 | [ViewID:5 EpochID:2]@LEADER | 1       | 2         | 3         | 4              | 5         | 6         | 7         | LEADER@READWRITE | 30                |
+---------------+-----------------------------+---------+-----------+-----------+----------------+-----------+-----------+-----------+------------------+-------------------+
(1 rows)"
    );
}

#[test]
fn cluster_xenon() {
    let answers = answers();
    assert_eq!(
        XENON.table(&[answers[0].clone(), answers[3].clone()]).to_string(),
        "\
+---------------+--------+-----------------------+---------+
|      ID       | Status |        Config         | Uptimes |
+---------------+--------+-----------------------+---------+
| 10.0.0.1:8801 | ONLINE | /etc/xenon/xenon.json | 60      |
+---------------+--------+-----------------------+---------+
| 10.0.0.4:8801 | UNKNOW | UNKNOW                | UNKNOW  |
+---------------+--------+-----------------------+---------+
(2 rows)"
    );
}

#[test]
fn json_as_the_go_tool_prints_it() {
    let answers = answers();
    let text = |view: &View, answers: &[Answer]| serde_json::to_string(&view.json(answers, true)).unwrap();
    assert_eq!(
        text(&STATUS, &answers[1..2]),
        r#"{"status":[{"id":"10.0.0.2:8801","raft":"[ViewID:5 EpochID:2]@FOLLOWER","mysqld-info":"RUNNING","monitor-info":"ON","backup-info":"state:[NONE]\nLastError:","mysql-info":"[ALIVE] [READONLY]","slave-info":"[true/false]","myleader":"10.0.0.1:8801"}]}"#
    );
    assert_eq!(
        text(&GTID, &answers[..1]),
        r#"{"gtid":[{"id":"10.0.0.1:8801","raft":"LEADER","mysql":"ALIVE","executed-gtid-set":"3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5,\n4e11fa47-71ca-11e1-9e33-c80aa9429562:1","retrieved-gtid-set":""}]}"#
    );
    assert_eq!(
        text(&GTID, &answers[3..]),
        r#"{"gtid":[{"id":"10.0.0.4:8801","raft":"UNKNOW","mysql":"UNKNOW","executed-gtid-set":"UNKNOW","retrieved-gtid-set":"UNKNOW"}]}"#
    );
}

#[test]
fn json_of_ours_tells_more_and_changes_nothing_of_the_old() {
    let answers = answers();
    for view in [&STATUS, &GTID, &MYSQL, &RAFT, &XENON] {
        assert_eq!(view.columns.len(), view.keys.len(), "{}", view.name);
        let old = serde_json::to_value(view.json(&answers, true)).unwrap();
        let new = serde_json::to_value(view.json(&answers, false)).unwrap();
        for (old, new) in old[view.name].as_array().unwrap().iter().zip(new[view.name].as_array().unwrap()) {
            assert!(old.as_object().unwrap().iter().all(|(key, value)| new[key] == *value), "{old} {new}");
        }
        assert_eq!(new[view.name][0]["detail"]["mysqld"]["pid"], 77);
        assert_eq!(new[view.name][0]["error"], Value::Null);
        assert_eq!(new[view.name][3]["detail"], Value::Null);
        assert_eq!(new[view.name][3]["error"], "10.0.0.4:8801 cannot be reached: connection refused");
    }
}

#[test]
fn what_a_person_must_know_stands_below_the_table() {
    let mut invalid = replica();
    invalid.state = "INVALID".to_owned();
    invalid.errant = set("5e11fa47-71ca-11e1-9e33-c80aa9429562:7");
    invalid.unfit = Some("it has errant transactions: 5e11fa47-71ca-11e1-9e33-c80aa9429562:7".to_owned());
    invalid.troubles = vec!["its replication account is missing".to_owned()];
    let mut foreign = primary();
    foreign.id = NodeId::from("10.0.0.5:8801");
    foreign.members = vec![voter("10.0.0.5:8801")];
    foreign.cluster = Some("9e11fa47-71ca-11e1-9e33-c80aa9429562".parse().unwrap());
    let mut idle = primary();
    idle.id = NodeId::from("10.0.0.6:8801");
    idle.state = "IDLE".to_owned();
    idle.members.push(voter("10.0.0.6:8801"));
    idle.unfit = Some("it is no voter".to_owned());
    let mut left = primary();
    left.id = NodeId::from("10.0.0.7:8801");
    left.unfit = Some("it is no voter".to_owned());
    let mut answers = answers();
    answers[1] = there(invalid);
    answers.extend([there(foreign), there(idle), there(left)]);
    assert_eq!(
        troubles("10.0.0.1:8801", &answers),
        [
            "10.0.0.2:8801: has transactions that the leader lacks: 5e11fa47-71ca-11e1-9e33-c80aa9429562:7",
            "10.0.0.2:8801: its replication account is missing",
            "10.0.0.2:8801: replication: Duplicate entry '1'\tfor key",
            "10.0.0.3:8801: may not lead: its mysqld does not answer",
            "10.0.0.3:8801: mysqld: killed by signal 9",
            "10.0.0.4:8801: cannot be reached: connection refused",
            "10.0.0.5:8801: belongs to another cluster",
            "10.0.0.7:8801: is no member of the cluster any more",
        ]
    );
    assert_eq!(troubles("10.0.0.1:8801", &answers[..1]), [""; 0]);
}
