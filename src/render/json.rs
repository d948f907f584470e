//! Findings as JSON, in restow's own shape: version 1, described by `schemas/report-v1.json` and
//! `docs/reports.md`.
//!
//! No finding is left out and nothing is shortened; what stands for more than it names says for how many. Text from the
//! archive stands as it is, since JSON can hold
//! it; only bytes that are not UTF-8 become `\xff`. Characters that a terminal would obey are written as
//! `\u` escapes, which changes the bytes of the report but not what it says.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter as _, Serializer};

use super::{Proved, Renderer, Source};
use crate::escape::utf8;
use crate::finding::{
    By, Change, Edit, Finding, Fix, Label, Level, Locator, Lower, Summary, Target, advice, fingerprint,
};
use crate::json::safe::{Safe, pretty};

/// The shape's schema.
pub const SCHEMA: &str = include_str!("../../schemas/report-v1.json");

/// Collects one report: as text, since that is smaller than what it is made of.
#[derive(Debug, Default)]
pub struct Json {
    sources: List,
}

#[derive(Debug, Serialize)]
struct ReportView {
    version: u32,
    tool: Tool,
    sources: [(); 0],
}

#[derive(Debug, Serialize)]
pub(super) struct Tool {
    name: &'static str,
    version: &'static str,
}

impl Tool {
    /// This one.
    pub fn this() -> Tool {
        Tool { name: "restow", version: env!("CARGO_PKG_VERSION") }
    }
}

#[derive(Serialize)]
struct SourceView<'a> {
    source: &'a str,
    form: Option<&'a str>,
    sound: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'a str>,
    summary: SummaryView,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suggest: Vec<&'a [String]>,
    findings: Findings<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lowered: Option<LoweredView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proved: Option<&'a Proved>,
}

/// What files lowered.
#[derive(Serialize)]
struct LoweredView<'a> {
    config: Option<&'a str>,
    baseline: Option<&'a str>,
    ended: &'a [String],
    findings: Vec<LowerView<'a>>,
}

#[derive(Serialize)]
struct LowerView<'a> {
    from: &'static str,
    by: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<&'a str>,
    #[serde(flatten)]
    finding: FindingView,
}

impl<'a> LoweredView<'a> {
    fn of(source: &'a Source<'_>, locator: &Locator<'a>) -> Option<LoweredView<'a>> {
        let lowered = source.lowered;
        let lower = |lower: &'a Lower| {
            let (by, at, reason, expires) = match &lower.by {
                By::Levels => ("levels", None, None, None),
                By::Baseline => ("baseline", None, None, None),
                By::Exception { at, reason, expires } => {
                    ("allow", Some(at.as_str()), Some(reason.as_str()), Some(expires.as_str()))
                }
            };
            let finding = view(lower.finding.level, &lower.finding, source.file_name(), locator);
            LowerView { from: lower.from.name(), by, at, reason, expires, finding }
        };
        (!lowered.is_silent()).then(|| LoweredView {
            config: lowered.config.as_deref(),
            baseline: lowered.baseline.as_deref(),
            ended: &lowered.ended,
            findings: lowered.findings.iter().map(lower).collect(),
        })
    }
}

/// Findings that are viewed one after the other.
struct Findings<'a>(&'a [(Level, &'a Finding)], Option<(&'a Locator<'a>, Option<&'a OsStr>)>);

impl Serialize for Findings<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Findings(findings, locator) = self;
        let views = locator.iter().flat_map(|(locator, file)| {
            findings.iter().map(|(level, finding)| view(*level, finding, *file, locator))
        });
        serializer.collect_seq(views)
    }
}

#[derive(Debug, Default, Serialize)]
struct SummaryView {
    errors: usize,
    warnings: usize,
    notes: usize,
    #[serde(skip_serializing_if = "is_zero")]
    omitted: u64,
}

#[derive(Debug, Serialize)]
struct FindingView {
    rule: &'static str,
    level: &'static str,
    fingerprint: String,
    message: String,
    help: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<Vec<String>>,
    primary: PlaceView,
    related: Vec<PlaceView>,
    fix: Option<FixView>,
    #[serde(skip_serializing_if = "is_zero")]
    omitted: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    affects: Option<AffectsView>,
}

/// The images that a fault hits.
#[derive(Debug, Serialize)]
pub(super) struct AffectsView {
    names: Vec<String>,
    count: usize,
}

impl AffectsView {
    pub fn of(finding: &Finding) -> Option<AffectsView> {
        let affects = finding.affects.as_ref()?;
        Some(AffectsView { names: affects.names.clone(), count: affects.count })
    }
}

