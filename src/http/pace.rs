//! `--limit-rate`: all transfers together keep to so many bytes a second.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lets bytes through at a rate, with no more than a tenth of a second saved up.
#[derive(Debug)]
pub(super) struct Pace {
    rate: u64,
    /// When everything that was let through so far is paid for.
    paid: Mutex<Instant>,
}

impl Pace {
    /// `rate` bytes a second, at least one.
    pub fn new(rate: u64) -> Pace {
        Pace { rate: rate.max(1), paid: Mutex::new(Instant::now()) }
    }

    /// The most bytes that should be moved at once.
    pub fn piece(&self) -> usize {
        usize::try_from(self.rate / 10).unwrap_or(usize::MAX).clamp(1, 64 << 10)
    }

    /// Waits until `bytes` more may have been moved.
    pub fn wait(&self, bytes: usize) {
        let due = self.due(bytes, Instant::now());
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }

    fn due(&self, bytes: usize, now: Instant) -> Instant {
        let cost = Duration::from_secs_f64(bytes as f64 / self.rate as f64);
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        let saved = now.checked_sub(Duration::from_millis(100)).unwrap_or(now);
        *paid = (*paid).max(saved) + cost;
        *paid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_takes_a_second() {
        let pace = Pace::new(1000);
        let start = Instant::now();
        let mut due = start;
        for _ in 0..20 {
            due = pace.due(100, start);
        }
        let took = due.duration_since(start);
        assert!(took > Duration::from_millis(1850) && took < Duration::from_millis(2001), "{took:?}");
        assert_eq!(pace.piece(), 100);
    }
}
