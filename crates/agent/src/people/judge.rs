//! From what was seen to findings, each with its cure. Pure.

use super::places::{Host, Place};
use std::collections::BTreeMap;
use xenon_api::Level;
use xenon_mysql::ServerSettings;

/// Below this share of free room a disk is nearly full, of a hundred.
const ROOM_WARN: u64 = 15;
const ROOM_ERROR: u64 = 5;
/// So many files the agent may want to have open: connections to every node, and a copy being given.
const FILES: u64 = 4096;
/// A certificate that ends within so many days is warned of.
const CERTIFICATE_DAYS: i64 = 30;

/// What the agent's account must be allowed on `*.*`, unless it has `SUPER` or everything.
const ADMIN_RIGHTS: [&str; 13] = [
    "CREATE USER",
    "PROCESS",
    "RELOAD",
    "REPLICATION CLIENT",
    "REPLICATION SLAVE",
    "SELECT",
    "SHUTDOWN",
    "BACKUP_ADMIN",
    "CLONE_ADMIN",
    "CONNECTION_ADMIN",
    "REPLICATION_SLAVE_ADMIN",
    "SESSION_VARIABLES_ADMIN",
    "SYSTEM_VARIABLES_ADMIN",
];

/// What the replication account must be allowed on `*.*`.
const REPLICATION_RIGHTS: [&str; 3] = ["REPLICATION SLAVE", "REPLICATION CLIENT", "BACKUP_ADMIN"];

/// Findings of one node, in the order in which they are made.
#[derive(Debug, Default)]
pub(super) struct Findings(pub(super) Vec<(String, Level, String, String)>);

impl Findings {
    pub(super) fn ok(&mut self, check: &str, text: impl Into<String>) {
        self.add(check, Level::Ok, text, "");
    }

    pub(super) fn add(
        &mut self,
        check: &str,
        level: Level,
        text: impl Into<String>,
        cure: impl Into<String>,
    ) {
        self.0.push((check.to_owned(), level, text.into(), cure.into()));
    }

    /// Good, or else so.
    fn is(&mut self, check: &str, good: bool, level: Level, text: String, cure: &str) {
        match good {
            true => self.ok(check, text),
            false => self.add(check, level, text, cure),
        }
    }
}

/// What else is known of the node.
pub(super) struct Beside {
    pub(super) leads: bool,
    /// The config leaves purging to the agent.
    pub(super) agent_purges: bool,
    /// The config has the agent start mysqld.
    pub(super) agent_starts: bool,
    pub(super) now_s: i64,
}

fn is_on(value: &str) -> bool {
    value.eq_ignore_ascii_case("ON") || value == "1"
}

