//! W4: building this node anew. The loop owns the job and its phases; workers do one phase each and report back.
//!
//! Level-triggered like everything here: [`Agent::drive_rebuild`] looks at the phase and at what runs, and starts what is
//! next. Every phase is in the journal before it begins, so an agent that was killed goes on (`xenon_plan::rebuild::resume`).

mod auto;
mod calls;
mod check;
mod hold;
mod job;
mod journal;
mod news;
mod restore;
mod streamed;
mod turns;

use job::Work;
pub(crate) use job::{Job, News, Progress, bytes};

use crate::agent::Agent;
use crate::hands;
use crate::input::Input;
use check::Checked;
use job::{Attempt, START_BOUND};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;
use xenon_api::EventKind;
use xenon_election::{Directive, Event, NodeId, Replaced, State};
use xenon_gtid::GtidSet;
use xenon_plan::health::Verdict;
use xenon_plan::observation::ReceiverState;
use xenon_plan::rebuild::{Ended, Journal, Phase, Resume, pause_before_try_s};

/// How long one statement may take that makes a copy a server of its own.
const STATEMENT: Duration = Duration::from_secs(10);
/// A server that does not let the agent in with the donor's accounts is not waited for any longer.
const DENIED: Duration = Duration::from_secs(5);

/// All that an agent knows of rebuilds: its own, and as the leader that of others.
pub(crate) struct Rebuild {
    /// The journal's file.
    pub(crate) file: PathBuf,
    pub(crate) job: Option<Job>,
    /// As the leader: who was let, and until when that holds unless asked for again.
    pub(crate) turn: Option<(NodeId, Instant)>,
    pub(crate) auto: auto::Auto,
    pub(crate) last_work: u64,
}

impl Rebuild {
    pub(crate) fn new(folder: &std::path::Path) -> Self {
        Self { file: journal::file(folder), job: None, turn: None, auto: auto::Auto::default(), last_work: 0 }
    }

    /// The phase under way.
    pub(crate) fn phase(&self) -> Option<Phase> {
        self.job.as_ref().filter(|job| job.is_active()).map(|job| job.journal.phase)
    }

    /// Nobody else may start mysqld.
    pub(crate) fn holds_mysqld(&self) -> bool {
        self.phase().is_some_and(Phase::holds_mysqld)
    }

    /// The server's role waits.
    pub(crate) fn holds_role(&self) -> bool {
        self.phase().is_some_and(Phase::holds_role)
    }
}

impl Agent {
    /// Before the loop begins: what an earlier agent has left half done.
    pub(crate) async fn take_up_rebuild(&mut self) {
        hands::forget_given(&self.config.raft.meta_datadir).await;
        let Some(journal::Kept { mut journal, places }) = journal::load(&self.rebuild.file) else { return };
        let disk = hands::on_disk(&places).await;
        let resume = xenon_plan::rebuild::resume(&journal, disk);
        let phase = journal.phase;
        let what = match resume {
            Resume::Nothing if journal.ended.is_none() => {
                journal.ended = Some(Ended::Cancelled);
                format!(
                    "the {} that was at \"{phase}\" is over: the data folder holds other data now",
                    journal.word()
                )
            }
            Resume::Nothing => return self.rebuild.job = Some(Job::new(journal, places)),
            Resume::Anew => {
                journal.phase = Phase::Check;
                journal.last_error = format!("the agent ended at \"{phase}\"");
                format!(
                    "the {} that was at \"{phase}\" begins anew; nothing of the old data was touched",
                    journal.word()
                )
            }
            Resume::At(to) => {
                journal.phase = to;
                format!("the {} that was at \"{phase}\" goes on with \"{to}\"", journal.word())
            }
        };
        self.events.push(EventKind::Job, what.clone());
        let mut job = Job::new(journal, places);
        job.line(what);
        self.rebuild.job = Some(job);
    }

