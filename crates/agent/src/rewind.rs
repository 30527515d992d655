//! W1: a primary's mysqld that has died is not started before it is known what a newer leader has, within bounds; then its
//! binlog is cut where that ends, or it is started as it is, and the reason told. What to do is decided by
//! [`xenon_plan::rewind`]; the files are `xenon-mysql`'s.

use crate::agent::Agent;
use crate::input::Input;
use crate::telling::Learnt;
use std::time::Duration;
use tokio::time::Instant;
use xenon_api::EventKind;
use xenon_election::{Event, NodeId, Replaced, State};
use xenon_gtid::{GtidSet, Uuid};
use xenon_mysql::{
    BinlogTail, DiskError, DiskLimits, Dropped, LogPlaces, Rewind, RewindError, TailTransaction,
    binlog_tail_outside, keep_tail, kept_bytes, kind_in_words, quarantine_of,
};
use xenon_plan::observation::ServerState;
use xenon_plan::rewind::{
    CURE, Compared, Decision, Facts, Named, NewLeader, Next, Tail, Waiting, decide, next,
};

/// How much is read, and for how long.
const LIMITS: DiskLimits = DiskLimits { bytes_max: 16 << 30, deadline: Duration::from_secs(60) };
/// A process that has begun to end holds its folder until the kernel has freed its memory, 80 ms a GB.
const END: Duration = Duration::from_secs(5);
/// Pause between two looks at it.
const PAUSE: Duration = Duration::from_millis(10);
/// A dead primary is not kept from starting for longer by leaders that come and go.
const LONGEST: Duration = Duration::from_secs(60);
/// So often a cut is tried whose disk says no.
const TRIES: u32 = 5;
/// Between two tries.
const AGAIN: Duration = Duration::from_secs(1);
/// A quarantine that holds more is told at each drop: nothing in it is ever removed by an agent.
const QUARANTINE_TELL: u64 = 1 << 30;
const QUARANTINE_FOLDERS_TELL: usize = 50;

/// What is going on about a dead mysqld.
#[derive(Default)]
pub(crate) struct Comeback {
    /// Since when it is dead, as far as this agent has seen it.
    since: Option<Instant>,
    /// Since then no leader is heard, if one was.
    alone_since: Option<Instant>,
    heard: Option<Heard>,
    compared: Option<(Compared, Box<Comparison>)>,
    job: Option<Job>,
    /// It may be started now.
    cleared: bool,
    /// Written down, and to be carried out or verified.
    pub(crate) rewind: Option<Box<Rewind>>,
    tries: u32,
    try_at: Option<Instant>,
    /// Why the node was not rewound: shown while it is INVALID.
    refused: Option<String>,
}

/// A leader of a newer term, since it was first heard.
struct Heard {
    id: NodeId,
    term: u64,
    since: Instant,
    /// Its look when it was first heard to be open.
    open_look: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Job {
    Comparing,
    Keeping,
    Cutting,
}

/// What a comparison of the files with a leader's set came to.
pub(crate) struct Comparison {
    tail: Result<Option<BinlogTail>, String>,
    leader_uuid: Uuid,
    term: u64,
    finally: bool,
}

/// A job has ended.
pub(crate) enum RewindNews {
    Compared(Box<Comparison>),
    Kept(Result<Box<Rewind>, String>),
    Cut(Result<(), RewindError>),
}

impl Comeback {
    /// What was under way when the agent ended.
    pub(crate) fn open(rewind: Option<Rewind>) -> Comeback {
        Comeback { rewind: rewind.map(Box::new), ..Comeback::default() }
    }

    /// mysqld may be started.
    pub(crate) fn is_cleared(&self) -> bool {
        self.cleared
    }

    /// Its files are being changed: nobody is to read them.
    pub(crate) fn is_cutting(&self) -> bool {
        self.job == Some(Job::Cutting) || self.rewind.as_ref().is_some_and(|rewind| !rewind.cut)
    }

