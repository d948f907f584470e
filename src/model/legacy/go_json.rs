//! The rules by which Go's `encoding/json` writes text, as Docker 1.10 to 24 were built with them.
//!
//! Go before 1.22: backspace and form feed are `\u0008` and `\u000c`, not `\b` and `\f`.

/// Appends `text` as a JSON string: HTML characters, U+2028 and U+2029 escaped.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\0'..='\x1f' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
            }
            _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

/// `text` as a JSON string.
pub fn string(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    write_string(&mut out, text);
    out
}

/// An object with these members, in this order; the values are JSON already.
pub fn object<K: AsRef<str>, V: AsRef<[u8]>>(members: impl IntoIterator<Item = (K, V)>) -> Vec<u8> {
    let mut out = vec![b'{'];
    for (index, (key, value)) in members.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_string(&mut out, key.as_ref());
        out.push(b':');
        out.extend_from_slice(value.as_ref());
    }
    out.push(b'}');
    out
}

/// An array of these items, which are JSON already.
pub fn array<V: AsRef<[u8]>>(items: impl IntoIterator<Item = V>) -> Vec<u8> {
    let mut out = vec![b'['];
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(item.as_ref());
    }
    out.push(b']');
    out
}

/// What marshalling a `json.RawMessage` makes of it: white space between tokens goes, HTML characters,
/// U+2028 and U+2029 are escaped, everything else (escapes, number forms, member order) stays.
///
/// `raw` must be one well-formed JSON value.
pub fn compact(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut in_string = false;
    let mut rest = raw;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' if !in_string => {}
            b'<' | b'>' | b'&' => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            0xe2 => match tail {
                [0x80, last @ (0xa8 | 0xa9), after @ ..] => {
                    out.extend_from_slice(if *last == 0xa8 { b"\\u2028" } else { b"\\u2029" });
                    rest = after;
                }
                _ => out.push(*byte),
            },
            b'\\' if in_string => {
                out.push(*byte);
                if let [escaped, after @ ..] = tail {
                    out.push(*escaped);
                    rest = after;
                }
            }
            _ => {
                in_string ^= *byte == b'"';
                out.push(*byte);
            }
        }
    }
    out
}

/// An RFC 3339 time as Go's `time.Time` writes it again: no trailing zeros in the fraction, at most nine
/// digits of it, `Z` for a zero offset. `None` if Go's parser would not take it.
pub fn time(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<u32> {
        let digits = bytes.get(from..to)?;
        digits
            .iter()
            .all(u8::is_ascii_digit)
            .then(|| digits.iter().fold(0, |n, d| n * 10 + u32::from(d - b'0')))
    };
    let literal = |at: usize, byte: u8| (bytes.get(at) == Some(&byte)).then_some(());
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    literal(4, b'-')?;
    literal(7, b'-')?;
    literal(10, b'T')?;
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    literal(13, b':')?;
    literal(16, b':')?;
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Everything up to here is ASCII, so these cuts stand on character borders.
    let (whole, mut zone) = text.split_at_checked(19)?;
    let mut fraction = "";
    if let Some(tail) = zone.strip_prefix(['.', ',']) {
        let length = tail.bytes().take_while(u8::is_ascii_digit).count();
        if length == 0 {
            return None;
        }
        fraction = tail.get(..length.min(9))?.trim_end_matches('0');
        zone = tail.get(length..)?;
    }
    let zone = match zone.as_bytes() {
        b"Z" => "Z",
        [b'+' | b'-', h1, h2, b':', m1, m2] if [h1, h2, m1, m2].iter().all(|d| d.is_ascii_digit()) => {
            let (hours, minutes) = (zone.get(1..3)?, zone.get(4..6)?);
            match (hours, minutes) {
                ("00", "00") => "Z",
                _ if hours > "24" || minutes > "60" => return None,
                _ => zone,
            }
        }
        _ => return None,
    };
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{whole}{point}{fraction}{zone}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_go_does() {
        let written = string("a\"\\\n\r\t\u{8}\u{c}\u{1f}\u{7f}<>&\u{2028}\u{2029}é\u{fffd}");
        let expected =
            "\"a\\\"\\\\\\n\\r\\t\\u0008\\u000c\\u001f\u{7f}\\u003c\\u003e\\u0026\\u2028\\u2029é\u{fffd}\"";
        assert_eq!(String::from_utf8(written).expect("UTF-8"), expected);
    }

    #[test]
    fn compacting_touches_white_space_and_html_only() {
        let raw = "{ \"b <\" :\t[ 1.0e3 , \"\\\" \\u00e9 \\\\\" ],\r\n\"a\": \"\u{2028}\u{2027}\u{2029}&\" }";
        let expected =
            "{\"b \\u003c\":[1.0e3,\"\\\" \\u00e9 \\\\\"],\"a\":\"\\u2028\u{2027}\\u2029\\u0026\"}";
        assert_eq!(String::from_utf8(compact(raw.as_bytes())).expect("UTF-8"), expected);
    }

    #[test]
    fn times_are_written_again_as_go_does() {
        for (text, expected) in [
            ("2024-01-02T03:04:05.678901234Z", "2024-01-02T03:04:05.678901234Z"),
            ("2024-02-29T03:04:05.670000000Z", "2024-02-29T03:04:05.67Z"),
            ("2024-01-02T03:04:05.000+00:00", "2024-01-02T03:04:05Z"),
            ("2024-01-02T03:04:05,1-07:30", "2024-01-02T03:04:05.1-07:30"),
            ("2024-01-02T03:04:05.1234567899Z", "2024-01-02T03:04:05.123456789Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(time(text).as_deref(), Some(expected), "{text}");
        }
        for bad in [
            "",
            "2024",
            "2023-02-29T00:00:00Z",
            "2024-13-01T00:00:00Z",
            "2024-01-01t00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:60Z",
            "2024-01-01T00:00:00",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00é",
            "2024-01-01T00:00:00+0100",
            "2024-01-01T00:00:00Z ",
            "+024-01-01T00:00:00Z",
        ] {
            assert_eq!(time(bad), None, "{bad}");
        }
    }
}
