//! What becomes of each thing that the source holds. A plan that leaves one over cannot be carried out: only what is
//! [`Settled`] can.

use std::collections::{BTreeMap, HashSet};

use crate::error::{Error, Result};
use crate::inventory::{Inventory, Item, Part};
use crate::jobs::convert::account::{Action, Entry, Kind};
use crate::jobs::convert::plan::{Make, Plan, Treatment};
use crate::jobs::convert::request::Target;
use crate::model::select;
use crate::model::{Archive, BlobId, Body, NodeId};

/// What becomes of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It stands in the destination as it is.
    Kept,
    /// It stands there with other bytes, or under another name.
    Changed,
    /// It is left out.
    Dropped(String),
    /// It is only named in the source, and so it stays.
    Absent,
    /// It belongs to the source's form: the destination has its own.
    Remade,
}

/// A plan that leaves nothing over.
#[derive(Debug)]
pub struct Settled {
    /// What is done.
    pub plan: Plan,
    /// What becomes of each thing, in the order of the inventory.
    pub fates: Vec<(Item, Fate)>,
}

/// Gives everything its fate, and the account its lines about what is left out.
///
/// # Errors
///
/// The plan says nothing about something.
pub fn settle(archive: &Archive, inventory: &Inventory, target: Target, mut plan: Plan) -> Result<Settled> {
    let mut fates = Vec::with_capacity(inventory.items.len());
    {
        let settling = Settling::new(archive, inventory, target, &plan);
        for item in &inventory.items {
            let fate = settling.fate(item).ok_or_else(|| forgotten(archive, item))?;
            fates.push((item.clone(), fate));
        }
    }
    let lines = lines(archive, inventory, &plan, &fates);
    plan.entries.extend(lines);
    plan.entries.extend(plan.names.fates.values().chain(&plan.names.more).cloned());
    Ok(Settled { plan, fates })
}

/// Refuses to go on where something would be lost in silence.
fn forgotten(archive: &Archive, item: &Item) -> Error {
    Error::refused_help(
        format!("{} would be lost without a word, so nothing is written", words(archive, item)),
        "this is a fault of restow; choose what you need with --image, and please report it",
    )
}

struct Settling<'a> {
    archive: &'a Archive,
    inventory: &'a Inventory,
    target: Target,
    plan: &'a Plan,
    kept: HashSet<BlobId>,
    changed: HashSet<BlobId>,
}

