//! Many seeds on all cores. A run itself is single-threaded, so the order in which threads take seeds changes nothing.

use crate::run::{Outcome, Subject, View, run, schedule_of};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Which seeds, and of what.
#[derive(Debug, Clone, Copy)]
pub struct Batch {
    /// The first seed.
    pub from: u64,
    /// How many; 0 = until stopped.
    pub count: u64,
    /// Voters; `None`: as the seed says.
    pub nodes: Option<usize>,
    /// What is checked.
    pub subject: Subject,
    /// Ends at the first failure.
    pub stops_at_failure: bool,
    /// Threads; 0 = one for each core.
    pub threads: usize,
}

/// What came of a batch.
#[derive(Debug, Default)]
pub struct Summary {
    /// Runs that were made.
    pub runs: u64,
    /// Failing seeds with what was broken, in order.
    pub failures: Vec<(u64, String)>,
    /// Elections won in all of them.
    pub elections: u64,
    /// Transactions told OK.
    pub acknowledged: u64,
    /// Of them by orderly shutdowns past the agent.
    pub forced: u64,
    /// Runs that ended with an INVALID node that an operator must judge.
    pub judged: u64,
    /// Virtual seconds.
    pub virtual_s: u64,
    /// The longest healing, milliseconds.
    pub longest_healing_ms: u64,
}

/// A line about the batch is told so often.
const PROGRESS: Duration = Duration::from_secs(15);

impl Batch {
    /// Runs it; `progress` gets a line a few times a minute, and one for each failure.
    pub fn run(&self, progress: &(dyn Fn(&str) + Sync)) -> Summary {
        let threads = match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        let summary = Mutex::new(Summary::default());
        let began = Instant::now();
        let told = Mutex::new(began);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if self.count > 0 && index >= self.count {
                            return;
                        }
                        let seed = self.from + index;
                        let outcome = self.one(seed);
                        let mut summary = summary.lock().unwrap_or_else(PoisonError::into_inner);
                        summary.add(seed, outcome, progress);
                        if self.stops_at_failure && !summary.failures.is_empty() {
                            stop.store(true, Ordering::Relaxed);
                        }
                        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                        if told.elapsed() > PROGRESS {
                            *told = Instant::now();
                            progress(&summary.line(began.elapsed()));
                        }
                    }
                });
            }
        });
        let mut summary = summary.into_inner().unwrap_or_else(PoisonError::into_inner);
        summary.failures.sort();
        progress(&summary.line(began.elapsed()));
        summary
    }

    /// One seed; a panic is an outcome like any other.
    fn one(&self, seed: u64) -> Result<Outcome, String> {
        let schedule = schedule_of(seed, self.nodes);
        catch_unwind(AssertUnwindSafe(|| run(&schedule, self.subject, View::default()))).map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            format!("panic: {}", text.unwrap_or_default())
        })
    }
}

impl Summary {
    fn add(&mut self, seed: u64, outcome: Result<Outcome, String>, progress: &(dyn Fn(&str) + Sync)) {
        self.runs += 1;
        let failure = match outcome {
            Err(panic) => Some(panic),
            Ok(outcome) => {
                self.elections += outcome.elections;
                self.acknowledged += outcome.acknowledged;
                self.forced += outcome.forced;
                self.judged += u64::from(outcome.judged);
                self.virtual_s += outcome.took_us / 1_000_000;
                self.longest_healing_ms =
                    self.longest_healing_ms.max(outcome.healing_us.unwrap_or(0) / 1_000);
                outcome.violation.map(|broken| format!("{}: {}", broken.invariant, broken.sentence))
            }
        };
        if let Some(failure) = failure {
            progress(&format!("seed {seed}: {failure}"));
            self.failures.push((seed, failure));
        }
    }

    fn line(&self, took: Duration) -> String {
        let a_minute = self.runs as f64 * 60.0 / took.as_secs_f64().max(0.001);
        format!(
            "{} seeds, {} failed; {a_minute:.0} seeds/min; {} elections, {} writes told OK ({} by forced shutdowns), \
             {} wait for a judge, {} virtual hours, longest healing {:.1} s",
            self.runs,
            self.failures.len(),
            self.elections,
            self.acknowledged,
            self.forced,
            self.judged,
            self.virtual_s / 3600,
            self.longest_healing_ms as f64 / 1e3
        )
    }
}
