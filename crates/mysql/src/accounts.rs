//! Accounts of people and applications: made on the primary and written to its binlog, so that every node gets them as it
//! gets everything else, and none has a transaction of its own from it.
//!
//! On connections of their own: neither looks nor changes of role wait for them. A statement that is given up is ended before
//! anything else is changed, as one of the control connection.

use std::time::Duration;

use mysql_async::Row;
use tokio::time::Instant;

use crate::link::{Link, Purpose, named, text, until};
use crate::literal::quoted_line;
use crate::{Door, Secret, SqlError};

/// So many accounts are listed.
const LISTED: usize = 10_000;
/// The server could not make sense of a statement.
const SYNTAX: u16 = 1064;
/// Statements on accounts fail with this when the account is there, or is not.
const ACCOUNT: u16 = 1396;

/// One account as the server has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// Its name.
    pub user: String,
    /// Its host part.
    pub host: String,
    /// `Super_priv`.
    pub is_super: bool,
    /// `ssl_type` is not empty.
    pub requires_tls: bool,
    /// `account_locked`.
    pub is_locked: bool,
    /// `plugin`.
    pub plugin: String,
}

/// What a new account may do. The privileges are put into the statement as they are: check them first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountRights {
    /// Log in.
    None,
    /// Everything, and hand it on.
    All,
    /// These, on a database and a table; `None` = all of them.
    Some {
        /// In MySQL's words.
        privileges: Vec<String>,
        /// The database, taken as it is written: no pattern.
        database: Option<String>,
        /// The table.
        table: Option<String>,
    },
}

