//! `restow scrub`: proves a whole storage.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use indicatif::HumanBytes;

use super::remote::Side;
use super::report::{Own, Reports, write};
use super::scrub_args::{ScrubArgs, ScrubCommand, StatusArgs, TellingArgs};
use super::scrub_progress::{Watching, after_signal};
use super::shell::Shell;
use super::status::{FAILED, WRONG};
use crate::colour::STRONG_RED;
use crate::command::{HumanOptions, Outgoing, Used, Verdict, counted, human};
use crate::error::{Context as _, Error, Result};
use crate::escape::escape_str;
use crate::report::Summary;
use crate::scrub::{
    Counters, Extras as ScrubExtras, Garbage, Request as ScrubRequest, Sample, Scrubbed, Shard,
};
use crate::time::rfc3339;
use crate::{Level, Options, Place, Policy};

/// Blobs that could not be read are told up to so many.
const UNREADABLE: usize = 16;

pub(super) fn run(args: &ScrubArgs, policy: &Policy, shell: &Shell) -> Result<u8> {
    match &args.command {
        Some(ScrubCommand::Status(args)) => return status(args, shell).map(|()| 0),
        Some(ScrubCommand::Merge(args)) => {
            let network = shell.network(Side::First)?;
            return told(&args.telling, None, shell, policy, |options, counters, extras| {
                crate::scrub::merge(&args.state, &network, options, counters, extras)
            });
        }
        None => {}
    }
    let place = Place::parse(args.place.as_deref().unwrap_or_default())?;
    let part = args.shard.as_deref().map(shard).transpose()?;
    let request = ScrubRequest {
        state: args.state.as_deref().map(|state| numbered(state, part)),
        shard: part,
        max_age: args.max_age.as_deref().map(time).transpose()?,
        max_duration: args.max_duration.as_deref().map(time).transpose()?,
        sample: args.sample.as_deref().map(Sample::parse).transpose()?,
        checksums: args.checksums.clone(),
        adopt: args.adopt,
    };
    if request.state.is_none() {
        shell.say("without --state nothing is kept: a run that is ended begins anew");
    }
    let registry = shell.registry(&place, Side::First)?;
    if registry.all_tags || registry.names.is_some() {
        let option = if registry.all_tags { "--all-tags" } else { "--names-from" };
        let message = format!("{option} does not go with scrub, which reads every tag of every repository");
        return Err(Error::refused_help(message, "give one repository, docker://HOST/NAME, or leave it out"));
    }
    told(&args.telling, Some(&place), shell, policy, |options, counters, extras| {
        crate::scrub::run(&place, &request, &registry, options, counters, extras)
    })
}

