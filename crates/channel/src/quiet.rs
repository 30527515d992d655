//! Log lines that a stranger can cause: at most one in a while, with a count of what was left out.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

const INTERVAL: Duration = Duration::from_secs(10);

/// Decides whether one kind of message may be logged now.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    state: Mutex<(Option<Instant>, u64)>,
}

impl Quiet {
    /// The number of messages left out since the last one, if this one may be logged.
    pub(crate) fn allow(&self) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if state.0.is_some_and(|last| now.duration_since(last) < INTERVAL) {
            state.1 += 1;
            return None;
        }
        let left_out = state.1;
        *state = (Some(now), 0);
        Some(left_out)
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
    }
}
