//! Backups of this node: one at a time, and none beside a rebuild or restore. The work is in `hands.rs`.
//!
//! A note in the agent's folder says where one is being made, so that an agent that was killed in the middle removes what is
//! there of it when it is started again.

use crate::agent::Agent;
use crate::hands::{self, BackupAt, BackupEnd, BackupOrder};
use crate::input::Input;
use crate::rebuild::{Progress, bytes};
use std::path::{Path, PathBuf};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use xenon_api::{BackupOptions, EventKind, JobKind, JobState, JobStatus, Refusal, Reply, Response};
use xenon_mysql::BackupOrigin;

/// In the agent's own folder.
const NOTE: &str = "backup.running";
/// The longest note that is read, bytes.
const NOTE_BYTES: u64 = 8192;

/// All that an agent knows of its backups.
pub(crate) struct Backups {
    note: PathBuf,
    job: Option<Job>,
    last: u64,
}

struct Job {
    number: u64,
    status: JobStatus,
    progress: Progress,
    began: Instant,
    to: String,
    cancel: watch::Sender<bool>,
    /// The operator who waits for what the check says.
    reply: Option<oneshot::Sender<Reply>>,
}

/// What the worker of a backup reports.
pub(crate) struct News {
    number: u64,
    what: What,
}

enum What {
    Checked(Result<u64, String>),
    At(BackupAt),
    Ended(BackupEnd),
}

impl Backups {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { note: folder.join(NOTE), job: None, last: 0 }
    }

    pub(crate) fn is_active(&self) -> bool {
        self.job.as_ref().is_some_and(|job| job.status.is_active())
    }

    /// When the last one began, milliseconds since 1970, and how it stands.
    pub(crate) fn outcome(&self) -> Option<(u64, JobState)> {
        self.job.as_ref().map(|job| (job.status.started_unix_ms, job.status.state))
    }

    pub(crate) fn status(&self) -> Option<JobStatus> {
        let job = self.job.as_ref()?;
        let mut status = job.status.clone();
        if status.is_active() {
            status.bytes_per_s = job.progress.bytes_per_s();
            status.eta_s =
                status.bytes_total.saturating_sub(status.bytes_done).checked_div(status.bytes_per_s);
        }
        Some(status)
    }

    fn begin(&mut self, to: String, by: String, line: String) -> (u64, watch::Receiver<bool>) {
        self.last += 1;
        let (cancel, cancelled) = watch::channel(false);
        let status = JobStatus {
            kind: JobKind::Backup,
            phase: "check".to_owned(),
            by,
            tries: 1,
            started_unix_ms: crate::events::unix_ms(),
            lines: vec![line],
            ..JobStatus::default()
        };
        let (number, progress, began) = (self.last, Progress::default(), Instant::now());
        self.job = Some(Job { number, status, progress, began, to, cancel, reply: None });
        (number, cancelled)
    }
}

impl Job {
    fn line(&mut self, text: String) {
        if self.status.lines.len() == JobStatus::LINES {
            self.status.lines.remove(0);
            self.status.lines_before += 1;
        }
        self.status.lines.push(text);
    }

    fn at(&mut self, at: BackupAt) {
        if self.status.phase != at.phase {
            at.phase.clone_into(&mut self.status.phase);
            self.progress = Progress::default();
            if let Some(line) = line_of(at.phase) {
                self.line(line.to_owned());
            }
        }
        self.progress.on_bytes(at.done, at.total);
        (self.status.bytes_done, self.status.bytes_total) = (at.done, at.total.max(at.done));
        let percent = at.done.saturating_mul(100).checked_div(self.status.bytes_total).unwrap_or(0);
        self.status.percent = u8::try_from(percent.min(99)).unwrap_or(99);
    }
}

fn line_of(phase: &str) -> Option<&'static str> {
    Some(match phase {
        "copy" => "the server copies itself, as of one moment, and serves on",
        "prove" => "the copy is there; a server starts on it and shuts down in order",
        "checksum" => "the copy starts; every page is checked, and every file gets its checksum",
        "keep" => "all is sound; it is written out and gets its name",
        _ => return None,
    })
}

