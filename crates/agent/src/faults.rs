//! L6: what is wrong with a server that answers its probes, gathered for the plan.

use crate::agent::Agent;
use crate::disk::{DiskNews, Target, WatchedDisk, device_of};
use crate::input::Input;
use crate::sleepers::Sleepers;
use crate::troubles::{LastingTroubles, TroubleNews};
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;
use xenon_api::EventKind;
use xenon_election::Event;
use xenon_gtid::GtidSet;
use xenon_mysql::{Places, SqlError};
use xenon_plan::disk::worst;
use xenon_plan::observation::ServerState;
use xenon_plan::{ApplierWatch, ClosedWatch, Commits, Faults, Folder};

/// How long asking the server a small thing may take.
const ASK: Duration = Duration::from_secs(2);
/// Turned away for so long for want of a connection, the agent counts as locked out.
const LOCKED_OUT: Duration = Duration::from_secs(5);
/// Without a look for so long, it is worth a word: one takes at most two seconds.
const BLIND: Duration = Duration::from_secs(10);
/// So many reports in a row of a folder that is not where it should be are believed.
const FOLDER_CONFIRMED: u32 = 2;

/// That somebody opened this server stays in its status for so long.
const REMEMBERED: Duration = Duration::from_secs(600);

/// All that is watched besides probes.
#[derive(Default)]
pub(crate) struct FaultWatch {
    disks: Vec<WatchedDisk>,
    commits: Commits,
    applier: ApplierWatch,
    data: PathBuf,
    /// The process that runs now has said where its files are.
    places_known: bool,
    binlog: Option<PathBuf>,
    folder: Folder,
    folder_lost: u32,
    /// Turned away since then.
    turned_away: Option<Instant>,
    /// Every look since then took too long.
    blind: Option<Instant>,
    /// An answer about places or sessions is on its way.
    asking: bool,
    /// Threads that slept for want of room.
    pub(crate) sleepers: Sleepers,
    /// What it came to last.
    pub(crate) faults: Faults,
    troubles: LastingTroubles,
    /// F3.
    pub(crate) closed: ClosedWatch,
    found_open: Option<Instant>,
    /// It leads though it cannot serve, and why.
    pub(crate) stays: Option<String>,
}

impl FaultWatch {
    /// mysqld could not be started for want of it.
    pub(crate) fn on_no_data(&mut self, folder: PathBuf) {
        self.data = folder;
        self.folder = Folder::Missing;
    }

    /// W4: another folder has its name now.
    pub(crate) fn data_is_back(&mut self) {
        self.folder = Folder::Unknown;
        self.folder_lost = 0;
        self.faults.folder = Folder::Unknown;
    }

    /// It answers, and does not tell what it is doing: nothing can be decided about it meanwhile.
    pub(crate) fn blind(&self, error: &str) -> Option<String> {
        let since = self.blind.filter(|at| at.elapsed() >= BLIND)?;
        Some(format!(
            "mysqld answers, and for {} s has not told what it is doing ({error}), so nothing about it is changed; SHOW PROCESSLIST \
             may tell what it waits for",
            since.elapsed().as_secs()
        ))
    }

    /// F3, for some time after it was closed again.
    pub(crate) fn found_open(&self) -> Option<String> {
        let ago = self.found_open.map(|at| at.elapsed()).filter(|ago| *ago < REMEMBERED)?;
        Some(format!(
            "somebody opened this server for writes, {} s ago; it was closed again (F3). What was written meanwhile is named as \
             errant. Look for who may do that: accounts with SYSTEM_VARIABLES_ADMIN or SUPER",
            ago.as_secs()
        ))
    }
}

impl Agent {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// F3: the plan closes it again; this sees to it that it does not go unnoticed.
    pub(crate) fn on_found_open(&mut self) {
        self.watch.found_open = Some(Instant::now());
        self.events.push(
            EventKind::Trouble,
            "this server is to be read-only and was found open for writes: it is closed again (F3)",
        );
    }

