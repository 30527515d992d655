//! What is where, for people and for scripts that drive it.

use super::{dir_option, start};
use crate::failure::{Failure, Outcome};
use crate::output::{self, Output, print};
use crate::table::Table;
use crate::words::{self, UNKNOWN};
use serde_json::json;
use std::path::Path;
use xenon_api::NodeStatus;
use xenon_testkit::{Node, State};

const COLUMNS: &[&str] = &["Node", "ID", "Raft", "Mysql", "Address", "Agent", "Mysqld", "Folder"];

pub(super) async fn run(folder: &Path, output: Output) -> Outcome {
    let Some(state) = State::read(folder)? else {
        return Err(Failure::new(format!("there is no playground in {}", folder.display()))
            .cure(format!("xenoncli playground{}", dir_option(folder))));
    };
    let mut nodes = Vec::with_capacity(state.nodes.len());
    if let Ok(session) = start::session(&state.nodes) {
        // Each by its own endpoint: the first may be down, and one that was never taken in is shown, too.
        let asked: Vec<_> = state
            .nodes
            .iter()
            .map(|node| {
                let (session, endpoint) = (session.clone(), node.endpoint.clone());
                tokio::spawn(async move { session.status(&endpoint).await.ok() })
            })
            .collect();
        for answer in asked {
            nodes.push(answer.await.ok().flatten());
        }
    }
    nodes.resize(state.nodes.len(), None);
    let rows: Vec<(&Node, Option<&NodeStatus>)> =
        state.nodes.iter().zip(nodes.iter().map(|status| status.as_deref())).collect();
    match output {
        Output::Table => {
            let table = Table::new(COLUMNS, rows.iter().map(|(node, status)| row(node, *status)).collect());
            print(&format!("{table}\n{}: {}", folder.display(), state.phase))
        }
        Output::Json => output::print(
            &json!({
                "folder": folder,
                "phase": state.phase,
                "ready": state.ready,
                "pid": state.owner.filter(|owner| owner.is_alive()).map(|owner| owner.pid),
                "basedir": state.basedir,
                "nodes": rows.iter().map(|(node, status)| object(&state, node, *status)).collect::<Vec<_>>(),
            })
            .to_string(),
        ),
    }
}

fn row(node: &Node, status: Option<&NodeStatus>) -> Vec<String> {
    let pid = |process: Option<xenon_testkit::Process>| process.map_or("-".to_owned(), |p| p.pid.to_string());
    vec![
        node.name.clone(),
        node.endpoint.clone(),
        status.map_or(UNKNOWN.to_owned(), words::raft),
        status.map_or(UNKNOWN.to_owned(), words::mysql),
        format!("{}:{}", node.address, node.mysql_port),
        pid(node.agent()),
        pid(node.mysqld()),
        node.folder.display().to_string(),
    ]
}

fn object(state: &State, node: &Node, status: Option<&NodeStatus>) -> serde_json::Value {
    json!({
        "name": node.name,
        "endpoint": node.endpoint,
        "folder": node.folder,
        "config": node.config(),
        "raft": status.map(|status| status.state.clone()),
        "writable": status.map(|status| status.mysql.alive && status.mysql.writable),
        "agent": { "pid": node.agent().map(|agent| agent.pid), "log": node.agent_log() },
        "mysqld": { "pid": node.mysqld().map(|mysqld| mysqld.pid), "log": node.server_log() },
        "mysql": {
            "host": node.address.to_string(),
            "port": node.mysql_port,
            "socket": node.socket(),
            "admin": { "user": state.accounts.admin.user, "password-file": node.admin_login() },
            "app": { "user": state.accounts.app.user, "password-file": node.app_login(), "database": "app" },
        },
    })
}