/// Does it, with progress, and tells what it came to.
fn told(
    telling: &TellingArgs,
    place: Option<&Place>,
    shell: &Shell,
    policy: &Policy,
    job: impl FnOnce(&Options<'_>, &Counters, ScrubExtras<'_>) -> Result<Scrubbed>,
) -> Result<u8> {
    let mut reports = Reports::parse(&telling.report, telling.json, None, Own::Stdout)?;
    if let Some(place) = place {
        reports.apart(place, Used::Read)?;
    }
    let counters = Counters::default();
    let began = Instant::now();
    let grace = telling.gc_plan.as_ref().map(|_| time(&telling.grace)).transpose()?;
    let network = shell.network(Side::First)?;
    let plain = shell.options(&(), false)?;
    let outgoing = |file: &Path| Outgoing::to(file, &network, &plain);
    let mut facts = telling.facts.as_deref().map(outgoing).transpose()?;
    let done = {
        let watching = Watching::new(&shell.common, &counters);
        let options = Options {
            policy: policy.clone(),
            ..shell.options(&watching, place.is_some_and(Place::is_remote))?
        };
        let out = facts.as_mut().map(|facts| facts as &mut dyn Write);
        watching.while_it(|| job(&options, &counters, ScrubExtras { grace, facts: out }))
    };
    let scrubbed = match done {
        Ok(scrubbed) => scrubbed,
        Err(Error::Cancelled) => {
            shell.say("interrupted: with --state, the same command goes on where this one ended");
            return Ok(after_signal());
        }
        Err(error) => {
            if let Some(place) = place {
                reports.failed(&place.text, &error);
                reports.finish(shell, None)?;
            }
            return Err(error);
        }
    };
    shell.say(&came(&scrubbed, &counters));
    if let Some(sums) = counters.unproved_sums() {
        shell.say(&format!("checksums that prove nothing: {sums}"));
    }
    for why in scrubbed.unreadable.iter().take(UNREADABLE) {
        shell.say(&format!("{}: {}", shell.paint_error(STRONG_RED, "not read"), escape_str(why)));
    }
    let wrong = draw(&scrubbed, &mut reports, shell)?;
    reports.finish(shell, None)?;
    facts.map_or(Ok(()), Outgoing::keep)?;
    if let (Some(plan), Some(file)) = (&scrubbed.plan, &telling.gc_plan) {
        match file.is_empty() {
            true => shell.say(&planned(plan, shell.common.verbose)),
            false => {
                let text = crate::json::safe::pretty(plan) + "\n";
                write(Path::new(file), text.as_bytes())?;
            }
        }
    }
    if let Some(file) = &telling.metrics {
        let counts = metrics(&scrubbed, &counters, began.elapsed());
        match file.to_str().is_some_and(Place::begins_in_bucket) {
            false => write(file, counts.as_bytes())?,
            true => {
                let mut out = outgoing(file)?;
                out.write_all(counts.as_bytes()).at("cannot write", file)?;
                out.keep()?;
            }
        }
    }
    let incomplete = telling.require_complete && !scrubbed.is_complete();
    if incomplete {
        shell.error(&Error::refused_help("not every blob was read", "run it again, with the same --state"));
    }
    Ok(match (incomplete || !scrubbed.unreadable.is_empty(), wrong) {
        (true, _) => FAILED,
        (false, true) => WRONG,
        (false, false) => 0,
    })
}

/// What a collection of garbage would do, in lines.
fn planned(plan: &Garbage, whole: bool) -> String {
    const SHOWN: usize = 10;
    let are = |count: u64| if count == 1 { "1 is".to_owned() } else { format!("{count} are") };
    let mut lines = vec![format!(
        "a collection of garbage would take {}, {}; {} too young",
        counted(plan.blobs, "blob"),
        HumanBytes(plan.bytes),
        are(plan.young),
    )];
    lines.extend((plan.passed > 0).then(|| {
        format!(
            "  of the layouts {} passed over, as not all of their documents can be read",
            are(plan.passed)
        )
    }));
    let most = if whole { usize::MAX } else { SHOWN };
    let breaks = plan.breaks.iter().take(most);
    lines.extend(breaks.map(|lost| {
        format!(
            "  it would break {}, which needs {}",
            escape_str(&lost.tag),
            human::shortened(&lost.digest, "…")
        )
    }));
    let more = plan.breaks.len().saturating_sub(most) as u64 + plan.more_breaks;
    lines.extend((more > 0).then(|| format!("  and {more} more")));
    lines.join("\n")
}

/// Counts as Prometheus reads them.
fn metrics(scrubbed: &Scrubbed, counters: &Counters, taken: Duration) -> String {
    let get = Counters::get;
    let summary = scrubbed.told.as_ref().map(|told| Summary::of(&told.levelled())).unwrap_or_default();
    let mut out = String::new();
    let mut metric = |name: &str, help: &str, values: &[(&str, f64)]| {
        out.push_str(&format!("# HELP restow_scrub_{name} {help}\n# TYPE restow_scrub_{name} gauge\n"));
        for (label, value) in values {
            out.push_str(&format!("restow_scrub_{name}{label} {value}\n"));
        }
    };
    let one = |count: u64| [("", count as f64)];
    metric("repositories", "Repositories that were judged.", &one(scrubbed.judged.repositories));
    metric("blobs", "Blobs of the storage.", &one(scrubbed.judged.blobs));
    metric("bytes", "Bytes of those.", &one(scrubbed.judged.bytes));
    metric("read_blobs", "Blobs that this run read.", &one(get(&counters.read)));
    metric("read_bytes", "Bytes of those.", &one(get(&counters.read_bytes)));
    metric("known_blobs", "Blobs of which enough was known.", &one(get(&counters.kept)));
    metric("store_blobs", "Blobs that the store's checksums proved.", &one(get(&counters.store)));
    metric(
        "left_blobs",
        "Blobs that were left unread.",
        &one(scrubbed.left() + scrubbed.unreadable.len() as u64),
    );
    metric(
        "faulty_blobs",
        "Blobs that are not what their digests say, or cannot be decompressed.",
        &one(get(&counters.faults)),
    );
    let levels = [
        ("{level=\"error\"}", summary.errors as f64),
        ("{level=\"warning\"}", summary.warnings as f64),
        ("{level=\"note\"}", summary.notes as f64),
    ];
    metric("findings", "Findings by level.", &levels);
    metric("complete", "Whether every blob was read.", &one(u64::from(scrubbed.is_complete())));
    metric("duration_seconds", "How long it took.", &[("", taken.as_secs_f64())]);
    let ended = scrubbed.metas.iter().filter_map(|meta| meta.run.ended).max().unwrap_or_default();
    metric("ended_seconds", "When it ended, in seconds from 1970.", &one(ended));
    out
}

