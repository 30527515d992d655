//! In place of the agent's `chance.rs`: everything random follows from a seed, which belongs to the thread.

use std::cell::Cell;
use std::ops::Range;
use xenon_gtid::Uuid;

thread_local! {
    static STATE: Cell<u64> = const { Cell::new(0) };
}

/// Begins anew with `seed`.
pub fn seed(seed: u64) {
    STATE.set(seed);
}

/// SplitMix64: small, and good enough for timeouts.
fn next() -> u64 {
    let state = STATE.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
    STATE.set(state);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A number out of `range`.
pub(crate) fn between(range: Range<f64>) -> f64 {
    let share = (next() >> 11) as f64 / (1_u64 << 53) as f64;
    range.start + share * (range.end - range.start)
}

/// An identifier that no other of this seed has.
pub(crate) fn uuid() -> Uuid {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&next().to_be_bytes());
    bytes[8..].copy_from_slice(&next().to_be_bytes());
    Uuid::from_bytes(bytes)
}
