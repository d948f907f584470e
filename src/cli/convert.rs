//! `restow convert`: rewrites an archive in another form, verified on the way.

use std::collections::HashMap;
use std::io::{self, IsTerminal};
use std::path::Path;

use super::args::{ConvertArgs, DockerArg, DropArg, ManifestArg, VerifyArg};
use super::progress::Progress;
use super::push;
use super::report::{self, Own, Reports};
use super::shell::Shell;
use super::{WRONG, check};
use crate::codec::Compression;
use crate::convert::account::{Account, Action, Entry, Kind};
use crate::convert::plan::{self, Compress, DropSet, ManifestFormat, Plan, Request, Step, Target};
use crate::convert::run::{self, Context, Verify};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::escape::escape_str;
use crate::facts::Facts;
use crate::finding::{Finding, Level};
use crate::form::archive::{TarForm, tar_file, tar_stream};
use crate::form::docker_archive::{self, LegacyNames, legacy_file, legacy_stream};
use crate::form::oci_layout::layout_dir;
use crate::form::place::{self, Place, Transport};
use crate::form::registry_storage::storage;
use crate::form::sink::Sink;
use crate::form::skopeo_dir::skopeo_dir;
use crate::form::write::WriteOptions;
use crate::media::Codec;
use crate::model::{Anomaly, Archive, BlobId, Body, NodeId};
use crate::platform::{Platform, Specifier};
use crate::rules::{self, Policy, Scope};
use crate::source::SpoolDir;

pub(super) fn run(args: &ConvertArgs, policy: &Policy, shell: &Shell) -> Result<u8> {
    let source = Place::parse(&args.source)?;
    let (destination, transport) = Place::destination(&args.destination)?;
    let taken = if destination.is_standard() { Some("the archive") } else { None };
    let mut reports = Reports::parse(&args.report, taken, Own::Stderr)?;
    reports.apart(&source)?;
    reports.apart(&destination)?;
    let result = convert(args, (&source, &destination, transport), policy, shell, &mut reports);
    if let Err(error) = &result {
        reports.failed(&source.text, error);
    }
    let written = reports.finish(shell);
    let code = result?;
    written.map(|()| code)
}

