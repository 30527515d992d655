//! MySQL accounts, as `mysql createuser` and its relatives speak of them.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A password on its way to the agent that sets it. `Debug` prints `***`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Password(String);

impl Password {
    /// The text itself. For the server alone; never for a log, an argument or an error.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Password {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// An account that is to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAccount {
    /// Its name.
    pub user: String,
    /// The hosts that it may come from, as MySQL matches them: `%`, `10.0.0.%`.
    pub host: String,
    /// Its password.
    pub password: Password,
    /// It may come with TLS only.
    pub require_tls: bool,
    /// What it may do.
    pub rights: Rights,
}

/// What a new account may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Rights {
    /// Log in, and nothing else.
    None,
    /// Everything, and hand it on.
    All,
    /// These privileges.
    Some {
        /// In MySQL's words: `SELECT`, `CREATE TEMPORARY TABLES`, `ALL`.
        privileges: Vec<String>,
        /// On this database; `*` = all.
        database: String,
        /// On this table of it; `*` = all.
        table: String,
    },
}

/// An account that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its name; empty = anybody.
    pub user: String,
    /// The hosts that it may come from.
    pub host: String,
    /// It has the privilege SUPER.
    pub is_super: bool,
    /// It must come with TLS.
    pub requires_tls: bool,
    /// It cannot log in until it is unlocked.
    pub is_locked: bool,
    /// How it proves who it is: the name of the server's plugin.
    pub plugin: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_printed() {
        let account = NewAccount {
            user: "app".to_owned(),
            host: "%".to_owned(),
            password: Password::from("hush"),
            require_tls: true,
            rights: Rights::All,
        };
        assert!(!format!("{account:?}").contains("hush"));
        let json = serde_json::to_string(&account).expect("JSON");
        assert_eq!(serde_json::from_str::<NewAccount>(&json).expect("the same"), account);
    }
}
