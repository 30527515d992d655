//! Who gives the data: a recent replica rather than the primary, and nobody who is in doubt, behind, busy, or lacks what
//! this node has.

use std::fmt;
use xenon_gtid::GtidSet;

/// A donor that lags more, seconds, has more to catch up than need be. The Go tool's bound, too.
const LAG_MAX_S: u64 = 100;

/// A member as it described itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Candidate {
    /// The endpoint of its agent.
    pub id: String,
    /// LEADER, FOLLOWER, IDLE, LEARNER, INVALID …
    pub state: String,
    /// Its server answers.
    pub alive: bool,
    /// It is the leader.
    pub leads: bool,
    /// It follows for ever and never leads: nobody misses its speed.
    pub idle: bool,
    /// What it has executed: that is what a copy of it has.
    pub executed: GtidSet,
    /// Receiver and applier run; true of a leader.
    pub follows: bool,
    /// Seconds behind its source; `None` = not known.
    pub lag_s: Option<u64>,
    /// Transactions received and not applied.
    pub unapplied: u64,
    /// S3: why it may lack what it has acknowledged.
    pub doubt: Option<String>,
    /// What it is busy with: a rebuild or backup of its own, or giving its data to another.
    pub busy: Option<String>,
    /// `@@version` of its server.
    pub version: String,
    /// Why nothing is known of it.
    pub silent: Option<String>,
}

/// The node that is to be rebuilt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recipient {
    /// The endpoint of its agent.
    pub id: String,
    /// What it had received when it was looked at last, without what is errant; empty when its data is lost.
    pub received: GtidSet,
    /// The version of its mysqld; empty when not known.
    pub version: String,
}

/// Nobody can be copied from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoDonor {
    /// Each that was looked at, with the reason.
    pub reasons: Vec<(String, String)>,
}

impl fmt::Display for NoDonor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.reasons.is_empty() {
            return f.write_str("there is no other member to copy from");
        }
        let list: Vec<_> = self.reasons.iter().map(|(id, why)| format!("{id} {why}")).collect();
        write!(f, "no member can be copied from: {}", list.join("; "))
    }
}

/// `8.0`, `8.4`, `9.7`: the servers' own CLONE copies within one series only.
pub fn series(version: &str) -> &str {
    let mut dots = version.match_indices('.').map(|(at, _)| at);
    match (dots.next(), dots.next()) {
        (Some(_), Some(second)) => version.get(..second).unwrap_or(version),
        _ => version.split('-').next().unwrap_or(version),
    }
}

/// Why `candidate` cannot give; `None` when it can.
fn objection(candidate: &Candidate, recipient: &Recipient) -> Option<String> {
    if candidate.id == recipient.id {
        return Some("is this node itself".to_owned());
    }
    if let Some(why) = &candidate.silent {
        return Some(format!("does not answer: {why}"));
    }
    if !candidate.alive {
        return Some("has no server that answers".to_owned());
    }
    if !matches!(candidate.state.as_str(), "LEADER" | "FOLLOWER" | "IDLE") {
        return Some(format!("is {}", candidate.state));
    }
    if let Some(doubt) = &candidate.doubt {
        return Some(format!("may itself lack transactions: {doubt}"));
    }
    if let Some(busy) = &candidate.busy {
        return Some(format!("is busy: {busy}"));
    }
    if !candidate.leads && !candidate.follows {
        return Some("does not replicate".to_owned());
    }
    if let Some(lag) = candidate.lag_s.filter(|lag| *lag > LAG_MAX_S) {
        return Some(format!("lags by {lag} s, more than {LAG_MAX_S} s"));
    }
    let (theirs, ours) = (series(&candidate.version), series(&recipient.version));
    if !ours.is_empty() && !theirs.is_empty() && theirs != ours {
        return Some(format!("runs MySQL {}, and this node {}", candidate.version, recipient.version));
    }
    let lacks = recipient.received.subtract(&candidate.executed);
    if !lacks.is_empty() {
        return Some(format!(
            "has not applied {} transaction(s) that this node has: {}",
            lacks.count(),
            crate::brief(&lacks)
        ));
    }
    None
}

/// The best one: an idle node, then the replica with the least left to apply, the primary only when there is nobody else.
/// `from` is checked against the same conditions.
///
/// # Errors
/// Nobody can: with each one's reason.
pub fn choose<'a>(
    candidates: &'a [Candidate],
    recipient: &Recipient,
    from: Option<&str>,
) -> Result<&'a Candidate, NoDonor> {
    if from == Some(recipient.id.as_str()) {
        return Err(NoDonor { reasons: vec![(recipient.id.clone(), "is this node itself".to_owned())] });
    }
    let asked = candidates.iter().filter(|candidate| from.is_none_or(|from| candidate.id == from));
    let mut reasons = Vec::new();
    let mut best: Option<&Candidate> = None;
    for candidate in asked {
        match objection(candidate, recipient) {
            Some(_) if candidate.id == recipient.id && from.is_none() => {}
            Some(why) => reasons.push((candidate.id.clone(), why)),
            None if best.is_none_or(|best| rank(candidate) < rank(best)) => best = Some(candidate),
            None => {}
        }
    }
    if let (Some(from), None, true) = (from, best, reasons.is_empty()) {
        reasons.push((from.to_owned(), "is no member of this cluster, or has no data".to_owned()));
    }
    best.ok_or(NoDonor { reasons })
}

/// Lower is better.
fn rank(candidate: &Candidate) -> (bool, bool, u64, u64, &str) {
    let lag = candidate.lag_s.unwrap_or(0);
    (candidate.leads, !candidate.idle, lag, candidate.unapplied, &candidate.id)
}