    /// When the loop must look again though nothing came in.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        let waiting = self.since.is_some() && !self.cleared && self.job.is_none();
        let soon = waiting.then(|| Instant::now() + Duration::from_millis(100));
        self.try_at.or(soon)
    }

    /// It died, or runs again: what was known of its death is over.
    pub(crate) fn begin_anew(&mut self) {
        let rewind = self.rewind.take();
        let refused = self.refused.take();
        *self = Comeback { rewind, refused, ..Comeback::default() };
    }
}

impl Agent {
    /// What ends every turn of the loop, before the plan.
    pub(crate) async fn come_back(&mut self) {
        let local = &self.local;
        let held = self.rebuild.holds_mysqld();
        if local.is_running() || local.in_transit || !local.monitor || held || self.comeback.cleared {
            return;
        }
        let now = Instant::now();
        let since = *self.comeback.since.get_or_insert(now);
        // W2: somebody reads the end of its binlog, and is not to find it cut.
        if self.comeback.job.is_some() || self.start_is_held(now) {
            return;
        }
        if self.comeback.is_cutting() {
            return self.go_on_cutting(now).await;
        }
        self.hear_leader(now);
        let (Some(places), Some(_)) = (self.logs.places.clone(), self.core.record().config.as_ref()) else {
            return self.clear(None);
        };
        let waiting = Waiting {
            waited_ms: millis(now - self.comeback.alone_since.unwrap_or(since)),
            election_ms: millis(self.clock.election()),
            primary_in: self.life.primary_in(),
            leads: self.core.state() == State::Leader,
            needed: self.is_needed(now),
            leader: self
                .comeback
                .heard
                .as_ref()
                .map(|heard| heard.new_leader(now, self.core.followed().map(|(_, info)| info.look))),
            compared: self.comeback.compared.as_ref().map(|(compared, _)| *compared),
        };
        match next(&waiting) {
            Next::Start { why } => {
                let why = waiting.primary_in.is_some().then_some(why);
                self.clear(why);
            }
            Next::Wait { what } => self.local.doing = vec![what],
            Next::Compare { finally } => self.compare(places, finally),
            Next::Decide => self.decide_rewind(places),
        }
    }

    /// Whether too few others are heard to elect anyone. One that has just started has had no time to hear them.
    fn is_needed(&self, now: Instant) -> bool {
        let Some(config) = self.core.record().config.as_ref() else { return true };
        let lately = self.clock.election() * 2;
        if self.began.elapsed() < lately {
            return false;
        }
        let heard = |id: &&NodeId| self.heard.get(*id).is_some_and(|at| now - *at < lately);
        config.voters().filter(|id| *id != self.core.id()).filter(heard).count() < config.majority()
    }

    fn hear_leader(&mut self, now: Instant) {
        let term = self.core.record().term;
        let newer = self.life.primary_in().is_some_and(|own| term > own);
        let Some((id, info)) = self.core.followed().filter(|_| newer) else {
            if self.comeback.heard.take().is_some()
                && self.comeback.since.is_some_and(|at| now - at < LONGEST)
            {
                // It may be elected again.
                self.comeback.alone_since = Some(now);
            }
            self.comeback.compared = None;
            return;
        };
        let known = self.comeback.heard.take().filter(|heard| heard.id == *id && heard.term == term);
        if known.is_none() {
            self.comeback.compared = None;
        }
        let mut heard = known.unwrap_or(Heard { id: id.clone(), term, since: now, open_look: None });
        if info.open {
            heard.open_look.get_or_insert(info.look);
        }
        self.comeback.heard = Some(heard);
    }

    /// mysqld is started with the next plan.
    fn clear(&mut self, why: Option<String>) {
        self.comeback.cleared = true;
        if let Some(why) = why {
            self.events.push(EventKind::Mysqld, format!("mysqld is started as it is: {why}"));
            // Should the node turn out INVALID all the same.
            self.comeback.refused = Some(format!(
                "the crashed primary is not rewound (W1): it had to start before that: {why}. {CURE}"
            ));
        }
    }

