//! A state that is kept in a bucket while a scrub goes on: what a machine that is lost costs, and states that are large.

use std::path::Path;
use std::time::{Duration, Instant};

use super::store::{Act, Seen, Store};
use super::{run, told, with};
use crate::scrubbed::storage::Storage;

const PLACE: &str = "registry-storage:s3://images/prod";
const STATE: &str = "s3://images/states/all.db";

fn count(seen: &[Seen], what: &str, part: &str) -> usize {
    seen.iter().filter(|one| one.what == what && one.key.contains(part)).count()
}

#[test]
fn a_machine_that_is_lost_costs_what_was_read_since_the_state_was_sent() {
    let dir = tempfile::tempdir().expect("temporary directory");
    Storage::filled(&dir.path().join("store/prod"), 20);
    let store = Store::of(&dir.path().join("store"));
    store.plant("GET", "/data", usize::MAX, Act::Slow(Duration::from_millis(100)));
    let mut scrub = with(&store, &["scrub", "--jobs", "1", "--state", STATE, PLACE]);
    let mut child =
        scrub.env("RESTOW_STATE_SECONDS", "1").stderr(std::process::Stdio::null()).spawn().expect("runs");
    let mut seen = Vec::new();
    let begun = Instant::now();
    while count(&seen, "PUT", "states/") < 3 {
        assert!(begun.elapsed() < Duration::from_secs(60), "it is sent again and again: {seen:?}");
        assert_eq!(child.try_wait().expect("waits"), None, "it goes on");
        std::thread::sleep(Duration::from_millis(20));
        seen.extend(store.seen());
    }
    child.kill().expect("killed");
    child.wait().expect("ends");
    seen.extend(store.seen());
    let first = count(&seen, "GET", "/data");
    store.calm();
    let output = run(&store, &["scrub", "--state", STATE, PLACE]);
    assert_eq!(output.status.code(), Some(0), "{:?}", told(&output));
    let rest = count(&store.seen(), "GET", "/data");
    assert!(
        first + rest < 60 + 25 && rest < 50,
        "{first} {rest}: all but what was read in two seconds is known"
    );
}

/// Makes a state larger than what is sent in one request, by a table that nobody asks for.
fn grown(state: &Path) {
    const NOISE: redb::TableDefinition<u32, &[u8]> = redb::TableDefinition::new("noise");
    let db = redb::Database::create(state).expect("opens");
    let write = db.begin_write().expect("begins");
    {
        let mut table = write.open_table(NOISE).expect("a table");
        for i in 0..5 {
            table.insert(i, &vec![i as u8; 14 << 20][..]).expect("written");
        }
    }
    write.commit().expect("written");
    drop(db);
    assert!(std::fs::metadata(state).expect("there").len() > 64 << 20);
}

#[test]
fn a_large_state_is_sent_in_parts_under_its_condition() {
    let dir = tempfile::tempdir().expect("temporary directory");
    Storage::filled(&dir.path().join("store/prod"), 2);
    let store = Store::of(&dir.path().join("store"));
    let file = dir.path().join("store/states/all.db");
    let scrub = || run(&store, &["scrub", "--max-age", "0s", "--state", STATE, PLACE]);
    assert_eq!(scrub().status.code(), Some(0));
    grown(&file);
    store.seen();
    let before = std::fs::read(&file).expect("there");
    let output = scrub();
    assert_eq!(output.status.code(), Some(0), "{:?}", told(&output));
    let seen = store.seen();
    let parts = count(&seen, "PUT", "states/all.db");
    assert!(parts >= 5 && count(&seen, "POST", "states/all.db") == 2, "{parts}");
    let sent = std::fs::read(&file).expect("there");
    assert!(sent != before && store.unended() == 0);
    // Another run writes it right before its parts are joined: it is not undone.
    store.plant("JOIN", "states/all.db", 1, Act::Changed(b"of another run".to_vec()));
    let output = scrub();
    let (_, error) = told(&output);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("s3://images/states/all.db was written by somebody else meanwhile"), "{error}");
    assert_eq!(std::fs::read(&file).expect("there"), b"of another run");
    assert_eq!(store.unended(), 0);
    // A part that is refused leaves what was there.
    std::fs::write(&file, &sent).expect("written");
    store.plant("PUT", "states/all.db", 1, Act::Answer(403, "AccessDenied"));
    let output = scrub();
    let (_, error) = told(&output);
    assert!(output.status.code() == Some(2) && error.contains("s3:PutObject"), "{error}");
    assert!(std::fs::read(&file).expect("there") == sent && store.unended() == 0);
}
