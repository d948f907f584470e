//! The fixes that findings propose, as a list to be read before they are made: version 1, described by
//! `schemas/fixes-v1.json` and `docs/reports.md`.

use std::io::{self, Write};

use serde::Serialize;

use super::json::{FixView, List, Place, PlaceView, Tool, fix_view, place};
use super::{Renderer, Source};
use crate::finding::{Finding, Fixing, Level, Locator, Together, fingerprint, together};
use crate::json::safe::pretty;

/// The shape's schema.
pub const SCHEMA: &str = include_str!("../../schemas/fixes-v1.json");

const SOURCES: &Place = &Place { key: "sources", depth: 2 };

/// Collects one list, as text.
#[derive(Debug, Default)]
pub struct FixList {
    sources: List,
}

#[derive(Serialize)]
struct ListView {
    version: u32,
    tool: Tool,
    sources: [(); 0],
}

#[derive(Serialize)]
struct SourceView<'a> {
    source: &'a str,
    form: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'a str>,
    fixes: Vec<ProposalView>,
}

#[derive(Serialize)]
struct ProposalView {
    rule: &'static str,
    level: &'static str,
    fingerprint: String,
    message: String,
    place: PlaceView,
    together: &'static str,
    #[serde(flatten)]
    fix: FixView,
}

impl Renderer for FixList {
    fn add(&mut self, source: &Source<'_>) {
        let locator = Locator::new(source.docs);
        let made = |finding: &Finding| finding.fix.as_ref().is_some_and(|fix| Fixing::All.takes(fix));
        let found: Vec<(Level, &Finding)> =
            source.findings.iter().filter(|(_, finding)| made(finding)).copied().collect();
        let verdicts = together(&found.iter().map(|(_, finding)| *finding).collect::<Vec<_>>());
        let mut fixes = Vec::new();
        for ((level, finding), verdict) in found.into_iter().zip(verdicts) {
            let Some(fix) = &finding.fix else { continue };
            fixes.push(ProposalView {
                rule: finding.rule.name,
                level: level.name(),
                fingerprint: fingerprint(source.file_name(), finding, &locator),
                message: finding.message.clone(),
                place: place(&finding.primary, &locator),
                together: match verdict {
                    Together::Now => "now",
                    Together::Later => "later",
                    Together::Conflict => "conflict",
                },
                fix: fix_view(fix, &locator),
            });
        }
        let view = SourceView { source: source.docs.place(), form: Some(source.form), failure: None, fixes };
        self.sources.push(SOURCES, &view);
    }

    fn failed(&mut self, place: &str, why: &str) {
        let view = SourceView { source: place, form: None, failure: Some(why), fixes: Vec::new() };
        self.sources.push(SOURCES, &view);
    }

    fn finish(self: Box<Self>, out: &mut dyn Write) -> io::Result<()> {
        let frame = pretty(&ListView { version: 1, tool: Tool::this(), sources: [] });
        self.sources.write(SOURCES, &frame, out, |text, out| out.write_all(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;
    use serde_json::Value;

    #[test]
    fn the_schema_holds_and_fixes_alone_are_told() {
        let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
        let validator = jsonschema::options().offline().build(&schema).expect("a schema");
        let value: Value = serde_json::from_str(&fixture::rendered(Box::<FixList>::default())).expect("JSON");
        let errors: Vec<_> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
        let fixes = value["sources"][0]["fixes"].as_array().expect("a list");
        assert!(!fixes.is_empty() && fixes.iter().all(|fix| fix["together"] == "now"), "{value}");
        let size = fixes.iter().find(|fix| fix["rule"] == "descriptor/size-mismatch").expect("a fix");
        assert_eq!((&size["applicability"], &size["changes"][0]["value"]), (&"safe".into(), &33.into()));
        assert_eq!(value["sources"][2]["failure"], "cannot open \u{1b}[2Jgone.tar");
        for (pointer, with) in [
            ("/version", Value::from(2)),
            ("/sources/0/fixes/0/together", "perhaps".into()),
            ("/sources/0/fixes/0/changes", serde_json::json!([])),
            ("/sources/0/fixes/0/applicability", "display only".into()),
        ] {
            let mut changed = value.clone();
            *changed.pointer_mut(pointer).expect("a place") = with;
            assert!(!validator.is_valid(&changed), "{pointer}");
        }
    }
}
