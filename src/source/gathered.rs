//! Members that other trees hold, and some that are made: a list of its own, of which nothing is copied.

use std::io::{Cursor, Read};
use std::sync::Arc;

use super::Tree;
use super::bytes::{Bytes, Wanted};
use super::members::{Member, TreeAnomaly};
use super::name::MemberName;
use crate::digest::Digest;
use crate::error::{Context as _, Result};
use crate::location::MemberId;

/// Where the bytes of a gathered member are.
#[derive(Clone)]
pub enum Held {
    /// In another tree.
    Member(Arc<Tree>, MemberId),
    /// Here: they were made.
    Made(Arc<[u8]>),
}

impl Held {
    /// How many bytes there are.
    pub fn size(&self) -> u64 {
        match self {
            Held::Member(tree, id) => tree.member(*id).size,
            Held::Made(bytes) => bytes.len() as u64,
        }
    }

    /// Reads all of them, up to a limit.
    ///
    /// # Errors
    /// They are not to be had any more.
    pub fn read(&self, limit: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.reader()?.take(limit).read_to_end(&mut bytes).at("cannot read", "the place")?;
        Ok(bytes)
    }

    /// Reads them.
    ///
    /// # Errors
    /// They are not to be had any more.
    pub fn reader(&self) -> Result<Box<dyn Read + Send>> {
        match self {
            Held::Member(tree, id) => tree.reader(*id),
            Held::Made(bytes) => Ok(Box::new(Cursor::new(Arc::clone(bytes)))),
        }
    }
}

struct Gathered(Vec<Held>);

impl Gathered {
    fn held(&self, member: Wanted<'_>) -> Option<&Held> {
        self.0.get(usize::try_from(member.key).ok()?)
    }
}

impl Bytes for Gathered {
    fn reader(&self, member: Wanted<'_>) -> Result<Box<dyn Read + Send>> {
        self.held(member).map_or_else(|| Ok(Box::new(std::io::empty()) as _), Held::reader)
    }

    fn head(&self, member: Wanted<'_>, n: usize) -> Result<Option<Vec<u8>>> {
        match self.held(member) {
            Some(Held::Member(tree, id)) => tree.head(*id, n).map(Some),
            _ => Ok(None),
        }
    }

    fn spooled(&self, member: Wanted<'_>) -> u64 {
        match self.held(member) {
            Some(Held::Member(tree, id)) => tree.spooled_of(*id),
            _ => 0,
        }
    }

    fn version(&self, member: Wanted<'_>) -> Option<String> {
        match self.held(member) {
            Some(Held::Member(tree, id)) => tree.version(*id),
            _ => None,
        }
    }

    fn unchanged(&self) -> Result<()> {
        // Members of one tree stand behind each other, and each look at it is a system call.
        let mut last: Option<&Arc<Tree>> = None;
        for held in &self.0 {
            if let Held::Member(tree, _) = held
                && last.is_none_or(|last| !Arc::ptr_eq(last, tree))
            {
                tree.unchanged()?;
                last = Some(tree);
            }
        }
        Ok(())
    }
}

impl Tree {
    /// A list of members that are elsewhere.
    pub fn gathered(place: &str, members: Vec<(MemberName, Held)>) -> Tree {
        let (members, held) = listed(members, 0);
        Tree::new(place, members, Vec::new(), Box::new(Gathered(held)))
    }

    /// This tree with more members behind its own, which keep their IDs.
    pub fn with(self, more: Vec<(MemberName, Held)>) -> Tree {
        let base = Arc::new(self);
        let mut members = base.members.clone();
        members.iter_mut().zip(0..).for_each(|(member, key)| member.key = key);
        let held: Vec<Held> =
            (0..members.len() as u32).map(|id| Held::Member(Arc::clone(&base), MemberId(id))).collect();
        upon(&base, members, held, more)
    }
}

/// What becomes of a member where a tree is changed.
#[derive(Clone)]
pub enum Becomes {
    /// It stays as it is.
    Same,
    /// It is called otherwise, and may hold other bytes.
    Other(MemberName, Option<Held>),
    /// It goes.
    Gone,
}

