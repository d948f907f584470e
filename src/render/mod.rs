//! Findings and the ways to show them.
//!
//! Rules make [`Finding`]s with symbolic locations, and a [`Locator`](crate::finding::Locator) turns these into places.
//! [`excerpt`] cuts the few lines around them out of a document, [`escape`](crate::escape) keeps archive text from being
//! obeyed by a terminal, and one module for each format writes them. Renderers see an archive only through [`Documents`].

use std::collections::BTreeSet;
use std::io;
use std::path::{Component, Path, PathBuf};

use bstr::ByteSlice;

pub mod excerpt;
pub mod fixes;
#[cfg(test)]
pub(crate) mod fixture;
pub mod github;
#[cfg(feature = "cli")]
pub mod human;
pub mod json;
#[cfg(feature = "junit")]
pub mod junit;
pub mod lines;
pub mod sarif;

use crate::finding::{Command, Documents, Finding, Level, Lowered};
use crate::location::MemberId;

/// One judged source, as the formats for machines take it.
pub struct Source<'a> {
    /// Names and texts of its members; its place is SOURCE as typed.
    pub docs: &'a dyn Documents,
    /// The file or folder; `None` for standard input.
    pub path: Option<&'a Path>,
    /// What its members are to the file system.
    pub container: Container,
    /// The form's ID, such as `oci`.
    pub form: &'a str,
    /// The images in it, in source order; only JUnit asks.
    pub images: &'a [Image],
    /// What was found, in the order of [`sort`](crate::finding::sort); none of level `Allow`.
    pub findings: &'a [(Level, &'a Finding)],
    /// What files lowered, and which they are.
    pub lowered: &'a Lowered,
    /// What to run next, the likeliest first.
    pub suggest: &'a [Command],
    /// By what its blobs were proved, where not all of them were read.
    pub proved: Option<Proved>,
}

/// By what the blobs of a source were proved.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Proved {
    /// Those that were read.
    pub reading: Amount,
    /// Those whose digests the store computed.
    pub store: Amount,
    /// What that leaves unproved, in words.
    pub unproved: String,
}

/// So many blobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Amount {
    /// How many.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What the members of a source are to the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// Parts of one file.
    Tar,
    /// Files of their own in a folder.
    Folder,
    /// The one member is the file itself.
    Document,
}

impl Source<'_> {
    /// The name of the file or folder, which is a part of fingerprints.
    fn file_name(&self) -> Option<&std::ffi::OsStr> {
        self.path.and_then(Path::file_name)
    }

    /// The file that holds `member`: itself in a folder, else the archive; no `.` in it. `None` for standard input.
    fn file(&self, member: Option<MemberId>) -> Option<PathBuf> {
        let mut path = self.path?.to_owned();
        if let Some(member) = member.filter(|_| self.container == Container::Folder) {
            path.push(self.docs.name(member).to_path_lossy());
        }
        let clean: PathBuf = path.components().filter(|part| *part != Component::CurDir).collect();
        Some(if clean.as_os_str().is_empty() { path } else { clean })
    }
}

/// An image and the members that it is made of.
#[derive(Debug, Clone, Default)]
pub struct Image {
    /// Its name as people read it, with the platform if one name stands for several images; not escaped.
    pub name: String,
    /// Manifest, config and layers.
    pub members: BTreeSet<MemberId>,
}

/// A format for machines: sources are added one by one, and one whole document comes out at the end.
pub trait Renderer {
    /// Adds a source that was judged.
    fn add(&mut self, source: &Source<'_>);
    /// Adds a source that could not be judged, and why.
    fn failed(&mut self, place: &str, why: &str);
    /// Writes the document; it ends with a line feed, if it is not empty.
    ///
    /// # Errors
    ///
    /// `out` cannot be written to.
    fn finish(self: Box<Self>, out: &mut dyn io::Write) -> io::Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Summary, sort};

