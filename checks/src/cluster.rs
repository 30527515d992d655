//! What is checked: the nodes, what may happen to them, and where the search ends.

use crate::duties::Duties;
use crate::model::Action;
use std::fmt;
use xenon_election::{Rules, Standing, Term};

/// A cluster to be checked.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// The nodes, and what each is in the first config; `None` for a stranger that may join.
    pub seats: Vec<Option<Standing>>,
    /// The rules that the cores keep.
    pub rules: Rules,
    /// The duties that the agents keep.
    pub duties: Duties,
    /// What has happened already when the search begins.
    pub prelude: Prelude,
    /// Where the search ends.
    pub bounds: Bounds,
    /// What operators ask for, in this order, at any moment.
    pub changes: Vec<Change>,
    /// How elections begin.
    pub elections: Elections,
    /// Who may be told to stand at any moment.
    pub standers: Vec<usize>,
    /// Freezes and fences take time, and leases may run out.
    pub slow_servers: bool,
    /// A heartbeat comes at most as often as it is sent. Else it may come again and again.
    pub once: bool,
    /// T1: a leader knows where the others' servers are reached, and points replicas at the target beforehand.
    pub prepares_handovers: bool,
    /// A heartbeat or an answer to one may come after a newer one. Else the newer one replaces it.
    pub overtaking: bool,
}

/// What has happened already when a search begins.
#[derive(Debug, Clone, Default)]
pub struct Prelude {
    /// In this order.
    pub actions: Vec<Action>,
    /// After each of them, too, everything that moves by itself.
    pub settled_each: bool,
    /// And everything that moves by itself, until nothing does.
    pub and_all_that_follows: bool,
    /// And then these.
    pub then: Vec<Action>,
}

/// Where the search ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// No later term than this.
    pub terms: Term,
    /// Clients' transactions.
    pub writes: u8,
    /// Agents that crash and start again, keeping record and server.
    pub restarts: u8,
    /// Servers that are killed.
    pub crashes: u8,
    /// Hosts that lose power, and with it the end of the relay log (S3).
    pub power_losses: u8,
    /// Messages that arrive twice (heartbeats may always).
    pub repeats: u8,
    /// Leaders' looks at their server, each with a new round of heartbeats.
    pub beats: u8,
    /// Planned handovers.
    pub handovers: u8,
    /// Rescues (W2); every further one fails at once.
    pub rescues: u8,
    /// Longest path; 0 = no limit.
    pub depth: usize,
}

/// How elections begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elections {
    /// Any node may be told to stand at any moment: more than timers and pre-votes allow.
    StandNow,
    /// By timers that run out whenever they like, and pre-votes.
    PreVotes,
    /// By timers and pre-votes, and leases are shorter than T.
    Timed,
}

/// What an operator asks a leader for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// A member is to leave.
    Remove(usize),
    /// Two are to leave.
    RemoveBoth(usize, usize),
    /// A node is to come in.
    Add(usize),
}

impl Cluster {
    /// Answers to heartbeats are followed: they matter to the lease, which may run out at any moment but in the
    /// timed runs, to config changes and handovers, and to deposing a leader, which votes and heartbeats do, too.
    pub(crate) fn replies(&self) -> bool {
        !self.changes.is_empty()
            || self.bounds.handovers > 0
            || self.bounds.beats > 0
            || self.bounds.restarts > 0
            || self.elections == Elections::Timed
    }

    /// It breaks no rule and neglects no duty.
    pub(crate) fn is_sound(&self) -> bool {
        self.rules == Rules::all() && self.duties == Duties::all()
    }
}

/// What a run says of itself, one word a bound.
impl Cluster {
    /// So many voters that keep every rule, for two terms; elections begin at any moment, servers act at once, and
    /// nothing else happens.
    pub(crate) fn of_voters(count: usize) -> Cluster {
        Cluster {
            seats: vec![Some(Standing::Voter); count],
            rules: Rules::all(),
            duties: Duties::all(),
            prelude: Prelude::default(),
            bounds: Bounds { terms: 2, ..Bounds::default() },
            changes: Vec::new(),
            elections: Elections::StandNow,
            standers: (0..count).collect(),
            slow_servers: false,
            once: false,
            overtaking: false,
            prepares_handovers: false,
        }
    }

    /// One node more.
    pub(crate) fn and(mut self, seat: Option<Standing>) -> Cluster {
        self.seats.push(seat);
        self
    }

    pub(crate) fn after(mut self, actions: Vec<Action>) -> Cluster {
        self.prelude = Prelude { actions, ..Prelude::default() };
        self
    }

