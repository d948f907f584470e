//! `--report`: which reports are wanted, where they go, and writing them whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

use super::shell::Shell;
use super::typed::Typed;
use crate::command::{HumanOptions, Looked, Page, PageStyle, Used, Verdict};
use crate::convert::Account;
use crate::error::{Context, Error, Result};
use crate::escape::escape_str;
use crate::report::{Format as ReportFormat, Renderer};
use crate::{Archive, Comparison, Place};

/// The file that is standard output.
pub(super) const STDOUT: &str = "-";

const FORMATS: &str = "human, json, sarif, junit, github, lines, html or markdown";

/// The reports of one run.
pub(super) struct Reports {
    wanted: Vec<Report>,
    /// Whether to draw findings for people where the command does so by itself.
    pub human: bool,
}

struct Report {
    /// `None` is standard output.
    file: Option<PathBuf>,
    kind: Kind,
}

enum Kind {
    /// For people; what has been drawn so far, if it goes to a file.
    Human(String),
    Machine(Box<dyn Renderer>),
    /// What the command shows, as JSON.
    Own(String),
    Page(PageStyle, Box<Page>),
}

impl Reports {
    /// Reads the values of `--report`, and `json` that of `--json`. `taken` says what standard output is already used for, if
    /// it is: two things on it are refused. `own` is the stream that the command draws findings for people on by itself.
    pub fn parse(values: &[String], json: bool, taken: Option<&str>, own: Own) -> Result<Reports> {
        Reports::of(values, json, taken, own, |format| match ReportFormat::named(format) {
            Some(machine) => Ok(Kind::Machine(machine.renderer())),
            None => Err(Error::refused(format!("--report takes {FORMATS}, not `{format}`"))),
        })
    }

    /// The same of a command that judges nothing, or two places: it makes pages, and its own JSON.
    pub fn of_view(command: &str, values: &[String], json: bool) -> Result<Reports> {
        let reports = Reports::of(values, json, None, Own::Stdout, |format| match format {
            "json" => Ok(Kind::Own(String::new())),
            _ => Err(Error::refused_help(
                format!("{command} makes json, html and markdown, not {format}"),
                format!("restow check --report {format}"),
            )),
        })?;
        match reports.wanted.iter().any(|report| matches!(report.kind, Kind::Human(_))) {
            false => Ok(reports),
            true => Err(Error::refused_help(
                format!("{command} draws for people by itself, on standard output"),
                "leave --report human out",
            )),
        }
    }

    fn of(
        values: &[String],
        json: bool,
        taken: Option<&str>,
        own: Own,
        other: impl Fn(&str) -> Result<Kind>,
    ) -> Result<Reports> {
        let mut wanted: Vec<Report> = Vec::new();
        for value in values.iter().map(String::as_str).chain(json.then_some("json")) {
            let (format, file) = match value.split_once('=') {
                Some((format, file)) => (format, Some(file)),
                None => (value, None),
            };
            let kind = match format {
                "human" => Kind::Human(String::new()),
                "html" => Kind::Page(PageStyle::Html, Box::new(Page::new(command()))),
                "markdown" => Kind::Page(PageStyle::Markdown, Box::new(Page::new(command()))),
                other_format => other(other_format)?,
            };
            if file == Some("") {
                return Err(Error::refused(format!("--report {value} names no file")));
            }
            let file = file.filter(|file| *file != STDOUT).map(PathBuf::from);
            if wanted.iter().any(|report| report.file == file) {
                return Err(match &file {
                    Some(file) => Error::refused(format!("two reports cannot go to {}", file.display())),
                    None => only_one(format),
                });
            }
            if let (None, Some(taken)) = (&file, taken) {
                return Err(Error::refused_help(
                    format!("standard output carries {taken} and cannot carry the {format} report, too"),
                    format!("give the report a file: --report {format}=FILE"),
                ));
            }
            wanted.push(Report { file, kind });
        }
        let asked = wanted.iter().any(|report| matches!(report.kind, Kind::Human(_)));
        let free = own == Own::Stderr || wanted.iter().all(|report| report.file.is_some());
        let human = !asked && free || wanted.iter().any(Report::is_drawn_at_once);
        for file in wanted.iter().filter_map(|report| report.file.as_deref()) {
            writable(file)?;
        }
        Ok(Reports { wanted, human })
    }

