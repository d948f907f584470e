//! `restow convert`: rewrites an archive in another form, verified on the way.

use std::io;
use std::path::Path;

use super::args::{ConvertArgs, DockerArg, DropArg, FixArg};
use super::meant;
use super::open::{source, standard_output};
use super::progress::Told;
use super::remote::{Side, platforms};
use super::report::{self, Own, Reports};
use super::shell::{Doing, Shell, doing};
use super::status::WRONG;
use crate::colour::{AMBER, STRONG_GREEN, TEAL};
use crate::command::{Look, Looked, Proof, Used, Verdict};
use crate::convert::{Account, Compress, DockerFormat, Entry, Fixes, Kind as EntryKind};
use crate::error::{Error, Result};
use crate::escape::escape_str;
use crate::platform::Platform;
use crate::report::Lowered;
use crate::{Archive, Destination, End, Finding, Level, Options, Outcome, Place, Policy, Request};

pub(super) fn run(args: &ConvertArgs, policy: &Policy, shell: &Shell) -> Result<u8> {
    let asked = (!args.platform.is_empty()).then(|| policy.clone().for_a_platform());
    let policy = asked.as_ref().unwrap_or(policy);
    let source = Place::parse(&args.source)?;
    let destination = Place::parse(&args.destination)?;
    if destination.transport.is_none() {
        return Err(meant::destination(&args.destination, &shell.typed));
    }
    let taken = taken(beside(args), &destination)?;
    let mut reports = Reports::parse(&args.report, args.json, taken, Own::Stderr)?;
    reports.apart(&source, Used::Read)?;
    reports.apart(&destination, Used::Written)?;
    let drawn = reports.is_drawn();
    let result = converted(args, (&source, &destination), drawn, policy, shell).and_then(|outcome| {
        let (pushed, fixes) = (outcome.pushed.clone(), outcome.fixes.clone());
        let telling = Telling {
            all: args.check,
            beside: beside(args),
            dry_run: args.dry_run,
            source: &args.source,
            destination: &args.destination,
            to: &destination,
        };
        let code = told(&telling, &source, outcome, policy, shell, &mut reports)?;
        if let Some(line) = pushed {
            shell.say(&format!("  {line}"));
        }
        if let Some(line) = fixes.as_ref().and_then(left) {
            shell.say(&shell.fold_error(&line, 2));
        }
        Ok(code)
    });
    if let Err(error) = &result {
        reports.failed(&source.text, error);
    }
    let written = reports.finish(shell, Some(&destination));
    let code = result?;
    written.map(|()| code)
}

fn converted(
    args: &ConvertArgs,
    (from, to): (&Place, &Place),
    drawn: bool,
    policy: &Policy,
    shell: &Shell,
) -> Result<Outcome> {
    shell.sides_are_clear(from, to)?;
    let request = request(args, shell)?;
    let docker = match args.docker_format {
        DockerArg::Universal => DockerFormat::Universal,
        DockerArg::Legacy => DockerFormat::Legacy,
    };
    let destination = Destination::parse(&args.destination, docker)?;
    let mut registry = shell.registry(to, Side::Second)?;
    (registry.no_clobber, registry.verify_after) = (args.no_clobber, args.verify_after);
    if to.is_standard() {
        standard_output()?;
    }
    for (option, file) in beside(args).on_disk() {
        may_stand(option, file, from, Used::Read)?;
        may_stand(option, file, to, Used::Written)?;
        report::writable(file)?;
    }
    let told = Told::new(&shell.common);
    let options = Options {
        policy: policy.clone(),
        contents: drawn,
        verify: args.verify.verify(),
        ..shell.options(&told, from.is_remote() || to.is_remote())?
    };
    let fill = |text: &String| {
        let place = Place::parse(text)?;
        shell.sides_are_clear(&place, to)?;
        source(&place, Side::First, &[], shell)
    };
    let others = args.fill_from.iter().map(fill).collect::<Result<_>>()?;
    let source = source(from, Side::First, &[], shell)?.filled_from(others);
    doing(match (shell.common.quiet || args.dry_run, to.is_remote()) {
        (true, _) => Doing::Nothing,
        (false, true) => Doing::Sending,
        (false, false) => Doing::Staging,
    });
    let outcome = crate::convert(source, destination.registry(registry), request, &options);
    doing(Doing::Nothing);
    outcome
}

