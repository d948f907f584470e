//! Progress on standard error: bars on a terminal, lines with `--progress plain`, else nothing.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::{Common, ProgressKind};
use crate::progress::{Phase, Progress};

/// How often a line is printed.
const INTERVAL: Duration = Duration::from_secs(2);

/// Tells people how far a job has come.
pub(super) struct Told<'a> {
    common: &'a Common,
    /// Whether anything is told at all.
    shown: bool,
    now: RwLock<Option<Stretch>>,
}

impl<'a> Told<'a> {
    pub fn new(common: &'a Common) -> Told<'a> {
        let shown = match common.progress {
            ProgressKind::Plain => true,
            ProgressKind::Auto => !common.quiet && io::stderr().is_terminal(),
            ProgressKind::None => false,
        };
        Told { common, shown, now: RwLock::new(None) }
    }
}

impl Progress for Told<'_> {
    fn begin(&self, phase: Phase, total: u64) {
        let what = match phase {
            Phase::Open => "reading",
            Phase::Check => "checking",
            Phase::Convert => "converting",
        };
        let stretch = self.shown.then(|| Stretch::new(self.common, what, total));
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = stretch;
    }

    fn read(&self, bytes: u64) {
        if !self.shown {
            return;
        }
        if let Some(stretch) = &*self.now.read().unwrap_or_else(PoisonError::into_inner) {
            stretch.add(bytes);
        }
    }

    fn end(&self) {
        if let Some(stretch) = self.now.write().unwrap_or_else(PoisonError::into_inner).take() {
            stretch.finish();
        }
    }
}

/// One stretch of a job, as it is shown.
struct Stretch {
    bar: Option<ProgressBar>,
    plain: Option<Mutex<Instant>>,
    what: &'static str,
    done: AtomicU64,
    total: u64,
}

impl Stretch {
    /// `total` is 0 where it is not known.
    fn new(common: &Common, what: &'static str, total: u64) -> Stretch {
        let plain = common.progress == ProgressKind::Plain;
        let auto = common.progress == ProgressKind::Auto && !common.quiet && io::stderr().is_terminal();
        let bar = auto.then(|| {
            let bar = ProgressBar::with_draw_target(
                (total > 0).then_some(total),
                ProgressDrawTarget::stderr_with_hz(10),
            );
            let template = if total > 0 {
                "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}"
            } else {
                "{msg} {spinner} {bytes} {bytes_per_sec}"
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_message(what);
            bar
        });
        let plain = plain.then(|| Mutex::new(Instant::now()));
        Stretch { bar, plain, what, done: AtomicU64::new(0), total }
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
        let Some(last) = &self.plain else { return };
        let Ok(mut last) = last.try_lock() else { return };
        if last.elapsed() >= INTERVAL {
            *last = Instant::now();
            let of = if self.total > 0 { format!(" of {}", HumanBytes(self.total)) } else { String::new() };
            // Nobody may be listening, which is no reason to stop.
            let _ = writeln!(io::stderr(), "{}: {}{of}", self.what, HumanBytes(done));
        }
    }

    /// Takes the bar away.
    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if self.plain.is_some() {
            let done = HumanBytes(self.done.load(Ordering::Relaxed));
            let _ = writeln!(io::stderr(), "{}: done, {done}", self.what);
        }
    }
}
