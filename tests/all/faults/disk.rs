//! Disks that are full, have no inodes left, or are read-only.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::{Output, layer_of, noise, tree_digest};
use crate::layout::{Bench, docker_archive};

/// A place for each form, with the options that go with it.
pub const FORMS: &[(&str, &[&str])] = &[
    ("oci:OUT", &[]),
    ("oci:OUT", &["--compress", "gzip"]),
    ("oci-archive:OUT", &[]),
    ("docker-archive:OUT", &[]),
    ("docker-archive:OUT", &["--docker-format", "legacy"]),
    ("dir:OUT", &[]),
    ("registry-storage:OUT", &[]),
];

/// `ulimit -f`: the signal that ends other processes leaves nothing behind here.
#[test]
fn a_file_that_may_grow_no_further_is_told() {
    let bench = Bench::new();
    let tar = docker_archive(&bench.dir.path().join("in.tar"), "a:1", &[layer_of("f", &noise(1, 400_000))]);
    let folder = bench.dir.path().join("to");
    fs::create_dir(&folder).expect("a folder");
    for (place, options) in FORMS {
        let place = place.replace("OUT", &folder.join("out").display().to_string());
        let mut command = Command::new("/bin/sh");
        command.args([
            "-c",
            r#"ulimit -f 200; exec "$0" "$@""#,
            env!("CARGO_BIN_EXE_restow"),
            "convert",
            "-q",
        ]);
        command.args(*options).args([&tar, &place]).env("TMPDIR", &folder);
        let output = command.output().expect("a shell");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{place}: {said}");
        let left: Vec<_> = fs::read_dir(&folder).expect("listed").collect();
        assert!(left.is_empty(), "{place}: {left:?}");
    }
}

/// A file system in memory; unmounted when dropped.
struct Small(PathBuf);

