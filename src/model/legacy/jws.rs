//! Signatures of schema 1 manifests: JWS whose payload is cut out of the document itself (formats.md C.2).
//!
//! The payload decides the digest of the manifest, so it is worked out even where nobody checks signatures.
//! Keys stand in the document and are throw-away: a good signature proves that the bytes are those that were
//! signed, not who signed them.

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use sha2::{Digest as _, Sha256};

use super::{es256, kind_name};
use crate::digest::Digest;
use crate::json::{self, SyntaxError, Value};

/// DER of a SubjectPublicKeyInfo for P-256, up to the coordinates of the point.
const SPKI_P256: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];

/// The payload and the signatures of a schema 1 manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jws {
    /// The bytes that are signed, whose SHA-256 is the manifest's digest: all of them if the manifest is not
    /// signed. `None` if the signature blocks do not tell.
    pub payload: Option<Vec<u8>>,
    /// One for each item of `signatures`; none for an unsigned manifest.
    pub signatures: Vec<Signature>,
    /// What is wrong with the signature blocks (formats.md H.11, rule 217).
    pub problems: Vec<Problem>,
}

/// One signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// JSON pointer of its block.
    pub pointer: String,
    /// `alg` of its header, if that is text.
    pub algorithm: Option<String>,
    /// Whether it holds. `None` if a problem keeps it from being checked.
    pub verdict: Option<Verdict>,
    /// Whether the name of the key is right. `None` if there is none or no P-256 key to derive it from.
    pub key_id: Option<KeyId>,
}

/// Whether a signature holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Verified,
    /// It does not.
    DoesNotVerify,
    /// restow has no code for it.
    Unsupported {
        /// What is missing, such as `RS256` or `x5c`.
        what: String,
    },
}

/// The `kid` of a key against the one derived from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyId {
    /// They are equal.
    Matches,
    /// They differ.
    Differs {
        /// The one that follows from the key.
        derived: String,
    },
}

/// A problem and its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {kind}")]
pub struct Problem {
    /// JSON pointer into the manifest.
    pub pointer: String,
    /// What is wrong there.
    #[source]
    pub kind: ProblemKind,
}

/// What can be wrong with signature blocks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProblemKind {
    /// A member has another type.
    #[error("expected {expected}, found {found}")]
    Type {
        /// The right type.
        expected: &'static str,
        /// The type that it has, or `nothing`.
        found: &'static str,
    },
    /// `signatures` is there and empty.
    #[error("no signature")]
    Empty,
    /// A text is not base64url, or not of the length that it must have.
    #[error("expected base64url of {expected}")]
    Base64 {
        /// What should be encoded.
        expected: &'static str,
    },
    /// The `protected` block is not JSON.
    #[error("protected block is not JSON: {0}")]
    Protected(SyntaxError),
    /// A member of the `protected` block is missing or wrong.
    #[error("protected block has no good `{name}`")]
    Format {
        /// `formatLength` or `formatTail`.
        name: &'static str,
    },
    /// `formatLength` does not cut the document behind a member.
    #[error("formatLength {length} does not end the payload behind a member before `signatures`")]
    Cut {
        /// The value.
        length: usize,
    },
    /// `formatTail` does something else than close the document.
    #[error("formatTail is not white space and a closing brace")]
    Tail,
    /// The signatures cut different payloads.
    #[error("payload differs from that of the first signature")]
    Disagree,
    /// A member that no signature covers: readers that take the payload do not see it.
    #[error("`{name}` stands outside the signed payload")]
    Uncovered {
        /// The member.
        name: String,
    },
    /// The key is not a point on P-256.
    #[error("key is not a point on P-256")]
    Key,
}

/// Where the payload ends and what closes it.
#[derive(Clone, PartialEq, Eq)]
struct Cut {
    length: usize,
    tail: Vec<u8>,
}

/// Problems as they are found.
#[derive(Default)]
struct Problems(Vec<Problem>);

