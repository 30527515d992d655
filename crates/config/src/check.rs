//! What must hold between values: timeouts that can work, ports that do not collide, accounts that are not empty.

use crate::address::check_lone_host;
use crate::config::Config;
use crate::finding::{Finding, Findings, Place, Severity};
use crate::read::GivenKeys;
use crate::secret::Secret;
use crate::sysvars::SysVars;
use crate::words::Hook;
use std::net::{IpAddr, Ipv4Addr};

/// Above this an election timeout is a mistake of units.
const ELECTION_MAX_MS: u64 = 3_600_000;
/// Below this a pause of the scheduler would depose a leader.
const ELECTION_MIN_MS: u64 = 100;
/// The longest time that any other key may ask for: a day.
const TIME_MAX_MS: u64 = 86_400_000;
/// The most addresses that follow the primary.
const SERVICE_ADDRESSES: usize = 8;
/// A shorter shared secret could be guessed offline.
const SECRET_MIN_BYTES: usize = 16;

/// Completes defaults that depend on other keys, then checks the whole.
pub(crate) fn check(config: &mut Config, given: &GivenKeys, findings: &mut Findings) {
    let mut check = Check { given, findings };
    check.server(config);
    check.secrets(config);
    check.timeouts(config);
    check.raft(config);
    check.address(config);
    check.mysql(config);
    check.replication(config);
    check.backup(config);
}

struct Check<'a> {
    given: &'a GivenKeys,
    findings: &'a mut Findings,
}

