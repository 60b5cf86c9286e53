//! A point in time that bounds every wait of a run.

use std::time::{Duration, Instant};

/// A point in time, and the time a run began.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    began: Instant,
    allowed: Duration,
}

impl Deadline {
    /// Allows `allowed` from now on.
    pub fn after(allowed: Duration) -> Self {
        Self {
            began: Instant::now(),
            allowed,
        }
    }

    /// Returns the time that is left, or `None` when it is up. Never zero: the sockets of the standard library reject a
    /// zero timeout.
    pub fn left(&self) -> Option<Duration> {
        self.allowed
            .checked_sub(self.began.elapsed())
            .filter(|left| !left.is_zero())
    }

    /// Returns how long ago the run began.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Returns how long after the beginning `at` was.
    pub fn since_start(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.began)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A deadline that has passed leaves nothing, and one ahead leaves less than was allowed.
    #[test]
    fn time_left_is_none_or_positive() {
        assert_eq!(Deadline::after(Duration::ZERO).left(), None);
        let ahead = Deadline::after(Duration::from_secs(60));
        assert!(
            ahead
                .left()
                .is_some_and(|left| left <= Duration::from_secs(60))
        );
    }
}