    /// A server answers: where are its files?
    pub(crate) fn ask_places(&mut self) {
        let (door, inputs) = (self.means.door.clone(), self.inputs_for_task());
        tokio::spawn(async move {
            match door.places(ASK).await {
                Ok(places) => drop(inputs.send(Input::Places(places)).await),
                Err(error) => {
                    tracing::debug!(%error, "where the server's files are is asked at the next look")
                }
            }
        });
    }

    pub(crate) fn on_places(&mut self, places: Places) {
        let pid = self.local.mysqld.as_ref().map(|mysqld| mysqld.pid());
        // The owner of its folder in /proc is whom it runs as.
        let as_root = pid
            .and_then(|pid| std::fs::metadata(format!("/proc/{pid}")).ok())
            .is_some_and(|meta| meta.uid() == 0);
        let watch = &mut self.watch;
        watch.places_known = true;
        watch.data.clone_from(&places.data);
        watch.binlog.clone_from(&places.binlog);
        let folders: Vec<PathBuf> =
            [Some(places.data.clone()), places.binlog, places.redo].into_iter().flatten().collect();
        let mut devices = BTreeSet::new();
        let mut targets = Vec::new();
        for folder in folders {
            // The data folder may have been deleted already: then it has no device, and is watched all the more.
            let is_data = folder == places.data;
            let device = device_of(&folder).or(is_data.then_some(0));
            // One that this agent cannot see is not watched; one disk is watched once.
            let Some(device) = device.filter(|device| devices.insert(*device)) else { continue };
            let worker = pid.filter(|_| is_data);
            targets.push((Target { folder, worker, as_root, binlog: None }, device));
        }
        watch.disks.retain(|disk| targets.iter().any(|(target, _)| target.folder == disk.target.folder));
        for (target, device) in targets {
            match watch.disks.iter_mut().find(|disk| disk.target.folder == target.folder) {
                Some(disk) => disk.retarget(target),
                None => watch.disks.extend(WatchedDisk::start(target, device, self.inputs.clone())),
            }
        }
    }

    pub(crate) fn on_disk(&mut self, news: DiskNews) {
        let DiskNews { folder, report, place, binlog_bytes } = news;
        let watch = &mut self.watch;
        if let Some(disk) = watch.disks.iter_mut().find(|disk| disk.target.folder == folder) {
            watch.sleepers.on_report(&report);
            disk.on_news(report);
        }
        if folder == watch.data {
            watch.folder_lost = if place.is_lost() { watch.folder_lost + 1 } else { 0 };
            // Without a process nothing is known of where it works, and nothing has come back.
            let still_missing = watch.folder == Folder::Missing && place == Folder::Unknown;
            if !still_missing && !place.is_lost() || watch.folder_lost >= FOLDER_CONFIRMED {
                watch.folder = place;
            }
        }
        if let Some(bytes) = binlog_bytes {
            watch.commits.on_binlog(bytes);
        }
    }

    /// A look has shown this.
    pub(crate) fn watch_state(&mut self, state: &ServerState) {
        let held = match state.semi_sync_source {
            Some(source) if source.waiting_sessions > 0 => self.core.held_by_enough(),
            _ => GtidSet::new(),
        };
        let now_ms = self.now_ms();
        if !self.watch.places_known {
            // It could not be asked when it started to answer.
            self.ask_places();
        }
        let watch = &mut self.watch;
        (watch.turned_away, watch.blind) = (None, None);
        watch.commits.on_look(state, &held);
        watch.applier.on_look(now_ms, state);
        if let Some(folder) = watch.binlog.as_ref().filter(|_| !state.binlog_file.is_empty()) {
            let file = folder.join(&state.binlog_file);
            if let Some(disk) = watch.disks.iter_mut().find(|disk| disk.target.folder == *folder) {
                disk.retarget(Target { binlog: Some(file), ..disk.target.clone() });
            }
        }
        self.ask_sessions();
    }

    /// A look has failed.
    pub(crate) fn watch_error(&mut self, error: &SqlError) {
        match error {
            SqlError::TooManyConnections { .. } => {
                self.watch.turned_away.get_or_insert_with(Instant::now);
            }
            SqlError::Timeout { .. } => {
                self.watch.blind.get_or_insert_with(Instant::now);
                self.watch.commits.on_no_look();
                self.ask_sessions();
            }
            _ => {}
        }
    }