    fn compare(&mut self, places: LogPlaces, finally: bool) {
        let Some((_, info)) = self.core.followed() else { return };
        let Some(leader_uuid) = info.server_uuid else { return };
        self.comeback.job = Some(Job::Comparing);
        let (set, term, inputs) = (info.received.clone(), self.core.record().term, self.inputs_for_task());
        self.local.doing =
            vec!["compare the dead mysqld's binlog with what the new leader has (W1)".to_owned()];
        tokio::spawn(async move {
            let tail = tail_outside(&places, &set).await;
            let comparison = Comparison { tail, leader_uuid, term, finally };
            let _ = inputs.send(Input::Rewind(RewindNews::Compared(Box::new(comparison)))).await;
        });
    }

    pub(crate) async fn on_rewind_news(&mut self, news: RewindNews) {
        self.comeback.job = None;
        match news {
            RewindNews::Compared(comparison) => {
                let current = self.comeback.heard.as_ref().is_some_and(|heard| heard.term == comparison.term);
                if current {
                    let outside = !matches!(comparison.tail, Ok(None));
                    let compared = Compared { finally: comparison.finally, outside };
                    self.comeback.compared = Some((compared, comparison));
                }
            }
            RewindNews::Kept(Ok(rewind)) => self.cut(rewind).await,
            RewindNews::Kept(Err(why)) => self.refuse(&why, CURE),
            RewindNews::Cut(Ok(())) => self.on_cut(),
            RewindNews::Cut(Err(error)) => self.on_not_cut(&error),
        }
    }

    fn decide_rewind(&mut self, places: LogPlaces) {
        let Some((_, comparison)) = &self.comeback.compared else { return };
        let (Some(server_uuid), Some(config)) = (places.server_uuid, self.core.record().config.as_ref())
        else {
            return self.refuse("it is not known whose data folder it is", CURE);
        };
        let facts = Facts {
            tail: comparison
                .tail
                .as_ref()
                .map(|tail| tail.as_ref().map_or_else(no_tail, tail_seen))
                .map_err(Clone::clone),
            server_uuid,
            markers: config.cluster,
            leader_uuid: comparison.leader_uuid,
            leader_term: comparison.term,
            life: self.life.known().cloned(),
            boot: crate::boot::boot_id(),
        };
        match (decide(&facts), &comparison.tail) {
            (Decision::Rewind { why }, Ok(Some(tail))) => {
                let tail = tail.clone();
                self.events.push(EventKind::Mysqld, format!("{why}: it is kept aside and cut off (W1)"));
                self.keep(places, tail, server_uuid, why);
            }
            (Decision::Refuse { condition, cure }, _) => self.refuse(&condition, &cure),
            (Decision::Start { why }, _) => self.clear(Some(why)),
            (Decision::Rewind { why }, _) => self.clear(Some(why)),
        }
    }

    /// The node will be INVALID.
    fn refuse(&mut self, condition: &str, cure: &str) {
        let text = format!("the crashed primary is not rewound (W1): {condition}. {cure}");
        self.events.push(EventKind::Trouble, text.clone());
        self.comeback.refused = Some(text);
        self.clear(None);
    }

