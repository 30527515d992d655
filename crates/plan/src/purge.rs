//! Which binary logs may go. Every node decides for its own server, from what every member said of its server just now.
//!
//! A file goes when all that is in it is held safely by everyone who might ask for it. *Executed* counts, and not
//! received: what is only in a relay log may be lost with it (S3), and the receiver then asks for it again. And it must
//! have been executed for a whole round: what a crash of a host may take back (a binlog that is not synced with every
//! transaction) is by then on the disk.
//!
//! Nobody is asked through somebody else, and nothing is remembered across a restart of the agent, so a new leader
//! changes nothing: a node that knows less holds more.

use crate::step::brief;
use std::collections::{BTreeMap, BTreeSet};
use xenon_gtid::GtidSet;

/// So many of the newest files always stay: the one in use, and the one before it, since a server that dies while it begins
/// a file leaves one that says nothing (V4), and a dead primary's tail is looked for in the last ones (W1, W2).
pub const FILES_KEPT: usize = 2;

/// What a member said when it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgeAnswer {
    /// It knows the same members, of the same cluster.
    pub agrees: bool,
    /// `gtid_executed`; `None` while its server does not answer.
    pub executed: Option<GtidSet>,
    /// Why nobody's binlogs may go for the time being: it is being rebuilt, or copied from.
    pub hold: Option<String>,
}

/// By what right this node's binlog is the cluster's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standpoint {
    /// This node leads, and its server is open.
    Leads,
    /// This node follows.
    Follows(String),
    /// Neither: nothing may go.
    Neither,
}

/// One round of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgeRound {
    /// A monotonic clock, milliseconds.
    pub now_ms: u64,
    /// Who leads.
    pub standpoint: Standpoint,
    /// The other members that have data.
    pub members: BTreeSet<String>,
    /// What they said; one that is missing did not answer.
    pub answers: BTreeMap<String, PurgeAnswer>,
    /// Why this node itself wants all binlogs kept.
    pub own_hold: Option<String>,
    /// `gtid_executed` of the local server.
    pub executed: GtidSet,
    /// `gtid_purged` of the local server.
    pub purged: GtidSet,
}

/// What may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PurgeVerdict {
    /// Nothing, for this reason.
    Nothing(String),
    /// Files in which there is nothing but this.
    Within(GtidSet),
}

/// Who keeps binlogs from being purged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgeHolder {
    /// The member.
    pub node: String,
    /// Why.
    pub why: String,
    /// For so long, milliseconds, as far as this agent knows.
    pub for_ms: u64,
}

/// A member for which binlogs are not kept, or not for much longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgeTrouble {
    /// The member.
    pub node: String,
    /// How far it has come.
    pub stage: PurgeStage,
    /// As a sentence.
    pub text: String,
}

/// How far it has come with a member that is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PurgeStage {
    /// Half the limit has passed.
    Warned,
    /// All of it has.
    LetGo,
    /// It is there, and lacks what is gone.
    Lost,
}

/// What is known of the members, round by round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgeWatch {
    interval_ms: u64,
    limit_ms: u64,
    last_round_ms: Option<u64>,
    members: BTreeMap<String, Known>,
    /// Since when which member held, at the last look.
    holding: BTreeMap<String, u64>,
}

/// What is known of one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Known {
    last: Option<GtidSet>,
    /// One round earlier.
    before: Option<GtidSet>,
    hold: Option<String>,
    /// It has said nothing of its server for so long, as seen by rounds.
    silent_ms: u64,
    /// It has wanted everything kept for so long.
    hold_ms: u64,
    /// It lacks what the local server has purged: there is nothing here that could help it.
    lost: bool,
}

impl Known {
    fn holds(&self, limit_ms: u64) -> Holds {
        if self.silent_ms > limit_ms {
            return Holds::Nothing;
        }
        if let Some(why) = self.hold.as_ref().filter(|_| self.hold_ms <= limit_ms) {
            return Holds::Everything(why.clone());
        }
        if self.lost {
            return Holds::Nothing;
        }
        match (&self.last, &self.before) {
            (Some(last), Some(before)) => Holds::AllBut(last.intersect(before)),
            _ => Holds::Everything("it has not said for long enough what it has executed".to_owned()),
        }
    }

