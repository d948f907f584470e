//! How far a scrub is: a line that is drawn over on a terminal, a line a minute in logs.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::HumanBytes;

use super::args::{Common, ProgressKind};
use crate::Progress;
use crate::scrub::Counters;

/// The first signal: what was read is written, and the run ends.
static ENDED: AtomicI32 = AtomicI32::new(0);

/// Watches a scrub.
pub(super) struct Watching<'a> {
    counters: &'a Counters,
    how: How,
    began: Instant,
    over: Mutex<bool>,
    wake: Condvar,
}

#[derive(Clone, Copy, PartialEq)]
enum How {
    /// One line, drawn over four times a second.
    Drawn,
    /// A line a minute.
    Lines,
    Silent,
}

impl<'a> Watching<'a> {
    pub fn new(common: &Common, counters: &'a Counters) -> Watching<'a> {
        let how = match common.progress {
            ProgressKind::None => How::Silent,
            ProgressKind::Plain => How::Lines,
            ProgressKind::Auto if common.quiet => How::Silent,
            ProgressKind::Auto if io::stderr().is_terminal() => How::Drawn,
            // In a log, too: it takes hours.
            ProgressKind::Auto => How::Lines,
        };
        super::shell::on_signal(|signal| ENDED.store(signal, Ordering::SeqCst));
        Watching { counters, how, began: Instant::now(), over: Mutex::new(false), wake: Condvar::new() }
    }

    /// Tells how far it is while something is done.
    pub fn while_it<T: Send>(&self, job: impl FnOnce() -> T) -> T {
        std::thread::scope(|scope| {
            if self.how != How::Silent {
                scope.spawn(|| self.tell());
            }
            let done = job();
            *self.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
            self.wake.notify_all();
            done
        })
    }

    fn tell(&self) {
        let every = if self.how == How::Drawn { Duration::from_millis(250) } else { Duration::from_secs(60) };
        let mut over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        while !*over {
            let (now, waited) = self.wake.wait_timeout(over, every).unwrap_or_else(PoisonError::into_inner);
            over = now;
            if !*over && waited.timed_out() {
                let line = line(self.counters, self.began.elapsed());
                let _ = match self.how {
                    How::Drawn => write!(io::stderr(), "\r\x1b[K{line}"),
                    _ => writeln!(io::stderr(), "{line}"),
                };
            }
        }
        if self.how == How::Drawn {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

impl Progress for Watching<'_> {
    fn cancelled(&self) -> bool {
        ENDED.load(Ordering::SeqCst) != 0
    }
}

/// The exit status after the signal that ended it.
pub(super) fn after_signal() -> u8 {
    u8::try_from(128 + ENDED.load(Ordering::SeqCst)).unwrap_or(u8::MAX)
}

/// How far it is: `scrubbing: 1200 of about 5000 blobs, 3.1 GiB of about 12 GiB, 120 MiB/s, 75 s left, 2 faults`.
fn line(counters: &Counters, taken: Duration) -> String {
    let get = Counters::get;
    let judged = get(&counters.judged);
    let known = get(&counters.kept) + get(&counters.store);
    let known_bytes = get(&counters.kept_bytes) + get(&counters.store_bytes);
    let (done, bytes) = (get(&counters.read) + known, get(&counters.read_bytes));
    let faults = match get(&counters.faults) {
        0 => String::new(),
        faults => format!(", {}", crate::command::counted(faults, "fault")),
    };
    if judged > 0 {
        return format!("judging: {judged} repositories{faults}");
    }
    let (folders, all) = (get(&counters.folders), get(&counters.all_folders));
    if all == 0 {
        return format!("listing: {} repositories", get(&counters.repositories));
    }
    let about = if folders == all { "" } else { "about " };
    let (blobs, total) = counters.expected();
    let rate = bytes as f64 / taken.as_secs_f64().max(0.001);
    let mut text = format!(
        "scrubbing: {done} of {about}{blobs} blobs, {} of {about}{}, {}/s",
        HumanBytes(bytes + known_bytes),
        HumanBytes(total),
        HumanBytes(rate as u64)
    );
    let left = total.saturating_sub(bytes + known_bytes);
    if rate >= 1.0 && folders > 0 {
        text.push_str(&format!(", {} s left", (left as f64 / rate).ceil() as u64));
    }
    text + &faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_tell_how_far_it_is() {
        let counters = Counters::default();
        let second = Duration::from_secs(1);
        counters.repositories.store(7, Ordering::Relaxed);
        assert_eq!(line(&counters, second), "listing: 7 repositories");
        for (count, value) in [
            (&counters.all_folders, 256),
            (&counters.folders, 64),
            (&counters.listed, 10),
            (&counters.listed_bytes, 5 << 20),
            (&counters.read, 8),
            (&counters.read_bytes, 4 << 20),
            (&counters.kept, 1),
            (&counters.faults, 2),
        ] {
            count.store(value, Ordering::Relaxed);
        }
        assert_eq!(
            line(&counters, second),
            "scrubbing: 9 of about 40 blobs, 4.00 MiB of about 20.00 MiB, 4.00 MiB/s, 4 s left, 2 faults"
        );
        counters.judged.store(3, Ordering::Relaxed);
        assert_eq!(line(&counters, second), "judging: 3 repositories, 2 faults");
    }
}
