//! Messages of other tools (`restow explain --error`): for the input that a message was printed for, the check finds a
//! rule that stands behind it, and the command that mends it does. `docs/errors.md` is the list as a page.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use restow::messages::{self, Junk, Message, Registry, Seen};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn restow(at: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_restow"));
    command.env_clear().env("HOME", at).env("COLUMNS", "100").current_dir(at);
    command.args(arguments).output().expect("runs")
}

fn text(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{out}{err}")
}

/// The archive of a case, and of the sound case that it was made from.
fn case(name: &str) -> (PathBuf, PathBuf) {
    let archive = |folder: &Path| {
        let inside = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let found = inside.flatten().map(|entry| entry.path());
        let mut found =
            found.filter(|path| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("archive")));
        found.next().unwrap_or_else(|| panic!("no archive in {}", folder.display()))
    };
    let folder = root().join("corpus").join(name);
    let about: toml::Table =
        fs::read_to_string(folder.join("case.toml")).expect("case.toml").parse().expect("TOML");
    let origin = about.get("base").and_then(|base| base.as_str());
    let origin = origin.map_or_else(|| folder.clone(), |base| root().join("corpus/good").join(base));
    (archive(&folder), archive(&origin))
}

fn junk(kind: Junk, at: &Path) -> PathBuf {
    let path = at.join("app.tar");
    match kind {
        Junk::Page => {
            fs::write(&path, "<!DOCTYPE html><html><body>Not found</body></html>").expect("written")
        }
        Junk::Export => {
            let mut tar = tar::Builder::new(fs::File::create(&path).expect("created"));
            for name in ["bin/sh", "etc/passwd"] {
                let mut header = tar::Header::new_ustar();
                header.set_size(3);
                header.set_mode(0o644);
                tar.append_data(&mut header, name, &b"abc"[..]).expect("written");
            }
            tar.finish().expect("written");
        }
    }
    path
}

/// The rules that a check reports, at any level.
fn found(at: &Path, check: &str, replaced: &[(&str, &str)]) -> Vec<String> {
    let output = run(at, &format!("{check} --report json"), replaced);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{check}: {error}\n{}", text(&output)));
    let findings = report["sources"][0]["findings"].as_array().cloned().unwrap_or_default();
    findings.iter().filter_map(|finding| finding["rule"].as_str().map(str::to_owned)).collect()
}

fn run(at: &Path, command: &str, replaced: &[(&str, &str)]) -> Output {
    let words = command
        .split(' ')
        .map(|word| replaced.iter().fold(word.to_owned(), |word, (from, to)| word.replace(from, to)));
    let words: Vec<String> = words.collect();
    assert_eq!(words[0], "restow");
    restow(at, &words[1..].iter().map(String::as_str).collect::<Vec<_>>())
}

/// What was written by a mending command.
fn mended(command: &str) -> Option<&str> {
    command
        .split(' ')
        .next_back()?
        .split_once(':')
        .map(|(_, path)| path)
        .filter(|path| path.starts_with("mended"))
}

fn archive(message: &Message, image: &Path, origin: &Path) -> Result<(), String> {
    let at = tempfile::tempdir().expect("temporary directory");
    let image = image.display().to_string();
    let replaced = [("IMAGE", image.as_str()), ("ORIGIN", &origin.display().to_string())];
    if !message.rules.is_empty() {
        let found = found(at.path(), message.prove, &replaced);
        if !message.rules.iter().any(|rule| found.iter().any(|found| found == rule)) {
            return Err(format!("none of {:?} is found: {found:?}", message.rules));
        }
    }
    let output = run(at.path(), message.mend, &replaced);
    if output.status.code() != Some(0) {
        return Err(format!("{}: {}", message.mend, text(&output)));
    }
    let judged = mended(message.mend).filter(|_| !message.rules.is_empty());
    if let Some(written) = judged {
        let left = found(at.path(), message.prove, &[("IMAGE", written)]);
        if let Some(rule) = message.rules.iter().find(|rule| left.iter().any(|left| left == *rule)) {
            return Err(format!("{}: {rule} is still found", message.mend));
        }
    }
    Ok(())
}