/// Draws what was found; whether anything is an error.
fn draw(scrubbed: &Scrubbed, reports: &mut Reports, shell: &Shell) -> Result<bool> {
    let Some(told) = &scrubbed.told else {
        shell.say("no part is judged by itself: restow scrub merge joins the states of all parts");
        return Ok(false);
    };
    let findings = told.levelled();
    let judged = &scrubbed.judged;
    let what = format!("{}, {}", pieces(told.form, judged.repositories), counted(judged.blobs, "blob"));
    let least = shell.least();
    let drawn = findings.iter().filter(|(level, _)| *level >= least).map(|(_, finding)| finding.rule.name);
    let repair =
        told.suggested(&findings).map(|command| format!("`{command}` puts right what other places have"));
    let unproved = told.unproved().map(|what| format!("not verified: {what}"));
    let hints: Vec<String> =
        unproved.into_iter().chain(repair).chain(human::pages(&drawn.collect())).collect();
    let meta = scrubbed.metas.first();
    let place = meta.map_or("", |meta| meta.typed.as_str());
    let verdict = Verdict {
        place,
        what: &what,
        findings: &findings,
        images: &[],
        hints: &hints,
        lowered: &told.lowered,
    };
    if reports.human {
        let options: HumanOptions = shell.human(&io::stdout());
        shell.print(&shell.report_of(&verdict, told, options))?;
    }
    let path = meta.filter(|_| told.form != "docker").map(|meta| Path::new(&meta.place));
    reports.add_told(shell, &verdict, told, path);
    Ok(findings.iter().any(|(level, _)| *level == Level::Error))
}

/// How many repositories there are, or layouts.
fn pieces(form: &str, count: u64) -> String {
    match (form, count) {
        ("oci", _) => counted(count, "layout"),
        (_, 1) => "1 repository".to_owned(),
        _ => format!("{count} repositories"),
    }
}

/// What a run did, in a line or two.
fn came(scrubbed: &Scrubbed, counters: &Counters) -> String {
    let get = Counters::get;
    let mut text = String::new();
    if get(&counters.listed) > 0 {
        text = format!(
            "read {} of {} ({} of {})",
            get(&counters.read),
            counted(get(&counters.listed), "blob"),
            HumanBytes(get(&counters.read_bytes)),
            HumanBytes(get(&counters.listed_bytes))
        );
    }
    let mut more = |count: u64, what: &str| {
        if count > 0 {
            text.push_str(if text.is_empty() { "" } else { ", " });
            text.push_str(&format!("{count} {what}"));
        }
    };
    more(get(&counters.store), "by the store's checksums");
    more(get(&counters.kept), "known from before");
    more(scrubbed.left(), "left unread");
    more(scrubbed.unreadable.len() as u64, "could not be read");
    more(get(&counters.meanwhile), "came, went or changed meanwhile");
    more(
        scrubbed.judged.younger,
        "repositories changed while parts were read, and what they seem to miss is not told",
    );
    if text.is_empty() { format!("joined {}", counted(scrubbed.metas.len() as u64, "part")) } else { text }
}

