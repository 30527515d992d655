//! What must hold whatever the bytes are. A property that does not hold panics: that is what a fuzzer looks for.
//!
//! The fuzz targets (`fuzz/targets`) hand their bytes to these functions, and `tests/corpus.rs` does so with the
//! committed corpus on every test run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod binlog;
mod config;
mod gtid;
mod peer;

pub use binlog::binlog;
pub use config::config;
pub use gtid::gtid;
pub use peer::peer;

/// A property by the name of its target.
pub type Property = fn(&[u8]);

/// Every target.
pub const ALL: [(&str, Property); 4] =
    [("gtid", gtid), ("binlog", binlog), ("config", config), ("peer", peer)];
