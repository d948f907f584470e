//! N passes and N + 1 is told, with the option that raises the limit.

use std::io::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::common::layer_of;
use crate::layout::{Bench, CONFIG, LAYER, Layout, sha256, tar, with};

/// What `check` says with a limit, and its exit code.
fn said(bench: &Bench, source: &str, name: &str, n: u64, stream: bool) -> (i32, String) {
    let limit = format!("{name}={n}");
    let place = if stream { "-" } else { source };
    let arguments = ["check", "--limit", &limit, place].map(str::to_owned);
    let input = stream.then(|| Path::new(source));
    let output = bench.restow.run_with(&arguments, input).expect("restow runs");
    (output.code, String::from_utf8_lossy(&output.stdout).into_owned() + &output.stderr)
}

/// The archive has exactly `n` of what a limit counts.
fn border(bench: &Bench, source: &str, name: &str, n: u64) {
    border_of(bench, source, name, n, false);
}

fn border_of(bench: &Bench, source: &str, name: &str, n: u64, stream: bool) {
    let (code, text) = said(bench, source, name, n, stream);
    let told = text.contains("--limit") || text.contains("(limit ");
    assert!(code <= 1 && !told, "{source}: {n} of {name} are too many\n{text}");
    let (code, text) = said(bench, source, name, n - 1, stream);
    assert_eq!(code, 1, "{source}: {n} of {name} are not too many for a limit of {}\n{text}", n - 1);
    assert!(text.contains(&format!("--limit {name}=")), "the option is not named\n{text}");
}

fn count(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("listed").map(|entry| entry.expect("listed").path());
    entries.map(|path| 1 + if path.is_dir() { count(&path) } else { 0 }).sum()
}

fn values(value: &Value) -> u64 {
    match value {
        Value::Array(items) => 1 + items.iter().map(values).sum::<u64>(),
        Value::Object(members) => 1 + members.values().map(values).sum::<u64>(),
        _ => 1,
    }
}

fn depth(value: &Value) -> u64 {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[test]
fn members_of_folders_tars_and_streams() {
    let bench = Bench::new();
    let mut layout = bench.layout();
    let image = layout.image("amd64", sha256(), &[0; 1024]);
    layout.root(&image, "a");
    let source = layout.finish();
    let folder = bench.dir.path().join("layout");
    let n = count(&folder);
    border(&bench, &source, "members", n);
    let tar = tar(&folder).display().to_string();
    border(&bench, &tar, "members", n);
    border_of(&bench, &tar, "members", n, true);
}

/// What is spooled: of a stream, and of a compressed archive.
#[test]
fn bytes_of_the_spool() {
    let bench = Bench::new();
    let mut layout = bench.layout();
    let image = layout.image("amd64", sha256(), &layer_of("file", &[7; 100_000]));
    layout.root(&image, "a");
    layout.finish();
    let path = tar(&bench.dir.path().join("layout"));
    let mut archive = tar::Archive::new(std::fs::File::open(&path).expect("opened"));
    let files = archive.entries().expect("a tar").map(|entry| entry.expect("an entry"));
    let n = files.map(|entry| entry.size()).sum();
    border_of(&bench, &path.display().to_string(), "spool-bytes", n, true);
    let zstd = zstd::stream::encode_all(&std::fs::read(&path).expect("read")[..], 1).expect("memory");
    let compressed = bench.dir.path().join("compressed");
    std::fs::write(&compressed, zstd).expect("written");
    border(&bench, &compressed.display().to_string(), "spool-bytes", n);
    // The layer is the largest member: a header, the file, what fills its block, and the end.
    let largest = 512 + 100_352 + 1024;
    border(&bench, &compressed.display().to_string(), "spooled-member-bytes", largest);
    border_of(&bench, &path.display().to_string(), "spooled-member-bytes", largest, true);
}

/// What nothing came of: members of gzip and frames of zstd, around the archive and of a layer. Each has one more in front
/// than is allowed to follow another.
#[test]
fn frames_without_content() {
    let plain = layer_of("file", b"content");
    let gzip = |data: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).expect("memory");
        encoder.finish().expect("memory")
    };
    let zstd = |data: &[u8]| zstd::stream::encode_all(data, 1).expect("memory");
    let skipped = |_: &[u8]| b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec();
    type Pack<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;
    let packs: [(&str, Pack<'_>, Pack<'_>); 3] =
        [("gzip", &gzip, &gzip), ("zstd", &zstd, &zstd), ("zstd", &skipped, &zstd)];
    for (codec, empty, full) in packs {
        let stored = [empty(b"").repeat(5), full(&plain)].concat();
        let bench = Bench::new();
        let mut layout = bench.layout();
        one_layer(&mut layout, &format!("{LAYER}+{codec}"), &stored, &plain);
        let source = layout.finish();
        border(&bench, &source, "empty-frames", 5);
        let tar = std::fs::read(tar(&bench.dir.path().join("layout"))).expect("read");
        let around = bench.dir.path().join("around");
        std::fs::write(&around, [empty(b"").repeat(6), full(&tar)].concat()).expect("written");
        border(&bench, &around.display().to_string(), "empty-frames", 6);
    }
}

