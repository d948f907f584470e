//! Members by their names, and where links among them lead.

use bstr::ByteSlice;

use super::members::{LinkFault, Member, MemberKind};
use crate::location::MemberId;
use crate::tar;

/// Symlinks and hard links are followed this many steps (formats.md H, 11).
pub(super) const MAX_HOPS: usize = 16;

/// The members of an archive, and their numbers in the order of their names.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    pub members: &'a [Member],
    pub by_name: &'a [u32],
}

impl<'a> Names<'a> {
    /// The member itself.
    pub fn member(self, id: MemberId) -> &'a Member {
        &self.members[id.0 as usize]
    }

    /// The member of this exact cleaned name, links not followed; the first of several.
    pub fn get(self, name: &[u8]) -> Option<MemberId> {
        let at = self.by_name.partition_point(|&i| self.members[i as usize].name.cmp_text(name).is_lt());
        let id = *self.by_name.get(at)?;
        self.members[id as usize].name.cmp_text(name).is_eq().then_some(MemberId(id))
    }

    /// The members whose names begin with `prefix`, in name order.
    pub fn below(self, prefix: &'a [u8]) -> impl Iterator<Item = (MemberId, &'a Member)> + 'a {
        let from = self.by_name.partition_point(|&i| self.members[i as usize].name.cmp_text(prefix).is_lt());
        self.by_name[from..]
            .iter()
            .map(move |&i| (MemberId(i), &self.members[i as usize]))
            .take_while(move |(_, member)| member.name.starts_with(prefix))
    }

    /// Whether any name begins so.
    pub fn has_below(self, prefix: &[u8]) -> bool {
        let from = self.by_name.partition_point(|&i| self.members[i as usize].name.cmp_text(prefix).is_lt());
        self.by_name.get(from).is_some_and(|&i| self.members[i as usize].name.starts_with(prefix))
    }

    /// The regular file that a member leads to, if it does not lead to something else.
    pub fn walk(self, id: MemberId) -> Result<Option<MemberId>, LinkFault> {
        let mut id = id;
        for _ in 0..=MAX_HOPS {
            let member = self.member(id);
            let target = match member.kind() {
                MemberKind::File => return Ok(Some(id)),
                MemberKind::Symlink(target) if target.starts_with(b"/") => return Err(LinkFault::Absolute),
                MemberKind::Symlink(target) => {
                    let name = member.name();
                    let parent = name.rfind_byte(b'/').map_or(&b""[..], |at| &name.as_bytes()[..at]);
                    [parent, b"/", target].concat()
                }
                MemberKind::Hardlink(target) => target.to_vec(),
                MemberKind::Directory | MemberKind::Other(_) => return Ok(None),
            };
            let cleaned = tar::clean(target.strip_prefix(b"/").unwrap_or(&target));
            if cleaned.escapes {
                return Err(LinkFault::Outside);
            }
            id = match self.get(&cleaned.path) {
                Some(id) => id,
                // The root, or a directory that only its members name.
                None if cleaned.path.is_empty() => return Ok(None),
                None if self.has_below(&[cleaned.path.as_bytes(), b"/"].concat()) => return Ok(None),
                None => return Err(LinkFault::Nowhere),
            };
        }
        Err(LinkFault::TooManyHops)
    }
}
