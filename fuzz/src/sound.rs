//! A sound image, made by the fuzzer's choices, with changes after which its digests are made right again, so that they
//! get past the first comparison.

use arbitrary::{Arbitrary, Unstructured};
use restow::media::Codec;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What the fuzzer chooses.
#[derive(Debug, Arbitrary)]
struct Choices {
    images: Vec<Image>,
    /// Edits of documents: which one, where, and what to write there.
    edits: Vec<(u8, u8, Edit)>,
    /// Bytes of the finished tar that are changed, without anything being made right.
    damage: Vec<(u16, u8)>,
    docker: bool,
    index: bool,
    how: u8,
}

#[derive(Debug, Arbitrary)]
struct Image {
    entries: Vec<Entry>,
    name: Option<String>,
    variant: u8,
}

#[derive(Debug, Arbitrary)]
struct Entry {
    path: String,
    kind: u8,
    link: String,
    data: Vec<u8>,
    mode: u16,
}

#[derive(Debug, Arbitrary)]
enum Edit {
    Remove,
    Null,
    Number(i64),
    Text(String),
    List,
    Object,
    Twice,
}

/// Judges the archive, and converts it.
pub fn run(data: &[u8]) {
    let mut choices = Unstructured::new(data);
    let Ok(choices) = Choices::arbitrary(&mut choices) else { return };
    // A layer whose first name begins like a compressed stream is taken for one, as whoever goes by content does.
    let plain = choices.images.iter().all(|image| Codec::sniff(&layer(&image.entries)) == Codec::Plain);
    let untouched = plain && choices.edits.is_empty() && choices.damage.is_empty();
    let bytes = archive(&choices);
    let dir = crate::scratch();
    let path = crate::file(&dir, &bytes);
    let quiet = ["restow", "check", "-q", "--progress", "none"].map(String::from);
    // Layers are any tar that the fuzzer likes, so what is in them may be wrong; names too.
    let lenient = ["-A", "entry", "-A", "tar", "-A", "whiteout", "-A", "name"].map(String::from);
    let words = quiet.into_iter().chain(lenient).chain([path.display().to_string()]);
    let code = restow::cli::run(words.map(std::ffi::OsString::from));
    assert!(code <= 2);
    if untouched && !choices.images.is_empty() {
        assert_eq!(code, 0, "a sound archive is said to be wrong");
    }
    crate::convert::to(&dir, &path, choices.how);
}

struct Blobs(Vec<(String, Vec<u8>)>);

impl Blobs {
    fn add(&mut self, bytes: Vec<u8>) -> (String, usize) {
        let digest: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        let len = bytes.len();
        if !self.0.iter().any(|(held, _)| *held == digest) {
            self.0.push((digest.clone(), bytes));
        }
        (format!("sha256:{digest}"), len)
    }
}

