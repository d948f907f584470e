//! Standard streams that are closed, and sources that change.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::signals::long_source;
use crate::common::{layer_of, noise};
use crate::layout::{Bench, docker_archive};

fn source(bench: &Bench) -> String {
    let layers = [0, 1, 2].map(|i| layer_of(&format!("f{i}"), &noise(i, 400_000)));
    docker_archive(&bench.dir.path().join("source.tar"), "lab/app:1", &layers)
}

/// Every command that prints, with its exit code where nobody reads.
fn printing<'a>(source: &'a str, oci: &'a str) -> Vec<(i32, Vec<&'a str>)> {
    vec![
        (0, vec!["check", source]),
        (0, vec!["check", "--report", "json", source]),
        (2, vec!["check", "/no/such/file"]),
        (0, vec!["inspect", source]),
        (0, vec!["inspect", "--json", source]),
        (0, vec!["inspect", "--raw=config", source]),
        (0, vec!["compare", source, source]),
        (0, vec!["convert", "--dry-run", source, oci]),
        (0, vec!["convert", "-v", "--report", "json", source, oci]),
        (0, vec!["explain"]),
        (0, vec!["explain", "blob/missing"]),
        (0, vec!["schema"]),
        (0, vec!["schema", "oci-index"]),
        (0, vec!["completions", "bash"]),
        (0, vec!["man"]),
        (0, vec!["--help"]),
        (0, vec!["convert", "--help"]),
        (0, vec!["--version"]),
        (2, vec!["no-such-command"]),
        // Here the archive itself is lost.
        (2, vec!["convert", source, "docker-archive:-"]),
        (2, vec!["convert", source, "oci-archive:-"]),
        (2, vec!["convert", "--docker-format", "legacy", source, "docker-archive:-"]),
        (2, vec!["convert", "--buffer", source, "docker-archive:-"]),
    ]
}

#[test]
fn a_closed_pipe_changes_nothing_but_a_tar() {
    let bench = Bench::new();
    let (source, oci) = (source(&bench), bench.out("oci"));
    for (code, command) in printing(&source, &oci) {
        let mut restow = bench.restow.command();
        let mut child =
            restow.args(&command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("ended");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{command:?}\n{stderr}");
        assert!(!stderr.contains("panicked"), "{command:?}\n{stderr}");
        // And the same for standard error.
        let _ = fs::remove_dir_all(bench.dir.path().join("out"));
        if code == 2 && command.last().is_some_and(|last| last.ends_with('-')) {
            continue;
        }
        let mut restow = bench.restow.command();
        let mut child =
            restow.args(&command).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts");
        drop(child.stderr.take());
        assert_eq!(child.wait().expect("ended").code(), Some(code), "{command:?}");
        let _ = fs::remove_dir_all(bench.dir.path().join("out"));
    }
}

#[test]
fn closed_standard_streams_change_nothing_but_a_tar() {
    let bench = Bench::new();
    let (source, oci) = (source(&bench), bench.out("oci"));
    let run = |command: &[&str], closed: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec \"$0\" \"$@\" {closed}"), env!("CARGO_BIN_EXE_restow")]);
        shell.args(command).env("TMPDIR", bench.dir.path().join("tmp")).stdin(Stdio::null());
        let output = shell.stdout(Stdio::piped()).stderr(Stdio::piped()).output().expect("a shell");
        let _ = fs::remove_dir_all(bench.dir.path().join("out"));
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for (code, command) in printing(&source, &oci) {
        for closed in [">&-", "<&- >&-", "<&- >&- 2>&-"] {
            let (found, stderr) = run(&command, closed);
            assert_eq!(found, Some(code), "{command:?} {closed}\n{stderr}");
            assert!(!stderr.contains("panicked"), "{command:?} {closed}\n{stderr}");
        }
    }
    for command in
        [&["check", "-"][..], &["inspect", "-"], &["convert", "-", &oci], &["compare", "-", &source]]
    {
        let (found, stderr) = run(command, "<&-");
        assert_eq!(found, Some(2), "{command:?}\n{stderr}");
        assert!(stderr.contains("error: "), "{command:?}\n{stderr}");
    }
    assert!(!bench.dir.path().join("out").exists());
}

/// A conversion to standard output that waits because nobody reads it.
fn stalled(bench: &Bench, source: &str) -> Child {
    let mut restow = bench.restow.command();
    restow.args(["convert", "-q", source, "oci-archive:-"]);
    let mut child = restow.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("restow starts");
    let mut first = [0; 1024];
    child.stdout.as_mut().expect("piped").read_exact(&mut first).expect("a beginning");
    child
}

