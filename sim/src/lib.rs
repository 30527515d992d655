//! A whole cluster in virtual time, from a seed: real election and plan cores, driven as the agent drives them, beside
//! servers, networks, disks and clocks that are fakes and fail. See docs/sim.md.

mod agent;
mod batch;
mod invariants;
mod log;
mod mutants;
mod mysqld;
mod rng;
mod run;
mod scale;
mod schedule;
mod world;

pub use batch::{Batch, Summary};
pub use invariants::Violation;
pub use run::{Outcome, Subject, View, run, schedule_of};
pub use scale::{SIZES, Scale, scale};
pub use schedule::Schedule;
pub use schedule::shrink::shrink;
