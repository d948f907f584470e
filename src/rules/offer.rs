//! The command that does something about a finding, where it would not be refused: what else was found, and what the
//! archive is, decide whether it is offered.

use std::collections::{BTreeMap, HashSet};

use super::Policy;
use crate::finding::{Command, Finding, Fixing, Integrity, Level, Opt, Remedy, Rule};
use crate::model::{Archive, Form, Name, NodeId, referrers, select};

/// Gives findings their commands. Levels are those in force.
pub fn offer(archive: &Archive, policy: &Policy, findings: &mut [Finding]) {
    let mut blocking: BTreeMap<&str, &'static Rule> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| policy.blocks(finding.rule)) {
        blocking.insert(finding.rule.name, finding.rule);
    }
    let blocking: Vec<&'static Rule> = blocking.into_values().collect();
    let mut known: BTreeMap<&str, Option<Command>> = BTreeMap::new();
    for finding in findings.iter_mut().filter(|finding| finding.command.is_none()) {
        let rule = finding.rule;
        let command = known.entry(rule.name).or_insert_with(|| match rule.remedy {
            Remedy::None | Remedy::Shown(_) => None,
            Remedy::Raise(name) => Some(Command::raise(name, None)),
            Remedy::Prefix(prefix) => Some(Command::prefix(prefix)),
            Remedy::Convert(_) => convert(archive, rule, &blocking),
        });
        finding.command.clone_from(command);
    }
}

/// What `restow repair` puts right where it has the bytes.
const REPAIRED: &[&str] =
    &["blob/missing", "blob/digest-mismatch", "storage/missing-child", "storage/tag-without-target"];

/// What it sends to a live registry where it has the bytes.
const SENT: &[&str] = &["blob/missing", "storage/tag-without-target"];

/// What to run next, the likeliest first: of fixes and repairs where nothing else would keep them from mending anything, then
/// the commands of single findings. Levels are those in force.
pub fn suggest(archive: &Archive, findings: &[(Level, &Finding)]) -> Vec<Command> {
    let mut all = Vec::new();
    let files = matches!(archive.form, Form::DockerArchive | Form::Oci | Form::Dir | Form::RegistryStorage);
    let fixed = |by: Fixing, finding: &Finding| finding.fix.as_ref().is_some_and(|fix| by.takes(fix));
    let some = |by: Fixing| findings.iter().any(|(_, finding)| fixed(by, finding));
    let blocks = |level: Level, rule: &Rule| match rule.integrity {
        Integrity::Hard => true,
        Integrity::Soft => level == Level::Error,
        Integrity::No => false,
    };
    let free = |by: Fixing| {
        let mut blocking = findings.iter().filter(|(level, finding)| blocks(*level, finding.rule));
        blocking.all(|(_, finding)| fixed(by, finding))
    };
    if files && some(Fixing::Safe) && free(Fixing::Safe) {
        all.push(Command::convert(["--fix", "safe"].map(str::to_owned)));
    } else if some(Fixing::All) {
        all.push(Command::fixes());
    }
    let named = |names: &[&str]| findings.iter().any(|(_, finding)| names.contains(&finding.rule.name));
    let folder = files && archive.tree.is_folder() && archive.form != Form::DockerArchive;
    let sent = archive.form == Form::Registry && named(SENT);
    if folder && named(REPAIRED) || sent {
        all.push(Command::repair());
    } else if files && named(&["blob/missing"]) {
        all.push(Command::fill());
    }
    for command in findings.iter().filter_map(|(_, finding)| finding.command.as_ref()) {
        if !all.contains(command) {
            all.push(command.clone());
        }
    }
    all
}

#[cfg(feature = "scrub")]
/// As [`suggest`], of a storage or a live registry whose archives are not at hand: what other places have is put right.
pub fn suggest_repair(live: bool, findings: &[(Level, &Finding)]) -> Option<Command> {
    let rules = if live { SENT } else { REPAIRED };
    let repaired = |(_, finding): &(Level, &Finding)| rules.contains(&finding.rule.name);
    findings.iter().any(repaired).then(Command::repair)
}

/// A conversion that mends what a rule finds, and with it whatever would keep it from writing; `None` if there is none.
fn convert(archive: &Archive, rule: &'static Rule, blocking: &[&'static Rule]) -> Option<Command> {
    if !matches!(archive.form, Form::DockerArchive | Form::Oci | Form::Dir | Form::RegistryStorage) {
        return None;
    }
    let mut options: Vec<[String; 2]> = Vec::new();
    let others = blocking.iter().copied().filter(|other| other.name != rule.name);
    for rule in std::iter::once(rule).chain(others) {
        let Remedy::Convert(wanted) = rule.remedy else { return None };
        for option in wanted {
            let words = resolved(archive, *option, rule)?;
            // Two values of one option: no single command does both.
            let clash = |known: &&[String; 2]| known[0] == words[0] && known[0] != "-W";
            match options.iter().find(clash) {
                Some(known) if *known != words => return None,
                Some(_) => {}
                None => options.push(words),
            }
        }
    }
    Some(Command::convert(options.into_iter().flatten()))
}

/// An option with what the archive has for it; `None` if it has nothing.
fn resolved(archive: &Archive, option: Opt, rule: &Rule) -> Option<[String; 2]> {
    let [name, value] = option.words(rule);
    let value = match option {
        Opt::Lower | Opt::Compress(_) | Opt::ManifestFormat(_) | Opt::Drop(_) => value,
        Opt::Tag => Some(value).filter(|_| is_one(archive))?,
        Opt::Image => Some(value).filter(|_| !archive.roots.is_empty())?,
        Opt::Platform => whole_platform(archive)?,
    };
    Some([name, value])
}

/// Whether there is one image to give a name, beside what is about it.
fn is_one(archive: &Archive) -> bool {
    let about = referrers::about(archive);
    let roots = archive.roots.iter().enumerate().filter(|(i, _)| !about.contains_key(i));
    roots.map(|(_, root)| root.node).collect::<HashSet<NodeId>>().len() == 1
}

/// The platform of the first image below an index that has a name, or of any, of which everything is there.
fn whole_platform(archive: &Archive) -> Option<String> {
    let named = archive.roots.iter().filter(|root| root.name != Name::None);
    named.chain(&archive.roots).find_map(|root| {
        let images = select::images_below(archive, root.node, root.descriptor.as_deref());
        let whole = |node: NodeId| archive.node(node).all_parts().iter().all(|part| archive.holds(part));
        images
            .into_iter()
            .find(|(node, _)| whole(*node))
            .map(|(_, platform)| platform.normalised().to_string())
    })
}
