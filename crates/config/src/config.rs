//! The typed configuration: every key, its unit and its default.

use crate::address::{Endpoint, ListenAddress};
use crate::secret::{self, ClusterSecret, ClusterSecretSource, Secret, SecretNotRead};
use crate::section::{Section, section};
use crate::sysvars::SysVars;
use crate::tokens::ApiToken;
use crate::vip::Vip;
use crate::words::{Hook, LogFormat, LogLevel};
use std::path::PathBuf;

section! {
    /// The agent itself: its name, its HTTP API, and how agents know each other.
    Server = "server" {
        /// `host:port` where this agent listens for the others; also the node's name in the cluster. Its host is where
        /// replicas reach this node's mysqld, unless `replication.host` says otherwise.
        "endpoint" endpoint: Endpoint = Endpoint::default(),
        /// Serve the HTTP API at `peer-address`.
        "enable-apis" enable_apis: bool = false,
        /// Where the HTTP API listens: `host:port`, or `:port` for every address of the host.
        "peer-address" peer_address: ListenAddress = ListenAddress::default(),
        /// A file with tokens for the HTTP API, beside the login of `mysql.admin`: a line each of a role (`read` or
        /// `operate`), the token, and whose it is. Readable by the agent's user only. Relative to the folder of xenon.json.
        "api-tokens-file" api_tokens_file: Option<PathBuf> = None,
        /// PEM file with the certificate that the HTTP API is served with, over TLS; together with `api-tls-key`. Relative to
        /// the folder of xenon.json.
        "api-tls-cert" api_tls_cert: Option<PathBuf> = None,
        /// PEM file with the private key of `api-tls-cert`. Relative to the folder of xenon.json.
        "api-tls-key" api_tls_key: Option<PathBuf> = None,
        /// Random text that all agents of a cluster share and that their certificates come from. Without it and
        /// without `secret-file` it is derived from the replication account.
        "secret" secret: Option<Secret> = None,
        /// A file that holds the secret instead, readable by the agent's user only. Relative to the folder of
        /// xenon.json.
        "secret-file" secret_file: Option<PathBuf> = None,
        /// PEM file with the certificates of the authorities that sign the agents' certificates; instead of `secret`,
        /// together with `tls-cert` and `tls-key`. Relative to the folder of xenon.json.
        "tls-ca" tls_ca: Option<PathBuf> = None,
        /// PEM file with this agent's certificate. Relative to the folder of xenon.json.
        "tls-cert" tls_cert: Option<PathBuf> = None,
        /// PEM file with the private key of `tls-cert`. Relative to the folder of xenon.json.
        "tls-key" tls_key: Option<PathBuf> = None,
    }
}

section! {
    /// Elections and what happens around them.
    Raft = "raft" {
        /// Folder of the agent's durable record.
        "meta-datadir" meta_datadir: PathBuf = PathBuf::from("."),
        /// Pause between two heartbeats of the leader, milliseconds. When only `election-timeout` is given: a fifth of
        /// it, at most 200.
        "heartbeat-timeout" heartbeat_timeout_ms: u64 = 200,
        /// T: without a leader for this long to twice this long (random) a node stands for election, milliseconds.
        /// When only `heartbeat-timeout` is given: three times that, at least 1000.
        "election-timeout" election_timeout_ms: u64 = 1000,
        /// Accepted from files of the Go tool; the lease rules instead.
        "admit-defeat-hearbeat-count" admit_defeat_hearbeat_count: u32 = 10,
        /// Pause between two looks at which binlogs may go, milliseconds.
        "purge-binlog-interval" purge_binlog_interval_ms: u64 = 300_000,
        /// The agent purges no binlogs: the server's own expiry by age is left as it is, and waits for nobody. Otherwise
        /// what every member (idle ones, too) has executed goes, and the server's own expiry is switched off.
        "purge-binlog-disabled" purge_binlog_disabled: bool = false,
        /// How long binlogs are kept for a member that says nothing of its server, or for a rebuild or backup that does
        /// not end, milliseconds. After that such a member needs a rebuild; half of it before, it is warned of.
        "purge-binlog-wait" purge_binlog_wait_ms: u64 = 86_400_000,
        /// This node follows for ever: it neither votes nor leads nor acknowledges.
        "super-idle" super_idle: bool = false,
        /// This node has no mysqld: it only votes, so that two nodes with data have a majority when one of them is lost.
        "witness" witness: bool = false,
        /// Run with `bash -c` when this node has become the primary; `nop` for nothing.
        "leader-start-command" leader_start_command: Hook = Hook::Nothing,
        /// Run with `bash -c` when this node stops being the primary; `nop` for nothing.
        "leader-stop-command" leader_stop_command: Hook = Hook::Nothing,
        /// Accepted from files of the Go tool; not needed any longer, milliseconds.
        "candidate-wait-for-2nodes" candidate_wait_for_2nodes_ms: u64 = 60_000,
        /// How long one of the two commands may run before it is killed and counts as failed, milliseconds.
        "hook-timeout" hook_timeout_ms: u64 = 10_000,
        /// Which of equally recent nodes leads: the higher one, 0 to 100. 0 never leads.
        "priority" priority: u32 = 1,
    }
}

