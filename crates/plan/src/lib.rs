//! What to do to a mysqld: observed state and wanted role become steps, each with its reason.
//!
//! Pure: no clock, no IO, no randomness. The agent observes, asks, and carries out.

pub mod observation;