/// Why nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// There is such an account.
    #[error("there is an account {0} already")]
    Exists(String),
    /// There is none.
    #[error("there is no account {0}")]
    Missing(String),
    /// The server is not open for writes, or writes nothing to its binlog.
    #[error("the server is not the open primary: {0}")]
    NotPrimary(&'static str),
    /// The server said no.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

impl Door {
    /// The server's accounts, by name and host.
    ///
    /// # Errors
    /// As [`Door::observe`]; the administrative account must be allowed to read `mysql.user`.
    pub async fn accounts(&self, deadline: Duration) -> Result<Vec<AccountRow>, SqlError> {
        let sql = "SELECT User, Host, Super_priv, CONVERT(ssl_type USING utf8mb4) AS ssl_type, account_locked, plugin \
             FROM mysql.user ORDER BY User, Host LIMIT 10000";
        let rows = self.ask("listing accounts", sql, deadline).await?;
        Ok(rows.iter().take(LISTED).map(account_of).collect())
    }

    /// Makes an account on the open primary.
    ///
    /// # Errors
    /// [`AccountError`]; an account whose rights are refused is dropped again.
    pub async fn create_account(
        &self,
        user: &str,
        host: &str,
        password: &Secret,
        require_tls: bool,
        rights: &AccountRights,
        deadline: Duration,
    ) -> Result<(), AccountError> {
        let what = "making an account";
        let until = until(deadline);
        let account = account(what, user, host)?;
        let password = quoted_line(what, password.reveal())?;
        let mut link = self.open_primary(what, until).await?;
        if exists(&mut link, what, &account, until).await? {
            return Err(AccountError::Exists(account.shown()));
        }
        let grant = grant(&mut link, what, &account, rights, until).await?;
        let tls = if require_tls { " REQUIRE SSL" } else { "" };
        // A replica on which somebody has made that account by hand would stop at a plain CREATE USER.
        let create = format!("CREATE USER IF NOT EXISTS {} IDENTIFIED BY {password}{tls}", account.sql);
        run(&mut link, what, create, until).await?;
        let Some(grant) = grant else { return Ok(()) };
        if let Err(error) = run(&mut link, what, grant, until).await {
            if link.is_usable() {
                // The first error is the one to show; an account without rights does no harm.
                let _ = run(&mut link, what, format!("DROP USER IF EXISTS {}", account.sql), until).await;
            }
            return Err(error.into());
        }
        Ok(())
    }

    /// Drops an account on the open primary. Sessions that it has go on.
    ///
    /// # Errors
    /// [`AccountError`]
    pub async fn drop_account(&self, user: &str, host: &str, deadline: Duration) -> Result<(), AccountError> {
        let what = "dropping an account";
        let until = until(deadline);
        let account = account(what, user, host)?;
        let mut link = self.open_primary(what, until).await?;
        if !exists(&mut link, what, &account, until).await? {
            return Err(AccountError::Missing(account.shown()));
        }
        // A replica without it would stop at a plain DROP USER.
        Ok(run(&mut link, what, format!("DROP USER IF EXISTS {}", account.sql), until).await?)
    }

    /// Gives an account another password on the open primary.
    ///
    /// # Errors
    /// [`AccountError`]
    pub async fn change_password(
        &self,
        user: &str,
        host: &str,
        password: &Secret,
        deadline: Duration,
    ) -> Result<(), AccountError> {
        let what = "changing a password";
        let until = until(deadline);
        let account = account(what, user, host)?;
        let password = quoted_line(what, password.reveal())?;
        let mut link = self.open_primary(what, until).await?;
        if !exists(&mut link, what, &account, until).await? {
            return Err(AccountError::Missing(account.shown()));
        }
        let sql = format!("ALTER USER IF EXISTS {} IDENTIFIED BY {password}", account.sql);
        Ok(run(&mut link, what, sql, until).await?)
    }

    /// A connection whose statements go to the binlog of a server that is open: what is written to it elsewhere would be a
    /// transaction of that node alone.
    async fn open_primary(&self, what: &str, until: Instant) -> Result<Link, AccountError> {
        let mut link = self.open(Purpose::Changing, until).await?;
        let sql =
            "SELECT @@global.read_only OR @@global.super_read_only, @@session.sql_log_bin, @@global.log_bin";
        let sets = link.ask(what, sql, until).await?;
        let row = sets.first().and_then(|rows| rows.first());
        let is = |index: usize| row.and_then(|row| text(row, index)).as_deref() == Some("1");
        if is(0) {
            return Err(AccountError::NotPrimary("it is read-only"));
        }
        if !is(1) || !is(2) {
            return Err(AccountError::NotPrimary("it writes no binary log"));
        }
        Ok(link)
    }
}

/// An account in a statement.
struct AccountName<'a> {
    user: &'a str,
    host: &'a str,
    sql: String,
}

impl AccountName<'_> {
    fn shown(&self) -> String {
        format!("'{}'@'{}'", self.user, self.host)
    }
}

fn account<'a>(what: &str, user: &'a str, host: &'a str) -> Result<AccountName<'a>, SqlError> {
    let sql = format!("{}@{}", quoted_line(what, user)?, quoted_line(what, host)?);
    Ok(AccountName { user, host, sql })
}

async fn exists(
    link: &mut Link,
    what: &str,
    account: &AccountName<'_>,
    until: Instant,
) -> Result<bool, SqlError> {
    let (user, host) = (quoted_line(what, account.user)?, quoted_line(what, account.host)?);
    let sql = format!("SELECT 1 FROM mysql.user WHERE User = {user} AND Host = {host}");
    let sets = link.ask(what, sql, until).await?;
    Ok(sets.first().is_some_and(|rows| !rows.is_empty()))
}