    /// Called at the end of every turn of the loop.
    pub(crate) async fn drive_rebuild(&mut self) {
        self.renew_turn();
        let now = Instant::now();
        let Some(job) = self.rebuild.job.as_mut().filter(|job| job.is_active()) else {
            return self.consider_rebuild();
        };
        if job.work.is_some() || job.again.is_some_and(|at| at > now) || self.pauses_here() {
            return;
        }
        let Some(job) = &mut self.rebuild.job else { return };
        job.again = None;
        match job.journal.phase {
            Phase::Check => self.check_for_rebuild(),
            Phase::Copy => self.copy_for_rebuild(),
            Phase::Verify => {
                let order = self.copy_order();
                self.work(|tell| async move { What::Verified(hands::verify(&order, &tell).await) });
            }
            Phase::Stop => self.stop_for_rebuild().await,
            Phase::Swap => {
                let order = self.copy_order();
                self.work(|_| async move { What::Swapped(hands::swap(&order).await) });
            }
            Phase::Start => self.start_for_rebuild(),
            Phase::Follow => self.look_whether_it_follows(),
            Phase::Clean => {
                let order = self.copy_order();
                self.work(|_| async move { What::Cleaned(hands::clean(&order).await) });
            }
            Phase::PutBack => self.put_back(),
        }
    }

    fn copy_for_rebuild(&mut self) {
        let order = self.copy_order();
        let backup = self.rebuild.job.as_ref().and_then(|job| job.journal.backup.clone());
        if let Some(backup) = backup {
            return self.work(|tell| async move {
                What::Copied(hands::copy_backup(&order, backup.as_ref(), &tell).await)
            });
        }
        let own = self.local.server.is_some() && self.local.health.verdict() == Verdict::Serving;
        // A server whose files were deleted cannot be trusted to read its own plugins, and is about to end.
        let own = own && !self.watch.faults.folder.is_lost();
        self.work(|tell| async move { What::Copied(hands::copy(&order, own, &tell).await) });
    }

    /// W4: the copy is proved; from here on this node's own data is touched. V4: until the swap this node votes from its
    /// old files.
    async fn stop_for_rebuild(&mut self) {
        if self.leads() {
            return self.attempt_failed("this node leads now, and a leader is not rebuilt", true);
        }
        if self.core.state() == State::Candidate || self.comeback.is_cutting() {
            return;
        }
        let Some(job) = &self.rebuild.job else { return };
        // A restore onto a fresh node gives up nothing, and may have no cluster yet.
        let asked_again = job.may_stop || job.journal.force || job.journal.backup.is_some();
        if self.local.mysqld.is_some() && job.killed.is_none() && !asked_again {
            let order = self.check_order(None, false, true);
            return self.work(|_| async move { What::MayStop(check::still_permitted(order).await) });
        }
        if self.end_mysqld_for_rebuild() {
            return;
        }
        let donor = self.donor_name();
        let by = Replaced::Copied;
        let reason = format!("its data was replaced by a copy of {donor}'s");
        self.step(Event::DataReplaced { by, reason }).await;
        let record = self.core.record();
        // S3: nothing is changed in the folder before the doubt is on disk.
        let told = record.doubt.is_some() || record.term == 0 || record.config.is_none();
        if !self.core.is_saved() || !told {
            return self
                .attempt_failed("the agent's record could not be saved, so the data stays as it is", true);
        }
        self.logs.forget();
        self.enter(
            Phase::Swap,
            format!("S8  mysqld is down: the old data is moved aside, the copy of {donor} takes its place"),
        );
    }

    /// Says whether it is still there.
    fn end_mysqld_for_rebuild(&mut self) -> bool {
        let Some(job) = &mut self.rebuild.job else { return true };
        if self.local.mysqld.is_some() {
            if job.killed.is_none_or(|at| at.elapsed() > Duration::from_secs(1)) {
                job.killed = Some(Instant::now());
                self.kill_mysqld("a rebuild puts other data in its place");
            }
            return true;
        }
        if self.local.server.is_some() {
            self.attempt_failed(
                "mysqld answers, but its process is not known to the agent, so it cannot be ended",
                true,
            );
            return true;
        }
        self.local.in_transit
    }

