//! The whole of a conversion, from a source and a destination as they were given to what stands at the destination.
//!
//! What is promised of destinations (`SECURITY.md`) holds from here on: source and destination are apart, nothing is
//! visible before all of it is verified, and what the policy blocks is not written.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io::{self, Write};

use crate::codec::Compression;
use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result};
use crate::facts::{Changed, Facts};
use crate::finding::{Finding, Level, Lowered, counted};
use crate::form::docker_archive::{self, LegacyNames, legacy_file, legacy_stream};
use crate::form::place::{self, Place};
use crate::form::rehearsal::Rehearsal;
use crate::form::sink::Sink;
use crate::form::write::WriteOptions;
use crate::form::{self, Alone, Input, OpenOptions, Out};
use crate::inventory::{self, Inventory, Item};
use crate::jobs::convert::codecs::Codecs;
use crate::jobs::convert::fates::{self, Fate, Settled};
use crate::jobs::convert::fix::{Done, fix};
use crate::jobs::convert::judged::before_commit;
use crate::jobs::convert::outcome::{End, Outcome};
use crate::jobs::convert::plan::Plan;
use crate::jobs::convert::planner;
use crate::jobs::convert::request::{Compress, Request, Target};
use crate::jobs::convert::run::{Written, run as carry_out};
use crate::jobs::convert::{mended, new_names};
use crate::media::Codec;
use crate::model::{Archive, BlobId, Body, NodeId, Part};
use crate::progress::Progress;
use crate::read::{self, Verify};
use crate::rules::{self, Policy, Scope, reach};
use crate::source::SpoolDir;

/// What is converted.
pub struct Source<'a> {
    /// The place as it was given: its form if that was said, and its name in messages.
    pub place: &'a Place,
    /// What is read.
    pub origin: Origin,
}

/// What is read of a source.
pub enum Origin {
    /// The place's file or folder, or a stream.
    Input(Input),
    /// An archive that is open: one in a registry.
    Archive(Box<Archive>),
}

impl<'a> Source<'a> {
    /// A place as a command line means it: `-` is standard input.
    pub fn at(place: &'a Place) -> Source<'a> {
        Source { place, origin: Origin::Input(place.input()) }
    }
}

/// Where it is written.
pub struct Destination<'a> {
    /// The place as it was given.
    pub place: &'a Place,
    /// What takes it.
    pub goal: Goal<'a>,
}

/// Makes a sink from a plan, and from the archive that it is for.
pub type MakeSink<'a> = dyn Fn(&Plan, &Archive) -> Result<Box<dyn Sink>> + 'a;

/// What takes what is written.
pub enum Goal<'a> {
    /// The place's file or folder.
    Place,
    /// A stream. Only a tar can go there.
    Stream(Box<dyn Write + Send>),
    /// A sink that is made once there is a plan, and sends what it is given: one of a registry.
    Sink(&'a MakeSink<'a>),
    /// A sink that is made once there is a plan, and shows nothing before it is committed.
    Held(&'a MakeSink<'a>),
}

