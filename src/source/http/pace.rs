//! How many requests may begin in a minute.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::Pause;

const MINUTE: Duration = Duration::from_secs(60);

/// Remembers when the last requests began; bursts are free until a minute holds as many as are allowed.
pub(super) struct Pace {
    per_minute: usize,
    /// When requests begin, those that still wait included, oldest first.
    begun: Mutex<VecDeque<Instant>>,
}

impl Pace {
    pub(super) fn new(per_minute: usize) -> Self {
        Self { per_minute: per_minute.max(1), begun: Mutex::new(VecDeque::new()) }
    }

    /// Returns when the next request may begin.
    pub(super) async fn take(&self, pause: &dyn Pause) {
        let wait = self.wait(Instant::now());
        if !wait.is_zero() {
            tracing::debug!(wait_ms = wait.as_millis(), "the account's rate is used up");
            pause.pause(wait).await;
        }
    }

    /// Books the next free moment and returns how far it is away.
    fn wait(&self, now: Instant) -> Duration {
        // A poisoned list is still a list of moments.
        let mut begun = self.begun.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let oldest = if begun.len() >= self.per_minute { begun.pop_front() } else { None };
        let at = oldest.map_or(now, |oldest| now.max(oldest + MINUTE));
        begun.push_back(at);
        at.duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_minute_holds_more_than_allowed() {
        let pace = Pace::new(3);
        let now = Instant::now();
        let waits: Vec<u64> = (0..8).map(|_| pace.wait(now).as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 60, 60, 60, 120, 120]);
        assert_eq!(pace.wait(now + Duration::from_secs(200)).as_secs(), 0, "the minute is over");
    }
}
