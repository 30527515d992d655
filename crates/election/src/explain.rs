//! Why each node leads, may lead, or may not: for operators. Nothing is decided here; every sentence says what a rule
//! would decide now.

use crate::candidate::Stage;
use crate::core::{Election, Role};
use crate::group::{GroupConfig, Standing};
use crate::ids::NodeId;
use crate::leader::{Leader, Peer};
use crate::position::Position;
use xenon_gtid::GtidSet;

/// Heartbeats that may be unanswered before it is worth a word.
const ROUNDS_ON_THE_WAY: u64 = 2;

/// What one node knows of all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Explained {
    /// One a member.
    pub nodes: Vec<ExplainedNode>,
    /// What holds for all of them, a sentence each.
    pub cluster: Vec<String>,
    /// Who would be elected if the primary died now, and why.
    pub next: Option<String>,
}

/// Why one node leads, may lead, or may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedNode {
    /// Which.
    pub node: NodeId,
    /// It leads.
    pub leads: bool,
    /// It could lead if it came to an election now.
    pub may_lead: bool,
    /// Why, a sentence each.
    pub why: Vec<String>,
}

impl Election {
    /// As this node knows it: the leader of everybody, another node of itself and of its leader.
    pub fn explain(&self) -> Explained {
        let Some(config) = self.config() else {
            return Explained {
                cluster: vec!["this node belongs to no cluster: xenoncli cluster add forms one".to_owned()],
                ..Explained::default()
            };
        };
        let nodes = config.members.keys().map(|id| self.explain_node(config, id)).collect();
        let next = match &self.role {
            Role::Leader(leader) => Some(self.explain_next(config, leader)),
            Role::Follower | Role::Candidate(_) => None,
        };
        Explained { nodes, cluster: self.explain_cluster(config), next }
    }

    /// A member that this leader hears, whose server answers and replicates from the one here.
    pub fn is_followed_by(&self, id: &NodeId) -> bool {
        let (Role::Leader(leader), Some(server)) = (&self.role, &self.local.server) else { return false };
        let follows = |peer: &Peer| {
            peer.report.position.is_some() && peer.report.receives_from == Some(server.server_uuid)
        };
        leader.hears(id) && leader.peers.get(id).is_some_and(follows)
    }

    fn explain_cluster(&self, config: &GroupConfig) -> Vec<String> {
        let mut lines = Vec::new();
        let (voters, majority) = (config.voters().count(), config.majority());
        lines.push(format!("term {}; {voters} voters, {majority} votes elect a leader", self.record.term));
        if let Role::Leader(leader) = &self.role {
            let heard = self.heard_voters(config, leader);
            let all = heard.len() + 1;
            match all >= majority {
                true => lines.push(format!("with this leader {all} of {voters} voters are there")),
                false => lines.push(format!(
                    "only {all} of {voters} voters are there: this leader steps down when its lease is over, and nobody can \
                     be elected"
                )),
            }
        } else if self.leader().is_none() {
            lines.push("no leader is heard here".to_owned());
        }
        if self.is_paused() {
            lines.push(
                "paused: nobody is elected, whatever happens (end it: xenoncli cluster resume)".to_owned(),
            );
        }
        if let Some(why) = self.degraded() {
            lines.push(format!("DEGRADED: {why}; commits wait for no replica (C5)"));
        }
        if let Some(why) = &self.unsaved {
            lines.push(format!("this agent cannot save its record, so it decides nothing (S1): {why}"));
        }
        lines
    }

    fn heard_voters(&self, config: &GroupConfig, leader: &Leader) -> Vec<NodeId> {
        config.voters().filter(|id| **id != self.id && leader.hears(id)).cloned().collect()
    }

    fn explain_node(&self, config: &GroupConfig, id: &NodeId) -> ExplainedNode {
        let leads = self.leader() == Some(id);
        let mut why = Vec::new();
        let may_lead = match &self.role {
            Role::Leader(leader) if *id == self.id => self.explain_leader(config, leader, &mut why),
            Role::Leader(leader) => self.explain_follower(config, leader, id, &mut why),
            _ if *id == self.id => self.explain_self(config, &mut why),
            _ if leads => {
                let open = self.followed().is_some_and(|(_, info)| info.open);
                let word = if open { "is open for writes" } else { "does not take writes yet" };
                why.push(format!(
                    "it is heard as the leader of term {}; its server {word}",
                    self.record.term
                ));
                true
            }
            _ => {
                why.push(match self.leader() {
                    Some(leader) => format!("only the leader knows how it is: ask {leader}"),
                    None => "without a leader only it knows how it is".to_owned(),
                });
                false
            }
        };
        ExplainedNode { node: id.clone(), leads, may_lead, why }
    }

