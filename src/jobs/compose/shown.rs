//! An index in the shapes that other tools print: `docker manifest inspect -v`, and `docker buildx imagetools inspect`.

use std::fmt::Write;

use data_encoding::BASE64;

use super::gather::bytes;
use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result};
use crate::json::write::{Array, Object};
use crate::media::{DocumentType, Family};
use crate::model::select::{self, Chosen};
use crate::model::{Archive, Body, Descriptor, Name, NodeId};
use crate::platform::Platform;

/// The shape in which an index is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// As `docker buildx imagetools inspect` prints it: text.
    #[default]
    Buildx,
    /// As `docker manifest inspect -v` prints it: JSON, an object for each manifest with its bytes and its descriptor.
    Docker,
}

/// What the images that are meant look like.
///
/// # Errors
/// There is no such image; a document cannot be read.
pub fn shown(archive: &Archive, images: &[String], format: Format) -> Result<String> {
    let mut chosen = select::roots(archive, images)?;
    let mut met = std::collections::HashSet::new();
    chosen.retain(|chosen| met.insert(chosen.root.node));
    let texts = chosen.iter().map(|chosen| match format {
        Format::Buildx => buildx(archive, chosen),
        Format::Docker => docker(archive, chosen),
    });
    Ok(texts.collect::<Result<Vec<_>>>()?.join("\n"))
}

/// What a root is called: its name, else the place.
fn name(archive: &Archive, chosen: &Chosen) -> String {
    match &chosen.root.name {
        Name::Full(name) => name.canonical(),
        Name::None | Name::BareTag(_) | Name::Unreadable(_) => archive.tree.place.clone(),
    }
}

/// A name with a digest in place of its tag.
fn at_digest(name: &str, digest: Option<&Digest>) -> String {
    let Some(digest) = digest else { return name.to_owned() };
    let base = match name.rfind(':').filter(|at| !name[*at..].contains('/')) {
        Some(at) if !name.contains('@') => &name[..at],
        _ => name.split('@').next().unwrap_or(name),
    };
    format!("{base}@{digest}")
}

fn buildx(archive: &Archive, chosen: &Chosen) -> Result<String> {
    let node = archive.node(chosen.root.node);
    let Some(digest) = &node.digest else { return Err(without_manifest(archive, chosen.root.node)) };
    let name = name(archive, chosen);
    let media_type = node.media_type.as_deref().unwrap_or_default();
    let mut out = format!("Name:      {name}\nMediaType: {media_type}\nDigest:    {digest}\n");
    if !matches!(node.body, Body::Index { .. }) {
        return Ok(out);
    }
    out.push_str("           \nManifests: \n");
    for (at, edge) in archive.node(chosen.root.node).children().iter().enumerate() {
        let descriptor = &edge.descriptor;
        if at > 0 {
            out.push_str("               \n");
        }
        let _ = writeln!(out, "  Name:        {}", at_digest(&name, descriptor.good_digest()));
        let _ = writeln!(out, "  MediaType:   {}", descriptor.type_or_empty());
        if let Some(platform) = &descriptor.platform {
            let _ = writeln!(out, "  Platform:    {platform}");
        }
        let annotations = annotations(archive, descriptor);
        if !annotations.is_empty() {
            out.push_str("  Annotations: \n");
            let width = annotations.iter().map(|(key, _)| key.len()).max().unwrap_or_default() + 1;
            for (key, value) in annotations {
                let _ = writeln!(out, "    {:width$} {value}", format!("{key}:"));
            }
        }
    }
    Ok(out)
}

/// The annotations of a descriptor, sorted as Go prints a map.
fn annotations(archive: &Archive, descriptor: &Descriptor) -> Vec<(String, String)> {
    let document = descriptor.at.member.and_then(|member| archive.document_at(member));
    let span = descriptor.span;
    let text = document.as_ref().and_then(|document| document.bytes.get(span.start..span.end));
    let json = text.and_then(|text| crate::json::parse(text, 8).ok());
    let members = json.as_ref().and_then(|json| json.root.get("annotations")).map(|list| list.members());
    let mut pairs: Vec<(String, String)> = members
        .unwrap_or_default()
        .iter()
        .filter_map(|member| Some((member.key.to_string(), member.value.as_str()?.to_owned())))
        .collect();
    pairs.sort();
    pairs
}

