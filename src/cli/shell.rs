//! Standard output and error: escaping, colours, width, and what happens when a pipe closes or a signal comes.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use super::args::{ColorWhen, Common};
use super::remote_args::SidesArgs;
use super::typed::Typed;
use super::wrap::{folded, whole};
use crate::colour::{STRONG_RED, TEAL, paint};
use crate::command::{HumanOptions, Verdict};
use crate::error::{Context, Error, Result};
use crate::escape::escape_str;
use crate::limits::{self, Limits};
use crate::progress::Progress;
use crate::similar;
use crate::{Archive, Level, Options};

/// What every command needs of its surroundings.
pub(super) struct Shell {
    pub common: Common,
    pub sides: SidesArgs,
    /// The line that was typed.
    pub typed: Typed,
    /// The lines of `--names-from`, once they were read.
    pub names: OnceLock<Vec<String>>,
}

impl Shell {
    pub fn new(common: Common, sides: SidesArgs, typed: Typed) -> Shell {
        Shell { common, sides, typed, names: OnceLock::new() }
    }

    /// Writes the result of a command. A reader that went away has seen enough.
    pub fn print(&self, text: &str) -> Result<()> {
        self.print_bytes(text.as_bytes())
    }

    /// Writes what is to be read: on a terminal no digest is broken at its edge.
    pub fn print_read(&self, text: &str) -> Result<()> {
        match io::stdout().is_terminal() {
            true => self.print(&whole(text, self.width())),
            false => self.print(text),
        }
    }

    /// Writes exact bytes to standard output.
    pub fn print_bytes(&self, bytes: &[u8]) -> Result<()> {
        self.print_with(|out| out.write_all(bytes))
    }

