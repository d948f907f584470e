//! The `index.json` of a layout, made from the roots and from what the destination holds. Pure: bytes in, bytes out.
//!
//! Names follow docs/architecture.md#names: `io.containerd.image.name` is the full reference and
//! `org.opencontainers.image.ref.name` the tag, but where two different images of the resulting index would share
//! that tag, each gets its full familiar name (umoci refuses and skopeo takes the first otherwise: formats.md D.13).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::form::sink::{Displaced, Fate, OutDocument, OutName, OutRoot, Output};
use crate::json::edit::Edits;
use crate::json::fold::is_field;
use crate::json::write::{Array, Object};
use crate::json::{self, Json, Value};
use crate::limits::Limits;
use crate::media;
use crate::model::view::artifact_type;
use crate::reference::Reference;

/// The full name of an image, as containerd and Docker write it.
pub const IMAGE_NAME: &str = "io.containerd.image.name";
/// The name of an image in a layout: in theory anything, in practice a tag.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The two annotations that name a root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Names {
    image_name: Option<String>,
    ref_name: Option<String>,
}

impl Names {
    fn is_none(&self) -> bool {
        *self == Names::default()
    }
}

/// A descriptor on its way into the index.
struct Entry {
    digest: String,
    /// Media type and size of a root of this conversion; a descriptor of the destination keeps its own.
    target: Option<(String, u64)>,
    /// What its manifest says that it is, where the descriptor it had repeats it.
    artifact_type: Option<String>,
    /// The descriptor that is edited, if there was one.
    raw: Option<(Vec<u8>, Value)>,
    names: Names,
    /// What the names amount to, if they give a full reference.
    full: Option<Reference>,
    /// `ref_name` was typed by the user: it is not changed.
    exact: bool,
    /// Its name went to another image.
    lost: bool,
}

/// The bytes of `index.json`; what they are is told at [`merged`].
///
/// # Errors
/// As [`merged`].
pub fn index_json(output: &Output, existing: Option<&[u8]>) -> Result<Vec<u8>> {
    merged(output, existing).map(|(bytes, _)| bytes)
}

/// The bytes of `index.json`, and the names of the destination that change by it.
///
/// Without `existing`: the roots in order, with the other members of [`Output::index_json`] carried along. With it:
/// that index with the roots added. A name already there moves; the descriptor that loses its last name stays
/// without one; one that already has this digest and name is left alone. Descriptors that do not change keep their
/// bytes, and so does an index in which nothing changes.
///
/// # Errors
/// [`Error::Refused`] if `existing` is not JSON without anomalies or its `manifests` are something else than an array,
/// or if a root points at no document. `null` is an array of none, which is how Go writes it (`umoci init`).
pub fn merged(output: &Output, existing: Option<&[u8]>) -> Result<(Vec<u8>, Vec<Displaced>)> {
    let documents = output.documents.iter().map(|document| (&document.digest, document)).collect();
    let roots =
        output.roots.iter().map(|root| Entry::of_root(&documents, root)).collect::<Result<Vec<_>>>()?;
    let mut displaced = Vec::new();
    let bytes = match existing {
        None => {
            let base = output.index_json.as_deref().and_then(|text| Some((text, sound_object(text)?)));
            assemble(base, roots, &mut displaced)
        }
        Some(text) => {
            let refuse = || {
                Error::refused_help(
                    "the `index.json` of the destination is not a sound index",
                    "run `restow check` on the destination, or choose another",
                )
            };
            let json = sound_object(text).ok_or_else(refuse)?;
            let manifests = json.root.get("manifests").filter(|m| m.is_array() || m.is_null());
            let held = manifests.ok_or_else(refuse)?.items().iter();
            let mut held: Vec<Entry> = held.map(|item| Entry::of_existing(text, item)).collect();
            let mut roots = roots;
            if let Some(before) = &output.replaces {
                replace(&mut held, &mut roots, before.as_str());
            }
            let entries = merge(held, roots, &mut displaced);
            assemble(Some((text, json)), entries, &mut displaced)
        }
    };
    Ok((bytes, displaced))
}

/// Parses an object that two readers cannot see differently.
fn sound_object(text: &[u8]) -> Option<Json> {
    let depth = Limits::default().json_depth as usize;
    let sound = |json: &Json| json.anomalies.is_empty() && json.root.is_object() && !is_misspelt(&json.root);
    json::parse(text, depth).ok().filter(sound)
}

