//! A store that is slow, has too much to do, breaks off, changes meanwhile, lags or refuses; and what people mistype.

use std::time::Duration;

use super::store::{Act, Store};
use super::{run, told, with};
use crate::scrubbed::storage::Storage;

const PLACE: &str = "registry-storage:s3://images/prod";

fn made(dir: &std::path::Path) -> (Storage, Store) {
    let (storage, _) = Storage::filled(&dir.join("prod"), 6);
    (storage, Store::of(dir))
}

/// The name of the object that a file of the folder is.
fn key_of(file: &std::path::Path, folder: &std::path::Path) -> String {
    file.strip_prefix(folder).expect("below").to_str().expect("UTF-8").to_owned()
}

#[test]
fn what_passes_is_tried_again() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (storage, store) = made(dir.path());
    store.plant("GET", "/data", 2, Act::Answer(503, "SlowDown"));
    store.plant("GET", "/data", 1, Act::Answer(429, "TooManyRequests"));
    store.plant("GET", "/data", 3, Act::Cut);
    store.plant("GET", "/data", 2, Act::Slow(Duration::from_millis(700)));
    store.plant("LIST", "", 1, Act::Answer(500, "InternalError"));
    store.plant("LIST", "repositories", 1, Act::Cut);
    // A listing that lags lacks a blob, which is asked for by its name before it is missed.
    let layer = storage.data(&Storage::filled(&dir.path().join("twin"), 6).1[2].layers[1]);
    let hex = layer.parent().and_then(|path| path.file_name()).expect("a digest").to_str().expect("UTF-8");
    store.plant("LIST", "blobs", 1, Act::Lags(hex.to_owned()));
    let output = run(&store, &["scrub", PLACE]);
    let (out, error) = told(&output);
    assert_eq!(output.status.code(), Some(0), "{out}{error}");
}

#[test]
fn what_changes_meanwhile_is_read_as_it_is_now() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (storage, store) = made(dir.path());
    let twin = Storage::filled(&dir.path().join("twin"), 6).1;
    let layer = storage.data(&twin[1].layers[1]);
    let key = key_of(&layer, dir.path());
    store.plant("GET", &key, 1, Act::Changed(b"other bytes".to_vec()));
    let output = run(&store, &["scrub", "--json", PLACE]);
    let (out, error) = told(&output);
    assert_eq!(output.status.code(), Some(1), "{out}{error}");
    assert!(out.contains("blob/digest-mismatch"), "{out}");
    assert!(error.contains("1 came, went or changed meanwhile"), "{error}");
    // One archive cannot be two.
    let config = storage.data(&twin[1].config);
    let key = key_of(&config, dir.path());
    store.plant("GET", &key, 1, Act::Changed(b"{}".to_vec()));
    let output = run(&store, &["check", PLACE]);
    let (out, error) = told(&output);
    assert_eq!(output.status.code(), Some(2), "{out}{error}");
    assert!(error.contains("changed while it was being read"), "{error}");
}

#[test]
fn what_is_refused_is_told_with_the_bucket_and_what_to_do() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (_, store) = made(dir.path());
    let cases: [(&str, u16, &'static str, &str, &str); 7] = [
        (
            "LIST",
            403,
            "AccessDenied",
            "s3://images: the store does not let it be listed (AccessDenied)",
            "s3:ListBucket",
        ),
        (
            "LIST",
            403,
            "InvalidAccessKeyId",
            "s3://images: the store does not know these credentials",
            "AWS_ACCESS_KEY_ID",
        ),
        (
            "LIST",
            403,
            "SignatureDoesNotMatch",
            "the store does not know these credentials",
            "AWS_SECRET_ACCESS_KEY",
        ),
        ("LIST", 400, "ExpiredToken", "s3://images: the session token has expired", "AWS_SESSION_TOKEN"),
        ("LIST", 403, "RequestTimeTooSkewed", "s3://images: the clocks of this machine", "timedatectl"),
        ("LIST", 301, "PermanentRedirect", "s3://images: the bucket is in another region", "AWS_REGION"),
        ("LIST", 503, "SlowDown", "s3://images: the store has too much to do", "--jobs 1"),
    ];
    for (what, status, code, message, help) in cases {
        let times = if status == 503 { 2 } else { 1 };
        store.plant(what, "", times, Act::Answer(status, code));
        let output = with(&store, &["scrub", PLACE]).env("AWS_MAX_ATTEMPTS", "2").output().expect("runs");
        let (_, error) = told(&output);
        assert_eq!(output.status.code(), Some(2), "{code}: {error}");
        assert!(error.contains(message) && error.contains(help), "{code}: {error}");
    }
    for (place, message) in [
        ("registry-storage:s3://imagse/prod", "s3://imagse: there is no such bucket (NoSuchBucket)"),
        ("registry-storage:s3://images/pord", "neither `docker/registry/v2/repositories`"),
        ("registry-storage:s3://", "names no bucket"),
    ] {
        for command in ["scrub", "check"] {
            let output = run(&store, &[command, place]);
            let (_, error) = told(&output);
            assert_eq!(output.status.code(), Some(2), "{place}: {error}");
            let nothing = command == "check" && error.contains("nothing is there");
            assert!(error.contains(message) || nothing, "{command} {place}: {error}");
        }
    }
    let output = run(&store, &["check", "oci-archive:s3://images/none.tar"]);
    assert!(told(&output).1.contains("s3://images/none.tar: there is no such object"), "{:?}", told(&output));
}