    pub(crate) fn after_all_of(mut self, actions: Vec<Action>) -> Cluster {
        self.prelude = Prelude { actions, and_all_that_follows: true, ..Prelude::default() };
        self
    }

    /// After [`Cluster::after_all_of`].
    pub(crate) fn then(mut self, actions: Vec<Action>) -> Cluster {
        self.prelude.then = actions;
        self
    }

    /// T1: the first node hands over to the second, and the others hang below that already; writes are about to be closed.
    pub(crate) fn handover_prepared(mut self) -> Cluster {
        let actions = vec![Action::HandOver(0, 1), Action::Beat(0)];
        self.prelude = Prelude { actions, settled_each: true, ..Prelude::default() };
        self.prepares_handovers = true;
        self.handovers(1).beats(1)
    }

    pub(crate) fn terms(mut self, terms: Term) -> Cluster {
        self.bounds.terms = terms;
        self
    }

    pub(crate) fn writes(mut self, writes: u8) -> Cluster {
        self.bounds.writes = writes;
        self
    }

    pub(crate) fn restarts(mut self, restarts: u8) -> Cluster {
        self.bounds.restarts = restarts;
        self
    }

    pub(crate) fn crashes(mut self, crashes: u8) -> Cluster {
        self.bounds.crashes = crashes;
        self
    }

    pub(crate) fn power_losses(mut self, power_losses: u8) -> Cluster {
        self.bounds.power_losses = power_losses;
        self
    }

    pub(crate) fn repeats(mut self, repeats: u8) -> Cluster {
        self.bounds.repeats = repeats;
        self
    }

    pub(crate) fn beats(mut self, beats: u8) -> Cluster {
        self.bounds.beats = beats;
        self
    }

    pub(crate) fn handovers(mut self, handovers: u8) -> Cluster {
        self.bounds.handovers = handovers;
        self
    }

    pub(crate) fn rescues(mut self, rescues: u8) -> Cluster {
        self.bounds.rescues = rescues;
        self
    }

    pub(crate) fn changes(mut self, changes: &[Change]) -> Cluster {
        self.changes = changes.to_vec();
        self
    }

    pub(crate) fn only_stands(mut self, standers: &[usize]) -> Cluster {
        self.standers = standers.to_vec();
        self
    }

    pub(crate) fn elections(mut self, elections: Elections) -> Cluster {
        self.elections = elections;
        self
    }

    pub(crate) fn slow(mut self) -> Cluster {
        self.slow_servers = true;
        self
    }

    pub(crate) fn once(mut self) -> Cluster {
        self.once = true;
        self
    }

    pub(crate) fn overtaking(mut self) -> Cluster {
        self.overtaking = true;
        self
    }
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let voters = self.seats.iter().filter(|seat| **seat == Some(Standing::Voter)).count();
        write!(f, "{voters} voters")?;
        if self.seats.len() > voters {
            write!(f, " + {}", self.seats.len() - voters)?;
        }
        write!(f, ", {}", self.bounds)?;
        let modes = [
            (self.slow_servers, "slow servers"),
            (self.elections == Elections::PreVotes, "pre-votes"),
            (self.elections == Elections::Timed, "leases"),
            (self.once, "sent once"),
            (self.overtaking, "overtaking"),
            (self.prepares_handovers, "handover prepared"),
        ];
        for (_, what) in modes.into_iter().filter(|(is_so, _)| *is_so) {
            write!(f, ", {what}")?;
        }
        if !self.prelude.actions.is_empty() {
            write!(f, ", after {} steps", self.prelude.actions.len())?;
        }
        if !self.changes.is_empty() {
            write!(f, ", {} config changes", self.changes.len())?;
        }
        if self.standers.len() < self.seats.len() {
            let names: Vec<_> = self.standers.iter().map(|at| format!("n{}", at + 1)).collect();
            write!(f, ", only {} may stand", names.join(" "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} terms", self.terms)?;
        let counts = [
            (usize::from(self.writes), "writes"),
            (usize::from(self.restarts), "agent restarts"),
            (usize::from(self.crashes), "server crashes"),
            (usize::from(self.power_losses), "power losses"),
            (usize::from(self.repeats), "repeats"),
            (usize::from(self.beats), "beats"),
            (usize::from(self.handovers), "handovers"),
            (usize::from(self.rescues), "rescues"),
            (self.depth, "steps"),
        ];
        for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, ", {count} {what}")?;
        }
        Ok(())
    }
}