/// Members of an index.
const INDEX: &[&str] = &["schemaVersion", "mediaType", "artifactType", "manifests", "subject", "annotations"];
/// Members of a descriptor.
const DESCRIPTOR: &[&str] =
    &["mediaType", "digest", "size", "urls", "annotations", "data", "artifactType", "platform"];
/// Members of a platform.
const PLATFORM: &[&str] = &["architecture", "os", "os.version", "os.features", "variant", "features"];

/// Whether an index, or a descriptor, has a member that only readers in Go take for one that is known.
fn is_misspelt(root: &Value) -> bool {
    let odd = |value: &Value, known: &[&str]| {
        let misspelt = |key: &str| !known.contains(&key) && known.iter().any(|known| is_field(known, key));
        value.members().iter().any(|member| misspelt(&member.key))
    };
    let descriptor = |value: &Value| {
        odd(value, DESCRIPTOR) || value.entry("platform").is_some_and(|platform| odd(platform, PLATFORM))
    };
    let index = root.entry("manifests").is_some();
    if index {
        odd(root, INDEX) || root.get("manifests").is_some_and(|list| list.items().iter().any(descriptor))
    } else {
        descriptor(root)
    }
}

/// A root's descriptor with the members that are known and no others: what the source says besides is nothing that a
/// digest covers, and a reader may take it for something.
fn known_only(text: &[u8]) -> Option<(Vec<u8>, Value)> {
    let depth = Limits::default().json_depth as usize;
    let json = json::parse(text, depth).ok().filter(|json| json.root.is_object())?;
    let mut edits = Edits::new(text);
    keep_known(&mut edits, text, &json.root, DESCRIPTOR);
    if let Some(platform) = json.root.entry("platform").filter(|platform| platform.is_object()) {
        keep_known(&mut edits, text, platform, PLATFORM);
    }
    let text = edits.apply();
    let root = sound_object(&text)?.root;
    Some((text, root))
}

fn keep_known(edits: &mut Edits<'_>, text: &[u8], object: &Value, known: &[&str]) {
    for member in object.members().iter().filter(|member| !known.contains(&&*member.key)) {
        edits.remove_member(object, &member.key);
    }
    // What has another name than its own, but is the only one of it, gets it.
    for name in known.iter().filter(|name| object.entry(name).is_none()) {
        if let Some(member) = object.field(name) {
            let value = text.get(member.value.span.start..member.value.span.end).unwrap_or_default();
            edits.set(object, name, value);
        }
    }
}

impl Entry {
    fn of_root(documents: &HashMap<&Digest, &OutDocument>, root: &OutRoot) -> Result<Entry> {
        let document = documents
            .get(&root.target)
            .ok_or_else(|| Error::refused(format!("nothing was written for the root {}", root.target)))?;
        let (names, full, exact) = match &root.name {
            OutName::None => (Names::default(), None, false),
            OutName::BareTag(tag) => (Names { image_name: None, ref_name: Some(tag.clone()) }, None, false),
            OutName::Full(full) => {
                let canonical = full.canonical();
                let ref_name = full.tag().map_or_else(|| canonical.clone(), str::to_owned);
                let names = Names { image_name: Some(canonical), ref_name: Some(ref_name) };
                (names, Some(full.clone()), false)
            }
            OutName::Exact { ref_name, full } => {
                let image_name = full.as_ref().map(Reference::canonical);
                (Names { image_name, ref_name: Some(ref_name.clone()) }, full.clone(), true)
            }
        };
        let raw = root.descriptor.as_deref().and_then(known_only);
        let repeats = |(_, held): &(Vec<u8>, Value)| {
            let other = held.get("digest").and_then(Value::as_str) != Some(root.target.as_str());
            other && held.get("artifactType").is_some_and(|own| !own.is_null())
        };
        Ok(Entry {
            digest: root.target.to_string(),
            target: Some((document.media_type.clone(), document.bytes.len() as u64)),
            artifact_type: raw
                .as_ref()
                .filter(|raw| repeats(raw))
                .and_then(|_| artifact_type(&document.bytes)),
            raw,
            names,
            full,
            exact,
            lost: false,
        })
    }

