//! Places that are one another, that lie in one another, that are links, or that appear while restow works.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;

use super::disk::FORMS;
use crate::common::{layer_of, noise, tree_digest};
use crate::layout::{Bench, docker_archive};

fn source(bench: &Bench) -> String {
    let layers = [0, 1].map(|i| layer_of(&format!("f{i}"), &noise(i, 100_000)));
    docker_archive(&bench.dir.path().join("source.tar"), "lab/app:1", &layers)
}

#[test]
fn source_and_destination_must_be_apart() {
    let bench = Bench::new();
    let tar = source(&bench);
    let at = |name: &str| bench.dir.path().join(name).display().to_string();
    for form in ["oci", "dir", "registry-storage"] {
        bench.run(0, &["convert", "-q", &tar, &format!("{form}:{}", at(form))]);
        symlink(at(form), at(&format!("{form}-link"))).expect("linked");
    }
    symlink(&tar, at("tar-link")).expect("linked");
    fs::create_dir(at("holds")).expect("a folder");
    bench.run(0, &["convert", "-q", &tar, &format!("oci:{}", at("holds/layout"))]);
    let before = tree_digest::files(bench.dir.path()).expect("read");
    let mut refused = Vec::new();
    for form in ["oci", "dir", "registry-storage"] {
        let from = format!("{form}:{}", at(form));
        let linked = format!("{form}:{}", at(&format!("{form}-link")));
        refused.push((from.clone(), from.clone()));
        refused.push((from.clone(), linked.clone()));
        refused.push((linked, from.clone()));
        refused.push((from.clone(), format!("{form}:{}", at(&format!("holds/../{form}")))));
        for inside in ["oci", "dir", "registry-storage", "oci-archive", "docker-archive"] {
            refused.push((from.clone(), format!("{inside}:{}", at(&format!("{form}/inside")))));
            refused.push((from.clone(), format!("{inside}:{}", at(&format!("{form}-link/inside")))));
        }
    }
    for to in ["oci-archive", "docker-archive"] {
        refused.push((tar.clone(), format!("{to}:{tar}")));
        refused.push((tar.clone(), format!("{to}:{}", at("tar-link"))));
        refused.push((at("tar-link"), format!("{to}:{tar}")));
    }
    for to in ["oci", "dir", "registry-storage"] {
        refused.push((format!("oci:{}", at("holds/layout")), format!("{to}:{}", at("holds"))));
    }
    for (from, to) in &refused {
        let output = bench.run(2, &["convert", "-q", "--force", from, to]);
        assert!(output.stderr.starts_with("error: "), "{from} {to}: {}", output.stderr);
        assert!(
            tree_digest::files(bench.dir.path()).expect("read") == before,
            "{from} {to}: something changed"
        );
    }
    // Another name of the same bytes is replaced, and the source stays.
    fs::hard_link(&tar, at("hard")).expect("linked");
    bench.run(0, &["convert", "-q", "--force", &tar, &format!("oci-archive:{}", at("hard"))]);
    bench.run(0, &["compare", &tar, &at("hard")]);
}

#[test]
fn reports_and_accounts_replace_no_part_of_an_archive() {
    let bench = Bench::new();
    let tar = source(&bench);
    let layout = bench.out("oci");
    bench.run(0, &["convert", "-q", &tar, &layout]);
    let before = tree_digest::files(&bench.dir.path().join("out")).expect("read");
    let index = bench.dir.path().join("out/index.json").display().to_string();
    let (json, new) = (format!("json={index}"), format!("oci:{}", bench.dir.path().join("new").display()));
    bench.run(2, &["check", "--report", &json, &layout]);
    bench.run(2, &["convert", "--report", &json, &layout, &new]);
    bench.run(2, &["convert", "--account", &index, &layout, &new]);
    // Nor of what is there already.
    bench.run(2, &["convert", "--report", &json, &tar, &layout]);
    bench.run(2, &["convert", "--account", &index, &tar, &layout]);
    assert!(tree_digest::files(&bench.dir.path().join("out")).expect("read") == before);
}

/// What is written is not replaced by a report or account of another name, nor added to; nor is what stands on a stream.
#[test]
fn reports_and_accounts_replace_nothing_under_another_name() {
    let bench = Bench::new();
    let tar = source(&bench);
    let at = |name: &str| bench.dir.path().join(name);
    let shown = |name: &str| at(name).display().to_string();
    // A link to what is not there yet, and names inside of it.
    symlink("out", at("dangling")).expect("linked");
    for file in ["dangling", "out", "x/../out", "out/index.json", "dangling/index.json"] {
        for form in ["oci", "oci-archive"] {
            let json = format!("json={}", shown(file));
            bench.run(2, &["convert", "-q", "--report", &json, &tar, &bench.out(form)]);
            bench.run(2, &["convert", "-q", "--account", &shown(file), &tar, &bench.out(form)]);
        }
    }
    assert!(!at("out").exists());
    // An empty folder that is there, and its other name.
    fs::create_dir(at("out")).expect("a folder");
    for file in ["out/index.json", "out/report.json", "dangling/report.json"] {
        let json = format!("json={}", shown(file));
        bench.run(2, &["convert", "-q", "--report", &json, &tar, &bench.out("oci")]);
        bench.run(2, &["convert", "-q", "--account", &shown(file), &tar, &bench.out("oci")]);
    }
    assert_eq!(fs::read_dir(at("out")).expect("listed").count(), 0);
    // Standard output, by its own name and by that of the file that it is; standard input likewise.
    bench.run(2, &["convert", "-q", "--report", "json=/dev/stdout", &tar, "docker-archive:-"]);
    bench.run(2, &["convert", "-q", "--account", "/proc/self/fd/1", &tar, "docker-archive:-"]);
    let file = shown("streamed.tar");
    let mut command = bench.restow.command();
    command.args(["convert", "-q", "--account", &file, &tar, "docker-archive:-"]);
    command.stdout(fs::File::create(&file).expect("created"));
    assert_eq!(command.status().expect("restow runs").code(), Some(2));
    let before = fs::read(&tar).expect("read");
    for option in ["--account", "--report"] {
        let value = if option == "--report" { format!("json={tar}") } else { tar.clone() };
        let arguments = ["convert", "-q", option, &value, "-", &format!("oci:{}", shown("new"))];
        let arguments = arguments.map(str::to_owned);
        let output = bench.restow.run_with(&arguments, Some(Path::new(&tar))).expect("restow runs");
        assert_eq!(output.code, 2, "{}", output.stderr);
    }
    assert!(fs::read(&tar).expect("read") == before);
}

