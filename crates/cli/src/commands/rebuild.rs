//! `mysql rebuildme`: begins it at this host's agent, and shows how it goes until it ends. The agent does the work: whoever
//! leaves this command leaves only the looking.

use crate::arguments::{MethodWord, RebuildArguments};
use crate::failure::{Failure, Outcome};
use crate::output::{self, Output, note};
use crate::session::{self, LOOK, Session};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};
use xenon_api::{JobKind, JobState, JobStatus, Method, RebuildOptions, Reply, Request, Response};

/// The check asks all members, and the donor counts its data.
const CHECK: Duration = Duration::from_secs(29);
/// Between two looks at how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Without a terminal a line says how far the copy is, so often.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// An agent that does not answer for so long is gone. It is started again by whoever looks after it, and goes on.
const SILENT: Duration = Duration::from_secs(30);

pub(crate) async fn run(session: &Session, options: RebuildArguments, output: Output) -> Outcome {
    let from = match &options.from {
        Some(from) => Some(session::endpoints(std::slice::from_ref(from))?.remove(0)),
        None => None,
    };
    let method = options.method.map(|word| match word {
        MethodWord::Clone => Method::Clone,
        MethodWord::Xtrabackup => Method::Xtrabackup,
        MethodWord::Mariabackup => Method::Mariabackup,
    });
    let request = Request::Rebuild(RebuildOptions {
        from,
        method,
        force: options.force,
        throttle_mib_s: options.throttle,
        dry_run: options.dry_run,
    });
    let node = session.local();
    let message = match session.ask(node, request, CHECK).await? {
        Response::Done { message } => message,
        _ => return Err(session::strange(node)),
    };
    if options.dry_run || options.detach {
        return output::done(output, node, &message);
    }
    tokio::select! {
        outcome = watch(session, output, JobKind::Rebuild) => outcome,
        _ = tokio::signal::ctrl_c() => {
            note("the rebuild goes on at the agent. Look at it: xenoncli cluster status; end it: xenoncli mysql cancelrebuild");
            Err(Failure::new("left before the rebuild ended; it goes on"))
        }
    }
}

/// Shows how a job goes until it ends.
pub(crate) async fn watch(session: &Session, output: Output, kind: JobKind) -> Outcome {
    let (word, again) = (kind.word(), again(kind));
    let mut show = Show::new();
    let mut heard = Instant::now();
    loop {
        match session.call(session.local(), Request::Status, LOOK).await {
            Ok(Reply::Ok(Response::Status(status))) => {
                heard = Instant::now();
                let Some(job) = status.job.filter(|job| job.kind == kind) else {
                    return Err(Failure::new(format!("the agent knows nothing of a {word} any more"))
                        .cure("look at its log"));
                };
                show.job(&job);
                match job.state {
                    JobState::Running | JobState::Waiting => {}
                    JobState::Done => {
                        show.end();
                        let message = job.lines.last().cloned().unwrap_or_default();
                        return output::done(output, session.local(), &message);
                    }
                    JobState::Failed | JobState::Cancelled => {
                        show.end();
                        let what = match job.state {
                            JobState::Cancelled => format!("the {word} was cancelled"),
                            _ => format!("the {word} failed: {}", job.last_error),
                        };
                        return Err(Failure::new(what)
                            .cure(format!("cure what is said, and begin it again: xenoncli mysql {again}")));
                    }
                }
            }
            _ if heard.elapsed() > SILENT => {
                show.end();
                return Err(Failure::new("the agent does not answer any more").cure(match kind {
                    JobKind::Backup => "start it again: it removes what is there of the backup",
                    _ => "start it again: it goes on, or begins anew; nothing of the old data is removed before",
                }));
            }
            _ => {}
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn again(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Rebuild => "rebuildme",
        JobKind::Backup => "backup",
        JobKind::Restore => "restore",
    }
}

/// Lines as they come, and a bar for the copy.
struct Show {
    bar: Option<ProgressBar>,
    /// So many lines were shown.
    lines: u64,
    last_line: Instant,
}

impl Show {
    fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(100), ProgressDrawTarget::stderr());
            let shape = "  {bar:30} {percent:>3}%  {bytes} of {total_bytes}  {msg}";
            if let Ok(style) = ProgressStyle::with_template(shape) {
                bar.set_style(style);
            }
            bar
        });
        Self { bar, lines: 0, last_line: Instant::now() }
    }

    fn line(&mut self, text: &str) {
        self.last_line = Instant::now();
        let text = format!("  {text}");
        match &self.bar {
            Some(bar) => bar.suspend(|| note(&text)),
            None => note(&text),
        }
    }

    fn job(&mut self, job: &JobStatus) {
        let known = self.lines.saturating_sub(job.lines_before);
        // An agent that was started again has forgotten what it said before.
        let known = if known > u64::try_from(job.lines.len()).unwrap_or(u64::MAX) { 0 } else { known };
        for line in job.lines.iter().skip(usize::try_from(known).unwrap_or(usize::MAX)) {
            self.line(line);
        }
        self.lines = job.lines_before + u64::try_from(job.lines.len()).unwrap_or(0);
        if !matches!(job.phase.as_str(), "copy" | "checksum") || job.bytes_total == 0 {
            return;
        }
        let eta = job.eta_s.map(|eta| format!(", about {eta} s left")).unwrap_or_default();
        let speed = format!("{} MiB/s{eta}", job.bytes_per_s >> 20);
        match &self.bar {
            Some(bar) => {
                bar.set_length(job.bytes_total);
                bar.set_position(job.bytes_done);
                bar.set_message(speed);
            }
            None if self.last_line.elapsed() >= LINE_EVERY => {
                let (done, total) = (job.bytes_done >> 20, job.bytes_total >> 20);
                self.line(&format!("{}%: {done} of {total} MiB, {speed}", job.percent));
            }
            None => {}
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
