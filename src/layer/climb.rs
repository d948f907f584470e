//! Symbolic links that leave the root by way of other links: each of them looks harmless alone.
//!
//! With `a -> .`, `b -> a/a/../../x` climbs above the root, although it has as many names as it has `..`. Any link can be
//! on such a way: with `p/s -> ..` and `m -> p/s`, `z -> m/../x` does, and so does what only leads to `z`. So all links of
//! a layer are kept, and each is followed as the kernel does once all are known. What does not fit, or takes too long,
//! is said to be undecided: it is never taken as harmless.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;

use bstr::ByteSlice;

/// What is kept of a layer: 20 MB at worst.
const LINKS: usize = 1 << 16;
const BYTES: usize = 8 << 20;
/// Bytes of paths that are looked up for a layer: less than a second.
const WORK: usize = 256 << 20;
/// Links that Linux follows for one path (`ELOOP`).
const HOPS: usize = 40;
/// Linux takes no longer paths and targets (`PATH_MAX`, with the zero at the end).
const LENGTH: usize = 4095;

const TOO_LONG: &str = "the symbolic links of its layer take too long to follow";

#[derive(Clone, Copy)]
struct Caps {
    links: usize,
    bytes: usize,
    work: usize,
}

/// What is kept of a layer's links.
pub(super) struct Climbs {
    caps: Caps,
    links: HashMap<Vec<u8>, Link>,
    /// Other targets of links that are kept.
    others: Vec<(Vec<u8>, Link)>,
    bytes: usize,
    /// The first link that was not kept: offset and path.
    dropped: Option<(u64, Vec<u8>)>,
    /// Whether a target has a `..`; without one nothing climbs.
    up: bool,
}

struct Link {
    offset: u64,
    target: Vec<u8>,
    /// It climbs by its names alone, which was told.
    told: bool,
    /// It stands again with another target: tools take the last, or the one before what comes in between.
    changed: bool,
}

/// A link, by its first header's offset, its cleaned path and its target as written.
#[derive(Debug)]
pub(super) struct Climbing {
    pub offset: u64,
    pub path: Vec<u8>,
    pub link: Vec<u8>,
}

/// What came out.
#[derive(Default)]
pub(super) struct Outcome {
    /// Links that climb above the root, by offset.
    pub climbing: Vec<Climbing>,
    /// The first of which that is not known: offset, path and why.
    pub undecided: Option<(u64, Vec<u8>, &'static str)>,
}

enum Way {
    /// It ends there.
    Stays(Vec<u8>),
    Climbs,
    Unknown(&'static str),
}

impl Default for Climbs {
    fn default() -> Self {
        Climbs::within(Caps { links: LINKS, bytes: BYTES, work: WORK })
    }
}

impl Climbs {
    fn within(caps: Caps) -> Climbs {
        Climbs { caps, links: HashMap::new(), others: Vec::new(), bytes: 0, dropped: None, up: false }
    }

    /// Takes a link, and whether it is known that it climbs above the root.
    pub(super) fn take(&mut self, offset: u64, path: &[u8], target: &[u8], told: bool) {
        if path.len() > LENGTH || target.len() > LENGTH {
            return;
        }
        self.up |= target.contains_str("..");
        let bytes = path.len() + target.len();
        let full =
            self.links.len() + self.others.len() >= self.caps.links || self.bytes + bytes > self.caps.bytes;
        let mut link = Link { offset, target: target.to_vec(), told, changed: false };
        match self.links.entry(path.to_vec()) {
            Entry::Occupied(held) if held.get().target == target => return,
            Entry::Occupied(mut held) => {
                held.get_mut().changed = true;
                link.changed = true;
                if !full {
                    self.others.push((path.to_vec(), link));
                }
            }
            Entry::Vacant(place) if !full => {
                place.insert(link);
            }
            Entry::Vacant(_) => {}
        }
        if full {
            self.dropped.get_or_insert_with(|| (offset, path.to_vec()));
        } else {
            self.bytes += bytes;
        }
    }

    /// Links that lie below links stand elsewhere, too: where these lead. Whether all such places are known.
    fn alias(&mut self, work: &mut usize) -> bool {
        for _ in 0..HOPS {
            let mut found = Vec::new();
            for (path, link) in &self.links {
                let directory = directory(path);
                let Way::Stays(real) = follow(&self.links, b"", directory, work) else { continue };
                if real != directory {
                    let base = &path[directory.len()..];
                    let real = [&real[..], base].concat();
                    let real = real.strip_prefix(b"/").map_or(real.clone(), <[u8]>::to_vec);
                    if self.links.get(&real).is_none_or(|held| held.target != link.target && !held.changed) {
                        found.push((link.offset, real, link.target.clone()));
                    }
                }
            }
            if found.is_empty() {
                return true;
            }
            // Those of one path in the order of the layer.
            found.sort_unstable();
            for (offset, path, target) in found {
                self.take(offset, &path, &target, true);
            }
            if self.dropped.is_some() {
                return true; // and that is told
            }
        }
        false
    }

