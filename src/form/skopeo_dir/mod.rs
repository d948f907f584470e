//! skopeo's and podman's `dir:` layout (formats.md E.1).

mod form;
mod write;

pub use form::{FORMAT, WRITING};
pub use write::skopeo_dir;

use crate::digest::Digest;
use crate::error::Result;
use crate::limits::Limits;
use crate::location::{Location, MemberId};
use crate::model::archive::*;
use crate::model::build::Builder;
use crate::model::kind;
use crate::model::legacy::jws::Jws;
use crate::model::{Anomaly, DocKind, Form, Sought, StorageProblem};
use crate::source::{Ingested, Tree};

/// Recognises a `dir:` layout: `version` with its text, or `manifest.json` that is an object.
pub fn detect(tree: &Tree) -> bool {
    let starts = |name: &[u8], with: &[u8]| {
        let head = tree.file(name).and_then(|id| tree.head(id, 64).ok()).unwrap_or_default();
        head.trim_ascii_start().starts_with(with)
    };
    tree.get(b"manifest.json").is_some()
        && (starts(b"version", b"Directory Transport Version: ") || starts(b"manifest.json", b"{"))
}

/// Reads a `dir:` layout.
pub fn open(tree: Tree, ingested: Ingested, limits: &Limits) -> Result<Archive> {
    let mut builder = Builder::new(Form::Dir, tree, ingested, limits, locate);
    let Some(member) = builder.file("manifest.json") else {
        builder.odd(Anomaly::MissingMember { name: "manifest.json", of: "a dir: layout" });
        return Ok(builder.archive);
    };
    // The layout has no digest of its manifest: the bytes define it (for schema 1, without their signatures).
    let Some(document) = builder.document(member, DocKind::Manifest(crate::media::Family::Oci))? else {
        return Ok(builder.archive);
    };
    let digest = manifest_digest(&builder, document);
    let top = digest.clone();
    builder.set_find(
        move |tree: &Tree, wanted: &Digest, sought: Sought| {
            if *wanted == top { Some(member) } else { locate(tree, wanted, sought) }
        },
    );
    let at = Location::member(member);
    if let Some(node) = builder.manifest(digest, None, &at)? {
        signatures(&mut builder)?;
        builder.archive.roots.push(Root::listed(at, node));
    }
    version(&mut builder)?;
    stored_blobs(&mut builder);
    Ok(builder.archive)
}

fn manifest_digest(builder: &Builder<'_>, id: DocId) -> Digest {
    let document = builder.archive.document(id);
    let schema1 = document.root().and_then(kind::guess) == Some(crate::media::DocumentType::Schema1);
    match &document.json {
        Ok(json) if schema1 => Jws::read(&document.bytes, &json.root, document.depth)
            .digest()
            .unwrap_or_else(|| document.sha256.clone()),
        _ => document.sha256.clone(),
    }
}

fn locate(tree: &Tree, digest: &Digest, sought: Sought) -> Option<MemberId> {
    let blob = || tree.file(digest.encoded().as_bytes());
    if sought == Sought::Manifest {
        return tree.file(format!("{}.manifest.json", digest.encoded()).as_bytes()).or_else(blob);
    }
    // Version 1.0 named layers `<hex>.tar`.
    blob().or_else(|| tree.file(format!("{}.tar", digest.encoded()).as_bytes()))
}

/// Versions that there were; before 2017-11 there was no file.
const VERSIONS: [&[u8]; 2] = [b"Directory Transport Version: 1.1\n", b"Directory Transport Version: 1.0\n"];

fn version(builder: &mut Builder<'_>) -> Result<()> {
    let Some(member) = builder.file("version") else { return Ok(()) };
    let text = builder.archive.tree.head(member, 64)?;
    if !VERSIONS.contains(&&text[..]) {
        let problem = StorageProblem::Version(String::from_utf8_lossy(&text).into_owned());
        builder.odd(Anomaly::Storage { at: Location::member(member), problem });
    }
    Ok(())
}

/// Whether a signature begins as one: an OpenPGP packet, or a zero byte and the name of a format.
fn is_signature(head: &[u8]) -> bool {
    match head {
        [0, rest @ ..] => {
            let name = rest.split(|b| *b == b'\n').next().unwrap_or_default();
            name.len() < rest.len() && matches!(name, b"simple-signing" | b"sigstore-json")
        }
        [first, ..] => first & 0x80 != 0,
        [] => false,
    }
}