    fn trouble(&self, id: &str, limit_ms: u64) -> Option<PurgeTrouble> {
        let waits = self.silent_ms.max(self.hold_ms);
        let what = match &self.hold {
            Some(why) if self.silent_ms == 0 => format!("{id} holds the binlogs ({why})"),
            _ => format!("{id} has said nothing of its server"),
        };
        let (stage, text) = if waits > limit_ms {
            let text = format!(
                "{what} for {}, longer than raft.purge-binlog-wait ({}): the binlogs that it lacks are purged, and it will \
                 need a rebuild",
                duration(waits),
                duration(limit_ms)
            );
            (PurgeStage::LetGo, text)
        } else if waits > limit_ms / 2 {
            let text = format!(
                "{what} for {}: binlogs are kept for it for {} more, and then it will need a rebuild; bring it back, or \
                 remove it from the cluster (xenoncli cluster remove {id})",
                duration(waits),
                duration(limit_ms - waits)
            );
            (PurgeStage::Warned, text)
        } else if self.lost && self.silent_ms == 0 && self.hold.is_none() {
            let text = format!(
                "{id} lacks transactions whose binlogs are purged here: it cannot follow this node, and needs a rebuild unless \
                 it gets them from another"
            );
            (PurgeStage::Lost, text)
        } else {
            return None;
        };
        Some(PurgeTrouble { node: id.to_owned(), stage, text })
    }

    /// Takes in what it said, or that it said nothing, after so much time.
    fn hear(&mut self, answer: Option<&PurgeAnswer>, passed_ms: u64, purged: &GtidSet) {
        if let Some(answer) = answer.filter(|answer| answer.executed.is_some() || answer.hold.is_some()) {
            self.silent_ms = 0;
            self.hold.clone_from(&answer.hold);
            if let Some(executed) = &answer.executed {
                self.before = self.last.replace(executed.clone());
                self.lost = !executed.contains_set(purged);
            }
        } else {
            // What it wanted last it wants still: a rebuild goes on when its agent is back.
            self.silent_ms = self.silent_ms.saturating_add(passed_ms);
        }
        self.hold_ms = if self.hold.is_some() { self.hold_ms.saturating_add(passed_ms) } else { 0 };
    }
}

enum Holds {
    Nothing,
    Everything(String),
    AllBut(GtidSet),
}

impl PurgeWatch {
    /// `interval_ms`: the pause between two rounds. `limit_ms`: how long a member that is gone is waited for.
    pub fn new(interval_ms: u64, limit_ms: u64) -> PurgeWatch {
        PurgeWatch {
            interval_ms,
            limit_ms,
            last_round_ms: None,
            members: BTreeMap::new(),
            holding: BTreeMap::new(),
        }
    }

    /// Takes in what was said in a round, and says what may go.
    pub fn round(&mut self, round: PurgeRound) -> PurgeVerdict {
        self.members.retain(|id, _| round.members.contains(id));
        for id in &round.members {
            self.members.entry(id.clone()).or_default();
        }
        match &round.standpoint {
            Standpoint::Leads => {}
            Standpoint::Follows(leader)
                if round.answers.get(leader).is_some_and(|answer| answer.executed.is_some()) => {}
            // Cut off from the leader, this node knows neither whether it is a member still, nor whether what it has is
            // the cluster's: the silence of the others is its own, and is not counted either.
            Standpoint::Follows(leader) => {
                self.last_round_ms = None;
                return PurgeVerdict::Nothing(format!("the leader, {leader}, does not answer"));
            }
            Standpoint::Neither => {
                self.last_round_ms = None;
                return PurgeVerdict::Nothing("no leader is known, or it is not open yet".to_owned());
            }
        }
        // An agent that was itself stopped for a day has seen nothing of that day.
        let longest = self.interval_ms.saturating_mul(2);
        let passed = self.last_round_ms.map_or(0, |last| round.now_ms.saturating_sub(last).min(longest));
        self.last_round_ms = Some(round.now_ms);
        for (id, known) in &mut self.members {
            known.hear(round.answers.get(id), passed, &round.purged);
        }
        if let Some(why) = round.own_hold {
            return PurgeVerdict::Nothing(format!("this node holds them: {why}"));
        }
        if let Some(id) = round.answers.iter().find(|(_, answer)| !answer.agrees).map(|(id, _)| id) {
            return PurgeVerdict::Nothing(format!(
                "{id} knows other members than this node: they are changing"
            ));
        }
        let mut within = round.executed;
        for (id, known) in &self.members {
            match known.holds(self.limit_ms) {
                Holds::Everything(why) => return PurgeVerdict::Nothing(format!("{id} holds them: {why}")),
                // What the leader lacks is for an operator to judge, and kept until then (W3).
                Holds::Nothing if round.standpoint == Standpoint::Follows(id.clone()) => {
                    return PurgeVerdict::Nothing(format!("{id}, the leader, lacks what is purged here"));
                }
                Holds::Nothing => {}
                Holds::AllBut(set) => within = within.intersect(&set),
            }
        }
        PurgeVerdict::Within(within)
    }

