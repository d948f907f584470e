//! What the command line promises: exit codes, names, selection, merging, and what happens when it is interrupted.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::common::{Output, Restow, layer_of, noise, tree_digest};
use crate::layout::{LAYER, Layout, tar};
use inspected::Archive;
use restow::digest::Digest;

mod inspected;

const MULTI: &str = "oci/multiplatform-attestation-nested";
const DUAL: &str = "docker-archive/docker-29-containerd";
const IMAGE: &str = "sha256:0fef9c03549352eb68d88ceb9a8c2c8d7809603d7744fdeb76fcb89cc1436d4c";

struct Test {
    dir: tempfile::TempDir,
    restow: Restow,
}

fn case(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus/good")
        .join(name)
        .join("archive.tar")
        .display()
        .to_string()
}

impl Test {
    fn new() -> Test {
        let dir = tempfile::tempdir().expect("temporary directory");
        let restow = Restow::new(dir.path()).wide();
        Test { dir, restow }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn place(&self, form: &str, name: &str) -> String {
        format!("{form}:{}", self.path(name).display())
    }

    #[track_caller]
    fn run(&self, code: i32, arguments: &[&str]) -> Output {
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        let output = self.restow.run(&arguments).expect("restow runs");
        assert_eq!(
            output.code,
            code,
            "restow {}\n{}{}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stdout),
            output.stderr
        );
        output
    }

    #[track_caller]
    fn says(&self, code: i32, arguments: &[&str], words: &[&str]) {
        let output = self.run(code, arguments);
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), output.stderr);
        for word in words {
            assert!(said.contains(word), "`{word}` is not in:\n{said}");
        }
    }

    fn inspect(&self, place: &str) -> Archive {
        Archive::inspect(&self.restow, place).expect("inspect")
    }
}

#[test]
fn an_image_is_chosen_by_name_tag_digest_id_and_number() {
    let test = Test::new();
    let id = &IMAGE["sha256:".len()..][..12];
    let manifest = "sha256:7528445e3b5cf3ad2fbb2c3459aa32879a2d0894881d074e854a375a467c8d5d";
    for (i, name) in ["lab/dup:one", "docker.io/lab/dup:one", "one", id, IMAGE, manifest, "@0", "lab/dup"]
        .iter()
        .enumerate()
    {
        let out = test.place("oci", &format!("out{i}"));
        test.run(0, &["convert", "--image", name, &case(DUAL), &out]);
        assert!(test.inspect(&out).images.iter().any(|image| image.id.as_deref() == Some(IMAGE)), "{name}");
    }
    let one = test.place("oci", "one");
    test.run(0, &["convert", &format!("docker-archive:{}:lab/dup:one", case(DUAL)), &one]);
    let names = &test.inspect(&one).images[0].names;
    assert_eq!(names.iter().collect::<Vec<_>>(), ["lab/dup:one"]);
    let missing = ["convert", "--image", "lab/dup:onw", &case(DUAL), &test.place("oci", "none")];
    test.says(2, &missing, &["no image `lab/dup:onw`", "did you mean `lab/dup:one`?", "lab/dup:two"]);
    assert!(!test.path("none").exists());
}

#[test]
fn platforms_are_kept_by_name_or_the_ones_that_exist_are_listed() {
    let test = Test::new();
    let one = test.place("oci", "one");
    test.run(0, &["convert", "--platform", "linux/aarch64", &case(MULTI), &one]);
    let archive = test.inspect(&one);
    assert_eq!(archive.images.len(), 1, "one match: the root becomes that manifest");
    assert_eq!(archive.images[0].platform.as_deref(), Some("linux/arm64"));
    let two = test.place("oci", "two");
    test.run(0, &["convert", "--platform", "linux/amd64", "--platform", "linux/arm/v7", &case(MULTI), &two]);
    let kinds: Vec<String> = test.inspect(&two).images.into_iter().map(|image| image.kind).collect();
    assert_eq!(kinds, ["index", "image", "image", "attestation"], "the attestation stays with its image");
    test.run(0, &["check", &two]);
    let sparse = test.place("oci", "sparse");
    test.run(0, &["convert", "--sparse", "--platform", "linux/arm64", &case(MULTI), &sparse]);
    let index = "sha256:c689a5429fb67968f2d27de4699b02cca693354c1e90e621d452d5c995b14b72";
    assert_eq!(test.inspect(&sparse).images[0].digest.as_deref(), Some(index), "sparse keeps the index");
    let missing = ["convert", "--platform", "linux/s390x", &case(MULTI), &test.place("oci", "none")];
    test.says(2, &missing, &["no image for linux/s390x", "linux/amd64, linux/arm/v7, linux/arm64"]);
}

