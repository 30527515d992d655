//! What happened: one sentence each, to the log, to a bounded list that operators read, and to the disk.

use crate::keeper::Keeper;
use crate::reports::{Recent, Story};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use xenon_api::{Event, EventKind, EventPage, EventQuery, TimingStatus};
use xenon_election::NodeId;

/// Events kept.
const KEPT: usize = 2000;
/// Events in one page.
const PAGE: usize = 500;
/// The longest text of one, bytes: what servers and operators say has no bound of its own.
const TEXT: usize = 4000;
/// A look at the disk takes no longer, or is done without.
const READ: Duration = Duration::from_secs(3);
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
    keeper: Keeper,
    /// One look at the disk at a time: one that hangs must not take up every thread there is.
    reading: Semaphore,
}

#[derive(Default)]
pub(crate) struct Log {
    pub(crate) last_seq: u64,
    /// Of all events since the start, by the kind's word.
    counts: BTreeMap<&'static str, u64>,
    pub(crate) events: VecDeque<Event>,
    pub(crate) story: Option<Story>,
    /// One that came to nothing and was not told of yet.
    pub(crate) faded: Option<Story>,
    pub(crate) last_promotion: Option<TimingStatus>,
    pub(crate) recent: Recent,
}

impl Events {
    /// With the newest events of earlier, oldest first.
    pub(crate) fn new(node: NodeId, keeper: Keeper, earlier: Vec<Event>) -> Events {
        // Where nothing is known of earlier ones: greater than any number that can have been given out.
        let last_seq = earlier.iter().map(|event| event.seq).max().unwrap_or_else(unix_ms);
        let events = earlier.into_iter().rev().take(KEPT).rev().collect();
        let inner = Inner {
            node,
            started_unix_ms: unix_ms(),
            log: Mutex::new(Log { last_seq, events, ..Log::default() }),
            news: Notify::new(),
            keeper,
            reading: Semaphore::new(1),
        };
        Events { inner: Arc::new(inner) }
    }

    pub(crate) fn node(&self) -> &NodeId {
        &self.inner.node
    }

    pub(crate) fn keeper(&self) -> &Keeper {
        &self.inner.keeper
    }

    pub(crate) fn log(&self) -> std::sync::MutexGuard<'_, Log> {
        self.inner.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something happened.
    pub(crate) fn push(&self, kind: EventKind, text: impl Into<String>) {
        let text = shortened(text.into());
        let event = {
            let mut log = self.log();
            log.last_seq += 1;
            *log.counts.entry(kind.word()).or_default() += 1;
            let now = Instant::now();
            if log.story.as_ref().is_some_and(|story| now - story.last > STORY_IDLE) {
                log.faded = log.story.take();
            }
            let since_start_ms = log.story.as_mut().map(|story| {
                story.last = now;
                story.since_ms(now)
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
        self.inner.keeper.event(&event);
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
            let begun = Story::begin(now, cause, log.last_seq);
            if let Some(before) = log.story.replace(begun) {
                log.faded = Some(before);
            }
        }
    }

    /// Something is added to the story under way.
    pub(crate) fn story(&self, tell: impl FnOnce(&mut Story)) {
        if let Some(story) = &mut self.log().story {
            tell(story);
        }
    }

    /// A phase of it has ended.
    pub(crate) fn phase(&self, name: &str) {
        let now = Instant::now();
        self.story(|story| story.phase(name, now));
    }

    /// This node is the open primary: the story ends well.
    pub(crate) fn promoted(&self, term: u64) -> Option<Story> {
        let mut log = self.log();
        let story = log.story.take()?;
        log.last_promotion =
            Some(TimingStatus { term, cause: story.cause.clone(), phases: story.phases.clone() });
        Some(story)
    }

    /// It is over without a promotion here.
    pub(crate) fn story_ends(&self) -> Option<Story> {
        self.log().story.take()
    }

    /// One that came to nothing because nothing more happened.
    pub(crate) fn story_faded(&self) -> Option<Story> {
        let mut log = self.log();
        if log.story.as_ref().is_some_and(|story| story.last.elapsed() > STORY_IDLE) {
            return log.story.take();
        }
        log.faded.take()
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
        self.page_of(events, gap)
    }

    fn page_of(&self, events: Vec<Event>, gap: bool) -> EventPage {
        EventPage { events, agent_started_unix_ms: self.inner.started_unix_ms, gap }
    }

    /// What is asked for, from memory and, where that does not reach back far enough, from the disk.
    pub(crate) async fn find(&self, query: EventQuery) -> EventPage {
        let (in_memory, oldest) = {
            let log = self.log();
            let oldest = log.events.front().map(|event| (event.seq, event.unix_ms));
            (query.pick(log.events.iter().cloned()), oldest)
        };
        let limit = query.limit.clamp(1, EventQuery::LIMIT_MAX) as usize;
        let Some((before, oldest_unix_ms)) = oldest else { return self.page_of(in_memory, false) };
        // Times of a clock that was set back are not in order; the numbers are.
        let reaches = query.after + 1 >= before || query.since_unix_ms > oldest_unix_ms;
        if reaches || query.newest && in_memory.len() >= limit {
            return self.page_of(in_memory, false);
        }
        let shelf = self.inner.keeper.shelf();
        let asked = query.clone();
        let read = self.read(move || shelf.events(&asked, before)).await;
        let gap = read.is_none();
        let all = read.unwrap_or_default().into_iter().chain(in_memory);
        self.page_of(query.pick(all), gap)
    }

    /// Reads from the disk on a thread that may wait for it; `None` when that takes too long.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let begun = async {
            let _one_at_a_time = self.inner.reading.acquire().await.ok()?;
            tokio::task::spawn_blocking(read).await.ok()
        };
        tokio::time::timeout(READ, begun).await.ok().flatten()
    }
}

/// Cut at a character's end.
fn shortened(mut text: String) -> String {
    if text.len() > TEXT {
        let end = text.floor_char_boundary(TEXT);
        text.truncate(end);
        text.push('…');
    }
    text
}

pub(crate) fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
