//! How to reach the server.

use std::path::PathBuf;
use std::time::Duration;

/// A password: printed by nothing, `Debug` included.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself; for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// No password at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// How the agent reaches its server.
///
/// Meant for the server on the agent's own machine: over TCP the password is sent by the server's own RSA exchange, without
/// TLS (1 ms a connection instead of 3), unless the server demands TLS; and neither key nor certificate is checked.
#[derive(Debug, Clone)]
pub struct DoorOptions {
    /// Host name or address (`mysql.host`).
    pub host: String,
    /// TCP port (`mysql.port`).
    pub port: u16,
    /// Unix socket; used instead of TCP when given. The replication account is always tried over TCP.
    pub socket: Option<PathBuf>,
    /// Administrative account (`mysql.admin`).
    pub user: String,
    /// Its password (`mysql.passwd`).
    pub password: Secret,
    /// How long one connection attempt may take, whatever the deadline of the call that needs it.
    pub connect_deadline: Duration,
}

impl DoorOptions {
    /// `host:port`, or the socket: how error messages name the server.
    pub(crate) fn address(&self) -> String {
        match &self.socket {
            Some(path) => path.display().to_string(),
            None => self.tcp_address(),
        }
    }

    pub(crate) fn tcp_address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_prints_a_password() {
        let options = DoorOptions {
            host: "h".into(),
            port: 1,
            socket: None,
            user: "u".into(),
            password: "hunter2".into(),
            connect_deadline: Duration::from_secs(1),
        };
        assert!(!format!("{options:?}").contains("hunter2"));
    }
}
