//! Variables to set: what passes is one plain value, and nothing that could be more.

use std::path::Path;
use xenon_config::parse;

/// The variables as read, then what was told of them.
fn read(key: &str, value: &str) -> String {
    let value = serde_json::Value::from(value);
    let text = format!(
        r#"{{"server": {{"endpoint": "h:1"}}, "replication": {{"passwd": "p"}}, "mysql": {{"{key}": {value}}}}}"#
    );
    match parse(&text, Path::new("f")) {
        Ok(loaded) => {
            let mysql = &loaded.config.mysql;
            let variables =
                if key == "master-sysvars" { &mysql.master_sysvars } else { &mysql.slave_sysvars };
            let told: String = loaded.warnings.iter().map(|w| format!(" | {}; {}", w.what, w.cure)).collect();
            format!("{variables}{told}")
        }
        Err(findings) => {
            findings.iter().map(|f| format!("{}; {}", f.what, f.cure)).collect::<Vec<_>>().join(" | ")
        }
    }
}

#[test]
fn values_that_pass() {
    let table = [
        ("", ""),
        (" ; ;", ""),
        ("a=1;b=default", "a=1;b=default"),
        (" A = 1 ; b=DEFAULT; ", "a=1;b=DEFAULT"),
        ("a=-1;b=1.5;c=0xFF;d=1e3", "a=-1;b=1.5;c=0xFF;d=1e3"),
        ("a=ON;b=off;binlog_format=ROW;c=utf8mb4", "a=ON;b=off;binlog_format=ROW;c=utf8mb4"),
        (
            "sql_mode='STRICT_TRANS_TABLES,NO_ZERO_DATE';x=\"a;b\"",
            "sql_mode='STRICT_TRANS_TABLES,NO_ZERO_DATE';x=\"a;b\"",
        ),
        (
            "hot.key_buffer_size=8;validate_password.policy=LOW",
            "hot.key_buffer_size=8;validate_password.policy=LOW",
        ),
    ];
    for (value, wanted) in table {
        assert_eq!(read("master-sysvars", value), wanted, "{value}");
        assert_eq!(read("slave-sysvars", value), wanted, "{value}");
    }
}

#[test]
fn anything_else_is_refused() {
    let plain = "is not one plain value; give a number, a word, or a text in single quotes";
    let name = "is no name of a variable; use letters, digits, _ and . only, without @@ or GLOBAL";
    let table = [
        ("a=1;b=(select user())", format!("\"(select user())\" as the value of b {plain}")),
        ("a=1, b=2", format!("\"1, b=2\" as the value of a {plain}")),
        ("a=1 -- x", format!("\"1 -- x\" as the value of a {plain}")),
        ("a=1/*", format!("\"1/*\" as the value of a {plain}")),
        ("a=1#", format!("\"1#\" as the value of a {plain}")),
        ("a=@@b", format!("\"@@b\" as the value of a {plain}")),
        ("a=b()", format!("\"b()\" as the value of a {plain}")),
        ("a='x' 'y'", format!("\"'x' 'y'\" as the value of a {plain}")),
        ("a='x\\';b=1", format!("\"'x\\\\'\" as the value of a {plain}")),
        ("a='x;b=1", format!("\"'x;b=1\" as the value of a {plain}")),
        ("a='x\ny'", format!("\"'x\\ny'\" as the value of a {plain}")),
        ("a=`b`", format!("\"`b`\" as the value of a {plain}")),
        ("a=READ-COMMITTED", format!("\"READ-COMMITTED\" as the value of a {plain}")),
        ("a=1-1", format!("\"1-1\" as the value of a {plain}")),
        ("a=值", format!("\"值\" as the value of a {plain}")),
        ("@@a=1", format!("\"@@a\" {name}")),
        ("GLOBAL a=1", format!("\"GLOBAL a\" {name}")),
        ("1a=1", format!("\"1a\" {name}")),
        ("=1", format!("\"\" {name}")),
        ("a", "\"a\" has no value; write name=value, with ; between them".to_owned()),
        ("a=", "a has no value; give one, or write default".to_owned()),
        ("a=1;A=2", "a is set twice; keep one of them".to_owned()),
        ("a=1G", "1G as the value of a is no number for SET GLOBAL; write 1073741824".to_owned()),
        ("a=99999999999999999T", "99999999999999999T as the value of a is no number for SET GLOBAL; write the number in full".to_owned()),
        ("a;b", "\"a\" has no value; write name=value, with ; between them | \"b\" has no value; write name=value, with ; between them".to_owned()),
    ];
    for (value, wanted) in table {
        assert_eq!(read("master-sysvars", value), wanted, "{value}");
    }
}

#[test]
fn who_is_writable_is_left_to_the_agent() {
    let out = "contradicts the role and is left out: only the agent decides who is writable; remove";
    let table = [
        ("master-sysvars", "super_read_only=0;read_only=OFF;a=1", "a=1".to_owned()),
        ("slave-sysvars", "super_read_only=1;READ_ONLY=on;a=1", "a=1".to_owned()),
        ("master-sysvars", "read_only=1;a=1", format!("a=1 | read_only=1 {out} read_only")),
        ("slave-sysvars", "super_read_only=0;a=1", format!("a=1 | super_read_only=0 {out} super_read_only")),
        ("slave-sysvars", "read_only=default", format!(" | read_only=default {out} read_only")),
    ];
    for (key, value, wanted) in table {
        assert_eq!(read(key, value), wanted, "{key} {value}");
    }
}
