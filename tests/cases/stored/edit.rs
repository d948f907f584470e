//! The edits that make a broken archive from a sound one, as `corpus/README.md` describes them.

use restow::json::{self, Value, edit::Edits, pointer};
use serde::Deserialize;

use super::decompressed;
use super::members::{self, Entry};
use crate::common::tree_digest::sha256;

/// One `[[edit]]`: where, what, and what it does to digests.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// The member: its name, in which `*` stands for anything and `#2` means the second that fits, an alias such as
    /// `@manifest`, or a walk such as `index.json > /manifests/1`.
    /// `@tar` is the tar as a whole, `@outer` the compressed tar.
    #[serde(default)]
    pub file: String,

    // In a JSON document:
    /// Where. An item `-` is one behind the last.
    pub pointer: Option<String>,
    /// The value there becomes this.
    set: Option<toml::Value>,
    /// The value there becomes this JSON text.
    json: Option<String>,
    /// This text stands at the end inside the array or object there.
    insert: Option<String>,

    // In the bytes:
    /// Of two texts the first, which stands there once, becomes the second.
    replace: Option<[String; 2]>,
    /// The whole content.
    text: Option<String>,
    /// The whole content, in hex.
    hex: Option<String>,
    /// Stands behind the content.
    append: Option<String>,
    /// Stands behind the content, in hex.
    append_hex: Option<String>,
    /// So many zeros stand behind the content.
    append_zeros: Option<usize>,
    /// This much of the content stays; if negative, this much is lost.
    truncate: Option<i64>,
    /// Where `xor` and `put` are; if negative, from the end.
    offset: Option<i64>,
    /// Bits that are flipped there.
    xor: Option<u8>,
    /// Text that stands there.
    put: Option<String>,
    /// In `@tar`: `offset` counts from the header of this member, whose checksum is then made right.
    header: Option<String>,
    /// … or is left as it is.
    #[serde(default)]
    keep_checksum: bool,

    // In a layer:
    /// Entries that the layer has instead.
    entries: Option<Vec<Entry>>,
    /// How the layer is stored: `plain`, `gzip`, `zstd`, `bzip2` or `xz`.
    store: Option<String>,

    // In a compressed layer, or in the compressed tar:
    /// A tar of these entries stands in front, in what a decompressor skips.
    hide: Option<Vec<Entry>>,

    // The member itself:
    /// The value at `pointer`, or the member, goes.
    #[serde(default)]
    remove: bool,
    /// It gets another name.
    rename: Option<String>,
    /// The same once more, at the end.
    #[serde(default)]
    duplicate: bool,
    /// It moves behind all others.
    #[serde(default)]
    last: bool,
    /// It becomes an entry of another type.
    becomes: Option<Entry>,
    /// A new member, before all others.
    #[serde(default)]
    first: bool,
    /// A new member behind all others.
    add: Option<Entry>,

    /// The member keeps its name, and nothing that points at it is changed.
    #[serde(default)]
    pub keep_digest: bool,
}

/// An archive in the making.
pub struct Archive {
    pub members: Vec<Entry>,
}

type Result<T> = std::result::Result<T, String>;

impl Archive {
    /// Makes a change.
    pub fn apply(&mut self, edit: &Edit) -> Result<()> {
        let edit = &edit.expanded(&|text| self.expand(text))?;
        if let Some(entry) = &edit.add {
            let at = if edit.first { 0 } else { self.members.len() };
            let mut entry = entry.clone().read()?;
            entry.name = entry.name.replace("@sha256", &sha256(&entry.data));
            self.members.insert(at, entry);
            return Ok(());
        }
        let at = self.find(&edit.file)?;
        if edit.pointer.is_none() && edit.remove {
            self.members.remove(at);
        } else if let Some(name) = &edit.rename {
            self.members[at].name = name.clone();
        } else if edit.last {
            let member = self.members.remove(at);
            self.members.push(member);
        } else if edit.duplicate {
            let mut again = self.members[at].clone();
            edit.change(&mut again.data)?;
            self.members.push(again);
        } else if let Some(entry) = &edit.becomes {
            let name = std::mem::take(&mut self.members[at].name);
            self.members[at] = Entry { name, ..entry.clone().read()? };
        } else {
            let mut new = self.members[at].data.clone();
            edit.change(&mut new)?;
            if new == self.members[at].data {
                return Err(format!("the edit of {} changes nothing", edit.file));
            }
            if edit.keep_digest {
                self.members[at].data = new;
            } else {
                self.replace(at, new);
            }
        }
        Ok(())
    }

