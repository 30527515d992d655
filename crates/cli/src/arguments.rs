//! The command line.

mod people;

pub(crate) use people::{
    DoctorArguments, GrantArguments, NewAccountArguments, PasswordArguments, PerfCommand, Shell,
    TopArguments, YesNo,
};

use crate::commands::events::{EventsArguments, LogArguments};
use crate::commands::explain::ExplainArguments;
use crate::commands::failover::FailoverCommand;
use crate::commands::init::InitArguments;
use crate::output::Output;
use crate::playground::PlaygroundArguments;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use xenon_election::Rejoin;

/// Forms clusters of MySQL servers with an agent (xenon) beside each, shows them, and tells the agents what to do.
#[derive(Debug, Parser)]
#[command(
    name = "xenoncli",
    version,
    after_help = "Examples:\n  \
        xenoncli playground                  a real cluster on this machine, to break\n  \
        xenoncli cluster add 192.168.0.12:8801,192.168.0.13:8801\n  \
        xenoncli cluster status\n  \
        xenoncli raft trytoleader            make this host's server the primary\n  \
        xenoncli cluster status --output json | jq .\n\n\
        The configuration is found through -c, XENON_CONFIG, a file config.path here or beside this\n\
        program, or is /etc/xenon/xenon.json. Data goes to standard output, everything else to standard\n\
        error. Exit codes: 0 done, 1 refused or failed, 2 wrong usage.\n\n\
        With --output json standard output holds one JSON object: the data, or of a command that does\n\
        something {\"ok\":true,\"message\":\u{2026},\"node\":\u{2026}}, or of a failure {\"ok\":false,\"what\":\u{2026},\"cure\":\u{2026}}."
)]
pub(crate) struct Arguments {
    /// The configuration (xenon.json) of this host's agent.
    #[arg(short, long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How to print the answer.
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// All nodes: add and remove them, and how they are.
    Cluster {
        #[command(subcommand)]
        command: ClusterCommand,
    },
    /// This node's part in elections.
    Raft {
        #[command(subcommand)]
        command: RaftCommand,
    },
    /// This host's MySQL server.
    Mysql {
        #[command(subcommand)]
        command: MysqlCommand,
    },
    /// This host's agent.
    Xenon {
        #[command(subcommand)]
        command: XenonCommand,
    },
    /// What came of failovers and switchovers.
    Failover {
        #[command(subcommand)]
        command: FailoverCommand,
    },
    /// Why each node leads, may lead, or may not, and who would be elected if the primary died now.
    Explain(ExplainArguments),
    /// Write a configuration for this host's agent.
    Init(Box<InitArguments>),
    /// Look at every node, its server, its host and its way to the others, before production and at any time.
    #[command(
        after_help = "Examples:\n  xenoncli doctor\n  xenoncli doctor --nodes 192.168.0.12:8801,192.168.0.13:8801   before the \
        cluster is formed\n  xenoncli doctor --output json | jq '.findings[] | select(.level == \"error\")'\n\n\
        Nothing is changed. Exit code 1 when there is an error. JSON: {\"ok\":\u{2026},\"errors\":N,\"warnings\":N,\"unknown\":N,\
        \"findings\":[{node, check, level, text, cure}]}, node null for what concerns all"
    )]
    Doctor(DoctorArguments),
    /// All nodes, live: roles, lag, commits, jobs, troubles and events.
    #[command(
        after_help = "Examples:\n  xenoncli top\n  xenoncli top --interval 5\n  xenoncli top --once\n\nq or Ctrl-C ends it. \
        When standard output is no terminal, one frame is printed."
    )]
    Top(TopArguments),
    /// What this host's mysqld is doing inside.
    Perf {
        #[command(subcommand)]
        command: PerfCommand,
    },
    /// Words that a shell completes, to be read by it.
    #[command(after_help = "Examples:\n  xenoncli completions bash > /etc/bash_completion.d/xenoncli\n  \
        xenoncli completions zsh > \"${fpath[1]}/_xenoncli\"\n  xenoncli completions fish > ~/.config/fish/completions/xenoncli.fish")]
    Completions {
        /// For which shell.
        shell: Shell,
    },
    /// Manual pages, a file a command.
    #[command(after_help = "Example:\n  xenoncli man --dir /usr/local/share/man/man1")]
    Man {
        /// The folder for them; it is made.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
    /// All commands as one document.
    #[command(hide = true, after_help = "Example:\n  xenoncli reference > docs/reference/xenoncli.md")]
    Reference,
    /// A real cluster on this machine, to look at and to break.
    Playground(PlaygroundArguments),
    /// Which version this is.
    #[command(after_help = "Example:\n  xenoncli version --output json")]
    Version,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// Take nodes in; on a fresh node, form the cluster of it and them.
    #[command(after_help = "Example, on one of three fresh nodes:\n  \
        xenoncli cluster add 192.168.0.12:8801,192.168.0.13:8801\n\nRepeating it is harmless.")]
    Add(ChangeArguments),
    /// Take nodes in that follow for ever and never vote or lead.
    #[command(after_help = "Example:\n  xenoncli cluster addidle 192.168.0.14:8801")]
    Addidle(ChangeArguments),
    /// Let nodes go.
    #[command(after_help = "Example:\n  xenoncli cluster remove 192.168.0.13:8801")]
    Remove(ChangeArguments),
    /// Let idle nodes go.
    #[command(after_help = "Example:\n  xenoncli cluster removeidle 192.168.0.14:8801")]
    Removeidle(ChangeArguments),
    /// Make another node's server the primary, after a look at what stands in the way.
    #[command(after_help = "Examples:\n  \
        xenoncli cluster switchover --dry-run\n  \
        xenoncli cluster switchover 192.168.0.12:8801\n  \
        xenoncli cluster switchover 192.168.0.12:8801 --wait 60\n  \
        xenoncli cluster switchover --at 'tomorrow 04:00'\n\n\
        Long transactions and statements, changes of tables and LOCK TABLES on the primary are refused, or waited for with\n\
        --wait. Nothing is lost; when it is given up, the old primary takes writes again by itself.")]
    Switchover {
        /// The endpoint of the agent whose server is to be the primary; the best one if none is named.
        #[arg(value_name = "NODE")]
        node: Option<String>,
        /// Say what would be done and what stands in the way, and do nothing.
        #[arg(long)]
        dry_run: bool,
        /// Wait so long for what stands in the way.
        #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=3600))]
        wait: u64,
        /// Do it then: 04:00, 'tomorrow 04:00', 2026-11-29T04:00:00+01:00 or +10m. This command waits for it, here, and what
        /// stands in the way is looked at again before. Ctrl-C: nothing is done.
        #[arg(long, value_name = "TIME", conflicts_with = "dry_run", value_parser = crate::start_time::parse)]
        at: Option<crate::start_time::When>,
    },
    /// No elections until resumed: nobody stands, and nobody steps down for a lost lease. For upgrades.
    #[command(
        after_help = "Example:\n  xenoncli cluster pause\n\nWhile paused, a primary that dies is started again and nobody takes over from it."
    )]
    Pause,
    /// End a pause.
    #[command(
        after_help = "Example:\n  xenoncli cluster resume\n\nWithout a leader nobody can end it for all: then run it on the node that is to stand for election."
    )]
    Resume,
    /// What the cluster keeps of a node beside the node's own config file, and what holds for all nodes.
    #[command(after_help = "Example, so that a node never leads, and back:\n  \
        xenoncli cluster set 192.168.0.13:8801 --priority 0\n  \
        xenoncli cluster set 192.168.0.13:8801 --priority default\n\n\
        So that a node that cannot come back as it is waits for a person, or is rebuilt by its agent:\n  \
        xenoncli cluster set --rejoin ask\n  \
        xenoncli cluster set --rejoin auto")]
    Set {
        /// The endpoint of the node's agent.
        #[arg(value_name = "NODE", requires = "priority")]
        node: Option<String>,
        /// Which of equally recent nodes leads: the higher one, 0 to 100; 0 never leads; `default`: as its own config file
        /// says.
        #[arg(long, value_name = "N|default", value_parser = priority, requires = "node", required_unless_present = "rejoin")]
        priority: Option<Priority>,
        /// What agents do by themselves with a node whose data is gone, or that has what the leader lacks: rebuild it, or ask.
        #[arg(long, value_enum, value_name = "auto|ask", conflicts_with = "node")]
        rejoin: Option<RejoinWord>,
    },
    /// What happened on all nodes, by time; with --follow, what happens.
    #[command(after_help = "Examples:\n  \
        xenoncli cluster events --follow\n  \
        xenoncli cluster events --since 1h --kind trouble --kind operator\n\n\
        --output json: one object a line: {seq, unix_ms, node, kind, text, since_start_ms}")]
    Events(EventsArguments),
    /// All that the agents have kept of what happened, by time.
    #[command(after_help = "Example:\n  \
        xenoncli cluster log --start-datetime '2020-01-01 10:00:00' --stop-datetime '2020-01-01 11:00:00' --grep disk\n\n\
        Each agent keeps its last events on disk, at most 16 MiB of them.")]
    Log(LogArguments),
    /// Every node: its part in elections, its server, its replication.
    #[command(
        after_help = "Example:\n  xenoncli cluster status\n\nWhat is wrong with a node stands below the table, on standard error. A node that does not \
        answer within a second is UNKNOW.\n\n\
        status json:    {\"status\":[{id, raft, mysqld-info, monitor-info, backup-info, mysql-info, slave-info, \
        myleader}]}, every value a text\n\
        --output json:  the same, and for each node detail (all that its agent says, or null) and error (why there is no \
        detail, or null)"
    )]
    Status(FormatArguments),
    /// Which transactions every node has.
    #[command(
        after_help = "Example:\n  xenoncli cluster gtid\n\ngtid json:      {\"gtid\":[{id, raft, mysql, executed-gtid-set, retrieved-gtid-set}]}\n\
        --output json:  the same, and for each node detail and error as in cluster status --help"
    )]
    Gtid(FormatArguments),
    /// Replication on every node.
    #[command(
        after_help = "Example:\n  xenoncli cluster mysql\n\njson: {\"mysql\":[{id, raft, mysql, option, master-log-file-pos, io-sql-running, seconds-behind, last-error}]}, every value a text; \
        --output json: with detail and error as in cluster status --help"
    )]
    Mysql(FormatArguments),
    /// Counters of elections on every node.
    #[command(
        after_help = "Example:\n  xenoncli cluster raft\n\njson: {\"raft\":[{id, raft, idle-count, leader-promotes, leader-degrades, leader-get-heartbeats, leader-get-votes, candidate-promotes, candidate-degrades, raft-mysql, state-uptimes}]}, every value a text; \
        --output json: with detail and error as in cluster status --help"
    )]
    Raft(FormatArguments),
    /// The agent of every node.
    #[command(
        after_help = "Example:\n  xenoncli cluster xenon\n\njson: {\"xenon\":[{id, status, config, uptimes}]}, every value a text; \
        --output json: with detail and error as in cluster status --help"
    )]
    Xenon(FormatArguments),
}

