//! Which thing of one side belongs to which of the other.

use std::collections::{HashMap, VecDeque};

use super::holding::{Holding, Kind, Thing};

/// What belongs together: things of the first side in their order, then what only the second has.
pub(super) fn pairs<'h>(a: &'h Holding, b: &'h Holding) -> Vec<(Option<&'h Thing>, Option<&'h Thing>)> {
    let mut partner: Vec<Option<usize>> = vec![None; a.things.len()];
    let mut taken = vec![false; b.things.len()];
    for way in WAYS {
        let mut free: HashMap<String, VecDeque<usize>> = HashMap::new();
        for (at, thing) in b.things.iter().enumerate().filter(|(at, _)| !taken[*at]) {
            way(thing).into_iter().for_each(|key| free.entry(key).or_default().push_back(at));
        }
        for (thing, slot) in a.things.iter().zip(&mut partner).filter(|(_, slot)| slot.is_none()) {
            for key in way(thing) {
                let Some(queue) = free.get_mut(&key) else { continue };
                while slot.is_none() {
                    let Some(at) = queue.pop_front() else { break };
                    if !taken[at] {
                        taken[at] = true;
                        *slot = Some(at);
                    }
                }
            }
        }
    }
    lone(a, b, &mut partner, &mut taken);
    let both = a.things.iter().zip(&partner).map(|(thing, at)| (Some(thing), at.map(|at| &b.things[at])));
    let only =
        b.things.iter().zip(&taken).filter(|(_, taken)| !**taken).map(|(thing, _)| (None, Some(thing)));
    both.chain(only).collect()
}

/// The keys of a thing, the surest first: by any that both have, in order, they belong together.
type Way = fn(&Thing) -> Vec<String>;

const WAYS: [Way; 3] = [
    |thing| vec![format!("{:?} {}", thing.kind, thing.id)],
    // What one name is on both sides, for one platform.
    |thing| {
        let key =
            |name: &String| format!("{:?} {} {} {name}", thing.kind, thing.platform, thing.artifact_type);
        thing.names.iter().map(key).collect()
    },
    // What has no name may be known by what it is for.
    |thing| {
        let whole = !thing.platform.is_empty() || !thing.artifact_type.is_empty();
        let key = || format!("{:?} {} {}", thing.kind, thing.platform, thing.artifact_type);
        (whole && thing.names.is_empty()).then(key).into_iter().collect()
    },
];

/// Where each side has one left of a kind, these two are meant; of several with names only where one has none.
fn lone(a: &Holding, b: &Holding, partner: &mut [Option<usize>], taken: &mut [bool]) {
    for kind in [Kind::Image, Kind::Attestation, Kind::Artifact, Kind::Index] {
        let of = |holding: &Holding| {
            let all = holding.things.iter().enumerate().filter(|(_, thing)| thing.kind == kind);
            all.map(|(at, _)| at).collect::<Vec<_>>()
        };
        let (left, right) = (of(a), of(b));
        let free = |at: &usize| partner[*at].is_none();
        let mut one = left.iter().copied().filter(free);
        let mut other = right.iter().copied().filter(|at| !taken[*at]);
        let (Some(one), None) = (one.next(), one.next()) else { continue };
        let (Some(other), None) = (other.next(), other.next()) else { continue };
        let nameless = a.things[one].names.is_empty() || b.things[other].names.is_empty();
        if nameless || left.len() == 1 && right.len() == 1 {
            partner[one] = Some(other);
            taken[other] = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::compare::holding::tests::{holding, image};

    fn paired(a: &[(&str, &str, &str)], b: &[(&str, &str, &str)]) -> Vec<String> {
        let side = |things: &[(&str, &str, &str)]| {
            holding(things.iter().map(|(id, name, platform)| image(id, name, platform)).collect())
        };
        let (a, b) = (side(a), side(b));
        let id = |thing: Option<&Thing>| thing.map_or("-".to_owned(), |thing| thing.id.clone());
        pairs(&a, &b).into_iter().map(|(a, b)| format!("{} {}", id(a), id(b))).collect()
    }

    #[test]
    fn an_id_comes_before_a_name_and_a_name_before_a_platform() {
        let (x, y) = (("x", "app:1", "linux/amd64"), ("y", "app:1", "linux/amd64"));
        assert_eq!(paired(&[x], &[x]), ["x x"]);
        assert_eq!(paired(&[x], &[y]), ["x y"]);
        assert_eq!(paired(&[x, y], &[y]), ["x -", "y y"]);
        assert_eq!(paired(&[x], &[("z", "", "linux/amd64")]), ["x z"]);
        assert_eq!(paired(&[x], &[("z", "app:1", "linux/arm64")]), ["x z"]);
        let two = [x, ("w", "web:1", "linux/amd64")];
        assert_eq!(paired(&two, &[x, ("v", "vip:1", "linux/amd64")]), ["x x", "w -", "- v"]);
        assert_eq!(paired(&two, &[x, ("v", "", "linux/amd64")]), ["x x", "w v"]);
        let platforms = [("p", "", "linux/amd64"), ("q", "", "linux/arm64")];
        assert_eq!(paired(&platforms, &[("r", "", "linux/arm64"), ("p", "", "linux/amd64")]), ["p p", "q r"]);
    }
}
