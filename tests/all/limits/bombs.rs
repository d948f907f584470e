//! Small archives that claim, or unfold to, very much. None takes long, and none takes more memory than is allowed.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use restow::digest::Digest;

use super::borders::extended;
use crate::common::layer_of;
use crate::layout::{Bench, INDEX, LAYER, MANIFEST, sha256, tar};

/// What a run may take: most of it is the code itself, unoptimised.
const MEMORY: u64 = 160 << 20;
const TIME: Duration = Duration::from_secs(60);

/// Runs to the end, within bounds; the exit code and what was said.
fn bounded(bench: &Bench, input: Option<&Path>, arguments: &[&str]) -> (i32, String) {
    bounded_by(bench, input, arguments, MEMORY)
}

fn bounded_by(bench: &Bench, input: Option<&Path>, arguments: &[&str], memory: u64) -> (i32, String) {
    let (code, said, peak) = measured(bench, input, arguments);
    assert!(peak < memory, "{arguments:?} took {} MB", peak >> 20);
    (code, said)
}

/// Runs to the end; the exit code, what was said, and the most memory that it took.
pub fn measured(bench: &Bench, input: Option<&Path>, arguments: &[&str]) -> (i32, String, u64) {
    let mut restow = bench.restow.command();
    restow.args(arguments).args(["--jobs", "2"]);
    restow.stdin(input.map_or_else(Stdio::null, |path| std::fs::File::open(path).expect("opened").into()));
    let out = bench.dir.path().join("said");
    let file = std::fs::File::create(&out).expect("created");
    restow.stdout(file.try_clone().expect("a handle")).stderr(file);
    let begun = Instant::now();
    let mut child = restow.spawn().expect("restow starts");
    let status = format!("/proc/{}/status", child.id());
    let (exe, own) = (format!("/proc/{}/exe", child.id()), std::env::current_exe().expect("a name"));
    let mut peak = 0;
    let code = loop {
        // The kernel keeps the highest value for us; the last look before the end is near it. Until a child has become
        // restow its memory is that of this process.
        let is_restow = std::fs::read_link(&exe).is_ok_and(|exe| exe != own);
        let text =
            if is_restow { std::fs::read_to_string(&status).unwrap_or_default() } else { String::new() };
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes =
            line.and_then(|line| line.trim().strip_suffix(" kB")).and_then(|n| n.parse::<u64>().ok());
        peak = peak.max(kilobytes.unwrap_or(0) << 10);
        if let Some(status) = child.try_wait().expect("waited") {
            break status.code();
        }
        assert!(begun.elapsed() < TIME, "{arguments:?} takes more than {TIME:?}");
        std::thread::sleep(Duration::from_millis(2));
    };
    // A run may end before it was looked at.
    assert!(peak > 0 || begun.elapsed() < Duration::from_millis(100), "the peak of memory was not seen");
    if std::env::var_os("RESTOW_PEAKS").is_some() {
        let _ = writeln!(std::io::stderr(), "{:>5} MB {:>8.2?} {arguments:?}", peak >> 20, begun.elapsed());
    }
    let said = String::from_utf8_lossy(&std::fs::read(out).expect("read")).into_owned();
    (code.unwrap_or(-1), said, peak)
}

/// A layout with one layer, stored as it is given.
fn with_layer(bench: &Bench, suffix: &str, stored: &[u8], plain: &[u8]) -> String {
    let mut layout = bench.layout();
    let image = layout.image_of(&[(&format!("{LAYER}{suffix}"), stored, plain)]);
    layout.root(&image, "bomb");
    layout.finish()
}

/// A zstd frame of so many blocks of 128 KiB of zeros: four bytes for each.
fn zstd_zeros(blocks: usize) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58];
    let size: u32 = 128 << 10;
    for i in 0..blocks {
        let header = (size << 3) | (1 << 1) | u32::from(i + 1 == blocks);
        frame.extend(&header.to_le_bytes()[..3]);
        frame.push(0);
    }
    frame
}

fn gzip_zeros(bytes: usize) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![0; 1 << 20];
    for _ in 0..bytes >> 20 {
        gzip.write_all(&zeros).expect("memory");
    }
    gzip.finish().expect("memory")
}

