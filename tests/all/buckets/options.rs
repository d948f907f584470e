//! The options of registries hold for buckets, wherever one can be named: whom to trust, how often what failed is tried again,
//! how long is waited.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use super::store::{Act, Store};
use super::{run, told, with};
use crate::scrubbed::storage::{Storage, restow};
use crate::served::Served;

const PLACE: &str = "registry-storage:s3://images/prod";

/// Makes `cert.pem` and `key.pem`, for this machine alone.
fn certificate(folder: &Path) {
    let arguments = "req -x509 -newkey rsa:2048 -nodes -days 2 -keyout key.pem -out cert.pem -subj /CN=127.0.0.1 -addext \
                     subjectAltName=IP:127.0.0.1";
    let output =
        Command::new("openssl").current_dir(folder).args(arguments.split(' ')).output().expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A store that speaks TLS with a certificate that nobody knows, and the file that makes it known.
fn guarded(dir: &Path) -> (Store, String) {
    let (own, other) = (dir.join("own"), dir.join("other"));
    for folder in [&own, &other] {
        std::fs::create_dir_all(folder).expect("a folder");
        certificate(folder);
    }
    let store = Store::with_tls(&dir.join("store"), &own.join("cert.pem"), &own.join("key.pem"));
    (store, own.join("cert.pem").display().to_string())
}

#[test]
fn a_certificate_that_nobody_knows_is_told_and_can_be_trusted_everywhere() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (storage, _) = Storage::filled(&dir.path().join("store/prod"), 3);
    let (store, ca) = guarded(dir.path());
    let on_disk = storage.place();
    let layout = format!("oci:{}", dir.path().join("layout").display());
    let state = |name: &str| format!("s3://images/states/{name}.db");
    let (first, part, facts) = (state("all"), state("part"), "s3://images/facts.jsonl");
    // Every command that a bucket can be named to, and every option that one can be named in.
    let commands: [&[&str]; 12] = [
        &["check", PLACE],
        &["inspect", PLACE],
        &["convert", "-q", PLACE, &layout],
        &["compare", PLACE, &on_disk],
        &["scrub", "--state", &first, "--facts", facts, PLACE],
        &["scrub", "--state", &state("disk"), &on_disk],
        &["scrub", "--shard", "0/1", "--state", &part, PLACE],
        &["scrub", "--metrics", "s3://images/metrics.prom", &on_disk],
        &["scrub", "merge", &part],
        &["scrub", "status", &first],
        &["repair", "--state", &first, "--from", &on_disk, PLACE],
        &["repair", "--from", PLACE, &on_disk],
    ];
    for arguments in commands {
        let output = run(&store, arguments);
        let (_, error) = told(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        let why = format!("{}: the connection is not trusted", store.address);
        assert!(error.contains(&why) && error.contains("--ca FILE"), "{arguments:?}: {error}");
    }
    for arguments in commands {
        let output = run(&store, &[arguments, &["--ca", &ca]].concat());
        let (out, error) = told(&output);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {out}{error}");
        // What they wrote is not in the way of the next one.
        let _ = std::fs::remove_dir_all(dir.path().join("layout"));
    }
    assert!(
        dir.path().join("store/facts.jsonl").is_file() && dir.path().join("store/metrics.prom").is_file()
    );
    let other = dir.path().join("other/cert.pem").display().to_string();
    for (arguments, code) in [
        (&["--ca", &other][..], 2),
        (&["--ca", &other, "--ca", &ca], 0),
        (&["--tls-verify=false"], 0),
        (&["--tls-verify=true"], 2),
        (&["--ca", "/absent"], 2),
    ] {
        let output = run(&store, &[&["check", PLACE], arguments].concat());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {:?}", told(&output));
    }
    // Two places far away, of which one may be meant.
    let output = run(&store, &["compare", "--ca", &ca, PLACE, PLACE]);
    let (_, error) = told(&output);
    assert!(output.status.code() == Some(2) && error.contains("--src-ca or --dest-ca"), "{error}");
    let output = run(&store, &["compare", "--src-ca", &ca, "--dest-ca", &ca, PLACE, PLACE]);
    assert_eq!(output.status.code(), Some(0), "{:?}", told(&output));

    let served = Served::start_with(&["--ca", &ca, PLACE], &store.variables());
    let from = format!("docker://{}/team1/app1:1", served.address);
    let pulled = restow(&["check", "--tls-verify=false", &from]);
    assert_eq!(pulled.status.code(), Some(0), "{}", String::from_utf8_lossy(&pulled.stderr));
}

/// How often something was asked for.
fn asked(store: &Store, what: &str, part: &str) -> usize {
    store.seen().iter().filter(|one| one.what == what && one.key.contains(part)).count()
}

#[test]
fn what_failed_is_tried_again_as_often_as_was_said() {
    let dir = tempfile::tempdir().expect("temporary directory");
    Storage::filled(&dir.path().join("store/prod"), 2);
    let store = Store::of(&dir.path().join("store"));
    for (options, variable, tries) in
        [(&["--retry-times", "0"][..], "4", 1), (&["--retry-times", "2"], "1", 3), (&[], "2", 2)]
    {
        let output = {
            store.plant("LIST", "", tries, Act::Answer(503, "SlowDown"));
            let mut command = with(&store, &[&["scrub", PLACE][..], options].concat());
            command.env("AWS_MAX_ATTEMPTS", variable).output().expect("runs")
        };
        let (_, error) = told(&output);
        assert_eq!(output.status.code(), Some(2), "{options:?} {variable}: {error}");
        assert!(error.contains("the store has too much to do") && error.contains("--retry-times"), "{error}");
        assert_eq!(asked(&store, "LIST", ""), tries, "{options:?} {variable}");
    }
    store.plant("LIST", "", 2, Act::Answer(503, "SlowDown"));
    let output = run(&store, &["scrub", "--retry-times", "2", PLACE]);
    assert_eq!(output.status.code(), Some(0), "{:?}", told(&output));
}

#[test]
fn a_store_that_says_nothing_is_waited_for_as_long_as_was_said() {
    let dir = tempfile::tempdir().expect("temporary directory");
    Storage::filled(&dir.path().join("store/prod"), 2);
    let store = Store::of(&dir.path().join("store"));
    let hangs = |what| store.plant(what, "", 9, Act::Slow(Duration::from_secs(20)));
    let limited = |options: &[&str]| -> (Output, Duration) {
        let begun = Instant::now();
        (run(&store, &[options, &["--timeout", "1", "--retry-times", "0"]].concat()), begun.elapsed())
    };
    for (what, arguments) in [
        ("LIST", &["check", PLACE][..]),
        ("LIST", &["scrub", PLACE]),
        ("GET", &["check", PLACE]),
        ("GET", &["scrub", "--state", "s3://images/x.db", PLACE]),
        ("GET", &["scrub", "status", "s3://images/x.db"]),
    ] {
        hangs(what);
        let (output, took) = limited(arguments);
        let (_, error) = told(&output);
        assert_eq!(output.status.code(), Some(2), "{what} {arguments:?}: {error}");
        assert!(error.contains("for 1 s") && error.contains("s3://images"), "{what} {arguments:?}: {error}");
        assert!(took < Duration::from_secs(15), "{what} {arguments:?}: {took:?}");
        store.calm();
    }
}

#[test]
fn facts_are_in_a_bucket_whole_or_not_at_all() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (storage, images) = Storage::filled(&dir.path().join("store/prod"), 4);
    let store = Store::of(&dir.path().join("store"));
    let there = dir.path().join("store/out/facts.jsonl");
    let scrub = |options: &[&str]| {
        run(&store, &[&["scrub", "--facts", "s3://images/out/facts.jsonl"], options].concat())
    };
    let output = scrub(&[PLACE]);
    assert_eq!(output.status.code(), Some(0), "{:?}", told(&output));
    let file = dir.path().join("facts.jsonl").display().to_string();
    let on_disk = restow(&["scrub", "--facts", &file, &storage.place()]);
    assert!(on_disk.status.success());
    let lines = |path: &Path| std::fs::read_to_string(path).expect("there").lines().count();
    assert_eq!(lines(&there), lines(Path::new(&file)));
    assert!(asked(&store, "PUT", "") == 1, "nothing but them is written");

    // A storage that is judged to be wrong has facts, too, in the place of those that were there.
    std::fs::write(storage.data(&images[0].layers[1]), b"wrong").expect("written");
    let before = std::fs::read(&there).expect("there");
    let output = scrub(&[PLACE]);
    assert_eq!(output.status.code(), Some(1), "{:?}", told(&output));
    assert_ne!(std::fs::read(&there).expect("there"), before);

    // A run that comes to nothing leaves them as they were.
    let before = std::fs::read(&there).expect("there");
    store.plant("LIST", "blobs", 1, Act::Answer(403, "AccessDenied"));
    let output = scrub(&[PLACE]);
    assert_eq!(output.status.code(), Some(2), "{:?}", told(&output));
    assert_eq!(std::fs::read(&there).expect("there"), before);
    store.plant("PUT", "out/facts", 1, Act::Answer(403, "AccessDenied"));
    let output = scrub(&[PLACE]);
    let (_, error) = told(&output);
    assert!(output.status.code() == Some(2) && error.contains("s3:PutObject"), "{error}");
    assert_eq!(std::fs::read(&there).expect("there"), before);
    // That there is no such bucket is told before anything is read.
    store.seen();
    let output = run(&store, &["scrub", "--facts", "s3://imagse/facts.jsonl", PLACE]);
    let (_, error) = told(&output);
    assert!(
        output.status.code() == Some(2) && error.contains("s3://imagse: there is no such bucket"),
        "{error}"
    );
    assert_eq!(asked(&store, "LIST", ""), 0);
    let output = run(&store, &["scrub", "--facts", "s3://images", PLACE]);
    assert!(told(&output).1.contains("s3://images names no object"), "{:?}", told(&output));
}
