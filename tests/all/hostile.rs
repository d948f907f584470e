//! Archives that are legal but rare, and archives that mean harm: nothing is lost silently, and nothing takes forever.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::common::layer_of;
use crate::layout::{Bench, LAYER, platform, sha256, tar, with};
use restow::digest::Digest;

#[test]
fn blobs_keep_the_algorithm_that_their_manifest_names_them_by() {
    let unknown = format!("blake3:{}", "a".repeat(64));
    let wide = [("sha384", 96), ("sha512", 128)].map(|(name, n)| format!("{name}:{}", "0".repeat(n)));
    for like in [&wide[0], &wide[1], &unknown] {
        for stream in [false, true] {
            let bench = Bench::new();
            let mut layout = bench.layout();
            let image = layout.image("amd64", like, &[0; 1024]);
            layout.root(&image, "docker.io/library/app:1");
            let source = layout.finish();
            let out = bench.out("oci");
            if stream {
                bench.run_on_stream(0, &["convert", "-", &out]);
            } else {
                bench.run(0, &["convert", &source, &out]);
            }
            bench.run(0, &["check", &out]);
            // Into what is there already, which is read and found to be the same.
            bench.run(0, &["convert", &source, &out]);
            bench.run(0, &["check", &out]);
        }
    }
}

#[test]
fn only_layers_must_be_what_their_first_bytes_say() {
    let like_gzip = b"\x1f\x8b\x08\x00 this is no gzip stream at all";
    let bench = Bench::new();
    let mut layout = bench.layout();
    let artifact = layout.artifact("application/octet-stream", like_gzip);
    layout.root(&artifact, "artifact");
    let source = layout.finish();
    bench.run(0, &["convert", &source, &bench.out("oci")]);
    let stream = format!("{}-of-a-stream", bench.out("oci"));
    bench.run_on_stream(0, &["convert", "-", &stream]);

    let bench = Bench::new();
    let mut layout = bench.layout();
    let artifact = layout.artifact(&format!("{LAYER}+gzip"), like_gzip);
    layout.root(&artifact, "artifact");
    let source = layout.finish();
    // The fault that keeps it from being written is named.
    bench.run(1, &["convert", &source, &bench.out("oci")]).stderr_has("layer/corrupt").expect("named");
    bench.run(1, &["check", &source]);
}

#[test]
fn a_blob_that_one_manifest_wants_compressed_stays_as_it_is_for_another() {
    let bench = Bench::new();
    let mut layout = bench.layout();
    let layer = [7; 2048];
    let (image, artifact) = (layout.image("amd64", sha256(), &layer), layout.artifact(LAYER, &layer));
    layout.root(&image, "image");
    layout.root(&artifact, "artifact");
    let source = layout.finish();
    let out = format!("{}:lab/app", bench.out("registry-storage"));
    bench.run(0, &["convert", "--compress", "gzip", &source, &out]);
    let link = bench.dir.path().join("out/docker/registry/v2/repositories/lab/app/_layers/sha256");
    let link = link.join(Digest::sha256(&layer).encoded()).join("link");
    assert!(link.is_file(), "the registry would not serve the artifact's blob");
}

#[test]
fn what_platforms_take_away_stands_in_the_account() {
    let bench = Bench::new();
    let mut layout = bench.layout();
    let children = ["amd64", "arm64"].map(|a| platform(&layout.image(a, sha256(), a.as_bytes()), a));
    let index = layout.index(&children);
    layout.root(&index, "docker.io/library/many:1");
    let other = layout.image("s390x", sha256(), b"s");
    layout.root(&other, "docker.io/library/other:1");
    let source = layout.finish();
    let output = bench.run(0, &["convert", "--platform", "linux/amd64", &source, &bench.out("oci")]);
    for line in ["index many:1: dropped", "manifest many:1 linux/arm64: dropped", "manifest other:1: dropped"]
    {
        output.stderr_has(line).expect("told");
    }
}

#[test]
fn images_change_names_but_never_share_one() {
    let bench = Bench::new();
    let mut layout = bench.layout();
    for name in ["a", "b"] {
        let image = layout.image("amd64", sha256(), &layer_of(name, b"x"));
        layout.root(&image, &format!("docker.io/library/{name}:1"));
    }
    let source = layout.finish();
    let out = bench.out("oci");
    bench.run(2, &["convert", "--rename", "a:1=c:1", "--rename", "b:1=c:1", &source, &out]);
    bench.run(2, &["convert", "--rename", "a:1=b:1", &source, &out]);
    bench.run(0, &["convert", "--rename", "a:1=b:1", "--rename", "b:1=a:1", &source, &out]);
    bench.run(0, &["compare", "--ignore", "names", &source, &out]);
    bench.run(1, &["compare", &source, &out]);
}

