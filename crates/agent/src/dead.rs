//! V4: the position of a dead mysqld, from its files. Where they are is kept on disk while it lives.

use crate::agent::Agent;
use crate::input::Input;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;
use xenon_gtid::GtidSet;
use xenon_mysql::{DiskError, DiskLimits, LogPlaces, position_on_disk};

/// In the agent's own folder.
const FILE: &str = "mysqld.logs";
/// How long asking the server may take.
const ASK: Duration = Duration::from_secs(2);
/// Pause between two askings: `gtid_purged` moves with binlogs that are let go.
const ASK_EVERY: Duration = Duration::from_secs(60);
/// How much is read, and for how long. A voter that takes longer than an election answers for the next one.
pub(crate) const LIMITS: DiskLimits = DiskLimits { bytes_max: 8 << 30, deadline: Duration::from_secs(10) };
/// A process that has begun to end holds its folder until the kernel has freed its memory, 80 ms a GB.
const END: Duration = Duration::from_secs(5);
/// Pause between two looks at it.
const PAUSE: Duration = Duration::from_millis(10);

/// Where this server's logs are, as it said last.
pub(crate) struct Logs {
    file: PathBuf,
    pub(crate) places: Option<LogPlaces>,
    asked: Option<Instant>,
}

impl Logs {
    /// With what is known from before this agent started.
    pub(crate) fn open(folder: &Path) -> Logs {
        let file = folder.join(FILE);
        let text = std::fs::read(&file).ok();
        // Damaged or of another version: then it is as if nothing were known, and a dead server's position is not.
        let places = text.and_then(|text| serde_json::from_slice(&text).ok());
        Logs { file, places, asked: None }
    }

    /// W4: other data takes the folder's place, of which nothing is known yet.
    pub(crate) fn forget(&mut self) {
        self.places = None;
        self.asked = None;
        // One that stays is refused by its server_uuid, should the agent be killed before it asks anew.
        if let Err(error) = std::fs::remove_file(&self.file) {
            tracing::debug!(%error, "where mysqld keeps its logs was not noted");
        }
    }

    /// What is known may not be so any more: ask soon.
    pub(crate) fn expire(&mut self) {
        self.asked = None;
    }
}

impl Agent {
    /// Called when a look went well.
    pub(crate) fn ask_for_logs(&mut self) {
        if self.logs.asked.is_some_and(|at| at.elapsed() < ASK_EVERY) {
            return;
        }
        self.logs.asked = Some(Instant::now());
        let (door, inputs) = (self.means.door.clone(), self.inputs_for_task());
        tokio::spawn(async move {
            if let Ok(places) = door.log_places(ASK).await {
                let _ = inputs.send(Input::Logs(Box::new(places))).await;
            }
        });
    }

    pub(crate) fn on_logs(&mut self, places: LogPlaces) {
        if self.logs.places.as_ref() == Some(&places) {
            return;
        }
        if let Ok(text) = serde_json::to_vec(&places) {
            let file = self.logs.file.clone();
            // Lost when the disk is full: a dead server's position is then not known, and this node does not vote for it.
            tokio::task::spawn_blocking(move || {
                let new = file.with_extension("new");
                if let Err(error) = std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, &file)) {
                    tracing::warn!(%error, "where mysqld keeps its logs could not be noted");
                }
            });
        }
        self.logs.places = Some(places);
    }
}

/// V4, V5: what the dead server of these files has received, its unacknowledged tail included.
pub(crate) async fn position(places: &LogPlaces) -> Result<GtidSet, String> {
    let until = Instant::now() + END;
    loop {
        match position_on_disk(places, LIMITS).await {
            Ok(position) => return Ok(position.received()),
            // It is on its way out.
            Err(DiskError::Running { .. }) if Instant::now() < until => tokio::time::sleep(PAUSE).await,
            Err(error) => return Err(error.to_string()),
        }
    }
}
