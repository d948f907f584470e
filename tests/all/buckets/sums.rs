//! Digests that the store computed: what they prove is not read, and what they do not prove is.
//!
//! The reports here are made by hand from the example on Amazon's page of completion reports (S3 user guide, "Examples: S3
//! Batch Operations completion reports"): nobody here has run such a job.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use serde_json::Value;

use super::store::{BUCKET, Seen, Store, files};
use super::{run, told};
use crate::scrubbed::planted::damaged_with;
use crate::scrubbed::storage::{Storage, restow};

const PLACE: &str = "registry-storage:s3://images/prod";

/// What a task says of an object that it summed.
fn message(etag: &str, algorithm: &str, kind: &str, sum: &[u8]) -> String {
    let hex = data_encoding::HEXUPPER.encode(sum);
    let base64 = data_encoding::BASE64.encode(sum).replace('=', "\\u003d");
    format!(
        "{{\"checksum_base64\":\"{base64}\",\"etag\":\"{etag}\",\"checksumAlgorithm\":\"{algorithm}\",\"checksumType\":\"{kind}\",\"checksum_hex\":\"{hex}\"}}"
    )
}

/// A row of a report.
fn row(bucket: &str, key: &str, message: &str) -> String {
    format!("{bucket},{key},,succeeded,200,,\"{}\"", message.replace('"', "\"\""))
}

/// Keys of blobs below a folder, with their bytes.
fn blobs(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let blobs = files(folder).into_iter().filter(|(key, _)| key.ends_with("/data"));
    blobs.map(|(key, path)| (key, std::fs::read(path).expect("read"))).collect()
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    let digest = restow::digest::Digest::sha256(bytes);
    data_encoding::HEXLOWER.decode(digest.encoded().as_bytes()).expect("hexadecimal")
}

/// The row of a blob that went well.
fn summed(key: &str, bytes: &[u8]) -> String {
    let message = message(&restow::store::md5(bytes), "SHA256", "FULL_OBJECT", &sha256(bytes));
    // As Amazon writes keys.
    row(BUCKET, &key.replace('/', "%2F"), &message)
}

fn written(path: &Path, rows: &[String]) -> String {
    std::fs::write(path, rows.join("\n") + "\n").expect("written");
    path.to_str().expect("UTF-8").to_owned()
}

/// Bytes that were read of blobs, and how many requests that took.
fn read(seen: &[Seen]) -> (u64, usize) {
    let gets = seen.iter().filter(|one| one.what == "GET" && one.key.ends_with("/data"));
    gets.fold((0, 0), |(bytes, count), one| (bytes + one.bytes, count + 1))
}

fn json(output: &std::process::Output) -> Value {
    let (out, error) = told(output);
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{error}"))
}

