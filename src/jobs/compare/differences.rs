//! How two sides differ, thing by thing.

use std::collections::{BTreeMap, BTreeSet};

use super::changes::{Change, Changes, changes};
use super::holding::{Arrangement, Holding, Kind, Layer, Thing};
use super::pairs::pairs;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aspects {
    /// Names, where both forms hold names.
    pub names: bool,
    /// Digests of manifests and indexes, where both sides have them, and signatures of them where both forms hold those.
    pub digests: bool,
    /// Layers as they are stored.
    pub layers: bool,
    /// Platforms.
    pub platforms: bool,
    /// Annotations of descriptors in `index.json`, where both sides have one.
    pub annotations: bool,
}

impl Aspects {
    /// All of them.
    pub const ALL: Aspects =
        Aspects { names: true, digests: true, layers: true, platforms: true, annotations: true };
}

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The first.
    A,
    /// The second.
    B,
}

/// What two things have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aspect {
    /// The image ID, and so the config.
    Config,
    /// What is in the layers.
    Contents,
    /// The layers as they are stored.
    Layers,
    /// The manifest, or the index itself.
    Manifest,
    /// The platform.
    Platform,
    /// The names.
    Names,
    /// The signatures.
    Signatures,
    /// The annotations in `index.json`.
    Annotations,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// It is on one side only.
    Only(Side),
    /// The configs differ, and so do the image IDs.
    Config {
        /// The image IDs.
        ids: [String; 2],
        /// Where, but for the diff IDs.
        changes: Changes,
    },
    /// So many layers.
    LayerCount([usize; 2]),
    /// A layer of the same content, compressed anew.
    Anew {
        /// From the base, from 0.
        layer: usize,
        /// As stored.
        stored: [Box<Layer>; 2],
    },
    /// A layer of other content.
    Other {
        /// From the base, from 0.
        layer: usize,
        /// As stored.
        stored: [Box<Layer>; 2],
    },
    /// Ways of storing the layers that one side has more than the other.
    Arrangements([usize; 2]),
    /// The manifests, or the indexes, differ.
    Manifest {
        /// Their digests; of each side those that the other has not.
        digests: [Vec<String>; 2],
        /// Where, if there is one on each side; but for what is told of config, layers and children.
        changes: Changes,
    },
    /// The platforms.
    Platform([String; 2]),
    /// The names; of each side those that the other has not.
    Names([Vec<String>; 2]),
    /// Signatures beside the manifest; likewise.
    Signatures([Vec<String>; 2]),
    /// Annotations in `index.json`.
    Annotations(Changes),
}

/// A thing that either side holds, or both.
#[derive(Debug, Clone)]
pub struct Compared {
    /// What it is on the first side.
    pub a: Option<Thing>,
    /// What it is on the second.
    pub b: Option<Thing>,
    /// In what they are the same.
    pub same: Vec<Aspect>,
    /// In what they differ.
    pub differences: Vec<Difference>,
}

impl Compared {
    /// The thing, as the first side that has it holds it.
    pub fn thing(&self) -> Option<&Thing> {
        self.a.as_ref().or(self.b.as_ref())
    }
}

/// Compares what two places hold.
pub fn compare(a: &Holding, b: &Holding, aspects: Aspects) -> Vec<Compared> {
    let sides = Sides { a, b, aspects };
    let compared = |(one, other): (Option<&Thing>, Option<&Thing>)| match (one, other) {
        // Where manifests are not compared, indexes are not either: they are nothing but a list of those.
        (Some(thing), _) | (None, Some(thing)) if !sides.counts(thing) => None,
        (Some(one), Some(other)) => Some(sides.both(one, other)),
        _ => {
            let side = if one.is_some() { Side::A } else { Side::B };
            Some(Compared {
                a: one.cloned(),
                b: other.cloned(),
                same: Vec::new(),
                differences: vec![Difference::Only(side)],
            })
        }
    };
    pairs(a, b).into_iter().filter_map(compared).collect()
}

struct Sides<'a> {
    a: &'a Holding,
    b: &'a Holding,
    aspects: Aspects,
}

