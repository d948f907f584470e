//! Progress on standard error: bars on a terminal, lines with `--progress plain` and, of long jobs, in logs.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::{Common, ProgressKind};
use super::shell::{all_is_read, is_ending};
use crate::escape::escape_str;
use crate::progress::{BlobProgress, Phase, Progress};

/// How often a line is printed where lines were asked for.
const INTERVAL: Duration = Duration::from_secs(2);

/// When a log gets its first line, so that a job that hangs is told from one that works, and how often it gets more.
const LOG_FIRST: Duration = Duration::from_secs(10);
const LOG_INTERVAL: Duration = Duration::from_secs(30);

/// Blobs of fewer bytes are done before anybody has read their line: 4 MiB.
const LARGE: u64 = 4 << 20;

/// Lines for blobs, at most: the answer, not the way to it, is to fill the screen.
const LINES: usize = 8;

/// Tells people how far a job has come.
pub(super) struct Told<'a> {
    common: &'a Common,
    /// Whether anything is told at all.
    shown: bool,
    now: RwLock<Option<Stretch>>,
    /// Whether the last stretch is a conversion's.
    converting: AtomicBool,
}

impl<'a> Told<'a> {
    pub fn new(common: &'a Common) -> Told<'a> {
        let shown = match common.progress {
            ProgressKind::Plain => true,
            ProgressKind::Auto => !common.quiet,
            ProgressKind::None => false,
        };
        Told { common, shown, now: RwLock::new(None), converting: AtomicBool::new(false) }
    }
}

impl Progress for Told<'_> {
    fn begin(&self, phase: Phase, total: u64) {
        let what = match phase {
            Phase::Open => "reading",
            Phase::Check => "checking",
            Phase::Convert => "converting",
        };
        self.converting.store(phase == Phase::Convert, Ordering::Relaxed);
        let stretch = self.shown.then(|| Stretch::new(self.common, what, total));
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = stretch;
    }

    fn read(&self, bytes: u64) {
        if !self.shown || is_ending() {
            return;
        }
        if let Some(stretch) = &*self.now.read().unwrap_or_else(PoisonError::into_inner) {
            stretch.add(bytes);
        }
    }

    fn blob(&self, name: &str, size: u64) -> Option<Box<dyn BlobProgress + '_>> {
        let now = self.now.read().unwrap_or_else(PoisonError::into_inner);
        now.as_ref()?.line(name, size).map(|line| Box::new(line) as _)
    }

    fn end(&self) {
        if let Some(stretch) = self.now.write().unwrap_or_else(PoisonError::into_inner).take() {
            stretch.finish();
        }
        if self.converting.load(Ordering::Relaxed) {
            all_is_read();
        }
    }
}

/// One stretch of a job, as it is shown.
struct Stretch {
    bar: Option<ProgressBar>,
    /// The bar, with the lines of blobs below it.
    lines: Option<MultiProgress>,
    /// Blobs that have a line now.
    shown: Arc<AtomicUsize>,
    plain: Option<Mutex<Pace>>,
    what: &'static str,
    done: AtomicU64,
    total: u64,
    began: Instant,
}

/// When lines are printed.
struct Pace {
    /// When the next one is due.
    next: Instant,
    interval: Duration,
    /// Whether there were any, so that a last one belongs to them.
    told: bool,
}

/// How far it is: `converting: 591.00 MiB of 1.79 GiB, 543.48 MiB/s, 3 s left`. `total` is 0 where it is not known.
fn line(what: &str, done: u64, total: u64, taken: Duration) -> String {
    let rate = done as f64 / taken.as_secs_f64().max(0.001);
    let mut text = format!("{what}: {}", HumanBytes(done));
    if total > 0 {
        text.push_str(&format!(" of {}", HumanBytes(total)));
    }
    text.push_str(&format!(", {}/s", HumanBytes(rate as u64)));
    if total > 0 && rate >= 1.0 {
        let left = total.saturating_sub(done) as f64 / rate;
        text.push_str(&format!(", {} s left", left.ceil() as u64));
    }
    text
}

