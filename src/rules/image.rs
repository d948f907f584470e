//! Rules about an image: its config against its layers, and its layers against what they are called.

use super::layer::Which;
use crate::blob::BlobFacts;
use crate::codec::Fault;
use crate::digest::Digest;
use crate::finding::{Edit, Finding, Rule, Target, quoted, rule};
use crate::location::{At, Location};
use crate::media::{Codec, Family, LayerType};
use crate::model::Document;
use crate::model::{Archive, Body, ImageParts, Node, Part};

/// The rules of this file.
pub const RULES: &[&Rule] = &[
    &LAYER_COUNT,
    &DIFF_ID_MISMATCH,
    &BAD_DIFF_ID,
    &UNVERIFIED_DIFF_ID,
    &OTHER_ALGORITHM,
    &CODEC_MISMATCH,
    &DOCKER_CODEC_MISMATCH,
    &CORRUPT,
    &LAYER_CUT,
    &TOO_LARGE,
    &TRAILING_BYTES,
    &POLYGLOT,
    &BASE_MISSING,
    &CONFIG_NAME,
    &UNKNOWN_CODEC,
];

rule! {
    /// The numbers of layers and diff IDs differ.
    LAYER_COUNT = "config/layer-count", Error, Soft, [112],
    checks: "The config has as many `diff_ids` as the image has layers.",
    matters: "image-spec config. Docker, containerd and skopeo's docker-archive refuse; umoci panics if there are fewer diff IDs.",
    example: "Three diff IDs, one layer.",
    mend: "Rebuild the image; nobody can tell which layers are missing.",
    breaks: [Docker, Containerd, Podman, Buildah],
}
rule! {
    /// A layer's content is not what the config says.
    DIFF_ID_MISMATCH = "config/diff-id-mismatch", Error, Soft, [27, 113],
    checks: "The decompressed bytes of layer i hash to `diff_ids[i]`.",
    matters: "image-spec config. Docker, containerd and umoci fail when they unpack; skopeo, crane and registries never look.",
    example: "Two layers of one image that changed places.",
    mend: "If the layer is right, the config must say its digest, which changes the image ID. If it is not, fetch it again.",
    breaks: [Docker, Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// A diff ID that is no digest.
    BAD_DIFF_ID = "config/bad-diff-id", Error, Soft, [79, 111],
    checks: "Every item of `rootfs.diff_ids` is a digest.",
    matters: "image-spec config; upper-case hex is refused by every tool.",
    example: "`\"diff_ids\": [\"sha256:ABCD\"]`",
    mend: "Write the digest of the decompressed layer.",
    breaks: [Docker, Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// A diff ID that restow did not compute.
    UNVERIFIED_DIFF_ID = "config/unverified-diff-id", Warning, No, [80, 113],
    checks: "Whether restow computes the algorithm of a diff ID: sha256, sha384 or sha512.",
    matters: "image-spec allows others; whether the layer is the one that the config means is then not known.",
    example: "`blake3:` and 64 hex digits in `diff_ids`.",
    mend: "Rebuild the image with sha256 diff IDs.",
    breaks: [Docker, Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// A diff ID of another algorithm than sha256.
    OTHER_ALGORITHM = "config/other-algorithm", Warning, No, [81, 113],
    checks: "Whether diff IDs are of another algorithm than sha256.",
    matters: "image-spec descriptor allows others, and restow verifies sha384 and sha512. Docker, containerd and umoci compute sha256 alone, and fail when they compare: the image loads nowhere.",
    example: "`sha512:` and 128 hex digits in `diff_ids`.",
    mend: "Rebuild the image with sha256 diff IDs.",
    breaks: [Docker, Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// The bytes are compressed otherwise than the OCI media type says.
    CODEC_MISMATCH = "layer/codec-mismatch", Error, Soft, [148],
    checks: "The compression of a layer is the one that its OCI media type names.",
    matters: "image-spec layer. umoci trusts the type and fails, containerd trusts it for plain layers, skopeo looks at the bytes.",
    example: "`…layer.v1.tar+gzip` over a plain tar.",
    mend: "Write the type that the bytes have.",
    remedy: Convert(&[ManifestFormat("oci")]),
    breaks: [Umoci],
}
rule! {
    /// The same for Docker's media types, where tools look at the bytes.
    DOCKER_CODEC_MISMATCH = "layer/docker-codec-mismatch", Warning, No, [148, 236],
    checks: "The compression of a layer is the one that its Docker media type names.",
    matters: "skopeo and podman write plain layers under the gzip type into `dir:` layouts. Docker, containerd and containers/image look at the bytes.",
    example: "`…rootfs.diff.tar.gzip` over a plain tar, in a directory that `skopeo copy docker-archive:… dir:…` wrote.",
    mend: "Write the type that the bytes have.",
    remedy: Convert(&[ManifestFormat("oci")]),
}
rule! {
    /// A layer cannot be decompressed.
    CORRUPT = "layer/corrupt", Error, Hard, [149],
    checks: "A compressed layer decodes to its end, and its checksums are right.",
    matters: "RFC 1952 and RFC 8878. Every tool fails when it unpacks the layer, with the image half in place.",
    example: "A gzip layer whose CRC-32 is wrong.",
    mend: "Fetch the layer again.",
    breaks: [Docker, Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// A compressed layer ends too early.
    LAYER_CUT = "layer/truncated", Error, Hard, [149],
    checks: "A compressed layer does not end before its stream does.",
    matters: "RFC 1952 and RFC 8878. Every tool fails when it unpacks the layer.",
    example: "A layer that was cut while it was copied, and then named by the digest of what was left.",
    mend: "Fetch the layer again.",
    breaks: [Docker, Containerd, Podman, Buildah],
}
rule! {
    /// A layer expands beyond the limit.
    TOO_LARGE = "layer/too-large", Error, Hard, [157, 242, 245],
    checks: "A layer expands to no more than the limit layer-bytes (64 GiB), through a zstd window of no more than zstd-window-log (128 MiB).",
    matters: "A few kilobytes can expand to terabytes (gzip 1000:1, zstd 10000:1 and more).",
    example: "A zstd layer of 2 MB that expands to 100 GiB of zeros.",
    mend: "If the archive is trusted, raise the limit that the message names.",
}
rule! {
    /// Something follows the compressed stream.
    TRAILING_BYTES = "layer/trailing-bytes", Error, Soft, [150],
    checks: "Nothing follows the last gzip member or zstd frame of a layer.",
    matters: "podman, buildah and umoci refuse the layer, zeros too (`gzip: invalid header`, `unexpected EOF`); Docker and containerd took it where they were tried. The bytes are part of the digest, but of no file.",
    example: "A gzip layer padded with zeros to a multiple of 512.",
    mend: "Compress the layer anew.",
    remedy: Convert(&[Compress("gzip")]),
    breaks: [Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// Two layers in one blob.
    POLYGLOT = "layer/polyglot", Error, Hard, [148, 150],
    checks: "A layer that begins like a compressed stream does not begin with the header of a tar as well.",
    matters: "Tools that know the compression unpack what is compressed, those that do not (Docker before 23 and zstd, GNU tar and all) unpack the tar around it: two sets of files under one digest.",
    example: "A zstd skippable frame that holds a tar, and behind it a frame that holds another.",
    mend: "Treat the image as hostile, and rebuild it.",
}
rule! {
    /// A layer that only its own daemon has.
    BASE_MISSING = "docker-archive/base-missing", Error, Hard, [25],
    checks: "No layer is a zero-byte placeholder for one that a daemon is expected to have.",
    matters: "Cloud Native Buildpacks' imgutil saves images so; Docker skips the file if it has the layer, every other tool fails.",
    example: "Members `blank_0` and `blank_1` of 0 bytes.",
    mend: "Save the image again, from the daemon that has the base layers.",
    breaks: [Docker, Containerd, Skopeo, Podman, Buildah],
}
rule! {
    /// The config's name is another digest than its content's.
    CONFIG_NAME = "docker-archive/config-name-mismatch", Error, Soft, [28],
    checks: "A config whose member name is a digest hashes to it.",
    matters: "The name is what people take for the image ID. No tool compares it, so an edited config travels under the old ID.",
    example: "`0fef9c03….json` that hashes to `7e866a28…`.",
    mend: "Find out who changed the config; if its content is right, give it the name of its content.",
    remedy: Convert(&[Lower]),
}
rule! {
    /// Compression that no specification registers.
    UNKNOWN_CODEC = "layer/unregistered-codec", Error, Soft, [154],
    checks: "Layers of a manifest are plain, gzip or zstd.",
    matters: "Docker decompresses bzip2 and xz when it loads a docker-archive; as layers of a manifest no tool takes them.",
    example: "An xz-compressed layer under `…layer.v1.tar+gzip`.",
    mend: "Compress the layer anew.",
    remedy: Convert(&[Compress("gzip")]),
    breaks: [Docker, Containerd, Umoci],
}

/// `diff_ids` against the layers of an image. `facts` are those of each layer, where it was read and is sound; `told`
/// is whether the image says how many layers it has: if its list is broken or cut off, that is a fault of its own. Returns the layers that are other ones.
pub fn diff_ids(
    archive: &Archive,
    parts: &ImageParts,
    told: bool,
    facts: &[Option<&BlobFacts>],
    out: &mut Vec<Finding>,
) -> Vec<usize> {
    let Some(config) = archive.config(parts) else { return Vec::new() };
    let member = config.document.member;
    let list = config.value().at("/rootfs/diff_ids");
    let Some(list) = list.filter(|list| list.is_array()) else {
        // An image without layers may leave them out (formats.md B.8).
        let rootfs = config.value().get("rootfs").is_some_and(|rootfs| rootfs.is_object());
        // The schema has spoken of any other.
        if list.is_none_or(|list| list.is_null()) && rootfs && !parts.layers.is_empty() {
            let at = Location::pointer(member, "/rootfs");
            out.push(without_diff_ids(&at, parts, facts));
        }
        return Vec::new();
    };
    let base = Location::pointer(member, "/rootfs/diff_ids");
    let mut good: Vec<Option<Digest>> = Vec::new();
    for (i, item) in list.items().iter().enumerate() {
        let digest = item.as_str().map(Digest::parse);
        if let (Some(text), Some(Err(error))) = (item.as_str(), &digest) {
            let message = format!("`{text}` is not a digest: {error}");
            let finding = Finding::new(&BAD_DIFF_ID, base.child(i), message);
            let found = facts.get(i).copied().flatten().and_then(|facts| facts.plain.as_ref());
            out.push(match found.filter(|_| list.items().len() == parts.layers.len()) {
                Some(plain) => finding.set(&base.child(i), quoted(&plain.diff_id)),
                None => super::blob::lower_case(finding, text),
            });
        }
        good.push(digest.and_then(Result::ok));
    }
    if good.len() != parts.layers.len() && !told {
        return Vec::new();
    }
    if good.len() != parts.layers.len() {
        out.push(other_count(good.len(), base, parts));
        return Vec::new();
    }
    let mut others = Vec::new();
    for (i, ((wanted, layer), facts)) in good.iter().zip(&parts.layers).zip(facts).enumerate() {
        let plain = facts.and_then(|facts| facts.plain.as_ref());
        let (Some(wanted), Some(plain)) = (wanted, plain) else { continue };
        let algorithm = wanted.algorithm_name();
        if algorithm != "sha256" {
            let message = format!("the diff ID of layer {i} is a {algorithm}, and tools compute sha256");
            out.push(
                Finding::new(&OTHER_ALGORITHM, base.child(i), message)
                    .related(layer.at().clone(), format!("layer {i}")),
            );
        }
        let Some(found) = plain.diff_id_like(wanted) else {
            let message = format!("layer {i} is not verified: restow cannot compute {algorithm}");
            out.push(
                Finding::new(&UNVERIFIED_DIFF_ID, base.child(i), message)
                    .related(layer.at().clone(), format!("layer {i}")),
            );
            continue;
        };
        if found != wanted {
            others.push(i);
            let message = format!("layer {i} is another one than the config says");
            out.push(
                Finding::new(&DIFF_ID_MISMATCH, base.child(i), message)
                    .label(format!("found {found}"))
                    .help(format!("if the layer is right, write `{found}`; if not, fetch it again"))
                    .set(&base.child(i), quoted(found))
                    .assuming("the layer is the one that was meant")
                    .related(layer.at().clone(), format!("layer {i}")),
            );
        }
    }
    others
}

/// That a config has no list of diff IDs.
fn without_diff_ids(at: &Location, parts: &ImageParts, facts: &[Option<&BlobFacts>]) -> Finding {
    let message = format!(
        "the config has no diff IDs, the image has {}",
        crate::finding::counted(parts.layers.len() as u64, "layer")
    );
    let plain = facts.iter().map(|facts| Some(facts.as_ref()?.plain.as_ref()?.diff_id.to_string()));
    let finding = Finding::new(&LAYER_COUNT, at.clone(), message);
    match plain.collect::<Option<Vec<_>>>() {
        Some(ids) => {
            let list: Vec<String> = ids.iter().map(quoted).collect();
            finding
                .set(&at.child("diff_ids"), format!("[{}]", list.join(",")))
                .help(format!("write `diff_ids` with {}", ids.join(", ")))
                .assuming("the layers are those that were meant, in this order")
        }
        None => finding,
    }
}

/// That a config has so many diff IDs, and the image another number of layers.
fn other_count(count: usize, base: Location, parts: &ImageParts) -> Finding {
    let message = format!(
        "the config has {}, the image has {}",
        crate::finding::counted(count as u64, "diff ID"),
        crate::finding::counted(parts.layers.len() as u64, "layer")
    );
    let finding = Finding::new(&LAYER_COUNT, base, message);
    match parts.layers.get(count) {
        Some(layer) => {
            let help = "rebuild the image; nobody can tell which layer the config does not know";
            let which = format!("layer {} has no diff ID", count);
            finding.related(layer.at().clone(), which).help(help)
        }
        None => match parts.layers.first() {
            Some(layer) => finding.related(layer.at().clone(), "first layer"),
            None => finding,
        },
    }
}

/// Whether an image says which layers it has: its list is one, none of its items is left out, and no limit cut it.
pub fn tells_layers(archive: &Archive, node: &Node, parts: &ImageParts) -> bool {
    let document = match &node.body {
        Body::Manifest { .. } => node.document.map(|id| archive.document(id)),
        Body::Item { .. } => parts.config.at().member.and_then(|member| archive.document_at(member)),
        _ => None,
    };
    let root = document.as_ref().and_then(Document::root);
    let list = match &node.body {
        Body::Manifest { .. } => root.and_then(|root| root.get("layers")),
        Body::Item { .. } => {
            let at = parts.config.at();
            let At::Pointer(pointer) = &at.at else { return true };
            let item = pointer.split('/').nth(1).unwrap_or_default();
            let item = root.and_then(|root| root.at(&format!("/{item}")));
            item.and_then(|item| item.get("Layers"))
        }
        _ => return true,
    };
    list.is_some_and(|list| list.is_null() || (list.is_array() && list.items().len() == parts.layers.len()))
}

/// A layer that was not read, so large is it.
pub fn oversized(which: impl Into<Which>, size: u64, at: Location, out: &mut Vec<Finding>) {
    let which = which.into();
    let message = format!("{which} is {size} bytes as stored, above the limit layer-bytes, and was not read");
    out.push(Finding::new(&TOO_LARGE, at, message).raise("layer-bytes", Some(size)));
}

/// One layer's stream against its own format: once, however many images have the layer.
pub fn stream(which: impl Into<Which>, facts: &BlobFacts, at: &Location, out: &mut Vec<Finding>) {
    let which = which.into();
    let codec = facts.codec.name();
    let offset = |offset: u64| Location { member: at.member, at: At::Offset(offset) };
    match &facts.fault {
        Some(Fault::Truncated { offset: end }) => {
            out.push(Finding::new(
                &LAYER_CUT,
                offset(*end),
                format!("the {codec} stream of {which} ends too early"),
            ));
        }
        Some(Fault::Corrupt { offset: near, problem }) => {
            let message = format!("the {codec} stream of {which} is corrupt: {problem}");
            out.push(Finding::new(&CORRUPT, offset(*near), message).label("near this offset"));
        }
        Some(Fault::TooLarge { limit }) => {
            let message = format!("{which} expands to more than {limit} bytes (limit layer-bytes)");
            out.push(Finding::new(&TOO_LARGE, at.clone(), message).raise("layer-bytes", None));
        }
        Some(Fault::WindowTooLarge { limit }) => {
            let message =
                format!("{which} needs a {codec} window above 2^{limit} bytes (limit zstd-window-log)");
            out.push(Finding::new(&TOO_LARGE, at.clone(), message).raise("zstd-window-log", None));
        }
        Some(Fault::EmptyFrames { limit }) => {
            let message =
                format!("{which} has more than {limit} frames without content in a row (limit empty-frames)");
            out.push(Finding::new(&TOO_LARGE, at.clone(), message).raise("empty-frames", None));
        }
        None => {}
    }
    if facts.polyglot {
        let message = format!("{which} begins like {codec} and like a tar: readers take it for either");
        out.push(Finding::new(&POLYGLOT, at.clone(), message));
    }
    if let Some(trailing) = facts.plain.as_ref().and_then(|plain| plain.trailing) {
        let what = if trailing.zeros { "zeros" } else { "bytes that are no further part of it" };
        let message = format!("{what} follow the {codec} stream of {which}");
        out.push(Finding::new(&TRAILING_BYTES, offset(trailing.offset), message));
    }
}

/// One layer's stream against the media type that a manifest gives it.
pub fn declared(
    part: &Part,
    which: impl Into<Which>,
    facts: &BlobFacts,
    at: Location,
    out: &mut Vec<Finding>,
) {
    let which = which.into();
    let codec = facts.codec.name();
    let Some(descriptor) = part.descriptor() else { return };
    let Some(layer_type) = LayerType::of(descriptor.type_or_empty()) else { return };
    if matches!(facts.codec, Codec::Bzip2 | Codec::Xz) {
        let message = format!("{which} is compressed by {codec}, which no manifest can name");
        out.push(Finding::new(&UNKNOWN_CODEC, descriptor.at.child("mediaType"), message));
        return;
    }
    // A blob of no bytes is an empty layer under any type.
    if layer_type.codec == facts.codec || facts.size == 0 {
        return;
    }
    let rule = if layer_type.family == Family::Oci { &CODEC_MISMATCH } else { &DOCKER_CODEC_MISMATCH };
    let message = format!("{which} is {codec}, its media type says {}", layer_type.codec.name());
    let place = descriptor.at.child("mediaType");
    let finding = Finding::new(rule, place.clone(), message).related(at, format!("begins as {codec}"));
    out.push(match LayerType::name(layer_type.family, facts.codec, layer_type.nondistributable) {
        Some(name) => finding.set(&place, quoted(name)),
        None => finding,
    });
}

/// A docker-archive's config: its member name, where that is a digest.
pub fn config_name(archive: &Archive, parts: &ImageParts, out: &mut Vec<Finding>) {
    let Some(document) = archive.part_listed(&parts.config) else { return };
    let name = archive.tree.member(document.member).name().to_string();
    let base = name.strip_suffix(".json").unwrap_or(&name);
    let claimed = base.strip_prefix("sha256:").or_else(|| base.strip_prefix("blobs/sha256/")).unwrap_or(base);
    let Some(claimed) = Digest::from_sha256_hex(claimed) else { return };
    if claimed != document.sha256 {
        let message = format!(
            "the config is called {}, but hashes to {}",
            claimed.encoded(),
            document.sha256.encoded()
        );
        let right = name.replacen(claimed.encoded(), document.sha256.encoded(), 1);
        out.push(
            Finding::new(&CONFIG_NAME, Location::member(document.member), message)
                .related(parts.config.at().clone(), "named here")
                .help(format!("find out who changed the config; if its content is right, call it `{right}`"))
                .change(Target::Member(document.member), Edit::Move(right.clone()))
                .set(parts.config.at(), quoted(&right))
                .assuming("the content of the config is the one that was meant"),
        );
    }
}

/// A docker-archive's layer that is only a placeholder.
pub fn placeholder(
    archive: &Archive,
    part: &Part,
    i: usize,
    wanted: Option<&Digest>,
    out: &mut Vec<Finding>,
) -> bool {
    let Some(member) = part.blob.and_then(|blob| archive.blob(blob).member) else { return false };
    let held = archive.tree.member(member);
    let blank = part.wanted().trim_start_matches('/').starts_with("blank_");
    if held.size > 0 || !(blank || wanted.is_some_and(|wanted| *wanted != Digest::sha256(b""))) {
        return false;
    }
    let message = format!("layer {i} is an empty placeholder; base layers are missing from the archive");
    out.push(Finding::new(&BASE_MISSING, part.at().clone(), message));
    true
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::media;
    use crate::rules::fixture::{Layout, Tar, config, names};

    const HERE: [&str; 6] =
        ["layer/", "config/diff", "config/layer", "config/bad", "config/unverified", "config/other"];
    const EMPTY: [u8; 1024] = [0; 1024];

    /// What is found of an image with one layer under this type, and these diff IDs.
    fn image(media_type: &str, layer: &[u8], diff_ids: &[&str]) -> Vec<&'static str> {
        let docker = media_type.contains("docker");
        let (own, of_config) = if docker {
            (media::DOCKER_MANIFEST, media::DOCKER_CONFIG)
        } else {
            (media::OCI_MANIFEST, media::OCI_CONFIG)
        };
        let layout = Layout::new();
        let config = layout.descriptor(of_config, config(diff_ids).as_bytes());
        let layer = layout.descriptor(media_type, layer);
        let text =
            format!(r#"{{"schemaVersion":2,"mediaType":"{own}","config":{config},"layers":[{layer}]}}"#);
        layout.index_json(&[layout.descriptor(own, text.as_bytes())]);
        layout.checked(&HERE)
    }

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(plain).expect("in memory");
        encoder.finish().expect("in memory")
    }

    #[test]
    fn diff_ids_of_layers() {
        let id = Digest::sha256(&EMPTY).to_string();
        let other = Digest::sha256(b"other").to_string();
        let of = |ids: &[&str]| image(media::OCI_LAYER_GZIP, &gzip(&EMPTY), ids);
        assert_eq!(of(&[&id]), [""; 0]);
        assert_eq!(of(&[&other]), ["config/diff-id-mismatch"]);
        assert_eq!(of(&[&id, &other]), ["config/layer-count"]);
        assert_eq!(of(&[]), ["config/layer-count"]);
        assert_eq!(of(&["sha256:AB"]), ["config/bad-diff-id"]);
        let sha512 = Digest::parse(&format!("sha512:{}", "0".repeat(128))).expect("a digest");
        assert_eq!(of(&[sha512.as_str()]), ["config/diff-id-mismatch", "config/other-algorithm"]);
        let right = sha512.of_same_kind(&EMPTY).expect("known");
        assert_eq!(of(&[right.as_str()]), ["config/other-algorithm"]);
        let blake3 = format!("blake3:{}", "0".repeat(64));
        assert_eq!(of(&[&blake3]), ["config/other-algorithm", "config/unverified-diff-id"]);
    }

    #[test]
    fn compressions_against_types() {
        let id = Digest::sha256(&EMPTY).to_string();
        let of = |media_type: &str, layer: &[u8]| image(media_type, layer, &[&id]);
        assert_eq!(of(media::OCI_LAYER, &EMPTY), [""; 0]);
        assert_eq!(of(media::OCI_LAYER_GZIP, &EMPTY), ["layer/codec-mismatch"]);
        assert_eq!(of(media::OCI_LAYER, &gzip(&EMPTY)), ["layer/codec-mismatch"]);
        assert_eq!(of(media::DOCKER_LAYER_GZIP, &gzip(&EMPTY)), [""; 0]);
        assert_eq!(of(media::DOCKER_LAYER_GZIP, &EMPTY), ["layer/docker-codec-mismatch"]);
        let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        bzip2.write_all(&EMPTY).expect("in memory");
        let bzip2 = bzip2.finish().expect("in memory");
        assert_eq!(of(media::OCI_LAYER_GZIP, &bzip2), ["layer/unregistered-codec"]);
    }

    /// A gzip stream behind an extra field that holds the header of a tar, or nearly one.
    fn polyglot(stream: &[u8], sound: bool) -> Vec<u8> {
        let mut tar = ::tar::Header::new_ustar();
        tar.set_size(0);
        // Flags say that there is an extra field, of 600 bytes.
        tar.as_mut_bytes()[..12].copy_from_slice(&[0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 3, 0x58, 2]);
        tar.set_cksum();
        tar.as_mut_bytes()[500] = u8::from(!sound);
        [tar.as_bytes(), &[0; 100][..], &stream[10..]].concat()
    }

    #[test]
    fn streams_that_do_not_end_well() {
        let id = Digest::sha256(&EMPTY).to_string();
        let of = |layer: &[u8]| image(media::OCI_LAYER_GZIP, layer, &[&id]);
        let sound = gzip(&EMPTY);
        assert_eq!(of(&sound), [""; 0]);
        assert_eq!(of(&sound[..sound.len() - 1]), ["layer/truncated"]);
        assert_eq!(of(&[&sound[..], b"x"].concat()), ["layer/trailing-bytes"]);
        assert_eq!(of(&polyglot(&sound, true)), ["layer/polyglot"]);
        assert_eq!(of(&polyglot(&sound, false)), [""; 0]);
        let mut corrupt = sound;
        let checksum = corrupt.len() - 8;
        corrupt[checksum] ^= 1;
        assert_eq!(of(&corrupt), ["layer/corrupt"]);
        // A header that is none still says that the layer was to be gzip.
        let mut method = gzip(&EMPTY);
        method[2] = 7;
        assert_eq!(of(&method), ["layer/corrupt"]);
        assert_eq!(of(&[0x1f, 0x8b]), ["layer/truncated"]);
    }

    #[test]
    fn layers_that_expand_too_far() {
        let of = |fault: Option<Fault>| {
            let facts = BlobFacts {
                size: 1,
                sha256: Digest::sha256(b""),
                other: None,
                codec: Codec::Gzip,
                polyglot: false,
                gzip: None,
                plain: None,
                fault,
                missing: 0,
            };
            let mut out = Vec::new();
            stream(0, &facts, &Location::member(crate::location::MemberId(0)), &mut out);
            names(&out)
        };
        assert_eq!(of(None), [""; 0]);
        assert_eq!(of(Some(Fault::TooLarge { limit: 1 })), ["layer/too-large"]);
        assert_eq!(of(Some(Fault::WindowTooLarge { limit: 27 })), ["layer/too-large"]);
    }

    /// What is found of a docker-archive with this config's name and this layer.
    fn docker(config_name: &str, layer: &[u8], diff_id: &str) -> Vec<&'static str> {
        let manifest = format!(r#"[{{"Config":"{config_name}","RepoTags":["a:1"],"Layers":["blank_0"]}}]"#);
        let tar = Tar::default()
            .file(config_name, config(&[diff_id]).as_bytes())
            .file("blank_0", layer)
            .file("manifest.json", manifest.as_bytes());
        crate::rules::fixture::judged(&tar.end(), &["docker-archive/", "config/diff"])
    }

    #[test]
    fn configs_that_are_called_by_a_digest() {
        let id = Digest::sha256(&EMPTY).to_string();
        let right = Digest::sha256(config(&[&id]).as_bytes());
        let wrong = Digest::sha256(b"other");
        for (name, expected) in [
            ("c.json".to_owned(), &[][..]),
            (format!("{}.json", right.encoded()), &[]),
            (right.to_string(), &[]),
            (format!("{}.json", wrong.encoded()), &["docker-archive/config-name-mismatch"]),
            (wrong.to_string(), &["docker-archive/config-name-mismatch"]),
        ] {
            assert_eq!(docker(&name, &EMPTY, &id), expected, "{name}");
        }
    }

    #[test]
    fn placeholders_of_layers() {
        let id = Digest::sha256(&EMPTY).to_string();
        assert_eq!(docker("c.json", b"", &id), ["docker-archive/base-missing"]);
        // A layer of no bytes is one, if the config says so.
        let none = Digest::sha256(b"").to_string();
        let config_of_nothing = docker("c.json", &EMPTY, &id);
        assert_eq!(config_of_nothing, [""; 0]);
        assert_eq!(docker("c.json", b"", &none), ["docker-archive/base-missing"], "by its name");
    }
}
