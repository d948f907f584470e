//! `restow check`: judges archives.

use std::collections::BTreeSet;
use std::io;

use super::args::{CheckArgs, LoneArg, VerifyArg};
use super::open::open;
use super::progress::Told;
use super::remote::{Side, platforms};
use super::report::{Own, Reports};
use super::shell::{Doing, Shell, doing};
use super::status::{FAILED, WRONG};
use crate::command::{HumanOptions, Looked, Proof, Used, Verdict, human};
use crate::convert::Fixing;
use crate::error::Result;
use crate::platform::Specifier;
use crate::{Archive, Finding, Form, Level, Options, Part, Place, Policy};

pub(super) fn run(args: &CheckArgs, policy: &Policy, shell: &Shell) -> Result<u8> {
    let mut reports = Reports::parse(&args.report, args.json, None, Own::Stdout)?;
    reports.with_fixes(args.fixes.as_deref())?;
    let mut places = Vec::new();
    for source in &args.source {
        let place = Place::parse(source)?;
        reports.apart(&place, Used::Read)?;
        places.push(place);
    }
    let wanted = platforms(&args.platform)?;
    let mut total = Total { alone: places.len() == 1, ..Total::default() };
    doing(if shell.common.quiet { Doing::Nothing } else { Doing::Judging });
    for place in &places {
        if let Err(error) = check_one(place, (args, &wanted), policy, shell, &mut reports, &mut total) {
            shell.error(&error);
            reports.failed(&place.text, &error);
            total.failed += 1;
        }
    }
    if reports.human && !total.alone {
        shell.print(&total.told(shell, shell.human(&io::stdout())))?;
    }
    reports.finish(shell, None)?;
    doing(Doing::Nothing);
    Ok(match total {
        Total { failed: 1.., .. } => FAILED,
        Total { unsound: 1.., .. } => WRONG,
        _ => 0,
    })
}

/// What all sources came to.
#[derive(Default)]
struct Total {
    /// Whether there is one source, which needs no total.
    alone: bool,
    /// Sources in which nothing is an error.
    sound: usize,
    /// Sources in which something is.
    unsound: usize,
    /// Sources that could not be judged.
    failed: usize,
    /// Whether something was printed already.
    printed: bool,
    /// Rules that found something which was drawn.
    rules: BTreeSet<&'static str>,
}

impl Total {
    /// The last lines of several sources for people: where the rules are explained, and what they all came to.
    fn told(&self, shell: &Shell, options: HumanOptions) -> String {
        if shell.common.quiet && self.unsound + self.failed == 0 {
            return String::new();
        }
        let pages = human::pages(&self.rules).map(|text| human::hint(&text, options)).unwrap_or_default();
        pages + &human::verdict::total(self.sound, self.unsound, self.failed, options)
    }
}

fn check_one(
    place: &Place,
    (args, platforms): (&CheckArgs, &[Specifier]),
    policy: &Policy,
    shell: &Shell,
    reports: &mut Reports,
    total: &mut Total,
) -> Result<()> {
    let kind = args.as_;
    // A registry is asked for these alone; of an archive they are the part that is judged.
    let asked = if place.is_registry() { platforms } else { &[] };
    let archive =
        open(place, (Side::First, asked), shell, |source| source.or_alone(kind.map(LoneArg::kind)))?;
    let part = part(place, args, platforms, &archive)?;
    let told = Told::new(&shell.common);
    let options = Options {
        policy: policy.clone(),
        contents: reports.is_drawn(),
        verify: args.verify.verify(),
        ..shell.options(&told, place.is_remote())?
    };
    let report = match &part {
        Some(part) => part.check(&archive, &options)?,
        None => crate::check(&archive, &options)?,
    };
    let findings = report.levelled();
    let what = part.as_ref().map_or_else(|| archive.summary(), |part| part.summary(&archive));
    let least = shell.least();
    let drawn = findings.iter().filter(|(level, _)| *level >= least);
    let drawn: BTreeSet<&'static str> = drawn.map(|(_, finding)| finding.rule.name).collect();
    // What was not looked at is said, whatever was found.
    let mut hints: Vec<String> =
        unseen(args.verify, place.is_registry()).into_iter().map(str::to_owned).collect();
    if kind.is_none() && archive.form == Form::Document && !drawn.is_empty() {
        // A wrong guess explains every finding.
        hints.push(format!("taken for {what}; --as judges it as something else"));
    }
    hints.extend(fixable(&findings, least));
    // Of several sources, the total says it.
    hints.extend(human::pages(&drawn).filter(|_| total.alone));
    let images = match &part {
        _ if drawn.is_empty() => Vec::new(),
        Some(part) => part.images(&archive),
        None => crate::command::images(&archive),
    };
    let (text, lowered) = (&place.text, &report.lowered);
    let verdict =
        Verdict { place: text, what: &what, findings: &findings, images: &images, hints: &hints, lowered };
    if reports.human {
        let text = shell.report(&verdict, &archive, shell.human(&io::stdout()));
        // Findings of one source are not taken for those of the one above.
        let gap = if total.printed && !drawn.is_empty() { "\n" } else { "" };
        total.printed |= !text.is_empty();
        shell.print(&format!("{gap}{text}"))?;
    }
    let proof = proof(args.verify);
    let shown: Vec<String> = args.image.iter().chain(&place.name).cloned().collect();
    let looked =
        Looked { proof, changes: Some(&report.changes), images: &shown, part: part.as_ref(), file: None };
    reports.add(shell, place, &archive, &verdict, looked);
    if verdict.is_sound() {
        total.sound += 1
    } else {
        total.unsound += 1
    }
    total.rules.extend(drawn);
    Ok(())
}

/// What it proves.
pub(super) fn proof(verify: VerifyArg) -> Proof {
    match verify {
        VerifyArg::All => Proof::All,
        VerifyArg::Digests => Proof::Digests,
    }
}

/// That there are fixes of what was drawn, where a conversion makes some by itself.
fn fixable(findings: &[(Level, &Finding)], least: Level) -> Option<String> {
    let safe = |finding: &Finding| finding.fix.as_ref().is_some_and(|fix| Fixing::Safe.takes(fix));
    let count = findings.iter().filter(|(level, finding)| *level >= least && safe(finding)).count();
    let (s, them) = if count == 1 { ("", "it") } else { ("s", "them") };
    (count > 0).then(|| {
        format!("{count} finding{s} can be fixed: `restow check --fixes FILE` lists {them}, `restow convert --fix safe` makes {them}")
    })
}

/// What `--verify digests` leaves unseen.
pub(super) fn unseen(verify: VerifyArg, is_remote: bool) -> Option<&'static str> {
    match (verify, is_remote) {
        (VerifyArg::All, _) => None,
        (VerifyArg::Digests, true) => {
            Some("layers were not read: the registry says that it has them, and how large they are")
        }
        (VerifyArg::Digests, false) => {
            Some("layers were hashed, not decompressed: their diff IDs were not verified")
        }
    }
}

/// What is to be judged, if that is not all.
fn part(place: &Place, args: &CheckArgs, platforms: &[Specifier], archive: &Archive) -> Result<Option<Part>> {
    // What was asked of a registry by name is all that was opened, and for these platforms only.
    let named = place.name.iter().filter(|_| !place.is_registry()).cloned();
    let images: Vec<String> = named.chain(args.image.iter().cloned()).collect();
    if images.is_empty() && (platforms.is_empty() || place.is_registry()) {
        return Ok(None);
    }
    Part::of(archive, &images, platforms).map(Some)
}
