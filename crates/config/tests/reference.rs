//! The reference of the configuration file, its schema and the sample beside them are what the code says.
//!
//! They are written anew by: XENON_UPDATE=1 cargo test -p xenon-config --test reference

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap in a helper is a failed test")]

use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use xenon_config::{InitOptions, Secret, explain, parse, schema, template};

const WRITE: &str = "XENON_UPDATE";

fn is_current(path: &str, text: &str) {
    let file: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&file, text).unwrap();
    }
    let there = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        there == text,
        "{path} is old; write it anew: {WRITE}=1 cargo test -p xenon-config --test reference"
    );
}

fn section<'a>(schema: &'a Value, property: &Value) -> &'a Map<String, Value> {
    let reference = property["$ref"].as_str().unwrap().trim_start_matches('#');
    schema.pointer(reference).unwrap()["properties"].as_object().unwrap()
}

/// A cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn default(key: &Value) -> String {
    match &key["default"] {
        Value::Null if key["format"] == "password" => "a secret".to_owned(),
        Value::Null => "–".to_owned(),
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        other => format!("`{}`", cell(&other.to_string())),
    }
}

fn kind(key: &Value) -> String {
    let types = match &key["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).find(|word| *word != "null"),
        other => other.as_str(),
    };
    if let Some(words) = key["enum"].as_array() {
        let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        return words.join(", ");
    }
    let text = key["description"].as_str().unwrap_or_default();
    match types {
        Some("integer") if text.contains("milliseconds") => "milliseconds",
        Some("integer") => "number",
        Some("boolean") => "true or false",
        Some("array") => "list of texts",
        _ if key["format"] == "password" => "text, secret",
        _ => "text",
    }
    .to_owned()
}

fn reference() -> String {
    let schema = schema();
    let mut text = "\
# The configuration file

`/etc/xenon/xenon.json`, or what `xenon -c FILE` names: JSON with comments, trailing commas and keys without quotes allowed (JSON5).
No key is required. A key that is not known is an error that names line, column and the nearest known key. `xenoncli init`
writes a file to begin with ([like this one](../samples/xenon.json)); an editor that knows JSON schemas checks it against
[xenon.schema.json](xenon.schema.json).

The file holds passwords: it belongs to the agent's user, mode 0600. A change takes effect when the agent is restarted.

<!-- Written from crates/config: XENON_UPDATE=1 cargo test -p xenon-config --test reference -->
"
    .to_owned();
    // In the order of the documentation, which a schema does not keep.
    let settings = explain(&parse("{}", Path::new("xenon.json")).unwrap());
    let mut last = "";
    for setting in &settings {
        let (name, key) = setting.key.split_once('.').unwrap();
        let property = &schema["properties"][name];
        if name != last {
            last = name;
            let about = property["description"].as_str().unwrap_or_default();
            text += &format!(
                "\n## {name}\n\n{about}\n\n| key | value | default | meaning |\n|---|---|---|---|\n"
            );
        }
        let value = &section(&schema, property)[key];
        let meaning = cell(value["description"].as_str().unwrap());
        text += &format!("| `{name}.{key}` | {} | {} | {meaning} |\n", kind(value), default(value));
    }
    let sections = schema["properties"].as_object().unwrap().iter();
    let keys = sections.flat_map(|(name, property)| {
        let keys = section(&schema, property).iter();
        keys.filter(|(_, value)| value["deprecated"] == true).map(move |(key, _)| format!("`{name}.{key}`"))
    });
    let mut accepted: Vec<String> = keys.collect();
    accepted.sort();
    text += &format!(
        "\n## Accepted and not used\n\nFound in files that the Go tool wrote: {}.\n",
        accepted.join(", ")
    );
    text
}

#[test]
fn the_schema_is_current() {
    is_current("docs/reference/xenon.schema.json", &format!("{:#}\n", schema()));
}

#[test]
fn the_reference_is_current() {
    is_current("docs/reference/config.md", &reference());
}

#[test]
fn the_sample_is_current_and_loads() {
    let options = InitOptions {
        address: "10.0.0.1".to_owned(),
        socket: Some(PathBuf::from("/run/mysqld/mysqld.sock")),
        defaults_file: PathBuf::from("/etc/mysql/my.cnf"),
        datadir: Some(PathBuf::from("/var/lib/mysql")),
        admin: "xenon".to_owned(),
        admin_password: Secret::from("CHANGE ME"),
        repl_password: Secret::from("CHANGE ME, TOO"),
        secret: Secret::from("CHANGE ME: the same random text on every node"),
        ..InitOptions::default()
    };
    let text = template(&options);
    let loaded = parse(&text, Path::new("xenon.json")).unwrap_or_else(|findings| panic!("{findings}"));
    assert_eq!(loaded.config.raft.meta_datadir, Path::new("/var/lib/xenon"));
    is_current("docs/samples/xenon.json", &text);
}
