//! What an image consists of: its layers, alone and upon each other, and other blobs.

use super::{Walk, by};
use crate::finding::{Finding, Label};
use crate::location::Location;
use crate::model::{BlobId, NodeId, Part};
use crate::rules::layer::{self, Which};
use crate::rules::{blob, contents, image};

/// Further places that want a missing blob: a layer may be in hundreds of images.
const MAX_RELATED: usize = 3;

impl Walk<'_> {
    /// Layers of an image upon each other.
    pub(super) fn stack(&mut self, id: NodeId, layers: &[Part]) {
        let mut found = Vec::new();
        for (i, layer) in layers.iter().enumerate() {
            let member = layer.blob.and_then(|blob| self.archive.blob(blob).member);
            if let (Some(odd), Some(member)) = (self.facts.stacks.get(&(id, i)), member) {
                contents::odd(odd, i, member, &mut found);
            }
        }
        self.once(found);
    }

    /// Layers and the operating system of their image.
    pub(super) fn roots(&mut self, layers: &[Part], os: Option<&str>) {
        let mut found = Vec::new();
        for (i, layer) in layers.iter().enumerate() {
            let Some(blob) = layer.blob else { continue };
            if let (Some(facts), Some(member)) = (self.facts.layer(blob), self.archive.blob(blob).member) {
                contents::roots(facts, i, os, member, &mut found);
            }
        }
        self.once(found);
    }

    /// Reports what was not reported of another image or artifact with the same layers.
    pub(super) fn once(&mut self, mut found: Vec<Finding>) {
        found.retain(|finding| self.told.insert((finding.rule.name, finding.primary.location.clone())));
        self.out.append(&mut found);
    }

    /// A config or other blob; whether its content is sound.
    pub(super) fn part(&mut self, part: &Part, what: &str) -> bool {
        if let Some(descriptor) = part.descriptor() {
            let length = self.length(part.blob);
            blob::descriptor(
                descriptor,
                length,
                &|digest| self.cut || self.held.contains_key(digest),
                &mut self.out,
            );
        }
        let before = self.out.len();
        if !self.cut {
            self.missing(part, what);
        }
        if self.out.len() > before {
            self.explain(part.wanted());
        }
        let Some(id) = part.blob else { return false };
        let Some(member) = self.archive.blob(id).member else { return false };
        let by = by(self.archive, part.at(), member, part.descriptor().is_some());
        let sound = self.content(id, what, Some(by));
        if let (true, Some(descriptor)) = (sound, part.descriptor()) {
            let length = self.archive.tree.member(member).size;
            blob::size(descriptor, member, length, what, &mut self.out);
        }
        sound
    }

    /// What is not there, once however many images want it.
    pub(super) fn missing(&mut self, part: &Part, what: &str) {
        match part.blob.and_then(|id| self.missing.get(&id)) {
            Some(&at) => {
                let also = &mut self.out[at].related;
                if also.len() < MAX_RELATED && also.iter().all(|label| label.location != *part.at()) {
                    also.push(Label { location: part.at().clone(), text: "wanted here, too".into() });
                }
            }
            None => {
                let before = self.out.len();
                blob::missing(self.archive, part, what, &mut self.out);
                if let (Some(id), true) = (part.blob, self.out.len() > before) {
                    self.missing.insert(id, before);
                }
            }
        }
    }

    /// A layer of an image; whether its content is sound.
    pub(super) fn layer(&mut self, part: &Part, which: Which) -> bool {
        let sound = self.part(part, &which.to_string());
        let Some(id) = part.blob.filter(|_| sound) else { return false };
        if self.oversized(id, which) {
            return false;
        }
        let (Some(facts), Some(member)) = (self.facts.get(id), self.archive.blob(id).member) else {
            return sound;
        };
        if facts.plain.is_some() || facts.fault.is_some() {
            image::declared(part, which, facts, Location::member(member), &mut self.out);
        }
        if self.layers.insert(id) {
            let mut found = Vec::new();
            image::stream(which, facts, &Location::member(member), &mut found);
            self.once(found);
            layer::stream(part, which, facts, member, &mut self.out);
            if let Some(inside) =
                self.facts.layer(id).filter(|_| facts.plain.as_ref().is_some_and(|p| p.size > 0))
            {
                contents::layer(inside, which, member, &mut self.out);
            }
        }
        facts.fault.is_none()
    }

    /// Whether a blob was not read because of its length, which is reported once.
    pub(super) fn oversized(&mut self, id: BlobId, which: impl Into<Which>) -> bool {
        let is = self.facts.oversized.contains(&id);
        if let (true, Some(member)) = (is && self.layers.insert(id), self.archive.blob(id).member) {
            let size = self.archive.tree.member(member).size;
            image::oversized(which, size, Location::member(member), &mut self.out);
        }
        is
    }

    /// A blob of an artifact. Under a layer's media type it is decompressed like one, and must stand that.
    pub(super) fn artifact_blob(&mut self, part: &Part, i: usize) {
        let sound = self.part(part, &format!("blob {i}"));
        let Some(id) = part.blob.filter(|_| sound) else { return };
        if self.oversized(id, i) {
            return;
        }
        let (Some(facts), Some(member)) = (self.facts.get(id), self.archive.blob(id).member) else { return };
        if facts.fault.is_some() {
            image::declared(part, i, facts, Location::member(member), &mut self.out);
            let mut found = Vec::new();
            image::stream(i, facts, &Location::member(member), &mut found);
            self.once(found);
        }
    }
}
