//! File, folder and stream say the same: of every case of the corpus, and of what is no archive at all, verdict, words and
//! exit code are equal, whichever way the bytes come.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::common::Restow;
use crate::stored::members::{self, Entry};
use crate::stored::{bad, case};

pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    match bad::all() {
        Ok(cases) => {
            for case in cases {
                let options = case.spec.args.clone();
                let (transport, folder) = (case.spec.transport.clone(), case.folder.clone());
                let name = format!("bad/{}", case.name);
                tests.push(Test::new(name, move || {
                    let stored = folder.join(case.stored()?);
                    of_archive(&stored, &options, transport.as_deref())
                }));
            }
        }
        Err(error) => tests.push(Test::new("case.toml", move || Err(error.into()))),
    }
    for case in case::all().into_iter().chain(case::documents()) {
        tests.push(Test::new(format!("good/{}", case.name), move || of_archive(&case.archive, &[], None)));
    }
    for (name, bytes, hint) in junk() {
        tests.push(Test::new(format!("junk/{name}"), move || of_junk(&bytes, hint)));
    }
    for (name, entries, hint) in folders() {
        tests.push(Test::new(format!("junk/{name}"), move || of_folder(&entries, hint)));
    }
    tests
}

/// Exit code, findings in any order and what is on standard error; names of places are taken out.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    code: i32,
    findings: BTreeSet<String>,
    words: String,
}

/// What `restow check` says of a place, or of bytes on standard input.
fn said(
    place: &Path,
    options: &[String],
    transport: Option<&str>,
    input: Option<&[u8]>,
) -> Result<Said, Failed> {
    let work = tempfile::tempdir()?;
    let report = work.path().join("report.json");
    let typed = match (input, transport) {
        (Some(_), _) => "-".to_owned(),
        (None, Some(prefix)) => format!("{prefix}:{}", place.display()),
        (None, None) => place.display().to_string(),
    };
    let mut command = Restow::new(work.path()).command();
    command.arg("check").args(options).arg(format!("--report=json={}", report.display())).arg(&typed);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A reader that has heard enough closes early.
        drop(stdin.write_all(input.unwrap_or_default()));
    }
    let out = child.wait_with_output()?;
    let text = std::fs::read_to_string(&report)?;
    let value: Value = serde_json::from_str(&text)?;
    // A document on its own is called as its file is.
    let alone = value["sources"][0]["form"] == "document";
    let mut findings = BTreeSet::new();
    for finding in value["sources"][0]["findings"].as_array().into_iter().flatten() {
        let primary = &finding["primary"];
        let parts = [
            &finding["level"],
            &finding["rule"],
            &finding["message"],
            &finding["help"],
            &finding["affects"],
            if alone { &Value::Null } else { &primary["member"] },
            &primary["pointer"],
            &primary["entry"],
        ];
        findings.insert(parts.map(ToString::to_string).join(" "));
    }
    let words = String::from_utf8_lossy(&out.stderr).replacen(&format!(": {typed} "), ": PLACE ", 1);
    Ok(Said { code: out.status.code().unwrap_or(-1), findings, words })
}

fn equal(what: &str, a: &Said, b: &Said) -> Result<(), Failed> {
    if a == b {
        return Ok(());
    }
    let lines = |said: &Said| said.findings.iter().map(|f| format!("  {f}\n")).collect::<String>();
    Err(format!(
        "{what}\nexit {} and {}\n{}and\n{}{:?}\n{:?}",
        a.code,
        b.code,
        lines(a),
        lines(b),
        a.words,
        b.words
    )
    .into())
}

/// A stored case as a file and as a stream, and as a folder where a folder can hold the same.
fn of_archive(stored: &Path, options: &[String], transport: Option<&str>) -> Result<(), Failed> {
    let own = said(stored, options, transport, None)?;
    // A prefix goes with a place; a stream has none.
    if transport.is_some() {
        return Ok(());
    }
    if stored.is_file() {
        let bytes = std::fs::read(stored)?;
        equal("file and stream", &own, &said(stored, options, None, Some(&bytes))?)?;
        let entries = members::read(stored).unwrap_or_default();
        // What is wrong with the tar itself is in no folder.
        let plain = own.findings.iter().all(|finding| !finding.contains("\"archive/"));
        if plain && own.code < 2 && can_be_folder(&bytes, &entries) {
            let dir = tempfile::tempdir()?;
            let folder = unpacked(dir.path(), &entries)?;
            equal("file and folder", &own, &said(&folder, options, None, None)?)?;
        }
    } else if stored.is_dir() {
        let bytes = packed(stored)?;
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("archive.tar");
        std::fs::write(&file, &bytes)?;
        let as_file = said(&file, options, None, None)?;
        equal("file and stream", &as_file, &said(&file, options, None, Some(&bytes))?)?;
        let folder_only = own.findings.iter().any(|finding| finding.contains("\"archive/"));
        if !folder_only {
            equal("folder and file", &own, &as_file)?;
        }
    }
    Ok(())
}

/// Whether a folder can hold a tar's members as they are: files and directories of clean names, each once, and nothing
/// else in the tar.
fn can_be_folder(bytes: &[u8], entries: &[Entry]) -> bool {
    let mut names = BTreeSet::new();
    let clean = |name: &str| {
        name.is_ascii()
            && !name.contains('\\')
            && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
    };
    !entries.is_empty()
        && entries.iter().all(|entry| {
            let name = entry.name.strip_suffix('/').unwrap_or(&entry.name).to_owned();
            clean(&name) && (entry.is_file() || entry.kind == "dir") && names.insert(name)
        })
        && members::tar_of(entries) == bytes
}

