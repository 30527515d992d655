//! Orders that the protocol asks for and that no invariant shows within small bounds: T1, F2, C1 and W1.

use crate::state::{Node, State};
use xenon_election::Directive;

/// T1: the target of a handover has the old primary's final set when it stands.
pub(crate) fn target_has_the_set(state: &State) -> bool {
    !state.history.stood_too_soon
}

/// T1: who leads and is not closing writes for a handover is open for them.
pub(crate) fn undone_handovers_leave_it_open(state: &State) -> bool {
    !state.nodes.iter().any(|node| is_shut_by_mistake(node))
}

fn is_shut_by_mistake(node: &Node) -> bool {
    let directed_to_be_open = matches!(node.core.directive(), Directive::Lead { closed: false, .. });
    let is_open = node.mysqld.primary.is_some_and(|primary| primary.open);
    directed_to_be_open && node.leads() && is_open && !node.mysqld.writable && node.quiesce.is_none()
}

/// F2: nobody follows a leader of the same term with transactions which that leader lacks.
pub(crate) fn errant_do_not_follow(state: &State) -> bool {
    state.nodes.iter().all(|node| {
        let leader = node.mysqld.source.and_then(|source| state.nodes.get(source));
        let Some(leader) = leader.filter(|leader| leader.rules() && leader.term() == node.term()) else {
            return true;
        };
        let markers = |item: &&crate::mysqld::Item| matches!(item, crate::mysqld::Item::Client { .. });
        node.mysqld.log.iter().filter(markers).all(|item| leader.mysqld.has(*item))
    })
}

/// C1: who changes the config changes one that has settled on a majority of its voters.
pub(crate) fn changes_follow_settled_configs(state: &State) -> bool {
    !state.history.changed_unsettled
}

/// C1: before voters change, a majority of them has all that was acknowledged.
pub(crate) fn nothing_is_left_behind(state: &State) -> bool {
    !state.history.left_behind
}

/// W1: a rewind drops nothing that was acknowledged.
pub(crate) fn rewinds_drop_no_acknowledged(state: &State) -> bool {
    !state.history.dropped_acknowledged
}
