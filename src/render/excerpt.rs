//! The few lines of a document that a finding is about.
//!
//! Documents are often one line of many kilobytes and may hold anything, so they are never shown as they
//! are (docs/architecture.md#excerpts): an excerpt is the smallest object or array that holds all
//! marked places, indented anew, with distant siblings, deep values and long strings elided, and escaped.
//! A text that does not parse is cut around the place instead.

use std::collections::BTreeSet;
use std::ops::Range;

use bstr::ByteSlice;

use crate::escape::{escape, push, push_byte};
use crate::finding::{Document, Lines};
use crate::json::{Kind, Span, Value};

/// How large an excerpt may be, and how it says that something is left out.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Characters in a line.
    pub columns: usize,
    /// Lines.
    pub lines: usize,
    /// `…` or `...`.
    pub ellipsis: &'static str,
}

/// A piece of a document, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// Escaped lines, without a line feed behind the last.
    pub text: String,
    /// Where the wanted spans stand in `text`, never empty; `None` for those that are not in it. The
    /// first one always is.
    pub marks: Vec<Option<Range<usize>>>,
    /// The number that each line of `text` has in the document. All `None` if lines do not correspond,
    /// as in a document that is one line.
    pub lines: Vec<Option<usize>>,
}

impl Excerpt {
    /// Cuts out what surrounds `wanted`, of which the first is the one that matters.
    pub fn new(document: Document<'_>, lines: &Lines<'_>, wanted: &[Span], bounds: Bounds) -> Excerpt {
        // Something must be underlined, even where nothing stands.
        let visible = |span: &Span| Span { start: span.start, end: span.end.max(span.start + 1) };
        let wanted: Vec<Span> = wanted.iter().map(visible).collect();
        structured(document, lines, &wanted, bounds)
            .unwrap_or_else(|| raw(document.text, lines, &wanted, bounds))
    }
}

/// The part of a value that is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The name of the member.
    Key,
    /// A scalar, or bytes in it.
    Scalar,
    /// The opening bracket.
    Bracket,
}

/// A wanted span, found in the tree: which child to take at each step, and what of the last one.
#[derive(Debug, Clone)]
struct Target {
    path: Vec<usize>,
    part: Part,
    span: Span,
}

impl Target {
    fn find(root: &Value, span: Span) -> Option<Target> {
        let mut path = Vec::new();
        let mut value = root;
        loop {
            let here = value.span;
            if !is_container(value) {
                return within(span, here).then_some(Target { path, part: Part::Scalar, span });
            }
            if span == here || span == (Span { start: here.start, end: here.start + 1 }) {
                return Some(Target { path, part: Part::Bracket, span });
            }
            let nth = match &value.kind {
                Kind::Object(members) => members.partition_point(|m| m.key_span.start <= span.start),
                _ => value.items().partition_point(|item| item.span.start <= span.start),
            };
            let nth = nth.checked_sub(1)?;
            let (key, below) = child(value, nth)?;
            path.push(nth);
            if key.is_some_and(|key| within(span, key)) {
                return Some(Target { path, part: Part::Key, span });
            }
            value = below;
        }
    }

    /// The path of the object or array that must be shown.
    fn container(&self) -> &[usize] {
        match self.part {
            Part::Bracket => &self.path,
            Part::Key | Part::Scalar => self.path.split_last().map_or(&[], |(_, parent)| parent),
        }
    }
}

fn within(inner: Span, outer: Span) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

fn is_container(value: &Value) -> bool {
    value.is_object() || value.is_array()
}

/// The n-th child of an object or array, with the span of its name.
fn child(value: &Value, nth: usize) -> Option<(Option<Span>, &Value)> {
    match &value.kind {
        Kind::Object(members) => members.get(nth).map(|m| (Some(m.key_span), &m.value)),
        Kind::Array(items) => items.get(nth).map(|item| (None, item)),
        _ => None,
    }
}

/// An excerpt that follows the tree; `None` if the first wanted span is not in it.
fn structured(document: Document<'_>, lines: &Lines<'_>, wanted: &[Span], bounds: Bounds) -> Option<Excerpt> {
    let root = &document.json?.root;
    let mut targets: Vec<Option<Target>> = wanted.iter().map(|span| Target::find(root, *span)).collect();
    targets.first()?.as_ref()?;
    loop {
        for radius in [2, 1, 0] {
            let mut printer = Printer::new(document.text, lines, bounds);
            printer.marks.resize(targets.len(), None);
            printer.base(root, &targets, radius);
            let few = targets.iter().flatten().count() == 1;
            if printer.numbers.len() <= bounds.lines || (few && radius == 0) {
                return Some(printer.finish());
            }
        }
        // Too far apart for one excerpt: the others are told without one.
        targets.iter_mut().skip(1).for_each(|target| *target = None);
    }
}