fn convert(
    args: &ConvertArgs,
    (source, destination, transport): (&Place, &Place, Transport),
    policy: &Policy,
    shell: &Shell,
    reports: &mut Reports,
) -> Result<u8> {
    shell.sides_are_clear(source, destination)?;
    let mut request = request(args, source, destination, transport, shell)?;
    let push = push::Push::prepare(args, source, destination, shell, &mut request)?;
    if args.check && args.verify == VerifyArg::Digests {
        return Err(Error::refused("--check verifies all; it cannot be used with --verify digests"));
    }
    if destination.is_standard() {
        standard_output(transport)?;
    } else if !source.is_standard() && !source.is_remote() && !destination.is_remote() {
        place::apart(&source.path, &destination.path)?;
    }
    if let Some(file) = &args.account {
        let local: Vec<_> = [source, destination]
            .into_iter()
            .filter(|place| !place.is_remote())
            .map(|place| &place.path)
            .collect();
        place::account_apart(file, &local)?;
        report::writable(file)?;
    }
    let options = WriteOptions {
        force: args.force,
        fsync: args.fsync,
        docker_platform: request.docker_platform.clone(),
        tmpdir: shell.common.tmpdir.clone(),
        buffer: args.buffer,
    };
    // A stream goes straight to where the destination stages, so the sink comes first; it is dropped unused if the
    // archive turns out to be broken. The old docker-archive form needs the plan before it can name anything.
    let mut sink: Option<Box<dyn Sink>> = None;
    let target = request.target;
    let mut lend = || {
        if args.dry_run || !matches!(target, Target::OciDir | Target::Storage) {
            return Ok(None);
        }
        let created = create(target, destination, &options, None)?;
        let spool = created.spool_dir().map(SpoolDir::lent);
        sink = Some(created);
        Ok(spool)
    };
    let archive = check::open(source, shell, Some(&mut lend), None)?;

    // What is wrong with the archive as a whole comes before any question of which image.
    let nothing = Default::default();
    let mut known = Facts::default();
    run::duplicates(&archive, &mut known)?;
    let whole = rules::run(&archive, &known, Scope::Nodes(&nothing));
    if blocked(&whole, policy) {
        return refuse(source, &archive, Scope::All, policy, shell, reports);
    }
    let plan = plan::plan(&archive, &request, &codecs(&archive)?)?;
    let scope = Scope::Nodes(&plan.scope);
    let scope = if args.check { Scope::All } else { scope };
    if args.dry_run {
        return dry_run(&archive, &plan, shell);
    }
    if blocked(&rules::run(&archive, &known, scope), policy) {
        return refuse(source, &archive, scope, policy, shell, reports);
    }
    let sink = match sink {
        Some(sink) => sink,
        None if target == Target::DockerLegacy => {
            let names = legacy_names(&archive, &plan, shell)?;
            create(target, destination, &options, Some(names))?
        }
        None if target == Target::Registry => push.sink(&plan)?,
        None => create(target, destination, &options, None)?,
    };
    let limits = shell.limits()?;
    let blobs: Vec<BlobId> = plan
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Blob { blob, .. } => Some(*blob),
            Step::Document(_) => None,
        })
        .collect();
    let progress = Progress::new(&shell.common, "converting", check::total(&archive, &blobs));
    let context = Context {
        limits: &limits,
        jobs: shell.jobs(),
        verify: match args.verify {
            VerifyArg::All => Verify::All,
            VerifyArg::Digests => Verify::Digests,
        },
        scan: args.check.then(|| shell.layer_spool()),
        progress: &|bytes| progress.add(bytes),
    };
    let outcome = run::run(&archive, &plan, target, &*sink, &context);
    progress.finish();
    let mut outcome = outcome?;
    outcome.facts.add(known);
    if args.check {
        let rest: Vec<BlobId> = (0..archive.blobs.len() as u32)
            .map(BlobId)
            .filter(|&id| outcome.facts.get(id).is_none())
            .collect();
        outcome.facts.add(check::read(&archive, &rest, context.scan.as_ref(), shell)?);
        run::across(&archive, &mut outcome.facts)?;
    }
    let findings = check::sorted(rules::run(&archive, &outcome.facts, scope), &archive);
    let written = match outcome.written {
        Some(written) if !blocked(&findings, policy) => written,
        _ => {
            drop(sink);
            report(source, &archive, &findings, policy, shell, reports, true);
            return Ok(WRONG);
        }
    };
    sink.commit(&written.output)?;
    push::digests(args.digestfile.as_deref(), &written.output)?;
    if args.check || reports.human_on_stdout() {
        report(source, &archive, &findings, policy, shell, reports, false);
    } else {
        count_warnings(&archive, &findings, policy, shell);
        reports.add(shell, source, &archive, &check::levelled(&findings, policy), "");
    }
    let mut account = written.account;
    account.entries.extend(left_out(&archive, target));
    if let Some(file) = &args.account {
        report::write(file, account.to_json(&args.source, &args.destination).as_bytes())?;
    }
    tell(&account, &args.destination, shell);
    push.tell(shell);
    let errors =
        args.check && check::levelled(&findings, policy).iter().any(|(level, _)| *level == Level::Error);
    Ok(if errors { WRONG } else { 0 })
}

