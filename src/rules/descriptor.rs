//! Rules about what a descriptor says by itself, wherever it stands in a manifest or index.
//!
//! Digest and size against the blob are in [`blob`](super::blob); here is the rest of formats.md D.2.

use crate::digest::{Algorithm, Digest};
use crate::finding::{Finding, Rule, quoted, rule};
use crate::json::Value;
use crate::location::Location;
use crate::media::{self, DocumentType, LayerType};
use crate::model::{Descriptor, DocKind, Document};

/// The rules of this file.
pub const RULES: &[&Rule] = &[
    &BAD_MEDIA_TYPE,
    &BAD_EMPTY,
    &WITHDRAWN_TYPE,
    &SUBJECT_TYPE,
    &OTHER_ALGORITHM,
    &BAD_DATA,
    &LARGE_DATA,
    &BAD_URL,
    &URL_SCHEME,
    &URLS_OF_DISTRIBUTABLE,
    &PLATFORM_OF_PART,
    &EMPTY_BLOB,
];

/// Bytes of inline `data` from which registries and tools may refuse the manifest.
const MAX_DATA: usize = 64 << 10;
/// The type that image-spec 1.1.0-rc3 had for what became the empty type.
const SCRATCH: &str = "application/vnd.oci.scratch.v1+json";
/// The content of the empty type.
const EMPTY_JSON: &[u8] = b"{}";

rule! {
    /// A media type that is none.
    BAD_MEDIA_TYPE = "descriptor/bad-media-type", Error, No, [57],
    checks: "`mediaType` and `artifactType` obey the grammar of media types, without parameters.",
    matters: "image-spec descriptor: they must comply with RFC 6838 section 4.2. Tools compare them as text, so nothing is found under a wrong one.",
    example: "`\"mediaType\": \"application/vnd.oci.image.layer.v1.tar; charset=utf-8\"`",
    mend: "Write the type of the blob.",
}
rule! {
    /// The empty type over something else.
    BAD_EMPTY = "descriptor/bad-empty", Error, No, [66],
    checks: "A descriptor of the empty type points at the two bytes `{}`.",
    matters: "image-spec guidance for an empty descriptor gives its digest, size and data; anything else is no empty descriptor.",
    example: "`application/vnd.oci.empty.v1+json` with the digest of an empty file.",
    mend: "Write digest sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a, size 2, and `e30=` if there is data.",
    breaks: [Containerd],
}
rule! {
    /// A type of release candidates.
    WITHDRAWN_TYPE = "manifest/withdrawn-type", Warning, No, [67],
    checks: "No artifact manifest and no scratch type of the release candidates of image-spec 1.1 is used.",
    matters: "Both were withdrawn before 1.1: what reads images need not know them.",
    example: "A signature that an old notation wrote as `application/vnd.oci.artifact.manifest.v1+json`.",
    mend: "Make the artifact again with a current tool.",
}
rule! {
    /// The subject is no manifest.
    SUBJECT_TYPE = "manifest/subject-type", Error, No, [64],
    checks: "`subject` has the type of a manifest or index.",
    matters: "image-spec manifest: it points at another manifest. No referrers can be listed for anything else.",
    example: "A `subject` of the type `application/vnd.oci.image.config.v1+json`.",
    mend: "Point at the manifest that is meant.",
}
rule! {
    /// A digest of another algorithm than sha256.
    OTHER_ALGORITHM = "descriptor/other-algorithm", Note, No, [81],
    checks: "Whether digests are of another algorithm than sha256.",
    matters: "Only sha256 is mandatory (image-spec descriptor). umoci, crane and everything on go-containerregistry know nothing else; sha384 was never registered.",
    example: "`sha512:` and 128 hex digits.",
    mend: "Rebuild the image with sha256 digests.",
    breaks: [Containerd, Skopeo, Umoci],
    optional: true,
}
rule! {
    /// Inline data that is not the blob.
    BAD_DATA = "descriptor/bad-data", Error, No, [87],
    checks: "`data` is the blob in base64 with padding: it decodes, has the digest and the size.",
    matters: "image-spec descriptor: consumers may take it in place of the blob. oras verifies it; others use it or ignore it unseen.",
    example: "`\"data\": \"e30\"`, which lacks padding.",
    mend: "Write the blob in standard base64, or leave `data` out.",
}
rule! {
    /// Inline data that is too large.
    LARGE_DATA = "descriptor/large-data", Warning, No, [88],
    checks: "`data` is no larger than 64 KiB.",
    matters: "image-spec descriptor: large data endangers portability, since registries refuse manifests above 4 MiB, and every pull reads it.",
    example: "A whole SBOM inside its manifest.",
    mend: "Leave `data` out; the digest finds the blob.",
}
rule! {
    /// A URL that is none.
    BAD_URL = "descriptor/bad-url", Error, No, [89],
    checks: "Items of `urls` are absolute URIs.",
    matters: "image-spec descriptor: they must conform to RFC 3986. The blob cannot be fetched from anything else.",
    example: "`\"urls\": [\"example.com/layer\"]`",
    mend: "Write the whole URL, with its scheme.",
}
rule! {
    /// A URL that few can fetch.
    URL_SCHEME = "descriptor/url-scheme", Warning, No, [89],
    checks: "Items of `urls` have the scheme http or https.",
    matters: "image-spec descriptor: they should. registry 3 refuses other schemes.",
    example: "`\"urls\": [\"ftp://example.com/layer\"]`",
    mend: "Serve the blob by https.",
}
rule! {
    /// `urls` where nothing needs them.
    URLS_OF_DISTRIBUTABLE = "manifest/urls-of-distributable", Note, No, [90],
    checks: "Whether layers that may be distributed have `urls`.",
    matters: "They are legal and nobody reads them: the blob comes from the registry.",
    example: "`urls` on a layer of the type `application/vnd.oci.image.layer.v1.tar+gzip`.",
    mend: "Nothing to mend.",
    breaks: [Skopeo, Podman, Buildah, Registry],
}
rule! {
    /// `platform` on a config or layer.
    PLATFORM_OF_PART = "manifest/platform-of-part", Note, No, [93],
    checks: "Whether descriptors of configs and layers have a `platform`.",
    matters: "It means something in an index only. Docker 25.0.0 to 25.0.5 and 26.0.0 wrote it.",
    example: "`config` with `\"platform\": {…}` in what Docker 25.0.3 saved.",
    mend: "Nothing to mend.",
}
rule! {
    /// A blob of no bytes.
    EMPTY_BLOB = "descriptor/empty-blob", Warning, No, [94],
    checks: "No descriptor points at a blob of no bytes.",
    matters: "image-spec guidance: it is not widely supported, and registries may refuse the upload. Layers have a rule of their own.",
    example: "A config of size 0 in an artifact.",
    mend: "Use the empty descriptor, whose content is `{}`.",
}

