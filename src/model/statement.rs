//! In-toto statements in attestations (formats.md F.1): the digests that they are about.

use crate::error::Result;
use crate::json;
use crate::limits::Limits;
use crate::location::Location;
use crate::model::archive::*;

/// The media type of a statement.
const TYPE: &str = "application/vnd.in-toto+json";

/// A digest that a statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The subject in the statement.
    pub at: Location,
    /// The image that the index says the statement is about.
    pub attested: String,
    /// Where the index says so.
    pub said: Location,
    /// SHA-256 of what it is about, in hex.
    pub sha256: String,
}

/// Reads the statements of every attestation, as far as they are small: the limits `statement_bytes` and `statements_bytes`.
///
/// # Errors
///
/// A member cannot be read. What is no statement is passed over: nothing demands that it is one.
pub fn subjects(archive: &Archive, limits: &Limits) -> Result<Vec<Subject>> {
    let mut found = Vec::new();
    let mut left = limits.statements_bytes;
    for node in &archive.nodes {
        let Body::Index { children, .. } = &node.body else { continue };
        for edge in children {
            let (Some(attested), Some(child)) = (&edge.attests, edge.node) else { continue };
            let layers = archive.node(child).parts().map(|parts| parts.layers.as_slice());
            for layer in layers.unwrap_or_default() {
                let typed = layer.descriptor().is_some_and(|descriptor| descriptor.type_or_empty() == TYPE);
                let member = layer.blob.and_then(|blob| archive.blob(blob).member);
                let Some(member) = member.filter(|_| typed) else { continue };
                let size = archive.tree.member(member).size;
                if size > limits.statement_bytes.min(left) {
                    continue;
                }
                left -= size;
                let Some(bytes) = archive.tree.read(member, limits.statement_bytes)? else { continue };
                let Ok(statement) = json::parse(&bytes, limits.json_depth as usize) else { continue };
                let list = statement.root.get("subject").map(json::Value::items).unwrap_or_default();
                let base = Location::pointer(member, "/subject");
                for (i, subject) in list.iter().enumerate() {
                    let sha256 = subject.get("digest").and_then(|digest| digest.get("sha256"));
                    let Some(sha256) = sha256.and_then(json::Value::as_str) else { continue };
                    found.push(Subject {
                        at: base.child(i),
                        attested: attested.clone(),
                        said: edge.descriptor.at.clone(),
                        sha256: sha256.to_owned(),
                    });
                }
            }
        }
    }
    Ok(found)
}
