//! Findings as JUnit XML in the dialect of Jenkins; the only user of quick-junit.
//!
//! A suite for each source; in it a case for each image and family of rules that is about images, and for the
//! archive as a whole a case for every family, with what belongs to no image. These are there whether or not
//! something was found, so that a case has a history. Errors make it fail; warnings and notes are its output. There
//! are no times and no random IDs: the same findings give the same bytes.
//!
//! What is found in a part of many images stands under the first of them; the others count it and say where it is.
//! So a report grows with the archive, not with the number of its images times that of its findings.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;
use std::io;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{Renderer, Source};
use crate::escape::{escape, escape_str};
use crate::finding::{Finding, Level, Locator, Summary, advice};
use crate::location::MemberId;

/// Class of the cases about the archive as a whole: no name of an image, which would have a tag.
const ARCHIVE: &str = "archive";
/// Families whose rules look at manifests, configs and layers. Another family has a case for an image only where it
/// found something there.
const OF_IMAGES: [&str; 11] = [
    "annotation",
    "blob",
    "config",
    "descriptor",
    "document",
    "entry",
    "json",
    "layer",
    "manifest",
    "platform",
    "whiteout",
];

/// Collects one report.
#[derive(Debug)]
pub struct Junit {
    report: Report,
    families: BTreeSet<&'static str>,
}

impl Junit {
    /// A report of rules of these families.
    pub fn new(families: BTreeSet<&'static str>) -> Junit {
        Junit { report: Report::new("restow"), families }
    }
}

#[cfg(test)]
impl Default for Junit {
    fn default() -> Self {
        Junit::new(crate::rules::all().iter().map(|rule| rule.family()).collect())
    }
}