/// A dictionary of xz is what a window of zstd is.
#[test]
fn dictionaries_of_xz() {
    let bench = Bench::new();
    let mut layout = bench.layout();
    let image = layout.image("amd64", sha256(), &layer_of("file", b"content"));
    layout.root(&image, "a");
    layout.finish();
    let tar = std::fs::read(tar(&bench.dir.path().join("layout"))).expect("read");
    let mut options = liblzma::stream::LzmaOptions::new_preset(0).expect("a preset");
    options.dict_size(32 << 20);
    let mut filters = liblzma::stream::Filters::new();
    filters.lzma2(&options);
    let stream = liblzma::stream::Stream::new_stream_encoder(&filters, liblzma::stream::Check::Crc32);
    let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream.expect("an encoder"));
    encoder.write_all(&tar).expect("memory");
    let path = bench.dir.path().join("a.tar.xz");
    std::fs::write(&path, encoder.finish().expect("memory")).expect("written");
    let source = path.display().to_string();
    assert_eq!(said(&bench, &source, "zstd-window-log", 25, false).0, 0);
    let (code, text) = said(&bench, &source, "zstd-window-log", 24, false);
    assert!(code == 1 && text.contains("limit zstd-window-log"), "{text}");
}

/// Names of a docker-archive, over all of its images.
#[test]
fn names_of_a_docker_archive() {
    let bench = Bench::new();
    let layer = layer_of("file", b"content");
    let diff_id = restow::digest::Digest::sha256(&layer);
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{diff_id}"]}}}}"#
    );
    let mut archive = tar::Builder::new(Vec::new());
    let mut add = |name: &str, data: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, data).expect("memory");
    };
    add("c.json", config.as_bytes());
    add("l.tar", &layer);
    let tags: Vec<String> = (0..40).map(|i| format!(r#""example.com/app:{i}""#)).collect();
    let item = |tags: &[String]| {
        format!(r#"{{"Config":"c.json","RepoTags":[{}],"Layers":["l.tar"]}}"#, tags.join(","))
    };
    add("manifest.json", format!("[{},{}]", item(&tags[..15]), item(&tags[15..])).as_bytes());
    let path = bench.dir.path().join("names.tar");
    std::fs::write(&path, archive.into_inner().expect("memory")).expect("written");
    border(&bench, &path.display().to_string(), "names", 40);
}

/// A document alone on a stream is not spooled beyond what is read of it.
#[test]
fn a_document_on_a_stream() {
    let bench = Bench::new();
    let path = bench.dir.path().join("document");
    std::fs::write(&path, format!(r#"{{"imageLayoutVersion":"1.0.0"}}{}"#, " ".repeat(1000)))
        .expect("written");
    border_of(&bench, &path.display().to_string(), "document-bytes", 1030, true);
}

#[test]
fn documents() {
    let bench = Bench::new();
    let mut layout = bench.layout();
    let image = layout.image("amd64", sha256(), &[0; 1024]);
    layout.root(&image, "a");
    let source = layout.finish();
    let mut documents =
        vec![bench.dir.path().join("layout/index.json"), bench.dir.path().join("layout/oci-layout")];
    let blobs = bench.dir.path().join("layout/blobs/sha256");
    documents.extend(std::fs::read_dir(blobs).expect("listed").map(|entry| entry.expect("listed").path()));
    let texts: Vec<Vec<u8>> = documents.iter().map(|path| std::fs::read(path).expect("read")).collect();
    let texts: Vec<&Vec<u8>> = texts.iter().filter(|text| text.starts_with(b"{")).collect();
    assert_eq!(texts.len(), 4);
    let parsed: Vec<Value> = texts.iter().map(|text| serde_json::from_slice(text).expect("JSON")).collect();
    let largest = texts.iter().map(|text| text.len() as u64).max().expect("four");
    border(&bench, &source, "document-bytes", largest);
    border(&bench, &source, "json-values", parsed.iter().map(values).max().expect("four"));
    border(&bench, &source, "json-depth", parsed.iter().map(depth).max().expect("four"));
    let all =
        texts.iter().map(|text| text.len() as u64).sum::<u64>() + 64 * parsed.iter().map(values).sum::<u64>();
    border(&bench, &source, "documents-bytes", all);
}

#[test]
fn the_graph() {
    let bench = Bench::new();
    let mut layout = bench.layout();
    let mut top = layout.image("amd64", sha256(), &[0; 1024]);
    for _ in 0..5 {
        top = layout.index(&[top]);
    }
    layout.root(&top, "deep");
    let source = layout.finish();
    border(&bench, &source, "index-depth", 5);
    // Five indexes and an image.
    border(&bench, &source, "manifests", 6);

    let bench = Bench::new();
    let mut layout = bench.layout();
    let layers: Vec<Vec<u8>> = (0..7).map(|i| layer_of(&format!("f{i}"), b"x")).collect();
    let layers: Vec<(&str, &[u8], &[u8])> = layers.iter().map(|l| (LAYER, &l[..], &l[..])).collect();
    let image = layout.image_of(&layers);
    layout.root(&image, "wide");
    border(&bench, &layout.finish(), "layers", 7);
}

#[test]
fn data_in_descriptors() {
    let bench = Bench::new();
    let mut layout = bench.layout();
    let layer = layer_of("file", b"x");
    let image = layout.image("amd64", sha256(), &layer);
    let base64 = data_encoding::BASE64.encode(&layer);
    // In a manifest as in index.json; padded, as its size is no multiple of three.
    assert!(layer.len() == 2048 && base64.ends_with('='));
    let held = layout.add(sha256(), "text/plain", &layer);
    let held = with(&held, &format!(r#""data":"{base64}""#));
    let config = layout.add(sha256(), "application/vnd.oci.empty.v1+json", b"{}");
    let manifest = layout.manifest(&config, &held);
    layout.root(&manifest, "held");
    layout.root(&image, "image");
    border(&bench, &layout.finish(), "data-bytes", 2048);
    let mut layout = bench.layout();
    let document = layout.image("amd64", sha256(), &layer);
    let digest = document.split('"').find(|text| text.starts_with("sha256:")).expect("one").to_owned();
    let bytes =
        std::fs::read(bench.dir.path().join("layout/blobs/sha256").join(&digest[7..])).expect("there");
    layout.root(&with(&document, &format!(r#""data":"{}""#, data_encoding::BASE64.encode(&bytes))), "root");
    border(&bench, &layout.finish(), "data-bytes", bytes.len() as u64);
    // A manifest that is another one's config too, and is read as that first.
    let mut layout = bench.layout();
    let config = layout.add(sha256(), CONFIG, &std::fs::read(blob(&bench, &manifest)).expect("there"));
    layout.root(&layout.manifest(&config, ""), "first");
    layout.root(&manifest, "second");
    border(&bench, &layout.finish(), "data-bytes", 2048);
}

fn blob(bench: &Bench, descriptor: &str) -> std::path::PathBuf {
    let digest = descriptor.split('"').find(|text| text.starts_with("sha256:")).expect("a digest");
    bench.dir.path().join("layout/blobs/sha256").join(&digest[7..])
}

/// A layout with one layer.
fn one_layer(layout: &mut Layout, kind: &str, stored: &[u8], plain: &[u8]) {
    let image = layout.image_of(&[(kind, stored, plain)]);
    layout.root(&image, "one");
}

#[test]
fn layers_as_they_are_and_compressed() {
    let plain = layer_of("file", &[7; 100_000]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).expect("memory");
    let gzip = gzip.finish().expect("memory");
    let zstd = zstd::stream::encode_all(&plain[..], 1).expect("memory");
    for (suffix, stored) in [("", &plain), ("+gzip", &gzip), ("+zstd", &zstd)] {
        let bench = Bench::new();
        let mut layout = bench.layout();
        one_layer(&mut layout, &format!("{LAYER}{suffix}"), stored, &plain);
        let source = layout.finish();
        border(&bench, &source, "layer-bytes", plain.len() as u64);
        let tar = tar(&bench.dir.path().join("layout")).display().to_string();
        border_of(&bench, &tar, "layer-bytes", plain.len() as u64, true);
    }
}

#[test]
fn entries_of_a_layer() {
    let bench = Bench::new();
    let mut layer = tar::Builder::new(Vec::new());
    for i in 0..300 {
        let mut header = tar::Header::new_ustar();
        header.set_size(0);
        layer.append_data(&mut header, format!("f{i}"), &[][..]).expect("memory");
    }
    let layer = layer.into_inner().expect("memory");
    let mut layout = bench.layout();
    one_layer(&mut layout, LAYER, &layer, &layer);
    border(&bench, &layout.finish(), "entries", 300);
}

#[test]
fn windows_of_zstd() {
    let plain = layer_of("file", &vec![7; 3 << 20]);
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("encoder");
    encoder.window_log(21).expect("a window");
    encoder.write_all(&plain).expect("memory");
    let stored = encoder.finish().expect("memory");
    let bench = Bench::new();
    let mut layout = bench.layout();
    one_layer(&mut layout, &format!("{LAYER}+zstd"), &stored, &plain);
    border(&bench, &layout.finish(), "zstd-window-log", 21);

    // Around the archive.
    let bench = Bench::new();
    let mut layout = bench.layout();
    let image = layout.image("amd64", sha256(), &plain);
    layout.root(&image, "a");
    layout.finish();
    let tar = std::fs::read(tar(&bench.dir.path().join("layout"))).expect("read");
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("encoder");
    encoder.window_log(21).expect("a window");
    encoder.write_all(&tar).expect("memory");
    let path = bench.dir.path().join("a.tar.zst");
    std::fs::write(&path, encoder.finish().expect("memory")).expect("written");
    let source = path.display().to_string();
    assert_eq!(said(&bench, &source, "zstd-window-log", 21, false).0, 0);
    let (code, text) = said(&bench, &source, "zstd-window-log", 20, false);
    assert!(code == 1 && text.contains("limit zstd-window-log"), "{text}");
}

/// A tar with an extension header of exactly so many bytes before a file.
pub fn extended(flag: u8, bytes: usize, name: &str, data: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    if flag == b'x' {
        let digits = bytes.to_string();
        let value = "v".repeat(bytes - digits.len() - " comment=\n".len());
        body.extend(format!("{digits} comment={value}\n").bytes());
    } else {
        body.extend(vec![b'n'; bytes - 1]);
        body.push(0);
    }
    assert_eq!(body.len(), bytes);
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::new(flag));
    header.set_size(body.len() as u64);
    header.set_path("extension").expect("short");
    header.set_cksum();
    tar.append(&header, &body[..]).expect("memory");
    let mut header = tar::Header::new_ustar();
    header.set_size(data.len() as u64);
    tar.append_data(&mut header, name, data).expect("memory");
    tar.into_inner().expect("memory")
}

#[test]
fn extensions_of_tar_headers() {
    for flag in [b'x', b'L'] {
        let layer = extended(flag, 5000, "file", b"x");
        let bench = Bench::new();
        let mut layout = bench.layout();
        one_layer(&mut layout, LAYER, &layer, &layer);
        let source = layout.finish();
        border(&bench, &source, "extension-bytes", 5000);
        // In the outer tar, before a member that nothing needs.
        let path = tar(&bench.dir.path().join("layout"));
        let mut outer = extended(flag, 6000, "extra", b"");
        outer.truncate(outer.len() - 1024);
        outer.extend(std::fs::read(&path).expect("read"));
        std::fs::write(&path, outer).expect("written");
        let source = path.display().to_string();
        border(&bench, &source, "extension-bytes", 6000);
        border_of(&bench, &source, "extension-bytes", 6000, true);
    }
}

/// A case of the corpus, and the sizes of those of its members that `wanted` picks by name and content.
fn case(bench: &Bench, path: &str, wanted: impl Fn(&str, &[u8]) -> bool) -> (String, Vec<u64>) {
    // Its name must not be that of a rule, which is looked for in what is said.
    let copy = bench.dir.path().join("case.tar");
    std::fs::copy(format!("{}/corpus/{path}/archive.tar", env!("CARGO_MANIFEST_DIR")), &copy)
        .expect("a case");
    let path = copy.to_str().expect("UTF-8").to_owned();
    let mut archive = ::tar::Archive::new(std::fs::File::open(&path).expect("a case"));
    let mut sizes = Vec::new();
    for entry in archive.entries().expect("a tar") {
        let mut entry = entry.expect("an entry");
        let name = entry.path().expect("a name").to_string_lossy().into_owned();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).expect("read");
        sizes.extend(wanted(&name, &bytes).then_some(bytes.len() as u64));
    }
    (path, sizes)
}

/// Whether a rule's finding is told with limits.
fn tells(bench: &Bench, source: &str, rule: &str, limits: &[(&str, u64)]) -> bool {
    let limits = limits.iter().flat_map(|(name, n)| ["--limit".to_owned(), format!("{name}={n}")]);
    let arguments: Vec<String> =
        std::iter::once("check".to_owned()).chain(limits).chain([source.to_owned()]).collect();
    let output = bench.restow.run_with(&arguments, None).expect("restow runs");
    assert!(output.code <= 1, "{}", output.stderr);
    String::from_utf8_lossy(&output.stdout).contains(rule) || output.stderr.contains(rule)
}

/// What nothing demands is passed over in silence: one that is too large tells of nothing.
#[test]
fn statements_of_attestations() {
    let bench = Bench::new();
    let is_one =
        |_: &str, bytes: &[u8]| bytes.starts_with(b"{") && bytes.windows(8).any(|text| text == b"\"_type\":");
    let (source, sizes) = case(&bench, "bad/attestation/wrong-subject", is_one);
    let [n] = sizes[..] else { panic!("one statement: {sizes:?}") };
    for limit in ["statement-bytes", "statements-bytes"] {
        assert!(
            tells(&bench, &source, "attestation/wrong-subject", &[(limit, n)]),
            "{limit}: {n} bytes are too many"
        );
        assert!(
            !tells(&bench, &source, "attestation/wrong-subject", &[(limit, n - 1)]),
            "{limit}: {n} bytes are read"
        );
    }
}

#[test]
fn images_of_the_first_era_beside_others() {
    let bench = Bench::new();
    let (source, sizes) = case(&bench, "good/docker-archive/docker-20.10", |name, _| name.ends_with("/json"));
    let n = sizes.into_iter().max().expect("v1 images");
    let differs = "docker-archive/legacy-differs";
    assert!(!tells(&bench, &source, differs, &[("v1-bytes", n)]), "{n} bytes are too many");
    // One that is not read is as one that is not there.
    assert!(tells(&bench, &source, differs, &[("v1-bytes", n - 1)]), "{n} bytes are read");
    assert!(
        tells(&bench, &source, differs, &[("v1-bytes", 0), ("v1-images", 1)]),
        "the first was not looked at"
    );
    assert!(
        !tells(&bench, &source, differs, &[("v1-bytes", 0), ("v1-images", 0)]),
        "the first was looked at"
    );
}
