//! The program as people run it, against agents that are played by the tests.

mod changes;
mod failures;
mod fixture;
mod handover;
mod init;
mod looking;