pub(super) fn server(
    settings: &ServerSettings,
    semi_sync_files: bool,
    beside: &Beside,
    found: &mut Findings,
) {
    let variables = &settings.variables;
    let of =
        |names: &[&str]| -> Option<String> { names.iter().find_map(|name| variables.get(*name)).cloned() };
    let option_file = "set it in the server's option file, and restart mysqld (a replica first, then xenoncli cluster switchover)";
    let mut setting = |check: &str,
                       names: &[&str],
                       good: &dyn Fn(&str) -> bool,
                       level: Level,
                       why: &str,
                       cure: &str| match of(names) {
        Some(value) => {
            let name = names.first().copied().unwrap_or_default();
            let text =
                if good(&value) { format!("{name} is {value}") } else { format!("{name} is {value}: {why}") };
            found.is(check, good(&value), level, text, cure);
        }
        None => found.add(
            check,
            Level::Unknown,
            format!("this server has no variable {}", names.join(" or ")),
            "use MySQL 8.0 or later",
        ),
    };
    let upper = |word: &'static str| move |value: &str| value.eq_ignore_ascii_case(word);
    setting(
        "gtid-mode",
        &["gtid_mode"],
        &upper("ON"),
        Level::Error,
        "elections rest on GTIDs",
        "SET GLOBAL gtid_mode step by step to ON (OFF_PERMISSIVE, ON_PERMISSIVE, ON) on every node, and in the option file",
    );
    setting(
        "gtid-consistency",
        &["enforce_gtid_consistency"],
        &upper("ON"),
        Level::Error,
        "statements without a GTID could be lost unseen",
        "SET PERSIST enforce_gtid_consistency = ON, and in the option file",
    );
    setting(
        "server-id",
        &["server_id"],
        &|value| value != "0",
        Level::Error,
        "replicas cannot tell it apart",
        option_file,
    );
    setting(
        "binlog",
        &["log_bin"],
        &is_on,
        Level::Error,
        "without a binary log there is nothing to replicate",
        option_file,
    );
    setting(
        "binlog-format",
        &["binlog_format"],
        &upper("ROW"),
        Level::Error,
        "only rows come out the same on every node",
        "binlog_format = ROW in the option file, and restart mysqld",
    );
    setting(
        "binlog-checksum",
        &["binlog_checksum"],
        &|value| !value.eq_ignore_ascii_case("NONE"),
        Level::Warn,
        "a torn end of the log is hard to see",
        "xenoncli mysql sysvar 'SET PERSIST binlog_checksum = CRC32'",
    );
    setting(
        "replica-updates",
        &["log_replica_updates", "log_slave_updates"],
        &is_on,
        Level::Error,
        "a replica could not hand on what it applies, nor become the primary",
        option_file,
    );
    let role = if beside.leads { Level::Error } else { Level::Warn };
    setting(
        "sync-binlog",
        &["sync_binlog"],
        &|value| value == "1",
        role,
        "a host that loses power loses acknowledged transactions",
        "sync_binlog = 1 in the option file, and in mysql.master-sysvars (a replica may have it otherwise on purpose)",
    );
    setting(
        "flush-at-commit",
        &["innodb_flush_log_at_trx_commit"],
        &|value| value == "1",
        role,
        "a host that loses power loses acknowledged transactions",
        "innodb_flush_log_at_trx_commit = 1 in the option file, and in mysql.master-sysvars",
    );
    setting(
        "doublewrite",
        &["innodb_doublewrite"],
        &|value| !value.eq_ignore_ascii_case("OFF"),
        Level::Warn,
        "a page torn by a power loss cannot be mended",
        "innodb_doublewrite = ON in the option file, unless the file system writes pages whole",
    );
    setting(
        "relay-log-recovery",
        &["relay_log_recovery"],
        &|value| !is_on(value),
        Level::Warn,
        "a restart throws away what this node has acknowledged and not applied yet",
        "relay_log_recovery = OFF in the option file; a mysqld that the agent starts has it off",
    );
    setting(
        "commit-order",
        &["replica_preserve_commit_order", "slave_preserve_commit_order"],
        &is_on,
        Level::Warn,
        "readers of a replica can see transactions in another order, and gaps",
        "xenoncli mysql sysvar 'SET PERSIST replica_preserve_commit_order = ON'",
    );
    if beside.agent_purges {
        found.ok("binlog-expiry", "the agent purges what every member has");
    } else {
        setting(
            "binlog-expiry",
            &["binlog_expire_logs_seconds"],
            &|value| value.parse().unwrap_or(0) >= 86_400,
            Level::Warn,
            "a replica that is away for longer needs a rebuild",
            "keep at least a day, or let the agent purge: raft.purge-binlog-disabled = false",
        );
    }
    semi_sync(&settings.plugins, semi_sync_files, found);
    rights(
        "admin-rights",
        "the agent's account (mysql.admin)",
        &settings.grants,
        &ADMIN_RIGHTS,
        Level::Error,
        found,
    );
}