/// What becomes of a node that cannot come back as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RejoinWord {
    Auto,
    Ask,
}

impl From<RejoinWord> for Rejoin {
    fn from(word: RejoinWord) -> Self {
        match word {
            RejoinWord::Auto => Rejoin::Auto,
            RejoinWord::Ask => Rejoin::Ask,
        }
    }
}

/// A priority, or none of the cluster's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Priority(pub(crate) Option<u32>);

fn priority(text: &str) -> Result<Priority, String> {
    if text.eq_ignore_ascii_case("default") {
        return Ok(Priority(None));
    }
    match text.parse() {
        Ok(number @ 0..=100) => Ok(Priority(Some(number))),
        _ => Err("a number from 0 (never leads) to 100, or `default`".to_owned()),
    }
}

/// `json` as a last word, as scripts for the Go tool write it.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct FormatArguments {
    /// JSON as the Go tool prints it; `--output json` tells more.
    #[arg(value_enum, value_name = "json")]
    format: Option<Json>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Json {
    Json,
}

impl FormatArguments {
    pub(crate) fn is_given(self) -> bool {
        self.format.is_some()
    }

    pub(crate) fn over(self, output: Output) -> Output {
        if self.format.is_some() { Output::Json } else { output }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ChangeArguments {
    /// Endpoints of agents, such as 192.168.0.12:8801,192.168.0.13:8801.
    #[arg(required = true, value_name = "NODE,…")]
    pub(crate) nodes: Vec<String>,
    /// Return as soon as it is accepted, without waiting until the nodes know.
    #[arg(long)]
    pub(crate) no_wait: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RaftCommand {
    /// State, leader and nodes, as JSON.
    #[command(
        after_help = "Example:\n  xenoncli raft status\n\n{\"state\":\"LEADER\",\"leader\":\"192.168.0.11:8801\",\"nodes\":[\"192.168.0.11:8801\",\u{2026}]}"
    )]
    Status,
    /// The nodes of the cluster.
    #[command(after_help = "Example:\n  xenoncli raft nodes")]
    Nodes,
    /// Make this node the leader, and its server the primary.
    #[command(
        after_help = "Example:\n  xenoncli raft trytoleader\n\nNothing is lost: the old primary stops writes, this node applies everything, then opens."
    )]
    Trytoleader {
        /// Return as soon as it is accepted, without waiting until this node serves.
        #[arg(long)]
        no_wait: bool,
    },
    /// Take part in elections again.
    #[command(after_help = "Example:\n  xenoncli raft enable")]
    Enable,
    /// Take no part in elections: this node never votes nor leads until it is enabled.
    #[command(after_help = "Example:\n  xenoncli raft disable")]
    Disable,
    /// Take nodes in: as cluster add.
    #[command(after_help = "Example:\n  xenoncli raft add 192.168.0.13:8801")]
    Add(ChangeArguments),
    /// Let nodes go: as cluster remove.
    #[command(after_help = "Example:\n  xenoncli raft remove 192.168.0.13:8801")]
    Remove(ChangeArguments),
    /// Accepted from scripts of the Go tool; semi-sync is always under the agent's care.
    #[command(after_help = "Example:\n  xenoncli raft enablechecksemisync")]
    Enablechecksemisync,
    /// Accepted from scripts of the Go tool, and changes nothing: commits go on waiting for their acknowledgement.
    #[command(after_help = "Example:\n  xenoncli raft disablechecksemisync")]
    Disablechecksemisync,
    /// Purge binary logs on this node as soon as no member can need them.
    #[command(
        after_help = "Example:\n  xenoncli raft enablepurgebinlog\n\nWhich files there are and for whom they are kept: detail.purge in \
        xenoncli cluster status --output json"
    )]
    Enablepurgebinlog,
    /// Purge no binary logs on this node, until it is enabled again or the agent restarts.
    #[command(
        after_help = "Example:\n  xenoncli raft disablepurgebinlog\n\nFor ever: raft.purge-binlog-disabled in xenon.json."
    )]
    Disablepurgebinlog,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MysqlCommand {
    /// Replication and process, as JSON.
    #[command(
        after_help = "Example:\n  xenoncli mysql status\n\n{\"slave_io_running\":true,\"slave_sql_running\":true,\"mysqld_running\":true,\"mysql_working\":true,\
        \"seconds_behind_master\":\"0\",\"last_error\":\"\",\"monitor\":\"ON\"}"
    )]
    Status,
    /// Start it; switches the monitor on.
    #[command(after_help = "Example:\n  xenoncli mysql start")]
    Start,
    /// Stop it cleanly; switches the monitor off, so that it stays down.
    #[command(after_help = "Example:\n  xenoncli mysql shutdown")]
    Shutdown,
    /// Kill it (SIGKILL).
    #[command(after_help = "Example:\n  xenoncli mysql kill")]
    Kill,
    /// Start it again whenever it ends.
    #[command(after_help = "Example:\n  xenoncli mysql startmonitor")]
    Startmonitor,
    /// Leave it alone when it ends.
    #[command(after_help = "Example:\n  xenoncli mysql stopmonitor")]
    Stopmonitor,
    /// Build this host's server anew from another member's data.
    #[command(
        after_help = "Examples:\n  xenoncli mysql rebuildme --dry-run\n  xenoncli mysql rebuildme --from=192.168.0.12:8801\n\nThe copy is made beside the data folder and looked at before anything of the old data is touched; the old \
        data is then moved aside, put back if the copy does not start, and removed when the node follows again. The leader \
        is refused. Ctrl-C leaves the rebuild running.\n\n\
        --output json: one object at the end, {\"ok\":true,\"message\":\u{2026},\"node\":\u{2026}}; progress as lines on standard error"
    )]
    Rebuildme(RebuildArguments),
    /// End the rebuild of this host's server, as long as its own data is untouched.
    #[command(after_help = "Example:\n  xenoncli mysql cancelrebuild")]
    Cancelrebuild,
    /// Copy this host's data into a folder, and prove the copy.
    #[command(
        after_help = "The folder is made by it: an absolute path, new or empty, on this host, outside of the data folder. The server \
        copies itself as of one moment and serves on; a server of the agent's own then starts on the copy, and every file \
        gets its checksum. It is made as DIR.incomplete and named DIR when it is whole.\n\n\
        Example:  xenoncli mysql backup --to=/backup/2026-11-28 --throttle=100"
    )]
    Backup(BackupArguments),
    /// End the backup that goes on, or a restore as long as this host's own data is untouched.
    #[command(after_help = "Example:\n  xenoncli mysql cancelbackup")]
    Cancelbackup,
    /// Put a backup in the place of this host's data.
    #[command(
        after_help = "For a fresh node, which then joins: xenoncli cluster add. Every byte is compared with the backup's checksums \
        before anything of this host's own data is touched. A leader is refused, and so is a node with data of its own \
        unless --force is given: then that data is moved aside and kept.\n\n\
        Example:  xenoncli mysql restore --from=/backup/2026-11-28"
    )]
    Restore(RestoreArguments),
    /// Set global variables of this host's server.
    #[command(after_help = "Examples:\n  xenoncli mysql sysvar 'SET GLOBAL max_connections = 500'\n  \
        xenoncli mysql sysvar 'SET PERSIST innodb_io_capacity = 2000, GLOBAL sync_binlog = default'\n\n\
        On this node alone. What the agent looks after (read_only, semi-sync, GTIDs) is refused. What a primary or a replica is to \
        have whenever it becomes one: mysql.master-sysvars and mysql.slave-sysvars in xenon.json.")]
    Sysvar {
        /// SET GLOBAL or SET PERSIST, in quotes.
        #[arg(value_name = "STATEMENT")]
        statement: String,
    },
    /// The accounts of this host's server.
    #[command(
        after_help = "Example:\n  xenoncli mysql getuser\n\nJSON: {\"users\":[{user, host, super, ssl, locked, plugin}]}"
    )]
    Getuser,
    /// Make an account that may log in, and nothing else.
    #[command(
        after_help = "Examples:\n  xenoncli mysql createuser app '10.0.0.%' --ssl YES             asks for the password\n  \
        xenoncli mysql createuser app '10.0.0.%' --passwd-file app.pwd\n  \
        xenoncli mysql createuser app '%' PASSWORD NO                    the old form: others can read the password\n\n\
        Run it on any node: it is done on the primary, and reaches every node by replication."
    )]
    Createuser(NewAccountArguments),
    /// Make an account that may do everything, and hand it on.
    #[command(
        after_help = "Example:\n  xenoncli mysql createsuperuser dba localhost --passwd-stdin --ssl NO < dba.pwd\n\n\
        Run it on any node: it is done on the primary, and reaches every node by replication."
    )]
    Createsuperuser(NewAccountArguments),
    /// Make an account with some rights.
    #[command(
        after_help = "Example:\n  xenoncli mysql createuserwithgrants --user=app --host='10.0.0.%' --database=shop --table='*' \
        --privs=SELECT,INSERT,UPDATE,DELETE --ssl=YES --passwd-file app.pwd\n\n\
        Names of databases and tables are taken as they are written; * stands for all. If the rights are refused, there is no \
        account either."
    )]
    Createuserwithgrants(GrantArguments),
    /// Drop an account.
    #[command(
        after_help = "Example:\n  xenoncli mysql dropuser app '10.0.0.%'\n\nSessions that it has go on until they end."
    )]
    Dropuser {
        /// Its name.
        #[arg(value_name = "USER")]
        user: String,
        /// Its host part, as xenoncli mysql getuser shows it.
        #[arg(value_name = "HOST")]
        host: String,
    },
    /// Give an account another password.
    #[command(
        after_help = "Examples:\n  xenoncli mysql changepassword app '10.0.0.%'                  asks for the password\n  \
        xenoncli mysql changepassword app '10.0.0.%' --passwd-stdin < app.pwd"
    )]
    Changepassword {
        /// The account's name.
        #[arg(value_name = "USER")]
        user: String,
        /// Its host part.
        #[arg(value_name = "HOST")]
        host: String,
        #[command(flatten)]
        password: PasswordArguments,
    },
}

