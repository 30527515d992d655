//! The local mysqld process: found, started, watched, killed, started again.

use crate::agent::Agent;
use crate::input::Input;
use crate::purge::NO_EXPIRY;
use crate::tail;
use crate::telling::Learnt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use xenon_api::EventKind;
use xenon_config::Config;
use xenon_mysql::{ExitRecord, Mysqld, MysqldOptions, RestartDecision, StartError};
use xenon_plan::health::{Probe, Verdict};

/// How often a primary's process is looked at: a death is seen before the kernel has freed its memory.
const LOOK_EVERY_PRIMARY: Duration = Duration::from_millis(20);
/// Nobody waits for a replica's death to be noticed; its pidfd tells soon enough.
const LOOK_EVERY_REPLICA: Duration = Duration::from_millis(200);
/// A server that somebody else has started, takes connections and greets nobody for so long, hangs.
const SILENT: Duration = Duration::from_secs(30);
/// How long finding may take.
const FIND: Duration = Duration::from_secs(2);
/// Pause before a process that was not to be found is looked for again.
const FIND_AGAIN: Duration = Duration::from_secs(60);
/// How long a process that is ending may take before that is told.
const GONE: Duration = Duration::from_secs(60);
/// A dead primary's server is started again after the others have had this long to elect, since recovery takes CPU from
/// a promotion on the same machine and can bring nothing that the promotion waits for.
const AFTER_ELECTION: Duration = Duration::from_millis(300);

/// The process's options out of the config.
pub(crate) fn options(config: &Config) -> MysqldOptions {
    let candidates = config.mysqld_candidates();
    let mysqld =
        candidates.iter().find(|path| path.is_file()).or(candidates.first()).cloned().unwrap_or_default();
    MysqldOptions {
        mysqld,
        defaults_file: config.mysql.defaults_file.clone(),
        extra_args: config.mysql.mysqld_args.clone(),
        user: config.mysql.user.clone(),
        meta_dir: config.raft.meta_datadir.clone(),
    }
}

impl Agent {
    pub(crate) fn start_mysqld(&mut self) {
        self.local.in_transit = true;
        self.local.start_at = None;
        self.events.push(EventKind::Mysqld, "starting mysqld, read-only");
        let mut options = options(&self.config);
        if self.purge.is_on() {
            options.extra_args.push(NO_EXPIRY.to_owned());
        }
        let (door, inputs) = (self.means.door.clone(), self.inputs_for_task());
        tokio::spawn(async move {
            let input = match Mysqld::start(&options).await {
                Ok(mysqld) => Input::Started(Box::new(mysqld)),
                Err(error @ StartError::Running { .. }) => match Mysqld::find(&options, &door, FIND).await {
                    Some(mysqld) => Input::Started(Box::new(mysqld)),
                    None => Input::StartFailed(error.to_string()),
                },
                Err(StartError::NoData { data_dir }) => Input::NoData(data_dir),
                Err(error) => Input::StartFailed(error.to_string()),
            };
            let _ = inputs.send(input).await;
        });
        self.local.starts += 1;
    }

    /// A server answers whose process is not known (started by hand, or by systemd).
    pub(crate) fn find_mysqld(&mut self) {
        self.local.in_transit = true;
        let (options, door, inputs) =
            (options(&self.config), self.means.door.clone(), self.inputs_for_task());
        tokio::spawn(async move {
            let input = match Mysqld::find(&options, &door, FIND).await {
                Some(mysqld) => Input::Started(Box::new(mysqld)),
                None => Input::NotFound,
            };
            let _ = inputs.send(input).await;
        });
    }

    pub(crate) fn on_started(&mut self, mysqld: Mysqld) {
        let pid = mysqld.pid();
        let mysqld_is_ours = mysqld.is_child();
        let probe_interval_ms = self.config.timers().probe_interval_ms.max(1);
        let silences = u32::try_from(SILENT.as_millis()).unwrap_or(u32::MAX)
            / u32::try_from(probe_interval_ms).unwrap_or(1);
        let mysqld = Arc::new(mysqld);
        self.watch(Arc::clone(&mysqld));
        self.comeback.begin_anew();
        self.life.begins(mysqld.start_id(), crate::boot::boot_id());
        let local = &mut self.local;
        local.in_transit = false;
        local.mysqld = Some(mysqld);
        self.logs.expire();
        let local = &mut self.local;
        local.set_look_every();
        local.started = Instant::now();
        local.mysqld_error.clear();
        if mysqld_is_ours {
            local.health.on_start();
        } else {
            local.health.on_found(silences);
        }
        local.account_checked = false;
        local.variables = None;
        local.sessions_killed = true;
        local.drain_timed_out = false;
        self.events.push(EventKind::Mysqld, format!("mysqld runs as process {pid}"));
        self.watch_anew();
        if self.local.health.verdict() == Verdict::Serving {
            self.ask_places();
        }
        self.look.notify_one();
    }

