//! Rules about a layer as a stream and by its descriptor, beyond what keeps it from being read.

use crate::blob::BlobFacts;
use crate::digest::Digest;
use crate::finding::{Finding, Rule, rule};
use crate::json::Value;
use crate::location::{Location, MemberId};
use crate::media::Codec;
use crate::model::{DocKind, Document, Part};

/// The rules of this file.
pub const RULES: &[&Rule] = &[
    &SEVERAL_STREAMS,
    &SKIPPABLE_FRAMES,
    &TOC_POSITION,
    &ARCHIVE_CODEC,
    &EMPTY_LAYER,
    &ENCRYPTED,
    &ENCRYPTION_KEYS,
    &GZIP_HEADER,
    &HIGH_RATIO,
];

/// Decompressed bytes below which no ratio is told (formats.md H 242).
const LARGE: u64 = 1 << 30;
/// The ratio above which it is told.
const RATIO: u64 = 1000;

/// Digest of an eStargz layer's table of contents (formats.md D.10.3).
const STARGZ_TOC: &str = "containerd.io/snapshot/stargz/toc.digest";
/// Prefix of zstd:chunked annotations.
const CHUNKED: &str = "io.github.containers.zstd-chunked.";
/// Prefix of the annotations that hold the keys of an encrypted layer.
const ENCRYPTION: &str = "org.opencontainers.image.enc.";

rule! {
    /// More than one gzip member or zstd frame.
    SEVERAL_STREAMS = "layer/several-streams", Note, No, [151],
    checks: "Whether a layer is more than one gzip member or zstd frame.",
    matters: "RFC 1952 and RFC 8878 allow it, and image tools read it; other programs may stop after the first.",
    example: "An eStargz layer, which has a member for each file, or a layer compressed in parallel.",
    mend: "Nothing to mend.",
}
rule! {
    /// Skippable frames without a reason.
    SKIPPABLE_FRAMES = "layer/skippable-frames", Note, No, [152],
    checks: "Whether a zstd layer has skippable frames, and no annotations of zstd:chunked that say what they are.",
    matters: "Decoders pass over them, so they are not in the diff ID: room for anything.",
    example: "A zstd:chunked layer whose annotations were lost in a copy.",
    mend: "Write the layer without them, if they matter.",
    remedy: Convert(&[Compress("zstd:3")]),
}
rule! {
    /// A table of contents that cannot be there.
    TOC_POSITION = "layer/bad-toc", Warning, No, [153],
    checks: "Annotations of eStargz and zstd:chunked give a digest, and a position inside the blob. Whether the table there has the digest is not checked.",
    matters: "containerd's and podman's lazy pulls read the table first and fail, or fall back to the whole layer.",
    example: "A `manifest-position` behind the end of the blob, after the layer was compressed anew.",
    mend: "Remove the annotations, or make the layer anew.",
    remedy: Convert(&[Compress("gzip:6")]),
    breaks: [Skopeo, Podman, Buildah],
}
rule! {
    /// A docker-archive layer in a compression that no manifest can name.
    ARCHIVE_CODEC = "layer/archive-codec", Note, No, [154],
    checks: "Whether layers of a docker-archive are compressed by bzip2 or xz.",
    matters: "`docker load` decompresses them; no registry takes them as they are, so restow compresses them anew by gzip for every other form.",
    example: "An archive whose `layer.tar` files were packed by `bzip2`.",
    mend: "Nothing to mend.",
    breaks: [Containerd],
}
rule! {
    /// A layer of nothing.
    EMPTY_LAYER = "layer/no-bytes", Warning, No, [155],
    checks: "A layer holds at least the end of a tar.",
    matters: "A tar ends with two blocks of zeros, so nothing at all is no tar. All known tools take it for an empty layer; registries may refuse a blob of no bytes.",
    example: "A layer of 0 bytes, or a gzip stream of nothing.",
    mend: "Leave the layer out, or write an empty tar (1024 zero bytes).",
}
rule! {
    /// An encrypted layer.
    ENCRYPTED = "layer/encrypted", Note, No, [156],
    checks: "Whether layers are encrypted.",
    matters: "An extension of ocicrypt: containerd and skopeo need the key, others fail. Content and diff ID cannot be verified.",
    example: "`application/vnd.oci.image.layer.v1.tar+gzip+encrypted`",
    mend: "Nothing to mend.",
    breaks: [Docker, Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// An encrypted layer that nobody can decrypt.
    ENCRYPTION_KEYS = "layer/encryption-keys-missing", Error, No, [156],
    checks: "An encrypted layer has annotations `org.opencontainers.image.enc.…`, which hold its wrapped keys.",
    matters: "ocicrypt: without them the layer cannot be decrypted by anybody.",
    example: "An encrypted layer whose annotations were lost in a copy.",
    mend: "Encrypt the image again, or restore the annotations.",
    breaks: [Docker, Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// A gzip header that changes from build to build.
    GZIP_HEADER = "layer/gzip-header", Note, No, [158],
    checks: "Whether the gzip header of a layer has no time and no file name.",
    matters: "Builds of the same content get other digests. All tools ignore both.",
    example: "A layer that `gzip layer.tar` compressed.",
    mend: "Compress it without name and time.",
    remedy: Convert(&[Compress("gzip:9")]),
    optional: true,
}

/// How a layer is called in messages.
#[derive(Debug, Clone, Copy)]
pub enum Which {
    /// By its place in the image, base first.
    Nth(usize),
    /// It is the only one, outside any image.
    Alone,
}

impl From<usize> for Which {
    fn from(i: usize) -> Which {
        Which::Nth(i)
    }
}

impl std::fmt::Display for Which {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Which::Nth(i) => write!(f, "layer {i}"),
            Which::Alone => f.write_str("the layer"),
        }
    }
}

