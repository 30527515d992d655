//! The door: connections for looking, probing and changing, kept apart so that none waits for another.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use xenon_plan::observation::ServerState;

use crate::abandoned::{Abandoned, end_predecessors};
use crate::link::{Link, Login, Over, Purpose, Rows, until};
use crate::{Control, Dialect, DoorOptions, SqlError, look};

/// `require_secure_transport` is on.
const TLS_REQUIRED: u16 = 3159;

/// Probes that may be outstanding at once. A hung server never answers them, and each holds a connection of it.
const PROBES: usize = 8;
/// Probe connections kept open between probes.
const IDLE_PROBES: usize = 2;
/// A server that keeps a lock for ever keeps every look that asks for it: no more than so many are left behind in it.
const LEFT_BEHIND: usize = 8;
/// So many looks after one that got no answer leave out what needs a lock of the binlog.
const SHORT_LOOKS: u32 = 30;
/// Looks that may be outstanding at once; more than one only when an earlier one is being given up.
const LOOKS: usize = 2;

/// One door to one server. A clone is another handle of the same door.
#[derive(Clone)]
pub struct Door {
    inner: Arc<Inner>,
}

struct Inner {
    options: DoorOptions,
    /// The server wants TLS on TCP; learned from its refusal.
    needs_tls: AtomicBool,
    abandoned: Arc<Abandoned>,
    /// Address and port of the administrative interface, when the server has one.
    admin: Mutex<Option<(String, u16)>>,
    /// So many of the next looks are short.
    short_looks: AtomicU32,
    /// No session of an earlier agent is left.
    alone: AtomicBool,
    observers: Lane,
    probes: Lane,
    controls: Lane,
}

/// Connections for one purpose: how many at once, and the idle ones.
struct Lane {
    turns: Arc<Semaphore>,
    idle: Mutex<Vec<Link>>,
    keep: usize,
}

impl Lane {
    fn new(at_once: usize, keep: usize) -> Self {
        Self { turns: Arc::new(Semaphore::new(at_once)), idle: Mutex::default(), keep }
    }

    async fn turn(
        &self,
        what: &str,
        deadline: Duration,
        until: Instant,
    ) -> Result<OwnedSemaphorePermit, SqlError> {
        match timeout_at(until, Arc::clone(&self.turns).acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) => Err(SqlError::lost(what, "the door is closed")),
            Err(_) => Err(SqlError::Timeout {
                what: format!("{what}: waiting for earlier calls"),
                after_ms: u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX),
            }),
        }
    }

    fn take_idle(&self) -> Option<Link> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn put_back(&self, link: Link) {
        if !link.is_usable() {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.keep {
            idle.push(link);
        }
    }
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").field("options", &self.inner.options).finish_non_exhaustive()
    }
}

