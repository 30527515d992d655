//! Reports of failovers and handovers: what is gathered while one goes on, what is made of it, and where it is kept.

use crate::events::{Events, millis, unix_ms};
use std::collections::VecDeque;
use tokio::time::Instant;
use xenon_api::{
    Event, Refusal, Reply, Report, ReportHead, ReportKind, ReportOutcome, ReportPhase, ReportVote, Response,
};
use xenon_election::NodeId;
use xenon_gtid::GtidSet;

/// The most of each that a report holds.
const PHASES: usize = 100;
const EVIDENCE: usize = 50;
const VOTES: usize = 100;
const EVENTS: usize = 300;
const AFTERMATH: usize = 50;
/// Reports that are held in memory: where the disk takes none, the last ones are there all the same.
const RECENT: usize = 8;

/// A failover or handover as this node sees it, while it goes on.
#[derive(Debug)]
pub(crate) struct Story {
    began: Instant,
    began_unix_ms: u64,
    pub(crate) last: Instant,
    /// The last event before it.
    after_seq: u64,
    pub(crate) cause: String,
    pub(crate) phases: Vec<(String, f64)>,
    pub(crate) evidence: Vec<String>,
    pub(crate) votes: Vec<ReportVote>,
    /// It was told to stand.
    pub(crate) told: Option<Told>,
    /// A handover that this leader has begun, and whether it was given up.
    pub(crate) handover: Option<HandedOver>,
    /// The last term in which this node stood.
    pub(crate) stood: Option<u64>,
    /// The primary before, as another one said.
    pub(crate) primary_by_others: Option<NodeId>,
    /// W2: what is being fetched.
    pub(crate) rescuing: GtidSet,
    pub(crate) rescued: GtidSet,
    pub(crate) rescue_failed: String,
}

/// Who told this node to stand, and why.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) planned: bool,
    pub(crate) by: Option<String>,
    /// When the old primary last served, milliseconds since 1970 by the clock here.
    pub(crate) served_unix_ms: Option<u64>,
}

/// This leader's own handover.
#[derive(Debug, Clone, Default)]
pub(crate) struct HandedOver {
    pub(crate) by: Option<String>,
    pub(crate) given_up: bool,
}

impl Story {
    pub(crate) fn begin(now: Instant, cause: &str, after_seq: u64) -> Story {
        Story {
            began: now,
            began_unix_ms: unix_ms(),
            last: now,
            after_seq,
            cause: cause.to_owned(),
            phases: Vec::new(),
            evidence: Vec::new(),
            votes: Vec::new(),
            told: None,
            handover: None,
            stood: None,
            primary_by_others: None,
            rescuing: GtidSet::new(),
            rescued: GtidSet::new(),
            rescue_failed: String::new(),
        }
    }

    /// How long it has been going on, milliseconds.
    pub(crate) fn since_ms(&self, now: Instant) -> f64 {
        millis(now - self.began)
    }

    pub(crate) fn phase(&mut self, name: &str, now: Instant) {
        if self.phases.len() < PHASES {
            self.last = now;
            self.phases.push((name.to_owned(), self.since_ms(now)));
        }
    }

    /// A sentence that speaks for it, once.
    pub(crate) fn evidence(&mut self, sentence: impl Into<String>) {
        let sentence = sentence.into();
        if self.evidence.len() < EVIDENCE && !self.evidence.contains(&sentence) {
            self.evidence.push(sentence);
        }
    }

    /// A vote; what the same node said before in this term counts no more.
    pub(crate) fn vote(&mut self, vote: ReportVote) {
        self.votes.retain(|other| other.node != vote.node || other.term != vote.term);
        if self.votes.len() < VOTES {
            self.votes.push(vote);
        }
    }
}

/// What the node knows beside the story itself when it has ended.
pub(crate) struct Ending {
    pub(crate) outcome: ReportOutcome,
    pub(crate) term: u64,
    /// The primary before it.
    pub(crate) old_primary: Option<NodeId>,
    /// When that one last served, milliseconds since 1970.
    pub(crate) last_good_unix_ms: Option<u64>,
    pub(crate) todo: Vec<String>,
}

