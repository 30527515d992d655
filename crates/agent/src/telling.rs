//! What this node tells others for their reports, and what it gathers for its own. Nothing is decided by any of it.

use crate::agent::Agent;
use crate::events::{Events, unix_ms};
use crate::reports::{Ending, HandedOver, Story, Told};
use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::Instant;
use xenon_api::{
    Call, Envelope, EventKind, PATH_CALL, PROTOCOL_VERSION, Refusal as No, Remark, Reply, ReportHead,
    ReportOutcome, ReportVote, Request, Response,
};
use xenon_election::{Message, NodeId, Note, Refusal, State};
use xenon_gtid::GtidSet;

/// A longer set is not told with a vote, bytes of its text.
const SET_MAX: usize = 16 << 10;
/// What an operator asked for explains what happens within this.
const ASKED: Duration = Duration::from_secs(30);
/// A kill is followed by its consequences within this.
const KILLED: Duration = Duration::from_secs(10);
/// Why leadership was given away is the reason of what is told then, and not of what comes later.
const JUST: Duration = Duration::from_secs(5);
/// What is heard of an old primary before the report is made is put into it then.
const EARLY: Duration = Duration::from_secs(300);
/// Sentences that wait for someone to be told to, or for a report.
const WAITING: usize = 16;
/// Telling the leader takes no longer.
const TELL: Duration = Duration::from_secs(5);

/// What is known beside the story under way.
#[derive(Default)]
pub(crate) struct Past {
    /// The primary that was heard or was here last.
    primary: Option<NodeId>,
    /// When it was heard last as one that serves.
    heard_open: Option<Instant>,
    /// When the server here last answered as the primary.
    pub(crate) served: Option<Instant>,
    /// L6: why this leader could not serve.
    pub(crate) cannot_serve: Option<(String, Instant)>,
    /// What an operator asked for that moves the primary.
    pub(crate) asked: Option<Asked>,
    /// What the last freeze found.
    pub(crate) frozen: Option<GtidSet>,
    /// The primary's mysqld here has died, and how is not known yet.
    pub(crate) died: bool,
    /// What the leader should hear of the primary that was here.
    untold: VecDeque<Learnt>,
    /// What was heard of an old primary for which there is no report yet.
    early: VecDeque<(Instant, NodeId, Learnt)>,
    /// The old primary that a report says is away.
    away: Option<NodeId>,
}

/// What became known of an old primary.
#[derive(Clone, Default)]
pub(crate) struct Learnt {
    /// As a sentence.
    pub(crate) what: String,
    /// W3.
    pub(crate) quarantined: GtidSet,
    /// Something is kept about which a person has to decide.
    pub(crate) decide: bool,
}

/// Who asked for what.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) by: String,
    pub(crate) what: String,
    /// How it was answered, and when: a refusal explains nothing that comes later, and a wait may be long.
    pub(crate) answered: Arc<OnceLock<(Answered, Instant)>>,
}

/// How a request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answered {
    Done,
    /// Or nobody waited for it.
    Refused,
}

impl Asked {
    /// It explains what happens now.
    fn counts_for(&self, bound: Duration) -> bool {
        match self.answered.get() {
            None => true,
            Some((Answered::Done, at)) => at.elapsed() < bound,
            Some((Answered::Refused, _)) => false,
        }
    }
}