    /// What `<<…>>` stands for: a repeated text, or digest and size of a member as in a descriptor.
    fn expand(&self, text: &str) -> Result<String> {
        let mut parts = text.split("<<");
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (inside, rest) = part.split_once(">>").ok_or("a << without >>")?;
            match inside.split_once('*').and_then(|(n, text)| Some((n.parse::<usize>().ok()?, text))) {
                Some((times, text)) => out.push_str(&text.repeat(times)),
                None => {
                    let data = &self.members[self.find(inside)?].data;
                    out.push_str(&format!(r#""digest":"sha256:{}","size":{}"#, sha256(data), data.len()));
                }
            }
            out.push_str(rest);
        }
        Ok(out)
    }

    /// The member that a text names.
    pub fn find(&self, file: &str) -> Result<usize> {
        let named = |name: &str| {
            let (name, number) = name.split_once('#').unwrap_or((name, "1"));
            let number: usize = number.parse().map_err(|_| format!("`{number}` is no number"))?;
            let like = |found: &str| match name.split_once('*') {
                Some((before, after)) => found.starts_with(before) && found.ends_with(after),
                None => found == name,
            };
            let mut found = (0..self.members.len()).filter(|at| like(&self.members[*at].name));
            found.nth(number - 1).ok_or_else(|| format!("there is no member {name}"))
        };
        let mut steps = file.split(" > ");
        let first = steps.next().unwrap_or_default();
        let (word, number) = match first.find(|c: char| c.is_ascii_digit()).filter(|_| first.starts_with('@'))
        {
            Some(at) => (&first[..at], first[at..].parse::<usize>().map_err(|e| e.to_string())? - 1),
            None => (first, 0),
        };
        let mut at = match word {
            "@last" => self.members.len() - 1,
            "@root" => self.root(number)?,
            "@manifest" => self.manifest(number)?,
            "@config" => self.config(number)?,
            "@layer" => self.layer(number)?,
            name => named(name)?,
        };
        for step in steps {
            at = self.follow(at, step)?;
        }
        Ok(at)
    }

    fn has(&self, name: &str) -> Option<usize> {
        self.members.iter().position(|member| member.name == name)
    }

    /// What `index.json`, `manifest.json` of `dir:`, or a tag lists.
    fn root(&self, number: usize) -> Result<usize> {
        if let Some(at) = self.has("index.json") {
            return self.follow(at, &format!("/manifests/{number}"));
        }
        if let Some(at) = self.has("manifest.json") {
            return Ok(at);
        }
        let mut links = self.members.iter().filter(|member| member.name.ends_with("/current/link"));
        let link = links.nth(number).ok_or("there is no such root")?;
        self.blob(&String::from_utf8_lossy(&link.data))
    }

    /// The n-th manifest: a root, or a child of the first root.
    fn manifest(&self, number: usize) -> Result<usize> {
        let root = self.root(0)?;
        let list = self.json(root).is_ok_and(|json| json.root.get("manifests").is_some());
        if list { self.follow(root, &format!("/manifests/{number}")) } else { self.root(number) }
    }

    fn config(&self, number: usize) -> Result<usize> {
        if let Some(at) = self.has("manifest.json").filter(|_| self.has("version").is_none()) {
            return self.follow(at, &format!("/{number}/Config"));
        }
        self.follow(self.manifest(number)?, "/config")
    }

    fn layer(&self, number: usize) -> Result<usize> {
        if let Some(at) = self.has("manifest.json").filter(|_| self.has("version").is_none()) {
            return self.follow(at, &format!("/0/Layers/{number}"));
        }
        self.follow(self.manifest(0)?, &format!("/layers/{number}"))
    }

    fn json(&self, at: usize) -> Result<json::Json> {
        let member = &self.members[at];
        json::parse(&member.data, 100).map_err(|error| format!("{}: {error}", member.name))
    }

    /// What the descriptor, digest or name at a pointer in a document points at.
    fn follow(&self, at: usize, to: &str) -> Result<usize> {
        let json = self.json(at)?;
        let value = json.root.at(to).ok_or_else(|| format!("{} has no {to}", self.members[at].name))?;
        let digest = value.get("digest").or_else(|| value.get("blobSum")).unwrap_or(value);
        let text = digest.as_str().ok_or_else(|| format!("{to} points at nothing"))?;
        self.has(text).map_or_else(|| self.blob(text), Ok)
    }

    /// The member that holds a blob, wherever a form keeps it.
    fn blob(&self, digest: &str) -> Result<usize> {
        let (algorithm, hex) = digest.split_once(':').ok_or_else(|| format!("{digest} is no digest"))?;
        let two = hex.get(..2).unwrap_or_default();
        let names = [
            format!("blobs/{algorithm}/{hex}"),
            hex.to_owned(),
            format!("{hex}.manifest.json"),
            format!("docker/registry/v2/blobs/{algorithm}/{two}/{hex}/data"),
        ];
        let found = names.iter().find_map(|name| self.has(name));
        found.ok_or_else(|| format!("there is no blob {digest}"))
    }

    /// Replaces the content of a member; names, digests and sizes elsewhere follow, upwards to the roots.
    fn replace(&mut self, at: usize, new: Vec<u8>) {
        let old = std::mem::replace(&mut self.members[at].data, new.clone());
        let change = Change {
            stored: (sha256(&old), sha256(&new)),
            // In a list of diff IDs a layer is known by what it decompresses to.
            plain: match (decompressed(&old), decompressed(&new)) {
                (Ok(before), Ok(after)) => Some((sha256(&before), sha256(&after))),
                _ => None,
            },
            sizes: (format!("\"size\":{}", old.len()), format!("\"size\":{}", new.len())),
        };
        let (before, after) = &change.stored;
        for member in &mut self.members {
            let prefix = (format!("/{}/{before}", &before[..2]), format!("/{}/{after}", &after[..2]));
            member.name = member.name.replace(&prefix.0, &prefix.1).replace(before, after);
        }
        for other in 0..self.members.len() {
            let Ok(text) = std::str::from_utf8(&self.members[other].data) else { continue };
            let changed = change.in_text(text);
            if changed != text {
                self.replace(other, changed.into_bytes());
            }
        }
    }
}

/// What becomes of the digests and the size of a blob.
struct Change {
    stored: (String, String),
    plain: Option<(String, String)>,
    sizes: (String, String),
}

impl Change {
    fn in_text(&self, text: &str) -> String {
        const DIFF_IDS: &str = "\"diff_ids\":[";
        let (head, rest) = match text.split_once(DIFF_IDS) {
            Some((head, rest)) => (head, Some(rest)),
            None => (text, None),
        };
        let (before, after) = &self.stored;
        let outside = |text: &str| with_size(&text.replace(before, after), after, &self.sizes);
        let Some(rest) = rest else { return outside(head) };
        let (ids, tail) = rest.split_at(rest.find(']').unwrap_or(rest.len()));
        let ids = match &self.plain {
            Some((before, after)) => ids.replace(before, after),
            None => ids.to_owned(),
        };
        format!("{}{DIFF_IDS}{ids}{}", outside(head), outside(tail))
    }
}

/// Sets the size in descriptors that have a digest, where it was the right one.
fn with_size(text: &str, digest: &str, (before, after): &(String, String)) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(digest) {
        let from = rest[..at].rfind('{').unwrap_or(0);
        let to = rest[at..].find(['}', '{']).map_or(rest.len(), |n| at + n);
        out.push_str(&rest[..from]);
        let descriptor = &rest[from..to];
        match descriptor
            .find(&format!("{before},"))
            .or_else(|| descriptor.ends_with(before.as_str()).then_some(descriptor.len() - before.len()))
        {
            Some(size) => {
                out.push_str(&descriptor[..size]);
                out.push_str(after);
                out.push_str(&descriptor[size + before.len()..]);
            }
            None => out.push_str(descriptor),
        }
        rest = &rest[to..];
    }
    out + rest
}