impl Small {
    /// `None`, with a sentence, where mounting is not allowed.
    #[allow(clippy::print_stderr, reason = "says what was skipped")]
    fn mount(bench: &Bench, options: &str) -> Option<Small> {
        let path = bench.dir.path().join("small");
        fs::create_dir_all(&path).expect("a folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "restow-test"]).arg(&path);
        match mount.output() {
            Ok(output) if output.status.success() => Some(Small(path)),
            other => {
                let why = other.map(|output| String::from_utf8_lossy(&output.stderr).into_owned());
                let must = std::env::var("CI").is_ok_and(|ci| ci == "true")
                    || std::env::var_os("RESTOW_FAULTS").is_some();
                assert!(!must, "a small file system cannot be mounted: {why:?}");
                eprintln!("skipped: a small file system cannot be mounted: {why:?}");
                None
            }
        }
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let status = Command::new("mount").args(["-o", &options]).arg(&self.0).status();
        assert!(status.expect("mount runs").success(), "{options}");
    }

    fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("listed");
        entries.map(|entry| entry.expect("listed").file_name().display().to_string()).collect()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // Lazily, so that a handle which is still open is no obstacle.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// About 0.7 MB.
fn source(bench: &Bench) -> String {
    let layers = [0, 1, 2].map(|i| layer_of(&format!("f{i}"), &noise(i, 230_000)));
    docker_archive(&bench.dir.path().join("source.tar"), "lab/app:1", &layers)
}

fn other(bench: &Bench) -> String {
    let layers = [layer_of("other", &noise(9, 20_000))];
    docker_archive(&bench.dir.path().join("other.tar"), "lab/other:1", &layers)
}

/// Runs without caring for the exit code.
fn run(bench: &Bench, arguments: &[&str]) -> Output {
    let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
    bench.restow.run(&arguments).expect("restow runs")
}

fn convert(bench: &Bench, options: &[&str], source: &str, place: &str) -> Output {
    run(bench, &[&["convert", "-q"], options, &[source, place]].concat())
}

#[test]
fn a_full_disk_leaves_nothing_or_all() {
    let bench = Bench::new();
    let source = source(&bench);
    for (place, options) in FORMS {
        let (mut whole, mut none) = (0, 0);
        for size in ["size=4k", "size=40k", "size=300k", "size=620k", "size=724k", "size=4m"]
            .into_iter()
            .chain(["nr_inodes=1", "nr_inodes=3", "nr_inodes=5", "nr_inodes=8", "nr_inodes=40"])
        {
            let Some(small) = Small::mount(&bench, size) else { return };
            let place = place.replace("OUT", &small.0.join("out").display().to_string());
            let output = convert(&bench, options, &source, &place);
            match output.code {
                0 => {
                    whole += 1;
                    assert_eq!(small.left(), ["out"], "{place} {size}");
                    bench.run(0, &["check", &place]);
                }
                2 => {
                    none += 1;
                    output.stderr_has("No space left on device").expect("the reason");
                    assert_eq!(small.left(), [""; 0], "{place} {size}");
                }
                code => panic!("{place} {size}: exit {code}\n{}", output.stderr),
            }
        }
        assert!(whole >= 2 && none >= 4, "{place}: {whole} whole, {none} none");
    }
}

#[test]
fn a_disk_that_is_full_in_the_middle_leaves_what_was_there() {
    let bench = Bench::new();
    let (source, other) = (source(&bench), other(&bench));
    for (place, force) in [
        ("oci:OUT", false),
        ("registry-storage:OUT", false),
        ("dir:OUT", true),
        ("oci-archive:OUT", true),
        ("docker-archive:OUT", true),
    ] {
        for size in ["size=200k", "size=600k", "nr_inodes=MORE"] {
            let Some(small) = Small::mount(&bench, "size=8m") else { return };
            let out = small.0.join("out");
            let place = place.replace("OUT", &out.display().to_string());
            bench.run(0, &["convert", "-q", &other, &place]);
            let before = tree_digest::files(&out).expect("read");
            let used = 1 + count(&small.0);
            // A tar takes one more inode.
            small.remount(&size.replace("MORE", &used.to_string()));
            let output = convert(&bench, if force { &["--force"] } else { &[] }, &source, &place);
            let output = output.expect(2).unwrap_or_else(|f| panic!("{size}: {}", f.message().unwrap_or("")));
            output.stderr_has("No space left on device").expect("the reason");
            assert_eq!(small.left(), ["out"], "{place}");
            assert!(tree_digest::files(&out).expect("read") == before, "{place} {size} was changed");
            bench.run(0, &["check", &place]);
            // With room, the same command does it.
            small.remount("size=8m,nr_inodes=1000");
            convert(&bench, if force { &["--force"] } else { &[] }, &source, &place).expect(0).expect("room");
            bench.run(0, &["check", &place]);
        }
    }
}

fn count(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).expect("listed").map(|entry| entry.expect("listed").path());
    entries.map(|path| 1 + if path.is_dir() { count(&path) } else { 0 }).sum()
}

#[test]
fn a_read_only_destination_is_refused() {
    let bench = Bench::new();
    let source = source(&bench);
    for (place, options) in FORMS {
        let Some(small) = Small::mount(&bench, "size=8m") else { return };
        let place = place.replace("OUT", &small.0.join("out").display().to_string());
        small.remount("ro");
        let output = convert(&bench, options, &source, &place).expect(2).expect("exit 2");
        output.stderr_has("Read-only file system").expect("the reason");
        small.remount("rw");
        convert(&bench, options, &source, &place).expect(0).expect("done");
        let before = tree_digest::files(&small.0).expect("read");
        small.remount("ro");
        let other = other(&bench);
        // What is there is replaced as a whole, or added to.
        let whole = ["docker-archive:", "oci-archive:", "dir:"].iter().any(|form| place.starts_with(form));
        let force = if whole { &["--force"][..] } else { &[] };
        let output = convert(&bench, &[options, force].concat(), &other, &place);
        output.expect(2).expect("exit 2").stderr_has("Read-only file system").expect("the reason");
        assert!(tree_digest::files(&small.0).expect("read") == before, "{place}");
        // Reading needs no place to write.
        bench.run(0, &["check", &place]);
        bench.run(0, &["inspect", &place]);
    }
}

#[test]
fn a_full_folder_for_temporary_files_is_told() {
    let bench = Bench::new();
    let source = source(&bench);
    let status = Command::new("gzip").args(["-k", &source]).status();
    assert!(status.expect("gzip runs").success());
    let compressed = format!("{source}.gz");
    let out = bench.dir.path().join("out");
    for size in ["size=4k", "size=200k", "nr_inodes=1", "nr_inodes=2"] {
        let Some(small) = Small::mount(&bench, size) else { return };
        let tmp = small.0.display().to_string();
        let place = |form: &str| format!("{form}:{}", out.display());
        let (tar, dir) = (place("oci-archive"), place("dir"));
        for command in [
            &["check", &compressed][..],
            &["inspect", &compressed],
            &["compare", &compressed, &source],
            &["convert", &compressed, &tar],
            &["convert", "--check", &compressed, &dir],
        ] {
            let output = run(&bench, &[command, &["--tmpdir", &tmp]].concat());
            let output = output.expect(2).unwrap_or_else(|f| panic!("{size}: {}", f.message().unwrap_or("")));
            output.stderr_has("No space left on device").expect("the reason");
            assert_eq!(small.left(), [""; 0], "{command:?} {size}");
            assert!(!out.exists(), "{command:?} {size}");
        }
        if size.starts_with("nr_inodes=2") {
            continue;
        }
        // A layer of unknown digest is completed in a temporary file before it goes out.
        for options in [&["--compress", "gzip"][..], &["--buffer"]] {
            let output =
                run(&bench, &[&["convert", "--tmpdir", &tmp], options, &[&source, "oci-archive:-"]].concat());
            let output = output.expect(2).unwrap_or_else(|f| panic!("{size}: {}", f.message().unwrap_or("")));
            output.stderr_has("No space left on device").expect("the reason");
            let index = output.stdout.windows(10).any(|bytes| bytes == b"index.json");
            assert!(!index, "{options:?} {size}: the stream looks complete");
        }
    }
}

#[test]
fn reports_and_accounts_are_whole_or_absent() {
    let bench = Bench::new();
    let source = source(&bench);
    let Some(small) = Small::mount(&bench, "size=8k") else { return };
    let file = small.0.join("file");
    let layout = bench.out("oci");
    // One page is taken, which leaves one: less than each of these needs.
    fs::write(small.0.join("ballast"), [0; 4096]).expect("written");
    fs::write(&file, b"as before").expect("written");
    for report in ["json", "sarif", "junit", "human"] {
        // Wide enough to need a page.
        let wanted = format!("{report}={}", file.display());
        let output = run(&bench, &["check", "--report", &wanted, &source]);
        output.expect(2).expect("exit 2").stderr_has("No space left on device").expect("the reason");
        assert_eq!(fs::read(&file).expect("there"), b"as before");
        assert_eq!(small.left().len(), 2);
    }
    let account = file.display().to_string();
    let output = run(&bench, &["convert", "--account", &account, &source, &layout]);
    output.expect(2).expect("exit 2").stderr_has("No space left on device").expect("the reason");
    assert_eq!(fs::read(&file).expect("there"), b"as before", "half an account was written");
    assert_eq!(small.left().len(), 2);
    // What was asked for is written all the same, and whole.
    bench.run(0, &["check", &layout]);
}

#[test]
fn standard_output_that_takes_nothing_is_told() {
    let bench = Bench::new();
    let source = source(&bench);
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    let (oci, new) = (bench.out("oci"), format!("{}-new", bench.out("oci")));
    for command in [
        &["check", &source][..],
        &["inspect", &source],
        &["inspect", "--json", &source],
        &["inspect", "--raw=config", &source],
        &["compare", &source, &source],
        &["check", "--report", "json", &source],
        &["convert", "--dry-run", &source, &oci],
        &["convert", "-q", "--report", "json", &source, &oci],
        &["convert", &source, "docker-archive:-"],
        &["convert", "--docker-format", "legacy", &source, "docker-archive:-"],
        &["explain"],
        &["explain", "blob/missing"],
        &["schema", "oci-index"],
        &["man"],
        &["completions", "bash"],
    ] {
        let output = bench.restow.command().args(command).stdout(full()).output().expect("restow runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{command:?}\n{stderr}");
        assert!(stderr.contains("No space left on device"), "{command:?}\n{stderr}");
    }
    // Nobody hears what is said, which changes nothing.
    for (code, command) in [
        (0, &["check", "-v", "--progress", "plain", &source][..]),
        (0, &["convert", "-v", "--progress", "plain", &source, &new]),
        (2, &["check", "/no/such/file"]),
        (2, &["no-such-command"]),
    ] {
        let mut restow = bench.restow.command();
        let status = restow.args(command).stdout(Stdio::null()).stderr(full()).status();
        assert_eq!(status.expect("restow runs").code(), Some(code), "{command:?}");
    }
}

/// A repair on a disk that is full, or read-only, makes nothing worse: what it could put right is right, all else as it was.
#[test]
fn a_repair_without_room_makes_nothing_worse() {
    let bench = Bench::new();
    let source = source(&bench);
    let Some(small) = Small::mount(&bench, "size=1m") else { return };
    let storage = small.0.join("storage");
    let place = format!("registry-storage:{}", storage.display());
    bench.run(0, &["convert", &source, &place]);
    let source = format!("oci-archive:{}", bench.dir.path().join("copy.tar").display());
    bench.run(0, &["convert", &place, &source]);
    let sound = tree_digest::files(&storage).expect("listed");
    let blobs: Vec<&String> = sound.keys().filter(|name| name.ends_with("/data")).collect();
    for blob in &blobs {
        fs::write(storage.join(blob), "wrong").expect("written");
    }
    let spoilt = tree_digest::files(&storage).expect("listed");
    let repair = ["repair", "--write", "--account", "-", &place, "--from", &source];
    small.remount("ro");
    let out = run(&bench, &repair);
    assert_eq!(out.code, 2, "{}", out.stderr);
    out.stderr_has("Read-only file system").expect("the reason");
    assert_eq!(tree_digest::files(&storage).expect("listed"), spoilt);
    small.remount("rw");
    fs::write(small.0.join("filler"), vec![0; 600_000]).expect("written");
    let out = run(&bench, &repair);
    assert_eq!(out.code, 2, "{}", out.stderr);
    out.stderr_has("No space left on device").expect("the reason");
    let account: serde_json::Value = serde_json::from_slice(&out.stdout).expect("an account");
    assert!(account["stopped"].as_str().is_some_and(|why| why.contains("No space left")), "{account:#}");
    let put_right = account["steps"].as_array().expect("steps").len();
    let after = tree_digest::files(&storage).expect("listed");
    let right =
        sound.iter().filter(|(name, sum)| after.get(*name) == Some(sum) && spoilt.get(*name) != Some(sum));
    assert_eq!(right.count(), put_right, "{account:#}");
    let as_before =
        |(name, sum): (&String, &String)| spoilt.get(name) == Some(sum) || sound.get(name) == Some(sum);
    assert!(after.iter().all(as_before) && after.len() == spoilt.len());
    fs::remove_file(small.0.join("filler")).expect("removed");
    let out = run(&bench, &repair);
    assert_eq!(out.code, 0, "{}", out.stderr);
    assert_eq!(tree_digest::files(&storage).expect("listed"), sound);
}