/// Within version 1 it is a member that came later: it is there only where it says something.
fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[derive(Debug, Serialize)]
pub(super) struct FixView {
    applicability: &'static str,
    assuming: Option<&'static str>,
    changes: Vec<ChangeView>,
}

#[derive(Debug, Serialize)]
struct ChangeView {
    member: String,
    action: &'static str,
    pointer: Option<String>,
    value: Option<serde_json::Value>,
    span: Option<SpanView>,
    text: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct PlaceView {
    member: Option<String>,
    pointer: Option<String>,
    offset: Option<u64>,
    span: Option<SpanView>,
    line: Option<usize>,
    column: Option<usize>,
    entry: Option<String>,
    text: Option<String>,
}

#[derive(Debug, Serialize)]
struct SpanView {
    start: usize,
    end: usize,
}

impl Renderer for Json {
    fn add(&mut self, source: &Source<'_>) {
        let locator = Locator::new(source.docs);
        let summary = Summary::of(source.findings);
        self.sources.push(
            SOURCES,
            &SourceView {
                source: source.docs.place(),
                form: Some(source.form),
                sound: Some(summary.errors == 0),
                failure: None,
                summary: SummaryView {
                    errors: summary.errors,
                    warnings: summary.warnings,
                    notes: summary.notes,
                    omitted: summary.omitted,
                },
                suggest: source.suggest.iter().map(|command| &command.words[..]).collect(),
                findings: Findings(source.findings, Some((&locator, source.file_name()))),
                lowered: LoweredView::of(source, &locator),
                proved: source.proved.as_ref(),
            },
        );
    }

    fn failed(&mut self, place: &str, why: &str) {
        self.sources.push(
            SOURCES,
            &SourceView {
                source: place,
                form: None,
                sound: None,
                failure: Some(why),
                summary: SummaryView::default(),
                suggest: Vec::new(),
                findings: Findings(&[], None),
                lowered: None,
                proved: None,
            },
        );
    }

    fn finish(self: Box<Self>, out: &mut dyn Write) -> io::Result<()> {
        let frame = pretty(&ReportView { version: 1, tool: Tool::this(), sources: [] });
        self.sources.write(SOURCES, &frame, out, |text, out| out.write_all(text))
    }
}

/// A list that is the last of its name in a document, which has so many brackets around it.
pub(super) struct Place {
    pub key: &'static str,
    pub depth: usize,
}

const SOURCES: &Place = &Place { key: "sources", depth: 2 };

/// The items of a list as text, indented for their place.
#[derive(Debug, Default)]
pub(super) struct List {
    text: Vec<u8>,
}

impl List {
    /// Adds an item; where its text begins.
    pub(super) fn push(&mut self, place: &Place, item: &impl Serialize) -> usize {
        let mut formatter = Safe::default();
        // Writing to memory does not fail, and no type here can refuse to be serialised.
        for _ in 0..place.depth {
            let _ = formatter.begin_array(&mut io::sink());
        }
        let first = self.text.is_empty();
        let _ = formatter.begin_array_value(&mut self.text, first);
        let start = self.text.len();
        let _ = item.serialize(&mut Serializer::with_formatter(&mut self.text, formatter));
        start
    }

    /// What was written from there on.
    pub(super) fn since(&self, start: usize) -> &[u8] {
        self.text.get(start..).unwrap_or_default()
    }

