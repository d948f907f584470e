//! Single bytes and bits changed at random in sound archives of every form: none crashes or hangs restow, and none goes
//! unseen but those that no digest covers.
//!
//! Each change is *reported* (the findings differ), *neutral* (an independent reader sees the same members and the same
//! values), or *uncovered* (it is where no digest looks, which [`uncovered`] proves from the members). Anything else
//! fails the test. So it is with a comparison of the changed archive with the sound one, which reports by being anything
//! but the same, or by a finding that is no error where the images are still the same; and with a plain conversion: what
//! a check reports it refuses or tells, unless it is in what is left out, which it says that it does not look at. `RESTOW_MUTATIONS=N` makes N changes to each archive instead

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use restow::jobs::compare::{self, Aspects, Judged, Place};
use restow::read::Options;
use restow::rules::Policy;
use serde_json::Value;

use crate::common::tree_digest;
use crate::stored::case;
use crate::{Test, oracle};

/// One change may take this long, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(30);

static TOTAL: Mutex<[Counts; 2]> = Mutex::new([Counts { reported: 0, neutral: 0, uncovered: 0, told: 0 }; 2]);

/// What became of changes: in a check, and in a comparison.
#[derive(Clone, Copy, Default)]
struct Counts {
    reported: usize,
    neutral: usize,
    uncovered: usize,
    /// Only told, by a warning or note: the images are the same.
    told: usize,
}

