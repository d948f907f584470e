//! Whether a text holds a pattern.

/// A text as it is compared: without colours, in lower case, with one space for all white space, and without the
/// backslashes that logs put before quotation marks.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            // A colour: `ESC [ 31 m`.
            '\x1b' => {
                if letters.next_if_eq(&'[').is_some() {
                    while letters.next().is_some_and(|letter| !letter.is_ascii_alphabetic()) {}
                }
            }
            '\\' if matches!(letters.peek(), Some('"' | '\\')) => {}
            '“' | '”' => out.push('"'),
            '‘' | '’' => out.push('\''),
            letter if letter.is_whitespace() => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            letter => out.extend(letter.to_lowercase()),
        }
    }
    out.trim().to_owned()
}

/// How many letters of a pattern a plain text holds; `None` if one of its parts is missing or in the wrong place.
pub(super) fn fit(text: &str, pattern: &str) -> Option<usize> {
    let mut rest = text;
    let mut letters = 0;
    for part in pattern.split('*') {
        // Spaces at the ends of a part count.
        let part = part.to_lowercase();
        let at = rest.find(&part)?;
        rest = &rest[at + part.len()..];
        letters += part.chars().count();
    }
    (letters > 0).then_some(letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_compared_without_what_terminals_and_logs_add() {
        assert_eq!(plain("\x1b[31mError\x1b[0m:\n  msg=\\\"Blob\\\"  “x”"), "error: msg=\"blob\" \"x\"");
        assert_eq!(plain("\x1b["), "");
        assert_eq!(plain("C:\\dir"), "c:\\dir");
    }

    #[test]
    fn parts_stand_in_order() {
        assert_eq!(fit("reading blob sha256:ab: file does not exist", "blob sha256:*: file"), Some(18));
        assert_eq!(fit("file: blob sha256:", "blob sha256:*: file"), None);
        assert_eq!(fit("anything", "*"), None);
    }
}
