//! What each group of commands does.

pub(crate) mod backup;
mod change;
pub(crate) mod cluster;
mod handover;
pub(crate) mod init;
pub(crate) mod mysql;
pub(crate) mod raft;
pub(crate) mod rebuild;
pub(crate) mod version;
pub(crate) mod xenon;

pub(crate) use change::form;
pub(crate) use cluster::status_table;
