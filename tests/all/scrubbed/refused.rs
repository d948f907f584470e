//! What a scrub refuses, and that nothing is lost then.

use std::path::Path;

use super::storage::{Storage, command, restow};

fn said(arguments: &[&str]) -> (Option<i32>, String) {
    let output = restow(arguments);
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// A storage, and its state after a run.
fn scrubbed(dir: &Path) -> (Storage, std::path::PathBuf) {
    let (storage, _) = Storage::filled(&dir.join("storage"), 5);
    let state = dir.join("state.db");
    let (code, told) = said(&["scrub", "--state", text(&state), &storage.place()]);
    assert_eq!(code, Some(0), "{told}");
    (storage, state)
}

#[test]
fn the_state_of_another_storage() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (storage, state) = scrubbed(dir.path());
    let (other, _) = Storage::filled(&dir.path().join("other"), 2);
    let (code, told) = said(&["scrub", "--state", text(&state), &other.place()]);
    assert!(code == Some(2) && told.contains("is the state of") && told.contains("--adopt"), "{told}");
    // That of another kind of place is not taken over either.
    let layout = dir.path().join("layout");
    let made = crate::layout::Layout::new(&layout);
    let place = made.finish();
    let (code, told) = said(&["scrub", "--adopt", "--state", text(&state), &place]);
    assert!(code == Some(2) && told.contains("and this a folder of layouts"), "{told}");
    // A storage that has moved keeps what was read of it.
    let moved = dir.path().join("moved");
    std::fs::rename(&storage.dir, &moved).expect("moved");
    let place = format!("registry-storage:{}", moved.display());
    let (code, told) = said(&["scrub", "--state", text(&state), &place]);
    assert_eq!(code, Some(2), "{told}");
    let (code, told) = said(&["scrub", "--adopt", "--state", text(&state), &place]);
    assert!(code == Some(0) && told.contains("read 0 of "), "{told}");
    let (code, told) = said(&["scrub", "--state", text(&state), &place]);
    assert!(code == Some(0) && told.contains("read 0 of "), "{told}");
}

#[test]
fn parts_that_are_missing_or_there_twice() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (storage, whole) = scrubbed(dir.path());
    let state = |i: usize, n: usize| dir.path().join(format!("{i}-of-{n}.db"));
    for (i, n) in [(0, 3), (1, 3), (2, 3), (0, 2)] {
        let (file, shard) = (state(i, n), format!("{i}/{n}"));
        let (code, told) = said(&["scrub", "--shard", &shard, "--state", text(&file), &storage.place()]);
        assert_eq!(code, Some(0), "{told}");
    }
    let merge = |states: &[&Path]| {
        let states: Vec<&str> = states.iter().map(|path| text(path)).collect();
        said(&[&["scrub", "merge"], &states[..]].concat())
    };
    let (a, b, c, other) = (state(0, 3), state(1, 3), state(2, 3), state(0, 2));
    assert_eq!(merge(&[&a, &b, &c]).0, Some(0));
    assert_eq!(merge(&[&whole]).0, Some(0));
    let (code, told) = merge(&[&a, &c]);
    assert!(code == Some(2) && told.contains("one is missing: 1/3"), "{told}");
    let copy = dir.path().join("copy.db");
    std::fs::copy(&b, &copy).expect("copied");
    let (code, told) = merge(&[&a, &b, &copy, &c]);
    assert!(code == Some(2) && told.contains("are both of part 1/3"), "{told}");
    let (code, told) = merge(&[&a, &b, &b, &c]);
    assert!(code == Some(2) && told.contains("1-of-3.db is given twice"), "{told}");
    let (code, told) = merge(&[&a, &b, &other]);
    assert!(code == Some(2) && told.contains("of 2"), "{told}");
    let (code, told) = merge(&[&a, &whole]);
    assert_eq!(code, Some(2), "{told}");
    // A part of another storage.
    let (second, _) = Storage::filled(&dir.path().join("second"), 2);
    let foreign = dir.path().join("foreign.db");
    let (code, told) = said(&["scrub", "--shard", "1/3", "--state", text(&foreign), &second.place()]);
    assert_eq!(code, Some(0), "{told}");
    let (code, told) = merge(&[&a, &foreign, &c]);
    assert!(code == Some(2) && told.contains("give the parts of one storage"), "{told}");
    // Each part has a state of its own.
    let (code, told) = said(&["scrub", "--shard", "2/3", "--state", text(&a), &storage.place()]);
    assert!(code == Some(2) && told.contains("a --state of its own"), "{told}");
}

