//! The log: written by a thread of its own, since standard error may be a file on the very disk that stalls, and the
//! loop must go on to fence its server.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use xenon_config::{LogFormat, LogLevel};

/// Lines that may wait for the disk; further ones are dropped and counted.
const QUEUE: usize = 4096;
/// How long the end of the agent waits for the last lines.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Starts the log. Drop what comes back at the very end: it waits, bounded, for the last lines.
pub(crate) fn start(level: LogLevel, format: LogFormat) -> Flush {
    let (lines, queue) = sync_channel(QUEUE);
    let lost = Arc::new(AtomicU64::new(0));
    let writer_lost = Arc::clone(&lost);
    // Without the thread nothing is logged, and nothing else is wrong.
    let _ =
        std::thread::Builder::new().name("log".to_owned()).spawn(move || write_lines(&queue, &writer_lost));
    let level = match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Error | LogLevel::Panic => LevelFilter::ERROR,
    };
    // Libraries speak at the level of a developer: only their warnings are of interest.
    let filter = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("xenon", level)
        .with_target("xenon_channel", level)
        .with_target("xenon_mysql", level);
    let registry = tracing_subscriber::registry().with(filter);
    let writer = Lines { lines: lines.clone(), lost };
    let layer = tracing_subscriber::fmt::layer();
    match format {
        LogFormat::Text => {
            registry.with(layer.with_writer(writer).with_target(false).with_ansi(false)).init();
        }
        LogFormat::Json => registry.with(layer.json().flatten_event(true).with_writer(writer)).init(),
    }
    Flush(lines)
}

enum Line {
    Text(Vec<u8>),
    Flush(SyncSender<()>),
}

fn write_lines(queue: &Receiver<Line>, lost: &AtomicU64) {
    let mut stderr = io::stderr();
    while let Ok(line) = queue.recv() {
        match line {
            // A log that cannot be written has nobody to be told to.
            Line::Text(text) => drop(stderr.write_all(&text)),
            Line::Flush(done) => drop(done.send(())),
        }
        let dropped = lost.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            drop(writeln!(
                stderr,
                "{dropped} lines of the log were dropped: it could not be written fast enough"
            ));
        }
    }
}

#[derive(Clone)]
struct Lines {
    lines: SyncSender<Line>,
    lost: Arc<AtomicU64>,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Lines;

    fn make_writer(&'a self) -> Lines {
        self.clone()
    }
}

impl Write for Lines {
    /// The formatter writes a whole line at once.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.lines.try_send(Line::Text(bytes.to_vec())).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits for the last lines when it is dropped.
pub(crate) struct Flush(SyncSender<Line>);

impl Drop for Flush {
    fn drop(&mut self) {
        let (done, written) = sync_channel(1);
        if self.0.try_send(Line::Flush(done)).is_ok() {
            let _ = written.recv_timeout(LAST_LINES);
        }
    }
}