impl Tree {
    /// This tree with some members changed and more behind its own; and where each of its own is now. `moved` are digests
    /// that documents have no more, each with the one in its place.
    pub fn changed(
        self,
        becomes: &dyn Fn(MemberId) -> Becomes,
        more: Vec<(MemberName, Held)>,
        moved: &[(Digest, Digest)],
    ) -> (Tree, Vec<Option<MemberId>>) {
        let base = Arc::new(self);
        let (mut members, mut held, mut now) = (Vec::new(), Vec::new(), Vec::new());
        for (member, id) in base.members.iter().zip(0..) {
            let id = MemberId(id);
            let mut member = member.clone();
            let mut bytes = Held::Member(Arc::clone(&base), id);
            match becomes(id) {
                Becomes::Same => {}
                Becomes::Other(name, made) => {
                    if member.name != name {
                        member.rename(name);
                    }
                    if let Some(made) = made {
                        member.size = made.size();
                        bytes = made;
                    }
                }
                Becomes::Gone => {
                    now.push(None);
                    continue;
                }
            }
            now.push(Some(MemberId(members.len() as u32)));
            member.key = members.len() as u64;
            members.push(member);
            held.push(bytes);
        }
        let mut tree = upon(&base, members, held, more);
        tree.container = base.container.clone();
        for (old, new) in moved {
            tree.formerly.values_mut().filter(|now| *now == old).for_each(|now| now.clone_from(new));
            tree.formerly.insert(old.clone(), new.clone());
        }
        (tree, now)
    }
}

/// What is odd about a tree that does not follow from names: that is found anew.
fn of_container(tree: &Tree) -> Vec<TreeAnomaly> {
    let named =
        |odd: &&TreeAnomaly| matches!(odd, TreeAnomaly::Duplicate { .. } | TreeAnomaly::Ambiguous { .. });
    tree.anomalies.iter().filter(|odd| !named(odd)).cloned().collect()
}

/// Members with these names, of which the first is held at `from`.
fn listed(members: Vec<(MemberName, Held)>, from: usize) -> (Vec<Member>, Vec<Held>) {
    let member =
        |((name, held), key): ((MemberName, Held), u64)| (Member::listed(name, held.size(), key), held);
    members.into_iter().zip(from as u64..).map(member).unzip()
}

/// These members, and more behind them, in the place of those of a tree.
fn upon(base: &Tree, mut members: Vec<Member>, mut held: Vec<Held>, more: Vec<(MemberName, Held)>) -> Tree {
    let (more, more_held) = listed(more, members.len());
    members.extend(more);
    held.extend(more_held);
    let mut tree = Tree::new(&base.place, members, of_container(base), Box::new(Gathered(held)));
    tree.outer = base.outer;
    tree.formerly = base.formerly.clone();
    tree
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tree: &Tree, name: &str) -> Vec<u8> {
        let id = tree.get(name.as_bytes()).expect("there");
        tree.read(id, 100).expect("read").expect("small")
    }

    #[test]
    fn members_are_where_they_were_and_more_stand_behind_them() {
        let made = |text: &[u8]| Held::Made(Arc::from(text));
        let one = Arc::new(Tree::gathered("one", vec![("a".into(), made(b"first"))]));
        let held = Held::Member(Arc::clone(&one), MemberId(0));
        let two = Tree::gathered("two", vec![("b".into(), held.clone()), ("c".into(), made(b"third"))]);
        assert_eq!((read(&two, "b"), read(&two, "c")), (b"first".to_vec(), b"third".to_vec()));
        assert_eq!(two.head(MemberId(0), 2).expect("read"), b"fi");
        let three = two.with(vec![("d".into(), held)]);
        assert_eq!(three.get(b"c"), Some(MemberId(1)));
        assert_eq!((read(&three, "c"), read(&three, "d")), (b"third".to_vec(), b"first".to_vec()));
        three.unchanged().expect("unchanged");
    }
}
