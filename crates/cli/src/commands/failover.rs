//! `xenoncli failover`: what came of failovers and switchovers, the morning after.

use crate::failure::{Failure, Outcome};
use crate::gather;
use crate::output::{self, Output};
use crate::session::{DO, Session, strange};
use crate::table::Table;
use crate::when;
use clap::Subcommand;
use serde_json::json;
use std::path::Path;
use xenon_api::{EventQuery, Report, ReportHead, ReportKind, ReportOutcome, Request, Response};

mod story;

#[derive(Debug, Subcommand)]
pub(crate) enum FailoverCommand {
    /// All that the nodes have told of, newest first.
    List {
        /// Only the newest so many.
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
    /// One of them: why it came to it, who voted how, how long each phase took, and what is to be done.
    #[command(after_help = "Examples:\n  \
        xenoncli failover show               the last one\n  \
        xenoncli failover show 20261128T0943 the beginning of an ID is enough, where only one begins so")]
    Show {
        /// Its ID, the beginning of one, or `last`.
        #[arg(value_name = "ID", default_value = "last")]
        id: String,
    },
}

/// What is shown of what the nodes tell before and after a report, milliseconds.
const BEFORE_MS: u64 = 500;
const AFTER_MS: u64 = 5_000;

pub(crate) async fn run(command: FailoverCommand, config: Option<&Path>, output: Output) -> Outcome {
    let session = Session::open(config)?;
    let nodes = gather::nodes(&session).await?;
    let mut heads = all_heads(&session, &nodes).await;
    match command {
        FailoverCommand::List { limit } => {
            heads.truncate(limit as usize);
            let heads: Vec<_> = heads.into_iter().map(|(_, head)| head).collect();
            match output {
                Output::Table => output::print(&table(&heads).to_string()),
                Output::Json => output::print(&json!({ "reports": heads }).to_string()),
            }
        }
        FailoverCommand::Show { id } => {
            let (node, id) = chosen(&heads, &id)?;
            let request = Request::Report { id };
            let Response::Report(report) = session.ask(&node, request, DO).await? else {
                return Err(strange(&node));
            };
            match output {
                Output::Table => show(&session, &nodes, *report).await,
                Output::Json => output::print(&serde_json::to_string(&report)?),
            }
        }
    }
}

/// With who has it, newest first.
async fn all_heads(session: &Session, nodes: &[String]) -> Vec<(String, ReportHead)> {
    let mut heads: Vec<(String, ReportHead)> = Vec::new();
    for (node, answer) in gather::ask_all(session, nodes, &Request::Reports).await {
        match answer {
            Ok(Response::Reports { reports }) => {
                let news: Vec<_> = reports
                    .into_iter()
                    .filter(|head| heads.iter().all(|(_, known)| known.id != head.id))
                    .map(|head| (node.clone(), head))
                    .collect();
                heads.extend(news);
            }
            Ok(_) => output::note(&format!("without the reports of {node}: {}", strange(&node).what())),
            Err(failure) => output::note(&format!("without the reports of {node}: {}", failure.what())),
        }
    }
    heads.sort_by(|(_, a), (_, b)| (b.began_unix_ms, &b.id).cmp(&(a.began_unix_ms, &a.id)));
    heads
}

/// The one that is meant.
fn chosen(heads: &[(String, ReportHead)], id: &str) -> Outcome<(String, String)> {
    let Some(newest) = heads.first() else {
        return Err(Failure::new("no failover has been told of yet")
            .cure("the first one is, by the node that becomes the primary"));
    };
    if id == "last" {
        // Who stood and gave up beside the winner is not what is meant.
        let promoted = heads.iter().find(|(_, head)| head.outcome == ReportOutcome::Promoted);
        let (node, head) = promoted.unwrap_or(newest);
        return Ok((node.clone(), head.id.clone()));
    }
    if let Some((node, head)) = heads.iter().find(|(_, head)| head.id == id) {
        return Ok((node.clone(), head.id.clone()));
    }
    let begins: Vec<_> = heads.iter().filter(|(_, head)| head.id.starts_with(id)).collect();
    match begins.as_slice() {
        [(node, head)] => Ok((node.clone(), head.id.clone())),
        [] => Err(Failure::new(format!("there is no report {id}")).cure("list them: xenoncli failover list")),
        several => Err(Failure::new(format!("{} reports begin with {id}", several.len()))
            .cure("write more of it: xenoncli failover list")),
    }
}

fn kind(kind: ReportKind) -> &'static str {
    match kind {
        ReportKind::Failover => "failover",
        ReportKind::Switchover => "switchover",
        ReportKind::Start => "start",
    }
}

