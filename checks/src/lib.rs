//! Model checks of the real election crate.
//!
//! The nodes of the model are [`xenon_election::Election`] values, not a copy of their rules. Around them stand
//! abstract servers (a log, a receiver, writable or not) and a network that loses, delays and repeats messages.
//! The checker tries every order of everything that can happen within the bounds. What it shows, and what it
//! does not, is in the README beside this crate.

mod agent;
mod cluster;
mod duties;
mod finding;
mod happen;
mod history;
mod invariants;
mod model;
mod mutants;
mod mysqld;
mod network;
mod runs;
mod setup;
mod state;

pub use cluster::{Bounds, Change, Cluster, Elections, Prelude};
pub use duties::{Duties, Duty};
pub use finding::{Finding, Run};
pub use model::Action;
pub use mutants::mutants;
pub use network::Envelope;
pub use runs::{Effort, runs};
pub use state::State;