impl Events {
    /// What is told of a story that has ended.
    pub(crate) fn report_of(&self, story: Story, ending: Ending) -> Report {
        let now = Instant::now();
        let Ending { outcome, term, old_primary, last_good_unix_ms, todo } = ending;
        let node = self.node().clone();
        let took_ms = match outcome {
            ReportOutcome::Promoted => story.since_ms(now),
            ReportOutcome::GivenUp => story.since_ms(story.last),
        };
        let planned = story.told.as_ref().is_some_and(|told| told.planned) || story.handover.is_some();
        let kind = match &old_primary {
            _ if planned => ReportKind::Switchover,
            Some(old) if *old != node => ReportKind::Failover,
            Some(_) | None => ReportKind::Start,
        };
        let by = story.told.as_ref().and_then(|told| told.by.clone());
        let by = by.or_else(|| story.handover.as_ref().and_then(|handover| handover.by.clone()));
        let served = story.told.as_ref().and_then(|told| told.served_unix_ms).or(last_good_unix_ms);
        let served = served.filter(|_| kind != ReportKind::Start);
        let open = outcome == ReportOutcome::Promoted;
        let head = ReportHead {
            id: id_of(story.began_unix_ms, term, &node),
            node,
            kind,
            outcome,
            term,
            began_unix_ms: story.began_unix_ms,
            took_ms,
            cause: story.cause,
            old_primary,
            by,
        };
        Report {
            head,
            evidence: story.evidence,
            votes: story.votes,
            phases: phases_of(&story.phases, took_ms, outcome),
            rescued: story.rescued,
            rescue_failed: story.rescue_failed,
            quarantined: GtidSet::new(),
            todo,
            events: self.events_after(story.after_seq),
            last_good_unix_ms: served,
            outage_at_most_ms: served.filter(|_| open).map(|served| unix_ms().saturating_sub(served) as f64),
            aftermath: Vec::new(),
        }
    }

    fn events_after(&self, seq: u64) -> Vec<Event> {
        let log = self.log();
        log.events.iter().filter(|event| event.seq > seq).take(EVENTS).cloned().collect()
    }

    /// In memory at once; the disk follows.
    pub(crate) fn keep_report(&self, report: Report) {
        self.keeper().report(&report);
        self.log().recent.put(report);
    }

    /// Something became known of a report that is in memory: of the newest one that is meant.
    pub(crate) fn amend_report(
        &self,
        meant: impl Fn(&Report) -> bool,
        amend: impl FnOnce(&mut Report),
    ) -> bool {
        let amended = {
            let mut log = self.log();
            let Some(report) = log.recent.reports.iter_mut().rev().find(|report| meant(report)) else {
                return false;
            };
            amend(report);
            report.aftermath.truncate(AFTERMATH);
            report.clone()
        };
        self.keeper().report(&amended);
        true
    }

    /// Takes the newest report that is meant from the disk into memory; `false`: there is none.
    pub(crate) async fn recall_report(&self, meant: impl Fn(&ReportHead) -> bool) -> bool {
        let shelf = self.keeper().shelf();
        let Some(found) = self.read(move || shelf.reports()).await else { return false };
        let mine = |head: &&ReportHead| head.node == *self.node() && meant(head);
        let Some(id) = found.heads.iter().find(mine).map(|head| head.id.clone()) else { return false };
        let shelf = self.keeper().shelf();
        match self.read(move || shelf.report(&id)).await {
            Some(Ok(Some(report))) => {
                self.log().recent.put(report);
                true
            }
            _ => false,
        }
    }

    /// Of this node, newest first.
    pub(crate) async fn reports(&self) -> Reply {
        let shelf = self.keeper().shelf();
        let found = self.read(move || shelf.reports()).await;
        let mut heads: Vec<ReportHead> =
            self.log().recent.reports.iter().map(|report| report.head.clone()).collect();
        if let Some(found) = found {
            for damaged in found.damaged {
                tracing::warn!("a report is damaged and passed over: {damaged}");
            }
            let new: Vec<_> = found
                .heads
                .into_iter()
                .filter(|head| heads.iter().all(|known| known.id != head.id))
                .collect();
            heads.extend(new);
        }
        heads.sort_by(|a, b| (b.began_unix_ms, &b.id).cmp(&(a.began_unix_ms, &a.id)));
        heads.truncate(crate::keeper::REPORTS);
        Reply::Ok(Response::Reports { reports: heads })
    }

