//! Events and reports on disk: in files of a bounded size and number, written by a thread of their own. A disk that hangs
//! or is full keeps up neither the loop nor its agent: lines are lost then, which is told.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use xenon_api::{Event, EventQuery, Report, ReportHead};

/// Lines that may wait for the disk.
const QUEUE: usize = 4096;
/// A file of events is followed by the next when it has grown to this, bytes.
const FILE_BYTES: u64 = 4 << 20;
/// Files of events that are kept.
const FILES: usize = 4;
/// So much of the newest file is read at the start, bytes.
const TAIL_BYTES: u64 = 256 << 10;
/// More of a file is not read, bytes: nothing of ours is larger.
const READ_BYTES: u64 = 2 * FILE_BYTES;
/// Reports that are kept.
pub(crate) const REPORTS: usize = 200;
/// A larger report is none of ours, bytes.
const REPORT_BYTES: u64 = 4 << 20;
/// How long the end of the agent waits for the last lines.
const LAST_LINES: Duration = Duration::from_millis(500);

const EVENTS: &str = "events";
const REPORTS_FOLDER: &str = "reports";

enum Job {
    Event { seq: u64, line: Vec<u8> },
    Report { id: String, bytes: Vec<u8> },
    Flush(SyncSender<()>),
}

/// Opens a file for events, at its end.
type Open = Box<dyn FnMut(&Path) -> io::Result<Box<dyn Write + Send>> + Send>;

/// Hands events and reports to the thread, and finds them again.
pub(crate) struct Keeper {
    jobs: SyncSender<Job>,
    meta: PathBuf,
    /// Why they are not kept; `None` while they are.
    trouble: Arc<Mutex<Option<String>>>,
}

impl Keeper {
    /// Below the agent's own folder. Gives the newest events of earlier, oldest first.
    pub(crate) fn open(meta: &Path) -> (Keeper, Vec<Event>) {
        let earlier = tail(&meta.join(EVENTS));
        (Keeper::start(meta, Box::new(open_for_events)), earlier)
    }

    fn start(meta: &Path, open: Open) -> Keeper {
        let (jobs, queue) = sync_channel(QUEUE);
        let trouble = Arc::new(Mutex::new(None));
        let mut files = Files { meta: meta.to_owned(), open, current: None };
        let told = Arc::clone(&trouble);
        let work = move || work(&queue, &mut files, &told);
        if let Err(error) = std::thread::Builder::new().name("events".to_owned()).spawn(work) {
            set(&trouble, Some(format!("events are not kept on disk: no thread for it: {error}")));
        }
        Keeper { jobs, meta: meta.to_owned(), trouble }
    }

    /// Never waits.
    pub(crate) fn event(&self, event: &Event) {
        let Ok(mut line) = serde_json::to_vec(event) else { return };
        line.push(b'\n');
        self.give(Job::Event { seq: event.seq, line });
    }

    /// Never waits.
    pub(crate) fn report(&self, report: &Report) {
        let Ok(bytes) = serde_json::to_vec_pretty(report) else { return };
        self.give(Job::Report { id: report.head.id.clone(), bytes });
    }

    fn give(&self, job: Job) {
        if self.jobs.try_send(job).is_err() {
            let what = format!(
                "events and reports are not kept on disk: {} takes them too slowly; the agent's log has them",
                self.meta.display()
            );
            set(&self.trouble, Some(what));
        }
    }

    /// Why events and reports are not kept now.
    pub(crate) fn not_kept(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits, bounded, for the last lines. Blocking: for the end of the agent.
    pub(crate) fn flush(&self) {
        let (done, written) = sync_channel(1);
        if self.jobs.try_send(Job::Flush(done)).is_ok() {
            let _ = written.recv_timeout(LAST_LINES);
        }
    }

    /// A reader, for a thread that may wait for the disk.
    pub(crate) fn shelf(&self) -> Shelf {
        Shelf { meta: self.meta.clone() }
    }
}

fn set(trouble: &Mutex<Option<String>>, what: Option<String>) {
    *trouble.lock().unwrap_or_else(PoisonError::into_inner) = what;
}

fn work(queue: &Receiver<Job>, files: &mut Files, trouble: &Mutex<Option<String>>) {
    let mut failing = false;
    while let Ok(job) = queue.recv() {
        let done = match job {
            Job::Event { seq, line } => files.event(seq, &line),
            Job::Report { id, bytes } => files.report(&id, &bytes),
            Job::Flush(done) => {
                let _ = done.send(());
                continue;
            }
        };
        match done {
            Ok(()) => {
                failing = false;
                set(trouble, None);
            }
            Err((path, error)) => {
                let what = format!(
                    "events and reports are not kept on disk: {}: {error}; the agent's log has them",
                    path.display()
                );
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!("{what}");
                }
                set(trouble, Some(what));
            }
        }
    }
}

/// What the thread writes to.
struct Files {
    meta: PathBuf,
    open: Open,
    current: Option<Current>,
}

struct Current {
    file: Box<dyn Write + Send>,
    path: PathBuf,
    bytes: u64,
}

type Written = Result<(), (PathBuf, io::Error)>;

impl Files {
    fn event(&mut self, seq: u64, line: &[u8]) -> Written {
        let folder = self.meta.join(EVENTS);
        if self.current.as_ref().is_none_or(|current| current.bytes >= FILE_BYTES) {
            let opened = self.next_file(&folder, seq).map_err(|error| (folder.clone(), error))?;
            self.current = Some(opened);
            // What is too much by now goes.
            let all = event_files(&folder);
            for (_, path) in all.iter().rev().skip(FILES) {
                let _ = std::fs::remove_file(path);
            }
        }
        let Some(current) = &mut self.current else { return Ok(()) };
        let written = current.file.write_all(line).and_then(|()| current.file.flush());
        match written {
            Ok(()) => {
                current.bytes += line.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Opened anew with the next line, which then begins behind whatever half of this one is there.
                let path = current.path.clone();
                self.current = None;
                Err((path, error))
            }
        }
    }

