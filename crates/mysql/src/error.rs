//! What can go wrong at the server's door, sorted by what the caller can do about it.

use mysql_async::{DriverError, Error, IoError};

/// A failed call. Says what was being done, what happened, and what to try; never holds a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// Nothing listens there: the server is down, starting, or elsewhere.
    #[error(
        "{what}: no server answers at {address} ({cause}); is mysqld running, and do mysql.host and mysql.port fit?"
    )]
    Unreachable {
        /// What was being done.
        what: String,
        /// `host:port` or socket.
        address: String,
        /// The system's own words.
        cause: String,
    },
    /// The deadline passed. The statement may still run in the server: see [`crate::Door::kill_abandoned`].
    #[error("{what}: no answer within {after_ms} ms; mysqld may hang, be overloaded, or wait for a lock")]
    Timeout {
        /// What was being done.
        what: String,
        /// The deadline, milliseconds.
        after_ms: u64,
    },
    /// The account or its rights do not suffice.
    #[error(
        "{what}: access denied (error {code}: {message}); check mysql.admin and mysql.passwd and the account's rights"
    )]
    AccessDenied {
        /// What was being done.
        what: String,
        /// MySQL error number.
        code: u16,
        /// The server's own words.
        message: String,
    },
    /// The server has no connection left for us. It may be well otherwise.
    #[error(
        "{what}: mysqld has no free connection (error {code}); raise max_connections or close some clients"
    )]
    TooManyConnections {
        /// What was being done.
        what: String,
        /// MySQL error number.
        code: u16,
    },
    /// The server refused the statement.
    #[error("{what}: mysqld answered error {code} ({state}): {message}")]
    Server {
        /// What was being done.
        what: String,
        /// MySQL error number.
        code: u16,
        /// SQLSTATE.
        state: String,
        /// The server's own words.
        message: String,
    },
    /// The connection ended in the middle; whether the statement took effect is unknown.
    #[error("{what}: the connection to mysqld was lost ({cause}); look again before repeating it")]
    Lost {
        /// What was being done.
        what: String,
        /// What is known of the cause.
        cause: String,
    },
    /// This server, or this crate on purpose, does not do it.
    #[error("{what}: not done: {why}")]
    Unsupported {
        /// What was asked for.
        what: String,
        /// Why not, and what to do instead.
        why: String,
    },
    /// The server's answer was not understood: a bug here, or an unknown server version.
    #[error(
        "{what}: cannot read the server's answer: {detail}; please report this with the server's version"
    )]
    Decode {
        /// What was being done.
        what: String,
        /// What did not fit.
        detail: String,
    },
}

/// Wrong account, password, or right.
const DENIED: [u16; 8] = [1044, 1045, 1142, 1227, 1410, 1698, 3118, 4134];
/// `max_connections` and its relatives.
const TOO_MANY: [u16; 3] = [1040, 1203, 1226];
/// The server said good-bye: shutdown, our session killed or timed out.
const GOODBYE: [u16; 4] = [1053, 1927, 3169, 4031];

impl SqlError {
    /// The server's error number, when it answered with one.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::AccessDenied { code, .. }
            | Self::TooManyConnections { code, .. }
            | Self::Server { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// The server answered with this error number.
    pub(crate) fn is_code(&self, wanted: u16) -> bool {
        self.code() == Some(wanted)
    }

    /// The session lives on after this error.
    pub(crate) fn leaves_session_usable(&self) -> bool {
        matches!(
            self,
            Self::Server { .. } | Self::AccessDenied { .. } | Self::Unsupported { .. } | Self::Decode { .. }
        )
    }

    pub(crate) fn decode(what: &str, detail: impl Into<String>) -> Self {
        Self::Decode { what: what.to_owned(), detail: detail.into() }
    }

    pub(crate) fn unsupported(what: &str, why: impl Into<String>) -> Self {
        Self::Unsupported { what: what.to_owned(), why: why.into() }
    }

    pub(crate) fn lost(what: &str, cause: impl Into<String>) -> Self {
        Self::Lost { what: what.to_owned(), cause: cause.into() }
    }

    /// An error while connecting to `address`.
    pub(crate) fn from_connect(what: &str, address: &str, error: Error) -> Self {
        match error {
            Error::Io(IoError::Io(io)) => Self::Unreachable {
                what: what.to_owned(),
                address: address.to_owned(),
                cause: io.to_string(),
            },
            other => Self::from_statement(what, other),
        }
    }

    /// An error while a statement ran.
    pub(crate) fn from_statement(what: &str, error: Error) -> Self {
        let what_owned = what.to_owned();
        match error {
            Error::Server(e) if DENIED.contains(&e.code) => {
                Self::AccessDenied { what: what_owned, code: e.code, message: e.message }
            }
            Error::Server(e) if TOO_MANY.contains(&e.code) => {
                Self::TooManyConnections { what: what_owned, code: e.code }
            }
            Error::Server(e) if GOODBYE.contains(&e.code) => Self::lost(what, e.message),
            Error::Server(e) => {
                Self::Server { what: what_owned, code: e.code, state: e.state, message: e.message }
            }
            Error::Io(e) => Self::lost(what, e.to_string()),
            Error::Driver(DriverError::ConnectionClosed) => Self::lost(what, "closed by the server"),
            Error::Driver(DriverError::NoClientSslFlagFromServer) => Self::unsupported(
                what,
                "this server offers no TLS; give it certificates or switch TLS for replication off",
            ),
            // The packet's bytes stay out of the message: they may hold what was being sent.
            Error::Driver(DriverError::UnexpectedPacket { .. }) => Self::lost(what, "unexpected packet"),
            Error::Driver(e) => Self::lost(what, e.to_string()),
            Error::Other(e) => Self::lost(what, e.to_string()),
            Error::Url(_) => Self::unsupported(what, "the address is not understood"),
        }
    }
}
