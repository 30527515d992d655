//! Protocol scripts: several real cores and abstract mysqlds, driven by the text files in `tests/scripts`.
//! Commands and the log that they lead to stand in the same file and are compared exactly; run with
//! `UPDATE_SCRIPTS=1` to rewrite the log, then read the difference.
//!
//! A block is comment lines, command lines, `----`, and the log up to the next empty line. See `world.rs` for
//! the commands.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap here is a failed test")]

#[path = "../common/show.rs"]
mod show;

mod mysqld;
mod world;

use std::fmt::Write;
use std::path::Path;
use world::World;

#[test]
fn scripts_lead_to_the_logs_in_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    let mut wrong = String::new();
    for path in paths {
        let old = std::fs::read_to_string(&path).unwrap();
        let new = run(&old);
        if old == new {
            continue;
        }
        if std::env::var_os("UPDATE_SCRIPTS").is_some() {
            std::fs::write(&path, new).unwrap();
        } else {
            writeln!(wrong, "{}:\n{}", path.display(), first_difference(&old, &new)).unwrap();
        }
    }
    assert!(wrong.is_empty(), "the logs differ (UPDATE_SCRIPTS=1 rewrites them):\n{wrong}");
}

/// The script with the log that its commands lead to.
fn run(script: &str) -> String {
    let mut world = World::default();
    let mut out = String::new();
    for block in script.trim_end().split("\n\n") {
        let head = block.split("\n----").next().unwrap_or_default();
        if !out.is_empty() {
            out.push('\n');
        }
        writeln!(out, "{head}").unwrap();
        let mut commands = head.lines().filter(|line| !line.starts_with('#')).peekable();
        if commands.peek().is_none() {
            continue;
        }
        out.push_str("----\n");
        for command in commands {
            let log = world.run(command);
            let log = if log.is_empty() { vec!["ok".to_owned()] } else { log };
            for line in log {
                writeln!(out, "{line}").unwrap();
            }
        }
    }
    out
}

fn first_difference(old: &str, new: &str) -> String {
    let mut lines = old.lines().zip(new.lines()).enumerate();
    match lines.find(|(_, (old, new))| old != new) {
        Some((number, (old, new))) => format!("line {}:\n  - {old}\n  + {new}", number + 1),
        None => "one is longer than the other".to_owned(),
    }
}
