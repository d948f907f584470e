//! Rules about blobs and the descriptors that point at them.

use bstr::ByteSlice;

use crate::blob::BlobFacts;
use crate::digest::Digest;
use crate::finding::{Edit, Finding, Rule, Target, quoted, rule};
use crate::location::{Location, MemberId};
use crate::media::LayerType;
use crate::model::partial::is_mirror;
use crate::model::{Archive, Blob, Descriptor, DocId, Form, Part};
use crate::source::MemberName;

/// The rules of this file.
pub const RULES: &[&Rule] = &[
    &MISSING,
    &MISSING_NONDISTRIBUTABLE,
    &MISSING_CHILD,
    &CHILD_LOST,
    &HOLLOW_INDEX,
    &DIGEST_MISMATCH,
    &UNREFERENCED_MISMATCH,
    &CUT,
    &SIZE_MISMATCH,
    &BAD_DIGEST,
    &UNVERIFIED_DIGEST,
];

rule! {
    /// A blob is not in the archive.
    MISSING = "blob/missing", Error, Hard, [23, 24, 95, 97, 207],
    checks: "The archive holds every manifest that a root names, and every config and layer of each image.",
    matters: "The image cannot be used. `docker load` with the containerd store exits 0 all the same.",
    example: "A layer was lost when files were copied out of `blobs/sha256/`.",
    mend: "Save the image again, or copy the blob from where it is: its digest tells the right one.",
    breaks: [Docker, Skopeo, Registry],
}
rule! {
    /// A layer that nobody needs to carry.
    MISSING_NONDISTRIBUTABLE = "blob/missing-nondistributable", Note, No, [97],
    checks: "Whether nondistributable (foreign) layers are in the archive.",
    matters: "They need not be: their `urls` say where they come from. Docker leaves them out of what it saves.",
    example: "The base layer of a Windows image.",
    mend: "Nothing to mend.",
}
rule! {
    /// A child of an index is not in the archive.
    MISSING_CHILD = "index/missing-child", Warning, No, [96],
    checks: "Whether the archive holds every child of an index, and of each child any layer of its own: one that no whole child uses. Registry storage is `storage/missing-child`.",
    matters: "A sparse export is legal (image-spec image layout) and common: Docker and `ctr` leave out other platforms. Using such a platform fails with `content digest … not found`.",
    example: "`ctr images export --platform linux/amd64` of an image for two platforms.",
    mend: "Pull all platforms before saving; or convert it, and bring them from another place meanwhile, cut the index to what is there, or keep one platform, which leaves the index out.",
    remedy: Convert(&[Platform]),
    breaks: [Skopeo, Registry],
}
rule! {
    /// A child of an index is not in registry storage.
    CHILD_LOST = "storage/missing-child", Error, Soft, [96],
    checks: "Registry storage holds every child of an index, but for the cache of a registry that mirrors another one.",
    matters: "A registry takes no index whose children it lacks, so something has removed them since: Distribution's garbage collector did up to 2.8 with `--delete-untagged`. Whoever pulls the platform gets 404.",
    example: "Garbage was collected, and the manifest for linux/arm64 went, while the index stays.",
    mend: "Push the image again; or convert it, and bring what is gone from another place meanwhile, cut the index to what is there, or keep a platform that is there.",
    remedy: Convert(&[Platform]),
    breaks: [Registry],
}
rule! {
    /// No image of an index is there.
    HOLLOW_INDEX = "index/no-image-here", Error, Soft, [52, 96],
    checks: "Of the images that an index lists the archive holds at least one whole.",
    matters: "There is nothing that can be run: skopeo, Docker and containerd fail on such an index for every platform.",
    example: "A layout with the index of `alpine` alone, of which no platform was pulled.",
    mend: "Save or copy the image again, for at least one platform.",
    breaks: [Docker, Containerd, Skopeo, Podman, Buildah, Registry],
}
rule! {
    /// A blob is not what its digest says.
    DIGEST_MISMATCH = "blob/digest-mismatch", Error, Hard, [28, 84, 85, 221, 222, 233],
    checks: "Every blob that something points at hashes to its digest.",
    matters: "image-spec descriptor: content must be verified. skopeo and crane do not check the manifest blob; registries serve a corrupt blob with 200.",
    example: "One bit of a layer flipped on a worn disk.",
    mend: "Fetch the blob again; no tool can repair it.",
    breaks: [Containerd, Umoci, Registry],
}
rule! {
    /// A blob that nothing points at is not what its name says.
    UNREFERENCED_MISMATCH = "blob/unreferenced-mismatch", Warning, No, [85],
    checks: "Blobs that nothing points at hash to their names too.",
    matters: "All tools ignore them; a later image that shares the blob would be broken.",
    example: "A half-written blob of an interrupted copy.",
    mend: "Remove the blob.",
}
rule! {
    /// The archive ends inside a blob.
    CUT = "blob/cut", Error, Hard, [3],
    checks: "Every blob is as long as the file system or tar header says.",
    matters: "Bytes are missing, so nothing about the blob can be verified.",
    example: "A file that shrank while it was read.",
    mend: "Copy the archive again.",
}
rule! {
    /// A descriptor's size is wrong.
    SIZE_MISMATCH = "descriptor/size-mismatch", Error, Soft, [82, 83],
    checks: "`size` in a descriptor is the length of the blob.",
    matters: "image-spec descriptor: content of another size must not be trusted. umoci refuses it, the others go by the digest.",
    example: "The manifest says 32, the layer is 33 bytes.",
    mend: "Write the right size into the descriptor; if it stands in a manifest, the manifest's digest changes.",
    breaks: [Umoci],
}
rule! {
    /// What should be a digest is none.
    BAD_DIGEST = "descriptor/bad-digest", Error, Hard, [78, 79, 220],
    checks: "Digests obey the grammar, and those of known algorithms have the exact number of lower-case hex digits.",
    matters: "image-spec descriptor. No tool finds a blob under such a name.",
    example: "`sha256:ABC`: too short, and upper case.",
    mend: "Write the digest of the blob that was meant.",
    breaks: [Docker, Containerd, Skopeo, Podman, Buildah, Umoci, Registry],
}
rule! {
    /// A digest that restow cannot compute.
    UNVERIFIED_DIGEST = "descriptor/unverified-digest", Warning, No, [80],
    checks: "Whether restow can compute the algorithm of a digest (sha256, sha384, sha512).",
    matters: "image-spec allows others; the content is then carried unverified.",
    example: "`blake3:` and 64 hex digits.",
    mend: "Use sha256, which every tool knows.",
    breaks: [Docker, Containerd, Skopeo, Podman, Buildah, Umoci, Registry],
}