/// A part of an archive is judged alone: by a name behind the place or with `--image`, and by `--platform`; the verdict says
/// how much it is.
#[test]
fn a_part_of_an_archive_is_judged_alone() {
    let test = Test::new();
    let multi = case(MULTI);
    for (options, said) in [
        (&["--platform", "linux/arm64"][..], "1 of "),
        (&["--platform", "linux/arm64", "--platform", "linux/amd64"], "2 of "),
        (&["--platform", "linux/arm64", "--verify", "digests"], "1 of "),
        (&["--image", "@0", "--platform", "linux/arm64"], "1 of "),
    ] {
        test.says(0, &[&["check"], options, &[&multi]].concat(), &[said, "sound"]);
    }
    test.says(0, &["check", &format!("docker-archive:{}:lab/dup:one", case(DUAL))], &["sound"]);
    test.says(2, &["check", "--platform", "linux/s390x", &multi], &["linux/s390x", "linux/arm64"]);
    test.says(2, &["check", "--image", "lab/none:1", &multi], &["no image `lab/none:1`"]);
}

#[test]
fn names_are_replaced_and_changed() {
    let test = Test::new();
    let tagged = test.place("docker-archive", "tagged.tar");
    test.run(0, &["convert", "--tag", "quay.io/a/b:c", &case(DUAL), &tagged]);
    let names = &test.inspect(&tagged).images[0].names;
    assert_eq!(names.iter().collect::<Vec<_>>(), ["quay.io/a/b:c"]);
    let renamed = test.place("docker-archive", "renamed.tar");
    test.run(0, &["convert", "--rename", "lab/dup:one=lab/dup:1", &case(DUAL), &renamed]);
    let names = &test.inspect(&renamed).images[0].names;
    assert_eq!(names.iter().collect::<Vec<_>>(), ["lab/dup:1", "lab/dup:two"]);
    let none = test.place("oci", "none");
    test.says(
        2,
        &["convert", "--rename", "a=b", &case(DUAL), &none],
        &["no image is called `a`", "lab/dup:one"],
    );
    test.says(2, &["convert", "--tag", "lab/UPPER:1", &case(DUAL), &none], &["not an image name"]);
}

#[test]
fn digests_are_preserved_or_the_conversion_is_refused() {
    let test = Test::new();
    let out = test.place("oci", "out");
    let zstd = ["convert", "--preserve-digests", "--compress", "zstd", &case(MULTI), &out];
    test.says(2, &zstd, &["--preserve-digests", "would change"]);
    assert!(!test.path("out").exists());
    test.run(0, &["convert", "--preserve-digests", &case(MULTI), &out]);
}

#[test]
fn manifests_go_to_docker_and_back_with_the_same_digests() {
    let test = Test::new();
    let (docker, oci) = (test.place("oci", "docker"), test.place("oci", "oci"));
    let source = case(MULTI);
    test.says(
        2,
        &["convert", "--manifest-format", "docker", &source, &docker],
        &["attestation", "--drop attestations"],
    );
    let drop = "attestations,annotations";
    test.run(0, &["convert", "--manifest-format", "docker", "--drop", drop, &source, &docker]);
    test.run(0, &["check", &docker]);
    test.run(0, &["convert", "--manifest-format", "oci", &docker, &oci]);
    test.run(0, &["compare", "--ignore", "digests", &docker, &oci]);
    let ids = |place: &str| {
        let images = test.inspect(place).images;
        images.into_iter().filter(|i| i.kind == "image").map(|i| (i.id, i.digest)).collect::<Vec<_>>()
    };
    assert_eq!(ids(&source), ids(&oci), "J.1: the manifests come back byte for byte");
}

/// A docker-archive of three layers that are long enough for every stage to have a thread of its own.
fn write_large(path: &Path) {
    let mut tar = tar::Builder::new(std::fs::File::create(path).expect("a new file"));
    let mut add = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes).expect("written");
    };
    let mut layers = Vec::new();
    for n in 0..3_u32 {
        let text: Vec<u8> =
            (0..40_000_u32).flat_map(|i| format!("{} {}\n", i * i % 7919, i ^ n).into_bytes()).collect();
        let mut layer = tar::Builder::new(Vec::new());
        for i in 0..=n {
            let mut header = tar::Header::new_ustar();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            layer.append_data(&mut header, format!("layer{n}/file{i}"), &*text).expect("into memory");
        }
        layers.push(layer.into_inner().expect("into memory"));
    }
    let diff_ids: Vec<String> =
        layers.iter().map(|layer| restow::digest::Digest::sha256(layer).to_string()).collect();
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    for (n, layer) in layers.iter().enumerate() {
        add(&format!("{n}.tar"), layer);
    }
    add("config.json", config.to_string().as_bytes());
    add(
        "manifest.json",
        br#"[{"Config":"config.json","RepoTags":["lab/large:1"],"Layers":["0.tar","1.tar","2.tar"]}]"#,
    );
    tar.finish().expect("written");
}