    fn watch(&self, mysqld: Arc<Mysqld>) {
        let inputs = self.inputs_for_task();
        tokio::spawn(async move {
            let pid = mysqld.pid();
            if let Err(error) = mysqld.wait_exit().await {
                // No descriptor left: fall back to looking now and then; probes watch beside.
                tracing::warn!(%error, pid, "mysqld cannot be watched closely");
                while mysqld.is_alive() {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
            if inputs.send(Input::Exiting { pid }).await.is_err() {
                return;
            }
            while let Err(error) = mysqld.gone(GONE).await {
                tracing::warn!(%error, "a dead mysqld is still there; it cannot be started again before it is gone");
            }
            let record = Box::new(mysqld.exit_record().await);
            let _ = inputs.send(Input::Gone { pid, record }).await;
        });
    }

    /// It is looked for again later; until then its death is noticed by probes only.
    pub(crate) fn on_not_found(&mut self) {
        self.local.in_transit = false;
        self.local.find_again = Some(Instant::now() + FIND_AGAIN);
        // It was seen answering, so probes count from now on.
        self.local.health.on_start();
        self.ask_places();
        self.events.push(
            EventKind::Trouble,
            "a server answers at mysql.host:mysql.port, but its process is not to be found: is it on this machine, and may \
             this user see it?",
        );
    }

    pub(crate) fn on_start_failed(&mut self, why: &str) {
        self.local.in_transit = false;
        self.events.push(EventKind::Trouble, format!("mysqld was not started: {why}"));
        self.copy_did_not_start(why);
        self.local.mysqld_error = why.to_owned();
        self.schedule_start(0);
    }

    /// Told as a trouble for as long as it lasts; the folder is looked for again now and then.
    pub(crate) fn on_no_data(&mut self, folder: PathBuf) {
        self.local.in_transit = false;
        self.local.mysqld_error = format!("the data folder {} holds no data", folder.display());
        let why = self.local.mysqld_error.clone();
        self.copy_did_not_start(&why);
        self.watch.on_no_data(folder);
        self.schedule_start(0);
    }

    pub(crate) fn on_exiting(&mut self, pid: i32) {
        if self.local.mysqld.as_ref().is_none_or(|mysqld| mysqld.pid() != pid) {
            return;
        }
        if self.local.role_is_primary() {
            self.events.story_begins("mysqld has died");
            self.past.died = true;
            self.local.note_failure();
        }
        self.events.push(EventKind::Mysqld, format!("mysqld (process {pid}) has died or is ending"));
        let local = &mut self.local;
        local.health.on_exit();
        local.mysqld = None;
        local.in_transit = true;
        local.server = None;
        local.changed = Instant::now();
        local.look_error = "mysqld does not run".to_owned();
        self.watch_anew();
        self.look.notify_one();
    }

    pub(crate) fn on_gone(&mut self, pid: i32, record: &ExitRecord) {
        self.local.in_transit = false;
        self.comeback.begin_anew();
        let uptime = self.local.started.elapsed();
        let text = last_words(record);
        self.events.push(EventKind::Mysqld, format!("mysqld (process {pid}) is gone: {text}"));
        self.copy_did_not_start(&text);
        if std::mem::take(&mut self.past.died) {
            let what = format!("mysqld of {} had ended: {text}", self.core.id());
            self.tell_leader(Learnt { what, ..Learnt::default() });
        }
        self.local.mysqld_error = text;
        self.local.hold_until = Some(Instant::now() + tail::ASKED_WITHIN);
        self.schedule_start(u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX));
    }

    /// The trouble that a crash loop is, with when it goes on.
    pub(crate) fn crash_loop(&self) -> Option<String> {
        let (exits, within_ms) = self.local.crash_loop?;
        let next = match self.local.start_at {
            Some(at) if self.local.mysqld.is_none() => {
                format!("it is started again in {} s", at.saturating_duration_since(Instant::now()).as_secs())
            }
            _ => "it was started again".to_owned(),
        };
        Some(format!(
            "mysqld has ended {exits} times within {} s: a crash loop; {next}, or at once by: xenoncli mysql start. Last \
             words: {}",
            within_ms / 1000,
            self.local.mysqld_error
        ))
    }

    /// What kept it from starting may be gone: the disk takes writes again.
    pub(crate) fn start_now(&mut self) {
        if self.local.mysqld.is_none() && self.local.start_at.is_some() {
            self.local.restarts.reset();
            self.local.start_at = Some(Instant::now());
        }
    }

    fn schedule_start(&mut self, uptime_ms: u64) {
        let mut after = match self.local.restarts.next(uptime_ms) {
            RestartDecision::After(ms) => Duration::from_millis(ms),
            RestartDecision::CrashLoop { exits, within_ms, retry_after_ms } => {
                self.local.crash_loop = Some((exits, within_ms));
                Duration::from_millis(retry_after_ms)
            }
        };
        if self.local.was_primary {
            after = after.max(AFTER_ELECTION);
        }
        self.local.start_at = Some(Instant::now() + after);
    }

    pub(crate) fn kill_mysqld(&mut self, why: &str) {
        // Not again before its end is seen, or some time has passed.
        self.local.retry_at = Some(Instant::now() + Duration::from_secs(1));
        let Some(mysqld) = &self.local.mysqld else {
            // Closing it is tried again then.
            self.local.drain_timed_out = false;
            return self.events.push(
                EventKind::Trouble,
                format!("mysqld must be killed ({why}), but its process is not known: kill it by hand"),
            );
        };
        let pid = mysqld.pid();
        match mysqld.kill() {
            Ok(()) => self.events.push(EventKind::Mysqld, format!("mysqld (process {pid}) killed: {why}")),
            Err(error) => {
                self.events
                    .push(EventKind::Trouble, format!("mysqld (process {pid}) could not be killed: {error}"));
            }
        }
    }

    pub(crate) async fn on_probed(&mut self, began: Instant, probe: Probe, detail: &str) {
        if began < self.local.started {
            return;
        }
        let before = self.local.health.verdict();
        self.local.health.on_probe(probe);
        if probe == Probe::Answered && self.local.promoted.is_some() {
            self.past.served = Some(began);
        }
        let verdict = self.local.health.verdict();
        if before == verdict {
            return;
        }
        match (before, verdict) {
            (_, Verdict::Missing(count)) => {
                self.events.push(EventKind::Mysqld, format!("mysqld misses a probe ({count}): {detail}"));
            }
            (_, Verdict::Hung) => {
                if self.local.role_is_primary() {
                    self.local.note_failure();
                }
                self.events.push(EventKind::Trouble, format!("mysqld hangs: {detail}"));
            }
            (_, Verdict::Dying) => {
                // The sooner it is down, the sooner it is back as a replica.
                self.means.door.close_idle();
                self.events.push(EventKind::Mysqld, format!("mysqld lets nobody in any more: {detail}"));
                // D2, W1: a shutdown tells waiting commits OK by itself, so that what it leaves behind is not to be cut off. After
                // a SIGKILL the port is closed, too, a moment before the end is seen: that tells nobody anything.
                if self.local.mysqld.as_ref().is_some_and(|mysqld| mysqld.is_alive()) {
                    self.life.shuts_down();
                }
            }
            (Verdict::Starting, Verdict::Serving) => {
                self.events.push(EventKind::Mysqld, "mysqld answers");
                self.local.crash_loop = None;
                self.ask_places();
                self.look.notify_one();
            }
            (_, Verdict::Serving) => self.events.push(EventKind::Mysqld, "mysqld answers again"),
            _ => {}
        }
        // Fitness follows from the verdict; the others must hear of it before they name this node.
        self.show_core().await;
    }

    pub(crate) fn on_session_lost(&mut self, began: Instant, detail: &str) {
        // Only a hint: the probe that follows it at once decides.
        if began >= self.local.started && self.local.mysqld.is_some() {
            tracing::debug!(detail, "the watching session was lost");
        }
    }
}

impl crate::local::Local {
    /// Watches a primary closely and a replica cheaply.
    pub(crate) fn set_look_every(&self) {
        if let Some(mysqld) = &self.mysqld {
            let every = if self.role_is_primary() { LOOK_EVERY_PRIMARY } else { LOOK_EVERY_REPLICA };
            mysqld.look_every(every);
        }
    }

    pub(crate) fn role_is_primary(&self) -> bool {
        matches!(self.role, xenon_plan::Role::Primary { .. })
    }
}

/// Errors that say only that a session of ours was ended.
const NOISE: [&str; 2] = ["MY-013129", "MY-013935"];

/// How it ended, and the errors among its last words; the rest is in its own log.
fn last_words(record: &ExitRecord) -> String {
    let brief = ExitRecord {
        last_lines: record.last_lines.iter().filter(|line| is_telling(line)).cloned().collect(),
        log_file: None,
        ..record.clone()
    };
    let log =
        record.log_file.as_ref().map(|path| format!(" (its log: {})", path.display())).unwrap_or_default();
    format!("{brief}{log}")
}

fn is_telling(line: &str) -> bool {
    let noise = NOISE.iter().any(|code| line.contains(code));
    !noise && ["[ERROR]", "got signal", "Assertion"].iter().any(|word| line.contains(word))
}
