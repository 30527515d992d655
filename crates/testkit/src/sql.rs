//! A connection to one server, with a deadline on everything, that is dropped when a deadline passes.

use anyhow::{Context, Result, anyhow};
use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, Opts, OptsBuilder};
use std::time::Duration;

use crate::node::{Account, Node};

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(3);

/// A connection.
#[derive(Debug)]
pub struct Sql {
    /// `None` after a deadline passed: the next statement would read the old answer.
    conn: Option<Conn>,
    name: String,
}

impl Sql {
    /// Connects to a node's server.
    ///
    /// # Errors
    /// It is not there, refuses the account, or takes longer than three seconds.
    pub async fn connect(node: &Node, account: &Account) -> Result<Self> {
        Self::connect_within(node, account, CONNECT)
            .await
            .with_context(|| format!("connecting to {}", node.name))
    }

    pub(crate) async fn connect_within(
        node: &Node,
        account: &Account,
        bound: Duration,
    ) -> mysql_async::Result<Self> {
        let mut conn = Hangup(None);
        match tokio::time::timeout(bound, Conn::new(options(node, account))).await {
            Ok(Ok(opened)) => conn.0 = Some(opened),
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(timed_out()),
        }
        Ok(Self { conn: conn.0.take(), name: node.name.clone() })
    }

    /// The rows of one statement.
    ///
    /// # Errors
    /// The server refuses it, the connection breaks, or the deadline passes: then the connection is of no use any more.
    pub async fn rows<T: FromRow + Send + 'static>(
        &mut self,
        statement: &str,
        deadline: Duration,
    ) -> Result<Vec<T>> {
        self.ask(statement, deadline).await.map_err(|error| anyhow!("{}: {statement}: {error}", self.name))
    }

    /// The first row of one statement.
    ///
    /// # Errors
    /// As [`Sql::rows`], and when there is none.
    pub async fn row<T: FromRow + Send + 'static>(
        &mut self,
        statement: &str,
        deadline: Duration,
    ) -> Result<T> {
        let rows = self.rows(statement, deadline).await?;
        rows.into_iter().next().ok_or_else(|| anyhow!("{}: {statement}: no row", self.name))
    }

    /// One or more statements without rows.
    ///
    /// # Errors
    /// As [`Sql::rows`].
    pub async fn run(&mut self, statement: &str, deadline: Duration) -> Result<()> {
        self.rows::<mysql_async::Row>(statement, deadline).await.map(drop)
    }

    /// As [`Sql::rows`], with the error as the server gave it.
    pub(crate) async fn ask<T: FromRow + Send + 'static>(
        &mut self,
        statement: &str,
        deadline: Duration,
    ) -> mysql_async::Result<Vec<T>> {
        // Out of `self` while it runs, so that a dropped future leaves no half-used connection behind.
        let Some(mut conn) = self.conn.take().map(|conn| Hangup(Some(conn))) else {
            return Err(mysql_async::DriverError::ConnectionClosed.into());
        };
        let Some(open) = conn.0.as_mut() else {
            return Err(mysql_async::DriverError::ConnectionClosed.into());
        };
        match tokio::time::timeout(deadline, open.query(statement)).await {
            Ok(Err(mysql_async::Error::Server(error))) => {
                self.conn = conn.0.take();
                Err(mysql_async::Error::Server(error))
            }
            Ok(Err(error)) => Err(error),
            Ok(Ok(rows)) => {
                self.conn = conn.0.take();
                Ok(rows)
            }
            Err(_) => Err(timed_out()),
        }
    }

    /// It may be used again.
    pub(crate) fn is_usable(&self) -> bool {
        self.conn.is_some()
    }
}

impl Drop for Sql {
    fn drop(&mut self) {
        drop(Hangup(self.conn.take()));
    }
}

/// Drops a connection on a thread outside the runtime: there it just closes its socket. Inside, a task would stay behind
/// that first reads the rest of the answer, for ever if the server hangs.
struct Hangup(Option<Conn>);

impl Drop for Hangup {
    fn drop(&mut self) {
        if let Some(conn) = self.0.take() {
            // If no thread can be made, it is dropped here after all.
            let _ = std::thread::Builder::new().name("hang-up".to_owned()).spawn(move || drop(conn));
        }
    }
}

fn timed_out() -> mysql_async::Error {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}

/// Without TLS, whose handshake takes longer than a switchover.
fn options(node: &Node, account: &Account) -> Opts {
    OptsBuilder::default()
        .ip_or_hostname(node.address.to_string())
        .tcp_port(node.mysql_port)
        .user(Some(account.user.clone()))
        .pass(Some(account.password.clone()))
        .prefer_socket(false)
        // With these two given, connecting asks the server nothing.
        .max_allowed_packet(Some(64 << 20))
        .wait_timeout(Some(28_800))
        .stmt_cache_size(0)
        .into()
}