#[test]
fn two_hundred_damaged_images_are_told_by_the_stores_checksums() {
    let dir = tempfile::tempdir().expect("temporary directory");
    damaged_with(&dir.path().join("store/prod"), 188, 20_000);
    let store = Store::of(&dir.path().join("store"));
    let all = blobs(&dir.path().join("store"));
    let rows: Vec<String> = all.iter().map(|(key, bytes)| summed(key, bytes)).collect();
    let report = written(&dir.path().join("report.csv"), &rows);
    let state = dir.path().join("state.db");
    let state = state.to_str().expect("UTF-8");

    let whole = json(&run(&store, &["scrub", "--json", PLACE]));
    store.seen();
    let output = run(&store, &["scrub", "--json", "--state", state, "--checksums", &report, PLACE]);
    let (_, error) = told(&output);
    assert_eq!(output.status.code(), Some(1), "{error}");
    let mut by_store = json(&output);
    let (bytes, asked) = read(&store.seen());
    let proved = by_store["sources"][0].as_object_mut().expect("a source").remove("proved").expect("told");
    let amount = |of: &str, what: &str| proved[of][what].as_u64().expect("a count");
    let (stores, reading) = (amount("store", "blobs"), amount("reading", "blobs"));
    let total: u64 = all.values().map(|bytes| bytes.len() as u64).sum();
    // All that reading finds is found, since what the store says of what is damaged is that it is not what it is called.
    assert_eq!(by_store, whole);
    let documents = all.values().filter(|bytes| bytes.first() == Some(&b'{')).count() as u64;
    assert!(reading >= documents && reading < documents + 40 && stores > 175, "{proved}");
    // One request a blob, but for the wrong ones whose text is read, too; of layers 512 bytes each.
    assert!(asked <= all.len() + 8, "{asked}");
    let small: u64 =
        all.values().filter(|bytes| bytes.len() <= 16 << 10).map(|bytes| bytes.len() as u64).sum();
    assert!(bytes < small + total / 20, "{bytes} of {total}, {small} in small ones");
    let unproved = proved["unproved"].as_str().expect("words");
    assert_eq!(
        unproved,
        format!(
            "the compressed streams, diff IDs and entries of {stores} blobs, whose digests the store computed"
        )
    );
    assert!(error.contains(&format!("{stores} by the store's checksums")), "{error}");
    assert!(error.contains("not what the name says"), "{error}");

    // What a state says of it, and nothing is asked for again.
    let status = json(&restow(&["scrub", "status", "--json", state]));
    assert_eq!(status["by_store"], Value::from(stores));
    assert_eq!(status["unread"], Value::from(0));
    let words = restow(&["scrub", "status", state]);
    let words = String::from_utf8(words.stdout).expect("UTF-8");
    assert!(words.contains("proved by the store's checksums, size and digest only"), "{words}");
    let again = run(&store, &["scrub", "--json", "--state", state, "--checksums", &report, PLACE]);
    assert_eq!(json(&again)["sources"][0]["findings"], whole["sources"][0]["findings"]);
    let (_, asked) = read(&store.seen());
    assert!(asked < 30, "what was wrong, and the hundredth of this run: {asked}");
    // Who does not take the store's word reads what nobody read.
    let reads = run(&store, &["scrub", "--json", "--state", state, PLACE]);
    assert_eq!(json(&reads), whole);
    let (_, asked) = read(&store.seen());
    assert!(asked as u64 >= stores - 10, "{asked} {stores}");

    // In parts, each with all rows: the same report as one run.
    let parts: Vec<String> =
        (0..3).map(|i| dir.path().join(format!("part-{i}.db")).display().to_string()).collect();
    for (i, part) in parts.iter().enumerate() {
        let shard = format!("{i}/3");
        let output =
            run(&store, &["scrub", "--shard", &shard, "--state", part, "--checksums", &report, PLACE]);
        assert_eq!(output.status.code(), Some(0), "{:?}", told(&output));
    }
    let merged = restow(
        &[&["scrub", "merge", "--json"], &parts.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat(),
    );
    let mut merged = json(&merged);
    assert_eq!(merged["sources"][0]["proved"], proved);
    merged["sources"][0].as_object_mut().expect("a source").remove("proved");
    assert_eq!(merged, whole);
}

#[test]
fn rows_that_prove_nothing_are_counted_and_their_blobs_read() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (storage, images) = Storage::filled_with(&dir.path().join("store/prod"), 12, 20_000);
    let store = Store::of(&dir.path().join("store"));
    let all = blobs(&dir.path().join("store"));
    let key_of = |i: usize| {
        let path = storage.data(&images[i].layers[1]);
        path.strip_prefix(dir.path().join("store")).expect("below").to_str().expect("UTF-8").to_owned()
    };
    let etag = |key: &str| restow::store::md5(&all[key]);
    let sum = |key: &str| sha256(&all[key]);
    let mut rows: Vec<String> =
        vec!["Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage".to_owned()];
    let named: Vec<String> = (0..9).map(key_of).collect();
    rows.extend(all.iter().filter(|(key, _)| !named.contains(key)).map(|(key, bytes)| summed(key, bytes)));
    let (composite, md5) = (&named[0], &named[1]);
    rows.push(row(BUCKET, composite, &message(&etag(composite), "SHA256", "COMPOSITE", &sum(composite))));
    rows.push(row(BUCKET, md5, &message(&etag(md5), "MD5", "FULL_OBJECT", &sum(md5)[..16])));
    rows.push(format!(
        "{BUCKET},{},,failed,200,PermanentFailure,\"error details: {{\"\"failureMessage\"\":\"Task 2845ca0d Key not found\", \"\"errorCode\"\": \"404\"}}\"",
        named[2]
    ));
    // Another version of it, as rows of a bucket with versions say.
    rows.push(row(BUCKET, &named[3], &message("0123456789abcdef", "SHA256", "FULL_OBJECT", &sum(&named[3]))));
    rows.push(summed(&named[4], &all[&named[4]]).replace(&format!("{BUCKET},"), "elsewhere,"));
    // A key twice, with two sums of one version.
    rows.push(summed(&named[5], &all[&named[5]]));
    rows.push(row(BUCKET, &named[5], &message(&etag(&named[5]), "SHA256", "FULL_OBJECT", &[7; 32])));
    // A sum that is not what the name says, of a blob that is.
    rows.push(row(BUCKET, &named[6], &message(&etag(&named[6]), "SHA256", "FULL_OBJECT", &[7; 32])));
    let cut = summed(&named[7], &all[&named[7]]);
    // Both versions of it, of which one is there; and the same row again.
    rows.push(row(BUCKET, &named[8], &message("0123456789abcdef", "SHA256", "FULL_OBJECT", &[9; 32])));
    rows.push(summed(&named[8], &all[&named[8]]).replace(&format!("{BUCKET},"), "arn:aws:s3:::images,"));
    rows.push(summed(&named[8], &all[&named[8]]));
    rows.push("x".repeat(100_000));
    rows.push(cut[..cut.len() - 20].to_owned());
    let report = written(&dir.path().join("report.csv"), &rows);
    let output = run(&store, &["scrub", "--checksums", &report, "--sample", "1/1000000", PLACE]);
    let (out, error) = told(&output);
    assert_eq!(output.status.code(), Some(0), "{out}{error}");
    let seen = store.seen();
    for (i, key) in named.iter().enumerate() {
        let bytes: u64 =
            seen.iter().filter(|one| one.what == "GET" && one.key == *key).map(|one| one.bytes).sum();
        let expected = if i == 8 { 512 } else { all[key].len() as u64 };
        assert_eq!(bytes, expected, "{i}");
    }
    assert!(
        error.contains(
            "checksums that prove nothing: 1 not what the name says, 1 of another version, 1 contradicted by another row, \
             1 of a task that failed, 1 of another algorithm than SHA256, 1 of parts, not of the whole object, \
             1 of no blob of this storage, 2 not readable"
        ),
        "{error}"
    );
    assert!(out.contains("not verified: the compressed streams, diff IDs and entries of"), "{out}");

    // Old words are no proof either; a sample is read as a whole.
    let file = std::fs::File::options().write(true).open(&report).expect("there");
    file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(40 * 86_400))
        .expect("set");
    let args = ["scrub", "--json", "--max-age", "30d", "--checksums", &report, PLACE];
    let output = run(&store, &args);
    let (out, error) = told(&output);
    assert!(error.contains("older than --max-age") && !out.contains("\"proved\""), "{out}{error}");
    let output = run(
        &store,
        &["scrub", "--json", "--max-age", "60d", "--sample", "100%", "--checksums", &report, PLACE],
    );
    let (out, error) = told(&output);
    assert!(output.status.code() == Some(0) && !out.contains("\"proved\""), "{out}{error}");
}

