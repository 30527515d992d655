//! The channel over real sockets. Each test has a loopback address of its own, so that ports cannot collide.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fixture;
mod limits;
mod link;
mod own_ca;
mod recovery;
mod round_trip;
mod stream;
mod trust;