/// A file of a folder may be of any length at no cost: it must not cost a day of hashing.
#[test]
fn a_sparse_layer_of_a_tebibyte_is_not_read() {
    let bench = Bench::new();
    let source = with_layer(&bench, "", b"not long", b"not long");
    let folder =
        std::path::Path::new(source.split_once(':').map_or(&*source, |(_, path)| path)).join("blobs/sha256");
    let files = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let layer = files.min_by_key(|path| path.metadata().expect("a file").len()).expect("a layer");
    std::fs::File::options().write(true).open(layer).and_then(|file| file.set_len(1 << 40)).expect("sparse");
    let out = bench.out("oci");
    for words in [&["check", &source][..], &["convert", &source, &out]] {
        let (code, said) = bounded(&bench, None, words);
        assert_eq!(code, 1, "{said}");
        assert!(
            said.contains("layer/too-large") && said.contains("--limit layer-bytes=1099511627776"),
            "{said}"
        );
        assert!(words[0] != "check" || said.contains("descriptor/size-mismatch"), "{said}");
        assert!(!bench.dir.path().join("out").exists());
    }
}

#[test]
fn compressed_zeros_end_at_the_limit() {
    for (suffix, stored) in [("+gzip", gzip_zeros(300 << 20)), ("+zstd", zstd_zeros(2400))] {
        assert!(stored.len() < 400_000, "{}", stored.len());
        let bench = Bench::new();
        let source = with_layer(&bench, suffix, &stored, b"");
        let limit = ["--limit", "layer-bytes=200000000"];
        let (code, said) = bounded(&bench, None, &["check", &source, limit[0], limit[1]]);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("--limit layer-bytes="), "{said}");
        let out = bench.out("docker-archive");
        for options in [&["--compress", "none"][..], &["--compress", "zstd"], &["--docker-format", "legacy"]]
        {
            let words = [&["convert"], options, &limit, &[&source, &out]].concat();
            let (code, said) = bounded(&bench, None, &words);
            assert_eq!(code, 1, "{said}");
            assert!(!bench.dir.path().join("out").exists());
        }
        // The same around the archive.
        let path = bench.dir.path().join("outer");
        std::fs::write(&path, &stored).expect("written");
        let (code, said) = bounded(&bench, None, &["inspect", &path.display().to_string()]);
        assert_eq!(code, 2, "{said}");
    }
}

#[test]
fn a_window_of_half_a_gigabyte_is_not_allocated() {
    let plain = layer_of("file", b"x");
    // A frame that asks for a window of 2^29 bytes, and has one raw block.
    let mut stored = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, (29 - 10) << 3];
    let header = (plain.len() as u32) << 3 | 1;
    stored.extend(&header.to_le_bytes()[..3]);
    stored.extend(&plain);
    let bench = Bench::new();
    let source = with_layer(&bench, "+zstd", &stored, &plain);
    let (code, said) = bounded(&bench, None, &["check", &source]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("--limit zstd-window-log="), "{said}");
}