/// An excerpt of a text without a tree: the line, cut around the place, and the line before it.
fn raw(text: &[u8], lines: &Lines<'_>, wanted: &[Span], bounds: Bounds) -> Excerpt {
    let mut printer = Printer::new(text, lines, bounds);
    printer.marks.resize(wanted.len(), None);
    let first = wanted.first().copied().unwrap_or(Span { start: 0, end: 0 });
    let number = lines.position(first.start).line;
    if let Some(before) = lines.line(number.saturating_sub(1)) {
        printer.start_line(0, Some(before.start));
        printer.cut(before, before.start, &[], bounds.columns);
    }
    let line = lines.line(number).unwrap_or(Span { start: text.len(), end: text.len() });
    printer.start_line(0, Some(line.start));
    let spans: Vec<(usize, Span)> = wanted.iter().copied().enumerate().collect();
    printer.cut(line, first.start, &spans, bounds.columns.saturating_sub(1));
    if let Some(mark @ None) = printer.marks.first_mut() {
        // Behind the last character: the end of the line or of the text.
        let end = printer.out.len();
        printer.out.push(' ');
        *mark = Some(end..end + 1);
    }
    printer.finish()
}

/// Writes an excerpt.
struct Printer<'a> {
    text: &'a [u8],
    lines: &'a Lines<'a>,
    bounds: Bounds,
    out: String,
    /// Where the current line starts in `out`.
    line: usize,
    marks: Vec<Option<Range<usize>>>,
    numbers: Vec<Option<usize>>,
}

impl<'a> Printer<'a> {
    fn new(text: &'a [u8], lines: &'a Lines<'a>, bounds: Bounds) -> Self {
        let (marks, numbers) = (Vec::new(), Vec::new());
        Printer { text, lines, bounds, out: String::new(), line: 0, marks, numbers }
    }

    fn finish(mut self) -> Excerpt {
        let faithful = self.numbers.iter().flatten().is_sorted_by(|a, b| a < b);
        if !faithful {
            self.numbers.fill(None);
        }
        Excerpt { text: self.out, marks: self.marks, lines: self.numbers }
    }

    /// Begins a line that shows what stands at `offset`.
    fn start_line(&mut self, depth: usize, offset: Option<usize>) {
        if !self.numbers.is_empty() {
            self.out.push('\n');
        }
        self.line = self.out.len();
        self.numbers.push(offset.map(|offset| self.lines.position(offset).line));
        (0..depth).for_each(|_| self.out.push_str("  "));
    }

    /// Columns that are left in the line, if one is kept for a comma; at least a few.
    fn room(&self) -> usize {
        let used = self.out.get(self.line..).map_or(0, |line| line.chars().count());
        self.bounds.columns.saturating_sub(used + 1).max(8)
    }

    /// Prints the smallest container that holds all targets.
    fn base(&mut self, root: &Value, targets: &[Option<Target>], radius: usize) {
        let mut containers = targets.iter().flatten().map(Target::container);
        let mut path = containers.next().unwrap_or_default();
        for other in containers {
            let common = path.iter().zip(other).take_while(|(a, b)| a == b).count();
            path = &path[..common];
        }
        let mut value = root;
        let mut key = None;
        for nth in path {
            let Some((next_key, next)) = child(value, *nth) else { break };
            (key, value) = (next_key, next);
        }
        self.start_line(0, Some(key.unwrap_or(value.span).start));
        if let Some(key) = key {
            self.cut(key, key.start, &[], self.bounds.columns / 2);
            self.out.push_str(": ");
        }
        let targets: Vec<(usize, &Target)> =
            targets.iter().enumerate().filter_map(|(i, t)| Some((i, t.as_ref()?))).collect();
        self.value(value, path.len(), 0, &targets, radius);
    }

