//! Ctrl-C and SIGTERM, pipes that close, and two restows at once.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::disk::FORMS;
use crate::common::{layer_of, noise, tree_digest};
use crate::layout::{Bench, docker_archive};

/// A docker-archive whose only layer is half a GiB of nothing: long to read, and short on disk.
pub fn long_source(path: &Path) -> String {
    let mut file = fs::File::create(path).expect("created");
    let mut add = |name: &str, size: u64, bytes: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_size(size);
        header.set_mode(0o644);
        header.set_path(name).expect("short");
        header.set_cksum();
        file.write_all(header.as_bytes()).expect("written");
        file.write_all(bytes).expect("written");
        let end = fs::metadata(path).expect("there").len() + size - bytes.len() as u64;
        file.set_len(end.next_multiple_of(512)).expect("a hole");
        std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0)).expect("sought");
    };
    let diff_id = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{diff_id}"]}}}}"#
    );
    let id = tree_digest::sha256(config.as_bytes());
    let manifest = format!(r#"[{{"Config":"{id}.json","RepoTags":["lab/long:1"],"Layers":["layer.tar"]}}]"#);
    add(&format!("{id}.json"), config.len() as u64, config.as_bytes());
    add("manifest.json", manifest.len() as u64, manifest.as_bytes());
    add("layer.tar", 512 << 20, b"");
    file.set_len(fs::metadata(path).expect("there").len() + 1024).expect("an end");
    path.display().to_string()
}

/// Waits until something holds, or for ten seconds.
fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(10), "{what} did not come in ten seconds");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn send(child: &Child, signal: &str) {
    let status = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
    assert!(status.expect("kill runs").success());
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).expect("listed").next().is_none()
}

#[test]
fn signals_leave_nothing_of_any_form() {
    let bench = Bench::new();
    let source = long_source(&bench.dir.path().join("long.tar"));
    let folder = bench.dir.path().join("work");
    fs::create_dir(&folder).expect("a folder");
    for (i, (place, options)) in FORMS.iter().enumerate() {
        let (signal, code) = [("INT", 130), ("TERM", 143)][i % 2];
        let place = place.replace("OUT", &folder.join("out").display().to_string());
        let mut restow = bench.restow.command();
        restow.args(["convert", "-q"]).args(*options).args([&source, &place]).stderr(Stdio::piped());
        let mut child = restow.spawn().expect("restow starts");
        if options.contains(&"legacy") {
            // Names are made from what was read, so nothing is staged for a while.
            std::thread::sleep(Duration::from_millis(50));
        } else {
            wait_for("staging", || !is_empty(&folder));
        }
        std::thread::sleep(Duration::from_millis(20));
        send(&child, signal);
        let mut said = String::new();
        child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
        assert_eq!(child.wait().expect("ended").code(), Some(code), "{place} {options:?}: {said}");
        assert_eq!(said, "", "{place}");
        assert!(is_empty(&folder), "{place} {options:?} left something");
        assert!(is_empty(&bench.dir.path().join("tmp")), "{place} left a temporary file");
    }
    // The other commands have nothing to leave, and the same codes.
    for (command, signal, code) in [
        (&["check", &source][..], "INT", 130),
        (&["check", &source], "TERM", 143),
        (&["compare", &source, &source], "INT", 130),
        (&["check", &source], "HUP", 129),
    ] {
        let mut child = bench.restow.command().args(command).stdout(Stdio::null()).spawn().expect("starts");
        std::thread::sleep(Duration::from_millis(150));
        send(&child, signal);
        assert_eq!(child.wait().expect("ended").code(), Some(code), "{command:?}");
    }
}

