//! Writing JSON text: strings in two dialects, and compact objects and arrays whose order the caller chooses.
//!
//! Documents that restow makes are hashed, so their bytes must not depend on a serialiser's version or
//! on the order of a map.

use std::fmt::Write as _;

/// `text` as a JSON string, quotes included, escaping only what RFC 8259 section 7 demands.
pub fn string(text: &str) -> String {
    quoted(text, false)
}

/// `text` as Go's encoding/json writes it: `<`, `>`, `&`, U+2028 and U+2029 are escaped too (formats.md 0.4).
///
/// U+0008 and U+000C are `\b` and `\f` as Go 1.22 and later write them; older versions wrote `\u0008` and `\u000c`.
pub fn go_string(text: &str) -> String {
    quoted(text, true)
}

fn quoted(text: &str, go: bool) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}' => unicode_escape(&mut out, c),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' if go => unicode_escape(&mut out, c),
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Writes a character of the basic multilingual plane as `\u` and four lower-case digits.
fn unicode_escape(out: &mut String, c: char) {
    // Writing to a String never fails.
    let _ = write!(out, "\\u{:04x}", u32::from(c));
}

/// A compact object: members stand in the order of the calls.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Object {
    text: String,
}

impl Object {
    /// An object without members.
    pub fn new() -> Self {
        Object::default()
    }

    /// Adds a string member, escaped as by [`string`].
    pub fn string(self, key: &str, value: &str) -> Self {
        self.raw(key, &string(value))
    }

    /// Adds a number.
    pub fn number(self, key: &str, value: u64) -> Self {
        self.raw(key, &value.to_string())
    }

    /// Adds a member whose value is JSON text already; it is not checked.
    pub fn raw(mut self, key: &str, json: &str) -> Self {
        separate(&mut self.text);
        self.text.push_str(&string(key));
        self.text.push(':');
        self.text.push_str(json);
        self
    }

    /// The object's text, braces included.
    #[must_use]
    pub fn finish(self) -> String {
        format!("{{{}}}", self.text)
    }
}

/// A compact array: items stand in the order of the calls.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Array {
    text: String,
}

impl Array {
    /// An array without items.
    pub fn new() -> Self {
        Array::default()
    }

    /// Adds a string, escaped as by [`string`].
    pub fn string(self, value: &str) -> Self {
        self.raw(&string(value))
    }

    /// Adds a number.
    pub fn number(self, value: u64) -> Self {
        self.raw(&value.to_string())
    }

    /// Adds an item that is JSON text already; it is not checked.
    pub fn raw(mut self, json: &str) -> Self {
        separate(&mut self.text);
        self.text.push_str(json);
        self
    }

    /// The array's text, brackets included.
    #[must_use]
    pub fn finish(self) -> String {
        format!("[{}]", self.text)
    }
}

fn separate(text: &mut String) {
    if !text.is_empty() {
        text.push(',');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_characters_and_quotes_are_escaped() {
        assert_eq!(
            string("a\"b\\c/\u{8}\u{c}\n\r\t\u{1}\u{1f}\u{7f}"),
            "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\u{7f}\""
        );
        assert_eq!(string("<&>\u{2028}é😀"), "\"<&>\u{2028}é😀\"");
    }

    #[test]
    fn go_escapes_html_and_line_separators() {
        assert_eq!(go_string("<&>\u{2028}\u{2029}é\""), r#""\u003c\u0026\u003e\u2028\u2029é\"""#);
    }

    #[test]
    fn members_keep_the_order_of_the_calls() {
        let digests = Array::new().string("b").number(1).raw("null").finish();
        let object = Object::new().string("z", "\n").number("a", u64::MAX).raw("m\"", &digests).finish();
        assert_eq!(object, r#"{"z":"\n","a":18446744073709551615,"m\"":["b",1,null]}"#);
        assert_eq!(Object::new().finish(), "{}");
        assert_eq!(Array::new().finish(), "[]");
    }

    proptest! {
        #[test]
        fn strings_equal_those_of_serde_json(text: String) {
            prop_assert_eq!(string(&text), serde_json::to_string(&text).expect("strings serialise"));
            let read: String = serde_json::from_str(&go_string(&text)).expect("valid JSON");
            prop_assert_eq!(read, text);
        }
    }
}
