//! Names of the outer tar as a reader that extracts the archive resolves them.
//!
//! Docker extracts a docker-archive, and skopeo and podman an OCI archive, and then open what they want by its path; others
//! (containerd, crane, skopeo for docker-archives, restow) list the members and look names up. Both find the same as long
//! as every member stays where its name says. Here is what makes a difference, whichever way round the members stand: a
//! member at a place below another one that is no directory, a `..` inside of a name, and links that lead elsewhere if
//! they are resolved step by step.

use std::borrow::Cow;
use std::collections::HashSet;

use bstr::{BStr, BString, ByteSlice};

use super::members::{LinkFault, MemberKind, PathFault};
use super::names::{MAX_HOPS, Names};
use crate::location::MemberId;

/// The members of a tar that readers find at different places, in archive order, each once.
pub(super) fn ambiguous(tree: Names<'_>) -> Vec<(MemberId, PathFault)> {
    let mut found = below_others(tree);
    let mut known: HashSet<MemberId> = found.iter().map(|(id, _)| *id).collect();
    for (i, member) in tree.members.iter().enumerate() {
        let id = MemberId(i as u32);
        if known.contains(&id) {
            continue;
        }
        let fault = if member.raw_name().is_some_and(|raw| goes_up_inside(raw)) {
            PathFault::Parent
        } else if member.name.is_empty() && member.kind() != MemberKind::Directory {
            PathFault::Root
        } else if is_link(member.kind()) && tree.walk(id).ok() != stepwise(tree, id).ok() {
            PathFault::Link
        } else {
            continue;
        };
        known.insert(id);
        found.push((id, fault));
    }
    found.sort_by_key(|(id, _)| id.0);
    found
}

fn is_link(kind: MemberKind<'_>) -> bool {
    matches!(kind, MemberKind::Symlink(_) | MemberKind::Hardlink(_))
}

/// Whether a name goes up and stays inside: Docker cleans it, GNU tar leaves the member out, others follow what is there.
fn goes_up_inside(raw: &[u8]) -> bool {
    raw.split_str("/").any(|part| part == b"..") && !crate::tar::clean(raw).escapes
}

/// Members below others that are no directories. Names are looked at in their order, in which all that begin with one
/// stand together.
fn below_others(tree: Names<'_>) -> Vec<(MemberId, PathFault)> {
    let mut found = Vec::new();
    // Members that are no directories, each of whose names begins the next one's.
    let mut open: Vec<(Cow<'_, BStr>, MemberId)> = Vec::new();
    for &i in tree.by_name {
        let (id, member) = (MemberId(i), tree.member(MemberId(i)));
        let name = member.name();
        while open.last().is_some_and(|(begin, _)| !name.starts_with(begin)) {
            open.pop();
        }
        let above = open.iter().find(|(begin, _)| name.get(begin.len()) == Some(&b'/'));
        found.extend(above.map(|(_, above)| (id, PathFault::Below(*above))));
        // Of several of one name the first will do.
        let known = open.last().is_some_and(|(begin, _)| *begin == name);
        if member.kind() != MemberKind::Directory && !name.is_empty() && !known {
            open.push((name, id));
        }
    }
    found
}

/// The regular file that a member leads to where paths are resolved in the extracted archive: component by component, `..`
/// from where a link led to, and a hard link is what its target is, at its own place.
fn stepwise(tree: Names<'_>, id: MemberId) -> Result<Option<MemberId>, LinkFault> {
    let member = tree.member(id);
    let mut here = parent(&member.name()).to_owned();
    let mut hops = 0;
    // What is still to be walked, innermost link last, each from its end.
    let mut ahead: Vec<&[u8]> = match inode(tree, id, &mut hops)? {
        Inode::File(id) => return Ok(Some(id)),
        Inode::Link(target) => steps(target, &mut here),
        Inode::Other => return Ok(None),
    };
    while let Some(step) = ahead.pop() {
        match step {
            b"" | b"." => continue,
            b".." if here.is_empty() => return Err(LinkFault::Outside),
            b".." => {
                here = parent(here.as_bstr()).to_owned();
                continue;
            }
            _ => {}
        }
        let mut name = here.clone();
        if !name.is_empty() {
            name.push(b'/');
        }
        name.extend_from_slice(step);
        let Some(id) = tree.get(&name) else {
            // A directory that only its members name.
            name.push(b'/');
            if !tree.has_below(&name) {
                return Err(LinkFault::Nowhere);
            }
            name.pop();
            here = name;
            continue;
        };
        if tree.member(id).kind() == MemberKind::Directory {
            here = name;
            continue;
        }
        match inode(tree, id, &mut hops)? {
            Inode::Link(target) => ahead.extend(steps(target, &mut here)),
            _ if !ahead.is_empty() => return Err(LinkFault::Nowhere),
            Inode::File(id) => return Ok(Some(id)),
            Inode::Other => return Ok(None),
        }
    }
    Ok(None)
}

/// The parts of a link's target, the first one last. An absolute one begins at the root of the archive, where Docker keeps
/// all links; who looks names up follows none such.
fn steps<'t>(target: &'t BStr, here: &mut BString) -> Vec<&'t [u8]> {
    if target.starts_with(b"/") {
        here.clear();
    }
    target.rsplit_str("/").collect()
}

/// What a member is once it is extracted.
enum Inode<'t> {
    File(MemberId),
    Link(&'t BStr),
    Other,
}

/// What a member is, which for a hard link is what its target is: a member before it, at the very place.
fn inode<'t>(tree: Names<'t>, id: MemberId, hops: &mut usize) -> Result<Inode<'t>, LinkFault> {
    let mut id = id;
    loop {
        *hops += 1;
        if *hops > MAX_HOPS + 1 {
            return Err(LinkFault::TooManyHops);
        }
        match tree.member(id).kind() {
            MemberKind::File => return Ok(Inode::File(id)),
            MemberKind::Symlink(target) => return Ok(Inode::Link(target)),
            MemberKind::Directory | MemberKind::Other(_) => return Ok(Inode::Other),
            MemberKind::Hardlink(target) => {
                let cleaned = crate::tar::clean(target);
                let before = tree.get(&cleaned.path).filter(|before| before.0 < id.0 && !cleaned.escapes);
                id = before.ok_or(LinkFault::Nowhere)?;
            }
        }
    }
}

fn parent(name: &BStr) -> &BStr {
    name.rfind_byte(b'/').map_or(b"".as_bstr(), |at| name[..at].as_bstr())
}