/// What a descriptor is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Config,
    Layer,
    Child,
    Subject,
    /// Nobody knows.
    Alone,
}

/// Findings about every descriptor of a manifest or index. `held` tells whether the archive holds a blob: then its
/// size is compared with the blob itself.
pub fn check(document: &Document, held: &dyn Fn(&Digest) -> bool, out: &mut Vec<Finding>) {
    let Some(root) = document.root() else { return };
    let lists: &[(&str, Use)] = match document.kind {
        DocKind::Manifest(_) => &[("config", Use::Config), ("layers", Use::Layer), ("subject", Use::Subject)],
        DocKind::Index(_) => &[("manifests", Use::Child), ("subject", Use::Subject)],
        DocKind::ArtifactManifest => &[("blobs", Use::Layer), ("subject", Use::Subject)],
        DocKind::Descriptor => {
            one(root, Location::pointer(document.member, ""), Use::Alone, held, out);
            return;
        }
        _ => return,
    };
    if document.kind == DocKind::ArtifactManifest {
        let at = Location::pointer(document.member, "/mediaType");
        out.push(Finding::new(&WITHDRAWN_TYPE, at, "artifact manifests were withdrawn from image-spec"));
    }
    if let Some(artifact_type) = root.get("artifactType").and_then(Value::as_str) {
        media_type(artifact_type, Location::pointer(document.member, "/artifactType"), out);
    }
    for (name, used) in lists {
        let Some(value) = root.get(name) else { continue };
        let at = Location::pointer(document.member, format!("/{name}"));
        if value.is_object() && !matches!(used, Use::Layer | Use::Child) {
            one(value, at, *used, held, out);
            continue;
        }
        for (i, item) in value.items().iter().enumerate().filter(|(_, item)| item.is_object()) {
            one(item, at.child(i), *used, held, out);
        }
    }
}