#[test]
fn the_number_of_jobs_changes_no_byte() {
    let test = Test::new();
    let source = test.path("large.tar");
    write_large(&source);
    let source = source.display().to_string();
    for codec in ["keep", "gzip", "zstd"] {
        // With digests known beforehand, blobs get their places in a tar first.
        let layout = test.place("oci", &format!("{codec}-oci-2"));
        for (form, from) in [("oci", &source), ("docker-archive", &source), ("oci-archive", &layout)] {
            let made: Vec<_> = ["1", "2", "16"]
                .iter()
                .map(|jobs| {
                    let name = format!("{codec}-{form}-{jobs}");
                    let place = test.place(form, &name);
                    test.run(0, &["convert", "--jobs", jobs, "--compress", codec, from, &place]);
                    tree_digest::files(&test.path(&name)).expect("read")
                })
                .collect();
            assert!(!made[0].is_empty());
            assert_eq!(made[0], made[1], "{codec} {form}");
            assert_eq!(made[0], made[2], "{codec} {form}");
        }
        test.run(
            0,
            &[
                "compare",
                "--ignore",
                "layers,digests",
                &source,
                &test.place("oci", &format!("{codec}-oci-2")),
            ],
        );
    }
}

#[test]
fn the_number_of_jobs_changes_no_verdict() {
    let test = Test::new();
    let cases = ["blob/digest-mismatch", "blob/missing", "config/diff-id-mismatch", "many/ten-faults"];
    let out = test.path("out").display().to_string();
    for name in cases {
        let source = case(&format!("../bad/{name}"));
        for (form, legacy) in [("oci-archive", false), ("docker-archive", false), ("docker-archive", true)] {
            let said: Vec<_> = ["1", "2", "16"]
                .iter()
                .map(|jobs| {
                    let place = format!("{form}:{out}");
                    let mut arguments = vec!["convert", "--force", "--jobs", jobs, &source, &place];
                    arguments.extend(legacy.then_some(["--docker-format", "legacy"]).into_iter().flatten());
                    let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
                    let output = test.restow.run(&arguments).expect("restow runs");
                    (output.code, output.stderr)
                })
                .collect();
            assert_ne!(said[0].0, 0, "{name}");
            assert_eq!(said[0], said[1], "{name} to {form}");
            assert_eq!(said[0], said[2], "{name} to {form}");
        }
    }
    // What the legacy form cannot name is found after what is broken, however many blobs are read at once.
    let mut layout = Layout::new(&test.path("layout"));
    let layers = [layer_of("a", b"1"), layer_of("b", b"2")];
    let held = [(LAYER, &layers[0][..], &layers[0][..]), (LAYER, &layers[1], b"another")];
    let image = layout.image_of(&held);
    layout.root(&image, "lab/app:1");
    let source = layout.finish();
    let first = test.path("layout/blobs/sha256").join(Digest::sha256(&layers[0]).encoded());
    std::fs::write(first, [7; 2048]).expect("written");
    for jobs in ["1", "2"] {
        let out = test.place("docker-archive", "legacy.tar");
        let arguments = ["convert", "--jobs", jobs, "--docker-format", "legacy", &source, &out];
        test.says(1, &arguments, &["blob/digest-mismatch", "config/diff-id-mismatch", "nothing was written"]);
    }
}

#[test]
fn layers_are_compressed_on_request_and_keep_their_diff_ids() {
    let test = Test::new();
    let source = case("docker-archive/docker-20.10");
    for (n, codec) in ["gzip", "zstd", "none", "gzip:1", "zstd:9"].iter().enumerate() {
        let out = test.place("oci", &format!("out{n}"));
        test.run(0, &["convert", "--compress", codec, &source, &out]);
        test.run(0, &["check", &out]);
        test.run(0, &["compare", "--ignore", "layers,digests", &source, &out]);
    }
    test.says(
        2,
        &["convert", "--compress", "gzip:13", &source, &test.place("oci", "x")],
        &["a level from 1 to 12"],
    );
}

#[test]
fn an_existing_layout_takes_more_images_and_a_corrupt_blob_is_replaced() {
    let test = Test::new();
    let layout = test.place("oci", "layout");
    test.run(0, &["convert", &case(MULTI), &layout]);
    test.run(0, &["convert", &case(DUAL), &layout]);
    let archive = test.inspect(&layout);
    assert!(archive.images.iter().any(|image| image.names.contains("lab/multi:1")));
    assert!(archive.images.iter().any(|image| image.names.contains("lab/dup:two")));
    let blob = test.path("layout/blobs").join(IMAGE.replace(':', "/"));
    std::fs::write(&blob, "broken").expect("blob");
    test.run(1, &["check", &layout]);
    test.says(0, &["convert", &case(DUAL), &layout], &["the destination held other bytes under this digest"]);
    test.run(0, &["check", &layout]);
    std::fs::write(test.path("layout/index.json"), "{").expect("index");
    test.run(2, &["convert", &case(DUAL), &layout]);
}