/// Turns what was typed into what is asked for.
fn request(
    args: &ConvertArgs,
    source: &Place,
    destination: &Place,
    transport: Transport,
    shell: &Shell,
) -> Result<Request> {
    let target = match (transport, args.docker_format) {
        (Transport::DockerArchive, DockerArg::Universal) => Target::DockerArchive,
        (Transport::DockerArchive, DockerArg::Legacy) => Target::DockerLegacy,
        (_, DockerArg::Legacy) => {
            return Err(Error::refused("--docker-format goes with a docker-archive: destination"));
        }
        (Transport::Oci, _) => Target::OciDir,
        (Transport::OciArchive, _) => Target::OciTar,
        (Transport::Dir, _) => Target::SkopeoDir,
        (Transport::RegistryStorage, _) => Target::Storage,
        (Transport::Docker, _) => Target::Registry,
    };
    let mut images = args.image.clone();
    images.extend(source.name.clone());
    let specifier = |text: &String| {
        Specifier::parse(text).map_err(|error| Error::refused(format!("--platform {text}: {error}")))
    };
    let rename = |text: &String| match text.split_once('=') {
        Some((old, new)) => Ok((old.to_owned(), new.to_owned())),
        None => Err(Error::refused(format!("--rename takes OLD=NEW, not `{text}`"))),
    };
    let platform = |text: &String| {
        Platform::parse(text).map_err(|error| Error::refused(format!("--docker-platform {text}: {error}")))
    };
    Ok(Request {
        target,
        images,
        platforms: args.platform.iter().map(specifier).collect::<Result<_>>()?,
        sparse: args.sparse,
        compress: compress(&args.compress)?,
        manifest_format: match args.manifest_format {
            ManifestArg::Keep => ManifestFormat::Keep,
            ManifestArg::Oci => ManifestFormat::Oci,
            ManifestArg::Docker => ManifestFormat::Docker,
        },
        drop: DropSet {
            artifacts: args.drop.contains(&DropArg::Artifacts),
            attestations: args.drop.contains(&DropArg::Attestations),
            annotations: args.drop.contains(&DropArg::Annotations),
            nested: args.drop.contains(&DropArg::Nested),
        },
        tags: args.tag.clone(),
        renames: args.rename.iter().map(rename).collect::<Result<_>>()?,
        destination_name: destination.name.clone(),
        keep_tags: shell.common.remote.all_tags || source.path.to_string_lossy().ends_with('/'),
        docker_platform: args.docker_platform.as_ref().map(platform).transpose()?,
        preserve_digests: args.preserve_digests,
    })
}

/// `keep`, `none`, `gzip[:N]`, `zstd[:N]`
fn compress(text: &str) -> Result<Compress> {
    let (codec, level) = match text.split_once(':') {
        Some((codec, level)) => (codec, Some(level)),
        None => (text, None),
    };
    let number = |range: std::ops::RangeInclusive<u32>, default: u32| match level {
        None => Ok(default),
        Some(text) => text.parse().ok().filter(|n| range.contains(n)).ok_or_else(|| {
            Error::refused(format!(
                "--compress {codec} takes a level from {} to {}, not `{text}`",
                range.start(),
                range.end()
            ))
        }),
    };
    let compression = match codec {
        "keep" if level.is_none() => return Ok(Compress::Keep),
        "none" if level.is_none() => Compression::None,
        "gzip" => Compression::Gzip(number(1..=12, Compression::GZIP_DEFAULT)?),
        "zstd" => Compression::Zstd(number(1..=22, Compression::ZSTD_DEFAULT as u32)? as i32),
        _ => {
            return Err(Error::refused(format!(
                "--compress takes keep, none, gzip[:N] or zstd[:N], not `{text}`"
            )));
        }
    };
    Ok(Compress::To { compression, level_given: level.is_some() })
}

fn standard_output(transport: Transport) -> Result<()> {
    if !matches!(transport, Transport::DockerArchive | Transport::OciArchive) {
        let message = format!("{}: is a folder and cannot go to standard output", transport.id());
        return Err(Error::refused_help(message, "use docker-archive:- or oci-archive:-"));
    }
    if io::stdout().is_terminal() {
        return Err(Error::refused_help(
            "standard output is a terminal",
            "send the archive to a file or a pipe",
        ));
    }
    if goes_nowhere() {
        return Err(Error::refused_help(
            "standard output is closed, and would lose the archive",
            "send the archive to a file or a pipe",
        ));
    }
    Ok(())
}

/// Whether standard output was closed when the process started. Rust then opens `/dev/null` in its place, for reading
/// and writing, so that writing seems to succeed; a shell opens it for writing only.
fn goes_nowhere() -> bool {
    use rustix::fs::{OFlags, fcntl_getfl, fstat, stat};
    let out = io::stdout();
    let both = fcntl_getfl(&out).is_ok_and(|flags| flags & OFlags::ACCMODE == OFlags::RDWR);
    both && matches!((fstat(&out), stat("/dev/null")), (Ok(out), Ok(null)) if out.st_rdev == null.st_rdev)
}