    /// W3, before anything is changed.
    fn keep(&mut self, places: LogPlaces, tail: BinlogTail, old: Uuid, why: String) {
        self.comeback.job = Some(Job::Keeping);
        self.local.doing = vec!["keep the tail of the binlog aside (W3)".to_owned()];
        let dropped = Dropped {
            reason: "rewind".to_owned(),
            why,
            node: self.core.id().to_string(),
            server_uuid: old.to_string(),
            told_ok: "No client was told OK for any of them: their commits still waited for an acknowledgement when mysqld died"
                .to_owned(),
        };
        let (meta, inputs) = (self.config.raft.meta_datadir.clone(), self.inputs_for_task());
        let new = crate::chance::uuid();
        tokio::spawn(async move {
            let work = move || {
                let folder = keep_tail(&meta, &tail, dropped).map_err(|error| error.to_string())?;
                let rewind =
                    Rewind::of(&places, &tail, old, new, folder).map_err(|error| error.to_string())?;
                Ok(Box::new(rewind))
            };
            let kept = tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(error.to_string()));
            let _ = inputs.send(Input::Rewind(RewindNews::Kept(kept))).await;
        });
    }

    async fn cut(&mut self, rewind: Box<Rewind>) {
        // Meanwhile the term may have become another one, or this node a candidate: what was compared holds all the same, for
        // whoever leads later has what that leader was elected with (I2).
        let quarantine = rewind.quarantine.display();
        self.events.push(EventKind::Mysqld, format!("the tail of the binlog is kept in {quarantine} (W3)"));
        let what = format!(
            "{} transaction(s) that nobody had acknowledged are set aside in {quarantine} on {} (W3)",
            rewind.gtids.count(),
            self.core.id()
        );
        let quarantined = rewind.gtids.clone();
        self.tell_leader(Learnt { what, quarantined, decide: true });
        let (bytes, folders) = kept_bytes(&self.config.raft.meta_datadir);
        if bytes > QUARANTINE_TELL || folders > QUARANTINE_FOLDERS_TELL {
            self.events.push(
                EventKind::Trouble,
                format!(
                    "the quarantine holds {} MB in {folders} folders: look through it, and remove what nobody needs ({})",
                    bytes >> 20,
                    quarantine_of(&self.config.raft.meta_datadir).display()
                ),
            );
        }
        self.comeback.rewind = Some(rewind);
        self.go_on_cutting(Instant::now()).await;
    }

    /// S3 first: the record must expect what is done now. Also after a restart of the agent.
    async fn go_on_cutting(&mut self, now: Instant) {
        if self.comeback.try_at.is_some_and(|at| at > now) {
            return;
        }
        self.comeback.try_at = None;
        let Some(rewind) = self.comeback.rewind.clone() else { return };
        let server_uuid = rewind.new_server_uuid;
        if self.core.record().server_uuid != Some(server_uuid) {
            let reason = format!(
                "{} transaction(s) that nobody acknowledged were cut off this crashed primary's binlog",
                rewind.gtids.count()
            );
            self.step(Event::DataReplaced { by: Replaced::Rewound { server_uuid }, reason }).await;
        }
        if self.core.record().server_uuid != Some(server_uuid) || !self.core.is_saved() {
            return self.give_up("the agent's record cannot be saved, or this node leads");
        }
        self.comeback.job = Some(Job::Cutting);
        self.local.doing = vec!["cut the tail off the binlog (W1)".to_owned()];
        let (meta, inputs) = (self.config.raft.meta_datadir.clone(), self.inputs_for_task());
        tokio::spawn(async move {
            let work = move || {
                rewind.save(&meta)?;
                rewind.carry_out()?;
                rewind.done().save(&meta)
            };
            let cut = tokio::task::spawn_blocking(work).await;
            let cut = cut.unwrap_or_else(|error| {
                let source = std::io::Error::other(error);
                Err(RewindError::Io { doing: "work on", path: std::path::PathBuf::new(), source })
            });
            let _ = inputs.send(Input::Rewind(RewindNews::Cut(cut))).await;
        });
    }

    fn on_cut(&mut self) {
        let Some(rewind) = &mut self.comeback.rewind else { return };
        rewind.cut = true;
        let (uuid, count) = (rewind.new_server_uuid, rewind.gtids.count());
        self.events.push(
            EventKind::Mysqld,
            format!(
                "{count} transaction(s) cut off the binlog; the server goes on as server_uuid {uuid} (I4)"
            ),
        );
        if let Some(places) = &self.logs.places {
            self.on_logs(LogPlaces { server_uuid: Some(uuid), ..places.clone() });
        }
        self.clear(None);
    }

    fn on_not_cut(&mut self, error: &RewindError) {
        self.comeback.tries += 1;
        if matches!(error, RewindError::Io { .. }) && self.comeback.tries < TRIES {
            self.events
                .push(EventKind::Trouble, format!("the binlog could not be cut: {error}; trying again"));
            self.comeback.try_at = Some(Instant::now() + AGAIN);
            return;
        }
        self.give_up(&error.to_string());
    }

    /// Every step of it is harmless by itself, so the server may start as far as it has come.
    fn give_up(&mut self, why: &str) {
        self.comeback.rewind = None;
        if let Err(error) = Rewind::forget(&self.config.raft.meta_datadir) {
            tracing::warn!(%error, "a rewind that was given up is tried again when the agent starts");
        }
        self.refuse(why, CURE);
    }

    /// The server answers after its rewind: has recovery undone what was cut off, and nothing else?
    pub(crate) fn verify_rewind(&mut self, state: &ServerState) {
        let Some(rewind) = &self.comeback.rewind else { return };
        let quarantine = rewind.quarantine.display().to_string();
        if state.server_uuid == rewind.new_server_uuid {
            let kept = state.executed.intersect(&rewind.gtids);
            let lost = rewind.expected.subtract(&state.executed);
            let outcome = if kept.is_empty() && lost.is_empty() { "done" } else { "failed" };
            *self.tally.rewinds.entry(outcome).or_default() += 1;
            match (kept.is_empty(), lost.is_empty()) {
                (true, true) => self.events.push(
                    EventKind::Mysqld,
                    format!("rewound: gtid_executed is what it was without the tail, which is kept in {quarantine}"),
                ),
                (false, _) => self.tell_failed(format!(
                    "{kept} were cut off the binlog and are committed all the same, so this node stays INVALID (kept in \
                     {quarantine}). {CURE}"
                )),
                (true, false) => self.tell_failed(format!(
                    "after the rewind {lost} are missing here: rebuild this node (xenoncli mysql rebuildme)"
                )),
            }
        } else {
            let found = state.server_uuid;
            *self.tally.rewinds.entry("failed").or_default() += 1;
            self.tell_failed(format!(
                "a rewind was begun, and the server that runs has server_uuid {found}: it is given up"
            ));
        }
        self.comeback.rewind = None;
        let meta = self.config.raft.meta_datadir.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = Rewind::forget(&meta) {
                tracing::warn!(%error, "the note of a rewind that is done could not be removed");
            }
        });
    }

    fn tell_failed(&mut self, text: String) {
        self.events.push(EventKind::Trouble, text.clone());
        self.comeback.refused = Some(text);
    }

    /// Why an INVALID node was not rewound.
    pub(crate) fn not_rewound(&self) -> Option<String> {
        self.comeback.refused.clone().filter(|_| self.core.state() == State::Invalid)
    }
}