fn ago_ms(at: Instant) -> u64 {
    u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Why this node was told to stand, as a sentence.
fn cause_of(from: &NodeId, planned: bool, said: &Remark) -> String {
    match (&said.why, &said.by) {
        (Some(why), Some(by)) if planned => format!("{from} hands over: {why}, asked by {by}"),
        (Some(why), _) if planned => format!("{from} hands over: {why}"),
        (None, _) if planned => format!("{from} hands over by itself"),
        (Some(why), _) => format!("{from} cannot serve any more: {why}"),
        (None, _) => format!("{from} found this node ahead of itself"),
    }
}

fn back_from(node: &NodeId) -> String {
    format!("{node} is away or its server is down: ")
}

impl Agent {
    fn asked_within(&self, bound: Duration) -> Option<&Asked> {
        self.past.asked.as_ref().filter(|asked| asked.counts_for(bound))
    }

    /// What goes with a message.
    pub(crate) fn remark_for(&self, message: &Message) -> Option<Box<Remark>> {
        let remark = match message {
            Message::VoteReply { .. } => {
                let received = self.core.received().or(self.past.frozen.as_ref());
                let short = |set: &&GtidSet| set.to_string().len() <= SET_MAX;
                Remark {
                    received: received.filter(short).cloned(),
                    primary: self.past.primary.clone(),
                    ..Remark::default()
                }
            }
            // T1: planned.
            Message::Stand { after: Some(_), .. } => {
                let asked = self.asked_within(ASKED);
                let stops = self.stopping.is_some().then(|| "its agent was asked to stop".to_owned());
                // V8: by itself, and its own story says why.
                let own = || self.events.log().story.as_ref().map(|story| story.cause.clone());
                Remark {
                    why: asked.map(|asked| asked.what.clone()).or(stops).or_else(own),
                    by: asked.map(|asked| asked.by.clone()),
                    served_ms_ago: self.local.handing_over.map(ago_ms),
                    ..Remark::default()
                }
            }
            Message::Stand { after: None, .. } => {
                let why = self.past.cannot_serve.as_ref().filter(|(_, at)| at.elapsed() < JUST);
                let asked = self.asked_within(KILLED).filter(|_| why.is_some());
                Remark {
                    why: why.map(|(why, _)| match asked {
                        Some(asked) => format!("{why} ({})", asked.what),
                        None => why.clone(),
                    }),
                    by: asked.map(|asked| asked.by.clone()),
                    served_ms_ago: self.past.served.filter(|_| why.is_some()).map(ago_ms),
                    ..Remark::default()
                }
            }
            _ => return None,
        };
        Some(Box::new(remark))
    }

    /// A message is about to be looked at: what a report tells of it.
    pub(crate) fn hear(&mut self, envelope: &Envelope) {
        let from = &envelope.from;
        let record = self.core.record();
        let Some(config) = record.config.as_ref().filter(|config| config.is_voter(from)) else { return };
        if config.cluster != envelope.cluster {
            return;
        }
        let remark = envelope.remark.as_deref();
        match &envelope.message {
            Message::Heartbeat { term, info, .. } if *term >= record.term && info.open => {
                if self.past.primary.as_ref() != Some(from) {
                    self.past.primary = Some(from.clone());
                }
                self.past.heard_open = Some(Instant::now());
            }
            Message::Stand { term, after } if *term == record.term && self.core.state() != State::Leader => {
                self.hear_stand(from, after.is_some(), remark);
            }
            Message::PreVoteReply { refusal, .. } => {
                let said = match refusal {
                    None => format!("{from} hears no leader either"),
                    Some(refusal) => format!("{from}, asked whether it would vote: {refusal}"),
                };
                self.events.story(|story| story.evidence(said));
            }
            // Once it is won, others refuse because they follow already: that says nothing of how they would have voted.
            Message::VoteReply { refusal: Some(_), .. } if self.core.state() == State::Leader => {}
            Message::VoteReply { term, refusal } => {
                let granted = matches!(refusal, None | Some(Refusal::Doubtful { .. }));
                let why = refusal.as_ref().map(ToString::to_string).unwrap_or_default();
                let received = remark.and_then(|remark| remark.received.clone());
                let vote = ReportVote { node: from.clone(), term: *term, granted, why, received };
                let primary = remark.and_then(|remark| remark.primary.clone());
                self.events.story(|story| {
                    story.vote(vote);
                    if story.primary_by_others.is_none() {
                        story.primary_by_others = primary;
                    }
                });
            }
            _ => {}
        }
    }

    fn hear_stand(&self, from: &NodeId, planned: bool, remark: Option<&Remark>) {
        let said = remark.cloned().unwrap_or_default();
        let cause = cause_of(from, planned, &said);
        let gives_way = planned || said.why.is_some();
        if gives_way {
            self.events.story_begins(&cause);
        }
        let now = unix_ms();
        let served_unix_ms = said.served_ms_ago.map(|ago| now.saturating_sub(ago));
        self.events.story(|story| {
            if story.told.is_some() || story.stood.is_some() && !gives_way {
                return;
            }
            match said.served_ms_ago {
                Some(ago) if !planned => story.evidence(format!(
                    "{from} said itself that its server does not serve; that had answered last {ago} ms before"
                )),
                _ => story.evidence(format!("{from} told this node to stand")),
            }
            story.told = Some(Told { planned, by: said.by, served_unix_ms });
        });
    }

    /// What the core has said, for the report; after the log was told.
    pub(crate) fn note_for_report(&mut self, note: &Note) {
        match note {
            Note::LeaderLost { .. } | Note::AskingPreVotes { .. } => self.gather_evidence(),
            Note::Standing { term, .. } => self.events.story(|story| story.stood = Some(*term)),
            Note::Leading { term, resumed: false } => {
                let received = self.core.received().cloned();
                let node = self.core.id().clone();
                let why = String::new();
                let vote = ReportVote { node, term: *term, granted: true, why, received };
                self.events.story(|story| {
                    story.vote(vote);
                    // First, as the one that asked.
                    story.votes.rotate_right(1);
                });
            }
            Note::Leading { resumed: true, .. } => self.past.primary = Some(self.core.id().clone()),
            Note::Rescued { result, .. } => self.events.story(|story| match result {
                Ok(()) => story.rescued = std::mem::take(&mut story.rescuing),
                Err(why) => story.rescue_failed.clone_from(why),
            }),
            Note::HandOver { what, given_up } => {
                if self.past.cannot_serve.as_ref().is_some_and(|(_, at)| at.elapsed() < JUST) {
                    // Told by who takes over.
                    return;
                }
                let by = self.asked_within(ASKED).map(|asked| asked.by.clone());
                self.events.story(|story| {
                    story.evidence(what.clone());
                    story.handover = Some(HandedOver { by, given_up: *given_up });
                });
                if *given_up {
                    self.past.asked = None;
                    let story = self.events.story_ends();
                    self.report_given_up(story, what.clone());
                }
            }
            _ => {}
        }
    }

    fn gather_evidence(&self) {
        let heard = self.past.heard_open.zip(self.past.primary.as_ref());
        let receiver = self
            .local
            .server
            .as_ref()
            .and_then(|server| server.replication.as_ref())
            .map(|replication| replication.receiver_error.clone())
            .filter(|error| !error.is_empty());
        self.events.story(|story| {
            if !story.evidence.is_empty() {
                return;
            }
            if let Some((at, primary)) = heard {
                story.evidence(format!(
                    "the last heartbeat of {primary}, which served then, had come {} ms before",
                    ago_ms(at)
                ));
            }
            if let Some(error) = receiver {
                story.evidence(format!("replication from it had stopped here: {error}"));
            }
        });
    }

    /// When the primary of before served last, as far as known here, milliseconds since 1970.
    fn last_good(&self, old: Option<&NodeId>) -> Option<u64> {
        let at = if old == Some(self.core.id()) { self.past.served } else { self.past.heard_open };
        at.map(|at| unix_ms().saturating_sub(ago_ms(at)))
    }

    /// This node serves as the primary: the story as a report.
    pub(crate) fn report_promotion(&mut self, term: u64, story: Option<Story>) {
        let me = self.core.id().clone();
        let before = self.past.primary.replace(me.clone());
        self.past.away = None;
        let Some(mut story) = story else { return };
        let old = before.or_else(|| story.primary_by_others.clone());
        let last_good_unix_ms = self.last_good(old.as_ref());
        if let Some(config) = &self.core.record().config {
            let silent: Vec<_> = config
                .voters()
                .filter(|id| !story.votes.iter().any(|vote| vote.term == term && vote.node == **id))
                .cloned()
                .collect();
            for node in silent {
                let why = "had not answered when the election was won".to_owned();
                story.vote(ReportVote { node, term, granted: false, why, received: None });
            }
        }
        let planned = story.told.as_ref().is_some_and(|told| told.planned);
        let away = old.clone().filter(|old| *old != me && !planned);
        let mut todo = Vec::new();
        if let Some(old) = &away {
            todo.push(format!(
                "{}its agent brings it back as a replica by itself. Where it does not, xenoncli cluster status says what is \
                 wrong there",
                back_from(old)
            ));
        }
        if !story.rescue_failed.is_empty() {
            todo.push(format!(
                "something may be left on the old primary that is nowhere else ({}): look there before its data is removed",
                story.rescue_failed
            ));
        }
        if let Some(why) = self.core.degraded() {
            todo.push(format!(
                "DEGRADED: {why}: bring a replica back, for this node's disk holds the only copy"
            ));
        }
        let ending =
            Ending { outcome: ReportOutcome::Promoted, term, old_primary: old, last_good_unix_ms, todo };
        let report = self.events.report_of(story, ending);
        self.file(report);
        self.past.away.clone_from(&away);
        let Some(away) = away else { return };
        self.past.early.retain(|(at, ..)| at.elapsed() < EARLY);
        let early: Vec<_> = self.past.early.drain(..).collect();
        for (_, node, learnt) in early.into_iter().filter(|(_, node, _)| *node == away) {
            self.amend(&node, &learnt);
        }
    }

    /// It came to nothing here. Worth a report when this node had stood, or had begun to hand over.
    pub(crate) fn report_given_up(&mut self, story: Option<Story>, how: String) {
        let worth = |story: &Story| {
            story.stood.is_some() || story.handover.as_ref().is_some_and(|handover| handover.given_up)
        };
        let Some(story) = story.filter(worth) else { return };
        let old_primary = self.past.primary.clone().or_else(|| story.primary_by_others.clone());
        let mut todo = Vec::new();
        if self.core.leader().is_none() {
            todo.push(
                "nobody leads: xenoncli cluster status and xenoncli explain say what is missing".to_owned(),
            );
        }
        let last_good_unix_ms = self.last_good(old_primary.as_ref());
        let term = self.core.record().term;
        let ending = Ending { outcome: ReportOutcome::GivenUp, term, old_primary, last_good_unix_ms, todo };
        let mut report = self.events.report_of(story, ending);
        report.aftermath.push(format!("given up: {how}"));
        self.file(report);
    }

    fn file(&self, report: xenon_api::Report) {
        let word = match report.head.outcome {
            ReportOutcome::Promoted => "show",
            ReportOutcome::GivenUp => "list",
        };
        self.events.keep_report(report);
        self.events.push(EventKind::Election, format!("the whole story: xenoncli failover {word}"));
    }

    /// Something is known of the primary that was here, or of what it has left: the leader should hear of it.
    pub(crate) fn tell_leader(&mut self, learnt: Learnt) {
        self.past.untold.truncate(WAITING - 1);
        self.past.untold.push_back(learnt);
    }

    /// What every turn of the loop ends with.
    pub(crate) fn go_on_telling(&mut self) {
        if let Some(story) = self.events.story_faded() {
            self.report_given_up(Some(story), "nothing more came of it".to_owned());
        }
        if let Some(away) = &self.past.away
            && self.core.is_followed_by(away)
        {
            let away = away.clone();
            self.past.away = None;
            let what = format!("{away} follows this node again");
            self.amend(&away, &Learnt { what, ..Learnt::default() });
        }
        if self.past.untold.is_empty() {
            return;
        }
        let Some(leader) = self.core.leader().filter(|leader| *leader != self.core.id()).cloned() else {
            return;
        };
        let node = self.core.id().clone();
        let calls: Vec<Call> = self
            .past
            .untold
            .drain(..)
            .map(|Learnt { what, quarantined, decide }| {
                let request = Request::Aftermath { node: node.clone(), what, quarantined, decide };
                Call { version: PROTOCOL_VERSION, who: node.to_string(), request }
            })
            .collect();
        let client = self.client.clone();
        tokio::spawn(async move {
            for call in calls {
                let told: Result<Reply, _> = client.call(leader.as_str(), PATH_CALL, &call, TELL).await;
                if let Err(error) = told {
                    // It is in the events of this node all the same.
                    tracing::debug!(%error, "the leader was not told for its report");
                }
            }
        });
    }

    /// Another node tells what became known there.
    pub(crate) fn hear_aftermath(&mut self, node: NodeId, mut learnt: Learnt) -> Reply {
        let member = |config: &xenon_election::GroupConfig| config.members.contains_key(&node);
        if !self.core.record().config.as_ref().is_some_and(member) {
            let (what, cure) = ("this comes from no member".to_owned(), "nothing".to_owned());
            return Reply::Refused(No { what, cure, ask: None });
        }
        learnt.what = learnt.what.chars().filter(|c| !c.is_control()).take(1000).collect();
        if self.amend(&node, &learnt) {
            return noted();
        }
        if self.core.is_open_leader() {
            // Its report was made by an agent that has been restarted since.
            let events = self.events.clone();
            tokio::spawn(async move {
                if events.recall_report(|head| is_of(head, &node)).await {
                    amend(&events, &node, &learnt, true);
                }
            });
            return noted();
        }
        self.past.early.truncate(WAITING - 1);
        self.past.early.push_back((Instant::now(), node, learnt));
        noted()
    }

    fn amend(&self, node: &NodeId, learnt: &Learnt) -> bool {
        let back = self.past.away.as_ref().is_none_or(|away| away != node);
        amend(&self.events, node, learnt, back)
    }
}

fn noted() -> Reply {
    Reply::Ok(Response::Done { message: "noted".to_owned() })
}

/// A report in which this node was the primary before.
fn is_of(head: &ReportHead, node: &NodeId) -> bool {
    head.outcome == ReportOutcome::Promoted && head.old_primary.as_ref() == Some(node)
}

/// `back`: the old primary is not waited for any more.
fn amend(events: &Events, node: &NodeId, learnt: &Learnt, back: bool) -> bool {
    let Learnt { what, quarantined, decide } = learnt;
    events.amend_report(
        |report| is_of(&report.head, node),
        |report| {
            let after = unix_ms().saturating_sub(report.head.began_unix_ms) as f64 / 1e3;
            report.aftermath.push(format!("+{after:.1} s: {what}"));
            if back {
                report.todo.retain(|todo| !todo.starts_with(&back_from(node)));
            }
            report.quarantined = report.quarantined.union(quarantined);
            if *decide {
                report.todo.push(format!(
                    "look through what is kept aside, and decide what of it is wanted: {what}"
                ));
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_asked_for_explains_only_what_follows_from_it() {
        let answered = Arc::new(OnceLock::new());
        let asked = Asked { by: "a@b".into(), what: "cluster switchover".into(), answered };
        // It may wait long for what stands in its way.
        tokio::time::advance(Duration::from_secs(3000)).await;
        assert!(asked.counts_for(ASKED));
        asked.answered.set((Answered::Done, Instant::now())).unwrap();
        assert!(asked.counts_for(ASKED));
        tokio::time::advance(ASKED + Duration::from_secs(1)).await;
        assert!(!asked.counts_for(ASKED), "the leader gave way by itself since");
        let refused = Asked { answered: Arc::default(), ..asked };
        refused.answered.set((Answered::Refused, Instant::now())).unwrap();
        assert!(!refused.counts_for(ASKED));
    }

    #[test]
    fn causes_in_words() {
        let from = NodeId::new("a:1");
        let said = |why: Option<&str>, by: Option<&str>| Remark {
            why: why.map(str::to_owned),
            by: by.map(str::to_owned),
            ..Remark::default()
        };
        let cause = |planned, why, by| cause_of(&from, planned, &said(why, by));
        assert_eq!(
            cause(true, Some("cluster switchover"), Some("x@y")),
            "a:1 hands over: cluster switchover, asked by x@y"
        );
        assert_eq!(cause(true, None, None), "a:1 hands over by itself");
        assert_eq!(cause(false, Some("mysqld hangs"), None), "a:1 cannot serve any more: mysqld hangs");
        assert_eq!(cause(false, None, None), "a:1 found this node ahead of itself");
    }
}
