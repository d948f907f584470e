//! What registries say in words.

use serde_json::Value;

/// A text from a server or helper, fit for one line of a message.
pub(super) fn shown(text: &str) -> String {
    const SHOWN: usize = 200;
    let text = text.trim();
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown.replace("\\\"", "\"").replace("\\'", "'")
}

/// What the errors of an answer say (formats.md G.1); the beginning of any other text, and nothing of HTML.
pub(super) fn said(bytes: &[u8]) -> Option<String> {
    if let Ok(value) = serde_json::from_slice::<Value>(bytes) {
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let one = |error: &Value| {
            let parts = [text(error, "code"), text(error, "message")];
            let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
            parts.join(" ")
        };
        let all: Vec<String> = match value.get("errors") {
            Some(Value::Array(errors)) => errors.iter().take(3).map(one).collect(),
            _ => text(&value, "details")
                .or(text(&value, "message"))
                .or(text(&value, "error"))
                .into_iter()
                .collect(),
        };
        let all = all.join("; ");
        return (!all.is_empty()).then(|| shown(&all));
    }
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim();
    (!text.is_empty() && !text.starts_with('<')).then(|| shown(text))
}

/// What an answer that is not JSON looks like.
pub(super) fn described(bytes: &[u8], content_type: Option<&str>) -> String {
    let text = bytes.trim_ascii_start();
    if text.first() == Some(&b'<') || content_type.is_some_and(|kind| kind.starts_with("text/html")) {
        return "HTML instead of JSON".into();
    }
    if bytes.is_empty() {
        "nothing instead of JSON".into()
    } else {
        "what is not the JSON that was asked for".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_in_their_forms() {
        for (bytes, text) in [
            (r#"{"errors":[{"code":"DENIED","message":"no"},{"code":"X"}]}"#, Some("DENIED no; X")),
            (r#"{"errors":[]}"#, None),
            (r#"{"details":"incorrect username or password"}"#, Some("incorrect username or password")),
            ("plain\n", Some("plain")),
            ("<html>", None),
            ("", None),
            ("a\u{1b}[2J", Some("a\\u{1b}[2J")),
        ] {
            assert_eq!(said(bytes.as_bytes()).as_deref(), text, "{bytes}");
        }
        assert_eq!(shown(&"x".repeat(300)).chars().count(), 201);
    }
}