    /// The same with what `to` writes.
    pub fn print_with(&self, to: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
        let mut out = io::stdout().lock();
        match to(&mut out).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(error).at("cannot write", "standard output")
            }
            _ => Ok(()),
        }
    }

    /// Says something on standard error, unless --quiet.
    pub fn say(&self, text: &str) {
        if !self.common.quiet {
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// Tells an error with its advice. Paths and archive text in it are escaped.
    pub fn error(&self, error: &Error) {
        let (word, advice) = (self.paint_error(STRONG_RED, "error"), self.paint_error(TEAL, "help"));
        let mut out = io::stderr().lock();
        let told = format!("{word}: {}", escape_str(&error.to_string()));
        let _ = writeln!(out, "{}", self.fold_error(&told, 4));
        if let Some(help) = error.help() {
            let told = format!("  {advice}: {}", escape_str(help));
            // A command stays in one piece: it is there to be copied.
            let command = help.starts_with("restow ") || help.contains('`');
            let told = if command { told } else { self.fold_error(&told, 8) };
            let _ = writeln!(out, "{told}");
        }
    }

    fn color(&self, stream: &impl IsTerminal) -> bool {
        match self.common.color {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto => {
                // https://no-color.org and https://bixense.com/clicolors
                let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
                let zero = |name| std::env::var_os(name).is_some_and(|value| value == "0");
                let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
                let forced = set("CLICOLOR_FORCE") && !zero("CLICOLOR_FORCE");
                !set("NO_COLOR") && (forced || stream.is_terminal() && !dumb && !zero("CLICOLOR"))
            }
        }
    }

    /// Whether standard output gets colours.
    pub fn color_out(&self) -> bool {
        self.color(&io::stdout())
    }

    /// How findings are drawn on a stream.
    pub fn human(&self, stream: &impl IsTerminal) -> HumanOptions {
        let set = std::env::var_os("COLUMNS").is_some();
        let short = !self.common.verbose && (set || stream.is_terminal());
        HumanOptions {
            color: self.color(stream),
            unicode: true,
            width: self.width(),
            least: self.least(),
            short,
        }
    }

    /// Columns to which lines on standard output are cut; `None` if they stay whole: in pipes and files, and with
    /// --verbose.
    pub fn cut(&self) -> Option<usize> {
        let set = std::env::var_os("COLUMNS").is_some();
        (!self.common.verbose && (set || io::stdout().is_terminal())).then(|| self.width())
    }

    /// Text for standard error in a colour, if it has any.
    pub fn paint_error(&self, code: &str, text: &str) -> String {
        paint(code, text, self.color(&io::stderr()))
    }

    /// A line for standard error, broken between words on a terminal.
    pub fn fold_error(&self, line: &str, indent: usize) -> String {
        match io::stderr().is_terminal() {
            true => folded(line, self.width(), indent),
            false => line.to_owned(),
        }
    }

    /// Lines of an account for standard output: on a terminal broken between words, with the first digits alone of each
    /// digest.
    pub fn fold(&self, line: &str, indent: usize) -> String {
        match self.cut() {
            Some(width) => folded(&crate::command::human::shortened(line, "…"), width, indent),
            None => line.to_owned(),
        }
    }

    /// Text for standard error, with the first digits alone of each digest on a terminal.
    pub fn short_error(&self, text: &str) -> String {
        match io::stderr().is_terminal() && !self.common.verbose {
            true => crate::command::human::shortened(text, "…"),
            false => text.to_owned(),
        }
    }

    /// The lowest level of findings that people are shown; formats for machines have all.
    pub fn least(&self) -> Level {
        match (self.common.quiet, self.common.verbose) {
            (true, _) => Level::Error,
            (false, true) => Level::Note,
            (false, false) => Level::Warning,
        }
    }

    /// Columns to write for.
    pub fn width(&self) -> usize {
        let width = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
        width.or_else(terminal_width).unwrap_or(100)
    }

    /// The report on an archive for people; empty if they want to hear of errors alone and there are none.
    pub fn report(&self, verdict: &Verdict<'_>, archive: &Archive, options: HumanOptions) -> String {
        if self.common.quiet && verdict.is_sound() {
            return String::new();
        }
        let text = crate::command::draw(verdict, archive, options);
        if self.cut().is_none() {
            return text;
        }
        // On a terminal the verdict is not broken within a word.
        let line = verdict.line(options);
        let fold = folded(&glued(line.trim_end()), options.width, 2).replace(GLUE, " ") + "\n";
        text.replace(&line, &fold)
    }

    /// The same of what was found in a storage.
    #[cfg(feature = "scrub")]
    pub fn report_of(
        &self,
        verdict: &Verdict<'_>,
        told: &crate::scrub::Told,
        options: HumanOptions,
    ) -> String {
        match self.common.quiet && verdict.is_sound() {
            true => String::new(),
            false => crate::command::human::report(verdict, told, options),
        }
    }

    /// The caps in force.
    pub fn limits(&self) -> Result<Limits> {
        let mut limits = Limits::default();
        for text in &self.common.limit {
            let parsed = text.split_once('=').and_then(|(name, value)| Some((name, value.parse().ok()?)));
            let set = parsed.and_then(|(name, value)| limits.set(name, value));
            if set.is_none() {
                let names: Vec<&str> = limits::NAMES.iter().map(|(name, _)| *name).collect();
                let all = format!("the names are {}", names.join(", "));
                return Err(match parsed {
                    Some((name, _)) => {
                        let known =
                            names.iter().filter_map(|known| Some((similar::distance(known, name)?, known)));
                        // Half of it must be right, or it is no guess.
                        let nearest = known.min().filter(|(distance, _)| distance * 2 <= name.len());
                        let guess =
                            nearest.map(|(_, known)| format!("did you mean `{known}`? ")).unwrap_or_default();
                        Error::refused_help(format!("there is no limit `{name}`"), guess + &all)
                    }
                    None => Error::refused_help(
                        format!("--limit takes NAME=VALUE, where VALUE is a whole number, not `{text}`"),
                        all,
                    ),
                });
            }
        }
        if let Some(seconds) = self.common.remote.timeout {
            limits.wait_seconds = seconds.max(1);
        }
        Ok(limits)
    }

    /// How jobs are done. From and to registries (`remote`) more blobs are under way at once than there are cores: most of
    /// the time they wait for the network, and how many requests a host bears is found out by itself.
    pub fn options<'a>(&self, progress: &'a dyn Progress, remote: bool) -> Result<Options<'a>> {
        const REMOTE: usize = 6;
        let usual = Options::default();
        let jobs = self.common.jobs.unwrap_or(if remote { usual.jobs.max(REMOTE) } else { usual.jobs });
        Ok(Options { limits: self.limits()?, jobs, tmpdir: self.common.tmpdir.clone(), progress, ..usual })
    }
}

/// A blank at which no line is broken.
const GLUE: char = '\u{a0}';

/// A verdict in which a number stays with what it counts, and what is in brackets together.
fn glued(line: &str) -> String {
    let mut glued = String::with_capacity(line.len());
    let mut before = ' ';
    for char in line.chars() {
        glued.push(if char == ' ' && before.is_ascii_digit() { GLUE } else { char });
        before = char;
    }
    let together = |text: &str| text.replace(' ', &GLUE.to_string());
    ["(-v shows it)", "(-v shows them)", "not sound"]
        .iter()
        .fold(glued, |line, words| line.replace(words, &together(words)))
}