/// What was not fixed, in a line.
fn left(fixes: &Fixes) -> Option<String> {
    let Fixes { conflicts, unsound, unsure, .. } = *fixes;
    let known = [
        (conflicts, "since another fix changes the same otherwise"),
        (unsound, "since a document in the way is not what its digest says"),
        (unsure, "since --fix safe makes none that rests on an assumption"),
    ];
    let words = known.iter().filter(|(count, _)| *count > 0).map(|(count, why)| format!("{count} {why}"));
    let words: Vec<String> = words.collect();
    (!words.is_empty()).then(|| format!("not fixed: {}", words.join(", ")))
}

/// What goes to standard output, if anything does: the archive, or one of the files.
pub(super) fn taken(beside: Beside<'_>, destination: &Place) -> Result<Option<&'static str>> {
    let mut taken = destination.is_standard().then_some("the archive");
    let words = [("--account", "the account"), ("--digestfile", "the digests")];
    for (option, _) in beside.files().filter(|(_, file)| report::is_stdout(file)) {
        let word = words.iter().find(|(name, _)| *name == option).map_or(option, |(_, word)| word);
        if let Some(there) = taken {
            let message = format!("standard output carries {there} and cannot carry {word}, too");
            return Err(Error::refused_help(message, format!("give it a file: {option} FILE")));
        }
        taken = Some(word);
    }
    Ok(taken)
}

/// Files that are written beside the destination.
#[derive(Clone, Copy)]
pub(super) struct Beside<'a> {
    pub account: Option<&'a Path>,
    pub digestfile: Option<&'a Path>,
}

impl<'a> Beside<'a> {
    /// Each, with the option that names it.
    pub fn files(self) -> impl Iterator<Item = (&'static str, &'a Path)> {
        let files = [("--account", self.account), ("--digestfile", self.digestfile)];
        files.into_iter().filter_map(|(option, file)| Some((option, file?)))
    }

    /// Those that do not go to standard output.
    pub fn on_disk(self) -> impl Iterator<Item = (&'static str, &'a Path)> {
        self.files().filter(|(_, file)| !report::is_stdout(file))
    }
}

fn beside(args: &ConvertArgs) -> Beside<'_> {
    Beside { account: args.account.as_deref(), digestfile: args.digestfile.as_deref() }
}

/// Refuses to write such a file over what is converted, or into what is written.
pub(super) fn may_stand(option: &str, file: &Path, place: &Place, used: Used) -> Result<()> {
    if !crate::command::replaces(file, place, used) {
        return Ok(());
    }
    let message = format!("{option} would overwrite {}", file.display());
    Err(Error::refused_help(message, format!("give it a file that is not part of {}", place.path.display())))
}

/// How what was done is told.
pub(super) struct Telling<'a> {
    /// All findings, not only those that blocked it.
    pub all: bool,
    pub beside: Beside<'a>,
    pub dry_run: bool,
    /// As they were typed.
    pub source: &'a str,
    pub destination: &'a str,
    pub to: &'a Place,
}

