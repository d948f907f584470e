//! Names, platforms, digests and times: parse and print are inverse, and every cleaned path stays below its root.

use restow::digest::Digest;
use restow::platform::Platform;
use restow::reference::Reference;
use restow::tar::clean;
use restow::time::parse_rfc3339;

/// Any text.
pub fn run(data: &[u8]) {
    let cleaned = clean(data);
    assert!(!cleaned.path.starts_with(b"/"));
    assert!(
        cleaned
            .path
            .split(|b| *b == b'/')
            .all(|part| part != b".." && (part != b"." || cleaned.path.is_empty()))
    );
    assert_eq!(clean(&cleaned.path).path, cleaned.path);
    let escaped = restow::escape::escape(data);
    assert!(escaped.chars().all(|c| !c.is_control() && !('\u{202a}'..='\u{202e}').contains(&c)));
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(reference) = Reference::parse(text) {
        for printed in [reference.to_string(), reference.familiar()] {
            assert_eq!(Reference::parse(&printed).as_ref(), Ok(&reference), "{printed}");
        }
    }
    if let Ok(platform) = Platform::parse(text) {
        let normal = platform.normalised();
        assert_eq!(normal.normalised(), normal);
        // A lone architecture may stand for a variant too; only a whole platform can be written with one.
        if !normal.os.is_empty() || normal.variant.is_none() {
            assert_eq!(Platform::parse(&normal.to_string()).map(|p| p.normalised()), Ok(normal));
        }
    }
    if let Ok(digest) = Digest::parse(text) {
        assert_eq!(digest.to_string(), text);
    }
    let _ = parse_rfc3339(text);
}

#[cfg(test)]
mod tests {
    #[test]
    fn some_names() {
        for text in [
            "a/b:1",
            "localhost:5000/x@sha256:00",
            "linux/arm/v7",
            "../..//a/./b",
            "\u{202e}x\x1b[2J",
            "2024-01-01T00:00:00Z",
            "docker.io/docker.io/x",
        ] {
            super::run(text.as_bytes());
        }
    }
}