#[test]
fn reports_are_taken_from_where_they_are() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (storage, _) = Storage::filled_with(&dir.path().join("store/prod"), 3, 20_000);
    let store = Store::of(&dir.path().join("store"));
    let all = blobs(&dir.path().join("store"));
    let rows: Vec<String> = all.iter().map(|(key, bytes)| summed(key, bytes)).collect();
    let (first, second) = rows.split_at(rows.len() / 2);
    // One in the bucket, one here and packed.
    written(&dir.path().join("store/report-1.csv"), first);
    let packed = dir.path().join("report-2.csv.gz");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(second.join("\n").as_bytes()).expect("packed");
    std::fs::write(&packed, gzip.finish().expect("packed")).expect("written");
    let packed = packed.to_str().expect("UTF-8");
    let both = ["scrub", "--json", "--checksums", "s3://images/report-1.csv", "--checksums", packed, PLACE];
    let output = run(&store, &both);
    let report = json(&output);
    let layers = all.values().filter(|bytes| bytes.len() > 16 << 10).count() as u64;
    let by_store = report["sources"][0]["proved"]["store"]["blobs"].as_u64().expect("a count");
    assert!(by_store == layers || by_store + 1 == layers, "{report}");

    let list = dir.path().join("manifest.json");
    std::fs::write(&list, "{\"Format\":\"Report_CSV_20180820\",\"Results\":[]}").expect("written");
    let other = dir.path().join("other.txt");
    std::fs::write(&other, "no,row\n\n").expect("written");
    let broken = dir.path().join("broken.gz");
    let bytes = std::fs::read(packed).expect("read");
    std::fs::write(&broken, &bytes[..bytes.len() / 2]).expect("written");
    let shown = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    for (file, place, message) in [
        (shown(&list), PLACE.to_owned(), "is JSON, not the CSV of a completion report"),
        (shown(&other), PLACE.to_owned(), "holds no row of a completion report"),
        (shown(&broken), PLACE.to_owned(), "cannot read"),
        (shown(&dir.path().join("none")), PLACE.to_owned(), "cannot open"),
        ("s3://images/none.csv".to_owned(), PLACE.to_owned(), "s3://images/none.csv is not there"),
        (shown(&other), storage.place(), "--checksums is about a bucket"),
        (shown(&other), "oci:corpus/good/oci".to_owned(), "--checksums is about a bucket"),
    ] {
        let output = run(&store, &["scrub", "--checksums", &file, &place]);
        let (_, error) = told(&output);
        assert!(output.status.code() == Some(2) && error.contains(message), "{file} {place}: {error}");
    }
}
