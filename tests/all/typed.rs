//! What people type who come from other tools: each line is refused with a line that works, or does what they expect.

use std::io::Read;
use std::path::Path;
use std::process::Command;

use super::layout::Bench;
use crate::common::Output;

/// A folder with an archive, `app.tar`, and a layout of it, `layout`, in which commands run.
fn bench() -> Bench {
    let bench = Bench::new();
    let good =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/good/docker-archive/docker-20.10/archive.tar");
    let here = bench.restow.command().get_current_dir().expect("a folder").to_owned();
    std::fs::copy(good, here.join("app.tar")).expect("copied");
    bench.run(0, &["convert", "-q", "app.tar", "oci:layout"]);
    bench
}

fn here(bench: &Bench, name: &str) -> std::path::PathBuf {
    bench.restow.command().get_current_dir().expect("a folder").join(name)
}

fn run(bench: &Bench, code: i32, line: &str) -> Output {
    bench.run(code, &line.split(' ').collect::<Vec<_>>())
}

/// The line that the help of a refused line tells.
fn help(bench: &Bench, line: &str) -> String {
    let told = run(bench, 2, line).stderr;
    let help = told.lines().find_map(|line| line.strip_prefix("  help: "));
    help.unwrap_or_else(|| panic!("no help for `{line}`:\n{told}")).to_owned()
}

#[test]
fn what_the_help_says_works() {
    let bench = bench();
    let name = names(&bench, "layout").remove(0);
    for (line, expected) in [
        ("copy app.tar oci:a", "restow convert app.tar oci:a"),
        ("cp app.tar b.tar", "restow convert app.tar docker-archive:b.tar"),
        ("convert app.tar c.tar.gz", "restow convert app.tar docker-archive:c.tar.gz"),
        ("convert docker-achive:app.tar oci:d", "restow convert docker-archive:app.tar oci:d"),
        ("convert app.tar OCI:e", "restow convert app.tar oci:e"),
        ("convert app.tar f", "restow convert app.tar oci:f"),
        (&format!("check app.tar:{name}"), &format!("restow check docker-archive:app.tar:{name}")),
        (&format!("inspect layout:{name}"), &format!("restow inspect oci:layout:{name}")),
        ("check aps.tar", "restow check app.tar"),
        ("validate app.tar", "restow check app.tar"),
        ("verify app.tar", "restow check app.tar"),
        ("lint app.tar", "restow check app.tar"),
        ("diff app.tar layout", "restow compare app.tar layout"),
        ("ls app.tar", "restow inspect app.tar"),
        ("manifest layout", "restow inspect --raw manifest layout"),
        ("config app.tar", "restow inspect --raw config app.tar"),
        ("rules", "restow explain"),
        ("version", "restow --version"),
        ("chekc app.tar", "restow check app.tar"),
        ("index crate oci:index:1 app.tar", "restow index create oci:index:1 app.tar"),
        ("index ls oci:index:1", "restow index inspect oci:index:1"),
    ] {
        let told = help(&bench, line);
        assert_eq!(told, expected, "{line}");
        let words: Vec<&str> = told.split(' ').skip(1).collect();
        bench.run(0, &words);
    }
}

fn names(bench: &Bench, place: &str) -> Vec<String> {
    let view = bench.run(0, &["inspect", "--json", place]).stdout;
    let view: serde_json::Value = serde_json::from_slice(&view).expect("JSON");
    let names = view["images"][0]["names"].as_array().expect("names").clone();
    names.iter().map(|name| name.as_str().expect("text").to_owned()).collect()
}

#[test]
fn options_stand_where_they_are_expected() {
    let bench = bench();
    let sound = run(&bench, 0, "check app.tar").stdout;
    for line in [
        "-v check app.tar",
        "--color never check app.tar",
        "-j 2 --progress none check app.tar",
        "check -j2 app.tar",
    ] {
        let told = run(&bench, 0, line).stdout;
        assert!(line.starts_with("-v") || told == sound, "{line}");
    }
    assert_eq!(run(&bench, 0, "-q check app.tar").stdout, b"");
    assert_eq!(run(&bench, 0, "check --profile docker,containerd app.tar").stdout, sound);
    // A file that is there, and -f.
    run(&bench, 0, "convert -q app.tar docker-archive:again.tar");
    assert_eq!(help(&bench, "convert app.tar docker-archive:again.tar"), "replace it with --force");
    run(&bench, 0, "convert -q -f app.tar docker-archive:again.tar");
    assert!(run(&bench, 2, "convert -f app.tar oci:layout").stderr.contains("would do nothing here"));
}

