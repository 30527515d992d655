//! The channel, file by file as the agent has it, over turmoil's network: only its sockets are others.
//!
//! A package of its own, and no feature of `xenon-channel`: cargo unites features, and no agent that serves anybody may
//! ever be built with these sockets.

#[path = "../../../crates/channel/src/accept.rs"]
mod accept;
pub mod attack;
#[path = "../../../crates/channel/src/client.rs"]
mod client;
#[path = "../../../crates/channel/src/cluster_ca.rs"]
mod cluster_ca;
#[path = "../../../crates/channel/src/error.rs"]
mod error;
#[path = "../../../crates/channel/src/frames.rs"]
mod frames;
#[path = "../../../crates/channel/src/handler.rs"]
mod handler;
#[path = "../../../crates/channel/src/identity.rs"]
mod identity;
#[path = "../../../crates/channel/src/inflow.rs"]
mod inflow;
#[path = "../../../crates/channel/src/limits.rs"]
mod limits;
#[path = "../../../crates/channel/src/link.rs"]
mod link;
#[path = "../../../crates/channel/src/names.rs"]
mod names;
#[path = "../../../crates/channel/src/outflow.rs"]
mod outflow;
#[path = "../../../crates/channel/src/own_ca.rs"]
mod own_ca;
#[path = "../../../crates/channel/src/phase.rs"]
mod phase;
#[path = "../../../crates/channel/src/pool.rs"]
mod pool;
#[path = "../../../crates/channel/src/quiet.rs"]
mod quiet;
#[path = "../../../crates/channel/src/resolve.rs"]
mod resolve;
#[path = "../../../crates/channel/src/seats.rs"]
mod seats;
#[path = "../../../crates/channel/src/serve.rs"]
mod serve;
#[path = "../../../crates/channel/src/server.rs"]
mod server;
mod sockets;

pub use client::Client;
pub use error::ChannelError;
pub use frames::EndMark;
pub use handler::{Answer, Handler, HandlerFuture, Incoming, Outgoing, Peer};
pub use hyper::body::Bytes;
pub use identity::{Identity, IdentityError};
pub use inflow::{Inflow, StreamBounds};
pub use limits::{ClientOptions, Limits};
pub use link::{Link, LinkState};
pub use names::CLI_NAME;
pub use outflow::{HungUp, Outflow, StreamedAnswer, stream};
pub use server::{BindError, Server, ServerState};
