//! Asking all servers, all the time, whether clients may write to them.

use crate::cluster::LocalCluster;
use crate::node::{Account, Node};
use crate::sql::Sql;
use anyhow::{Result, anyhow};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Pause between two rounds.
const EVERY: Duration = Duration::from_millis(20);
/// A server that does not answer within this is not asked again in this round.
const ANSWER: Duration = Duration::from_millis(100);
/// A server that hangs at connecting gets this long.
const CONNECT: Duration = Duration::from_millis(300);
/// More sightings of the same are not kept.
const KEPT: usize = 1_000;

/// Two servers were writable at the same time.
#[derive(Debug, Clone)]
pub struct Sighting {
    /// When, since the watch began.
    pub after: Duration,
    /// At what moment.
    pub at: Instant,
    /// Their names.
    pub nodes: (String, String),
}

impl fmt::Display for Sighting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { after, nodes: (one, two), .. } = self;
        write!(f, "{one} and {two} were both writable {:.3} s after the watch began", after.as_secs_f64())
    }
}

/// A running watch; ends when it is dropped.
#[derive(Debug)]
pub struct WriterWatch {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<Sighting>>>,
    thread: Option<JoinHandle<()>>,
}

impl WriterWatch {
    /// Begins to watch the nodes that the cluster has now.
    ///
    /// # Errors
    /// No thread or runtime can be made.
    pub fn start(cluster: &LocalCluster) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let eyes: Vec<Eye> = cluster
            .nodes()
            .into_iter()
            .map(|node| Eye { node, account: cluster.accounts().app, sql: None })
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (ends, sightings) = (stop.clone(), seen.clone());
        let work = move || runtime.block_on(watch(eyes, &ends, &sightings));
        let thread = std::thread::Builder::new().name("writer-watch".to_owned()).spawn(work)?;
        Ok(Self { stop, seen, thread: Some(thread) })
    }

    /// Ends, and says what was seen.
    ///
    /// # Errors
    /// Its thread has panicked.
    pub fn finish(mut self) -> Result<Vec<Sighting>> {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().map_err(|_| anyhow!("the watch's thread has panicked"))?;
        }
        Ok(std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Drop for WriterWatch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

struct Eye {
    node: Node,
    account: Account,
    sql: Option<Sql>,
}

impl Eye {
    /// Whether clients may write; no when it does not answer.
    async fn is_writable(&mut self) -> bool {
        let usable = self.sql.take().filter(Sql::is_usable);
        let mut sql = match usable {
            Some(sql) => sql,
            None => match Sql::connect_within(&self.node, &self.account, CONNECT).await {
                Ok(sql) => sql,
                Err(_) => return false,
            },
        };
        let answer = sql.row::<(u8, u8)>("SELECT @@read_only, @@super_read_only", ANSWER).await;
        self.sql = Some(sql);
        matches!(answer, Ok((0, 0)))
    }
}

async fn watch(mut eyes: Vec<Eye>, stop: &AtomicBool, seen: &Mutex<Vec<Sighting>>) {
    let began = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let writable = all(&mut eyes).await;
        if writable.len() > 1 {
            // One may have closed and another opened between the questions: only one that is open before and after the
            // other was seen open was open together with it.
            let indices: Vec<usize> = writable.into_iter().collect();
            for pair in indices.windows(2) {
                let [one, two] = pair else { continue };
                if ask(&mut eyes, *one).await && ask(&mut eyes, *two).await && ask(&mut eyes, *one).await {
                    let name =
                        |index: usize| eyes.get(index).map_or(String::new(), |eye| eye.node.name.clone());
                    let nodes = (name(*one), name(*two));
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    if seen.len() < KEPT {
                        seen.push(Sighting { after: began.elapsed(), at: Instant::now(), nodes });
                    }
                }
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn ask(eyes: &mut [Eye], index: usize) -> bool {
    match eyes.get_mut(index) {
        Some(eye) => eye.is_writable().await,
        None => false,
    }
}

/// All at once, so that one that hangs delays the others by no more than its own deadline.
async fn all(eyes: &mut Vec<Eye>) -> BTreeSet<usize> {
    let asked: Vec<_> = std::mem::take(eyes)
        .into_iter()
        .map(|mut eye| {
            tokio::spawn(async move {
                let writable = eye.is_writable().await;
                (eye, writable)
            })
        })
        .collect();
    let mut found = BTreeSet::new();
    for (index, answer) in asked.into_iter().enumerate() {
        let Ok((eye, writable)) = answer.await else { continue };
        if writable {
            found.insert(index);
        }
        eyes.push(eye);
    }
    found
}