#[test]
fn json_is_asked_for_in_one_way_by_many_words() {
    let bench = bench();
    let ways = [" --json", " --report json", " -o json", " -o=json", " --report=json=-"];
    for (command, places) in [("check", "app.tar"), ("inspect", "app.tar"), ("compare", "app.tar layout")] {
        let all: Vec<Vec<u8>> =
            ways.iter().map(|way| run(&bench, 0, &format!("{command}{way} {places}")).stdout).collect();
        let parsed: serde_json::Value = serde_json::from_slice(&all[0]).expect("JSON");
        assert!(parsed.is_object() && all.iter().all(|one| *one == all[0]), "{command}");
        run(&bench, 0, &format!("{command} -o json={command}.json {places}"));
        assert_eq!(std::fs::read(here(&bench, &format!("{command}.json"))).expect("written"), all[0]);
    }
    let converted = run(&bench, 0, "convert --json app.tar oci:json").stdout;
    let converted: serde_json::Value = serde_json::from_slice(&converted).expect("JSON");
    assert!(converted["sources"].is_array());
}

#[test]
fn a_dash_is_standard_output() {
    let bench = bench();
    run(&bench, 0, "convert -q --account account.json app.tar oci:a");
    let account = run(&bench, 0, "convert -q --account - app.tar oci:b").stdout;
    let written = std::fs::read_to_string(here(&bench, "account.json")).expect("written");
    assert_eq!(String::from_utf8_lossy(&account), written.replace("oci:a", "oci:b"));
    let digest = run(&bench, 0, "convert -q --digestfile - app.tar oci:c").stdout;
    assert!(digest.starts_with(b"sha256:") && digest.ends_with(b"\n"));
    // A dry run's account goes elsewhere then.
    let dry = run(&bench, 0, "convert --dry-run --account - app.tar oci:d");
    serde_json::from_slice::<serde_json::Value>(&dry.stdout).expect("JSON and nothing else");
    assert!(dry.stderr.contains("a dry run: nothing was written"));
    for two in [
        "convert --account - app.tar docker-archive:-",
        "convert --account - --digestfile - app.tar oci:e",
        "convert --account - --json app.tar oci:e",
        "convert -o json=- app.tar docker-archive:-",
    ] {
        assert!(run(&bench, 2, two).stderr.contains("standard output carries"), "{two}");
    }
    assert!(!here(&bench, "-").exists() && !here(&bench, "e").exists());
}

#[test]
fn a_tar_is_compressed_as_its_name_says() {
    let bench = bench();
    let read = |name: &str| std::fs::read(here(&bench, name)).expect("written");
    for form in ["docker-archive", "oci-archive"] {
        let to = |name: &str| format!("convert -q -f app.tar {form}:{name}");
        run(&bench, 0, &to("plain.tar"));
        let plain = read("plain.tar");
        for (name, magic) in [
            ("out.tar.gz", &[0x1f, 0x8b][..]),
            ("out.tgz", &[0x1f, 0x8b]),
            ("out.tar.zst", &[0x28, 0xb5, 0x2f, 0xfd]),
            ("OUT.TZST", &[0x28, 0xb5, 0x2f, 0xfd]),
        ] {
            run(&bench, 0, &to(name));
            let packed = read(name);
            assert!(packed.starts_with(magic) && packed.len() < plain.len(), "{form} {name}");
            let mut tar = Vec::new();
            match magic.len() {
                2 => flate2::read::MultiGzDecoder::new(&packed[..]).read_to_end(&mut tar).expect("gzip"),
                _ => zstd::Decoder::new(&packed[..]).expect("zstd").read_to_end(&mut tar).expect("zstd"),
            };
            assert!(tar == plain, "{form} {name} is not the tar that {form} is");
            run(&bench, 0, &to(name));
            assert!(read(name) == packed, "the same bytes each time");
            run(&bench, 0, &format!("compare {name} layout"));
        }
        // Threads change nothing, and layers stay as they are.
        run(&bench, 0, &format!("convert -q -f -j 1 app.tar {form}:one.tgz"));
        assert!(read("one.tgz") == read("out.tgz"));
        let refused = run(&bench, 2, &format!("convert app.tar {form}:out.tar.xz")).stderr;
        assert!(refused.contains("ends in .xz") && !here(&bench, "out.tar.xz").exists(), "{refused}");
        let stray = std::fs::read_dir(here(&bench, "")).expect("listed").flatten();
        let stray = stray.filter(|entry| entry.file_name().to_string_lossy().starts_with(".restow-"));
        assert_eq!(stray.count(), 0, "something staged is left");
    }
    let legacy = "convert -q --docker-format legacy app.tar docker-archive:legacy.tar.gz";
    run(&bench, 0, legacy);
    assert!(read("legacy.tar.gz").starts_with(&[0x1f, 0x8b]));
    run(&bench, 0, "check legacy.tar.gz");
}

#[test]
fn errors_of_the_file_system_name_what_was_typed() {
    let bench = bench();
    for (line, words) in [
        (
            "convert app.tar oci:no/such/x",
            "cannot create a directory in no/such: No such file or directory (os error 2)",
        ),
        (
            "convert app.tar oci-archive:no/such/x.tar",
            "cannot create a file in no/such: No such file or directory (os error 2)",
        ),
        (
            "convert --account no/such/a.json app.tar oci:x",
            "cannot write into no/such: No such file or directory (os error 2)",
        ),
    ] {
        assert_eq!(run(&bench, 2, line).stderr, format!("error: {words}\n"));
    }
    // A name too long for the file system is known when it is written.
    let long = "x".repeat(255);
    let told = run(&bench, 2, &format!("convert app.tar docker-archive:{long}.tar")).stderr;
    assert!(told.starts_with("error: cannot read xxx"), "{told}");
}

