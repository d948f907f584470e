//! Limits on what a document may list: what goes beyond is told, and left out.

use crate::json::Value;
use crate::location::{Location, MemberId};
use crate::model::Anomaly;
use crate::model::archive::DocId;
use crate::model::build::Builder;

impl Builder<'_> {
    /// Tells of descriptors in a manifest or index that hold too much of what they point at.
    pub(super) fn cap_data(&mut self, document: DocId, member: MemberId) {
        let document = self.archive.document(document);
        let Some(root) = document.root() else { return };
        let lists = ["layers", "manifests", "blobs"].into_iter().flat_map(|key| {
            let items = root.get(key).map_or(&[][..], Value::items).iter().enumerate();
            items.map(move |(i, item)| (key, Some(i), item))
        });
        let alone = ["config", "subject"].into_iter();
        let alone = alone.filter_map(|key| Some((key, None, root.get(key)?)));
        let limit = self.limits.data_bytes;
        let bytes = |text: &str| {
            (text.len() / 4 * 3).saturating_sub(text.bytes().rev().take(2).filter(|&b| b == b'=').count())
        };
        let long = lists.chain(alone).filter(|(_, _, item)| {
            let data = item.get("data").and_then(Value::as_str);
            data.is_some_and(|data| bytes(data) as u64 > limit)
        });
        let at =
            |key: &str, i: Option<usize>| i.map_or(format!("/{key}/data"), |i| format!("/{key}/{i}/data"));
        let long: Vec<Location> = long.map(|(key, i, _)| Location::pointer(member, at(key, i))).collect();
        for at in long {
            self.odd(Anomaly::LimitHit { at, name: "data-bytes", limit });
        }
    }

    /// Cuts the layers of one image to the limit.
    pub fn cap_layers<T>(&mut self, layers: &mut Vec<T>, at: Location) {
        self.cap(layers, at, "layers", self.limits.layers);
    }

    /// Cuts images that have no manifests to the limit.
    pub fn cap_images<T>(&mut self, images: &mut Vec<T>, at: Location) {
        self.cap(images, at, "manifests", self.limits.manifests);
    }

    /// Whether the n-th name of an archive is one more than the limit, which is told of the first such.
    pub fn too_many_names(&mut self, n: u64, at: &Location) -> bool {
        let limit = self.limits.names;
        if n == limit.saturating_add(1) {
            self.odd(Anomaly::LimitHit { at: at.clone(), name: "names", limit });
        }
        n > limit
    }

    fn cap<T>(&mut self, list: &mut Vec<T>, at: Location, name: &'static str, limit: u64) {
        if list.len() as u64 > limit {
            self.odd(Anomaly::LimitHit { at, name, limit });
            list.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        }
    }
}