impl<'a> Settling<'a> {
    fn new(archive: &'a Archive, inventory: &'a Inventory, target: Target, plan: &'a Plan) -> Settling<'a> {
        let (mut kept, mut changed) = (HashSet::new(), HashSet::new());
        for (blob, treatment) in plan.blobs() {
            match treatment {
                Treatment::Keep => kept.insert(blob),
                Treatment::Recompress(_) => changed.insert(blob),
            };
        }
        Settling { archive, inventory, target, plan, kept, changed }
    }

    /// What becomes of a thing; `None` if the plan does not say.
    fn fate(&self, item: &Item) -> Option<Fate> {
        match item {
            Item::Name(root) => Some(match self.plan.names.fates.get(root)?.action {
                Action::Kept | Action::Fixed => Fate::Kept,
                Action::Moved | Action::Rewritten | Action::Synthesised => Fate::Changed,
                Action::Dropped => Fate::Dropped(self.plan.names.fates.get(root)?.why.clone()),
                Action::Absent => Fate::Absent,
            }),
            Item::BadName(_) => Some(Fate::Dropped("it is no name that an image can have".to_owned())),
            Item::BadRoot(_) => Some(Fate::Dropped("it has no digest that could be followed".to_owned())),
            Item::Node(node) => self.node(*node),
            Item::Blob(blob, part) => self.blob(*blob, *part),
            Item::Signature(node, _) => self.signature(*node),
            Item::Document(_) => Some(Fate::Remade),
            Item::Legacy(_) if self.target == Target::DockerLegacy => Some(Fate::Remade),
            Item::Legacy(_) => Some(Fate::Dropped("nothing reads them beside manifest.json".to_owned())),
            Item::Stray(_) => {
                Some(Fate::Dropped("it belongs to no image, and no form has a place for it".to_owned()))
            }
        }
    }

    /// One document may be several nodes: what is made of one is made of all.
    fn node(&self, node: NodeId) -> Option<Fate> {
        let alike = self.inventory.alike(self.archive, node);
        let make = alike.iter().find_map(|node| self.plan.make.get(node));
        if let Some(make) = make {
            return Some(match make {
                Make::Keep => Fate::Kept,
                Make::Rewrite { .. } | Make::Reindex { .. } | Make::Synthesise { .. } => Fate::Changed,
                Make::Nothing => {
                    Fate::Dropped("the legacy docker-archive form holds no manifests".to_owned())
                }
            });
        }
        if alike.iter().all(|node| matches!(self.archive.node(*node).body, Body::Absent)) {
            return Some(Fate::Absent);
        }
        alike
            .iter()
            .find_map(|node| self.plan.dropped.get(node))
            .map(|dropped| Fate::Dropped(dropped.why.clone()))
    }

    fn blob(&self, blob: BlobId, part: Part) -> Option<Fate> {
        if self.kept.contains(&blob) {
            return Some(Fate::Kept);
        }
        if self.changed.contains(&blob) {
            return Some(Fate::Changed);
        }
        if self.archive.blob(blob).member.is_none() {
            return Some(Fate::Absent);
        }
        if let Some(why) = self.plan.unstaged.get(&blob) {
            return Some(Fate::Dropped(why.clone()));
        }
        match part {
            Part::Unreferenced if self.archive.blob(blob).referenced => Some(Fate::Dropped(
                "what points at it is overruled by another part of the archive".to_owned(),
            )),
            Part::Unreferenced => Some(Fate::Dropped("nothing points at it".to_owned())),
            Part::Config | Part::Layer => {
                let users = self.inventory.users.get(&blob)?;
                // What nothing that is kept needs goes with what needed it.
                let fates: Option<Vec<Fate>> = users.iter().map(|&user| self.node(user)).collect();
                fates?.into_iter().try_fold(None, |_, fate| match fate {
                    Fate::Dropped(why) => Some(Some(Fate::Dropped(why))),
                    Fate::Kept | Fate::Changed | Fate::Absent | Fate::Remade => None,
                })?
            }
        }
    }

    fn signature(&self, node: NodeId) -> Option<Fate> {
        Some(match self.node(node)? {
            Fate::Kept if self.target == Target::SkopeoDir => Fate::Kept,
            Fate::Kept => Fate::Dropped("only dir: layouts hold them".to_owned()),
            Fate::Changed => Fate::Dropped("they sign a manifest that changed".to_owned()),
            Fate::Dropped(why) => Fate::Dropped(why),
            Fate::Absent | Fate::Remade => return None,
        })
    }
}

/// Lines about what is left out: what is carried has its own, once it is written.
fn lines(archive: &Archive, inventory: &Inventory, plan: &Plan, fates: &[(Item, Fate)]) -> Vec<Entry> {
    let mut lines = Vec::new();
    // Members are many and alike.
    let mut files: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for (item, fate) in fates {
        let Fate::Dropped(why) = fate else { continue };
        match item {
            // Names have their lines whatever becomes of them.
            Item::Name(_) => {}
            Item::BadName(text) => {
                lines.push(Entry::note(Kind::Name, Action::Dropped, text.clone(), why.clone()));
            }
            Item::BadRoot(_) => {
                let what = words(archive, item);
                lines.push(Entry::note(Kind::Other, Action::Dropped, what, why.clone()));
            }
            Item::Node(node) => {
                let alike = inventory.alike(archive, *node);
                // A manifest that is made, and not written, is told of as it is made.
                let Some(dropped) = alike.iter().find_map(|node| plan.dropped.get(node)) else { continue };
                if alike.iter().any(|node| plan.make.contains_key(node)) {
                    continue;
                }
                let held = archive.node(*node);
                let kind = if matches!(held.body, Body::Index { .. }) { Kind::Index } else { Kind::Manifest };
                lines.push(Entry {
                    before: held.digest.clone(),
                    ..Entry::note(kind, Action::Dropped, dropped.what.clone(), why.clone())
                });
            }
            Item::Blob(blob, part) => {
                let kind = match part {
                    Part::Config => Kind::Config,
                    Part::Layer => Kind::Layer,
                    Part::Unreferenced => Kind::Blob,
                };
                lines.push(Entry {
                    before: archive.blob(*blob).digest.clone(),
                    ..Entry::note(kind, Action::Dropped, of(archive, inventory, plan, *blob), why.clone())
                });
            }
            // Those of a manifest that is carried are told of with it.
            Item::Signature(node, _) if plan.make.contains_key(node) => {}
            Item::Signature(node, _) => {
                let what = format!("signature of {}", described(archive, plan, *node));
                lines.push(Entry::note(Kind::Other, Action::Dropped, what, why.clone()));
            }
            Item::Document(_) => {}
            Item::Legacy(member) => {
                files
                    .entry(("members of the old docker-archive form", why))
                    .or_default()
                    .push(archive.tree.member(*member).name().to_string());
            }
            Item::Stray(member) => {
                files.entry(("", why)).or_default().push(archive.tree.member(*member).name().to_string());
            }
        }
    }
    for ((what, why), names) in files {
        let what = match (what, &names[..]) {
            ("", [one]) => format!("file {one}"),
            ("", [one, more @ ..]) => format!("file {one} and {} more", more.len()),
            ("members of the old docker-archive form", [_]) => {
                "1 member of the old docker-archive form".to_owned()
            }
            (what, names) => format!("{} {what}", names.len()),
        };
        lines.push(Entry::note(Kind::Other, Action::Dropped, what, why));
    }
    // Blobs that nothing points at may be many: they come last.
    lines.sort_by_key(|line| line.kind == Kind::Blob);
    lines
}

/// A blob in the words of the account: by what points at it.
fn of(archive: &Archive, inventory: &Inventory, plan: &Plan, blob: BlobId) -> String {
    let user = inventory.users.get(&blob).and_then(|users| users.first());
    let Some(&user) = user else {
        let member = archive.blob(blob).member;
        return member.map_or_else(String::new, |member| archive.tree.member(member).name().to_string());
    };
    let node = archive.node(user);
    let whose = described(archive, plan, user);
    let config = node.parts().is_some_and(|parts| parts.config.blob == Some(blob));
    if config {
        return format!("config of {whose}");
    }
    let first = usize::from(node.parts().is_some());
    let at = node.all_parts().iter().skip(first).position(|part| part.blob == Some(blob));
    format!("layer {} of {whose}", at.unwrap_or_default())
}

fn described(archive: &Archive, plan: &Plan, node: NodeId) -> String {
    match plan.dropped.get(&node) {
        Some(dropped) => dropped.what.clone(),
        None => select::described(archive, node),
    }
}

fn words(archive: &Archive, item: &Item) -> String {
    match item {
        Item::Name(root) => format!("the name {}", archive.roots[*root].name.shown()),
        Item::BadName(text) => format!("the name {text}"),
        Item::BadRoot(Some(text)) => format!("the entry `{text}` of index.json"),
        Item::BadRoot(None) => "an entry of index.json without digest".to_owned(),
        Item::Node(node) => format!("the manifest {}", select::described(archive, *node)),
        Item::Blob(blob, _) => match &archive.blob(*blob).digest {
            Some(digest) => format!("the blob {digest}"),
            None => "a blob".to_owned(),
        },
        Item::Signature(node, _) => format!("a signature of {}", select::described(archive, *node)),
        Item::Document(member) | Item::Legacy(member) | Item::Stray(member) => {
            format!("the file {}", archive.tree.member(*member).name())
        }
    }
}
