//! What must always hold (section 10 of the protocol), and what must be reachable so that the rest means
//! something.

use crate::model::Cluster;
use crate::state::State;
use stateright::Property;

pub(crate) fn properties(cluster: &Cluster) -> Vec<Property<Cluster>> {
    let mut properties = vec![
        Property::always("I1", |_, state: &State| !state.history.two_leaders),
        Property::always("I2", |_, state: &State| acknowledged_is_kept(state)),
        Property::always("I7", |_, state: &State| !state.history.superseded_config_won),
        Property::always("one writer's word", |_, state: &State| !deposed_acknowledges_alone(state)),
        Property::sometimes("a leader of term 2", |_, state: &State| leads(state, 2)),
    ];
    if cluster.bounds.terms >= 3 {
        properties.push(Property::sometimes("a leader of term 3", |_, state: &State| leads(state, 3)));
    }
    if cluster.bounds.writes > 0 {
        properties.push(Property::sometimes("an acknowledged write", |_, state: &State| {
            !state.history.acknowledged.is_empty()
        }));
        properties.push(Property::sometimes("a write acknowledged in term 2", |_, state: &State| {
            state.history.acknowledged.iter().any(|(term, _)| *term == 2)
        }));
    }
    if cluster.bounds.config_changes > 0 {
        properties.push(Property::sometimes("a settled new config", |_, state: &State| {
            state.history.settled.version > 1
        }));
    }
    properties
}

fn leads(state: &State, term: u64) -> bool {
    state.history.leaders.contains_key(&term)
}

/// I2: a transaction acknowledged in term t is in received() of every leader of a later term, at its election;
/// whether its client got the OK before that election or after it.
fn acknowledged_is_kept(state: &State) -> bool {
    state.history.acknowledged.iter().all(|(term, item)| {
        state.history.leaders.range(term + 1..).all(|(_, (_, received))| received.contains(item))
    })
}

/// I3, as far as it can hold without clocks: once the marker of a later term has been acknowledged, no server
/// of an earlier term can still give an OK for a transaction that the later leader lacks.
fn deposed_acknowledges_alone(state: &State) -> bool {
    let newest = state.nodes.iter().filter(|node| node.mysqld.writable).filter_map(|node| node.mysqld.leads);
    let Some((newest, _)) = newest.max() else { return false };
    let Some((leader, _)) = state.history.leaders.get(&newest) else { return false };
    let Some(leader) = state.nodes.get(*leader) else { return false };
    state.nodes.iter().enumerate().any(|(at, node)| {
        let Some((term, w)) = node.mysqld.leads else { return false };
        let may = |item| state.holders(at, item) >= w as usize && !leader.mysqld.has(item);
        term < newest && node.mysqld.waiting.first().is_some_and(|item| may(*item))
    })
}