    /// Lends, for every link that is kept, its offset and where it leads inside the root.
    pub(super) fn leads(&self, mut on: impl FnMut(u64, &[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut work = self.caps.work;
        let mut links: Vec<(&Vec<u8>, &Link)> = self.links.iter().collect();
        links.sort_unstable_by_key(|(path, link)| (link.offset, *path));
        for (path, link) in links {
            let absolute = link.target.starts_with(b"/");
            let directory = if absolute { &b""[..] } else { directory(path) };
            if let Way::Stays(place) = follow(&self.links, directory, &link.target, &mut work) {
                on(link.offset, &place)?;
            }
        }
        Ok(())
    }

    /// The links that climb above the root, once all links of the layer are known.
    pub(super) fn finish(mut self) -> Outcome {
        let mut out = Outcome::default();
        if !self.up {
            return out;
        }
        let mut work = self.caps.work;
        let all = self.alias(&mut work);
        if let Some((offset, path)) = &self.dropped {
            out.undecided =
                Some((*offset, path.clone(), "its layer has more symbolic links than can be followed"));
        }
        let mut links: Vec<(&Vec<u8>, &Link)> = self.links.iter().collect();
        links.extend(self.others.iter().map(|(path, link)| (path, link)));
        links.sort_unstable_by_key(|(path, link)| (link.offset, *path));
        if let (false, Some((path, link))) = (all, links.first()) {
            out.undecided.get_or_insert_with(|| (link.offset, (*path).clone(), TOO_LONG));
        }
        for (path, link) in links {
            let absolute = link.target.starts_with(b"/");
            let directory = if absolute { &b""[..] } else { directory(path) };
            match follow(&self.links, directory, &link.target, &mut work) {
                Way::Climbs if !link.told => out.climbing.push(Climbing {
                    offset: link.offset,
                    path: path.clone(),
                    link: link.target.clone(),
                }),
                Way::Climbs | Way::Stays(_) => {}
                Way::Unknown(why) => {
                    out.undecided.get_or_insert_with(|| (link.offset, path.clone(), why));
                }
            }
        }
        out
    }
}

fn directory(path: &[u8]) -> &[u8] {
    path.rfind_byte(b'/').map_or(&b""[..], |slash| &path[..slash])
}

/// Where a target in a directory leads, with every link on the way followed.
fn follow(links: &HashMap<Vec<u8>, Link>, directory: &[u8], target: &[u8], work: &mut usize) -> Way {
    let mut here: Vec<u8> = Vec::new();
    let mut hops = 0;
    // What is left of each path that is being walked: at most one for each hop.
    let mut rest = vec![target.split_str("/"), directory.split_str("/")];
    while let Some(names) = rest.last_mut() {
        let parent = here.len();
        match names.next() {
            None => {
                rest.pop();
            }
            Some(b"" | b".") => {}
            Some(b"..") if here.is_empty() => return Way::Climbs,
            Some(b"..") => here.truncate(here.rfind_byte(b'/').unwrap_or(0)),
            Some(name) => {
                if !here.is_empty() {
                    here.push(b'/');
                }
                here.extend_from_slice(name);
                match work.checked_sub(here.len()) {
                    Some(left) => *work = left,
                    None => return Way::Unknown(TOO_LONG),
                }
                let Some(link) = links.get(&here) else { continue };
                if link.changed {
                    return Way::Unknown("a symbolic link on the way stands twice, with two targets");
                }
                hops += 1;
                if hops >= HOPS {
                    return Way::Stays(here);
                }
                here.truncate(if link.target.starts_with(b"/") { 0 } else { parent });
                rest.push(link.target.split_str("/"));
            }
        }
    }
    Way::Stays(here)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(caps: Caps, links: &[(&str, &str)]) -> Outcome {
        let mut climbs = Climbs::within(caps);
        for (i, (path, link)) in links.iter().enumerate() {
            climbs.take(i as u64, path.as_bytes(), link.as_bytes(), false);
        }
        climbs.finish()
    }

    const CAPS: Caps = Caps { links: LINKS, bytes: BYTES, work: WORK };

    /// Paths of the links that climb.
    fn climbing(links: &[(&str, &str)]) -> Vec<String> {
        let out = outcome(CAPS, links);
        assert!(out.undecided.is_none());
        out.climbing.iter().map(|link| link.path.to_str_lossy().into_owned()).collect()
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
    fn through_links_that_lead_to_others() {
        assert_eq!(climbing(&[("p/s", ".."), ("m", "p/s"), ("z", "m/../x")]), ["z"]);
        assert_eq!(climbing(&[("p/s", ".."), ("m", "p/s"), ("n", "/m"), ("z", "n/../x")]), ["z"]);
        // What leads to a link that climbs, climbs; and so does a link that lies in a directory behind a link.
        assert_eq!(climbing(&[("a", "../x"), ("b", "a"), ("c/d", "/b/y")]), ["a", "b", "c/d"]);
        assert_eq!(climbing(&[("p/q/up", "../.."), ("p/q/up/l", "../x")]), ["p/q/up/l"]);
        assert_eq!(climbing(&[("p/up", ".."), ("p/up/l", "."), ("z", "l/../x")]), ["z"]);
    }

    #[test]
    fn not_through_others() {
        assert_eq!(climbing(&[("up", "."), ("a", "up/x")]), [""; 0]);
        assert_eq!(climbing(&[("up", "."), ("a", "x/../y")]), [""; 0]);
        assert_eq!(climbing(&[("x/up", ".."), ("x/y/z/a", "../../up/y")]), [""; 0]);
        assert_eq!(climbing(&[("x/y/up", ".."), ("x/y/a", "up/../y")]), [""; 0]);
        assert_eq!(climbing(&[("bin", "usr/bin"), ("a", "bin/../lib")]), [""; 0]);
        // Loops lead nowhere.
        assert_eq!(climbing(&[("a", "b/../a"), ("b", "a/../b"), ("c", "c/..")]), [""; 0]);
    }

    #[test]
    fn harmless_links_before_it_hide_none() {
        let names: Vec<String> = (0..5000).map(|i| format!("l{i}")).collect();
        let mut links: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "d/../d")).collect();
        links.extend([("up", "."), ("a", "up/../x")]);
        assert_eq!(climbing(&links), ["a"]);
    }

    #[test]
    fn as_many_hops_as_the_kernel_makes() {
        for (hops, climbs) in [(HOPS, true), (HOPS + 1, false)] {
            // The last of them climbs, and the first is the first hop.
            let names: Vec<String> = (0..hops).map(|i| format!("l{i}")).collect();
            let mut links: Vec<(&str, &str)> =
                names.windows(2).map(|two| (two[0].as_str(), two[1].as_str())).collect();
            links.push((&names[hops - 1], "../x"));
            assert_eq!(climbing(&links).contains(&"l0".to_owned()), climbs, "{hops}");
        }
    }

    #[test]
    fn what_does_not_fit_is_undecided() {
        let links = [("ab", "cd"), ("ef", "x/../y")];
        for (caps, fits) in [
            (Caps { links: 2, ..CAPS }, true),
            (Caps { links: 1, ..CAPS }, false),
            (Caps { bytes: 12, ..CAPS }, true),
            (Caps { bytes: 11, ..CAPS }, false),
            // `cd`; `x`, `y`.
            (Caps { work: 4, ..CAPS }, true),
            (Caps { work: 3, ..CAPS }, false),
        ] {
            let undecided = outcome(caps, &links).undecided.map(|(offset, path, _)| (offset, path));
            assert_eq!(undecided, (!fits).then(|| (1, b"ef".to_vec())));
        }
        // Without a `..` there is nothing to decide.
        assert!(outcome(Caps { links: 1, ..CAPS }, &[("a", "b"), ("c", "/d")]).undecided.is_none());
    }

    #[test]
    fn a_link_that_stands_twice() {
        let undecided = |second| outcome(CAPS, &[("m", "d"), ("z", "m/../x"), ("m", second)]).undecided;
        assert!(undecided("d").is_none());
        assert_eq!(undecided(".").map(|(offset, ..)| offset), Some(1));
        // Each of its targets is followed.
        assert_eq!(climbing(&[("up", "."), ("a", "x"), ("a", "up/../y")]), ["a"]);
    }

    #[test]
    fn a_million_links() {
        let mut climbs = Climbs::default();
        for i in 0..1_000_000 {
            climbs.take(i, format!("l{i}").as_bytes(), b"x/..", false);
        }
        assert_eq!(climbs.links.len(), LINKS);
        let long = [b'x'; LENGTH];
        for i in 0..5000 {
            climbs.take(i, format!("m{i}").as_bytes(), &long, false);
        }
        assert!(climbs.bytes <= BYTES, "{}", climbs.bytes);
        let out = climbs.finish();
        assert_eq!(out.undecided.map(|(offset, ..)| offset), Some(LINKS as u64));
    }

    #[test]
    fn longer_than_linux_takes() {
        for (length, kept) in [(LENGTH, 2), (LENGTH + 1, 0)] {
            let mut climbs = Climbs::default();
            climbs.take(0, b"a", &vec![b'x'; length], false);
            climbs.take(0, &vec![b'x'; length], b"a", false);
            assert_eq!(climbs.links.len(), kept);
        }
    }
}
