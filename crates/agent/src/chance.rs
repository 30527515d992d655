//! All chance that the agent uses, in one place: `sim-net` puts a seeded one here.

use rand::RngExt;
use std::ops::Range;
use xenon_gtid::Uuid;

/// A number out of `range`.
pub(crate) fn between(range: Range<f64>) -> f64 {
    rand::rng().random_range(range)
}

/// An identifier that no other has.
pub(crate) fn uuid() -> Uuid {
    Uuid::from_bytes(*uuid::Uuid::new_v4().as_bytes())
}