#[test]
fn a_destination_is_never_harmed_by_accident() {
    let test = Test::new();
    let file = test.place("oci-archive", "file.tar");
    std::fs::write(test.path("file.tar"), "precious").expect("file");
    test.says(2, &["convert", &case(DUAL), &file], &["--force"]);
    assert_eq!(std::fs::read(test.path("file.tar")).expect("file"), b"precious");
    test.run(0, &["convert", "--force", &case(DUAL), &file]);
    test.run(0, &["check", &file]);
    let layout = test.place("oci", "layout");
    test.run(0, &["convert", &case(DUAL), &layout]);
    let inside = test.place("oci", "layout/inside");
    test.says(2, &["convert", &layout, &inside], &["inside the source"]);
    test.says(2, &["convert", &layout, &layout], &["same place"]);
    test.says(2, &["convert", &case(DUAL), "out.tar"], &["does not say its form", "docker-archive:"]);
    test.says(2, &["convert", &case(DUAL), "oci:-"], &["standard output"]);
}

/// No word about levels makes sound what always blocks, and what is typed comes after the file.
#[test]
fn what_always_blocks_is_not_lowered() {
    let test = Test::new();
    let bad = |name: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/bad").join(name);
        folder.join("archive.tar").display().to_string()
    };
    let (odd, wrong) = (bad("archive/data-after-end"), bad("blob/digest-mismatch"));
    for words in [&["-A", "all"][..], &["-A", "blob"], &["-W", "all"]] {
        let arguments = [&["check"], words, &[wrong.as_str()]].concat();
        let out = String::from_utf8(test.run(1, &arguments).stdout).expect("UTF-8");
        assert!(out.contains("error[blob/digest-mismatch]") && !out.contains(": sound"), "{out}");
    }
    for flag in ["-A", "-W"] {
        let output = test.run(2, &["check", flag, "blob/digest-mismatch", &wrong]);
        assert!(output.stderr.contains("always blocks"), "{}", output.stderr);
    }
    let file = test.path("tmp/restow.toml");
    std::fs::write(&file, "[levels]\n\"archive/data-after-end\" = \"warning\"\n").expect("written");
    test.says(1, &["check", "--profile", "strict", &odd], &["error[archive/data-after-end]"]);
    test.says(
        0,
        &["check", "--profile", "strict", "-W", "archive", &odd],
        &["warning[archive/data-after-end]"],
    );
}

#[test]
fn soft_faults_are_lowered_by_flags_and_hard_ones_are_not() {
    let test = Test::new();
    test.run(0, &["convert", &case(MULTI), &test.place("oci", "layout")]);
    std::fs::remove_file(test.path("layout/oci-layout")).expect("there");
    let layout = test.place("oci", "layout");
    test.says(
        1,
        &["convert", &layout, &test.place("oci", "a")],
        &["archive/missing-oci-layout", "nothing was written"],
    );
    test.run(0, &["convert", "-W", "archive/missing-oci-layout", &layout, &test.place("oci", "b")]);
    test.run(1, &["check", "-A", "archive", "-D", "archive/missing-oci-layout", &layout]);
    test.run(0, &["check", "-D", "archive/missing-oci-layout", "-A", "archive", &layout]);
    std::fs::remove_file(
        test.path("layout/blobs")
            .join("sha256")
            .join("e4da8a5763fa7d52c05a76cef9296365c1dacb6fdf4f7b10a618e750f3fcbb66"),
    )
    .expect("there");
    test.says(1, &["convert", "-A", "all", &layout, &test.place("oci", "c")], &["blob/missing"]);
    test.says(2, &["check", "-A", "blob/mising", &layout], &["did you mean `blob/missing`?"]);
}

