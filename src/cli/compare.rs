//! `restow compare`: do two places hold the same images?

use super::args::{CompareArgs, Ignore};
use super::check::{proof, unseen};
use super::compared;
use super::open::open;
use super::progress::Told;
use super::remote::{Side, platforms};
use super::report::Reports;
use super::shell::{Doing, Shell, doing};
use super::status::WRONG;
use crate::command::{Look, Looked, Verdict, human};
use crate::error::{Error, Result};
use crate::escape::escape_str;
use crate::{Aspects, Options, Place, Policy};

pub(super) fn run(args: &CompareArgs, policy: &Policy, shell: &Shell) -> Result<u8> {
    if args.a == "-" && args.b == "-" {
        return Err(Error::refused("only one of the places can be standard input"));
    }
    let (first, second) = (Place::parse(&args.a)?, Place::parse(&args.b)?);
    shell.sides_are_clear(&first, &second)?;
    let mut reports = Reports::of_view("compare", &args.report, args.json)?;
    reports.apart(&first, crate::command::Used::Read)?;
    reports.apart(&second, crate::command::Used::Read)?;
    // Of a registry and an archive, the images of the registry that the archive was made of.
    let (wanted, none) = (platforms(&args.platform)?, Vec::new());
    let any = first.is_registry() || second.is_registry();
    let of = |place: &Place| if any && !place.is_registry() { &none } else { &wanted };
    doing(if shell.common.quiet { Doing::Nothing } else { Doing::Judging });
    let a = open(&first, (Side::First, of(&first)), shell, |source| source)?;
    let b = open(&second, (Side::Second, of(&second)), shell, |source| source)?;
    let told = Told::new(&shell.common);
    let options = Options {
        policy: policy.clone(),
        contents: reports.is_drawn(),
        verify: args.verify.verify(),
        ..shell.options(&told, any)?
    };
    let sides = ((&a, first.name.as_deref()), (&b, second.name.as_deref()));
    let comparison = crate::compare(sides.0, sides.1, aspects(&args.ignore), &options)?;
    reports.compared(&comparison, &args.a, &args.b);
    for (place, archive, judged) in [(&first, &a, &comparison.a), (&second, &b, &comparison.b)] {
        let findings: Vec<_> = judged.findings.iter().map(|finding| (finding.level, finding)).collect();
        let (what, images) = (archive.summary(), crate::command::images(archive));
        let lowered = &judged.lowered;
        let verdict = Verdict {
            place: &place.text,
            what: &what,
            findings: &findings,
            images: &images,
            hints: &[],
            lowered,
        };
        let name: Vec<String> = place.name.iter().cloned().collect();
        let looked = Looked {
            proof: proof(args.verify),
            changes: Some(&judged.changes),
            images: &name,
            part: None,
            file: None,
        };
        reports.add(shell, place, archive, &verdict, looked);
    }
    reports.own(|| comparison.to_json([(&args.a, &a), (&args.b, &b)]));
    // A report on standard output takes the place of all this.
    if !(reports.takes_stdout() || comparison.is_same() && shell.common.quiet) {
        for (letter, place, archive, judged) in
            [("A", &args.a, &a, &comparison.a), ("B", &args.b, &b, &comparison.b)]
        {
            let faults: Vec<_> = judged.faults.iter().map(|fault| (fault.level, fault)).collect();
            let lowered = &judged.lowered;
            let words = if shell.common.quiet { Vec::new() } else { lowered.words() };
            for words in words.iter().filter(|_| faults.is_empty()) {
                shell.print(&format!("{letter} = {}: {}\n", escape_str(place), escape_str(words)))?;
            }
            if !faults.is_empty() {
                let (place, what) = (format!("{letter} = {place}"), archive.summary());
                let verdict = Verdict {
                    place: &place,
                    what: &what,
                    findings: &faults,
                    images: &[],
                    hints: &[],
                    lowered,
                };
                shell.print(&shell.report(&verdict, archive, shell.human(&std::io::stdout())))?;
            }
        }
        let look = Look { color: shell.color_out(), width: shell.cut() };
        let mut text = String::new();
        for line in comparison.lines(shell.common.quiet) {
            compared::line(&escape_str(&line), look, &mut text);
        }
        let remote = [first.is_registry(), second.is_registry()];
        for remote in if remote[0] == remote[1] { &remote[..1] } else { &remote[..] } {
            if let Some(hint) = unseen(args.verify, *remote) {
                text += &human::hint(hint, shell.human(&std::io::stdout()));
            }
        }
        compared::verdict(&escape_str(&comparison.verdict(&args.a, &args.b)), look, &mut text);
        shell.print_read(&text)?;
    }
    reports.finish(shell, None)?;
    doing(Doing::Nothing);
    Ok(if comparison.is_same() { 0 } else { WRONG })
}

fn aspects(ignored: &[Ignore]) -> Aspects {
    let compared = |aspect| !ignored.contains(&aspect);
    Aspects {
        names: compared(Ignore::Names),
        digests: compared(Ignore::Digests),
        layers: compared(Ignore::Layers),
        platforms: compared(Ignore::Platforms),
        annotations: compared(Ignore::Annotations),
    }
}
