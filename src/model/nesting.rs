//! Cycles, and indexes that nest too deep.

use std::collections::HashSet;

use crate::location::Location;
use crate::model::Anomaly;
use crate::model::archive::*;
use crate::model::build::Builder;

impl Builder<'_> {
    /// Removes edges that lead back to one of their own ancestors (without a forged digest there are none), and those
    /// below which indexes nest too deep. What was loaded for an earlier root is not walked again: many roots may share
    /// one large index, and each may add a level to the one before.
    pub(super) fn settle(&mut self, root: Option<NodeId>) {
        let mut open = HashSet::new();
        let mut stack: Vec<(NodeId, usize)> = root.map(|root| (root, 0)).into_iter().collect();
        while let Some((node, slot)) = stack.pop() {
            if slot == 0 && (self.heights.contains_key(&node) || !open.insert(node)) {
                continue;
            }
            let Body::Index { children, .. } = &self.archive.nodes[node.index()].body else {
                self.heights.insert(node, 0);
                continue;
            };
            // The child before this slot is settled by now.
            let before = slot.checked_sub(1).and_then(|slot| Some((slot, children.get(slot)?.node?)));
            let next = children.get(slot).map(|edge| edge.node);
            if let Some((slot, child)) = before {
                self.judge_edge(node, slot, child);
            }
            match next {
                Some(child) => {
                    stack.push((node, slot + 1));
                    stack.extend(child.map(|child| (child, 0)));
                }
                None => {
                    let height = self.height_of(node);
                    self.heights.insert(node, height);
                    open.remove(&node);
                }
            }
        }
    }

    /// Cuts an edge whose child is still open, for then it is an ancestor, or too deep.
    fn judge_edge(&mut self, node: NodeId, slot: usize, child: NodeId) {
        let height = self.heights.get(&child).copied();
        if height.is_some_and(|height| height < self.limits.index_depth) {
            return;
        }
        let Body::Index { children, .. } = &mut self.archive.nodes[node.index()].body else { return };
        let Some(edge) = children.get_mut(slot) else { return };
        edge.node = None;
        let (at, digest) = (edge.descriptor.at.clone(), edge.descriptor.good_digest().cloned());
        match (height, digest) {
            (Some(_), _) => self.too_deep(&at),
            (None, Some(digest)) => self.odd(Anomaly::Cycle { at, digest }),
            (None, None) => {}
        }
    }

    /// Indexes from a node to its deepest descendant, itself included.
    fn height_of(&self, node: NodeId) -> u64 {
        let Body::Index { children, .. } = &self.archive.nodes[node.index()].body else { return 0 };
        let below = children.iter().filter_map(|edge| self.heights.get(&edge.node?)).max();
        1 + below.copied().unwrap_or(0)
    }

    /// Said once: where one index nests too deep, many do.
    pub(super) fn too_deep(&mut self, at: &Location) {
        let limit = self.limits.index_depth;
        if !std::mem::replace(&mut self.told_depth, true) {
            self.odd(Anomaly::LimitHit { at: at.clone(), name: "index-depth", limit });
        }
    }
}
