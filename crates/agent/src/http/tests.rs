//! The whole API over real sockets, with a stand-in for the loop.

#![allow(clippy::expect_used, clippy::panic, reason = "a helper that fails fails the test")]