fn create(
    target: Target,
    destination: &Place,
    options: &WriteOptions,
    names: Option<LegacyNames>,
) -> Result<Box<dyn Sink>> {
    let path: &Path = &destination.path;
    let form = if target == Target::DockerArchive { TarForm::Docker } else { TarForm::Oci };
    match target {
        Target::OciDir => layout_dir(path, options),
        Target::SkopeoDir => skopeo_dir(path, options),
        Target::Storage => storage(path, options),
        Target::DockerLegacy => {
            let names = names.ok_or_else(|| Error::refused("the legacy form needs the plan first"))?;
            if destination.is_standard() {
                legacy_stream(Box::new(io::stdout()), names, options)
            } else {
                legacy_file(path, names, options)
            }
        }
        Target::DockerArchive | Target::OciTar if destination.is_standard() => {
            tar_stream(Box::new(io::stdout()), form, options)
        }
        Target::DockerArchive | Target::OciTar => tar_file(path, form, options),
        Target::Registry => Err(Error::refused("a registry needs the plan first")),
    }
}

/// The compression of every layer, by its first bytes.
fn codecs(archive: &Archive) -> Result<HashMap<BlobId, Codec>> {
    let mut found = HashMap::new();
    for (i, blob) in archive.blobs.iter().enumerate().filter(|(_, blob)| blob.layer) {
        let Some(member) = blob.member else { continue };
        let codec = match archive.ingested.get(&member) {
            Some(facts) => facts.codec,
            None => Codec::sniff(&archive.tree.head(member, 16)?),
        };
        found.insert(BlobId(i as u32), codec);
    }
    Ok(found)
}

/// The names of members in the old docker-archive form follow from configs. Those that are made only from layers (v1,
/// schema 1) need the layers read first: the one case in which a source is read twice.
fn legacy_names(archive: &Archive, plan: &Plan, shell: &Shell) -> Result<LegacyNames> {
    let nodes: Vec<NodeId> = plan
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Document(node) => Some(*node),
            Step::Blob { .. } => None,
        })
        .collect();
    let made =
        nodes.iter().any(|&node| matches!(archive.node(node).body, Body::V1 { .. } | Body::Schema1 { .. }));
    let facts = if made { check::read_all(archive, None, shell)? } else { Facts::default() };
    let mut images: Vec<(Vec<u8>, Vec<Digest>)> = Vec::new();
    for node in nodes {
        images.extend(run::config_of(archive, node, &facts)?);
    }
    docker_archive::legacy_names(images.iter().map(|(config, diff_ids)| (&config[..], &diff_ids[..])))
}

fn blocked(findings: &[Finding], policy: &Policy) -> bool {
    findings.iter().any(|finding| policy.blocks(finding.rule))
}

/// Nothing will be written: reads what was asked for all the same, so that one run lists every fault.
fn refuse(
    source: &Place,
    archive: &Archive,
    scope: Scope<'_>,
    policy: &Policy,
    shell: &Shell,
    reports: &mut Reports,
) -> Result<u8> {
    let scan = matches!(scope, Scope::All).then(|| shell.layer_spool());
    let facts = check::read_all(archive, scan.as_ref(), shell)?;
    let findings = check::sorted(rules::run(archive, &facts, scope), archive);
    report(source, archive, &findings, policy, shell, reports, true);
    Ok(WRONG)
}

/// Shows findings to people, on standard error if they did not ask for standard output, and adds them to reports.
/// If they kept the archive from being written, people are shown only those that did.
fn report(
    source: &Place,
    archive: &Archive,
    findings: &[Finding],
    policy: &Policy,
    shell: &Shell,
    reports: &mut Reports,
    refused: bool,
) {
    let levelled: Vec<(Level, &Finding)> = findings
        .iter()
        .map(|finding| {
            let blocks = refused && policy.blocks(finding.rule);
            (if blocks { Level::Error } else { policy.level(finding.rule) }, finding)
        })
        .filter(|(level, _)| *level != Level::Allow)
        .collect();
    if reports.human {
        let shown: Vec<(Level, &Finding)> =
            levelled.iter().filter(|(_, finding)| !refused || policy.blocks(finding.rule)).copied().collect();
        if reports.human_on_stdout() {
            // A report that nobody reads does not change what was done.
            let _ = shell.print(&shell.render(&shown, archive, shell.human(&io::stdout())));
        } else {
            let text = shell.render(&shown, archive, shell.human(&io::stderr()));
            let _ = io::Write::write_all(&mut io::stderr().lock(), text.as_bytes());
        }
    }
    reports.add(shell, source, archive, &levelled, "");
    if refused {
        shell.say("nothing was written");
    }
}

