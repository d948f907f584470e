//! Pages (`--report html` and `markdown`) of the binary, for real archives; in a browser where there is one.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn corpus(case: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(case).to_string_lossy().into_owned()
}

fn restow(at: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_restow"));
    command.env_clear().env("HOME", at).env("COLUMNS", "100").current_dir(at);
    command.args(arguments).output().expect("runs")
}

fn page(at: &Path, format: &str, sources: &[&str]) -> (Option<i32>, String) {
    let output = restow(at, &[&["check", "--report", &format!("{format}=page")], sources].concat());
    let text = std::fs::read_to_string(at.join("page")).expect("a page");
    (output.status.code(), text)
}

#[allow(clippy::print_stderr)]
/// What a browser makes of a page: its document after scripts ran, as text; `None` without a browser.
fn in_a_browser(page: &str, at: &Path) -> Option<String> {
    let chromium = PathBuf::from("/usr/bin/chromium");
    if !chromium.exists() {
        eprintln!("skipped: no chromium");
        return None;
    }
    let file = at.join("page.html");
    std::fs::write(&file, page).expect("written");
    let output = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", at.join("profile").display()))
        .arg(format!("file://{}", file.display()))
        .output()
        .expect("runs");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_broken_archive() {
    let at = tempfile::tempdir().expect("temporary directory");
    let (code, html) = page(at.path(), "html", &[&corpus("bad/many/ten-faults/archive.tar")]);
    assert_eq!(code, Some(1));
    for part in
        ["errors", "blob/digest-mismatch", "<mark>", "<svg", "node manifest", "Content-Security-Policy"]
    {
        assert!(html.contains(part), "no {part}");
    }
    let nodes = |class: &str| html.matches(&format!("<g class=\"node {class}\"")).count();
    assert_eq!(
        (nodes("layer bad"), nodes("layer missing"), nodes("manifest bad")),
        (1, 1, 2),
        "faults are marked"
    );
    let again = page(at.path(), "html", &[&corpus("bad/many/ten-faults/archive.tar")]).1;
    assert_eq!(html, again, "the same input, the same bytes");
    if let Some(dom) = in_a_browser(&html, at.path()) {
        assert!(
            dom.contains("class=\"tools\">"),
            "the script ran and showed its tools, which are hidden without it"
        );
    }
}

#[test]
fn each_layer_stands_once() {
    let at = tempfile::tempdir().expect("temporary directory");
    let source = corpus("good/oci/multiplatform-attestation-nested/archive.tar");
    let (code, html) = page(at.path(), "html", &[&source]);
    assert_eq!(code, Some(0));
    assert!(html.contains("sound, 3 images"), "{html}");
    let layers = html.matches("<g class=\"node layer").count();
    assert_eq!((layers, html.matches("<g class=\"node manifest").count()), (3, 4));
    assert!(html.contains("3 different, 458 B as stored"));
}

#[test]
fn every_case_has_a_page_that_is_not_obeyed() {
    let at = tempfile::tempdir().expect("temporary directory");
    let mut pages = 0;
    for family in std::fs::read_dir(corpus("bad")).expect("a corpus").flatten() {
        for case in std::fs::read_dir(family.path()).into_iter().flatten().flatten() {
            let archive = case.path().join("archive.tar");
            if !archive.exists() {
                continue;
            }
            let (_, html) = page(at.path(), "html", &[&archive.to_string_lossy()]);
            assert_eq!(html.matches("<script").count(), 1, "{}", archive.display());
            assert!(html.len() < 1 << 20 && html.ends_with("</html>"), "{}", archive.display());
            pages += 1;
        }
    }
    assert!(pages > 200, "{pages} pages");
}

#[test]
fn what_is_no_archive_and_several_sources() {
    let at = tempfile::tempdir().expect("temporary directory");
    std::fs::write(at.path().join("no"), "<b>nothing</b>").expect("written");
    let good = corpus("good/docker-archive/docker-20.10/archive.tar");
    // A password is told of a registry alone, which nobody is at home in.
    let sources = [&good, "no", "docker://127.0.0.1:1/x", "--retry-times", "0", "--creds", "user:hunter22"];
    let (code, markdown) = page(at.path(), "markdown", &sources);
    assert_eq!(code, Some(2));
    assert!(
        markdown.contains("✅") && markdown.contains("❌") && markdown.contains("could not be judged"),
        "{markdown}"
    );
    let (_, html) = page(at.path(), "html", &sources);
    assert!(!html.contains("hunter22") && html.contains("#s1"), "a password, or no second source");
}

/// The text of a command's page; what it exits with, and what it prints.
fn page_of(at: &Path, arguments: &[&str], format: &str) -> (Option<i32>, String, String) {
    let output = restow(at, &[arguments, &["--report", &format!("{format}=page")]].concat());
    let text = std::fs::read_to_string(at.join("page")).expect("a page");
    (output.status.code(), text, String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn what_layers_add_replace_and_hide() {
    let at = tempfile::tempdir().expect("temporary directory");
    let source = corpus("good/docker-archive/docker-20.10/archive.tar");
    for command in ["check", "inspect"] {
        let (code, html, _) = page_of(at.path(), &[command, &source], "html");
        assert_eq!(code, Some(0));
        assert!(html.contains("layers deep") && html.contains("<dt>largest files</dt>"), "{command}");
        // Layer 1 adds a file, layer 2 hides it, layer 3 is layer 1 again.
        assert!(
            html.contains("of which") && html.contains("is replaced or hidden by layers above"),
            "{command}"
        );
    }
    // On the way of a conversion as well, where it stands before and after it is judged with --check.
    for more in [&[][..], &["--check"], &["--dry-run"]] {
        let convert = [&["convert", &source, "oci:new"], more].concat();
        let (code, html, _) = page_of(at.path(), &convert, "html");
        assert_eq!(code, Some(0), "{more:?}");
        assert!(html.contains("layers deep") && html.contains("<dt>largest files</dt>"), "{more:?}");
        let _ = std::fs::remove_dir_all(at.path().join("new"));
    }
    // Without decompressing nothing of it is known, and that is said.
    let (_, html, _) = page_of(at.path(), &["check", "--verify", "digests", &source], "html");
    assert!(html.contains("They were not looked into.") && !html.contains("layers deep"));
}

#[test]
fn inspect_judges_nothing_and_shows_what_was_asked_for() {
    let at = tempfile::tempdir().expect("temporary directory");
    let broken = corpus("bad/many/ten-faults/archive.tar");
    let (code, html, tree) = page_of(at.path(), &["inspect", &broken], "html");
    assert_eq!(code, Some(0));
    assert!(html.contains("not judged") && html.contains("Nothing was judged") && html.contains("<svg"));
    assert!(!html.contains("class=\"finding") && !tree.is_empty(), "the tree is shown all the same");
    let several = corpus("good/docker-archive/ko-two-images/archive.tar");
    let all = page_of(at.path(), &["inspect", &several], "html").1;
    let one = page_of(at.path(), &["inspect", &several, "--image", "@0"], "html").1;
    let manifests = |html: &str| html.matches("class=\"node manifest").count();
    assert_eq!((manifests(&all), manifests(&one)), (2, 1));
    let (_, markdown, _) = page_of(at.path(), &["inspect", &several], "markdown");
    assert!(markdown.contains("not judged") && markdown.contains("different layers"), "{markdown}");
    let refused = restow(at.path(), &["inspect", &several, "--report", "sarif=x"]);
    assert_eq!(refused.status.code(), Some(2), "nothing is judged, so there is nothing to report");
    // A page on standard output stands there alone.
    let output = restow(at.path(), &["inspect", &several, "--report", "html"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.starts_with("<!DOCTYPE html>") && text.ends_with("</html>"), "{text}");
}

#[test]
fn both_sides_of_a_comparison() {
    let at = tempfile::tempdir().expect("temporary directory");
    let (a, b) = (corpus("good/oci/podman/archive.tar"), corpus("good/oci/skopeo/archive.tar"));
    let (code, html, lines) = page_of(at.path(), &["compare", &a, &b], "html");
    assert_eq!(code, Some(1));
    for part in [
        "id=\"comparison\"",
        "A = ",
        "B = ",
        "id=\"s0-layers\"",
        "id=\"s1-layers\"",
        "class=\"verdict broken\"",
    ] {
        assert!(html.contains(part), "no {part}");
    }
    assert!(lines.contains("different"), "{lines}");
    let (code, html, _) = page_of(at.path(), &["compare", &a, &a], "html");
    assert_eq!(code, Some(0));
    assert!(html.contains("fate same") && !html.contains("fate other"));
    let (_, markdown, _) = page_of(at.path(), &["compare", &a, &b], "markdown");
    assert!(markdown.contains("| What | Status | Differences |") && markdown.contains("❌"), "{markdown}");
}

#[test]
fn the_account_of_a_conversion() {
    let at = tempfile::tempdir().expect("temporary directory");
    let source = corpus("good/oci/podman/archive.tar");
    let (code, html, _) = page_of(at.path(), &["convert", "--compress", "zstd", &source, "oci:new"], "html");
    assert_eq!(code, Some(0));
    assert!(html.contains("id=\"account\"") && html.contains("class=\"fate rewritten\""), "no account");
    let (_, markdown, _) = page_of(at.path(), &["convert", &source, "oci:other"], "markdown");
    assert!(markdown.contains("#### Account") && markdown.contains("kept"), "{markdown}");
}

/// To show what is in layers is not to judge it: a conversion says and does the same with a page and without.
#[test]
fn a_page_changes_no_conversion() {
    let at = tempfile::tempdir().expect("temporary directory");
    for case in ["bad/entry/absolute-name", "bad/entry/below-link-whiteout", "bad/config/diff-id-mismatch"] {
        let source = corpus(&format!("{case}/archive.tar"));
        assert!(Path::new(&source).exists(), "{source}");
        let run = |report: &[&str]| {
            let arguments = [&["convert", "-v", &source, "oci-archive:new.tar", "--force"], report].concat();
            let output = restow(at.path(), &arguments);
            let written = std::fs::read(at.path().join("new.tar")).ok();
            let _ = std::fs::remove_file(at.path().join("new.tar"));
            (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned(), written)
        };
        assert_eq!(run(&["--report", "html=page"]), run(&[]), "{case}");
    }
}

/// The digest of the file that was looked at, by which a page is held to it.
#[test]
fn the_file_itself_is_named() {
    let at = tempfile::tempdir().expect("temporary directory");
    let source = corpus("good/oci/podman/archive.tar");
    let bytes = std::fs::read(&source).expect("the case");
    let line =
        format!("The file: <code>{}, {} bytes</code>", restow::digest::Digest::sha256(&bytes), bytes.len());
    for command in [&["check", &source][..], &["inspect", &source], &["compare", &source, &source]] {
        let (_, html, _) = page_of(at.path(), command, "html");
        assert!(html.contains(&line), "{command:?}: no {line}");
    }
    let copied = restow(at.path(), &["convert", &source, "oci:folder"]);
    assert_eq!(copied.status.code(), Some(0));
    let (_, html, _) = page_of(at.path(), &["check", "oci:folder"], "html");
    assert!(!html.contains("The file:"), "a folder is no file");
}

/// Every link of a page leads to something on it, and no id stands twice.
#[test]
fn links_lead_somewhere() {
    let at = tempfile::tempdir().expect("temporary directory");
    for case in [
        "bad/many/ten-faults",
        "good/oci/multiplatform-attestation-nested",
        "good/docker-archive/docker-20.10",
    ] {
        let html = page(at.path(), "html", &[&corpus(&format!("{case}/archive.tar")), "no"]).1;
        let of = |start: &str| -> Vec<String> {
            html.split(start).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect()
        };
        let ids = of(" id=\"");
        let known: std::collections::BTreeSet<&str> = ids.iter().map(String::as_str).collect();
        assert_eq!(ids.len(), known.len(), "{case}: an id stands twice");
        let links = of("href=\"#");
        assert!(links.len() > 5, "{case}: {} links", links.len());
        for link in links {
            assert!(known.contains(&*link), "{case}: a link to nothing: {link}");
        }
    }
}
