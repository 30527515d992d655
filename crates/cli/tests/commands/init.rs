//! `xenoncli init`.

use crate::fixture::{Outcome, program, run};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;

fn init(path: &Path, line: &str, stdin: &str) -> Outcome {
    let mut command = program();
    command.current_dir(path.parent().unwrap()).arg("-c").arg(path).arg("init").args(line.split_whitespace());
    run(command.write_stdin(stdin))
}

#[test]
fn a_configuration_that_loads_and_only_its_owner_can_read() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("repl.pwd"), "replication's own\n").unwrap();
    let path = folder.path().join("xenon.json");
    let line = "--address 10.0.0.11 --port 8802 --vip 10.0.0.100/24 --repluser rep --replpwd-file repl.pwd \
                --mysqluser admin --mysqlpwd-stdin --mysql-port 3307 --basedir /opt/mysql --defaults-file /etc/m.cnf \
                --datadir /data --meta-datadir /var/lib/x --socket /run/m.sock";
    let outcome = init(&path, line, "the admin's \"own\"\n");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.err.contains("cluster add OTHER_ADDRESS:8802"), "{}", outcome.err);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let loaded = xenon_config::load(&path).unwrap();
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    let config = loaded.config;
    assert_eq!(config.server.endpoint.to_string(), "10.0.0.11:8802");
    assert_eq!(
        (config.replication.user.as_str(), config.replication.passwd.expose()),
        ("rep", "replication's own")
    );
    assert_eq!((config.mysql.admin.as_str(), config.mysql.passwd.expose()), ("admin", "the admin's \"own\""));
    assert_eq!(config.mysql.port, 3307);
    assert_eq!(config.backup.backupdir.as_deref(), Some(Path::new("/data")));
    let addresses: Vec<String> = config.address.service_address.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["10.0.0.100/24"]);
    assert!(config.raft.leader_start_command.command().is_none(), "the agent moves it itself");
    assert_eq!(config.server.secret.unwrap().expose().len(), 64);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left behind");
}

#[test]
fn the_old_form_is_accepted_and_warned_about() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("new/xenon.json");
    std::fs::create_dir(folder.path().join("new")).unwrap();
    let outcome = init(
        &path,
        "--address=10.0.0.11 --port=8801 --vip=10.0.0.9 --repluser=repl --replpwd=given --output json",
        "",
    );
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(outcome.json()["path"], json!(path));
    assert!(outcome.err.contains("--replpwd-file"), "{}", outcome.err);
    assert!(!outcome.err.contains("given") && !outcome.out.contains("given"));
}

#[test]
fn two_secrets_differ_and_one_can_be_shared() {
    let folder = TempDir::new().unwrap();
    let secret = |name: &str, line: &str| {
        let path = folder.path().join(name);
        let outcome = init(&path, &format!("--address 10.0.0.11 --replpwd-stdin {line}"), "pwd\n");
        assert_eq!(outcome.code, 0, "{outcome:?}");
        xenon_config::load(&path).unwrap().config.server.secret.unwrap()
    };
    let first = secret("1.json", "");
    assert_ne!(first, secret("2.json", ""));
    std::fs::write(folder.path().join("shared"), format!("{}\n", first.expose())).unwrap();
    assert_eq!(first, secret("3.json", "--secret-file shared"));
}

#[test]
fn what_is_there_stays_unless_forced() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("xenon.json");
    std::fs::write(&path, "mine").unwrap();
    let outcome = init(&path, "--address 10.0.0.11 --replpwd-stdin", "pwd\n");
    assert_eq!(outcome.code, 1);
    assert!(outcome.err.contains("is there already") && outcome.err.contains("--force"), "{}", outcome.err);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    assert_eq!(init(&path, "--address 10.0.0.11 --replpwd-stdin --force", "pwd\n").code, 0);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn wrong_values_are_refused_before_anything_is_written() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("xenon.json");
    for (line, stdin, words) in [
        ("--address 0.0.0.0 --replpwd-stdin", "pwd\n", "every address of this host"),
        ("--address 10.0.0.1", "", "no password is given"),
        ("--address 10.0.0.1 --replpwd-stdin", "\n", "is empty"),
        ("--address 10.0.0.1 --vip 1.2.3 --replpwd-stdin", "pwd\n", "is no IP address"),
        ("--address 10.0.0.1 --port 0 --replpwd-stdin", "pwd\n", "0"),
        ("--address 10.0.0.1 --replpwd a --replpwd-stdin", "pwd\n", "cannot be used with"),
    ] {
        let outcome = init(&path, line, stdin);
        assert_eq!(outcome.code, 2, "{line}: {outcome:?}");
        assert!(outcome.err.contains(words), "{line}: {}", outcome.err);
        assert!(!path.exists(), "{line}");
    }
    let outcome = init(&path, "--address 10.0.0.1 --replpwd-file none", "");
    assert!(outcome.code == 1 && outcome.err.contains("none: "), "{outcome:?}");
}