impl Renderer for Junit {
    fn add(&mut self, source: &Source<'_>) {
        let locator = Locator::new(source.docs);
        let mut families = self.families.clone();
        families.extend(source.findings.iter().map(|(_, finding)| finding.rule.family()));
        let mut suite = TestSuite::new(clean(source.docs.place()));
        suite.add_property(("form", source.form));
        for words in source.lowered.words().iter().chain(&source.lowered.ended) {
            suite.add_property(("lowered", clean(words).as_str()));
        }
        let mut images_of: HashMap<MemberId, Vec<usize>> = HashMap::new();
        for (nth, image) in source.images.iter().enumerate() {
            image.members.iter().for_each(|member| images_of.entry(*member).or_default().push(nth));
        }
        let mut cases: HashMap<(Option<usize>, &str), Case<'_>> = HashMap::new();
        let mut shared: BTreeMap<(MemberId, &str), Shared> = BTreeMap::new();
        for (level, finding) in source.findings {
            let member = finding.primary.location.member;
            let held = member.and_then(|member| Some((member, images_of.get(&member)?.as_slice())));
            let family = finding.rule.family();
            let first = held.and_then(|(_, images)| images.first().copied());
            cases.entry((first, family)).or_default().own.push((*level, finding));
            if let Some((member, [first, _, ..])) = held {
                let shared = shared.entry((member, family)).or_insert_with(|| Shared::of(*first));
                shared.counts += Summary::of(&[(*level, *finding)]);
                if *level == Level::Error && shared.counts.errors == 1 {
                    shared.rule = finding.rule.name;
                }
            }
        }
        for ((member, family), shared) in &shared {
            for nth in images_of.get(member).into_iter().flatten().skip(1) {
                cases.entry((Some(*nth), family)).or_default().shared.push((*member, shared));
            }
        }
        let names: Vec<String> = source.images.iter().map(|image| clean(&image.name)).collect();
        for class in std::iter::once(None).chain((0..names.len()).map(Some)) {
            let name = class.and_then(|nth| names.get(nth)).map_or(ARCHIVE, String::as_str);
            for family in &families {
                let mut case = match cases.get(&(class, *family)) {
                    Some(case) => case.view(family, &locator, &names),
                    None if class.is_none() || OF_IMAGES.contains(family) => {
                        Case::default().view(family, &locator, &names)
                    }
                    None => continue,
                };
                case.set_classname(name);
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

    fn finish(self: Box<Self>, out: &mut dyn io::Write) -> io::Result<()> {
        let text = self.report.to_string().unwrap_or_default();
        // Jenkins' schema has no such attribute of the root; no case is ever skipped.
        let (before, after) = text.split_once(" skipped=\"0\"").unwrap_or((&text, ""));
        out.write_all(before.as_bytes())?;
        out.write_all(after.as_bytes())
    }
}

/// What a family found for an image, or for the archive as a whole.
#[derive(Default)]
struct Case<'a> {
    own: Vec<(Level, &'a Finding)>,
    /// Parts of earlier images, and what was found in them.
    shared: Vec<(MemberId, &'a Shared)>,
}

/// What a family found in a part of several images.
struct Shared {
    /// The image under which it stands.
    first: usize,
    counts: Summary,
    /// The rule of the first error.
    rule: &'static str,
}

impl Shared {
    fn of(first: usize) -> Shared {
        Shared { first, counts: Summary::default(), rule: "" }
    }
}

impl<'a> Case<'a> {
    fn view(&self, family: &str, locator: &Locator<'a>, names: &[String]) -> TestCase {
        let (errors, rest): (Vec<_>, Vec<_>) = self.own.iter().partition(|(level, _)| *level == Level::Error);
        let (mut failure, mut output) = (lines(&errors, locator), lines(&rest, locator));
        let mut first = errors.first().map(|(_, first)| (first.rule.name, clean(&first.message), 1));
        let mut count = errors.len();
        for (member, shared) in &self.shared {
            let errors = Summary { warnings: 0, notes: 0, ..shared.counts };
            let rest = Summary { errors: 0, ..shared.counts };
            let name = locator.docs().name(*member);
            let place = escape(&name);
            let image = names.get(shared.first).map_or("", String::as_str);
            let line = |counts| clean(&format!("{counts} in {place}: see {image}"));
            count += errors.errors;
            if errors != Summary::default() {
                let _ = writeln!(failure, "{}", line(errors)); // a String takes everything
                first.get_or_insert_with(|| (shared.rule, line(errors), errors.errors));
            }
            if rest != Summary::default() {
                let _ = writeln!(output, "{}", line(rest));
            }
        }
        let status = match first {
            None => TestCaseStatus::success(),
            Some((rule, message, told)) => {
                let more = match count.saturating_sub(told) {
                    0 => String::new(),
                    more => format!(" (and {more} more)"),
                };
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(format!("{message}{more}")).set_type(rule).set_description(failure);
                status
            }
        };
        let mut case = TestCase::new(family, status);
        if !output.is_empty() {
            case.set_system_out(output);
        }
        case
    }
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
    use crate::render::fixture;
    use crate::rules;

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
        let families: BTreeSet<_> = rules::all().iter().map(|rule| rule.family()).collect();
        let named = |class: &str| {
            let cases = report.test_suites[0].test_cases.iter();
            let cases =
                cases.filter(|case| case.classname.as_ref().is_some_and(|name| name.as_str() == class));
            cases.map(|case| case.name.as_str()).collect::<BTreeSet<_>>()
        };
        assert!(named("archive").is_superset(&families));
        assert_eq!(named("app:latest"), BTreeSet::from(OF_IMAGES));
        assert!(families.is_superset(&OF_IMAGES.into()));
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
    fn what_images_share_stands_under_the_first() {
        let text = fixture::rendered(Box::<Junit>::default());
        let report = Report::deserialize_from_str(&text).expect("JUnit");
        let layer = fixture::blob_name('a');
        let mut seen = 0;
        for case in &report.test_suites[0].test_cases {
            let class = case.classname.as_ref().expect("a class").as_str();
            match (class, case.name.as_str(), &case.status) {
                ("app:latest", "blob", TestCaseStatus::NonSuccess { message, description, .. }) => {
                    let wanted = "the blob has another digest than its name says";
                    assert_eq!(message.as_ref().map(|text| text.as_str()), Some(wanted));
                    assert!(description.as_ref().expect("some").as_str().contains("  --> blobs"));
                }
                (
                    r"\x1b[31mother\u{fffe}",
                    "blob",
                    TestCaseStatus::NonSuccess { message, ty, description, .. },
                ) => {
                    let line = format!("1 error in {layer}: see app:latest");
                    assert_eq!(message.as_ref().map(|text| text.as_str()), Some(line.as_str()));
                    assert_eq!(description.as_ref().expect("some").as_str().trim_end(), line);
                    assert_eq!(ty.as_ref().map(|text| text.as_str()), Some("blob/digest-mismatch"));
                }
                (r"\x1b[31mother\u{fffe}", "layer", TestCaseStatus::Success { .. }) => {
                    let output = case.system_out.as_ref().expect("some").as_str();
                    assert_eq!(output.trim_end(), format!("1 warning in {layer}: see app:latest"));
                }
                _ => continue,
            }
            seen += 1;
        }
        assert_eq!(seen, 3);
    }

    /// So many images that share all of so many findings, and have one family each that found nothing.
    fn size(images: usize, findings: u64) -> usize {
        let (docs, found) = fixture::of_one_kind(findings);
        let findings: Vec<_> = found.iter().map(|finding| (finding.rule.level, finding)).collect();
        let image = |nth| super::super::Image { name: format!("app:{nth}"), members: [MemberId(0)].into() };
        let images: Vec<_> = (0..images).map(image).collect();
        let mut report = Junit::default();
        let container = super::super::Container::Tar;
        let source = Source {
            docs: &docs,
            path: None,
            container,
            form: "oci",
            images: &images,
            findings: &findings,
            lowered: crate::finding::Lowered::NONE,
            suggest: &[],
            proved: None,
        };
        report.add(&source);
        fixture::text(Box::new(report)).len()
    }

    #[test]
    fn images_that_share_findings_cost_in_proportion() {
        let (one, many) = (size(1, 200), size(200, 200));
        assert!(many < one + 200 * 2000, "{one} bytes for one image, {many} for 200");
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
