//! `perf quickstack`: what every thread of this host's mysqld is doing, looked at by its agent.

use crate::arguments::PerfCommand;
use crate::failure::Outcome;
use crate::output::{self, Output, note};
use crate::session::{self, Session};
use crate::views::Object;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;
use xenon_api::{Request, Response, Stacks, ThreadStack};

/// The slowest tool has 15 s, and the server some more for its threads' names.
const LOOK: Duration = Duration::from_secs(25);

pub(crate) async fn run(command: PerfCommand, config: Option<&Path>, output: Output) -> Outcome {
    let PerfCommand::Quickstack { format, tool, stop } = command;
    let session = Session::open(config)?;
    let node = session.local();
    let request = Request::Stacks { tool: tool.into(), may_stop: stop };
    let Response::Stacks(stacks) = session.ask(node, request, LOOK).await? else {
        return Err(session::strange(node));
    };
    if !stacks.note.is_empty() {
        note(&format!("xenoncli: note: {}", stacks.note));
    }
    match format.over(output) {
        Output::Json => output::json(&Object::new(vec![
            ("pid", json!(stacks.pid)),
            ("tool", json!(stacks.tool)),
            ("note", json!(stacks.note)),
            ("took_ms", json!(stacks.took_ms)),
            ("cut", json!(stacks.cut)),
            ("threads", json!(stacks.threads)),
        ])),
        Output::Table => output::print(&output::printable(&text(&stacks))),
    }
}

/// Threads that do the same stand together, the most frequent first.
fn text(stacks: &Stacks) -> String {
    let mut groups: BTreeMap<(String, String, Vec<String>), Vec<&ThreadStack>> = BTreeMap::new();
    for thread in &stacks.threads {
        let name = thread.name.trim_start_matches("thread/").to_owned();
        let wait = match thread.wait.as_str() {
            "" => thread.state.clone(),
            wait => format!("{}, in {wait}", thread.state),
        };
        groups.entry((name, wait, thread.frames.clone())).or_default().push(thread);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|((name, ..), threads)| (std::cmp::Reverse(threads.len()), name.clone()));
    let mut out = format!(
        "mysqld, process {}: {} threads, looked at with {} in {} ms\n",
        stacks.pid,
        stacks.threads.len(),
        stacks.tool.word(),
        stacks.took_ms
    );
    for ((name, wait, frames), threads) in groups {
        let tids: Vec<String> = threads.iter().take(8).map(|thread| thread.tid.to_string()).collect();
        let more = if threads.len() > tids.len() { ", \u{2026}" } else { "" };
        // Writing to a text cannot fail.
        let _ = writeln!(out, "\n{} x {name}  {wait}  ({}{more})", threads.len(), tids.join(", "));
        for session in threads.iter().filter(|thread| !thread.session.is_empty()) {
            let _ = writeln!(out, "    {}: {}", session.tid, session.session);
        }
        for frame in frames {
            let _ = writeln!(out, "    {frame}");
        }
    }
    if stacks.cut {
        out.push_str("\nthere are more threads than are shown\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use xenon_api::StackTool;

    #[test]
    fn threads_that_do_the_same_stand_together() {
        let thread = |tid, name: &str, session: &str| ThreadStack {
            tid,
            name: name.to_owned(),
            state: "S (sleeping)".to_owned(),
            wait: "futex_wait".to_owned(),
            session: session.to_owned(),
            frames: vec!["#0 poll".to_owned()],
        };
        let stacks = Stacks {
            pid: 7,
            tool: StackTool::EuStack,
            note: String::new(),
            took_ms: 12,
            threads: vec![
                thread(7, "thread/sql/main", ""),
                thread(8, "thread/sql/one_connection", "app@h, Query for 1 s"),
                thread(9, "thread/sql/one_connection", ""),
            ],
            cut: false,
        };
        assert_eq!(
            text(&stacks),
            "mysqld, process 7: 3 threads, looked at with eu-stack in 12 ms\n\n\
             2 x sql/one_connection  S (sleeping), in futex_wait  (8, 9)\n    8: app@h, Query for 1 s\n    #0 poll\n\n\
             1 x sql/main  S (sleeping), in futex_wait  (7)\n    #0 poll\n"
        );
    }
}
