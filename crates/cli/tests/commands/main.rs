//! The program as people run it, against agents that are played by the tests.

// Outside of test functions too: a failed unwrap in a test is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod changes;
mod failures;
mod fixture;
mod handover;
mod init;
mod looking;
mod people;
mod told;