    fn of_existing(text: &[u8], item: &Value) -> Entry {
        let slice = text.get(item.span.start..item.span.end).unwrap_or_default();
        // An item that is no object cannot be edited, and having no digest it never is.
        let raw = sound_object(slice).map(|json| (slice.to_vec(), json.root));
        let names = names_of(item);
        let named = match (&names.image_name, &names.ref_name) {
            (Some(name), _) => Some(name),
            (None, Some(name)) if name.contains(['/', ':']) => Some(name),
            _ => None,
        };
        let full = named.and_then(|name| Reference::parse(name).ok()).map(Reference::with_default_tag);
        let digest = item.get("digest").and_then(Value::as_str).unwrap_or_default().to_owned();
        let raw = raw.or_else(|| Some((slice.to_vec(), item.clone())));
        Entry { digest, target: None, artifact_type: None, raw, names, full, exact: false, lost: false }
    }

    /// What it is called: in full if it can be, or else by its `ref.name`.
    fn called(&self) -> Option<Called> {
        let text = || Called::Text(self.names.ref_name.clone());
        let called = || self.full.as_ref().map_or_else(text, |full| Called::Full(full.canonical()));
        (!self.names.is_none()).then(called)
    }

    /// What the descriptors that may have the name of this root are called.
    fn sought(&self) -> impl Iterator<Item = Called> {
        let by_text = self.exact && self.full.is_some();
        self.called().into_iter().chain(by_text.then(|| Called::Text(self.names.ref_name.clone())))
    }

    /// Whether a descriptor of the destination has the name that `root` is to have.
    fn has_name_of(&self, root: &Entry) -> bool {
        let same_full = self.full.is_some() && self.full == root.full;
        let same_text = self.full.is_none() && self.names.ref_name == root.names.ref_name;
        match (&root.full, root.exact) {
            _ if root.names.is_none() || self.names.is_none() => false,
            (Some(_), false) => same_full,
            (None, _) => same_text,
            (Some(_), true) => same_full || same_text,
        }
    }

    /// What is to be told where its name goes to another image.
    fn displaced_by(&self, digest: &str) -> Option<Displaced> {
        let full = self.full.as_ref().map(Reference::familiar);
        let name = full.or_else(|| Some(format!(":{}", self.names.ref_name.as_ref()?)))?;
        let fate = Fate::Moves(Digest::parse(digest).ok()?);
        Some(Displaced { name, before: Digest::parse(&self.digest).ok(), fate })
    }

    /// Takes over the names of `root`, which points at the same document.
    fn take_names(&mut self, root: Entry) {
        (self.names, self.full, self.exact, self.lost) = (root.names, root.full, root.exact, false);
    }

    /// The descriptor's text.
    fn text(&self) -> Vec<u8> {
        let Some((text, root)) = &self.raw else {
            let (media_type, size) = self.target.as_ref().map_or(("", 0), |(m, s)| (m.as_str(), *s));
            let head = Object::new().string("mediaType", media_type).string("digest", &self.digest);
            let object = head.number("size", size);
            return match self.names.is_none() {
                true => object.finish(),
                false => object.raw("annotations", &annotations(&self.names)).finish(),
            }
            .into_bytes();
        };
        if !root.is_object() {
            return text.clone();
        }
        let mut edits = Edits::new(text);
        if let Some((media_type, size)) = &self.target {
            let text_of = |key: &str| root.get(key).and_then(Value::as_str);
            if text_of("digest") != Some(&self.digest) {
                // Embedded content and places to find it belong to the old digest.
                edits.remove_field(root, "data");
                edits.remove_field(root, "urls");
                edits.set_field(root, "digest", json::write::string(&self.digest));
            }
            if text_of("mediaType") != Some(media_type) {
                edits.set_field(root, "mediaType", json::write::string(media_type));
            }
            if root.get("size").and_then(Value::as_u64) != Some(*size) {
                edits.set_field(root, "size", size.to_string());
            }
            if let Some(own) = self.artifact_type.as_ref().filter(|own| text_of("artifactType") != Some(own))
            {
                edits.set_field(root, "artifactType", json::write::string(own));
            }
        }
        self.edit_names(&mut edits, root);
        edits.apply()
    }