    /// One report of this node.
    pub(crate) async fn report(&self, id: String) -> Reply {
        let refused =
            |what: String, cure: &str| Reply::Refused(Refusal { what, cure: cure.to_owned(), ask: None });
        let in_memory = self.log().recent.reports.iter().find(|report| report.head.id == id).cloned();
        if let Some(report) = in_memory {
            return Reply::Ok(Response::Report(Box::new(report)));
        }
        let shelf = self.keeper().shelf();
        let name = crate::calls::printable(&id);
        match self.read(move || shelf.report(&id)).await {
            Some(Ok(Some(report))) => Reply::Ok(Response::Report(Box::new(report))),
            Some(Ok(None)) => {
                refused(format!("there is no report {name} here"), "list them: xenoncli failover list")
            }
            Some(Err(error)) => {
                refused(format!("report {name} cannot be read: {error}"), "look at the agent's own folder")
            }
            None => refused(
                "the disk of raft.meta-datadir does not answer".to_owned(),
                "look at that disk; the agent's log has every event",
            ),
        }
    }
}

/// The last reports, oldest first.
#[derive(Default)]
pub(crate) struct Recent {
    reports: VecDeque<Report>,
}

impl Recent {
    fn put(&mut self, report: Report) {
        self.reports.retain(|known| known.head.id != report.head.id);
        if self.reports.len() == RECENT {
            self.reports.pop_front();
        }
        self.reports.push_back(report);
    }
}

/// Each with how long it took itself; together as long as the whole.
fn phases_of(ended: &[(String, f64)], took_ms: f64, outcome: ReportOutcome) -> Vec<ReportPhase> {
    let mut before = 0.0;
    let mut phases: Vec<ReportPhase> = Vec::with_capacity(ended.len());
    for (name, at_ms) in ended {
        phases.push(ReportPhase { name: name.clone(), at_ms: *at_ms, took_ms: rounded(at_ms - before) });
        before = *at_ms;
    }
    if let (ReportOutcome::Promoted, Some(last)) = (outcome, phases.last_mut()) {
        // The last step opens the server; what follows until the report is made is no phase of its own.
        last.took_ms = rounded(last.took_ms + took_ms - before);
        last.at_ms = took_ms;
    }
    phases
}

fn rounded(ms: f64) -> f64 {
    (ms * 1e3).round() / 1e3
}

/// Names a report in the cluster, and sorts by time: `20261128T084343-5-10-0-0-1-8801`.
fn id_of(unix_ms: u64, term: u64, node: &NodeId) -> String {
    let node: String =
        node.as_str().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(100).collect();
    format!("{}-{term}-{node}", utc_stamp(unix_ms))
}

