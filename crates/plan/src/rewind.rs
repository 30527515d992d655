//! W1: what becomes of a dead primary before it is started again.
//!
//! Started at once, its recovery would commit what its binary log ends with, acknowledged or not. So it waits, within
//! bounds, until it is known what a newer leader has; then its log is cut where that leader's set ends, or it is started as
//! it is, with the reason told.

use std::fmt;

use serde::{Deserialize, Serialize};
use xenon_gtid::{Gtid, GtidSet, Uuid};

/// Nobody is elected without this node: it is started after the others have had this long to elect all the same, since
/// recovery takes CPU from a promotion on the same machine and can bring nothing that the promotion waits for.
pub const NEEDED_MS: u64 = 300;
/// An election takes as many T at most, until the next one is due.
const ELECTIONS: u64 = 3;
/// A leader may take so long to open (a backlog to apply, a tail to fetch: W2), or to look at its server again, before its
/// set counts all the same, or this server starts all the same.
pub const OPENS_MS: u64 = 60_000;

/// What was noted of a mysqld while it lived: its files do not tell.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Life {
    /// The last term in which it was made the primary, and not followed another since.
    pub primary_in: Option<u64>,
    /// Why some commit may have been told OK without an acknowledgement since that cannot have been undone.
    pub degraded: Option<String>,
    /// It synced binary log and redo log with every transaction.
    pub synced: bool,
    /// The boot of the host in which it lived.
    pub boot: Option<String>,
}

/// While a dead primary is not started yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Since its death, or the agent's start, milliseconds.
    pub waited_ms: u64,
    /// T, milliseconds.
    pub election_ms: u64,
    /// It may hold a tail at all: it died as the primary of this term.
    pub primary_in: Option<u64>,
    /// This node leads: nobody has anything newer.
    pub leads: bool,
    /// Fewer voters than a majority are heard but for this node.
    pub needed: bool,
    /// The leader that is heard, if its term is newer.
    pub leader: Option<NewLeader>,
    /// What the files were compared with this leader's set for, and what came of it.
    pub compared: Option<Compared>,
}

/// A leader of a newer term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewLeader {
    /// It accepts writes.
    pub open: bool,
    /// It has looked at its server since it was first heard to be open: what is told has all that it had then.
    pub looked: bool,
    /// Since it was first heard, milliseconds.
    pub heard_ms: u64,
}

/// A comparison of the files with what the leader had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compared {
    /// With all that an open leader has.
    pub finally: bool,
    /// Something was outside.
    pub outside: bool,
}

/// What to do about a dead primary now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Start it as it is.
    Start {
        /// Why nothing is waited for.
        why: String,
    },
    /// Compare its files with what the leader has.
    Compare {
        /// What comes of it counts: the leader is open, or has had its time.
        finally: bool,
    },
    /// Go on waiting.
    Wait {
        /// For what.
        what: String,
    },
    /// The comparison that counts is there.
    Decide,
}

/// The next thing to do about a dead primary. Asked again whenever something is news.
pub fn next(waiting: &Waiting) -> Next {
    let start = |why: &str| Next::Start { why: why.to_owned() };
    let Some(term) = waiting.primary_in else {
        return start("it was no primary, so there is nothing here that others may lack");
    };
    if waiting.leads {
        return start("this node leads");
    }
    let Some(leader) = waiting.leader else {
        let (bound_ms, why) = match waiting.needed {
            true => (NEEDED_MS, "too few others are heard to elect anyone without it"),
            false => (ELECTIONS * waiting.election_ms, "no other leader has come up"),
        };
        if waiting.waited_ms >= bound_ms {
            return start(why);
        }
        return Next::Wait {
            what: format!(
                "mysqld is not started before a leader of a term after {term} says what it has, or {bound_ms} ms have passed \
                 (W1): what only this server has would be committed by its recovery"
            ),
        };
    };
    if leader.heard_ms >= 2 * OPENS_MS && waiting.compared.is_none() {
        return start("the leader does not say what it has");
    }
    let had_its_time = leader.heard_ms >= OPENS_MS;
    let finally = (leader.open && leader.looked) || had_its_time;
    match waiting.compared {
        Some(compared) if !compared.outside => start("its binlog ends with nothing that the leader lacks"),
        Some(Compared { finally: true, .. }) => Next::Decide,
        Some(_) if !finally => Next::Wait {
            what: "mysqld is not started before the new leader is open (W1): its binlog ends with what that leader lacks as yet"
                .to_owned(),
        },
        _ => Next::Compare { finally },
    }
}