#[test]
fn deep_and_huge_json() {
    let deep = |open: &str, close: &str, n: usize| format!("{}{}", open.repeat(n), close.repeat(n));
    let huge = format!(
        r#"{{"architecture":"amd64","os":"{}","rootfs":{{"type":"layers","diff_ids":[]}}}}"#,
        "x".repeat(15 << 20)
    );
    for (what, text, option) in [
        ("arrays", deep("[", "]", 400_000), "json-depth"),
        ("objects", deep(r#"{"a":"#, "}", 400_000), "json-depth"),
        ("open", "[".repeat(400_000), ""),
        ("string", huge, ""),
        ("large", format!("[\"{}\"]", "x".repeat(17 << 20)), "document-bytes"),
    ] {
        for name in ["manifest.json", "index.json", "repositories"] {
            let bench = Bench::new();
            let folder = bench.dir.path().join("archive");
            std::fs::create_dir(&folder).expect("a folder");
            std::fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("written");
            std::fs::write(folder.join(name), &text).expect("written");
            let folder = folder.display().to_string();
            let (code, said) = bounded(&bench, None, &["check", &folder]);
            assert!(matches!(code, 1 | 2), "{what} {name}: {said}");
            assert!(said.len() < 100_000, "{what} {name}: {} bytes of report", said.len());
            let read = name == "index.json" || name == "manifest.json" && what != "objects";
            if read && !option.is_empty() {
                assert!(said.contains(&format!("--limit {option}=")), "{what} {name}: {said}");
            }
        }
        let bench = Bench::new();
        let mut layout = bench.layout();
        let config = layout.add(sha256(), crate::layout::CONFIG, text.as_bytes());
        let layer = layout.add(sha256(), LAYER, &layer_of("f", b"x"));
        let manifest = layout.manifest(&config, &layer);
        layout.root(&manifest, "bomb");
        let source = layout.finish();
        for command in [
            &["check", &source][..],
            &["inspect", "--json", &source],
            &["convert", &source, &bench.out("dir")],
        ] {
            let (code, said) = bounded(&bench, None, command);
            assert!((0..=2).contains(&code), "{what} {command:?}: {said}");
        }
    }
}

#[test]
fn sparse_files_that_claim_exabytes() {
    let mut layers = Vec::new();
    // As GNU tar marks them, with a real size of eight exbibytes less one.
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::GNUSparse);
    header.set_size(0);
    header.set_path("sparse").expect("short");
    if let Some(gnu) = header.as_gnu_mut() {
        gnu.realsize = [0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        gnu.sparse[0].offset = *b"777777777777";
        gnu.sparse[0].numbytes = *b"00000000000\0";
    }
    header.set_cksum();
    let mut layer = header.as_bytes().to_vec();
    layer.extend([0; 1024]);
    layers.push(layer);
    // As PAX records.
    for records in [
        &[
            ("GNU.sparse.major", "1"),
            ("GNU.sparse.minor", "0"),
            ("GNU.sparse.realsize", "9223372036854775807"),
        ][..],
        &[("GNU.sparse.size", "9223372036854775807"), ("GNU.sparse.map", "0,1,9223372036854775806,1")],
        &[("size", "9223372036854775807")],
        &[("size", "18446744073709551615")],
        &[("size", "99999999999999999999999999")],
    ] {
        let mut tar = tar::Builder::new(Vec::new());
        let records = records.iter().map(|(key, value)| (*key, value.as_bytes()));
        tar.append_pax_extensions(records).expect("memory");
        let mut header = tar::Header::new_ustar();
        header.set_size(3);
        tar.append_data(&mut header, "sparse", &b"0\n\n"[..]).expect("memory");
        layers.push(tar.into_inner().expect("memory"));
    }
    // A size that the header itself claims.
    let mut header = tar::Header::new_gnu();
    header.set_size(0);
    header.set_path("huge").expect("short");
    header.as_old_mut().size = [0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    header.set_cksum();
    layers.push([&header.as_bytes()[..], &[0; 1024]].concat());
    for (i, layer) in layers.iter().enumerate() {
        let bench = Bench::new();
        let source = with_layer(&bench, "", layer, layer);
        let out = bench.out("docker-archive");
        for command in [&["check", &source][..], &["convert", &source, &out]] {
            let (code, said) = bounded(&bench, None, command);
            assert!((0..=2).contains(&code), "{i} {command:?}: {said}");
        }
        // As the archive itself, in a file and as a stream.
        let path = bench.dir.path().join("outer.tar");
        let mut outer = std::fs::read(tar(&bench.dir.path().join("layout"))).expect("read");
        let end = outer.iter().rposition(|byte| *byte != 0).expect("a tar").next_multiple_of(512);
        outer.truncate(end);
        outer.extend(layer);
        std::fs::write(&path, outer).expect("written");
        let (code, said) = bounded(&bench, None, &["check", &path.display().to_string()]);
        assert!((0..=2).contains(&code), "{i}: {said}");
        let (code, said) = bounded(&bench, Some(&path), &["check", "-"]);
        assert!((0..=2).contains(&code), "{i}: {said}");
    }
}

#[test]
fn very_many_members_and_headers() {
    // 60,000 members that nothing needs.
    let bench = Bench::new();
    let mut layout = bench.layout();
    let image = layout.image("amd64", sha256(), &layer_of("f", b"x"));
    layout.root(&image, "many");
    layout.finish();
    let path = tar(&bench.dir.path().join("layout"));
    let mut many = Vec::new();
    for i in 0..60_000 {
        let mut header = tar::Header::new_ustar();
        header.set_size(0);
        header.set_path(format!("m{i}")).expect("short");
        header.set_cksum();
        many.extend(header.as_bytes());
    }
    many.extend(std::fs::read(&path).expect("read"));
    std::fs::write(&path, many).expect("written");
    let source = path.display().to_string();
    for (input, place) in [(None, &*source), (Some(&*path), "-")] {
        let (code, said) = bounded(&bench, input, &["check", "-q", place]);
        assert!(matches!(code, 0 | 1), "{said}");
        let (code, said) = bounded(&bench, input, &["check", place, "--limit", "members=50000"]);
        // What shows that it is an archive comes behind the limit, so it is not taken for anything.
        assert!(matches!(code, 1 | 2), "{said}");
        assert!(said.contains("--limit members="), "{said}");
    }

    // PAX headers and long names, one after the other, before one file; and a name of a hundred kilobytes.
    let mut chain = Vec::new();
    for flag in [b'x', b'L', b'x', b'L'].repeat(500) {
        let part = extended(flag, 2000, "f", b"");
        chain.extend(&part[..part.len() - 1024 - 512]);
    }
    chain.extend(layer_of("f", b"x"));
    for layer in [chain, extended(b'L', 100_000, "f", b"x"), extended(b'x', 1 << 20, "f", b"x")] {
        let bench = Bench::new();
        let source = with_layer(&bench, "", &layer, &layer);
        let (code, said) = bounded(&bench, None, &["check", &source]);
        assert!(matches!(code, 0 | 1), "{said}");
        assert!(said.len() < 200_000, "{} bytes of report", said.len());
    }
}

#[test]
fn links_in_circles() {
    let links = |kind: tar::EntryType, pairs: &[(&str, &str)]| {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, target) in pairs {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(0);
            tar.append_link(&mut header, name, target).expect("memory");
        }
        tar.into_inner().expect("memory")
    };
    for kind in [tar::EntryType::Symlink, tar::EntryType::Link] {
        for pairs in [
            &[("a", "a")][..],
            &[("a", "b"), ("b", "a")],
            &[("d", "."), ("d/d/d/d/x", "d/x")],
            &[("manifest.json", "index.json"), ("index.json", "manifest.json"), ("oci-layout", "oci-layout")],
            &[("blobs", "blobs/sha256"), ("blobs/sha256", "../blobs")],
        ] {
            let bytes = links(kind, pairs);
            let bench = Bench::new();
            let source = with_layer(&bench, "", &bytes, &bytes);
            let (code, said) = bounded(&bench, None, &["check", &source]);
            assert!(matches!(code, 0 | 1), "{said}");
            let path = bench.dir.path().join("outer.tar");
            // In front of a sound archive, and alone.
            let sound = std::fs::read(tar(&bench.dir.path().join("layout"))).expect("read");
            for bytes in [[&bytes[..bytes.len() - 1024], &sound].concat(), bytes.clone()] {
                std::fs::write(&path, &bytes).expect("written");
                for (input, place) in [(None, &*path.display().to_string()), (Some(&*path), "-")] {
                    let (code, said) = bounded(&bench, input, &["check", place]);
                    assert!(matches!(code, 1 | 2) || code == 0, "{said}");
                    bounded(&bench, input, &["convert", place, &bench.out("dir")]);
                    let _ = std::fs::remove_dir_all(bench.dir.path().join("out"));
                }
            }
        }
    }
}

#[test]
fn graphs_that_hold_themselves() {
    // A blob under the name that it lists itself by: no hash is needed to make one, only a wrong name.
    let bench = Bench::new();
    let mut layout = bench.layout();
    let name = Digest::sha256(b"not what it holds");
    let other = Digest::sha256(b"nor this");
    let descriptor = |digest: &Digest, size: usize| {
        format!(r#"{{"mediaType":"{INDEX}","digest":"{digest}","size":{size}}}"#)
    };
    let index = |child: &Digest| {
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{0},{0}]}}"#,
            descriptor(child, 300)
        )
    };
    layout.put(name.as_str(), index(&other).as_bytes());
    layout.put(other.as_str(), index(&name).as_bytes());
    let size = index(&other).len();
    layout.root(&descriptor(&name, size), "loop");
    // And an image whose manifest is its own config and layer.
    let own = Digest::sha256(b"itself");
    let part = |kind: &str| format!(r#"{{"mediaType":"{kind}","digest":"{own}","size":9}}"#);
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{},"layers":[{}],"subject":{}}}"#,
        part(MANIFEST),
        part(LAYER),
        part(MANIFEST)
    );
    layout.put(own.as_str(), manifest.as_bytes());
    layout.root(&part(MANIFEST), "own");
    let source = layout.finish();
    let tar = tar(&bench.dir.path().join("layout"));
    for (input, place) in [(None, &*source), (Some(&*tar), "-")] {
        for command in [
            &["check", place][..],
            &["inspect", place],
            &["inspect", "--json", place],
            &["compare", place, &source],
            &["convert", place, &bench.out("dir")],
            &["convert", "-W", "all", place, &bench.out("docker-archive")],
        ] {
            let (code, said) = bounded(&bench, input, command);
            assert!((0..=2).contains(&code), "{command:?}: {said}");
        }
    }
}

