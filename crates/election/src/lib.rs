//! Who leads: Raft whose log is the MySQL binlog, as a pure state machine.
//!
//! [`Election::step`] is the only door: an [`Event`] in, [`Effect`]s out. There is no clock, no IO and no
//! randomness inside; timers are armed by effects and come back as events, so that a model checker can let
//! them run out whenever it likes. Rule numbers in comments (V3, L2 …) are those of the protocol document.

mod beside;
mod candidate;
mod core;
mod doubt;
mod effect;
mod event;
mod explain;
mod follower;
mod formation;
mod group;
mod handover;
mod ids;
mod leader;
mod message;
mod pause;
mod position;
mod reconfigure;
mod record;
mod rescue;
mod rules;
mod view;
mod voter;
mod waiting;

pub use crate::core::{Election, Start};
pub use effect::{Delay, Directive, Effect, KnownLeader, Note, Refused};
pub use event::{Event, LocalView, Replaced, Request, ServerView, State, Timer};
pub use explain::{Explained, ExplainedNode};
pub use group::{ConfigId, GroupConfig, Member, NotOneVoterApart, Rejoin, Standing};
pub use handover::HandoverPlan;
pub use ids::{NodeId, Term, Ticket};
pub use message::{LeaderInfo, Message, Refusal, Report, Wish};
pub use position::{Position, Recency};
pub use record::{Doubt, Record};
pub use rules::{Rule, Rules};