fn one(value: &Value, at: Location, used: Use, held: &dyn Fn(&Digest) -> bool, out: &mut Vec<Finding>) {
    let descriptor = Descriptor::of(value, at.clone());
    types(&descriptor, value, used, held, out);
    if matches!(used, Use::Subject | Use::Alone) {
        // All others are judged with the blob that they point at.
        super::blob::descriptor(&descriptor, None, held, out);
    }
    if let Some(digest) = descriptor.good_digest() {
        if matches!(digest.algorithm(), Some(Algorithm::Sha384 | Algorithm::Sha512)) {
            let message =
                format!("the digest is a {}, which some tools do not know", digest.algorithm_name());
            out.push(Finding::new(&OTHER_ALGORITHM, at.child("digest"), message));
        }
        let is_layer = LayerType::of(descriptor.type_or_empty()).is_some();
        if digest.of_same_kind(b"").is_some_and(|empty| empty == *digest) && !is_layer {
            out.push(Finding::new(&EMPTY_BLOB, at.child("digest"), "the blob has no bytes"));
        }
    }
    if descriptor.media_type.as_deref() == Some(media::OCI_EMPTY) {
        empty(&descriptor, value, held, out);
    } else if let Some(text) = value.get("data").and_then(Value::as_str) {
        data(&descriptor, text, held, out);
    }
    urls(&descriptor, value, used, out);
    if matches!(used, Use::Config | Use::Layer) && value.get("platform").is_some_and(Value::is_object) {
        let message = "a platform stands on a descriptor of no manifest";
        out.push(Finding::new(&PLATFORM_OF_PART, at.child("platform"), message));
    }
}

fn types(
    descriptor: &Descriptor,
    value: &Value,
    used: Use,
    held: &dyn Fn(&Digest) -> bool,
    out: &mut Vec<Finding>,
) {
    let at = descriptor.at.child("mediaType");
    if let Some(text) = descriptor.media_type.as_deref() {
        // An empty config type is old and known: `manifest/legacy-config-type`.
        let well_formed =
            if used == Use::Config && text.is_empty() { true } else { media_type(text, at.clone(), out) };
        let document_type = DocumentType::of(text);
        if text == SCRATCH {
            out.push(
                Finding::new(&WITHDRAWN_TYPE, at.clone(), "the scratch type was withdrawn")
                    .set(&at, quoted(media::OCI_EMPTY)),
            );
        } else if document_type == Some(DocumentType::ArtifactManifest)
            && !descriptor.good_digest().is_some_and(held)
        {
            // One that is here says it itself.
            let message = "artifact manifests were withdrawn from image-spec";
            out.push(Finding::new(&WITHDRAWN_TYPE, at.clone(), message));
        }
        if used == Use::Subject && well_formed && document_type.is_none() {
            let message = format!("the subject is a manifest or index, found `{text}`");
            out.push(Finding::new(&SUBJECT_TYPE, at, message));
        }
    }
    if let Some(text) = value.get("artifactType").and_then(Value::as_str) {
        media_type(text, descriptor.at.child("artifactType"), out);
    }
}

fn media_type(text: &str, at: Location, out: &mut Vec<Finding>) -> bool {
    let good = media::is_well_formed(text);
    if !good {
        out.push(Finding::new(&BAD_MEDIA_TYPE, at, format!("`{text}` is not a media type")));
    }
    good
}

