//! The completion report of a "Compute checksum" job of S3 Batch Operations, row by row: a line of seven columns (bucket, key,
//! version, status, error code, status of HTTP, message), where the message of what went well is JSON.

use std::borrow::Cow;
use std::io::{self, BufRead};

use percent_encoding::percent_decode_str;
use serde::Deserialize;

use crate::jobs::scrub::reasons::Reason;

/// Bytes of a line, at most: a key has 1,024, three times as many when it is escaped, and a message a few hundred.
const LINE: usize = 64 << 10;

/// What is known of an object by its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// The bucket, without what else an ARN holds.
    pub bucket: String,
    /// The key as it is written, which is escaped as in URLs.
    pub key: String,
    /// The version that was summed, without quotes.
    pub etag: String,
    /// The SHA-256 of all its bytes.
    pub sha256: [u8; 32],
}

/// The message of a task that went well. Amazon's page has these members of it.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    etag: Option<Cow<'a, str>>,
    #[serde(rename = "checksumAlgorithm", borrow)]
    algorithm: Option<Cow<'a, str>>,
    #[serde(rename = "checksumType", borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    checksum_hex: Option<Cow<'a, str>>,
    #[serde(borrow)]
    checksum_base64: Option<Cow<'a, str>>,
}

/// Whether a line names the columns.
pub fn is_header(line: &[u8]) -> bool {
    let text = String::from_utf8_lossy(line).to_ascii_lowercase();
    let mut names = text.split(',').map(|name| name.trim().trim_matches('"'));
    names.next() == Some("bucket") && names.next() == Some("key")
}

/// What a line says.
///
/// # Errors
///
/// Why it proves nothing.
pub fn row(line: &[u8]) -> Result<Sum, Reason> {
    let mut rest = std::str::from_utf8(line).map_err(|_| Reason::Malformed)?;
    let mut field = || -> Option<Cow<'_, str>> {
        let (field, behind) = cut(rest)?;
        rest = behind?;
        Some(field)
    };
    let mut next = || field().ok_or(Reason::Malformed);
    let (bucket, key, _version, status) = (next()?, next()?, next()?, next()?);
    let (_code, _http) = (next()?, next()?);
    match &*status {
        "succeeded" => {}
        // What these say is not always well quoted, and nothing is made of it.
        "failed" => return Err(Reason::Failed),
        _ => return Err(Reason::Malformed),
    }
    let (message, None) = cut(rest).ok_or(Reason::Malformed)? else { return Err(Reason::Malformed) };
    let message: Message<'_> = serde_json::from_str(&message).map_err(|_| Reason::Malformed)?;
    let algorithm = message.algorithm.ok_or(Reason::Malformed)?;
    if !algorithm.replace('-', "").eq_ignore_ascii_case("sha256") {
        return Err(Reason::Algorithm);
    }
    if !message.kind.is_some_and(|kind| kind.eq_ignore_ascii_case("FULL_OBJECT")) {
        return Err(Reason::Composite);
    }
    let hex =
        message.checksum_hex.map(|text| bytes(data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes())));
    let base64 = message.checksum_base64.map(|text| bytes(data_encoding::BASE64.decode(text.as_bytes())));
    let sha256 = match (hex, base64) {
        (Some(hex), Some(base64)) => Some(hex?).filter(|hex| base64 == Ok(*hex)),
        (one, other) => one.or(other).transpose()?,
    };
    let etag = message.etag.as_deref().map(|etag| etag.trim_matches('"')).filter(|etag| !etag.is_empty());
    Ok(Sum {
        bucket: bucket.rsplit(':').next().unwrap_or_default().to_owned(),
        key: key.into_owned(),
        etag: etag.ok_or(Reason::Malformed)?.to_owned(),
        sha256: sha256.ok_or(Reason::Malformed)?,
    })
}

fn bytes<E>(decoded: Result<Vec<u8>, E>) -> Result<[u8; 32], Reason> {
    decoded.ok().and_then(|bytes| bytes.try_into().ok()).ok_or(Reason::Malformed)
}

/// The first field of a line, and what follows the comma behind it; `None` if it is not quoted as it should be.
fn cut(text: &str) -> Option<(Cow<'_, str>, Option<&str>)> {
    let Some(quoted) = text.strip_prefix('"') else {
        return Some(match text.split_once(',') {
            Some((field, rest)) => (field.into(), Some(rest)),
            None => (text.into(), None),
        });
    };
    let mut at = 0;
    loop {
        at += quoted.get(at..)?.find('"')?;
        let behind = quoted.get(at + 1..)?;
        match behind.chars().next() {
            Some('"') => at += 2,
            Some(',') => return Some((quoted.get(..at)?.replace("\"\"", "\"").into(), behind.get(1..))),
            None => return Some((quoted.get(..at)?.replace("\"\"", "\"").into(), None)),
            Some(_) => return None,
        }
    }
}

/// The keys that a key as it is written may be: reports escape as URLs do, where a plus can be itself or a space.
pub fn keys(written: &str) -> impl Iterator<Item = String> {
    let unescaped = |text: &str| Some(percent_decode_str(text).decode_utf8().ok()?.into_owned());
    let spaced = written.contains('+').then(|| unescaped(&written.replace('+', " "))).flatten();
    unescaped(written).into_iter().chain(spaced).chain([written.to_owned()])
}