fn outcome(outcome: ReportOutcome) -> &'static str {
    match outcome {
        ReportOutcome::Promoted => "promoted",
        ReportOutcome::GivenUp => "given up",
    }
}

/// `143 ms`, `2.31 s`.
fn took(ms: f64) -> String {
    if ms < 1000.0 { format!("{ms:.0} ms") } else { format!("{:.2} s", ms / 1000.0) }
}

fn table(heads: &[ReportHead]) -> Table {
    let rows = heads.iter().map(|head| {
        let from = head.old_primary.as_ref().map_or("-", |old| old.as_str());
        vec![
            head.id.clone(),
            when::second(head.began_unix_ms),
            kind(head.kind).to_owned(),
            format!("{from} → {}", head.node),
            took(head.took_ms),
            outcome(head.outcome).to_owned(),
            in_lines(&output::printable(&head.cause), 48),
        ]
    });
    Table::new(&["ID", "WHEN", "KIND", "FROM → TO", "TOOK", "OUTCOME", "CAUSE"], rows.collect())
}

/// Broken between words.
fn in_lines(text: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

/// With the events of all nodes around it, where they can be had.
async fn show(session: &Session, nodes: &[String], mut report: Report) -> Outcome {
    let ended = report.head.began_unix_ms.saturating_add(report.head.took_ms as u64);
    let query = EventQuery {
        since_unix_ms: report.head.began_unix_ms.saturating_sub(BEFORE_MS),
        until_unix_ms: Some(ended.saturating_add(AFTER_MS)),
        limit: EventQuery::LIMIT_MAX,
        ..EventQuery::default()
    };
    let events = gather::events(session, nodes, &query).await;
    // Where its own node has dropped them since, what the report has is all there is.
    if events.iter().any(|event| event.node == report.head.node) {
        report.events = events;
    }
    output::print(&story::told(&report))
}

#[cfg(test)]
mod tests {
    use super::*;
    use xenon_election::NodeId;

    fn head(id: &str, began: u64, outcome: ReportOutcome) -> (String, ReportHead) {
        let head = ReportHead {
            id: id.to_owned(),
            node: NodeId::from("10.0.0.2:8801"),
            kind: ReportKind::Failover,
            outcome,
            term: 5,
            began_unix_ms: began,
            took_ms: 12.0,
            cause: String::new(),
            old_primary: None,
            by: None,
        };
        ("10.0.0.2:8801".to_owned(), head)
    }

    #[test]
    fn the_last_one_is_the_last_that_came_to_something() {
        use ReportOutcome::{GivenUp, Promoted};
        let heads = [
            head("20261128T2-c", 3, GivenUp),
            head("20261128T1-b", 2, Promoted),
            head("2025-a", 1, Promoted),
        ];
        let of = |id| chosen(&heads, id).map(|(_, id)| id);
        assert_eq!(of("last").as_deref(), Ok("20261128T1-b"));
        assert_eq!(of("2025").as_deref(), Ok("2025-a"));
        assert_eq!(of("20261128T2-c").as_deref(), Ok("20261128T2-c"));
        assert!(of("20261128").is_err() && of("x").is_err() && chosen(&[], "last").is_err());
        assert_eq!((took(12.4), took(2311.0)), ("12 ms".to_owned(), "2.31 s".to_owned()));
        assert_eq!(in_lines("one two three", 8), "one two\nthree");
    }
}
