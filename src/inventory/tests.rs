//! The list over small archives of each form: every file is listed once.

use std::collections::HashSet;
use std::path::Path;

use super::*;
use crate::form::{self, Input, OpenOptions};
use crate::limits::Limits;
use crate::source::SpoolDir;

fn open(path: &Path) -> Archive {
    let options = OpenOptions {
        place: "test",
        form: None,
        limits: &Limits::default(),
        spool: &mut || SpoolDir::new(None),
        lone: crate::form::Alone::No,
        progress: &(),
    };
    form::open(Input::Path(path.to_owned()), options).expect("an archive")
}

/// The members that an item stands for.
fn members(archive: &Archive, listed: &Inventory, item: &Item) -> Vec<MemberId> {
    match item {
        Item::Name(_) | Item::BadName(_) | Item::BadRoot(_) => Vec::new(),
        Item::Node(node) => {
            let alike = listed.alike(archive, *node);
            alike.iter().filter_map(|node| archive.blob(archive.node(*node).blob?).member).take(1).collect()
        }
        Item::Blob(blob, _) => archive.blob(*blob).member.into_iter().collect(),
        Item::Signature(_, member) | Item::Document(member) | Item::Legacy(member) | Item::Stray(member) => {
            vec![*member]
        }
    }
}

#[test]
fn every_file_of_every_good_case_is_listed_once() {
    let good = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/good");
    let mut seen = 0;
    for form in ["docker-archive", "oci", "dir", "registry-storage"] {
        for case in std::fs::read_dir(good.join(form)).expect("cases").flatten() {
            let folder = case.path();
            let entries = std::fs::read_dir(&folder).expect("a case").flatten().map(|entry| entry.path());
            let archive = entries.into_iter().find(|path| {
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("archive"))
            });
            let archive = open(&archive.expect("an archive"));
            let listed = Inventory::of(&archive, &|name| crate::form::standing(archive.form, name));
            let unique: HashSet<&Item> = listed.items.iter().collect();
            assert_eq!(unique.len(), listed.items.len(), "{}: listed twice", folder.display());
            let mut found: Vec<MemberId> =
                listed.items.iter().flat_map(|item| members(&archive, &listed, item)).collect();
            found.sort();
            let files = archive.tree.members.iter().enumerate();
            let files: Vec<MemberId> = files
                .filter(|(_, member)| member.kind() == MemberKind::File)
                .map(|(i, _)| MemberId(i as u32))
                .collect();
            let told: HashSet<MemberId> = found.iter().copied().collect();
            let missed: Vec<_> = files
                .iter()
                .filter(|&id| !told.contains(id))
                .map(|id| archive.tree.member(*id).name().to_string())
                .collect();
            assert_eq!(missed, [""; 0], "{}", folder.display());
            found.dedup();
            assert_eq!(told.len(), found.len(), "{}", folder.display());
            let names = listed.items.iter().filter(|item| matches!(item, Item::Name(_))).count();
            assert_eq!(names, archive.roots.iter().filter(|root| root.name != Name::None).count());
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen} cases");
}

#[test]
fn what_belongs_to_nothing_is_listed_as_that() {
    let dir = tempfile::tempdir().expect("a directory");
    let put = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, bytes).expect("a file");
    };
    put("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
    put("index.json", br#"{"schemaVersion":2,"manifests":[]}"#);
    put("README", b"mine");
    let stray = crate::digest::Digest::sha256(b"stray");
    put(&format!("blobs/sha256/{}", stray.encoded()), b"stray");
    let archive = open(dir.path());
    let listed = Inventory::of(&archive, &|name| crate::form::standing(archive.form, name));
    let count = |is_it: &dyn Fn(&Item) -> bool| listed.items.iter().filter(|item| is_it(item)).count();
    assert_eq!(count(&|item| matches!(item, Item::Document(_))), 2);
    assert_eq!(count(&|item| matches!(item, Item::Stray(_))), 1);
    assert_eq!(count(&|item| matches!(item, Item::Blob(_, Part::Unreferenced))), 1);
    assert_eq!(listed.items.len(), 4);
}
