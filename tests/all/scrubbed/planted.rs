//! Twelve kinds of damage in a storage of many images: each is found with the tags that it breaks, and nothing else.

use std::collections::BTreeSet;

use super::damage::{self, Damage};
use super::storage::{Image, Storage, findings, json, tar};

/// What is to befall which image.
pub type Planned = Vec<(Damage, String, Image)>;

/// A storage of sound images, and one more for each kind of damage, under two tags. Layers of those are their own.
pub fn fill(dir: &std::path::Path, sound: usize) -> (Storage, Planned) {
    fill_with(dir, sound, 0)
}

/// The same, with so many bytes more in the layers of sound images.
fn fill_with(dir: &std::path::Path, sound: usize, more: usize) -> (Storage, Planned) {
    let (storage, _) = Storage::filled_with(dir, sound, more);
    let planned = damage::ALL.into_iter().enumerate().map(|(i, kind)| {
        let repository = repository(kind);
        let own = tar("etc/own", format!("damaged {i}").repeat(50).as_bytes());
        let image = storage.image(&repository, &format!("damaged {i}"), &[tar("etc/shared", b"shared"), own]);
        storage.tag(&repository, "1", &image.manifest);
        storage.tag(&repository, "2", &image.manifest);
        (kind, repository, image)
    });
    let planned = planned.collect();
    (storage, planned)
}

/// The same, damaged.
pub fn damaged(dir: &std::path::Path, sound: usize) -> Storage {
    damaged_with(dir, sound, 0)
}

pub fn damaged_with(dir: &std::path::Path, sound: usize, more: usize) -> Storage {
    let (storage, planned) = fill_with(dir, sound, more);
    for (kind, repository, image) in planned {
        kind.plant(&storage, &repository, "1", &image);
    }
    storage
}

pub fn repository(kind: Damage) -> String {
    format!("damaged/{}", format!("{kind:?}").to_lowercase())
}

/// What must be found: rules with the tags that they break.
pub fn expected() -> BTreeSet<(String, Vec<String>)> {
    let mut all = BTreeSet::new();
    for kind in damage::ALL {
        let repository = repository(kind);
        for rule in kind.rules() {
            let tags = ["1", "2"].map(|tag| format!("{repository}:{tag}")).to_vec();
            match (kind.affects(), kind.is_told_of_each_tag()) {
                (false, _) => drop(all.insert((rule.to_string(), Vec::new()))),
                (true, false) => drop(all.insert((rule.to_string(), tags))),
                (true, true) => all.extend(tags.into_iter().map(|tag| (rule.to_string(), vec![tag]))),
            }
        }
    }
    all
}

/// Rules with the tags that they say break, of a report's warnings and errors.
pub fn warnings(report: &str) -> BTreeSet<(String, Vec<String>)> {
    let told = findings(report).into_iter().filter(|(level, ..)| level != "note");
    told.map(|(_, rule, _, _, names)| (rule, names)).collect()
}

#[test]
fn each_kind_of_damage_is_found_with_the_tags_it_breaks_and_nothing_else() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let storage = damaged(dir.path(), 20);
    let (code, report) = json(&["scrub", &storage.place()]);
    assert_eq!((code, warnings(&report)), (Some(1), expected()));
}
