//! Findings drawn for people; the only user of miette.
//!
//! A fault inside a document is drawn over an excerpt of it, any other is told in two plain lines. miette
//! only draws the frame: heads, notes and advice are written here, so that both kinds look alike.
//!
//! Long because the parts of one drawing share its width and what was told before: head, excerpt, notes, advice, sum.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::ops::Range;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents,
    SourceCode, SourceSpan, SpanContents, ThemeCharacters, ThemeStyles,
};
use owo_colors::{Style, XtermColors};

pub mod verdict;

pub use verdict::Verdict;

use super::excerpt::{Bounds, Excerpt};
use crate::colour::{self, BOLD, STRONG_AMBER, STRONG_GREEN, STRONG_RED, TEAL};
use crate::escape::escape_str;
use crate::finding::{Documents, Finding, Label, Level, Locator, advice};
use crate::location::{At, MemberId};

/// Faults of one kind that are shown in full; of more only the places are told.
const ALIKE: usize = 3;
/// Lines that such places take; more are counted.
const PLACES: usize = 3;
/// Lines of one fault, with the empty one behind it: a screen.
const SCREEN: usize = 24;
/// Lines of a message or advice: archive text in it may have any length.
const TEXT: usize = 5;
/// More columns than this are hard to read, however wide the terminal.
const WIDEST: usize = 160;
/// Lines of a label in a drawing.
const LABEL: usize = 3;
/// Lines of a document in one drawing, and drawings in one fault.
const EXCERPT_LINES: usize = 12;
const DRAWINGS: usize = 2;
/// Related places told in one fault; more are counted.
const NOTES: usize = 6;

/// How to draw.
#[derive(Debug, Clone, Copy)]
pub struct HumanOptions {
    /// Whether to use ANSI colours.
    pub color: bool,
    /// Whether to draw with characters beyond ASCII. Text from the archive may hold them anyhow.
    pub unicode: bool,
    /// Columns of the terminal.
    pub width: usize,
    /// The lowest level that is drawn: what is below is only counted. Nothing of level `Allow` ever is.
    pub least: Level,
    /// Whether digests that do not fit into a line are shortened, and not broken at its end.
    pub short: bool,
}

/// The report on a source: what was found, as far as it is drawn, then the verdict; the verdict goes before it, too, if
/// it fills more than a screen.
pub fn report(verdict: &Verdict<'_>, docs: &dyn Documents, opts: HumanOptions) -> String {
    let opts = HumanOptions { width: opts.width.clamp(40, 500), ..opts };
    let findings = render(verdict.findings, docs, opts);
    let first = match findings.lines().count() > SCREEN {
        true => verdict.line(opts) + "\n",
        false => String::new(),
    };
    first + &findings + &verdict.draw(docs, opts)
}

/// Renders findings, in the order given, each with an empty line behind it; empty if there are none to draw.
pub fn render(findings: &[(Level, &Finding)], docs: &dyn Documents, opts: HumanOptions) -> String {
    let opts = HumanOptions { width: opts.width.clamp(40, 500), ..opts };
    let mut screen = Screen { docs, locator: Locator::new(docs), opts, out: String::new() };
    let findings: Vec<_> =
        findings.iter().filter(|(level, _)| *level >= opts.least.max(Level::Note)).copied().collect();
    if findings.is_empty() {
        return String::new();
    }
    let mut groups: HashMap<_, Vec<&Finding>> = HashMap::new();
    for (level, finding) in &findings {
        groups.entry(screen.group(*level, finding)).or_default().push(finding);
    }
    let mut seen: HashMap<_, usize> = HashMap::new();
    let mut advised = HashSet::new();
    for (level, finding) in &findings {
        let group = screen.group(*level, finding);
        let nth = seen.entry(group).or_default();
        *nth += 1;
        let all = groups.get(&group).map_or(&[][..], Vec::as_slice);
        // One alone is not worth a line of its own kind.
        let shown = if all.len() == ALIKE + 1 { ALIKE + 1 } else { ALIKE };
        if *nth <= shown {
            screen.finding(*level, finding, advised.insert(finding.rule.name));
        }
        if *nth == shown && all.len() > shown {
            screen.rest(*level, finding, &all[shown..]);
        }
    }
    screen.out
}

