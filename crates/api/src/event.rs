//! What happened, as the agent keeps it for operators.

use serde::{Deserialize, Serialize};
use xenon_election::NodeId;

/// One thing that happened on one node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Event {
    /// Counts this agent's events from 1; starts anew with the agent.
    pub seq: u64,
    /// When, milliseconds since 1970 by the node's own clock.
    pub unix_ms: u64,
    /// Where.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub node: NodeId,
    /// Of what kind.
    pub kind: EventKind,
    /// What, as a sentence.
    pub text: String,
    /// Milliseconds since the failover or handover that it belongs to began on this node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_start_ms: Option<f64>,
}

/// Kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// Elections: pre-votes, votes, who leads.
    Election,
    /// Steps taken at the local mysqld.
    Step,
    /// The local mysqld: started, died, hung.
    Mysqld,
    /// Members came or went.
    Config,
    /// Handovers.
    Handover,
    /// An operator's command.
    Operator,
    /// Address and hooks.
    Hook,
    /// Long jobs: rebuilds, backups, restores.
    Job,
    /// Something an operator should look at.
    Trouble,
    /// The agent itself.
    Agent,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [EventKind; 10] = [
        EventKind::Election,
        EventKind::Step,
        EventKind::Mysqld,
        EventKind::Config,
        EventKind::Handover,
        EventKind::Operator,
        EventKind::Hook,
        EventKind::Job,
        EventKind::Trouble,
        EventKind::Agent,
    ];

    /// The word that logs and tables show.
    pub fn word(self) -> &'static str {
        match self {
            EventKind::Election => "election",
            EventKind::Step => "step",
            EventKind::Mysqld => "mysqld",
            EventKind::Config => "config",
            EventKind::Handover => "handover",
            EventKind::Operator => "operator",
            EventKind::Hook => "hook",
            EventKind::Job => "job",
            EventKind::Trouble => "trouble",
            EventKind::Agent => "agent",
        }
    }
}

/// Some events, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventPage {
    /// The events.
    pub events: Vec<Event>,
    /// When this agent started, milliseconds since 1970: another value means that `seq` began anew.
    pub agent_started_unix_ms: u64,
    /// Events were dropped (the log is bounded) between what was asked for and the first one here.
    pub gap: bool,
}
