//! The paths of a layer with their sizes, kept where somebody wants to look at them, and what a layer does to those below it.
//!
//! Judging needs none of this: it goes by hashed paths (`table`), of which memory does not grow. A page shows names and sizes, so
//! they are kept in memory here, up to an allowance for the whole archive ([`Spool::with_contents`](super::Spool::with_contents));
//! beyond it nothing is shown of any layer, so that what a page says does not depend on which was read first.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bstr::BString;

use super::table::Spool;
use crate::tar::{Entry, Kind};

/// Largest files of a layer that are named.
const LARGEST: usize = 5;
/// Bytes that a path costs beside its own: its item, and its place in the tree of what is seen.
const ITEM: u64 = 96;

/// What stands at a path of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Directory,
    /// Anything else, with its bytes.
    File(u64),
    Whiteout,
    /// A whiteout of all that lies in it.
    Opaque,
}

/// The paths of a layer, in its order.
#[derive(Debug, Default)]
pub struct Contents(Vec<(Box<[u8]>, What)>);

/// The same on its way; `None` where nobody wants it, or it no longer fits.
pub(super) struct Collected(Option<Contents>);

impl Collected {
    pub(super) fn new(spool: &Arc<Spool>) -> Collected {
        Collected(spool.keeps_contents().then(Contents::default))
    }

    pub(super) fn finish(self) -> Option<Contents> {
        self.0
    }

    pub(super) fn entry(&mut self, spool: &Spool, path: &[u8], entry: &Entry<'_>) {
        let size = entry.real_size.unwrap_or(entry.size);
        let what = if entry.kind == Kind::Directory { What::Directory } else { What::File(size) };
        self.push(spool, path, what);
    }

    pub(super) fn whiteout(&mut self, spool: &Spool, path: &[u8]) {
        self.push(spool, path, What::Whiteout);
    }

    pub(super) fn opaque(&mut self, spool: &Spool, directory: &[u8]) {
        self.push(spool, directory, What::Opaque);
    }

    fn push(&mut self, spool: &Spool, path: &[u8], what: What) {
        let Some(contents) = &mut self.0 else { return };
        if spool.takes_contents(path.len() as u64 + ITEM) {
            contents.0.push((path.into(), what));
        } else {
            self.0 = None;
        }
    }
}

/// A number of files, and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Files {
    /// How many: everything that is no directory.
    pub count: u64,
    /// Bytes of them all.
    pub bytes: u64,
}

impl Files {
    fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// What a layer does to those below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Files where there was none.
    pub adds: Files,
    /// Files where a lower layer has one; the bytes are those of the new ones.
    pub replaces: Files,
    /// Bytes of the files that these replace, which are stored all the same.
    pub replaced: u64,
    /// Files of lower layers that are seen no longer, since a whiteout, or something else at the path of their directory, hides
    /// them.
    pub hides: Files,
    /// Its largest files, the largest first: path and bytes.
    pub largest: Vec<(BString, u64)>,
}

impl Changes {
    /// Files that the layer has itself.
    pub fn files(&self) -> Files {
        Files {
            count: self.adds.count + self.replaces.count,
            bytes: self.adds.bytes.saturating_add(self.replaces.bytes),
        }
    }

    /// Bytes of lower layers that are stored and seen no longer, because of this layer.
    pub fn unseen(&self) -> u64 {
        self.replaced.saturating_add(self.hides.bytes)
    }
}

/// What is seen of layers that lie on each other: for each path nothing for a directory, else its bytes.
#[derive(Debug, Default)]
pub struct Pile<'a>(BTreeMap<&'a [u8], Option<u64>>);

impl<'a> Pile<'a> {
    /// Lays one more layer upon these.
    pub fn lay(&mut self, layer: &'a Contents) -> Changes {
        let mut changes = Changes::default();
        let mut own: BTreeMap<&'a [u8], Option<u64>> = BTreeMap::new();
        for (path, what) in &layer.0 {
            match what {
                // What a layer hides lies below it, wherever the whiteout stands in its tar.
                What::Whiteout => {
                    if let Some(Some(bytes)) = self.0.remove(&**path) {
                        changes.hides.add(bytes);
                    }
                    self.hide_below(path, &mut changes.hides);
                }
                What::Opaque => self.hide_below(path, &mut changes.hides),
                // Of two at one path the last holds.
                What::Directory => drop(own.insert(path, None)),
                What::File(bytes) => drop(own.insert(path, Some(*bytes))),
            }
        }
        for (&path, &is) in &own {
            match (self.0.insert(path, is), is) {
                (Some(Some(old)), Some(new)) => {
                    changes.replaces.add(new);
                    changes.replaced = changes.replaced.saturating_add(old);
                }
                (Some(Some(old)), None) => changes.hides.add(old),
                (Some(None), Some(new)) => {
                    changes.adds.add(new);
                    self.hide_below(path, &mut changes.hides);
                }
                (None, Some(new)) => changes.adds.add(new),
                (_, None) => {}
            }
        }
        let mut largest: Vec<(u64, &[u8])> = own
            .iter()
            .filter_map(|(path, is)| Some(((*is)?, *path)))
            .filter(|(bytes, _)| *bytes > 0)
            .collect();
        largest.sort_by_key(|(bytes, path)| (std::cmp::Reverse(*bytes), *path));
        largest.truncate(LARGEST);
        changes.largest = largest.into_iter().map(|(bytes, path)| (path.into(), bytes)).collect();
        changes
    }

