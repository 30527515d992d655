//! What the threads of a mysqld are doing at one moment.

use serde::{Deserialize, Serialize};

/// How the threads of mysqld may be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StackTool {
    /// The best that is installed and does no harm here.
    #[default]
    Auto,
    /// `/proc` alone: never stops the server, and knows no functions.
    Proc,
    /// elfutils.
    EuStack,
    /// quickstack.
    Quickstack,
    /// gdb.
    Gdb,
    /// pstack, a script around gdb.
    Pstack,
}

impl StackTool {
    /// Its name on the command line.
    pub fn word(self) -> &'static str {
        match self {
            StackTool::Auto => "auto",
            StackTool::Proc => "proc",
            StackTool::EuStack => "eu-stack",
            StackTool::Quickstack => "quickstack",
            StackTool::Gdb => "gdb",
            StackTool::Pstack => "pstack",
        }
    }
}

/// The threads of a mysqld.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stacks {
    /// Process id of mysqld.
    pub pid: u32,
    /// What looked.
    pub tool: StackTool,
    /// Why nothing better looked, and what to install or say for that; empty when nothing is to be said.
    pub note: String,
    /// How long the looking took, milliseconds: with anything but `/proc` the server stood still for a part of it.
    pub took_ms: u64,
    /// The threads, by their number.
    pub threads: Vec<ThreadStack>,
    /// There were more than are told.
    pub cut: bool,
}

/// One thread.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ThreadStack {
    /// Its number in the system.
    pub tid: u32,
    /// Its name in the server (`thread/sql/one_connection`), else in the system.
    pub name: String,
    /// How the system sees it: `S (sleeping)`.
    pub state: String,
    /// What it waits for in the kernel; empty when that is not known.
    pub wait: String,
    /// What the server says of its session, never with the text of a statement; empty for threads without one.
    pub session: String,
    /// Its frames, innermost first; empty when they are not known.
    pub frames: Vec<String>,
}