    fn start_for_rebuild(&mut self) {
        let Some(job) = &mut self.rebuild.job else { return };
        match job.attempt.clone() {
            Attempt::NotYet => {
                job.attempt = Attempt::Begun(Instant::now());
                self.local.restarts.reset();
                if self.local.mysqld.is_none() && !self.local.in_transit {
                    self.start_mysqld();
                }
            }
            Attempt::Failed(why) => {
                let why = format!("mysqld does not start on the copy: {why}");
                self.enter_put_back(&why);
            }
            Attempt::Begun(at) => {
                let serves = self.local.server.is_some() && self.local.health.verdict() == Verdict::Serving;
                if serves {
                    let wanted =
                        job.journal.donor.as_ref().map(|donor| donor.executed.clone()).unwrap_or_default();
                    let door = self.means.door.clone();
                    return self.work(|_| async move { What::Settled(settle(&door, &wanted).await) });
                }
                let denied = self.local.look_error.contains("access denied");
                if denied && at.elapsed() > DENIED {
                    let why = format!(
                        "the copy has the donor's accounts, and this agent's is not among them: {}",
                        self.local.look_error
                    );
                    return self.enter_put_back(&why);
                }
                if at.elapsed() > START_BOUND {
                    self.enter_put_back("mysqld does not answer on the copy");
                }
            }
        }
    }

    /// It replicates from the leader, has nothing that the leader lacks, and is in no doubt.
    fn follows_well(&self) -> bool {
        let follows = self.local.server.as_ref().and_then(|server| server.replication.as_ref()).is_some_and(
            |replication| replication.receiver == ReceiverState::Running && replication.applier_running,
        );
        let state = self.core.state();
        let settled = matches!(state, State::Follower | State::Learner | State::Idle);
        // S3: the doubt goes when it has what the leader had; a leader meanwhile has all there is (I2).
        let caught_up = self.core.record().doubt.is_none();
        settled && follows && caught_up
    }

    fn look_whether_it_follows(&mut self) {
        if self.core.record().config.is_none() {
            let line = "mysqld serves the backup's data, read-only; this node belongs to no cluster yet (take it in, or \
                        form one: xenoncli cluster add)";
            return self.enter(Phase::Clean, line.to_owned());
        }
        if !self.follows_well() && !self.core.is_open_leader() {
            return;
        }
        self.enter(
            Phase::Clean,
            "S16-S18  this node follows again and has caught up; the old data is removed".to_owned(),
        );
    }

    fn put_back(&mut self) {
        if self.end_mysqld_for_rebuild() {
            return;
        }
        self.logs.forget();
        let order = self.copy_order();
        self.work(|_| async move { What::PutBack(hands::put_back(&order).await) });
    }

    fn enter_put_back(&mut self, why: &str) {
        if let Some(job) = &mut self.rebuild.job {
            why.clone_into(&mut job.journal.last_error);
            (job.killed, job.may_stop) = (None, false);
        }
        self.enter(Phase::PutBack, format!("{why}; the old data is put back"));
    }

    /// S3: the doubt that a copy brings says nothing of holes, and data that had some is back. Such a node does not stand.
    pub(crate) fn holes_are_back(&self) -> Option<String> {
        let journal = self.rebuild.job.as_ref().map(|job| &job.journal)?;
        let back = journal.put_back && journal.holes && journal.ended != Some(Ended::Done);
        (back && self.core.record().doubt.is_some())
            .then(|| "its old data, which may lack transactions in the middle, was put back (S3)".to_owned())
    }

    /// mysqld has ended, or could not be started at all.
    pub(crate) fn copy_did_not_start(&mut self, why: &str) {
        if let Some(job) = self.rebuild.job.as_mut().filter(|job| job.is_active())
            && job.journal.phase == Phase::Start
            && matches!(job.attempt, Attempt::Begun(_))
        {
            job.attempt = Attempt::Failed(why.to_owned());
        }
    }

    /// The core leads, even if it serves nobody at the moment.
    pub(crate) fn leads(&self) -> bool {
        self.core.state() == State::Leader
            || matches!(self.core.directive(), Directive::Lead { .. } | Directive::Suspend { .. })
    }

    fn donor_name(&self) -> String {
        let donor = self.rebuild.job.as_ref().and_then(|job| job.journal.donor.as_ref());
        donor.map(|donor| donor.id.clone()).unwrap_or_default()
    }

    /// The next phase; the journal has it before anything is done for it.
    pub(crate) fn enter(&mut self, phase: Phase, line: String) {
        let Some(job) = &mut self.rebuild.job else { return };
        job.journal.phase = phase;
        job.attempt = Attempt::NotYet;
        (job.killed, job.may_stop) = (None, false);
        job.line(line.clone());
        self.events.push(EventKind::Job, line);
        self.note_journal();
    }