impl Edit {
    /// The same with its texts expanded.
    fn expanded(&self, expand: &dyn Fn(&str) -> Result<String>) -> Result<Edit> {
        let mut edit = self.clone();
        let texts = [&mut edit.json, &mut edit.insert, &mut edit.text, &mut edit.append, &mut edit.rename];
        let added = edit.add.iter_mut().chain(&mut edit.becomes).filter_map(|entry| entry.text.as_mut());
        for text in texts.into_iter().flatten().chain(added) {
            *text = expand(text)?;
        }
        for entry in edit.entries.iter_mut().chain(&mut edit.hide).flatten() {
            let texts = entry.text.iter_mut().chain(&mut entry.pax);
            for text in texts.chain([&mut entry.name]) {
                *text = expand(text)?;
            }
        }
        Ok(edit)
    }

    /// Changes the bytes of a member, or of the tar.
    pub fn change(&self, bytes: &mut Vec<u8>) -> Result<()> {
        if let Some(pointer) = &self.pointer {
            *bytes = self.in_json(bytes, pointer)?;
        }
        if let Some([old, new]) = &self.replace {
            let text = String::from_utf8(std::mem::take(bytes)).map_err(|_| "it is not text")?;
            if text.matches(old.as_str()).count() != 1 {
                return Err(format!("`{old}` does not stand there once"));
            }
            *bytes = text.replace(old.as_str(), new).into_bytes();
        }
        if let Some(text) = &self.text {
            *bytes = text.clone().into_bytes();
        }
        if let Some(hex) = &self.hex {
            *bytes = members::from_hex(hex)?;
        }
        if self.entries.is_some() || self.store.is_some() {
            self.layer(bytes)?;
        }
        if let Some(entries) = &self.hide {
            let read: Result<Vec<Entry>> = entries.iter().map(|entry| entry.clone().read()).collect();
            *bytes = members::hidden(&members::tar_of(&read?), bytes)?;
        }
        if let Some(text) = &self.append {
            bytes.extend(text.as_bytes());
        }
        if let Some(hex) = &self.append_hex {
            bytes.extend(members::from_hex(hex)?);
        }
        if let Some(zeros) = self.append_zeros {
            bytes.resize(bytes.len() + zeros, 0);
        }
        if let Some(length) = self.truncate {
            bytes.truncate(from_end(length, bytes.len())?);
        }
        self.at_offset(bytes)
    }