    /// Adds the list of fixes, which goes to this file.
    pub fn with_fixes(&mut self, file: Option<&Path>) -> Result<()> {
        let Some(file) = file else { return Ok(()) };
        let file = Some(file).filter(|file| !is_stdout(file)).map(Path::to_owned);
        if self.wanted.iter().any(|report| report.file == file) {
            return Err(match file {
                Some(file) => Error::refused(format!("two reports cannot go to {}", file.display())),
                None => Error::refused_help(
                    "only one report can go to standard output",
                    "give the fixes a file: --fixes FILE",
                ),
            });
        }
        match &file {
            Some(file) => writable(file)?,
            None => self.human = false,
        }
        self.wanted.push(Report { file, kind: Kind::Machine(crate::report::fixes()) });
        Ok(())
    }

    /// Whether `human` was asked for without a file.
    pub fn human_on_stdout(&self) -> bool {
        self.wanted.iter().any(Report::is_drawn_at_once)
    }

    /// Whether one of them is a page in HTML, which shows more than was found.
    pub fn is_drawn(&self) -> bool {
        self.wanted.iter().any(|report| matches!(report.kind, Kind::Page(PageStyle::Html, _)))
    }

    /// Whether one of them is a page.
    pub fn has_pages(&self) -> bool {
        self.wanted.iter().any(|report| matches!(report.kind, Kind::Page(..)))
    }

    /// Gives what the command shows to who wants it as JSON.
    pub fn own(&mut self, json: impl Fn() -> String) {
        for report in &mut self.wanted {
            if let Kind::Own(text) = &mut report.kind {
                *text = json();
            }
        }
    }

    /// Whether a report goes to standard output.
    pub fn takes_stdout(&self) -> bool {
        self.wanted.iter().any(|report| report.file.is_none())
    }

    /// Refuses a report that would replace a file which the command reads or writes, or add one to what it writes.
    pub fn apart(&self, place: &Place, used: Used) -> Result<()> {
        let mut files = self.wanted.iter().filter_map(|report| report.file.as_deref());
        match files.find(|file| crate::command::replaces(file, place, used)) {
            Some(file) => {
                let message =
                    format!("a report cannot replace {}: `{}` holds it", file.display(), place.text);
                Err(Error::refused(message))
            }
            None => Ok(()),
        }
    }

    /// Adds what was found in a source, or in a part of it, to every report that is written at the end; `verdict` is for
    /// people.
    pub fn add(
        &mut self,
        shell: &Shell,
        place: &Place,
        archive: &Archive,
        verdict: &Verdict<'_>,
        looked: Looked<'_>,
    ) {
        let found = (verdict.findings, verdict.lowered);
        let path = Some(place.path.as_path()).filter(|_| !place.is_standard() && !place.is_remote());
        let file = path.filter(|_| self.is_drawn()).and_then(crate::command::file_digest);
        let looked = Looked { file: file.as_deref(), ..looked };
        for report in &mut self.wanted {
            match &mut report.kind {
                Kind::Human(text) if report.file.is_some() => {
                    let options = in_a_file(shell);
                    let more = shell.report(verdict, archive, options);
                    if !text.is_empty() && verdict.draws(options) {
                        text.push('\n');
                    }
                    text.push_str(&more);
                }
                Kind::Human(_) | Kind::Own(_) => {}
                Kind::Machine(renderer) => {
                    crate::command::render(&mut **renderer, archive, looked.part, found, path);
                }
                Kind::Page(_, page) => crate::command::picture(page, archive, found, path, looked),
            }
        }
    }

    /// Adds what was found in a storage to every report that is written at the end.
    #[cfg(feature = "scrub")]
    pub fn add_told(
        &mut self,
        shell: &Shell,
        verdict: &Verdict<'_>,
        told: &crate::scrub::Told,
        path: Option<&Path>,
    ) {
        for report in &mut self.wanted {
            match &mut report.kind {
                Kind::Human(text) if report.file.is_some() => {
                    text.push_str(&shell.report_of(verdict, told, in_a_file(shell)));
                }
                Kind::Human(_) | Kind::Own(_) => {}
                Kind::Machine(renderer) => told.add_to(&mut **renderer, path),
                Kind::Page(_, page) => crate::command::picture_told(page, told, path),
            }
        }
    }

