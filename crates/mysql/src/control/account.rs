//! The replication account: what followers, clone and checks log in as.

use std::time::Duration;

use tokio::time::Instant;

use super::Control;
use crate::link::{Login, Over, named, text, until};
use crate::literal::{quoted, quoted_line};
use crate::{Secret, SqlError};

/// The account's host part: nodes come and go, so it is not bound to their addresses.
const HOST: &str = "%";

/// Logged in, but the password has expired.
const PASSWORD_EXPIRED: [u16; 2] = [1820, 1862];

/// What the account must be allowed: follow, be cloned from, be looked at.
const WANTED: [(&str, &str); 4] = [
    ("REPLICATION SLAVE", "*.*"),
    ("REPLICATION CLIENT", "*.*"),
    ("BACKUP_ADMIN", "*.*"),
    ("SELECT", "performance_schema.*"),
];

/// How the replication account is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountState {
    /// It logs in and may do what it must.
    Good,
    /// There is no such account for host `%`.
    Missing,
    /// It exists and cannot log in with this password.
    LoginFails,
    /// It logs in and lacks these privileges.
    Lacks(Vec<String>),
}

/// What was done about the replication account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ensured {
    /// Nothing: it was good.
    Already,
    /// It was made.
    Created,
    /// It was there and could not log in: it has this password now, and is unlocked.
    PasswordChanged,
    /// It lacked these privileges.
    GrantsAdded(Vec<String>),
}

/// What the server's tables say of the account.
struct Found {
    exists: bool,
    lacks: Vec<&'static (&'static str, &'static str)>,
}

impl Control {
    /// Looks at the account's rights and really logs in as it, over TCP, with TLS where `ssl` says so.
    ///
    /// # Errors
    /// [`SqlError::Unsupported`] when TLS is wanted and the server has none.
    pub async fn check_replication_account(
        &mut self,
        user: &str,
        password: &Secret,
        ssl: bool,
        deadline: Duration,
    ) -> Result<AccountState, SqlError> {
        let until = until(deadline);
        let found = self.find_account(user, until).await?;
        if !found.exists {
            return Ok(AccountState::Missing);
        }
        if !self.logs_in(user, password, ssl, until).await? {
            return Ok(AccountState::LoginFails);
        }
        if found.lacks.is_empty() {
            return Ok(AccountState::Good);
        }
        Ok(AccountState::Lacks(found.lacks.iter().map(|(privilege, _)| (*privilege).to_owned()).collect()))
    }

    /// Makes the account, its password and its rights what they must be; nothing when they are. Can be repeated.
    ///
    /// Nothing goes to the binlog, so no node gets a transaction of its own from it. The account's tables cannot be
    /// written under `super_read_only`: that is off, with `read_only` on, for those statements, and on again in the same
    /// round trip. If this future is dropped in between, the server still runs that round trip to its end, unless it is
    /// killed first; the plan sees a follower that is not `super_read_only` and sets it (F3).
    pub async fn ensure_replication_account(
        &mut self,
        user: &str,
        password: &Secret,
        ssl: bool,
        deadline: Duration,
    ) -> Result<Ensured, SqlError> {
        let what = format!("making the replication account '{user}' ready");
        let until = until(deadline);
        let account = format!("{}@{}", quoted_line(&what, user)?, quoted(HOST));
        let identified = format!("{account} IDENTIFIED BY {}", quoted_line(&what, password.reveal())?);
        let found = self.find_account(user, until).await?;
        let (ensured, mut statements) = if !found.exists {
            (Ensured::Created, vec![format!("CREATE USER IF NOT EXISTS {identified}")])
        } else if !self.logs_in(user, password, ssl, until).await? {
            (Ensured::PasswordChanged, vec![format!("ALTER USER {identified} ACCOUNT UNLOCK")])
        } else if found.lacks.is_empty() {
            return Ok(Ensured::Already);
        } else {
            (
                Ensured::GrantsAdded(
                    found.lacks.iter().map(|(privilege, _)| (*privilege).to_owned()).collect(),
                ),
                Vec::new(),
            )
        };
        statements.extend(
            found.lacks.iter().map(|(privilege, scope)| format!("GRANT {privilege} ON {scope} TO {account}")),
        );
        self.write_account(&what, &statements, until).await?;
        if !self.logs_in(user, password, ssl, until).await? {
            return Err(SqlError::unsupported(
                &what,
                format!(
                    "{account} has its password, yet logging in is refused; is there an account of that name with a \
                         closer host, or an anonymous one? Drop it"
                ),
            ));
        }
        Ok(ensured)
    }

