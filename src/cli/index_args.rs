//! What can be typed behind `restow index`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

use super::args::{Common, DropArg, Levels, ManifestArg};
use super::remote_args::SidesArgs;
use super::words;

#[derive(Debug, Args)]
#[command(
    after_help = "A SOURCE is any place, and may end in @OS/ARCH[/VARIANT], which takes only that image of it. INDEX is a place with its name; it is changed where it is, or written to --to. CHILD is a digest, twelve of its digits or more, or OS/ARCH[/VARIANT].\n\nExamples:\n  restow index create oci:app:1 amd64.tar arm64.tar\n  restow index create docker://registry.example/app:1 app.tar oci:layout@linux/arm64\n  restow index annotate --variant v8 oci:app:1 linux/arm64\n  restow index split oci:app:1 docker-archive:app-{}.tar\n  restow index inspect oci:app:1\n\nExit status: 0 done, 1 an image is wrong and nothing was written, 2 it could not, or may not, be done."
)]
pub(super) struct IndexArgs {
    #[command(subcommand)]
    pub command: IndexCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum IndexCommand {
    Create(CreateArgs),
    Add(AddArgs),
    Remove(RemoveArgs),
    Annotate(AnnotateArgs),
    Split(SplitArgs),
    Inspect(IndexInspectArgs),
}

impl IndexCommand {
    /// The options of what writes.
    pub fn writing(&self) -> Option<&WriteArgs> {
        match self {
            IndexCommand::Create(args) => Some(&args.write),
            IndexCommand::Add(args) => Some(&args.over.write),
            IndexCommand::Remove(args) => Some(&args.over.write),
            IndexCommand::Annotate(args) => Some(&args.over.write),
            IndexCommand::Split(args) => Some(&args.write),
            IndexCommand::Inspect(_) => None,
        }
    }

    /// The places that it reads, as typed.
    pub fn sources(&self) -> Vec<String> {
        match self {
            IndexCommand::Create(args) => args.source.clone(),
            IndexCommand::Add(args) => std::iter::once(&args.index).chain(&args.source).cloned().collect(),
            IndexCommand::Remove(args) => vec![args.index.clone()],
            IndexCommand::Annotate(args) => vec![args.index.clone()],
            IndexCommand::Split(args) => vec![args.index.clone()],
            IndexCommand::Inspect(args) => vec![args.index.clone()],
        }
    }

    /// Where it writes, if that is said.
    pub fn destination(&self) -> Option<String> {
        match self {
            IndexCommand::Create(args) => Some(args.destination.clone()),
            IndexCommand::Split(args) => Some(args.destination.clone()),
            IndexCommand::Add(AddArgs { over, .. })
            | IndexCommand::Remove(RemoveArgs { over, .. })
            | IndexCommand::Annotate(AnnotateArgs { over, .. }) => over.to.clone(),
            IndexCommand::Inspect(_) => None,
        }
    }

    pub fn common(&self) -> &Common {
        match self {
            IndexCommand::Inspect(args) => &args.common,
            IndexCommand::Create(CreateArgs { write, .. }) | IndexCommand::Split(SplitArgs { write, .. }) => {
                &write.common
            }
            IndexCommand::Add(AddArgs { over, .. })
            | IndexCommand::Remove(RemoveArgs { over, .. })
            | IndexCommand::Annotate(AnnotateArgs { over, .. }) => &over.write.common,
        }
    }
}

/// Put images together into one index, with their attestations; indexes are taken apart.
#[derive(Debug, Args)]
#[command(
    after_help = "The platform of each image is what its config says. All images of a SOURCE are taken, or the one that is named behind it; of those the ones that are there.\n\nExamples:\n  restow index create oci:app:1 amd64.tar arm64.tar\n  restow index create docker://registry.example/app:1 app.tar oci:layout@linux/arm64\n  restow index create docker-archive:app.tar:app:1 unnamed.tar"
)]
pub(super) struct CreateArgs {
    /// The archive to write, with a prefix such as oci:, and the name of the index
    #[arg(value_hint = ValueHint::AnyPath)]
    pub destination: String,
    /// The images: places, of which one may end in @OS/ARCH[/VARIANT]; `-` is standard input
    #[arg(required = true, value_hint = ValueHint::AnyPath)]
    pub source: Vec<String>,
    /// Give the index this name. Can be given several times
    #[arg(long, value_name = "NAME")]
    pub tag: Vec<String>,
    #[command(flatten)]
    pub write: WriteArgs,
}

/// Add images to an index.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  restow index add oci:app:1 riscv64.tar\n  restow index add --to oci-archive:more.tar oci:app:1 oci:other@linux/s390x"
)]
pub(super) struct AddArgs {
    /// The index
    #[arg(value_hint = ValueHint::AnyPath)]
    pub index: String,
    /// The images: places, of which one may end in @OS/ARCH[/VARIANT]
    #[arg(required = true, value_hint = ValueHint::AnyPath)]
    pub source: Vec<String>,
    #[command(flatten)]
    pub over: OverArgs,
}

