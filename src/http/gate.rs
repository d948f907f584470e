//! How many requests a host bears at once: halved when it says that they are too many, fewer while its answers take much
//! longer than they did, and one more after each few that went well.
//!
//! Reading and writing pass separate gates: who copies within one host holds a download while the upload waits, and with
//! one gate the downloads could take every place.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// It takes from the host.
    Read,
    /// It gives to the host.
    Write,
}

/// Places at one host for one kind of requests.
#[derive(Debug)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
    most: usize,
}

#[derive(Debug)]
struct State {
    /// Requests under way.
    running: usize,
    /// Requests that may be under way.
    places: usize,
    /// Requests that went well since the last change.
    well: usize,
    /// The host wants to be left alone until then.
    until: Option<Instant>,
    /// When anything last moved.
    moved: Instant,
    time: Time,
}

/// How long answers take to begin.
#[derive(Debug, Default)]
struct Time {
    /// The shortest, with a little added by each answer: what was possible once need not be so for ever.
    best: Option<Duration>,
    /// As of late.
    usual: Duration,
}

/// Waiting that nobody minds.
const PATIENCE: Duration = Duration::from_millis(100);

impl Time {
    fn learn(&mut self, took: Duration) {
        let best = self.best.map_or(took, |best| took.min(best + best / 256));
        self.usual = if self.best.is_some() { (self.usual * 3 + took) / 4 } else { took };
        self.best = Some(best);
    }

    /// Whether requests wait for each other at the host.
    fn is_long(&self) -> bool {
        self.best.is_some_and(|best| self.usual > 3 * best + PATIENCE)
    }
}

/// As many requests must go well before there is one place more.
const WELL: usize = 8;
/// However long answers take, so many requests are made at once: a host that is slow to one is not helped by less.
const LEAST: usize = 2;

impl Gate {
    /// At first half of the most.
    pub fn new(most: usize) -> Gate {
        let most = most.max(1);
        let places = most.div_ceil(2);
        let state =
            State { running: 0, places, well: 0, until: None, moved: Instant::now(), time: Time::default() };
        Gate { state: Mutex::new(state), changed: Condvar::new(), most }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place, waiting for one; `None` when nothing has moved at this host for `patience`.
    pub fn enter(self: &Arc<Gate>, patience: Duration) -> Option<Permit> {
        let mut state = self.state();
        let came = Instant::now();
        loop {
            let now = Instant::now();
            let alone = state.until.filter(|until| *until > now).map(|until| until.duration_since(now));
            if alone.is_none() && state.running < state.places {
                state.running += 1;
                state.moved = now;
                return Some(Permit { gate: Arc::clone(self) });
            }
            if alone.is_none() && now.duration_since(state.moved.max(came)) > patience {
                return None;
            }
            let wait = alone.unwrap_or(Duration::from_millis(500)).max(Duration::from_millis(1));
            state = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The host says that it is too much, and when to come again.
    pub fn too_much(&self, wait: Duration) {
        let mut state = self.state();
        state.places = (state.places / 2).max(1);
        state.well = 0;
        let until = Instant::now() + wait;
        state.until = Some(state.until.map_or(until, |already| already.max(until)));
    }

    /// A request went well; `took` is how long the answer was waited for, where nothing else took time.
    pub fn went_well(&self, took: Option<Duration>) {
        let mut state = self.state();
        if let Some(took) = took {
            state.time.learn(took);
        }
        state.well += 1;
        if state.well < WELL {
            return;
        }
        state.well = 0;
        if state.time.is_long() {
            state.places = state.places.saturating_sub((state.places / 4).max(1)).max(LEAST.min(self.most));
        } else if state.places < self.most {
            state.places += 1;
            self.changed.notify_one();
        }
    }

    #[cfg(test)]
    fn places(&self) -> usize {
        self.state().places
    }
}

/// A place at a host, for as long as the answer is read.
#[derive(Debug)]
pub(super) struct Permit {
    gate: Arc<Gate>,
}

impl Permit {
    /// Bytes moved.
    pub fn moved(&self) {
        self.gate.state().moved = Instant::now();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        state.running -= 1;
        state.moved = Instant::now();
        drop(state);
        self.gate.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_shrink_by_half_and_grow_by_one() {
        let gate = Gate::new(16);
        assert_eq!(gate.places(), 8);
        for places in [4, 2, 1, 1] {
            gate.too_much(Duration::ZERO);
            assert_eq!(gate.places(), places);
        }
        for places in 2..=16 {
            (0..WELL).for_each(|_| gate.went_well(None));
            assert_eq!(gate.places(), places);
        }
        (0..WELL).for_each(|_| gate.went_well(None));
        assert_eq!(gate.places(), 16);
    }

    /// A host whose answers wait for each other: with so many at once each takes so many times 50 ms.
    #[test]
    fn places_follow_the_time_that_answers_take() {
        let gate = Gate::new(16);
        let answers = |took: &dyn Fn(usize) -> u64, n: usize| {
            for _ in 0..n {
                gate.went_well(Some(Duration::from_millis(took(gate.places()))));
            }
            gate.places()
        };
        assert_eq!(answers(&|_| 50, 8 * 20), 16, "as many as are allowed while nothing waits");
        let busy = answers(&|places| 50 * places as u64, 8 * 10);
        assert!((LEAST..8).contains(&busy), "{busy} places");
        assert_eq!(answers(&|_| 5000, 8 * 8), LEAST, "never less than that");
        assert_eq!(answers(&|_| 50, 8 * 20), 16, "more again when it is quick again");
        // What is far away all the time is not slow: that is how long it takes.
        let far = Gate::new(16);
        (0..8 * 20).for_each(|_| far.went_well(Some(Duration::from_millis(400))));
        assert_eq!(far.places(), 16);
    }

    #[test]
    fn there_are_no_more_at_once_than_places() {
        let gate = Arc::new(Gate::new(2));
        let held = gate.enter(Duration::from_secs(1)).expect("a place");
        assert!(gate.enter(Duration::from_millis(20)).is_none());
        let waiting = Arc::clone(&gate);
        let thread = std::thread::spawn(move || waiting.enter(Duration::from_secs(20)).is_some());
        drop(held);
        assert!(thread.join().expect("no panic"));
        assert!(gate.enter(Duration::from_millis(20)).is_some());
    }

    #[test]
    fn a_host_is_left_alone_as_long_as_it_asks() {
        let gate = Arc::new(Gate::new(4));
        gate.too_much(Duration::from_millis(80));
        let start = Instant::now();
        assert!(gate.enter(Duration::from_millis(1)).is_some());
        assert!(start.elapsed() >= Duration::from_millis(80));
    }
}
