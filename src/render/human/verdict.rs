//! What a source came to: its last line, and one above it for each image where the images fare differently.

use super::{HumanOptions, clip, fit};
use crate::colour::{BOLD, STRONG_AMBER, STRONG_GREEN, STRONG_RED};
use crate::escape::escape_str;
use crate::finding::{Documents, Finding, Level, Locator, Lowered, Summary};
use crate::render::Image;

/// Images that have a line each; of more, those at fault alone.
const IMAGES: usize = 8;

/// What is said of a source when all of it was judged.
#[derive(Debug, Clone, Copy)]
pub struct Verdict<'a> {
    /// SOURCE as typed.
    pub place: &'a str,
    /// What it holds, such as `2 images`, or what a lone document was taken for.
    pub what: &'a str,
    /// What was found, whether drawn or not.
    pub findings: &'a [(Level, &'a Finding)],
    /// Its images; with fewer than two, or if nothing drawn is found, none has a line of its own.
    pub images: &'a [Image],
    /// Advice that goes before the verdict, a line each.
    pub hints: &'a [String],
    /// What files lowered, and which they are.
    pub lowered: &'a Lowered,
}

impl Verdict<'_> {
    /// Whether nothing found is an error.
    pub fn is_sound(&self) -> bool {
        self.findings.iter().all(|(level, _)| *level != Level::Error)
    }

    /// Whether any finding is drawn.
    pub fn draws(&self, opts: HumanOptions) -> bool {
        self.findings.iter().any(|(level, _)| *level >= opts.least.max(Level::Note))
    }

    /// The verdict in one line: `app.tar: sound, 1 image, 2 notes (-v shows them)`.
    pub fn line(&self, opts: HumanOptions) -> String {
        let plain = HumanOptions { color: false, ..opts };
        let tail = |opts| format!("{}, {}{}", soundness(self.is_sound(), opts), self.what, self.counts(opts));
        let taken = tail(plain).chars().count() + 2;
        // What is said is more than where, but a place must stay recognisable.
        let room = opts.width.saturating_sub(taken).max(60);
        let place = fit(&escape_str(self.place), room, super::ellipsis(opts));
        format!("{}: {}\n", super::paint(BOLD, &place, opts), tail(opts))
    }

    /// Everything behind the findings: what was lowered, what the images came to, advice, and the line.
    pub fn draw(&self, docs: &dyn Documents, opts: HumanOptions) -> String {
        let mut out = self.lowered(docs, opts);
        for hint in self.hints.iter().chain(&self.lowered.ended) {
            out.push_str(&super::hint(hint, opts));
        }
        self.images(&mut out, opts);
        out + &self.line(opts)
    }

    /// A line for each finding that a file lowered, where all is asked for.
    fn lowered(&self, docs: &dyn Documents, opts: HumanOptions) -> String {
        if opts.least > Level::Note {
            return String::new();
        }
        let locator = Locator::new(docs);
        let mut lines = String::new();
        for lower in &self.lowered.findings {
            let place = locator.place(&lower.finding.primary.location).to_string();
            let levels = format!("{} instead of {}", lower.finding.level.name(), lower.from.name());
            let rule = super::paint(BOLD, lower.finding.rule.name, opts);
            let why = lower.why(self.lowered);
            lines.push_str(&format!("{rule}: {levels}, {}\n  {place}\n", escape_str(&why)));
        }
        if lines.is_empty() { lines } else { lines + "\n" }
    }

    /// `, 1 error, 2 notes (-v shows them)`; empty if nothing was found.
    fn counts(&self, opts: HumanOptions) -> String {
        let summary = Summary::of(self.findings);
        let mut out = counted(summary, opts);
        // Only what is hidden without being asked for has a hint.
        if opts.least == Level::Warning && summary.notes > 0 {
            let them = if summary.notes == 1 { "it" } else { "them" };
            out.push_str(&format!(" (-v shows {them})"));
        }
        if summary.omitted > 0 {
            out.push_str(&format!("; {} more not told", summary.omitted));
        }
        for words in self.lowered.words() {
            out.push_str(&format!("; {}", escape_str(&words)));
        }
        out
    }

    /// A line for each image, where it is not plain which one is at fault.
    fn images(&self, out: &mut String, opts: HumanOptions) {
        let drawn: Vec<_> =
            self.findings.iter().filter(|(level, _)| *level >= opts.least.max(Level::Warning)).collect();
        if self.images.len() < 2 || drawn.is_empty() {
            return;
        }
        let mut of_image = vec![Summary::default(); self.images.len()];
        let mut others = Summary::default();
        for (level, finding) in drawn {
            let members: Vec<_> = std::iter::once(&finding.primary)
                .chain(&finding.related)
                .filter_map(|label| label.location.member)
                .collect();
            let one = Summary { omitted: 0, ..Summary::of(&[(*level, *finding)]) };
            let mut held = false;
            for (image, summary) in self.images.iter().zip(&mut of_image) {
                if members.iter().any(|member| image.members.contains(member)) {
                    *summary += one;
                    held = true;
                }
            }
            if !held {
                others += one;
            }
        }
        let told = |summary: Summary| match summary {
            Summary { errors: 0, warnings: 0, .. } if others.errors > 0 => "nothing found in it".to_owned(),
            Summary { errors, .. } => soundness(errors == 0, opts) + &counted(summary, opts),
        };
        let few = self.images.len() <= IMAGES;
        let shown: Vec<_> = self
            .images
            .iter()
            .zip(&of_image)
            .filter(|(_, summary)| few || summary.errors + summary.warnings > 0)
            .collect();
        let name = |image: &Image| clip(&escape_str(&image.name), opts.width / 2, super::ellipsis(opts));
        let names: Vec<String> = shown.iter().take(IMAGES).map(|(image, _)| name(image)).collect();
        let column = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
        for (name, (_, summary)) in names.iter().zip(&shown) {
            out.push_str(&format!("  {name:column$}  {}\n", told(**summary)));
        }
        let more = shown.len().saturating_sub(IMAGES);
        let rest = self.images.len() - shown.len();
        let images = |count: usize| if count == 1 { "image" } else { "images" };
        if more > 0 {
            out.push_str(&format!("  and {more} more {} at fault\n", images(more)));
        }
        if rest > 0 {
            out.push_str(&format!("  nothing found in {rest} more {}\n", images(rest)));
        }
        if others != Summary::default() {
            let counts = counted(others, opts);
            out.push_str(&format!("  {}\n", format_args!("in no image:{}", counts.trim_start_matches(','))));
        }
    }
}