pub fn tests() -> Vec<Test> {
    let changes = std::env::var("RESTOW_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(300);
    let tests = case::all().into_iter().map(|case| {
        Test::new(case.name.clone(), move || {
            let dir = tempfile::tempdir()?;
            mutate(&case.archive, dir.path(), changes)
        })
    });
    tests.collect()
}

/// Of the changes that were made, if any were.
#[expect(clippy::print_stdout, reason = "the sums are what a reader wants to know")]
pub fn print_sums() {
    let total = *TOTAL.lock().expect("no test panicked while counting");
    for (what, counts) in ["check", "compare"].into_iter().zip(total) {
        let Counts { reported, neutral, uncovered, told } = counts;
        if reported + neutral + uncovered + told > 0 {
            println!(
                "{what}: {reported} changes reported, {neutral} neutral, {uncovered} uncovered, {told} only told"
            );
        }
    }
}

/// The changed places are those of xorshift64 from a fixed start.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

fn mutate(archive: &Path, dir: &Path, changes: usize) -> Result<(), Failed> {
    let here = dir.join("archive");
    copy(archive, &here)?;
    let files: Vec<_> = if here.is_dir() {
        let names = tree_digest::files(&here)?.into_keys();
        names.map(|name| here.join(name)).collect()
    } else {
        vec![here.clone()]
    };
    let sizes: Vec<usize> =
        files.iter().map(|file| fs::metadata(file).map_or(0, |m| m.len() as usize)).collect();
    let before = judged(&here)?;
    let converted_before = converted(&here);
    let sound = Sound::read(&here)?;
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut counts = [Counts::default(); 2];
    for change in 0..changes {
        let mut place = random.below(sizes.iter().sum());
        let chosen = sizes.iter().position(|size| {
            let here = place < *size;
            place -= if here { 0 } else { *size };
            here
        });
        let Some(file) = chosen.map(|chosen| &files[chosen]) else { return Err("an empty archive".into()) };
        let whole = fs::read(file)?;
        let mut bytes = whole.clone();
        bytes[place] = if change % 2 == 0 {
            bytes[place] ^ 1 << random.below(8)
        } else {
            bytes[place].wrapping_add(1 + random.below(255) as u8)
        };
        fs::write(file, &bytes)?;
        let what =
            format!("byte {place} of {} changed from {} to {}", file.display(), whole[place], bytes[place]);
        let began = Instant::now();
        let after = catch_unwind(AssertUnwindSafe(|| judged(&here)));
        if began.elapsed() > PATIENCE {
            return Err(format!("{what}: took {:?}", began.elapsed()).into());
        }
        let after = after.map_err(|_| format!("{what}: panicked"))?.ok();
        let found = after.as_ref().map(|after| after.told());
        let checked = found.as_ref() != Some(&before.told());
        let compared = after.as_ref().is_none_or(|after| after.differs_from(&before));
        if checked {
            let after = catch_unwind(AssertUnwindSafe(|| converted(&here)));
            let after = after.map_err(|_| format!("{what}: convert panicked"))?;
            if after == converted_before && !after.passed_over {
                return Err(format!("{what}: unseen by convert: {after:?}").into());
            }
        }
        let unseen = match checked && compared {
            true => None,
            false => Some(sound.unseen(&here)),
        };
        for (seen, counts) in [checked, compared].into_iter().zip(&mut counts) {
            match &unseen {
                _ if seen => counts.reported += 1,
                None | Some(Ok(true)) => counts.neutral += 1,
                Some(Ok(false)) => counts.uncovered += 1,
                // A change that a check reports, of something that no image is made of.
                Some(Err(_)) if checked => counts.told += 1,
                Some(Err(why)) => return Err(format!("{what}: unseen: {why}").into()),
            }
        }
        fs::write(file, &whole)?;
    }
    let mut total = TOTAL.lock().map_err(|_| "a test panicked while counting")?;
    for (total, counts) in total.iter_mut().zip(counts) {
        total.reported += counts.reported;
        total.neutral += counts.neutral;
        total.uncovered += counts.uncovered;
        total.told += counts.told;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    if !from.is_dir() {
        return fs::copy(from, to).map(|_| ());
    }
    for name in tree_digest::files(from)?.into_keys() {
        let target = to.join(&name);
        fs::create_dir_all(target.parent().unwrap_or(to))?;
        fs::copy(from.join(&name), target)?;
    }
    Ok(())
}

/// What `restow check` and `restow compare` see of an archive; one that they cannot open is reported too.
struct Seen(Judged);

fn judged(archive: &Path) -> Result<Seen, Failed> {
    let opened = restow::open(archive, &restow::Options::default()).map_err(|error| error.to_string())?;
    let place = Place { archive: &opened, name: None, file: None };
    let judged = Judged::read(place, &Policy::default(), &Options::default(), &());
    Ok(Seen(judged.map_err(|error| error.to_string())?))
}

impl Seen {
    /// What a check finds.
    fn told(&self) -> BTreeSet<String> {
        let told = self.0.findings.iter();
        told.map(|f| format!("{} {} {:?}", f.rule.name, f.message, f.primary.location)).collect()
    }

    /// Whether a comparison with another archive says anything but that they are the same, and sound as that one is.
    fn differs_from(&self, other: &Seen) -> bool {
        let compared = compare::compare(&other.0.holding, &self.0.holding, Aspects::ALL);
        let differ = compared.iter().any(|compared| !compared.differences.is_empty());
        differ || self.0.faults.len() > other.0.faults.len()
    }
}

/// What a conversion came to, as far as it is told.
#[derive(Debug, PartialEq, Eq)]
struct Converted {
    end: String,
    findings: BTreeSet<String>,
    /// Whether it says that there is something beside the contents of layers at which it did not look.
    passed_over: bool,
}

/// Converts an archive to a tar that nobody keeps.
fn converted(archive: &Path) -> Converted {
    let options = restow::Options::default();
    let mut request = restow::Request::default();
    request.drop.artifacts = true;
    let to = restow::Destination::parse("oci-archive:-", restow::convert::DockerFormat::Universal);
    let outcome = to.and_then(|to| restow::convert(archive, to.writing(std::io::sink()), request, &options));
    match outcome {
        Err(error) => {
            Converted { end: format!("error: {error}"), findings: BTreeSet::new(), passed_over: false }
        }
        Ok(outcome) => {
            let told = outcome.findings.iter();
            let findings = told.map(|f| format!("{} {} {:?}", f.rule.name, f.message, f.primary.location));
            let (end, passed_over) = match outcome.end {
                restow::End::Written { account, unseen, .. } => {
                    let passed_over = unseen.iter().any(|unseen| unseen != "what is in layers");
                    (account.to_json("", ""), passed_over)
                }
                restow::End::Refused => ("refused".to_owned(), false),
            };
            Converted { end, findings: findings.collect(), passed_over }
        }
    }
}

/// The members of an archive before it was changed.
struct Sound {
    members: BTreeMap<String, Vec<u8>>,
    /// Text of every member that may name another.
    names: String,
}

impl Sound {
    fn read(archive: &Path) -> Result<Sound, Failed> {
        let members = oracle::members(archive)?;
        let texts = members.values().filter(|bytes| bytes.len() < 100_000);
        let names = texts.map(|bytes| String::from_utf8_lossy(bytes)).collect::<Vec<_>>().join("\n");
        Ok(Sound { members, names })
    }

    /// Whether a change that was not reported is neutral; `false` is uncovered, an error that it should be seen.
    fn unseen(&self, archive: &Path) -> Result<bool, String> {
        let after = oracle::members(archive).map_err(|error| format!("{:?}", error.message()))?;
        let mut neutral = true;
        let names: BTreeSet<&String> = self.members.keys().chain(after.keys()).collect();
        for name in names {
            match (self.members.get(name), after.get(name)) {
                (Some(before), Some(after)) if before == after => {}
                (Some(before), Some(after)) => neutral &= self.content(name, before, after)?,
                _ => neutral &= self.renamed(name)?,
            }
        }
        Ok(neutral)
    }

    /// A member came or went: nothing may need it, by digest or by name.
    fn renamed(&self, name: &str) -> Result<bool, String> {
        let base = name.rsplit('/').next().unwrap_or(name);
        let legacy = matches!(base, "VERSION" | "json" | "layer.tar" | "repositories" | "version");
        if legacy && !self.needed(name) { Ok(false) } else { Err(format!("{name} came or went")) }
    }

    /// Whether something names the member.
    fn needed(&self, name: &str) -> bool {
        // In the first era a directory is found by its name.
        self.names.contains(name)
    }

    /// A member has other bytes.
    fn content(&self, name: &str, before: &[u8], after: &[u8]) -> Result<bool, String> {
        let base = name.rsplit('/').next().unwrap_or(name);
        if name.contains("blobs/") || is_digest(base.trim_end_matches(".json").trim_end_matches(".tar")) {
            return Err(format!("{name}, which is named by its digest"));
        }
        let values = (serde_json::from_slice::<Value>(before), serde_json::from_slice::<Value>(after));
        let (Ok(old), Ok(new)) = values else {
            return uncovered(name, base, "").map(|()| false);
        };
        let mut places = Vec::new();
        differences(&old, &new, String::new(), &mut places);
        places.iter().try_for_each(|place| uncovered(name, base, place))?;
        Ok(places.is_empty())
    }
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Proves that no digest covers a place in a member, which is not named by its digest itself.
fn uncovered(name: &str, base: &str, place: &str) -> Result<(), String> {
    let holds = |parts: &[&str]| parts.iter().any(|part| place.contains(part));
    let fine = match base {
        // Names and annotations of entry points.
        "index.json" => holds(&["/annotations"]),
        // Tags; what else an item says points at members.
        "manifest.json" if !place.starts_with("/0") && !place.starts_with("/1") => {
            // A `dir:` layout: no digest of the manifest is written anywhere.
            holds(&["/annotations", "/urls"])
        }
        "manifest.json" => holds(&["/RepoTags", "/LayerSources", "/Parent"]),
        // Read by nothing where there is a newer list of images; else a list of names.
        "repositories" => true,
        // The first era has no digests; later ones write these members for it alone.
        "VERSION" | "json" | "layer.tar" => true,
        // `dir:`
        "version" => true,
        _ => base.contains("signature-"),
    };
    if fine { Ok(()) } else { Err(format!("{name} at `{place}`")) }
}

/// Pointers to the values that differ.
fn differences(old: &Value, new: &Value, place: String, out: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                match (a.get(key), b.get(key)) {
                    (Some(old), Some(new)) => differences(old, new, format!("{place}/{key}"), out),
                    _ => out.push(format!("{place}/{key}")),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (old, new)) in a.iter().zip(b).enumerate() {
                differences(old, new, format!("{place}/{i}"), out);
            }
        }
        _ if old == new => {}
        _ => out.push(place),
    }
}