    async fn find_account(&mut self, user: &str, until: Instant) -> Result<Found, SqlError> {
        let what = "looking at the replication account";
        let (user, host) = (quoted_line(what, user)?, quoted(HOST));
        let sql = format!(
            "SELECT Repl_slave_priv, Repl_client_priv, Select_priv FROM mysql.user WHERE User = {user} AND Host = {host}; \
             SELECT PRIV FROM mysql.global_grants WHERE USER = {user} AND HOST = {host}; \
             SELECT Select_priv FROM mysql.db WHERE User = {user} AND Host = {host} AND Db = 'performance_schema'"
        );
        let sets = self.link()?.ask(what, sql, until).await?;
        let account = sets.first().and_then(|rows| rows.first());
        let yes = |column: &str| account.and_then(|row| named(row, &[column])).as_deref() == Some("Y");
        let has_dynamic = |name: &str| {
            sets.get(1).is_some_and(|rows| {
                rows.iter().any(|row| text(row, 0).is_some_and(|p| p.eq_ignore_ascii_case(name)))
            })
        };
        let reads_schema =
            sets.get(2).and_then(|rows| rows.first()).and_then(|row| text(row, 0)).as_deref() == Some("Y");
        let has = |privilege: &str| match privilege {
            "REPLICATION SLAVE" => yes("Repl_slave_priv"),
            "REPLICATION CLIENT" => yes("Repl_client_priv"),
            "SELECT" => yes("Select_priv") || reads_schema,
            dynamic => has_dynamic(dynamic),
        };
        let lacks = WANTED.iter().filter(|(privilege, _)| !has(privilege)).collect();
        Ok(Found { exists: account.is_some(), lacks })
    }

    async fn logs_in(
        &self,
        user: &str,
        password: &Secret,
        ssl: bool,
        until: Instant,
    ) -> Result<bool, SqlError> {
        let over = if ssl { Over::Tls } else { Over::PlainTcp };
        let login = Login { user: user.to_owned(), password: password.clone(), over };
        match self.door.try_login(&login, until).await {
            Ok(()) => Ok(true),
            Err(SqlError::AccessDenied { .. }) => Ok(false),
            Err(error) if PASSWORD_EXPIRED.iter().any(|code| error.is_code(*code)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn write_account(
        &mut self,
        what: &str,
        statements: &[String],
        until: Instant,
    ) -> Result<(), SqlError> {
        let link = self.link()?;
        let sets = link.ask(what, "SELECT @@global.super_read_only", until).await?;
        let closed =
            sets.first().and_then(|rows| rows.first()).and_then(|row| text(row, 0)).as_deref() == Some("1");
        let (open, close) = if closed {
            ("SET GLOBAL super_read_only = 0; ", "; SET GLOBAL super_read_only = 1")
        } else {
            ("", "")
        };
        let sql = format!(
            "SET SESSION sql_log_bin = 0; {open}{}{close}; SET SESSION sql_log_bin = 1",
            statements.join("; ")
        );
        let outcome = link.run(what, sql, until).await;
        if outcome.is_ok() {
            return Ok(());
        }
        if closed && link.is_usable() {
            // Should this fail too, the plan sees it and repeats it (F3); the first error is the one to show.
            let _ = link.run(what, "SET GLOBAL super_read_only = 1", until).await;
        }
        // sql_log_bin may still be off: what this session wrote would be missing on the others.
        self.retire();
        outcome
    }
}
