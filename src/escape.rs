//! Text from archives, made safe for a terminal.
//!
//! Names, annotations and media types are written by whoever made the image. Raw, they could move the
//! cursor, change colours, hide text or turn it around ("Trojan Source", CVE-2021-42574), so every byte
//! that people are shown passes through here. What is escaped reads like a Rust literal.

use std::borrow::Cow;
use std::fmt::Write;

/// The text with everything that a terminal would obey, hide or turn around written out.
///
/// Line feed, carriage return and tab become `\n`, `\r` and `\t`; other ASCII controls and bytes that are
/// not UTF-8 `\x1b`; any other hidden character `\u{202e}`. Backslashes stay as they are: the result is
/// for reading, not for undoing.
pub fn escape(text: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(text) {
        Ok(text) => escape_str(text),
        Err(_) => {
            let mut out = String::with_capacity(text.len() + 16);
            for chunk in text.utf8_chunks() {
                chunk.valid().chars().for_each(|c| push(&mut out, c));
                for byte in chunk.invalid() {
                    push_byte(&mut out, *byte);
                }
            }
            Cow::Owned(out)
        }
    }
}

/// [`escape`], for text that is known to be UTF-8.
pub fn escape_str(text: &str) -> Cow<'_, str> {
    // Nearly every text is plain.
    let is_plain = |byte: u8| (0x20..0x7f).contains(&byte);
    if text.bytes().all(is_plain) || !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    text.chars().for_each(|c| push(&mut out, c));
    Cow::Owned(out)
}

/// The text with bytes that are not UTF-8 as `\xff` and all else as it is, for formats that hold any text.
pub fn utf8(text: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for chunk in text.utf8_chunks() {
        out.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| push_byte(&mut out, *byte));
    }
    Cow::Owned(out)
}

/// Appends one character, escaped if it must be.
pub(super) fn push(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if c.is_ascii() && is_unsafe(c) => push_byte(out, c as u8),
        c if is_unsafe(c) => {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c)); // a String takes everything
        }
        c => out.push(c),
    }
}

/// Appends one byte as `\x1b`.
pub(super) fn push_byte(out: &mut String, byte: u8) {
    let _ = write!(out, "\\x{byte:02x}"); // a String takes everything
}

/// Whether a terminal would obey the character, show nothing for it, or reorder text because of it.
pub(super) fn is_unsafe(c: char) -> bool {
    // C0, DEL and C1: `is_control` is exactly general category Cc.
    c.is_control()
        || matches!(c,
            // soft hyphen, Arabic letter mark, Hangul fillers, Mongolian vowel separator
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{180e}'
            // zero width, left-to-right and right-to-left marks
            | '\u{200b}'..='\u{200f}'
            // line and paragraph separators, bidi embeddings and overrides
            | '\u{2028}'..='\u{202e}'
            // word joiner, invisible operators, bidi isolates, deprecated format characters
            | '\u{2060}'..='\u{206f}'
            // byte order mark, interlinear annotations
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            // tags: invisible copies of ASCII
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_text_is_borrowed() {
        for text in ["", "blobs/sha256/ab", "naïve/データ 🦀", r"a\b"] {
            assert!(matches!(escape(text.as_bytes()), Cow::Borrowed(out) if out == text), "{text}");
        }
    }

    #[test]
    fn what_a_terminal_would_obey() {
        assert_eq!(escape(b"\x1b[31mred\x07\0\x7f"), r"\x1b[31mred\x07\x00\x7f");
        assert_eq!(escape(b"a\nb\rc\td"), r"a\nb\rc\td");
        // C1: a CSI in one character
        assert_eq!(escape("\u{9b}31m".as_bytes()), r"\u{9b}31m");
    }

    #[test]
    fn what_hides_or_turns_text_around() {
        for c in
            (0x200b..=0x200f).chain(0x2028..=0x202e).chain(0x2066..=0x2069).chain([0xfeff, 0xad, 0xe0041])
        {
            let c = char::from_u32(c).expect("a scalar value");
            assert_eq!(escape_str(&format!("a{c}b")), format!("a\\u{{{:x}}}b", u32::from(c)));
        }
        assert_eq!(escape_str("\u{200a}\u{2010}\u{2030}"), "\u{200a}\u{2010}\u{2030}");
    }

    #[test]
    fn bytes_that_are_not_utf_8() {
        assert_eq!(escape(b"caf\xe9"), r"caf\xe9");
        assert_eq!(utf8(b"caf\xe9\x1b\n"), "caf\\xe9\x1b\n");
        assert_eq!(escape(b"\xff\x1b\xc3\xa9\xed\xa0\x80\xe2\x80"), r"\xff\x1bé\xed\xa0\x80\xe2\x80");
    }
}