#[derive(Debug, Args)]
pub(crate) struct BackupArguments {
    /// The backup's folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) to: String,
    /// Copy at most so many MiB a second.
    #[arg(long, value_name = "MIB/S", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) throttle: Option<u32>,
    /// Return as soon as it has begun.
    #[arg(long)]
    pub(crate) detach: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArguments {
    /// The backup's folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) from: String,
    /// Though this host's server has data of its own.
    #[arg(long)]
    pub(crate) force: bool,
    /// Return as soon as the copying has begun.
    #[arg(long)]
    pub(crate) detach: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RebuildArguments {
    /// Copy from this node; without it from the best: a recent replica rather than the primary.
    #[arg(long, value_name = "ENDPOINT")]
    pub(crate) from: Option<String>,
    /// How to copy; without it by CLONE where both servers can, else by a tool that both hosts have.
    #[arg(long, value_enum)]
    pub(crate) method: Option<MethodWord>,
    /// Though too few other nodes are well. What is refused without it is refused for a reason.
    #[arg(long)]
    pub(crate) force: bool,
    /// At most so many MiB a second.
    #[arg(long, value_name = "MIB/S", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) throttle: Option<u32>,
    /// Return as soon as the copy has begun.
    #[arg(long)]
    pub(crate) detach: bool,
    /// Only say what would be done.
    #[arg(long, conflicts_with = "detach")]
    pub(crate) dry_run: bool,
}

/// How data is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MethodWord {
    /// The servers' own CLONE.
    Clone,
    /// A stream of xtrabackup: for MySQL and Percona Server.
    Xtrabackup,
    /// A stream of mariabackup: for MariaDB.
    Mariabackup,
}

#[derive(Debug, Subcommand)]
pub(crate) enum XenonCommand {
    /// Does the agent answer?
    #[command(after_help = "Example:\n  xenoncli xenon ping")]
    Ping,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use proptest::strategy::Strategy;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    proptest::proptest! {
        /// Whatever is typed: understood, or refused with 2 and a sentence.
        #[test]
        fn no_words_do_harm(words in proptest::collection::vec(
            proptest::prop_oneof![
                proptest::sample::select(vec![
                    "cluster", "raft", "mysql", "xenon", "perf", "doctor", "top", "init", "man", "status", "switchover",
                    "createuser", "createuserwithgrants", "sysvar", "quickstack", "json", "add", "set", "backup", "--at",
                    "--wait", "--ssl", "--privs", "--user", "-o", "-c", "--output=json", "--priority", "--", "-", "=",
                    "+1m", "YES", "%", "0", "-1", "99999999999999999999", "--vip", "--nodes", "--interval",
                ]).prop_map(str::to_owned),
                "\\PC{0,12}",
            ],
            0..8,
        )) {
            let line = std::iter::once("xenoncli".to_owned()).chain(words);
            if let Err(error) = Arguments::try_parse_from(line) {
                proptest::prop_assert!(matches!(error.exit_code(), 0 | 2));
                proptest::prop_assert!(!error.to_string().is_empty());
            }
        }

        /// The same for the texts inside of arguments.
        #[test]
        fn no_text_does_harm(text in "\\PC{0,40}") {
            let _ = crate::start_time::parse(&text);
            let _ = xenon_api::parse_set(&text);
            let _ = xenon_api::parse_set(&format!("SET GLOBAL {text}"));
            let _ = xenon_api::check_privileges(&text, "*", "*");
        }
    }