fn semi_sync(plugins: &BTreeMap<String, String>, files: bool, found: &mut Findings) {
    let active =
        |side: [&str; 2]| side.iter().any(|name| plugins.get(*name).is_some_and(|status| status == "ACTIVE"));
    let source = active(["rpl_semi_sync_source", "rpl_semi_sync_master"]);
    let replica = active(["rpl_semi_sync_replica", "rpl_semi_sync_slave"]);
    let check = "semi-sync";
    if source && replica {
        found.ok(check, "the semi-sync plugins are loaded");
    } else if files {
        found.ok(check, "the semi-sync plugins are there, and the agent loads them when they are needed");
    } else {
        found.add(
            check,
            Level::Error,
            "the semi-sync plugins are neither loaded nor in the server's plugin_dir",
            "install the server's package that holds semisync_source.so and semisync_replica.so",
        );
    }
}

/// What a list of GRANT statements lacks on `*.*`.
pub(super) fn rights(
    check: &str,
    whose: &str,
    grants: &[String],
    wanted: &[&str],
    level: Level,
    found: &mut Findings,
) {
    let everywhere: Vec<String> = grants
        .iter()
        .filter_map(|grant| grant.strip_prefix("GRANT ")?.split_once(" ON *.* "))
        .flat_map(|(list, _)| list.split(','))
        .map(|privilege| privilege.trim().to_ascii_uppercase())
        .collect();
    let has = |name: &str| everywhere.iter().any(|own| own == name || own == "ALL PRIVILEGES");
    let lacks: Vec<&str> = wanted.iter().copied().filter(|name| !has(name)).collect();
    if lacks.is_empty() {
        found.ok(check, format!("{whose} has the rights that it needs"));
        return;
    }
    let through_roles = grants.iter().any(|grant| !grant.contains(" ON ") && grant.starts_with("GRANT `"));
    let level = if through_roles { Level::Unknown } else { level };
    let roles = if through_roles { " by itself (it has roles, which are not looked into)" } else { "" };
    found.add(
        check,
        level,
        format!("{whose} lacks{roles}: {}", lacks.join(", ")),
        format!("on the primary: GRANT {} ON *.* TO it", lacks.join(", ")),
    );
}

/// What the replication account, logged in to this node's own server, may do.
pub(super) fn replication_account(outcome: &Result<Vec<String>, String>, user: &str, found: &mut Findings) {
    let check = "replication-account";
    match outcome {
        Ok(grants) => rights(check, &format!("the replication account {user}"), grants, &REPLICATION_RIGHTS, Level::Error, found),
        Err(why) => found.add(check, Level::Warn, format!("the replication account {user} cannot log in: {why}"),
            "the agent makes it when the node becomes a member; afterwards compare replication.user and replication.passwd on all nodes"),
    }
}

/// Whether the agent may move the service address.
pub(super) fn service_address(rights: &Result<(), xenon_address::Missing>, found: &mut Findings) {
    let check = "service-address";
    match rights {
        Ok(()) => found.ok(check, "the agent may move the service address"),
        Err(missing) => found.add(
            check,
            Level::Error,
            format!("the agent cannot move the service address: it lacks {}", missing.names().join(" and ")),
            "in its systemd unit: AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW; or setcap \
             cap_net_admin,cap_net_raw+ep on the xenon binary",
        ),
    }
}

