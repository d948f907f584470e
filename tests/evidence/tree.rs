//! Lists of files: what the layers say, and what stands in a folder or in an exported tar.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use crate::stored::decompressed;

/// `path d`, `path f SIZE`, `path l TARGET`, `path c` …, one for each file, without those that a container has of its
/// own.
pub type Files = BTreeSet<String>;

/// Path → layer, kind.
type Nodes = BTreeMap<Vec<u8>, (usize, String)>;

/// What the layers give when they are laid over each other as image-spec says, without following any link. `None` where
/// a layer cannot be read.
pub fn of_layers(layers: &[Vec<u8>]) -> Option<Files> {
    let mut tree = Nodes::new();
    for (n, layer) in layers.iter().enumerate() {
        apply(&mut tree, n, &decompressed(layer).ok()?)?;
    }
    Some(list(resolved(tree)))
}

/// What lies below a symbolic link stands where the link leads: there it is found by its own path, too.
fn resolved(tree: Nodes) -> Nodes {
    let mut out = Nodes::new();
    for (path, node) in &tree {
        let at = path.iter().rposition(|b| *b == b'/');
        let (parent, name) = at.map_or((&b""[..], &path[..]), |at| (&path[..at], &path[at + 1..]));
        let mut place = follow(&tree, parent).unwrap_or_else(|| parent.to_vec());
        for (at, _) in place.iter().enumerate().filter(|(_, b)| **b == b'/') {
            out.entry(place[..at].to_vec()).or_insert((0, "d".into()));
        }
        if !place.is_empty() {
            out.entry(place.clone()).or_insert((0, "d".into()));
            place.push(b'/');
        }
        place.extend_from_slice(name);
        out.insert(place, node.clone());
    }
    out
}

/// Where a path leads when every link on the way is followed inside the root; `None` where that has no end.
fn follow(tree: &Nodes, path: &[u8]) -> Option<Vec<u8>> {
    let split = |path: &[u8]| path.split(|b| *b == b'/').rev().map(<[u8]>::to_vec).collect::<Vec<_>>();
    let (mut here, mut rest, mut hops) = (Vec::<Vec<u8>>::new(), split(path), 0);
    while let Some(name) = rest.pop() {
        match &name[..] {
            b"" | b"." => {}
            b".." => drop(here.pop()),
            _ => {
                here.push(name);
                let link = tree.get(&here.join(&b'/')).and_then(|(_, kind)| kind.strip_prefix("l "));
                let Some(link) = link else { continue };
                hops += 1;
                if hops > 40 {
                    return None;
                }
                if link.starts_with('/') {
                    here.clear()
                } else {
                    drop(here.pop())
                }
                rest.extend(split(link.as_bytes()));
            }
        }
    }
    Some(here.join(&b'/'))
}

/// `None` where readers of tars are known to see different files.
fn apply(tree: &mut Nodes, n: usize, tar: &[u8]) -> Option<()> {
    if has_two_names(tar) {
        return None;
    }
    for entry in tar::Archive::new(tar).entries().ok()? {
        let mut entry = entry.ok()?;
        if entry.header().entry_type() == tar::EntryType::XGlobalHeader {
            continue;
        }
        let path = clean(&entry.path_bytes());
        let at = path.iter().rposition(|b| *b == b'/').map_or(0, |at| at + 1);
        let (parent, name) = (path[..at].to_vec(), &path[at..]);
        if name == b".wh..wh..opq" {
            tree.retain(|path, (layer, _)| *layer == n || !below(path, &parent));
            continue;
        }
        if let Some(hidden) = name.strip_prefix(b".wh.").filter(|name| !name.starts_with(b".wh.")) {
            let hidden = [&parent, hidden].concat();
            let inside = [&hidden[..], b"/"].concat();
            tree.retain(|path, (layer, _)| *layer == n || *path != hidden && !below(path, &inside));
            continue;
        }
        // The latter are metadata of AUFS.
        if path.is_empty() || path.split(|b| *b == b'/').any(|name| name.starts_with(b".wh..wh.")) {
            continue;
        }
        let kind = kind(&mut entry, tree)?;
        if kind != "d" {
            let inside = [&path[..], b"/"].concat();
            tree.retain(|path, _| !below(path, &inside));
        }
        for (at, _) in path.iter().enumerate().filter(|(_, b)| **b == b'/') {
            tree.entry(path[..at].to_vec()).or_insert((n, "d".into()));
        }
        tree.insert(path, (n, kind));
    }
    Some(())
}

