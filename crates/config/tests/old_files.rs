//! Files for the Go tool load unchanged: written by people, by its own commands, by the Kubernetes operator.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap in a helper is a failed test")]

use std::path::Path;
use xenon_config::{Loaded, LogLevel, Origin, explain, parse};

const BY_HAND: &str = include_str!("files/by-hand.json");
const BY_THE_GO_TOOL: &str = include_str!("files/by-the-go-tool.json");
const OPERATOR: &str = include_str!("files/operator.json");

fn loaded(text: &str) -> Loaded {
    match parse(text, Path::new("xenon.json")) {
        Ok(loaded) => loaded,
        Err(findings) => panic!("{findings}"),
    }
}

/// The settings that the file itself gives, one a line.
fn given(loaded: &Loaded) -> String {
    let settings = explain(loaded).into_iter().filter(|setting| setting.origin != Origin::Default);
    settings.map(|setting| format!("{} = {}  ({})\n", setting.key, setting.value, setting.origin)).collect()
}

#[test]
fn a_file_with_comments_tabs_and_odd_spacing() {
    let loaded = loaded(BY_HAND);
    assert_eq!(
        given(&loaded),
        "\
server.endpoint = 10.20.0.11:8801  (line 4)
raft.meta-datadir = raft.meta  (line 9)
raft.heartbeat-timeout = 1000  (line 10)
raft.election-timeout = 3000  (line 11)
raft.leader-start-command = sudo ip a a 10.20.0.100/24 dev em1 && arping -c 3 -A  10.20.0.100  -I em1  (line 12)
raft.leader-stop-command = sudo ip a d 10.20.0.100/24 dev em1  (line 13)
mysql.admin = root  (line 18)
mysql.passwd = ***  (line 19)
mysql.host = 127.0.0.1  (line 20)
mysql.port = 5001  (line 21)
mysql.basedir = /usr/local/mysql5001  (line 22)
mysql.defaults-file = /data/mysql5001/conf/my.cnf  (line 23)
mysql.ping-timeout = 1000  (line 24)
mysql.master-sysvars = sync_binlog=default;innodb_flush_log_at_trx_commit=default  (line 25)
mysql.slave-sysvars = sync_binlog=1000;innodb_flush_log_at_trx_commit=2  (line 26)
replication.user = rep  (line 31)
replication.passwd = ***  (line 32)
backup.ssh-host = 10.20.0.11  (line 37)
backup.ssh-user = mysql  (line 38)
backup.ssh-passwd = ***  (line 39)
backup.ssh-port = 22  (line 40)
backup.backupdir = /data/mysql5001/data  (line 41)
backup.xtrabackup-bindir = /usr/bin  (line 42)
backup.backup-iops-limits = 100000  (line 43)
backup.backup-use-memory = 1GB  (line 44)
backup.backup-parallel = 4  (line 45)
rpc.request-timeout = 500  (line 50)
log.level = DEBUG  (line 55)
"
    );
    assert_eq!(
        loaded.warnings.to_string(),
        "\
xenon.json:37:16: note: backup.ssh-host: not used: agents talk to each other, without SSH; the keys beginning with ssh- can be removed
xenon.json:39:18: warning: backup.ssh-passwd: not used, because agents talk to each other, and a password of the host stands here for nothing; remove it"
    );
    assert_eq!(loaded.config.replication_host(), "10.20.0.11");
    assert_eq!(loaded.config.mysql.passwd.expose(), "rootpw");
    assert_eq!(loaded.config.replication.passwd.expose(), "reppw");
    assert_eq!(loaded.config.log.level, LogLevel::Debug);
}