fn docker(archive: &Archive, chosen: &Chosen) -> Result<String> {
    let node = chosen.root.node;
    let name = name(archive, chosen);
    if !matches!(archive.node(node).body, Body::Index { .. }) {
        let platform = select::platform_of(archive, node, None);
        return Ok(indented(&entry(archive, node, &name, platform.as_ref())?));
    }
    let mut list = Array::new();
    for edge in archive.node(node).children() {
        let Some(child) = edge.node else { continue };
        let name = at_digest(&name, edge.descriptor.good_digest());
        let platform = edge.descriptor.platform.as_deref().cloned();
        let platform = platform.or_else(|| select::platform_of(archive, child, None));
        list = list.raw(&entry(archive, child, &name, platform.as_ref())?);
    }
    Ok(indented(&list.finish()))
}

/// A manifest with its descriptor and bytes.
fn entry(archive: &Archive, node: NodeId, name: &str, platform: Option<&Platform>) -> Result<String> {
    let held = archive.node(node);
    let media_type = held.media_type.as_deref().unwrap_or_default();
    let Some(digest) = &held.digest else { return Err(without_manifest(archive, node)) };
    let Some(bytes) = bytes(archive, node)? else {
        let message = format!("{digest} is not in {}", archive.tree.place);
        let help = "`restow convert --fill-from PLACE` brings what an archive lacks; --format buildx shows the index";
        return Err(Error::refused_help(message, help).of(ErrorKind::NotFound));
    };
    let mut descriptor = Object::new()
        .string("mediaType", media_type)
        .string("digest", digest.as_str())
        .number("size", bytes.len() as u64);
    if let Some(platform) = platform {
        let mut object =
            Object::new().string("architecture", &platform.architecture).string("os", &platform.os);
        if let Some(version) = &platform.os_version {
            object = object.string("os.version", version);
        }
        if let Some(variant) = &platform.variant {
            object = object.string("variant", variant);
        }
        descriptor = descriptor.raw("platform", &object.finish());
    }
    let family = match DocumentType::of(media_type) {
        Some(DocumentType::Manifest(Family::Docker)) => "SchemaV2Manifest",
        _ => "OCIManifest",
    };
    let text = String::from_utf8_lossy(&bytes);
    let raw = format!("\"{}\"", BASE64.encode(&bytes));
    Ok(Object::new()
        .string("Ref", name)
        .raw("Descriptor", &descriptor.finish())
        .raw("Raw", &raw)
        .raw(family, text.trim())
        .finish())
}

/// A compact or other JSON text as `json.MarshalIndent` of Go writes it with a tab.
fn indented(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n('\t', depth));
    };
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        if quoted {
            out.push(char);
            quoted = escaped || char != '"';
            escaped = !escaped && char == '\\';
            continue;
        }
        match char {
            '"' => {
                out.push(char);
                quoted = true;
            }
            '{' | '[' => {
                out.push(char);
                while chars.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                if let Some(close) = chars.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(close);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(char);
            }
            ',' => {
                out.push(char);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            other if other.is_ascii_whitespace() => {}
            other => out.push(other),
        }
    }
    out.push('\n');
    out
}

fn without_manifest(archive: &Archive, node: NodeId) -> Error {
    let message = format!("{} has no manifest", select::described(archive, node));
    Error::refused_help(message, "`restow convert` to an OCI layout makes one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_as_go_does() {
        let text = r#"{"a":[1,2],"b":{},"c":[ ] , "d":"x,{\"\\"}"#;
        let wanted =
            "{\n\t\"a\": [\n\t\t1,\n\t\t2\n\t],\n\t\"b\": {},\n\t\"c\": [],\n\t\"d\": \"x,{\\\"\\\\\"\n}\n";
        assert_eq!(indented(text), wanted);
        assert_eq!(indented(wanted), wanted);
    }

    #[test]
    fn a_digest_takes_the_place_of_a_tag() {
        let digest = Digest::sha256(b"x");
        assert_eq!(at_digest("localhost:5000/app:1", Some(&digest)), format!("localhost:5000/app@{digest}"));
        assert_eq!(at_digest("localhost:5000/app", Some(&digest)), format!("localhost:5000/app@{digest}"));
        assert_eq!(at_digest("oci:dir", None), "oci:dir");
    }
}