/// The statement that gives the rights, when there are any to give.
async fn grant(
    link: &mut Link,
    what: &str,
    account: &AccountName<'_>,
    rights: &AccountRights,
    until: Instant,
) -> Result<Option<String>, SqlError> {
    let (privileges, database, table) = match rights {
        AccountRights::None => return Ok(None),
        AccountRights::All => {
            return Ok(Some(format!("GRANT ALL ON *.* TO {} WITH GRANT OPTION", account.sql)));
        }
        AccountRights::Some { privileges, database, table } => (privileges, database, table),
    };
    let on = match (database, table) {
        (None, _) => "*.*".to_owned(),
        (Some(database), None) => {
            // On a whole database the server takes _ and % for patterns, unless revokes may be partial.
            let sets = link.ask(what, "SELECT @@global.partial_revokes", until).await;
            let literal = sets.is_ok_and(|sets| {
                sets.first().and_then(|rows| rows.first()).and_then(|row| text(row, 0)).as_deref()
                    == Some("1")
            });
            let name = if literal { database.clone() } else { without_patterns(database) };
            format!("{}.*", identifier(what, &name)?)
        }
        (Some(database), Some(table)) => {
            format!("{}.{}", identifier(what, database)?, identifier(what, table)?)
        }
    };
    Ok(Some(format!("GRANT {} ON {on} TO {}", privileges.join(", "), account.sql)))
}

fn without_patterns(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if matches!(c, '_' | '%' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// `` `…` `` with backquotes doubled.
fn identifier(what: &str, name: &str) -> Result<String, SqlError> {
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(SqlError::unsupported(what, "a name is empty or has a control character in it"));
    }
    Ok(format!("`{}`", name.replace('`', "``")))
}

/// Runs a statement that may hold a password: the server's words for what it could not read quote the statement.
async fn run(link: &mut Link, what: &str, sql: String, until: Instant) -> Result<(), SqlError> {
    link.run(what, sql, until).await.map_err(|error| match error {
        SqlError::Server { code: SYNTAX, .. } => {
            SqlError::unsupported(what, "the server cannot read the statement")
        }
        other => other,
    })
}

impl AccountError {
    /// What to try.
    pub fn cure(&self) -> &'static str {
        match self {
            Self::Exists(_) => "xenoncli mysql changepassword, or xenoncli mysql dropuser first",
            Self::Missing(_) => "see which there are, with their hosts: xenoncli mysql getuser",
            Self::NotPrimary(_) => "try again in a moment",
            Self::Sql(error) => match error.code() {
                Some(1819) => {
                    "give a stronger password, or look at the policy: SHOW VARIABLES LIKE 'validate_password%'"
                }
                Some(3638) => {
                    "this password was used before, and the server's password history forbids it: give another"
                }
                Some(1470) => "a user's name has at most 32 characters, a host's 255",
                Some(1044 | 1045 | 1142 | 1227 | 1410) => {
                    "the agent's account (mysql.admin) needs CREATE USER, and WITH GRANT OPTION what it is to grant; see xenoncli doctor"
                }
                Some(1146) => {
                    "there is no such table; create it first, or grant on the whole database with --table '*'"
                }
                Some(1144) => "this privilege cannot be granted on a table or database of its own",
                Some(1290 | 1836) => "the primary has changed meanwhile: repeat the command",
                Some(ACCOUNT) => "see which accounts there are: xenoncli mysql getuser",
                Some(_) => "cure what the server names, and repeat the command",
                None => {
                    "look whether it was done: xenoncli mysql getuser; and how the nodes are: xenoncli cluster status"
                }
            },
        }
    }
}

fn account_of(row: &Row) -> AccountRow {
    let of = |column: &str| named(row, &[column]).unwrap_or_default();
    AccountRow {
        user: of("User"),
        host: of("Host"),
        is_super: of("Super_priv") == "Y",
        requires_tls: !of("ssl_type").is_empty(),
        is_locked: of("account_locked") == "Y",
        plugin: of("plugin"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted() {
        let sql = account("x", "o'brien", r"10.%\").expect("a name").sql;
        assert_eq!(sql, r"'o\'brien'@'10.%\\'");
        assert!(account("x", "a\nb", "%").is_err());
        assert_eq!(identifier("x", "a`b").expect("a name"), "`a``b`");
        assert!(identifier("x", "").is_err());
        assert_eq!(without_patterns(r"my_db%\"), r"my\_db\%\\");
    }
}