    /// Prints a value; `targets` are those in it, and `level` is how many steps of their paths lead here.
    fn value(
        &mut self,
        value: &Value,
        level: usize,
        depth: usize,
        targets: &[(usize, &Target)],
        radius: usize,
    ) {
        let inside = |t: &Target| t.path.len() > level || t.part == Part::Bracket;
        if !is_container(value) {
            let marks: Vec<_> = targets.iter().map(|(i, t)| (*i, t.span)).collect();
            let focus = marks.first().map_or(value.span.start, |(_, span)| span.start);
            return self.cut(value.span, focus, &marks, self.room());
        }
        let (open, close) = if value.is_object() { ('{', '}') } else { ('[', ']') };
        let count = value.members().len() + value.items().len();
        if !targets.iter().any(|(_, t)| inside(t)) {
            match inline(self.text, value, self.room().min(60)) {
                Some(line) => self.out.push_str(&line),
                None => self.out.extend([&*open.to_string(), self.bounds.ellipsis, &close.to_string()]),
            }
            return;
        }
        let at = self.out.len();
        self.out.push(open);
        for (i, _) in targets.iter().filter(|(_, t)| t.path.len() == level && t.part == Part::Bracket) {
            self.marks[*i] = Some(at..at + 1);
        }
        if count == 0 {
            return self.out.push(close);
        }
        let mut next = 0;
        for nth in shown(count, level, targets, radius) {
            if nth > next {
                self.gap(depth + 1);
            }
            next = nth + 1;
            let Some((key, below)) = child(value, nth) else { continue };
            let here: Vec<_> =
                targets.iter().copied().filter(|(_, t)| t.path.get(level) == Some(&nth)).collect();
            self.start_line(depth + 1, Some(key.unwrap_or(below.span).start));
            let (keys, values): (Vec<_>, Vec<_>) =
                here.into_iter().partition(|(_, t)| t.path.len() == level + 1 && t.part == Part::Key);
            if let Some(key) = key {
                let marks: Vec<_> = keys.iter().map(|(i, t)| (*i, t.span)).collect();
                let focus = marks.first().map_or(key.start, |(_, span)| span.start);
                self.cut(key, focus, &marks, self.bounds.columns / 2);
                self.out.push_str(": ");
            }
            self.value(below, level + 1, depth + 1, &values, radius);
            if next < count {
                self.out.push(',');
            }
        }
        if next < count {
            self.gap(depth + 1);
        }
        self.start_line(depth, Some(value.span.end.saturating_sub(1)));
        self.out.push(close);
    }

    fn gap(&mut self, depth: usize) {
        self.start_line(depth, None);
        self.out.push_str(self.bounds.ellipsis);
    }

    /// Prints bytes of the document, escaped and cut to `columns` around `focus`, and notes where `spans`
    /// went. A string that is cut keeps its closing quote. Looks at a bounded number of bytes.
    fn cut(&mut self, range: Span, focus: usize, spans: &[(usize, Span)], columns: usize) {
        let from = self.out.len();
        let bytes = &self.text[range.start.min(self.text.len())..range.end.min(self.text.len())];
        let mut skip = 0;
        let before = focus.saturating_sub(range.start).min(bytes.len());
        if before > 0 && !fits(bytes, columns) {
            skip = before;
            let mut used = 0;
            for (start, end, c) in bytes[..before].char_indices().rev() {
                used += width(c, &bytes[start..end]);
                if used > columns * 3 / 5 {
                    break;
                }
                skip = start;
            }
            if skip > 0 {
                self.out.push_str(self.bounds.ellipsis);
            }
        }
        // What does not fit is found out by trying: each character is at least one column.
        let tail = self.bounds.ellipsis.chars().count() + 1;
        let mut used = self.out[from..].chars().count();
        // How to go on if the text has to be cut: the last state that leaves room for the tail.
        let mut fallback = None;
        let mut marks: Vec<(usize, Range<usize>)> = Vec::new();
        for (start, end, c) in bytes[skip..].char_indices() {
            if used + tail <= columns {
                fallback = Some((self.out.len(), marks.clone()));
            }
            let at = self.out.len();
            write(&mut self.out, c, &bytes[skip + start..skip + end]);
            used += self.out[at..].chars().count();
            let (start, end) = (range.start + skip + start, range.start + skip + end);
            for (i, _) in spans.iter().filter(|(_, span)| span.start < end && start < span.end) {
                match marks.iter_mut().find(|(j, _)| i == j) {
                    Some((_, mark)) => mark.end = self.out.len(),
                    None => marks.push((*i, at..self.out.len())),
                }
            }
            if used > columns {
                let (len, shorter) = fallback.unwrap_or((at, marks.clone()));
                self.out.truncate(len);
                self.out.push_str(self.bounds.ellipsis);
                if bytes.starts_with(b"\"") {
                    self.out.push('"');
                }
                // Whatever is cut off is marked with the ellipsis.
                for (i, mark) in marks {
                    let start = shorter.iter().find(|(j, _)| *j == i).map_or(len, |(_, m)| m.start);
                    let end = if mark.end > len { self.out.len() } else { mark.end };
                    self.marks[i] = Some(start..end);
                }
                return;
            }
        }
        for (i, mark) in marks {
            self.marks[i] = Some(mark);
        }
    }
}

