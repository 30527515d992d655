//! What has happened since the agent started, in numbers: the counters of `/metrics`.

use crate::agent::Agent;
use std::collections::BTreeMap;
use xenon_api::JobKind;
use xenon_election::{Message, Note, State};
use xenon_plan::rebuild::Ended;

/// By reason or outcome; the words come from closed lists in the code, so there are few.
pub(crate) type By = BTreeMap<&'static str, u64>;

/// Counts, all from 0 at the agent's start.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// Pre-votes were asked for.
    pub(crate) pre_votes_asked: u64,
    /// This node stood.
    pub(crate) elections_begun: u64,
    /// And won.
    pub(crate) elections_won: u64,
    /// Or another one did, or nobody.
    pub(crate) elections_lost: u64,
    /// Leadership taken up again after a restart (T3).
    pub(crate) leaderships_resumed: u64,
    /// Votes of this node.
    pub(crate) votes_granted: u64,
    /// Votes and pre-votes that this node refused, by reason.
    pub(crate) votes_refused: By,
    /// Votes for this node.
    pub(crate) votes_received: u64,
    /// Votes and pre-votes that were refused to this node, by reason.
    pub(crate) refusals_received: By,
    /// The server here became the open primary.
    pub(crate) promotions: u64,
    /// It was the primary and is not any more.
    pub(crate) demotions: u64,
    /// Planned handovers of this leader that have begun.
    pub(crate) handovers_begun: u64,
    /// Of them those after which another one leads.
    pub(crate) handovers_done: u64,
    /// Transactions fetched from dead servers' binary logs (W2).
    pub(crate) rescued_transactions: u64,
    /// Rewinds of the server here (W1), by outcome.
    pub(crate) rewinds: By,
    /// Jobs that have ended, by kind and outcome.
    pub(crate) jobs: BTreeMap<(&'static str, &'static str), u64>,
    /// When the server here was promoted last, milliseconds since 1970; 0 = not yet.
    pub(crate) promoted_unix_ms: u64,
    before: Before,
}

/// As it was at the last turn of the loop.
#[derive(Debug, Clone, Default)]
struct Before {
    promoted: Option<u64>,
    /// The term that was taken up again: nothing was opened for it.
    resumed: Option<u64>,
    handing_over: bool,
    stood: bool,
    /// Of the rebuild and of the backup: when it began, and whether it has ended.
    jobs: [Option<(u64, bool)>; 2],
}

impl Tally {
    /// The core has something to tell.
    pub(crate) fn on_note(&mut self, note: &Note) {
        match note {
            Note::AskingPreVotes { .. } => self.pre_votes_asked += 1,
            Note::Standing { .. } => {
                // Told to stand, or by itself again: the one before came to nothing.
                self.elections_lost += u64::from(self.before.stood);
                self.elections_begun += 1;
                self.before.stood = true;
            }
            Note::Leading { resumed: false, .. } => {
                self.elections_won += u64::from(std::mem::take(&mut self.before.stood));
            }
            Note::Leading { term, resumed: true } => {
                self.leaderships_resumed += 1;
                self.before.resumed = Some(*term);
            }
            Note::VoteGranted { .. } => self.votes_granted += 1,
            Note::VoteReceived { .. } => self.votes_received += 1,
            _ => {}
        }
    }

    /// A message goes out.
    pub(crate) fn on_sent(&mut self, message: &Message) {
        count_refusal(&mut self.votes_refused, message);
    }

    /// A message of a member came in.
    pub(crate) fn on_received(&mut self, message: &Message) {
        count_refusal(&mut self.refusals_received, message);
    }

    fn on_promoted(&mut self, promoted: Option<u64>, now_unix_ms: impl FnOnce() -> u64) {
        let before = std::mem::replace(&mut self.before.promoted, promoted);
        if promoted == before {
            return;
        }
        match promoted {
            Some(term) if self.before.resumed == Some(term) => {}
            Some(_) => {
                self.promotions += 1;
                self.promoted_unix_ms = now_unix_ms();
            }
            None => self.demotions += 1,
        }
    }

    fn on_state(&mut self, state: State, handing_over: bool) {
        if !matches!(state, State::Candidate | State::Leader) && std::mem::take(&mut self.before.stood) {
            self.elections_lost += 1;
        }
        match (std::mem::replace(&mut self.before.handing_over, handing_over), handing_over) {
            (false, true) => self.handovers_begun += 1,
            (true, false) if state != State::Leader => self.handovers_done += 1,
            _ => {}
        }
    }

    /// `which`: 0 is the rebuild or restore, 1 the backup. A job that had ended when the agent started is not counted.
    fn on_job(&mut self, which: usize, began: u64, kind: JobKind, ended: Option<&'static str>) {
        let Some(before) = self.before.jobs.get_mut(which) else { return };
        let was = before.replace((began, ended.is_some()));
        let went_on = match was {
            Some((same, over)) if same == began => !over,
            // Another one, which has begun and ended since.
            Some(_) => true,
            None => false,
        };
        if let Some(outcome) = ended.filter(|_| went_on) {
            *self.jobs.entry((kind.word(), outcome)).or_default() += 1;
        }
    }