    fn at_offset(&self, bytes: &mut [u8]) -> Result<()> {
        let Some(offset) = self.offset else { return Ok(()) };
        let start = match &self.header {
            Some(name) => header_of(bytes, name)?,
            None => 0,
        };
        let at = start + from_end(offset, bytes.len())?;
        let there = bytes.get_mut(at..).unwrap_or_default();
        match (self.xor, &self.put) {
            (Some(bits), None) => *there.first_mut().ok_or("the offset is behind the end")? ^= bits,
            (None, Some(text)) => {
                there
                    .get_mut(..text.len())
                    .ok_or("the text ends behind the end")?
                    .copy_from_slice(text.as_bytes());
            }
            _ => return Err("an offset needs either xor or put".into()),
        }
        if self.header.is_some() && !self.keep_checksum {
            members::fix_checksum(&mut bytes[start..start + 512]);
        }
        Ok(())
    }

    /// Other entries, or another compression; without `store` it stays the one that it was.
    fn layer(&self, bytes: &mut Vec<u8>) -> Result<()> {
        let plain = match &self.entries {
            Some(entries) => {
                let read: Result<Vec<Entry>> = entries.iter().map(|entry| entry.clone().read()).collect();
                members::tar_of(&read?)
            }
            None => decompressed(bytes).map_err(|error| error.to_string())?,
        };
        let was = match bytes[..] {
            [0x1f, 0x8b, ..] => "gzip",
            [0x28, 0xb5, 0x2f, 0xfd, ..] => "zstd",
            _ => "plain",
        };
        *bytes = match self.store.as_deref().unwrap_or(was) {
            "plain" => plain,
            "gzip" => super::builder::gzip(&plain),
            "zstd" => super::builder::zstd_stored(&plain),
            codec => return Err(format!("store = {codec:?} is not known")),
        };
        Ok(())
    }

