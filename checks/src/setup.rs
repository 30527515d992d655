//! Where every model begins: a formed cluster whose first node leads term 1, open, with followers.

use crate::model::{Action, Cluster};
use crate::mysqld::{CLUSTER, Mysqld};
use crate::state::{History, Network, Node, State, name};
use stateright::Model;
use std::sync::Arc;
use xenon_election::{ConfigId, GroupConfig, Member, Record};

/// The beginning, reached by the core's own steps: n1 is told to stand, and everything is delivered until
/// nothing moves.
pub(crate) fn formed(cluster: &Cluster) -> State {
    let members = (0..cluster.nodes).map(|index| (name(index), Member::voter())).collect();
    let config =
        GroupConfig { cluster: CLUSTER, id: ConfigId { term: 0, version: 1 }, members, paused: false };
    let record = Record { config: Some(config), ..Record::default() };
    let nodes = (0..cluster.nodes)
        .map(|index| Node::start(index, record.clone(), Mysqld::default(), cluster.rules).0);
    let mut state = State {
        nodes: nodes.map(Arc::new).collect(),
        network: Network::default(),
        history: History::default(),
        writes: 0,
        restarts: 0,
        repeats: 0,
        changes: 0,
    };
    for index in 0..cluster.nodes {
        apply(cluster, &mut state, Action::Look(index));
    }
    apply(cluster, &mut state, Action::StandNow(0));
    while let Some(action) = next(cluster, &state) {
        apply(cluster, &mut state, action.clone());
        if let Action::Deliver(envelope) = action {
            // Here once is enough for heartbeats, too.
            state.network.remove(&envelope);
        }
    }
    for index in 0..cluster.nodes {
        apply(cluster, &mut state, Action::Look(index));
    }
    state.network = Network::default();
    state
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
                | Action::Freeze(_)
                | Action::Frozen(_)
                | Action::Replan(_)
                | Action::Receive(_)
                | Action::Open(_)
        );
        moves && cluster.next_state(state, action.clone()).is_some()
    })
}
