//! The configuration file xenon.json: parse, defaults, old keys, findings with line and cure.
//!
//! [`load`] reads a file; [`parse`] does the same with a text and is pure. Either gives the complete [`Config`] with its
//! warnings, or *all* problems of the file at once, each with line, column and what to do about it ([`Findings`]).
//!
//! Files for Xenon (the Go tool) load unchanged, `//` comments included: their spelling of keys, keys that only their
//! tools wrote, defaults that they rely on. What is not known is an error, because a mistyped timeout that is silently
//! ignored shows itself at the next failover.
//!
//! Secrets never leave through `Debug`, `Display`, [`explain`] or a finding.

mod address;
mod check;
mod config;
mod explain;
mod field;
mod file;
mod finding;
mod legacy;
mod legacy_peers;
mod locate;
mod near;
mod node;
mod parse;
mod places;
mod read;
mod secret;
mod section;
mod syntax;
mod sysvars;
mod template;
mod timers;
mod tokens;
mod vip;
mod words;

pub use address::{AddressError, Endpoint, ListenAddress};
pub use config::{Address, Backup, Config, Log, Mysql, Raft, Replication, Rpc, Server};
pub use explain::{Origin, Setting, explain, schema};
pub use file::load;
pub use finding::{Finding, Findings, Place, Severity};
pub use legacy_peers::{LegacyPeers, LegacyPeersError, legacy_peers};
pub use locate::{DEFAULT_PATH, ENVIRONMENT, LocateError, POINTER, locate};
pub use parse::{Loaded, Source, TEXT_LIMIT_BYTES, parse};
pub use secret::{ClusterSecret, ClusterSecretSource, Secret, SecretNotRead};
pub use sysvars::{SysVar, SysVars};
pub use template::{InitOptions, template};
pub use timers::Timers;
pub use tokens::{ApiRole, ApiToken};
pub use vip::{Vip, VipError};
pub use words::{Hook, LogFormat, LogLevel};