/// `signature-N` belongs to `manifest.json`, `<hex>.signature-N` to a child.
fn signatures(builder: &mut Builder<'_>) -> Result<()> {
    for i in 0..builder.archive.nodes.len() {
        let node = &builder.archive.nodes[i];
        let Some(digest) = &node.digest else { continue };
        let top =
            node.blob.and_then(|blob| builder.archive.blob(blob).member) == builder.file("manifest.json");
        let prefix = if top { String::new() } else { format!("{}.", digest.encoded()) };
        let found: Vec<MemberId> = (1..=1000)
            .map_while(|n| builder.archive.tree.file(format!("{prefix}signature-{n}").as_bytes()))
            .collect();
        for &member in &found {
            if !is_signature(&builder.archive.tree.head(member, 64)?) {
                let at = Location::member(member);
                builder.odd(Anomaly::Storage { at, problem: StorageProblem::Signature });
            }
        }
        builder.archive.nodes[i].signatures = found;
    }
    Ok(())
}

fn stored_blobs(builder: &mut Builder<'_>) {
    let found: Vec<(Digest, MemberId)> = builder
        .archive
        .tree
        .below(b"")
        .filter_map(|(id, member)| {
            let name = member.name();
            let text = std::str::from_utf8(&name).ok()?;
            let hex = text.strip_suffix(".manifest.json").unwrap_or(text);
            let algorithm = match hex.len() {
                64 => "sha256",
                128 => "sha512",
                _ => return None,
            };
            Some((Digest::of_parts(algorithm, hex).ok()?, id))
        })
        .collect();
    for (digest, member) in found {
        builder.stored_blob(digest, member);
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64URL_NOPAD;

    use super::*;
    use crate::form::{Input, OpenOptions};
    use crate::model::DocKind;
    use crate::source::SpoolDir;

    /// A layout of one schema 1 manifest whose signed header nests `levels` deep, and what the rules say of it, with the
    /// digest that restow gives the manifest and that of its payload.
    fn signed(levels: usize, limits: &Limits) -> (Vec<&'static str>, Digest, Digest) {
        let member = |name: &str, value: &str| {
            format!(r#"{{"schemaVersion":1,"name":"lab/app","tag":"1",{name}{value}"#)
        };
        let payload = member("\"architecture\":\"amd64\",\"fsLayers\":[],\"history\":[]", "}");
        let cut = payload.len() - 1;
        let (open, close) = ("[".repeat(levels - 1), "]".repeat(levels - 1));
        let header = format!(r#"{{"formatLength":{cut},"formatTail":"fQ","more":{open}{close}}}"#);
        let header = BASE64URL_NOPAD.encode(header.as_bytes());
        let block = format!(r#"{{"header":{{"alg":"none"}},"signature":"AA","protected":"{header}"}}"#);
        let manifest = format!(r#"{},"signatures":[{block}]}}"#, &payload[..cut]);

        let dir = tempfile::tempdir().expect("temporary directory");
        std::fs::write(dir.path().join("version"), "Directory Transport Version: 1.1\n").expect("written");
        std::fs::write(dir.path().join("manifest.json"), manifest).expect("written");
        let options = OpenOptions {
            place: "here",
            form: crate::form::FORMS.transport("dir"),
            limits,
            spool: &mut || SpoolDir::new(None),
            lone: crate::form::Alone::No,
            progress: &(),
        };
        let archive = crate::form::open(Input::Path(dir.path().to_owned()), options).expect("opens");
        assert_eq!(archive.documents[0].kind, DocKind::Schema1);
        let findings = crate::rules::run(&archive, &Default::default(), crate::rules::Scope::All);
        let names = findings.iter().map(|finding| finding.rule.name).collect();
        let digest = archive.node(archive.roots[0].node).digest.clone().expect("a digest");
        (names, digest, Digest::sha256(payload.as_bytes()))
    }

    /// 16 levels once were the cap here and 64 everywhere else: the manifest then did not hash to its own digest.
    #[test]
    fn a_signed_header_may_nest_as_deep_as_everywhere() {
        let limits = Limits::default();
        let (shallow, _, _) = signed(2, &limits);
        assert!(!shallow.contains(&"blob/digest-mismatch"), "{shallow:?}");
        for levels in [15, 20, 64] {
            let (names, digest, payload) = signed(levels, &limits);
            assert_eq!((names, digest), (shallow.clone(), payload), "{levels}");
        }
        let (names, digest, payload) = signed(65, &limits);
        assert!(digest != payload && names.contains(&"schema1/bad-signatures"), "{names:?}");
        assert!(!names.contains(&"blob/digest-mismatch"), "{names:?}");

        let mut limits = Limits::default();
        limits.set("signature-depth", 19).expect("a limit");
        let (_, digest, payload) = signed(20, &limits);
        assert_ne!(digest, payload);
        limits.set("signature-depth", 20).expect("a limit");
        let (_, digest, payload) = signed(20, &limits);
        assert_eq!(digest, payload);
    }
}