#[test]
fn diff_ids_are_taken_on_trust_if_only_digests_are_to_be_verified() {
    let test = Test::new();
    let bad = |name: &str| case(&format!("../bad/{name}"));
    let wrong = bad("config/diff-id-mismatch");
    for (n, form) in ["oci", "oci-archive", "dir", "docker-archive"].iter().enumerate() {
        let out = test.place(form, &format!("out{n}"));
        test.says(1, &["convert", &wrong, &out], &["config/diff-id-mismatch"]);
        let digests = ["convert", "--verify", "digests", &wrong, &out];
        test.says(0, &digests, &["1 layer: kept (only digests are verified,"]);
        test.says(1, &["check", &out], &["config/diff-id-mismatch"]);
    }
    let out = test.place("oci", "none");
    test.says(
        1,
        &["convert", "--verify", "digests", &bad("blob/digest-mismatch"), &out],
        &["nothing was written"],
    );
    test.says(2, &["convert", "--verify", "digests", "--check", &wrong, &out], &["cannot be used with"]);
    test.run(1, &["convert", "--verify", "all", "--check", &wrong, &out]);
    // Compressed anew, or named by no digest, layers are verified all the same.
    test.says(
        1,
        &["convert", "--verify", "digests", "--compress", "zstd", &wrong, &out],
        &["config/diff-id-mismatch"],
    );
    let source = case("docker-archive/docker-20.10");
    let told = test.run(0, &["convert", "--verify", "digests", &source, &out]);
    assert!(!told.stderr.contains("only digests"), "{}", told.stderr);
    // A stream decompresses what it spools; it says and does the same all the same.
    let large = layer_of("large", &noise(1, 200_000));
    let wrong_of = |layout: &Layout, kind: &str| layout.image_of(&[(kind, &large, b"another")]);
    let mut layout = Layout::new(&test.path("stream"));
    let image = wrong_of(&layout, LAYER);
    layout.root(&image, "lab/app:1");
    layout.finish();
    let input = tar(&test.path("stream"));
    for (digests, code) in [(true, 0), (false, 1)] {
        let mut arguments =
            vec!["convert".to_owned(), "-".into(), test.place("oci", &format!("from-{code}"))];
        arguments.extend(digests.then_some(["--verify", "digests"]).into_iter().flatten().map(str::to_owned));
        let output = test.restow.run_with(&arguments, Some(&input)).expect("restow runs");
        assert_eq!(
            (output.code, output.stderr.contains("only digests")),
            (code, digests),
            "{}",
            output.stderr
        );
    }
    // A layer that one image keeps and another has anew is verified, whichever comes first.
    let kinds = [LAYER, "application/vnd.oci.image.layer.nondistributable.v1.tar"];
    for (n, kinds) in [kinds, [kinds[1], kinds[0]]].iter().enumerate() {
        let mut layout = Layout::new(&test.path(&format!("both{n}")));
        for (i, kind) in kinds.iter().enumerate() {
            let image = wrong_of(&layout, kind);
            layout.root(&image, &format!("lab/app:{i}"));
        }
        let out = test.place("oci", &format!("anew{n}"));
        let arguments = ["convert", "--verify", "digests", "--compress", "zstd", &layout.finish(), &out];
        test.says(1, &arguments, &["config/diff-id-mismatch"]);
    }
    // Members of the old form are named by diff IDs.
    let halves = bad("archive/halves-disagree");
    let made = ["all", "digests"].map(|verify| {
        let out = test.place("docker-archive", &format!("legacy-{verify}.tar"));
        let lowered = ["convert", "-W", "archive/halves-disagree", "--docker-format", "legacy"];
        test.run(0, &[&lowered[..], &["--verify", verify, &halves, &out]].concat());
        std::fs::read(test.path(&format!("legacy-{verify}.tar"))).expect("there")
    });
    assert!(made[0] == made[1]);
}

#[test]
fn a_dry_run_tells_the_truth_and_writes_nothing() {
    let test = Test::new();
    test.says(
        0,
        &["convert", "--dry-run", &case(MULTI), &test.place("oci", "out")],
        &["manifest", "index", "kept"],
    );
    assert!(!test.path("out").exists());
    // What stands at a destination is asked, and stays as it is.
    let (layout, again) = (test.place("oci", "layout"), test.place("oci", "layout:app:1"));
    test.run(0, &["convert", &case(MULTI), &layout]);
    let taken = test.place("docker-archive", "taken.tar");
    test.run(0, &["convert", &case(DUAL), &taken]);
    let dual = case(DUAL);
    let runs: [(i32, &[&str]); 4] = [
        (2, &[&dual, &taken]),
        (0, &["--force", &dual, &taken]),
        (0, &[&dual, &again]),
        (2, &["--preserve-digests", "--compress", "zstd", &dual, &again]),
    ];
    for (code, arguments) in runs {
        let accounts = ["foreseen", "came"].map(|name| test.path(name).display().to_string());
        let [foreseen, came] = &accounts;
        let standing = || std::fs::read(test.path("layout/index.json")).expect("there");
        let before = standing();
        let dry = test.run(code, &[&["convert", "--dry-run", "--account", foreseen], arguments].concat());
        assert!(standing() == before, "{arguments:?}: a dry run wrote");
        let run = test.run(code, &[&["convert", "--account", came], arguments].concat());
        if code == 2 {
            assert_eq!(dry.stderr, run.stderr);
        }
        let told = accounts.map(|file| std::fs::read_to_string(file).ok());
        assert!(told[0] == told[1] && told[0].is_some() == (code == 0), "{arguments:?}: {told:?}");
        let _ = std::fs::remove_file(test.path("foreseen"));
        let _ = std::fs::remove_file(test.path("came"));
    }
}

#[test]
fn a_name_that_a_merge_takes_has_a_line() {
    let test = Test::new();
    let multi = case(MULTI);
    for to in [test.place("oci", "layout:app:1"), test.place("registry-storage", "storage:lab/app:1")] {
        test.run(0, &["convert", &case(DUAL), &to]);
        let says = ["moved sha256:", "what it named in the destination stays there without it"];
        test.says(0, &["convert", "--platform", "linux/amd64", "--dry-run", &multi, &to], &says);
        test.says(0, &["convert", "--platform", "linux/amd64", &multi, &to], &says);
    }
}