/// Reads a line without its end into `line`; what is longer than any is cut to nothing. Whether there was one.
///
/// # Errors
///
/// It cannot be read.
pub fn line(from: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let (mut any, mut is_long) = (false, false);
    loop {
        let piece = from.fill_buf()?;
        if piece.is_empty() {
            break;
        }
        any = true;
        let end = piece.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(piece.len());
        is_long |= line.len() + taken > LINE;
        if !is_long {
            line.extend_from_slice(&piece[..taken]);
        }
        from.consume(end.map_or(taken, |end| end + 1));
        if end.is_some() {
            break;
        }
    }
    if is_long {
        line.clear();
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(any)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const BASE64: &str = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0\\u003d";

    /// As the example of Amazon's page, with SHA256.
    fn told(algorithm: &str, kind: &str, hex: &str) -> String {
        format!(
            "images,a%20b/c,,succeeded,200,,\"{{\"\"checksum_base64\"\":\"\"{BASE64}\"\",\"\"etag\"\":\"\"3c3c1813042989094598e4b57ecbdc82\"\",\"\"checksumAlgorithm\"\":\"\"{algorithm}\"\",\"\"checksumType\"\":\"\"{kind}\"\",\"\"checksum_hex\"\":\"\"{hex}\"\"}}\""
        )
    }

    #[test]
    fn a_row_of_amazons_page() {
        let sum = row(told("SHA256", "FULL_OBJECT", &HEX.to_uppercase()).as_bytes()).expect("a sum");
        assert_eq!((sum.bucket.as_str(), sum.key.as_str()), ("images", "a%20b/c"));
        assert_eq!(sum.etag, "3c3c1813042989094598e4b57ecbdc82");
        assert_eq!(data_encoding::HEXLOWER.encode(&sum.sha256), HEX);
        // The example itself.
        let crc = r#"amzn-s3-demo-bucket1,s3-standard-1mb-test-object,,succeeded,200,,"{""checksum_base64"":""bS9TOQ\u003d\u003d"",""etag"":""3c3c1813042989094598e4b57ecbdc82"",""checksumAlgorithm"":""CRC32"",""checksumType"":""FULL_OBJECT"",""checksum_hex"":""6D2F5339""}""#;
        assert_eq!(row(crc.as_bytes()), Err(Reason::Algorithm));
        // What failed is not quoted as CSV is.
        let failed = r#"amzn-s3-demo-bucket1,image_14975,,failed,200,PermanentFailure,"error details: {""failureMessage"":"Task 2845ca0d-38d9-4c4b-abcf-379dc749c452 Key not found", ""errorCode"": "404"}""#;
        assert_eq!(row(failed.as_bytes()), Err(Reason::Failed));
    }

    #[test]
    fn what_proves_nothing_is_told_apart() {
        let of = |text: &str| row(text.as_bytes()).expect_err("proves nothing");
        assert_eq!(of(&told("SHA256", "COMPOSITE", HEX)), Reason::Composite);
        assert_eq!(of(&told("SHA1", "FULL_OBJECT", HEX)), Reason::Algorithm);
        let other = HEX.replace("ba", "bb");
        let whole = told("SHA256", "FULL_OBJECT", HEX);
        for wrong in [
            told("SHA256", "FULL_OBJECT", &other),
            told("SHA256", "FULL_OBJECT", "00"),
            whole.replace("3c3c1813042989094598e4b57ecbdc82", ""),
            whole.replace("succeeded", "done"),
            whole.replace("200,,", "200,"),
            whole[..whole.len() - 1].to_owned(),
            whole[..whole.len() - 9].to_owned(),
            whole.clone() + "x",
            whole.clone() + ",x",
            String::new(),
            "{".to_owned(),
        ] {
            assert_eq!(of(&wrong), Reason::Malformed, "{wrong}");
        }
        assert_eq!(row(&[0xff, b',', b',']), Err(Reason::Malformed));
        assert!(is_header(b"Bucket, Key, VersionId") && !is_header(whole.as_bytes()));
    }

    #[test]
    fn keys_are_escaped_as_urls_are() {
        let of = |text: &str| keys(text).collect::<Vec<_>>();
        assert!(of("a%2Fb").contains(&"a/b".to_owned()));
        assert!(of("a+b").contains(&"a b".to_owned()) && of("a+b").contains(&"a+b".to_owned()));
        assert!(of("100%").contains(&"100%".to_owned()) && of("%ff").contains(&"%ff".to_owned()));
        assert!(of("plain/data").contains(&"plain/data".to_owned()));
    }

    #[test]
    fn lines_take_little_memory() {
        let text = [&b"a\r\n"[..], &vec![b'x'; LINE + 1], b"\n\nlast"].concat();
        let mut from = io::BufReader::with_capacity(100, &text[..]);
        let mut read = Vec::new();
        let mut lines = Vec::new();
        while line(&mut from, &mut read).expect("read") {
            assert!(read.capacity() <= 2 * LINE);
            lines.push(read.clone());
        }
        assert_eq!(lines, [&b"a"[..], b"", b"", b"last"]);
    }
}
