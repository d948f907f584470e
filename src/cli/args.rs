//! What the user can type; validated here, built elsewhere.
//!
//! Long because it is a list.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::remote_args::{RemoteArgs, SidesArgs};
use super::words;
use crate::convert::{DropSet, Fixing, ManifestFormat};
use crate::{LoneKind, Verify};

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub(super) enum ColorWhen {
    /// If the output is a terminal and NO_COLOR is not set
    #[default]
    Auto,
    /// Into pipes and files too
    Always,
    /// Plain text
    Never,
}

/// How to show progress, always on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub(super) enum ProgressKind {
    /// Bars on a terminal; elsewhere a line now and then, if it takes longer than ten seconds
    #[default]
    Auto,
    /// A line now and then
    Plain,
    /// Nothing
    None,
}

/// Options of every command that opens an archive.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Common {
    /// Raise or lower a limit, such as layers=2000; a wrong NAME lists them all
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Common options")]
    pub limit: Vec<String>,
    /// Blobs read at once; the number of cores if not given, at least 6 where a registry is read or written
    #[arg(short, long, value_name = "N", help_heading = "Common options")]
    pub jobs: Option<usize>,
    /// Where streams and compressed archives are spooled; $TMPDIR if not given
    #[arg(long, value_name = "DIR", help_heading = "Common options")]
    pub tmpdir: Option<PathBuf>,
    /// How to show progress, on standard error
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = "Common options")]
    pub progress: ProgressKind,
    /// When to use colours
    #[arg(long, value_enum, default_value_t, value_name = "WHEN", help_heading = "Common options")]
    pub color: ColorWhen,
    /// Print nothing where all is well: only errors, and what was asked for
    #[arg(short, long, help_heading = "Common options", overrides_with_all = ["quiet", "verbose"])]
    pub quiet: bool,
    /// Say all of it: notes, whole digests, the whole account
    #[arg(short, long, help_heading = "Common options", overrides_with_all = ["quiet", "verbose"])]
    pub verbose: bool,
    #[command(flatten)]
    pub remote: RemoteArgs,
}

/// Options of every command that opens none.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(super) struct Plain {
    /// When to use colours
    #[arg(long, value_enum, default_value_t, value_name = "WHEN", help_heading = "Common options")]
    pub color: ColorWhen,
    /// Print nothing but what was asked for
    #[arg(short, long, help_heading = "Common options", overrides_with_all = ["quiet", "verbose"])]
    pub quiet: bool,
    /// Say all of it: lines are not cut to the terminal
    #[arg(short, long, help_heading = "Common options", overrides_with_all = ["quiet", "verbose"])]
    pub verbose: bool,
}

impl Plain {
    /// The same as options of every command.
    pub fn common(self) -> Common {
        let Plain { color, quiet, verbose } = self;
        Common { color, quiet, verbose, ..Common::default() }
    }
}