rule! {
    /// A layer that grows beyond measure.
    HIGH_RATIO = "layer/high-ratio", Warning, No, [242],
    checks: "A layer does not become more than a thousand times as large, and more than 1 GiB, when it is decompressed.",
    matters: "So little content in so many bytes is either a sparse file or a bomb: it fills the disk of whoever unpacks it. gzip cannot do much more than a thousand times, zstd ten times that.",
    example: "A layer of 100 kB that holds a file of 10 GiB of zeros.",
    mend: "Leave such files out, and make them when the container starts.",
}

/// Findings about the descriptors of layers in a manifest.
pub fn descriptors(document: &Document, out: &mut Vec<Finding>) {
    if !matches!(document.kind, DocKind::Manifest(_)) {
        return;
    }
    let Some(list) = document.root().and_then(|root| root.get("layers")) else { return };
    let base = Location::pointer(document.member, "/layers");
    for (i, value) in list.items().iter().enumerate() {
        let at = base.child(i);
        encryption(value, i, &at, out);
        table(value, &at, out);
    }
}

fn encryption(value: &Value, i: usize, at: &Location, out: &mut Vec<Finding>) {
    let media_type = value.get("mediaType").and_then(Value::as_str).unwrap_or_default();
    if !media_type.ends_with("+encrypted") {
        return;
    }
    let annotations = value.get("annotations").map(Value::members).unwrap_or_default();
    if annotations.iter().any(|member| member.key.starts_with(ENCRYPTION)) {
        let message = format!("layer {i} is encrypted, so its content is not verified");
        out.push(Finding::new(&ENCRYPTED, at.child("mediaType"), message));
    } else {
        let message = format!("layer {i} is encrypted, and no annotation `{ENCRYPTION}…` holds its keys");
        out.push(Finding::new(&ENCRYPTION_KEYS, at.clone(), message));
    }
}

fn table(value: &Value, at: &Location, out: &mut Vec<Finding>) {
    let size = value.get("size").and_then(Value::as_u64);
    for member in value.get("annotations").map(Value::members).unwrap_or_default() {
        let Some(text) = member.value.as_str() else { continue };
        let chunked = member.key.strip_prefix(CHUNKED);
        let problem = if &*member.key == STARGZ_TOC || chunked.is_some_and(|n| n.ends_with("-checksum")) {
            Digest::parse(text).err().map(|error| format!("is not a digest: {error}"))
        } else if chunked.is_some_and(|name| name.ends_with("-position")) {
            match position(text) {
                None => Some("is not a position of the form offset:length:…".to_owned()),
                Some(end) => size
                    .filter(|size| end > u128::from(*size))
                    .map(|size| format!("ends behind the blob of {size} bytes")),
            }
        } else {
            None
        };
        if let Some(problem) = problem {
            let at = at.child("annotations").child(crate::json::pointer::escape(&member.key));
            let message = format!("the layer's table of contents, `{text}`, {problem}");
            out.push(Finding::new(&TOC_POSITION, at, message));
        }
    }
}