/// Tells what became of it; the exit status.
pub(super) fn told(
    args: &Telling<'_>,
    source: &Place,
    Outcome { archive, findings, changes, end, called, lowered, loads, .. }: Outcome,
    policy: &Policy,
    shell: &Shell,
    reports: &mut Reports,
) -> Result<u8> {
    let levelled: Vec<_> = findings.iter().map(|finding| (finding.level, finding)).collect();
    let proof = if args.all { Proof::All } else { Proof::Carried };
    let looked = Looked { changes: Some(&changes), ..Looked::of(proof) };
    let (account, unseen) = match end {
        End::Refused => {
            let asked = |finding: &Finding| args.all || policy.blocks(finding.rule);
            let shown: Vec<_> = levelled.iter().filter(|(_, finding)| asked(finding)).copied().collect();
            judged((source, &archive, &lowered), Some(&shown), &levelled, looked, shell, reports);
            shell.say("nothing was written");
            return Ok(WRONG);
        }
        End::Written { output, account, unseen, .. } => {
            // What was written may have come to be under the name of such a file.
            for (option, file) in args.beside.on_disk() {
                may_stand(option, file, args.to, Used::Written)?;
            }
            if let Some(file) = args.beside.digestfile {
                let lines: String = output.digests().iter().map(|line| format!("{line}\n")).collect();
                write(file, &lines, shell)?;
            }
            (account, unseen)
        }
    };
    let asked = args.all || reports.human_on_stdout() || shell.common.verbose;
    let shown = asked.then_some(&levelled[..]);
    if !asked {
        count_warnings(&levelled, shell);
    }
    judged((source, &archive, &lowered), shown, &levelled, looked, shell, reports);
    reports.account(&account, args.destination);
    if let Some(file) = args.beside.account {
        write(file, &account.to_json(args.source, args.destination), shell)?;
    }
    if args.dry_run {
        let taken = reports.takes_stdout() || args.beside.files().any(|(_, file)| report::is_stdout(file));
        rehearsed(&account, args.destination, shell, taken)?;
    } else {
        tell(&account, args.destination, &called, shell);
        if shell.common.verbose {
            loads.iter().for_each(|line| shell.say(&format!("  {:12} {}", "load it with", escape_str(line))));
        }
    }
    if !unseen.is_empty() {
        let line = format!("not looked at: {}; --check looks at all", unseen.join(", "));
        shell.say(&shell.fold_error(&line, 2));
    }
    Ok(0)
}

/// Turns what was typed into what is asked for.
fn request(args: &ConvertArgs, shell: &Shell) -> Result<Request> {
    let rename = |text: &String| match text.split_once('=') {
        Some((old, new)) => Ok((old.to_owned(), new.to_owned())),
        None => Err(Error::refused(format!("--rename takes OLD=NEW, not `{text}`"))),
    };
    let platform = |text: &String| {
        Platform::parse(text).map_err(|error| Error::refused(format!("--docker-platform {text}: {error}")))
    };
    Ok(Request {
        images: args.image.clone(),
        platforms: platforms(&args.platform)?,
        sparse: args.sparse,
        present_only: args.present_only,
        referrers: shell.referrers()?,
        compress: Compress::parse(&args.compress)?,
        manifest_format: args.manifest_format.format(),
        drop: DropArg::set(&args.drop),
        tags: args.tag.clone(),
        renames: args.rename.iter().map(rename).collect::<Result<_>>()?,
        docker_platform: args.docker_platform.as_ref().map(platform).transpose()?,
        fix: args.fix.map(FixArg::fixing),
        preserve_digests: args.preserve_digests,
        check: args.check,
        dry_run: args.dry_run,
        force: args.force,
        fsync: args.fsync,
        buffer: args.buffer,
        ..Request::default()
    })
}

/// Tells people the findings `shown` and the verdict, on standard error if they did not ask for standard output, and
/// reports all findings.
fn judged(
    (source, archive, lowered): (&Place, &Archive, &Lowered),
    shown: Option<&[(Level, &Finding)]>,
    all: &[(Level, &Finding)],
    looked: Looked<'_>,
    shell: &Shell,
    reports: &mut Reports,
) {
    let what = archive.summary();
    let images = if all.is_empty() { Vec::new() } else { crate::command::images(archive) };
    let verdict = |findings| Verdict {
        place: &source.text,
        what: &what,
        findings,
        images: &images,
        hints: &[],
        lowered,
    };
    if let Some(shown) = shown {
        let text = |options| shell.report(&verdict(shown), archive, options);
        if reports.human_on_stdout() {
            // A report that nobody reads does not change what was done.
            let _ = shell.print(&text(shell.human(&io::stdout())));
        } else if reports.human {
            let _ =
                io::Write::write_all(&mut io::stderr().lock(), text(shell.human(&io::stderr())).as_bytes());
        }
    }
    reports.add(shell, source, archive, &verdict(all), looked);
}