impl Stretch {
    /// `total` is 0 where it is not known.
    fn new(common: &Common, what: &'static str, total: u64) -> Stretch {
        let auto = common.progress == ProgressKind::Auto && !common.quiet && io::stderr().is_terminal();
        let lines = auto.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10)));
        let bar = lines.as_ref().map(|lines| {
            let bar = if total > 0 { ProgressBar::new(total) } else { ProgressBar::no_length() };
            let bar = lines.add(bar);
            // On a narrow terminal the bar goes first: it says the same as the numbers.
            let columns = rustix::termios::tcgetwinsize(io::stderr()).map_or(80, |size| size.ws_col);
            let template = match (total > 0, columns) {
                (true, 80..) => "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left",
                (true, 60..) => "{msg} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left",
                (true, _) => "{msg} {percent} %, {eta} left",
                (false, _) => "{msg} {spinner} {bytes} {bytes_per_sec}",
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_message(what);
            bar
        });
        let began = Instant::now();
        let pace = match common.progress {
            ProgressKind::Plain => Some(Pace { next: began + INTERVAL, interval: INTERVAL, told: true }),
            ProgressKind::Auto if !auto => {
                Some(Pace { next: began + LOG_FIRST, interval: LOG_INTERVAL, told: false })
            }
            _ => None,
        };
        let (plain, shown) = (pace.map(Mutex::new), Arc::default());
        Stretch { bar, lines, shown, plain, what, done: AtomicU64::new(0), total, began }
    }

    /// A line for a blob, if it is large and there is room.
    fn line(&self, name: &str, size: u64) -> Option<Line> {
        let lines = self.lines.as_ref().filter(|_| size >= LARGE)?;
        let room = |shown: usize| (shown < LINES).then_some(shown + 1);
        self.shown.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).ok()?;
        let bar = lines.add(ProgressBar::new(size));
        if let Ok(style) = ProgressStyle::with_template("  {msg:.dim} {bytes}/{total_bytes}") {
            bar.set_style(style);
        }
        bar.set_message(crate::command::human::shortened(&escape_str(name), "…").to_owned());
        Some(Line { bar, shown: Arc::clone(&self.shown) })
    }

    /// More bytes were read.
    fn add(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.show(done);
    }

    fn show(&self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        }
        let Some(pace) = &self.plain else { return };
        let Ok(mut pace) = pace.try_lock() else { return };
        let now = Instant::now();
        if now >= pace.next {
            *pace = Pace { next: now + pace.interval, told: true, ..*pace };
            // Nobody may be listening, which is no reason to stop.
            let _ = writeln!(io::stderr(), "{}", line(self.what, done, self.total, self.began.elapsed()));
        }
    }

    /// Takes the bar away.
    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let pace = self.plain.as_ref().map(|pace| pace.lock().unwrap_or_else(PoisonError::into_inner));
        if pace.is_some_and(|pace| pace.told) {
            let done = HumanBytes(self.done.load(Ordering::Relaxed));
            let _ = writeln!(io::stderr(), "{}: done, {done}", self.what);
        }
    }
}

/// The line of a blob; it goes when the blob is done.
struct Line {
    bar: ProgressBar,
    shown: Arc<AtomicUsize>,
}

impl BlobProgress for Line {
    fn read(&self, bytes: u64) {
        if is_ending() {
            return;
        }
        self.bar.inc(bytes);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        self.shown.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_tell_bytes_rate_and_time_left() {
        let second = Duration::from_secs(2);
        assert_eq!(
            line("converting", 2 << 20, 5 << 20, second),
            "converting: 2.00 MiB of 5.00 MiB, 1.00 MiB/s, 3 s left"
        );
        assert_eq!(line("reading", 4 << 10, 0, second), "reading: 4.00 KiB, 2.00 KiB/s");
        assert_eq!(line("checking", 0, 7, Duration::ZERO), "checking: 0 B of 7 B, 0 B/s");
    }
}