/// One fact of a descriptor of the empty type that is wrong: the others follow.
fn empty(descriptor: &Descriptor, value: &Value, held: &dyn Fn(&Digest) -> bool, out: &mut Vec<Finding>) {
    let right = Digest::sha256(EMPTY_JSON);
    let Some(digest) = descriptor.good_digest() else { return };
    let at = |member: &str| descriptor.at.child(member);
    let data = value.get("data").and_then(Value::as_str);
    let with_data = |finding: Finding| match data {
        Some(data) if data != "e30=" => finding.set(&at("data"), quoted("e30=")),
        _ => finding,
    };
    out.push(if digest.of_same_kind(EMPTY_JSON).is_none_or(|empty| empty != *digest) {
        let message = "the type is the empty one, the digest is not that of `{}`";
        let finding = Finding::new(&BAD_EMPTY, at("digest"), message)
            .label(format!("expected {right}"))
            .help(format!("write digest {right} and size 2, or the type that the blob has"))
            .set(&at("digest"), quoted(&right))
            .set(&at("size"), "2");
        with_data(finding).assuming("the empty descriptor is the one that was meant")
    } else if !held(digest) && descriptor.size.is_some_and(|size| size != 2) {
        let size = descriptor.size.unwrap_or_default();
        let message = format!("the type is the empty one, the size is {size}");
        with_data(Finding::new(&BAD_EMPTY, at("size"), message).label("should be 2").set(&at("size"), "2"))
    } else if data.is_some_and(|data| data != "e30=") {
        Finding::new(&BAD_EMPTY, at("data"), "the type is the empty one, the data is not `{}`")
            .label("should be e30=")
            .set(&at("data"), quoted("e30="))
    } else {
        return;
    });
}

fn data(descriptor: &Descriptor, text: &str, held: &dyn Fn(&Digest) -> bool, out: &mut Vec<Finding>) {
    let at = descriptor.at.child("data");
    let bytes = match data_encoding::BASE64.decode(text.as_bytes()) {
        Ok(bytes) => bytes,
        Err(error) => {
            let message = format!("the data is not base64 with padding: {error}");
            let finding = Finding::new(&BAD_DATA, at.clone(), message);
            out.push(match repadded(descriptor, text) {
                Some(right) => finding.set(&at, quoted(right)),
                None => finding.remove(&at).help("leave `data` out; the digest finds the blob"),
            });
            return;
        }
    };
    if bytes.len() > MAX_DATA {
        let message = format!("the data is {} bytes, more than 64 KiB", bytes.len());
        out.push(Finding::new(&LARGE_DATA, at.clone(), message).remove(&at));
    }
    let length = bytes.len() as u64;
    if let Some(digest) = descriptor.good_digest() {
        let Some(found) = digest.of_same_kind(&bytes) else { return };
        if found != *digest {
            let finding = Finding::new(&BAD_DATA, at, "the data does not hash to the digest")
                .label(format!("expected {digest}, found {found} ({length} bytes)"));
            out.push(finding.related(descriptor.at.child("digest"), "the digest"));
            return;
        }
        if held(digest) {
            return;
        }
    }
    if let Some(size) = descriptor.size.filter(|size| u64::try_from(*size) != Ok(length)) {
        let message = format!("the data is {length} bytes, the descriptor says {size}");
        out.push(
            Finding::new(&BAD_DATA, descriptor.at.child("size"), message)
                .label(format!("should be {length}"))
                .set(&descriptor.at.child("size"), length.to_string()),
        );
    }
}

/// The same data in base64 as it is wanted, if it then is the blob.
fn repadded(descriptor: &Descriptor, text: &str) -> Option<String> {
    let text = text.trim_end_matches('=');
    let encodings = [data_encoding::BASE64_NOPAD, data_encoding::BASE64URL_NOPAD];
    let bytes = encodings.iter().find_map(|encoding| encoding.decode(text.as_bytes()).ok())?;
    let digest = descriptor.good_digest()?;
    (digest.of_same_kind(&bytes).as_ref() == Some(digest)).then(|| data_encoding::BASE64.encode(&bytes))
}

fn urls(descriptor: &Descriptor, value: &Value, used: Use, out: &mut Vec<Finding>) {
    let items = value.get("urls").map(Value::items).unwrap_or_default();
    let at = descriptor.at.child("urls");
    for (i, text) in items.iter().enumerate().filter_map(|(i, item)| Some((i, item.as_str()?))) {
        match scheme(text) {
            None => {
                let message = format!("`{text}` is not an absolute URI");
                out.push(Finding::new(&BAD_URL, at.child(i), message));
            }
            Some(scheme) if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) => {
                let message = format!("the scheme is http or https, found `{scheme}`");
                out.push(Finding::new(&URL_SCHEME, at.child(i), message));
            }
            Some(_) => {}
        }
    }
    let distributable = LayerType::of(descriptor.type_or_empty()).is_some_and(|t| !t.nondistributable);
    if used == Use::Layer && distributable && !items.is_empty() {
        out.push(Finding::new(&URLS_OF_DISTRIBUTABLE, at, "the layer has urls, which are of no use to it"));
    }
}

