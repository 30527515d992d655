//! The files of a node: the server's option file, the agent's configuration, and logins for client programs.

use crate::node::{Account, Node};
use anyhow::{Context, Result};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The accounts of a cluster's servers and agents.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Accounts {
    /// The agents' own, with all rights.
    pub admin: Account,
    /// A client's, with all rights on the database `app`.
    pub app: Account,
    /// Replication; made by the agents.
    pub replication: Account,
    /// What all agents share.
    pub secret: String,
}

/// Text of letters and digits that nobody guesses.
pub(crate) fn random_text(length: usize) -> String {
    const LETTERS: &[u8] = b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    (0..length)
        .filter_map(|_| LETTERS.get(rand::random_range(0..LETTERS.len())))
        .map(|byte| char::from(*byte))
        .collect()
}

/// Writes all files of a node.
pub(crate) fn write(node: &Node, accounts: &Accounts, base: &Path, settings: &Settings) -> Result<()> {
    write_private(&node.defaults_file(), &option_file(node, settings))?;
    write_private(&node.config(), &configuration(node, accounts, base, settings)?)?;
    write_private(&node.admin_login(), &login(node, &accounts.admin))?;
    write_private(&node.app_login(), &login(node, &accounts.app))
}

/// What a caller may want otherwise.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    /// More lines for the server's option file.
    pub(crate) server: Vec<String>,
    /// More keys for the agent's configuration: section, key, value.
    pub(crate) agent: Vec<(String, String, serde_json::Value)>,
}

fn option_file(node: &Node, settings: &Settings) -> String {
    let Node { address, mysql_port, server_id, .. } = node;
    let path = |path: std::path::PathBuf| path.display().to_string();
    let mut lines = vec![
        "[mysqld]".to_owned(),
        format!("datadir={}", path(node.data())),
        format!("socket={}", path(node.socket())),
        format!("pid-file={}", path(node.folder.join("mysqld.pid"))),
        format!("log-error={}", path(node.server_log())),
        format!("bind-address={address}"),
        format!("port={mysql_port}"),
        "mysqlx=0".to_owned(),
        "skip-name-resolve=ON".to_owned(),
        "max-connections=500".to_owned(),
        format!("server-id={server_id}"),
        format!("report-host={address}"),
        "gtid-mode=ON".to_owned(),
        "enforce-gtid-consistency=ON".to_owned(),
        format!(
            "log-bin={}",
            node.binlog().map_or("binlog".to_owned(), |folder| path(folder.join("binlog")))
        ),
        "sync-binlog=1".to_owned(),
        "innodb-flush-log-at-trx-commit=1".to_owned(),
        "binlog-expire-logs-seconds=604800".to_owned(),
        // ON would throw away what was acknowledged and not yet applied.
        "relay-log-recovery=OFF".to_owned(),
        "loose-skip-replica-start=ON".to_owned(),
        "loose-replica-preserve-commit-order=ON".to_owned(),
        "read-only=ON".to_owned(),
        "super-read-only=ON".to_owned(),
        "innodb-buffer-pool-size=64M".to_owned(),
        format!("innodb-redo-log-capacity={}", crate::data::REDO_CAPACITY),
    ];
    if rustix::process::geteuid().is_root() {
        // mysqld refuses root unless it is asked for; all of this is a toy in root's own folder.
        lines.push("user=root".to_owned());
    }
    lines.extend(settings.server.iter().cloned());
    lines.push(String::new());
    lines.join("\n")
}

fn configuration(node: &Node, accounts: &Accounts, base: &Path, settings: &Settings) -> Result<String> {
    let mut config = serde_json::json!({
        "server": { "endpoint": node.endpoint, "peer-address": node.http(), "secret": accounts.secret },
        "raft": { "meta-datadir": node.meta() },
        "mysql": {
            "admin": accounts.admin.user,
            "passwd": accounts.admin.password,
            "host": node.address.to_string(),
            "port": node.mysql_port,
            "basedir": base,
            "defaults-file": node.defaults_file(),
        },
        "replication": { "user": accounts.replication.user, "passwd": accounts.replication.password },
        "backup": { "backupdir": node.data() },
        "log": { "level": "INFO", "format": "text" },
    });
    if rustix::process::geteuid().is_root()
        && let Some(mysql) = config.get_mut("mysql").and_then(serde_json::Value::as_object_mut)
    {
        mysql.insert("user".to_owned(), "root".into());
    }
    for (section, key, value) in &settings.agent {
        let place = config
            .as_object_mut()
            .map(|sections| sections.entry(section.clone()).or_insert_with(|| serde_json::json!({})));
        if let Some(keys) = place.and_then(serde_json::Value::as_object_mut) {
            keys.insert(key.clone(), value.clone());
        }
    }
    Ok(serde_json::to_string_pretty(&config)? + "\n")
}

fn login(node: &Node, account: &Account) -> String {
    format!(
        "[client]\nuser={}\npassword={}\nhost={}\nport={}\n",
        account.user, account.password, node.address, node.mysql_port
    )
}

/// Writes a file that only its owner can read, in place of what was there.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<()> {
    let context = || format!("{} cannot be written", path.display());
    // A name of its own, renamed: a reader sees the old file or the new one, and nobody ever sees it world-readable.
    let beside = path.with_extension(format!("{}.tmp", rustix::process::getpid().as_raw_nonzero()));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .with_context(context)?;
    file.write_all(text.as_bytes()).with_context(context)?;
    std::fs::rename(&beside, path).with_context(context)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_configuration_loads_without_a_finding_and_is_private() {
        let folder = tempfile::tempdir().expect("folder");
        let node = Node {
            name: "node1".to_owned(),
            endpoint: "127.0.9.1:8801".to_owned(),
            folder: folder.path().to_owned(),
            address: Ipv4Addr::new(127, 0, 9, 1),
            mysql_port: 3306,
            server_id: 1,
            disks: Vec::new(),
        };
        let account = |user: &str| Account { user: user.to_owned(), password: random_text(20) };
        let accounts = Accounts {
            admin: account("root"),
            app: account("app"),
            replication: account("repl"),
            secret: random_text(32),
        };
        let settings = Settings {
            server: vec!["innodb-io-capacity=500".to_owned()],
            agent: vec![("raft".to_owned(), "priority".to_owned(), 3.into())],
        };
        write(&node, &accounts, folder.path(), &settings).expect("files");
        let loaded = xenon_config::load(&node.config()).expect("the configuration loads");
        assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
        assert_eq!(loaded.config.raft.priority, 3);
        assert!(
            std::fs::read_to_string(node.defaults_file()).expect("my.cnf").contains("innodb-io-capacity=500")
        );
        for file in [node.config(), node.defaults_file(), node.admin_login(), node.app_login()] {
            let mode = std::fs::metadata(&file).expect("file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", file.display());
        }
    }
}