    fn hide_below(&mut self, directory: &[u8], hidden: &mut Files) {
        let below: Vec<&[u8]> = if directory.is_empty() {
            self.0.keys().copied().collect()
        } else {
            // From `a/` to `a0`, the next letter.
            let (from, to) = ([directory, b"/"].concat(), [directory, b"0"].concat());
            let range = (Bound::Included(&from[..]), Bound::Excluded(&to[..]));
            self.0.range::<[u8], _>(range).map(|(path, _)| *path).collect()
        };
        for path in below {
            if let Some(Some(bytes)) = self.0.remove(path) {
                hidden.add(bytes);
            }
        }
    }
}

impl Contents {
    /// How many entries there are: what laying the layer takes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the layer has no entry.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(items: &[(&str, What)]) -> Contents {
        Contents(items.iter().map(|(path, what)| (path.as_bytes().into(), *what)).collect())
    }

    fn files(count: u64, bytes: u64) -> Files {
        Files { count, bytes }
    }

    #[test]
    fn a_base_adds_and_the_last_of_two_holds() {
        let base = layer(&[
            ("a", What::Directory),
            ("a/x", What::File(5)),
            ("a/x", What::File(7)),
            ("a/y", What::File(0)),
        ]);
        let changes = Pile::default().lay(&base);
        assert_eq!(changes.adds, files(2, 7));
        assert_eq!((changes.replaces, changes.hides), (Files::default(), Files::default()));
        assert_eq!(changes.largest, [("a/x".into(), 7)], "an empty file is no large one");
    }

    /// What each of these layers does to those before it.
    fn laid(layers: &[Contents]) -> Vec<Changes> {
        let mut pile = Pile::default();
        layers.iter().map(|layer| pile.lay(layer)).collect()
    }

    #[test]
    fn replaced_and_hidden_files_are_counted_where_they_lie() {
        let base =
            [("a", What::Directory), ("a/x", What::File(5)), ("a/y", What::File(9)), ("a0", What::File(1))];
        let changes = laid(&[
            layer(&base),
            layer(&[("a/x", What::File(6)), ("a/y", What::Whiteout), ("a/z", What::Whiteout)]),
            // A directory takes what lies in it along, and no neighbour whose name goes on.
            layer(&[("a", What::Whiteout)]),
            layer(&[("", What::Opaque), ("b", What::File(2))]),
        ]);
        let top = &changes[1];
        assert_eq!((top.replaces, top.replaced, top.hides), (files(1, 6), 5, files(1, 9)));
        assert_eq!((top.adds, top.unseen(), top.files()), (Files::default(), 14, files(1, 6)));
        assert_eq!(changes[2].hides, files(1, 6));
        assert_eq!((changes[3].hides, changes[3].adds), (files(1, 1), files(1, 2)));
    }

    #[test]
    fn a_layer_does_not_hide_its_own_and_a_file_takes_the_place_of_a_directory() {
        let changes = laid(&[
            layer(&[("a", What::Directory), ("a/x", What::File(5))]),
            layer(&[("a/n", What::File(1)), ("a", What::Opaque)]),
            layer(&[("a", What::File(3))]),
            layer(&[("a", What::Directory)]),
        ]);
        assert_eq!((changes[1].adds, changes[1].hides), (files(1, 1), files(1, 5)));
        assert_eq!((changes[2].adds, changes[2].hides), (files(1, 3), files(1, 1)));
        assert_eq!(changes[3].hides, files(1, 3));
    }

    #[test]
    fn what_does_not_fit_is_kept_of_no_layer() {
        let spool = Arc::new(Spool::in_directory(None).with_contents(2 * ITEM + 3));
        let mut collected = Collected::new(&spool);
        collected.whiteout(&spool, b"a");
        collected.whiteout(&spool, b"b");
        assert_eq!(collected.0.as_ref().map(Contents::len), Some(2));
        collected.whiteout(&spool, b"c");
        assert!(collected.finish().is_none());
        let nobody = Arc::new(Spool::in_directory(None));
        assert!(Collected::new(&nobody).finish().is_none(), "nobody wants it");
    }
}