/// Warnings do not stop a conversion; one line says that there are some.
fn count_warnings(archive: &Archive, findings: &[Finding], policy: &Policy, shell: &Shell) {
    let warnings =
        check::levelled(findings, policy).iter().filter(|(level, _)| *level != Level::Note).count();
    if warnings > 0 {
        let plural = if warnings == 1 { "warning" } else { "warnings" };
        let place = escape_str(&archive.tree.place).into_owned();
        shell.say(&format!("{warnings} {plural}: `restow check {place}` shows them"));
    }
}

/// Members that no destination takes over.
fn left_out(archive: &Archive, target: Target) -> Vec<Entry> {
    let legacy = archive.anomalies.iter().filter_map(|anomaly| match anomaly {
        Anomaly::LegacyIgnored { members } if target != Target::DockerLegacy => {
            let what = format!("{members} members of the old docker-archive form");
            Some(Entry::note(Kind::Other, Action::Dropped, what, "nothing reads them beside manifest.json"))
        }
        _ => None,
    });
    legacy.collect()
}

/// The account in short, or in full with --verbose.
fn tell(account: &Account, destination: &str, shell: &Shell) {
    let mut lines = vec![format!("wrote {}", escape_str(destination))];
    lines.extend(account.summary().into_iter().map(|line| format!("  {line}")));
    let shown: Vec<&Entry> =
        if shell.common.verbose { account.entries.iter().collect() } else { account.changes().collect() };
    // In short, layers and configs are counted; what happened to manifests and names is said.
    let told = |entry: &&&Entry| shell.common.verbose || !matches!(entry.kind, Kind::Layer | Kind::Config);
    for entry in shown.iter().filter(told).take(if shell.common.verbose { usize::MAX } else { 20 }) {
        lines.push(format!("  {}", escape_str(&entry.line())));
    }
    let more = shown.iter().filter(told).count().saturating_sub(20);
    if more > 0 && !shell.common.verbose {
        lines.push(format!("  and {more} more; -v shows all"));
    }
    shell.say(&lines.join("\n"));
}

/// What would be done.
fn dry_run(archive: &Archive, plan: &Plan, shell: &Shell) -> Result<u8> {
    let mut text = String::new();
    for step in &plan.steps {
        match step {
            Step::Blob { blob, treatment } => {
                let held = archive.blob(*blob);
                let name = held
                    .member
                    .map_or_else(String::new, |member| archive.tree.member(member).name.to_string());
                let how = match treatment {
                    plan::Treatment::Keep => "keep".to_owned(),
                    plan::Treatment::Recompress(compression) => {
                        format!("compress anew as {}", compression.codec().name())
                    }
                };
                text.push_str(&format!("blob      {how:22} {}\n", escape_str(&name)));
            }
            Step::Document(node) => {
                let what =
                    archive.node(*node).digest.as_ref().map_or("without digest", |digest| digest.as_str());
                let how = match plan.make.get(node) {
                    Some(plan::Make::Keep) | None => "keep",
                    Some(plan::Make::Rewrite { .. }) => "rewrite",
                    Some(plan::Make::Reindex { .. }) => "rewrite",
                    Some(plan::Make::Synthesise { .. }) => "synthesise",
                    Some(plan::Make::Nothing) => "leave out",
                };
                let kind =
                    if matches!(archive.node(*node).body, Body::Index { .. }) { "index" } else { "manifest" };
                text.push_str(&format!("{kind:9} {how:22} {what}\n"));
            }
        }
    }
    for entry in &plan.entries {
        text.push_str(&format!("{}\n", escape_str(&entry.line())));
    }
    shell.print(&text)?;
    Ok(0)
}
