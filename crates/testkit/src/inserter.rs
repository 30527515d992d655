//! A client that inserts a row every few milliseconds and follows the primary.
//!
//! It has a connection to every node, open all the time, so that finding the new primary costs one round trip. While the
//! node that took its rows last answers, it asks no other. When that one refuses, breaks or does not answer within the
//! pause between two inserts, it sends a row to every node that is not busy, each with a key of its own, until one says
//! OK. No key is ever sent twice, so a row that is there twice was applied twice.
//!
//! Now and then it also tempts the nodes that should refuse: a second writer shows itself by an OK.

use crate::cluster::LocalCluster;
use crate::history::{Attempt, History, Outcome};
use crate::node::{Account, Node};
use crate::sql::Sql;
use anyhow::{Context, Result, anyhow};
use mysql_async::Row;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// Pause between two temptations.
const TEMPT_EVERY: Duration = Duration::from_millis(50);
/// Pause between two tries to connect.
const RECONNECT_EVERY: Duration = Duration::from_millis(10);
/// Longest wait for a connection; a server that hangs must not keep it for long.
const CONNECT: Duration = Duration::from_millis(500);
/// A client that is started waits so long for a primary.
const LEADS: Duration = Duration::from_secs(10);
/// Another table of the same shape may be there already.
const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS app.history (\
     id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, client INT UNSIGNED NOT NULL, seq BIGINT UNSIGNED NOT NULL, \
     written_by CHAR(36) NOT NULL, KEY (client, seq))";

/// Server errors after which the statement has surely done nothing: read-only (two numbers), no such table or database,
/// offline mode, no rights.
const REFUSALS: [u16; 7] = [1290, 1836, 1146, 1049, 3032, 1044, 1142];

/// How a client inserts.
#[derive(Debug, Clone)]
pub struct InserterOptions {
    /// Pause between two inserts.
    pub every: Duration,
    /// Pause between two rounds that ask all nodes.
    pub search_every: Duration,
    /// After this long without an answer the client gives up on it, and its outcome stays unknown.
    pub patience: Duration,
}

impl Default for InserterOptions {
    fn default() -> Self {
        Self {
            every: Duration::from_millis(10),
            search_every: Duration::from_millis(1),
            patience: Duration::from_secs(20),
        }
    }
}

impl InserterOptions {
    /// For one of many: nothing is measured with it, and all of them together leave the machine to the servers.
    pub fn one_of_many() -> Self {
        Self {
            every: Duration::from_millis(200),
            search_every: Duration::from_millis(200),
            ..Self::default()
        }
    }
}

/// A running client; ends when it is dropped.
#[derive(Debug)]
pub struct Inserter {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    stop: AtomicBool,
    history: Mutex<History>,
    acknowledged: AtomicU64,
}

impl Inserter {
    /// Makes the table on the primary, and begins to insert.
    ///
    /// # Errors
    /// There is no primary that takes the table.
    pub async fn start(cluster: &LocalCluster, options: InserterOptions) -> Result<Self> {
        static CLIENTS: AtomicU32 = AtomicU32::new(1);
        let primary = cluster.wait_for_leader(LEADS).await?.value;
        cluster.admin(primary).await?.run(SCHEMA, Duration::from_secs(10)).await?;
        let client = CLIENTS.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            history: Mutex::new(History { client, attempts: Vec::new() }),
            acknowledged: AtomicU64::new(0),
        });
        let (nodes, account) = (cluster.nodes(), cluster.accounts().app);
        // On a thread and runtime of its own: what else the test does must not be measured.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let state = shared.clone();
        let work = move || runtime.block_on(run(state, nodes, account, options, client, primary));
        let thread = std::thread::Builder::new().name("inserter".to_owned()).spawn(work)?;
        let inserter = Self { shared, thread: Some(thread) };
        inserter.wait_acknowledged(1, Duration::from_secs(10)).await.context("the client cannot insert")?;
        Ok(inserter)
    }

    /// How many OKs there were so far.
    pub fn acknowledged(&self) -> u64 {
        self.shared.acknowledged.load(Ordering::Relaxed)
    }

    /// Waits for so many more OKs.
    ///
    /// # Errors
    /// The bound passes.
    pub async fn wait_acknowledged(&self, more: u64, bound: Duration) -> Result<()> {
        let wanted = self.acknowledged() + more;
        let what = format!("{more} more inserts are acknowledged");
        crate::wait::wait_until(bound, &what, async || (self.acknowledged() >= wanted).then_some(()))
            .await
            .map(drop)
    }

    /// What was asked and answered so far.
    pub fn history(&self) -> History {
        self.seen(History::clone)
    }

    /// Looks at what was asked and answered so far; the client waits meanwhile.
    pub fn seen<T>(&self, look: impl FnOnce(&History) -> T) -> T {
        look(&self.shared.history.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Stops, waits for outstanding answers as long as the client is patient, and gives the history.
    ///
    /// # Errors
    /// The client's thread has panicked.
    pub fn finish(mut self) -> Result<History> {
        self.stop()
    }

    /// As [`Inserter::finish`], for one that is kept.
    ///
    /// # Errors
    /// As there.
    pub fn stop(&mut self) -> Result<History> {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().map_err(|_| anyhow!("the client's thread has panicked"))?;
        }
        Ok(self.history())
    }
}