fn archive(choices: &Choices) -> Vec<u8> {
    let mut blobs = Blobs(Vec::new());
    let mut documents = 0u8;
    let mut edited = |value: Value| -> Vec<u8> {
        let mut value = value;
        let mut text = None;
        for (_, place, edit) in choices.edits.iter().filter(|(which, ..)| *which == documents) {
            text = edit_at(&mut value, *place, edit).or(text);
        }
        documents = documents.wrapping_add(1);
        text.unwrap_or_else(|| value.to_string()).into_bytes()
    };
    let kind = |oci: &str, docker: &str| if choices.docker { docker.to_owned() } else { oci.to_owned() };
    let mut roots = Vec::new();
    let mut items = Vec::new();
    for (i, image) in choices.images.iter().take(4).enumerate() {
        let layer = layer(&image.entries);
        let (diff_id, size) = blobs.add(layer);
        let variant = ["", "v6", "v7", "v8"][usize::from(image.variant) % 4];
        let config = edited(json!({
            "architecture": "arm", "os": "linux", "variant": variant, "created": format!("2024-01-0{}T00:00:00Z", i + 1),
            "config": {"Cmd": ["/x"]}, "history": [{"created_by": "x"}],
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        }));
        let (config, config_size) = blobs.add(config);
        let manifest = edited(json!({
            "schemaVersion": 2,
            "mediaType": kind("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"),
            "config": {"mediaType": kind("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"),
                "digest": config, "size": config_size},
            "layers": [{"mediaType": kind("application/vnd.oci.image.layer.v1.tar", "application/vnd.docker.image.rootfs.diff.tar"),
                "digest": diff_id, "size": size}],
        }));
        let (digest, size) = blobs.add(manifest);
        let mut descriptor = json!({
            "mediaType": kind("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"),
            "digest": digest, "size": size,
        });
        if choices.index {
            descriptor["platform"] = json!({"architecture": "arm", "os": "linux", "variant": variant});
            items.push(descriptor);
        } else {
            let name = image.name.as_ref().map_or(format!("t{i}"), |name| format!("t{i}{}", name.len()));
            descriptor["annotations"] = json!({"org.opencontainers.image.ref.name": name});
            roots.push(descriptor);
        }
    }
    if choices.index {
        let index = edited(json!({
            "schemaVersion": 2,
            "mediaType": kind("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"),
            "manifests": items,
        }));
        let (digest, size) = blobs.add(index);
        roots.push(json!({
            "mediaType": kind("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"),
            "digest": digest, "size": size,
        }));
    }
    let index = edited(json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": roots,
    }));
    let mut tar = tar::Builder::new(Vec::new());
    let mut member = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes).expect("memory");
    };
    member("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
    member("index.json", &index);
    for (digest, bytes) in &blobs.0 {
        member(&format!("blobs/sha256/{digest}"), bytes);
    }
    let mut bytes = tar.into_inner().expect("memory");
    let len = bytes.len();
    for (at, mask) in &choices.damage {
        bytes[usize::from(*at) % len] ^= mask;
    }
    bytes
}

fn layer(entries: &[Entry]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for entry in entries.iter().take(8) {
        let mut header = tar::Header::new_gnu();
        let flag = b"0000001122555346VSgxLK7"[usize::from(entry.kind) % 23];
        header.set_entry_type(tar::EntryType::new(flag));
        header.set_mode(entry.mode.into());
        header.set_size(entry.data.len() as u64);
        let fields = header.as_old_mut();
        for (field, text) in [(&mut fields.name, &entry.path), (&mut fields.linkname, &entry.link)] {
            let len = text.len().min(field.len());
            field[..len].copy_from_slice(&text.as_bytes()[..len]);
        }
        header.set_cksum();
        tar.append(&header, &entry.data[..]).expect("memory");
    }
    tar.into_inner().expect("memory")
}

/// Changes the value at a place; gives the text where it cannot be a value any more.
fn edit_at(value: &mut Value, place: u8, edit: &Edit) -> Option<String> {
    let mut pointers = Vec::new();
    collect(value, String::new(), &mut pointers);
    let pointer = &pointers[usize::from(place) % pointers.len()];
    let (parent, name) = pointer.rsplit_once('/').unwrap_or(("", ""));
    match edit {
        Edit::Remove => {
            if let Some(Value::Object(members)) = value.pointer_mut(parent) {
                members.remove(name);
            }
        }
        Edit::Twice => {
            let held = value.pointer(pointer)?.to_string();
            let text = value.to_string();
            return Some(text.replacen('{', &format!("{{{:?}:{held},", name), 1));
        }
        Edit::Null => *value.pointer_mut(pointer)? = Value::Null,
        Edit::Number(number) => *value.pointer_mut(pointer)? = json!(number),
        Edit::Text(text) => *value.pointer_mut(pointer)? = json!(text),
        Edit::List => *value.pointer_mut(pointer)? = json!([]),
        Edit::Object => *value.pointer_mut(pointer)? = json!({}),
    }
    None
}

fn collect(value: &Value, at: String, out: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| collect(value, format!("{at}/{name}"), out));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, value)| collect(value, format!("{at}/{i}"), out));
        }
        _ => {}
    }
    out.push(at);
}

#[cfg(test)]
mod tests {
    #[test]
    fn some_choices() {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        for len in (0..400).map(|i| i * 3) {
            let bytes: Vec<u8> = (0..len)
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    state as u8
                })
                .collect();
            super::run(&bytes);
        }
    }
}
