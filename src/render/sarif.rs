//! Findings as SARIF 2.1.0 (OASIS Standard, with errata 01), the parts of it that restow has something to say in.
//!
//! In a folder a member is a file of its own; in a tar it is a nested artifact (section 3.24.3), so that lines and
//! columns are those of the member and not of the tar. Fingerprints are made of names only, never of offsets,
//! absolute paths or numbers in messages, so a finding keeps its own between runs.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::io;
use std::path::Path;

use bstr::ByteSlice;

mod shape;

use shape::{
    Artifact, ArtifactChange, ArtifactLocation, Configuration, Content, Descriptor, Driver, FixView,
    Invocation, Location, Log, LogicalLocation, Notification, PhysicalLocation, Properties, Region,
    Replacement, ResultProperties, ResultView, Run, Suppression, Text, Tool, Words,
};

use super::json::{self, List};
use super::{Container, Renderer, Source};
use crate::escape::utf8;
use crate::finding::{Finding, Fix, Label, Level, Locator, Place, Rule, Target, advice, fingerprint};
use crate::json::Span;
use crate::json::safe::pretty;
use crate::location::{At, MemberId};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// Relative paths are relative to where restow was run.
const BASE: &str = "%SRCROOT%";
const RESULTS: &json::Place = &json::Place { key: "results", depth: 4 };
/// What stands before the index of a result's rule.
const INDEX: &[u8] = b"\"ruleIndex\": ";

/// Collects one log with one run: results as text, since that is smaller than what they are made of.
#[derive(Debug, Default)]
pub struct Sarif {
    artifacts: Vec<Artifact>,
    results: List,
    /// The rule of each result, and where in the text its index stands: `0`, until all rules are known.
    indexes: Vec<(usize, &'static Rule)>,
    failures: Vec<Notification>,
    /// What files lowered.
    configured: Vec<Notification>,
    /// How often each fingerprint was given.
    seen: HashMap<String, usize>,
}

impl Renderer for Sarif {
    fn add(&mut self, source: &Source<'_>) {
        let locator = Locator::new(source.docs);
        let mut places =
            Places { source, locator: &locator, known: HashMap::new(), artifacts: &mut self.artifacts };
        let lowered = source.lowered;
        let hidden = lowered.findings.iter().filter(|lower| lower.finding.level == Level::Allow);
        let hidden = hidden.map(|lower| (lower.from, &lower.finding, Some(lower.why(lowered))));
        let shown = source.findings.iter().map(|(level, finding)| (*level, *finding, None));
        for (level, finding, suppressed) in shown.chain(hidden) {
            let primary = places.location(&finding.primary, None);
            let related = finding.related.iter().enumerate();
            let related = related.map(|(nth, label)| places.location(label, Some(nth + 1))).collect();
            let print = fingerprint(source.file_name(), finding, &locator);
            let nth = self.seen.entry(print.clone()).or_default();
            *nth += 1;
            let print = format!("{print}:{nth}");
            let mut message = finding.message.clone();
            if let Some(help) = &finding.help {
                let _ = write!(message, "\n{help}"); // a String takes everything
            }
            let view = ResultView {
                rule_id: finding.rule.name,
                rule_index: 0,
                level: word(level),
                message: plain(&message),
                locations: [primary],
                related_locations: related,
                // GitHub reads only its own name, and would hash lines of a file that it does not have.
                partial_fingerprints: [("primaryLocationLineHash", print.clone()), ("restow/v1", print)]
                    .into(),
                fixes: finding.fix.as_ref().and_then(|fix| places.fix(finding, fix)).into_iter().collect(),
                suppressions: suppressed.map(Suppression::of).into_iter().collect(),
                properties: json::AffectsView::of(finding).map(|affects| ResultProperties { affects }),
            };
            let start = self.results.push(RESULTS, &view);
            // Only the name of the rule stands before it.
            if let Some(at) = self.results.since(start).find(INDEX) {
                self.indexes.push((start + at + INDEX.len(), finding.rule));
            }
        }
        let told = lowered.words().into_iter().map(|words| ("note", words));
        let told = told.chain(lowered.ended.iter().map(|ended| ("warning", ended.clone())));
        for (level, words) in told {
            let message = plain(&format!("{}: {words}", source.docs.place()));
            self.configured.push(Notification { level, message });
        }
    }

    fn failed(&mut self, place: &str, why: &str) {
        self.failures.push(Notification { level: "error", message: plain(&format!("{place}: {why}")) });
    }

