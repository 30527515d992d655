//! Accounts, variables, stacks, the check-up, the live view, and what is made from the command line's own description.

use crate::fixture::{Stage, done, program, refused, run};
use serde_json::json;
use std::time::{Duration, Instant};
use xenon_api::{
    Account, Assignment, CheckUp, Finding, Level, NewAccount, NodeFacts, Password, Reply, Request, Response,
    Rights, StackTool, Stacks, ThreadStack, Value,
};

fn with_input(stage: &Stage, place: usize, line: &str, input: &str) -> crate::fixture::Outcome {
    let config = stage.config(place, "a secret of thirty-two characters");
    run(program().arg("-c").arg(config).args(line.split_whitespace()).write_stdin(input))
}

#[test]
fn accounts_go_to_the_leader() {
    let stage = Stage::cluster(2);
    let leader = stage.ids()[0].clone();
    stage.agents[1].script(move |request, _| match request {
        Request::Status => None,
        _ => Some(refused("this node does not lead", "ask it", Some(&leader))),
    });
    let account = |rights, require_tls| {
        Request::CreateAccount(NewAccount {
            user: "app".to_owned(),
            host: "10.%".to_owned(),
            password: Password::from("hush hush"),
            require_tls,
            rights,
        })
    };
    let some = Rights::Some {
        privileges: vec!["SELECT".to_owned(), "CREATE TEMPORARY TABLES".to_owned()],
        database: "shop".to_owned(),
        table: "*".to_owned(),
    };
    let file = stage.folder.path().join("pwd");
    std::fs::write(&file, "hush hush\n").unwrap();
    let change = Request::ChangePassword {
        user: "app".to_owned(),
        host: "10.%".to_owned(),
        password: Password::from("hush hush"),
    };
    for (line, request) in [
        ("mysql createuser app 10.% --passwd-stdin --ssl YES".to_owned(), account(Rights::None, true)),
        (format!("mysql createuser app 10.% --passwd-file {}", file.display()), account(Rights::None, false)),
        ("mysql createsuperuser app 10.% --passwd-stdin --ssl no".to_owned(), account(Rights::All, false)),
        (
            "mysql createuserwithgrants --user=app --host=10.% --database=shop --table=* --privs=select --ssl=NO --passwd-stdin"
                .to_owned(),
            account(
                Rights::Some { privileges: vec!["SELECT".to_owned()], database: "shop".to_owned(), table: "*".to_owned() },
                false,
            ),
        ),
        ("mysql changepassword app 10.% --passwd-stdin".to_owned(), change),
        (
            "mysql dropuser app 10.%".to_owned(),
            Request::DropAccount { user: "app".to_owned(), host: "10.%".to_owned() },
        ),
    ] {
        let outcome = with_input(&stage, 1, &line, "hush hush\n");
        assert_eq!(outcome.code, 0, "{line}: {outcome:?}");
        assert_eq!(stage.agents[0].told().last(), Some(&request), "{line}");
        assert!(!outcome.err.contains("hush") && !outcome.out.contains("hush"));
    }
    // Privileges of more than one word.
    let config = stage.config(1, "a secret of thirty-two characters");
    let mut command = program();
    command.arg("-c").arg(config).args([
        "mysql",
        "createuserwithgrants",
        "--user",
        "app",
        "--host",
        "10.%",
        "--privs",
    ]);
    command
        .args(["select, create  temporary tables", "--database", "shop", "--passwd-stdin"])
        .write_stdin("hush hush\n");
    assert_eq!(run(&mut command).code, 0);
    assert_eq!(stage.agents[0].told().last(), Some(&account(some, false)));
    assert!(!format!("{:?}", stage.agents[0].told()).contains("hush"), "no password is printed");
}

#[test]
fn the_old_forms_work_and_warn() {
    let stage = Stage::cluster(1);
    for line in [
        "mysql createuser app % hush YES",
        "mysql createsuperuser app % hush no",
        "mysql changepassword app % hush",
        "mysql createuserwithgrants --user=app --passwd=hush --database=d --table=t --host=% --privs=SELECT --ssl=YES",
    ] {
        let outcome = stage.run(0, line);
        assert_eq!(outcome.code, 0, "{line}: {outcome:?}");
        assert!(outcome.err.contains("warning") && outcome.err.contains("--passwd-file"), "{}", outcome.err);
        assert!(!outcome.err.contains("hush") && !outcome.out.contains("hush"), "{outcome:?}");
    }
    for (line, says) in [
        ("mysql createuser app % hush MAYBE", "possible values: YES, NO"),
        ("mysql createuser app %", "no password is given"),
        ("mysql createuser app % hush --passwd-stdin", "cannot be used with"),
        ("mysql createuserwithgrants --user=a --privs=SELEC --passwd=x", "SELECT?"),
        ("mysql createuserwithgrants --user=a --privs=SUPER --database=d --passwd=x", "whole server"),
        ("mysql sysvar SELECT", "only SET GLOBAL"),
        ("mysql dropuser app", "HOST"),
        ("mysql creatuser", "createuser"),
        ("cluser status", "cluster"),
        ("perf quickstack --tool strace", "eu-stack"),
        ("cluster switchover --at yesterday", "tomorrow 04:00"),
        ("cluster switchover --at +1m --dry-run", "cannot be used with"),
    ] {
        let before = stage.agents[0].told().len();
        let outcome = stage.run(0, line);
        assert_eq!((outcome.code, outcome.out.as_str()), (2, ""), "{line}: {outcome:?}");
        assert!(outcome.err.contains(says) && !outcome.err.contains("hush"), "{line}: {}", outcome.err);
        assert_eq!(stage.agents[0].told().len(), before, "{line}");
    }
}