impl Sides<'_> {
    fn counts(&self, thing: &Thing) -> bool {
        let manifests = |holding: &Holding| {
            holding.things.iter().all(|thing| thing.kind == Kind::Index || thing.has_manifests)
        };
        thing.kind != Kind::Index || self.aspects.digests && manifests(self.a) && manifests(self.b)
    }

    fn both(&self, a: &Thing, b: &Thing) -> Compared {
        let mut found =
            Compared { a: Some(a.clone()), b: Some(b.clone()), same: Vec::new(), differences: Vec::new() };
        if let (Some(one), Some(other)) = (&a.config, &b.config) {
            let skip = |pointer: &str| pointer == "/rootfs/diff_ids";
            found.note(Aspect::Config, a.id != b.id, || Difference::Config {
                ids: [a.id.clone(), b.id.clone()],
                changes: changes(&one.bytes, &other.bytes, &skip),
            });
        }
        self.layers(a, b, &mut found);
        if self.aspects.digests && a.has_manifests && b.has_manifests {
            manifests(a, b, &mut found);
        }
        if self.aspects.platforms && !(a.platform.is_empty() && b.platform.is_empty()) {
            let both = || Difference::Platform([a.platform.clone(), b.platform.clone()]);
            found.note(Aspect::Platform, a.platform != b.platform, both);
        }
        if self.aspects.names && self.a.has_names && self.b.has_names {
            let named = !(a.names.is_empty() && b.names.is_empty());
            let both = || Difference::Names(apart(&a.names, &b.names));
            found.note_if(named, Aspect::Names, a.names != b.names, both);
        }
        if self.aspects.digests && self.a.has_signatures && self.b.has_signatures {
            let signed = !(a.signatures.is_empty() && b.signatures.is_empty());
            let both = || Difference::Signatures(apart(&a.signatures, &b.signatures));
            found.note_if(signed, Aspect::Signatures, a.signatures != b.signatures, both);
        }
        if let (true, Some(one), Some(other)) = (self.aspects.annotations, &a.annotations, &b.annotations) {
            let any = !(one.is_empty() && other.is_empty());
            found.note_if(any, Aspect::Annotations, one != other, || {
                Difference::Annotations(of_maps(one, other))
            });
        }
        found
    }

    fn layers(&self, a: &Thing, b: &Thing, found: &mut Compared) {
        let rest = |of: &Thing, other: &Thing| -> Vec<Arrangement> {
            of.arrangements.iter().filter(|one| !other.arrangements.contains(one)).cloned().collect()
        };
        let (one, other) = (rest(a, b), rest(b, a));
        let any = |thing: &Thing| thing.arrangements.iter().any(|arrangement| !arrangement.0.is_empty());
        if one.is_empty() && other.is_empty() {
            let same: &[Aspect] = if any(a) { &[Aspect::Contents, Aspect::Layers] } else { &[] };
            found.same.extend(same);
            return;
        }
        for (one, other) in one.iter().zip(&other) {
            if one.0.len() != other.0.len() {
                found.differences.push(Difference::LayerCount([one.0.len(), other.0.len()]));
            }
            for (layer, (one, other)) in one.0.iter().zip(&other.0).enumerate() {
                let stored = || [Box::new(one.clone()), Box::new(other.clone())];
                if !one.same_content(other) {
                    found.differences.push(Difference::Other { layer, stored: stored() });
                } else if self.aspects.layers && one.stored != other.stored {
                    found.differences.push(Difference::Anew { layer, stored: stored() });
                }
            }
            if one.same_content(other) {
                found.same.push(Aspect::Contents);
            }
        }
        // Another way of storing the same: of interest only where what is stored is.
        let of_same = |left: &[Arrangement], all: &Thing| {
            left.iter().all(|left| all.arrangements.iter().any(|other| other.same_content(left)))
        };
        let (more, less) = (one.len(), other.len());
        let stored = self.aspects.layers || !of_same(&one, b) || !of_same(&other, a);
        if more != less && stored {
            let counts = [a.arrangements.len(), b.arrangements.len()];
            found.differences.push(Difference::Arrangements(counts));
        }
        found.same.sort_unstable();
        found.same.dedup();
    }
}

