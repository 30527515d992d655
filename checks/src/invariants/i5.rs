//! I5: the address is held by at most one node that may write. Asked for where elections are by timers, for it
//! rests on the lease being over before anybody else can be elected (L1, V1); and of agents that are up and lead: one
//! that has crashed takes no address off, and one that takes leadership up again (T3) does not yet say that it leads.

use crate::state::State;

pub(crate) fn holds(state: &State) -> bool {
    state.nodes.iter().filter(|node| node.address && node.rules() && node.mysqld.writable).count() <= 1
}
