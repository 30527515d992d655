//! Gaps, idle cost, latencies: measured, with their spread.
