//! I7: a config with an acknowledged successor never wins an election. Acknowledged: a majority of its voters has
//! it, in the term of the leader that made it. Wins: a later term.

use crate::state::State;

pub(crate) fn holds(state: &State) -> bool {
    !state.history.superseded_config_won
}
