//! Archives that are compressed in parts: they are read where they are, and say the same as any other.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::common::{Restow, layer_of, noise};
use crate::layout::{Bench, sha256};
use crate::served::{Served, header};

struct Test {
    dir: tempfile::TempDir,
    bench: Bench,
}

impl Test {
    /// An archive with three images, each with a layer that no part holds.
    fn new() -> Test {
        let test = Test { dir: tempfile::tempdir().expect("a directory"), bench: Bench::new() };
        let mut layout = test.bench.layout();
        for at in 0..3 {
            let image = layout.image("amd64", sha256(), &layer_of("f", &noise(at, 6 << 20)));
            layout.root(&image, &format!("docker.io/lab/app:{at}"));
        }
        let layout = layout.finish();
        for end in ["tar", "tar.gz", "tar.zst"] {
            test.restow(
                0,
                &["convert", "-q", &layout, &format!("docker-archive:{}", test.path(&format!("app.{end}")))],
            );
        }
        let tar = fs::read(test.path("app.tar")).expect("read");
        fs::write(test.path("one.tar.zst"), zstd::encode_all(&tar[..], 1).expect("memory")).expect("written");
        test
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    #[track_caller]
    fn restow(&self, code: i32, arguments: &[&str]) -> String {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let output = Restow::new(self.dir.path())
            .run(&arguments)
            .expect("runs")
            .expect(code)
            .expect("the exit status");
        String::from_utf8(output.stdout).expect("text")
    }

    /// What a check says of a file, or of a stream of it, but for what it is called.
    fn judged(&self, name: &str, stream: bool) -> (Option<i32>, Value) {
        let mut command = Restow::new(self.dir.path()).command();
        let file = self.path(name);
        command.args(["check", "--report", "json", if stream { "-" } else { &file }]);
        let input = fs::File::open(&file).expect("a file");
        let output =
            command.stdin(if stream { Stdio::from(input) } else { Stdio::null() }).output().expect("runs");
        let mut said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        // Which the file has a part in.
        let mut found = said["sources"][0]["findings"].take();
        for finding in found.as_array_mut().into_iter().flatten() {
            finding.as_object_mut().expect("an object").remove("fingerprint");
        }
        (output.status.code(), found)
    }
}

#[test]
fn they_say_the_same_as_streams_and_as_what_is_in_them() {
    let test = Test::new();
    let plain = test.judged("app.tar", false);
    assert_eq!(plain.0, Some(0));
    for name in ["app.tar.gz", "app.tar.zst", "one.tar.zst"] {
        let (code, found) = test.judged(name, false);
        assert_eq!((code, &found), (Some(0), &plain.1), "{name}");
        assert_eq!((code, found), test.judged(name, true), "{name}");
        test.restow(0, &["compare", &test.path(name), &test.path("app.tar")]);
    }
    // Cut, one byte changed, or something behind it: as a stream of it.
    for name in ["app.tar.gz", "app.tar.zst"] {
        let sound = fs::read(test.path(name)).expect("read");
        let cut = &sound[..sound.len() * 2 / 3];
        let mut changed = sound.clone();
        changed[sound.len() / 2] ^= 0x40;
        for (code, broken) in [(1, cut), (1, &changed[..]), (0, &[&sound, &b"tail"[..]].concat())] {
            fs::write(test.path("broken"), broken).expect("written");
            let (file, stream) = (test.judged("broken", false), test.judged("broken", true));
            assert_eq!(file, stream, "{name}");
            assert_eq!(file.0, Some(code), "{name}: {}", file.1);
            assert_eq!(file.1.to_string().contains("bytes-after-stream"), code == 0, "{name}: {}", file.1);
        }
    }
}

#[test]
fn they_are_not_unpacked() {
    let test = Test::new();
    let digest = |name: &str| {
        let shown: Value =
            serde_json::from_str(&test.restow(0, &["inspect", "--json", &test.path(name)])).expect("JSON");
        let layer = &shown["images"][2]["layers"][0];
        layer["digest"].as_str().expect("a digest").to_owned()
    };
    let wanted = digest("app.tar");
    for (name, unpacked) in [("app.tar.gz", false), ("app.tar.zst", false), ("one.tar.zst", true)] {
        let (tmp, file) = (test.path("spool"), test.path(name));
        fs::create_dir(&tmp).expect("a folder");
        let server = Served::start(&["--tmpdir", &tmp, &file]);
        let layers = du(Path::new(&tmp)) > 1 << 20;
        assert_eq!(layers, unpacked, "{name}: {} bytes", du(Path::new(&tmp)));
        let told = server.line("stand unpacked in the folder");
        let bytes: u64 = told.trim().split(' ').next().and_then(|word| word.parse().ok()).expect(&told);
        assert_eq!(bytes > 1 << 20, unpacked, "{told}");
        for at in 0..3 {
            let (head, body) = server.ask("GET", &format!("/v2/lab/app/manifests/{at}"), &["Accept: */*"]);
            assert!(head.contains(" 200 "), "{head}");
            let manifest: Value = serde_json::from_slice(&body).expect("JSON");
            let layer = manifest["layers"][0]["digest"].as_str().expect("a digest");
            let (head, body) = server.ask("GET", &format!("/v2/lab/app/blobs/{layer}"), &[]);
            assert_eq!(restow::digest::Digest::sha256(&body).to_string(), layer, "{head}");
            // From the middle on.
            let range = format!("Range: bytes={}-", 3 << 20);
            let (head, rest) = server.ask("GET", &format!("/v2/lab/app/blobs/{layer}"), &[&range]);
            assert!(rest == body[3 << 20..] && header(&head, "Content-Range").is_some(), "{head}");
            assert!(at != 2 || layer == wanted, "{name}");
        }
        // A file that is replaced meanwhile is not served any more.
        if !unpacked {
            let mut bytes = fs::OpenOptions::new().append(true).open(&file).expect("a file");
            bytes.write_all(b"\0").expect("written");
            let (head, body) = server.ask("GET", &format!("/v2/lab/app/blobs/{wanted}"), &[]);
            assert_ne!(restow::digest::Digest::sha256(&body).to_string(), wanted, "{head}");
        }
        drop(server);
        fs::remove_dir_all(&tmp).expect("removed");
    }
}

fn du(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let size =
        |path: &Path| if path.is_dir() { du(path) } else { fs::metadata(path).map_or(0, |meta| meta.len()) };
    entries.map(|entry| size(&entry.path())).sum()
}