    fn edit_names(&self, edits: &mut Edits<'_>, root: &Value) {
        if names_of(root) == self.names {
            return;
        }
        let Some(held) = root.get("annotations").filter(|held| held.is_object()) else {
            match self.names.is_none() {
                true => edits.remove_field(root, "annotations"),
                false => edits.set_field(root, "annotations", annotations(&self.names)),
            }
            return;
        };
        let other = held.members().iter().any(|m| !matches!(&*m.key, IMAGE_NAME | REF_NAME));
        if self.names.is_none() && !other {
            return edits.remove_field(root, "annotations");
        }
        for (key, value) in [(IMAGE_NAME, &self.names.image_name), (REF_NAME, &self.names.ref_name)] {
            match value {
                Some(value) => edits.set(held, key, json::write::string(value)),
                None => edits.remove_member(held, key),
            }
        }
    }
}

fn annotations(names: &Names) -> String {
    let pairs = [(IMAGE_NAME, &names.image_name), (REF_NAME, &names.ref_name)];
    let set = pairs.into_iter().filter_map(|(key, value)| Some((key, value.as_deref()?)));
    set.fold(Object::new(), |object, (key, value)| object.string(key, value)).finish()
}

fn names_of(descriptor: &Value) -> Names {
    let text = |key| descriptor.get("annotations")?.entry(key)?.as_str().map(str::to_owned);
    Names { image_name: text(IMAGE_NAME), ref_name: text(REF_NAME) }
}

/// Descriptors of what is replaced stay where they are, and point at what takes its place.
fn replace(held: &mut [Entry], roots: &mut Vec<Entry>, before: &str) {
    roots.retain(|root| {
        let is_it = |entry: &&mut Entry| {
            let unnamed = entry.names.is_none() && root.names.is_none();
            entry.digest == before && root.digest != before && (unnamed || entry.has_name_of(root))
        };
        let Some(entry) = held.iter_mut().find(is_it) else { return true };
        entry.digest.clone_from(&root.digest);
        entry.target.clone_from(&root.target);
        entry.artifact_type.clone_from(&root.artifact_type);
        false
    });
}

/// By what a name is looked for.
#[derive(PartialEq, Eq, Hash)]
enum Called {
    Full(String),
    Text(Option<String>),
}

/// Where the descriptors of each digest and name are. What takes another name leaves its old place here, so that it is asked
/// what it is called now.
#[derive(Default)]
struct Places {
    digests: HashSet<String>,
    named: HashMap<(String, Called), Vec<usize>>,
    unnamed: HashMap<String, VecDeque<usize>>,
}

impl Places {
    fn add(&mut self, i: usize, entry: &Entry) {
        let digest = || entry.digest.clone();
        self.digests.insert(digest());
        match entry.called() {
            Some(called) => self.named.entry((digest(), called)).or_default().push(i),
            None => self.unnamed.entry(digest()).or_default().push_back(i),
        }
    }

    /// The first descriptor of its digest that has the name of `root`.
    fn named(&self, held: &[Entry], root: &Entry) -> Option<usize> {
        let found = root.sought().filter_map(|called| self.named.get(&(root.digest.clone(), called)));
        found.flatten().copied().filter(|&i| held[i].has_name_of(root)).min()
    }

    /// The first of its digest that has none.
    fn unnamed(&mut self, held: &[Entry], root: &Entry) -> Option<usize> {
        let places = self.unnamed.get_mut(&root.digest)?;
        while let Some(i) = places.pop_front() {
            if held[i].names.is_none() {
                return Some(i);
            }
        }
        None
    }
}