impl Compared {
    fn note(&mut self, aspect: Aspect, differ: bool, difference: impl FnOnce() -> Difference) {
        if differ {
            self.differences.push(difference());
        } else {
            self.same.push(aspect);
        }
    }

    fn note_if(&mut self, any: bool, aspect: Aspect, differ: bool, difference: impl FnOnce() -> Difference) {
        if any {
            self.note(aspect, differ, difference);
        }
    }
}

/// What each has that the other has not.
fn apart(a: &BTreeSet<String>, b: &BTreeSet<String>) -> [Vec<String>; 2] {
    [a.difference(b).cloned().collect(), b.difference(a).cloned().collect()]
}

fn manifests(a: &Thing, b: &Thing, found: &mut Compared) {
    let rest = |of: &Thing, other: &Thing| -> Vec<String> {
        of.documents.keys().filter(|digest| !other.documents.contains_key(*digest)).cloned().collect()
    };
    let digests = [rest(a, b), rest(b, a)];
    // The type of a layer that is compressed in another way follows from that.
    let repacked = |difference: &Difference| match difference {
        Difference::Anew { layer, stored: [one, other] } if one.codec != other.codec => {
            Some(format!("/layers/{layer}/mediaType"))
        }
        _ => None,
    };
    let packed: BTreeSet<String> = found.differences.iter().filter_map(repacked).collect();
    let changes = match &digests {
        [one, other] if one.is_empty() && other.is_empty() => {
            found.same.push(Aspect::Manifest);
            return;
        }
        [one, other] => match (one.as_slice(), other.as_slice()) {
            ([one], [other]) => {
                let told = |pointer: &str| is_told_elsewhere(pointer) || packed.contains(pointer);
                changes(&a.documents[one], &b.documents[other], &told)
            }
            _ => Changes::default(),
        },
    };
    found.differences.push(Difference::Manifest { digests, changes });
}

/// Digests and sizes of what a document points at follow from that, which is compared by itself.
fn is_told_elsewhere(pointer: &str) -> bool {
    let mut parts = pointer.split('/').skip(1);
    let within = match (parts.next(), parts.next()) {
        (Some("config"), Some(member)) => Some(member),
        (Some("layers" | "manifests"), Some(_)) => parts.next(),
        _ => None,
    };
    matches!(within, Some("digest" | "size")) && parts.next().is_none()
}