    fn finish(self: Box<Self>, out: &mut dyn io::Write) -> io::Result<()> {
        let rules: BTreeMap<&str, &'static Rule> =
            self.indexes.iter().map(|(_, rule)| (rule.name, *rule)).collect();
        let numbers: HashMap<&str, usize> = rules.keys().enumerate().map(|(i, name)| (*name, i)).collect();
        let description = Some(Words { text: "The directory in which restow was run." });
        let base = ArtifactLocation { description, ..ArtifactLocation::default() };
        let run = Run {
            tool: Tool {
                driver: Driver {
                    name: "restow",
                    semantic_version: env!("CARGO_PKG_VERSION"),
                    rules: rules.values().map(|rule| descriptor(rule)).collect(),
                },
            },
            invocations: [Invocation {
                execution_successful: self.failures.is_empty(),
                tool_execution_notifications: self.failures,
                tool_configuration_notifications: self.configured,
            }],
            original_uri_base_ids: [(BASE, base)].into(),
            artifacts: self.artifacts,
            results: [],
            column_kind: "unicodeCodePoints",
        };
        let frame = pretty(&Log { schema: SCHEMA, version: "2.1.0", runs: [run] });
        self.results.write(RESULTS, &frame, out, |text, out| {
            let mut done = 0;
            for (at, rule) in &self.indexes {
                out.write_all(text.get(done..*at).unwrap_or_default())?;
                write!(out, "{}", numbers.get(rule.name).copied().unwrap_or_default())?;
                done = at + 1;
            }
            out.write_all(text.get(done..).unwrap_or_default())
        })
    }
}

/// Makes locations of one source, and the artifacts that they are in.
struct Places<'s, 'a> {
    source: &'s Source<'a>,
    locator: &'s Locator<'a>,
    known: HashMap<Option<MemberId>, ArtifactLocation>,
    artifacts: &'s mut Vec<Artifact>,
}

impl<'a> Places<'_, 'a> {
    fn location(&mut self, label: &'a Label, id: Option<usize>) -> Location {
        let place = self.locator.place(&label.location);
        let artifact_location = self.artifact(label.location.member);
        let region = self.region(&place, label);
        let message = Some(&label.text).filter(|text| !text.is_empty()).map(|text| plain(text));
        let logical_locations = logical(&place, label.location.member.is_some());
        let physical_location = PhysicalLocation { artifact_location, region };
        Location { id, physical_location, logical_locations, message }
    }

    /// Where a member is, with its index in the artifacts of the run.
    fn artifact(&mut self, member: Option<MemberId>) -> ArtifactLocation {
        let member = member.filter(|_| self.source.container != Container::Document);
        if let Some(known) = self.known.get(&member) {
            return known.clone();
        }
        let nested = member.filter(|_| self.source.container == Container::Tar);
        let parent_index = nested.and_then(|_| self.artifact(None).index);
        let location = match (nested, self.source.file(member)) {
            (Some(member), _) => {
                let uri = format!("/{}", percent(&self.source.docs.name(member)));
                ArtifactLocation { uri: Some(uri), ..ArtifactLocation::default() }
            }
            (None, Some(file)) => outer(&file),
            (None, None) => {
                let description = Some(Words { text: "Standard input." });
                ArtifactLocation { description, ..ArtifactLocation::default() }
            }
        };
        let index = Some(self.artifacts.len());
        self.artifacts.push(Artifact { location: location.clone(), parent_index });
        let location = ArtifactLocation { index, ..location };
        self.known.insert(member, location.clone());
        location
    }

    /// Bytes of a document.
    fn span(&self, member: MemberId, span: Span) -> Option<Region> {
        let lines = self.locator.lines(member)?;
        let (start, end) = (lines.position(span.start), lines.position(span.end));
        Some(Region {
            start_line: Some(start.line),
            start_column: Some(start.column),
            end_line: Some(end.line),
            end_column: Some(end.column),
            byte_offset: span.start as u64,
            byte_length: span.end.saturating_sub(span.start) as u64,
        })
    }

    /// A fix, if all of it is in documents.
    fn fix(&mut self, finding: &Finding, fix: &Fix) -> Option<FixView> {
        let mut changed: Vec<(MemberId, Vec<Replacement>)> = Vec::new();
        for change in &fix.changes {
            let Target::Member(member) = change.target else { return None };
            let (span, text) = self.locator.replacement(member, &change.edit)?;
            let inserted_content = Some(Content { text }).filter(|content| !content.text.is_empty());
            let replacement = Replacement { deleted_region: self.span(member, span)?, inserted_content };
            match changed.iter_mut().find(|(known, _)| *known == member) {
                Some((_, list)) => list.push(replacement),
                None => changed.push((member, vec![replacement])),
            }
        }
        let description =
            advice(finding, self.source.docs).unwrap_or_else(|| "This mends the fault.".to_owned());
        let artifact_changes = changed.into_iter().map(|(member, replacements)| ArtifactChange {
            artifact_location: self.artifact(Some(member)),
            replacements,
        });
        Some(FixView { artifact_changes: artifact_changes.collect(), description: plain(&description) })
    }