/// Appends a character, escaped; `raw` are its bytes, which need not be UTF-8.
fn write(out: &mut String, c: char, raw: &[u8]) {
    if c == char::REPLACEMENT_CHARACTER && raw != "\u{fffd}".as_bytes() {
        raw.iter().for_each(|byte| push_byte(out, *byte));
    } else {
        push(out, c);
    }
}

/// Columns that [`write`] takes.
fn width(c: char, raw: &[u8]) -> usize {
    let mut out = String::new();
    write(&mut out, c, raw);
    out.chars().count()
}

/// Whether a text takes no more than `columns`.
fn fits(text: &[u8], columns: usize) -> bool {
    let mut used = 0;
    text.char_indices().all(|(start, end, c)| {
        used += width(c, &text[start..end]);
        used <= columns
    })
}

/// Which children are shown: those with targets and `radius` more on both sides, or else the first ones.
fn shown(count: usize, level: usize, targets: &[(usize, &Target)], radius: usize) -> BTreeSet<usize> {
    let on_path: BTreeSet<usize> = targets.iter().filter_map(|(_, t)| t.path.get(level).copied()).collect();
    let mut shown: BTreeSet<usize> = on_path
        .iter()
        .flat_map(|nth| nth.saturating_sub(radius)..=nth.saturating_add(radius).min(count - 1))
        .collect();
    if on_path.is_empty() {
        shown.extend(0..count.min(2 * radius));
    }
    if radius > 0 {
        // An ellipsis would take as many lines as the one child that it stands for.
        let lonely: Vec<usize> = shown.iter().flat_map(|nth| [nth.saturating_sub(1), nth + 1]).collect();
        for nth in lonely.into_iter().filter(|nth| *nth < count) {
            let left = nth == 0 || shown.contains(&(nth - 1));
            if left && (nth + 1 == count || shown.contains(&(nth + 1))) {
                shown.insert(nth);
            }
        }
    }
    shown
}

