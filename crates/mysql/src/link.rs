//! One connection to the server that is never reused after a deadline or a cancelled call.
//!
//! Why so strict: the answer to a statement that was given up comes later, and the next statement would read it as its
//! own; and the server goes on with the old statement meanwhile.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, Row, SslOpts, Value};
use tokio::time::{Instant, timeout_at};

use crate::abandoned::Abandoned;
use crate::{Dialect, DoorOptions, Secret, SqlError};

/// Set first on every link. `sql_mode` fixes how literals are read (no NO_BACKSLASH_ESCAPES, no ANSI_QUOTES); the others
/// keep a server's own defaults from changing what our statements mean, or from closing an idle link.
const SESSION: &str = "SET NAMES utf8mb4; \
     SET SESSION sql_mode = 'STRICT_TRANS_TABLES', autocommit = 1, wait_timeout = 2592000, max_execution_time = 0, \
     lock_wait_timeout = 31536000";

/// Largest answer that is read, bytes; sets of GTIDs are the only large ones.
const MAX_PACKET_BYTES: usize = 1 << 30;

/// The connection attributes by which our sessions are known in the server.
pub(crate) const PROGRAM_ATTRIBUTE: &str = "program_name";
pub(crate) const PROGRAM: &str = "xenon";
pub(crate) const DOOR_ATTRIBUTE: &str = "xenon_door";

/// What becomes of the server's thread when a call is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It only reads: killed when convenient.
    Reading,
    /// It changes things: must be gone before anything else is changed.
    Changing,
}

/// Who logs in, and over what.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: Secret,
    pub(crate) over: Over,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Over {
    /// The socket, or TCP without TLS where no socket is given.
    Plain,
    /// TCP with TLS; the certificate is not checked (the server's own is self-signed, and the server is this machine's).
    Tls,
    /// TCP without TLS even if a socket is given.
    PlainTcp,
}

/// The rows of one statement.
pub(crate) type Rows = Vec<Row>;

pub(crate) struct Link {
    /// `None` once it must not be used any more.
    conn: Option<Conn>,
    id: u32,
    dialect: Dialect,
    purpose: Purpose,
    abandoned: Arc<Abandoned>,
    /// The semi-sync variables of this server, once both sides are known to be loaded; see `look.rs`.
    pub(crate) semi_sync_variables: Vec<String>,
}

impl Link {
    /// Connects and sets the session up.
    pub(crate) async fn open(
        options: &DoorOptions,
        login: &Login,
        purpose: Purpose,
        abandoned: &Arc<Abandoned>,
        until: Instant,
    ) -> Result<Self, SqlError> {
        let what = "connecting";
        let address = if login.over == Over::Plain { options.address() } else { options.tcp_address() };
        let started = Instant::now();
        let until = until.min(started + options.connect_deadline);
        let mut connecting =
            OffRuntime::new(Conn::new(connection_options(options, login, abandoned.token())));
        let connected = timeout_at(until, connecting.as_pin()).await;
        let conn = match connected {
            Ok(Ok(conn)) => conn,
            Ok(Err(error)) => return Err(SqlError::from_connect(what, &address, error)),
            Err(_) => return Err(timeout(&format!("connecting to {address}"), started, until)),
        };
        let id = conn.id();
        abandoned.opened(id);
        // The words are those of the oldest server until this one has said what it is.
        let dialect = Dialect::of("8.0.0")?;
        let mut link = Self {
            conn: Some(conn),
            id,
            dialect,
            purpose,
            abandoned: Arc::clone(abandoned),
            semi_sync_variables: Vec::new(),
        };
        // Asked first and alone: an unsupported server gets a clear refusal and none of our session settings.
        let sets = link.ask("asking for the server's version", "SELECT @@version", until).await?;
        let version =
            sets.first().and_then(|rows| rows.first()).and_then(|row| text(row, 0)).unwrap_or_default();
        link.dialect = Dialect::of(&version)?;
        link.run("setting up the session", SESSION, until).await?;
        Ok(link)
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// It may be used again.
    pub(crate) fn is_usable(&self) -> bool {
        self.conn.is_some()
    }

    /// Runs one or more statements (`a; b`) in one round trip: one [`Rows`] for each, in order.
    ///
    /// The text is never logged, since it may hold a password. After a timeout, a lost connection, or when this future is
    /// dropped, the link is unusable and its server thread is on the list of abandoned ones.
    pub(crate) async fn ask(
        &mut self,
        what: &str,
        sql: impl Into<String>,
        until: Instant,
    ) -> Result<Vec<Rows>, SqlError> {
        let sql = sql.into();
        let started = Instant::now();
        let mut call = Call { link: self, answered: false };
        let outcome = {
            let Some(conn) = call.link.conn.as_mut() else {
                call.answered = true;
                return Err(SqlError::lost(what, "an earlier call on it was given up; open another"));
            };
            timeout_at(until, collect(conn, sql)).await
        };
        let result = match outcome {
            Ok(Ok(sets)) => Ok(sets),
            Ok(Err(error)) => Err(SqlError::from_statement(what, error)),
            Err(_) => Err(timeout(what, started, until)),
        };
        call.answered = match &result {
            Ok(_) => true,
            Err(error) => error.leaves_session_usable(),
        };
        result
    }

    /// As [`Link::ask`] where only success counts.
    pub(crate) async fn run(
        &mut self,
        what: &str,
        sql: impl Into<String>,
        until: Instant,
    ) -> Result<(), SqlError> {
        self.ask(what, sql, until).await.map(drop)
    }

    /// Ends the link without a statement in flight; its session settings may be unusual.
    pub(crate) fn close(&mut self) {
        if let Some(conn) = self.conn.take() {
            self.abandoned.closed(self.id);
            drop(conn);
        }
    }

    /// A statement may still run in the server.
    fn give_up(&mut self) {
        if let Some(conn) = self.conn.take() {
            self.abandoned.give_up(self.id, self.purpose);
            drop(OffRuntime::new(conn));
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.close();
    }
}

/// Drop guard of one statement: runs when the caller's future is dropped in the middle, too.
struct Call<'a> {
    link: &'a mut Link,
    answered: bool,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.link.give_up();
        }
    }
}