    fn explain_leader(&self, config: &GroupConfig, leader: &Leader, why: &mut Vec<String>) -> bool {
        let term = self.record.term;
        if let Some(reason) = &leader.suspended {
            why.push(format!("leader of term {term} without a lease, so it serves nobody (D4): {reason}"));
            return true;
        }
        why.push(match (leader.resuming, leader.open) {
            (true, _) => {
                format!("it takes its leadership of term {term} up again, and waits for a majority (T3)")
            }
            (_, true) => format!("it was elected in term {term}, and its server is open for writes"),
            (_, false) => format!("it was elected in term {term}, and its server is being promoted (L2)"),
        });
        let behind = leader.round.saturating_sub(leader.majority_round);
        why.push(match behind <= ROUNDS_ON_THE_WAY {
            true => "a majority answers its heartbeats, so its lease stands (L1)".to_owned(),
            false => {
                format!("no majority has answered its last {behind} heartbeats: its lease runs out (L1)")
            }
        });
        if let Some(handover) = &leader.handover {
            why.push(format!("it is handing over to {} (T1)", handover.target));
        }
        let mine = config.priority(&self.id);
        let preferred = self.succession(leader).into_iter().find(|id| config.priority(id) > mine);
        if let Some(preferred) = preferred {
            let theirs = config.priority(&preferred);
            why.push(format!(
                "{preferred} has the higher priority ({theirs}, not {mine}) and gets leadership once it has caught up (V8)"
            ));
        }
        if let Some(unfit) = self.unfit() {
            why.push(format!("were it to stand now, it might not: {unfit}"));
        }
        true
    }

    /// As its leader knows it.
    fn explain_follower(
        &self,
        config: &GroupConfig,
        leader: &Leader,
        id: &NodeId,
        why: &mut Vec<String>,
    ) -> bool {
        if let Some(standing) = no_voter(config, id) {
            why.push(standing);
            return false;
        }
        let Some(peer) = leader.peers.get(id).filter(|_| leader.hears(id)) else {
            why.push(
                "the leader does not hear it: its agent or its host is down, or the network between"
                    .to_owned(),
            );
            return false;
        };
        let report = &peer.report;
        if let Some(unfit) = &report.unfit {
            why.push(format!("it may not lead: {unfit}"));
        }
        if report.stuck {
            why.push("its mysqld hangs".to_owned());
        }
        let mine = self.position_hint();
        if let (Some(theirs), Some(mine)) = (&report.position, &mine) {
            why.push(compared(theirs, mine, self.record.term, "the leader"));
            if !theirs.errant.is_empty() {
                why.push(format!("it has transactions that the leader lacks (F2): {}", theirs.errant));
            }
        }
        if report.unapplied > 0 {
            why.push(format!(
                "it has yet to apply {} transaction(s), which a promotion would wait for (L2)",
                report.unapplied
            ));
        }
        if config.data_voters().count() > 1 && !report.acknowledging {
            why.push("it acknowledges nothing to the leader at the moment (L4)".to_owned());
        }
        if report.failures > 0 {
            why.push(format!(
                "its mysqld failed {} time(s) as the primary lately, so that others are preferred",
                report.failures
            ));
        }
        let place = self.succession(leader).iter().position(|other| other == id);
        if let Some(place) = place {
            why.push(format!(
                "its priority is {}; it is number {} of those that may take over (V8)",
                config.priority(id),
                place + 1
            ));
        }
        place.is_some()
    }