    #[test]
    fn old_forms_are_understood() {
        for line in [
            "cluster status json",
            "cluster gtid json",
            "cluster add 10.0.0.1:8801,10.0.0.2:8801",
            "cluster pause",
            "cluster set 10.0.0.1:8801 --priority default",
            "cluster set --rejoin ask",
            "mysql rebuildme",
            "mysql backup --to=/backup/1",
            "mysql cancelbackup",
            "mysql restore --from /backup/1 --force",
            "mysql rebuildme --from=10.0.0.1:8801 --force",
            "cluster status -c /etc/xenon.json --output json",
            "raft add 10.0.0.1:8801",
            "raft disablechecksemisync",
            "mysql getuser",
            "mysql createuser app % secret YES",
            "mysql createsuperuser app % secret no",
            "mysql createuserwithgrants --user=app --passwd=x --database=db --table=* --host=% --privs=SELECT,INSERT --ssl=NO",
            "mysql createuserwithgrants --user app --passwd-stdin --privs ALL",
            "mysql dropuser app %",
            "mysql changepassword app % secret",
            "mysql sysvar SET",
            "perf quickstack json",
            "init --address=10.0.0.1 --port=8801 --vip=10.0.0.9 --repluser=repl --replpwd=x",
        ] {
            let words = std::iter::once("xenoncli").chain(line.split(' '));
            assert!(Arguments::try_parse_from(words).is_ok(), "{line}");
        }
        assert_eq!(
            Arguments::try_parse_from(["xenoncli", "cluster", "add"]).expect_err("usage").exit_code(),
            2
        );
    }
}