pub(super) fn host(host: &Host, beside: &Beside, found: &mut Findings) {
    match host.config_mode {
        Some(mode) if mode & 0o077 == 0 => {
            found.ok("config-file", "xenon.json can be read by its owner only")
        }
        Some(mode) => found.add(
            "config-file",
            if mode & 0o007 == 0 { Level::Warn } else { Level::Error },
            format!("xenon.json holds passwords, and others can read it (mode {mode:03o})"),
            "chmod 600 it",
        ),
        None => found.add(
            "config-file",
            Level::Unknown,
            "xenon.json cannot be looked at any more",
            "see that it is where the agent was told",
        ),
    }
    for place in &host.places {
        room(place, found);
    }
    match host.open_files {
        Some(limit) if limit < FILES => found.add(
            "open-files",
            Level::Warn,
            format!("the agent may open {limit} files"),
            format!("LimitNOFILE={FILES} or more in its service, or ulimit -n"),
        ),
        _ => found.ok("open-files", "the agent may open enough files"),
    }
    if host.services.is_empty() {
        found.ok("autostart", "no service of the system starts a mysqld beside the agent");
    } else if beside.agent_starts {
        let names = host.services.join(", ");
        found.add("autostart", Level::Warn, format!("{names} starts mysqld at boot, and so does the agent: they get into each other's way, and that one starts it writable"),
            format!("systemctl disable {names}; or leave starting to it: mysql.monitor-disabled"));
    } else {
        found.ok(
            "autostart",
            format!("mysqld is started by {}, and the agent leaves it to that", host.services.join(", ")),
        );
    }
    if host.unresolved.is_empty() {
        found.ok("names", "every node's host name has an address here");
    }
    for (name, why) in &host.unresolved {
        found.add(
            "names",
            Level::Error,
            format!("{name} cannot be resolved here: {why}"),
            "enter it in the DNS or in /etc/hosts, or use addresses",
        );
    }
    match &host.certificate {
        None => {}
        Some(Err(why)) => found.add("certificate", Level::Unknown, why.clone(), "look at server.tls-cert"),
        Some(Ok(ends)) => {
            let days = (ends - beside.now_s).div_euclid(86_400);
            let text = if days < 0 {
                format!("server.tls-cert ended {} day(s) ago", -days)
            } else {
                format!("server.tls-cert ends in {days} day(s)")
            };
            let level = if days < 0 { Level::Error } else { Level::Warn };
            found.is(
                "certificate",
                days >= CERTIFICATE_DAYS,
                level,
                text,
                "issue a new one, put it in its place, and restart the agents one after the other",
            );
        }
    }
}

