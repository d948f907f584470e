//! Members that other trees hold, and some that are made: a list of its own, of which nothing is copied.

use std::io::{Cursor, Read};
use std::sync::Arc;

use super::Tree;
use super::bytes::{Bytes, Wanted};
use super::members::{Member, TreeAnomaly};
use super::name::MemberName;
use crate::error::Result;
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
    fn size(&self) -> u64 {
        match self {
            Held::Member(tree, id) => tree.member(*id).size,
            Held::Made(bytes) => bytes.len() as u64,
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
        match self.held(member) {
            Some(Held::Member(tree, id)) => tree.reader(*id),
            Some(Held::Made(bytes)) => Ok(Box::new(Cursor::new(Arc::clone(bytes)))),
            None => Ok(Box::new(std::io::empty())),
        }
    }

    fn head(&self, member: Wanted<'_>, n: usize) -> Result<Option<Vec<u8>>> {
        match self.held(member) {
            Some(Held::Member(tree, id)) => tree.head(*id, n).map(Some),
            _ => Ok(None),
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
        let own = base.members.iter().zip(0..);
        let mut members: Vec<Member> = own.map(|(member, key)| Member { key, ..member.clone() }).collect();
        let mut held: Vec<Held> =
            (0..members.len() as u32).map(|id| Held::Member(Arc::clone(&base), MemberId(id))).collect();
        let (more, more_held) = listed(more, members.len());
        members.extend(more);
        held.extend(more_held);
        // The others follow from names, and are found anew.
        let named =
            |odd: &&TreeAnomaly| matches!(odd, TreeAnomaly::Duplicate { .. } | TreeAnomaly::Ambiguous { .. });
        let anomalies = base.anomalies.iter().filter(|odd| !named(odd)).cloned().collect();
        let mut tree = Tree::new(&base.place, members, anomalies, Box::new(Gathered(held)));
        tree.outer = base.outer;
        tree
    }
}

/// Members with these names, of which the first is held at `from`.
fn listed(members: Vec<(MemberName, Held)>, from: usize) -> (Vec<Member>, Vec<Held>) {
    let member =
        |((name, held), key): ((MemberName, Held), u64)| (Member::listed(name, held.size(), key), held);
    members.into_iter().zip(from as u64..).map(member).unzip()
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
