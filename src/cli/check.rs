//! `restow check`: judges archives.

use std::collections::BTreeSet;
use std::io;

use super::args::{CheckArgs, LoneArg};
use super::open::open;
use super::progress::Told;
use super::remote::Side;
use super::report::{Own, Reports};
use super::shell::Shell;
use super::status::{FAILED, WRONG};
use crate::error::Result;
use crate::escape::escape_str;
use crate::{Form, HumanOptions, Options, Place, Policy, Summary, human};

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
    let archive = open(place, Side::First, shell, |source| source.or_alone(kind.map(LoneArg::kind)))?;
    if let Some(name) = &place.name {
        // A name behind the place must exist; everything is judged all the same.
        archive.must_hold(name)?;
    }
    let told = Told::new(&shell.common);
    let report = crate::check(&archive, &Options { policy: policy.clone(), ..shell.options(&told)? })?;
    let levelled = policy.levelled(&report.findings);
    let what = archive.summary();
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
