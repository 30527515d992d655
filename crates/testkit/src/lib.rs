//! Local clusters of real servers, and the client and checker that watch them.
//!
//! - [`LocalCluster`]: agents and servers on loopback addresses of this machine, each in a folder of its own. The
//!   playground, the tests and the benches all use it.
//! - [`Network`]: hosts of their own for the nodes (network namespaces on a bridge), which can be cut off.
//! - [`Fault`]: what can go wrong with a node's network, processes, disks and clients, as data.
//! - [`Inserter`]: a client that inserts a row every few milliseconds, follows the primary, and keeps its [`History`].
//! - [`check()`]: compares histories with what the servers hold: nothing acknowledged is lost, one writer at a time.
//! - [`WriterWatch`]: asks all servers, all the time, whether clients may write to them.
//!
//! Nothing here ever ends a process that it did not start: a process is known by the option file or configuration in its
//! arguments, which is in the cluster's own folder, and by the moment of its start.

mod address;
mod caller;
mod checker;
mod cluster;
mod data;
mod disk;
mod fault;
mod files;
mod folder;
mod guard;
mod history;
mod inserter;
mod namespace;
mod network;
mod node;
mod orphans;
mod process;
mod programs;
mod sql;
mod state;
mod wait;
mod watch;
mod writers;

pub use caller::Caller;
pub use checker::{Check, Checked, Violation, check};
pub use cluster::{LocalCluster, Options};
pub use disk::{Damage, Volume};
pub use fault::{Fault, Struck, Whom};
pub use files::Accounts;
pub use history::{Attempt, History, Outcome};
pub use inserter::{Inserter, InserterOptions};
pub use network::{Network, Reach, Way};
pub use node::{Account, Node};
pub use process::{Process, Signal};
pub use programs::{Base, Bins};
pub use sql::Sql;
pub use state::{Data, LOG_FILE, STATE_FILE, State};
pub use wait::{Waited, wait_until};
pub use watch::{Sighting, WriterWatch};
pub use writers::Delay;