fn end(mut child: Child) -> (Option<i32>, String, Vec<u8>) {
    let mut out = Vec::new();
    child.stdout.take().expect("piped").read_to_end(&mut out).expect("read");
    let mut said = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    (child.wait().expect("ended").code(), said, out)
}

/// Does something to a file, of which it is given the bytes.
type Change<'a> = &'a dyn Fn(&Path, &[u8]);

#[test]
fn a_source_that_changes_while_it_is_read_is_told() {
    let bench = Bench::new();
    let tar = source(&bench);
    let layout = bench.out("oci");
    bench.run(0, &["convert", "-q", &tar, &layout]);
    let path = bench.dir.path().join("out");
    // The blob that is written last, so that it has not been read yet.
    let blobs = path.join("blobs/sha256");
    let manifest = bench.run(0, &["inspect", "--raw=manifest", &layout]).stdout;
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("a manifest");
    let last = manifest["layers"][2]["digest"].as_str().expect("a digest").replace("sha256:", "");
    let blob = blobs.join(last);
    let bytes = fs::read(&tar).expect("there");
    let whole = fs::read(&blob).expect("there");

    let changes: &[(&str, Change)] = &[
        ("is cut", &|file, whole| {
            let file = fs::OpenOptions::new().write(true).open(file).expect("opened");
            file.set_len(whole.len() as u64 / 2).expect("cut");
        }),
        ("grows", &|file, _| {
            let mut file = fs::OpenOptions::new().append(true).open(file).expect("opened");
            file.write_all(&[0; 512]).expect("written");
        }),
        ("is written to", &|file, whole| {
            let file = fs::OpenOptions::new().write(true).open(file).expect("opened");
            std::os::unix::fs::FileExt::write_at(&file, b"changed", whole.len() as u64 * 9 / 10)
                .expect("written");
        }),
        ("is replaced", &|file, whole| {
            let new = file.with_extension("new");
            fs::write(&new, [whole, &[0; 512]].concat()).expect("written");
            fs::rename(new, file).expect("renamed");
        }),
        ("is removed", &|file, _| fs::remove_file(file).expect("removed")),
    ];
    for (what, change) in changes {
        for (place, file, whole) in [(&tar, Path::new(&tar), &bytes), (&layout, &blob, &whole)] {
            let child = stalled(&bench, place);
            std::thread::sleep(Duration::from_millis(20));
            change(file, whole);
            let (code, said, out) = end(child);
            fs::write(file, whole).expect("as before");
            // A file that is open stays what it was when its name goes.
            if *what == "is removed" && place == &tar {
                assert_eq!(code, Some(0), "{place} {what}: {said}");
                continue;
            }
            assert_eq!(code, Some(2), "{place} {what}: {said}");
            assert!(
                said.contains("changed while it was being read") || *what == "is removed",
                "{place} {what}: {said}"
            );
            assert!(!out.windows(10).any(|bytes| bytes == b"index.json"), "{place} {what}: it looks whole");
        }
    }
}

#[test]
fn a_check_of_a_source_that_changes_is_no_verdict() {
    let bench = Bench::new();
    let source = long_source(&bench.dir.path().join("long.tar"));
    let mut restow = bench.restow.command();
    restow.args(["check", "-q", &source]);
    let child = restow.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("restow starts");
    std::thread::sleep(Duration::from_millis(150));
    let file = fs::OpenOptions::new().append(true).open(&source).expect("opened");
    file.set_modified(std::time::SystemTime::now()).expect("touched");
    let output = child.wait_with_output().expect("ended");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("changed while it was being read"), "{said}");
    assert_eq!(output.stdout, b"", "a verdict");
}

#[test]
fn a_stream_that_breaks_off_is_no_image() {
    let bench = Bench::new();
    let tar = source(&bench);
    let bytes = fs::read(&tar).expect("there");
    for (place, _) in super::disk::FORMS {
        let place = place.replace("OUT", &bench.dir.path().join("out").display().to_string());
        for at in [0, 100, 512, 5000, bytes.len() / 2, bytes.len() - 3000] {
            let mut restow = bench.restow.command();
            restow.args(["convert", "-q", "-", &place]).stdin(Stdio::piped()).stderr(Stdio::piped());
            let mut child = restow.spawn().expect("restow starts");
            let _ = child.stdin.take().expect("piped").write_all(&bytes[..at]);
            let output = child.wait_with_output().expect("ended");
            assert!(matches!(output.status.code(), Some(1 | 2)), "{place} cut at {at}: {:?}", output.status);
            assert!(!output.stderr.is_empty(), "{place} cut at {at}: nothing was said");
            assert!(!bench.dir.path().join("out").exists(), "{place} cut at {at}");
        }
    }
}