async fn collect(conn: &mut Conn, sql: String) -> Result<Vec<Rows>, mysql_async::Error> {
    let mut result = conn.query_iter(sql).await?;
    let mut sets = Vec::new();
    loop {
        sets.push(result.collect::<Row>().await?);
        if result.is_empty() {
            break;
        }
    }
    // An error of a later statement of several is not an error of `collect`: mysql_async keeps it for whoever asks next.
    result.drop_result().await?;
    Ok(sets)
}

fn timeout(what: &str, started: Instant, until: Instant) -> SqlError {
    let after = until.saturating_duration_since(started);
    SqlError::Timeout {
        what: what.to_owned(),
        after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
    }
}

/// `now + deadline`.
pub(crate) fn until(deadline: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(deadline).unwrap_or(now + Duration::from_secs(86_400 * 365))
}

fn connection_options(options: &DoorOptions, login: &Login, door: &str) -> OptsBuilder {
    let attributes = HashMap::from([
        (PROGRAM_ATTRIBUTE.to_owned(), PROGRAM.to_owned()),
        (DOOR_ATTRIBUTE.to_owned(), door.to_owned()),
    ]);
    let builder = OptsBuilder::default()
        .ip_or_hostname(options.host.clone())
        .tcp_port(options.port)
        .user(Some(login.user.clone()))
        .pass(Some(login.password.reveal().to_owned()))
        .connect_attributes(attributes)
        // With these three set, connecting asks the server nothing.
        .prefer_socket(false)
        .max_allowed_packet(Some(MAX_PACKET_BYTES))
        .wait_timeout(Some(2_592_000))
        .stmt_cache_size(0);
    match (login.over, &options.socket) {
        (Over::Plain, Some(path)) => builder.socket(Some(path.to_string_lossy().into_owned())),
        (Over::Plain | Over::PlainTcp, _) => builder,
        (Over::Tls, _) => builder.ssl_opts(
            SslOpts::default()
                .with_danger_accept_invalid_certs(true)
                .with_danger_skip_domain_validation(true),
        ),
    }
}

/// Drops its value on a thread outside the runtime.
///
/// mysql_async, when dropped inside, leaves a task behind that first reads the rest of the answer: for ever, if the server
/// hangs, and with a panic if a TLS handshake was cut short. Outside it just closes the socket.
struct OffRuntime<T: Send + 'static>(Option<T>);

impl<T: Send + 'static> OffRuntime<T> {
    fn new(value: T) -> Self {
        Self(Some(value))
    }
}

type Connecting = Pin<Box<dyn Future<Output = Result<Conn, mysql_async::Error>> + Send>>;

impl OffRuntime<Connecting> {
    async fn as_pin(&mut self) -> Result<Conn, mysql_async::Error> {
        let Some(connecting) = self.0.as_mut() else {
            return Err(mysql_async::DriverError::ConnectionClosed.into());
        };
        let result = connecting.await;
        // Finished: nothing is left that would need the thread.
        self.0 = None;
        result
    }
}

impl<T: Send + 'static> Drop for OffRuntime<T> {
    fn drop(&mut self) {
        if let Some(value) = self.0.take() {
            // If no thread can be made, the value is dropped here after all.
            let _ = std::thread::Builder::new().name("xenon-hang-up".into()).spawn(move || drop(value));
        }
    }
}

/// Column `index` as text; `None` when NULL or absent.
pub(crate) fn text(row: &Row, index: usize) -> Option<String> {
    as_text(row.as_ref(index)?)
}

/// The first of these columns that exists, as text; `None` when NULL or absent. Names are compared without case.
pub(crate) fn named(row: &Row, names: &[&str]) -> Option<String> {
    let index = names.iter().find_map(|name| {
        row.columns_ref().iter().position(|column| column.name_str().eq_ignore_ascii_case(name))
    })?;
    text(row, index)
}

fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::Int(n) => Some(n.to_string()),
        Value::UInt(n) => Some(n.to_string()),
        other => Some(other.as_sql(true)),
    }
}
