//! `restow check`: judges archives.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use super::args::{CheckArgs, LoneArg};
use super::progress::Progress;
use super::remote::{self, Side};
use super::report::{Own, Reports};
use super::shell::{ArchiveDocuments, Shell};
use super::{FAILED, WRONG};
use crate::convert::run::{Context, Verify, across, check};
use crate::error::{Error, Result};
use crate::escape::escape_str;
use crate::facts::Facts;
use crate::finding::{Finding, Level, Summary};
use crate::form::place::Place;
use crate::form::{self, Input, OpenOptions};
use crate::layer::Spool;
use crate::media::Family;
use crate::model::{Archive, BlobId, DocKind, select};
use crate::model::{Form, LoneKind};
use crate::report::human::{self, HumanOptions};
use crate::rules::{self, Policy, Scope};
use crate::source::SpoolDir;

pub(super) fn run(args: &CheckArgs, policy: &Policy, shell: &Shell) -> Result<u8> {
    let mut reports = Reports::parse(&args.report, None, Own::Stdout)?;
    let mut places = Vec::new();
    for source in &args.source {
        let place = Place::parse(source)?;
        reports.apart(&place)?;
        places.push(place);
    }
    let mut total = Total::default();
    for place in &places {
        if let Err(error) = check_one(place, args.as_, policy, shell, &mut reports, &mut total) {
            shell.error(&error);
            reports.failed(&place.text, &error);
            total.failed += 1;
        }
    }
    if reports.human {
        shell.print(&total.told(places.len(), shell.human(&io::stdout())))?;
    }
    reports.finish(shell)?;
    Ok(match total {
        Total { failed: 1.., .. } => FAILED,
        Total { summary: Summary { errors: 1.., .. }, .. } => WRONG,
        _ => 0,
    })
}

/// What all sources came to.
#[derive(Default)]
struct Total {
    summary: Summary,
    /// Sources that could not be judged.
    failed: usize,
    /// Rules that found something.
    rules: BTreeSet<&'static str>,
}

impl Total {
    /// The last lines for people: the sum over several sources, and where the rules are explained.
    fn told(&self, sources: usize, options: HumanOptions) -> String {
        let mut out = String::new();
        if sources > 1 && (!self.rules.is_empty() || self.failed > 0) {
            let failed = match self.failed {
                0 => String::new(),
                failed => format!(", {failed} of which could not be judged"),
            };
            out = format!("{} in {sources} sources{failed}\n", self.summary);
        }
        out + &human::pages(&self.rules, options)
    }
}

fn check_one(
    place: &Place,
    kind: Option<LoneArg>,
    policy: &Policy,
    shell: &Shell,
    reports: &mut Reports,
    total: &mut Total,
) -> Result<()> {
    let archive = open(place, shell, None, Some(kind.map(LoneArg::kind)))?;
    if let Some(name) = &place.name {
        // A name behind the place must exist; everything is judged all the same.
        select::roots(&archive, std::slice::from_ref(name))?;
    }
    let facts = read_all(&archive, Some(&shell.layer_spool()), shell)?;
    let findings = sorted(rules::run(&archive, &facts, Scope::All), &archive);
    let levelled = levelled(&findings, policy);
    let what = if archive.form.is_lone() { alone(&archive).to_owned() } else { contents(&archive) };
    let sound = format!("{}: sound, {what}\n", escape_str(&place.text));
    if reports.human {
        shell.print(&shell.render(&levelled, &archive, shell.human(&io::stdout())))?;
        if levelled.is_empty() {
            shell.print(&sound)?;
        } else if kind.is_none() && archive.form == Form::Document {
            // A wrong guess explains every finding.
            shell.print(&format!("taken for {what}; --as judges it as something else\n"))?;
        }
    }
    reports.add(shell, place, &archive, &levelled, &sound);
    total.summary += Summary::of(&levelled);
    total.rules.extend(levelled.iter().map(|(_, finding)| finding.rule.name));
    Ok(())
}

/// What a single document or layer was taken for, in words.
fn alone(archive: &Archive) -> &'static str {
    if archive.form == Form::Layer {
        return "a layer";
    }
    let Some(document) = archive.documents.first() else { return "a document" };
    match document.kind {
        DocKind::OciLayout => "an oci-layout file",
        DocKind::Index(Family::Oci) => "an OCI index",
        DocKind::Index(Family::Docker) => "a Docker manifest list",
        DocKind::Manifest(Family::Oci) => "an OCI manifest",
        DocKind::Manifest(Family::Docker) => "a Docker manifest",
        DocKind::Schema1 => "a schema 1 manifest",
        DocKind::ArtifactManifest => "an OCI artifact manifest",
        DocKind::Config(_) => "an image config",
        DocKind::DockerArchive => "a manifest.json of a docker-archive",
        DocKind::Repositories => "a repositories file",
        DocKind::V1Image => "a v1 image's json",
    }
}

