//! `restow index`: images for many platforms.

use super::args::DropArg;
use super::convert::{Beside, Telling, may_stand, taken, told};
use super::index_args::{IndexCommand, IndexInspectArgs, OverArgs, ShapeArg, WriteArgs};
use super::open::{open, source, standard_output};
use super::progress::Told;
use super::remote::Side;
use super::report::{self, Own, Reports};
use super::shell::{Doing, Shell, doing};
use super::status::WRONG;
use crate::command::Used;
use crate::convert::DockerFormat;
use crate::error::{Error, Result};
use crate::index::{Annotate, Edit as IndexEdit, Format as IndexFormat, Part as IndexPart};
use crate::registry::Options as RegistryOptions;
use crate::{Destination, End, Options, Outcome, Place, Platform, Policy, Request, Source};

pub(super) fn run(command: &IndexCommand, policy: &Policy, shell: &Shell) -> Result<u8> {
    match command {
        IndexCommand::Create(args) => {
            let doing = Doings { write: &args.write, sources: &args.source, to: Some(&args.destination) };
            let request = Request { tags: args.tag.clone(), ..request(&args.write, shell)? };
            doing.run(policy, shell, |doing, options| {
                let to = doing.destination(&args.destination, shell)?;
                crate::index::create(to, parts(&args.source, shell)?, request, options)
            })
        }
        IndexCommand::Add(args) => {
            let all: Vec<String> = std::iter::once(&args.index).chain(&args.source).cloned().collect();
            let doing = Doings::over(&args.over, &all);
            doing.edit(policy, shell, IndexEdit::Add(parts(&args.source, shell)?))
        }
        IndexCommand::Remove(args) => {
            let index = std::slice::from_ref(&args.index);
            let doing = Doings::over(&args.over, index);
            doing.edit(policy, shell, IndexEdit::Remove(args.child.clone()))
        }
        IndexCommand::Annotate(args) => {
            let annotation = |text: &String| match text.split_once('=') {
                Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
                _ => Err(Error::refused(format!("--annotation takes KEY=VALUE, not `{text}`"))),
            };
            let change = Annotate {
                os: args.os.clone(),
                architecture: args.arch.clone(),
                variant: args.variant.clone(),
                os_version: args.os_version.clone(),
                os_features: args.os_features.clone(),
                annotations: args.annotation.iter().map(annotation).collect::<Result<_>>()?,
            };
            if change == Annotate::default() {
                let help = "give one of --os, --arch, --variant, --os-version, --os-features, --annotation";
                return Err(Error::refused_help("nothing is to be said of the child", help));
            }
            let index = std::slice::from_ref(&args.index);
            let doing = Doings::over(&args.over, index);
            doing.edit(policy, shell, IndexEdit::Annotate { child: args.child.clone(), change })
        }
        IndexCommand::Split(args) => {
            let index = std::slice::from_ref(&args.index);
            let doing = Doings { write: &args.write, sources: index, to: Some(&args.destination) };
            doing.split(&args.destination, policy, shell)
        }
        IndexCommand::Inspect(args) => inspect(args, shell),
    }
}

fn inspect(args: &IndexInspectArgs, shell: &Shell) -> Result<u8> {
    let place = Place::parse(&args.index)?;
    let archive = open(&place, (Side::First, &[]), shell, Source::without_blobs)?;
    let images: Vec<String> = place.name.iter().cloned().collect();
    let format = match args.format {
        ShapeArg::Buildx => IndexFormat::Buildx,
        ShapeArg::Docker => IndexFormat::Docker,
    };
    let text = crate::index::show(&archive, &images, format)?;
    // Text of an archive is not for a terminal as it is; JSON has its own escapes.
    let line = |line: &str| {
        let text = line.trim_start_matches('\t');
        format!("{}{}", &line[..line.len() - text.len()], crate::escape::escape_str(text))
    };
    let lines = text.lines().map(line);
    if let IndexFormat::Docker = format {
        return shell.print(&format!("{}\n", lines.collect::<Vec<_>>().join("\n"))).map(|()| 0);
    }
    let short = |line: String| match shell.cut() {
        Some(width) if line.chars().count() > width => crate::command::human::shortened(&line, "…"),
        _ => line,
    };
    shell.print_read(&format!("{}\n", lines.map(short).collect::<Vec<_>>().join("\n")))?;
    Ok(0)
}

/// The sources as they were typed, to be opened.
fn parts(texts: &[String], shell: &Shell) -> Result<Vec<IndexPart>> {
    let part = |text: &String| {
        let (place, platform) = IndexPart::parse(text)?;
        Ok(IndexPart::of(source(&place, Side::First, &[], shell)?, platform))
    };
    texts.iter().map(part).collect()
}

fn request(args: &WriteArgs, shell: &Shell) -> Result<Request> {
    Ok(Request {
        referrers: shell.referrers()?,
        manifest_format: args.manifest_format.format(),
        drop: DropArg::set(&args.drop),
        preserve_digests: args.preserve_digests,
        check: args.check,
        dry_run: args.dry_run,
        force: args.force,
        fsync: args.fsync,
        ..Request::default()
    })
}

/// What is common to all that write.
struct Doings<'a> {
    write: &'a WriteArgs,
    sources: &'a [String],
    /// The destination, where it is not the index itself.
    to: Option<&'a str>,
}

