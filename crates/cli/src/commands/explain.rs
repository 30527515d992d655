//! `xenoncli explain`: why each node leads, may lead, or may not.

use crate::failure::{Failure, Outcome};
use crate::gather;
use crate::output::{self, Output};
use crate::session::{self, Session};
use clap::Args;
use std::fmt::Write;
use std::path::Path;
use xenon_api::{Explanation, NodeExplanation, Request, Response};

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// Only of this node.
    #[arg(value_name = "NODE")]
    pub(crate) node: Option<String>,
}

pub(crate) async fn run(options: ExplainArguments, config: Option<&Path>, output: Output) -> Outcome {
    let session = Session::open(config)?;
    let named = match &options.node {
        Some(node) => Some(session::endpoints(std::slice::from_ref(node))?.remove(0)),
        None => None,
    };
    let nodes = gather::nodes(&session).await?;
    let answers = gather::ask_all(&session, &nodes, &Request::Explain).await;
    let mut all = Vec::new();
    let mut silent = Vec::new();
    for (node, answer) in answers {
        match answer {
            Ok(Response::Explanation(explanation)) => all.push(explanation),
            Ok(_) => silent.push((node, "it answers something else".to_owned())),
            Err(failure) => silent.push((node, failure.what().to_owned())),
        }
    }
    let Some(mut explanation) = put_together(all, session.local()) else {
        return Err(Failure::new("no node explains itself").cure("look at xenoncli cluster status"));
    };
    for (node, what) in silent {
        output::note(&format!("{node} does not say: {what}"));
    }
    if let Some(named) = named {
        explanation.nodes.retain(|node| node.node == named);
        if explanation.nodes.is_empty() {
            return Err(Failure::new(format!("{named} is no member of this cluster"))
                .cure("see who is: xenoncli raft nodes"));
        }
    }
    match output {
        Output::Table => output::print(&shown(&explanation)),
        Output::Json => output::print(&serde_json::to_string(&explanation)?),
    }
}

/// The leader's view of all, with what each node knows of itself alone (a doubt, a stopped election); without a leader
/// each node's view of itself.
fn put_together(all: Vec<Explanation>, local: &str) -> Option<Explanation> {
    let leads = |explanation: &Explanation| {
        explanation.nodes.iter().any(|node| node.leads && node.node == explanation.by)
    };
    let place = all
        .iter()
        .position(leads)
        .or_else(|| all.iter().position(|explanation| explanation.by.as_str() == local))
        .or_else(|| (!all.is_empty()).then_some(0))?;
    let mut chosen = all.get(place)?.clone();
    let has_leader = leads(&chosen);
    for node in &mut chosen.nodes {
        let own = all
            .iter()
            .find(|explanation| explanation.by == node.node)
            .and_then(|explanation| explanation.nodes.iter().find(|own| own.node == node.node));
        let Some(own) = own else { continue };
        if !has_leader {
            *node = NodeExplanation { heard_ms_ago: node.heard_ms_ago, ..own.clone() };
        } else if !node.leads {
            // S3 is known to the node alone.
            let more = own.why.iter().filter(|line| line.contains("(S3)") && !node.why.contains(line));
            let more: Vec<String> = more.cloned().collect();
            node.why.extend(more);
        }
    }
    Some(chosen)
}

fn shown(explanation: &Explanation) -> String {
    let mut text = String::new();
    for line in &explanation.cluster {
        let _ = writeln!(text, "{line}");
    }
    let width = explanation.nodes.iter().map(|node| node.node.as_str().len()).max().unwrap_or(0);
    for node in &explanation.nodes {
        let word = match (node.leads, node.may_lead) {
            (true, _) => "leads",
            (false, true) => "may lead",
            (false, false) => "may not lead",
        };
        let heard = node.heard_ms_ago.map(|ms| format!("   heard {ms} ms ago")).unwrap_or_default();
        let _ =
            write!(text, "\n{:<width$}  {}\n", node.node.as_str(), format!("{word:<12}{heard}").trim_end());
        for why in &node.why {
            let _ = writeln!(text, "  - {}", output::printable(why));
        }
    }
    if let Some(next) = &explanation.next {
        let _ = write!(text, "\n{next}\n");
    }
    text
}
