//! Model checks of the real election crate.
//!
//! The nodes of the model are [`xenon_election::Election`] values, not a copy of their rules. Around them stand
//! abstract servers (a log, a receiver, writable or not) and a network that loses, delays and repeats messages.
//! The checker tries every order of everything that can happen within the bounds. What it shows, and what it
//! does not, is in the README beside this crate.

mod model;
mod mysqld;
mod properties;
mod setup;
mod state;
mod table;

pub use model::{Action, Bounds, Cluster, Elections};
pub use state::State;
pub use table::{Finding, Run, runs};