impl Drop for Inserter {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // Not waited for: it may be patient with a server that hangs.
    }
}

/// One connection's side of the client.
struct Lane {
    jobs: mpsc::Sender<u64>,
    ready: Arc<AtomicBool>,
}

impl Lane {
    /// Sends a row, unless the lane has no connection or is busy.
    fn send(&self, seq: &mut u64) -> bool {
        if !self.ready.load(Ordering::Relaxed) || self.jobs.try_send(*seq).is_err() {
            return false;
        }
        self.ready.store(false, Ordering::Relaxed);
        *seq += 1;
        true
    }
}

async fn run(
    shared: Arc<Shared>,
    nodes: Vec<Node>,
    account: Account,
    options: InserterOptions,
    client: u32,
    primary: usize,
) {
    let (answers, mut answered) = mpsc::unbounded_channel::<Attempt>();
    let mut tasks = Vec::new();
    let lanes: Vec<Lane> = nodes
        .into_iter()
        .enumerate()
        .map(|(index, node)| {
            let (jobs, inbox) = mpsc::channel(1);
            let ready = Arc::new(AtomicBool::new(false));
            let worker = Worker {
                index,
                node,
                account: account.clone(),
                client,
                patience: options.patience,
                ready: ready.clone(),
                answers: answers.clone(),
            };
            tasks.push(tokio::spawn(worker.run(inbox)));
            Lane { jobs, ready }
        })
        .collect();
    drop(answers);

    let mut current = Some(primary);
    let mut seq = 1;
    let mut outstanding = 0_usize;
    let mut tick = interval(options.every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut tempt = interval(TEMPT_EVERY);
    tempt.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !shared.stop.load(Ordering::Relaxed) {
        let search = async {
            match current {
                Some(_) => std::future::pending().await,
                None => sleep(options.search_every).await,
            }
        };
        tokio::select! {
            biased;
            Some(attempt) = answered.recv() => {
                outstanding = outstanding.saturating_sub(1);
                let (node, ok) = (attempt.node, attempt.is_ok());
                if ok {
                    // A late answer of a node that was given up must not draw the client back to it.
                    if current.is_none() {
                        tick.reset();
                    }
                    current = current.or(Some(node));
                    shared.acknowledged.fetch_add(1, Ordering::Relaxed);
                } else if current == Some(node) {
                    current = None;
                    outstanding += others(&lanes, node, &mut seq);
                }
                shared.history.lock().unwrap_or_else(PoisonError::into_inner).attempts.push(attempt);
            }
            _ = tick.tick() => {
                let sent = current.and_then(|index| lanes.get(index)).is_some_and(|lane| lane.send(&mut seq));
                if sent {
                    outstanding += 1;
                } else {
                    // It is still busy with the last one, or has no connection: somebody else may be the primary.
                    let silent = current.take();
                    outstanding += others(&lanes, silent.unwrap_or(usize::MAX), &mut seq);
                }
            }
            _ = tempt.tick(), if current.is_some() => {
                outstanding += others(&lanes, current.unwrap_or(usize::MAX), &mut seq);
            }
            () = search => outstanding += others(&lanes, usize::MAX, &mut seq),
        }
    }
    drop(lanes);
    while outstanding > 0 {
        let Ok(Some(attempt)) = timeout(options.patience, answered.recv()).await else { break };
        outstanding -= 1;
        shared.history.lock().unwrap_or_else(PoisonError::into_inner).attempts.push(attempt);
    }
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}

fn others(lanes: &[Lane], but: usize, seq: &mut u64) -> usize {
    lanes.iter().enumerate().filter(|(index, lane)| *index != but && lane.send(seq)).count()
}

struct Worker {
    index: usize,
    node: Node,
    account: Account,
    client: u32,
    patience: Duration,
    ready: Arc<AtomicBool>,
    answers: mpsc::UnboundedSender<Attempt>,
}

impl Worker {
    async fn run(self, mut inbox: mpsc::Receiver<u64>) {
        loop {
            let Ok(mut sql) = Sql::connect_within(&self.node, &self.account, CONNECT).await else {
                sleep(RECONNECT_EVERY).await;
                if inbox.is_closed() {
                    return;
                }
                continue;
            };
            while sql.is_usable() {
                self.ready.store(true, Ordering::Relaxed);
                let Some(seq) = inbox.recv().await else { return };
                let statement = format!(
                    "INSERT INTO app.history (client, seq, written_by) VALUES ({}, {seq}, @@server_uuid)",
                    self.client
                );
                let start = Instant::now();
                let answer = sql.ask::<Row>(&statement, self.patience).await;
                let end = Instant::now();
                let outcome = match answer {
                    Ok(_) => Outcome::Ok,
                    Err(mysql_async::Error::Server(error)) if REFUSALS.contains(&error.code) => {
                        Outcome::Refused(format!("{}: {}", error.code, error.message))
                    }
                    Err(error) => Outcome::Unknown(error.to_string()),
                };
                let attempt = Attempt { seq, node: self.index, start, end, outcome };
                if self.answers.send(attempt).is_err() {
                    return;
                }
            }
        }
    }
}