#[test]
fn names_of_two_megabytes() {
    let bench = Bench::new();
    let mut layout = bench.layout();
    let image = layout.image("amd64", sha256(), &layer_of("f", b"x"));
    let name = "x".repeat(2 << 20);
    layout.root(&image, &name);
    layout.root(&image, &format!("docker.io/lab/app:{name}"));
    let source = layout.finish();
    for (expected, command) in [
        (2, &["inspect", "--image", "lab/other:1", &source][..]),
        // Such a name keeps the archive from being written, whatever is selected.
        (1, &["convert", "--image", "lab/app:1", &source, &bench.out("oci")]),
        (0, &["inspect", &source]),
        (1, &["check", "-D", "name", &source]),
    ] {
        let (code, said) = bounded_by(&bench, None, command, 500 << 20);
        assert_eq!(code, expected, "{command:?}: {}", &said[..said.len().min(1000)]);
        assert!(said.len() < 10_000 || expected == 0, "{command:?}: {} bytes were said", said.len());
    }
    for form in ["oci", "dir", "docker-archive", "registry-storage"] {
        let (code, _) = bounded_by(&bench, None, &["convert", &source, &bench.out(form)], 500 << 20);
        assert!((0..=2).contains(&code), "{form}");
        let out = bench.dir.path().join("out");
        let _ = std::fs::remove_dir_all(&out).or_else(|_| std::fs::remove_file(&out));
    }
}