    fn next_file(&mut self, folder: &Path, seq: u64) -> io::Result<Current> {
        make_folder(folder)?;
        let last = event_files(folder).pop().map(|(_, path)| path);
        let goes_on = last.filter(|path| std::fs::metadata(path).is_ok_and(|meta| meta.len() < FILE_BYTES));
        let path = goes_on.unwrap_or_else(|| folder.join(format!("events-{seq:020}.jsonl")));
        let bytes = std::fs::metadata(&path).map_or(0, |meta| meta.len());
        let mut file = (self.open)(&path)?;
        if bytes > 0 {
            // The last line may be torn.
            file.write_all(b"\n")?;
        }
        Ok(Current { file, path, bytes })
    }

    fn report(&self, id: &str, bytes: &[u8]) -> Written {
        let folder = self.meta.join(REPORTS_FOLDER);
        let path = folder.join(format!("{id}.json"));
        let write = || {
            make_folder(&folder)?;
            let new = path.with_extension("new");
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(&new)?;
            file.write_all(bytes)?;
            file.sync_data()?;
            std::fs::rename(&new, &path)?;
            for old in report_files(&folder)?.into_iter().rev().skip(REPORTS) {
                let _ = std::fs::remove_file(old);
            }
            Ok(())
        };
        write().map_err(|error| (path.clone(), error))
    }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o750).create(folder)
}

fn open_for_events(path: &Path) -> io::Result<Box<dyn Write + Send>> {
    let file = OpenOptions::new().append(true).create(true).mode(0o640).open(path)?;
    Ok(Box::new(file))
}

/// In the order of their first events.
fn event_files(folder: &Path) -> Vec<(u64, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<(u64, PathBuf)> = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter_map(|entry| {
            let name = entry.file_name();
            let number = name.to_str()?.strip_prefix("events-")?.strip_suffix(".jsonl")?;
            Some((number.parse().ok()?, entry.path()))
        })
        .collect();
    files.sort();
    files
}

/// In the order of their names, which is that of their times.
fn report_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|word| word == "json"))
        .collect();
    files.sort();
    Ok(files)
}

/// The newest events of earlier. A line that is none (torn by a crash) is passed over.
fn tail(folder: &Path) -> Vec<Event> {
    let mut events = Vec::new();
    for (_, path) in event_files(folder).iter().rev().take(2).rev() {
        events.extend(read_events(path, TAIL_BYTES).unwrap_or_default());
    }
    events
}

/// The events at the end of a file, in at most so many bytes.
fn read_events(path: &Path, bytes_max: u64) -> io::Result<Vec<Event>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let from = length.saturating_sub(bytes_max);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(bytes_max).read_to_end(&mut bytes)?;
    // Where it begins in the middle of a line, that is none.
    Ok(bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

/// Finds what is kept. Blocking.
pub(crate) struct Shelf {
    meta: PathBuf,
}

/// Reports that were found, and the files that are none.
pub(crate) struct Found {
    /// Newest first.
    pub(crate) heads: Vec<ReportHead>,
    pub(crate) damaged: Vec<String>,
}

impl Shelf {
    /// Events before sequence number `before`, which are not in memory any more.
    pub(crate) fn events(&self, query: &EventQuery, before: u64) -> Vec<Event> {
        let files = event_files(&self.meta.join(EVENTS));
        let limit = query.limit.clamp(1, EventQuery::LIMIT_MAX) as usize;
        let mut picked: Vec<Event> = Vec::new();
        let mut places: Vec<usize> = (0..files.len()).collect();
        if query.newest {
            places.reverse();
        }
        for place in places {
            let Some((first, path)) = files.get(place) else { continue };
            let next = files.get(place + 1).map_or(u64::MAX, |(next, _)| *next);
            if *first >= before || next <= query.after + 1 {
                continue;
            }
            let events = read_events(path, READ_BYTES).unwrap_or_default();
            let began = events.first().map_or(0, |event| event.unix_ms);
            let some = query.pick(events.into_iter().filter(|event| event.seq < before));
            if query.newest {
                picked.splice(0..0, some);
                if began < query.since_unix_ms {
                    break;
                }
            } else {
                picked.extend(some);
            }
            if picked.len() >= limit {
                break;
            }
        }
        query.pick(picked)
    }

    /// What lists show of the reports.
    pub(crate) fn reports(&self) -> Found {
        let mut found = Found { heads: Vec::new(), damaged: Vec::new() };
        let files = report_files(&self.meta.join(REPORTS_FOLDER)).unwrap_or_default();
        for path in files.iter().rev().take(REPORTS) {
            match read_report(path).and_then(|bytes| Ok(serde_json::from_slice(&bytes)?)) {
                Ok(head) => found.heads.push(head),
                Err(error) => found.damaged.push(format!("{}: {error}", path.display())),
            }
        }
        found
    }

    /// One of them, whole; `None` when there is none of this name.
    pub(crate) fn report(&self, id: &str) -> io::Result<Option<Report>> {
        // The name comes from outside: nothing of it may lead elsewhere.
        if id.is_empty() || id.len() > 200 || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Ok(None);
        }
        match read_report(&self.meta.join(REPORTS_FOLDER).join(format!("{id}.json"))) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn read_report(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(REPORT_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