/// A child of an index that is not there: `manifest` tells whether its manifest is not either. What mirrors another
/// registry holds what was asked of it.
pub fn missing_child(archive: &Archive, at: Location, what: &str, manifest: bool) -> Finding {
    let rule = match archive.form == Form::RegistryStorage && !is_mirror(archive) {
        true => &CHILD_LOST,
        false => &MISSING_CHILD,
    };
    let message = match manifest {
        true => format!("the archive does not hold {what}"),
        false => format!("the archive holds no layer that only {what} has"),
    };
    Finding::new(rule, at, message)
}

/// What a descriptor says, by itself. `length` is that of its blob, if that is known; `held` tells whether the archive
/// has a blob.
pub fn descriptor(
    descriptor: &Descriptor,
    length: Option<u64>,
    held: &dyn Fn(&Digest) -> bool,
    out: &mut Vec<Finding>,
) {
    match &descriptor.digest {
        Some(Err(bad)) => {
            let (text, error) = &**bad;
            let message = format!("`{text}` is not a digest: {error}");
            let finding = Finding::new(&BAD_DIGEST, descriptor.at.child("digest"), message);
            // Under another name it is right only if there is such a blob.
            let there = Digest::parse(&text.to_ascii_lowercase()).is_ok_and(|digest| held(&digest));
            out.push(if there { lower_case(finding, text) } else { finding });
        }
        Some(Ok(digest)) if digest.algorithm().is_none() => {
            let message = format!(
                "restow cannot compute {} digests, so the blob is not verified",
                digest.algorithm_name()
            );
            out.push(Finding::new(&UNVERIFIED_DIGEST, descriptor.at.child("digest"), message));
        }
        _ => {}
    }
    if let Some(size) = descriptor.size.filter(|size| *size < 0) {
        let message = format!("the size is {size}, a blob cannot have less than 0 bytes");
        let at = descriptor.at.child("size");
        let finding = Finding::new(&SIZE_MISMATCH, at.clone(), message);
        out.push(match length {
            Some(length) => finding.label(format!("should be {length}")).set(&at, length.to_string()),
            None => finding,
        });
    }
}

