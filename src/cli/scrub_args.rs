//! What can be typed behind `restow scrub`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::args::{Common, Levels};
use super::words;

/// Prove a whole storage: resumed after any kill, divided, in memory that does not grow.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:\n  restow scrub registry-storage:/var/lib/registry\n  restow scrub --state zot.db oci:/var/lib/zot\n  restow scrub --state hub.db docker://localhost:5000/\n  restow scrub --state scrub.db --max-age 30d registry-storage:/var/lib/registry\n  restow scrub --state scrub.db --max-duration 2h registry-storage:/var/lib/registry\n  restow scrub --shard 0/4 --state part-0.db registry-storage:/var/lib/registry\n  restow scrub merge --report json=scrub.json part-*.db\n  restow scrub status scrub.db\n\nEvery blob is read once, every repository judged as check does. With --state, what\nwas read is known to the next run, which reads what is new, was wrong, or changed; a\nrun that was killed goes on. A registry may write meanwhile. docs/scrub.md tells more.\n\nExit status: 0 nothing at level error, 1 something is, 2 it could not be done, or\nnot all of it with --require-complete."
)]
pub(super) struct ScrubArgs {
    #[command(subcommand)]
    pub command: Option<ScrubCommand>,
    /// The storage, registry-storage:DIR; a live registry, docker://HOST/, or a repository of it; or a layout or a folder of
    /// layouts, oci:DIR
    #[arg(required = true, value_hint = ValueHint::AnyPath)]
    pub place: Option<String>,
    /// Keep what was read in this file, or object of a bucket, for the next run, for status and for merge; with --shard, {} in
    /// it is the number of the part
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub state: Option<PathBuf>,
    /// Read one of N parts, counted from 0; with auto, the one that a scheduler gives: JOB_COMPLETION_INDEX of
    /// RESTOW_SHARDS, AWS_BATCH_JOB_ARRAY_INDEX of AWS_BATCH_JOB_ARRAY_SIZE, SLURM_ARRAY_TASK_ID of
    /// SLURM_ARRAY_TASK_COUNT. merge joins and judges them
    #[arg(long, value_name = "I/N|auto", requires = "state")]
    pub shard: Option<String>,
    /// Read again what was read longer ago, such as 30d, 12h, 90m or 60s
    #[arg(long, value_name = "TIME")]
    pub max_age: Option<String>,
    /// Begin no further blob after so long; the next run goes on
    #[arg(long, value_name = "TIME")]
    pub max_duration: Option<String>,
    /// Read a part: 5% or 10G, read longest ago; N/T, the N-th of T fixed parts, counted from 1
    #[arg(long, value_name = "5%|10G|N/T")]
    pub sample: Option<String>,
    /// Take the digests that the store computed: the CSV of the completion report of a Compute checksum job of S3 Batch
    /// Operations. What they prove is not read, but for documents and a hundredth, or --sample. Can be given several times
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub checksums: Vec<PathBuf>,
    /// The storage of the state has moved here
    #[arg(long, requires = "state")]
    pub adopt: bool,
    #[command(flatten)]
    pub telling: TellingArgs,
}

/// What a scrub tells.
#[derive(Debug, Args)]
pub(super) struct TellingArgs {
    /// Exit with 2 if not every blob was read
    #[arg(long)]
    pub require_complete: bool,
    /// Say what a collection of garbage would take, what would break by it, and the bytes that come free; to FILE as JSON
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "", value_hint = ValueHint::FilePath)]
    pub gc_plan: Option<String>,
    /// With --gc-plan: spare what was written in so long a time
    #[arg(long, value_name = "TIME", requires = "gc_plan", default_value = "24h")]
    pub grace: String,
    /// Write what is known of every blob, repository and tag to this file, as JSON Lines
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub facts: Option<PathBuf>,
    /// Write counts for Prometheus to this file, when it ends
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub metrics: Option<PathBuf>,
    /// Write findings as human, json, sarif, junit, github, html or markdown, to FILE or standard output; may be repeated
    #[arg(short = 'o', long, value_name = "FORMAT[=FILE]", value_parser = words::reports(), hide_possible_values = true)]
    pub report: Vec<String>,
    /// The same as --report json
    #[arg(long)]
    pub json: bool,
    /// Do not report what this JSON report of an earlier scrub has
    #[arg(long, value_name = "FILE", help_heading = "Levels", value_hint = ValueHint::FilePath)]
    pub baseline: Option<PathBuf>,
    #[command(flatten)]
    pub levels: Levels,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Subcommand)]
pub(super) enum ScrubCommand {
    Merge(Box<MergeArgs>),
    Status(Box<StatusArgs>),
}

/// Join the states of all parts into one report, without the storage.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  restow scrub merge part-0.db part-1.db\n  restow scrub merge --report json=scrub.json part-*.db\n\nThe report is that of a single run over the same storage, byte for byte."
)]
pub(super) struct MergeArgs {
    /// The states of all parts
    #[arg(required = true, value_name = "STATE", value_hint = ValueHint::FilePath)]
    pub state: Vec<PathBuf>,
    #[command(flatten)]
    pub telling: TellingArgs,
}

/// Say what a state proves: what was read, when and by which version, and what was not.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  restow scrub status scrub.db\n  restow scrub status --json scrub.db | jq .unread"
)]
pub(super) struct StatusArgs {
    /// The state
    #[arg(value_name = "STATE", value_hint = ValueHint::FilePath)]
    pub state: PathBuf,
    /// As JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub common: Common,
}

impl ScrubArgs {
    /// What is told by what judges.
    pub fn telling(&self) -> Option<&TellingArgs> {
        match &self.command {
            Some(ScrubCommand::Merge(args)) => Some(&args.telling),
            Some(ScrubCommand::Status(_)) => None,
            None => Some(&self.telling),
        }
    }

    pub fn common(&self) -> &Common {
        match &self.command {
            Some(ScrubCommand::Merge(args)) => &args.telling.common,
            Some(ScrubCommand::Status(args)) => &args.common,
            None => &self.telling.common,
        }
    }
}