section! {
    /// The service address: an address that the agent itself moves to whoever is the primary.
    Address = "address" {
        /// Addresses that follow the primary, each with the prefix of its network: `["10.0.0.100/24", "fd00::100/64"]`.
        /// The same on every node. The agent takes them itself (netlink, announced by ARP and neighbour discovery), for
        /// which it needs the capabilities CAP_NET_ADMIN and CAP_NET_RAW, and no command.
        "service-address" service_address: Vec<Vip> = Vec::new(),
        /// Network interface for them; without it the one that has an address of the same network.
        "service-interface" service_interface: Option<String> = None,
    }
}

section! {
    /// The mysqld beside this agent.
    Mysql = "mysql" {
        /// Account that the agent works with.
        "admin" admin: String = "root".to_owned(),
        /// Password of `admin`.
        "passwd" passwd: Secret = Secret::default(),
        /// Where the agent reaches mysqld.
        "host" host: String = "localhost".to_owned(),
        /// Port of mysqld, for the agent and for replicas.
        "port" port: u16 = 3306,
        /// Unix socket of mysqld; when given, the agent connects there and not to `host` and `port`.
        "socket" socket: Option<PathBuf> = None,
        /// Server family; accepted from files of the Go tool, the server's own answer wins.
        "version" version: String = "mysql57".to_owned(),
        /// Folder of the server's installation.
        "basedir" basedir: PathBuf = PathBuf::from("/u01/mysql_20160606/"),
        /// The mysqld binary; without it the one under `basedir`.
        "mysqld" mysqld: Option<PathBuf> = None,
        /// More arguments for mysqld, behind the agent's own.
        "mysqld-args" mysqld_args: Vec<String> = Vec::new(),
        /// System user that runs mysqld when the agent runs as root.
        "user" user: Option<String> = None,
        /// The server's option file.
        "defaults-file" defaults_file: PathBuf = PathBuf::from("/etc/my3306.cnf"),
        /// Pause between two probes of mysqld, milliseconds; see `Timers`.
        "ping-timeout" ping_timeout_ms: u64 = 250,
        /// So many probes in a row must fail before mysqld counts as dead.
        "admit-defeat-ping-count" admit_defeat_ping_count: u32 = 2,
        /// How long a primary of two nodes waits for the other's acknowledgement, milliseconds.
        "semi-sync-timeout-for-two-nodes" semi_sync_timeout_for_two_nodes_ms: u64 = 10_000,
        /// Global variables of a primary: `a=1;b=default`. Those that make a server writable are left to the agent.
        "master-sysvars" master_sysvars: SysVars = SysVars::default(),
        /// Global variables of a replica: `a=1;b=default`. Those that make a server read-only are left to the agent.
        "slave-sysvars" slave_sysvars: SysVars = SysVars::default(),
        /// Never start mysqld; something else does.
        "monitor-disabled" monitor_disabled: bool = false,
    }
}

section! {
    /// The account and address that nodes replicate from each other with.
    Replication = "replication" {
        /// Account that replicas connect with; made if it is missing.
        "user" user: String = "repl".to_owned(),
        /// Password of `user`.
        "passwd" passwd: Secret = Secret::from("repl"),
        /// GTID set that a new replica takes for already executed.
        "gtid-purged" gtid_purged: String = String::new(),
        /// Replicas connect with TLS.
        "ssl" ssl: bool = true,
        /// Host where the other nodes reach this node's mysqld, at `mysql.port`; without it the endpoint's host.
        "host" host: Option<String> = None,
    }
}