/// Where the pages of these rules are; `None` if there are none.
pub fn pages(rules: &BTreeSet<&str>) -> Option<String> {
    let mut rules = rules.iter();
    Some(match (rules.next(), rules.next()) {
        (None, _) => return None,
        (Some(rule), None) => format!("`restow explain {rule}` tells more"),
        (Some(_), Some(_)) => "`restow explain RULE` tells more of each rule".to_owned(),
    })
}

/// A line of advice.
pub fn hint(text: &str, opts: HumanOptions) -> String {
    const HEAD: &str = "help:";
    let lines = wrap(text, opts.width, HEAD.len() + 1, 2);
    format!("{} {}\n", paint(TEAL, HEAD, opts), lines.join("\n  "))
}

fn ellipsis(opts: HumanOptions) -> &'static str {
    if opts.unicode { "…" } else { "..." }
}

fn paint(code: &str, text: &str, opts: HumanOptions) -> String {
    colour::paint(code, text, opts.color)
}

/// The code for a level's colour.
pub fn colour(level: Level) -> &'static str {
    match level {
        Level::Error => STRONG_RED,
        Level::Warning => STRONG_AMBER,
        Level::Note | Level::Allow => STRONG_GREEN,
    }
}

/// What makes faults alike, besides rule and level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Archive,
    Document,
    Blob,
    Entry,
}

/// A page being written.
struct Screen<'a> {
    docs: &'a dyn Documents,
    locator: Locator<'a>,
    opts: HumanOptions,
    out: String,
}

impl<'a> Screen<'a> {
    fn group(&self, level: Level, finding: &Finding) -> (Level, &'static str, Kind) {
        let location = &finding.primary.location;
        let kind = match (location.member, &location.at) {
            (None, _) => Kind::Archive,
            (Some(_), At::Entry { .. }) => Kind::Entry,
            (Some(member), _) if self.docs.text(member).is_some() => Kind::Document,
            (Some(_), _) => Kind::Blob,
        };
        (level, finding.rule.name, kind)
    }

