//! A fresh xenon.json with comments, for `xenoncli init`.

use crate::secret::Secret;
use crate::vip::Vip;
use std::path::PathBuf;

/// What a fresh configuration says; the default values are those of a server from a distribution's package.
#[derive(Debug, Clone, PartialEq)]
pub struct InitOptions {
    /// This host's address or name, an IPv6 address without brackets.
    pub address: String,
    /// Port of the agent.
    pub port: u16,
    /// Virtual address that follows the primary.
    pub vip: Option<Vip>,
    /// Network interface for the virtual address; without it the one that has an address of the same network.
    pub vip_interface: Option<String>,
    /// Account that the agent works with.
    pub admin: String,
    /// Its password.
    pub admin_password: Secret,
    /// Unix socket of mysqld.
    pub socket: Option<PathBuf>,
    /// Port of mysqld.
    pub mysql_port: u16,
    /// The server's installation.
    pub basedir: PathBuf,
    /// The server's option file.
    pub defaults_file: PathBuf,
    /// The server's data folder; `None` leaves it to the server's own answer.
    pub datadir: Option<PathBuf>,
    /// Account that replicas connect with.
    pub repl_user: String,
    /// Its password.
    pub repl_password: Secret,
    /// Random text that all nodes share: the caller makes it once for a cluster. Empty leaves the key out.
    pub secret: Secret,
    /// Folder of the agent's durable record.
    pub meta_datadir: PathBuf,
}

impl Default for InitOptions {
    fn default() -> Self {
        InitOptions {
            address: "127.0.0.1".to_owned(),
            port: 8801,
            vip: None,
            vip_interface: None,
            admin: "root".to_owned(),
            admin_password: Secret::default(),
            socket: None,
            mysql_port: 3306,
            basedir: PathBuf::from("/usr"),
            defaults_file: PathBuf::from("/etc/my.cnf"),
            datadir: None,
            repl_user: "repl".to_owned(),
            repl_password: Secret::default(),
            secret: Secret::default(),
            meta_datadir: PathBuf::from("/var/lib/xenon"),
        }
    }
}

/// The text of a fresh xenon.json. It holds secrets: write it with mode 0600.
///
/// With values that fit, [`crate::parse`] finds nothing in it. Values are written as given, so parse the text before it
/// is written to a file: what a person gave wrongly is then told in the words of the findings.
pub fn template(options: &InitOptions) -> String {
    let endpoint = if options.address.contains(':') {
        format!("[{}]:{}", options.address, options.port)
    } else {
        format!("{}:{}", options.address, options.port)
    };
    let service = service_address(options);
    let socket = options.socket.as_ref().map_or(String::new(), |path| {
        format!("\n    // The agent connects here, and to host and port when this line is gone.\n    \"socket\": {},", json_path(path))
    });
    let secret = if options.secret.is_empty() {
        String::new()
    } else {
        let secret = json(options.secret.expose());
        format!(
            ",\n    // The same random text on every node of the cluster, and nowhere else.\n    \"secret\": {secret}"
        )
    };
    let datadir = options.datadir.as_ref().map_or(String::new(), |path| {
        format!(
            "\n    // The data folder of mysqld. A rebuild fills it anew.\n    \"backupdir\": {}\n  ",
            json_path(path)
        )
    });
    format!(
        r#"// Configuration of one Xenon node. Comments are welcome; a key that is not known is an error.
// The file holds secrets: keep it readable by its owner only (chmod 600). Times are in milliseconds.
{{
  "server": {{
    // This node's address and its name in the cluster: differs on every node.
    "endpoint": {endpoint}{secret}
  }},

  "raft": {{
    // The agent's durable record: on a disk that survives a restart.
    "meta-datadir": {meta_datadir},
    // A leader shows itself so often; without a sign for election-timeout another node stands.
    "heartbeat-timeout": 200,
    "election-timeout": 1000,
    // Run with bash when this node becomes and when it stops being the primary, as the agent's user; nop does nothing.
    "leader-start-command": "nop",
    "leader-stop-command": "nop"
  }},
{service}
  "mysql": {{
    "admin": {admin},
    "passwd": {admin_password},
    "host": "127.0.0.1",
    "port": {mysql_port},{socket}
    "basedir": {basedir},
    "defaults-file": {defaults_file}
  }},

  "replication": {{
    // Made by the agent if it is missing. The same on every node.
    "user": {repl_user},
    "passwd": {repl_password}
  }},

  "backup": {{{datadir}}},

  "log": {{
    "level": "INFO"
  }}
}}
"#,
        endpoint = json(&endpoint),
        meta_datadir = json_path(&options.meta_datadir),
        admin = json(&options.admin),
        admin_password = json(options.admin_password.expose()),
        mysql_port = options.mysql_port,
        basedir = json_path(&options.basedir),
        defaults_file = json_path(&options.defaults_file),
        repl_user = json(&options.repl_user),
        repl_password = json(options.repl_password.expose()),
    )
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn json_path(path: &std::path::Path) -> String {
    json(&path.to_string_lossy())
}

/// The section of the service address, with an empty line before it.
fn service_address(options: &InitOptions) -> String {
    let Some(vip) = options.vip else { return String::new() };
    let interface = options
        .vip_interface
        .as_ref()
        .map_or(String::new(), |name| format!(",\n    \"service-interface\": {}", json(name)));
    format!(
        r#"
  "address": {{
    // Follows the primary: the agent adds and announces it, and needs CAP_NET_ADMIN and CAP_NET_RAW for that. The same on
    // every node.
    "service-address": [{}]{interface}
  }},
"#,
        json(&vip.to_string())
    )
}