    /// Who holds what, for operators. `blocked`: what kept the oldest file that had to stay, the newest ones
    /// aside.
    pub fn holders(&mut self, now_ms: u64, blocked: Option<&GtidSet>) -> Vec<PurgeHolder> {
        let mut holders = Vec::new();
        for (id, known) in &self.members {
            let why = match known.holds(self.limit_ms) {
                Holds::Nothing => continue,
                Holds::Everything(why) if known.silent_ms == 0 => why,
                Holds::AllBut(_) if known.silent_ms == 0 && blocked.is_none() => continue,
                Holds::AllBut(set) => {
                    let lacks = blocked.map(|blocked| blocked.subtract(&set)).unwrap_or_default();
                    match (lacks.is_empty(), known.silent_ms) {
                        (true, _) => continue,
                        (false, 0) => format!("it has not executed {}", brief(&lacks)),
                        (false, _) => format!("it is gone, and has not executed {}", brief(&lacks)),
                    }
                }
                Holds::Everything(_) => "it is gone, and what it has executed is not known".to_owned(),
            };
            let since = *self.holding.entry(id.clone()).or_insert(now_ms);
            holders.push(PurgeHolder { node: id.clone(), why, for_ms: now_ms.saturating_sub(since) });
        }
        self.holding.retain(|id, _| holders.iter().any(|holder| holder.node == *id));
        holders
    }

    /// What an operator should know: who is about to be waited for no longer, and who is not.
    pub fn troubles(&self) -> Vec<PurgeTrouble> {
        let troubles = self.members.iter().filter_map(|(id, known)| known.trouble(id, self.limit_ms));
        troubles.collect()
    }
}

/// For sentences.
fn duration(ms: u64) -> String {
    match ms / 1000 {
        0..120 => format!("{} s", ms / 1000),
        120..7200 => format!("{} min", ms / 60_000),
        _ => format!("{} h", ms / 3_600_000),
    }
}

/// Looks for the last file before which everything may go, with few questions: what is before a file grows from file to
/// file, and a server may have thousands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSearch {
    /// All before this one may go.
    good: usize,
    /// Not all before this one may.
    bad: usize,
}

impl FileSearch {
    /// Among so many files, oldest first. `None` when all of them stay.
    pub fn new(files: usize) -> Option<FileSearch> {
        let bad = files.checked_sub(FILES_KEPT)? + 1;
        (bad > 1).then_some(FileSearch { good: 0, bad })
    }

    /// The file whose Previous_gtids are wanted next; `None` when it is found.
    pub fn wants(&self) -> Option<usize> {
        (self.bad - self.good > 1).then(|| self.good + (self.bad - self.good) / 2)
    }

    /// Whether everything before the wanted file may go.
    pub fn tell(&mut self, may_go: bool) {
        match self.wants() {
            Some(file) if may_go => self.good = file,
            Some(file) => self.bad = file,
            None => {}
        }
    }

    /// How many files may go, counted from the oldest.
    pub fn found(&self) -> usize {
        self.good
    }
}
