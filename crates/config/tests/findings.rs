//! Every problem with its exact line: place, key, what is wrong, what to do.

use std::path::Path;
use xenon_config::parse;

/// A file whose sections hold nothing to complain about, with one more member put into one of them.
fn with(section: &str, member: &str) -> String {
    let plain = [
        ("server", r#""endpoint": "10.0.0.1:8801""#),
        ("raft", ""),
        ("mysql", r#""admin": "root""#),
        ("replication", r#""user": "r", "passwd": "p""#),
        ("backup", ""),
        ("rpc", ""),
        ("log", ""),
    ];
    let sections = plain.map(|(name, members)| {
        let parts: Vec<&str> = [members, if name == section { member } else { "" }]
            .into_iter()
            .filter(|p| !p.is_empty())
            .collect();
        format!("\"{name}\": {{\n{}\n}}", parts.join(",\n"))
    });
    format!("{{\n{}\n}}", sections.join(",\n"))
}

/// Errors and warnings alike, one a line, without the file's name.
fn told(text: &str) -> String {
    let findings = match parse(text, Path::new("f")) {
        Ok(loaded) => loaded.warnings,
        Err(findings) => findings,
    };
    findings
        .to_string()
        .lines()
        .map(|line| line.strip_prefix("f:").unwrap_or(line).trim_start().to_owned() + "\n")
        .collect()
}

fn check(table: &[(&str, &str, &str)]) {
    for (section, member, wanted) in table {
        let text = with(section, member);
        assert_eq!(told(&text).trim_end(), *wanted, "{section} {{ {member} }}\n{text}");
    }
}

#[test]
fn the_plain_file_has_nothing_to_tell() {
    assert_eq!(told(&with("", "")), "");
}

#[test]
fn unknown_keys_and_sections() {
    check(&[
        (
            "raft",
            r#"    "electon-timeout": 1000"#,
            r#"6:5: raft.electon-timeout: unknown key; did you mean "election-timeout"?"#,
        ),
        (
            "raft",
            r#""hearbeat_timeout": 1000"#,
            r#"6:1: raft.hearbeat_timeout: unknown key; did you mean "heartbeat-timeout"?"#,
        ),
        (
            "raft",
            r#""ping-timeout": 1000"#,
            r#"6:1: raft.ping-timeout: unknown key; it belongs into the section "mysql""#,
        ),
        (
            "raft",
            r#""passwd": "x""#,
            r#"6:1: raft.passwd: unknown key; it belongs into the section "mysql" or "replication""#,
        ),
        (
            "rpc",
            r#""defaults-fiel": "x""#,
            r#"18:1: rpc.defaults-fiel: unknown key; did you mean "defaults-file" of the section "mysql"?"#,
        ),
        (
            "rpc",
            r#""colour": "x""#,
            r#"18:1: rpc.colour: unknown key; the keys of "rpc" are request-timeout"#,
        ),
        ("log", r#""a b\n": 1"#, r#"21:1: log."a b\n": unknown key; the keys of "log" are level, format"#),
        ("mysql", r#""Port": 3307"#, r#"10:1: warning: mysql.Port: capital letters; write "port""#),
    ]);
    let table = [
        (r#"{"sever": {}}"#, r#"1:2: sever: unknown section; did you mean "server"?"#),
        (r#"{"endpoint": "h:1"}"#, r#"1:2: endpoint: unknown key; it belongs into the section "server""#),
        (
            r#"{"binlog": {}}"#,
            r#"1:2: binlog: unknown section; the sections are server, raft, address, mysql, replication, backup, rpc, log"#,
        ),
    ];
    for (text, wanted) in table {
        assert!(told(text).lines().any(|line| line == wanted), "{text}\n{}", told(text));
    }
}

#[test]
fn keys_given_twice() {
    check(&[
        (
            "log",
            "\"level\": \"INFO\",\n\"level\": \"DEBUG\"",
            "22:1: log.level: given twice, first on line 21; keep one of them",
        ),
        (
            "raft",
            "\"priority\": 1,\n\"Priority\": 2",
            "7:1: warning: raft.Priority: capital letters; write \"priority\"\n7:1: raft.priority: given twice, first on line 6; keep one of them",
        ),
    ]);
    let text = "{\"rpc\": {},\n \"rpc\": {\"request-timeout\": 0}}";
    assert!(
        told(text).contains("2:2: rpc: given twice, first on line 1; keep one of them\n"),
        "{}",
        told(text)
    );
}

#[test]
fn values_of_the_wrong_type() {
    check(&[
        (
            "raft",
            r#""election-timeout": "3000""#,
            r#"6:21: raft.election-timeout: expected a whole number, found the text "3000"; write 3000 without quotes"#,
        ),
        (
            "raft",
            r#""election-timeout": "3s""#,
            "6:21: raft.election-timeout: expected a whole number, found text; write digits without quotes",
        ),
        (
            "raft",
            r#""election-timeout": -1"#,
            "6:21: raft.election-timeout: expected a whole number, not below 0, found -1; correct it",
        ),
        (
            "raft",
            r#""election-timeout": 1.5e3, "heartbeat-timeout": 0.5"#,
            "6:49: raft.heartbeat-timeout: expected a whole number, not below 0, found 0.5; correct it",
        ),
        (
            "raft",
            r#""super-idle": "true""#,
            r#"6:15: raft.super-idle: expected true or false, found the text "true"; write true without quotes"#,
        ),
        (
            "raft",
            r#""super-idle": 1"#,
            "6:15: raft.super-idle: expected true or false, found a number; write true or false without quotes",
        ),
        (
            "raft",
            r#""leader-start-command": ["a"]"#,
            "6:25: raft.leader-start-command: expected text, found a list; write text in double quotes",
        ),
        (
            "raft",
            r#""priority": 99999999999"#,
            "6:13: raft.priority: 99999999999 is too large; give at most 4294967295",
        ),
        ("raft", r#""priority": 101"#, "6:13: raft.priority: 101 is too high; give 0 (never leads) to 100"),
        (
            "mysql",
            r#""passwd": 213456"#,
            "10:11: mysql.passwd: expected text, found a number; put it in double quotes",
        ),
        ("mysql", r#""port": 0"#, "10:9: mysql.port: 0 is no port; give a port from 1 to 65535"),
        ("mysql", r#""port": 70000"#, "10:9: mysql.port: 70000 is no port; give a port from 1 to 65535"),
        (
            "mysql",
            r#""mysqld-args": "--x""#,
            r#"10:16: mysql.mysqld-args: expected a list of texts, found text; write it like ["--first", "--second"]"#,
        ),
        ("mysql", r#""basedir": """#, "10:12: mysql.basedir: is empty; give a path, or remove the key"),
        ("mysql", r#""basedir": "a\u0000b""#, "10:12: mysql.basedir: holds a NUL character; remove it"),
        (
            "log",
            r#""level": "verbose""#,
            r#"21:10: log.level: "verbose" is not known here; choose one of DEBUG, INFO, WARNING, ERROR, PANIC"#,
        ),
        (
            "log",
            r#""format": "xml""#,
            r#"21:11: log.format: "xml" is not known here; choose one of text, json"#,
        ),
    ]);
    assert!(
        told(r#"{"raft": []}"#)
            .contains(r#"1:10: raft: expected an object with keys, found a list; write "raft": { … }"#)
    );
    assert_eq!(
        told("[]").lines().next(),
        Some("1:1: expected an object with sections, found a list; begin with { and end with }")
    );
}

#[test]
fn timeouts_that_cannot_work() {
    check(&[
        (
            "raft",
            r#""heartbeat-timeout": 1000, "election-timeout": 1500"#,
            "6:22: raft.heartbeat-timeout: a heartbeat every 1000 ms is too rare for an election timeout of 1500 ms: one lost heartbeat would use up the leader's lease of 1200 ms; give at most 500, or raise raft.election-timeout to 3000",
        ),
        (
            "raft",
            r#""heartbeat-timeout": 500, "election-timeout": 1000"#,
            "6:22: raft.heartbeat-timeout: a heartbeat every 500 ms is too rare for an election timeout of 1000 ms: one lost heartbeat would use up the leader's lease of 800 ms; give at most 333, or raise raft.election-timeout to 1500",
        ),
        ("raft", r#""heartbeat-timeout": 499, "election-timeout": 1000"#, ""),
        (
            "raft",
            r#""heartbeat-timeout": 0"#,
            "6:22: raft.heartbeat-timeout: is 0, so heartbeats would never pause; give milliseconds, like 200",
        ),
        (
            "raft",
            r#""election-timeout": 0"#,
            "6:21: raft.election-timeout: 0 ms is so short that any pause of the host would depose the leader; give at least 100",
        ),
        (
            "raft",
            r#""election-timeout": 7200000"#,
            "6:21: raft.election-timeout: 7200000 ms is more than an hour without a primary; the unit is milliseconds: give seconds times 1000",
        ),
        (
            "raft",
            r#""heartbeat-timeout": 18446744073709551615"#,
            "6:22: raft.heartbeat-timeout: 18446744073709551615 ms is more than an hour without a primary; the unit is milliseconds: give seconds times 1000",
        ),
        ("raft", r#""heartbeat-timeout": 1000"#, ""),
        ("raft", r#""election-timeout": 100"#, ""),
        (
            "raft",
            r#""purge-binlog-wait": 300000"#,
            "6:22: raft.purge-binlog-wait: 300000 ms is less than two rounds of purging (raft.purge-binlog-interval); give at \
             least 600000, or make the interval shorter",
        ),
        ("raft", r#""purge-binlog-wait": 604800000"#, ""),
        ("raft", r#""hook-timeout": 0"#, "6:17: raft.hook-timeout: is 0; give milliseconds, like 1000"),
        (
            "rpc",
            r#""request-timeout": 864000000"#,
            "18:20: rpc.request-timeout: 864000000 ms is more than a day; the unit is milliseconds",
        ),
        ("mysql", r#""ping-timeout": 0"#, "10:17: mysql.ping-timeout: is 0; give milliseconds, like 1000"),
        (
            "mysql",
            r#""admit-defeat-ping-count": 0"#,
            "10:28: mysql.admit-defeat-ping-count: is 0, so mysqld would count as dead without a failed probe; give at least 1",
        ),
    ]);
}

#[test]
fn a_value_that_does_not_fit_is_told_once() {
    check(&[
        (
            "raft",
            r#""heartbeat-timeout": 1000, "election-timeout": true"#,
            "6:48: raft.election-timeout: expected a whole number, found true or false; write digits without quotes",
        ),
        (
            "server",
            r#""secret": 1"#,
            "4:11: server.secret: expected text, found a number; put it in double quotes",
        ),
        (
            "server",
            r#""tls-ca": 1, "tls-cert": "c", "tls-key": "k""#,
            "4:11: server.tls-ca: expected text, found a number; put it in double quotes",
        ),
    ]);
}

#[test]
fn ports_that_collide() {
    check(&[
        (
            "server",
            r#""enable-apis": true, "peer-address": ":8801""#,
            "4:38: server.peer-address: port 8801 is the port of server.endpoint too; give the HTTP API a port of its own",
        ),
        (
            "server",
            r#""enable-apis": true, "peer-address": "10.0.0.1:8801""#,
            "4:38: server.peer-address: port 8801 is the port of server.endpoint too; give the HTTP API a port of its own",
        ),
        (
            "server",
            r#""peer-address": "0.0.0.0:8801""#,
            "4:17: warning: server.peer-address: port 8801 is the port of server.endpoint too; give the HTTP API a port of its own",
        ),
        ("server", r#""enable-apis": true, "peer-address": "127.0.0.1:8801""#, ""),
        (
            "mysql",
            r#""port": 8801"#,
            "3:13: warning: server.endpoint: port 8801 is the port of mysqld (mysql.port) too; give the agent a port of its own",
        ),
    ]);
}

#[test]
fn secrets_certificates_and_accounts() {
    check(&[
        (
            "server",
            r#""secret": """#,
            "4:11: server.secret: is empty; give a random text of 32 characters, or remove the key",
        ),
        (
            "server",
            r#""secret": "hunter2""#,
            "4:11: warning: server.secret: is short or monotonous, and whoever sees one connection can try guesses offline; give a random text of 32 characters, like the output of: openssl rand -hex 16",
        ),
        (
            "server",
            r#""secret": "00000000000000000000000000000000""#,
            "4:11: warning: server.secret: is short or monotonous, and whoever sees one connection can try guesses offline; give a random text of 32 characters, like the output of: openssl rand -hex 16",
        ),
        (
            "server",
            r#""secret": "f3a9c1d47be8025613fa9d0e84c7b265", "secret-file": "s""#,
            "4:62: server.secret-file: given together with server.secret; keep one of them",
        ),
        (
            "server",
            r#""tls-cert": "c""#,
            "4:13: server.tls-cert: given without server.tls-ca and server.tls-key; give all three, or none to let server.secret make the certificates",
        ),
        ("replication", r#""host": """#, ""),
        ("replication", r#""host": "fd00::1""#, ""),
        (
            "replication",
            r#""host": "10.0.0.1:3306""#,
            r#"13:9: replication.host: "10.0.0.1:3306" is neither an address nor a host name; use an address, or a name of letters, digits, - and ."#,
        ),
        (
            "replication",
            r#""host": "::""#,
            r#"13:9: replication.host: "::" is every address of this host; write the host's own address"#,
        ),
        ("mysql", r#""admin": """#, "10:1: mysql.admin: given twice, first on line 9; keep one of them"),
        ("mysql", r#""host": """#, "10:9: mysql.host: is empty; write \"localhost\", or give mysql.socket"),
        (
            "mysql",
            r#""version": "mariadb""#,
            r#"10:12: warning: mysql.version: "mariadb" is not known; the server's own answer decides; known are mysql56, mysql57, mysql80, mysql84, mysql9"#,
        ),
        (
            "raft",
            r#""leader-start-command": "up""#,
            "6:25: warning: raft.leader-start-command: nothing undoes it, because raft.leader-stop-command is not given; give the command that takes the address away, so that two nodes never hold it",
        ),
        (
            "raft",
            r#""leader-start-command": " nop ", "leader-stop-command": "down""#,
            "6:57: warning: raft.leader-stop-command: it undoes nothing, because raft.leader-start-command is not given; give both commands, or none",
        ),
        ("raft", r#""leader-start-command": "", "leader-stop-command": "nop""#, ""),
        (
            "backup",
            r#""backupdir": "data""#,
            r#"15:14: warning: backup.backupdir: "data" is relative, and a rebuild fills this folder anew; give the data folder's full path"#,
        ),
    ]);
    let table = [
        (
            r#"{"replication": {"user": " ", "passwd": ""}}"#,
            "1:26: replication.user: is empty; give the name of an account",
        ),
        (
            r#"{"replication": {"user": " ", "passwd": ""}}"#,
            "1:41: replication.passwd: is empty, and the account reads everything; give a random password",
        ),
        (
            r#"{"replication": {"user": "r"}}"#,
            "warning: replication.passwd: not given, so it is the one that everybody knows; give a random password",
        ),
        (
            r#"{"mysql": {"admin": "abcdefghijklmnopqrstuvwxyz0123456"}}"#,
            "1:21: mysql.admin: is longer than the 32 characters that a server allows; shorten it",
        ),
        (r#"{"mysql": {"admin": "a\nb"}}"#, "1:21: mysql.admin: holds a control character; remove it"),
    ];
    for (text, wanted) in table {
        assert!(told(text).lines().any(|line| line == wanted), "{text}\n{}", told(text));
    }
}

#[test]
fn everything_is_told_at_once_in_the_order_of_the_lines() {
    let text = r#"{
  "server": {"endpoint": "0.0.0.0:8801"},
  "raft": {
    "electon-timeout": 1000,
    "heartbeat-timeout": "1",
  },
  "mysql": {"port": 99999, "master-sysvars": "a=1;b=(select 1);c"},
  "replication": {"user": "", "passwd": "p"},
  "log": {"level": "LOUD"}
}"#;
    assert_eq!(
        told(text),
        r#"2:26: server.endpoint: "0.0.0.0:8801" is every address of this host, and the endpoint is the node's name for the others; write this host's own address, like "192.168.0.11:8801"
4:5: raft.electon-timeout: unknown key; did you mean "election-timeout"?
5:26: raft.heartbeat-timeout: expected a whole number, found the text "1"; write 1 without quotes
7:21: mysql.port: 99999 is no port; give a port from 1 to 65535
7:46: mysql.master-sysvars: "(select 1)" as the value of b is not one plain value; give a number, a word, or a text in single quotes
7:46: mysql.master-sysvars: "c" has no value; write name=value, with ; between them
8:27: replication.user: is empty; give the name of an account
9:20: log.level: "LOUD" is not known here; choose one of DEBUG, INFO, WARNING, ERROR, PANIC
"#
    );
}

#[test]
fn mistakes_of_syntax() {
    let deep = "[".repeat(100_000);
    let table = [
        ("", "1:1: the file ends where a value should be; add what is missing at the end"),
        (
            "{\n \"log\": {}\n",
            "3:1: the file ends inside an object (the innermost bracket is open since line 1); add the missing }",
        ),
        (
            "{\n \"log\": {}\n \"rpc\": {}}",
            "3:2: expected a comma or } here; look for a comma missing before this place",
        ),
        ("{\"log\" {}}", "1:8: expected a colon between key and value here; write \"key\": value"),
        (
            "{\"log\": info}",
            "1:9: expected a value here; put text in double quotes; otherwise a number, true or false",
        ),
        (
            "{\"log\": {},,}",
            "1:12: expected a key here; put keys in double quotes, and look for a comma too much",
        ),
        ("{,}", "1:2: expected a key here; put keys in double quotes, and look for a comma too much"),
        ("{} {}", "1:4: something follows the end of the object; remove it, or the } that ends it too early"),
        (
            "{\"log\": \"a\nb\"}",
            "1:11: the line ends inside a text; add the closing quote before the end of the line",
        ),
        (
            "{\"log\": \"a",
            "1:11: the file ends inside a text (the innermost bracket is open since line 1); add the closing quote",
        ),
        (
            "{/* \n",
            "2:1: the file ends inside a comment (the innermost bracket is open since line 1); add the closing */",
        ),
        ("{\"a\": \"\\x1\"}", "1:8: \\ begins an unknown escape here; write \\\\ for a backslash"),
        ("{\"a\": 010}", "1:7: a number begins with 0; remove the zeros before it"),
        (deep.as_str(), "1:100000: brackets nested deeper than 32; a configuration has three levels"),
    ];
    for (text, wanted) in table {
        let short: String = text.chars().take(60).collect();
        assert_eq!(told(text).trim_end(), wanted, "{short}");
    }
    let large = " ".repeat(xenon_config::TEXT_LIMIT_BYTES + 1);
    assert_eq!(told(&large).trim_end(), "the file has 1048577 bytes, more than 1048576; name the right file");
}

#[test]
fn nesting_up_to_the_limit_is_read() {
    for (depth, wanted) in [(30, "unknown key"), (31, "nested deeper than 32")] {
        let text = format!("{{\"raft\": {{\"x\": {}{}}}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(told(&text).contains(wanted), "{depth}: {}", told(&text));
    }
}
