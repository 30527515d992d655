//! `xenoncli raft …`: this node's part in elections.

use crate::arguments::RaftCommand;
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

pub(crate) async fn run(command: RaftCommand, config: Option<&Path>, output: Output) -> Outcome {
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
        RaftCommand::Enablepurgebinlog => Request::PurgeBinlog { on: true },
        RaftCommand::Disablepurgebinlog => Request::PurgeBinlog { on: false },
    };
    session.tell_local(request, output).await
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
