//! Fixes that are made together, and what they take along: a document that changes gets another digest, which whatever
//! names it says from then on, up to the entry points.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bstr::ByteSlice;

use super::links::{How, Link, Links};
use super::text::edited;
use crate::digest::Digest;
use crate::error::Result;
use crate::finding::{Change, Edit, Finding, Target, quoted};
use crate::location::MemberId;
use crate::model::{Archive, Form};
use crate::source::{Becomes, Held, MemberName};

/// What fixes change.
#[derive(Default)]
pub(super) struct Round {
    /// What becomes of members; of others nothing.
    pub becomes: HashMap<MemberId, Becomes>,
    /// Members that were not there.
    pub more: BTreeMap<Vec<u8>, Held>,
    /// Documents that have another digest now, before and after.
    pub moved: Vec<(Digest, Digest)>,
    /// Of the fixes given those that are made, by their places.
    pub made: Vec<usize>,
    /// Those that would hide a fault: a document above is not what its digest says.
    pub unsound: Vec<usize>,
}

/// Makes fixes that can be made together.
///
/// # Errors
/// The archive cannot be read.
pub(super) fn round(archive: &Archive, links: &Links, fixes: &[&Finding]) -> Result<Round> {
    let mut round = Round::default();
    let mut wanted: Vec<usize> = (0..fixes.len()).collect();
    let sound = |finding: &Finding| {
        let members = inside(finding).map(|(member, _)| member);
        members.flat_map(|member| links.up(member)).all(|member| is_sound(archive, links, member))
    };
    wanted.retain(|&at| {
        sound(fixes[at])
            || !{
                round.unsound.push(at);
                true
            }
    });
    loop {
        let changes: HashSet<MemberId> = wanted
            .iter()
            .flat_map(|&at| inside(fixes[at]))
            .flat_map(|(member, _)| links.up(member))
            .collect();
        let count = wanted.len();
        // What says of a document what it is, is written anew where the document changes.
        wanted.retain(|&at| {
            !inside(fixes[at]).any(|(member, edit)| is_said_anew(links, &changes, member, edit))
        });
        if wanted.len() < count {
            continue;
        }
        let Some(failed) = documents(archive, links, fixes, &wanted, &changes, &mut round) else { break };
        wanted.retain(|&at| !inside(fixes[at]).any(|(member, _)| member == failed));
        (round.becomes, round.moved) = Default::default();
    }
    renamed(archive, &mut round)?;
    for &at in &wanted {
        for Change { target, edit } in fixes[at].fix.iter().flat_map(|fix| &fix.changes) {
            whole(archive, target, edit, &mut round);
        }
    }
    round.made = wanted;
    Ok(round)
}

/// The changes inside documents.
fn inside(finding: &Finding) -> impl Iterator<Item = (MemberId, &Edit)> {
    let changes = finding.fix.iter().flat_map(|fix| &fix.changes);
    changes.filter_map(|change| match change.target {
        Target::Member(member) if change.edit.is_inside() => Some((member, &change.edit)),
        _ => None,
    })
}

/// Whether a document is what its digests say: to change another one would hide that it is not.
fn is_sound(archive: &Archive, links: &Links, member: MemberId) -> bool {
    let Some(id) = links.document(member) else { return true };
    let sha256 = &archive.listed(id).sha256;
    links.digests(member).all(|digest| match digest.algorithm_name() {
        "sha256" => digest == sha256,
        _ => digest.of_same_kind(&archive.document(id).bytes).as_ref() == Some(digest),
    })
}

/// Whether an edit changes what a descriptor says of a document that changes itself.
fn is_said_anew(links: &Links, changes: &HashSet<MemberId>, by: MemberId, edit: &Edit) -> bool {
    let Some(pointer) = edit.pointer() else { return false };
    changes.iter().flat_map(|member| links.to(*member)).filter(|link| link.by == by).any(|link| {
        let said = pointer.strip_prefix(link.pointer.as_str());
        said.is_some_and(|rest| matches!(rest, "" | "/digest" | "/size" | "/data"))
    })
}

