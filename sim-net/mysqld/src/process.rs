//! The process of a server.

use crate::servers::with;
use crate::{Door, ExitRecord, ExitSeen, MysqldOptions, SeenBy, StartError};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::sleep;

/// A process, started or found.
#[derive(Debug)]
pub struct Mysqld {
    at: usize,
    pid: i32,
    started_here: bool,
    look_every_ms: AtomicU64,
}

/// The real crate documents each.
impl Mysqld {
    fn hold(at: usize, pid: i32, started_here: bool) -> Self {
        Self { at, pid, started_here, look_every_ms: AtomicU64::new(10) }
    }

    /// The server behind `door`, when it runs; by the agent's folder, as the real one's by its record.
    pub async fn find(options: &MysqldOptions, _door: &Door, _deadline: Duration) -> Option<Self> {
        with(|servers| {
            let at = servers.of_agent(&options.meta_dir)?;
            let pid = servers.servers[at].pid;
            (pid != 0).then(|| Self::hold(at, pid, false))
        })
    }

    /// Starts it.
    ///
    /// # Errors
    /// It runs, or there is no such server.
    pub async fn start(options: &MysqldOptions) -> Result<Self, StartError> {
        with(|servers| {
            let Some(at) = servers.of_agent(&options.meta_dir) else {
                return Err(StartError::Program {
                    program: options.mysqld.clone(),
                    source: io::Error::from(io::ErrorKind::NotFound),
                });
            };
            match servers.servers[at].pid {
                0 => Ok(Self::hold(at, servers.start(at), true)),
                pid => Err(StartError::Running { pid }),
            }
        })
    }

    /// This agent has started it.
    pub fn is_child(&self) -> bool {
        self.started_here
    }

    /// Process id.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Tells this process from every other.
    pub fn start_id(&self) -> String {
        format!("{} simulated", self.pid)
    }

    /// How often [`Mysqld::wait_exit`] looks.
    pub fn look_every(&self, every: Duration) {
        let ms = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
        self.look_every_ms.store(ms.max(1), Ordering::Relaxed);
    }

    /// It runs.
    pub fn is_alive(&self) -> bool {
        with(|servers| servers.servers[self.at].pid == self.pid)
    }

    /// Returns soon after the process has ended.
    ///
    /// # Errors
    /// Never.
    pub async fn wait_exit(&self) -> io::Result<ExitSeen> {
        while self.is_alive() {
            sleep(Duration::from_millis(self.look_every_ms.load(Ordering::Relaxed))).await;
        }
        Ok(ExitSeen { how: SeenBy::ProcStat })
    }

    /// SIGKILL. Does nothing when it has ended.
    ///
    /// # Errors
    /// Never.
    pub fn kill(&self) -> io::Result<()> {
        if self.is_alive() {
            with(|servers| servers.servers[self.at].stop());
        }
        Ok(())
    }

    /// SIGTERM; there is nothing that takes time in an orderly end here.
    ///
    /// # Errors
    /// Never.
    pub fn terminate(&self) -> io::Result<()> {
        self.kill()
    }

    /// Nothing is left of it once it has ended.
    ///
    /// # Errors
    /// Never.
    pub async fn gone(&self, _deadline: Duration) -> io::Result<()> {
        self.wait_exit().await.map(drop)
    }

    /// What is known of its end.
    pub async fn exit_record(&self) -> ExitRecord {
        ExitRecord { signal: Some(9), ..ExitRecord::default() }
    }
}
