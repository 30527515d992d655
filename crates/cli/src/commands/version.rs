//! `xenoncli version`: of this program, and of this host's agent when it answers.

use crate::failure::Outcome;
use crate::output::{self, Output};
use crate::session::Session;
use crate::views::Object;
use serde_json::json;
use std::path::Path;

const OURS: &str = env!("CARGO_PKG_VERSION");

pub(crate) async fn run(config: Option<&Path>, output: Output) -> Outcome {
    // Asked of a host without a cluster as well: then there is this program alone.
    let agent = match Session::open(config) {
        Ok(session) => session.status(session.local()).await.map(|status| status.version),
        Err(failure) => Err(failure),
    };
    let known = agent.as_ref().ok();
    match output {
        Output::Table => {
            let theirs = known.map_or("unknown", String::as_str);
            output::print(&format!("xenoncli {OURS}\nxenon    {theirs}"))?;
        }
        Output::Json => output::json(&Object::new(vec![("xenoncli", json!(OURS)), ("xenon", json!(known))]))?,
    }
    match &agent {
        Ok(theirs) if theirs != OURS => {
            output::note("the agent of this host has another version: install the same for both");
        }
        Ok(_) => {}
        Err(failure) => output::note(&format!("the agent's version is unknown: {}", failure.what())),
    }
    Ok(())
}
