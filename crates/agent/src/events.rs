//! What happened: one sentence each, to the log and to a bounded list that operators read.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;
use tokio::time::Instant;
use xenon_api::{Event, EventKind, EventPage, TimingStatus};
use xenon_election::NodeId;

/// Events kept.
const KEPT: usize = 2000;
/// Events in one page.
const PAGE: usize = 500;
/// A story in which nothing happened for so long is over.
const STORY_IDLE: Duration = Duration::from_secs(30);

/// The list; a clone is another handle of it.
#[derive(Clone)]
pub(crate) struct Events {
    inner: Arc<Inner>,
}

struct Inner {
    node: NodeId,
    started_unix_ms: u64,
    log: Mutex<Log>,
    news: Notify,
}

#[derive(Default)]
struct Log {
    last_seq: u64,
    /// Of all events since the start, by the kind's word.
    counts: BTreeMap<&'static str, u64>,
    events: VecDeque<Event>,
    story: Option<Story>,
    last_promotion: Option<TimingStatus>,
}

/// A failover or handover as this node sees it.
struct Story {
    began: Instant,
    last: Instant,
    cause: String,
    phases: Vec<(String, f64)>,
}

impl Events {
    pub(crate) fn new(node: NodeId) -> Events {
        let inner = Inner { node, started_unix_ms: unix_ms(), log: Mutex::default(), news: Notify::new() };
        Events { inner: Arc::new(inner) }
    }

    fn log(&self) -> std::sync::MutexGuard<'_, Log> {
        self.inner.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something happened.
    pub(crate) fn push(&self, kind: EventKind, text: impl Into<String>) {
        let text = text.into();
        let event = {
            let mut log = self.log();
            log.last_seq += 1;
            *log.counts.entry(kind.word()).or_default() += 1;
            let now = Instant::now();
            if log.story.as_ref().is_some_and(|story| now - story.last > STORY_IDLE) {
                log.story = None;
            }
            let since_start_ms = log.story.as_mut().map(|story| {
                story.last = now;
                millis(now - story.began)
            });
            let event = Event {
                seq: log.last_seq,
                unix_ms: unix_ms(),
                node: self.inner.node.clone(),
                kind,
                text,
                since_start_ms,
            };
            if log.events.len() == KEPT {
                log.events.pop_front();
            }
            log.events.push_back(event.clone());
            event
        };
        let (kind, text) = (event.kind.word(), &event.text);
        // The milliseconds of a failover or handover stand first: the log is read as a story.
        match (event.kind, event.since_start_ms) {
            (EventKind::Trouble, Some(ms)) => tracing::warn!(kind, ms, "[+{ms:.1} ms] {text}"),
            (EventKind::Trouble, None) => tracing::warn!(kind, "{text}"),
            (_, Some(ms)) => tracing::info!(kind, ms, "[+{ms:.1} ms] {text}"),
            (_, None) => tracing::info!(kind, "{text}"),
        }
        self.inner.news.notify_waiters();
    }

    /// A failover or handover begins here, unless one is under way.
    pub(crate) fn story_begins(&self, cause: &str) {
        let now = Instant::now();
        let mut log = self.log();
        if log.story.as_ref().is_none_or(|story| now - story.last > STORY_IDLE) {
            log.story = Some(Story { began: now, last: now, cause: cause.to_owned(), phases: Vec::new() });
        }
    }

    /// A phase of it has ended.
    pub(crate) fn phase(&self, name: &str) {
        let now = Instant::now();
        if let Some(story) = &mut self.log().story
            && story.phases.len() < 100
        {
            story.last = now;
            story.phases.push((name.to_owned(), millis(now - story.began)));
        }
    }

    /// This node is the open primary: the story ends well.
    pub(crate) fn promoted(&self, term: u64) -> Option<TimingStatus> {
        let mut log = self.log();
        let story = log.story.take()?;
        let timing = TimingStatus { term, cause: story.cause, phases: story.phases };
        log.last_promotion = Some(timing.clone());
        Some(timing)
    }

    /// It is over without a promotion here.
    pub(crate) fn story_ends(&self) {
        self.log().story = None;
    }

    /// How many there were of each kind.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.log().counts.clone()
    }

    /// When the agent started, milliseconds since 1970.
    pub(crate) fn started_unix_ms(&self) -> u64 {
        self.inner.started_unix_ms
    }

    pub(crate) fn last_promotion(&self) -> Option<TimingStatus> {
        self.log().last_promotion.clone()
    }

    /// Events after `after`; waits up to `wait` for one.
    pub(crate) async fn page(&self, after: u64, wait: Duration) -> EventPage {
        let until = Instant::now() + wait;
        loop {
            let news = self.inner.news.notified();
            tokio::pin!(news);
            // Registered before looking, so that nothing is missed in between.
            news.as_mut().enable();
            let page = self.page_now(after);
            if !page.events.is_empty() || tokio::time::timeout_at(until, news).await.is_err() {
                return page;
            }
        }
    }

    fn page_now(&self, after: u64) -> EventPage {
        let log = self.log();
        let events: Vec<_> =
            log.events.iter().filter(|event| event.seq > after).take(PAGE).cloned().collect();
        let gap = events.first().is_some_and(|event| event.seq > after + 1 && after > 0);
        EventPage { events, agent_started_unix_ms: self.inner.started_unix_ms, gap }
    }
}

fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