impl<'a> Destination<'a> {
    /// A place as a command line means it: `-` is standard output.
    pub fn at(place: &'a Place) -> Destination<'a> {
        let goal = match place.is_standard() {
            true => Goal::Stream(Box::new(io::stdout())),
            false => Goal::Place,
        };
        Destination { place, goal }
    }
}

/// Opens the source, plans, judges, reads each blob once, writes it on the way, and commits the whole; or leaves the
/// destination as it was.
///
/// # Errors
///
/// The request cannot be carried out as it stands; source or destination cannot be read or written, or are not apart;
/// the source changed; `progress` cancelled the job. Of all of these nothing is left at the destination, except of what a
/// stream was given already. What is wrong with the image is no error, but [`End::Refused`].
pub fn run(
    source: Source<'_>,
    destination: Destination<'_>,
    request: &Request,
    policy: &Policy,
    progress: &dyn Progress,
) -> Result<Outcome> {
    if request.check && request.read.verify == Verify::Digests {
        return Err(Error::refused("--check verifies all; it cannot be used with --verify digests"));
    }
    if let (Origin::Input(Input::Path(source)), Goal::Place) = (&source.origin, &destination.goal) {
        place::apart(source, &destination.place.path)?;
    }
    let file = (!source.place.is_remote() && !source.place.is_standard())
        .then(|| source.place.path.file_name().map(OsString::from))
        .flatten();
    let mut writing = Writing { destination, request, sink: None };
    let archive = open(source, &mut writing, progress)?;
    let (archive, mut done) = match request.fix {
        Some(wanted) => fix(archive, wanted, request, (policy, file.as_deref()), progress)?,
        None => (archive, Done::default()),
    };
    let fixed = request.fix.map(|_| done.request(request));
    let request = fixed.as_ref().unwrap_or(request);
    writing.request = request;
    let job = Job { archive: &archive, file, request, policy, progress };
    let (Judged { findings, changes }, mut end) = job.run(writing)?;
    if let End::Written { account, .. } = &mut end {
        done.tell(account);
    }
    Ok(Outcome {
        findings,
        changes,
        end,
        archive,
        pushed: None,
        called: Vec::new(),
        lowered: Lowered::default(),
        loads: Vec::new(),
        fixes: fixed.is_some().then_some(done.fixes),
    })
}

/// Opens the source. A stream goes straight to where the destination stages, so a sink that can take it comes first; it
/// is dropped unused if the archive turns out to be broken.
fn open(source: Source<'_>, writing: &mut Writing<'_>, progress: &dyn Progress) -> Result<Archive> {
    let input = match source.origin {
        Origin::Archive(archive) => return Ok(*archive),
        Origin::Input(input) => input,
    };
    let request = writing.request;
    let mut spool = || match writing.lend()? {
        Some(spool) => Ok(spool),
        None => SpoolDir::new(request.read.tmpdir.as_deref()),
    };
    let options = OpenOptions {
        place: &source.place.text,
        form: source.place.transport,
        limits: &request.read.limits,
        spool: &mut spool,
        lone: Alone::No,
        progress,
    };
    form::open(input, options)
}

/// A destination and, as soon as one is needed, its sink.
struct Writing<'a> {
    destination: Destination<'a>,
    request: &'a Request,
    sink: Option<Box<dyn Sink>>,
}

impl Writing<'_> {
    /// A folder at the destination for a stream.
    fn lend(&mut self) -> Result<Option<SpoolDir>> {
        if !self.request.target.can().spool {
            return Ok(None);
        }
        let sink = self.create(None, None)?;
        let spool = sink.spool_dir().filter(|_| !self.request.dry_run).map(SpoolDir::lent);
        self.sink = Some(sink);
        Ok(spool)
    }

    /// The sink; `names` are those of an old docker-archive, which needs the plan before it can name anything.
    fn sink(mut self, plan: &Plan, archive: &Archive, names: Option<LegacyNames>) -> Result<Box<dyn Sink>> {
        let sink = match self.sink.take() {
            Some(sink) => sink,
            None => self.create(Some((plan, archive)), names)?,
        };
        Ok(if self.request.dry_run { Box::new(Rehearsal::of(sink)) } else { sink })
    }

    /// Whether all that was written is gone without a commit. What a registry was sent stays there, without a name.
    fn can_take_back(&self) -> bool {
        !matches!(self.destination.goal, Goal::Sink(_))
    }

    fn create(
        &mut self,
        plan: Option<(&Plan, &Archive)>,
        names: Option<LegacyNames>,
    ) -> Result<Box<dyn Sink>> {
        let (request, path) = (self.request, &self.destination.place.path);
        let options = WriteOptions {
            force: request.force,
            fsync: request.fsync,
            docker_platform: request.docker_platform.clone(),
            tmpdir: request.read.tmpdir.clone(),
            // What is checked as a whole is written as a whole, or not at all: to a stream, too.
            buffer: request.buffer || request.check,
        };
        let stream = match std::mem::replace(&mut self.destination.goal, Goal::Place) {
            Goal::Place => None,
            Goal::Stream(stream) => Some(stream),
            Goal::Sink(make) | Goal::Held(make) => {
                let (plan, archive) =
                    plan.ok_or_else(|| Error::refused("a registry needs the plan first"))?;
                return make(plan, archive);
            }
        };
        if let (Target::DockerLegacy, Some(names)) = (request.target, names) {
            return match stream {
                Some(stream) => legacy_stream(stream, names, &options),
                None => legacy_file(path, names, &options),
            };
        }
        (request.target.writing().create)(stream.map_or(Out::Path(path), Out::Stream), &options)
    }
}