impl Agent {
    /// The answer comes when it is known that the backup can be made.
    pub(crate) fn on_backup_call(
        &mut self,
        options: BackupOptions,
        who: &str,
        reply: oneshot::Sender<Reply>,
    ) {
        let refused = if self.config.raft.witness {
            Some(no("this node is a witness: it has no data", "name a node with data"))
        } else if self.local.server.is_none() {
            Some(no(
                "mysqld does not answer here, and only a running server copies itself",
                "xenoncli mysql start",
            ))
        } else {
            self.other_job()
        };
        if let Some(refused) = refused {
            let _ = reply.send(refused);
            return;
        }
        let order = BackupOrder {
            mysqld: crate::mysqld::options(&self.config),
            door: self.means.door.clone(),
            to: PathBuf::from(&options.to),
            throttle_mib_per_s: options.throttle_mib_s.unwrap_or(0),
            origin: BackupOrigin {
                node: self.core.id().to_string(),
                cluster: self.core.record().config.as_ref().map(|config| config.cluster),
                tool: format!("xenon {}", env!("CARGO_PKG_VERSION")),
            },
        };
        let line = format!("a backup to {} is asked for by {who}", options.to);
        let (number, cancel) = self.backups.begin(options.to, who.to_owned(), line);
        if let Some(job) = &mut self.backups.job {
            job.reply = Some(reply);
        }
        let (inputs, note) = (self.inputs.clone(), self.backups.note.clone());
        tokio::spawn(async move {
            let say = |what| inputs.send(Input::Backup(Box::new(News { number, what })));
            // Noted before anything is made. What is there by that name and is not ours is left alone in any case.
            let checked = match hands::check_backup(&order).await {
                Ok(bytes) => write_note(&note, &order.to).await.map(|()| bytes),
                Err(why) => Err(why),
            };
            let may = checked.is_ok();
            if say(What::Checked(checked)).await.is_err() || !may {
                return;
            }
            let (tell, mut told) = mpsc::channel(4);
            let mut taking = std::pin::pin!(hands::take_backup(&order, cancel, tell));
            let end = loop {
                tokio::select! {
                    end = &mut taking => break end,
                    Some(at) = told.recv() => {
                        if say(What::At(at)).await.is_err() { return }
                    }
                }
            };
            remove_note(&note).await;
            let _ = say(What::Ended(end)).await;
        });
    }

    /// A backup, or a restore that has not touched anything yet.
    pub(crate) fn cancel_backup(&mut self) -> Reply {
        if self.rebuild.job.as_ref().is_some_and(|job| job.is_active() && job.journal.backup.is_some()) {
            return self.cancel_rebuild();
        }
        let Some(job) = self.backups.job.as_ref().filter(|job| job.status.is_active()) else {
            return no("no backup or restore goes on here", "nothing to cancel");
        };
        job.cancel.send_replace(true);
        let message = format!("the backup to {} is being ended, and what is there of it removed", job.to);
        Reply::Ok(Response::Done { message })
    }