/// The value in one line, if it fits.
fn inline(text: &[u8], value: &Value, columns: usize) -> Option<String> {
    // Room for white space that is dropped, and an end to the recursion.
    if value.span.end - value.span.start > 4 * columns {
        return None;
    }
    let slice = |span: Span| text.get(span.start..span.end).map(escape);
    let mut parts = Vec::new();
    match &value.kind {
        Kind::Object(members) => {
            for member in members {
                parts.push(format!("{}: {}", slice(member.key_span)?, inline(text, &member.value, columns)?));
            }
        }
        Kind::Array(items) => {
            for item in items {
                parts.push(inline(text, item, columns)?);
            }
        }
        _ => parts.push(slice(value.span)?.into_owned()),
    }
    let line = match &value.kind {
        Kind::Object(_) => format!("{{{}}}", parts.join(", ")),
        Kind::Array(_) => format!("[{}]", parts.join(", ")),
        _ => parts.concat(),
    };
    (line.chars().count() <= columns).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    const BOUNDS: Bounds = Bounds { columns: 40, lines: 12, ellipsis: "…" };

    fn cut(text: &[u8], wanted: &[Span], bounds: Bounds) -> Excerpt {
        let json = parse(text, 64).ok();
        Excerpt::new(Document { text, json: json.as_ref() }, &Lines::new(text), wanted, bounds)
    }

    /// The span of the n-th occurrence of `part`.
    fn span(text: &str, part: &str, nth: usize) -> Span {
        let (start, _) = text.match_indices(part).nth(nth).expect("the part is there");
        Span { start, end: start + part.len() }
    }

    fn marked(excerpt: &Excerpt) -> Vec<Option<&str>> {
        excerpt.marks.iter().map(|mark| mark.clone().map(|range| &excerpt.text[range])).collect()
    }

    #[test]
    fn neighbours_are_shown_and_the_rest_elided() {
        let text = r#"{"x":0,"a":{"1":1,"2":2,"3":3,"4":{"5":[1, 2]},"6":6,"7":7,"8":8,"9":9,"10":10}}"#;
        let excerpt = cut(text.as_bytes(), &[span(text, "6", 1)], BOUNDS);
        let lines: Vec<_> = excerpt.text.lines().collect();
        let expected = [
            r#""a": {"#,
            "  …",
            r#"  "3": 3,"#,
            r#"  "4": {"5": [1, 2]},"#,
            r#"  "6": 6,"#,
            r#"  "7": 7,"#,
            r#"  "8": 8,"#,
            "  …",
            "}",
        ];
        assert_eq!(lines, expected);
        assert_eq!(marked(&excerpt), [Some("6")]);
        assert_eq!(excerpt.lines, vec![None; 9]);
    }

    #[test]
    fn lines_are_numbered_if_they_are_the_documents_own() {
        let text = "{\n  \"a\": 1,\n  \"b\": [\n    2\n  ]\n}";
        let excerpt = cut(text.as_bytes(), &[span(text, "\"b\"", 0)], BOUNDS);
        assert_eq!(excerpt.text, "{\n  \"a\": 1,\n  \"b\": [2]\n}");
        assert_eq!(excerpt.lines, [Some(1), Some(2), Some(3), Some(6)]);
        assert_eq!(marked(&excerpt), [Some("\"b\"")]);
    }

    #[test]
    fn places_too_far_apart_are_left_out() {
        let list = (0..20).map(|n| format!(r#"{{"a":{n},"b":0,"c":0,"d":0}}"#)).collect::<Vec<_>>().join(",");
        let text = format!("[{list}]");
        let wanted: Vec<_> = [0, 9, 19].into_iter().map(|nth| span(&text, "\"a\"", nth)).collect();
        let excerpt = cut(text.as_bytes(), &wanted, Bounds { lines: 8, ..BOUNDS });
        assert_eq!(marked(&excerpt), [Some("\"a\""), None, None]);
        assert!(excerpt.text.lines().count() <= 8, "{}", excerpt.text);
    }

    #[test]
    fn a_long_string_is_cut_around_the_place() {
        let text = format!(r#"{{"key": "{}HERE{}"}}"#, "é".repeat(100_000), "x".repeat(100_000));
        let excerpt = cut(text.as_bytes(), &[span(&text, "HERE", 0)], BOUNDS);
        assert_eq!(excerpt.text, format!("{{\n  \"key\": …{}HERE{}…\"\n}}", "é".repeat(18), "x".repeat(5)));
        assert_eq!(marked(&excerpt), [Some("HERE")]);
    }

    #[test]
    fn a_text_that_does_not_parse() {
        let excerpt = cut(b"[1,\n 2 3]\n", &[Span { start: 7, end: 8 }], BOUNDS);
        assert_eq!((&*excerpt.text, marked(&excerpt)), ("[1,\n 2 3]", vec![Some("3")]));
        assert_eq!(excerpt.lines, [Some(1), Some(2)]);
        let excerpt = cut(b"", &[Span { start: 0, end: 0 }], BOUNDS);
        assert_eq!((&*excerpt.text, marked(&excerpt)), (" ", vec![Some(" ")]));
    }

    /// Whatever is wanted of whatever text: bounded, escaped, and the first span is marked.
    #[test]
    fn every_span_of_awkward_texts() {
        let tags = "\u{e0041}".repeat(60);
        let texts = [
            r#"{"a":[[],{},[{"b":"é\u0000"}]],"":{"":{"":null}},"a":-1e9}"#.as_bytes().to_vec(),
            format!("{{\"{tags}\":\"{tags}\u{202e}\"}}").into_bytes(),
            b"\xef\xbb\xbf[\"\xff\xc3\x28\xed\xa0\x80\",\r\n 1 ] x\n\n".to_vec(),
            b"\"just \xff text\"".to_vec(),
            b"{\"a\": \x1b[31m".to_vec(),
        ];
        for text in &texts {
            for start in 0..=text.len() {
                for len in [0, 1, 2, 7, 1000] {
                    let spans =
                        [Span { start, end: start + len }, Span { start: start / 2, end: start / 2 + 1 }];
                    let excerpt = cut(text, &spans, BOUNDS);
                    let [Some(first), second] = &*excerpt.marks else { panic!("{excerpt:?} of {spans:?}") };
                    for mark in [Some(first), second.as_ref()].into_iter().flatten() {
                        assert!(!excerpt.text[mark.clone()].is_empty(), "{excerpt:?} of {spans:?}");
                    }
                    assert!(excerpt.text.chars().all(|c| c == '\n' || !c.is_control()), "{excerpt:?}");
                    assert!(excerpt.text.lines().all(|line| line.chars().count() <= 60), "{excerpt:?}");
                    assert_eq!(excerpt.lines.len(), excerpt.text.split('\n').count(), "{excerpt:?}");
                }
            }
        }
    }
}
