//! Findings as workflow commands of GitHub Actions: one annotation a line.
//!
//! A line of a file is only given where the file itself has that line, which is in folders; for a member of a
//! tar the annotation is on the tar, and the message says where inside it. GitHub shows ten of each level, and fifty in
//! all, so what is worse comes first.

use std::fmt::Write;
use std::io;

use super::{Container, Renderer, Source};
use crate::escape::{escape_str, utf8};
use crate::finding::{Level, Locator, advice};

/// Collects annotations.
#[derive(Debug, Default)]
pub struct Github {
    errors: String,
    warnings: String,
    notices: String,
}

impl Renderer for Github {
    fn add(&mut self, source: &Source<'_>) {
        let locator = Locator::new(source.docs);
        for (level, finding) in source.findings {
            let location = &finding.primary.location;
            let place = locator.place(location);
            let mut properties = String::new();
            if let Some(file) = source.file(location.member) {
                let file = utf8(file.as_os_str().as_encoded_bytes()).into_owned();
                let _ = write!(properties, "file={},", property(&file)); // a String takes everything
                if let Some(position) = place.position.filter(|_| source.container != Container::Tar) {
                    let _ = write!(properties, "line={},col={},", position.line, position.column);
                }
            }
            let mut message = format!("{}\n{place}", escape_str(&finding.message));
            if let Some(help) = advice(finding, source.docs) {
                let _ = write!(message, "\nhelp: {}", escape_str(&help));
            }
            self.line(*level, &properties, finding.rule.name, &message);
        }
        let title = format!("restow: {}", escape_str(source.docs.place()));
        for words in source.lowered.words() {
            self.line(Level::Note, "", &title, &escape_str(&words));
        }
        for ended in &source.lowered.ended {
            self.line(Level::Warning, "", &title, &escape_str(ended));
        }
    }

    fn failed(&mut self, place: &str, why: &str) {
        let place = escape_str(place);
        self.line(Level::Error, "", &format!("restow: {place}"), &escape_str(why));
    }

    fn finish(self: Box<Self>, out: &mut dyn io::Write) -> io::Result<()> {
        [self.errors, self.warnings, self.notices].iter().try_for_each(|text| out.write_all(text.as_bytes()))
    }
}

impl Github {
    /// Adds a command; `properties` are escaped already, the rest is not.
    fn line(&mut self, level: Level, properties: &str, title: &str, message: &str) {
        let (command, out) = match level {
            Level::Error => ("error", &mut self.errors),
            Level::Warning => ("warning", &mut self.warnings),
            Level::Note | Level::Allow => ("notice", &mut self.notices),
        };
        let _ = writeln!(out, "::{command} {properties}title={}::{}", property(title), data(message));
    }
}

/// Escapes the text behind the second `::`, as the toolkit of the runner does.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes the value of a property: hidden characters for readers, separators for the runner.
fn property(text: &str) -> String {
    data(&escape_str(text)).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn one_line_for_each_finding() {
        let text = fixture::rendered(Box::<Github>::default());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 13 + 201 + 1);
        for line in &lines {
            assert!(
                line.starts_with("::error ")
                    || line.starts_with("::warning ")
                    || line.starts_with("::notice ")
            );
            assert_eq!(line.matches("::").count(), 2, "{line}");
            assert!(!line.contains(|c: char| c.is_control()), "{line}");
        }
        let order = ["::error", "::warning", "::notice"];
        let level = |line: &&str| order.iter().position(|level| line.starts_with(level));
        assert!(lines.iter().map(level).is_sorted(), "what is worse comes first");
        let has = |line: &str| assert!(lines.contains(&line), "{line}\n{text}");
        has(
            "::error file=lay out/app.tar/index.json,line=14,col=5,title=descriptor/missing-size::manifest 1 has no \
             `size`%0Aindex.json:14:5 /manifests/1%0Ahelp: write `424`, if the manifest is the one that was meant",
        );
        has("::notice file=lay out/app.tar,title=tar/padding::no end-of-archive marker%0Aapp.tar at byte \
             10240%0Ahelp: two blocks of zeros end a tar");
        // In a tar there is no line of a file to point at.
        assert!(text.contains("::error file=/tmp/app.tar,title=descriptor/size-mismatch::"), "{text}");
        has(r"::error title=restow%3A gone.tar::cannot open \x1b[2Jgone.tar");
    }

    #[test]
    fn separators_in_values() {
        assert_eq!(property("a,b:c%d\ne"), r"a%2Cb%3Ac%25d\ne");
        assert_eq!(data("50%\r\n::error::x"), "50%25%0D%0A::error::x");
    }
}
