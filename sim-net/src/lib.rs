//! The agent, file by file as `crates/agent` has it, on turmoil's network and beside servers that are values.
//!
//! Some of its files are others here: `hands` has no disks to copy to, `http` hears nobody, `keeper` keeps no events, `people` serves nobody, `vip` moves no address, [`chance`] is seeded, `saver` writes the record without a thread (virtual time would
//! run ahead of it), `signals` hears none. The crates it is built on are its own, but for the channel's sockets
//! (`sim-net/channel`) and the whole of `xenon-mysql` (`sim-net/mysqld`). What `main` does (arguments, the log) is left out.

#[path = "../../crates/agent/src/address.rs"]
mod address;
#[path = "../../crates/agent/src/agent.rs"]
mod agent;
#[path = "../../crates/agent/src/audit.rs"]
mod audit;
#[path = "../../crates/agent/src/backup.rs"]
mod backup;
#[path = "../../crates/agent/src/boot.rs"]
mod boot;
#[path = "../../crates/agent/src/calls.rs"]
mod calls;
pub mod chance;
#[path = "../../crates/agent/src/clock.rs"]
mod clock;
pub mod cluster;
#[path = "../../crates/agent/src/dead.rs"]
mod dead;
#[path = "../../crates/agent/src/disk.rs"]
mod disk;
#[path = "../../crates/agent/src/donation.rs"]
mod donation;
#[path = "../../crates/agent/src/effects.rs"]
mod effects;
#[path = "../../crates/agent/src/events.rs"]
mod events;
#[path = "../../crates/agent/src/faults.rs"]
mod faults;
mod hands;
#[path = "../../crates/agent/src/hooks.rs"]
mod hooks;
mod http;
#[path = "../../crates/agent/src/input.rs"]
mod input;
mod keeper;
#[path = "../../crates/agent/src/legacy.rs"]
mod legacy;
#[path = "../../crates/agent/src/life.rs"]
mod life;
#[path = "../../crates/agent/src/local.rs"]
mod local;
#[path = "../../crates/agent/src/metrics/mod.rs"]
#[allow(dead_code, reason = "nobody asks for a page here")]
mod metrics;
#[path = "../../crates/agent/src/mysqld.rs"]
mod mysqld;
#[path = "../../crates/agent/src/observer.rs"]
mod observer;
#[path = "../../crates/agent/src/peers.rs"]
mod peers;
mod people;
#[path = "../../crates/agent/src/purge.rs"]
mod purge;
#[path = "../../crates/agent/src/rebuild/mod.rs"]
mod rebuild;
#[path = "../../crates/agent/src/reports.rs"]
mod reports;
#[path = "../../crates/agent/src/rescue.rs"]
mod rescue;
#[path = "../../crates/agent/src/rewind.rs"]
mod rewind;
mod saver;
mod signals;
#[path = "../../crates/agent/src/sleepers.rs"]
mod sleepers;
#[path = "../../crates/agent/src/status.rs"]
mod status;
#[path = "../../crates/agent/src/steps.rs"]
mod steps;
#[path = "../../crates/agent/src/store.rs"]
mod store;
pub mod story;
#[path = "../../crates/agent/src/streams.rs"]
mod streams;
#[path = "../../crates/agent/src/supervisor.rs"]
mod supervisor;
#[path = "../../crates/agent/src/switchover.rs"]
mod switchover;
#[path = "../../crates/agent/src/tail.rs"]
mod tail;
#[path = "../../crates/agent/src/tally.rs"]
#[allow(dead_code, reason = "read by the metrics, which are left out")]
mod tally;
#[path = "../../crates/agent/src/telling.rs"]
mod telling;
#[path = "../../crates/agent/src/troubles.rs"]
mod troubles;
mod vip;
#[path = "../../crates/agent/src/worker.rs"]
mod worker;