impl<'a> Doings<'a> {
    /// Of an index that changes.
    fn over(over: &'a OverArgs, sources: &'a [String]) -> Doings<'a> {
        Doings { write: &over.write, sources, to: over.to.as_deref() }
    }

    fn destination(&self, text: &str, shell: &Shell) -> Result<Destination> {
        let destination = Destination::parse(text, DockerFormat::Universal)?;
        let place = destination.place().clone();
        for text in self.sources {
            shell.sides_are_clear(&IndexPart::parse(text)?.0, &place)?;
        }
        let (no_clobber, verify_after) = (self.write.no_clobber, self.write.verify_after);
        let only = [("no-clobber", no_clobber), ("verify-after", verify_after)];
        if let (false, Some((name, _))) = (place.is_registry(), only.iter().find(|(_, given)| *given)) {
            return Err(Error::refused(format!("--{name} goes with a docker:// destination")));
        }
        if place.is_standard() {
            standard_output()?;
        }
        let mut registry = shell.registry(&place, Side::Second)?;
        (registry.no_clobber, registry.verify_after) = (no_clobber, verify_after);
        Ok(destination.registry(registry))
    }

    /// Changes the first source.
    fn edit(&self, policy: &Policy, shell: &Shell, edit: IndexEdit) -> Result<u8> {
        let request = request(self.write, shell)?;
        self.run(policy, shell, |doing, options| {
            let to = doing.to.map(|to| doing.destination(to, shell)).transpose()?;
            let index = doing.sources.first().map(String::as_str).unwrap_or_default();
            let place = Place::parse(index)?;
            let registry = RegistryOptions {
                no_clobber: doing.write.no_clobber,
                verify_after: doing.write.verify_after,
                ..shell.registry(&place, Side::First)?
            };
            let from = source(&place, Side::First, &[], shell)?.registry(registry);
            crate::index::edit(from, edit, to, request, options)
        })
    }

    fn split(&self, destination: &str, policy: &Policy, shell: &Shell) -> Result<u8> {
        if !destination.contains("{}") {
            let message = format!("`{destination}` does not say where each platform goes");
            return Err(Error::refused_help(message, "write {} for it: docker-archive:app-{}.tar"));
        }
        let named = |platform: &Platform| {
            let safe =
                |char: char| if char.is_ascii_alphanumeric() || ".-_".contains(char) { char } else { '-' };
            destination.replace("{}", &platform.to_string().chars().map(safe).collect::<String>())
        };
        let request = request(self.write, shell)?;
        let told_of = Told::new(&shell.common);
        let options = self.options(policy, &told_of, shell)?;
        let from = source(&Place::parse(&self.sources[0])?, Side::First, &[], shell)?;
        let to = |platform: &Platform| self.destination(&named(platform), shell);
        let outcomes = crate::index::split(from, &to, &request, &options)?;
        let mut worst = 0;
        for (platform, outcome) in outcomes {
            worst = worst.max(self.told(&Place::parse(&named(&platform))?, outcome, policy, shell)?);
        }
        Ok(worst)
    }

    fn options<'o>(&self, policy: &Policy, told: &'o Told, shell: &Shell) -> Result<Options<'o>> {
        let mut remote = self.to.is_some_and(|to| to.starts_with("docker://"));
        for text in self.sources {
            remote |= IndexPart::parse(text)?.0.is_remote();
        }
        Ok(Options { policy: policy.clone(), ..shell.options(told, remote)? })
    }

    /// Does it and tells what became of it; the exit status.
    fn run(
        &self,
        policy: &Policy,
        shell: &Shell,
        job: impl FnOnce(&Self, &Options<'_>) -> Result<Outcome>,
    ) -> Result<u8> {
        let to = Place::parse(self.to.or(self.sources.first().map(String::as_str)).unwrap_or_default())?;
        taken(self.beside(), &to)?;
        for (option, file) in self.beside().on_disk() {
            for text in self.sources {
                may_stand(option, file, &IndexPart::parse(text)?.0, Used::Read)?;
            }
            may_stand(option, file, &to, Used::Written)?;
            report::writable(file)?;
        }
        let told_of = Told::new(&shell.common);
        let options = self.options(policy, &told_of, shell)?;
        doing(match (shell.common.quiet || self.write.dry_run, to.is_remote()) {
            (true, _) => Doing::Nothing,
            (false, true) => Doing::Sending,
            (false, false) => Doing::Staging,
        });
        let outcome = job(self, &options);
        doing(Doing::Nothing);
        drop(options);
        self.told(&to, outcome?, policy, shell)
    }

    fn beside(&self) -> Beside<'_> {
        Beside { account: self.write.account.as_deref(), digestfile: self.write.digestfile.as_deref() }
    }

    fn told(&self, to: &Place, outcome: Outcome, policy: &Policy, shell: &Shell) -> Result<u8> {
        let write = self.write;
        let taken = taken(self.beside(), to)?;
        let mut reports = Reports::parse(&write.report, false, taken, Own::Stderr)?;
        for text in self.sources {
            reports.apart(&IndexPart::parse(text)?.0, Used::Read)?;
        }
        let pushed = outcome.pushed.clone();
        let refused = matches!(outcome.end, End::Refused);
        let place = Place { text: outcome.archive.tree.place.clone(), ..Place::of_path("-".as_ref()) };
        let telling = Telling {
            all: write.check
                || refused && outcome.findings.iter().all(|finding| !policy.blocks(finding.rule)),
            beside: self.beside(),
            dry_run: write.dry_run,
            source: &self.sources.join(", "),
            destination: &to.text,
            to,
        };
        let code = told(&telling, &place, outcome, policy, shell, &mut reports)?;
        if let (Some(line), true) = (pushed, code != WRONG) {
            shell.say(&format!("  {line}"));
        }
        reports.finish(shell, Some(to))?;
        Ok(code)
    }
}