#[test]
fn a_file_that_the_go_tool_wrote() {
    let loaded = loaded(BY_THE_GO_TOOL);
    assert_eq!(
        loaded.warnings.to_string(),
        "\
xenon.json:8:34: note: raft.admit-defeat-hearbeat-count: not used: a leader steps down when its lease of 80 % of the election timeout has run out; it can be removed
xenon.json:16:32: note: raft.candidate-wait-for-2nodes: not used: a node whose mysqld is down votes by the position in its files; it can be removed
xenon.json:41:15: note: backup.ssh-host: not used: agents talk to each other, without SSH; the keys beginning with ssh- can be removed"
    );
    assert_eq!(loaded.config.raft.leader_start_command.command(), None);
    assert_eq!(loaded.config.backup.ssh_host, None);
    assert_eq!(loaded.config.backup.backupdir.as_deref(), Some(Path::new("/u01/backup")));
}

#[test]
fn a_file_of_the_kubernetes_operator() {
    let loaded = loaded(OPERATOR);
    assert_eq!(
        loaded.warnings.to_string(),
        "\
xenon.json:32:40: note: raft.admit-defeat-hearbeat-count: not used: a leader steps down when its lease of 80 % of the election timeout has run out; it can be removed
xenon.json:35:9: note: raft.semi-sync-degrade: not used: a primary never stops waiting for acknowledgements by itself; it can be removed"
    );
    let config = &loaded.config;
    assert_eq!(config.server.endpoint.to_string(), "sample-mysql-0.sample-mysql.default:8801");
    assert_eq!(config.replication_host(), "sample-mysql-0.sample-mysql.default");
    assert_eq!(config.server.peer_address.host(), Some("sample-mysql-0.sample-mysql.default"));
    assert!(config.server.enable_apis && config.mysql.monitor_disabled && config.raft.purge_binlog_disabled);
    assert_eq!(config.backup.backupdir, None);
    let statements: Vec<String> = config.mysql.slave_sysvars.iter().map(|v| v.statement()).collect();
    assert_eq!(
        statements,
        [
            "SET GLOBAL tokudb_fsync_log_period = 1000",
            "SET GLOBAL sync_binlog = 1000",
            "SET GLOBAL innodb_flush_log_at_trx_commit = 1",
        ]
    );
}

#[test]
fn an_empty_object_is_all_defaults_with_warnings() {
    let loaded = loaded("{}");
    assert_eq!(loaded.config, xenon_config::Config::default());
    assert_eq!(
        loaded.warnings.to_string(),
        "\
xenon.json: warning: server.endpoint: not given, so this node is 127.0.0.1:8080, which no other host can reach; write this host's address, like \"192.168.0.11:8801\"
xenon.json: warning: mysql: section not given, so the agent connects to localhost:3306 as root without a password; give mysql.admin, mysql.passwd and mysql.port
xenon.json: warning: replication: section not given, so replicas connect as repl with the password that everybody knows; give replication.user and replication.passwd"
    );
}

#[test]
fn null_is_absent_and_comment_keys_are_comments() {
    let text = r##"{"$schema": "xenon.schema.json", "_why": [1, {"x": 2}], "//": "hm", "server": {"endpoint": "h:1", "#": 1, "secret-file": null},
        "mysql": null, "backup": null, "raft": {"priority": null}}"##;
    let loaded = loaded(text);
    assert!(!loaded.source.gives("mysql") && !loaded.source.gives("raft.priority"));
    assert_eq!(loaded.config.raft.priority, 1);
}