fn unpacked(dir: &Path, entries: &[Entry]) -> std::io::Result<PathBuf> {
    let folder = dir.join("archive");
    std::fs::create_dir(&folder)?;
    for entry in entries {
        let path = folder.join(&entry.name);
        if entry.is_file() {
            std::fs::create_dir_all(path.parent().unwrap_or(&folder))?;
            std::fs::write(path, &entry.data)?;
        } else {
            std::fs::create_dir_all(path)?;
        }
    }
    Ok(folder)
}

/// A folder as `tar -C FOLDER .` packs it, sorted.
fn packed(folder: &Path) -> std::io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    builder.mode(tar::HeaderMode::Deterministic);
    builder.append_dir_all("", folder)?;
    builder.into_inner()
}

/// A file and a stream: exit 2, the same words, with a hint of what it is.
fn of_junk(bytes: &[u8], hint: &str) -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("junk.tar");
    std::fs::write(&file, bytes)?;
    let as_file = said(&file, &[], None, None)?;
    equal("file and stream", &as_file, &said(&file, &[], None, Some(bytes))?)?;
    judge(&as_file, hint)
}

fn judge(said: &Said, hint: &str) -> Result<(), Failed> {
    match said.code == 2 && said.findings.is_empty() && said.words.contains(hint) {
        true => Ok(()),
        false => Err(format!("wanted exit 2 and {hint:?}\n{said:?}").into()),
    }
}

/// The same as a folder and as a tar; only a tar may be a layer.
fn of_folder(entries: &[(&str, &[u8])], hint: &str) -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let entries: Vec<Entry> = entries.iter().map(|(name, data)| Entry::file(name, data.to_vec())).collect();
    let folder = unpacked(dir.path(), &entries)?;
    let bytes = packed(&folder)?;
    let file = dir.path().join("archive.tar");
    std::fs::write(&file, &bytes)?;
    let as_file = said(&file, &[], None, None)?;
    equal("file and stream", &as_file, &said(&file, &[], None, Some(&bytes))?)?;
    let mut as_folder = said(&folder, &[], None, None)?;
    let layer = "; if it is a layer, judge it as one with --as layer";
    if as_file.code == 2 {
        judge(&as_file, layer)?;
        judge(&as_file, hint)?;
        as_folder.words = as_folder.words.trim_end().to_owned() + layer + "\n";
        return equal("file and folder", &as_file, &as_folder);
    }
    equal("file and folder", &as_file, &as_folder)?;
    let told = as_file.findings.iter().any(|finding| finding.contains(hint));
    if told { Ok(()) } else { Err(format!("wanted {hint:?}\n{as_file:?}").into()) }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap_or_default()
}

/// What is given instead of an archive, and what its hint must name.
pub fn junk() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let html = b"<!DOCTYPE html>\n<html><title>Sign in</title></html>\n".to_vec();
    let lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 12\n".to_vec();
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain("blobs/".bytes().flat_map(|b| [b, 0])).collect();
    let text = b"Error response from daemon: reference does not exist\n".to_vec();
    vec![
        ("empty", Vec::new(), "it is empty"),
        ("zip", [&b"PK\x03\x04\x14\0\0\0"[..], &[1; 600]].concat(), "zip"),
        ("lz4", [&b"\x04\x22\x4d\x18\x64\x40"[..], &[1; 600]].concat(), "lz4 -d"),
        ("utf-16", utf16, "PowerShell"),
        ("html", html.clone(), "HTML"),
        ("html-gzip", gzip(&html), "decompressed by gzip, it is an HTML page"),
        ("lfs-pointer", lfs, "git lfs pull"),
        ("text", text, "Error response from daemon"),
        ("xml", b"<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code></Error>".to_vec(), "XML"),
        ("noise", [0x5a, 0, 1, 2, 3, 0xff].repeat(200), "neither a tar"),
        ("gzip-twice", gzip(&gzip(&[0; 10240])), "compressed twice"),
        ("gzip-of-nothing", gzip(b""), "decompressed by gzip, it is empty"),
        ("end-of-tar-alone", vec![0; 10240], "it holds no members"),
        ("other-json", b"{\"hello\":1}".to_vec(), "none of the documents of an image"),
        ("list-of-other-json", b"[{\"a\":1}]".to_vec(), "none of the documents of an image"),
    ]
}

/// Files of a folder, and what its hint must name.
pub type Files = Vec<(&'static str, &'static [u8])>;

pub fn folders() -> Vec<(&'static str, Files, &'static str)> {
    let digest = "blobs/sha256/0000000000000000000000000000000000000000000000000000000000000000";
    vec![
        (
            "docker-export",
            vec![("etc/hostname", b"a\n"), ("usr/bin/a", b"a"), ("bin/sh", b"a")],
            "docker save",
        ),
        (
            "bundle",
            vec![("images/a.tar", b"a"), ("images/b.tar.gz", b"b"), ("install.sh", b"#!")],
            "`images/a.tar`",
        ),
        ("other-files", vec![("README.md", b"a"), ("src/main.rs", b"fn main() {}")], "found none of"),
        (
            "ostree",
            vec![("ostree/repo/config", b"[core]"), ("ostree/repo/objects/00/a", b"a")],
            "found none of",
        ),
        ("repositories-alone", vec![("repositories", b"{}"), ("a/VERSION", b"1.0")], "it has `repositories`"),
        (
            "without-oci-layout",
            vec![("index.json", b"{\"schemaVersion\":2,\"manifests\":[]}"), (digest, b"a")],
            "archive/missing-oci-layout",
        ),
    ]
}