#[test]
fn references_to_digests_that_are_no_more_are_marked() {
    let bench = Bench::new();
    let mut layout = bench.layout();
    let image = layout.image("amd64", sha256(), &[0; 1024]);
    let digest = image.split('"').find(|text| text.starts_with("sha256:")).expect("a digest").to_owned();
    let signature = layout.artifact("application/vnd.dev.cosign.simplesigning.v1+json", b"{}");
    layout.root(&image, "docker.io/library/app:1");
    layout.root(&signature, &format!("sha256-{}.sig", digest.strip_prefix("sha256:").expect("sha256")));
    let source = layout.finish();
    let output = bench.run(0, &["convert", "--compress", "gzip", &source, &bench.out("oci")]);
    output
        .stderr_has("still names the old digest")
        .or_else(|_| {
            bench
                .run(0, &["convert", "-v", "--compress", "gzip", &source, &format!("{}2", bench.out("oci"))])
                .stderr_has("still names the old digest")
        })
        .expect("marked");
}

#[test]
fn indexes_that_multiply_or_nest_without_end_are_refused_at_once() {
    let begun = Instant::now();
    let bench = Bench::new();
    let mut layout = bench.layout();
    let mut top = layout.image("amd64", sha256(), &[0; 1024]);
    for _ in 0..7 {
        let children: Vec<String> =
            (0..20).map(|i| with(&top, &format!(r#""annotations":{{"n":"{i}"}}"#))).collect();
        top = layout.index(&children);
    }
    layout.root(&top, "many");
    let source = layout.finish();
    bench.run(0, &["check", &source]);
    bench.run(2, &["inspect", &source]).stderr_has("unfolds").expect("said");

    // Each root is one level above the one before it.
    let bench = Bench::new();
    let mut layout = bench.layout();
    let mut top = layout.image("amd64", sha256(), &[0; 1024]);
    for i in 0..3000 {
        top = layout.index(&[top]);
        let mut name = String::new();
        write!(name, "level-{i}").expect("text");
        layout.root(&top, &name);
    }
    let source = layout.finish();
    let output = bench.run(1, &["check", &source]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("index-depth"));
    bench.run(1, &["convert", &source, &bench.out("oci")]);
    bench.run(0, &["inspect", &source]);
    assert!(begun.elapsed() < Duration::from_secs(120), "{:?}", begun.elapsed());
}

#[test]
fn an_image_whose_tag_another_has_taken_is_not_lost() {
    let bench = Bench::new();
    let dir = bench.dir.path().join("archive");
    std::fs::create_dir(&dir).expect("a folder");
    let mut items = Vec::new();
    for name in ["a", "b"] {
        let layer = name.repeat(512);
        let config = format!(
            r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
            Digest::sha256(layer.as_bytes())
        );
        let id = format!("{}.json", Digest::sha256(config.as_bytes()).encoded());
        std::fs::write(dir.join(&id), config).expect("written");
        std::fs::write(dir.join(format!("{name}.tar")), layer).expect("written");
        items.push(format!(r#"{{"Config":"{id}","RepoTags":["app:1"],"Layers":["{name}.tar"]}}"#));
    }
    std::fs::write(dir.join("manifest.json"), format!("[{}]", items.join(","))).expect("written");
    let source = format!("docker-archive:{}", dir.display());
    let out = bench.out("oci");
    bench.run(1, &["convert", &source, &out]);
    bench.run(0, &["convert", "-W", "all", &source, &out]).stderr_has("2 manifests").expect("both");
}

#[test]
fn small_documents_of_very_many_values_do_not_fill_the_memory() {
    let bench = Bench::new();
    let dir = bench.dir.path().join("archive");
    std::fs::create_dir(&dir).expect("a folder");
    let items = vec!["0"; 2_000_000].join(",");
    std::fs::write(dir.join("manifest.json"), format!("[{items}]")).expect("written");
    let source = format!("docker-archive:{}", dir.display());
    let output = bench.run(1, &["check", &source]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("json-values"));

    let layers = vec!["\"x\""; 2_000].join(",");
    std::fs::write(dir.join("manifest.json"), format!(r#"[{{"Config":"c","Layers":[{layers}]}}]"#))
        .expect("written");
    let output = bench.run(1, &["check", &source]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("limit layers"));
}

#[test]
fn the_account_overwrites_neither_source_nor_destination() {
    let bench = Bench::new();
    let mut layout = bench.layout();
    let image = layout.image("amd64", sha256(), &[0; 1024]);
    layout.root(&image, "docker.io/library/app:1");
    layout.finish();
    let source = tar(&bench.dir.path().join("layout")).display().to_string();
    let out = bench.dir.path().join("out.tar").display().to_string();
    let destination = format!("oci-archive:{out}");
    for account in [&source, &out] {
        bench.run(2, &["convert", "--account", account, &source, &destination]);
    }
    bench.run(0, &["check", &source]);
    assert!(!Path::new(&out).exists());
}