#[test]
fn inspect_takes_platforms_of_archives() {
    let bench = bench();
    let index = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/good/oci/nested-index/archive");
    let index = index.display().to_string();
    let view = |arguments: &[&str]| -> serde_json::Value {
        let arguments = [&["inspect", "--json"][..], arguments, &[&index]].concat();
        serde_json::from_slice(&bench.run(0, &arguments).stdout).expect("JSON")
    };
    let one = view(&["--platform", "linux/arm64"]);
    let images = one["images"].as_array().expect("images").clone();
    assert!(!images.is_empty() && images.iter().all(|image| image["platform"] == "linux/arm64"), "{one}");
    let two = view(&["--platform", "linux/arm64", "--platform", "linux/amd64"]);
    assert!(two["images"].as_array().expect("images").len() > images.len(), "{two}");
    let config = ["inspect", "--raw", "config", "--platform", "linux/arm64", &index];
    let config: serde_json::Value = serde_json::from_slice(&bench.run(0, &config).stdout).expect("JSON");
    assert_eq!(config["architecture"], "arm64");
    let told = bench.run(2, &["inspect", "--platform", "linux/s390x", &index]).stderr;
    assert!(told.contains("it holds linux/amd64, linux/arm/v6, linux/arm64"), "{told}");
}

#[test]
fn a_shell_reads_the_line_of_a_help_as_it_was_meant() {
    let bench = bench();
    std::fs::rename(here(&bench, "app.tar"), here(&bench, "my app's.tar")).expect("renamed");
    let told = bench.run(2, &["copy", "my app's.tar", "oci:out dir"]).stderr;
    let line = told.lines().find_map(|line| line.strip_prefix("  help: restow ")).expect("a line");
    let binary = bench.restow.command().get_program().to_string_lossy().into_owned();
    let done = Command::new("sh")
        .args(["-c", &format!("{binary} {line}")])
        .current_dir(here(&bench, ""))
        .output()
        .expect("sh runs");
    assert!(done.status.success() && here(&bench, "out dir").exists(), "{line}");
}

/// `docker save app > app.tar` in PowerShell before 7.4, which takes what it gets for text.
#[test]
fn what_a_shell_made_text_of_is_told_so() {
    let bench = bench();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/good");
    for case in ["docker-archive/docker-20.10", "docker-archive/docker-29-containerd", "oci/podman"] {
        let bytes = std::fs::read(corpus.join(case).join("archive.tar")).expect("there");
        let lines =
            String::from_utf8_lossy(&bytes).lines().map(|line| format!("{line}\r\n")).collect::<String>();
        std::fs::write(here(&bench, "text.tar"), &lines).expect("written");
        let told = run(&bench, 1, "check text.tar").stdout;
        let told = String::from_utf8_lossy(&told).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains("error[archive/bad-header]"), "{case}: {told}");
        assert!(
            told.contains("such as `>` in PowerShell before 7.4; let the tool write the file itself"),
            "{case}: {told}"
        );
    }
    let sixteen: Vec<u8> =
        [0xff, 0xfe].into_iter().chain("blobs/".bytes().flat_map(|byte| [byte, 0])).collect();
    std::fs::write(here(&bench, "text.tar"), sixteen).expect("written");
    assert!(run(&bench, 2, "check text.tar").stderr.contains("as PowerShell 5 makes of what `>` gets"));
}

/// Quiet and verbose are options of every command, and what was asked for is printed with both.
#[test]
fn every_command_may_be_quiet_or_verbose() {
    let bench = bench();
    run(&bench, 0, "index create oci:index:1 app.tar");
    for (line, silent) in [
        ("check app.tar", true),
        ("convert app.tar oci:new", true),
        ("compare app.tar layout", true),
        ("index create oci:another:1 app.tar", true),
        ("inspect app.tar", false),
        ("index inspect oci:index:1", false),
        ("explain whiteout", false),
        ("explain --error MANIFEST_UNKNOWN", false),
        ("profiles docker", false),
        ("schema oci-index", false),
        ("completions fish", false),
        ("man check", false),
    ] {
        let told = |option: &str| run(&bench, 0, &format!("{line} {option}"));
        let (quiet, usual, verbose) = (told("-q"), told("--color=never"), told("-v"));
        assert_eq!(quiet.stdout.is_empty() && quiet.stderr.is_empty(), silent, "{line} -q: {}", quiet.stderr);
        assert!(silent || quiet.stdout == usual.stdout, "{line} -q is another result");
        let count = |bytes: &[u8]| String::from_utf8_lossy(bytes).split_whitespace().count();
        let words = |output: &Output| count(&output.stdout) + count(output.stderr.as_bytes());
        assert!(words(&verbose) >= words(&usual), "{line} -v says less");
    }
}
