//! The parser: one pass, no recursion, every offset exact.
//!
//! What the grammar of RFC 8259 forbids is a [`SyntaxError`]. A few faults that real tools overlook
//! are anomalies instead, so that rules can name them and the document can still be inspected.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Anomaly, Json, Kind, Member, Slice, Span, SyntaxError, Value, pointer};

/// Depth that no caller can exceed: a tree is dropped recursively, and `--limit json-depth` is free text.
const DEPTH_CEILING: usize = 1_000;

/// Bytes that no caller can exceed, either: a [`Slice`] counts them in 32 bits.
const LENGTH_CEILING: usize = u32::MAX as usize;

/// Members up to which duplicates are found by looking at all of them; a hash map costs more below that.
const FEW_MEMBERS: usize = 16;

/// Bytes of pointers after which duplicate keys are no longer recorded. Long names around many
/// duplicates would otherwise need memory quadratic in the document.
const POINTER_BYTES: usize = 1 << 20;

/// How many bytes there are before one that a string does not hold as it is: a quote, a backslash or a control character.
fn run(text: &[u8]) -> usize {
    // Eight bytes at once, as every byte of every string is asked: the high bit of each that is less than n (up to 128) is
    // set, and perhaps that of some behind the first.
    let less = |word: u64, n: u8| word.wrapping_sub(each(n)) & !word & each(0x80);
    let (words, rest) = text.as_chunks();
    for (nth, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let ends = less(word, b' ') | less(word ^ each(b'"'), 1) | less(word ^ each(b'\\'), 1);
        if ends != 0 {
            return 8 * nth + ends.trailing_zeros() as usize / 8;
        }
    }
    let end = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f));
    text.len() - rest.len() + end.unwrap_or(rest.len())
}

/// A byte, eight times.
fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Parses one document.
///
/// `max_depth` is how many arrays and objects may enclose each other (at most 1,000 whatever is asked
/// for). Numbers keep their text. A byte order mark, duplicate keys, bytes that are not UTF-8 and lone
/// surrogates inside strings, and data behind the document are [`Anomaly`]s, in the order they are met;
/// of very many duplicate keys only the first are listed.
///
/// # Errors
///
/// Anything else outside RFC 8259, at the offset of the first byte that cannot be read.
pub fn parse(text: &[u8], max_depth: usize) -> Result<Json, SyntaxError> {
    let shared = std::str::from_utf8(text).ok().map(Arc::from);
    parse_shared(text, shared, max_depth)
}

/// The same of a text that is kept beside what is read of it, which shares it.
pub fn parse_kept(text: Vec<u8>, max_depth: usize) -> (Arc<[u8]>, Result<Json, SyntaxError>) {
    match String::from_utf8(text) {
        Ok(text) => {
            let text: Arc<str> = text.into();
            let json = parse_shared(text.as_bytes(), Some(Arc::clone(&text)), max_depth);
            (text.into(), json)
        }
        Err(error) => {
            let json = parse_shared(error.as_bytes(), None, max_depth);
            (error.into_bytes().into(), json)
        }
    }
}

fn parse_shared(text: &[u8], shared: Option<Arc<str>>, max_depth: usize) -> Result<Json, SyntaxError> {
    if text.len() > LENGTH_CEILING {
        let problem = format!("longer than {LENGTH_CEILING} bytes");
        return Err(SyntaxError { offset: LENGTH_CEILING, problem, too_deep: false });
    }
    let mut parser = Parser {
        text,
        shared,
        at: 0,
        max_depth: max_depth.min(DEPTH_CEILING),
        open: Vec::new(),
        items: Vec::new(),
        members: Vec::new(),
        anomalies: Vec::new(),
        pointer_bytes: 0,
        values: 0,
    };
    if text.starts_with(BYTE_ORDER_MARK) {
        parser.anomalies.push(Anomaly::ByteOrderMark);
        parser.at = BYTE_ORDER_MARK.len();
    }
    let root = parser.document()?;
    parser.white_space();
    if parser.at < text.len() {
        parser.anomalies.push(Anomaly::TrailingData { offset: parser.at });
    }
    Ok(Json { root, anomalies: parser.anomalies, values: parser.values })
}

