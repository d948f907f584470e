//! Findings as lines, one each, for `grep`, editors and eyes that want little: what compilers print.
//!
//! `app.tar: index.json:14:5 /manifests/1: error: manifest 1 has no `size` [descriptor/missing-size]`; in a folder the
//! line begins with the file itself, where editors find it. The last line of a source says what it came to.

use std::fmt::Write;
use std::io;

use super::{Container, Renderer, Source};
use crate::escape::escape_str;
use crate::finding::{Level, Locator, Summary};

/// Collects lines.
#[derive(Debug, Default)]
pub struct Lines {
    text: String,
}

impl Renderer for Lines {
    fn add(&mut self, source: &Source<'_>) {
        let locator = Locator::new(source.docs);
        let shown = escape_str(source.docs.place());
        for (level, finding) in source.findings {
            let place = locator.place(&finding.primary.location).to_string();
            let file = source.file(finding.primary.location.member).filter(|_| {
                source.container == Container::Folder && finding.primary.location.member.is_some()
            });
            let folder =
                source.path.filter(|_| file.is_some()).map(|path| path.join("").display().to_string());
            let head = match folder {
                Some(folder) => escape_str(&folder).into_owned(),
                // A fault of the archive itself is at its own place.
                None if place.starts_with(&*shown) => String::new(),
                None => format!("{shown}: "),
            };
            let (level, message) = (level.name(), escape_str(&finding.message));
            let place = escape_str(&place);
            // A String takes everything.
            let _ = writeln!(self.text, "{head}{place}: {level}: {message} [{}]", finding.rule.name);
        }
        for words in source.lowered.words().iter().chain(&source.lowered.ended) {
            let _ = writeln!(self.text, "{shown}: {}", escape_str(words));
        }
        let Summary { errors, warnings, notes, .. } = Summary::of(source.findings);
        let soundness = if errors == 0 { "sound" } else { "not sound" };
        let _ = write!(self.text, "{shown}: {soundness}");
        for (count, what) in [(errors, "error"), (warnings, "warning"), (notes, "note")] {
            let plural = if count == 1 { "" } else { "s" };
            if count > 0 {
                let _ = write!(self.text, ", {count} {what}{plural}");
            }
        }
        self.text.push('\n');
    }

    fn failed(&mut self, place: &str, why: &str) {
        let level = Level::Error.name();
        let _ = writeln!(self.text, "{}: {level}: {}", escape_str(place), escape_str(why));
    }

    fn finish(self: Box<Self>, out: &mut dyn io::Write) -> io::Result<()> {
        out.write_all(self.text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn one_line_for_each_finding_and_one_for_each_source() {
        let text = fixture::rendered(Box::<Lines>::default());
        let lines: Vec<&str> = text.lines().collect();
        assert!(!text.chars().any(|char| char.is_control() && char != '\n'), "{text}");
        let verdicts =
            lines.iter().filter(|line| line.contains(": not sound, ") || line.ends_with(": sound"));
        let findings = lines.iter().filter(|line| line.ends_with(']')).count();
        assert_eq!(findings, 13 + 201, "{text}");
        assert_eq!(lines.len(), findings + verdicts.count() + 1, "and one that could not be judged:\n{text}");
        assert!(
            lines.iter().any(|line| line.ends_with(
                "index.json:14:5 /manifests/1: error: manifest 1 has no `size` [descriptor/missing-size]"
            )),
            "{text}"
        );
    }
}
