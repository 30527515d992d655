//! Where every model begins: a formed cluster whose first node leads term 1, open, with followers.

use crate::cluster::Cluster;
use crate::history::History;
use crate::model::{Action, Spent};
use crate::mysqld::{CLUSTER, Mysqld};
use crate::network::{Envelope, Network};
use crate::state::{State, name};
use stateright::Model;
use std::sync::Arc;
use xenon_election::{ConfigId, Event, GroupConfig, LocalView, Member, Message, Record, Rejoin, Timer};

/// The beginning, reached by the core's own steps: n1 is told to stand, and everything is delivered until
/// nothing moves.
pub(crate) fn formed(cluster: &Cluster) -> State {
    let seats = cluster.seats.iter().enumerate();
    let members =
        seats.filter_map(|(at, seat)| seat.map(|standing| (name(at), Member::new(standing)))).collect();
    let config = GroupConfig {
        cluster: CLUSTER,
        id: ConfigId { term: 0, version: 1 },
        members,
        paused: false,
        rejoin: Rejoin::default(),
    };
    let nodes = cluster.seats.iter().enumerate().map(|(at, seat)| {
        let record = Record { config: seat.map(|_| config.clone()), ..Record::default() };
        cluster.start(at, record, Mysqld::new(at), LocalView::default(), 0).0
    });
    let mut state = State {
        nodes: nodes.map(Arc::new).collect(),
        network: Network::default(),
        history: History::default(),
        spent: Spent::default(),
    };
    for at in 0..cluster.seats.len() {
        cluster.look(&mut state, at);
        apply(cluster, &mut state, Action::Saved(at));
    }
    apply(cluster, &mut state, Action::StandNow(0));
    let mut old = settle(cluster, &mut state);
    for at in 0..cluster.seats.len() {
        cluster.look(&mut state, at);
    }
    if cluster.replies() {
        // What the followers have by now is known to the leader.
        cluster.step(&mut state, 0, Event::Timer(Timer::Heartbeat));
        settle(cluster, &mut state);
    }
    state.network = Network::default();
    for action in &cluster.prelude.actions {
        apply(cluster, &mut state, action.clone());
        if cluster.prelude.settled_each {
            settle(cluster, &mut state);
        }
    }
    if cluster.prelude.and_all_that_follows {
        old = settle(cluster, &mut state);
    }
    for action in &cluster.prelude.then {
        apply(cluster, &mut state, action.clone());
    }
    if cluster.overtaking {
        old.into_iter().for_each(|envelope| state.network.insert(envelope));
    }
    state
}

/// Until nothing moves. Returns the heartbeats that were sent.
fn settle(cluster: &Cluster, state: &mut State) -> Vec<Envelope> {
    let mut heartbeats = Vec::new();
    while let Some(action) = next(cluster, state) {
        apply(cluster, state, action.clone());
        if let Action::Deliver(envelope) = action {
            // Here once is enough for heartbeats, too.
            state.network.remove(&envelope);
            if matches!(envelope.message, Message::Heartbeat { .. }) {
                heartbeats.push(envelope);
            }
        }
    }
    heartbeats
}

fn apply(cluster: &Cluster, state: &mut State, action: Action) {
    if let Some(next) = cluster.next_state(state, action) {
        *state = next;
    }
}

/// Something that moves without anybody's will, and changes something.
fn next(cluster: &Cluster, state: &State) -> Option<Action> {
    let mut actions = Vec::new();
    cluster.actions(state, &mut actions);
    actions.into_iter().find(|action| {
        let moves = matches!(
            action,
            Action::Deliver(_)
                | Action::Saved(_)
                | Action::Freeze(_)
                | Action::Frozen(_)
                | Action::Look(_)
                | Action::Replan(_)
                | Action::Promote(_)
                | Action::Receive(_)
                | Action::Open(_)
        );
        moves && cluster.next_state(state, action.clone()).is_some()
    })
}
