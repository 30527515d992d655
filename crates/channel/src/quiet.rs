//! Log lines that a stranger can cause: at most one in a while, with a count of what was left out.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

const INTERVAL: Duration = Duration::from_secs(10);

/// Decides whether one kind of message may be logged now.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    left_out: u64,
    total: u64,
}

impl Quiet {
    /// The number of messages left out since the last one, if this one may be logged.
    pub(crate) fn allow(&self) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        state.total += 1;
        if state.last.is_some_and(|last| now.duration_since(last) < INTERVAL) {
            state.left_out += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.left_out))
    }

    /// How often there was something to say, whether or not it was said.
    pub(crate) fn total(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_message_in_a_while_with_the_number_left_out() {
        let quiet = Quiet::default();
        assert_eq!(quiet.allow(), Some(0));
        assert_eq!(quiet.allow(), None);
        assert_eq!(quiet.allow(), None);
        tokio::time::advance(INTERVAL).await;
        assert_eq!(quiet.allow(), Some(2));
        assert_eq!(quiet.total(), 4);
    }
}