#[test]
fn every_key_can_be_given() {
    let text = r#"{
        server: {endpoint: '[fd00::1]:8801', 'enable-apis': true, 'peer-address': '0.0.0.0:6060', 'secret-file': 'key',
            'api-tokens-file': 'tokens', 'api-tls-cert': 'api.pem', 'api-tls-key': 'api.key',
            'tls-ca': 'ca.pem', 'tls-cert': '/etc/cert.pem', 'tls-key': 'key.pem'},
        raft: {'meta-datadir': '/m', 'heartbeat-timeout': 100, 'election-timeout': 500, 'purge-binlog-interval': 1000,
            'purge-binlog-disabled': true, 'purge-binlog-wait': 5000, 'super-idle': true, 'witness': false, 'leader-start-command': 'up', 'leader-stop-command': 'down',
            'hook-timeout': 5000, priority: 0},
        address: {'service-address': ['10.0.0.100/24', 'fd00::100/64'], 'service-interface': 'eth0'},
        mysql: {admin: 'a', passwd: 'b', host: 'h', port: 1, socket: '/s', version: 'mysql84', basedir: '/b',
            mysqld: '/b/mysqld', 'mysqld-args': ['--x', '--y=1'], user: 'mysql', 'defaults-file': '/d', 'ping-timeout': 300,
            'admit-defeat-ping-count': 3, 'semi-sync-timeout-for-two-nodes': 1, 'master-sysvars': 'a=1', 'slave-sysvars': 'a=2',
            'monitor-disabled': true},
        replication: {user: 'r', passwd: 'p', 'gtid-purged': 'x:1', ssl: false, host: '10.0.0.9'},
        backup: {backupdir: '/d', 'xtrabackup-bindir': '/x', 'backup-iops-limits': 1, 'backup-use-memory': '1M',
            'backup-parallel': 1, 'mysqld-monitor-interval': 1, 'max-allowed-local-trx-count': 1},
        rpc: {'request-timeout': 1}, log: {level: 'warning', format: 'JSON'},
    }"#;
    let loaded = match parse(text, Path::new("/etc/xenon/xenon.json")) {
        Ok(loaded) => loaded,
        Err(findings) => panic!("{findings}"),
    };
    assert_eq!(loaded.warnings.to_string(), "");
    let absent: Vec<String> = explain(&loaded)
        .into_iter()
        .filter(|setting| setting.origin == Origin::Default)
        .map(|setting| setting.key)
        .collect();
    let left_out = [
        "server.secret",
        "raft.admit-defeat-hearbeat-count",
        "raft.candidate-wait-for-2nodes",
        "backup.ssh-host",
        "backup.ssh-user",
        "backup.ssh-passwd",
        "backup.ssh-port",
    ];
    assert_eq!(absent, left_out);

    let config = &loaded.config;
    assert_eq!(config.server.endpoint.host(), "fd00::1");
    assert_eq!(config.server.endpoint.to_string(), "[fd00::1]:8801");
    assert_eq!(config.server.tls_ca.as_deref(), Some(Path::new("/etc/xenon/ca.pem")));
    assert_eq!(config.server.tls_cert.as_deref(), Some(Path::new("/etc/cert.pem")));
    assert_eq!(config.mysqld_candidates(), [Path::new("/b/mysqld")]);
    assert_eq!(config.mysql.mysqld_args, ["--x", "--y=1"]);
    assert_eq!(config.replication_host(), "10.0.0.9");
    assert_eq!(config.log.level.as_str(), "WARNING");
    assert_eq!(config.log.format.as_str(), "json");
}

#[test]
fn the_binary_is_looked_for_under_basedir() {
    let config = xenon_config::Config::default();
    let wanted = ["bin", "sbin", "libexec"].map(|folder| format!("/u01/mysql_20160606/{folder}/mysqld"));
    assert_eq!(config.mysqld_candidates(), wanted.map(std::path::PathBuf::from));
}

#[test]
fn every_place_points_at_its_key() {
    for text in [BY_HAND, BY_THE_GO_TOOL, OPERATOR] {
        let loaded = loaded(text);
        let lines: Vec<&str> = text.lines().collect();
        let mut seen = 0;
        for setting in explain(&loaded) {
            let Some(place) = loaded.source.place(&setting.key) else { continue };
            let (_, key) = setting.key.split_once('.').unwrap();
            let rest: String = lines[place.line - 1].chars().skip(place.column - 1).collect();
            assert!(rest.starts_with(&format!("\"{key}\"")), "{}: {rest}", setting.key);
            seen += 1;
        }
        assert!(seen > 20);
    }
}
