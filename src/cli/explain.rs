//! `restow explain`: what a rule means.

use super::args::ExplainArgs;
use super::shell::Shell;
use crate::error::Result;
use crate::rules::{self, Integrity, Rule};

pub(super) fn run(args: &ExplainArgs, shell: &Shell) -> Result<u8> {
    let text = match &args.rule {
        None => list(),
        Some(name) => {
            let rule = rules::all().into_iter().find(|rule| rule.name == name);
            page(rule.ok_or_else(|| rules::policy::unknown(name))?)
        }
    };
    shell.print(&text)?;
    Ok(0)
}

fn list() -> String {
    let rules = rules::all();
    let width = rules.iter().map(|rule| rule.name.len()).max().unwrap_or(0);
    let line = |rule: &&Rule| {
        let first = rule.checks.split(". ").next().unwrap_or(rule.checks);
        format!("{:width$}  {:7}  {}\n", rule.name, rule.level.name(), first.trim_end_matches('.'))
    };
    rules.iter().map(line).collect()
}

fn page(rule: &Rule) -> String {
    let convert = match rule.integrity {
        Integrity::No => "not looked at without --check",
        Integrity::Soft => "blocks, unless lowered by -W or -A; the bytes are then carried as they are",
        Integrity::Hard => "always blocks",
    };
    let numbers: Vec<String> = rule.catalogue.iter().map(ToString::to_string).collect();
    format!(
        "{name}\n\nLevel: {level}\nIn convert: {convert}\nCatalogue: {numbers}\n\nWhat it checks\n  {checks}\n\n\
         Why it matters\n  {matters}\n\nExample\n  {example}\n\nHow to mend it\n  {mend}\n",
        name = rule.name,
        level = rule.level.name(),
        numbers = numbers.join(", "),
        checks = rule.checks,
        matters = rule.matters,
        example = rule.example,
        mend = rule.mend,
    )
}
