//! Progress on standard error: bars on a terminal, lines with `--progress plain`, else nothing.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::{Common, ProgressKind};

/// How often a line is printed.
const INTERVAL: Duration = Duration::from_secs(2);

/// Tells how far the reading of blobs has come.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    plain: Option<Mutex<Instant>>,
    what: &'static str,
    done: AtomicU64,
    total: u64,
}

impl Progress {
    /// `total` is 0 where it is not known.
    pub fn new(common: &Common, what: &'static str, total: u64) -> Progress {
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
        Progress { bar, plain, what, done: AtomicU64::new(0), total }
    }

    /// More bytes were read.
    pub fn add(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.show(done);
    }

    /// So many bytes were read in all.
    pub fn set(&self, done: u64) {
        self.done.store(done, Ordering::Relaxed);
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
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if self.plain.is_some() {
            let done = HumanBytes(self.done.load(Ordering::Relaxed));
            let _ = writeln!(io::stderr(), "{}: done, {done}", self.what);
        }
    }
}