/// The end of a dead server's binary log, as far as the leader lacks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// Its GTIDs.
    pub gtids: GtidSet,
    /// How many transactions it has.
    pub count: u64,
    /// A transaction behind its beginning that the leader has.
    pub inside_after: Option<Gtid>,
    /// The log's last file was open when the server ended.
    pub in_use: bool,
    /// A transaction that changes something in a file before the last: the server begins a new file only when those of the
    /// one before are committed.
    pub in_earlier_file: Option<Named>,
    /// The first that recovery does not undo.
    pub not_undone: Option<Named>,
}

/// One transaction, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// `None` when it has none.
    pub gtid: Option<Gtid>,
    /// What it is, in words: "a statement such as DDL".
    pub what: String,
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.gtid {
            Some(gtid) => write!(f, "{gtid} ({})", self.what),
            None => write!(f, "a transaction without GTID ({})", self.what),
        }
    }
}

/// All that the decision depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// What the log ends with; the error when it cannot be read.
    pub tail: Result<Tail, String>,
    /// The dead server's own.
    pub server_uuid: Uuid,
    /// UUID of the markers.
    pub markers: Uuid,
    /// The leader's server.
    pub leader_uuid: Uuid,
    /// The leader's term.
    pub leader_term: u64,
    /// What was noted while it lived; `None` when nothing is known.
    pub life: Option<Life>,
    /// This boot of the host.
    pub boot: Option<String>,
}

/// What becomes of the tail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Start the server as it is.
    Start {
        /// Why.
        why: String,
    },
    /// Keep the tail aside, cut it off, start the server under a new `server_uuid`.
    Rewind {
        /// Why that is right.
        why: String,
    },
    /// Start the server as it is: recovery commits the tail, and the node will be INVALID.
    Refuse {
        /// The condition that is not met.
        condition: String,
        /// What to do.
        cure: String,
    },
}

/// What an operator does about a node that cannot be rewound.
pub const CURE: &str = "look at the transactions (mysqlbinlog), write again by hand what is wanted of them, then rebuild this \
                        node: xenoncli mysql rebuildme";

/// W1's conditions, one by one.
pub fn decide(facts: &Facts) -> Decision {
    let refuse = |condition: String| Decision::Refuse { condition, cure: CURE.to_owned() };
    let tail = match &facts.tail {
        Ok(tail) => tail,
        Err(why) => return refuse(format!("its files do not tell what it has: {why}")),
    };
    if tail.count == 0 {
        return Decision::Start { why: "its binlog ends with nothing that the leader lacks".to_owned() };
    }
    // F2: the leader has written it, and not yet marked it executed; this server got it from there.
    if !tail.gtids.only_uuid(&facts.leader_uuid).is_empty()
        || tail.gtids.last_number(&facts.markers).is_some_and(|term| term >= facts.leader_term)
    {
        return Decision::Start {
            why: "what it has and the leader does not show was written by that leader".to_owned(),
        };
    }
    let named = tail.gtids.count();
    if named < tail.count {
        return refuse(format!(
            "{} transaction(s) in the tail have no GTID, so nobody can tell whether the leader has them",
            tail.count - named
        ));
    }
    if let Some(gtid) = &tail.inside_after {
        return refuse(format!(
            "the leader has {gtid}, which stands behind what it lacks, so no cut takes off just that"
        ));
    }
    let foreign = tail.gtids.without_uuid(&facts.server_uuid).without_uuid(&facts.markers);
    if !foreign.is_empty() {
        return refuse(format!(
            "{} in the tail were not written first by this server",
            crate::brief(&foreign)
        ));
    }
    if !tail.in_use {
        return refuse("mysqld has ended its binlog in order, so all that is in it is committed".to_owned());
    }
    if let Some(named) = &tail.in_earlier_file {
        return refuse(format!(
            "{named} stands in a binlog file before the last one, and mysqld begins a new file only when all before is committed"
        ));
    }
    if let Some(named) = &tail.not_undone {
        return refuse(format!("{named} is not undone by crash recovery"));
    }
    let Some(life) = &facts.life else {
        return refuse(
            "it is not known whether commits always waited for acknowledgements: nothing was noted while mysqld lived".to_owned(),
        );
    };
    if let Some(why) = &life.degraded {
        return refuse(format!(
            "commits did not always wait for acknowledgements, so the tail may be committed: {why}"
        ));
    }
    if !life.synced && life.boot != facts.boot {
        return refuse(
            "the host was restarted, and this server does not sync with every transaction (sync_binlog=1, \
             innodb_flush_log_at_trx_commit=1): its tables may lack what its binlog has"
                .to_owned(),
        );
    }
    Decision::Rewind {
        why: format!(
            "its binlog ends with {} that nobody acknowledged, and the leader of term {} does not have: {}",
            match tail.count {
                1 => "1 transaction".to_owned(),
                count => format!("{count} transactions"),
            },
            facts.leader_term,
            crate::brief(&tail.gtids)
        ),
    }
}
