//! When the next request may begin.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::Sleep;

/// A number of slots, each of which a request takes for a time that begins with it.
///
/// With as many slots as a minute may hold, taken for a minute each, bursts are free until a minute is full. With one
/// slot, taken for what a request costs of the allowance, requests follow one another.
#[derive(Debug)]
pub struct RateLimiter {
    /// `None` for a server that has no limits, or other ones.
    slots: Option<usize>,
    /// When the slots that were taken are free again, those of requests that still wait included, earliest first.
    free_at: Mutex<VecDeque<Instant>>,
}

impl RateLimiter {
    /// Makes a limiter with some slots, at least one.
    pub fn new(slots: usize) -> Self {
        Self { slots: Some(slots.max(1)), free_at: Mutex::default() }
    }

    /// Makes a limiter that lets everything through.
    pub fn unlimited() -> Self {
        Self { slots: None, free_at: Mutex::default() }
    }

    /// Waits until a slot is free, and takes it for `hold`.
    pub async fn take(&self, hold: Duration, sleep: &dyn Sleep) {
        let wait = self.wait(hold, Instant::now());
        if !wait.is_zero() {
            tracing::debug!(wait_ms = wait.as_millis(), "the rate is used up");
            sleep.sleep(wait).await;
        }
    }

    /// Books the slot that is free first and returns how far that is away.
    fn wait(&self, hold: Duration, now: Instant) -> Duration {
        let Some(slots) = self.slots else { return Duration::ZERO };
        // A poisoned list is still a list of moments.
        let mut free_at = self.free_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let earliest = if free_at.len() >= slots { free_at.pop_front() } else { None };
        let at = earliest.map_or(now, |earliest| now.max(earliest));
        free_at.push_back(at + hold);
        at.duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_minute_holds_more_than_allowed() {
        let limiter = RateLimiter::new(3);
        let (now, minute) = (Instant::now(), Duration::from_secs(60));
        let waits: Vec<u64> = (0..8).map(|_| limiter.wait(minute, now).as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 60, 60, 60, 120, 120]);
        assert_eq!(limiter.wait(minute, now + Duration::from_secs(200)).as_secs(), 0, "the minute is over");
    }

    #[test]
    fn with_one_slot_each_waits_for_what_those_before_it_cost() {
        let limiter = RateLimiter::new(1);
        let now = Instant::now();
        let waits = [10, 30, 5, 5].map(|cost| limiter.wait(Duration::from_millis(cost), now).as_millis());
        assert_eq!(waits, [0, 10, 40, 45]);
        assert!(limiter.wait(Duration::ZERO, now + Duration::from_secs(1)).is_zero());
    }

    #[test]
    fn without_limits_nothing_waits() {
        let limiter = RateLimiter::unlimited();
        assert!((0..9).all(|_| limiter.wait(Duration::from_secs(60), Instant::now()).is_zero()));
    }
}