/// What an archive holds, in words.
fn contents(archive: &Archive) -> String {
    let mut images = 0;
    let mut others = 0;
    let mut seen = std::collections::HashSet::new();
    for root in &archive.roots {
        for node in archive.below_unseen(root.node, &mut seen) {
            let body = &archive.node(node).body;
            if matches!(body, crate::model::Body::Absent | crate::model::Body::Index { .. }) {
                continue;
            }
            if select::is_image(archive, node) { images += 1 } else { others += 1 }
        }
    }
    let plural = |n: usize, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
    match others {
        0 => plural(images, "image"),
        _ if images == 0 => plural(others, "artifact"),
        _ => format!("{} and {}", plural(images, "image"), plural(others, "artifact")),
    }
}

/// Opens a place for reading; `lend` may offer a directory for a stream.
pub(super) fn open(
    place: &Place,
    shell: &Shell,
    lend: Option<&mut dyn FnMut() -> Result<Option<SpoolDir>>>,
    lone: Option<Option<LoneKind>>,
) -> Result<Archive> {
    if place.is_remote() {
        if lone.flatten().is_some() {
            let message = format!("{} is no single document or layer", place.text);
            return Err(Error::refused_help(message, "leave --as out"));
        }
        return remote::open(place, Side::First, true, shell, &shell.limits()?);
    }
    open_local(place, shell, lend, lone)
}

fn open_local(
    place: &Place,
    shell: &Shell,
    lend: Option<&mut dyn FnMut() -> Result<Option<SpoolDir>>>,
    lone: Option<Option<LoneKind>>,
) -> Result<Archive> {
    let limits = shell.limits()?;
    let input = if place.is_standard() {
        if io::IsTerminal::is_terminal(&io::stdin()) {
            return Err(Error::refused_help("standard input is a terminal", "pipe an archive into restow"));
        }
        Input::Stream(Box::new(io::stdin()))
    } else {
        Input::Path(place.path.clone())
    };
    let progress = Progress::new(&shell.common, "reading", 0);
    let tmpdir = shell.common.tmpdir.as_deref();
    let mut lend = lend;
    let mut spool = || {
        if let Some(lend) = lend.as_mut() {
            if let Some(spool) = lend()? {
                return Ok(spool);
            }
        }
        SpoolDir::new(tmpdir)
    };
    let archive = form::open(
        input,
        OpenOptions {
            place: &place.text,
            form: place.transport.map(|transport| transport.id()),
            limits: &limits,
            spool: &mut spool,
            lone,
            progress: &mut |bytes| progress.set(bytes),
        },
    );
    progress.finish();
    archive
}

/// Reads every blob once; with somewhere to keep paths, layers are looked into.
pub(super) fn read_all(archive: &Archive, scan: Option<&Arc<Spool>>, shell: &Shell) -> Result<Facts> {
    let blobs: Vec<BlobId> = (0..archive.blobs.len() as u32).map(BlobId).collect();
    let mut facts = read(archive, &blobs, scan, shell)?;
    if scan.is_some() {
        across(archive, &mut facts)?;
    }
    Ok(facts)
}

/// Reads these blobs once, as far as they were not read when the archive was opened.
pub(super) fn read(
    archive: &Archive,
    blobs: &[BlobId],
    scan: Option<&Arc<Spool>>,
    shell: &Shell,
) -> Result<Facts> {
    let blobs: Vec<BlobId> = blobs.iter().copied().filter(|&id| archive.blob(id).is_to_be_read()).collect();
    let limits = shell.limits()?;
    let progress = Progress::new(&shell.common, "checking", total(archive, &blobs));
    let scan = scan.map(Arc::clone);
    let context = Context {
        limits: &limits,
        jobs: shell.jobs(),
        verify: Verify::All,
        scan,
        progress: &|bytes| progress.add(bytes),
    };
    let facts = check(archive, &blobs, &context);
    progress.finish();
    facts
}

/// Bytes of these blobs that are still to be read.
pub(super) fn total(archive: &Archive, blobs: &[BlobId]) -> u64 {
    let size = |&id: &BlobId| {
        let member = archive.blob(id).member.filter(|member| !archive.ingested.contains_key(member))?;
        Some(archive.tree.member(member).size)
    };
    blobs.iter().filter_map(size).sum()
}

/// In source order.
pub(super) fn sorted(mut findings: Vec<Finding>, archive: &Archive) -> Vec<Finding> {
    crate::finding::sort(&mut findings, &ArchiveDocuments::of(archive));
    findings
}

/// With the levels in force, without those that are allowed.
pub(super) fn levelled<'a>(findings: &'a [Finding], policy: &Policy) -> Vec<(Level, &'a Finding)> {
    findings
        .iter()
        .map(|finding| (policy.level(finding.rule), finding))
        .filter(|(level, _)| *level != Level::Allow)
        .collect()
}
