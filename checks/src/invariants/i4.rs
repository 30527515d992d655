//! I4: two transactions never share a GTID.

use crate::state::State;

pub(crate) fn holds(state: &State) -> bool {
    !state.history.gtid_used_twice
}