fn status(args: &StatusArgs, shell: &Shell) -> Result<()> {
    let status = crate::scrub::status(&args.state, &shell.network(Side::First)?, &shell.limits()?)?;
    if args.json {
        return shell.print(&(crate::json::safe::pretty(&status) + "\n"));
    }
    let meta = &status.meta;
    let time = |at: Option<u64>| {
        at.map_or_else(|| "never".to_owned(), |at| rfc3339(UNIX_EPOCH + Duration::from_secs(at)))
    };
    let part = meta.shard.map_or_else(|| "all of it".to_owned(), |shard| format!("part {shard}"));
    let run = match meta.run.ended {
        Some(_) => format!("run {}, ended {}", meta.run.number, time(meta.run.ended)),
        None => format!("run {}, begun {}, not ended", meta.run.number, time(Some(meta.run.began))),
    };
    let versions: Vec<String> =
        status.by_version.iter().map(|(version, count)| format!("{count} by {version}")).collect();
    let mut lines = vec![
        format!("{}, {part}, {run}", escape_str(&meta.place)),
        format!(
            "  {}, {}, {}",
            pieces(&meta.form, status.repositories),
            counted(status.blobs, "blob"),
            HumanBytes(status.bytes)
        ),
        format!("  proved: {}, {}", counted(status.sound, "blob"), HumanBytes(status.sound_bytes)),
    ];
    lines.extend((status.by_store > 0).then(|| {
        format!(
            "  proved by the store's checksums, size and digest only: {}, {}",
            counted(status.by_store, "blob"),
            HumanBytes(status.by_store_bytes)
        )
    }));
    lines.extend((status.wrong > 0).then(|| format!("  wrong: {}", counted(status.wrong, "blob"))));
    lines.extend((status.unread > 0).then(|| format!("  not read: {}", counted(status.unread, "blob"))));
    if status.oldest.is_some() {
        let (oldest, newest) = (time(status.oldest), time(status.newest));
        let by = if versions.is_empty() { String::new() } else { format!(": {}", versions.join(", ")) };
        let proved = if status.by_store > 0 { "proved" } else { "read" };
        lines.push(format!("  {proved} from {oldest} to {newest}{by}"));
    }
    shell.print(&(lines.join("\n") + "\n"))
}

/// `30d`, `12h`, `90m`, `60s`.
fn time(text: &str) -> Result<Duration> {
    let unit = |unit| match unit {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(3_600),
        'd' => Some(86_400),
        'w' => Some(604_800),
        _ => None,
    };
    let parsed = text
        .char_indices()
        .next_back()
        .and_then(|(at, last)| text.get(..at)?.parse::<u64>().ok()?.checked_mul(unit(last)?));
    let wrong =
        || Error::refused(format!("a time is a number with s, m, h, d or w, such as 30d, not `{text}`"));
    parsed.map(Duration::from_secs).ok_or_else(wrong)
}

/// The state of a part: `{}` in its name is the number of the part.
fn numbered(state: &Path, part: Option<Shard>) -> PathBuf {
    match (part, state.to_str()) {
        (Some(Shard { index, .. }), Some(text)) => text.replace("{}", &index.to_string()).into(),
        _ => state.to_owned(),
    }
}

/// What schedulers say which part it is, and of how many.
const SCHEDULERS: &[(&str, &str)] = &[
    ("JOB_COMPLETION_INDEX", "RESTOW_SHARDS"),
    ("AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_SIZE"),
    ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT"),
];

fn shard(text: &str) -> Result<Shard> {
    if text != "auto" {
        return Shard::parse(text);
    }
    for (index, count) in SCHEDULERS {
        let Ok(i) = std::env::var(index) else { continue };
        let Ok(n) = std::env::var(count) else {
            let message = format!("{index} is set, and {count} is not: nobody says how many parts there are");
            return Err(Error::refused_help(message, format!("set {count}")));
        };
        return Shard::parse(&format!("{i}/{n}"));
    }
    let names: Vec<&str> = SCHEDULERS.iter().map(|(index, _)| *index).collect();
    let message = format!("--shard auto finds none of {}", names.join(", "));
    Err(Error::refused_help(message, "give --shard I/N"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_they_are_typed() {
        assert_eq!(time("30d").expect("a time"), Duration::from_secs(30 * 86_400));
        assert_eq!(time("90m").expect("a time"), Duration::from_secs(5_400));
        for wrong in ["", "d", "30", "-1h", "1x", "99999999999999999999w", "1é"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
