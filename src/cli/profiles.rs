//! `restow profiles`: what each profile raises, and why.

use super::shell::Shell;
use super::wrap::{WIDEST, folded, wrapped};
use crate::colour::{BOLD, paint};
use crate::command::PROFILES;
use crate::error::Result;
use crate::{Level, Policy, Profile, Rule};

pub(super) fn run(name: Option<&str>, shell: &Shell) -> Result<()> {
    let text = match name {
        None => list(shell.width().min(WIDEST), shell.color_out()),
        Some(name) => page(name, Profile::parse(name)?, (shell.width(), shell.cut()), shell.color_out()),
    };
    shell.print(&text)
}

/// The rules that a profile raises, with the levels before and after.
fn raised(profile: Profile) -> Vec<(&'static Rule, Level, Level)> {
    let (plain, mut with) = (Policy::default(), Policy::default());
    with.profile(profile);
    let rules = crate::explain("").into_iter();
    rules.map(|rule| (rule, plain.level(rule), with.level(rule))).filter(|(_, from, to)| to > from).collect()
}

/// What a profile is for.
fn about(profile: Profile) -> &'static str {
    match profile {
        Profile::Spec => "Levels as the rules have them: an error is what a specification forbids.",
        Profile::Docker => {
            "For archives that Docker will load: what it was seen to refuse or to read otherwise is an error."
        }
        Profile::Containerd => {
            "For archives that containerd will import: what it was seen to refuse or to read otherwise is an error."
        }
        Profile::Portable => {
            "For archives that go to people whose tools nobody knows: what any tool was seen to break on is an error, and rules \
             that are off by default are on."
        }
        Profile::Strict => "For archives of one's own making: every warning is an error.",
    }
}

fn list(width: usize, color: bool) -> String {
    let mut out = String::new();
    for (name, profile) in PROFILES {
        let count = raised(*profile).len();
        let rules = match count {
            0 => "raises nothing".to_owned(),
            1 => "raises 1 rule".to_owned(),
            _ => format!("raises {count} rules"),
        };
        out.push_str(&format!("{}  {rules}\n", bold(name, color)));
        wrapped(&mut out, about(*profile), width);
    }
    out
}

/// Prose is as wide as it is read well, lines of the list as the terminal (`cut`), or whole.
fn page(name: &str, profile: Profile, (width, cut): (usize, Option<usize>), color: bool) -> String {
    let mut out = format!("{}\n\n", bold(name, color));
    wrapped(&mut out, about(profile), width.min(WIDEST));
    let raised = raised(profile);
    let column = raised.iter().map(|(rule, ..)| rule.name.len()).max().unwrap_or(0);
    if !raised.is_empty() {
        out.push('\n');
    }
    for (rule, from, to) in raised {
        let why = match (rule.breaks, from) {
            ([], _) => String::new(),
            (tools, _) => {
                let tools: Vec<&str> = tools.iter().map(|tool| tool.name()).collect();
                format!("  breaks {}", tools.join(", "))
            }
        };
        let from = if from == Level::Allow { "off" } else { from.name() };
        let to = paint(to.colour(), to.name(), color);
        let line = format!("{:column$}  {from:7} → {to}{why}", rule.name);
        let room = cut.unwrap_or(usize::MAX);
        // Below the reason, where there is room for one.
        let indent = column + "  warning → error  ".chars().count();
        out.push_str(&folded(&line, room, if indent * 3 / 2 < room { indent } else { 4 }));
        out.push('\n');
    }
    out
}

fn bold(text: &str, color: bool) -> String {
    paint(BOLD, text, color)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_says_what_it_raises_and_why() {
        let all = list(80, false);
        for (name, profile) in PROFILES {
            assert!(all.contains(&format!("{name}  raises ")));
            let page = page(name, *profile, (80, None), false);
            let count = raised(*profile).len();
            assert_eq!(page.lines().filter(|line| line.contains(" → ")).count(), count, "{page}");
            assert_eq!(count == 0, *profile == Profile::Spec);
            if matches!(profile, Profile::Docker) {
                assert!(page.lines().filter(|line| line.contains(" → ")).all(|line| line.contains("Docker")));
            }
        }
        assert!(all.lines().all(|line| line.chars().count() <= 80), "{all}");
    }
}
