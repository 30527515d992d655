//! The channel between agents and from the command line to them: JSON over HTTP/1.1 over mutual TLS 1.3.
//!
//! - [`Identity`]: who this process is, made from the cluster's shared secret or from files of the operator's own CA.
//! - [`Server`]: answers requests with a [`Handler`], which learns from [`Peer`] whom the certificate names.
//! - [`Client`]: calls a peer and waits for its answer, within a deadline.
//! - [`Link`]: sends messages to a peer in order, without waiting for what becomes of them.
//! - [`stream`] answers a request with bytes of unknown length, [`Client::open`] receives them: an [`Inflow`] that ends
//!   well is proved to be whole.
//!
//! The crate knows nothing of elections or MySQL. Nothing in it depends on the hosts' clocks being right (the expiry
//! of an operator's own certificates aside), nothing waits without a deadline, and no queue or buffer is unbounded.

mod accept;
mod client;
mod cluster_ca;
mod error;
mod expiry;
mod frames;
mod handler;
mod identity;
mod inflow;
mod limits;
mod link;
mod names;
mod outflow;
mod own_ca;
mod phase;
mod pool;
mod quiet;
mod resolve;
mod seats;
mod serve;
mod server;
mod sockets;

pub use client::Client;
pub use error::ChannelError;
pub use expiry::certificate_ends;
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