#[test]
fn accounts_are_listed_and_variables_set_on_this_node() {
    let stage = Stage::cluster(2);
    stage.agents[1].script(|request, _| match request {
        Request::Accounts => Some(Reply::Ok(Response::Accounts {
            accounts: vec![Account {
                user: "app".to_owned(),
                host: "%".to_owned(),
                is_super: false,
                requires_tls: true,
                is_locked: false,
                plugin: "caching_sha2_password".to_owned(),
            }],
        })),
        Request::SetGlobals { .. } => Some(done("set")),
        _ => None,
    });
    let table = stage.run(1, "mysql getuser").out;
    assert!(
        table.contains("| User | Host | Super_priv | SSL | Locked |") && table.ends_with("(1 rows)\n"),
        "{table}"
    );
    let json = stage.run(1, "mysql getuser --output json").json();
    assert_eq!(json["users"][0]["ssl"], json!(true));
    let config = stage.config(1, "a secret of thirty-two characters");
    let mut command = program();
    command.arg("-c").arg(config).args(["mysql", "sysvar", "SET GLOBAL Max_Connections = 500"]);
    assert_eq!(run(&mut command).out, "set\n");
    let assignments = vec![Assignment {
        name: "max_connections".to_owned(),
        value: Value::Number("500".to_owned()),
        persist: false,
    }];
    assert_eq!(stage.agents[1].told(), [Request::SetGlobals { assignments }]);
    assert!(stage.agents[0].told().is_empty());
}

#[test]
fn semi_sync_stays_under_the_agents_care() {
    let mut stage = Stage::cluster(1);
    let outcome = stage.run(0, "raft disablechecksemisync");
    assert!(outcome.code == 0 && outcome.out.contains("nothing was changed"), "{outcome:?}");
    assert_eq!(stage.run(0, "raft enablechecksemisync").code, 0);
    assert!(stage.agents[0].told().is_empty(), "nobody was told anything");
    stage.stop(0);
    assert_eq!(stage.run(0, "raft disablechecksemisync").code, 1);
}

#[test]
fn members_by_raft_add_and_remove() {
    let stage = Stage::cluster(2);
    let other = "127.0.0.9:8801";
    let outcome = stage.run(0, &format!("raft add {other} --no-wait"));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    stage.run(0, &format!("raft remove {other} --no-wait"));
    let told: Vec<&str> = stage.agents[0].told().iter().map(Request::name).collect();
    assert_eq!(told, ["cluster add", "cluster remove"]);
}

#[test]
fn stacks_of_this_hosts_server() {
    let stage = Stage::cluster(1);
    stage.agents[0].script(|request, _| match request {
        Request::Stacks { tool: StackTool::Auto, may_stop: false } => {
            Some(Reply::Ok(Response::Stacks(Box::new(Stacks {
                pid: 77,
                tool: StackTool::Proc,
                note: "install elfutils".to_owned(),
                took_ms: 3,
                threads: vec![ThreadStack {
                    tid: 78,
                    name: "thread/sql/main".to_owned(),
                    ..ThreadStack::default()
                }],
                cut: false,
            }))))
        }
        _ => None,
    });
    let outcome = stage.run(0, "perf quickstack");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.out.starts_with("mysqld, process 77: 1 threads, looked at with proc"), "{}", outcome.out);
    assert!(outcome.err.contains("install elfutils"));
    assert_eq!(stage.run(0, "perf quickstack json").json()["threads"][0]["tid"], json!(78));
}

fn check_up(status: &xenon_api::NodeStatus, level: Level) -> Reply {
    let finding = Finding {
        node: Some(status.id.clone()),
        check: "gtid-mode".to_owned(),
        level,
        text: "gtid_mode is so".to_owned(),
        cure: if level == Level::Ok { String::new() } else { "set it".to_owned() },
    };
    let facts = NodeFacts { agent_version: "1".to_owned(), ..NodeFacts::default() };
    Reply::Ok(Response::CheckUp(Box::new(CheckUp {
        node: status.id.clone(),
        facts,
        findings: vec![finding],
    })))
}

