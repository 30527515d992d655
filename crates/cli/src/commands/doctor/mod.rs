//! `doctor`: every node's agent looks at its server, its host and its way to the others; what only means something side by side
//! is compared here.

mod across;
mod alone;
mod show;

use crate::arguments::DoctorArguments;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::session::{self, LOOK, Session};
use std::path::Path;
use std::time::Duration;
use tokio::task::JoinSet;
use xenon_api::{CheckUp, Finding, Level, Request, Response};
use xenon_election::NodeId;

/// A node asks every other one, its server and its disks.
const CHECK_UP: Duration = Duration::from_secs(25);

/// A node's answer, and this host's clock when it came.
struct Answered {
    check_up: CheckUp,
    here_unix_ms: u64,
}

pub(crate) async fn run(options: DoctorArguments, config: Option<&Path>, output: Output) -> Outcome {
    let named = match options.nodes.is_empty() {
        true => Vec::new(),
        false => session::endpoints(&options.nodes)?,
    };
    let session = Session::open(config)?;
    let local = NodeId::new(session.local());
    let mut nodes = vec![local.clone()];
    let own = session.call(session.local(), Request::Status, LOOK).await;
    if let Ok(xenon_api::Reply::Ok(Response::Status(status))) = &own {
        nodes.extend(status.members.iter().map(|member| member.id.clone()));
    }
    nodes.extend(named);
    nodes.sort();
    nodes.dedup();

    let mut findings = Vec::new();
    let mut answers = Vec::new();
    for (node, answer) in ask_all(&session, &nodes).await {
        match answer {
            Ok(answer) => answers.push(answer),
            Err(failure) => {
                findings.extend(alone::unreached(&node, &failure));
                if node == local {
                    findings.extend(alone::local(&node, session.config_path()));
                }
            }
        }
    }
    findings.extend(across::compare(&answers));
    findings.extend(answers.into_iter().flat_map(|answer| answer.check_up.findings));
    if nodes.len() == 1 {
        findings.push(Finding {
            node: None,
            check: "members".to_owned(),
            level: Level::Warn,
            text: "only this node was looked at: it belongs to no cluster that it could name".to_owned(),
            cure: "name the others: xenoncli doctor --nodes …; or form the cluster: xenoncli cluster add …"
                .to_owned(),
        });
    }
    show::print(&nodes, &findings, options.verbose, output)?;
    let errors = findings.iter().filter(|finding| finding.level == Level::Error).count();
    if errors == 0 {
        return Ok(());
    }
    let what =
        if errors == 1 { "1 error was found".to_owned() } else { format!("{errors} errors were found") };
    Err(Failure::new(what).cure("cure what is said above, and run it again").shown())
}

async fn ask_all(session: &Session, nodes: &[NodeId]) -> Vec<(NodeId, Outcome<Answered>)> {
    let mut asked = JoinSet::new();
    for node in nodes.iter().cloned() {
        let (session, peers) = (session.clone(), nodes.to_vec());
        asked.spawn(async move {
            let answer = match session.ask(node.as_str(), Request::Doctor { peers }, CHECK_UP).await {
                Ok(Response::CheckUp(check_up)) => {
                    Ok(Answered { check_up: *check_up, here_unix_ms: across::unix_ms() })
                }
                Ok(_) => Err(session::strange(node.as_str())),
                Err(failure) => Err(failure),
            };
            (node, answer)
        });
    }
    let mut answers = asked.join_all().await;
    answers.sort_by(|(a, _), (b, _)| a.cmp(b));
    answers
}