/// Take children out of an index, with what attests them.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  restow index remove oci:app:1 linux/s390x\n  restow index remove oci:app:1 sha256:7528445e3b5c"
)]
pub(super) struct RemoveArgs {
    /// The index
    #[arg(value_hint = ValueHint::AnyPath)]
    pub index: String,
    /// Which: a digest, twelve of its digits or more, or a platform
    #[arg(required = true)]
    pub child: Vec<String>,
    #[command(flatten)]
    pub over: OverArgs,
}

/// Where an index that changes is written.
#[derive(Debug, Args)]
pub(super) struct OverArgs {
    /// Write the index here, and leave the old one as it is
    #[arg(long, value_name = "DESTINATION")]
    pub to: Option<String>,
    #[command(flatten)]
    pub write: WriteArgs,
}

/// Say of a child of an index what it is for.
#[derive(Debug, Args)]
#[command(
    after_help = "What is not named stays byte for byte; an empty value takes a member away.\n\nExamples:\n  restow index annotate --arch arm64 --variant v8 oci:app:1 sha256:7528445e3b5c\n  restow index annotate --annotation org.opencontainers.image.ref.name=edge oci:app:1 linux/arm64"
)]
pub(super) struct AnnotateArgs {
    /// The index
    #[arg(value_hint = ValueHint::AnyPath)]
    pub index: String,
    /// Which: a digest, twelve of its digits or more, or a platform
    pub child: String,
    /// The operating system, such as linux
    #[arg(long, value_name = "OS")]
    pub os: Option<String>,
    /// The architecture, such as arm64
    #[arg(long, value_name = "ARCH")]
    pub arch: Option<String>,
    /// The variant, such as v8
    #[arg(long, value_name = "VARIANT")]
    pub variant: Option<String>,
    /// The build of Windows
    #[arg(long, value_name = "VERSION")]
    pub os_version: Option<String>,
    /// What the operating system must have, such as win32k
    #[arg(long, value_name = "FEATURE", value_delimiter = ',')]
    pub os_features: Vec<String>,
    /// An annotation of the descriptor. Can be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub annotation: Vec<String>,
    #[command(flatten)]
    pub over: OverArgs,
}

/// Write each platform of an index to a place of its own.
#[derive(Debug, Args)]
#[command(
    after_help = "Each is an index of one image with its attestations: `restow index create` makes the same index of them again, byte for byte. `restow convert --platform` writes the image alone.\n\nExamples:\n  restow index split oci:app:1 docker-archive:app-{}.tar\n  restow index split docker://registry.example/app:1 oci:app:{}"
)]
pub(super) struct SplitArgs {
    /// The index
    #[arg(value_hint = ValueHint::AnyPath)]
    pub index: String,
    /// Where each goes: {} stands for its platform, linux-arm64
    #[arg(value_hint = ValueHint::AnyPath)]
    pub destination: String,
    #[command(flatten)]
    pub write: WriteArgs,
}

/// Show an index as other tools do.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  restow index inspect oci:app:1\n  restow index inspect --format docker app.tar\n\n`restow inspect` shows the images themselves."
)]
pub(super) struct IndexInspectArgs {
    /// The index; `-` is standard input
    #[arg(value_hint = ValueHint::AnyPath)]
    pub index: String,
    /// As `docker buildx imagetools inspect` or as `docker manifest inspect -v` prints it
    #[arg(long, value_enum, value_name = "SHAPE", default_value = "buildx")]
    pub format: ShapeArg,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ShapeArg {
    Buildx,
    Docker,
}

/// Options of what writes an index.
#[derive(Debug, Clone, Args)]
pub(super) struct WriteArgs {
    /// Rewrite manifests and indexes as OCI or as Docker schema 2; what the manifests are if not given
    #[arg(long, value_enum, value_name = "FAMILY", default_value = "keep")]
    pub manifest_format: ManifestArg,
    /// Refuse, before anything is written, if the digest of any manifest would change
    #[arg(long)]
    pub preserve_digests: bool,
    /// Allow what the destination cannot hold to be left out
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    pub drop: Vec<DropArg>,
    /// Do everything but write, and print what would stand there
    #[arg(long)]
    pub dry_run: bool,
    /// Write what became of every digest, as JSON
    #[arg(long, value_name = "FILE")]
    pub account: Option<PathBuf>,
    /// Write findings as human, json, sarif, junit, github, lines, html or markdown, to FILE or standard output; may be repeated
    #[arg(short = 'o', long, value_name = "FORMAT[=FILE]", value_parser = words::reports(), hide_possible_values = true)]
    pub report: Vec<String>,
    /// Judge by every rule, as `restow check` does
    #[arg(long)]
    pub check: bool,
    /// Replace an existing file
    #[arg(short, long)]
    pub force: bool,
    /// Flush to disk before finishing, to survive power loss too
    #[arg(long)]
    pub fsync: bool,
    /// In a registry: do not change what a tag stands for
    #[arg(long, help_heading = "Registries")]
    pub no_clobber: bool,
    /// In a registry: read everything back that was pushed
    #[arg(long, help_heading = "Registries")]
    pub verify_after: bool,
    /// Write the digest of the index to this file
    #[arg(long, value_name = "FILE", help_heading = "Registries")]
    pub digestfile: Option<PathBuf>,
    #[command(flatten)]
    pub sides: SidesArgs,
    #[command(flatten)]
    pub levels: Levels,
    #[command(flatten)]
    pub common: Common,
}