#[test]
fn links_in_a_destination_are_not_written_through() {
    let bench = Bench::new();
    let tar = source(&bench);
    let at = |name: &str| bench.dir.path().join(name);
    for (form, component) in [
        ("oci", "blobs"),
        ("oci", "blobs/sha256"),
        ("oci", "index.json"),
        ("registry-storage", "docker"),
        ("registry-storage", "docker/registry/v2/blobs"),
        ("registry-storage", "docker/registry/v2/repositories/lab"),
    ] {
        let (out, outside) = (at("out"), at("outside"));
        let place = format!("{form}:{}", out.display());
        fs::create_dir_all(&outside).expect("a folder");
        let other = docker_archive(&at("other.tar"), "other:1", &[layer_of("o", b"o")]);
        bench.run(0, &["convert", "-q", &other, &place]);
        let link = out.join(component);
        if link.exists() {
            fs::rename(&link, outside.join("moved")).expect("moved");
            symlink(outside.join("moved"), &link).expect("linked");
        } else {
            symlink(&outside, &link).expect("linked");
        }
        let before = tree_digest::files(&outside).expect("read");
        let arguments = ["convert", "-q", &tar, &place].map(str::to_owned);
        let output = bench.restow.run(&arguments).expect("restow runs");
        assert!(matches!(output.code, 0 | 2), "{form} {component}: {}", output.stderr);
        assert!(tree_digest::files(&outside).expect("read") == before, "{form} {component}: written outside");
        fs::remove_dir_all(out).expect("removed");
        fs::remove_dir_all(outside).expect("removed");
    }
    // A link that leads nowhere is something.
    for (form, options) in FORMS {
        let (link, outside) = (at("link"), at("absent"));
        symlink(&outside, &link).expect("linked");
        let place = form.replace("OUT", &link.display().to_string());
        let arguments: Vec<String> = ["convert", "-q"]
            .iter()
            .chain(*options)
            .chain([&&*tar, &&*place])
            .map(|a| (*a).to_owned())
            .collect();
        let output = bench.restow.run(&arguments).expect("restow runs");
        assert_eq!(output.code, 2, "{place}: {}", output.stderr);
        assert!(!outside.exists(), "{place} was written through");
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
        fs::remove_file(link).expect("removed");
    }
}

#[test]
fn what_appears_at_the_destination_meanwhile_is_not_replaced() {
    let bench = Bench::new();
    let tar = source(&bench);
    let bytes = fs::read(&tar).expect("there");
    let out = bench.dir.path().join("out");
    for (place, options) in FORMS {
        for kind in ["file", "folder", "link"] {
            let place = place.replace("OUT", &out.display().to_string());
            let mut restow = bench.restow.command();
            restow.args(["convert", "-q"]).args(*options).args(["-", &place]);
            let mut child = restow.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
            let mut stdin = child.stdin.take().expect("piped");
            // More than a pipe holds, so that restow has begun.
            stdin.write_all(&bytes[..150_000]).expect("taken");
            match kind {
                "file" => fs::write(&out, b"theirs").expect("written"),
                "folder" => {
                    fs::create_dir(&out).expect("made");
                    fs::write(out.join("theirs"), b"theirs").expect("written");
                }
                _ => symlink("theirs", &out).expect("linked"),
            }
            stdin.write_all(&bytes[150_000..]).expect("taken");
            drop(stdin);
            let output = child.wait_with_output().expect("ended");
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{place} {kind}: {said}");
            match kind {
                "file" => {
                    assert_eq!(fs::read(&out).expect("there"), b"theirs", "{place}");
                    fs::remove_file(&out).expect("removed");
                }
                "folder" => {
                    let held = tree_digest::files(&out).expect("read");
                    assert_eq!(held.keys().collect::<Vec<_>>(), ["theirs"], "{place}");
                    fs::remove_dir_all(&out).expect("removed");
                }
                _ => {
                    assert_eq!(fs::read_link(&out).expect("a link").to_str(), Some("theirs"), "{place}");
                    fs::remove_file(&out).expect("removed");
                }
            }
        }
    }
}
