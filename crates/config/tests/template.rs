//! A fresh configuration has nothing to complain about, whatever its values hold.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap in a helper is a failed test")]

use std::path::{Path, PathBuf};
use xenon_config::{InitOptions, Loaded, Secret, Vip, parse, template};

fn options() -> InitOptions {
    InitOptions {
        address: "192.168.0.11".to_owned(),
        repl_password: Secret::from("re-pass"),
        secret: Secret::from("f3a9c1d47be8025613fa9d0e84c7b265"),
        ..InitOptions::default()
    }
}

fn read(options: &InitOptions) -> Loaded {
    let text = template(options);
    match parse(&text, Path::new("xenon.json")) {
        Ok(loaded) => {
            assert_eq!(loaded.warnings.to_string(), "", "{text}");
            loaded
        }
        Err(findings) => panic!("{findings}\n{text}"),
    }
}

#[test]
fn the_least_that_must_be_said() {
    let text = template(&options());
    assert_eq!(
        text,
        r#"// Configuration of one Xenon node. Comments are welcome; a key that is not known is an error.
// The file holds secrets: keep it readable by its owner only (chmod 600). Times are in milliseconds.
{
  "server": {
    // This node's address and its name in the cluster: differs on every node.
    "endpoint": "192.168.0.11:8801",
    // The same random text on every node of the cluster, and nowhere else.
    "secret": "f3a9c1d47be8025613fa9d0e84c7b265"
  },

  "raft": {
    // The agent's durable record: on a disk that survives a restart.
    "meta-datadir": "/var/lib/xenon",
    // A leader shows itself so often; without a sign for election-timeout another node stands.
    "heartbeat-timeout": 200,
    "election-timeout": 1000,
    // Run with bash when this node becomes and when it stops being the primary, as the agent's user; nop does nothing.
    "leader-start-command": "nop",
    "leader-stop-command": "nop"
  },

  "mysql": {
    "admin": "root",
    "passwd": "",
    "host": "127.0.0.1",
    "port": 3306,
    "basedir": "/usr",
    "defaults-file": "/etc/my.cnf"
  },

  "replication": {
    // Made by the agent if it is missing. The same on every node.
    "user": "repl",
    "passwd": "re-pass"
  },

  "backup": {},

  "log": {
    "level": "INFO"
  }
}
"#
    );
    read(&options());
}

#[test]
fn all_options_come_back_as_they_went_in() {
    let nasty = "q\"uo'te\\ // /* { \u{2028}\t端";
    let given = InitOptions {
        address: "fd00::11".to_owned(),
        port: 9000,
        vip: Some("192.168.0.100/24".parse().unwrap()),
        vip_interface: Some("eth0".to_owned()),
        admin: "adm".to_owned(),
        admin_password: Secret::from(nasty),
        socket: Some(PathBuf::from("/run/my sql.sock")),
        mysql_port: 3307,
        basedir: PathBuf::from("/opt/mysql"),
        defaults_file: PathBuf::from("/opt/my.cnf"),
        datadir: Some(PathBuf::from("/data/my\"sql")),
        repl_user: "rep".to_owned(),
        repl_password: Secret::from(nasty),
        secret: Secret::from(format!("{nasty}{nasty}")),
        meta_datadir: PathBuf::from("/meta"),
    };
    let config = read(&given).config;
    assert_eq!(config.server.endpoint.to_string(), "[fd00::11]:9000");
    assert_eq!(config.server.secret, Some(given.secret));
    assert_eq!(config.raft.meta_datadir, given.meta_datadir);
    assert_eq!((config.mysql.admin, config.mysql.passwd), (given.admin, given.admin_password));
    assert_eq!((config.mysql.socket, config.mysql.port), (given.socket, given.mysql_port));
    assert_eq!((config.mysql.basedir, config.mysql.defaults_file), (given.basedir, given.defaults_file));
    assert_eq!(config.backup.backupdir, given.datadir);
    assert_eq!((config.replication.user, config.replication.passwd), (given.repl_user, given.repl_password));
    assert_eq!(config.address.service_address, given.vip.into_iter().collect::<Vec<_>>());
    assert_eq!(config.address.service_interface, given.vip_interface);
    assert_eq!(config.raft.leader_start_command.command(), None, "nothing to run for it");
}

#[test]
fn without_a_secret_the_key_is_left_out() {
    let loaded = read(&InitOptions { secret: Secret::default(), ..options() });
    assert_eq!(loaded.config.server.secret, None);
}

#[test]
fn the_interface_is_left_out_when_not_given() {
    let given = InitOptions { vip: Some("fd00::100/64".parse().unwrap()), ..options() };
    let config = read(&given).config;
    assert_eq!(config.address.service_address[0].to_string(), "fd00::100/64");
    assert_eq!(config.address.service_interface, None);
}

#[test]
fn virtual_addresses() {
    for (text, address, prefix) in [
        ("10.0.0.1", "10.0.0.1", 32),
        ("10.0.0.1/24", "10.0.0.1", 24),
        ("fd00::1", "fd00::1", 128),
        ("fd00::1/64", "fd00::1", 64),
    ] {
        assert_eq!(text.parse::<Vip>().unwrap(), Vip { address: address.parse().unwrap(), prefix });
    }
    for text in
        ["", "x", "10.0.0.1/33", "10.0.0.1/", "10.0.0.1/a", "0.0.0.0", "10.0.0.1; reboot", "fd00::1/129"]
    {
        let wanted = format!("{text:?} is no IP address; write it like 192.168.0.100 or 192.168.0.100/24");
        assert_eq!(text.parse::<Vip>().unwrap_err().to_string(), wanted);
    }
}