/// Levels of rules, in the order given: the last one wins.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Levels {
    /// Do not report a rule, a family of rules, or `all`
    #[arg(short = 'A', long, value_name = "RULE|FAMILY|all", help_heading = "Levels", value_parser = words::selectors(), hide_possible_values = true)]
    pub allow: Vec<String>,
    /// Report it as a warning
    #[arg(short = 'W', long, value_name = "RULE|FAMILY|all", help_heading = "Levels", value_parser = words::selectors(), hide_possible_values = true)]
    pub warn: Vec<String>,
    /// Report it as an error
    #[arg(short = 'D', long, value_name = "RULE|FAMILY|all", help_heading = "Levels", value_parser = words::selectors(), hide_possible_values = true)]
    pub deny: Vec<String>,
    /// Raise levels: spec, docker, containerd, portable, strict
    #[arg(long, value_name = "NAME", help_heading = "Levels", value_delimiter = ',', value_parser = words::profiles(), hide_possible_values = true)]
    pub profile: Vec<String>,
    /// Read levels and exceptions from this file instead of the nearest restow.toml; also $RESTOW_CONFIG
    #[arg(long, value_name = "FILE", help_heading = "Levels")]
    pub config: Option<PathBuf>,
    /// Read no such file, wherever it may be
    #[arg(long, help_heading = "Levels", conflicts_with = "config")]
    pub no_config: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  restow check app.tar\n  docker save app:1 | restow check -\n  restow check -W config/layer-count oci:layout\n  restow check -A all -D blob oci:layout\n  restow check --image app:1 --platform linux/arm64 app.tar\n  restow check --report sarif=out.sarif app.tar\n  restow check --report json oci:layout | jq -r '.sources[].findings[].rule'\n\nWithout --report, findings are drawn for people on standard output; a report that goes there instead leaves them out. The shapes stand in docs/reports.md.\n\nExit status: 0 nothing at level error, 1 something is, 2 the check could not be made."
)]
pub(super) struct CheckArgs {
    /// The archives; also a single document or layer
    #[arg(required = true, value_hint = ValueHint::AnyPath)]
    pub source: Vec<String>,
    /// Judge a single document or layer as this; found from its content if not given
    #[arg(long = "as", value_enum, value_name = "KIND")]
    pub as_: Option<LoneArg>,
    /// What to verify of layers. With digests they are hashed as they are stored and not decompressed; of
    /// a registry they are not read, only asked for: that it has them, and how large it says they are
    #[arg(long, value_enum, value_name = "WHAT", default_value = "all")]
    pub verify: VerifyArg,
    /// Judge only this image and what it is made of: a name, a tag, a manifest digest or image ID (12
    /// digits or more), a repository, or @N, the N-th image, from 0. Can be given several times
    #[arg(long, value_name = "NAME")]
    pub image: Vec<String>,
    /// Judge only images for this platform. Can be given several times
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub platform: Vec<String>,
    /// Write findings as human, json, sarif, junit, github, lines, html or markdown, to FILE or standard output; may be repeated
    #[arg(short = 'o', long, value_name = "FORMAT[=FILE]", value_parser = words::reports(), hide_possible_values = true)]
    pub report: Vec<String>,
    /// The same as --report json
    #[arg(long)]
    pub json: bool,
    /// Write the fixes that findings propose to FILE, as JSON, to be read before `restow convert --fix` makes
    /// them; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub fixes: Option<PathBuf>,
    /// Do not report what this JSON report of an earlier check has
    #[arg(long, value_name = "FILE", help_heading = "Levels")]
    pub baseline: Option<PathBuf>,
    #[command(flatten)]
    pub levels: Levels,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  restow convert app.tar oci:layout\n  docker save app:1 | restow convert - oci:layout\n  restow convert --platform linux/arm64 oci:layout docker-archive:app-arm64.tar\n  restow convert --compress zstd app.tar oci-archive:app-zstd.tar\n  restow convert registry-storage:storage:app:1 docker-archive:- | docker load\n  restow convert --check --report junit=out.xml app.tar oci:layout\n\nFindings are drawn on standard error, whatever --report asks for besides.\n\nExit status: 0 done, 1 the image is wrong and nothing was written, 2 it could not, or may not, be done."
)]
pub(super) struct ConvertArgs {
    /// The archive to read; `-` is standard input
    #[arg(value_hint = ValueHint::AnyPath)]
    pub source: String,
    /// The archive to write, with a prefix such as oci:
    #[arg(value_hint = ValueHint::AnyPath)]
    pub destination: String,
    /// Take only this image: a name, a tag, a manifest digest or image ID (12 digits or more), a
    /// repository, or @N, the N-th image, from 0. Can be given several times
    #[arg(long, value_name = "NAME")]
    pub image: Vec<String>,
    /// Take only images for this platform. Can be given several times
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub platform: Vec<String>,
    /// With --platform: keep indexes byte for byte, although they name images that are left out
    #[arg(long, requires = "platform")]
    pub sparse: bool,
    /// Cut indexes to the images that are there, with what attests them; the account says what went
    #[arg(long, conflicts_with = "sparse")]
    pub present_only: bool,
    /// Take what SOURCE names and does not have from this place, of any form, each blob proved by its
    /// digest. Can be given several times
    #[arg(long, value_name = "PLACE")]
    pub fill_from: Vec<String>,
    /// Give the one selected image this name instead of its own
    #[arg(long, value_name = "NAME")]
    pub tag: Vec<String>,
    /// Change one name. Can be given several times
    #[arg(long, value_name = "OLD=NEW")]
    pub rename: Vec<String>,
    /// Compress layers: keep, none, gzip[:1-12], zstd[:1-22]
    #[arg(long, value_name = "CODEC", default_value = "keep", value_parser = words::codecs(), hide_possible_values = true)]
    pub compress: String,
    /// Rewrite manifests and indexes as OCI or as Docker schema 2
    #[arg(long, value_enum, value_name = "FAMILY", default_value = "keep")]
    pub manifest_format: ManifestArg,
    /// Form of a docker-archive
    #[arg(long, value_enum, value_name = "FORM", default_value = "universal")]
    pub docker_format: DockerArg,
    /// Which image of an index stands in a docker-archive's manifest.json, for tools that read
    /// only that; linux/amd64 if it is there and nothing is given
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub docker_platform: Option<String>,
    /// Make the fixes that findings propose, each with a line of the account: those that follow from the
    /// archive itself (safe), or also those that rest on what only people know (all)
    #[arg(long, value_enum, value_name = "WHICH")]
    pub fix: Option<FixArg>,
    /// Refuse, before anything is written, if any manifest digest would change
    #[arg(long)]
    pub preserve_digests: bool,
    /// Allow what the destination cannot hold to be left out
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    pub drop: Vec<DropArg>,
    /// Do everything but write: read, verify, ask the destination, and print what would stand there
    #[arg(long)]
    pub dry_run: bool,
    /// Write what became of every digest, as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub account: Option<PathBuf>,
    /// Write findings as human, json, sarif, junit, github, lines, html or markdown, to FILE or standard output; may be repeated
    #[arg(short = 'o', long, value_name = "FORMAT[=FILE]", value_parser = words::reports(), hide_possible_values = true)]
    pub report: Vec<String>,
    /// The same as --report json
    #[arg(long)]
    pub json: bool,
    /// Judge by every rule, as `restow check` does, not only by those that a conversion needs
    #[arg(long)]
    pub check: bool,
    /// With --check: do not report what this JSON report of an earlier check has
    #[arg(long, value_name = "FILE", help_heading = "Levels", requires = "check")]
    pub baseline: Option<PathBuf>,
    /// What to verify of layers that are kept. With digests they are not decompressed, which takes a
    /// fifth of the time: neither their compressed streams nor their diff IDs are checked
    #[arg(long, value_enum, value_name = "WHAT", default_value = "all")]
    pub verify: VerifyArg,
    /// Replace an existing file or dir:
    #[arg(short, long)]
    pub force: bool,
    /// Verify everything in a temporary file before the first byte goes to standard output
    #[arg(long)]
    pub buffer: bool,
    /// Flush to disk before finishing, to survive power loss too
    #[arg(long)]
    pub fsync: bool,
    /// In a registry: do not change what a tag stands for
    #[arg(long, help_heading = "Registries")]
    pub no_clobber: bool,
    /// In a registry: read everything back that was pushed
    #[arg(long, help_heading = "Registries")]
    pub verify_after: bool,
    /// Write the digest of each image that was written to this file, a line each; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub digestfile: Option<PathBuf>,
    #[command(flatten)]
    pub sides: SidesArgs,
    #[command(flatten)]
    pub levels: Levels,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ManifestArg {
    Keep,
    Oci,
    Docker,
}

impl ManifestArg {
    /// What is asked for by it.
    pub fn format(self) -> ManifestFormat {
        match self {
            ManifestArg::Keep => ManifestFormat::Keep,
            ManifestArg::Oci => ManifestFormat::Oci,
            ManifestArg::Docker => ManifestFormat::Docker,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DockerArg {
    /// An OCI layout with manifest.json: loads everywhere
    Universal,
    /// As Docker 1.10 to 24 wrote it
    Legacy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FixArg {
    Safe,
    All,
}

impl FixArg {
    /// What is asked for by it.
    pub fn fixing(self) -> Fixing {
        match self {
            FixArg::Safe => Fixing::Safe,
            FixArg::All => Fixing::All,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum VerifyArg {
    All,
    Digests,
}

impl VerifyArg {
    pub fn verify(self) -> Verify {
        match self {
            VerifyArg::All => Verify::All,
            VerifyArg::Digests => Verify::Digests,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DropArg {
    Artifacts,
    Attestations,
    Annotations,
    Nested,
    /// With --present-only: what refers to an index that is cut
    Stale,
}

impl DropArg {
    /// What may be left out, by all that were given.
    pub fn set(all: &[DropArg]) -> DropSet {
        DropSet {
            artifacts: all.contains(&DropArg::Artifacts),
            attestations: all.contains(&DropArg::Attestations),
            annotations: all.contains(&DropArg::Annotations),
            nested: all.contains(&DropArg::Nested),
            stale: all.contains(&DropArg::Stale),
        }
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  restow inspect app.tar\n  restow inspect --json oci:layout | jq -r '.images[].id'\n  restow inspect -v app.tar\n  restow inspect --raw config app.tar\n  restow inspect --image app:1 --raw manifest app.tar\n  restow inspect --report html=page.html app.tar\n\nA page shows what each layer adds, replaces and hides: for it the layers of an archive are read. Nothing is judged; `restow check --report html` does.\n\nExit status: 0 shown, 2 it could not be read."
)]
pub(super) struct InspectArgs {
    /// The archive; `-` is standard input
    #[arg(value_hint = ValueHint::AnyPath)]
    pub source: String,
    /// Only this image, as for convert. Can be given several times
    #[arg(long, value_name = "NAME")]
    pub image: Vec<String>,
    /// As JSON, in the shape that docs/inspect.md documents; the same as --report json
    #[arg(long)]
    pub json: bool,
    /// Only list names, a line each: of an archive, the tags of a repository, the repositories of a registry
    #[arg(long, conflicts_with_all = ["json", "raw", "image", "report"])]
    pub tags: bool,
    /// Print the exact bytes of a document: index, manifest, config, or a digest
    #[arg(long, value_name = "WHICH", conflicts_with_all = ["json", "report"], value_parser = words::documents(), hide_possible_values = true)]
    pub raw: Option<String>,
    /// Also write FORMAT: html or markdown, a page to look at, or json; to FILE, or to standard output instead of the usual
    /// text. Can be given several times
    #[arg(short = 'o', long, value_name = "FORMAT[=FILE]", value_parser = words::pages(), hide_possible_values = true)]
    pub report: Vec<String>,
    /// Only images for this platform. Can be given several times
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub platform: Vec<String>,
    #[command(flatten)]
    pub common: Common,
}

/// What `compare` may pass over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Ignore {
    Names,
    Digests,
    Layers,
    Platforms,
    /// Of descriptors in index.json
    Annotations,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Both places are read and judged first, as by `restow check`: what is compared are image IDs, diff IDs, layer bytes, names, platforms and manifest digests that were computed from the bytes, as far as both forms hold them.\n\nExamples:\n  restow compare app.tar oci:layout\n  restow compare --ignore digests,layers app.tar oci-archive:recompressed.tar\n  restow compare --report html=page.html app.tar oci:layout\n\nExit status: 0 the same, 1 they differ or one is not sound, 2 one of them could not be read."
)]
pub(super) struct CompareArgs {
    /// One place
    #[arg(value_hint = ValueHint::AnyPath)]
    pub a: String,
    /// The other
    #[arg(value_hint = ValueHint::AnyPath)]
    pub b: String,
    /// Leave these out of the comparison
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    pub ignore: Vec<Ignore>,
    /// What to verify of layers. With digests they are hashed as they are stored and not decompressed, so that layers of
    /// other bytes are told apart by the diff IDs that configs claim; those of a registry are not read, only asked for
    #[arg(long, value_enum, value_name = "WHAT", default_value = "all")]
    pub verify: VerifyArg,
    /// Print the comparison as JSON; the same as --report json
    #[arg(long)]
    pub json: bool,
    /// Also write FORMAT: html or markdown, a page to look at, or json; to FILE, or to standard output instead of the usual
    /// text. Can be given several times
    #[arg(short = 'o', long, value_name = "FORMAT[=FILE]", value_parser = words::pages(), hide_possible_values = true)]
    pub report: Vec<String>,
    #[command(flatten)]
    pub levels: Levels,
    /// Of docker:// places only images for this platform. Can be given several times
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", help_heading = "Registries")]
    pub platform: Vec<String>,
    #[command(flatten)]
    pub sides: SidesArgs,
    #[command(flatten)]
    pub common: Common,
}

#[cfg(feature = "serve")]
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  restow serve app.tar\n  restow serve --listen 127.0.0.1:0 images/*.tar\n  restow serve team/app:1=oci:layout registry-storage:storage\n  restow serve --listen 0.0.0.0:5000 --tls-cert cert.pem --tls-key key.pem --htpasswd users app.tar\n  restow serve --access-log - app.tar | jq .target\n\nAll of each place is verified first, as check does: if anything is wrong with it, nothing is served. Then docker pull, podman pull, skopeo and the like take what is named, until a signal ends it. docs/serve.md tells of mirrors, logs and counts.\n\nExit status: 0 ended by a signal, 1 something is wrong and nothing was served, 2 it could not be served."
)]
pub(super) struct ServeArgs {
    /// The archives; NAME=PLACE serves one as NAME[:TAG]
    #[arg(required = true, value_name = "[NAME=]PLACE", value_hint = ValueHint::AnyPath)]
    pub place: Vec<String>,
    /// Where to listen; port 0 is any that is free
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5000")]
    pub listen: String,
    /// Speak TLS, with this certificate chain in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key", value_hint = ValueHint::FilePath)]
    pub tls_cert: Option<PathBuf>,
    /// The key to it, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert", value_hint = ValueHint::FilePath)]
    pub tls_key: Option<PathBuf>,
    /// Answer only these users: a file of `htpasswd -B`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub htpasswd: Option<PathBuf>,
    /// Add a line in JSON for each request to FILE; `-` is standard output
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub access_log: Option<PathBuf>,
    /// Serve only this image: a name, a tag, a manifest digest or image ID (12 digits or more), a
    /// repository, or @N, the N-th image, from 0. Can be given several times
    #[arg(long, value_name = "NAME")]
    pub image: Vec<String>,
    /// Serve only images for this platform. Can be given several times
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub platform: Vec<String>,
    /// With --platform: keep indexes byte for byte, although they name images that are left out
    #[arg(long, requires = "platform")]
    pub sparse: bool,
    #[command(flatten)]
    pub levels: Levels,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  restow explain blob/digest-mismatch\n  restow explain whiteout\n  restow explain --error 'manifest unknown'"
)]
pub(super) struct ExplainArgs {
    /// The rule, such as blob/digest-mismatch, or a family of rules, such as blob
    #[arg(value_parser = words::rules(), hide_possible_values = true)]
    pub rule: Option<String>,
    /// What another tool printed (docker, podman, containerd, skopeo, a registry, Kubernetes): what it means, the check
    /// that proves it, and the command that mends it; `-` reads it from standard input
    #[arg(long, value_name = "TEXT", conflicts_with = "rule", allow_hyphen_values = true)]
    pub error: Option<String>,
    #[command(flatten)]
    pub plain: Plain,
}

/// What `check --as` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LoneArg {
    Config,
    Manifest,
    Index,
    /// manifest.json of a docker-archive
    DockerArchive,
    Schema1,
    OciLayout,
    Repositories,
    /// v1 image JSON
    V1,
    /// A descriptor on its own
    Descriptor,
    /// A tar, plain or compressed
    Layer,
}

impl LoneArg {
    pub fn kind(self) -> LoneKind {
        match self {
            LoneArg::Config => LoneKind::Config,
            LoneArg::Manifest => LoneKind::Manifest,
            LoneArg::Index => LoneKind::Index,
            LoneArg::DockerArchive => LoneKind::DockerArchive,
            LoneArg::Schema1 => LoneKind::Schema1,
            LoneArg::OciLayout => LoneKind::OciLayout,
            LoneArg::Repositories => LoneKind::Repositories,
            LoneArg::V1 => LoneKind::V1Image,
            LoneArg::Descriptor => LoneKind::Descriptor,
            LoneArg::Layer => LoneKind::Layer,
        }
    }
}
