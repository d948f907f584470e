//! Lines and columns of a text.

use bstr::ByteSlice;

use crate::json::Span;

/// Line and column, both from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line, ended by a line feed.
    pub line: usize,
    /// Column.
    pub column: usize,
}

/// Where the lines of a text start, and how many characters come before some of its bytes.
///
/// Made in one pass; afterwards a position costs a binary search and at most `STRIDE` bytes, even if
/// the document is one line of megabytes.
#[derive(Debug)]
pub struct Lines<'a> {
    text: &'a [u8],
    /// Offset of every line's first byte, and how many characters come before it.
    starts: Vec<(usize, usize)>,
    /// Characters before each multiple of `STRIDE`.
    marks: Vec<usize>,
}

/// Bytes between two counts of characters.
const STRIDE: usize = 4096;

impl<'a> Lines<'a> {
    /// Counts the lines of a text.
    pub fn new(text: &'a [u8]) -> Self {
        let mut starts = vec![(0, 0)];
        let mut marks = Vec::with_capacity(text.len() / STRIDE + 1);
        let mut before = 0;
        for (nth, stride) in text.chunks(STRIDE).enumerate() {
            marks.push(before);
            let mut from = 0;
            for line_feed in stride.find_iter(b"\n") {
                before += characters(&stride[from..=line_feed]);
                from = line_feed + 1;
                starts.push((nth * STRIDE + from, before));
            }
            before += characters(&stride[from..]);
        }
        marks.push(before);
        Lines { text, starts, marks }
    }

    /// Line and column of a byte; the end of the text, if the offset is beyond it.
    pub fn position(&self, offset: usize) -> Position {
        let offset = offset.min(self.text.len());
        let line = self.starts.partition_point(|(start, _)| *start <= offset);
        let before_line = self.starts.get(line.wrapping_sub(1)).map_or(0, |(_, before)| *before);
        let nth = offset / STRIDE;
        let before_mark = self.marks.get(nth).copied().unwrap_or_default();
        let before = before_mark + characters(&self.text[(nth * STRIDE).min(offset)..offset]);
        Position { line, column: before.saturating_sub(before_line) + 1 }
    }

    /// How many lines there are; at least one.
    pub fn count(&self) -> usize {
        self.starts.len()
    }

    /// The bytes of a line, counted from 1, without its line feed.
    pub fn line(&self, line: usize) -> Option<Span> {
        let (start, _) = *self.starts.get(line.checked_sub(1)?)?;
        let end = self.starts.get(line).map_or(self.text.len(), |(next, _)| next - 1);
        Some(Span { start, end })
    }
}

/// How many characters a text has: bytes that do not continue one.
fn characters(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns() {
        let lines = Lines::new("ab\né\u{1f980}c\n\nd".as_bytes());
        let at = |offset| {
            let Position { line, column } = lines.position(offset);
            (line, column)
        };
        assert_eq!([0, 2, 3, 5, 9, 10].map(at), [(1, 1), (1, 3), (2, 1), (2, 2), (2, 3), (2, 4)]);
        assert_eq!([11, 12, 13, 99].map(at), [(3, 1), (4, 1), (4, 2), (4, 2)]);
        assert_eq!(lines.line(2), Some(Span { start: 3, end: 10 }));
        assert_eq!([lines.line(0), lines.line(5)], [None, None]);
        let empty = Lines::new(b"").position(0);
        assert_eq!(empty, Position { line: 1, column: 1 });
    }

    #[test]
    fn columns_in_lines_longer_than_a_stride() {
        for len in [STRIDE - 1, STRIDE, STRIDE + 1, 3 * STRIDE] {
            let text = format!("{}\n{}", "é".repeat(len), "x".repeat(len));
            let lines = Lines::new(text.as_bytes());
            for n in [0, 1, len / 2, len - 1, len] {
                assert_eq!(lines.position(2 * n), Position { line: 1, column: n + 1 });
                assert_eq!(lines.position(2 * len + 1 + n), Position { line: 2, column: n + 1 });
            }
        }
    }
}