fn of_maps(a: &BTreeMap<String, String>, b: &BTreeMap<String, String>) -> Changes {
    let mut found = Changes::default();
    let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    for key in keys.into_iter().filter(|key| a.get(*key) != b.get(*key)) {
        let text = |map: &BTreeMap<String, String>| map.get(key).cloned();
        found.told.push(Change { pointer: key.clone(), a: text(a), b: text(b) });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::holding::tests::{holding, image};
    use super::*;
    use crate::digest::Digest;
    use crate::media::Codec;

    fn one() -> Thing {
        image("x", "app:1", "linux/amd64")
    }

    fn of(a: Thing, b: Thing, aspects: Aspects) -> Vec<Difference> {
        let compared = compare(&holding(vec![a]), &holding(vec![b]), aspects);
        compared.into_iter().flat_map(|compared| compared.differences).collect()
    }

    fn changed(change: impl FnOnce(&mut Thing)) -> Thing {
        let mut thing = one();
        change(&mut thing);
        thing
    }

    fn packed(thing: &mut Thing, layer: usize) {
        let layer = &mut thing.arrangements[0].0[layer];
        (layer.codec, layer.stored) = (Codec::Gzip, Some(Digest::sha256(b"packed")));
    }

    #[test]
    fn every_aspect_is_compared_and_can_be_passed_over() {
        let all = Aspects::ALL;
        assert_eq!(of(one(), one(), all), []);
        let cases: [(Thing, Aspects); 5] = [
            (changed(|i| i.names.clear()), Aspects { names: false, ..all }),
            (changed(|i| packed(i, 1)), Aspects { layers: false, ..all }),
            (changed(|i| i.platform = "linux/arm64".into()), Aspects { platforms: false, ..all }),
            (
                changed(|i| i.documents = [("m2".to_owned(), b"{}"[..].into())].into()),
                Aspects { digests: false, ..all },
            ),
            (
                changed(|i| i.annotations = Some([("a".to_owned(), "b".to_owned())].into())),
                Aspects { annotations: false, ..all },
            ),
        ];
        for (other, without) in cases {
            let with = |mut thing: Thing| {
                thing.annotations.get_or_insert_default();
                thing
            };
            let (a, b) = (with(one()), with(other));
            assert_eq!(of(a.clone(), b.clone(), all).len(), 1, "{b:?}");
            assert_eq!(of(a, b, without), []);
        }
    }

    #[test]
    fn what_is_compressed_anew_is_told_from_other_bytes() {
        let found = of(one(), changed(|i| packed(i, 1)), Aspects::ALL);
        assert!(matches!(found[..], [Difference::Anew { layer: 1, .. }]), "{found:?}");
        let other = changed(|i| {
            let layer = &mut i.arrangements[0].0[0];
            (layer.stored, layer.diff_id) = (Some(Digest::sha256(b"other")), Some(Digest::sha256(b"other")));
        });
        let found = of(one(), other.clone(), Aspects { layers: false, ..Aspects::ALL });
        assert!(matches!(found[..], [Difference::Other { layer: 0, .. }]), "{found:?}");
        // Of other bytes of which nothing more is known, nothing is said in their favour.
        let unknown = |bytes: &[u8]| {
            changed(|i| {
                let layer = &mut i.arrangements[0].0[0];
                (layer.stored, layer.diff_id) = (Some(Digest::sha256(bytes)), None);
            })
        };
        let found = of(unknown(b"one"), unknown(b"two"), Aspects::ALL);
        assert!(matches!(found[..], [Difference::Other { layer: 0, .. }]), "{found:?}");
        let found = of(one(), changed(|i| i.arrangements[0].0.truncate(1)), Aspects::ALL);
        assert_eq!(found, [Difference::LayerCount([2, 1])]);
    }

    #[test]
    fn more_ways_of_storing_one_image_are_told() {
        let mut both = one();
        let mut again = one();
        packed(&mut again, 0);
        both.arrangements.extend(again.arrangements.clone());
        assert_eq!(of(both.clone(), one(), Aspects::ALL), [Difference::Arrangements([2, 1])]);
        assert_eq!(of(both, one(), Aspects { layers: false, ..Aspects::ALL }), []);
    }

    #[test]
    fn what_a_form_cannot_hold_is_not_missed() {
        let a = holding(vec![one()]);
        let mut dir = holding(vec![changed(|i| i.names.clear())]);
        dir.has_names = false;
        assert_eq!(compare(&a, &dir, Aspects::ALL)[0].differences, []);
        let old = holding(vec![changed(|i| (i.documents, i.has_manifests) = (BTreeMap::new(), false))]);
        assert_eq!(compare(&a, &old, Aspects::ALL)[0].differences, []);
        // An index has no counterpart where there are no manifests.
        let index = Thing { kind: Kind::Index, config: None, arrangements: Vec::new(), ..one() };
        let with = holding(vec![one(), index]);
        assert_eq!(compare(&with, &old, Aspects::ALL).len(), 1);
        assert_eq!(compare(&with, &a, Aspects::ALL)[1].differences, [Difference::Only(Side::A)]);
    }

    #[test]
    fn consequences_are_told_once() {
        let manifest = |digest: &str, note: &str| {
            let text = format!(r#"{{"layers":[{{"digest":"{digest}","size":1}}]{note}}}"#);
            BTreeMap::from([(Digest::sha256(text.as_bytes()).to_string(), text.into_bytes().into())])
        };
        let with = |digest: &str, note: &str| changed(|i| i.documents = manifest(digest, note));
        let changes = |a: Thing, b: Thing| match &of(a, b, Aspects::ALL)[..] {
            [Difference::Manifest { changes, .. }] => changes.clone(),
            other => panic!("{other:?}"),
        };
        assert!(changes(with("d:1", ""), with("d:2", "")).is_empty());
        let found = changes(with("d:1", ""), with("d:2", r#","annotations":{"a":"b"}"#));
        assert_eq!(found.told.iter().map(|change| &*change.pointer).collect::<Vec<_>>(), ["/annotations"]);
    }
}