    /// Adds to pages what became of everything.
    pub fn account(&mut self, account: &Account, destination: &str) {
        self.pages(|page| page.account(account, destination));
    }

    /// Adds a comparison to pages; its sides are added after it.
    pub fn compared(&mut self, comparison: &Comparison, a: &str, b: &str) {
        self.pages(|page| page.compared(comparison, a, b));
    }

    fn pages(&mut self, then: impl Fn(&mut Page)) {
        for report in &mut self.wanted {
            if let Kind::Page(_, page) = &mut report.kind {
                then(page);
            }
        }
    }

    /// Adds a source that could not be judged.
    pub fn failed(&mut self, place: &str, error: &Error) {
        let why = error.to_string();
        for report in &mut self.wanted {
            match &mut report.kind {
                Kind::Human(text) if report.file.is_some() => {
                    text.push_str(&format!("error: {}\n", escape_str(&why)));
                }
                Kind::Human(_) | Kind::Own(_) => {}
                Kind::Machine(renderer) => renderer.failed(place, &why),
                Kind::Page(_, page) => page.failed(place, &why),
            }
        }
    }

    /// Writes every report. `written` is the place that the command wrote, which may have come to be under a name of a file.
    pub fn finish(self, shell: &Shell, written: Option<&Place>) -> Result<()> {
        if let Some(place) = written {
            self.apart(place, Used::Written)?;
        }
        for report in self.wanted {
            let to = move |out: &mut dyn Write| match report.kind {
                Kind::Human(text) | Kind::Own(text) => out.write_all(text.as_bytes()),
                Kind::Machine(renderer) => renderer.finish(out),
                Kind::Page(style, page) => crate::command::write_page(&page, style, out),
            };
            match report.file {
                Some(file) => write_with(&file, to)?,
                None => shell.print_with(to)?,
            }
        }
        Ok(())
    }
}

/// Where a command draws findings for people by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    Stdout,
    Stderr,
}

impl Report {
    /// Whether people read it while the command runs.
    fn is_drawn_at_once(&self) -> bool {
        matches!(self.kind, Kind::Human(_)) && self.file.is_none()
    }
}

/// What was typed, without what may be a password.
fn command() -> String {
    Typed::of(&std::env::args_os().collect::<Vec<_>>()).told()
}

fn only_one(format: &str) -> Error {
    Error::refused_help(
        "only one report can go to standard output",
        format!("give the others a file, such as --report {format}=FILE or --report {format}=/dev/stderr"),
    )
}

/// Fails early if the file cannot come to be: a check may take long.
pub(super) fn writable(file: &Path) -> Result<()> {
    if file.is_dir() {
        return Err(Error::io("cannot write", file, io::ErrorKind::IsADirectory.into()));
    }
    let parent = parent(file);
    fs::metadata(parent).at("cannot write into", parent).map(|_| ())
}

fn parent(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether a file is a name of standard output.
pub(super) fn is_stdout(file: &Path) -> bool {
    file.as_os_str() == STDOUT
}

/// Writes a file whole or not at all. A pipe or device is written to as it is, and may close early.
pub(super) fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    write_with(file, |out| out.write_all(bytes))
}

/// The same with what `to` writes.
fn write_with(file: &Path, to: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    // Those of this process may be regular files, which must not be replaced under it; /dev/shm is a folder like any.
    let own = ["/dev/fd", "/dev/stdout", "/dev/stderr", "/proc"];
    let special = own.iter().any(|place| file.starts_with(place));
    if special || fs::metadata(file).is_ok_and(|meta| !meta.is_file()) {
        return match File::options().write(true).open(file).and_then(|out| buffered(out, to)) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).at("cannot write", file),
            _ => Ok(()),
        };
    }
    // A symlink stays one.
    let target = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let path = parent(&target).join(crate::command::fresh_name());
    let staged = move || {
        // The mode less the umask.
        let file = File::options().write(true).create_new(true).mode(0o666).open(&path)?;
        let mut staged = NamedTempFile::from_parts(file, TempPath::try_from_path(path)?);
        buffered(staged.as_file_mut(), to)?;
        staged.persist(&target).map_err(|error| error.error)
    };
    staged().at("cannot write", file).map(|_| ())
}

