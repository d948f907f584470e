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
    let (code, markdown) = page(at.path(), "markdown", &[&good, "no", "--creds", "user:hunter22"]);
    assert_eq!(code, Some(2));
    assert!(
        markdown.contains("✅") && markdown.contains("❌") && markdown.contains("could not be judged"),
        "{markdown}"
    );
    let (_, html) = page(at.path(), "html", &[&good, "no", "--creds", "user:hunter22"]);
    assert!(!html.contains("hunter22") && html.contains("#s1"), "a password, or no second source");
}
