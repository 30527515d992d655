//! What came of a failover or a handover, kept on disk for the morning after.

use crate::event::Event;
use serde::{Deserialize, Serialize};
use xenon_election::NodeId;
use xenon_gtid::GtidSet;

/// One failover or handover as the node tells it that became the primary (or gave it up).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Report {
    /// What lists show of it.
    #[serde(flatten)]
    pub head: ReportHead,
    /// What spoke for it: what this node saw of the old primary, a sentence each.
    pub evidence: Vec<String>,
    /// Who voted how, with the position that it had.
    pub votes: Vec<ReportVote>,
    /// Phase by phase, in order.
    pub phases: Vec<ReportPhase>,
    /// Transactions fetched from the dead primary's binary log (W2).
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub rescued: GtidSet,
    /// Why nothing could be fetched from there though something was wanted; empty when that is not so.
    pub rescue_failed: String,
    /// Transactions that are kept aside in a quarantine and are in the cluster no more (W3), as far as known.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub quarantined: GtidSet,
    /// What an operator should do now, a sentence each; empty: nothing.
    pub todo: Vec<String>,
    /// The events of it on this node, oldest first, bounded.
    pub events: Vec<Event>,
    /// When the old primary was last known to serve, milliseconds since 1970 by this node's clock; `None` = not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good_unix_ms: Option<u64>,
    /// The longest that clients can have been without a primary: from then until this one was open, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outage_at_most_ms: Option<f64>,
    /// What became known after it had ended, a sentence each, oldest first: how the old primary died, and how it came back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aftermath: Vec<String>,
}

/// What lists show of a [`Report`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReportHead {
    /// Names it in the cluster: letters, digits and dashes only.
    pub id: String,
    /// Whose report it is: the new primary, or who stood and gave up.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub node: NodeId,
    /// What it is.
    pub kind: ReportKind,
    /// How it ended.
    pub outcome: ReportOutcome,
    /// The term in which it ended.
    pub term: u64,
    /// When it began on this node, milliseconds since 1970 by its own clock.
    pub began_unix_ms: u64,
    /// How long it took from this node's first event of it to its end, milliseconds.
    pub took_ms: f64,
    /// Why it came to it, as a sentence.
    pub cause: String,
    /// The primary before it.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub old_primary: Option<NodeId>,
    /// Who asked for it (`user@host`), when somebody did.
    pub by: Option<String>,
}

/// What a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReportKind {
    /// The old primary could not serve any more.
    Failover,
    /// Planned: somebody asked for it, or the leader gave way by itself.
    Switchover,
    /// The first primary of a cluster, or the same node again.
    Start,
}

/// How a story ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReportOutcome {
    /// The node serves clients as the primary.
    Promoted,
    /// It came to nothing here: another one leads, or the old one goes on.
    GivenUp,
}

/// One node's vote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReportVote {
    /// Whose.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub node: NodeId,
    /// In which term.
    pub term: u64,
    /// Given.
    pub granted: bool,
    /// Why not, or why it counts only beside all the others' (S3); empty otherwise.
    pub why: String,
    /// What it had received then; `None` = not said.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub received: Option<GtidSet>,
}

/// One phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReportPhase {
    /// Its name, as in [`crate::TimingStatus::phases`].
    pub name: String,
    /// When it ended, milliseconds since the report's beginning.
    pub at_ms: f64,
    /// How long it took, milliseconds.
    pub took_ms: f64,
}

/// Why each node leads, may lead, or may not, as the answering node knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Explanation {
    /// The answering node.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub by: NodeId,
    /// One a member.
    pub nodes: Vec<NodeExplanation>,
    /// What holds for all of them, a sentence each: voters, majority, pause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cluster: Vec<String>,
    /// Who would be elected if the primary died now, and why; `None` where that cannot be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One node in an [`Explanation`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NodeExplanation {
    /// Which.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub node: NodeId,
    /// It leads.
    pub leads: bool,
    /// It could lead if it came to an election now.
    pub may_lead: bool,
    /// Why, a sentence each.
    pub why: Vec<String>,
    /// When it was heard last, milliseconds ago; `None` = never, or it is the answering node.
    pub heard_ms_ago: Option<u64>,
}
