//! What every rule of the registry must have: a page that is current, unit tests of both sides, and a case in the
//! corpus. Each failure says in a sentence what is missing.

use std::collections::BTreeSet;
use std::path::Path;

use restow::rules;

use crate::Test;
use crate::stored::{bad, case};

mod claims;
mod page;
mod unit_tests;

pub fn tests() -> Vec<Test> {
    vec![
        Test::plain("claims_about_tools_are_what_was_seen", claims::are_what_was_seen),
        Test::plain("evidence_is_of_the_cases_as_they_are", claims::are_of_these_cases),
        Test::plain("the_page_of_rules_is_current", the_page_of_rules_is_current),
        Test::plain("unit_tests_fire_every_rule_and_just_do_not", unit_tests_fire_every_rule_and_just_do_not),
        Test::plain("every_rule_has_a_case_in_the_corpus", every_rule_has_a_case_in_the_corpus),
        Test::plain(
            "no_rule_that_is_off_or_an_error_is_expected_of_a_sound_case",
            no_rule_that_is_off_or_an_error_is_expected_of_a_sound_case,
        ),
        Test::plain("what_is_not_checked_has_no_rule", what_is_not_checked_has_no_rule),
    ]
}

fn the_page_of_rules_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules.md");
    let page = page::page().expect("every family has a group");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &page).expect("written");
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(there == page, "docs/rules.md is stale: BLESS=1 cargo test --test cases rules:: writes it anew");
    for rule in rules::all() {
        assert!(
            page.contains(&format!("\n### {}\n", rule.name)),
            "{} has no section in docs/rules.md",
            rule.name
        );
    }
}

fn unit_tests_fire_every_rule_and_just_do_not() {
    let tests = unit_tests::all().expect("sources");
    assert!(tests.len() > 50, "only {} tests were found: is the scan right?", tests.len());
    let mut missing = Vec::new();
    for rule in rules::all() {
        let firing: Vec<_> = tests.iter().filter(|test| test.expects(rule.name)).collect();
        if firing.is_empty() {
            missing.push(format!("{}: no unit test expects it", rule.name));
        } else if !firing.iter().any(|test| test.expects_otherwise(rule.name)) {
            let file = firing[0].file.display();
            missing.push(format!(
                "{}: no unit test that expects it ({file}) also expects something else",
                rule.name
            ));
        }
    }
    assert!(missing.is_empty(), "{}\n{} rules", missing.join("\n"), missing.len());
}

/// Rules without a case in `corpus/bad/`, and why no small archive can have that fault.
const WITHOUT_CASE: &[(&str, &str)] = &[
    ("blob/cut", "a file would have to shrink while it is read; the end of a tar is archive/truncated"),
    ("docker-archive/manifest-too-large", "it needs a document of more than 1 MiB"),
    ("document/too-large", "it needs a document of more than 4 MiB"),
    ("layer/high-ratio", "it needs a layer of more than 1 GiB when it is decompressed"),
];

fn every_rule_has_a_case_in_the_corpus() {
    let cases = bad::all().expect("every case.toml can be read");
    let shown: BTreeSet<&str> = cases
        .iter()
        .filter_map(|case| {
            let expected = case.spec.expect.findings.iter();
            // The name of another rule may begin with one's own.
            let named = expected.filter(|rule| bad::named_by(&case.name, rule));
            named.max_by_key(|rule| rule.len()).map(String::as_str)
        })
        .collect();
    let mut missing = Vec::new();
    for rule in rules::all() {
        let excused = WITHOUT_CASE.iter().any(|(name, _)| *name == rule.name);
        if !shown.contains(rule.name) && !excused {
            missing.push(format!("{0}: there is no corpus/bad/{0}/case.toml", rule.name));
        } else if shown.contains(rule.name) && excused {
            missing.push(format!("{}: has a case; take it off WITHOUT_CASE", rule.name));
        }
    }
    let all = rules::all();
    for case in &cases {
        for name in &case.spec.expect.findings {
            if !all.iter().any(|rule| rule.name == name) {
                missing.push(format!("{}: expects {name}, which is no rule", case.name));
            }
        }
    }
    assert!(missing.is_empty(), "{}\n{} in all", missing.join("\n"), missing.len());
}

fn no_rule_that_is_off_or_an_error_is_expected_of_a_sound_case() {
    let all = rules::all();
    for case in case::all().into_iter().chain(case::documents()) {
        let text = std::fs::read_to_string(&case.toml).expect("case.toml");
        let table: toml::Table = toml::from_str(&text).expect("TOML");
        let findings = table["findings"].as_array().expect("a list");
        for name in findings.iter().filter_map(toml::Value::as_str) {
            let rule = all.iter().find(|rule| rule.name == name);
            let rule = rule.unwrap_or_else(|| panic!("{}: {name} is no rule", case.name));
            assert!(rule.level < restow::finding::Level::Error && !rule.optional, "{}: {name}", case.name);
        }
    }
}

fn what_is_not_checked_has_no_rule() {
    for (entry, _) in rules::NOT_CHECKED {
        let rule = rules::all().into_iter().find(|rule| rule.catalogue.contains(entry));
        assert!(
            rule.is_none(),
            "{entry} is said to be unchecked, and {} checks it",
            rule.map_or("", |r| r.name)
        );
    }
}