    fn ask_sessions(&mut self) {
        if self.watch.asking || !self.watch.commits.wants_sessions() {
            return;
        }
        self.watch.asking = true;
        let (door, inputs) = (self.means.door.clone(), self.inputs_for_task());
        let began = Instant::now();
        tokio::spawn(async move {
            let sessions = door.committing_sessions(ASK).await.unwrap_or_default();
            let _ = inputs.send(Input::Committing { began, sessions }).await;
        });
    }

    pub(crate) fn on_committing(&mut self, began: Instant, sessions: &BTreeSet<u64>) {
        self.watch.asking = false;
        if began >= self.local.started {
            self.watch.commits.on_sessions(sessions);
        }
    }

    /// Another process, or none: what its predecessor's commits did says nothing of it.
    pub(crate) fn watch_anew(&mut self) {
        let watch = &mut self.watch;
        watch.commits = Commits::default();
        (watch.turned_away, watch.blind) = (None, None);
        watch.places_known = false;
        watch.folder = Folder::Unknown;
        watch.folder_lost = 0;
        for disk in &mut watch.disks {
            disk.retarget(Target { worker: None, binlog: None, ..disk.target.clone() });
        }
    }

    /// What ends every turn of the loop: time has gone by.
    pub(crate) async fn gather_faults(&mut self) {
        let now = Instant::now();
        let now_ms = self.now_ms();
        let watch = &mut self.watch;
        for disk in &mut watch.disks {
            disk.on_tick(now, now_ms);
        }
        watch.commits.on_tick(now_ms);
        let names: Vec<_> = watch
            .disks
            .iter()
            .map(|disk| (disk.target.folder.to_string_lossy(), disk.watch.verdict()))
            .collect();
        let (disk_folder, disk) = worst(names.iter().map(|(name, disk)| (name.as_ref(), disk.clone())));
        let before = std::mem::take(&mut watch.faults);
        let wakes = watch.sleepers.may_be_woken(now, &disk);
        watch.faults = Faults {
            data_folder: watch.data.to_string_lossy().into_owned(),
            folder: watch.folder.clone(),
            standstill: watch.commits.stand_still(&disk),
            applier: watch.applier.error().map(str::to_owned),
            unreleased: watch.commits.unreleased().cloned(),
            locked_out: watch.turned_away.is_some_and(|since| now - since >= LOCKED_OUT),
            disk_folder,
            disk,
        };
        if before.disk.cannot_serve().is_some() && watch.faults.disk.is_quick() {
            self.start_now();
        }
        if wakes {
            self.wake_sleepers();
        }
        if before.cannot_serve().is_some() != self.watch.faults.cannot_serve().is_some() {
            // Fitness follows from it; the others must hear of it before they name this node.
            self.show_core().await;
        }
    }

    /// L6. With nobody to take over, the lease is kept: giving it away would end reading, too.
    pub(crate) async fn hand_over_for_faults(&mut self) {
        self.watch.stays = None;
        let promoting = self.local.role_is_primary() && self.local.promoted.is_none();
        let broken = self.watch.faults.applier.as_ref().filter(|_| promoting);
        let hopeless = broken.map(|error| format!("it cannot apply what it has received: {error}"));
        let Some(reason) = self.watch.faults.cannot_serve().or(hopeless) else { return };
        if !self.core.has_successor() {
            self.watch.stays = Some(format!(
                "{reason}; this node leads all the same, for no other member is fit to take over"
            ));
            return;
        }
        let term = self.core.record().term;
        self.local.note_failure();
        self.events.story_begins(&reason);
        self.step(Event::CannotServe { term, reason }).await;
    }

    /// Troubles that begin and end become events, so that they are told at once and not only when somebody asks.
    pub(crate) fn tell_troubles(&mut self) {
        for news in self.watch.troubles.update(Instant::now(), &self.local.troubles) {
            match news {
                TroubleNews::Begins(text) => self.events.push(EventKind::Trouble, text),
                TroubleNews::Over(text) => self.events.push(EventKind::Mysqld, format!("over: {text}")),
            }
        }
    }
}
