//! Rules about JSON documents: syntax, kind, and whether a document is what its descriptor says.

use crate::digest::Digest;
use crate::finding::{Edit, Finding, Rule, Target, quoted, rule};
use crate::json::fold::is_field;
use crate::json::{Anomaly as Odd, Span};
use crate::location::{At, Location, MemberId};
use crate::media::DocumentType;
use crate::model::{Archive, Descriptor, DocKind, Document, NodeId};

/// The rules of this file.
pub const RULES: &[&Rule] = &[
    &SYNTAX,
    &DUPLICATE_KEY,
    &INVALID_UTF8,
    &BYTE_ORDER_MARK,
    &TRAILING_DATA,
    &TOO_DEEP,
    &UNDECIDABLE,
    &TYPE_MISMATCH,
    &UNKNOWN_TYPE,
    &AMBIGUOUS,
    &CYCLE,
];

rule! {
    /// Not JSON.
    SYNTAX = "json/syntax", Error, Hard, [38, 40],
    checks: "Every document is JSON as RFC 8259 has it.",
    matters: "Nothing can be said about a document that does not parse. All tools fail, most without a place.",
    example: "A config of which one brace was lost in editing.",
    mend: "Restore the document; its digest tells whether the bytes are the right ones.",
    breaks: [Docker, Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// A document that gives itself a type that it cannot have.
    UNKNOWN_TYPE = "document/unknown-media-type", Error, Soft, [49],
    checks: "A document whose type nothing else declares (`index.json`, the manifest of a `dir:` layout or of a repository) has a `mediaType` that fits what it is.",
    matters: "image-spec index and manifest: `mediaType` MUST be that of the document. It is what tools may go by where there is no descriptor.",
    example: "`index.json` with `\"mediaType\": \"application/vnd.oci.image.manifest.v1+json\"`.",
    mend: "Write the right type.",
}
rule! {
    /// A member name stands twice.
    DUPLICATE_KEY = "json/duplicate-key", Error, Hard, [36],
    checks: "No object has two members of one name.",
    matters: "image-spec forbids it (I-JSON); Go takes the last one or merges both, others the first: two readers see two documents.",
    example: "A manifest with two members `layers`.",
    mend: "Remove the member that was not meant. The digest changes with it.",
}
rule! {
    /// Bytes that are no text.
    INVALID_UTF8 = "json/invalid-utf8", Error, Soft, [34],
    checks: "Documents are UTF-8, and `\\u` escapes come in whole surrogate pairs.",
    matters: "RFC 8259 section 8.1. Go replaces bad bytes silently, so a name that passed through a tool is another one afterwards.",
    example: "A label in Latin-1.",
    mend: "Rebuild the image with the text in UTF-8.",
}
rule! {
    /// A byte order mark.
    BYTE_ORDER_MARK = "json/byte-order-mark", Error, Soft, [35],
    checks: "No document begins with a byte order mark.",
    matters: "RFC 8259 forbids writing it; every tool written in Go fails with `invalid character`.",
    example: "A `manifest.json` that was saved by an editor on Windows.",
    mend: "Remove the first three bytes, if no digest covers the document.",
    breaks: [Docker, Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// More after the end.
    TRAILING_DATA = "json/trailing-data", Error, Soft, [38],
    checks: "Nothing but white space follows the top-level value.",
    matters: "Docker, containerd, podman and buildah refuse a config with bytes behind it, skopeo and umoci take it.",
    example: "`manifest.json` with a second array behind the first.",
    mend: "Cut the document after its first value, if no digest covers it.",
    breaks: [Docker, Containerd, Podman, Buildah],
}
rule! {
    /// Nested beyond reason.
    TOO_DEEP = "json/too-deep", Error, Hard, [46, 239],
    checks: "Values nest no deeper than the limit json-depth (64).",
    matters: "Deep nesting exhausts the stack of readers that recurse; no format nests deeper than ten.",
    example: "A label whose value is ten thousand opening brackets.",
    mend: "If the archive is trusted, raise the limit.",
    remedy: Raise("json-depth"),
}
rule! {
    /// Neither manifest nor index.
    UNDECIDABLE = "manifest/undecidable", Error, Hard, [47, 48],
    checks: "A document that no descriptor gives a type says itself what it is, or lets it be told by schemaVersion and config.",
    matters: "`dir:` and registry storage keep no media types; readers guess, each by its own rule.",
    example: "A `manifest.json` without `mediaType` and with `schemaVersion` 99999.",
    mend: "Add `mediaType` with the type that the document was written as. The digest changes with it.",
    breaks: [Docker, Skopeo, Podman, Buildah],
}
rule! {
    /// The descriptor says one type, the document another.
    TYPE_MISMATCH = "manifest/type-mismatch", Error, Soft, [49],
    checks: "`mediaType` in a manifest or index equals that of the descriptor that points at it.",
    matters: "image-spec manifest; CVE-2021-41190. umoci, registries and regctl refuse a difference, skopeo ignores it.",
    example: "`index.json` says OCI manifest, the document says Docker schema 2.",
    mend: "Correct the descriptor if it stands in `index.json`, which no digest covers.",
    breaks: [Docker, Skopeo, Podman, Buildah, Umoci, Registry],
}
rule! {
    /// Manifest and index in one.
    AMBIGUOUS = "manifest/ambiguous", Error, Hard, [50],
    checks: "A manifest has no `manifests`, an index no `config` or `layers`, neither `fsLayers`, `history` or `signatures`, in any letter case.",
    matters: "CVE-2021-41190: one digest with two meanings. containers/image, containerd, umoci and registries refuse such a document; regctl and oras take it.",
    example: "A document with `layers` and `manifests`: a scanner sees the image, the runtime pulls from the index.",
    mend: "Treat the archive as hostile: nobody writes this by mistake.",
    breaks: [Docker, Containerd, Skopeo, Podman, Buildah, Registry],
}
rule! {
    /// An index that contains itself.
    CYCLE = "graph/cycle", Error, Hard, [99],
    checks: "No index reaches itself.",
    matters: "Possible only if a digest does not fit its content. crane loops forever on it.",
    example: "An index whose child has the digest of the index.",
    mend: "Treat the archive as hostile.",
    breaks: [Containerd],
}

/// Members that make a document a manifest, an index or a schema 1 manifest.
pub const FOREIGN: &[&str] = &["config", "layers", "manifests", "fsLayers", "history", "signatures"];

/// Findings about the text of one document.
pub fn syntax(document: &Document, out: &mut Vec<Finding>) {
    let member = document.member;
    let json = match &document.json {
        Ok(json) => json,
        Err(error) => {
            let rule = if error.too_deep { &TOO_DEEP } else { &SYNTAX };
            let at = Location { member: Some(member), at: At::Offset(error.offset as u64) };
            out.push(
                Finding::new(rule, at, format!("the document is not JSON: {error}"))
                    .label(error.problem.clone()),
            );
            return;
        }
    };
    for odd in &json.anomalies {
        let at = |at: At| Location { member: Some(member), at };
        out.push(match odd {
            Odd::ByteOrderMark => Finding::new(
                &BYTE_ORDER_MARK,
                at(At::Offset(0)),
                "the document begins with a byte order mark",
            )
            .change(Target::Member(member), Edit::Cut(Span { start: 0, end: 3 })),
            Odd::DuplicateKey { pointer, first, again } => {
                let name = pointer.rsplit('/').next().unwrap_or_default();
                Finding::new(
                    &DUPLICATE_KEY,
                    at(At::Span(*again)),
                    format!("member `{name}` stands twice in one object"),
                )
                .label("again here")
                .related(at(At::Span(*first)), "first here")
            }
            Odd::InvalidUtf8 { offset } => Finding::new(
                &INVALID_UTF8,
                at(At::Offset(*offset as u64)),
                "a string holds bytes that are not UTF-8",
            ),
            Odd::LoneSurrogate { span } => {
                Finding::new(&INVALID_UTF8, at(At::Span(*span)), "an escape is half a surrogate pair")
            }
            Odd::TrailingData { offset } => {
                let message = "something follows the end of the document";
                let rest = Span { start: *offset, end: document.bytes.len() };
                Finding::new(&TRAILING_DATA, at(At::Offset(*offset as u64)), message)
                    .change(Target::Member(member), Edit::Cut(rest))
                    .assuming("the first value is the one that was meant")
            }
        });
    }
}

/// Findings about a document's kind: does it say what it is taken for, and is it only that?
pub fn kind(document: &Document, out: &mut Vec<Finding>) {
    let Some(root) = document.root() else { return };
    let (what, own): (&str, &[&str]) = match document.kind {
        DocKind::Manifest(_) => ("a manifest", &["config", "layers"]),
        DocKind::Index(_) => ("an index", &["manifests"]),
        _ => return,
    };
    let is = |names: &[&str], key: &str| names.iter().any(|name| is_field(name, key));
    for member in root.members().iter().filter(|member| !member.value.is_null()) {
        if is(FOREIGN, &member.key) && !is(own, &member.key) {
            let at = Location { member: Some(document.member), at: At::Span(member.key_span) };
            let message =
                format!("{what} has `{}`, which makes it something else for other readers", member.key);
            out.push(Finding::new(&AMBIGUOUS, at, message));
        }
    }
}

/// The type that a descriptor gives a document against the one it gives itself.
pub fn declared(archive: &Archive, descriptor: &Descriptor, node: NodeId, out: &mut Vec<Finding>) {
    let Some(document) = archive.node_document(node) else { return };
    let Some(own) = document.root().and_then(|root| root.get("mediaType")).and_then(|value| value.as_str())
    else {
        return;
    };
    let declared = descriptor.type_or_empty();
    if declared.is_empty() || declared == own {
        return;
    }
    // Signed and unsigned schema 1 carry no type of their own; equal kinds of one family never differ.
    if DocumentType::of(declared) == Some(DocumentType::Schema1) {
        return;
    }
    let message = format!("the descriptor says `{declared}`, the document says `{own}`");
    out.push(
        Finding::new(&TYPE_MISMATCH, descriptor.at.child("mediaType"), message)
            .label("declared here")
            .related(Location::pointer(document.member, "/mediaType"), "the document's own word")
            .set(&descriptor.at.child("mediaType"), quoted(own))
            .assuming("the document is the one that was meant"),
    );
}

/// A finding about the type that a document gives itself, where no descriptor says what it should be.
pub fn undeclared(document: &Document, out: &mut Vec<Finding>) {
    let expected = match document.kind {
        DocKind::Index(_) => [crate::media::OCI_INDEX, crate::media::DOCKER_LIST],
        DocKind::Manifest(_) => [crate::media::OCI_MANIFEST, crate::media::DOCKER_MANIFEST],
        _ => return,
    };
    let own = document.root().and_then(|root| root.get("mediaType")).and_then(|value| value.as_str());
    let Some(own) = own.filter(|own| !expected.contains(own)) else { return };
    let what = if matches!(document.kind, DocKind::Index(_)) { "an index" } else { "a manifest" };
    let at = Location::pointer(document.member, "/mediaType");
    let message = format!("`{own}` is not the type of {what}, which the document is by its members");
    out.push(
        Finding::new(&UNKNOWN_TYPE, at, message)
            .help(format!("write `{}`, or `{}` for one of Docker", expected[0], expected[1])),
    );
}

/// A document whose kind cannot be told; what is no JSON is told as that.
pub fn undecidable(member: MemberId, archive: &Archive) -> Option<Finding> {
    let known = archive.documents.iter().find(|document| document.member == member);
    if known.is_some_and(|document| !document.json) {
        return None;
    }
    let message = "the document is neither a manifest nor an index";
    Some(Finding::new(&UNDECIDABLE, Location::pointer(member, ""), message))
}

/// An index that contains itself.
pub fn cycle(at: &Location, digest: &Digest) -> Finding {
    Finding::new(&CYCLE, at.clone(), format!("the index {digest} contains itself"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{self, Family};
    use crate::rules::fixture::{Layout, config, found, names};

    #[test]
    fn types_that_nothing_declares() {
        let of = |kind, own: &str| found(kind, &format!(r#"{{"mediaType":"{own}"}}"#), undeclared);
        let index = DocKind::Index(Family::Oci);
        assert_eq!(of(index, crate::media::OCI_INDEX), [""; 0]);
        assert_eq!(of(index, crate::media::DOCKER_LIST), [""; 0]);
        assert_eq!(of(index, crate::media::OCI_MANIFEST), ["document/unknown-media-type"]);
        assert_eq!(of(DocKind::Manifest(Family::Oci), "a/b"), ["document/unknown-media-type"]);
        assert_eq!(found(index, "{}", undeclared), [""; 0]);
    }

    fn of(text: &[u8]) -> Vec<&'static str> {
        let document = crate::rules::fixture::document_of(DocKind::OciLayout, text);
        let mut out = Vec::new();
        syntax(&document, &mut out);
        names(&out)
    }

    #[test]
    fn texts() {
        for sound in [
            &br#"{"a":1}"#[..],
            b" [1] \n",
            br#"{"a":{"b":1},"b":2}"#,
            "\"\u{fc}\"".as_bytes(),
            br#""\ud83d\ude00""#,
        ] {
            assert_eq!(of(sound), [""; 0]);
        }
        for (text, rule) in [
            (&br#"{"a":}"#[..], "json/syntax"),
            (b"", "json/syntax"),
            (br#"{"a":1,"b":2,"a":1}"#, "json/duplicate-key"),
            (b"\"\xfc\"", "json/invalid-utf8"),
            (br#""\ud83d""#, "json/invalid-utf8"),
            (b"\xef\xbb\xbf{}", "json/byte-order-mark"),
            (b"{}{}", "json/trailing-data"),
        ] {
            assert_eq!(of(text), [rule], "{text:?}");
        }
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(of(nested(64).as_bytes()), [""; 0]);
        assert_eq!(of(nested(65).as_bytes()), ["json/too-deep"]);
    }

    const RULES_HERE: [&str; 3] = ["manifest/type", "manifest/ambig", "manifest/undec"];

    /// What is found of a manifest under a descriptor with this type.
    fn manifest(declared: &str, own: &str, rest: &str) -> Vec<&'static str> {
        let layout = Layout::new();
        let config = layout.descriptor(media::OCI_CONFIG, config(&[]).as_bytes());
        let text = format!(r#"{{"schemaVersion":2{own},"config":{config},"layers":[]{rest}}}"#);
        layout.index_json(&[layout.descriptor(declared, text.as_bytes())]);
        layout.checked(&RULES_HERE)
    }

    #[test]
    fn types_of_manifests() {
        let oci = format!(r#","mediaType":"{}""#, media::OCI_MANIFEST);
        assert_eq!(manifest(media::OCI_MANIFEST, &oci, ""), [""; 0]);
        assert_eq!(manifest(media::OCI_MANIFEST, "", ""), [""; 0], "it may be absent");
        assert_eq!(manifest(media::DOCKER_MANIFEST, &oci, ""), ["manifest/type-mismatch"]);
        // Its own type counts, so nothing else is wrong with it.
        assert_eq!(manifest(media::OCI_INDEX, &oci, ""), ["manifest/type-mismatch"]);
        assert_eq!(manifest(media::OCI_LAYER, &oci, ""), ["manifest/type-mismatch"]);
        let both = manifest(media::OCI_INDEX, &oci, r#","manifests":[]"#);
        assert!(both.contains(&"manifest/ambiguous"), "a document of two meanings is judged as declared");
        for member in ["manifests", "Manifests", "fsLayers", "signatures"] {
            let rest = format!(r#","{member}":[]"#);
            assert_eq!(manifest(media::OCI_MANIFEST, &oci, &rest), ["manifest/ambiguous"], "{member}");
        }
        assert_eq!(manifest(media::OCI_MANIFEST, &oci, r#","x":[]"#), [""; 0]);
    }

    #[test]
    fn a_manifest_must_say_what_it_is_if_nothing_else_does() {
        let of = |text: &str| {
            let layout = Layout::new();
            let digest = layout.blob(text.as_bytes());
            let size = text.len();
            let descriptor = format!(r#"{{"digest":"{digest}","size":{size}}}"#);
            layout.index_json(&[descriptor]);
            layout.checked(&RULES_HERE)
        };
        assert_eq!(of("{}"), ["manifest/undecidable"]);
        assert_eq!(of(r#"{"schemaVersion":2}"#), [""; 0]);
    }

    #[test]
    fn indexes_that_contain_themselves() {
        let of = |inner: &str| {
            let layout = Layout::new();
            let forged = "0".repeat(64);
            let item =
                format!(r#"{{"mediaType":"{}","digest":"sha256:{inner}","size":1}}"#, media::OCI_INDEX);
            let text =
                format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{item}]}}"#, media::OCI_INDEX);
            layout.file(&format!("blobs/sha256/{forged}"), text.as_bytes());
            layout.index_json(&[item.replace(inner, &forged)]);
            layout.found("graph/")
        };
        assert_eq!(of(&"0".repeat(64)), ["graph/cycle"]);
        assert_eq!(of(&"1".repeat(64)), [""; 0]);
    }
}