    /// It begins anew after a pause, or is given up.
    pub(crate) fn attempt_failed(&mut self, why: &str, may_repeat: bool) {
        let Some(job) = &mut self.rebuild.job else { return };
        why.clone_into(&mut job.journal.last_error);
        let number = job.journal.tries + 1;
        // A backup that is damaged or does not start will not be better the next time.
        let may_repeat = may_repeat && job.journal.backup.is_none();
        let pause = pause_before_try_s(number, job.journal.automatic).filter(|_| may_repeat);
        let word = job.journal.word();
        let at = job.journal.phase;
        let text = match pause {
            Some(seconds) => {
                job.journal.phase = Phase::Check;
                job.again = Some(Instant::now() + Duration::from_secs(seconds));
                format!("the {word} failed at \"{at}\": {why}; try {number} begins in {seconds} s")
            }
            None => {
                job.journal.ended = Some(Ended::Failed);
                format!("the {word} was given up at \"{at}\": {why}")
            }
        };
        job.line(text.clone());
        self.events.push(EventKind::Trouble, text);
        self.end_turn_if_over();
        self.note_journal();
    }

    /// Writes the journal; what follows waits for it, since a journal under way is work.
    fn note_journal(&mut self) {
        let Some(job) = &self.rebuild.job else { return };
        let kept = journal::Kept { journal: job.journal.clone(), places: job.places.clone() };
        let file = self.rebuild.file.clone();
        self.work(|_| async move { What::Noted(journal::save(&file, kept).await) });
    }

    /// Starts a worker; it is the only one.
    fn work<F>(&mut self, what: impl FnOnce(hands::Tell) -> F)
    where
        F: Future<Output = What> + Send + 'static,
    {
        self.rebuild.last_work += 1;
        let id = self.rebuild.last_work;
        let inputs = self.inputs.clone();
        let (tell, mut told) = tokio::sync::mpsc::channel(16);
        let future = what(tell);
        let reports = inputs.clone();
        let task = tokio::spawn(async move {
            let mut future = std::pin::pin!(future);
            let what = loop {
                tokio::select! {
                    what = &mut future => break what,
                    Some(told) = told.recv() => {
                        let news = News { work: id, what: What::Told(told) };
                        if reports.send(Input::Rebuild(Box::new(news))).await.is_err() { return }
                    }
                }
            };
            // What it told last comes before that it has ended.
            while let Ok(told) = told.try_recv() {
                let news = News { work: id, what: What::Told(told) };
                let _ = reports.send(Input::Rebuild(Box::new(news))).await;
            }
            let _ = reports.send(Input::Rebuild(Box::new(News { work: id, what }))).await;
        });
        if let Some(job) = &mut self.rebuild.job {
            job.work = Some(Work { id, task: task.abort_handle() });
        }
    }
}

/// What workers report.
pub(crate) enum What {
    Told(hands::Told),
    Noted(Result<(), String>),
    Checked(Box<Result<Checked, check::Refused>>),
    Copied(Result<(), String>),
    Verified(Result<hands::Places, String>),
    MayStop(Result<(), String>),
    Swapped(Result<(), String>),
    Settled(Result<(), String>),
    PutBack(Result<(), String>),
    Cleaned(Result<Option<String>, String>),
}

/// The copy must have what the donor had; and what the donor followed, with relay logs that are not here, is forgotten: else
/// replication does not start at all (error 1872, seen on 9.7.4).
async fn settle(door: &xenon_mysql::Door, wanted: &GtidSet) -> Result<(), String> {
    let settled = async {
        let mut control = door.control(STATEMENT).await?;
        control.reset_replication_all(STATEMENT).await?;
        drop(control);
        door.observe(STATEMENT).await
    };
    let state = settled.await.map_err(|error| error.to_string())?;
    let lacks = wanted.subtract(&state.executed);
    if lacks.is_empty() {
        return Ok(());
    }
    Err(format!(
        "the copy lacks {} transaction(s) that the donor had: {}",
        lacks.count(),
        xenon_plan::brief(&lacks)
    ))
}

/// A journal for a rebuild that begins.
pub(crate) fn journal_of(by: String, reason: String, automatic: bool) -> Journal {
    let started_unix_ms = crate::events::unix_ms();
    Journal { by, reason, automatic, started_unix_ms, ..Journal::default() }
}
