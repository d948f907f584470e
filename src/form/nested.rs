//! Archives that lie one folder too deep, as `tar c FOLDER` makes them.

use crate::error::Result;
use crate::limits::Limits;
use crate::source::Tree;

/// The tree of what lies in the one folder at the top, and the folder's name; the tree as it is if there is no such folder.
pub(super) fn inside(tree: Tree, limits: &Limits) -> Result<(Tree, Option<String>)> {
    let Some(folder) = only_folder(&tree) else { return Ok((tree, None)) };
    let tree = tree.inside(&folder, limits)?;
    Ok((tree, Some(folder)))
}

/// The folder that all members lie in.
fn only_folder(tree: &Tree) -> Option<String> {
    let first = tree.members.first()?;
    let name = first.name();
    let top = name.split(|byte| *byte == b'/').next()?;
    let folder = String::from_utf8(top.to_vec()).ok()?;
    let below = format!("{folder}/");
    let inside = tree
        .members
        .iter()
        .all(|m| *m.name() == *folder.as_bytes() || m.name().starts_with(below.as_bytes()));
    (inside && tree.has_below(&below)).then_some(folder)
}
