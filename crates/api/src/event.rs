//! What happened, as the agent keeps it for operators.

use serde::{Deserialize, Serialize};
use xenon_election::NodeId;

/// One thing that happened on one node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Event {
    /// Counts this node's events, and goes on over restarts of the agent. Where earlier events are lost, it goes on with a
    /// greater number.
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

/// Which events are wanted, of those in memory and on disk.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EventQuery {
    /// Only those with a greater sequence number.
    pub after: u64,
    /// Only those of this time or later, milliseconds since 1970.
    pub since_unix_ms: u64,
    /// Only those before this time; `None` = no bound.
    #[serde(default)]
    pub until_unix_ms: Option<u64>,
    /// Only of these kinds; empty = of any.
    #[serde(default)]
    pub kinds: Vec<EventKind>,
    /// The last ones of them rather than the first ones.
    #[serde(default)]
    pub newest: bool,
    /// So many at most, and never more than [`EventQuery::LIMIT_MAX`].
    pub limit: u32,
}

impl EventQuery {
    /// Events in one answer.
    pub const LIMIT_MAX: u32 = 500;

    /// Whether an event is wanted.
    pub fn wants(&self, event: &Event) -> bool {
        event.seq > self.after
            && event.unix_ms >= self.since_unix_ms
            && self.until_unix_ms.is_none_or(|until| event.unix_ms < until)
            && (self.kinds.is_empty() || self.kinds.contains(&event.kind))
    }

    /// The first or the last wanted ones, oldest first.
    pub fn pick(&self, events: impl IntoIterator<Item = Event>) -> Vec<Event> {
        let limit = self.limit.clamp(1, Self::LIMIT_MAX) as usize;
        let wanted = events.into_iter().filter(|event| self.wants(event));
        if !self.newest {
            return wanted.take(limit).collect();
        }
        let mut last = std::collections::VecDeque::new();
        for event in wanted {
            if last.len() == limit {
                last.pop_front();
            }
            last.push_back(event);
        }
        last.into()
    }
}

/// Some events, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventPage {
    /// The events.
    pub events: Vec<Event>,
    /// When this agent started, milliseconds since 1970. `seq` goes on over a restart.
    pub agent_started_unix_ms: u64,
    /// Events were dropped (the log is bounded) between what was asked for and the first one here.
    pub gap: bool,
}