#[test]
fn what_mends_a_message_mends_its_input() {
    let mut wrong = Vec::new();
    for message in messages::all() {
        let result = match message.seen {
            Seen::Case(name) => {
                let (image, origin) = case(name);
                archive(message, &image, &origin)
            }
            Seen::Made(kind) => {
                let at = tempfile::tempdir().expect("temporary directory");
                archive(message, &junk(kind, at.path()), &case("bad/blob/missing").1)
            }
            // crate::registry::messages
            Seen::Registry(
                Registry::NoSuchTag | Registry::Login | Registry::PlainHttp | Registry::Schema1,
            ) => Ok(()),
        };
        wrong.extend(result.err().map(|why| format!("{}: {why}", message.name)));
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

/// `docs/errors.md`.
fn page() -> String {
    let mut page = String::from(
        "# Error messages\n\nWhat docker, podman, containerd, skopeo, umoci, crane, registries and Kubernetes print when an image is wrong, what it \
         means, which\nrules of restow stand behind it, the command that proves it, and the command that mends it. `restow explain \
         --error TEXT`\nfinds the entry of a message that is pasted, with `-` from standard input.\n\nThis page is made from the \
         list of messages: `BLESS=1 cargo test --test all messages::` writes it, and a test fails while\nit is stale. Each message was \
         printed by the tools named for an input of the corpus, or is quoted from the thread named;\neach mending command is run by \
         the tests on an input with the fault. `IMAGE` is what the tool was given, `ORIGIN` the place\nthat it came from, such as \
         `docker://HOST/NAME:TAG`. Long digests and paths are shortened by `…`.\n",
    );
    for message in messages::all() {
        page.push_str(&format!("\n## {}\n\n```text\n", message.name));
        let mut words: Vec<&str> = Vec::new();
        for printed in message.printed {
            if !words.contains(&printed.words) {
                words.push(printed.words);
                page.push_str(&format!("{}\n", printed.words));
            }
        }
        let tools: Vec<&str> = message.printed.iter().map(|printed| printed.tool).collect();
        let mut means = message.means.chars();
        let first: String = means.next().into_iter().flat_map(char::to_uppercase).collect();
        page.push_str(&format!("```\n\n{first}{}.\n\n- Printed by {}", means.as_str(), tools.join(", ")));
        match (message.thread, message.seen) {
            (Some(thread), _) => page.push_str(&format!(", [quoted]({thread})\n")),
            (None, Seen::Case(case)) => page.push_str(&format!(" for `corpus/{case}`\n")),
            (None, Seen::Made(Junk::Page)) => page.push_str(" for a web page\n"),
            (None, Seen::Made(Junk::Export)) => page.push_str(" for a `docker export`\n"),
            (None, Seen::Registry(_)) => page.push('\n'),
        }
        let rules = message.rules.iter().map(|rule| format!("[{rule}](rules.md#{})", rule.replace('/', "")));
        let rules = rules.collect::<Vec<_>>().join(", ");
        page.push_str(&format!(
            "- Rules: {}\n",
            if rules.is_empty() { "none; the image may be sound" } else { &rules }
        ));
        page.push_str(&format!("- Prove it: `{}`\n- Mend it: `{}`\n", message.prove, message.mend));
    }
    page
}

#[test]
fn the_page_of_messages_is_current() {
    let path = root().join("docs/errors.md");
    let page = page();
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &page).expect("written");
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == page,
        "docs/errors.md is stale: BLESS=1 cargo test --test all messages:: writes it anew"
    );
}

#[test]
fn a_pasted_message_is_explained() {
    let at = tempfile::tempdir().expect("temporary directory");
    let pasted = "Error processing tar file(exit status 1): archive/tar: invalid tar header";
    let told = restow(at.path(), &["explain", "--error", pasted]);
    assert_eq!(told.status.code(), Some(0), "{}", text(&told));
    let told = text(&told);
    assert!(told.starts_with("text-redirect\n") && told.contains("Mend it:    restow convert"), "{told}");
    let unknown = restow(at.path(), &["explain", "--error", "all is well"]);
    assert_eq!(unknown.status.code(), Some(2), "{}", text(&unknown));
    assert!(text(&unknown).contains("restow check IMAGE"));
}
