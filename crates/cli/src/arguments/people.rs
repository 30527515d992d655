//! Arguments of commands about accounts, stacks, check-ups and the live view.

use super::FormatArguments;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use xenon_api::StackTool;

/// As the Go tool writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "UPPER")]
pub(crate) enum YesNo {
    Yes,
    No,
}

/// A password that comes from somewhere.
#[derive(Args)]
pub(crate) struct PasswordArguments {
    /// The password, as in scripts of the Go tool. Every user of this host can read it in the list of processes: better one of
    /// the options, or none, to be asked.
    #[arg(value_name = "PASSWORD", conflicts_with_all = ["passwd_file", "passwd_stdin"])]
    pub(crate) password: Option<String>,
    /// A file that holds the password on its first line.
    #[arg(long, value_name = "FILE", conflicts_with = "passwd_stdin")]
    pub(crate) passwd_file: Option<PathBuf>,
    /// Read the password from standard input, one line.
    #[arg(long)]
    pub(crate) passwd_stdin: bool,
}

impl std::fmt::Debug for PasswordArguments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PasswordArguments").field("passwd_file", &self.passwd_file).finish_non_exhaustive()
    }
}

#[derive(Debug, Args)]
pub(crate) struct NewAccountArguments {
    /// Its name.
    #[arg(value_name = "USER")]
    pub(crate) user: String,
    /// The hosts that it may come from: '%' for all, '10.0.0.%', localhost.
    #[arg(value_name = "HOST")]
    pub(crate) host: String,
    #[command(flatten)]
    pub(crate) password: PasswordArguments,
    /// It must come with TLS; the same as --ssl.
    #[arg(value_name = "YES|NO", ignore_case = true, conflicts_with = "ssl")]
    pub(crate) require_ssl: Option<YesNo>,
    /// It must come with TLS.
    #[arg(long, value_name = "YES|NO", ignore_case = true)]
    pub(crate) ssl: Option<YesNo>,
}

#[derive(Args)]
pub(crate) struct GrantArguments {
    /// Its name.
    #[arg(long)]
    pub(crate) user: String,
    /// The hosts that it may come from.
    #[arg(long, default_value = "%")]
    pub(crate) host: String,
    /// Its password. Every user of this host can read it in the list of processes: better one of the next two.
    #[arg(long, value_name = "PASSWORD", conflicts_with_all = ["passwd_file", "passwd_stdin"])]
    pub(crate) passwd: Option<String>,
    /// A file that holds the password on its first line.
    #[arg(long, value_name = "FILE", conflicts_with = "passwd_stdin")]
    pub(crate) passwd_file: Option<PathBuf>,
    /// Read the password from standard input, one line.
    #[arg(long)]
    pub(crate) passwd_stdin: bool,
    /// The database; * = all.
    #[arg(long, default_value = "*")]
    pub(crate) database: String,
    /// The table; * = all of the database.
    #[arg(long, default_value = "*")]
    pub(crate) table: String,
    /// Privileges in MySQL's words, separated by commas.
    #[arg(long, value_name = "PRIVILEGE,…")]
    pub(crate) privs: String,
    /// It must come with TLS.
    #[arg(long, value_name = "YES|NO", ignore_case = true, default_value = "NO")]
    pub(crate) ssl: YesNo,
}

impl std::fmt::Debug for GrantArguments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GrantArguments").field("user", &self.user).finish_non_exhaustive()
    }
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// Nodes to look at beside the members of this host's cluster.
    #[arg(long, value_name = "NODE,…")]
    pub(crate) nodes: Vec<String>,
    /// Show what is well, too.
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TopArguments {
    /// Seconds between two looks.
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) interval: u64,
    /// One frame, and no more.
    #[arg(long)]
    pub(crate) once: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PerfCommand {
    /// What every thread of mysqld is doing: its stack, and what it serves.
    #[command(after_help = "Examples:\n  xenoncli perf quickstack\n  xenoncli perf quickstack json\n  \
        xenoncli perf quickstack --tool eu-stack --stop\n\n\
        A tool stops the server while it looks. Where clients wait for it (the primary's, and a replica that is the only one to \
        acknowledge) nothing does unless --stop is given, and then for at most 0.8 s; elsewhere for at most 15 s. Statements' texts are \
        never shown.\n\n\
        JSON: {pid, tool, note, took_ms, cut, threads:[{tid, name, state, wait, session, frames}]}")]
    Quickstack {
        #[command(flatten)]
        format: FormatArguments,
        /// What is to look.
        #[arg(long, value_enum, default_value_t = ToolWord::Auto)]
        tool: ToolWord,
        /// Stop the server for a moment even if clients wait for it.
        #[arg(long)]
        stop: bool,
    },
}

/// What looks at stacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ToolWord {
    /// The best that is installed and does no harm.
    Auto,
    /// Nothing but /proc: stops nothing, knows no functions.
    Proc,
    EuStack,
    Quickstack,
    Gdb,
    Pstack,
}

impl From<ToolWord> for StackTool {
    fn from(word: ToolWord) -> Self {
        match word {
            ToolWord::Auto => StackTool::Auto,
            ToolWord::Proc => StackTool::Proc,
            ToolWord::EuStack => StackTool::EuStack,
            ToolWord::Quickstack => StackTool::Quickstack,
            ToolWord::Gdb => StackTool::Gdb,
            ToolWord::Pstack => StackTool::Pstack,
        }
    }
}

/// Shells that complete words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}
