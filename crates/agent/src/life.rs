//! What of a mysqld's life its files do not tell, and W1 must know when it is dead: that it was the primary, and whether a
//! commit may have been told OK without an acknowledgement.
//!
//! Noted on disk, for an agent that dies with it. What speaks against a rewind is on disk before it can become true; what
//! speaks for one may come late.

use crate::agent::Agent;
use crate::saver::write_note;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use xenon_plan::observation::ServerState;
use xenon_plan::rewind::Life;
use xenon_plan::{NO_TIMEOUT_MS, Role};

/// In the agent's own folder.
const FILE: &str = "mysqld.life";
/// Notes waiting behind a disk that does not answer.
const QUEUE: usize = 8;
/// How long a note is waited for that something depends on.
const SAVE: Duration = Duration::from_secs(2);

#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Note {
    /// Which start of mysqld ([`xenon_mysql::Mysqld::start_id`]).
    start: String,
    life: Life,
    /// The term whose marker was acknowledged here last.
    #[serde(default)]
    promoted_in: u64,
}

/// The note, and what of it is on its way to the disk.
pub(crate) struct LifeNote {
    note: Note,
    sent: Note,
    writer: mpsc::Sender<(Vec<u8>, Option<oneshot::Sender<()>>)>,
}

impl LifeNote {
    /// With what is known from before this agent started. Nothing is, when that is damaged or of another version.
    pub(crate) fn open(folder: &Path) -> LifeNote {
        let file = folder.join(FILE);
        let note: Note =
            std::fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        let (writer, queue) = mpsc::channel(QUEUE);
        tokio::spawn(write(file, queue));
        LifeNote { sent: note.clone(), note, writer }
    }

    /// `None` when nothing is known of the mysqld that died last.
    pub(crate) fn known(&self) -> Option<&Life> {
        (!self.note.start.is_empty()).then_some(&self.note.life)
    }

    pub(crate) fn primary_in(&self) -> Option<u64> {
        self.known().and_then(|life| life.primary_in)
    }

    /// This process is seen; another one than before is another life.
    pub(crate) fn begins(&mut self, start: String, boot: Option<String>) {
        if self.note.start != start {
            self.note = Note { start, life: Life { boot, ..Life::default() }, promoted_in: 0 };
        }
    }

    /// It is started, or others may have started it: what was noted is over.
    pub(crate) fn is_over(&mut self) {
        self.note = Note::default();
    }

    /// It is to be a primary.
    fn leads(&mut self, term: u64) {
        self.note.life.primary_in = Some(term);
    }

    fn degrade(&mut self, why: &str) {
        self.note.life.degraded.get_or_insert_with(|| why.to_owned());
    }

    /// Its orderly shutdown has begun: it is written down before the plan ends it (D2).
    pub(crate) fn shuts_down(&mut self) {
        if self.note.life.primary_in.is_some() {
            self.degrade("its orderly shutdown had begun, which tells waiting commits OK by itself");
        }
    }

    fn follows(&mut self) {
        self.note.life.primary_in = None;
    }

    /// Something speaks against a rewind that is not on disk yet.
    fn is_urgent(&self) -> bool {
        (self.note.life.degraded.is_some() || self.note.start.is_empty()) && self.note != self.sent
    }
}

/// One after the other, so that the last one stays.
async fn write(file: PathBuf, mut queue: mpsc::Receiver<(Vec<u8>, Option<oneshot::Sender<()>>)>) {
    while let Some((text, done)) = queue.recv().await {
        if let Err(error) = write_note(&file, text).await {
            // One that says too little is worse than none.
            tracing::warn!(%error, "what is known of mysqld's life could not be noted; it is not rewound then, should it die");
            let _ = std::fs::remove_file(&file);
        }
        if let Some(done) = done {
            let _ = done.send(());
        }
    }
}

impl Agent {
    /// The role has changed: called before anything is done for it.
    pub(crate) fn note_role(&mut self) {
        if let Role::Primary { term, acknowledgements, soft, .. } = self.local.role {
            self.life.leads(term);
            if soft || acknowledgements == 0 {
                self.life.degrade(
                    "commits waited for a replica only while one was connected (C5: too few voters)",
                );
            }
        }
    }

    /// A look has shown this.
    pub(crate) fn note_life(&mut self, state: &ServerState) {
        self.life.note.life.synced = state.synced;
        match &self.local.role {
            Role::Primary { .. } if state.is_writable() => {
                let strict = state.semi_sync_source.is_some_and(|source| {
                    source.enabled
                        && source.operational
                        && source.after_sync
                        && source.wait_no_replica
                        && source.timeout_ms >= NO_TIMEOUT_MS
                });
                if !strict {
                    self.life.degrade("semi-sync was seen off, or with a timeout, while clients could write");
                }
            }
            // F2: it follows only what has nothing that its leader lacks.
            Role::Replica { .. } if state.replication.is_some() => self.life.follows(),
            _ => {}
        }
    }

    /// L2: the marker is acknowledged, and so is all that was before it; from here on commits wait as the role says. Not so
    /// when the same term is taken up again (T3).
    pub(crate) fn note_promoted(&mut self, promoted: u64) {
        let first = self.life.note.promoted_in < promoted;
        self.life.note.promoted_in = promoted;
        if let Role::Primary { soft: false, acknowledgements: 1.., .. } = self.local.role
            && first
        {
            self.life.note.life.degraded = None;
        }
    }

    /// What ends every turn of the loop, before new work is begun.
    pub(crate) async fn save_life(&mut self) {
        if self.life.note == self.life.sent {
            return;
        }
        let Ok(text) = serde_json::to_vec(&self.life.note) else { return };
        let urgent = self.life.is_urgent();
        let (done, saved) = oneshot::channel();
        if self.life.writer.try_send((text, urgent.then_some(done))).is_err() {
            // A disk that does not answer: with the next turn, then.
            return;
        }
        self.life.sent = self.life.note.clone();
        if urgent && tokio::time::timeout(SAVE, saved).await.is_err() {
            tracing::warn!(
                "the disk of raft.meta-datadir is slow: what is known of mysqld's life is noted late"
            );
        }
    }
}
