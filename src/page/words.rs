//! Texts, numbers and digests as pages show them.

use maud::{Markup, PreEscaped, html};

use crate::escape::escape_str;
use crate::finding::counted;
use crate::layer::Files;

/// Characters of a message, place, command or advice: archive text in it may have any length.
pub(super) const TEXT: usize = 2_000;

/// Archive text that cannot be obeyed, of a length that can be read.
pub(super) fn clean(text: &str) -> String {
    cut(&escape_str(text))
}

/// So much of a text as can be read.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Text between tags, in which a quote is itself: documents have more of them than of anything else.
pub(super) fn plain(text: &str) -> Markup {
    PreEscaped(text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"))
}

/// Words in which what stands between backticks is code.
pub(super) fn prose(text: &str) -> Markup {
    let parts: Vec<&str> = text.split('`').collect();
    // One that has no other is itself.
    let paired = parts.len() % 2 == 1;
    html! {
        @if paired {
            @for (nth, part) in parts.iter().enumerate() { @if nth % 2 == 1 { code { (part) } } @else { (part) } }
        } @else { (text) }
    }
}

/// `sha256:0123456789ab…` without the algorithm, twelve digits.
pub(super) fn brief(digest: &str) -> String {
    let hex = digest.split_once(':').map_or(digest, |(_, hex)| hex);
    hex.chars().take(12).collect()
}

/// What stands behind the algorithm of a digest.
pub(super) fn digits(digest: &str) -> &str {
    digest.rsplit(':').next().unwrap_or_default()
}

/// A size in words: `1.5 MiB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut tenths = u128::from(bytes) * 10;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ => format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]),
    }
}

/// Files with their bytes: `3 files, 1.5 MiB`.
pub(super) fn files(files: Files) -> String {
    format!("{}, {}", counted(files.count, "file"), size(files.bytes))
}

/// A part of a whole in per cent with two decimals, as drawings take it: `12.50%`.
pub(super) fn share(part: u64, whole: u64) -> String {
    // In 128 bits: a size may be any number that the archive says.
    let hundredths = u128::from(part) * 10_000 / u128::from(whole.max(1));
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_stay_and_nothing_else_runs() {
        assert_eq!(plain("\"a\" & <b> &lt;").into_string(), "\"a\" &amp; &lt;b&gt; &amp;lt;");
    }

    #[test]
    fn sizes_and_shares() {
        assert_eq!(
            [0, 1023, 1024, 1536, 10 << 20].map(size),
            ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "10.0 MiB"]
        );
        assert_eq!(
            (share(1, 8), share(u64::MAX, u64::MAX), share(1, 0)),
            ("12.50%".into(), "100.00%".into(), "100.00%".into())
        );
        assert_eq!(files(Files { count: 1, bytes: 5 }), "1 file, 5 B");
    }
}