/// What was found in the source.
struct Judged {
    /// In the order of reports.
    findings: Vec<Finding>,
    changes: Changed,
}

/// A conversion of an archive that is open.
struct Job<'a> {
    archive: &'a Archive,
    /// The name of its file, which fingerprints hold.
    file: Option<OsString>,
    request: &'a Request,
    policy: &'a Policy,
    progress: &'a dyn Progress,
}

impl Job<'_> {
    fn run(&self, writing: Writing<'_>) -> Result<(Judged, End)> {
        let archive = self.archive;
        // What is wrong with the archive as a whole comes before any question of which image.
        let nothing = Default::default();
        let mut known = Facts::of(archive.blobs.len());
        read::duplicates(archive, &mut known)?;
        if self.blocked(&self.found(&known, Scope::Nodes(&nothing), None)?) {
            return self.refuse(known, Scope::All, None);
        }
        let inventory = Inventory::of(archive, &|name| form::standing(archive.form, name));
        let plan = planner::plan(archive, self.request, self.tails()?)?;
        let settled = fates::settle(archive, &inventory, self.request.target, plan)?;
        let plan = &settled.plan;
        let scope = match self.request.check {
            true => Scope::Keeping(&plan.scope),
            false => Scope::Nodes(&plan.scope),
        };
        if self.blocked(&self.found(&known, scope, Some(plan))?) {
            return self.refuse(known, scope, Some(plan));
        }
        if let (Target::Storage, Some((index, child))) = (self.request.target, plan.sparse(archive)) {
            let message = format!(
                "index {index} lists {child}, which is not there: registry storage holds whole indexes"
            );
            let help = "keep what is there with --present-only or --platform, bring the rest with --fill-from PLACE, \
                        or write an OCI layout, which holds such indexes";
            return Err(Error::refused_help(message, help).of(ErrorKind::Unsupported));
        }
        if self.request.check && !writing.can_take_back() {
            let context = self.request.read.context(true, self.progress);
            read::rest(archive, &mut known, &context)?;
            let findings = self.judged(&known, scope, Some(plan))?;
            if self.blocked(&findings) {
                return Ok((Judged { findings, changes: known.changes }, End::Refused));
            }
        }
        let legacy = self.request.target == Target::DockerLegacy;
        let names = legacy.then(|| self.legacy_names(plan)).transpose()?;
        let sink = writing.sink(plan, archive, names)?;
        let (judged, written) = self.write(&settled, scope, known, &*sink)?;
        let Some(written) = written else { return Ok((judged, End::Refused)) };
        // Of what is only tried nothing is staged.
        if !self.request.dry_run {
            let limits = &self.request.read.limits;
            let sound = before_commit(archive, &judged.findings, &written, &*sink, self.policy, limits);
            archive.unchanged()?;
            sound?;
        }
        let Written { output, mut account, kept, .. } = written;
        account.displaced(sink.prepare(&output)?);
        sink.commit(&output)?;
        let unseen = self.unseen(&settled);
        Ok((judged, End::Written { output, account, unseen, kept }))
    }

    /// All but the commit; nothing is to be committed if something is broken or blocked.
    fn write(
        &self,
        settled: &Settled,
        scope: Scope<'_>,
        known: Facts,
        sink: &dyn Sink,
    ) -> Result<(Judged, Option<Written>)> {
        let looked_into = self.request.check || self.request.read.contents;
        let context = self.request.read.context(looked_into, self.progress);
        let ran = carry_out(self.archive, settled, self.request, sink, &context)?;
        let mut facts = ran.facts;
        facts.add(known);
        if self.request.check {
            read::rest(self.archive, &mut facts, &context)?;
        } else {
            read::laid(self.archive, &mut facts);
            // To show what is in layers is not to judge it.
            facts.layers.clear();
        }
        let findings = self.judged(&facts, scope, Some(&settled.plan))?;
        let blocked = self.blocked(&findings);
        if let (Some(error), false) = (ran.unplaced, blocked) {
            return Err(error);
        }
        Ok((Judged { findings, changes: facts.changes }, ran.written.filter(|_| !blocked)))
    }

    /// Whether nothing may be written: what the policy blocks always, and every error if all is to be checked.
    fn blocked(&self, findings: &[Finding]) -> bool {
        let error = |rule| self.request.check && self.policy.level(rule) == Level::Error;
        let blocks = |finding: &&Finding| self.policy.blocks(finding.rule) || error(finding.rule);
        let mut blocking: Vec<Finding> = findings.iter().filter(blocks).cloned().collect();
        if blocking.is_empty() {
            return false;
        }
        // A baseline knows findings by what they hit.
        reach::tell(self.archive, &mut blocking);
        let accepted = self.policy.accepted(self.archive, self.file.as_deref(), &blocking);
        !accepted.into_iter().all(|accepted| accepted)
    }

    /// What a conversion does not look at if it is not told to check all.
    fn unseen(&self, settled: &Settled) -> Vec<String> {
        let (archive, plan) = (self.archive, &settled.plan);
        if self.request.check {
            return Vec::new();
        }
        let layers = plan.blobs().any(|(blob, _)| archive.blob(blob).layer);
        let mut unseen: Vec<String> = layers.then(|| "what is in layers".to_owned()).into_iter().collect();
        let left = (0..archive.nodes.len() as u32)
            .map(NodeId)
            .filter(|id| !plan.scope.contains(id) && !matches!(archive.node(*id).body, Body::Absent));
        let left = left.count() as u64;
        unseen.extend((left > 0).then(|| format!("{} left out", counted(left, "manifest"))));
        let stray = |item: &&(Item, Fate)| matches!(item.0, Item::Blob(_, inventory::Part::Unreferenced));
        let stray = settled.fates.iter().filter(stray).count() as u64;
        unseen.extend((stray > 0).then(|| format!("{} that nothing points at", counted(stray, "blob"))));
        let old = |item: &&(Item, Fate)| matches!(item, (Item::Legacy(_), Fate::Dropped(_)));
        let old = settled.fates.iter().filter(old).count() as u64;
        unseen.extend((old > 0).then(|| format!("{} of the old form", counted(old, "member"))));
        unseen
    }

    /// Nothing will be written: reads what was asked for all the same, so that one run lists every fault.
    fn refuse(&self, mut known: Facts, scope: Scope<'_>, plan: Option<&Plan>) -> Result<(Judged, End)> {
        let context = self.request.read.context(scope.is_whole(), self.progress);
        read::rest(self.archive, &mut known, &context)?;
        let findings = self.judged(&known, scope, plan)?;
        Ok((Judged { findings, changes: known.changes }, End::Refused))
    }

    /// What is wrong, with names as they will be and without what the plan mends, in any order.
    fn found(&self, facts: &Facts, scope: Scope<'_>, plan: Option<&Plan>) -> Result<Vec<Finding>> {
        let mut findings = rules::run(self.archive, facts, scope);
        new_names::retain(self.archive, self.request, &mut findings);
        if let Some(plan) = plan {
            mended::as_planned(self.archive, plan, &mut findings);
        }
        self.archive.unchanged()?;
        Ok(findings)
    }

    /// The same in the order of reports.
    fn judged(&self, facts: &Facts, scope: Scope<'_>, plan: Option<&Plan>) -> Result<Vec<Finding>> {
        let findings = rules::told(self.archive, self.found(facts, scope, plan)?);
        self.archive.unchanged()?;
        Ok(findings)
    }

    /// The layers whose gzip stream is followed by what is no part of it. Only `--compress gzip`, which leaves gzip layers
    /// alone otherwise, asks: it reads them beforehand.
    fn tails(&self) -> Result<HashSet<BlobId>> {
        let Compress::To { compression: Compression::Gzip(_), level_given: false } = self.request.compress
        else {
            return Ok(HashSet::new());
        };
        let archive = self.archive;
        let codecs = Codecs::of(archive);
        let mut gzip = HashSet::new();
        for (i, _) in archive.blobs.iter().enumerate().filter(|(_, blob)| blob.layer) {
            let blob = BlobId(i as u32);
            if codecs.get(blob)? == Codec::Gzip {
                gzip.insert(blob);
            }
        }
        let context = self.request.read.context(false, self.progress);
        let facts = read::some(archive, &|blob| gzip.contains(&blob), &context)?;
        gzip.retain(|blob| {
            let plain = facts.get(*blob).and_then(|facts| facts.plain.as_ref());
            plain.is_some_and(|plain| plain.trailing.is_some())
        });
        Ok(gzip)
    }

    /// The names of members in the old docker-archive form follow from configs and diff IDs. Where configs are made only
    /// from layers (v1, schema 1), or may say of them what is not so, the layers are read first: the one case in which a
    /// source is read twice.
    fn legacy_names(&self, plan: &Plan) -> Result<LegacyNames> {
        let archive = self.archive;
        let others = archive.diff_algorithms();
        for (blob, _) in plan.blobs().filter(|(blob, _)| archive.blob(*blob).layer) {
            let digest = archive.blob(blob).digest.as_ref();
            if let Some(digest) = digest.filter(|digest| digest.algorithm_name() != "sha256") {
                let message =
                    format!("the legacy docker-archive form names layers by sha256, and one is {digest}");
                let help = "use --docker-format universal";
                return Err(Error::refused_help(message, help).of(ErrorKind::Unsupported));
            }
        }
        let believed = self.policy.blocks(&rules::image::DIFF_ID_MISMATCH);
        let from_layers = |node: NodeId| match &archive.node(node).body {
            Body::V1 { .. } | Body::Schema1 { .. } => true,
            Body::Manifest { parts, .. } | Body::Item { parts } => {
                let other = |layer: &Part| layer.blob.is_some_and(|blob| others.contains_key(&blob));
                !believed || parts.layers.iter().any(other)
            }
            Body::Index { .. } | Body::ArtifactManifest { .. } | Body::Layer { .. } => false,
            Body::Absent | Body::Opaque => false,
        };
        let read = plan.documents().any(from_layers);
        let facts = match read {
            true => read::all(archive, &self.request.read.context(false, self.progress))?,
            false => Facts::default(),
        };
        let mut images: Vec<(Vec<u8>, Vec<Digest>)> = Vec::new();
        for node in plan.documents() {
            let Some((config, claimed)) = read::config_of(archive, node, &facts)? else { continue };
            let layers = archive.node(node).parts().map(|parts| &parts.layers).filter(|_| read);
            let found = layers.and_then(|layers| {
                let diff_id = |layer: &Part| Some(facts.get(layer.blob?)?.plain.as_ref()?.diff_id.clone());
                layers.iter().map(diff_id).collect::<Option<Vec<_>>>()
            });
            images.push((config, found.unwrap_or(claimed)));
        }
        docker_archive::legacy_names(images.iter().map(|(config, diff_ids)| (&config[..], &diff_ids[..])))
    }
}