impl Jws {
    /// Reads and checks the signatures of a manifest; the blocks inside may nest `max_depth` deep.
    pub fn read(bytes: &[u8], root: &Value, max_depth: usize) -> Jws {
        let Some(block) = root.get("signatures") else {
            return Jws { payload: Some(bytes.to_vec()), signatures: Vec::new(), problems: Vec::new() };
        };
        let mut problems = Problems::default();
        if !block.is_array() {
            problems.wrong_type("/signatures".into(), "an array", Some(block));
        } else if block.items().is_empty() {
            problems.push("/signatures".into(), ProblemKind::Empty);
        }
        let payload = payload(bytes, root, block.items(), max_depth, &mut problems);
        let signatures = block
            .items()
            .iter()
            .enumerate()
            .map(|(index, value)| signature(index, value, payload.as_deref(), &mut problems))
            .collect();
        Jws { payload, signatures, problems: problems.0 }
    }

    /// The digest of the manifest: that of its payload.
    pub fn digest(&self) -> Option<Digest> {
        self.payload.as_deref().map(Digest::sha256)
    }
}

impl Problems {
    fn push(&mut self, pointer: String, kind: ProblemKind) {
        self.0.push(Problem { pointer, kind });
    }

    fn wrong_type(&mut self, pointer: String, expected: &'static str, value: Option<&Value>) {
        let found = value.map_or("nothing", |value| kind_name(&value.kind));
        self.push(pointer, ProblemKind::Type { expected, found });
    }

    /// The text of a member, or a problem.
    fn text<'a>(&mut self, pointer: &str, object: &'a Value, name: &str) -> Option<&'a str> {
        let value = object.get(name);
        let text = value.and_then(Value::as_str);
        if text.is_none() {
            self.wrong_type(format!("{pointer}/{name}"), "a string", value);
        }
        text
    }

    /// The bytes of a base64url member, `length` of them, or a problem.
    fn decoded<const N: usize>(
        &mut self,
        pointer: &str,
        object: &Value,
        name: &str,
        expected: &'static str,
    ) -> Option<[u8; N]> {
        let text = self.text(pointer, object, name)?;
        let decoded = base64url(text).and_then(|bytes| bytes.try_into().ok());
        if decoded.is_none() {
            self.push(format!("{pointer}/{name}"), ProblemKind::Base64 { expected });
        }
        decoded
    }
}

