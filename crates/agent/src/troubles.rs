//! Troubles that last, told once when they begin and once when they are over.

use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// A trouble that was not seen for so long is over. One that comes back sooner (an applier that is tried again every few
/// seconds) was never gone.
const OVER: Duration = Duration::from_secs(15);
/// More different ones than this are not kept apart.
const KEPT: usize = 100;

/// What is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TroubleNews {
    /// It has begun.
    Begins(String),
    /// It has not been seen any more for a while.
    Over(String),
}

/// Those that were told and last.
#[derive(Debug, Default)]
pub(crate) struct LastingTroubles {
    told: BTreeMap<String, (String, Instant)>,
}

impl LastingTroubles {
    /// The troubles as they are at this moment.
    pub(crate) fn update(&mut self, now: Instant, troubles: &[String]) -> Vec<TroubleNews> {
        let mut news = Vec::new();
        for text in troubles {
            if self.told.len() >= KEPT {
                break;
            }
            let told = self.told.insert(without_numbers(text), (text.clone(), now));
            if told.is_none() {
                news.push(TroubleNews::Begins(text.clone()));
            }
        }
        self.told.retain(|_, (text, seen)| {
            let lasts = now.saturating_duration_since(*seen) < OVER;
            if !lasts {
                news.push(TroubleNews::Over(text.clone()));
            }
            lasts
        });
        news
    }
}

/// Seconds that go up and transactions that become more do not make it another trouble.
fn without_numbers(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_ascii_digit()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn told_when_it_begins_and_when_it_is_over_not_in_between() {
        let mut lasting = LastingTroubles::default();
        let begin = Instant::now();
        let mut at = |seconds: u64, troubles: &[&str]| {
            let troubles: Vec<String> = troubles.iter().map(|&text| text.to_owned()).collect();
            lasting.update(begin + Duration::from_secs(seconds), &troubles)
        };
        assert_eq!(at(0, &["hangs for 3 s"]), [TroubleNews::Begins("hangs for 3 s".to_owned())]);
        assert_eq!(at(1, &["hangs for 4 s"]), []);
        // Tried again, and back a moment later.
        assert_eq!(at(2, &[]), []);
        assert_eq!(
            at(6, &["hangs for 9 s", "is full"]),
            [TroubleNews::Begins("is full".to_owned())],
            "another one"
        );
        assert_eq!(at(20, &["is full"]), []);
        assert_eq!(at(21, &["is full"]), [TroubleNews::Over("hangs for 9 s".to_owned())]);
    }
}