impl Check<'_> {
    fn gives(&self, key: &str) -> bool {
        self.given.contains_key(key)
    }

    fn value_of(&self, key: &str) -> Option<Place> {
        self.given.get(key)?.value
    }

    /// The value of a key is one, or absent; otherwise that was told already, and its default stands in for it.
    fn fits(&self, key: &str) -> bool {
        self.given.get(key).is_none_or(|given| given.fits)
    }

    /// About the value of a key.
    fn tell(&mut self, severity: Severity, key: &str, what: impl Into<String>, cure: impl Into<String>) {
        if !self.fits(key) {
            return;
        }
        let place = self.value_of(key);
        self.findings.push(Finding::new(severity, place, key, what, cure));
    }

    fn error(&mut self, key: &str, what: impl Into<String>, cure: impl Into<String>) {
        self.tell(Severity::Error, key, what, cure);
    }

    fn warn(&mut self, key: &str, what: impl Into<String>, cure: impl Into<String>) {
        self.tell(Severity::Warning, key, what, cure);
    }

    fn server(&mut self, config: &Config) {
        let server = &config.server;
        if !self.gives("server.endpoint") {
            let what =
                format!("not given, so this node is {}, which no other host can reach", server.endpoint);
            self.warn("server.endpoint", what, "write this host's address, like \"192.168.0.11:8801\"");
        }
        if self.fits("server.endpoint") && server.peer_address.collides(&server.endpoint) {
            let port = server.endpoint.port();
            let what = format!("port {port} is the port of server.endpoint too");
            let severity = if server.enable_apis { Severity::Error } else { Severity::Warning };
            self.tell(severity, "server.peer-address", what, "give the HTTP API a port of its own");
        }
        if server.endpoint.port() == config.mysql.port
            && self.gives("server.endpoint")
            && self.fits("mysql.port")
        {
            let what = format!("port {} is the port of mysqld (mysql.port) too", server.endpoint.port());
            self.warn("server.endpoint", what, "give the agent a port of its own");
        }
        self.certificates(config);
        match (&server.api_tls_cert, &server.api_tls_key) {
            (Some(_), None) if self.fits("server.api-tls-key") => {
                self.error("server.api-tls-cert", "given without server.api-tls-key", "give both, or none");
            }
            (None, Some(_)) if self.fits("server.api-tls-cert") => {
                self.error("server.api-tls-key", "given without server.api-tls-cert", "give both, or none");
            }
            _ => {}
        }
    }

    /// All three files, or none.
    fn certificates(&mut self, config: &Config) {
        let server = &config.server;
        let files = [
            ("server.tls-ca", server.tls_ca.is_some()),
            ("server.tls-cert", server.tls_cert.is_some()),
            ("server.tls-key", server.tls_key.is_some()),
        ];
        let absent: Vec<&str> =
            files.iter().filter(|(key, given)| !given && self.fits(key)).map(|(key, _)| *key).collect();
        let Some((present, _)) = files.iter().find(|(_, given)| *given) else { return };
        if !absent.is_empty() {
            let what = format!("given without {}", absent.join(" and "));
            self.error(present, what, "give all three, or none to let server.secret make the certificates");
        }
    }

    fn secrets(&mut self, config: &Config) {
        let server = &config.server;
        if server.secret.is_some() && server.secret_file.is_some() {
            self.error("server.secret-file", "given together with server.secret", "keep one of them");
        }
        if let Some(secret) = &server.secret {
            let place = self.value_of("server.secret");
            self.findings.list_weak(secret, "server.secret", place);
        } else if self.gives("server.secret") && config.server.secret_file.is_none() {
            self.error("server.secret", "is empty", "give a random text of 32 characters, or remove the key");
        }
    }

    /// Heartbeat and election timeout, each of which has a default that follows the other.
    fn timeouts(&mut self, config: &mut Config) {
        const HEARTBEAT: &str = "raft.heartbeat-timeout";
        const ELECTION: &str = "raft.election-timeout";
        let raft = &mut config.raft;
        match (self.gives(HEARTBEAT), self.gives(ELECTION)) {
            (true, false) => raft.election_timeout_ms = raft.heartbeat_timeout_ms.saturating_mul(3).max(1000),
            (false, true) => raft.heartbeat_timeout_ms = (raft.election_timeout_ms / 5).clamp(1, 200),
            _ => {}
        }
        if !self.fits(HEARTBEAT) || !self.fits(ELECTION) {
            return;
        }
        let (heartbeat, election) = (raft.heartbeat_timeout_ms, raft.election_timeout_ms);
        let blamed = if self.gives(HEARTBEAT) { HEARTBEAT } else { ELECTION };
        if heartbeat == 0 {
            self.error(HEARTBEAT, "is 0, so heartbeats would never pause", "give milliseconds, like 200");
        } else if election < ELECTION_MIN_MS {
            let what =
                format!("{election} ms is so short that any pause of the host would depose the leader");
            self.error(ELECTION, what, format!("give at least {ELECTION_MIN_MS}"));
        } else if election > ELECTION_MAX_MS {
            let what = format!("{election} ms is more than an hour without a primary");
            self.error(blamed, what, "the unit is milliseconds: give seconds times 1000");
        } else if heartbeat >= election.div_ceil(2) {
            let lease = election.saturating_mul(4) / 5;
            let what = format!(
                "a heartbeat every {heartbeat} ms is too rare for an election timeout of {election} ms: one lost \
                 heartbeat would use up the leader's lease of {lease} ms"
            );
            let cure = format!(
                "give at most {}, or raise raft.election-timeout to {}",
                election / 3,
                heartbeat.saturating_mul(3)
            );
            self.error(blamed, what, cure);
        }
    }

    fn raft(&mut self, config: &Config) {
        let raft = &config.raft;
        self.time("raft.hook-timeout", raft.hook_timeout_ms);
        self.time("raft.purge-binlog-interval", raft.purge_binlog_interval_ms);
        let (wait, interval) = (raft.purge_binlog_wait_ms, raft.purge_binlog_interval_ms);
        if wait < interval.saturating_mul(2) && !raft.purge_binlog_disabled {
            self.error(
                "raft.purge-binlog-wait",
                format!("{wait} ms is less than two rounds of purging (raft.purge-binlog-interval)"),
                format!("give at least {}, or make the interval shorter", interval.saturating_mul(2)),
            );
        }
        if raft.priority > 100 {
            self.error(
                "raft.priority",
                format!("{} is too high", raft.priority),
                "give 0 (never leads) to 100",
            );
        }
        if raft.witness && raft.super_idle {
            self.error(
                "raft.witness",
                "a witness only votes, and raft.super-idle says that this node never votes",
                "leave one of the two out",
            );
        }
        match (&raft.leader_start_command, &raft.leader_stop_command) {
            (Hook::Command(_), Hook::Nothing) => self.warn(
                "raft.leader-start-command",
                "nothing undoes it, because raft.leader-stop-command is not given",
                "give the command that takes the address away, so that two nodes never hold it",
            ),
            (Hook::Nothing, Hook::Command(_)) => self.warn(
                "raft.leader-stop-command",
                "it undoes nothing, because raft.leader-start-command is not given",
                "give both commands, or none",
            ),
            _ => {}
        }
        if self.gives("raft.admit-defeat-hearbeat-count") {
            let what =
                "not used: a leader steps down when its lease of 80 % of the election timeout has run out";
            self.tell(Severity::Note, "raft.admit-defeat-hearbeat-count", what, "it can be removed");
        }
        if self.gives("raft.candidate-wait-for-2nodes") {
            let what = "not used: a node whose mysqld is down votes by the position in its files";
            self.tell(Severity::Note, "raft.candidate-wait-for-2nodes", what, "it can be removed");
        }
    }

    fn address(&mut self, config: &Config) {
        const KEY: &str = "address.service-address";
        let vips = &config.address.service_address;
        if vips.len() > SERVICE_ADDRESSES {
            self.error(KEY, format!("{} addresses are too many", vips.len()), "give at most 8");
        }
        let own = [config.server.endpoint.host(), config.replication_host()]
            .map(|host| host.parse::<IpAddr>().ok());
        for (index, vip) in vips.iter().enumerate() {
            let ip = vip.address;
            if ip.is_loopback() || ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST) {
                self.error(
                    KEY,
                    format!("{ip} is no address that clients reach a server at"),
                    "give a free address of their network",
                );
            } else if own.contains(&Some(ip)) {
                let what = format!("{ip} is this node's own address, which must not move to another one");
                self.error(KEY, what, "give a free address of the same network");
            } else if vip.prefix == 0 {
                self.error(
                    KEY,
                    format!("{vip} has a prefix of no bits"),
                    format!("give that of the network, like {ip}/24"),
                );
            } else if vips.iter().take(index).any(|before| before.address == ip) {
                self.error(KEY, format!("{ip} is given twice"), "leave one of them out");
            } else if config.raft.leader_start_command.command().is_some_and(|text| names(text, ip)) {
                let what = format!("{ip} is moved by the agent and by raft.leader-start-command");
                self.warn(KEY, what, "take the address out of the command, or leave it to the command alone");
            }
        }
        if !vips.is_empty() && config.raft.witness {
            self.warn(KEY, "not used here: a witness never holds it", "leave it out on this node");
        }
        match &config.address.service_interface {
            Some(_) if vips.is_empty() => {
                let what = "does nothing without service-address";
                self.warn("address.service-interface", what, "give the address, too");
            }
            Some(name)
                if name.len() > 15
                    || name.contains(|letter: char| letter == '/' || letter.is_whitespace()) =>
            {
                let what = format!("{} is no name of a network interface", crate::node::quoted(name));
                self.error("address.service-interface", what, "see their names with: ip link");
            }
            _ => {}
        }
    }

    fn mysql(&mut self, config: &mut Config) {
        let mysql = &mut config.mysql;
        if !self.gives("mysql") {
            let what =
                "section not given, so the agent connects to localhost:3306 as root without a password";
            self.warn("mysql", what, "give mysql.admin, mysql.passwd and mysql.port");
        }
        self.account("mysql.admin", &mysql.admin);
        if mysql.host.is_empty() && mysql.socket.is_none() {
            self.error("mysql.host", "is empty", "write \"localhost\", or give mysql.socket");
        }
        self.time("mysql.ping-timeout", mysql.ping_timeout_ms);
        if mysql.admit_defeat_ping_count == 0 {
            let what = "is 0, so mysqld would count as dead without a failed probe";
            self.error("mysql.admit-defeat-ping-count", what, "give at least 1");
        }
        const VERSIONS: [&str; 5] = ["mysql56", "mysql57", "mysql80", "mysql84", "mysql9"];
        if !VERSIONS.contains(&mysql.version.as_str()) {
            let what = format!(
                "{} is not known; the server's own answer decides",
                crate::node::quoted(&mysql.version)
            );
            self.warn("mysql.version", what, format!("known are {}", VERSIONS.join(", ")));
        }
        self.sysvars("mysql.master-sysvars", &mut mysql.master_sysvars, Role::Primary);
        self.sysvars("mysql.slave-sysvars", &mut mysql.slave_sysvars, Role::Replica);
    }

    /// Takes out the variables by which the agent opens and closes a server: set at another moment than the protocol's
    /// they would open it too early, or open a replica (rules L2 and D1).
    fn sysvars(&mut self, key: &str, variables: &mut SysVars, role: Role) {
        let (owned, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut variables.0)
            .into_iter()
            .partition(|v| matches!(v.name.as_str(), "read_only" | "super_read_only"));
        variables.0 = rest;
        for variable in owned {
            let on = matches!(variable.value.to_ascii_lowercase().as_str(), "1" | "on" | "true");
            if on != (role == Role::Replica) {
                let what = format!(
                    "{variable} contradicts the role and is left out: only the agent decides who is writable"
                );
                self.warn(key, what, format!("remove {}", variable.name));
            }
        }
    }

    fn replication(&mut self, config: &Config) {
        let replication = &config.replication;
        if !self.gives("replication") {
            let what =
                "section not given, so replicas connect as repl with the password that everybody knows";
            self.warn("replication", what, "give replication.user and replication.passwd");
        } else if !self.gives("replication.passwd") {
            let what = "not given, so it is the one that everybody knows";
            self.warn("replication.passwd", what, "give a random password");
        }
        if let Some(host) = &replication.host
            && let Err(error) = check_lone_host(host)
        {
            self.error("replication.host", error.what, error.cure);
        }
        self.account("replication.user", &replication.user);
        if replication.passwd.is_empty() {
            self.error(
                "replication.passwd",
                "is empty, and the account reads everything",
                "give a random password",
            );
        }
    }

    fn backup(&mut self, config: &Config) {
        let backup = &config.backup;
        if !backup.ssh_passwd.is_empty() {
            let what = "not used, because agents talk to each other, and a password of the host stands here for nothing";
            self.warn("backup.ssh-passwd", what, "remove it");
        }
        let ssh = ["ssh-host", "ssh-user", "ssh-port"].map(|key| format!("backup.{key}"));
        let present = ssh.iter().filter(|key| self.gives(key)).min_by_key(|key| self.value_of(key));
        if let Some(key) = present.cloned() {
            let what = "not used: agents talk to each other, without SSH";
            self.tell(Severity::Note, &key, what, "the keys beginning with ssh- can be removed");
        }
        if let Some(folder) = &backup.backupdir
            && !folder.is_absolute()
        {
            let what = format!(
                "{} is relative, and a rebuild fills this folder anew",
                crate::node::quoted(&folder.to_string_lossy())
            );
            self.warn("backup.backupdir", what, "give the data folder's full path");
        }
        self.time("backup.mysqld-monitor-interval", backup.mysqld_monitor_interval_ms);
        self.time("rpc.request-timeout", config.rpc.request_timeout_ms);
    }

    fn account(&mut self, key: &str, name: &str) {
        if name.trim().is_empty() {
            self.error(key, "is empty", "give the name of an account");
        } else if name.chars().any(char::is_control) {
            self.error(key, "holds a control character", "remove it");
        } else if name.chars().count() > 32 {
            self.error(key, "is longer than the 32 characters that a server allows", "shorten it");
        }
    }

    /// Neither zero nor a mistake of units.
    fn time(&mut self, key: &str, milliseconds: u64) {
        if milliseconds == 0 {
            self.error(key, "is 0", "give milliseconds, like 1000");
        } else if milliseconds > TIME_MAX_MS {
            self.error(key, format!("{milliseconds} ms is more than a day"), "the unit is milliseconds");
        }
    }
}

/// A command names an address, and not only one that begins or ends like it.
fn names(command: &str, ip: IpAddr) -> bool {
    command
        .split(|letter: char| !letter.is_ascii_hexdigit() && letter != '.' && letter != ':')
        .any(|word| word.parse() == Ok(ip))
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Role {
    Primary,
    Replica,
}

impl Findings {
    /// Tells a shared secret that could be guessed.
    pub(crate) fn list_weak(&mut self, secret: &Secret, key: &str, place: Option<Place>) {
        let text = secret.expose();
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters.dedup();
        if text.len() < SECRET_MIN_BYTES || letters.len() < 8 {
            let what = "is short or monotonous, and whoever sees one connection can try guesses offline";
            let cure = "give a random text of 32 characters, like the output of: openssl rand -hex 16";
            self.push(Finding::new(Severity::Warning, place, key, what, cure));
        }
    }
}