/// Warnings do not stop a conversion; one line says that there are some.
fn count_warnings(findings: &[(Level, &Finding)], shell: &Shell) {
    let warnings = findings.iter().filter(|(level, _)| *level > Level::Note).count();
    if warnings > 0 {
        let (plural, them) = if warnings == 1 { ("", "it") } else { ("s", "them") };
        shell.say(&format!("{warnings} warning{plural} (-v shows {them})"));
    }
}

/// Writes one of the files beside the destination.
fn write(file: &Path, text: &str, shell: &Shell) -> Result<()> {
    match report::is_stdout(file) {
        true => shell.print(text),
        false => report::write(file, text.as_bytes()),
    }
}

/// The whole account of what was not done, on standard output unless something else is.
fn rehearsed(account: &Account, destination: &str, shell: &Shell, taken: bool) -> Result<()> {
    let painted = |paint: &dyn Fn(&str, &str) -> String, entry: &Entry| {
        let word = entry.action.word();
        escape_str(&entry.line()).replacen(
            &format!(": {word}"),
            &format!(": {}", paint(colour(word), word)),
            1,
        )
    };
    let entries = account.entries.iter();
    if taken {
        let paint = |code: &str, text: &str| shell.paint_error(code, text);
        let lines = entries.map(|entry| shell.fold_error(&shell.short_error(&painted(&paint, entry)), 2));
        shell.say(&lines.collect::<Vec<_>>().join("\n"));
    } else {
        let look = Look { color: shell.color_out(), width: None };
        let paint = |code: &str, text: &str| look.paint(code, text);
        let lines = entries.map(|entry| shell.fold(&painted(&paint, entry), 2));
        shell.print(&format!("{}\n", lines.collect::<Vec<_>>().join("\n")))?;
    }
    shell.say(&format!("a dry run: nothing was written to {}", escape_str(destination)));
    Ok(())
}

/// Names that are told without being asked for.
const NAMES: usize = 8;
/// Changes that are.
const CHANGES: usize = 20;

/// The account in short, or in full with --verbose.
fn tell(account: &Account, destination: &str, called: &[String], shell: &Shell) {
    let verbose = shell.common.verbose;
    let most = |most: usize| if verbose { usize::MAX } else { most };
    let paint = |code: &str, text: &str| shell.paint_error(code, text);
    let mut lines = vec![format!("{} {}", paint(STRONG_GREEN, "wrote"), escape_str(destination))];
    for place in called.iter().filter(|place| **place != destination).take(most(NAMES)) {
        lines.push(format!("  {:12} {}", "called", paint("1", &escape_str(place))));
    }
    let more = called.len().saturating_sub(most(NAMES));
    if more > 0 {
        lines.push(format!("  and {more} more names; -v shows all"));
    }
    lines.extend(account.summary().into_iter().map(|line| {
        let (action, rest) = line.split_once(' ').unwrap_or((&line, ""));
        format!("  {} {rest}", paint(colour(action), action))
    }));
    let shown: Vec<&Entry> =
        if verbose { account.entries.iter().collect() } else { account.changes().collect() };
    // In short, layers and configs are counted; what happened to manifests and names is said.
    let told = |entry: &&&Entry| verbose || !matches!(entry.kind, EntryKind::Layer | EntryKind::Config);
    for entry in shown.iter().filter(told).take(most(CHANGES)) {
        let line = shell.short_error(&escape_str(&entry.line()));
        let word = entry.action.word();
        let painted = line.replacen(&format!(": {word}"), &format!(": {}", paint(colour(word), word)), 1);
        lines.push(shell.fold_error(&format!("  {painted}"), 4));
    }
    let more = shown.iter().filter(told).count().saturating_sub(most(CHANGES));
    if more > 0 {
        lines.push(format!("  and {more} more; -v shows all"));
    }
    shell.say(&lines.join("\n"));
}

/// What is not as it was is seen at once.
fn colour(action: &str) -> &'static str {
    match action {
        "rewritten" | "synthesised" | "moved" | "fixed" => TEAL,
        "dropped" | "absent" => AMBER,
        _ => "",
    }
}