fn room(place: &Place, found: &mut Findings) {
    let (what, path) = (place.what, place.path.display());
    let check = "disk-room";
    match &place.room {
        Err(why) => found.add(
            check,
            Level::Unknown,
            format!("room for {what}: {why}"),
            "run the agent as mysqld's user",
        ),
        Ok((free, total)) => {
            let percent = if *total == 0 {
                0
            } else {
                (u128::from(*free) * 100 / u128::from(*total)).try_into().unwrap_or(0u64)
            };
            let text = format!("{what} ({path}): {percent} % free, {} MiB", free >> 20);
            let level = if percent < ROOM_ERROR { Level::Error } else { Level::Warn };
            found.is(
                check,
                percent >= ROOM_WARN,
                level,
                text,
                "make room, or give it a larger disk: a full disk stops the primary",
            );
        }
    }
    if place.what == "data" {
        found.is(
            "own-disk",
            !place.on_root,
            Level::Warn,
            format!(
                "{what} ({path}) {}",
                if place.on_root {
                    "lies on the system's own disk: whatever fills that one stops the server"
                } else {
                    "has a disk of its own"
                }
            ),
            "mount a disk of its own there",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn beside(leads: bool) -> Beside {
        Beside { leads, agent_purges: true, agent_starts: true, now_s: 1_000_000 }
    }

    fn good() -> ServerSettings {
        let variables = [
            ("gtid_mode", "ON"),
            ("enforce_gtid_consistency", "ON"),
            ("server_id", "7"),
            ("log_bin", "ON"),
            ("binlog_format", "ROW"),
            ("binlog_checksum", "CRC32"),
            ("log_replica_updates", "ON"),
            ("sync_binlog", "1"),
            ("innodb_flush_log_at_trx_commit", "1"),
            ("innodb_doublewrite", "ON"),
            ("relay_log_recovery", "OFF"),
            ("replica_preserve_commit_order", "ON"),
            ("binlog_expire_logs_seconds", "2592000"),
        ];
        ServerSettings {
            variables: variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            plugins: [("rpl_semi_sync_source", "ACTIVE"), ("rpl_semi_sync_replica", "ACTIVE")]
                .iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
                .collect(),
            grants: vec!["GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION".to_owned()],
            utc_offset_s: Some(0),
        }
    }

    fn bad_of(settings: &ServerSettings, leads: bool) -> Vec<(String, Level)> {
        let mut found = Findings::default();
        server(settings, false, &beside(leads), &mut found);
        assert!(
            found
                .0
                .iter()
                .all(|(_, level, text, cure)| !text.is_empty() && (*level == Level::Ok) == cure.is_empty())
        );
        found
            .0
            .into_iter()
            .filter(|(_, level, ..)| *level != Level::Ok)
            .map(|(check, level, ..)| (check, level))
            .collect()
    }

    #[test]
    fn every_setting_is_judged() {
        assert!(bad_of(&good(), true).is_empty());
        for (name, value, check, leads, level) in [
            ("gtid_mode", "ON_PERMISSIVE", "gtid-mode", false, Level::Error),
            ("enforce_gtid_consistency", "WARN", "gtid-consistency", false, Level::Error),
            ("server_id", "0", "server-id", false, Level::Error),
            ("log_bin", "OFF", "binlog", false, Level::Error),
            ("binlog_format", "MIXED", "binlog-format", false, Level::Error),
            ("binlog_checksum", "NONE", "binlog-checksum", false, Level::Warn),
            ("log_replica_updates", "OFF", "replica-updates", false, Level::Error),
            ("sync_binlog", "1000", "sync-binlog", false, Level::Warn),
            ("sync_binlog", "0", "sync-binlog", true, Level::Error),
            ("innodb_flush_log_at_trx_commit", "2", "flush-at-commit", true, Level::Error),
            ("innodb_doublewrite", "OFF", "doublewrite", true, Level::Warn),
            ("relay_log_recovery", "ON", "relay-log-recovery", true, Level::Warn),
            ("replica_preserve_commit_order", "OFF", "commit-order", true, Level::Warn),
        ] {
            let mut settings = good();
            settings.variables.insert(name.to_owned(), value.to_owned());
            assert_eq!(bad_of(&settings, leads), [(check.to_owned(), level)], "{name}={value}");
        }
        let mut settings = good();
        settings.plugins.clear();
        settings.variables.remove("gtid_mode");
        settings.grants = vec![
            "GRANT SELECT, PROCESS ON *.* TO `x`@`%`".to_owned(),
            "GRANT SUPER ON `db`.* TO `x`@`%`".to_owned(),
        ];
        assert_eq!(
            bad_of(&settings, true),
            [
                ("gtid-mode".to_owned(), Level::Unknown),
                ("semi-sync".to_owned(), Level::Error),
                ("admin-rights".to_owned(), Level::Error),
            ]
        );
        settings.grants.push("GRANT `dba`@`%` TO `x`@`%`".to_owned());
        assert!(bad_of(&settings, true).contains(&("admin-rights".to_owned(), Level::Unknown)));
    }

    #[test]
    fn a_host_is_judged() {
        let place = |what, free| Place {
            what,
            path: PathBuf::from("/data"),
            room: Ok((free, 100 << 20)),
            on_root: false,
        };
        let seen = Host {
            places: vec![
                place("data", 4 << 20),
                place("binary logs", 10 << 20),
                place("agent's record", 50 << 20),
            ],
            open_files: Some(1024),
            config_mode: Some(0o644),
            services: vec!["mysql.service".to_owned()],
            unresolved: vec![("db9".to_owned(), "unknown".to_owned())],
            certificate: Some(Ok(1_000_000 + 10 * 86_400)),
            semi_sync_files: true,
        };
        let mut found = Findings::default();
        host(&seen, &beside(true), &mut found);
        let levels: Vec<(&str, Level)> =
            found.0.iter().map(|(check, level, ..)| (check.as_str(), *level)).collect();
        assert_eq!(
            levels,
            [
                ("config-file", Level::Error),
                ("disk-room", Level::Error),
                ("own-disk", Level::Ok),
                ("disk-room", Level::Warn),
                ("disk-room", Level::Ok),
                ("open-files", Level::Warn),
                ("autostart", Level::Warn),
                ("names", Level::Error),
                ("certificate", Level::Warn),
            ]
        );
    }
}
