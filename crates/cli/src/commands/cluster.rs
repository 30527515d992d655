//! `xenoncli cluster …`: who belongs to it, and how every node is.

use crate::arguments::{ClusterCommand, FormatArguments};
use crate::commands::change::{self, Change};
use crate::commands::{events, switchover};
use crate::failure::Outcome;
use crate::output::{self, Output};
use crate::session::{self, Answer, DO, Session};
use crate::table::Table;
use crate::views::{self, View};
use std::path::Path;
use tokio::time::Instant;
use xenon_api::Request;

pub(crate) async fn run(command: ClusterCommand, config: Option<&Path>, output: Output) -> Outcome {
    let (view, format) = match command {
        ClusterCommand::Add(options) => return change::run(Change::Add, options, config, output).await,
        ClusterCommand::Addidle(options) => {
            return change::run(Change::AddIdle, options, config, output).await;
        }
        ClusterCommand::Remove(options) => return change::run(Change::Remove, options, config, output).await,
        ClusterCommand::Removeidle(options) => {
            return change::run(Change::RemoveIdle, options, config, output).await;
        }
        ClusterCommand::Switchover { node, dry_run, wait, at } => {
            let session = Session::open(config)?;
            if let Some(at) = at {
                switchover::wait_until(&at, node.as_deref(), &session).await?;
            }
            return switchover::run(node, dry_run, wait, &session, output).await;
        }
        ClusterCommand::Pause => return tell(Request::Pause, config, output).await,
        ClusterCommand::Resume => return tell(Request::Resume, config, output).await,
        ClusterCommand::Set { rejoin: Some(rejoin), .. } => {
            return tell(Request::SetRejoin { rejoin: rejoin.into() }, config, output).await;
        }
        ClusterCommand::Set { node, priority, rejoin: None } => {
            let node = session::endpoints(&[node.unwrap_or_default()])?.remove(0);
            let priority = priority.and_then(|priority| priority.0);
            return tell(Request::SetPriority { node, priority }, config, output).await;
        }
        ClusterCommand::Events(options) => return events::run(options, config, output).await,
        ClusterCommand::Log(options) => return events::log(options, config, output).await,
        ClusterCommand::Status(format) => (&views::STATUS, format),
        ClusterCommand::Gtid(format) => (&views::GTID, format),
        ClusterCommand::Mysql(format) => (&views::MYSQL, format),
        ClusterCommand::Raft(format) => (&views::RAFT, format),
        ClusterCommand::Xenon(format) => (&views::XENON, format),
    };
    show(view, format, &Session::open(config)?, output).await
}

/// Tells this host's agent, or the leader that it names.
async fn tell(request: Request, config: Option<&Path>, output: Output) -> Outcome {
    let session = Session::open(config)?;
    let (by, message) = session.tell(session.local(), request, Instant::now() + DO).await?;
    output::done(output, &by, &message)
}

/// The table of `cluster status`.
pub(crate) fn status_table(answers: &[Answer]) -> Table {
    views::STATUS.table(answers)
}

/// Asks every node, and shows what they say. What a person should know besides goes to standard error.
async fn show(view: &View, format: FormatArguments, session: &Session, output: Output) -> Outcome {
    let answers = session.cluster().await;
    output::answer(format.over(output), || view.table(&answers), || view.json(&answers, format.is_given()))?;
    for line in views::troubles(session.local(), &answers) {
        output::note(&line);
    }
    // Without this host's agent nobody says who the others are: what was shown is not the cluster.
    let own = answers.into_iter().find(|answer| answer.id == session.local());
    match own.map(|answer| answer.status) {
        Some(Err(failure)) => Err(failure.shown()),
        _ => Ok(()),
    }
}