fn payload(
    bytes: &[u8],
    root: &Value,
    blocks: &[Value],
    max_depth: usize,
    problems: &mut Problems,
) -> Option<Vec<u8>> {
    let cuts: Vec<Option<Cut>> =
        blocks.iter().enumerate().map(|(index, block)| cut(index, block, max_depth, problems)).collect();
    let cuts: Vec<Cut> = cuts.into_iter().collect::<Option<_>>()?;
    let first = cuts.first()?;
    let disagreeing = cuts.iter().enumerate().filter(|(_, cut)| *cut != first);
    let count = problems.0.len();
    for (index, _) in disagreeing {
        problems.push(format!("/signatures/{index}/protected"), ProblemKind::Disagree);
    }
    if problems.0.len() > count {
        return None;
    }

    let head = bytes.get(..first.length);
    let signed_before = |end: usize| end <= first.length;
    let (blocks, members): (Vec<_>, Vec<_>) = root.members().iter().partition(|m| &*m.key == "signatures");
    let end = members.iter().map(|m| m.value.span.end).filter(|end| signed_before(*end)).max();
    let after_members = end.and_then(|end| bytes.get(end..first.length));
    let white = |bytes: &[u8]| bytes.iter().all(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'));
    let (Some(head), Some(true)) = (head, after_members.map(white)) else {
        problems.push("/signatures/0/protected".into(), ProblemKind::Cut { length: first.length });
        return None;
    };
    // A payload with the block inside could not have been signed by it.
    if blocks.iter().any(|member| member.key_span.start < first.length) {
        problems.push("/signatures/0/protected".into(), ProblemKind::Cut { length: first.length });
        return None;
    }
    // docker/libtrust takes the tail from the document as it was, line feed at its end included.
    if !matches!(first.tail.trim_ascii_end().split_last(), Some((b'}', before)) if white(before)) {
        problems.push("/signatures/0/protected".into(), ProblemKind::Tail);
        return None;
    }
    for member in members.iter().filter(|m| !signed_before(m.value.span.end)) {
        let name = member.key.to_string();
        problems.push(
            format!("/{}", name.replace('~', "~0").replace('/', "~1")),
            ProblemKind::Uncovered { name },
        );
    }
    Some([head, &first.tail].concat())
}

fn cut(index: usize, block: &Value, max_depth: usize, problems: &mut Problems) -> Option<Cut> {
    let pointer = format!("/signatures/{index}");
    let text = problems.text(&pointer, block, "protected")?;
    let pointer = format!("{pointer}/protected");
    let Some(decoded) = base64url(text) else {
        problems.push(pointer, ProblemKind::Base64 { expected: "a JSON object" });
        return None;
    };
    let protected = match json::parse(&decoded, max_depth) {
        Ok(json) => json.root,
        Err(error) => {
            problems.push(pointer, ProblemKind::Protected(error));
            return None;
        }
    };
    let length = protected.get("formatLength").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    if length.is_none() {
        problems.push(pointer.clone(), ProblemKind::Format { name: "formatLength" });
    }
    let tail = protected.get("formatTail").and_then(Value::as_str).and_then(base64url);
    if tail.is_none() {
        problems.push(pointer, ProblemKind::Format { name: "formatTail" });
    }
    Some(Cut { length: length?, tail: tail? })
}

fn signature(index: usize, block: &Value, payload: Option<&[u8]>, problems: &mut Problems) -> Signature {
    let pointer = format!("/signatures/{index}");
    let mut result = Signature { pointer: pointer.clone(), algorithm: None, verdict: None, key_id: None };
    let Some(header) = block.get("header").filter(|header| header.is_object()) else {
        problems.wrong_type(format!("{pointer}/header"), "an object", block.get("header"));
        return result;
    };
    let header_pointer = format!("{pointer}/header");
    let Some(algorithm) = problems.text(&header_pointer, header, "alg") else { return result };
    result.algorithm = Some(algorithm.to_owned());
    if header.get("x5c").is_some_and(|chain| !chain.items().is_empty()) {
        result.verdict = Some(Verdict::Unsupported { what: "x5c".into() });
        return result;
    }
    if algorithm != "ES256" {
        result.verdict = Some(Verdict::Unsupported { what: algorithm.to_owned() });
        return result;
    }

    let signature = problems.decoded::<64>(&pointer, block, "signature", "64 bytes");
    let Some(jwk) = header.get("jwk").filter(|jwk| jwk.is_object()) else {
        problems.wrong_type(format!("{header_pointer}/jwk"), "an object", header.get("jwk"));
        return result;
    };
    let jwk_pointer = format!("{header_pointer}/jwk");
    let x = problems.decoded::<32>(&jwk_pointer, jwk, "x", "32 bytes");
    let y = problems.decoded::<32>(&jwk_pointer, jwk, "y", "32 bytes");
    let (Some(x), Some(y)) = (x, y) else { return result };
    if let Some(kid) = jwk.get("kid").and_then(Value::as_str) {
        let derived = key_id(&x, &y);
        result.key_id = Some(if kid == derived { KeyId::Matches } else { KeyId::Differs { derived } });
    }
    if !es256::KNOWN {
        result.verdict = Some(Verdict::Unsupported { what: algorithm.to_owned() });
        return result;
    }
    let Some(key) = es256::Key::of(&x, &y) else {
        problems.push(jwk_pointer, ProblemKind::Key);
        return result;
    };
    let protected = block.get("protected").and_then(Value::as_str);
    if let (Some(signature), Some(payload), Some(protected)) = (signature, payload, protected) {
        let input = format!("{protected}.{}", BASE64URL_NOPAD.encode(payload));
        let holds = key.holds(input.as_bytes(), &signature);
        result.verdict = Some(if holds { Verdict::Verified } else { Verdict::DoesNotVerify });
    }
    result
}

/// The name that libtrust gives to a P-256 key: base32 of 30 bytes of its hash, in groups of four.
fn key_id(x: &[u8; 32], y: &[u8; 32]) -> String {
    let hash = Sha256::digest([SPKI_P256, x, y].concat());
    let text = BASE32_NOPAD.encode(&hash[..30]);
    let groups: Vec<String> =
        text.as_bytes().chunks(4).map(|group| group.iter().copied().map(char::from).collect()).collect();
    groups.join(":")
}

/// base64url; padding, which some producers leave in, is ignored.
fn base64url(text: &str) -> Option<Vec<u8>> {
    BASE64URL_NOPAD.decode(text.trim_end_matches('=').as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{json, shared};
    use super::*;

    /// formats.md J.2
    const SIGNED: &str = r#"{"schemaVersion":1,"name":"lab/app","tag":"1","architecture":"amd64","fsLayers":[{"blobSum":"sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4"}],"history":[{"v1Compatibility":"{\"id\":\"1974559469fa9ea06fc780fa2d455acaaa298b56e3144330d3c371e06a312c69\",\"created\":\"2015-01-01T00:00:00Z\",\"architecture\":\"amd64\",\"os\":\"linux\",\"throwaway\":true}"}],"signatures":[{"header":{"jwk":{"crv":"P-256","kid":"PKVW:Y7K6:722C:IJYT:3XEO:BTTK:5AYL:23F6:6UX7:NNJZ:6NJR:DDQP","kty":"EC","x":"SiRf-Sx6nFenKwtKdMfli88M_OFwov4PXPwo7tepkIU","y":"gy_hiIGq1teArSAI6FV4U_SG0UNZ5JXwS8yDfF2Zez0"},"alg":"ES256"},"signature":"spAMaTh0W0-CCUYXMki72AD6sl7w3n07mtkd6TagsXvYD_gErC24Q2wEElcFVGIG3ugXNlCqIlysfQes6jk4nw","protected":"eyJmb3JtYXRMZW5ndGgiOjM3OSwiZm9ybWF0VGFpbCI6ImZRIiwidGltZSI6IjIwMTUtMDEtMDFUMDA6MDA6MDBaIn0"}]}"#;
    const PROTECTED: &str =
        "eyJmb3JtYXRMZW5ndGgiOjM3OSwiZm9ybWF0VGFpbCI6ImZRIiwidGltZSI6IjIwMTUtMDEtMDFUMDA6MDA6MDBaIn0";
    const SIGNATURE: &str =
        "spAMaTh0W0-CCUYXMki72AD6sl7w3n07mtkd6TagsXvYD_gErC24Q2wEElcFVGIG3ugXNlCqIlysfQes6jk4nw";

    fn read(text: &str) -> Jws {
        Jws::read(text.as_bytes(), &json(text).root, 64)
    }

    /// `SIGNED` with one place changed.
    fn with(from: &str, to: &str) -> Jws {
        assert_eq!(SIGNED.matches(from).count(), 1, "{from}");
        read(&SIGNED.replace(from, to))
    }

    fn with_protected(block: &str) -> Jws {
        with(PROTECTED, &BASE64URL_NOPAD.encode(block.as_bytes()))
    }

    fn problems(jws: &Jws) -> Vec<String> {
        jws.problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn vector() {
        let jws = read(SIGNED);
        assert_eq!(jws.problems, []);
        assert_eq!(jws.payload.as_deref(), Some(format!("{}}}", &SIGNED[..379]).as_bytes()));
        assert_eq!(
            jws.digest().expect("digest").as_str(),
            "sha256:b2cae5cabe2372bcfcdf404c415239d9dfa995d813d5834823fb4b8bed9b4fd1"
        );
        let expected = Signature {
            pointer: "/signatures/0".into(),
            algorithm: Some("ES256".into()),
            verdict: Some(Verdict::Verified),
            key_id: Some(KeyId::Matches),
        };
        assert_eq!(jws.signatures, [expected]);
    }

    #[test]
    fn unsigned_manifests_are_their_own_payload() {
        let jws = read("{ \"schemaVersion\": 1 }\n");
        assert_eq!((jws.problems.len(), jws.signatures.len()), (0, 0));
        assert_eq!(jws.payload.as_deref(), Some(&b"{ \"schemaVersion\": 1 }\n"[..]));
    }

    #[test]
    fn changed_bytes_do_not_verify() {
        for (from, to) in [("lab/app", "lab/apq"), ("spAMa", "spAMb"), ("SIGNATURE", "")] {
            let from = if from == "SIGNATURE" { SIGNATURE } else { from };
            let zero = BASE64URL_NOPAD.encode(&[0; 64]);
            let jws = with(from, if to.is_empty() { &zero } else { to });
            assert_eq!(jws.problems, [], "{from}");
            assert_eq!(jws.signatures[0].verdict, Some(Verdict::DoesNotVerify), "{from}");
        }
        // The block says something else, but cuts the same payload.
        let jws = with_protected(r#"{"formatLength":379,"formatTail":"fQ","time":"2016-01-01T00:00:00Z"}"#);
        assert_eq!(jws.digest(), read(SIGNED).digest());
        assert_eq!(jws.signatures[0].verdict, Some(Verdict::DoesNotVerify));
    }

    #[test]
    fn white_space_behind_the_brace_belongs_to_the_payload() {
        let jws = with_protected(r#"{"formatLength":379,"formatTail":"fQo"}"#);
        assert_eq!(jws.problems, []);
        let whole = read(SIGNED).payload.expect("signed");
        assert_eq!(jws.payload, Some([&whole[..], b"\n"].concat()));
    }

    #[test]
    fn a_wrong_key_id_is_a_fact_only() {
        let jws = with("PKVW:", "PKVX:");
        let derived = "PKVW:Y7K6:722C:IJYT:3XEO:BTTK:5AYL:23F6:6UX7:NNJZ:6NJR:DDQP".to_owned();
        assert_eq!(jws.signatures[0].key_id, Some(KeyId::Differs { derived }));
        assert_eq!(jws.signatures[0].verdict, Some(Verdict::Verified));
    }

    #[test]
    fn other_algorithms_are_not_judged() {
        for (from, to, what) in [
            (r#""alg":"ES256""#, r#""alg":"RS256""#, "RS256"),
            (r#""alg":"ES256""#, r#""alg":"ES256","x5c":["AA"]"#, "x5c"),
        ] {
            let jws = with(from, to);
            assert_eq!(jws.problems, []);
            assert_eq!(jws.signatures[0].verdict, Some(Verdict::Unsupported { what: what.into() }));
            assert_eq!(jws.digest(), read(SIGNED).digest());
        }
    }

    #[test]
    fn payloads_that_are_not_the_document_are_refused() {
        let cut = "/signatures/0/protected: formatLength";
        let tail = "/signatures/0/protected: formatTail is not";
        let no_length = "/signatures/0/protected: protected block has no good `formatLength`";
        for (block, start) in [
            (r#"{"formatLength":380,"formatTail":"fQ"}"#, cut),
            (r#"{"formatLength":378,"formatTail":"fQ"}"#, cut),
            (r#"{"formatLength":99999,"formatTail":"fQ"}"#, cut),
            (r#"{"formatLength":0,"formatTail":"fQ"}"#, cut),
            (r#"{"formatLength":379,"formatTail":""}"#, tail),
            (r#"{"formatLength":379,"formatTail":"LCJhIjoxfQ"}"#, tail),
            (r#"{"formatLength":-1,"formatTail":"fQ"}"#, no_length),
            (r#"{"formatTail":"fQ"}"#, no_length),
            (r#"{"formatLength":379}"#, "/signatures/0/protected: protected block has no good `formatTail`"),
            ("x", "/signatures/0/protected: protected block is not JSON"),
        ] {
            let jws = with_protected(block);
            let problems = problems(&jws);
            assert_eq!(jws.payload, None, "{block}");
            assert!(matches!(&problems[..], [only] if only.starts_with(start)), "{block}: {problems:?}");
            assert_eq!(jws.signatures[0].verdict, None);
        }
    }

    #[test]
    fn members_behind_the_payload_are_uncovered() {
        let open = SIGNED.strip_suffix('}').expect("an object");
        let jws = read(&format!(r#"{open},"fsLayers":[]}}"#));
        assert_eq!(problems(&jws), ["/fsLayers: `fsLayers` stands outside the signed payload"]);
        assert_eq!(jws.signatures[0].verdict, Some(Verdict::Verified));
    }

    #[test]
    fn malformed_blocks() {
        for (signatures, expected) in
            [("1", "/signatures: expected an array, found a number"), ("[]", "/signatures: no signature")]
        {
            let jws = read(&format!(r#"{{"signatures":{signatures}}}"#));
            assert_eq!((problems(&jws), jws.payload), (vec![expected.to_owned()], None));
        }
        assert_eq!(
            problems(&read(r#"{"signatures":[7]}"#)),
            [
                "/signatures/0/protected: expected a string, found nothing",
                "/signatures/0/header: expected an object, found nothing",
            ]
        );
        let jws = with("SiRf-Sx6", "AAAA-Sx6");
        assert_eq!(problems(&jws), ["/signatures/0/header/jwk: key is not a point on P-256"]);
        let jws = with("SiRf-Sx6", "Si");
        assert_eq!(problems(&jws), ["/signatures/0/header/jwk/x: expected base64url of 32 bytes"]);
    }

    #[test]
    fn all_signatures_must_cut_the_same_payload() {
        let block = &SIGNED[SIGNED.find(r#"{"header""#).expect("block")..SIGNED.len() - 2];
        let other = BASE64URL_NOPAD.encode(br#"{"formatLength":379,"formatTail":"Cn0"}"#);
        let two = |second: &str| SIGNED.replace(block, &format!("{block},{second}"));
        assert_eq!(problems(&read(&two(block))), Vec::<String>::new());
        let jws = read(&two(&block.replace(PROTECTED, &other)));
        assert_eq!(
            problems(&jws),
            ["/signatures/1/protected: payload differs from that of the first signature"]
        );
        assert_eq!(jws.payload, None);
    }

    #[test]
    fn real_manifests() {
        for (path, verdict, digest) in [
            ("image/internal/image/fixtures/oci1-to-schema1.json", Verdict::Verified, "6feeaff9d442"),
            ("image/manifest/fixtures/v2s1.manifest.json", Verdict::DoesNotVerify, "7364fea9d84e"),
            ("quay/image/docker/test/validate_manifest_known_issue.json", Verdict::Verified, "44518f5a4d1c"),
            ("quay/image/docker/test/validated_manifest.json", Verdict::Verified, "b5dc4f63fdbd"),
            (
                "quay/image/docker/test/validated_manifest_with_unicode.json",
                Verdict::Verified,
                "815ecf45716a",
            ),
        ] {
            let Some(bytes) = shared(&format!("real/{path}")) else { continue };
            let jws = Jws::read(&bytes, &json(&bytes).root, 64);
            assert_eq!(problems(&jws), Vec::<String>::new(), "{path}");
            assert_eq!(jws.signatures[0].verdict, Some(verdict), "{path}");
            assert_eq!(jws.digest().expect("digest").short(), digest, "{path}");
        }
    }
}
