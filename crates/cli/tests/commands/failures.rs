//! What goes wrong, in the words that a person gets.

use crate::fixture::{Stage, program, run};
use serde_json::json;
use xenon_api::Request;

#[test]
fn another_secret() {
    let stage = Stage::cluster(1);
    let config = stage.config(0, "not at all the secret of this cluster!");
    let outcome = run(program().arg("-c").arg(config).args(["xenon", "ping"]));
    assert_eq!(outcome.code, 1);
    assert_eq!(outcome.out, "");
    let id = &stage.ids()[0];
    assert_eq!(
        outcome.err,
        format!(
            "xenoncli: the TLS handshake with {id} failed: it does not share this cluster's secret\n  \
             try: compare server.secret on both hosts, and that {id} belongs to this cluster\n"
        )
    );
}

#[test]
fn the_agent_is_down() {
    let mut stage = Stage::cluster(1);
    stage.stop(0);
    for line in [
        "raft status",
        "raft enable",
        "mysql kill",
        "xenon ping",
        "cluster add 10.0.0.1:1",
        "raft trytoleader",
    ] {
        let outcome = stage.run(0, &format!("{line} --output json"));
        assert_eq!(outcome.code, 1, "{line}");
        let json = outcome.json();
        assert_eq!(json["ok"], json!(false));
        assert!(json["what"].as_str().unwrap().contains("does not answer"), "{line}: {json}");
        assert!(json["cure"].as_str().unwrap().contains("systemctl start xenon"), "{line}: {json}");
        assert!(outcome.err.starts_with("xenoncli: the agent of this host"), "{line}: {}", outcome.err);
    }
    // This program still knows what it is.
    let outcome = stage.run(0, "version");
    assert_eq!((outcome.code, outcome.out.lines().count()), (0, 2), "{outcome:?}");
}

#[test]
fn wrong_usage_is_2_and_asks_nobody() {
    let stage = Stage::cluster(1);
    for line in [
        "",
        "cluster",
        "cluster add",
        "cluster add 10.0.0.1",
        "cluster add 10.0.0.1:8801,nonsense:99999",
        "cluster add ,",
        "cluster status yaml",
        "raft status --output yaml",
        "mysql explode",
        "init",
    ] {
        let outcome = stage.run(0, line);
        assert_eq!((outcome.code, outcome.out.as_str()), (2, ""), "{line}: {outcome:?}");
        assert!(!outcome.err.is_empty(), "{line}");
    }
    assert_eq!(stage.run(0, "raft foo --output json").json()["ok"], false);
    assert_eq!(stage.run(0, "--help").code, 0);
    assert!(stage.agents[0].told().is_empty());
}

#[test]
fn the_configuration_is_named_or_found() {
    let stage = Stage::cluster(1);
    let config = stage.config(0, "a secret of thirty-two characters");
    let pong = format!("pong from {}\n", stage.ids()[0]);
    let ping = |command: &mut assert_cmd::Command| run(command.args(["xenon", "ping"]));
    assert_eq!(ping(program().env("XENON_CONFIG", &config)).out, pong);
    std::fs::write(stage.folder.path().join("config.path"), config.to_str().unwrap()).unwrap();
    assert_eq!(ping(program().current_dir(stage.folder.path())).out, pong);

    let outcome = ping(program().args(["-c", "/nowhere/xenon.json"]));
    assert!(
        outcome.code == 1 && outcome.err.contains("/nowhere/xenon.json: no such file"),
        "{}",
        outcome.err
    );
    let broken = stage.folder.path().join("broken.json");
    std::fs::write(&broken, "{\"raft\": {\"electon-timeout\": 1}, \"mysql\": {\"port\": 0}}").unwrap();
    let outcome = ping(program().arg("-c").arg(&broken));
    assert!(
        outcome.code == 1 && outcome.err.contains("electon-timeout") && outcome.err.contains("mysql.port"),
        "{}",
        outcome.err
    );
}

#[test]
fn a_secret_that_is_derived_is_warned_about_once() {
    let stage = Stage::cluster(1);
    let path = stage.folder.path().join("derived.json");
    let text = json!({"server": {"endpoint": stage.ids()[0]}, "replication": {"user": "repl", "passwd": "a password"}});
    std::fs::write(&path, text.to_string()).unwrap();
    let outcome = run(program().arg("-c").arg(&path).args(["xenon", "ping"]));
    assert_eq!(outcome.err.matches("warning").count(), 1, "{}", outcome.err);
    assert!(
        outcome.err.contains("set server.secret") && !outcome.err.contains("a password"),
        "{}",
        outcome.err
    );
}

#[test]
fn commands_to_the_own_agent() {
    let stage = Stage::cluster(2);
    for (line, request) in [
        ("raft enable", Request::RaftEnable),
        ("raft disable", Request::RaftDisable),
        ("mysql start", Request::MysqlStart),
        ("mysql shutdown", Request::MysqlShutdown),
        ("mysql kill", Request::MysqlKill),
        ("mysql startmonitor", Request::Monitor { on: true }),
        ("mysql stopmonitor", Request::Monitor { on: false }),
    ] {
        let outcome = stage.run(1, line);
        assert_eq!((outcome.code, outcome.out), (0, format!("{line} is done\n")), "{}", outcome.err);
        assert_eq!(stage.agents[1].told().last(), Some(&request));
    }
    assert!(stage.agents[0].told().is_empty());
}
