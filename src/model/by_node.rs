//! Entry points by what they lead to: an archive may have tens of thousands, so that nobody looks through all of them for one.

use std::collections::HashMap;

use crate::model::archive::{Archive, Name, NodeId, Root};

impl Archive {
    fn roots_of(&self, node: NodeId) -> Option<(usize, Option<usize>)> {
        let by_node = self.by_node.get_or_init(|| {
            let mut by_node: HashMap<NodeId, (usize, Option<usize>)> = HashMap::new();
            for (i, root) in self.roots.iter().enumerate() {
                let (_, named) = by_node.entry(root.node).or_insert((i, None));
                *named = named.or((root.name != Name::None).then_some(i));
            }
            by_node
        });
        by_node.get(&node).copied()
    }

    /// Whether an entry point leads to a node, by name or not.
    pub(crate) fn is_root(&self, node: NodeId) -> bool {
        self.roots_of(node).is_some()
    }

    /// The first named entry point that leads to a node.
    pub(crate) fn named_root(&self, node: NodeId) -> Option<&Root> {
        self.roots.get(self.roots_of(node)?.1?)
    }
}
