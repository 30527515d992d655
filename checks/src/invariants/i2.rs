//! I2: a transaction acknowledged in term t is in received() of every leader of a later term, at its election;
//! whether its client got the OK before that election or after it. The marker of t counts as a transaction (L3).

use crate::state::State;

pub(crate) fn holds(state: &State) -> bool {
    state.history.acknowledged.iter().all(|(term, item)| {
        state.history.leaders.range(term + 1..).all(|(_, (_, received))| received.contains(item))
    })
}