/// With the digest in lower case as the fix, if that is one.
pub(super) fn lower_case(finding: Finding, text: &str) -> Finding {
    let lower = text.to_ascii_lowercase();
    let at = finding.primary.location.clone();
    if Digest::parse(&lower).is_ok() { finding.set(&at, quoted(lower)) } else { finding }
}

/// What a descriptor says against the length of the blob. Silent if the content is wrong anyway.
pub fn size(descriptor: &Descriptor, member: MemberId, length: u64, what: &str, out: &mut Vec<Finding>) {
    let Some(size) = descriptor.size.filter(|size| *size >= 0) else { return };
    if u64::try_from(size) != Ok(length) {
        let message = format!("{what} is {length} bytes, the descriptor says {size}");
        let at = descriptor.at.child("size");
        out.push(
            Finding::new(&SIZE_MISMATCH, at.clone(), message)
                .label(format!("should be {length}"))
                .set(&at, length.to_string())
                .related(Location::member(member), format!("{length} bytes")),
        );
    }
}

/// What points at a blob.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// Where.
    pub at: &'a Location,
    /// The name of the blob's member, if a descriptor's digest is what leads to it.
    pub named: Option<&'a MemberName>,
}

/// A blob's content against its name. `by` is what points at it.
pub fn content(
    blob: &Blob,
    found: &Digest,
    length: u64,
    what: &str,
    by: Option<By<'_>>,
    out: &mut Vec<Finding>,
) -> bool {
    let (Some(member), Some(wanted)) = (blob.member, &blob.digest) else { return true };
    if found == wanted {
        return true;
    }
    let rule = if blob.referenced { &DIGEST_MISMATCH } else { &UNREFERENCED_MISMATCH };
    let message = match length {
        0 => format!("{what} has no bytes, and so does not hash to its digest"),
        _ => format!("{what} does not hash to its digest"),
    };
    let finding = Finding::new(rule, Location::member(member), message)
        .label(format!("expected {wanted}, found {found} ({})", crate::finding::counted(length, "byte")));
    let finding = match blob.referenced {
        true if length == 0 => finding.help("fetch the blob again: the file is empty"),
        true => finding.help(format!("fetch the blob again; if it is the right one, its digest is {found}")),
        false => finding.change(Target::Member(member), Edit::Delete),
    };
    let Some(by) = by else {
        out.push(finding);
        return false;
    };
    let finding = finding.related(by.at.clone(), "named here");
    let name = by.named.map(MemberName::text);
    let folder = name.as_ref().and_then(|name| name.strip_suffix(wanted.encoded().as_bytes()));
    out.push(match folder.filter(|_| blob.referenced) {
        Some(folder) if length > 0 => finding
            .set(&by.at.child("digest"), quoted(found))
            .change(Target::Member(member), Edit::Move(format!("{}{}", folder.as_bstr(), found.encoded())))
            .assuming("the blob is the one that was meant"),
        _ => finding,
    });
    false
}

/// Facts of a blob that was read, against its name; whether it is sound.
pub fn facts(blob: &Blob, facts: &BlobFacts, what: &str, by: Option<By<'_>>, out: &mut Vec<Finding>) -> bool {
    let Some(member) = blob.member else { return true };
    if facts.missing > 0 {
        let message = format!("{what} ends {} bytes early", facts.missing);
        out.push(Finding::new(&CUT, Location::member(member), message));
        return false;
    }
    match blob.digest.as_ref().and_then(|wanted| facts.digest_like(wanted)) {
        Some(found) => content(blob, found, facts.size, what, by, out),
        None => true,
    }
}