/// Changes documents, children before what names them; one that cannot be changed so, if there is one.
fn documents(
    archive: &Archive,
    links: &Links,
    fixes: &[&Finding],
    wanted: &[usize],
    changes: &HashSet<MemberId>,
    round: &mut Round,
) -> Option<MemberId> {
    let mut edits: HashMap<MemberId, Vec<Edit>> = HashMap::new();
    for (member, edit) in wanted.iter().flat_map(|&at| inside(fixes[at])) {
        let own = edits.entry(member).or_default();
        if !own.contains(edit) {
            own.push(edit.clone());
        }
    }
    // How many of those that change are named by each.
    let mut below: HashMap<MemberId, usize> = changes.iter().map(|member| (*member, 0)).collect();
    let by = |member: &MemberId| links.to(*member).iter().map(|link| link.by).collect::<BTreeSet<_>>();
    for by in changes.iter().flat_map(by) {
        below.entry(by).and_modify(|count| *count += 1);
    }
    let mut ready: BTreeSet<MemberId> =
        below.iter().filter(|(_, count)| **count == 0).map(|(member, _)| *member).collect();
    let mut done = 0;
    while let Some(member) = ready.pop_first() {
        done += 1;
        let document = archive.document(links.document(member)?);
        let text =
            edited(&document.bytes, document.json.as_ref().ok(), &edits.remove(&member).unwrap_or_default());
        let Some(text) = text else { return Some(member) };
        let digests: HashSet<&Digest> = links.digests(member).chain([&document.sha256]).collect();
        for old in digests {
            let Some(new) = old.of_same_kind(&text).filter(|new| new != old) else { continue };
            for (by, pointer) in links.attests.get(old.as_str()).into_iter().flatten() {
                let edit = Edit::Set { pointer: pointer.clone(), value: quoted(&new) };
                edits.entry(*by).or_default().push(edit);
            }
            round.moved.push((old.clone(), new));
        }
        for link in links.to(member) {
            edits.entry(link.by).or_default().extend(said(archive, links, link, &text, &document.sha256));
        }
        let name = archive.tree.member(member).kept_name().clone();
        round.becomes.insert(member, Becomes::Other(name, Some(Held::Made(text.into()))));
        for by in by(&member) {
            if let Some(count) = below.get_mut(&by) {
                *count -= 1;
                if *count == 0 {
                    ready.insert(by);
                }
            }
        }
    }
    // What names itself can have no digest.
    below.into_iter().filter(|(_, count)| *count > 0 && done < changes.len()).map(|(member, _)| member).min()
}

/// What a place says that names a document with this text.
fn said(archive: &Archive, links: &Links, link: &Link, text: &[u8], before: &Digest) -> Vec<Edit> {
    let at = &link.pointer;
    let set = |pointer: String, value: String| Edit::Set { pointer, value };
    match &link.how {
        How::Descriptor(digest) => {
            let Some(now) = digest.of_same_kind(text) else { return Vec::new() };
            let mut edits = vec![
                set(format!("{at}/digest"), quoted(now)),
                set(format!("{at}/size"), text.len().to_string()),
            ];
            let document = links.document(link.by).map(|id| archive.document(id));
            let root = document.as_ref().and_then(|document| document.root());
            if root.and_then(|root| root.at(&format!("{at}/data"))).is_some() {
                edits.push(Edit::Remove { pointer: format!("{at}/data") });
            }
            edits
        }
        How::Name(name) => {
            let now = Digest::sha256(text);
            let renamed = name.replace(before.encoded(), now.encoded());
            if renamed == *name { Vec::new() } else { vec![set(at.clone(), quoted(renamed))] }
        }
    }
}

/// Members that are called by a digest are called by the new one; so say links of a registry's storage.
fn renamed(archive: &Archive, round: &mut Round) -> Result<()> {
    if round.moved.is_empty() {
        return Ok(());
    }
    let storage = archive.form == Form::RegistryStorage;
    let now: HashMap<&[u8], &Digest> =
        round.moved.iter().map(|(old, new)| (old.encoded().as_bytes(), new)).collect();
    let texts: HashMap<&[u8], &Digest> =
        round.moved.iter().map(|(old, new)| (old.as_str().as_bytes(), new)).collect();
    for (member, id) in archive.tree.members.iter().zip(0..) {
        let id = MemberId(id);
        let name = if storage { in_storage(&member.name(), &now) } else { anywhere(&member.name(), &now) };
        let link = match storage && member.name().ends_with(b"/link") && member.size < 256 {
            true => archive.tree.read(id, 256)?,
            false => None,
        };
        let link = link.and_then(|text| {
            texts.get(text.trim_ascii()).map(|new| Held::Made(new.as_str().as_bytes().into()))
        });
        if name.is_none() && link.is_none() {
            continue;
        }
        let name = name.map_or_else(|| member.kept_name().clone(), |name| MemberName::from(&name[..]));
        let taken = name != *member.kept_name() && archive.tree.get(&name.text()).is_some();
        let made = match round.becomes.remove(&id) {
            Some(Becomes::Other(_, made)) => made,
            _ => link,
        };
        round.becomes.insert(id, if taken { Becomes::Gone } else { Becomes::Other(name, made) });
    }
    Ok(())
}