#[test]
fn a_check_up_of_all_nodes() {
    let mut stage = Stage::cluster(3);
    for (place, level) in [(0, Level::Ok), (1, Level::Warn), (2, Level::Ok)] {
        stage.agents[place].script(move |request, status| match request {
            Request::Doctor { .. } => Some(check_up(status, level)),
            _ => None,
        });
    }
    let outcome = stage.run(0, "doctor");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(
        outcome.out.contains("WARN     gtid-mode") && outcome.out.contains("try: set it"),
        "{}",
        outcome.out
    );
    assert!(!outcome.out.contains('\x1b'), "no colours where there is no terminal");
    let json = stage.run(0, "doctor --output json").json();
    assert_eq!((&json["ok"], &json["warnings"]), (&json!(true), &json!(1)));
    assert!(stage.agents.iter().all(|agent| agent.told().is_empty()), "it only looks");

    stage.stop(2);
    let outcome = stage.run(0, "doctor --output json");
    assert_eq!(outcome.code, 1);
    let json = outcome.json();
    assert_eq!(json["errors"], json!(1), "{json}");
    let findings = json["findings"].as_array().unwrap();
    let of = |check: &str| {
        findings.iter().find(|f| f["check"] == check && f["node"] == json!(stage.ids()[2])).unwrap()
    };
    assert_eq!((&of("agent")["level"], &of("settings")["level"]), (&json!("error"), &json!("unknown")));
    let has_cure = |finding: &serde_json::Value| finding["level"] != "error" || finding["cure"] != "";
    assert!(findings.iter().all(has_cure), "{json}");

    // Without the own agent: what is known of its configuration, and that the rest is not known.
    stage.stop(0);
    let outcome = stage.run(0, "doctor");
    assert_eq!(outcome.code, 1);
    assert!(
        outcome.out.contains("does not answer") && outcome.out.contains("UNKNOWN  reach-mysql"),
        "{}",
        outcome.out
    );
    // The other agents are asked when they are named.
    let named = stage.run(0, &format!("doctor --nodes {}", stage.ids()[1]));
    assert!(named.out.contains("gtid-mode"), "{}", named.out);
}

#[test]
fn one_frame_of_the_live_view() {
    let mut stage = Stage::cluster(2);
    stage.agents[1].set(|status| status.troubles = vec!["something is \x1b[31m wrong".to_owned()]);
    stage.agents[0].event(xenon_api::EventKind::Election, "this node leads in term 5");
    let outcome = stage.run(0, "top");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.out.starts_with(&format!("{} leads in term 5", stage.ids()[0])), "{}", outcome.out);
    for words in ["READWRITE", "readonly", "this node leads in term 5", "something is"] {
        assert!(outcome.out.contains(words), "{words}: {}", outcome.out);
    }
    assert!(!outcome.out.contains('\x1b'));
    stage.stop(1);
    assert!(stage.run(0, "top --once").out.contains("UNKNOW"));
    assert!(stage.run(0, "top --output json").json()["status"].is_array());
}

#[test]
fn a_switchover_later_looks_first_and_waits() {
    let stage = Stage::cluster(2);
    let target = stage.ids()[1].clone();
    stage.agents[0].script(move |request, _| match request {
        Request::Switchover { dry_run: true, .. } => {
            Some(Reply::Ok(Response::Switchover(xenon_api::SwitchoverPlan {
                target: target.clone(),
                steps: Vec::new(),
                hindrances: vec!["a long statement runs".to_owned()],
            })))
        }
        Request::Switchover { .. } => Some(refused("a long statement runs", "wait", None)),
        _ => None,
    });
    let begun = Instant::now();
    let outcome = stage.run(0, "cluster switchover --at +2s");
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(begun.elapsed() >= Duration::from_secs(1), "it waited");
    assert!(outcome.err.contains("in the way now: a long statement runs"), "{}", outcome.err);
    assert!(outcome.err.contains("the switchover begins at"), "{}", outcome.err);
    assert!(outcome.err.contains("refuses: a long statement runs"), "{}", outcome.err);
}

#[test]
fn completions_and_manual_pages() {
    for shell in ["bash", "zsh", "fish"] {
        let outcome = run(program().args(["completions", shell]));
        assert!(outcome.code == 0 && outcome.out.contains("createuserwithgrants"), "{shell}");
    }
    let folder = tempfile::TempDir::new().unwrap();
    let outcome = run(program().arg("man").arg("--dir").arg(folder.path().join("man1")));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    for page in ["xenoncli.1", "xenoncli-cluster-switchover.1", "xenoncli-mysql-createuser.1"] {
        let text = std::fs::read_to_string(folder.path().join("man1").join(page)).unwrap();
        assert!(text.contains(".TH"), "{page}: {text}");
    }
    assert_eq!(run(program().args(["man", "--dir", "/proc/nowhere"])).code, 1);
}
