//! What can be said of a node whose agent does not answer.

use crate::failure::Failure;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use xenon_api::{Finding, Level};
use xenon_election::NodeId;

fn finding(node: &NodeId, check: &str, level: Level, text: String, cure: &str) -> Finding {
    Finding { node: Some(node.clone()), check: check.to_owned(), level, text, cure: cure.to_owned() }
}

pub(super) fn unreached(node: &NodeId, failure: &Failure) -> Vec<Finding> {
    let cure = failure.cure_text().unwrap_or("start its agent, and repeat the check-up");
    let why = "its agent does not answer, and it is the agent that looks";
    let unknown = |check: &str| finding(node, check, Level::Unknown, format!("not looked at: {why}"), "");
    vec![
        finding(node, "agent", Level::Error, failure.what().to_owned(), cure),
        unknown("server"),
        unknown("settings"),
        unknown("host"),
        unknown("reach-agent"),
        unknown("reach-mysql"),
    ]
}

/// This host's own configuration: that can be looked at without the agent.
pub(super) fn local(node: &NodeId, path: &Path) -> Vec<Finding> {
    let mut found = Vec::new();
    let name = path.display();
    match std::fs::metadata(path) {
        Ok(meta) if meta.mode() & 0o077 == 0 => {
            found.push(finding(
                node,
                "config-file",
                Level::Ok,
                format!("{name} can be read by its owner only"),
                "",
            ));
        }
        Ok(meta) => {
            let text =
                format!("{name} holds passwords, and others can read it (mode {:03o})", meta.mode() & 0o777);
            found.push(finding(node, "config-file", Level::Error, text, "chmod 600 it"));
        }
        Err(error) => found.push(finding(
            node,
            "config-file",
            Level::Unknown,
            format!("{name}: {error}"),
            "name it with -c FILE",
        )),
    }
    if let Ok(loaded) = xenon_config::load(path) {
        for warning in loaded.warnings.iter() {
            let text = loaded.warnings.line_of(warning);
            found.push(finding(node, "config", Level::Warn, text, "change it in the file"));
        }
    }
    found
}
