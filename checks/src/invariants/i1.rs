//! I1: at most one leader per term.

use crate::state::State;

pub(crate) fn holds(state: &State) -> bool {
    !state.history.two_leaders
}