/// The last line of several sources: `3 sources: 1 sound, 1 not sound, 1 could not be judged`.
pub fn total(sound: usize, unsound: usize, failed: usize, opts: HumanOptions) -> String {
    let all = sound + unsound + failed;
    let parts = [
        (sound, soundness(true, opts)),
        (unsound, soundness(false, opts)),
        (failed, super::paint(STRONG_RED, "could not be judged", opts)),
    ];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts.map(|(count, what)| format!("{count} {what}")).collect();
    format!("{}: {}\n", super::paint(BOLD, &format!("{all} sources"), opts), parts.join(", "))
}

fn soundness(sound: bool, opts: HumanOptions) -> String {
    if sound {
        super::paint(STRONG_GREEN, "sound", opts)
    } else {
        super::paint(STRONG_RED, "not sound", opts)
    }
}

/// `, 1 error, 2 warnings`.
fn counted(summary: Summary, opts: HumanOptions) -> String {
    let mut out = String::new();
    let of = [
        (summary.errors, "error", STRONG_RED),
        (summary.warnings, "warning", STRONG_AMBER),
        (summary.notes, "note", ""),
    ];
    for (count, what, code) in of.into_iter().filter(|(count, ..)| *count > 0) {
        let plural = if count == 1 { "" } else { "s" };
        let text = format!("{count} {what}{plural}");
        out.push_str(", ");
        out.push_str(&if code.is_empty() { text } else { super::paint(code, &text, opts) });
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::location::{Location, MemberId};
    use crate::render::fixture;

    const OPTS: HumanOptions =
        HumanOptions { color: false, unicode: true, width: 80, least: Level::Warning, short: false };

    /// A verdict on findings, each of a level and in a member.
    fn told(found: &[(Level, u32)], images: &[(&str, &[u32])], opts: HumanOptions) -> String {
        let at = |(level, member): &(Level, u32)| {
            (*level, Finding::new(&fixture::CASE, Location::member(MemberId(*member)), "it is so"))
        };
        let found: Vec<_> = found.iter().map(at).collect();
        let findings: Vec<_> = found.iter().map(|(level, finding)| (*level, finding)).collect();
        let image = |(name, members): &(&str, &[u32])| Image {
            name: (*name).to_owned(),
            members: members.iter().map(|member| MemberId(*member)).collect::<BTreeSet<_>>(),
        };
        let images: Vec<Image> = images.iter().map(image).collect();
        let hints = ["read on".to_owned()];
        let verdict = Verdict {
            place: "a\x1b.tar",
            what: "2 images",
            findings: &findings,
            images: &images,
            hints: &hints[..usize::from(!findings.is_empty())],
            lowered: Lowered::NONE,
        };
        verdict.draw(&crate::render::fixture::everything().0, opts)
    }

    use Level::{Error, Note, Warning};

    #[test]
    fn one_line_says_it() {
        assert_eq!(told(&[], &[], OPTS), "a\\x1b.tar: sound, 2 images\n");
        assert_eq!(
            told(&[(Note, 0)], &[("a", &[0]), ("b", &[])], OPTS),
            "help: read on\na\\x1b.tar: sound, 2 images, 1 note (-v shows it)\n"
        );
        assert_eq!(
            told(&[(Note, 0), (Warning, 0), (Error, 0), (Error, 1)], &[("a", &[0])], OPTS),
            "help: read on\na\\x1b.tar: not sound, 2 images, 2 errors, 1 warning, 1 note (-v shows it)\n"
        );
        let all = HumanOptions { least: Note, ..OPTS };
        assert!(told(&[(Note, 0), (Note, 1)], &[], all).ends_with(": sound, 2 images, 2 notes\n"));
        let color = HumanOptions { color: true, ..OPTS };
        assert_eq!(
            told(&[], &[], color),
            "\x1b[1ma\\x1b.tar\x1b[0m: \x1b[1;38;5;28msound\x1b[0m, 2 images\n"
        );
        assert!(
            told(&[(Error, 0)], &[], color)
                .contains("\x1b[1;38;5;160mnot sound\x1b[0m, 2 images, \x1b[1;38;5;160m1 error")
        );
    }

    #[test]
    fn images_have_a_line_each_where_they_differ() {
        let two: &[(&str, &[u32])] = &[("app:1", &[0, 1]), ("other", &[1, 2])];
        let lines = |found: &[(Level, u32)]| {
            let text = told(found, two, OPTS);
            text.lines().filter(|line| line.starts_with("  ")).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(lines(&[(Error, 0)]), ["  app:1  not sound, 1 error", "  other  sound"]);
        assert_eq!(lines(&[(Error, 1)]), ["  app:1  not sound, 1 error", "  other  not sound, 1 error"]);
        assert_eq!(lines(&[(Warning, 2), (Note, 0)]), ["  app:1  sound", "  other  sound, 1 warning"]);
        // What is wrong with the archive may be wrong with every image.
        assert_eq!(
            lines(&[(Error, 9)]),
            ["  app:1  nothing found in it", "  other  nothing found in it", "  in no image: 1 error"]
        );
    }

    #[test]
    fn of_many_images_those_at_fault_are_told() {
        let names: Vec<String> = (0..30).map(|nth| format!("app:{nth}")).collect();
        let members: Vec<[u32; 1]> = (0..30).map(|nth| [nth]).collect();
        let images: Vec<(&str, &[u32])> =
            names.iter().zip(&members).map(|(name, members)| (name.as_str(), &members[..])).collect();
        let text = told(&[(Error, 3), (Error, 20)], &images, OPTS);
        assert_eq!(text.matches("not sound, 1 error").count(), 2, "{text}");
        assert!(text.contains("  nothing found in 28 more images\n"), "{text}");
        let found: Vec<_> = (0..20).map(|nth| (Error, nth)).collect();
        let text = told(&found, &images, OPTS);
        assert_eq!(text.lines().count(), 1 + IMAGES + 2 + 1, "{text}");
        assert!(text.contains("  and 12 more images at fault\n"), "{text}");
    }

    #[test]
    fn several_sources_are_summed_up() {
        assert_eq!(total(2, 0, 0, OPTS), "2 sources: 2 sound\n");
        assert_eq!(total(1, 1, 1, OPTS), "3 sources: 1 sound, 1 not sound, 1 could not be judged\n");
    }
}
