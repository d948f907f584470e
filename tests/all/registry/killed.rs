//! Copies that are killed at random moments (so long after so many requests) and run again: into the registry inside the tests, and into Debian's behind a
//! proxy that counts. `RESTOW_KILLS=N` kills N copies into each instead of 8, `RESTOW_SEED=N` chooses other moments.

use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use restow::digest::Digest;

use super::debian::has;
use super::places::{command, restow, stderr};
use super::server::{Manner, Seen, Server};
use super::standing::{Held, Standing};
use crate::layout::{CONFIG, LAYER, Layout, platform, sha256};

/// Slow enough that the start of the program does not matter, and one or two blobs at once, so that they end one by one.
const SLOW: [&str; 4] = ["--jobs", "2", "--limit-rate", "1M"];

/// xorshift64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().map_or(usual, |text| text.parse().expect("a number"))
}

/// A layer of one file.
fn layer(random: &mut Random, name: &str) -> Vec<u8> {
    let bytes: Vec<u8> =
        (0..(20 + random.below(100)) * 128).flat_map(|_| random.next().to_le_bytes()).collect();
    let mut header = tar::Header::new_ustar();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_data(&mut header, name, &bytes[..]).expect("memory");
    builder.into_inner().expect("memory")
}

/// Two images of seven layers each, of which they share two, and something about one of them; 1 MB altogether.
fn image(layout: Layout, random: &mut Random) -> String {
    let mut layout = layout;
    let shared = [layer(random, "base"), layer(random, "common")];
    let images: Vec<String> = ["amd64", "arm64"]
        .iter()
        .map(|architecture| {
            let own = (0..5).map(|n| layer(random, &format!("{architecture}-{n}")));
            let layers: Vec<Vec<u8>> = shared.iter().cloned().chain(own).collect();
            let ids: Vec<String> = layers.iter().map(|layer| format!("\"{}\"", Digest::sha256(layer))).collect();
            let config = format!(
                r#"{{"architecture":"{architecture}","os":"linux","rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
                ids.join(",")
            );
            let config = layout.add(sha256(), CONFIG, config.as_bytes());
            let layers: Vec<String> = layers.iter().map(|layer| layout.add(sha256(), LAYER, layer)).collect();
            platform(&layout.manifest(&config, &layers.join(",")), architecture)
        })
        .collect();
    let index = layout.index(&images);
    layout.root(&index, "v1");
    layout.finish()
}

/// The requests of a method that went to such a place.
fn count(seen: &[Seen], method: &str, part: &str) -> usize {
    seen.iter().filter(|seen| seen.method == method && seen.target.contains(part)).count()
}

fn push(source: &str, place: &str) -> String {
    let output = restow(&["convert", source, place]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stderr(&output)
}

/// What stood there after the kill.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Left {
    Nothing,
    Part,
    /// The tag, with all that it leads to.
    Whole,
}

/// When a copy is killed.
#[derive(Debug)]
struct Moment {
    requests: usize,
    then: Duration,
}

/// Kills a copy at a moment, and runs it again.
fn killed(standing: &Standing, source: &str, repository: &str, moment: &Moment, whole: &Held) -> Left {
    let place = format!("docker://{}/{repository}:v1", standing.address());
    let home = tempfile::tempdir().expect("temporary directory");
    let mut child = command(home.path())
        .args([&["convert"], &SLOW[..], &[source, &place]].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    while standing.requests() < moment.requests && matches!(child.try_wait(), Ok(None)) {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(moment.then);
    let _ = child.kill();
    let _ = child.wait();
    standing.open().none();
    let left = standing.held(repository);
    left.is_whole().unwrap_or_else(|half| panic!("after {moment:?} {half}"));
    let tagged = left.tags.get("v1");
    assert!(tagged.is_none() || left == *whole, "after {moment:?} the tag is there, and not all else");
    standing.seen();
    push(source, &place);
    let seen = standing.seen();
    let lacking = whole.blobs.difference(&left.blobs).count();
    let what = format!("killed after {moment:?} with {} blobs there", left.blobs.len());
    assert_eq!(count(&seen, "POST", "/blobs/uploads/"), lacking, "{what}: uploads that begin");
    assert_eq!(count(&seen, "PUT", "/blobs/uploads/"), lacking, "{what}: uploads that end");
    assert_eq!(count(&seen, "PATCH", ""), 0, "{what}");
    let manifests = whole.manifests.len() - left.manifests.len();
    assert_eq!(count(&seen, "PUT", "/manifests/sha256:"), manifests, "{what}: manifests");
    assert_eq!(count(&seen, "PUT", "/manifests/v1"), usize::from(tagged.is_none()), "{what}: the tag");
    standing.open().none();
    assert_eq!(standing.held(repository), *whole, "{what}");
    match tagged {
        Some(_) => Left::Whole,
        None if left == Held::default() => Left::Nothing,
        None => Left::Part,
    }
}

fn kills(name: &str, standing: &Standing) {
    let (kills, seed) = (number("RESTOW_KILLS", 8), number("RESTOW_SEED", 1));
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ seed.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1);
    let folder = tempfile::tempdir().expect("temporary directory");
    let layout = image(Layout::new(&folder.path().join("layout")), &mut random);
    // Every other copy comes from a registry.
    let from = Server::start(Manner::default());
    let remote = format!("docker://{}/from/app:v1", from.address);
    push(&layout, &remote);
    let place = |repository: &str| format!("docker://{}/{repository}:v1", standing.address());
    let output = restow(&[&["convert"], &SLOW[..], &[&layout, &place("whole/app")]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    standing.open().none();
    let requests = standing.seen().len();
    let whole = standing.held("whole/app");
    assert_eq!((whole.blobs.len(), whole.manifests.len(), whole.tags.len()), (14, 3, 1), "of {name}");
    let mut left = Vec::new();
    for kill in 0..kills {
        standing.seen();
        let moment = Moment {
            requests: random.below(requests as u64 + 1) as usize,
            then: Duration::from_millis(random.below(60)),
        };
        let source = if kill % 2 == 0 { &layout } else { &remote };
        left.push(killed(standing, source, &format!("killed/n{kill}"), &moment, &whole));
    }
    let of = |wanted: Left| left.iter().filter(|left| **left == wanted).count();
    let told = format!(
        "{name}: {kills} kills (seed {seed}), of which {} left nothing, {} a part without a tag, {} all of it",
        of(Left::Nothing),
        of(Left::Part),
        of(Left::Whole)
    );
    let _ = writeln!(std::io::stderr(), "{told}");
    assert!(of(Left::Part) * 3 > left.len(), "most kills came too early or too late: {told}");
    assert!(push(&layout, &place("killed/n0")).contains("sent 0 (0 bytes)"));
}

#[test]
fn the_registry_of_the_tests() {
    kills("the registry of the tests", &Standing::own(Manner::default()));
}

#[test]
fn debians_registry() {
    if has("docker-registry") {
        kills("docker-registry", &Standing::debian(&Manner::default()).expect("it listens"));
    }
}
