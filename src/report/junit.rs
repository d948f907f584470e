//! Findings as JUnit XML in the dialect of Jenkins; the only user of quick-junit.
//!
//! A suite for each source; in it a case for each image and family of rules, and for the archive as a whole
//! what belongs to no image. Every family has its case, whether or not it found something, so that a case
//! has a history. Errors make it fail; warnings and notes are its output. There are no times and no random
//! IDs: the same findings give the same bytes.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{Finding, Locator, MemberId, Renderer, Source, advice, escape_str};
use crate::rules::{self, Level};

/// Class of the cases about the archive as a whole: no name of an image, which would have a tag.
const ARCHIVE: &str = "archive";

/// Collects one report.
#[derive(Debug)]
pub struct Junit {
    report: Report,
}

impl Default for Junit {
    fn default() -> Self {
        Junit { report: Report::new("restow") }
    }
}

impl Renderer for Junit {
    fn add(&mut self, source: &Source<'_>) {
        let locator = Locator::new(source.docs);
        let mut families: BTreeSet<&str> = rules::all().iter().map(|rule| rule.family()).collect();
        families.extend(source.findings.iter().map(|(_, finding)| finding.rule.family()));
        let mut suite = TestSuite::new(clean(source.docs.place()));
        suite.add_property(("form", source.form));
        let mut images_of: HashMap<MemberId, Vec<usize>> = HashMap::new();
        for (nth, image) in source.images.iter().enumerate() {
            image.members.iter().for_each(|member| images_of.entry(*member).or_default().push(nth));
        }
        let mut cases: HashMap<_, Vec<(Level, &Finding)>> = HashMap::new();
        for (level, finding) in source.findings {
            let images = finding.primary.location.member.and_then(|member| images_of.get(&member));
            let classes = images.map_or_else(|| vec![None], |nths| nths.iter().copied().map(Some).collect());
            for class in classes {
                cases.entry((class, finding.rule.family())).or_default().push((*level, finding));
            }
        }
        for class in std::iter::once(None).chain((0..source.images.len()).map(Some)) {
            let name = class.map_or_else(|| ARCHIVE.to_owned(), |nth| clean(&source.images[nth].name));
            for family in &families {
                let findings = cases.get(&(class, *family)).map_or(&[][..], Vec::as_slice);
                let mut case = case(family, findings, &locator);
                case.set_classname(name.clone());
                suite.add_test_case(case);
            }
        }
        self.report.add_test_suite(suite);
    }

    fn failed(&mut self, place: &str, why: &str) {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message(clean(why)).set_type("restow");
        let mut case = TestCase::new("open", status);
        case.set_classname(ARCHIVE);
        let mut suite = TestSuite::new(clean(place));
        suite.add_test_case(case);
        self.report.add_test_suite(suite);
    }

    fn finish(self: Box<Self>) -> String {
        let text = self.report.to_string().unwrap_or_default();
        // Jenkins' schema has no such attribute of the root; no case is ever skipped.
        text.replacen(" skipped=\"0\"", "", 1)
    }
}

/// The case of a family.
fn case<'a>(family: &str, findings: &[(Level, &'a Finding)], locator: &Locator<'a>) -> TestCase {
    let (errors, rest): (Vec<_>, Vec<_>) = findings.iter().partition(|(level, _)| *level == Level::Error);
    let status = match errors.first() {
        None => TestCaseStatus::success(),
        Some((_, first)) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let more = match errors.len() - 1 {
                0 => String::new(),
                more => format!(" (and {more} more)"),
            };
            status
                .set_message(format!("{}{more}", clean(&first.message)))
                .set_type(first.rule.name)
                .set_description(lines(&errors, locator));
            status
        }
    };
    let mut case = TestCase::new(family, status);
    if !rest.is_empty() {
        case.set_system_out(lines(&rest, locator));
    }
    case
}

/// Findings as plain text.
fn lines<'a>(findings: &[(Level, &'a Finding)], locator: &Locator<'a>) -> String {
    let mut out = String::new();
    for (level, finding) in findings {
        let (level, rule) = (level.name(), finding.rule.name);
        let message = clean(&finding.message);
        let place = clean(&locator.place(&finding.primary.location).to_string());
        let _ = writeln!(out, "{level}[{rule}]: {message}\n  --> {place}"); // a String takes everything
        if let Some(help) = advice(finding, locator.docs()) {
            let _ = writeln!(out, "  help: {}", clean(&help));
        }
    }
    out
}

/// The text with everything hidden written out, also what XML cannot hold and quick-junit lets pass: U+FFFE and
/// U+FFFF.
fn clean(text: &str) -> String {
    escape_str(text).replace('\u{fffe}', "\\u{fffe}").replace('\u{ffff}', "\\u{ffff}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn a_case_for_each_image_and_family() {
        let text = fixture::rendered(Box::<Junit>::default());
        let report = Report::deserialize_from_str(&text).expect("JUnit");
        let names: Vec<_> = report.test_suites.iter().map(|suite| suite.name.as_str()).collect();
        assert_eq!(names, ["app.tar", "app.tar", "gone.tar"]);
        let cases: Vec<_> = report.test_suites[0]
            .test_cases
            .iter()
            .filter(|case| {
                !matches!(case.status, TestCaseStatus::Success { .. }) || case.system_out.is_some()
            })
            .map(|case| {
                format!("{} {}", case.classname.as_ref().expect("a class").as_str(), case.name.as_str())
            })
            .collect();
        assert_eq!(
            cases,
            [
                "archive descriptor",
                "archive json",
                "archive tar",
                "app:latest blob",
                "app:latest descriptor",
                "app:latest layer",
                r"\x1b[31mother\u{fffe} blob",
                r"\x1b[31mother\u{fffe} layer",
            ]
        );
        let families = report.test_suites[0].test_cases.len() / 3;
        assert!(families >= rules::all().iter().map(|r| r.family()).collect::<BTreeSet<_>>().len());
        assert_eq!(report.test_suites[2].errors, 1);
    }

    #[test]
    fn what_a_case_says() {
        let text = fixture::rendered(Box::<Junit>::default());
        assert!(
            text.contains(r#"message="layer 0 is 33 bytes, the manifest says 32 (and 199 more)""#),
            "{text}"
        );
        assert!(
            text.contains("error[json/syntax]: the document ends inside an object\n  --&gt; oci-layout:1:")
        );
        assert!(text.contains("<system-out>note[tar/padding]: "), "{text}");
        assert!(
            text.starts_with(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"restow\" tests=\""
            )
        );
        assert!(!text.lines().nth(1).expect("the root").contains("skipped"));
        for absent in ["time=", "timestamp=", "uuid="] {
            assert!(!text.contains(absent), "{absent}");
        }
    }

    #[test]
    fn nothing_that_xml_cannot_hold() {
        assert_eq!(clean("a\u{0}\u{1b}[2J\u{fffe}\u{ffff}\n"), r"a\x00\x1b[2J\u{fffe}\u{ffff}\n");
        let text = fixture::rendered(Box::<Junit>::default());
        assert!(
            !text.contains(|c: char| c != '\n' && c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'))
        );
    }
}