/// `20261128T084343`, UTC.
fn utc_stamp(unix_ms: u64) -> String {
    let seconds = unix_ms / 1000;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Counted from the first of March of the year 0, so that a leap day is the last of its year.
    let day = days + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = year_of_era + era * 400 + carry;
    format!("{year:04}{month:02}{date:02}T{:02}{:02}{:02}", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keeper::Keeper;
    use std::time::Duration;
    use xenon_api::EventKind;

    const ME: &str = "127.0.0.1:2";

    fn events(folder: &std::path::Path) -> Events {
        let (keeper, earlier) = Keeper::open(folder);
        Events::new(NodeId::new(ME), keeper, earlier)
    }

    fn ending(outcome: ReportOutcome, old: Option<&str>) -> Ending {
        Ending {
            outcome,
            term: 5,
            old_primary: old.map(NodeId::new),
            last_good_unix_ms: Some(unix_ms() - 1000),
            todo: Vec::new(),
        }
    }

    fn vote(node: &str, term: u64, granted: bool) -> ReportVote {
        ReportVote { node: NodeId::new(node), term, granted, why: String::new(), received: None }
    }

    #[test]
    fn stamps_are_those_of_the_calendar() {
        assert_eq!(utc_stamp(0), "19700101T000000");
        assert_eq!(utc_stamp(951_782_400_000), "20000229T000000");
        assert_eq!(utc_stamp(1_795_855_423_999), "20261128T084343");
        assert_eq!(id_of(0, 7, &NodeId::new("[::1]:80")), "19700101T000000-7----1--80");
    }

    #[tokio::test(start_paused = true)]
    async fn a_story_becomes_a_report_whose_phases_sum_up() {
        let folder = tempfile::tempdir().unwrap();
        let events = events(folder.path());
        events.push(EventKind::Agent, "before");
        events.story_begins("leader 127.0.0.1:1 of term 4 is not heard any more");
        events.push(EventKind::Election, "standing");
        tokio::time::advance(Duration::from_millis(3)).await;
        events.phase("frozen");
        tokio::time::advance(Duration::from_millis(4)).await;
        events.phase("open");
        events.story(|story| {
            story.stood = Some(5);
            story.vote(vote("127.0.0.1:3", 5, false));
            story.vote(vote("127.0.0.1:3", 5, true));
            (0..500).for_each(|n| story.evidence(format!("sentence {}", n % 90)));
        });
        tokio::time::advance(Duration::from_millis(1)).await;
        let story = events.promoted(5).unwrap();
        let report = events.report_of(story, ending(ReportOutcome::Promoted, Some("127.0.0.1:1")));
        assert_eq!(report.head.kind, ReportKind::Failover);
        assert_eq!(report.head.took_ms, 8.0);
        let sum: f64 = report.phases.iter().map(|phase| phase.took_ms).sum();
        assert!((sum - report.head.took_ms).abs() < 0.01, "{:?}", report.phases);
        assert!(report.outage_at_most_ms.is_some_and(|ms| ms >= 1000.0));
        assert_eq!(report.votes, [vote("127.0.0.1:3", 5, true)]);
        assert_eq!(report.evidence.len(), EVIDENCE);
        let texts: Vec<_> = report.events.iter().map(|event| event.text.as_str()).collect();
        assert_eq!(texts, ["standing"]);
        // Kept, found again by the next agent, and amended.
        events.keep_report(report.clone());
        assert!(
            events.amend_report(|report| report.head.term == 5, |report| report.aftermath.push("x".into()))
        );
        events.keeper().flush();
        let id = report.head.id.clone();
        let next = super::tests::events(folder.path());
        let Reply::Ok(Response::Report(again)) = next.report(id).await else { panic!("not found") };
        assert_eq!((again.head, again.aftermath), (report.head.clone(), vec!["x".to_owned()]));
        let Reply::Ok(Response::Reports { reports }) = next.reports().await else { panic!("no list") };
        assert_eq!(reports, [report.head]);
        assert!(matches!(next.report("../x".to_owned()).await, Reply::Refused(_)));
        // Its events, too, and the numbers go on.
        let before = events.page(0, Duration::ZERO).await.events;
        next.push(EventKind::Agent, "after");
        let after = next.page(0, Duration::ZERO).await.events;
        assert_eq!(after[..before.len()], before[..]);
        assert_eq!(after.last().unwrap().seq, before.last().unwrap().seq + 1);
    }

    #[tokio::test]
    async fn what_kind_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let events = events(folder.path());
        let kind = |told: Option<bool>, old: Option<&str>| {
            events.story_begins("x");
            events.story(|story| {
                story.told =
                    told.map(|planned| Told { planned, by: Some("a@b".into()), served_unix_ms: None });
            });
            let report = events.report_of(events.promoted(5).unwrap(), ending(ReportOutcome::Promoted, old));
            (report.head.kind, report.head.by)
        };
        let by = Some("a@b".to_owned());
        assert_eq!(kind(Some(true), Some("127.0.0.1:1")), (ReportKind::Switchover, by.clone()));
        assert_eq!(kind(Some(false), Some("127.0.0.1:1")), (ReportKind::Failover, by));
        assert_eq!(kind(None, None), (ReportKind::Start, None));
        assert_eq!(kind(None, Some(ME)), (ReportKind::Start, None));
    }

    #[tokio::test]
    async fn events_are_found_on_disk_when_memory_does_not_reach_back() {
        let folder = tempfile::tempdir().unwrap();
        let events = events(folder.path());
        for number in 0..2500 {
            events.push(EventKind::Step, format!("number {number}"));
            if number % 500 == 0 {
                events.keeper().flush();
            }
        }
        events.keeper().flush();
        let query = xenon_api::EventQuery { limit: 3, ..Default::default() };
        let found = events.find(query.clone()).await;
        let texts: Vec<_> = found.events.iter().map(|event| event.text.as_str()).collect();
        assert_eq!((texts, found.gap), (vec!["number 0", "number 1", "number 2"], false));
        let newest = events.find(xenon_api::EventQuery { newest: true, ..query }).await.events;
        assert_eq!(newest.last().unwrap().text, "number 2499");
        let long = "ä".repeat(5000);
        events.push(EventKind::Step, long);
        let last = events.find(xenon_api::EventQuery { newest: true, limit: 1, ..Default::default() }).await;
        assert!(last.events[0].text.len() < 4010 && last.events[0].text.ends_with('…'));
    }
}