/// What the destination holds, with the roots added.
fn merge(mut held: Vec<Entry>, roots: Vec<Entry>, displaced: &mut Vec<Displaced>) -> Vec<Entry> {
    // Layouts of many images are merged into layouts of many: only entries that may match are compared.
    let mut by_name: HashMap<Called, Vec<&Entry>> = HashMap::new();
    for root in &roots {
        root.sought().for_each(|called| by_name.entry(called).or_default().push(root));
    }
    let mut places = Places::default();
    for (i, entry) in held.iter_mut().enumerate() {
        let alike = entry.called().and_then(|called| by_name.get(&called));
        let takes = |root: &&&Entry| entry.digest != root.digest && entry.has_name_of(root);
        if let Some(root) = alike.into_iter().flatten().find(takes) {
            displaced.extend(entry.displaced_by(&root.digest));
            (entry.names, entry.full, entry.lost) = (Names::default(), None, true);
        }
        places.add(i, entry);
    }
    let mut added: Vec<Entry> = Vec::new();
    for root in roots {
        if root.names.is_none() {
            if !places.digests.contains(&root.digest) {
                added.push(root);
            }
            continue;
        }
        let named = places.named(&held, &root);
        // Of what is there already, only a text that was typed is worth a change.
        if named.is_some() && !root.exact {
            continue;
        }
        match named.or_else(|| places.unnamed(&held, &root)) {
            Some(i) => {
                held[i].take_names(root);
                places.add(i, &held[i]);
            }
            None => added.push(root),
        }
    }
    // A descriptor without its name is worth keeping only as the last trace of its image.
    let mut seen: BTreeSet<String> =
        held.iter().filter(|entry| !entry.lost).chain(&added).map(|entry| entry.digest.clone()).collect();
    held.retain(|entry| !entry.lost || seen.insert(entry.digest.clone()));
    held.append(&mut added);
    held
}

/// Gives full names to images that would share a `ref.name`.
fn separate(entries: &mut [Entry], displaced: &mut Vec<Displaced>) {
    let mut holders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in entries.iter() {
        if let Some(name) = &entry.names.ref_name {
            holders.entry(name.clone()).or_default().insert(entry.digest.clone());
        }
    }
    for entry in entries.iter_mut().filter(|entry| !entry.exact) {
        let shared =
            entry.names.ref_name.as_ref().and_then(|name| holders.get(name)).is_some_and(|h| h.len() > 1);
        if let (true, Some(full)) = (shared, &entry.full) {
            let (name, before) = (full.familiar(), Digest::parse(&entry.digest).ok());
            if entry.names.ref_name.as_ref() != Some(&name) {
                displaced.push(Displaced { name: name.clone(), before, fate: Fate::IsWritten(name.clone()) });
            }
            entry.names.ref_name = Some(name);
        }
    }
}