impl Door {
    /// A door that connects when it is first used.
    pub fn new(options: DoorOptions) -> Self {
        // mysql_async takes the process's default; which of the two libraries that is must not depend on what else is
        // linked. An Err says that one has been chosen already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            inner: Arc::new(Inner {
                options,
                needs_tls: AtomicBool::new(false),
                abandoned: Arc::new(Abandoned::new()),
                admin: Mutex::default(),
                short_looks: AtomicU32::new(0),
                alone: AtomicBool::new(false),
                observers: Lane::new(LOOKS, 1),
                probes: Lane::new(PROBES, IDLE_PROBES),
                controls: Lane::new(1, 1),
            }),
        }
    }

    /// Closes the connections that are kept open between calls; later calls open new ones.
    ///
    /// A server that shuts down waits up to ten seconds for sessions that do nothing (seen on 9.7.4), ours among them.
    pub fn close_idle(&self) {
        for lane in [&self.inner.observers, &self.inner.probes, &self.inner.controls] {
            let idle = std::mem::take(&mut *lane.idle.lock().unwrap_or_else(PoisonError::into_inner));
            drop(idle);
        }
    }

    /// How this door reaches the server.
    pub fn options(&self) -> &DoorOptions {
        &self.inner.options
    }

    /// One look at the server, on the observer's own connection, in one round trip.
    ///
    /// The retrieved GTID set is read before the executed one: a transaction that is applied in between is then in both
    /// rather than in neither.
    ///
    /// A commit that is stuck (a full disk, a wedged InnoDB) keeps the lock behind which the binlog's position is read. So
    /// after a look without an answer the next ones leave the position out: empty, 0.
    pub async fn observe(&self, deadline: Duration) -> Result<ServerState, SqlError> {
        let until = until(deadline);
        let _turn = self.inner.observers.turn("looking at mysqld", deadline, until).await?;
        if self.inner.abandoned.count() >= LEFT_BEHIND {
            self.end_abandoned(until).await?;
            if self.inner.abandoned.count() >= LEFT_BEHIND {
                return Err(SqlError::Timeout {
                    what: "looking at mysqld: earlier looks are still stuck in it".to_owned(),
                    after_ms: u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX),
                });
            }
        }
        let short_looks = &self.inner.short_looks;
        let short =
            short_looks.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        let outcome = self.look(short, until).await;
        if matches!(outcome, Err(SqlError::Timeout { .. })) {
            short_looks.store(SHORT_LOOKS, Ordering::Relaxed);
        }
        outcome
    }

    async fn look(&self, short: bool, until: Instant) -> Result<ServerState, SqlError> {
        if let Some(mut link) = self.inner.observers.take_idle() {
            match look::look(&mut link, short, until).await {
                // The server may have restarted since the last look; a new connection will tell.
                Err(SqlError::Lost { .. }) => {}
                outcome => {
                    self.inner.observers.put_back(link);
                    return outcome;
                }
            }
        }
        let mut link = self.open(Purpose::Reading, until).await?;
        let outcome = look::look(&mut link, short, until).await;
        self.inner.observers.put_back(link);
        outcome
    }

    /// Asks once, on a connection that is closed afterwards; the statements depend on the server's dialect.
    pub(crate) async fn ask_once(
        &self,
        what: &str,
        statements: impl FnOnce(&Dialect) -> String,
        deadline: Duration,
    ) -> Result<Vec<Rows>, SqlError> {
        let until = until(deadline);
        let _turn = self.inner.observers.turn(what, deadline, until).await?;
        let mut link = self.open(Purpose::Reading, until).await?;
        let sql = statements(&link.dialect());
        link.ask(what, sql, until).await
    }

    /// A statement that only reads, on the observer's connection when it is free: opening one costs more than most questions.
    pub(crate) async fn ask(&self, what: &str, sql: &str, deadline: Duration) -> Result<Rows, SqlError> {
        let until = until(deadline);
        let _turn = self.inner.observers.turn(what, deadline, until).await?;
        let mut link = match self.inner.observers.take_idle() {
            Some(link) => link,
            None => self.open(Purpose::Reading, until).await?,
        };
        let outcome = link.ask(what, sql, until).await;
        self.inner.observers.put_back(link);
        Ok(outcome?.into_iter().next().unwrap_or_default())
    }

    /// Whether the server still takes and answers statements: `DO 1`, one round trip.
    ///
    /// Several may be outstanding at once, each on its own connection; beyond eight the next waits within its deadline.
    pub async fn probe(&self, deadline: Duration) -> Result<(), SqlError> {
        let what = "probing mysqld";
        let until = until(deadline);
        let _turn = self.inner.probes.turn(what, deadline, until).await?;
        while let Some(mut link) = self.inner.probes.take_idle() {
            match link.run(what, "DO 1", until).await {
                Err(SqlError::Lost { .. }) => {}
                outcome => {
                    self.inner.probes.put_back(link);
                    return outcome;
                }
            }
        }
        let mut link = self.open(Purpose::Reading, until).await?;
        let outcome = link.run(what, "DO 1", until).await;
        self.inner.probes.put_back(link);
        outcome
    }

    /// The one control connection: waits its turn, ends what was given up before (see [`Door::kill_abandoned`]), and checks
    /// that the connection lives. All within `deadline`.
    ///
    /// # Errors
    /// [`SqlError::Timeout`] also when a statement that was given up cannot be ended: nothing may be changed until it is.
    pub async fn control(&self, deadline: Duration) -> Result<Control, SqlError> {
        let what = "opening the control connection";
        let until = until(deadline);
        let turn = self.inner.controls.turn(what, deadline, until).await?;
        self.end_abandoned(until).await?;
        if let Some(mut link) = self.inner.controls.take_idle()
            && link.run(what, "DO 1", until).await.is_ok()
        {
            return Ok(Control::new(self.clone(), link, turn));
        }
        let mut link = self.open(Purpose::Changing, until).await?;
        if !self.inner.alone.load(Ordering::Relaxed) {
            end_predecessors(&mut link, self.inner.abandoned.token(), until).await?;
            self.inner.alone.store(true, Ordering::Relaxed);
        }
        Ok(Control::new(self.clone(), link, turn))
    }

    /// Kills the server threads of calls that were given up, over a fresh connection, and waits until each that might
    /// still change something is gone.
    ///
    /// A killed thread that waits for a semi-sync acknowledgement counts as gone: KILL doesn't release it (D2), and it runs
    /// nothing more afterwards, so it can't start replication any more.
    pub async fn kill_abandoned(&self, deadline: Duration) -> Result<(), SqlError> {
        self.end_abandoned(until(deadline)).await
    }

    async fn end_abandoned(&self, until: Instant) -> Result<(), SqlError> {
        if self.inner.abandoned.is_empty() {
            return Ok(());
        }
        let mut link = self.open(Purpose::Reading, until).await?;
        self.inner.abandoned.end_all(&mut link, until).await
    }

    /// A new connection with the administrative account.
    pub(crate) async fn open(&self, purpose: Purpose, until: Instant) -> Result<Link, SqlError> {
        let options = &self.inner.options;
        let over = if self.inner.needs_tls.load(Ordering::Relaxed) { Over::Tls } else { Over::Plain };
        let mut login = Login { user: options.user.clone(), password: options.password.clone(), over };
        let outcome = Link::open(options, &login, purpose, &self.inner.abandoned, until).await;
        match outcome {
            Err(error) if error.is_code(TLS_REQUIRED) && login.over == Over::Plain => {
                login.over = Over::Tls;
                let link = Link::open(options, &login, purpose, &self.inner.abandoned, until).await?;
                self.inner.needs_tls.store(true, Ordering::Relaxed);
                Ok(link)
            }
            Err(error @ SqlError::TooManyConnections { .. }) => {
                let Some((host, port)) = self.admin_interface() else { return Err(error) };
                // Counted apart from max_connections, and open to whoever has SERVICE_CONNECTION_ADMIN.
                let options = DoorOptions { host, port, socket: None, ..options.clone() };
                Link::open(&options, &login, purpose, &self.inner.abandoned, until).await.map_err(|_| error)
            }
            outcome => outcome,
        }
    }

    pub(crate) fn note_admin_interface(&self, admin: Option<(String, u16)>) {
        *self.inner.admin.lock().unwrap_or_else(PoisonError::into_inner) = admin;
    }

    fn admin_interface(&self) -> Option<(String, u16)> {
        self.inner.admin.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Logs in as somebody else and leaves again.
    pub(crate) async fn try_login(&self, login: &Login, until: Instant) -> Result<(), SqlError> {
        Link::open(&self.inner.options, login, Purpose::Reading, &self.inner.abandoned, until).await.map(drop)
    }

    pub(crate) fn abandoned(&self) -> &Abandoned {
        &self.inner.abandoned
    }

    pub(crate) fn abandoned_list(&self) -> &Arc<Abandoned> {
        &self.inner.abandoned
    }

    pub(crate) fn give_back_control(&self, link: Link) {
        self.inner.controls.put_back(link);
    }
}