#[test]
fn a_state_that_is_none_is_cut_or_is_at_work() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (storage, state) = scrubbed(dir.path());
    let bytes = std::fs::read(&state).expect("read");
    let broken = dir.path().join("broken.db");
    let mut lengths = vec![1, 100, 512, 4095, 4096, 4097, bytes.len() / 2, bytes.len() - 1];
    lengths.extend((1..8).map(|i| bytes.len() * i / 8));
    for length in lengths {
        std::fs::write(&broken, &bytes[..length]).expect("written");
        let (code, told) = said(&["scrub", "--state", text(&broken), &storage.place()]);
        assert!(
            code == Some(2) && told.contains("is no state of a scrub"),
            "cut at {length}: {code:?} {told}"
        );
        let (code, told) = said(&["scrub", "status", text(&broken)]);
        assert!(
            code == Some(2) && told.contains("is no state of a scrub"),
            "cut at {length}: {code:?} {told}"
        );
    }
    for text_of in [&b"no state at all"[..], &[0; 20_000]] {
        std::fs::write(&broken, text_of).expect("written");
        let (code, told) = said(&["scrub", "merge", text(&broken)]);
        assert!(code == Some(2) && told.contains("is no state of a scrub"), "{code:?} {told}");
    }
    let (code, told) = said(&["scrub", "status", text(&dir.path().join("nowhere.db"))]);
    assert!(code == Some(2) && told.contains("there is no state"), "{told}");
    // One that another run has.
    let held = restow::jobs::scrub::State::existing(&state, &Default::default())
        .map(|(state, _)| state)
        .expect("opens");
    let (code, told) = said(&["scrub", "--state", text(&state), &storage.place()]);
    assert!(code == Some(2) && told.contains("another scrub is at work"), "{told}");
    drop(held);
    assert_eq!(said(&["scrub", "--state", text(&state), &storage.place()]).0, Some(0));
}

#[test]
fn a_state_of_another_scheme() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (storage, state) = scrubbed(dir.path());
    {
        let db = redb::Database::create(&state).expect("opens");
        let write = db.begin_write().expect("begins");
        {
            let table: redb::TableDefinition<'_, &str, &[u8]> = redb::TableDefinition::new("meta");
            let mut table = write.open_table(table).expect("a table");
            table.insert("meta", &br#"{"scheme":7,"what":"comes"}"#[..]).expect("written");
        }
        write.commit().expect("committed");
    }
    let (code, told) = said(&["scrub", "--state", text(&state), &storage.place()]);
    assert!(code == Some(2) && told.contains("is a state of scheme 7"), "{told}");
}

#[test]
fn a_storage_that_is_not_there() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let place = format!("registry-storage:{}", dir.path().display());
    let (code, told) = said(&["scrub", &place]);
    assert!(code == Some(2) && told.contains("is not an image archive"), "{told}");
    let (code, told) = said(&["scrub", "registry-storage:/no/such/folder"]);
    assert!(code == Some(2) && told.contains("cannot open"), "{told}");
    let (code, told) = said(&["scrub", &format!("{place}:app")]);
    assert!(code == Some(2) && told.contains("is not all of a storage"), "{told}");
}

/// The files that the state may grow to are bounded, as on a full disk: the run ends with a clear error, what was written is
/// kept, and the next run goes on.
#[test]
fn a_full_disk_under_the_state() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (storage, _) = Storage::filled(&dir.path().join("storage"), 400);
    let state = dir.path().join("state.db");
    let line = format!(
        "ulimit -f 800; exec {} scrub --state {} {}",
        env!("CARGO_BIN_EXE_restow"),
        state.display(),
        storage.place()
    );
    let output = std::process::Command::new("bash").args(["-c", &line]).output().expect("runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && told.contains("state"), "{:?} {told}", output.status);
    let (code, told) = said(&["scrub", "--state", text(&state), &storage.place()]);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(command(&["scrub", "status", text(&state)]).output().expect("runs").status.code(), Some(0));
}
