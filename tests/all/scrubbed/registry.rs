//! Beside Debian's registry: what it wrote, damaged; and a registry that takes pushes while it is scrubbed. Where it is not
//! installed nothing is tried, and that is said.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::damage::{ALL, Damage::*};
use super::planted::{expected, fill, warnings};
use super::storage::{Storage, json, restow, tar};
use crate::registry::debian::{has, start};

fn convert(from: &str, to: &str) {
    let output = restow(&["convert", "--tls-verify=false", "-q", from, to]);
    assert_eq!(output.status.code(), Some(0), "{to}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn damage_in_a_storage_that_a_registry_wrote() {
    if !has("docker-registry") {
        return;
    }
    let dir = tempfile::tempdir().expect("temporary directory");
    let (sound, _) = Storage::filled(&dir.path().join("sound"), 188);
    let (made, planned) = fill(&dir.path().join("made"), 0);
    let registry = start(|_| (String::new(), String::new()));
    let place = format!("docker://{}/", registry.address);
    convert(&sound.place(), &place);
    // What is pushed together is linked in one repository and mounted from there, so that a blob which goes leaves a link
    // behind in another one, too.
    for (_, repository, _) in &planned {
        convert(&format!("{}:{repository}", made.place()), &place);
    }
    let storage = Storage { dir: registry.folder.path().join("data") };
    let (code, report) = json(&["scrub", &storage.place()]);
    assert_eq!((code, warnings(&report).len()), (Some(0), 0), "{report}");
    for (kind, repository, image) in planned {
        kind.plant(&storage, &repository, "1", &image);
    }
    let (code, report) = json(&["scrub", &storage.place()]);
    assert_eq!((code, warnings(&report)), (Some(1), expected()), "{report}");
    let live = restow(&["scrub", "--json", "--retry-times", "0", "--tls-verify=false", &place]);
    let (report, said) = (String::from_utf8_lossy(&live.stdout), String::from_utf8_lossy(&live.stderr));
    assert_eq!((live.status.code(), warnings(&report)), (Some(2), of_registry(&registry.address)), "{said}");
    // What the registry itself cannot read it says of nobody but itself.
    let refused = [EmptyTag, FlippedManifest].map(super::planted::repository);
    let unread: Vec<&str> = said.lines().filter(|line| line.contains("not read: ")).collect();
    assert_eq!(unread.len(), 3, "{said}");
    assert!(unread.iter().all(|line| refused.iter().any(|name| line.contains(name.as_str()))), "{said}");
    for name in [NoManifest, NoRevision].map(super::planted::repository) {
        let lost = |tag| format!("tag `{name}:{tag}` is listed, and the registry has no manifest for it");
        assert!(report.contains(&lost(1)) && report.contains(&lost(2)), "{report}");
    }
}

/// What a scrub through the registry finds of the same damage.
fn of_registry(address: &str) -> BTreeSet<(String, Vec<String>)> {
    let found = ALL.into_iter().filter_map(|kind| {
        let rule = match kind {
            // The registry gives the config under the layer's digest.
            FlippedLayer | CutLayer | EmptyLayer | OtherLink => "blob/digest-mismatch",
            // It gives no blob that the repository has no link to.
            NoLayer | NoConfig | MovedLayer | NoLayerLink => "blob/missing",
            NoManifest | NoRevision => return Some(("storage/tag-without-target".to_owned(), Vec::new())),
            FlippedManifest | EmptyTag => return None,
        };
        let repository = super::planted::repository(kind);
        Some((rule.to_owned(), ["1", "2"].map(|tag| format!("{address}/{repository}:{tag}")).to_vec()))
    });
    found.collect()
}

#[test]
fn a_registry_that_takes_pushes_raises_no_alarm() {
    if !has("docker-registry") {
        return;
    }
    let seconds = std::env::var("RESTOW_SCRUB_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(8);
    let registry = start(|_| (String::new(), String::new()));
    let storage = Storage { dir: registry.folder.path().join("data") };
    let dir = tempfile::tempdir().expect("temporary directory");
    let push = |n: usize| {
        let made = Storage::new(&dir.path().join(format!("push{n}")));
        for i in 0..5 {
            let repository = format!("pushed/app{}", (n * 5 + i) % 11);
            let layers =
                [tar("etc/shared", b"shared"), tar("etc/own", format!("{n} {i}").repeat(9999).as_bytes())];
            let image = made.image(&repository, &format!("{n} {i}"), &layers);
            made.tag(&repository, &format!("t{n}"), &image.manifest);
            made.tag(&repository, "latest", &image.manifest);
        }
        convert(&made.place(), &format!("docker://{}/", registry.address));
        std::fs::remove_dir_all(&made.dir).expect("removed");
    };
    push(0);
    let over = AtomicBool::new(false);
    let (mut scrubs, mut pushes) = (0, 0);
    std::thread::scope(|scope| {
        let (over, push) = (&over, &push);
        let pushing = scope.spawn(move || {
            let mut n = 1;
            while !over.load(Ordering::SeqCst) {
                push(n);
                n += 1;
            }
            n
        });
        let state = dir.path().join("state.db");
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(seconds) {
            scrubs += 1;
            // With what is known from before, and anew.
            let state = if scrubs % 2 == 0 { Path::new("/nowhere") } else { &state };
            let (code, report) = match state.exists() || scrubs == 1 {
                true => json(&["scrub", "--state", state.to_str().expect("UTF-8"), &storage.place()]),
                false => json(&["scrub", &storage.place()]),
            };
            let told = warnings(&report);
            over.fetch_or(code != Some(0) || !told.is_empty(), Ordering::SeqCst);
            assert_eq!((code, told.len()), (Some(0), 0), "scrub {scrubs}: {report}");
        }
        over.store(true, Ordering::SeqCst);
        pushes = pushing.join().expect("pushes");
    });
    assert!(scrubs > 2 && pushes > 2, "{scrubs} scrubs beside {pushes} pushes");
}