/// The scheme of an absolute URI (RFC 3986), if it is one; http and https need a host.
pub(super) fn scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once(':')?;
    let mut letters = scheme.bytes();
    let named = letters.next().is_some_and(|b| b.is_ascii_alphabetic())
        && letters.all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let allowed = |b: u8| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b);
    let escapes = |text: &str| {
        text.split('%').skip(1).all(|after| after.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2)
    };
    let hosted = !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https")
        || rest.strip_prefix("//").is_some_and(|host| !host.is_empty() && !host.starts_with(['/', '?', '#']));
    (named && !rest.is_empty() && rest.bytes().all(allowed) && escapes(rest) && hosted).then_some(scheme)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Family;
    use crate::rules::fixture::{document, found};

    const MANIFEST: DocKind = DocKind::Manifest(Family::Oci);
    const EMPTY: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    const NOTHING: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

    fn one_layer(members: &str) -> Vec<&'static str> {
        let text = format!(r#"{{"layers":[{{{members}}}]}}"#);
        found(MANIFEST, &text, |document, out| check(document, &|_| false, out))
    }

    #[test]
    fn media_types() {
        assert_eq!(one_layer(r#""mediaType":"text/x; a=b""#), ["descriptor/bad-media-type"]);
        assert_eq!(one_layer(r#""mediaType":"""#), ["descriptor/bad-media-type"]);
        assert_eq!(one_layer(r#""mediaType":"text/x","artifactType":"x""#), ["descriptor/bad-media-type"]);
        assert_eq!(one_layer(r#""mediaType":"text/x","artifactType":"x/y""#), [""; 0]);
        let all = |text: &str| found(MANIFEST, text, |document, out| check(document, &|_| false, out));
        assert_eq!(all(r#"{"config":{"mediaType":""}}"#), [""; 0]);
        assert_eq!(all(r#"{"artifactType":"a b/c"}"#), ["descriptor/bad-media-type"]);
        assert_eq!(one_layer(&format!(r#""mediaType":"{SCRATCH}""#)), ["manifest/withdrawn-type"]);
        let withdrawn = found(DocKind::ArtifactManifest, "{}", |d, out| check(d, &|_| false, out));
        assert_eq!(withdrawn, ["manifest/withdrawn-type"]);
        let index = |held: bool| {
            let text = format!(
                r#"{{"manifests":[{{"mediaType":"{}","digest":"{EMPTY}"}}]}}"#,
                media::OCI_ARTIFACT_MANIFEST
            );
            found(DocKind::Index(Family::Oci), &text, |d, out| check(d, &|_| held, out))
        };
        assert_eq!((index(false), index(true)), (vec!["manifest/withdrawn-type"], vec![]));
        let subject = |text: &str| {
            let text = format!(r#"{{"subject":{{"mediaType":"{text}"}}}}"#);
            found(MANIFEST, &text, |document, out| check(document, &|_| false, out))
        };
        assert_eq!(subject("text/plain"), ["manifest/subject-type"]);
        assert_eq!(subject(media::OCI_INDEX), [""; 0]);
    }

    #[test]
    fn a_subject_has_a_good_digest_and_size() {
        let text = r#"{"subject":{"digest":"sha256:AB","size":-1}}"#;
        let names = found(MANIFEST, text, |document, out| check(document, &|_| false, out));
        assert_eq!(names, ["descriptor/bad-digest", "descriptor/size-mismatch"]);
        let sound = format!(r#"{{"subject":{{"digest":"{EMPTY}","size":2}}}}"#);
        assert_eq!(found(MANIFEST, &sound, |document, out| check(document, &|_| false, out)), [""; 0]);
    }

    #[test]
    fn the_empty_type() {
        let with = |rest: &str| one_layer(&format!(r#""mediaType":"{}",{rest}"#, media::OCI_EMPTY));
        assert_eq!(with(&format!(r#""digest":"{EMPTY}","size":2"#)), [""; 0]);
        assert_eq!(with(&format!(r#""digest":"{EMPTY}","size":2,"data":"e30=""#)), [""; 0]);
        assert_eq!(with(&format!(r#""digest":"{EMPTY}","size":3"#)), ["descriptor/bad-empty"]);
        assert_eq!(with(&format!(r#""digest":"{EMPTY}","size":2,"data":"e30""#)), ["descriptor/bad-empty"]);
        let other = Digest::sha256(b"[]");
        assert_eq!(with(&format!(r#""digest":"{other}","size":3,"data":"x""#)), ["descriptor/bad-empty"]);
    }

    #[test]
    fn digests() {
        let of = |digest: &str| one_layer(&format!(r#""mediaType":"text/x","digest":"{digest}""#));
        assert_eq!(of(&format!("sha512:{}", "a".repeat(128))), ["descriptor/other-algorithm"]);
        assert_eq!(of(&format!("sha384:{}", "a".repeat(96))), ["descriptor/other-algorithm"]);
        assert_eq!(of(EMPTY), [""; 0]);
        assert_eq!(of(NOTHING), ["descriptor/empty-blob"]);
        let layer = one_layer(&format!(r#""mediaType":"{GZIP}","digest":"{NOTHING}""#));
        assert_eq!(layer, [""; 0], "a rule of its own");
    }

    #[test]
    fn inline_data() {
        let with = |size: usize, data: &str, held: bool| {
            let text = format!(
                r#"{{"layers":[{{"mediaType":"text/x","digest":"{EMPTY}","size":{size},"data":"{data}"}}]}}"#
            );
            let mut out = Vec::new();
            check(&document(MANIFEST, &text), &|_| held, &mut out);
            out.into_iter().map(|f| (f.rule.name, f.message)).collect::<Vec<_>>()
        };
        assert_eq!(with(2, "e30=", false), []);
        let names = |found: Vec<(&'static str, String)>| found.into_iter().map(|f| f.0).collect::<Vec<_>>();
        assert_eq!(names(with(2, "e30", false)), ["descriptor/bad-data"]);
        assert_eq!(names(with(2, "W10=", false)), ["descriptor/bad-data"]);
        let size = with(3, "e30=", false);
        assert_eq!(size, [("descriptor/bad-data", "the data is 2 bytes, the descriptor says 3".to_owned())]);
        // The blob itself says so.
        assert_eq!(with(3, "e30=", true), []);
        let large = |length: usize| {
            let bytes = vec![b'x'; length];
            let text = format!(
                r#"{{"layers":[{{"digest":"{}","size":{length},"data":"{}"}}]}}"#,
                Digest::sha256(&bytes),
                data_encoding::BASE64.encode(&bytes)
            );
            found(MANIFEST, &text, |document, out| check(document, &|_| false, out))
        };
        assert_eq!(large(65536), [""; 0]);
        assert_eq!(large(65537), ["descriptor/large-data"]);
    }

    #[test]
    fn urls_and_platforms() {
        let with = |url: &str| one_layer(&format!(r#""mediaType":"text/x","urls":["{url}"]"#));
        assert_eq!(with("https://example.com/a%20b?c#d"), [""; 0]);
        for bad in ["example.com/x", "https:", "https:///x", "https://a b", "http://a/%2", "1:x", "//a/b", ""]
        {
            assert_eq!(with(bad), ["descriptor/bad-url"], "{bad}");
        }
        assert_eq!(with("urn:x:y"), ["descriptor/url-scheme"]);
        let layer = one_layer(&format!(r#""mediaType":"{GZIP}","urls":["https://a/b"]"#));
        assert_eq!(layer, ["manifest/urls-of-distributable"]);
        let foreign = format!(r#""mediaType":"{}","urls":["https://a/b"]"#, media::DOCKER_FOREIGN_GZIP);
        assert_eq!(one_layer(&foreign), [""; 0]);
        assert_eq!(one_layer(r#""platform":{"os":"linux"}"#), ["manifest/platform-of-part"]);
        let index = r#"{"manifests":[{"platform":{"os":"linux"}}]}"#;
        let child = found(DocKind::Index(Family::Oci), index, |d, out| check(d, &|_| false, out));
        assert_eq!(child, [""; 0]);
    }
}