    fn in_json(&self, text: &[u8], pointer: &str) -> Result<Vec<u8>> {
        let json = json::parse(text, 100).map_err(|error| error.to_string())?;
        let mut edits = Edits::new(text);
        let value = json.root.at(pointer);
        let new = match (&self.set, &self.json) {
            (Some(value), None) => Some(serde_json::to_string(value).map_err(|error| error.to_string())?),
            (None, json) => json.clone(),
            _ => return Err("set and json exclude each other".into()),
        };
        if let Some(inside) = &self.insert {
            let value = value.ok_or_else(|| format!("there is no {pointer}"))?;
            let comma = if value.items().is_empty() && value.members().is_empty() { "" } else { "," };
            let end = json::Span { start: value.span.end - 1, end: value.span.end - 1 };
            edits.replace(end, format!("{comma}{inside}"));
        } else if let Some(new) = new {
            match value {
                Some(value) => edits.replace(value.span, new),
                None => {
                    let (parent, key) = parent(&json.root, pointer)?;
                    if parent.is_array() {
                        let comma = if parent.items().is_empty() { "" } else { "," };
                        let end = json::Span { start: parent.span.end - 1, end: parent.span.end - 1 };
                        edits.replace(end, format!("{comma}{new}"));
                    } else {
                        edits.set(parent, &key, new);
                    }
                }
            }
        } else if self.remove {
            value.ok_or_else(|| format!("there is no {pointer}"))?;
            let (parent, key) = parent(&json.root, pointer)?;
            match key.parse() {
                Ok(index) if parent.is_array() => edits.remove_item(parent, index),
                _ => edits.remove_member(parent, &key),
            }
        } else {
            return Err(format!("nothing is to be done at {pointer}"));
        }
        Ok(edits.apply())
    }
}

/// What holds the value at a pointer, and its name there.
fn parent<'a>(root: &'a Value, pointer: &str) -> Result<(&'a Value, String)> {
    let (above, key) = pointer.rsplit_once('/').ok_or("the document itself cannot be set so")?;
    let parent = pointer::resolve(root, above).ok_or_else(|| format!("there is no {above}"))?;
    Ok((parent, key.replace("~1", "/").replace("~0", "~")))
}

/// A position that counts from the end if it is negative.
fn from_end(at: i64, length: usize) -> Result<usize> {
    let found = if at < 0 { length as i64 + at } else { at };
    usize::try_from(found).map_err(|_| format!("{at} lies before the start"))
}

/// Where the header of a member stands in a tar.
fn header_of(tar: &[u8], name: &str) -> Result<usize> {
    let mut headers = (0..tar.len()).step_by(512).filter(|at| tar[at + 257..].starts_with(b"ustar"));
    let found = headers.find(|at| {
        let field = &tar[*at..at + 100];
        field.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first().is_none_or(|byte| *byte == 0))
    });
    found.ok_or_else(|| format!("no header is that of {name}"))
}
