//! The JSON schema and `explain` know every key.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap in a helper is a failed test")]

use serde_json::Value;
use std::path::Path;
use xenon_config::{explain, parse, schema};

fn keys_of_schema(schema: &Value) -> Vec<(String, Value)> {
    let mut keys = Vec::new();
    for (section, value) in schema["properties"].as_object().unwrap() {
        let reference = value["$ref"].as_str().unwrap().trim_start_matches('#').to_owned();
        for (key, value) in schema.pointer(&reference).unwrap()["properties"].as_object().unwrap() {
            keys.push((format!("{section}.{key}"), value.clone()));
        }
    }
    keys.sort_by(|a, b| a.0.cmp(&b.0));
    keys
}

#[test]
fn every_key_has_a_description() {
    let schema = schema();
    let keys = keys_of_schema(&schema);
    let described: Vec<_> = keys.iter().filter(|(_, value)| value["deprecated"] != true).collect();
    for (key, value) in &described {
        let text = value["description"].as_str().unwrap_or_default();
        assert!(text.len() > 15 && !text.contains('\n') && !text.contains("crate::"), "{key}: {text:?}");
    }
    let mut explained: Vec<String> =
        explain(&parse("{}", Path::new("f")).unwrap()).into_iter().map(|setting| setting.key).collect();
    explained.sort();
    let names: Vec<&String> = described.iter().map(|(key, _)| key).collect();
    assert_eq!(names, explained.iter().collect::<Vec<_>>());
}

#[test]
fn the_schema_says_types_defaults_and_that_nothing_is_required() {
    let schema = schema();
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["description"], "The configuration of one Xenon node. No key is required.");
    let whole = schema.to_string();
    assert!(!whole.contains("\"required\""), "{whole}");
    assert!(!whole.contains("***"));
    let keys = keys_of_schema(&schema);
    let of = |name: &str| keys.iter().find(|(key, _)| key == name).map(|(_, value)| value).unwrap();
    assert_eq!(of("server.endpoint")["default"], "127.0.0.1:8080");
    assert_eq!(of("raft.election-timeout")["default"], 1000);
    assert_eq!(of("raft.election-timeout")["type"], "integer");
    assert_eq!(of("raft.leader-start-command")["default"], "nop");
    assert_eq!(of("log.level")["enum"], serde_json::json!(["DEBUG", "INFO", "WARNING", "ERROR", "PANIC"]));
    assert_eq!(of("mysql.mysqld-args")["items"]["type"], "string");
    assert_eq!(of("mysql.passwd")["format"], "password");
    assert_eq!(of("raft.semi-sync-degrade")["deprecated"], true);
}

#[test]
fn the_defaults_are_those_of_the_interface() {
    let loaded = parse("{}", Path::new("f")).unwrap();
    let told: String = explain(&loaded).into_iter().map(|s| format!("{}={}\n", s.key, s.value)).collect();
    assert_eq!(
        told,
        "\
server.endpoint=127.0.0.1:8080
server.enable-apis=false
server.peer-address=:6060
server.api-tokens-file=
server.api-tls-cert=
server.api-tls-key=
server.secret=
server.secret-file=
server.tls-ca=
server.tls-cert=
server.tls-key=
raft.meta-datadir=.
raft.heartbeat-timeout=200
raft.election-timeout=1000
raft.admit-defeat-hearbeat-count=10
raft.purge-binlog-interval=300000
raft.purge-binlog-disabled=false
raft.purge-binlog-wait=86400000
raft.super-idle=false
raft.witness=false
raft.leader-start-command=nop
raft.leader-stop-command=nop
raft.candidate-wait-for-2nodes=60000
raft.hook-timeout=10000
raft.priority=1
address.service-address=[]
address.service-interface=
mysql.admin=root
mysql.passwd=
mysql.host=localhost
mysql.port=3306
mysql.socket=
mysql.version=mysql57
mysql.basedir=/u01/mysql_20160606/
mysql.mysqld=
mysql.mysqld-args=[]
mysql.user=
mysql.defaults-file=/etc/my3306.cnf
mysql.ping-timeout=250
mysql.admit-defeat-ping-count=2
mysql.semi-sync-timeout-for-two-nodes=10000
mysql.master-sysvars=
mysql.slave-sysvars=
mysql.monitor-disabled=false
replication.user=repl
replication.passwd=***
replication.gtid-purged=
replication.ssl=true
replication.host=
backup.ssh-host=
backup.ssh-user=
backup.ssh-passwd=
backup.ssh-port=22
backup.backupdir=
backup.xtrabackup-bindir=.
backup.backup-iops-limits=100000
backup.backup-use-memory=2GB
backup.backup-parallel=2
backup.mysqld-monitor-interval=1000
backup.max-allowed-local-trx-count=0
rpc.request-timeout=1000
log.level=INFO
log.format=text
"
    );
}
