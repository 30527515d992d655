//! What each group of commands does.

pub(crate) mod accounts;
pub(crate) mod backup;
mod change;
pub(crate) mod cluster;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod failover;
mod handover;
pub(crate) mod init;
pub(crate) mod mysql;
pub(crate) mod perf;
pub(crate) mod raft;
pub(crate) mod rebuild;
pub(crate) mod shell;
pub(crate) mod switchover;
pub(crate) mod top;
pub(crate) mod version;
pub(crate) mod xenon;

pub(crate) use change::form;
pub(crate) use cluster::status_table;
