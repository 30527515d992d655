//! A moment of the host's monotonic clock.

use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// Nanoseconds of the monotonic clock, which every process of a host reads alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub u64);

impl Moment {
    /// This moment.
    pub fn now() -> Moment {
        let now = clock_gettime(ClockId::Monotonic);
        let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
        Moment(seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(now.tv_nsec).unwrap_or(0)))
    }

    /// The moment of an [`Instant`], which is of the same clock.
    pub fn of(instant: Instant) -> Moment {
        let now = Instant::now();
        match instant.checked_duration_since(now) {
            Some(ahead) => Moment::now().after(ahead),
            None => Moment(Moment::now().0.saturating_sub(nanos(now.duration_since(instant)))),
        }
    }

    /// So much later.
    #[must_use]
    pub fn after(self, pause: Duration) -> Moment {
        Moment(self.0.saturating_add(nanos(pause)))
    }

    /// How long it is until then; `None` when it is over.
    pub fn left(self) -> Option<Duration> {
        self.since(Moment::now())
    }

    /// How long after `earlier` it is; `None` when it is not.
    pub fn since(self, earlier: Moment) -> Option<Duration> {
        self.0.checked_sub(earlier.0).filter(|left| *left > 0).map(Duration::from_nanos)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_and_its_moment_are_the_same_time() {
        let pause = Duration::from_secs(5);
        let ahead = Moment::of(Instant::now() + pause).left().expect("ahead");
        assert!(ahead <= pause && ahead > pause - Duration::from_secs(1), "{ahead:?}");
        let behind = Moment::of(Instant::now());
        assert!(behind <= Moment::now() && behind.left().is_none());
        assert_eq!(Moment(7).after(Duration::from_nanos(3)).since(Moment(7)), Some(Duration::from_nanos(3)));
    }
}