#[test]
fn a_signal_under_a_merge_leaves_what_was_there() {
    let bench = Bench::new();
    let source = long_source(&bench.dir.path().join("long.tar"));
    let small = docker_archive(&bench.dir.path().join("small.tar"), "lab/small:1", &[layer_of("f", b"x")]);
    for (form, options) in [
        ("oci", &[][..]),
        ("registry-storage", &[]),
        ("dir", &["--force"]),
        ("docker-archive", &["--force"]),
        ("oci-archive", &["--force"]),
    ] {
        let folder = bench.dir.path().join(form);
        fs::create_dir(&folder).expect("a folder");
        let place = format!("{form}:{}", folder.join("out").display());
        bench.run(0, &["convert", "-q", &small, &place]);
        let before = tree_digest::files(&folder).expect("read");
        let mut restow = bench.restow.command();
        let mut child =
            restow.args(["convert", "-q"]).args(options).args([&source, &place]).spawn().expect("starts");
        let staged = |folder: &Path| {
            let names = fs::read_dir(folder).expect("listed").map(|e| e.expect("listed").file_name());
            names.into_iter().any(|name| name.as_encoded_bytes().starts_with(b".restow-"))
        };
        let out = folder.join("out");
        wait_for("staging", || staged(&folder) || out.is_dir() && staged(&out));
        send(&child, "INT");
        assert_eq!(child.wait().expect("ended").code(), Some(130), "{form}");
        assert!(tree_digest::files(&folder).expect("read") == before, "{form} was changed");
    }
}

#[test]
fn a_tar_on_standard_output_that_is_interrupted_has_no_documents() {
    let bench = Bench::new();
    let layers = [0, 1, 2].map(|i| layer_of("f", &noise(i, 400_000)));
    let source = docker_archive(&bench.dir.path().join("source.tar"), "lab/app:1", &layers);
    for form in ["docker-archive:-", "oci-archive:-"] {
        let mut restow = bench.restow.command();
        restow.args(["convert", "-q", &source, form]).stdout(Stdio::piped());
        let mut child = restow.spawn().expect("restow starts");
        let mut out = child.stdout.take().expect("piped");
        // The pipe holds less than the rest, so restow waits for somebody to read on.
        let mut first = vec![0; 1000];
        out.read_exact(&mut first).expect("a beginning");
        send(&child, "TERM");
        // Whoever takes the signal has time to do so before there is room in the pipe, on a busy machine, too.
        std::thread::sleep(std::time::Duration::from_millis(500));
        let mut rest = Vec::new();
        out.read_to_end(&mut rest).expect("an end");
        assert_eq!(child.wait().expect("ended").code(), Some(143));
        first.extend(rest);
        assert!(first.len() < 1_000_000, "it went on to the end");
        for name in ["index.json", "manifest.json"] {
            assert!(!first.windows(name.len()).any(|bytes| bytes == name.as_bytes()), "{form} has {name}");
        }
    }
}

#[test]
fn two_at_once_into_one_place_both_complete() {
    let bench = Bench::new();
    let path = |name: &str| bench.dir.path().join(name);
    let sources: Vec<String> = (0..3)
        .map(|i| {
            let layers = [0, 1].map(|j| layer_of("f", &noise(10 * i + j, 600_000)));
            docker_archive(&path(&format!("{i}.tar")), &format!("lab/app{i}:1"), &layers)
        })
        .collect();
    for form in ["oci", "registry-storage"] {
        for round in 0..3 {
            let place = format!("{form}:{}", path(&format!("{form}{round}")).display());
            bench.run(0, &["convert", "-q", &sources[2], &place]);
            let start = |source: &String| {
                let mut restow = bench.restow.command();
                restow.args(["convert", "-q", source, &place]).spawn().expect("restow starts")
            };
            let both = [start(&sources[0]), start(&sources[1])];
            for mut child in both {
                assert_eq!(child.wait().expect("ended").code(), Some(0), "{place}");
            }
            bench.run(0, &["check", &place]);
            let shown = bench.run(0, &["inspect", "--json", &place]);
            let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
            for i in 0..3 {
                assert!(shown.contains(&format!("lab/app{i}:1")), "{place} lost image {i}: {shown}");
            }
        }
    }
    // Where nothing is yet, one of them is first. The other adds to it, or says that something is there now.
    for form in ["oci", "registry-storage", "dir", "oci-archive"] {
        let place = format!("{form}:{}", path(&format!("new-{form}")).display());
        let start = |source: &String| {
            let mut restow = bench.restow.command();
            let child = restow.args(["convert", "-q", source, &place]).stderr(Stdio::piped()).spawn();
            child.expect("restow starts")
        };
        let mut codes = Vec::new();
        for child in [start(&sources[0]), start(&sources[1])] {
            let output = child.wait_with_output().expect("ended");
            codes.push((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        let done = codes.iter().filter(|(code, _)| *code == Some(0)).count();
        assert!(done >= 1 && codes.iter().all(|(code, _)| matches!(code, Some(0 | 2))), "{place}: {codes:?}");
        bench.run(0, &["check", &place]);
    }
}
