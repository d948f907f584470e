//! What leads to a node: roots of the archive, and indexes that list it.

use super::scope::Leading;
use super::{Walk, by};
use crate::finding::Finding;
use crate::location::Location;
use crate::model::{Body, Descriptor, Edge, Form, NodeId, Root};
use crate::rules::{blob, container, document, platform};

impl Walk<'_> {
    /// What leads to a node.
    pub(super) fn lead(&mut self, leading: Leading) {
        let archive = self.archive;
        match leading {
            Leading::Root(at) => {
                let root = &archive.roots[at as usize];
                match &root.descriptor {
                    Some(descriptor) => self.edge(descriptor, root.node, "the manifest", true),
                    None => self.linked(root),
                }
            }
            Leading::Child(index, at) => self.child(&archive.node(index).children()[at as usize]),
        }
    }

    /// A descriptor of a manifest or index.
    fn edge(&mut self, descriptor: &Descriptor, node: NodeId, what: &str, must_exist: bool) {
        let length = self.length(self.archive.node(node).blob);
        blob::descriptor(
            descriptor,
            length,
            &|digest| self.cut || self.held.contains_key(digest),
            &mut self.out,
        );
        document::declared(self.archive, descriptor, node, &mut self.out);
        platform::against_config(self.archive, descriptor, node, &mut self.out);
        let target = self.archive.node(node);
        let Some(id) = target.blob else { return };
        let held = self.archive.blob(id);
        let Some(member) = held.member else {
            if must_exist && !self.cut {
                let digest = descriptor.good_digest().map(ToString::to_string).unwrap_or_default();
                let message = format!("{what} is not in the archive: {digest}");
                self.out.push(Finding::new(&blob::MISSING, descriptor.at.clone(), message));
                self.explain(&digest);
            }
            return;
        };
        if self.content(id, what, Some(by(self.archive, &descriptor.at, member, true))) {
            let length = self.archive.tree.member(member).size;
            blob::size(descriptor, member, length, what, &mut self.out);
        }
    }

    /// Adds to the last finding, of a blob that is missing, the link that stands in its place. `wanted` is a digest or a
    /// member's name.
    pub(super) fn explain(&mut self, wanted: &str) {
        let tree = &self.archive.tree;
        let places = match wanted.split_once(':') {
            Some((algorithm, encoded)) => vec![format!("blobs/{algorithm}/{encoded}"), encoded.to_owned()],
            None => Vec::new(),
        };
        let names = places.iter().map(String::as_str).chain([wanted]);
        let link = names
            .filter_map(|name| tree.get(&crate::tar::clean(name.as_bytes()).path))
            .find_map(|id| Some((id, tree.link_fault(id)?)));
        let misplaced = || {
            let at = *self.misplaced.get(wanted)?;
            Some((at, "it stands here, where no registry looks for it".to_owned()))
        };
        let link = link.map(|(id, fault)| (id, container::broken(tree.member(id), fault))).or_else(misplaced);
        let (Some((id, text)), Some(finding)) = (link, self.out.last_mut()) else { return };
        finding.related.push(crate::finding::Label { location: Location::member(id), text });
        self.explained.insert(id);
    }

    /// A root without descriptor, such as the link of a tag.
    fn linked(&mut self, root: &Root) {
        let held = self.archive.node(root.node);
        let Some(digest) = held.digest.as_ref().filter(|_| !self.cut && matches!(held.body, Body::Absent))
        else {
            return;
        };
        let message = format!("the manifest is not in the archive: {digest}");
        self.out.push(Finding::new(&blob::MISSING, root.at.clone(), message));
        self.explain(digest.as_str());
    }

    pub(super) fn child(&mut self, edge: &Edge) {
        let Some(node) = edge.node else {
            blob::descriptor(
                &edge.descriptor,
                None,
                &|digest| self.cut || self.held.contains_key(digest),
                &mut self.out,
            );
            return;
        };
        self.edge(&edge.descriptor, node, "the manifest", false);
        let held = self.archive.node(node);
        let absent = matches!(held.body, Body::Absent);
        if (absent || self.sparse(node)) && !self.cut {
            let digest = edge.descriptor.good_digest().map(ToString::to_string).unwrap_or_default();
            let what = edge
                .descriptor
                .platform
                .as_ref()
                .map_or_else(|| digest.clone(), |p| format!("{} ({digest})", p.normalised()));
            let at = edge.descriptor.at.clone();
            self.out.push(blob::missing_child(self.archive, at, &what, absent));
        }
    }

    /// An index of which no image is here.
    pub(super) fn hollow(&mut self, id: NodeId) {
        if self.cut || self.archive.form == Form::Document || !self.partial.hollow.contains(&id) {
            return;
        }
        if let Some(document) = self.archive.node(id).document {
            let at = Location::pointer(self.archive.listed(document).member, "/manifests");
            let message = "the archive holds none of the images that the index lists";
            self.out.push(Finding::new(&blob::HOLLOW_INDEX, at, message));
        }
    }
}