    /// Its own view of itself, where it does not lead.
    fn explain_self(&self, config: &GroupConfig, why: &mut Vec<String>) -> bool {
        if let Some(standing) = no_voter(config, &self.id) {
            why.push(standing);
            return false;
        }
        let unfit = self.unfit();
        match &unfit {
            Some(unfit) => why.push(format!("it may not lead: {unfit}")),
            None => why.push("nothing here speaks against its leading".to_owned()),
        }
        if let Some(doubt) = &self.record.doubt {
            why.push(format!("its vote counts only beside all the others' (S3): {}", doubt.reason));
        }
        if let (Some((leader, info)), Some(mine)) = (self.followed(), self.position_hint()) {
            let theirs = Position::of(&info.received, &config.cluster, &GtidSet::new());
            let leader = format!("leader {leader}");
            why.push(compared(&mine, &theirs, self.record.term, &leader));
            why.push(format!("it hears {leader}, so it does not stand (V1)"));
        }
        if let Some(server) = self.local.server.as_ref().filter(|server| server.unapplied > 0) {
            why.push(format!("it has yet to apply {} transaction(s)", server.unapplied));
        }
        if let Role::Candidate(candidate) = &self.role {
            let majority = config.majority();
            why.push(match &candidate.stage {
                Stage::Asking { granted, .. } => {
                    format!(
                        "it asks whether it would be elected: {} of {majority} say yes (V1)",
                        granted.len()
                    )
                }
                Stage::Freezing { .. } => "it stands, and reads its own position first (V2)".to_owned(),
                Stage::Voting { granted, .. } => {
                    format!("it stands in term {}: {} of {majority} votes", self.record.term, granted.len())
                }
            });
        } else if let Some(vote) = self.record.vote.as_ref().filter(|_| self.leader().is_none()) {
            why.push(format!("its vote of term {} went to {vote}", self.record.term));
        }
        unfit.is_none()
    }

    fn explain_next(&self, config: &GroupConfig, leader: &Leader) -> String {
        if self.is_paused() {
            return "if the primary died now, nobody would be elected: the cluster is paused (T4)".to_owned();
        }
        let Some(next) = self.most_recent(leader) else {
            return "if the primary died now, nobody could be elected: no other voter is heard that may lead"
                .to_owned();
        };
        let has = match (
            leader.peers.get(&next).and_then(|peer| peer.report.position.as_ref()),
            self.position_hint(),
        ) {
            (Some(theirs), Some(mine)) if theirs.at_least_as_recent_as(&mine) => {
                "it has all that the primary has"
            }
            _ => "it has the most of those that may lead",
        };
        let order = self.succession(leader);
        let than = match order.iter().find(|id| **id != next) {
            None => "and no other may lead".to_owned(),
            Some(_) if order.first() == Some(&next) => {
                "and comes first by priority and by what is left to apply (V8)".to_owned()
            }
            Some(other) => format!("and was seen to have received more than {other} at the last looks (V7)"),
        };
        let (heard, majority) = (self.heard_voters(config, leader).len(), config.majority());
        let host = match heard >= majority {
            true => format!(
                "also with the whole host lost: {heard} other voters are heard, {majority} are needed"
            ),
            false => format!(
                "with the whole host lost nobody could be elected: {heard} other voter(s) are heard, {majority} are needed"
            ),
        };
        format!("if the primary died now, {next} would be elected: {has}, {than}; {host}")
    }
}

fn no_voter(config: &GroupConfig, id: &NodeId) -> Option<String> {
    if config.is_witness(id) {
        return Some("it is a witness: it votes and has no data (C5)".to_owned());
    }
    match config.standing(id) {
        Some(Standing::Voter) => None,
        Some(Standing::Joining) => {
            Some("it is a learner: it votes and leads once it has caught up (C3)".to_owned())
        }
        Some(Standing::Leaving) => Some("it is being let go (C1)".to_owned()),
        Some(Standing::Idle) => Some("it is idle: it follows for ever".to_owned()),
        None => Some("it is no member any more".to_owned()),
    }
}

/// How one stands to another that leads in `term`.
fn compared(one: &Position, leader: &Position, term: u64, of: &str) -> String {
    let lacks = one.lacks(leader).count();
    if one.marker < leader.marker {
        format!(
            "it has not received the marker of term {term} (L3), and lacks {lacks} transaction(s) of {of}"
        )
    } else if lacks > 0 {
        format!("it lacks {lacks} transaction(s) that {of} had when looked at last")
    } else {
        format!("it has received all that {of} had when looked at last")
    }
}