/// A name in which a digest stands for itself, or begins the name of a file.
fn anywhere(name: &[u8], now: &HashMap<&[u8], &Digest>) -> Option<Vec<u8>> {
    let mut parts: Vec<&[u8]> = name.split_str("/").collect();
    let mut changed = false;
    let mut new: Vec<Vec<u8>> = Vec::with_capacity(parts.len());
    for part in parts.drain(..) {
        let hex = part.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        match now.get(&part[..hex]) {
            Some(digest) => {
                changed = true;
                new.push([digest.encoded().as_bytes(), &part[hex..]].concat());
            }
            None => new.push(part.to_vec()),
        }
    }
    changed.then(|| new.join(&b'/'))
}

/// A path of a registry's storage: blobs stand below the first two digits of theirs. Tags are names, whatever they look like.
fn in_storage(name: &[u8], now: &HashMap<&[u8], &Digest>) -> Option<Vec<u8>> {
    let mut parts: Vec<&[u8]> = name.split_str("/").collect();
    let mut changed = false;
    for at in 1..parts.len() {
        let Some(new) = now.get(parts[at]) else { continue };
        let (hex, old) = (new.encoded().as_bytes(), parts[at]);
        if at >= 2 && parts[at - 1] == &old[..2] && parts[at - 2] == new.algorithm_name().as_bytes() {
            parts[at - 1] = &hex[..2];
        } else if parts[at - 1] != new.algorithm_name().as_bytes() {
            continue;
        }
        parts[at] = hex;
        changed = true;
    }
    changed.then(|| parts.join(&b'/'))
}

/// A change of a member as a whole.
fn whole(archive: &Archive, target: &Target, edit: &Edit, round: &mut Round) {
    let there = match target {
        Target::Member(member) => Some(*member),
        Target::Named(name) => archive.tree.get(name),
    };
    let name = |member: MemberId| archive.tree.member(member).kept_name().clone();
    match (edit, there, target) {
        (Edit::Write(text), Some(member), _) => {
            round
                .becomes
                .insert(member, Becomes::Other(name(member), Some(Held::Made(text.as_bytes().into()))));
        }
        (Edit::Write(text), None, Target::Named(name)) => {
            round.more.insert(name.to_vec(), Held::Made(text.as_bytes().into()));
        }
        (Edit::Move(to), Some(member), _) => {
            round.becomes.insert(member, Becomes::Other(to.as_str().into(), None));
        }
        (Edit::Delete, Some(member), _) => {
            round.becomes.insert(member, Becomes::Gone);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_called_by_the_new_digest_and_tags_by_what_they_are() {
        let (old, new) = (Digest::sha256(b"old"), Digest::sha256(b"new"));
        let now: HashMap<&[u8], &Digest> = HashMap::from([(old.encoded().as_bytes(), &new)]);
        let (a, b) = (old.encoded(), new.encoded());
        let storage = |name: String| {
            in_storage(name.as_bytes(), &now).map(|name| String::from_utf8(name).expect("text"))
        };
        assert_eq!(
            storage(format!("v2/blobs/sha256/{}/{a}/data", &a[..2])),
            Some(format!("v2/blobs/sha256/{}/{b}/data", &b[..2]))
        );
        assert_eq!(
            storage(format!("v2/repositories/x/_manifests/tags/1/index/sha256/{a}/link")),
            Some(format!("v2/repositories/x/_manifests/tags/1/index/sha256/{b}/link"))
        );
        // A tag is a name, even where it is a digest.
        for tag in [format!("sha256-{a}.sig"), a.to_owned()] {
            assert_eq!(storage(format!("v2/repositories/x/_manifests/tags/{tag}/current/link")), None);
        }
        let other =
            |name: String| anywhere(name.as_bytes(), &now).map(|name| String::from_utf8(name).expect("text"));
        assert_eq!(other(format!("{a}.json")), Some(format!("{b}.json")));
        assert_eq!(other(format!("blobs/sha256/{a}")), Some(format!("blobs/sha256/{b}")));
        assert_eq!(other(format!("{a}.manifest.json")), Some(format!("{b}.manifest.json")));
        assert_eq!(other(format!("{a}0")), None);
    }
}