/// A config or layer that the archive lacks.
pub fn missing(archive: &Archive, part: &Part, what: &str, out: &mut Vec<Finding>) {
    if archive.holds(part) {
        return;
    }
    let bad_digest = part.descriptor().is_some_and(|d| d.good_digest().is_none());
    // The digest itself is at fault, or the schema has said that there is none.
    if bad_digest || (part.descriptor().is_none() && part.wanted().is_empty()) {
        return;
    }
    let foreign = part.descriptor().and_then(|d| LayerType::of(d.type_or_empty()));
    if foreign.is_some_and(|t| t.nondistributable) {
        let message = format!("{what}, which is nondistributable, is not in the archive");
        out.push(Finding::new(&MISSING_NONDISTRIBUTABLE, part.at().clone(), message));
        return;
    }
    let message = format!("{what} is not in the archive: {}", part.wanted());
    let finding = Finding::new(&MISSING, part.at().clone(), message);
    out.push(match in_place(archive, part) {
        Some((name, text)) => finding
            .help(format!("write the bytes that the descriptor has as `data` into `{name}`"))
            .change(Target::Named(name.into()), Edit::Write(text)),
        None => finding,
    });
}

/// The member that a missing blob would be, and its text, where the descriptor itself has the bytes.
fn in_place(archive: &Archive, part: &Part) -> Option<(String, String)> {
    let digest = part.descriptor()?.good_digest()?;
    let (member, pointer) = part.at().member_and_pointer()?;
    let id = archive.documents.iter().position(|document| document.member == member)?;
    let document = archive.document(DocId(id as u32));
    let data = document.root()?.at(&pointer)?.get("data")?.as_str()?;
    let bytes = data_encoding::BASE64.decode(data.as_bytes()).ok()?;
    let is_it = archive.form == Form::Oci && digest.of_same_kind(&bytes).as_ref() == Some(digest);
    let name = format!("blobs/{}/{}", digest.algorithm_name(), digest.encoded());
    String::from_utf8(bytes).ok().filter(|_| is_it).map(|text| (name, text))
}

#[cfg(test)]
mod tests {
    use crate::blob::pipeline;
    use crate::blob::stage::{Keep, Request};
    use crate::codec::Caps;
    use crate::digest::Digest;
    use crate::media;
    use crate::rules::fixture::{Layout, config, names};

    const HERE: [&str; 4] = ["blob/", "index/missing", "descriptor/unver", "descriptor/size"];
    const PLAIN: &str = media::OCI_LAYER;
    const FOREIGN: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar";