section! {
    /// Rebuilding and backups. Agents talk to each other: SSH and its keys are not needed any longer.
    Backup = "backup" {
        /// Accepted from files of the Go tool; not needed.
        "ssh-host" ssh_host: Option<String> = None,
        /// Accepted from files of the Go tool; not needed.
        "ssh-user" ssh_user: Option<String> = None,
        /// Accepted from files of the Go tool; not needed.
        "ssh-passwd" ssh_passwd: Secret = Secret::default(),
        /// Accepted from files of the Go tool; not needed.
        "ssh-port" ssh_port: u16 = 22,
        /// The data folder of mysqld, which a rebuild fills anew. Without it the agent asks the server; the Go tool's
        /// default (/u01/backup) is never guessed, since a rebuild removes what it finds there.
        "backupdir" backupdir: Option<PathBuf> = None,
        /// Folder of xtrabackup and xbstream (or mariadb-backup and mbstream), for rebuilds by stream. What is not there is
        /// looked for on PATH; `.` means PATH alone.
        "xtrabackup-bindir" xtrabackup_bindir: PathBuf = PathBuf::from("."),
        /// Limit for reading while a copy is given by stream, as the tool's `--throttle` counts: xtrabackup in chunks of
        /// 10 MB a second.
        "backup-iops-limits" backup_iops_limits: u64 = 100_000,
        /// Memory for preparing a copy that came by stream: `2GB`, `512M`.
        "backup-use-memory" backup_use_memory: String = "2GB".to_owned(),
        /// Threads that read while a copy is given by stream.
        "backup-parallel" backup_parallel: u32 = 2,
        /// Pause between two looks at the mysqld process, milliseconds.
        "mysqld-monitor-interval" mysqld_monitor_interval_ms: u64 = 1000,
        /// A node with more own transactions than this is not rebuilt by itself.
        "max-allowed-local-trx-count" max_allowed_local_trx_count: u64 = 0,
    }
}

section! {
    /// Requests between agents.
    Rpc = "rpc" {
        /// Deadline of a request that is not part of an election, milliseconds.
        "request-timeout" request_timeout_ms: u64 = 1000,
    }
}

section! {
    /// The agent's log, on standard error.
    Log = "log" {
        /// DEBUG, INFO, WARNING, ERROR or PANIC, in any case.
        "level" level: LogLevel = LogLevel::default(),
        /// `text` for people, `json` for one object a line.
        "format" format: LogFormat = LogFormat::default(),
    }
}

/// The configuration of one node, complete: what the file does not say has its default.
///
/// From [`crate::load`] or [`crate::parse`] it has passed every check; a `Config` changed by hand has not.
#[derive(Debug, Clone, PartialEq, Default, schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Config {
    /// The agent itself: its name, its HTTP API, and how agents know each other.
    pub server: Server,
    /// Elections and what happens around them.
    pub raft: Raft,
    /// The service address: an address that the agent itself moves to whoever is the primary.
    pub address: Address,
    /// The mysqld beside this agent.
    pub mysql: Mysql,
    /// The account and address that nodes replicate from each other with.
    pub replication: Replication,
    /// Rebuilding and backups. Agents talk to each other: SSH and its keys are not needed any longer.
    pub backup: Backup,
    /// Requests between agents.
    pub rpc: Rpc,
    /// The agent's log, on standard error.
    pub log: Log,
    /// What stood in `server.secret-file`.
    #[schemars(skip)]
    pub(crate) file_secret: Option<Secret>,
    /// What stood in `server.api-tokens-file`.
    #[schemars(skip)]
    pub api_tokens: Vec<ApiToken>,
}

impl Config {
    /// The secret that all agents of the cluster share.
    ///
    /// # Errors
    /// `server.secret-file` is given and was not read, which happens only to a configuration from [`crate::parse`].
    pub fn cluster_secret(&self) -> Result<ClusterSecret, SecretNotRead> {
        if let Some(text) = &self.server.secret {
            return Ok(secret::given(text, ClusterSecretSource::Explicit));
        }
        match (&self.file_secret, &self.server.secret_file) {
            (Some(text), _) => Ok(secret::given(text, ClusterSecretSource::File)),
            (None, Some(_)) => Err(SecretNotRead),
            (None, None) => Ok(secret::derived(&self.replication.user, &self.replication.passwd)),
        }
    }

    /// Host where the other nodes reach this node's mysqld: `replication.host`, else the endpoint's host.
    pub fn replication_host(&self) -> &str {
        self.replication.host.as_deref().unwrap_or(self.server.endpoint.host())
    }

    /// Where the mysqld binary may be, the likeliest first: `mysql.mysqld` alone when given, else under `mysql.basedir`.
    pub fn mysqld_candidates(&self) -> Vec<PathBuf> {
        match &self.mysql.mysqld {
            Some(path) => vec![path.clone()],
            None => ["bin", "sbin", "libexec"]
                .map(|folder| self.mysql.basedir.join(folder).join("mysqld"))
                .to_vec(),
        }
    }

    /// Every key as `section.key` with its value as the file would spell it, secrets masked.
    pub(crate) fn show(&self) -> Vec<(String, serde_json::Value)> {
        fn of<S: Section>(section: &S) -> impl Iterator<Item = (String, serde_json::Value)> {
            section.show().into_iter().map(|(key, value)| (format!("{}.{key}", S::NAME), value))
        }
        of(&self.server)
            .chain(of(&self.raft))
            .chain(of(&self.address))
            .chain(of(&self.mysql))
            .chain(of(&self.replication))
            .chain(of(&self.backup))
            .chain(of(&self.rpc))
            .chain(of(&self.log))
            .collect()
    }
}
