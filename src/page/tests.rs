use super::document::pieces;
use super::section::FINDINGS;
use super::*;
use crate::finding::Lowered;
use crate::render::{Container, Source, fixture};

fn page(style: Style, (docs, findings): (fixture::Archive, Vec<crate::finding::Finding>)) -> String {
    let levelled: Vec<_> = findings.iter().map(|finding| (finding.rule.level, finding)).collect();
    let source = Source {
        docs: &docs,
        path: None,
        container: Container::Tar,
        form: "oci",
        images: &[],
        findings: &levelled,
        lowered: Lowered::NONE,
        suggest: &[],
        proved: None,
    };
    let mut page = Page::new("check <script>alert(1)</script>");
    page.add(&source, None, Proof::All, None);
    page.failed("<img src=x onerror=alert(1)>", "no such file");
    let mut out = Vec::new();
    write(&page, style, &mut out).expect("memory");
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn everything_is_shown_and_nothing_runs() {
    let html = page(Style::Html, fixture::everything());
    let (_, findings) = fixture::everything();
    for finding in &findings {
        assert!(html.contains(&format!("restow explain {}", finding.rule.name)), "{}", finding.rule.name);
    }
    assert!(!html.contains("<script>alert") && !html.contains("<img"), "hostile text is obeyed");
    assert_eq!(html.matches("<script").count(), 1);
    assert!(html.contains("default-src 'none'") && !html.contains("unsafe-inline"));
    assert_eq!(html, page(Style::Html, fixture::everything()), "the same input, the same bytes");
}

#[test]
fn three_hundred_findings_fit_a_megabyte() {
    let html = page(Style::Html, fixture::of_one_kind(300));
    assert!(html.len() < 1_000_000, "{} bytes", html.len());
    let many = fixture::of_one_kind(3_000);
    let left = many.1.len() - FINDINGS;
    let long = page(Style::Html, many);
    assert!(long.contains(&format!("and {left} more")), "what is left out is counted");
}

#[test]
fn markdown_is_text_and_has_an_end() {
    let short = page(Style::Markdown, fixture::everything());
    assert!(short.starts_with("### ❌") && short.contains("| Level | Rule |"), "{short}");
    assert!(!short.contains("<img"), "{short}");
    let long = page(Style::Markdown, fixture::of_one_kind(4_000));
    assert!(long.len() <= 1 << 20 && long.contains("more, which a report"), "{} bytes", long.len());
}

/// An image of as many layers, each with a command of this length.
fn tall(layers: usize, command: usize) -> String {
    let layer = |nth: usize| crate::jobs::inspect::Layer {
        digest: Some(format!("sha256:{nth:064x}")),
        diff_id: Some(format!("sha256:{:064x}", nth + layers)),
        size: Some(1_000 * (nth as u64 + 1)),
        media_type: Some("application/vnd.oci.image.layer.v1.tar+gzip".into()),
        member: Some(format!("blobs/sha256/{nth:064x}")),
        created_by: Some("x".repeat(command)),
        instruction: None,
        predicate_type: None,
        shared: false,
        missing: false,
        changes: Some(crate::layer::Changes {
            largest: vec![("usr/lib/x86_64-linux-gnu/libcrypto.so.3".into(), 5_000_000); 5],
            ..Default::default()
        }),
    };
    let (docs, _) = fixture::of_one_kind(1);
    let source = Source {
        docs: &docs,
        path: None,
        container: Container::Tar,
        form: "oci",
        images: &[],
        findings: &[],
        lowered: Lowered::NONE,
        suggest: &[],
        proved: None,
    };
    let entry = crate::jobs::inspect::Entry {
        kind: "image",
        names: vec!["tall:1".into()],
        digest: Some(format!("sha256:{:064x}", usize::MAX)),
        media_type: None,
        id: None,
        platform: Some("linux/amd64".into()),
        created: None,
        artifact_type: None,
        subject: None,
        size: None,
        shared_size: 0,
        config: None,
        annotations: Default::default(),
        layers: (0..layers).map(layer).collect(),
        manifests: Vec::new(),
    };
    let view = crate::jobs::inspect::View {
        version: 1,
        source: "tall.tar".into(),
        form: "oci",
        compression: None,
        size: None,
        images: vec![entry],
    };
    let mut page = Page::new("check tall.tar");
    page.add(&source, Some(view), Proof::All, Some("sha256:<b>, 7 bytes"));
    let mut out = Vec::new();
    write(&page, Style::Html, &mut out).expect("memory");
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn sixty_layers_fit_a_megabyte_and_long_commands_are_cut() {
    let html = tall(60, 5_000);
    assert!(html.len() < 1_000_000, "{} bytes", html.len());
    assert_eq!(html.matches("<td class=\"command\">").count(), 60);
    // The beginning in the table, more where the layer unfolds, and never all of it.
    let longest = html.split(|letter| letter != 'x').map(str::len).max();
    assert_eq!(longest, Some(super::words::TEXT));
    let (short, long) = (tall(1, 240), tall(1, 241));
    assert!(!short.contains("<dt>made by</dt>") && long.contains("<dt>made by</dt>"));
    let many = tall(2_100, 10);
    assert!(many.contains("and 100 more, which"), "what is left out is counted");
}

#[test]
fn digests_are_found_in_text() {
    let hex = "a".repeat(64);
    let text = format!("\"sha256:{hex}\", sha256:abc, sha256:{hex}");
    let found = pieces(&text);
    assert_eq!(found.iter().filter(|(_, hex)| hex.is_some()).count(), 2);
    assert_eq!(found.iter().map(|(piece, _)| *piece).collect::<String>(), text);
}