impl Heard {
    fn new_leader(&self, now: Instant, look: Option<u64>) -> NewLeader {
        NewLeader {
            open: self.open_look.is_some(),
            looked: matches!((self.open_look, look), (Some(first), Some(look)) if look > first),
            heard_ms: millis(now - self.since),
        }
    }
}

async fn tail_outside(places: &LogPlaces, set: &GtidSet) -> Result<Option<BinlogTail>, String> {
    let until = Instant::now() + END;
    loop {
        match binlog_tail_outside(places, set, LIMITS).await {
            Ok(tail) => return Ok(tail),
            // It is on its way out.
            Err(DiskError::Running { .. }) if Instant::now() < until => tokio::time::sleep(PAUSE).await,
            Err(error) => return Err(error.to_string()),
        }
    }
}

fn no_tail() -> Tail {
    Tail {
        gtids: GtidSet::new(),
        count: 0,
        inside_after: None,
        in_use: true,
        in_earlier_file: None,
        not_undone: None,
    }
}

fn tail_seen(tail: &BinlogTail) -> Tail {
    let named = |first: &TailTransaction| Named { gtid: first.gtid, what: kind_in_words(first).to_owned() };
    Tail {
        gtids: tail.gtids.clone(),
        count: tail.count,
        inside_after: tail.inside_after,
        in_use: tail.in_use,
        in_earlier_file: tail.in_earlier_file.as_ref().map(named),
        not_undone: tail.not_undone.as_ref().map(named),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