#[test]
fn an_empty_layout_is_merged_into() {
    let test = Test::new();
    let null = r#"{"schemaVersion":2,"manifests":null}"#;
    let empty = r#"{"schemaVersion":2,"manifests":[]}"#;
    for (name, index) in [("umoci", Some(null)), ("deleted", Some(empty)), ("died", None)] {
        std::fs::create_dir_all(test.path(name).join("blobs/sha256")).expect("made");
        if let Some(index) = index {
            std::fs::write(test.path(name).join("index.json"), index).expect("written");
            let marker = r#"{"imageLayoutVersion":"1.0.0"}"#;
            std::fs::write(test.path(name).join("oci-layout"), marker).expect("written");
        }
        let place = test.place("oci", name);
        test.run(0, &["convert", &case(DUAL), &place]);
        test.run(0, &["check", &place]);
        test.run(0, &["compare", &case(DUAL), &place]);
    }
}

#[test]
fn limits_are_named_and_can_be_raised() {
    let test = Test::new();
    test.says(1, &["check", "--limit", "members=3", &case(MULTI)], &["limit members"]);
    test.run(0, &["check", "--limit", "members=300", &case(MULTI)]);
    test.says(2, &["check", "--limit", "membres=3", &case(MULTI)], &["the names are members"]);
}

#[test]
fn documents_are_printed_by_their_exact_bytes() {
    let test = Test::new();
    let output = test.run(0, &["inspect", "--raw=config", &case(DUAL)]);
    assert_eq!(format!("sha256:{}", crate::common::tree_digest::sha256(&output.stdout)), IMAGE);
    test.says(2, &["inspect", "--raw=config", &case(MULTI)], &["3 documents fit", "--image"]);
}

#[test]
fn places_are_compared() {
    let test = Test::new();
    test.says(0, &["compare", &case(DUAL), &case("docker-archive/docker-20.10")], &["same"]);
    test.says(1, &["compare", &case(DUAL), &case(MULTI)], &["only in A", "only in B"]);
}

#[test]
fn a_signal_ends_a_conversion_and_leaves_nothing() {
    let test = Test::new();
    let out = test.dir.path().join("destination");
    std::fs::create_dir(&out).expect("folder");
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let place = format!("oci:{}", out.join("layout").display());
        let mut child = test
            .restow
            .command()
            .args(["convert", "-", &place])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("restow starts");
        let bytes = std::fs::read(case(DUAL)).expect("case");
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(&bytes[..20_000]).expect("restow reads");
        stdin.flush().expect("restow reads");
        // Until something is staged, the signal would prove nothing.
        let staged = || std::fs::read_dir(&out).expect("folder").next().is_some();
        for _ in 0..500 {
            if staged() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert!(staged(), "nothing was staged in five seconds");
        let kill = std::process::Command::new("kill")
            .args([&format!("-{signal}"), &child.id().to_string()])
            .status();
        assert!(kill.expect("kill").success());
        let status = child.wait().expect("ended");
        assert_eq!(status.code(), Some(code));
        assert!(!staged(), "something was left");
    }
}

/// An archive of the first era: three v1 images, one of them tagged twice.
fn v1_archive(path: &Path) {
    let mut archive = tar::Builder::new(std::fs::File::create(path).expect("file"));
    let mut add = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, bytes).expect("member");
    };
    let ids = ["a".repeat(64), "b".repeat(64), "c".repeat(64)];
    for (i, id) in ids.iter().enumerate() {
        let parent = if i > 0 { format!(",\"parent\":\"{}\"", ids[i - 1]) } else { String::new() };
        let json = format!(
            "{{\"id\":\"{id}\"{parent},\"created\":\"2015-01-01T00:00:0{i}Z\",\"container_config\":{{\"Cmd\":[\"step\",\"{i}\"]}},\"docker_version\":\"1.8.3\",\"architecture\":\"amd64\",\"os\":\"linux\"}}"
        );
        let mut layer = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(1);
        layer.append_data(&mut header, format!("f{i}"), &b"x"[..]).expect("entry");
        add(&format!("{id}/VERSION"), b"1.0");
        add(&format!("{id}/json"), json.as_bytes());
        add(&format!("{id}/layer.tar"), &layer.into_inner().expect("layer"));
    }
    add("repositories", format!("{{\"app\":{{\"1\":\"{0}\",\"latest\":\"{0}\"}}}}\n", ids[2]).as_bytes());
    archive.finish().expect("archive");
}