/// Whether an entry has more than one header that may name it before it.
fn has_two_names(tar: &[u8]) -> bool {
    let (mut at, mut before) = (0, 0);
    while let Some(header) = tar.get(at..at + 512) {
        let size = std::str::from_utf8(&header[124..135]).ok();
        let size = size.and_then(|size| usize::from_str_radix(size.trim_matches(['\0', ' ']), 8).ok());
        before = if matches!(header[156], b'x' | b'L') { before + 1 } else { 0 };
        if before > 1 {
            return true;
        }
        at += 512 + size.unwrap_or_default().next_multiple_of(512);
    }
    false
}

fn kind(entry: &mut tar::Entry<'_, &[u8]>, tree: &Nodes) -> Option<String> {
    let link = entry.link_name_bytes().map(|link| link.into_owned()).unwrap_or_default();
    Some(match entry.header().entry_type() {
        tar::EntryType::Directory => "d".into(),
        tar::EntryType::Symlink => format!("l {}", link.escape_ascii()),
        tar::EntryType::Link => {
            let target = clean(&link);
            let target = if tree.contains_key(&target) { Some(target) } else { follow(tree, &target) };
            target.and_then(|target| tree.get(&target)).map_or("f 0".into(), |(_, kind)| kind.clone())
        }
        tar::EntryType::Char => "c".into(),
        tar::EntryType::Block => "b".into(),
        tar::EntryType::Fifo => "p".into(),
        _ => {
            let mut data = Vec::new();
            entry.read_to_end(&mut data).ok()?;
            format!("f {}", data.len())
        }
    })
}

/// Whether a path stands in the folder `folder/`; the empty text is the root.
fn below(path: &[u8], folder: &[u8]) -> bool {
    path.len() > folder.len() && path.starts_with(folder)
}

fn list(tree: Nodes) -> Files {
    let lines = tree.into_iter().map(|(path, (_, kind))| format!("{} {kind}", path.escape_ascii()));
    lines.filter(|line| !of_container(line)).collect()
}

/// What stands in a folder.
pub fn of_folder(root: &Path) -> std::io::Result<Files> {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::FileTypeExt;
    let mut tree = Nodes::new();
    let mut pending = vec![root.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            let meta = path.symlink_metadata()?;
            let of = meta.file_type();
            let kind = if of.is_dir() {
                pending.push(path.clone());
                "d".into()
            } else if of.is_symlink() {
                format!("l {}", std::fs::read_link(&path)?.as_os_str().as_bytes().escape_ascii())
            } else if of.is_char_device() {
                "c".into()
            } else if of.is_block_device() {
                "b".into()
            } else if of.is_fifo() {
                "p".into()
            } else {
                format!("f {}", meta.len())
            };
            let name = path.strip_prefix(root).unwrap_or(&path).as_os_str().as_bytes().to_vec();
            tree.insert(name, (0, kind));
        }
    }
    Ok(list(tree))
}

/// What stands in a tar that a tool made.
pub fn of_tar(tar: &[u8]) -> Option<Files> {
    let mut tree = Nodes::new();
    for entry in tar::Archive::new(tar).entries().ok()? {
        let mut entry = entry.ok()?;
        let path = clean(&entry.path_bytes());
        let kind = kind(&mut entry, &tree)?;
        if !path.is_empty() {
            tree.insert(path, (0, kind));
        }
    }
    Some(list(tree))
}

/// Files that runtimes put into every container.
fn of_container(line: &str) -> bool {
    let path = line.rsplit_once(" l ").map_or(line, |(path, _)| path);
    let path = path.split(' ').next().unwrap_or_default();
    let own = [".dockerenv", "dev", "etc", "proc", "sys", "etc/hostname", "etc/hosts", "etc/resolv.conf"];
    own.contains(&path) || path == "etc/mtab" || path.starts_with("dev/")
}

fn clean(path: &[u8]) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join(&b'/')
}

/// How a list differs from what was wanted; at most three of each.
pub fn differ(wanted: &Files, found: &Files) -> Option<String> {
    let few = |items: Vec<&String>, word: &str| {
        let more = if items.len() > 3 { format!(" and {} more", items.len() - 3) } else { String::new() };
        let names: Vec<String> = items.iter().take(3).map(|item| format!("`{item}`")).collect();
        (!names.is_empty()).then(|| format!("{word} {}{more}", names.join(", ")))
    };
    let parts =
        [few(wanted.difference(found).collect(), "without"), few(found.difference(wanted).collect(), "with")];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}
