//! `xenoncli raft …`: this node's part in elections.

use crate::arguments::RaftCommand;
use crate::commands::change::{self, Change};
use crate::commands::handover;
use crate::failure::Outcome;
use crate::output::{self, Output};
use crate::session::Session;
use crate::table::Table;
use crate::views::Object;
use crate::words;
use serde_json::json;
use std::path::Path;
use xenon_api::{NodeStatus, Request};

/// The Go tool's agent looks whether enough replicas acknowledge, and lowers its demands when not; switched off, it leaves that
/// to the operator. Ours has nothing to switch off: what is not acknowledged is told to no client as done (L4, D2).
const SEMI_SYNC_STAYS: &str = "nothing was changed: commits wait for their acknowledgements whatever happens, since a commit that did \
     not would be lost with its server (rules L4, D2). A primary of two nodes goes on without the other after \
     mysql.semi-sync-timeout-for-two-nodes, and shows DEGRADED";

pub(crate) async fn run(command: RaftCommand, config: Option<&Path>, output: Output) -> Outcome {
    let command = match command {
        RaftCommand::Add(options) => return change::run(Change::Add, options, config, output).await,
        RaftCommand::Remove(options) => return change::run(Change::Remove, options, config, output).await,
        other => other,
    };
    let session = Session::open(config)?;
    let local = session.local();
    let request = match command {
        RaftCommand::Status => return output::json(&status_json(&*session.status(local).await?)),
        RaftCommand::Nodes => {
            let status = session.status(local).await?;
            return output::answer(
                output,
                || nodes_table(&status),
                || Object::new(vec![("nodes", nodes(&status))]),
            );
        }
        RaftCommand::Trytoleader { no_wait } => return handover::run(&session, no_wait, output).await,
        RaftCommand::Enable => Request::RaftEnable,
        RaftCommand::Disable => Request::RaftDisable,
        RaftCommand::Add(_) | RaftCommand::Remove(_) => return Ok(()),
        RaftCommand::Enablechecksemisync => {
            return semi_sync(&session, "semi-sync is under the agent's care, as it always is", output).await;
        }
        RaftCommand::Disablechecksemisync => {
            return semi_sync(&session, SEMI_SYNC_STAYS, output).await;
        }
        RaftCommand::Enablepurgebinlog => Request::PurgeBinlog { on: true },
        RaftCommand::Disablepurgebinlog => Request::PurgeBinlog { on: false },
    };
    session.tell_local(request, output).await
}

/// Accepted, done by nobody; but whoever asks learns when there is no agent at all.
async fn semi_sync(session: &Session, message: &str, output: Output) -> Outcome {
    session.status(session.local()).await?;
    output::done(output, session.local(), message)
}

/// In the Go tool's shape, whatever `--output` says: it never had another.
fn status_json(status: &NodeStatus) -> Object {
    Object::new(vec![
        ("state", json!(status.state)),
        ("leader", json!(words::leader(status))),
        ("nodes", nodes(status)),
    ])
}

fn nodes(status: &NodeStatus) -> serde_json::Value {
    json!(status.members.iter().map(|member| &member.id).collect::<Vec<_>>())
}

fn nodes_table(status: &NodeStatus) -> Table {
    Table::new(&["Nodes"], status.members.iter().map(|member| vec![member.id.to_string()]).collect())
}