/// Writes in pieces that are worth a call.
pub(super) fn buffered(out: impl Write, to: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = io::BufWriter::with_capacity(64 << 10, out);
    to(&mut out)?;
    out.flush()
}

/// How findings are drawn in a file: it is as wide as its readers' screens, which are not this one.
fn in_a_file(shell: &Shell) -> HumanOptions {
    let color = shell.common.color == super::args::ColorWhen::Always;
    HumanOptions { color, unicode: true, width: 100, least: shell.least(), short: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(values: &[&str], taken: Option<&str>, own: Own) -> Result<(bool, bool), String> {
        let values: Vec<String> = values.iter().map(ToString::to_string).collect();
        let reports = Reports::parse(&values, false, taken, own).map_err(|error| error.to_string())?;
        Ok((reports.human, reports.human_on_stdout()))
    }

    #[test]
    fn who_gets_standard_output() {
        use Own::{Stderr, Stdout};
        assert_eq!(parse(&[], None, Stdout), Ok((true, false)));
        assert_eq!(parse(&["json"], None, Stdout), Ok((false, false)));
        assert_eq!(parse(&["json=a"], None, Stdout), Ok((true, false)));
        assert_eq!(parse(&["json=a", "human"], None, Stdout), Ok((true, true)));
        assert_eq!(parse(&["human=a"], None, Stdout), Ok((false, false)));
        assert_eq!(parse(&["json"], None, Stderr), Ok((true, false)));
        assert_eq!(parse(&["sarif", "human=a", "junit=b"], None, Stdout), Ok((false, false)));
        assert!(parse(&["json", "human"], None, Stdout).is_err());
        assert!(parse(&["json", "sarif"], None, Stdout).is_err());
        assert!(parse(&["github"], Some("the archive"), Stderr).is_err());
        assert_eq!(parse(&["github=a"], Some("the archive"), Stderr), Ok((true, false)));
        assert_eq!(parse(&["json=-"], None, Stdout), Ok((false, false)), "- is standard output");
        assert!(
            parse(&["json=-", "sarif"], None, Stdout).is_err()
                && parse(&["json=-"], Some("x"), Stderr).is_err()
        );
    }

    #[test]
    fn views_have_a_json_of_their_own() {
        let of = |values: &[&str], json| {
            let values: Vec<String> = values.iter().map(ToString::to_string).collect();
            Reports::of_view("inspect", &values, json).map(|reports| reports.takes_stdout())
        };
        assert!(of(&[], true).expect("good") && of(&["json"], false).expect("good"));
        assert!(!of(&["json=a", "html=b"], false).expect("good"));
        assert!(
            of(&["json"], true).is_err() && of(&["sarif"], false).is_err() && of(&["human"], false).is_err()
        );
    }

    #[test]
    fn what_is_no_report() {
        for bad in
            [&["xml"][..], &["json="], &["json=a", "sarif=a"], &["json=/no/such/folder/a"], &["json=/"]]
        {
            assert!(parse(bad, None, Own::Stdout).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn files_are_replaced_whole_and_links_followed() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let (file, link) = (dir.path().join("a"), dir.path().join("link"));
        write(&file, b"long before").expect("written");
        std::os::unix::fs::symlink("a", &link).expect("link");
        write(&link, b"new").expect("written");
        assert_eq!(fs::read(&file).expect("there"), b"new");
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
        assert_eq!(fs::read_dir(dir.path()).expect("there").count(), 2, "something is left");
        write(Path::new("/dev/null"), b"x").expect("written");
    }

    #[test]
    fn a_report_never_replaces_what_is_read() {
        let file = tempfile::NamedTempFile::new().expect("file");
        let name = file.path().to_str().expect("UTF-8");
        let reports = Reports::parse(&[format!("json={name}")], false, None, Own::Stdout).expect("good");
        assert!(reports.apart(&Place::parse(name).expect("a place"), Used::Read).is_err());
        assert!(reports.apart(&Place::parse("/dev").expect("a place"), Used::Read).is_ok());
    }
}
