//! Commands that only look.

use crate::fixture::Stage;
use serde_json::json;

#[test]
fn cluster_status_from_a_replica() {
    let stage = Stage::cluster(3);
    let outcome = stage.run(1, "cluster status");
    assert_eq!((outcome.code, outcome.err.as_str()), (0, ""));
    let ids = stage.ids();
    let rows: Vec<String> =
        outcome.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for (id, rest) in [
        (
            &ids[0],
            "[ViewID:5 EpochID:2]@LEADER | RUNNING | ON | state:[NONE] | [ALIVE] [READWRITE] | [true/true]",
        ),
        (
            &ids[1],
            "[ViewID:5 EpochID:2]@FOLLOWER | RUNNING | ON | state:[NONE] | [ALIVE] [READONLY] | [true/true]",
        ),
        (
            &ids[2],
            "[ViewID:5 EpochID:2]@FOLLOWER | RUNNING | ON | state:[NONE] | [ALIVE] [READONLY] | [true/true]",
        ),
    ] {
        assert!(rows.contains(&format!("| {id} | {rest} | {} |", ids[0])), "{}", outcome.out);
    }
    assert_eq!(rows.last().unwrap(), "(3 rows)");
}

#[test]
fn nodes_that_are_down_or_hang_are_unknown() {
    let mut stage = Stage::cluster(3);
    stage.stop(1);
    let _hung = stage.hang(2);
    let outcome = stage.run(0, "cluster status --output json");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let json = outcome.json();
    assert_eq!(json["status"][0]["mysql-info"], "[ALIVE] [READWRITE]");
    for place in [1, 2] {
        let row = &json["status"][place];
        assert_eq!(row["id"], json!(stage.ids()[place]));
        for key in
            ["raft", "mysqld-info", "monitor-info", "backup-info", "mysql-info", "slave-info", "myleader"]
        {
            assert_eq!(row[key], "UNKNOW", "{key}");
        }
        assert!(outcome.err.contains(&format!("{}: ", stage.ids()[place])), "{}", outcome.err);
    }
    assert!(outcome.err.contains("connection refused"), "{}", outcome.err);
}

#[test]
fn without_the_own_agent_there_is_a_row_and_a_failure() {
    let mut stage = Stage::cluster(2);
    stage.stop(0);
    let outcome = stage.run(0, "cluster status");
    assert_eq!(outcome.code, 1);
    assert!(outcome.out.contains("UNKNOW") && outcome.out.ends_with("(1 rows)\n"), "{}", outcome.out);
    let what =
        format!("xenoncli: the agent of this host does not answer at {}: connection refused", stage.ids()[0]);
    assert!(outcome.err.contains(&what) && outcome.err.contains("systemctl start xenon"), "{}", outcome.err);
}

#[test]
fn a_fresh_node_is_told_what_it_lacks() {
    let stage = Stage::of(1);
    stage.agents[0].set(|status| status.unfit = Some("it belongs to no cluster".to_owned()));
    let outcome = stage.run(0, "cluster status");
    assert_eq!(outcome.code, 0);
    assert!(outcome.out.contains("[ViewID:0 EpochID:0]@FOLLOWER"), "{}", outcome.out);
    assert_eq!(outcome.err, format!("{}: may not lead: it belongs to no cluster\n", stage.ids()[0]));
}

#[test]
fn the_old_json_forms() {
    let stage = Stage::cluster(2);
    let ids = stage.ids();
    assert_eq!(
        stage.run(1, "raft status").out,
        format!(
            "{{\"state\":\"FOLLOWER\",\"leader\":\"{0}\",\"nodes\":[\"{0}\",\"{1}\"]}}\n",
            ids[0], ids[1]
        )
    );
    assert_eq!(
        stage.run(0, "mysql status").out,
        "{\"slave_io_running\":true,\"slave_sql_running\":true,\"mysqld_running\":true,\"mysql_working\":true,\
         \"seconds_behind_master\":\"0\",\"last_error\":\"\",\"monitor\":\"ON\"}\n"
    );
    let row = &stage.run(0, "cluster status json").json()["status"][0];
    assert_eq!(row.as_object().unwrap().len(), 8, "{row}");
    let row = &stage.run(0, "cluster gtid json").json()["gtid"][0];
    assert_eq!(row.as_object().unwrap().len(), 5, "{row}");
}

#[test]
fn the_small_ones() {
    let stage = Stage::cluster(2);
    let id = stage.ids()[0].clone();
    assert_eq!(stage.run(0, "xenon ping").out, format!("pong from {id}\n"));
    assert_eq!(
        stage.run(0, "xenon ping --output json").json(),
        json!({"ok": true, "message": format!("pong from {id}"), "node": id})
    );
    assert_eq!(stage.run(0, "raft nodes --output json").json(), json!({ "nodes": stage.ids() }));
    assert!(stage.run(0, "raft nodes").out.contains("|      Nodes      |"));
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(stage.run(0, "version --output json").json(), json!({"xenoncli": version, "xenon": version}));
    stage.agents[0].set(|status| status.version = "9.9.9".to_owned());
    let outcome = stage.run(0, "version");
    assert_eq!(outcome.out, format!("xenoncli {version}\nxenon    9.9.9\n"));
    assert!(outcome.err.contains("install the same for both"), "{}", outcome.err);
}

#[test]
fn every_command_has_a_json_form() {
    let stage = Stage::cluster(2);
    for line in [
        "cluster status",
        "cluster gtid",
        "cluster mysql",
        "cluster raft",
        "cluster xenon",
        "raft status",
        "raft nodes",
        "raft enable",
        "raft disable",
        "raft trytoleader",
        "mysql status",
        "mysql start",
        "mysql shutdown",
        "mysql kill",
        "mysql startmonitor",
        "mysql stopmonitor",
        "xenon ping",
        "version",
    ] {
        let outcome = stage.run(0, &format!("{line} --output json"));
        assert_eq!(outcome.code, 0, "{line}: {outcome:?}");
        assert!(outcome.json().is_object() && outcome.out.lines().count() == 1, "{line}: {}", outcome.out);
    }
}