/// Puts the descriptors into `base`, or into a new index.
fn assemble(base: Option<(&[u8], Json)>, mut entries: Vec<Entry>, displaced: &mut Vec<Displaced>) -> Vec<u8> {
    separate(&mut entries, displaced);
    let texts: Vec<Vec<u8>> = entries.iter().map(Entry::text).collect();
    let array = || {
        let mut array = texts.join(&b","[..]);
        array.insert(0, b'[');
        array.push(b']');
        array
    };
    let Some((text, json)) = base else {
        let head = Object::new().number("schemaVersion", 2).string("mediaType", media::OCI_INDEX);
        let empty = head.raw("manifests", &Array::new().finish()).finish();
        let mut bytes = empty.into_bytes();
        bytes.truncate(bytes.len() - "[]}".len());
        bytes.extend(array());
        bytes.push(b'}');
        return bytes;
    };
    let held = json.root.get("manifests");
    let listed = |held: &&Value| held.is_array() || held.is_null();
    let unchanged = held.filter(listed).is_some_and(|held| {
        held.items().len() == texts.len()
            && held.items().iter().zip(&texts).all(|(i, t)| text.get(i.span.start..i.span.end) == Some(t))
    });
    if unchanged {
        return text.to_vec();
    }
    let mut edits = Edits::new(text);
    edits.set_field(&json.root, "manifests", array());
    edits.apply()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::digest::Digest;
    use crate::form::sink::{OutBody, OutDocument};

    fn document(text: &str) -> OutDocument {
        OutDocument {
            digest: Digest::sha256(text.as_bytes()),
            media_type: media::OCI_MANIFEST.into(),
            bytes: text.as_bytes().into(),
            body: OutBody::Index { children: vec![] },
            signatures: vec![],
        }
    }

    fn full(text: &str) -> OutName {
        OutName::Full(Reference::parse(text).expect("a reference"))
    }

    /// Documents `a`, `b`, `c` and the given roots.
    fn output(roots: &[(&str, OutName)]) -> Output {
        let root = |(text, name): &(&str, OutName)| OutRoot {
            target: Digest::sha256(text.as_bytes()),
            name: name.clone(),
            descriptor: None,
            repository: None,
        };
        Output {
            documents: ["a", "b", "c"].map(document).into(),
            roots: roots.iter().map(root).collect(),
            index_json: None,
            replaces: None,
        }
    }

    #[test]
    fn what_is_replaced_is_not_listed_any_more() {
        let names = [("a", full("docker.io/lab/app:1")), ("b", full("docker.io/lab/other:1"))];
        let before = index_json(&output(&names), None).expect("an index");
        let mut after = output(&[("c", full("docker.io/lab/app:1"))]);
        after.replaces = Some(Digest::sha256(b"a"));
        let after = index_json(&after, Some(&before)).expect("an index");
        let text = String::from_utf8(before).expect("text");
        let (a, c) = (Digest::sha256(b"a"), Digest::sha256(b"c"));
        assert_eq!(String::from_utf8(after).expect("text"), text.replace(a.as_str(), c.as_str()));
    }

    /// (document, image name, ref.name) of each descriptor; `-` for an annotation that is absent.
    fn listed(index: &[u8]) -> Vec<String> {
        let json = sound_object(index).expect("an index");
        let letters: BTreeMap<String, &str> =
            ["a", "b", "c"].map(|t| (Digest::sha256(t.as_bytes()).to_string(), t)).into();
        let line = |item: &Value| {
            let names = names_of(item);
            let digest = item.get("digest").and_then(Value::as_str).expect("a digest");
            let or_dash = |name: Option<String>| name.unwrap_or("-".into());
            format!("{} {} {}", letters[digest], or_dash(names.image_name), or_dash(names.ref_name))
        };
        json.root.get("manifests").expect("manifests").items().iter().map(line).collect()
    }

    fn merged(before: &[(&str, OutName)], after: &[(&str, OutName)]) -> Vec<String> {
        let before = index_json(&output(before), None).expect("an index");
        listed(&index_json(&output(after), Some(&before)).expect("merged"))
    }

    #[test]
    fn a_new_index_is_compact() {
        let index = index_json(&output(&[("a", full("lab/app:1"))]), None).expect("an index");
        assert_eq!(
            String::from_utf8(index).expect("text"),
            concat!(
                r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"#,
                r#""mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"#,
                r#""sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb","size":1,"#,
                r#""annotations":{"io.containerd.image.name":"docker.io/lab/app:1","#,
                r#""org.opencontainers.image.ref.name":"1"}}]}"#
            )
        );
        let exact = OutName::Exact { ref_name: "My Text".into(), full: None };
        let index = index_json(&output(&[("a", OutName::None), ("b", exact)]), None).expect("an index");
        assert_eq!(listed(&index), ["a - -", "b - My Text"]);
        assert_eq!(index.windows(11).filter(|w| w == b"annotations").count(), 1);
    }

    #[test]
    fn shared_tags_become_full_names() {
        let index = |roots: &[(&str, OutName)]| listed(&index_json(&output(roots), None).expect("an index"));
        assert_eq!(
            index(&[("a", full("x:1")), ("b", full("y:1")), ("b", OutName::BareTag("2".into()))]),
            ["a docker.io/library/x:1 x:1", "b docker.io/library/y:1 y:1", "b - 2"]
        );
        // Two names of one image may share a tag: nobody can pick the wrong one.
        assert_eq!(
            index(&[("a", full("x:1")), ("a", full("y:1"))]),
            ["a docker.io/library/x:1 1", "a docker.io/library/y:1 1"]
        );
        assert_eq!(
            index(&[("a", full("x:1")), ("b", OutName::BareTag("1".into()))]),
            ["a docker.io/library/x:1 x:1", "b - 1"]
        );
        let exact = OutName::Exact { ref_name: "1".into(), full: None };
        assert_eq!(index(&[("a", full("x:1")), ("b", exact)]), ["a docker.io/library/x:1 x:1", "b - 1"]);
    }

    #[test]
    fn names_move_and_the_last_one_leaves_a_descriptor() {
        assert_eq!(
            merged(&[("a", full("x:1"))], &[("b", full("x:1"))]),
            ["a - -", "b docker.io/library/x:1 1"]
        );
        assert_eq!(
            merged(&[("a", full("x:1")), ("a", full("x:2"))], &[("b", full("x:1"))]),
            ["a docker.io/library/x:2 2", "b docker.io/library/x:1 1"]
        );
        // Both names of one image are lost: one trace of it stays.
        assert_eq!(
            merged(&[("a", full("x:1")), ("a", full("x:2"))], &[("b", full("x:1")), ("b", full("x:2"))]),
            ["a - -", "b docker.io/library/x:1 1", "b docker.io/library/x:2 2"]
        );
        // Names change places.
        assert_eq!(
            merged(&[("a", full("x:1")), ("b", full("x:2"))], &[("a", full("x:2")), ("b", full("x:1"))]),
            ["a docker.io/library/x:2 2", "b docker.io/library/x:1 1"]
        );
        let tag = |t: &str| OutName::BareTag(t.into());
        assert_eq!(merged(&[("a", tag("1"))], &[("b", tag("1"))]), ["a - -", "b - 1"]);
        let exact = || OutName::Exact { ref_name: "1".into(), full: None };
        assert_eq!(merged(&[("a", exact())], &[("b", exact())]), ["a - -", "b - 1"]);
    }

    #[test]
    fn a_full_name_does_not_yield_to_a_bare_tag() {
        let tag = OutName::BareTag("1".into());
        assert_eq!(
            merged(&[("a", full("x:1"))], &[("b", tag.clone())]),
            ["a docker.io/library/x:1 x:1", "b - 1"]
        );
        assert_eq!(merged(&[("a", tag)], &[("b", full("x:1"))]), ["a - 1", "b docker.io/library/x:1 x:1"]);
    }

    #[test]
    fn what_is_there_is_left_alone() {
        let before =
            index_json(&output(&[("a", full("x:1")), ("b", OutName::None)]), None).expect("an index");
        let pretty = String::from_utf8(before).expect("text").replace("{\"schema", "{ \"x\" : 1,\n \"schema");
        for again in [[("a", full("x:1"))], [("a", OutName::None)], [("b", OutName::None)]] {
            let after = index_json(&output(&again), Some(pretty.as_bytes())).expect("merged");
            assert_eq!(String::from_utf8(after).expect("text"), pretty);
        }
        // An unnamed descriptor takes the name.
        assert_eq!(merged(&[("a", OutName::None)], &[("a", full("x:1"))]), ["a docker.io/library/x:1 1"]);
        let typed = OutName::Exact { ref_name: "x:1".into(), full: Reference::parse("x:1").ok() };
        assert_eq!(merged(&[("a", full("x:1"))], &[("a", typed)]), ["a docker.io/library/x:1 x:1"]);
    }

    #[test]
    fn known_members_and_annotations_are_carried() {
        let digest = Digest::sha256(b"a");
        let descriptor = format!(
            "{{\"z\":[1],\"mediaType\":\"{}\", \"digest\":\"{digest}\",\"size\":1,\"data\":\"YQ==\",\"annotations\":{{\"k\":\"v\",\"{IMAGE_NAME}\":\"old\"}}}}",
            media::OCI_MANIFEST
        );
        let source = format!("{{\"manifests\":[ {descriptor} ],\"annotations\":{{\"top\":\"1\"}}}}");
        let mut out = output(&[("a", OutName::None)]);
        out.index_json = Some(source.as_bytes().into());
        out.roots[0].descriptor = Some(descriptor.as_bytes().into());
        let index = String::from_utf8(index_json(&out, None).expect("an index")).expect("text");
        assert!(index.contains(r#""annotations":{"k":"v"}"#), "{index}");
        assert!(!index.contains(r#""z""#) && index.contains(r#""annotations":{"top":"1"}"#), "{index}");

        // The same names: the very bytes of the source, white space included.
        let plain = descriptor.replace("\"z\":[1],", "");
        let named = plain.replace("\"old\"", &format!("\"docker.io/library/x:1\",\"{REF_NAME}\":\"1\""));
        let source = source.replace(&descriptor, &named);
        out.roots[0].name = full("x:1");
        out.roots[0].descriptor = Some(named.as_bytes().into());
        out.index_json = Some(source.as_bytes().into());
        assert_eq!(index_json(&out, None).expect("an index"), source.as_bytes());

        // Another document in its place.
        out.roots[0].target = Digest::sha256(b"b");
        let index = String::from_utf8(index_json(&out, None).expect("an index")).expect("text");
        assert!(!index.contains("data") && index.contains(Digest::sha256(b"b").as_str()), "{index}");
        out.index_json = Some(Arc::from(&b"[]"[..]));
        assert!(index_json(&out, None).expect("an index").starts_with(b"{\"schemaVersion\":2,"));
    }

    #[test]
    fn an_unsound_destination_is_refused() {
        for bad in ["", "[]", "{}", "{\"manifests\":[]}x", "{\"manifests\":[],\"manifests\":[]}"] {
            let refused = index_json(&output(&[]), Some(bad.as_bytes()));
            assert!(matches!(refused, Err(Error::Refused { .. })), "{bad}");
        }
        let kept = "{\"manifests\":[1,{}]}";
        assert_eq!(index_json(&output(&[]), Some(kept.as_bytes())).expect("merged"), kept.as_bytes());
        assert_eq!(
            listed(
                &index_json(&output(&[("a", OutName::None)]), Some(b"{\"manifests\":[]}")).expect("merged")
            ),
            ["a - -"]
        );
    }

    #[test]
    fn null_is_an_index_of_none() {
        let null = br#"{"schemaVersion":2,"manifests":null}"#;
        assert_eq!(index_json(&output(&[]), Some(null)).expect("merged"), null);
        let filled = index_json(&output(&[("a", full("lab/app:1"))]), Some(null)).expect("merged");
        assert_eq!(listed(&filled), ["a docker.io/lab/app:1 1"]);
    }

    #[test]
    fn names_that_a_merge_takes_or_changes_are_told() {
        let held = index_json(&output(&[("a", full("x:1")), ("b", OutName::BareTag("2".into()))]), None);
        let held = held.expect("an index");
        let digest = |text: &str| Digest::sha256(text.as_bytes());
        let told = |roots: &[(&str, OutName)]| super::merged(&output(roots), Some(&held)).expect("merged").1;
        let moved = |name: &str, before: &str, now: &str| Displaced {
            name: name.into(),
            before: Some(digest(before)),
            fate: Fate::Moves(digest(now)),
        };
        assert_eq!(told(&[("a", full("x:1")), ("c", OutName::None)]), []);
        let both = [("b", full("x:1")), ("c", OutName::BareTag("2".into()))];
        assert_eq!(told(&both), [moved("x:1", "a", "b"), moved(":2", "b", "c")]);
        // Two images of one tag: the one that was there is called by its full name from now on, as the new one.
        let written = |name: &str, of: &str| Displaced {
            name: name.into(),
            before: Some(digest(of)),
            fate: Fate::IsWritten(name.into()),
        };
        assert_eq!(told(&[("c", full("y:1"))]), [written("x:1", "a"), written("y:1", "c")]);
    }

    /// What no digest covers is not carried on where a reader may take it for something.
    #[test]
    fn a_root_keeps_its_known_members_only() {
        let known = |text: &str| {
            let (text, _) = known_only(text.as_bytes()).expect("an object");
            String::from_utf8(text).expect("text")
        };
        let sound = r#"{"mediaType":"m", "digest":"d","size":1,"platform":{"os":"linux"}}"#;
        assert_eq!(known(sound), sound);
        assert_eq!(known(r#"{"digest":"d","digeſt":"e","x":1,"size":1}"#), r#"{"digest":"d","size":1}"#);
        assert_eq!(
            known(r#"{"digest":"d","Annotationſ":{"a":"b"}}"#),
            r#"{"digest":"d","annotations":{"a":"b"}}"#
        );
        assert_eq!(
            known(r#"{"platform":{"os":"a","oſ":"b","OS.version":"1"}}"#),
            r#"{"platform":{"os":"a","os.version":"1"}}"#
        );
        for (text, sound) in [
            (r#"{"manifests":[{"digest":"d"}],"x":1}"#, true),
            (r#"{"manifests":[{"digest":"d","Size":1}]}"#, false),
            (r#"{"manifests":[{"platform":{"oſ":""}}]}"#, false),
            (r#"{"manifests":[],"manifeſts":[]}"#, false),
        ] {
            assert_eq!(sound_object(text.as_bytes()).is_some(), sound, "{text}");
        }
    }
}