/// Columns of the terminal on standard output or error.
fn terminal_width() -> Option<usize> {
    let size =
        rustix::termios::tcgetwinsize(io::stdout()).or_else(|_| rustix::termios::tcgetwinsize(io::stderr()));
    size.ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// How far a command is, for whoever ends it with a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// Nothing that would leave a trace.
    Nothing,
    /// Places are read and judged.
    Judging,
    /// Places are read and judged, to be served.
    Shelving,
    /// Blobs are read and staged.
    Staging,
    /// Blobs are sent to a registry.
    Sending,
    /// All of it was read; it is being put in its place.
    Committing,
    /// All blobs are in the registry; manifests and tags follow.
    Tagging,
}

static DOING: AtomicU8 = AtomicU8::new(Doing::Nothing as u8);

/// Notes what is being done now.
pub(super) fn doing(what: Doing) {
    DOING.store(what as u8, Ordering::SeqCst);
}

/// All blobs are read: what was staged is being put in its place.
pub(super) fn all_is_read() {
    for (from, to) in [(Doing::Staging, Doing::Committing), (Doing::Sending, Doing::Tagging)] {
        let _ = DOING.compare_exchange(from as u8, to as u8, Ordering::SeqCst, Ordering::SeqCst);
    }
}

/// What a signal leaves behind, where somebody may wonder.
fn left_behind() -> Option<&'static str> {
    let words = [
        (Doing::Judging, "interrupted: not all was read, and no report was written"),
        (Doing::Shelving, "interrupted: nothing was served"),
        (Doing::Staging, "interrupted: nothing was written"),
        (
            Doing::Sending,
            "interrupted: no tag was written; blobs that were sent stay until the registry removes them",
        ),
        (
            Doing::Committing,
            "interrupted while it was put in its place; `restow check` tells whether all of it is there",
        ),
        (Doing::Tagging, "interrupted while tags were written; `restow check` tells which are there"),
    ];
    let now = DOING.load(Ordering::SeqCst);
    words.into_iter().find(|(what, _)| *what as u8 == now).map(|(_, text)| text)
}

/// Set when a signal came.
static ENDING: AtomicBool = AtomicBool::new(false);

/// Waits for the end of the process if a signal came: what then fails in other threads, because what they wrote is gone,
/// is neither to be told nor to decide the exit code, and the removal must not be cut short.
pub(super) fn yield_to_signal() {
    while ENDING.load(Ordering::SeqCst) {
        std::thread::park();
    }
}

/// Whether a signal came: what is said of it is the last line, and no bar is drawn over it.
pub(super) fn is_ending() -> bool {
    ENDING.load(Ordering::SeqCst)
}

/// What the first signal does in place of ending the process.
static GENTLY: OnceLock<Box<dyn Fn(i32) + Send + Sync>> = OnceLock::new();

#[cfg(any(feature = "scrub", feature = "serve"))]
/// From now on the first signal calls this with its number, and the second ends the process.
pub(super) fn on_signal(then: impl Fn(i32) + Send + Sync + 'static) {
    let _ = GENTLY.set(Box::new(then));
}

/// Removes what is staged and ends the process when a signal asks for it.
#[allow(clippy::exit)]
pub(super) fn end_on_signals() {
    // Where a panic does not unwind, nothing is dropped.
    #[cfg(panic = "abort")]
    {
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            tell(panic);
            crate::remove_staged();
        }));
    }

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
    // A file that may grow no further (`ulimit -f`) would end the process by this signal, and leave what is staged. Where it
    // is taken, writing fails instead, as on a full disk.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
    let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP]) else { return };
    std::thread::spawn(move || {
        let mut gently = true;
        for signal in signals.forever() {
            if let (true, Some(then)) = (std::mem::take(&mut gently), GENTLY.get()) {
                then(signal);
                continue;
            }
            ENDING.store(true, Ordering::SeqCst);
            crate::remove_staged();
            // Held until the end: a bar that somebody was about to draw would stand behind these words.
            let mut out = io::stderr().lock();
            if let Some(text) = left_behind() {
                // A bar may stand in the line.
                let clear = if io::stderr().is_terminal() { "\r\x1b[K" } else { "" };
                let _ = writeln!(out, "{clear}{text}");
            }
            std::process::exit(128 + signal);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_not_broken_within_what_it_counts() {
        let line = "a/long/name.tar: not sound, 1 image, 12 errors, 1 note (-v shows it)";
        for width in 20..line.len() {
            let text = folded(&glued(line), width, 2).replace(GLUE, " ");
            let starts = ["not sound", "1 image", "12 errors", "1 note", "(-v shows it)"];
            for part in text.lines().skip(1) {
                assert!(starts.iter().any(|start| part.trim_start().starts_with(start)), "{width}:\n{text}");
            }
        }
    }
}