    /// The bytes that are meant. An offset in a layer's decompressed tar is none in the layer.
    fn region(&self, place: &Place<'_>, label: &Label) -> Option<Region> {
        if let Some(span) = place.span {
            return self.span(label.location.member?, span);
        }
        let offset = place.offset.filter(|_| !matches!(label.location.at, At::Entry { .. }))?;
        Some(Region { byte_offset: offset, ..Region::default() })
    }
}

/// A file as a URI: relative to the base if the path is, so that no absolute path is told that was not typed.
fn outer(file: &Path) -> ArtifactLocation {
    let path = percent(file.as_os_str().as_encoded_bytes());
    match file.is_absolute() {
        true => ArtifactLocation { uri: Some(format!("file://{path}")), ..ArtifactLocation::default() },
        false => ArtifactLocation { uri: Some(path), uri_base_id: Some(BASE), ..ArtifactLocation::default() },
    }
}

/// The most exact name that the place has inside its archive.
fn logical(place: &Place<'_>, in_member: bool) -> Vec<LogicalLocation> {
    if !in_member {
        return Vec::new();
    }
    let member = utf8(&place.name).into_owned();
    let (name, fully_qualified_name, kind) = match (place.entry, place.pointer) {
        (Some(entry), _) if !entry.is_empty() => {
            let entry = utf8(entry).into_owned();
            (entry.clone(), format!("{member}!{entry}"), "resource")
        }
        (_, Some(pointer)) if !pointer.is_empty() => {
            let name = pointer.rsplit('/').next().unwrap_or_default();
            (name.replace("~1", "/").replace("~0", "~"), format!("{member}#{pointer}"), "value")
        }
        _ => (member.clone(), member, "resource"),
    };
    vec![LogicalLocation { name, fully_qualified_name, kind }]
}

fn descriptor(rule: &'static Rule) -> Descriptor {
    let first = rule.checks.split_once(". ").map_or(rule.checks, |(first, _)| first);
    let mend = rule.how_to_mend();
    let help = format!("{}\n\nHow to mend it: {mend}", rule.matters);
    let markdown = format!(
        "**Why it matters**\n\n{}\n\n**Example**\n\n{}\n\n**How to mend it**\n\n{}",
        rule.matters, rule.example, mend
    );
    Descriptor {
        id: rule.name,
        name: pascal(rule.name),
        short_description: Text { text: first.to_owned(), markdown: None },
        full_description: Text { text: rule.checks.to_owned(), markdown: None },
        help: Text { text: help, markdown: Some(markdown) },
        default_configuration: Configuration { level: word(rule.level) },
        properties: Properties { tags: ["container-image", rule.family()] },
    }
}

fn word(level: Level) -> &'static str {
    if level == Level::Allow { "none" } else { level.name() }
}

/// A plain text, in which `[…](…)` would be a link (section 3.11.6).
fn plain(text: &str) -> Text {
    Text { text: text.replace("](", "\\]("), markdown: None }
}

