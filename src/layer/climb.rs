//! Symbolic links that leave the root by way of other links: each of them looks harmless alone.
//!
//! With `a -> .`, `b -> a/a/../../x` climbs above the root, although it has as many names as it has `..`. Only links that
//! lead upwards make that possible, and only a target with a `..` behind a name can do it; both are rare, and a bounded
//! number of them is kept.

use std::collections::HashMap;

use bstr::ByteSlice;

use crate::tar::clean;

/// Links that lead upwards, and targets in doubt, that are kept of a layer: 3 MB at worst, and a tenth of a second.
const LINKS: usize = 1024;
const DOUBTS: usize = 64;
/// Longer paths and targets are not followed.
const LENGTH: usize = 1024;

/// What is kept of a layer's links.
#[derive(Default)]
pub(super) struct Climbs {
    /// By path: where links lead that lead to fewer directories than they stand in.
    up: HashMap<Vec<u8>, Vec<u8>>,
    doubts: Vec<Doubt>,
}

/// A link that may climb above the root.
pub(super) struct Doubt {
    /// Offset of its first header.
    pub offset: u64,
    /// Its cleaned path.
    pub path: Vec<u8>,
    /// Its target as written.
    pub link: Vec<u8>,
}

impl Climbs {
    /// Takes a link whose target, by its names alone, does not climb above the root.
    pub(super) fn take(&mut self, offset: u64, path: &[u8], link: &[u8]) {
        if path.len() > LENGTH || link.len() > LENGTH {
            return;
        }
        let whole = whole(path, link);
        let cleaned = clean(&whole).path;
        if depth(&cleaned) < depth(path) && self.up.len() < LINKS {
            self.up.insert(path.to_vec(), cleaned.to_vec());
        }
        let mut names = link.split_str("/").skip_while(|name| matches!(*name, b"" | b"." | b".."));
        if names.any(|name| name == b"..") && self.doubts.len() < DOUBTS {
            self.doubts.push(Doubt { offset, path: path.to_vec(), link: link.to_vec() });
        }
    }

    /// The links that climb above the root, once all links of the layer are known.
    pub(super) fn finish(self) -> impl Iterator<Item = Doubt> {
        let Climbs { up, doubts } = self;
        doubts.into_iter().filter(move |doubt| climbs(&up, &whole(&doubt.path, &doubt.link)))
    }
}

/// A target from the root, not cleaned.
fn whole(path: &[u8], link: &[u8]) -> Vec<u8> {
    match link.strip_prefix(b"/") {
        Some(link) => link.to_vec(),
        None => {
            let directory = path.rfind_byte(b'/').map_or(&b""[..], |slash| &path[..=slash]);
            [directory, link].concat()
        }
    }
}

fn depth(path: &[u8]) -> usize {
    if path.is_empty() { 0 } else { path.split_str("/").count() }
}

/// Whether a path leads above the root where every link of `up` on the way is followed.
fn climbs(up: &HashMap<Vec<u8>, Vec<u8>>, path: &[u8]) -> bool {
    let mut here: Vec<u8> = Vec::new();
    for name in path.split_str("/") {
        match name {
            b"" | b"." => continue,
            b".." if here.is_empty() => return true,
            b".." => here.truncate(here.rfind_byte(b'/').unwrap_or(0)),
            name => {
                if !here.is_empty() {
                    here.push(b'/');
                }
                here.extend_from_slice(name);
                if let Some(target) = up.get(&here) {
                    here.clone_from(target);
                }
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Paths of the links that climb.
    fn climbing(links: &[(&str, &str)]) -> Vec<String> {
        let mut climbs = Climbs::default();
        for (i, (path, link)) in links.iter().enumerate() {
            climbs.take(i as u64, path.as_bytes(), link.as_bytes());
        }
        climbs.finish().map(|doubt| doubt.path.to_str_lossy().into_owned()).collect()
    }

    #[test]
    fn through_links_that_lead_upwards() {
        let up = ("up", ".");
        assert_eq!(climbing(&[up, ("a", "up/up/../x")]), ["a"]);
        // The order does not matter, nor whether the target is absolute.
        assert_eq!(climbing(&[("a", "/up/../x"), up]), ["a"]);
        assert_eq!(climbing(&[("x/up", ".."), ("x/a", "up/../y")]), ["x/a"]);
        assert_eq!(climbing(&[("x/y/up", "/"), ("x/a", "y/up/../..")]), ["x/a"]);
    }

    #[test]
    fn not_through_others() {
        assert_eq!(climbing(&[("up", "."), ("a", "up/x")]), [""; 0]);
        assert_eq!(climbing(&[("up", "."), ("a", "x/../y")]), [""; 0]);
        assert_eq!(climbing(&[("x/up", ".."), ("x/y/z/a", "../../up/../y")]), ["x/y/z/a"]);
        assert_eq!(climbing(&[("x/y/up", ".."), ("x/y/a", "up/../y")]), [""; 0]);
        assert_eq!(climbing(&[("bin", "usr/bin"), ("a", "bin/../lib")]), [""; 0]);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut climbs = Climbs::default();
        for i in 0..10_000 {
            climbs.take(i, format!("l{i}").as_bytes(), b"x/..");
        }
        assert_eq!((climbs.up.len(), climbs.doubts.len()), (LINKS, DOUBTS));
        climbs.take(0, b"a", &[b'x'; LENGTH + 1]);
    }
}
