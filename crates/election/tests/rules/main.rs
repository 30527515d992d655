//! Tables: a state, an event, the effects and the state that follow. One file a group, named after the rules
//! of the protocol.

#![allow(clippy::unwrap_used, reason = "a failed unwrap here is a failed test")]

#[path = "../common/show.rs"]
mod show;

mod beside;
mod candidate;
mod config;
mod doubt;
mod errant;
mod explain;
mod formation;
mod handover;
mod kit;
mod leader;
mod pair;
mod prevotes;
mod rescue;
mod saving;
mod suspended;
mod votes;
mod wishes;