#[test]
fn lists_that_come_to_no_end_are_refused() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (_, store) = made(dir.path());
    // What is right below the place, the repositories, the blobs; and all of it.
    let places = [("prod/", "scrub"), ("repositories", "scrub"), ("blobs", "scrub"), ("", "check")];
    let again = places.map(|place| (Act::Again, place));
    for (act, (part, command)) in again.into_iter().chain([(Act::Nothing, ("blobs", "scrub"))]) {
        store.plant("LIST", part, usize::MAX, act.clone());
        let output = run(&store, &[command, PLACE]);
        let (_, error) = told(&output);
        assert_eq!(output.status.code(), Some(2), "{act:?} {part}: {error}");
        let words = "s3://images/prod";
        assert!(error.contains(words) && error.contains("comes to no end"), "{act:?} {part}: {error}");
        let asked = store.seen().len();
        assert!(asked < if matches!(act, Act::Again) { 20 } else { 1_100 }, "{act:?} {part}: {asked}");
        store.calm();
    }
    store.plant("LIST", "", 1, Act::Bloated(9 << 20));
    let output = run(&store, &["scrub", PLACE]);
    let (_, error) = told(&output);
    assert!(output.status.code() == Some(2) && error.contains("longer than 8388608 bytes"), "{error}");
}

#[test]
fn a_blob_that_may_not_be_read_is_no_blob_that_is_wrong() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (storage, store) = made(dir.path());
    let layer = storage.data(&Storage::filled(&dir.path().join("twin"), 6).1[0].layers[1]);
    let key = key_of(&layer, dir.path());
    store.plant("GET", &key, 9, Act::Answer(403, "AccessDenied"));
    let output = run(&store, &["scrub", PLACE]);
    let (out, error) = told(&output);
    assert_eq!(output.status.code(), Some(2), "{out}{error}");
    assert!(error.contains("does not let it be read (AccessDenied)"), "{error}");
}

#[test]
fn credentials_are_found_where_the_tools_of_the_cloud_keep_them() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (_, store) = made(dir.path());
    let home = dir.path().join("home");
    std::fs::create_dir_all(home.join(".aws")).expect("a folder");
    let credentials = format!(
        "[work]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        super::store::KEY,
        super::store::SECRET
    );
    std::fs::write(home.join(".aws/credentials"), credentials).expect("written");
    let config = format!(
        "[profile work]\nregion = eu-central-1\nendpoint_url = http://{}\n[profile sso]\nsso_session = x\n",
        store.address
    );
    std::fs::write(home.join(".aws/config"), config).expect("written");
    let with_profile = |profile: &str| {
        let mut command = crate::scrubbed::storage::command(&["scrub", PLACE]);
        command.env("HOME", &home).env("AWS_PROFILE", profile).output().expect("runs")
    };
    let output = with_profile("work");
    assert_eq!(output.status.code(), Some(0), "{:?}", told(&output));
    let output = with_profile("sso");
    let (_, error) = told(&output);
    assert!(output.status.code() == Some(2) && error.contains("export-credentials"), "{error}");
    let output = with_profile("absent");
    assert!(told(&output).1.contains("AWS_PROFILE names `absent`"), "{:?}", told(&output));
    // Nobody says who asks.
    let mut command = crate::scrubbed::storage::command(&["check", PLACE]);
    let output = command
        .env("AWS_ENDPOINT_URL", format!("http://{}", store.address))
        .env("AWS_EC2_METADATA_DISABLED", "true");
    let output = output.output().expect("runs");
    let (_, error) = told(&output);
    assert!(
        output.status.code() == Some(2) && error.contains("s3://images: no credentials are found"),
        "{error}"
    );
}