    /// Writes a document in which the list is empty, with the items, which `items` writes.
    pub(super) fn write(
        &self,
        place: &Place,
        frame: &str,
        out: &mut dyn Write,
        items: impl FnOnce(&[u8], &mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let empty = format!("\"{}\": []", place.key);
        let Some(at) = frame.rfind(&empty).filter(|_| !self.text.is_empty()) else {
            return out.write_all(frame.as_bytes());
        };
        let end = at + empty.len() - 1;
        out.write_all(&frame.as_bytes()[..end])?;
        items(&self.text, out)?;
        write!(out, "\n{:1$}", "", 2 * (place.depth - 1))?;
        out.write_all(&frame.as_bytes()[end..])
    }
}

fn view<'a>(level: Level, finding: &'a Finding, file: Option<&OsStr>, locator: &Locator<'a>) -> FindingView {
    FindingView {
        rule: finding.rule.name,
        level: level.name(),
        fingerprint: fingerprint(file, finding, locator),
        message: finding.message.clone(),
        help: advice(finding, locator.docs()),
        command: finding.command.as_ref().map(|command| command.words.clone()),
        primary: place(&finding.primary, locator),
        related: finding.related.iter().map(|label| place(label, locator)).collect(),
        fix: finding.fix.as_ref().map(|fix| fix_view(fix, locator)),
        omitted: finding.omitted,
        affects: AffectsView::of(finding),
    }
}

pub(super) fn fix_view(fix: &Fix, locator: &Locator<'_>) -> FixView {
    FixView {
        applicability: fix.applicability().name(),
        assuming: fix.assuming,
        changes: fix.changes.iter().map(|change| self::change(change, locator)).collect(),
    }
}

fn change(change: &Change, locator: &Locator<'_>) -> ChangeView {
    let docs = locator.docs();
    let (name, id) = match &change.target {
        Target::Member(id) => (docs.name(*id), Some(*id)),
        Target::Named(name) => (Cow::Borrowed(name.as_ref()), None),
    };
    let replacement = id.and_then(|id| locator.replacement(id, &change.edit));
    let (value, content) = match &change.edit {
        // The schema says that it is JSON; what is not, says nothing.
        Edit::Set { value, .. } => (serde_json::from_str(value).ok(), None),
        Edit::Rename { name, .. } | Edit::Move(name) => (Some(name.as_str().into()), None),
        Edit::Write(text) => (None, Some(text.clone())),
        Edit::Remove { .. } | Edit::Cut(_) | Edit::Delete => (None, None),
    };
    let (span, text) = replacement.map_or((None, content), |(span, text)| {
        (Some(SpanView { start: span.start, end: span.end }), Some(text))
    });
    ChangeView {
        member: utf8(&name).into_owned(),
        action: change.edit.name(),
        pointer: change.edit.pointer().map(str::to_owned),
        value,
        span,
        text,
    }
}

pub(super) fn place<'a>(label: &'a Label, locator: &Locator<'a>) -> PlaceView {
    let place = locator.place(&label.location);
    PlaceView {
        member: label.location.member.map(|_| utf8(&place.name).into_owned()),
        pointer: place.pointer.map(str::to_owned),
        offset: place.offset,
        span: place.span.map(|span| SpanView { start: span.start, end: span.end }),
        line: place.position.map(|position| position.line),
        column: place.position.map(|position| position.column),
        entry: place.entry.map(|entry| utf8(entry).into_owned()),
        text: Some(label.text.clone()).filter(|text| !text.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Lowered;
    use crate::render::fixture;
    use serde_json::Value;

    fn report() -> (String, Value) {
        let text = fixture::rendered(Box::<Json>::default());
        let value = serde_json::from_str(&text).expect("JSON");
        (text, value)
    }

    #[test]
    fn the_schema_holds() {
        let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
        let validator = jsonschema::options().offline().build(&schema).expect("a schema");
        let (_, value) = report();
        let errors: Vec<_> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
        // The schema is strict enough to notice a change of shape.
        for (pointer, with) in [
            ("/version", Value::from(2)),
            ("/sources/0/findings/0/level", "allow".into()),
            ("/sources/0/findings/0/primary/line", 0.into()),
            ("/sources/0/findings/0/rule", Value::Null),
            ("/sources/0/findings/2/fix/changes/0/action", "add".into()),
            ("/sources/0/findings/2/fix/changes", serde_json::json!([])),
            ("/sources/0/summary", serde_json::json!({"errors": 0})),
            ("/sources/0/findings/0/primary/span", serde_json::json!({"start": 1, "end": 2, "x": 1})),
        ] {
            let mut changed = value.clone();
            *changed.pointer_mut(pointer).expect("a place") = with;
            assert!(!validator.is_valid(&changed), "{pointer}");
        }
    }

    #[test]
    fn everything_is_told() {
        let (_, value) = report();
        assert_eq!(value["version"], 1);
        let [app, many, failed] = value["sources"].as_array().expect("array").as_slice() else {
            panic!("three sources: {value}");
        };
        assert_eq!(
            (&app["source"], &app["form"], &app["sound"]),
            (&"app.tar".into(), &"oci".into(), &false.into())
        );
        assert_eq!(app["summary"], serde_json::json!({"errors": 6, "warnings": 5, "notes": 2}));
        assert_eq!(many["findings"].as_array().expect("array").len(), 201);
        assert_eq!((&failed["sound"], &failed["form"]), (&Value::Null, &Value::Null));
        assert_eq!(failed["failure"], "cannot open \u{1b}[2Jgone.tar");
        let size = app["findings"].as_array().expect("array").iter();
        let size = size.clone().find(|f| f["rule"] == "descriptor/size-mismatch").expect("a finding");
        assert_eq!(size["primary"]["pointer"], "/layers/99/size");
        assert_eq!((&size["primary"]["line"], &size["primary"]["column"]), (&1.into(), &15491.into()));
        assert_eq!(
            size["fix"],
            serde_json::json!({"applicability": "safe", "assuming": null, "changes": [{
                "member": fixture::blob_name('6'), "action": "set", "pointer": "/layers/99/size", "value": 33,
                "span": {"start": 15490, "end": 15493}, "text": "33",
            }]})
        );
        let missing = &app["findings"][2]["fix"];
        assert_eq!(missing["assuming"], "the manifest is the one that was meant");
        assert_eq!(missing["applicability"], "maybe");
        assert_eq!(missing["changes"][0]["text"], ",\"size\":424");
        let write = &app["findings"][0]["fix"]["changes"][0];
        assert_eq!(
            (&write["member"], &write["action"], &write["text"]),
            (&r"oci\xff-layout".into(), &"write".into(), &"{}".into())
        );
        assert_eq!(app["findings"][1]["fix"], Value::Null);
        assert_eq!(size["related"][0]["member"], fixture::blob_name('a').as_str());
        assert_eq!(
            size["help"],
            "set `size` to the length of the blob, then the digest of the manifest in whatever names it. \
             `restow convert` writes both"
        );
    }

    #[test]
    fn a_list_is_written_as_it_would_be_in_its_document() {
        #[derive(Serialize)]
        struct Outer<T> {
            inner: [Inner<T>; 1],
            last: u8,
        }
        #[derive(Serialize)]
        struct Inner<T> {
            results: T,
        }
        let place = &Place { key: "results", depth: 4 };
        let whole = |results: &[Value]| pretty(&Outer { inner: [Inner { results }], last: 1 });
        let items =
            [serde_json::json!({"results": []}), Value::Null, serde_json::json!([[], {}, ["\u{7f}"]])];
        for count in 0..=items.len() {
            let mut list = List::default();
            items[..count].iter().for_each(|item| assert!(list.push(place, item) > 0));
            let mut out = Vec::new();
            list.write(place, &whole(&[]), &mut out, |text, out| out.write_all(text)).expect("memory");
            assert_eq!(String::from_utf8(out).expect("UTF-8"), whole(&items[..count]));
        }
    }

    #[test]
    fn hostile_text_is_kept_but_cannot_act() {
        let (text, value) = report();
        assert!(!text.chars().any(|c| crate::escape::is_unsafe(c) && c != '\n'), "something that acts");
        assert!(text.contains(r"evil\u001b[2J\u001b]0;owned\u0007/\u202egpj.\\xff"), "{text}");
        let mut findings = value["sources"][0]["findings"].as_array().expect("array").iter();
        assert!(findings.any(|f| f["message"] == "the name is `\u{1b}[31m\u{202e}red`"));
        assert_eq!(pretty(&"\u{e0041}\u{7f}\u{9b}é🦀"), "\"\\udb40\\udc41\\u007f\\u009bé🦀\"\n");
    }

    #[test]
    fn what_is_left_out_is_counted() {
        let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
        let validator = jsonschema::options().offline().build(&schema).expect("a schema");
        let (docs, mut findings) = fixture::of_one_kind(2);
        findings[1].omit(34);
        let findings: Vec<_> = findings.iter().map(|finding| (Level::Error, finding)).collect();
        let (container, form, images) = (super::super::Container::Tar, "oci", &[][..]);
        let mut json = Box::<Json>::default();
        let lowered = Lowered::NONE;
        let suggest = &[crate::finding::Command::raise("layers", None)];
        let source = Source {
            docs: &docs,
            path: None,
            container,
            form,
            images,
            findings: &findings,
            lowered,
            suggest,
            proved: None,
        };
        json.add(&source);
        let value: Value = serde_json::from_str(&fixture::text(json)).expect("JSON");
        let source = &value["sources"][0];
        assert_eq!(
            source["summary"],
            serde_json::json!({"errors": 3, "warnings": 0, "notes": 0, "omitted": 34})
        );
        assert_eq!(
            source["suggest"],
            serde_json::json!([["restow", "check", "--limit", "layers=VALUE", "SOURCE"]])
        );
        assert_eq!(source["findings"][1]["omitted"], 34);
        assert_eq!(source["findings"][0].get("omitted"), None);
        assert!(validator.is_valid(&value), "{value}");
    }
}