    fn on_no_job(&mut self, which: usize) {
        if let Some(before) = self.before.jobs.get_mut(which) {
            before.get_or_insert((0, true));
        }
    }
}

fn count_refusal(by: &mut By, message: &Message) {
    if let Message::PreVoteReply { refusal: Some(refusal), .. }
    | Message::VoteReply { refusal: Some(refusal), .. } = message
    {
        *by.entry(refusal.word()).or_default() += 1;
    }
}

impl Agent {
    /// At the end of every turn of the loop: what has changed since the last one.
    pub(crate) fn count_turn(&mut self) {
        let (state, handing_over) = (self.core.state(), self.core.is_handing_over());
        self.tally.on_state(state, handing_over);
        self.tally.on_promoted(self.local.promoted, crate::events::unix_ms);
        match &self.rebuild.job {
            Some(job) => {
                let kind = if job.journal.backup.is_some() { JobKind::Restore } else { JobKind::Rebuild };
                let ended = job.journal.ended.map(|ended| match ended {
                    Ended::Done => "done",
                    Ended::Failed => "failed",
                    Ended::Cancelled => "cancelled",
                });
                self.tally.on_job(0, job.journal.started_unix_ms, kind, ended);
            }
            None => self.tally.on_no_job(0),
        }
        match self.backups.outcome() {
            Some((began, state)) => {
                let ended = (!state.is_active()).then(|| state.word());
                self.tally.on_job(1, began, JobKind::Backup, ended);
            }
            None => self.tally.on_no_job(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xenon_election::{NodeId, Refusal};

    fn standing() -> Note {
        Note::Standing { term: 3, why: "a test".to_owned() }
    }

    #[test]
    fn elections_are_won_or_lost() {
        let mut tally = Tally::default();
        tally.on_note(&Note::AskingPreVotes { term: 3, why: String::new() });
        tally.on_note(&standing());
        tally.on_state(State::Candidate, false);
        tally.on_note(&standing());
        tally.on_note(&Note::Leading { term: 4, resumed: false });
        tally.on_state(State::Leader, false);
        tally.on_state(State::Follower, false);
        let counts =
            (tally.pre_votes_asked, tally.elections_begun, tally.elections_won, tally.elections_lost);
        assert_eq!(counts, (1, 2, 1, 1));
        tally.on_note(&standing());
        tally.on_state(State::Follower, false);
        tally.on_state(State::Follower, false);
        assert_eq!(tally.elections_lost, 2, "once");
    }

    #[test]
    fn a_leadership_taken_up_again_is_no_promotion() {
        let mut tally = Tally::default();
        tally.on_note(&Note::Leading { term: 7, resumed: true });
        tally.on_promoted(Some(7), || 1);
        assert_eq!((tally.leaderships_resumed, tally.promotions, tally.promoted_unix_ms), (1, 0, 0));
        tally.on_promoted(None, || 2);
        tally.on_promoted(Some(9), || 3);
        tally.on_promoted(Some(9), || 4);
        assert_eq!((tally.demotions, tally.promotions, tally.promoted_unix_ms), (1, 1, 3));
    }

    #[test]
    fn handovers_that_are_undone_are_begun_only() {
        let mut tally = Tally::default();
        for (state, handing_over) in [
            (State::Leader, true),
            (State::Leader, false),
            (State::Leader, true),
            (State::Follower, false),
            (State::Follower, false),
        ] {
            tally.on_state(state, handing_over);
        }
        assert_eq!((tally.handovers_begun, tally.handovers_done), (2, 1));
    }

    #[test]
    fn refusals_by_reason_in_both_directions() {
        let mut tally = Tally::default();
        let refusal = Some(Refusal::LeaderAlive { leader: NodeId::new("a:1") });
        tally.on_sent(&Message::PreVoteReply { term: 1, asked: 2, refusal });
        tally.on_received(&Message::VoteReply { term: 1, refusal: Some(Refusal::NotVoter) });
        tally.on_received(&Message::VoteReply { term: 1, refusal: None });
        assert_eq!(tally.votes_refused, By::from([("leader-alive", 1)]));
        assert_eq!(tally.refusals_received, By::from([("not-voter", 1)]));
    }

    #[test]
    fn jobs_are_counted_when_they_end_and_old_ones_are_not() {
        let mut tally = Tally::default();
        // Ended before the agent started.
        tally.on_job(0, 100, JobKind::Rebuild, Some("done"));
        tally.on_no_job(1);
        assert!(tally.jobs.is_empty());
        tally.on_job(0, 200, JobKind::Rebuild, None);
        tally.on_job(0, 200, JobKind::Rebuild, Some("failed"));
        tally.on_job(0, 200, JobKind::Rebuild, Some("failed"));
        // Refused within one turn.
        tally.on_job(1, 300, JobKind::Backup, Some("failed"));
        assert_eq!(tally.jobs, BTreeMap::from([(("rebuild", "failed"), 1), (("backup", "failed"), 1)]));
    }
}