/// `descriptor/size-mismatch` as `DescriptorSizeMismatch`.
fn pascal(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for word in name.split(['/', '-']) {
        let mut chars = word.chars();
        out.extend(chars.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(chars.as_str());
    }
    out
}

/// A path as a URI reference (RFC 3986): all but unreserved characters and `/` is percent-encoded.
fn percent(path: &[u8]) -> String {
    let mut out = String::with_capacity(path.len());
    for &byte in path {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(byte.into())
            }
            _ => {
                let _ = write!(out, "%{byte:02X}"); // a String takes everything
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Lowered;
    use crate::render::{Source, fixture};
    use serde_json::{Value, json};

    fn log() -> Value {
        serde_json::from_str(&fixture::rendered(Box::<Sarif>::default())).expect("JSON")
    }

    fn of<'v>(log: &'v Value, rule: &str) -> &'v Value {
        let mut results = log["runs"][0]["results"].as_array().expect("array").iter();
        results.find(|result| result["ruleId"] == rule).expect("a result")
    }

    #[test]
    fn results_point_at_rules_and_artifacts() {
        let log = log();
        let run = &log["runs"][0];
        let results = run["results"].as_array().expect("array");
        assert_eq!(results.len(), 13 + 201);
        for result in results {
            let nth = result["ruleIndex"].as_u64().expect("index") as usize;
            assert_eq!(run["tool"]["driver"]["rules"][nth]["id"], result["ruleId"]);
            let location = &result["locations"][0]["physicalLocation"]["artifactLocation"];
            let artifact = &run["artifacts"][location["index"].as_u64().expect("index") as usize];
            assert_eq!(artifact["location"]["uri"], location["uri"]);
        }
        assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    }

    #[test]
    fn members_of_folders_are_files_and_members_of_tars_are_nested() {
        let log = log();
        let missing = &of(&log, "descriptor/missing-size")["locations"][0];
        assert_eq!(
            missing["physicalLocation"]["artifactLocation"],
            json!({"uri": "lay%20out/app.tar/index.json", "uriBaseId": "%SRCROOT%", "index": 1})
        );
        assert_eq!(
            missing["physicalLocation"]["region"],
            json!({"startLine": 14, "startColumn": 5, "endLine": 14, "endColumn": 6, "byteOffset": 386, "byteLength": 1})
        );
        assert_eq!(
            missing["logicalLocations"],
            json!([{"name": "1", "fullyQualifiedName": "index.json#/manifests/1", "kind": "value"}])
        );
        let artifacts = log["runs"][0]["artifacts"].as_array().expect("array");
        let tar =
            artifacts.iter().position(|a| a["location"]["uri"] == "file:///tmp/app.tar").expect("the tar");
        let nested = artifacts.last().expect("artifacts");
        assert_eq!(nested["parentIndex"], tar);
        assert_eq!(nested["location"]["uri"], format!("/{}", fixture::blob_name('6')));
        let hostile = artifacts.iter().any(|a| {
            a["location"]["uri"] == "lay%20out/app.tar/evil%1B%5B2J%1B%5D0%3Bowned%07/%E2%80%AEgpj.%FF"
        });
        assert!(hostile || cfg!(not(unix)), "{artifacts:?}");
    }

    #[test]
    fn fixes_are_replacements_in_documents() {
        let log = log();
        assert_eq!(
            of(&log, "descriptor/missing-size")["fixes"],
            json!([{
                "description": {"text": "write `424`, if the manifest is the one that was meant"},
                "artifactChanges": [{
                    "artifactLocation":
                        {"uri": "lay%20out/app.tar/index.json", "uriBaseId": "%SRCROOT%", "index": 1},
                    "replacements": [{
                        "deletedRegion": {"startLine": 20, "startColumn": 8, "endLine": 20, "endColumn": 8,
                            "byteOffset": 626, "byteLength": 0},
                        "insertedContent": {"text": ",\"size\":424"},
                    }],
                }],
            }])
        );
        // A file to be written is no replacement.
        assert_eq!(of(&log, "tar/padding").get("fixes"), None);
    }

    #[test]
    fn entries_have_a_name_and_no_region() {
        let log = log();
        let entry = &of(&log, "layer/absolute-path")["locations"][0];
        assert_eq!(entry["logicalLocations"][0]["name"], "/etc/\u{1b}[2Jpasswd");
        assert_eq!(entry["physicalLocation"].get("region"), None);
        let digest = &of(&log, "blob/digest-mismatch");
        assert_eq!(digest["locations"][0]["physicalLocation"]["region"]["byteOffset"], 123);
        assert_eq!(digest["relatedLocations"].as_array().expect("array").len(), 3);
        assert_eq!(digest["relatedLocations"][1]["message"]["text"], "the manifest is declared here");
    }

    #[test]
    fn fingerprints_are_unique_and_do_not_know_where_the_archive_is() {
        let prints = |path: &str| {
            let (docs, findings) = fixture::everything();
            let levelled: Vec<_> = findings.iter().map(|f| (f.rule.level, f)).collect();
            let mut sarif = Box::<Sarif>::default();
            let path = Some(Path::new(path));
            sarif.add(&Source {
                docs: &docs,
                path,
                container: Container::Tar,
                form: "oci",
                images: &[],
                findings: &levelled,
                lowered: Lowered::NONE,
                suggest: &[],
                proved: None,
            });
            let log: Value = serde_json::from_str(&fixture::text(sarif)).expect("JSON");
            let results = log["runs"][0]["results"].as_array().expect("array").clone();
            let print =
                |result: &Value| result["partialFingerprints"]["restow/v1"].as_str().map(str::to_owned);
            results.iter().map(|result| print(result).expect("a fingerprint")).collect::<Vec<_>>()
        };
        let here = prints("app.tar");
        assert_eq!(here, prints("/somewhere/else/app.tar"));
        assert_ne!(here, prints("other.tar"));
        let mut unique = here.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), here.len());
        // Known bytes: a change would make every finding of every user a new one.
        assert_eq!(here[1], "0f777dda881883cdb1ce091fde9f90c4:1");
    }

    #[test]
    fn names_and_texts() {
        assert_eq!(pascal("descriptor/size-mismatch"), "DescriptorSizeMismatch");
        assert_eq!(percent("a b/é%:?#.tar".as_bytes()), "a%20b/%C3%A9%25%3A%3F%23.tar");
        assert_eq!(plain("see [this](http://x)").text, "see [this\\](http://x)");
    }
}