#[test]
fn an_archive_of_the_first_era_becomes_any_other() {
    let test = Test::new();
    let source = test.path("v1.tar");
    v1_archive(&source);
    let source = source.display().to_string();
    // Nothing but what every archive of the first era has.
    test.says(
        0,
        &["check", "-v", &source],
        &["v1/no-manifest", "v1/unprotected", ": sound, 1 image, 1 warning, 1 note\n"],
    );
    for form in ["oci", "oci-archive", "docker-archive", "dir", "registry-storage"] {
        let out = test.place(form, form);
        test.run(0, &["convert", &source, &out]);
        test.run(0, &["check", "-v", &out]);
        test.run(0, &["compare", &source, &out]);
    }
    let legacy = test.place("docker-archive", "legacy.tar");
    test.run(0, &["convert", "--docker-format", "legacy", &source, &legacy]);
    test.run(0, &["compare", &source, &legacy]);
    let archive = test.inspect(&test.place("oci", "oci"));
    assert_eq!(archive.images[0].names.iter().collect::<Vec<_>>(), ["app:1", "app:latest"]);
    assert_eq!(archive.images[0].diff_ids.len(), 3);
}

#[test]
fn schema_1_is_kept_where_it_can_be_and_converted_on_request() {
    let test = Test::new();
    let dir = test.path("schema1");
    std::fs::create_dir(&dir).expect("folder");
    let layer = "a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4";
    let history = r#"{\"id\":\"1974559469fa9ea06fc780fa2d455acaaa298b56e3144330d3c371e06a312c69\",\"created\":\"2015-01-01T00:00:00Z\",\"architecture\":\"amd64\",\"os\":\"linux\"}"#;
    let manifest = format!(
        r#"{{"schemaVersion":1,"name":"lab/app","tag":"1","architecture":"amd64","fsLayers":[{{"blobSum":"sha256:{layer}"}}],"history":[{{"v1Compatibility":"{history}"}}]}}"#
    );
    std::fs::write(dir.join("manifest.json"), manifest).expect("file");
    std::fs::write(dir.join("version"), "Directory Transport Version: 1.1\n").expect("file");
    let gzip = b"\x1f\x8b\x08\x00\x00\x09\x6e\x88\x00\xff\x62\x18\x05\xa3\x60\x14\x8c\x58\x00\x08\x00\x00\xff\xff\x2e\xaf\xb5\xef\x00\x04\x00\x00";
    std::fs::write(dir.join(layer), gzip).expect("file");
    let source = dir.display().to_string();
    test.run(0, &["check", &source]);
    test.says(2, &["convert", &source, &test.place("oci", "no")], &["schema 1", "--manifest-format oci"]);
    let storage = format!("{}:lab/app:1", test.place("registry-storage", "storage"));
    test.run(0, &["convert", "--preserve-digests", &source, &storage]);
    let oci = test.place("oci", "oci");
    test.run(0, &["convert", "--manifest-format", "oci", &source, &oci]);
    test.run(0, &["check", &oci]);
    let diff_id = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";
    assert_eq!(test.inspect(&oci).images[0].diff_ids, [diff_id]);
}

#[test]
fn a_reader_that_goes_away_changes_neither_code_nor_words() {
    let test = Test::new();
    let broken = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/bad/many/ten-faults/archive.tar");
    for report in ["human", "json", "sarif", "junit", "github"] {
        let mut command = test.restow.command();
        command.args(["check", "--report", report]).arg(&broken);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("restow runs");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("restow ends");
        assert_eq!(output.status.code(), Some(1), "{report}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{report}");
    }
}

#[test]
fn quiet_is_silent_where_all_is_well_and_verbose_tells_notes_in_every_command() {
    let test = Test::new();
    // A warning and three notes.
    let noted = case("docker-archive/docker-1.9");
    let broken = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus/bad/many/ten-faults/archive.tar")
        .display()
        .to_string();
    let out = test.place("oci", "out");
    let said = |code: i32, arguments: &[&str]| {
        let output = test.run(code, arguments);
        String::from_utf8_lossy(&output.stdout).into_owned() + &output.stderr
    };
    for arguments in [
        &["check", "-q", &noted][..],
        &["check", "-v", "-q", &noted, &case(DUAL)],
        &["convert", "-q", &noted, &out],
        &["convert", "-q", "--check", "--force", &noted, &test.place("docker-archive", "again")],
        &["compare", "-q", &noted, &out],
    ] {
        assert_eq!(said(0, arguments), "", "{arguments:?}");
    }
    let quiet = said(1, &["check", "-q", &broken]);
    assert!(quiet.contains("error[") && !quiet.contains("warning["), "{quiet}");
    assert!(quiet.contains(": not sound, "), "{quiet}");

    let usual = said(0, &["check", &noted]);
    assert!(usual.contains("warning[") && !usual.contains("note["), "{usual}");
    assert!(usual.ends_with(": sound, 1 image, 1 warning, 3 notes (-v shows them)\n"), "{usual}");
    let verbose = said(0, &["check", "-q", "-v", "-v", &noted]);
    assert_eq!(verbose.matches("\nnote[").count(), 3, "{verbose}");
    assert!(verbose.ends_with(": sound, 1 image, 1 warning, 3 notes\n"), "{verbose}");
    let converted = said(0, &["convert", &noted, &test.place("oci", "usual")]);
    assert!(converted.starts_with("1 warning (-v shows it)\nwrote "), "{converted}");
    let converted = said(0, &["convert", "-v", &noted, &test.place("oci", "verbose")]);
    assert!(converted.contains("note[") && converted.contains(": sound, 1 image, 1 warning"), "{converted}");

    // Formats for machines have all of it whatever people are told.
    for quiet in ["-q", "-v"] {
        let output = test.run(0, &["check", quiet, "--report", "json", &noted]);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(report["sources"][0]["findings"].as_array().map(Vec::len), Some(4));
    }
}