    #[test]
    fn findings_are_in_the_order_of_the_source() {
        let (docs, findings) = fixture::everything();
        let mut sorted = findings.clone();
        sort(&mut sorted, &docs);
        let mut reversed: Vec<_> = findings.into_iter().rev().collect();
        sort(&mut reversed, &docs);
        let messages = |findings: &[Finding]| findings.iter().map(|f| f.message.clone()).collect::<Vec<_>>();
        assert_eq!(messages(&sorted), messages(&reversed));
        let places: Vec<_> = sorted.iter().map(|f| f.primary.location.member).collect();
        assert!(places.is_sorted(), "{places:?}");
        let index: Vec<_> =
            sorted.iter().filter(|f| f.primary.location.member == Some(MemberId(0))).collect();
        let rules: Vec<_> = index.iter().map(|f| f.rule.name).collect();
        assert_eq!(rules, ["descriptor/missing-size", "json/key-case"]);
    }

    #[test]
    fn layers_are_sorted_by_offset_not_by_the_text_of_the_pointer() {
        let (docs, mut findings) = fixture::many();
        findings.reverse();
        sort(&mut findings, &docs);
        assert_eq!(findings[0].rule.name, "tar/padding");
        assert!(findings[10].message.starts_with("layer 9 "), "{}", findings[10].message);
    }

    /// Seconds that sorting and every format take for so many findings in one document.
    fn seconds((docs, mut findings): (fixture::Archive, Vec<Finding>)) -> f64 {
        let count = findings.len();
        findings.reverse();
        let began = std::time::Instant::now();
        sort(&mut findings, &docs);
        let levelled: Vec<_> = findings.iter().map(|finding| (finding.rule.level, finding)).collect();
        let opts =
            human::HumanOptions { color: true, unicode: true, width: 100, least: Level::Note, short: false };
        assert!(human::render(&levelled, &docs, opts).len() < 10_000, "equal faults are grouped");
        let path = Some(Path::new("app.tar"));
        let (container, form, images) = (Container::Tar, "oci", &[][..]);
        let lowered = Lowered::NONE;
        let source = Source {
            docs: &docs,
            path,
            container,
            form,
            images,
            findings: &levelled,
            lowered,
            suggest: &[],
            proved: None,
        };
        let renderers: [Box<dyn Renderer>; 4] = [
            Box::<json::Json>::default(),
            Box::<sarif::Sarif>::default(),
            Box::<junit::Junit>::default(),
            Box::<github::Github>::default(),
        ];
        for mut renderer in renderers {
            renderer.add(&source);
            assert!(fixture::text(renderer).len() > count * 50);
        }
        began.elapsed().as_secs_f64()
    }

    /// Four times as many findings would take sixteen times as long if anything were quadratic.
    #[test]
    fn findings_cost_in_proportion() {
        let (few, many) = (seconds(fixture::of_one_kind(1_000)), seconds(fixture::of_one_kind(4_000)));
        assert!(many < 10.0 * few, "{few} s for 1,000, {many} s for 4,000");
    }

    /// The same of objects with very many names.
    #[test]
    fn findings_of_names_cost_in_proportion() {
        let (few, many) = (seconds(fixture::of_names(2_000)), seconds(fixture::of_names(16_000)));
        assert!(many < 20.0 * few, "{few} s for 2,000, {many} s for 16,000");
    }

    #[test]
    fn summaries() {
        use Level::{Allow, Error, Note, Warning};
        let (_, findings) = fixture::everything();
        let plain = &findings[0];
        let of = |levels: &[Level]| {
            let findings: Vec<_> = levels.iter().map(|level| (*level, plain)).collect();
            Summary::of(&findings).to_string()
        };
        assert_eq!(of(&[Error, Warning, Allow, Warning]), "1 error, 2 warnings");
        assert_eq!(of(&[Note, Note]), "2 notes");
        assert_eq!(of(&[Allow]), "no findings");
        let mut more = plain.clone();
        more.omit(34);
        assert!(more.message.ends_with("; so it is with 34 more"), "{}", more.message);
        let mut summary = Summary::of(&[(Error, plain), (Error, &more)]);
        assert_eq!(summary.to_string(), "2 errors; 34 more not told");
        summary += summary;
        assert_eq!(summary.to_string(), "4 errors; 68 more not told");
    }
}