    fn ellipsis(&self) -> &'static str {
        ellipsis(self.opts)
    }

    /// Adds a line, without the spaces at its end.
    fn line(&mut self, line: &str) {
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    fn paint(&self, code: &str, text: &str) -> String {
        paint(code, text, self.opts)
    }

    /// Adds `head` and text behind it, wrapped; only the first line is painted.
    fn paragraph(&mut self, (code, head): (&str, &str), text: &str, indent: usize, text_code: Option<&str>) {
        let width = self.opts.width.saturating_sub(1);
        let text = self.fitted(text, width);
        let text = clip(&text, TEXT * (width.min(WIDEST) - indent), self.ellipsis());
        let lines = wrap(&text, width, head.chars().count(), indent);
        for (nth, line) in lines.iter().enumerate() {
            let line = match text_code {
                Some(code) => self.paint(code, line),
                None => line.clone(),
            };
            let line = if nth == 0 {
                format!("{}{line}", self.paint(code, head))
            } else {
                // A digest that fits into a line may use all of it.
                let indent = indent.min(width.saturating_sub(lines[nth].chars().count()));
                format!("{:indent$}{line}", "")
            };
            self.line(&line);
        }
    }

    /// A text in which no digest is wider than a line, where they may be shortened.
    fn fitted(&self, text: &str, width: usize) -> String {
        if !self.opts.short || text.split(' ').all(|word| word.chars().count() <= width) {
            return text.to_owned();
        }
        let fitted = |word: &str| match word.chars().count() > width {
            true => shortened(word, self.ellipsis()),
            false => word.to_owned(),
        };
        text.split(' ').map(fitted).collect::<Vec<_>>().join(" ")
    }

    /// Adds a whole fault and an empty line; `advise` with the rule's own advice, if it has no other.
    fn finding(&mut self, level: Level, finding: &'a Finding, advise: bool) {
        let (word, code) = (level.name(), colour(level));
        let start = self.out.len();
        let message = escape_str(&finding.message);
        let head = format!("{word}[{}]", finding.rule.name);
        self.paragraph((code, &head), &format!(": {message}"), 4, Some(BOLD));

        let labels: Vec<&'a Label> = std::iter::once(&finding.primary).chain(&finding.related).collect();
        let mut told = vec![false; labels.len()];
        if self.locator.span(&finding.primary.location).is_none() {
            self.arrow(&finding.primary);
            told[0] = true;
        }
        // The rule's own advice is given once.
        let help = advice(finding, self.docs).filter(|_| advise || finding.help.is_some());
        let help = help
            .map(|help| self.made(|page| page.paragraph((TEAL, "  help: "), &escape_str(&help), 8, None)));
        let help = help.unwrap_or_default();
        let left = |out: &str| {
            // The empty line, and one for what is not drawn.
            (SCREEN - 2).saturating_sub(out[start..].lines().count() + help.lines().count())
        };
        let mut drawn: Vec<MemberId> = Vec::new();
        for label in &labels {
            let Some(member) = label.location.member else { continue };
            if drawn.len() == DRAWINGS || drawn.contains(&member) {
                continue;
            }
            if self.locator.span(&label.location).is_some() {
                drawn.push(member);
                let room = left(&self.out);
                self.drawing(level, member, &labels, &mut told, room);
            }
        }
        let rest: Vec<_> =
            labels.iter().zip(&told).filter(|(_, told)| !**told).map(|(label, _)| label).collect();
        let mut notes = 0;
        for label in rest.iter().take(NOTES) {
            let place = self.place(label, 12);
            let text = match label.text.as_str() {
                "" => format!("see {place}"),
                text => format!("{place}: {}", escape_str(text)),
            };
            let note = self.made(|page| page.paragraph((TEAL, "  note: "), &text, 8, None));
            // The last one needs no line that counts more.
            let last = usize::from(notes + 1 == rest.len());
            if note.lines().count() > left(&self.out) + last {
                break;
            }
            self.out.push_str(&note);
            notes += 1;
        }
        if rest.len() > notes {
            let more = rest.len() - notes;
            let plural = if more == 1 { "" } else { "s" };
            self.paragraph((TEAL, "  note: "), &format!("and {more} more place{plural}"), 8, None);
        }
        // Where all is hit, nobody asks what.
        if let Some(affects) = finding.affects.as_ref().filter(|affects| !affects.all) {
            let text = format!("this hits {}", escape_str(&affects.words()));
            self.paragraph((TEAL, "  note: "), &text, 8, None);
        }
        self.out.push_str(&help);
        self.line("");
    }

    /// What `write` adds, apart from the page.
    fn made(&self, write: impl FnOnce(&mut Screen<'a>)) -> String {
        let locator = Locator::new(self.docs);
        let mut page = Screen { docs: self.docs, locator, opts: self.opts, out: String::new() };
        write(&mut page);
        page.out
    }

    /// Adds one paragraph about findings like the last one: how many, and where as far as there is room.
    fn rest(&mut self, level: Level, last: &'a Finding, rest: &[&'a Finding]) {
        if rest.is_empty() {
            return;
        }
        let width = self.opts.width.saturating_sub(1);
        let omitted: u64 = rest.iter().map(|finding| finding.omitted).sum();
        let count = rest.len() as u64 + omitted;
        let mut head = format!("  {} and {count} more [{}]", self.ellipsis(), last.rule.name);
        if omitted > 0 {
            head.push_str(&format!(", {omitted} of which no report names"));
        }
        let all = if omitted == 0 { "all " } else { "" };
        let code = colour(level);
        let mut member = last.primary.location.member;
        let mut text = String::from(":");
        let mut room = (PLACES * (width - 4)).saturating_sub(head.chars().count());
        for (nth, finding) in rest.iter().enumerate() {
            let location = &finding.primary.location;
            let place = self.locator.place(location);
            // Of places in one member the first says which.
            let place = match location.member == member && nth > 0 {
                true => place.inside().unwrap_or_else(|| place.to_string()),
                false => place.to_string(),
            };
            let place = fit(&place, width - 4, self.ellipsis());
            let more = format!("; --report json lists {all}{}", rest.len() + ALIKE);
            if place.chars().count() + 2 + more.chars().count() > room {
                text.push_str(if nth == 0 { "" } else { ", " });
                text.push_str(self.ellipsis());
                text.push_str(&more);
                break;
            }
            text.push_str(if nth == 0 { " " } else { ", " });
            text.push_str(&place);
            room = room.saturating_sub(place.chars().count() + 2);
            member = location.member;
        }
        self.paragraph((code, &head), &text, 4, None);
        self.line("");
    }

    /// The place of a label, cut to the line if `taken` columns of it are.
    fn place(&self, label: &'a Label, taken: usize) -> String {
        let place = self.locator.place(&label.location).to_string();
        fit(&place, self.opts.width.saturating_sub(taken), self.ellipsis())
    }

    /// Adds the plain line that says where.
    fn arrow(&mut self, label: &'a Label) {
        // Here it may take two lines: a name in full can be looked for.
        let columns = 2 * self.opts.width.saturating_sub(7);
        let place = fit(&self.locator.place(&label.location).to_string(), columns, self.ellipsis());
        let text = match label.text.as_str() {
            "" => place,
            text => format!("{place}: {}", escape_str(text)),
        };
        self.paragraph((TEAL, "  --> "), &text, 6, None);
    }

    /// Draws those labels that are in one document in no more than `room` lines, and ticks them off.
    fn drawing(
        &mut self,
        level: Level,
        member: MemberId,
        labels: &[&'a Label],
        told: &mut [bool],
        room: usize,
    ) {
        let (Some(document), Some(lines)) = (self.docs.text(member), self.locator.lines(member)) else {
            return;
        };
        let here: Vec<(usize, crate::json::Span)> = labels
            .iter()
            .enumerate()
            .filter(|(nth, label)| !told[*nth] && label.location.member == Some(member))
            .filter_map(|(nth, label)| Some((nth, self.locator.span(&label.location)?)))
            .collect();
        let Some((first, _)) = here.first() else { return };
        let place = |digits: usize| self.place(labels[*first], digits + 6);
        // Fewer lines, then fewer labels, until it fits.
        for (excerpt_lines, wanted) in [(EXCERPT_LINES, here.len()), (8, here.len()), (8, 2), (6, 1), (3, 1)]
        {
            let here = &here[..wanted.min(here.len())];
            let mut digits = lines.count().to_string().len();
            let columns = self.opts.width.min(WIDEST).saturating_sub(digits + 5);
            let bounds = Bounds { columns, lines: excerpt_lines, ellipsis: self.ellipsis() };
            let spans: Vec<_> = here.iter().map(|(_, span)| *span).collect();
            let excerpt = Excerpt::new(document, &lines, &spans, bounds);
            if excerpt.lines.iter().all(Option::is_none) {
                digits = 1;
            }
            let (marks, shown) = self.marks(&excerpt, here, labels, digits);
            let drawing = self.draw(level, &excerpt, &marks, place(digits), digits);
            if drawing.lines().count() <= room {
                shown.into_iter().for_each(|nth| told[nth] = true);
                drawing.lines().for_each(|line| self.line(line));
                return;
            }
        }
        // A screen of words: the place alone.
        if *first == 0 {
            self.arrow(labels[0]);
            told[0] = true;
        }
    }

    /// The labels of an excerpt, in its order, and which of all they are.
    fn marks(
        &self,
        excerpt: &Excerpt,
        here: &[(usize, crate::json::Span)],
        labels: &[&'a Label],
        digits: usize,
    ) -> (Vec<Mark>, Vec<usize>) {
        let mut marks: Vec<Mark> = Vec::new();
        let mut shown = Vec::new();
        for ((nth, _), range) in here.iter().zip(&excerpt.marks) {
            let Some(range) = range else { continue };
            // miette cannot underline the same characters twice.
            if marks.iter().any(|m| m.range.start < range.end && range.start < m.range.end) {
                continue;
            }
            shown.push(*nth);
            let before = &excerpt.text[..range.start];
            let column = before.chars().rev().take_while(|c| *c != '\n').count() + digits + 8;
            let middle = column + excerpt.text[range.clone()].chars().count() / 2;
            let room = self.opts.width.saturating_sub(middle).max(24);
            let text = escape_str(&labels[*nth].text);
            let long = text.split(' ').any(|word| word.chars().count() > room);
            // The whole digest stands in the help or in a note.
            let text = if long { shortened(&text, self.ellipsis()) } else { text.into_owned() };
            let text = clip(&text, LABEL * room, self.ellipsis());
            let text = wrap(&text, room, 0, 0).join("\n");
            marks.push(Mark { range: range.clone(), text, primary: *nth == 0 });
        }
        marks.sort_by_key(|mark| mark.range.start);
        (marks, shown)
    }

    fn draw(&self, level: Level, excerpt: &Excerpt, marks: &[Mark], place: String, digits: usize) -> String {
        let characters = match self.opts.unicode {
            true => ThemeCharacters::unicode(),
            false => ThemeCharacters { underbar: '^', ..ThemeCharacters::ascii() },
        };
        let mut styles = ThemeStyles::none();
        if self.opts.color {
            let style = |code: &str| match colour::number(code) {
                Some(number) => Style::new().color(XtermColors::from(number)),
                None => Style::new(),
            };
            let (primary, other) = (style(colour(level)).bold(), style(TEAL));
            styles.highlights = marks.iter().map(|mark| if mark.primary { primary } else { other }).collect();
            (styles.linum, styles.link) = (Style::new().dimmed(), other);
        }
        // Numbers are drawn with as many digits as the largest one has, and replaced afterwards: miette
        // can only count on, but an excerpt has gaps.
        let digits = if digits == 1 && excerpt.lines.len() > 9 { 2 } else { digits };
        let first = 10usize.saturating_pow(digits.saturating_sub(1) as u32);
        let view = View { text: &excerpt.text, place, first, marks };
        let handler = GraphicalReportHandler::new_themed(GraphicalTheme { characters, styles })
            .without_syntax_highlighting()
            .without_primary_span_start()
            .with_wrap_lines(false)
            .with_width(self.opts.width);
        let mut out = String::new();
        if handler.render_report(&mut out, &view).is_err() {
            return String::new();
        }
        // The first line is the message, which stands in our own head.
        let body = out.split_once('\n').map_or("", |(_, body)| body);
        renumber(body, first, &excerpt.lines, digits)
    }
}

/// A label in an excerpt.
struct Mark {
    range: Range<usize>,
    text: String,
    primary: bool,
}

/// An excerpt as miette takes it: always shown as a whole.
struct View<'a> {
    text: &'a str,
    place: String,
    /// The number to give to the first line.
    first: usize,
    marks: &'a [Mark],
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

impl fmt::Display for View<'_> {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

impl std::error::Error for View<'_> {}

impl Diagnostic for View<'_> {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.marks.iter().map(|mark| {
            let text = (!mark.text.is_empty()).then(|| mark.text.clone());
            LabeledSpan::new(text, mark.range.start, mark.range.len())
        })))
    }
}