#[test]
fn the_verdict_is_the_last_line_of_every_source_and_all_are_summed_up() {
    let test = Test::new();
    let broken = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/bad/many/ten-faults/archive.tar");
    let broken = broken.display().to_string();
    let none = test.path("none").display().to_string();
    let output = test.run(2, &["check", &case(DUAL), &broken, &none]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = said.lines().collect();
    // It fills more than a screen, so the verdict goes before it, too, apart from the source above.
    let of_broken: Vec<usize> =
        (0..lines.len()).filter(|at| lines[*at].starts_with(&format!("{broken}: not sound, "))).collect();
    assert!(lines[0].starts_with(&format!("{}: sound, 1 image", case(DUAL))), "{said}");
    assert_eq!(of_broken, [2, lines.len() - 3], "{said}");
    assert_eq!(lines[lines.len() - 2], "help: `restow explain RULE` tells more of each rule");
    assert_eq!(lines[lines.len() - 1], "3 sources: 1 sound, 1 not sound, 1 could not be judged");
}

#[test]
fn what_was_written_is_told_as_the_place_to_type_next() {
    let test = Test::new();
    // `docker save` of lab/dup:one and lab/dup:two.
    let source = case(DUAL);
    for (form, names) in [
        ("oci", &["one", "two"][..]),
        ("oci-archive", &["one", "two"]),
        ("docker-archive", &["lab/dup:one", "lab/dup:two"]),
        ("registry-storage", &["lab/dup:one", "lab/dup:two"]),
    ] {
        let out = test.place(form, form);
        let said = test.run(0, &["convert", &source, &out]).stderr;
        for name in names {
            let called = format!("{out}:{name}");
            assert!(said.contains(&format!("  called       {called}\n")), "{said}");
            test.run(0, &["inspect", &called]);
        }
    }
    let named = format!("{}:v5", test.place("oci", "named"));
    let said = test.run(0, &["convert", "--image", "lab/dup:one", &source, &named]).stderr;
    assert!(!said.contains("  called "), "it was typed: {said}");
}

#[test]
fn a_bare_word_is_a_tag_of_the_image_s_own_repository() {
    let test = Test::new();
    let source = case(DUAL);
    let out = test.place("docker-archive", "out.tar");
    test.says(0, &["convert", "--tag", "v5", &source, &out], &["name lab/dup:v5: moved"]);
    assert_eq!(test.inspect(&out).images[0].names.iter().collect::<Vec<_>>(), ["lab/dup:v5"]);
    // Without a repository there is none that it could be a tag of.
    let unnamed = test.place("dir", "unnamed");
    test.run(0, &["convert", "--image", "lab/dup:one", &source, &unnamed]);
    let layout = test.place("oci", "layout");
    test.says(0, &["convert", "--tag", "v5", &unnamed, &layout], &[&format!("called       {layout}:v5\n")]);
    for form in ["docker-archive", "registry-storage"] {
        let none = test.place(form, "none");
        test.says(2, &["convert", "--tag", "v5", &unnamed, &none], &["`v5` is a tag", "--tag NAME:v5"]);
        assert!(!test.path("none").exists());
    }
}

#[test]
fn several_images_are_a_table_and_one_is_told_whole() {
    let test = Test::new();
    let said = |arguments: &[&str]| String::from_utf8_lossy(&test.run(0, arguments).stdout).into_owned();
    let table = said(&["inspect", &case(MULTI)]);
    assert!(table.lines().nth(1).is_some_and(|line| line.starts_with("NAME ")), "{table}");
    assert!(!table.contains("── "), "{table}");
    let whole = said(&["inspect", "-v", &case(MULTI)]);
    assert!(whole.contains("── ") && whole.contains("command "), "{whole}");
    let one = said(&["inspect", "--image", IMAGE, &case(DUAL)]);
    assert!(one.contains(&format!("image ID    {IMAGE}\n")), "{one}");
    assert_eq!(
        said(&["inspect", "--raw", "config", &case(DUAL)]),
        said(&["inspect", "--raw=config", &case(DUAL)])
    );
}