struct Parser<'a> {
    text: &'a [u8],
    /// The same as text that strings may share, if all of it is UTF-8.
    shared: Option<Arc<str>>,
    at: usize,
    max_depth: usize,
    /// The arrays and objects around `at`, outermost first.
    open: Vec<Open>,
    /// What was read of the arrays among them, one behind the other: each gets a vector of its own when its length is known.
    items: Vec<Value>,
    /// The same of the objects.
    members: Vec<Member>,
    anomalies: Vec<Anomaly>,
    /// Bytes of all pointers in `anomalies`.
    pointer_bytes: usize,
    values: u64,
}

/// An array or object whose end has not been read yet.
enum Open {
    Array {
        start: usize,
        /// Its first item among those of all open arrays.
        first: usize,
    },
    Object {
        start: usize,
        /// Its first member among those of all open objects.
        first: usize,
        /// The member that is being read.
        key: Slice,
        key_span: Span,
        /// Names of many members.
        seen: Option<HashMap<Slice, Span>>,
    },
}

impl Parser<'_> {
    fn document(&mut self) -> Result<Value, SyntaxError> {
        loop {
            let Some(mut value) = self.begin_value()? else { continue };
            // Hand the value to what encloses it; that may end there too, and so on outwards.
            loop {
                let (closing, wanted) = match self.open.last_mut() {
                    None => return Ok(value),
                    Some(Open::Array { .. }) => {
                        self.items.push(value);
                        (b']', "`,` or `]`")
                    }
                    Some(Open::Object { key, key_span, .. }) => {
                        let key = std::mem::take(key);
                        self.members.push(Member { key, key_span: *key_span, value });
                        (b'}', "`,` or `}`")
                    }
                };
                self.white_space();
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        if closing == b'}' {
                            self.key()?;
                        }
                        break;
                    }
                    Some(byte) if byte == closing => value = self.close()?,
                    _ => return Err(self.expected(wanted)),
                }
            }
        }
    }

    /// Reads a whole scalar or empty container; `None` if a container was opened whose first value comes next.
    fn begin_value(&mut self) -> Result<Option<Value>, SyntaxError> {
        self.white_space();
        self.values += 1;
        let start = self.at;
        let kind = match self.peek() {
            Some(b'[') => {
                self.open(Open::Array { start, first: self.items.len() })?;
                if self.peek() == Some(b']') {
                    return self.close().map(Some);
                }
                return Ok(None);
            }
            Some(b'{') => {
                self.open(Open::Object {
                    start,
                    first: self.members.len(),
                    key: Slice::default(),
                    key_span: Span { start, end: start },
                    seen: None,
                })?;
                if self.peek() == Some(b'}') {
                    return self.close().map(Some);
                }
                self.key()?;
                return Ok(None);
            }
            Some(b'"') => Kind::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => Kind::Number(self.number()?),
            Some(b't') => self.literal("true", Kind::Bool(true))?,
            Some(b'f') => self.literal("false", Kind::Bool(false))?,
            Some(b'n') => self.literal("null", Kind::Null)?,
            _ => return Err(self.expected("a value")),
        };
        Ok(Some(Value { span: Span { start, end: self.at }, kind }))
    }

    /// Enters the container that begins at `at`, up to its first token.
    fn open(&mut self, container: Open) -> Result<(), SyntaxError> {
        if self.open.len() >= self.max_depth {
            let problem = format!("nested deeper than {} levels", self.max_depth);
            return Err(SyntaxError { offset: self.at, problem, too_deep: true });
        }
        self.open.push(container);
        self.at += 1;
        self.white_space();
        Ok(())
    }

    /// Leaves the innermost container, whose closing bracket is at `at`.
    fn close(&mut self) -> Result<Value, SyntaxError> {
        self.at += 1;
        let (start, kind) = match self.open.pop() {
            Some(Open::Array { start, first }) => (start, Kind::Array(self.items.split_off(first))),
            Some(Open::Object { start, first, .. }) => (start, Kind::Object(self.members.split_off(first))),
            // Callers have just looked at the innermost container, so there is one.
            None => return Err(self.expected("a value")),
        };
        Ok(Value { span: Span { start, end: self.at }, kind })
    }

    /// Reads the name of a member and its colon.
    fn key(&mut self) -> Result<(), SyntaxError> {
        self.white_space();
        let start = self.at;
        if self.peek() != Some(b'"') {
            return Err(self.expected("a member name"));
        }
        let name = self.string()?;
        let span = Span { start, end: self.at };
        let mut first = None;
        if let Some(Open::Object { first: start, key, key_span, seen, .. }) = self.open.last_mut() {
            let members = self.members.get(*start..).unwrap_or_default();
            if members.len() < FEW_MEMBERS {
                first = members.iter().find(|m| m.key == name).map(|m| m.key_span);
            } else {
                // In reverse, so that the first of several has the last word.
                let names = || members.iter().rev().map(|m| (m.key.clone(), m.key_span)).collect();
                let seen = seen.get_or_insert_with(names);
                let known = *seen.entry(name.clone()).or_insert(span);
                first = (known != span).then_some(known);
            }
            (*key, *key_span) = (name, span);
        }
        if let Some(first) = first
            && self.pointer_bytes < POINTER_BYTES
        {
            let pointer = self.pointer();
            self.pointer_bytes += pointer.len();
            self.anomalies.push(Anomaly::DuplicateKey { pointer, first, again: span });
        }
        self.white_space();
        if self.peek() != Some(b':') {
            return Err(self.expected("`:`"));
        }
        self.at += 1;
        Ok(())
    }

    /// The pointer of the member or item that is being read.
    fn pointer(&self) -> String {
        let mut pointer = String::new();
        // Where the items of the next array within begin, those of one end.
        let begins = self.open.iter().filter_map(|open| match open {
            Open::Array { first, .. } => Some(*first),
            Open::Object { .. } => None,
        });
        let mut ends = begins.skip(1).chain([self.items.len()]);
        for open in &self.open {
            pointer.push('/');
            match open {
                Open::Array { first, .. } => {
                    let items = ends.next().unwrap_or_default().saturating_sub(*first);
                    pointer.push_str(&items.to_string());
                }
                Open::Object { key, .. } => pointer.push_str(&pointer::escape(key)),
            }
        }
        pointer
    }

    fn literal(&mut self, word: &str, kind: Kind) -> Result<Kind, SyntaxError> {
        for byte in word.bytes() {
            if self.peek() != Some(byte) {
                return Err(self.expected(&format!("`{word}`")));
            }
            self.at += 1;
        }
        Ok(kind)
    }

    fn number(&mut self) -> Result<Slice, SyntaxError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
            if matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(self.error("a number must not begin with an extra zero".into()));
            }
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        // All ASCII, as the branches above have seen.
        Ok(match &self.shared {
            Some(text) => Slice::of(text, start..self.at),
            None => String::from_utf8_lossy(&self.text[start..self.at]).into_owned().into(),
        })
    }

    /// Reads one digit or more.
    fn digits(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.expected("a digit")) } else { Ok(()) }
    }

    /// Reads the string whose opening quote is at `at`.
    fn string(&mut self) -> Result<Slice, SyntaxError> {
        self.at += 1;
        let mut decoded = String::new();
        let mut all_utf8 = true;
        loop {
            let rest = &self.text[self.at..];
            let length = run(rest);
            // Nearly every string: nothing in it is escaped.
            if let (true, Some(b'"'), Some(text)) = (decoded.is_empty(), rest.get(length), &self.shared) {
                let run = Slice::of(text, self.at..self.at + length);
                self.at += length + 1;
                return Ok(run);
            }
            let run = &rest[..length];
            match std::str::from_utf8(run) {
                Ok(run) => decoded.push_str(run),
                Err(error) => {
                    // One per string: the rest of it is usually in the same wrong encoding.
                    if all_utf8 {
                        let offset = self.at + error.valid_up_to();
                        self.anomalies.push(Anomaly::InvalidUtf8 { offset });
                        all_utf8 = false;
                    }
                    decoded.push_str(&String::from_utf8_lossy(run));
                }
            }
            self.at += length;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(decoded.into());
                }
                Some(b'\\') => decoded.push(self.escape()?),
                Some(control) => {
                    return Err(self.error(format!("control character U+{control:04X} must be escaped")));
                }
                None => return Err(self.expected("`\"` at the end of a string")),
            }
        }
    }

    /// Reads the escape whose backslash is at `at`.
    fn escape(&mut self) -> Result<char, SyntaxError> {
        let start = self.at;
        self.at += 1;
        let c = match self.peek() {
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode_escape(start);
            }
            _ => return Err(self.expected("one of `\"\\/bfnrtu` after `\\`")),
        };
        self.at += 1;
        Ok(c)
    }

    /// Reads the digits of a `\u` escape that began at `start`, and its second half if it is one of a pair.
    fn unicode_escape(&mut self, start: usize) -> Result<char, SyntaxError> {
        let unit = self.hex4()?;
        let end = self.at;
        if (0xd800..0xdc00).contains(&unit) && self.text[end..].starts_with(b"\\u") {
            self.at += 2;
            if let Ok(low @ 0xdc00..0xe000) = self.hex4() {
                let scalar = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                return Ok(char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            // Not its other half: an escape of its own.
            self.at = end;
        }
        Ok(char::from_u32(unit).unwrap_or_else(|| {
            self.anomalies.push(Anomaly::LoneSurrogate { span: Span { start, end } });
            char::REPLACEMENT_CHARACTER
        }))
    }

    fn hex4(&mut self) -> Result<u32, SyntaxError> {
        let mut unit = 0;
        for _ in 0..4 {
            let Some(digit) = self.peek().and_then(|b| char::from(b).to_digit(16)) else {
                return Err(self.expected("a hexadecimal digit"));
            };
            unit = unit << 4 | digit;
            self.at += 1;
        }
        Ok(unit)
    }

    fn white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn error(&self, problem: String) -> SyntaxError {
        SyntaxError { offset: self.at, problem, too_deep: false }
    }

    /// The error that something else stands at `at`; what does is named without printing odd bytes.
    fn expected(&self, wanted: &str) -> SyntaxError {
        let found = match self.peek() {
            None => "end of document".to_owned(),
            Some(byte @ 0x21..=0x7e) => format!("`{}`", char::from(byte)),
            Some(_) => {
                let next = &self.text[self.at..self.text.len().min(self.at + 4)];
                match next.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next()) {
                    Some(c) => format!("U+{:04X}", u32::from(c)),
                    None => format!("byte 0x{:02X}", next.first().copied().unwrap_or_default()),
                }
            }
        };
        self.error(format!("expected {wanted}, found {found}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: usize, end: usize) -> Span {
        Span { start, end }
    }

    fn anomalies(text: &[u8]) -> Vec<Anomaly> {
        parse(text, 64).expect("readable").anomalies
    }

    fn fault(text: &[u8]) -> (usize, String) {
        let error = parse(text, 64).expect_err("not JSON");
        assert!(!error.too_deep);
        (error.offset, error.problem)
    }

    #[test]
    fn spans_and_values() {
        let json = parse(b" {\"a\" : [1e3, true,null] ,\"\\u0062\":\"x\\n\"} \n", 64).expect("valid JSON");
        assert!(json.anomalies.is_empty());
        assert_eq!(json.root.span, span(1, 41));
        let [a, b] = json.root.members() else { panic!("two members") };
        assert_eq!((&*a.key, a.key_span, a.value.span), ("a", span(2, 5), span(8, 24)));
        assert_eq!(a.value.items()[0], Value { span: span(9, 12), kind: Kind::Number("1e3".into()) });
        assert_eq!(a.value.items()[2], Value { span: span(19, 23), kind: Kind::Null });
        assert_eq!((&*b.key, b.key_span), ("b", span(26, 34)));
        assert_eq!(b.value, Value { span: span(35, 40), kind: Kind::String("x\n".into()) }, "{json:?}");
    }

    #[test]
    fn runs_end_at_the_first_byte_that_ends_them() {
        for length in 0..20 {
            for byte in 0..=u8::MAX {
                let ends = matches!(byte, b'"' | b'\\' | 0..=0x1f);
                for filler in [b'a', b' ', b'!', b'#', 0x7f, 0x80, 0xff] {
                    let text = [vec![filler; length], vec![byte], b"\"\\\0 aaaaaaa".to_vec()].concat();
                    assert_eq!(run(&text), if ends { length } else { length + 1 }, "{text:?}");
                    assert_eq!(run(&text[..length]), length);
                }
            }
        }
    }

    #[test]
    fn numbers_keep_their_text() {
        for text in
            ["0", "-0", "1e400", "18446744073709551616", "9223372036854775808", "1.50E-07", "-12.5e+3"]
        {
            let json = parse(text.as_bytes(), 0).expect("valid JSON");
            assert_eq!(json.root.kind, Kind::Number(text.into()));
        }
    }

    #[test]
    fn duplicate_keys_compare_decoded() {
        let again =
            Anomaly::DuplicateKey { pointer: "/x/1/a~1b".into(), first: span(9, 14), again: span(17, 28) };
        assert_eq!(anomalies(br#"{"x":[0,{"a/b":1,"\u0061\/b":2,"A/b":3}]}"#), [again]);
    }

    #[test]
    fn duplicate_keys_in_arrays_of_arrays() {
        for (text, pointer) in [
            (r#"[[0,1],[{"a":1,"a":2}]]"#, "/1/0/a"),
            (r#"[0,[1,2,[{"b":[[],5],"a":[{"x":1},{"x":1,"x":2}]}]]]"#, "/1/2/0/a/1/x"),
            (r#"{"k":[[[]],[],[[7,8,{"y":1,"y":2}]]]}"#, "/k/2/0/2/y"),
        ] {
            let found = anomalies(text.as_bytes());
            let [Anomaly::DuplicateKey { pointer: found, .. }] = &found[..] else { panic!("{found:?}") };
            assert_eq!(found, pointer);
        }
    }

    #[test]
    fn what_is_read_is_the_same_whether_or_not_it_shares_the_text() {
        let text = r#"{"a":"b","c":[1,"\u0061",{"a":null,"é":"ü"}],"":""}"#;
        let shared = parse(text.as_bytes(), 64).expect("JSON");
        let apart = parse_shared(text.as_bytes(), None, 64).expect("JSON");
        assert_eq!(shared, apart);
        let (bytes, kept) = parse_kept(text.into(), 64);
        assert_eq!((&*bytes, kept), (text.as_bytes(), Ok(shared)));
    }

    #[test]
    fn duplicate_keys_among_many_members() {
        for count in [FEW_MEMBERS - 1, FEW_MEMBERS, FEW_MEMBERS + 1, 10 * FEW_MEMBERS] {
            let members: Vec<_> = (0..count).map(|n| format!("\"{n:03}\":0")).collect();
            let text = format!("{{{},\"001\":1,\"000\":1,\"000\":2,\"new\":3}}", members.join(","));
            let duplicate = |name: usize, nth: usize| Anomaly::DuplicateKey {
                pointer: format!("/{name:03}"),
                first: span(1 + 8 * name, 6 + 8 * name),
                again: span(1 + 8 * (count + nth), 6 + 8 * (count + nth)),
            };
            assert_eq!(anomalies(text.as_bytes()), [duplicate(1, 0), duplicate(0, 1), duplicate(0, 2)]);
        }
    }

    #[test]
    fn duplicate_keys_under_a_long_name_do_not_fill_memory() {
        let name = "x".repeat(300_000);
        let members = vec!["\"a\":0"; 1_000].join(",");
        let found = anomalies(format!("{{\"{name}\":{{{members}}}}}").as_bytes());
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn byte_order_mark() {
        let json = parse(b"\xef\xbb\xbf 1", 64).expect("readable");
        assert_eq!((json.root.span, json.anomalies), (span(4, 5), vec![Anomaly::ByteOrderMark]));
        assert_eq!(fault(b"\xef\xbb\xbf"), (3, "expected a value, found end of document".into()));
        assert_eq!(fault(b"\xef\xbb\xbf\xef\xbb\xbf1").0, 3);
    }

    #[test]
    fn bytes_that_are_not_utf8() {
        let json = parse(b"[\"ok\",\"a\xc3(\xff\",\"\xed\xa0\x80\"]", 64).expect("readable");
        assert_eq!(json.root.items()[1].as_str(), Some("a\u{fffd}(\u{fffd}"));
        assert_eq!(json.anomalies, [Anomaly::InvalidUtf8 { offset: 8 }, Anomaly::InvalidUtf8 { offset: 14 }]);
        assert_eq!(fault(b"[1,\xff]"), (3, "expected a value, found byte 0xFF".into()));
    }

    #[test]
    fn surrogates() {
        let json = parse(br#"["\ud83d\ude00","\ud83dx","\ude00","\ud83d\ud83d\ude00","\ud83d\u0041"]"#, 64)
            .expect("readable");
        let texts: Vec<_> = json.root.items().iter().filter_map(Value::as_str).collect();
        assert_eq!(texts, ["😀", "\u{fffd}x", "\u{fffd}", "\u{fffd}😀", "\u{fffd}A"]);
        let lone = |start| Anomaly::LoneSurrogate { span: span(start, start + 6) };
        assert_eq!(json.anomalies, [lone(17), lone(27), lone(36), lone(57)]);
        let ends = parse(br#""\ud800\udc00\udbff\udfff""#, 64).expect("valid JSON");
        assert_eq!((ends.root.as_str(), ends.anomalies.len()), (Some("\u{10000}\u{10ffff}"), 0));
        assert_eq!(fault(br#""\ud800\uzz""#), (9, "expected a hexadecimal digit, found `z`".into()));
    }

    #[test]
    fn trailing_data() {
        assert_eq!(anomalies(b"{} \n[1"), [Anomaly::TrailingData { offset: 4 }]);
        assert_eq!(anomalies(b"1\0"), [Anomaly::TrailingData { offset: 1 }]);
        assert_eq!(anomalies(b"{}\r\n\t "), []);
    }

    #[test]
    fn faults_are_named_where_they_stand() {
        for (text, offset, problem) in [
            ("", 0, "expected a value, found end of document"),
            (" \n", 2, "expected a value, found end of document"),
            ("[1,]", 3, "expected a value, found `]`"),
            ("[1 2]", 3, "expected `,` or `]`, found `2`"),
            ("[1}", 2, "expected `,` or `]`, found `}`"),
            ("{\"a\":1,}", 7, "expected a member name, found `}`"),
            ("{a:1}", 1, "expected a member name, found `a`"),
            ("{\"a\" 1}", 5, "expected `:`, found `1`"),
            ("{\"a\":1", 6, "expected `,` or `}`, found end of document"),
            ("{\"a\":}", 5, "expected a value, found `}`"),
            ("{", 1, "expected a member name, found end of document"),
            ("\"a\nb\"", 2, "control character U+000A must be escaped"),
            ("\"\x1f\"", 1, "control character U+001F must be escaped"),
            ("\"ab", 3, "expected `\"` at the end of a string, found end of document"),
            ("\"\\x\"", 2, "expected one of `\"\\/bfnrtu` after `\\`, found `x`"),
            ("\"\\u00g0\"", 5, "expected a hexadecimal digit, found `g`"),
            ("\x0b1", 0, "expected a value, found U+000B"),
            ("\u{a0}1", 0, "expected a value, found U+00A0"),
            ("[\u{1f600}]", 1, "expected a value, found U+1F600"),
            ("trux", 3, "expected `true`, found `x`"),
            ("nul", 3, "expected `null`, found end of document"),
            ("NaN", 0, "expected a value, found `N`"),
            ("01", 1, "a number must not begin with an extra zero"),
            ("-", 1, "expected a digit, found end of document"),
            ("+1", 0, "expected a value, found `+`"),
            (".5", 0, "expected a value, found `.`"),
            ("[1.]", 3, "expected a digit, found `]`"),
            ("1e+", 3, "expected a digit, found end of document"),
            ("// x\n1", 0, "expected a value, found `/`"),
            ("'a'", 0, "expected a value, found `'`"),
        ] {
            assert_eq!(fault(text.as_bytes()), (offset, problem.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn depth_is_limited() {
        assert!(parse(b"[{\"a\":[]}]", 3).is_ok());
        let error = parse(b"[{\"a\":[]}]", 2).expect_err("too deep");
        assert_eq!((error.offset, error.too_deep), (6, true));
        assert_eq!(error.problem, "nested deeper than 2 levels");
        assert!(parse(b"1", 0).is_ok());
        let bomb = [b'['; 100_000];
        assert_eq!(parse(&bomb, 64).expect_err("too deep").offset, 64);
        assert_eq!(parse(&bomb, usize::MAX).expect_err("too deep").offset, DEPTH_CEILING);
    }
}