    fn manifest(layout: &Layout, layers: &[String]) -> String {
        let config = layout.descriptor(media::OCI_CONFIG, config(&[]).as_bytes());
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{config},"layers":[{}]}}"#,
            media::OCI_MANIFEST,
            layers.join(",")
        );
        layout.descriptor(media::OCI_MANIFEST, text.as_bytes())
    }

    fn absent(media_type: &str, digest: &str) -> String {
        format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":1}}"#)
    }

    fn of_layer(layout: &Layout, descriptor: String) -> Vec<&'static str> {
        layout.index_json(&[manifest(layout, &[descriptor])]);
        layout.checked(&HERE)
    }

    #[test]
    fn blobs_that_are_missing() {
        let layout = Layout::new();
        let here = layout.descriptor(PLAIN, &[0; 1024]);
        assert_eq!(of_layer(&layout, here), [""; 0]);
        let nowhere = Digest::sha256(b"nowhere").to_string();
        let layout = Layout::new();
        assert_eq!(of_layer(&layout, absent(PLAIN, &nowhere)), ["blob/missing"]);
        assert_eq!(of_layer(&Layout::new(), absent(FOREIGN, &nowhere)), ["blob/missing-nondistributable"]);
        let twice = absent(PLAIN, &nowhere);
        layout.index_json(&[manifest(&Layout::new(), &[]), manifest(&layout, &[twice.clone(), twice])]);
        assert_eq!(layout.checked(&["blob/missing"]).len(), 2, "a manifest, and a layer once");
    }

    #[test]
    fn children_that_are_missing() {
        let layout = Layout::new();
        let child = manifest(&layout, &[]);
        let other = absent(media::OCI_MANIFEST, Digest::sha256(b"nowhere").as_str());
        let of = |children: &[&String]| {
            let list: Vec<&str> = children.iter().map(|child| child.as_str()).collect();
            let text = format!(
                r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}}"#,
                media::OCI_INDEX,
                list.join(",")
            );
            layout.index_json(&[layout.descriptor(media::OCI_INDEX, text.as_bytes())]);
            layout.checked(&["index/missing", "blob/missing"])
        };
        assert_eq!(of(&[&child]), [""; 0]);
        assert_eq!(of(&[&child, &other]), ["index/missing-child"]);
    }

    #[test]
    fn blobs_that_are_something_else() {
        let layout = Layout::new();
        let layer = layout.descriptor(PLAIN, &[0; 1024]);
        layout.index_json(&[manifest(&layout, &[layer])]);
        let name = format!("blobs/sha256/{}", Digest::sha256(&[0; 1024]).encoded());
        let mut other = [0; 1024];
        other[1023] = 1;
        layout.file(&name, &other);
        // Of equal length and a layer still: nothing follows from it.
        assert_eq!(
            layout.checked(&["blob/", "layer/", "config/diff", "descriptor/"]),
            ["blob/digest-mismatch"]
        );
        layout.file(&name, &[0; 1024]);
        assert_eq!(layout.checked(&["blob/"]), [""; 0]);
        layout.file(&format!("blobs/sha256/{}", "0".repeat(64)), b"x");
        assert_eq!(layout.checked(&["blob/"]), ["blob/unreferenced-mismatch"]);
    }

    #[test]
    fn digests_in_upper_case() {
        let fixes = |there: bool| {
            let layout = Layout::new();
            let digest = Digest::sha256(b"x");
            if there {
                layout.blob(b"x");
            }
            let upper = digest.encoded().to_ascii_uppercase();
            layout.index_json(&[manifest(&layout, &[absent(PLAIN, &format!("sha256:{upper}"))])]);
            let found = layout.findings();
            let bad: Vec<_> = found.iter().filter(|f| f.rule.name == "descriptor/bad-digest").collect();
            assert_eq!(bad.len(), 1);
            bad[0].fix.is_some()
        };
        assert!(fixes(true));
        assert!(!fixes(false), "there is no such blob");
    }

    #[test]
    fn digests_that_cannot_be_computed() {
        let layout = Layout::new();
        let md5 = "0".repeat(32);
        layout.file(&format!("blobs/md5/{md5}"), &[0]);
        assert_eq!(of_layer(&layout, absent(PLAIN, &format!("md5:{md5}"))), ["descriptor/unverified-digest"]);
        let layout = Layout::new();
        let sha512 = Digest::parse(&format!("sha512:{}", "0".repeat(128))).expect("valid");
        let sha512 = sha512.of_same_kind(&[0]).expect("known");
        layout.file(&format!("blobs/sha512/{}", sha512.encoded()), &[0]);
        assert_eq!(of_layer(&layout, absent(PLAIN, sha512.as_str())), [""; 0]);
    }

    #[test]
    fn blobs_that_end_too_early() {
        let layout = Layout::new();
        layout.index_json(&[manifest(&layout, &[layout.descriptor(PLAIN, &[0; 1024])])]);
        let archive = layout.open();
        let layer = Digest::sha256(&[0; 1024]);
        let held = archive.blobs.iter().find(|blob| blob.digest.as_ref() == Some(&layer)).expect("the layer");
        let request = Request {
            size: 1024,
            other: None,
            plain: false,
            plain_other: None,
            caps: Caps { bytes: 1 << 20, window_log: 27, empty_parts: 1_000 },
        };
        let short = |bytes: &[u8]| {
            let (facts, _) =
                pipeline::run(&mut &bytes[..], request, Keep::Nothing, &mut std::io::sink(), None)
                    .expect("in memory");
            let mut out = Vec::new();
            super::facts(held, &facts, "layer 0", None, &mut out);
            names(&out)
        };
        assert_eq!(short(&[0; 1023]), ["blob/cut"]);
        assert_eq!(short(&[0; 1024]), [""; 0]);
    }
}