    pub(crate) fn on_backup_news(&mut self, news: News) {
        let Some(job) = self.backups.job.as_mut().filter(|job| job.number == news.number) else { return };
        let (kind, text) = match news.what {
            What::At(at) => return job.at(at),
            What::Checked(Ok(data_bytes)) => {
                job.status.bytes_total = data_bytes;
                let text = format!("a backup to {} begins: about {}", job.to, bytes(data_bytes));
                if let Some(reply) = job.reply.take() {
                    let _ = reply.send(Reply::Ok(Response::Done { message: text.clone() }));
                }
                (EventKind::Job, text)
            }
            What::Checked(Err(why)) => {
                if let Some(reply) = job.reply.take() {
                    let _ = reply.send(no(why.clone(), "cure what is said, and ask again"));
                }
                job.status.state = JobState::Failed;
                job.status.last_error.clone_from(&why);
                (EventKind::Job, format!("no backup: {why}"))
            }
            What::Ended(BackupEnd::Done { bytes: length, files, executed }) => {
                job.status.state = JobState::Done;
                job.status.percent = 100;
                let text = format!(
                    "the backup {} is there and proved: {} in {files} files, with the transactions {}, in {:.1} s",
                    job.to,
                    bytes(length),
                    xenon_plan::brief(&executed),
                    job.began.elapsed().as_secs_f64()
                );
                (EventKind::Job, text)
            }
            What::Ended(BackupEnd::Cancelled) => {
                job.status.state = JobState::Cancelled;
                (
                    EventKind::Job,
                    format!("the backup to {} was cancelled, and what was there of it removed", job.to),
                )
            }
            What::Ended(BackupEnd::Failed(why)) => {
                job.status.state = JobState::Failed;
                job.status.last_error.clone_from(&why);
                (EventKind::Trouble, format!("the backup to {} failed: {why}", job.to))
            }
        };
        job.line(text.clone());
        self.events.push(kind, text);
    }

    /// Before the loop begins: what an earlier agent has left half done.
    pub(crate) fn clean_up_backup(&mut self) {
        let Some(to) = read_note(&self.backups.note) else { return };
        let line = format!(
            "the agent ended while it made a backup to {}: what is there of it is removed",
            to.display()
        );
        self.events.push(EventKind::Job, line.clone());
        let (number, _) = self.backups.begin(to.display().to_string(), "agent".to_owned(), line);
        let (inputs, note, door) = (self.inputs.clone(), self.backups.note.clone(), self.means.door.clone());
        tokio::spawn(async move {
            let end = match hands::clean_up_backup(&door, &to).await {
                Ok(()) => BackupEnd::Failed("the agent ended in the middle of it".to_owned()),
                Err(why) => BackupEnd::Failed(format!("what is there of it could not be removed: {why}")),
            };
            remove_note(&note).await;
            let _ = inputs.send(Input::Backup(Box::new(News { number, what: What::Ended(end) }))).await;
        });
    }

    /// One long job at a time.
    pub(crate) fn other_job(&self) -> Option<Reply> {
        if let Some(job) = self.rebuild.job.as_ref().filter(|job| job.is_active()) {
            let (word, phase) = (job.journal.word(), job.journal.phase);
            return Some(no(
                format!("a {word} goes on here (phase {phase})"),
                "look at it with xenoncli cluster status; wait until it is done, or end it: xenoncli mysql cancelrebuild",
            ));
        }
        let job = self.backups.job.as_ref().filter(|job| job.status.is_active())?;
        Some(no(
            format!("a backup to {} goes on here (phase {})", job.to, job.status.phase),
            "wait until it is done, or end it: xenoncli mysql cancelbackup",
        ))
    }
}

fn no(what: impl Into<String>, cure: impl Into<String>) -> Reply {
    Reply::Refused(Refusal { what: what.into(), cure: cure.into(), ask: None })
}

async fn write_note(note: &Path, to: &Path) -> Result<(), String> {
    let (note, to) = (note.to_owned(), to.to_owned());
    let write = move || {
        let mut file = std::fs::File::create(&note)?;
        std::io::Write::write_all(&mut file, to.as_os_str().as_encoded_bytes())?;
        file.sync_all()
    };
    match tokio::task::spawn_blocking(write).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(format!("the agent cannot note where the backup is made: {error}")),
        Err(_) => Err("its thread is gone".to_owned()),
    }
}

fn read_note(note: &Path) -> Option<PathBuf> {
    let meta = std::fs::metadata(note).ok()?;
    let text = (meta.len() <= NOTE_BYTES).then(|| std::fs::read_to_string(note).ok())??;
    let to = PathBuf::from(text);
    to.is_absolute().then_some(to)
}

async fn remove_note(note: &Path) {
    let note = note.to_owned();
    // One that stays only makes the next agent look for what is not there.
    let _ = tokio::task::spawn_blocking(move || std::fs::remove_file(note)).await;
}