impl SourceCode for View<'_> {
    fn read_span<'a>(
        &'a self,
        _: &SourceSpan,
        _: usize,
        _: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let all = SourceSpan::from((0, self.text.len()));
        let lines = self.text.lines().count();
        let (place, line) = (self.place.clone(), self.first - 1);
        Ok(Box::new(MietteSpanContents::new_named(place, self.text.as_bytes(), all, line, 0, lines)))
    }
}

/// Replaces the line numbers that miette counted from `first` by the true ones, or by blanks.
fn renumber(drawing: &str, first: usize, numbers: &[Option<usize>], digits: usize) -> String {
    let mut out = String::with_capacity(drawing.len());
    let mut counted = (first..).zip(numbers).peekable();
    for line in drawing.lines() {
        let mut line = line.to_owned();
        if let Some((count, number)) = counted.peek() {
            let count = count.to_string();
            let head = line.trim_start_matches(' ');
            let head = head.strip_prefix("\x1b[2m").unwrap_or(head);
            let at = line.len() - head.len();
            if head.starts_with(&count) {
                let number = number.map(|number| number.to_string()).unwrap_or_default();
                line.replace_range(at..at + count.len(), &format!("{number:>digits$}"));
                counted.next();
            }
        }
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// The words of a text. A command between backticks is one, if it fits into `room`: nobody copies one from two lines.
fn words(text: &str, room: usize) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    loop {
        let blank = rest.find(' ').unwrap_or(rest.len());
        let end = match rest[..blank].matches('`').count() % 2 {
            0 => blank,
            _ => {
                let close = rest[blank..].find('`').map(|close| blank + close + 1);
                let end =
                    close.map(|close| rest[close..].find(' ').map_or(rest.len(), |blank| close + blank));
                end.filter(|end| rest[..*end].chars().count() <= room).unwrap_or(blank)
            }
        };
        words.push(&rest[..end]);
        match rest[end..].strip_prefix(' ') {
            Some(more) => rest = more,
            None => return words,
        }
    }
}

/// Breaks a text at blanks. Words are never broken: a digest is of no use in two pieces.
///
/// `first` columns of the first line and `indent` of the others are taken.
fn wrap(text: &str, width: usize, first: usize, indent: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut column = first;
    for (nth, word) in words(text, width.saturating_sub(indent)).into_iter().enumerate() {
        let len = word.chars().count();
        let line = lines.last_mut();
        match line {
            Some(line) if nth == 0 || column + 1 + len <= width || line.trim().is_empty() => {
                if nth > 0 {
                    line.push(' ');
                    column += 1;
                }
                line.push_str(word);
                column += len;
            }
            _ => {
                lines.push(word.to_owned());
                column = indent + len;
            }
        }
    }
    lines
}

/// A place cut to `width`: first the digits of digests, then the middle.
fn fit(place: &str, width: usize, ellipsis: &str) -> String {
    if place.chars().count() <= width {
        return place.to_owned();
    }
    clip(&shortened(place, ellipsis), width, ellipsis)
}

/// A text with the first digits alone of each digest.
pub fn shortened(text: &str, ellipsis: &str) -> String {
    let mut short = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let run = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
        // The shortest digest in names is SHA-256; 12 digits are what Docker shows.
        if run >= 64 {
            short.extend([&rest[..12], ellipsis]);
            rest = &rest[run..];
        } else {
            let step = run.max(first.len_utf8());
            short.push_str(&rest[..step]);
            rest = &rest[step..];
        }
    }
    short
}

/// A text without its middle, if it has more than `max` characters.
fn clip(text: &str, max: usize, ellipsis: &str) -> String {
    let count = text.chars().count();
    if count <= max {
        return text.to_owned();
    }
    let keep = max.saturating_sub(ellipsis.chars().count());
    let head: String = text.chars().take(keep.div_ceil(2)).collect();
    let tail: String = text.chars().skip(count - keep / 2).collect();
    format!("{head}{ellipsis}{tail}")
}

#[cfg(test)]
mod tests;