/// What a few kilobytes unfold to is no more than their share of the disk, whether it is a member or follows the end.
#[test]
fn zeros_in_and_behind_a_compressed_archive() {
    let bench = Bench::new();
    let path = bench.dir.path().join("bomb.tar.zst");
    let mut header = tar::Header::new_ustar();
    header.set_path("blobs/sha256/a").expect("a name");
    header.set_mode(0o644);
    header.set_size(8 << 30);
    header.set_cksum();
    let frame = |data: &[u8]| zstd::stream::encode_all(data, 1).expect("memory");
    // Blocks of 128 KiB: more than a GiB of zeros.
    let zeros = zstd_zeros(9 * 1024);
    let mut small = header.clone();
    small.set_path("oci-layout").expect("a name");
    small.set_size(0);
    small.set_cksum();
    for begin in [header.as_bytes().to_vec(), [&small.as_bytes()[..], &[0; 1024]].concat()] {
        std::fs::write(&path, [frame(&begin), zeros.clone()].concat()).expect("written");
        let (code, said) = bounded(&bench, None, &["check", &path.display().to_string()]);
        assert!(code == 1 && said.contains("limit spool-ratio"), "{said}");
        let (code, said) = bounded(&bench, Some(&path), &["check", "-"]);
        assert!(code == 1 && said.contains("limit spool-ratio"), "{said}");
    }
}

/// Half a million names: what an archive of 20 MB may hold.
#[test]
fn half_a_million_names() {
    let bench = Bench::new();
    let layer = layer_of("file", b"content");
    let diff_id = Digest::sha256(&layer);
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{diff_id}"]}}}}"#
    );
    let tags: Vec<String> = (0..490_000).map(|i| format!(r#""example.com/a:{i}""#)).collect();
    let manifest = format!(r#"[{{"Config":"c.json","RepoTags":[{}],"Layers":["l.tar"]}}]"#, tags.join(","));
    let mut archive = tar::Builder::new(Vec::new());
    for (name, data) in
        [("c.json", config.as_bytes()), ("l.tar", &layer), ("manifest.json", manifest.as_bytes())]
    {
        let mut header = tar::Header::new_ustar();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, data).expect("memory");
    }
    let path = bench.dir.path().join("names.tar");
    std::fs::write(&path, archive.into_inner().expect("memory")).expect("written");
    let (code, said) = bounded_by(&bench, None, &["check", &path.display().to_string()], 600 << 20);
    assert!(code == 1 && said.contains("limit names"), "{}", &said[..said.len().min(2000)]);
}
