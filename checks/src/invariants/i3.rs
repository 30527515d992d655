//! I3: once the marker of a later term has been acknowledged, no server of an earlier term can still give an OK
//! for a transaction that the later leader lacks.

use crate::state::State;

pub(crate) fn holds(state: &State) -> bool {
    let open =
        |at: usize| state.nodes.get(at).and_then(|node| node.mysqld.primary).filter(|primary| primary.open);
    let newest = (0..state.nodes.len()).filter_map(|at| open(at).map(|primary| (primary.term, at))).max();
    let Some((newest, leader)) = newest else { return true };
    let Some(leader) = state.nodes.get(leader) else { return true };
    !state.nodes.iter().enumerate().any(|(at, node)| {
        let is_older = node.mysqld.primary.is_some_and(|primary| primary.term < newest);
        let lacked = node.mysqld.waiting.first().is_some_and(|item| !leader.mysqld.has(*item));
        is_older && lacked && state.may_acknowledge(at)
    })
}