/// Where a position ends, which may be beyond 64 bits; `None` if the text is none.
fn position(text: &str) -> Option<u128> {
    let numbers: Option<Vec<u64>> = text.split(':').map(|part| part.parse().ok()).collect();
    match numbers?.as_slice() {
        [offset, length, _, ..] => Some(u128::from(*offset) + u128::from(*length)),
        _ => None,
    }
}

/// Findings about a layer that could be read to its end.
pub fn stream(
    part: &Part,
    which: impl Into<Which>,
    facts: &BlobFacts,
    member: MemberId,
    out: &mut Vec<Finding>,
) {
    let which = which.into();
    let at = || Location::member(member);
    let codec = facts.codec.name();
    let Some(plain) = &facts.plain else { return };
    if plain.size == 0 {
        let message = match facts.codec {
            Codec::Plain => format!("{which} has no bytes"),
            _ => format!("the {codec} stream of {which} holds nothing"),
        };
        out.push(Finding::new(&EMPTY_LAYER, at(), message));
        return;
    }
    if part.descriptor().is_none() && matches!(facts.codec, Codec::Bzip2 | Codec::Xz) {
        let message = format!("{which} is compressed by {codec}, which only docker-archives can hold");
        out.push(Finding::new(&ARCHIVE_CODEC, at(), message));
    }
    if plain.size > LARGE && plain.size / RATIO > facts.size {
        let message = format!("{which}, {} bytes, decompresses to {}", facts.size, plain.size);
        out.push(Finding::new(&HIGH_RATIO, at(), message));
    }
    if plain.parts > 1 {
        let what = if facts.codec == Codec::Gzip { "gzip members" } else { "zstd frames" };
        let message = format!("{which} is {} {what}", plain.parts);
        out.push(Finding::new(&SEVERAL_STREAMS, at(), message));
    }
    let chunked = part.descriptor().is_some_and(|descriptor| descriptor.chunked);
    if plain.skipped > 0 && !chunked {
        let message =
            format!("{which} has {}", crate::finding::counted(plain.skipped, "skippable zstd frame"));
        out.push(Finding::new(&SKIPPABLE_FRAMES, at(), message));
    }
    if let Some(header) = facts.gzip.filter(|header| header.named || header.time != 0) {
        let what = match (header.named, header.time) {
            (true, 0) => "a file name".to_owned(),
            (false, time) => format!("the time {time}"),
            (true, time) => format!("a file name and the time {time}"),
        };
        out.push(Finding::new(&GZIP_HEADER, at(), format!("the gzip header of {which} has {what}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::pipeline;
    use crate::blob::stage::{Keep, Request};
    use crate::codec::Caps;
    use crate::media::{self, Family};
    use crate::rules::fixture::{document, found, names};

    fn of_layer(members: &str) -> Vec<&'static str> {
        let text = format!(r#"{{"layers":[{{{members}}}]}}"#);
        found(DocKind::Manifest(Family::Oci), &text, descriptors)
    }

    /// What is found of a layer with these bytes, under a descriptor with these annotations if there are any.
    fn of_bytes(bytes: &[u8], annotations: Option<&str>) -> Vec<&'static str> {
        let request = Request {
            size: bytes.len() as u64,
            other: None,
            plain: true,
            plain_other: None,
            caps: Caps { bytes: 1 << 20, window_log: 27, empty_parts: 1_000 },
        };
        let (facts, _) = pipeline::run(&mut &bytes[..], request, Keep::Nothing, &mut std::io::sink(), None)
            .expect("in memory");
        assert_eq!(facts.fault, None);
        let at = Location::pointer(MemberId(0), "/layers/0");
        let text = annotations.map(|text| format!(r#"{{"annotations":{{{text}}}}}"#));
        let held = text.map(|text| document(DocKind::Manifest(Family::Oci), &text));
        let value = held.as_ref().and_then(Document::root);
        let descriptor = value.map(|value| crate::model::Descriptor::of(value, at.clone()));
        let part = match descriptor {
            Some(descriptor) => Part::described(descriptor, None),
            None => Part::called("", at, None),
        };
        let mut out = Vec::new();
        stream(&part, 0, &facts, MemberId(0), &mut out);
        names(&out)
    }

    fn gzip(header: flate2::GzBuilder, bytes: &[u8]) -> Vec<u8> {
        let mut encoder = header.write(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, bytes).expect("in memory");
        encoder.finish().expect("in memory")
    }

    #[test]
    fn ratios() {
        let of = |stored: u64, size: u64| {
            let bytes = gzip(flate2::GzBuilder::new(), b"x");
            let request = Request {
                size: bytes.len() as u64,
                other: None,
                plain: true,
                plain_other: None,
                caps: Caps { bytes: 1 << 20, window_log: 27, empty_parts: 1_000 },
            };
            let (mut facts, _) =
                pipeline::run(&mut &bytes[..], request, Keep::Nothing, &mut std::io::sink(), None)
                    .expect("in memory");
            facts.size = stored;
            facts.plain.as_mut().expect("sound").size = size;
            let at = Location::pointer(MemberId(0), "/layers/0");
            let part = Part::called("", at, None);
            let mut out = Vec::new();
            stream(&part, 0, &facts, MemberId(0), &mut out);
            names(&out)
        };
        assert_eq!(of(1 << 20, 1001 << 20), [""; 0], "not large");
        assert_eq!(of(2 << 20, 2000 << 20), [""; 0], "not too dense");
        assert_eq!(of(2 << 20, 2001 << 20), ["layer/high-ratio"]);
    }

    #[test]
    fn encrypted_layers() {
        let media_type = format!(r#""mediaType":"{}+encrypted""#, media::OCI_LAYER_GZIP);
        assert_eq!(of_layer(&media_type), ["layer/encryption-keys-missing"]);
        let keys = format!(r#"{media_type},"annotations":{{"org.opencontainers.image.enc.keys.jwe":"x"}}"#);
        assert_eq!(of_layer(&keys), ["layer/encrypted"]);
        assert_eq!(of_layer(r#""mediaType":"text/plain""#), [""; 0]);
    }

    #[test]
    fn tables_of_contents() {
        let of =
            |key: &str, value: &str| of_layer(&format!(r#""size":100,"annotations":{{"{key}":"{value}"}}"#));
        let digest = Digest::sha256(b"").to_string();
        assert_eq!(of(STARGZ_TOC, &digest), [""; 0]);
        assert_eq!(of(STARGZ_TOC, "x"), ["layer/bad-toc"]);
        let position = format!("{CHUNKED}manifest-position");
        assert_eq!(of(&position, "60:40:1000:1"), [""; 0]);
        assert_eq!(of(&position, "60:41:1000:1"), ["layer/bad-toc"]);
        assert_eq!(of(&position, &format!("{}:{}:1:1", u64::MAX, 1)), ["layer/bad-toc"]);
        assert_eq!(of(&position, "60"), ["layer/bad-toc"]);
        assert_eq!(of(&format!("{CHUNKED}manifest-checksum"), "x"), ["layer/bad-toc"]);
        assert_eq!(of("a", "x"), [""; 0]);
    }

    #[test]
    fn streams() {
        let one = gzip(flate2::GzBuilder::new(), b"tar");
        assert_eq!(of_bytes(&one, None), [""; 0]);
        assert_eq!(of_bytes(&[one.as_slice(), &one].concat(), None), ["layer/several-streams"]);
        assert_eq!(of_bytes(b"", None), ["layer/no-bytes"]);
        assert_eq!(of_bytes(&gzip(flate2::GzBuilder::new(), b""), None), ["layer/no-bytes"]);
        let named = gzip(flate2::GzBuilder::new().filename("layer.tar"), b"tar");
        assert_eq!(of_bytes(&named, None), ["layer/gzip-header"]);
        let timed = gzip(flate2::GzBuilder::new().mtime(7), b"tar");
        assert_eq!(of_bytes(&timed, None), ["layer/gzip-header"]);
    }

    #[test]
    fn skippable_frames() {
        let frame = zstd::encode_all(&b"tar"[..], 1).expect("in memory");
        let skippable = [&frame[..], &[0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, b'x']].concat();
        assert_eq!(of_bytes(&frame, None), [""; 0]);
        assert_eq!(of_bytes(&skippable, None), ["layer/skippable-frames"]);
        let checksum = format!(r#""{CHUNKED}manifest-checksum":"x""#);
        assert_eq!(of_bytes(&skippable, Some(&checksum)), [""; 0]);
    }

    #[test]
    fn codecs_of_docker_archives() {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        std::io::Write::write_all(&mut encoder, b"tar").expect("in memory");
        let bytes = encoder.finish().expect("in memory");
        assert_eq!(of_bytes(&bytes, None), ["layer/archive-codec"]);
        // Under a manifest it is an error of its own.
        assert_eq!(of_bytes(&bytes, Some("")), [""; 0]);
    }
}
