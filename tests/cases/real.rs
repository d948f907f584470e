//! Archives, documents and layers that other projects test with, against the verdicts of `../shared/real/INDEX.tsv`.
//!
//! What is owed is in `../shared/real/README.md`. A case that is BROKEN or UNSAFE has exactly the errors that stand in
//! [`FAULTS`], looked up by hand; what an INCOMPLETE one lacks is found out here; every remark about an ODD one is
//! answered by a rule in [`ANSWERS`]. Where the verdict is not followed, [`EXCEPTIONS`] says why.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::common::Restow;
use crate::{Test, shared};

/// A rule and a place: member, and JSON pointer, path in a layer, or `@offset`.
type Fault = (&'static str, &'static str);

const WRITER: &str = "writer-big-long.tar longname/longname/longname/longname/longname/longname/longname/longname/\
                      longname/longname/longname/longname/longname/longname/longname/16gig.txt";

/// Errors of the cases that are BROKEN or UNSAFE, in the order of the report.
const FAULTS: &[(&str, &[Fault])] = &[
    (
        "_decoded/libarchive/libarchive/test/test_compat_plexus_archiver_tar.tar",
        &[
            ("tar/lone-zero-block", "test_compat_plexus_archiver_tar.tar @1024"),
            ("tar/bad-header", "test_compat_plexus_archiver_tar.tar @1536"),
        ],
    ),
    ("tar-split/archive/tar/testdata/writer-big-long.tar", &[("tar/truncated", WRITER)]),
    (
        "_decoded/libarchive/libarchive/test/test_read_format_tar_pax_timestamps.tar",
        &[("tar/bad-extension", "test_read_format_tar_pax_timestamps.tar empty")],
    ),
    ("grootfs/integration/assets/hacked.tar", &[("entry/escaping-name", "hacked.tar ../file_outside_root")]),
    (
        "osv-scalibr/artifact/image/unpack/testdata/escape.tar",
        &[("entry/below-escaping-link", "escape.tar /escape/poc.txt")],
    ),
    ("safearchive/tar/traverse.tar", &[("entry/escaping-name", "traverse.tar ../todo.txt")]),
    (
        "go-containerregistry/pkg/v1/tarball/testdata/null_manifest.tar",
        &[("docker-archive/manifest-not-array", "manifest.json")],
    ),
    (
        "image/internal/image/fixtures/schema1-to-schema2.json",
        &[("descriptor/size-mismatch", "schema1-to-schema2.json /config/size")],
    ),
    ("image/internal/manifest/testdata/non-json.manifest.json", &[("json/syntax", "non-json.manifest.json")]),
    // The payload that the signature covers ends in the middle of a member.
    (
        "image/internal/manifest/testdata/schema2-to-schema1-by-docker.json",
        &[("schema1/bad-signatures", "schema2-to-schema1-by-docker.json /signatures/0/protected")],
    ),
    (
        "image/manifest/fixtures/ociv1.everything.json",
        &[
            ("descriptor/bad-data", "ociv1.everything.json /config/data"),
            ("descriptor/bad-data", "ociv1.everything.json /layers/0/data"),
            ("descriptor/bad-data", "ociv1.everything.json /subject/data"),
        ],
    ),
    (
        "image/manifest/fixtures/ociv1nomime.artifact.json",
        &[("descriptor/bad-digest", "ociv1nomime.artifact.json /config/digest")],
    ),
    (
        "image/manifest/fixtures/unknown-version.manifest.json",
        &[("document/unknown-schema-version", "unknown-version.manifest.json /schemaVersion")],
    ),
    // Without name, tag and architecture; the first image has no ID, the second is no JSON.
    (
        "jib/jib-core/src/test/resources/core/json/v21manifest.json",
        &[
            ("schema1/missing-member", "v21manifest.json"),
            ("schema1/missing-member", "v21manifest.json"),
            ("schema1/missing-member", "v21manifest.json"),
            ("schema1/broken-chain", "v21manifest.json /history/0/v1Compatibility"),
            ("schema1/bad-history", "v21manifest.json /history/1/v1Compatibility"),
        ],
    ),
    (
        "oc-mirror/tests/unit/testdata/test-process-image",
        &[
            ("archive/missing-oci-layout", ""),
            (
                "config/layer-count",
                "blobs/sha256/0b1f210b40a12b612cbb6c1bceff5d9ead6dbbb35108709f020bfeb58146870c /rootfs/diff_ids",
            ),
        ],
    ),
    // A manifest that is said to be of the type `broken` is judged as what it says it is.
    (
        "oc-mirror/tests/unit/testdata/test-process-image-unsupported",
        &[
            ("archive/missing-oci-layout", ""),
            (
                "config/layer-count",
                "blobs/sha256/0b1f210b40a12b612cbb6c1bceff5d9ead6dbbb35108709f020bfeb58146870c /rootfs/diff_ids",
            ),
            ("descriptor/bad-media-type", "index.json /manifests/0/mediaType"),
            ("document/unknown-media-type", "index.json /mediaType"),
        ],
    ),
    (
        "oci-tools/test/images/aufs-docker-v2-manifest",
        &[
            (
                "blob/digest-mismatch",
                "blobs/sha256/44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
            ),
            (
                "blob/digest-mismatch",
                "blobs/sha256/da55812559dec81445c289c3832cee4a2f725b15aeb258791640185c3126b2bf",
            ),
            ("descriptor/size-mismatch", "index.json /manifests/0/size"),
        ],
    ),
    (
        "oras/test/e2e/testdata/distribution/mount/artifacts_index.tar.gz",
        &[
            ("config/rootfs-missing", "1fd9a5fc54b634130102861815e2881f1eec22958d604301904c5353041794c1"),
            (
                "descriptor/bad-media-type",
                "57e6462826c85be15f22f824666f6b467d488fa7bc7e2975f43a2fae27a24ef0 /config/mediaType",
            ),
            ("config/rootfs-missing", "a5dfce5d28768e985f91f610591f0203bb6e07f11e2fb0ce1b8508e9aac4ebe2"),
            (
                "descriptor/bad-media-type",
                "d3cf790759b006e1a2aeee52f9b1ee250bb848fce7e873b992b86bf9408f12d0 /config/mediaType",
            ),
            ("config/rootfs-missing", "fe9dbc99451d0517d65e048c309f0b5afb2cc513b7a3d456b6cc29fe641386c5"),
        ],
    ),
    (
        "oras/test/e2e/testdata/distribution/mount/images.tar.gz",
        &[
            ("config/rootfs-missing", "a5dfce5d28768e985f91f610591f0203bb6e07f11e2fb0ce1b8508e9aac4ebe2"),
            ("config/rootfs-missing", "fe9dbc99451d0517d65e048c309f0b5afb2cc513b7a3d456b6cc29fe641386c5"),
            ("config/rootfs-missing", "1fd9a5fc54b634130102861815e2881f1eec22958d604301904c5353041794c1"),
        ],
    ),
    // An editor indented both anew after they were signed.
    (
        "quay/image/docker/schema2/test/conversion_data/simple.schema1.json",
        &[("schema1/bad-signatures", "simple.schema1.json /signatures/0/protected")],
    ),
    (
        "quay/image/docker/schema2/test/conversion_data/ubuntu.schema1.json",
        &[("schema1/bad-signatures", "ubuntu.schema1.json /signatures/0/protected")],
    ),
    (
        "snyk-docker-plugin/test/fixtures/docker-archives/docker-save/java-windows.tar",
        &[(
            "config/diff-id-mismatch",
            "bf756fb1ae65adf866bd8c456593cd24beb6a0a061dedf42b26a993176745f6b.json /rootfs/diff_ids/0",
        )],
    ),
    // Which diff ID is that of the one layer that is left cannot be told.
    (
        "snyk-docker-plugin/test/fixtures/docker-archives/docker-save/nginx-os-release-link.tar",
        &[(
            "config/layer-count",
            "5a3221f0137beb960c34b9cf4455424b6210160fd618c5e79401a07d6e5a2ced.json /rootfs/diff_ids",
        )],
    ),
    ("trivy/pkg/fanal/test/testdata/test_index_json_dir.oci", &[("archive/missing-index", "index.json")]),
    (
        "trivy/pkg/fanal/test/testdata/test_index_json_dir.oci/test_bad_index_json.oci",
        &[("json/syntax", "index.json")],
    ),
    (
        "trivy/pkg/fanal/test/testdata/test_no_valid_manifests.oci",
        &[("document/schema-version-missing", "index.json"), ("index/manifests-missing", "index.json")],
    ),
];

/// Cases about which restow does not say what the verdict asks for: their errors, what else it says of the matter, and
/// why.
const EXCEPTIONS: &[(&str, &[Fault], &[Fault], &str)] = &[
    (
        "scancode.io/scanpipe/tests/data/docker/debian.tar.gz",
        &[],
        &[(
            "archive/broken-link",
            "a4c000875b2e7e46d6f6088a0e5db3902bd6838a46cb6a19baf8776d1e6edd1a/layer.tar",
        )],
        "a link to nothing, in the folder of a layer that manifest.json does not name: the images are whole",
    ),
    (
        "tar-rs/tests/archives/sparse-1.tar",
        &[("tar/gnu-sparse", "sparse-1.tar a.big")],
        &[],
        "a sparse file of GNU's type S: a sound tar, but Docker, podman, buildah, containerd and umoci refuse such layers",
    ),
    (
        "tar-rs/tests/archives/sparse-large.tar",
        &[("tar/gnu-sparse", "sparse-large.tar huge")],
        &[],
        "likewise",
    ),
    (
        "tar-split/archive/tar/testdata/sparse-formats.tar",
        &[("tar/gnu-sparse", "sparse-formats.tar sparse-gnu")],
        &[],
        "likewise",
    ),
    (
        "_decoded/libarchive/libarchive/test/test_read_format_tar_empty_with_gnulabel.tar",
        &[("tar/unknown-type", "test_read_format_tar_empty_with_gnulabel.tar label")],
        &[],
        "a volume label of GNU tar: a sound tar, but no layer that a loader unpacks (formats.md D.10.2, H 177)",
    ),
    (
        "moby/daemon/builder/remotecontext/internal/tarsum/testdata/collision/collision-0.tar",
        &[("entry/duplicate-path", "collision-0.tar file")],
        &[],
        "a path that stands twice: a sound tar, but layers must not have it (image-spec layer, H 160)",
    ),
    (
        "image/internal/manifest/testdata/v2s2nomime.manifest.json",
        &[("document/docker-media-type-missing", "v2s2nomime.manifest.json")],
        &[],
        "Docker's specification of schema 2 asks for mediaType, and registries refuse a manifest without it \
         (formats.md C.3, H 48)",
    ),
    (
        "image/manifest/fixtures/v2s1.manifest.json",
        &[],
        &[("schema1/unverified-signature", "v2s1.manifest.json /signatures/0")],
        "the signature of a schema 1 manifest was made with a throw-away key that stands beside it: that it does not \
         verify is a warning (formats.md C.2, H 217)",
    ),
    (
        "image/signature/fixtures/dir-img-cosign-mixed",
        &[("json/syntax", "manifest.json")],
        &[],
        "manifest.json is a symlink that was stored as its text, and what it leads to is not here",
    ),
    (
        "image/signature/fixtures/dir-img-cosign-other-attachment",
        &[("json/syntax", "manifest.json")],
        &[],
        "as dir-img-cosign-mixed",
    ),
    (
        "image/signature/fixtures/dir-img-manifest-digest-error",
        &[("json/syntax", "manifest.json")],
        &[],
        "as dir-img-cosign-mixed",
    ),
    (
        "rules_docker/container/go/pkg/oci/testdata/test_index2",
        &[("archive/missing-index", "")],
        &[],
        "what is missing is index.json, which is no blob",
    ),
    (
        "osv-scalibr/artifact/image/unpack/testdata/symlinks.tar",
        &[],
        &[
            (
                "entry/escaping-symlink",
                "cca992d2c8059d9be9d56388cf20ab361b2fbed94584cf87248972a02bfc252e/layer.tar dir1/attack-symlink.txt",
            ),
            (
                "entry/escaping-symlink",
                "cca992d2c8059d9be9d56388cf20ab361b2fbed94584cf87248972a02bfc252e/layer.tar dir1/attack-symlink-absolute.txt",
            ),
        ],
        "nothing lies below these links: whoever follows one does so inside the container, whose root stops it. Every \
         runtime takes them, some unpackers refuse them, so that is a warning (formats.md H 167)",
    ),
];

/// Cases that are not judged at all, with a part of what restow says, and why.
const NOT_JUDGED: &[(&str, &str, &str)] = &[(
    "_decoded/libarchive/libarchive/test/test_read_format_gtar_redundant_L.tar.Z",
    "it is compressed by `compress` (.Z)",
    "no media type names that compression, and no image tool reads it",
)];

/// What a document is, where its content does not tell.
const AS: &[(&str, &str, &str)] = &[(
    "image/internal/manifest/testdata/non-json.manifest.json",
    "manifest",
    "random bytes: only its name says what it should be",
)];

/// What answers a remark about an ODD case: a part of the remark, and rules of which one must be there, at any level.
/// Where the remark names an entry in quotes, the finding must be about that.
const ANSWERS: &[(&str, &[&str])] = &[
    ("no architecture", &["config/docker-platform-missing", "config/platform-missing"]),
    ("no os", &["config/docker-platform-missing", "config/platform-missing"]),
    ("diff_ids null/missing", &["config/diff-ids-missing"]),
    ("layers is null", &["manifest/layers-null"]),
    // In manifest.json, Docker takes null for no layers; the manifest of the same image has it too.
    ("Layers is None", &["manifest/layers-null"]),
    ("empty layers", &["manifest/layers-null"]),
    ("mixes media-type families", &["manifest/mixed-types"]),
    ("absolute name", &["entry/absolute-name"]),
    ("no end-of-archive blocks", &["tar/no-end"]),
    ("last entry is not padded to 512", &["tar/no-end"]),
    ("more tar entries after the end-of-archive marker", &["tar/hidden-entries"]),
    ("repeated GNU L header", &["tar/ambiguous-extension"]),
    ("dangling extension header at the end", &["tar/ambiguous-extension"]),
    ("overrides header size", &["tar/ambiguous-extension"]),
    ("a name is not UTF-8", &["entry/path-not-utf8"]),
];

/// Rules that are off unless somebody asks for them, and that answer a remark.
const ASKED: &[&str] = &["manifest/mixed-types"];

/// Layouts of which some files are symlinks that were stored, as Git does, as the text of their target. They are put
/// right in a copy, in which a link to nothing is left out.
const LINKS: &[&str] = &["busybox/latest-1/glibc/arm32v5", "busybox/latest/glibc/s390x"];

#[derive(Debug, Clone)]
struct Case {
    name: String,
    kind: String,
    verdict: String,
    notes: Vec<String>,
}

pub fn tests() -> Vec<Test> {
    let Some(shared) = shared() else {
        // A test that has nothing to test has not passed, and where everything must run it has failed.
        let ci = std::env::var("CI").is_ok_and(|value| value == "true");
        let why = "../shared/real, the archives of other projects, is not here";
        let test = Test::new(format!("skipped: {why}"), move || Err(why.into()));
        return vec![Test { ignored: !ci, ..test }];
    };
    let real = shared.join("real");
    let cases = cases(&real.join("INDEX.tsv"));
    let mut tests = vec![{
        let names: BTreeSet<String> = cases.iter().map(|case| case.name.clone()).collect();
        Test::new("tables name cases that are there", move || tables(&names))
    }];
    tests.extend(cases.into_iter().map(|case| {
        let real = real.clone();
        let name = format!("{}: {}", case.name, case.verdict);
        Test::new(name, move || judge(&real, &case))
    }));
    tests
}

fn cases(index: &Path) -> Vec<Case> {
    let text = fs::read_to_string(index).expect("the index can be read");
    let rows = text.lines().skip(1).map(|line| {
        let mut columns = line.split('\t').map(str::to_owned);
        let mut next = || columns.next().unwrap_or_default();
        let (name, kind, verdict, _images, notes) = (next(), next(), next(), next(), next());
        Case { name, kind, verdict, notes: notes.split("; ").map(str::to_owned).collect() }
    });
    rows.collect()
}

/// A line that names no case any more proves nothing.
fn tables(names: &BTreeSet<String>) -> Result<(), Failed> {
    let faults = FAULTS.iter().map(|(name, _)| *name);
    let exceptions = EXCEPTIONS.iter().map(|(name, ..)| *name);
    let kinds = AS.iter().chain(NOT_JUDGED).map(|(name, ..)| *name);
    for name in faults.chain(exceptions).chain(kinds).chain(LINKS.iter().copied()) {
        if !names.contains(name) {
            return Err(format!("INDEX.tsv has no case {name}").into());
        }
    }
    Ok(())
}

/// What `check --report json` found.
struct Found {
    findings: Vec<Value>,
}

impl Found {
    fn of(restow: &Restow, place: &Path, extra: &[&str]) -> Result<Found, Failed> {
        let mut arguments = vec!["check".to_owned(), "--report".into(), "json".into()];
        arguments.extend(extra.iter().map(|&text| text.to_owned()));
        arguments.push(place.display().to_string());
        let output = restow.run(&arguments)?;
        let report: Value = serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("exit {}, no report: {error}\n{}", output.code, output.stderr))?;
        let source = &report["sources"][0];
        if let Some(failure) = source["failure"].as_str() {
            return Err(format!("not judged: {failure}").into());
        }
        let findings = source["findings"].as_array().cloned().unwrap_or_default();
        let found = Found { findings };
        let expected = i32::from(!found.errors().is_empty());
        output.expect(expected)?;
        Ok(found)
    }

    fn errors(&self) -> Vec<&Value> {
        self.findings.iter().filter(|finding| finding["level"] == "error").collect()
    }

    /// Fails unless this is said at some level.
    fn says(&self, expected: &Fault) -> Result<(), Failed> {
        let found: Vec<(String, String)> = self.findings.iter().map(fault).collect();
        match found.iter().any(|(rule, place)| (rule.as_str(), place.as_str()) == *expected) {
            true => Ok(()),
            false => Err(format!("nothing says {expected:?}, found {found:#?}").into()),
        }
    }

    /// Fails unless the errors are exactly these.
    fn has_errors(&self, expected: &[Fault]) -> Result<(), Failed> {
        let found: Vec<(String, String)> = self.errors().into_iter().map(fault).collect();
        let expected: Vec<(String, String)> =
            expected.iter().map(|(rule, place)| ((*rule).to_owned(), (*place).to_owned())).collect();
        if found == expected {
            return Ok(());
        }
        Err(format!("errors expected:\n{expected:#?}\nfound:\n{found:#?}").into())
    }
}

/// Rule and place of a finding, as in [`FAULTS`].
fn fault(finding: &Value) -> (String, String) {
    let primary = &finding["primary"];
    let text = |name: &str| primary[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    // In registry storage the digest stands in the directory's name.
    let member = text("member").map(|member| match member.strip_suffix("/data") {
        Some(folder) => folder.rsplit('/').next().unwrap_or_default().to_owned(),
        None => member,
    });
    let at = text("entry").or_else(|| text("pointer"));
    let at = at.or_else(|| primary["offset"].as_u64().map(|offset| format!("@{offset}")));
    // An offset in a layer that belongs to no entry is said in words, since it is not one in the blob.
    let at = at.or_else(|| {
        let (_, rest) = finding["message"].as_str()?.split_once(" at offset ")?;
        Some(format!("@{}", rest.split(|c: char| !c.is_ascii_digit()).next()?))
    });
    let place = [member, at].into_iter().flatten().collect::<Vec<_>>().join(" ");
    (finding["rule"].as_str().unwrap_or_default().to_owned(), place)
}

fn judge(real: &Path, case: &Case) -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let restow = Restow::new(dir.path());
    let mut path = real.join(&case.name);
    if LINKS.contains(&case.name.as_str()) {
        let copy = dir.path().join("copy");
        let top = path.canonicalize()?;
        restored(&top, &top, &copy)?;
        path = copy;
    }
    let mut extra: Vec<&str> = ASKED.iter().flat_map(|rule| ["-W", rule]).collect();
    if let Some((_, kind, _)) = AS.iter().find(|(name, ..)| *name == case.name) {
        extra.extend(["--as", kind]);
    }
    // The directory of one v1 image is no archive: its files are judged one by one.
    if case.kind.starts_with("v1 layer dir") {
        Found::of(&restow, &path.join("json"), &extra)?.has_errors(&[])?;
        extra.extend(["--as", "layer"]);
        return Found::of(&restow, &path.join("layer.tar"), &extra)?.has_errors(&[]);
    }
    if let Some((_, why, _)) = NOT_JUDGED.iter().find(|(name, ..)| *name == case.name) {
        let output = restow.run(&["check".into(), path.display().to_string()])?.expect(2)?;
        return output.stderr_has(why);
    }
    // Nobody guesses that a tar is a layer.
    if case.kind.starts_with("layer") {
        extra.extend(["--as", "layer"]);
    }
    let found = Found::of(&restow, &path, &extra)?;
    if let Some((_, expected, said, _)) = EXCEPTIONS.iter().find(|(name, ..)| *name == case.name) {
        found.has_errors(expected)?;
        return said.iter().try_for_each(|fault| found.says(fault));
    }
    let faults = FAULTS.iter().find(|(name, _)| *name == case.name).map(|(_, faults)| *faults);
    match (case.verdict.as_str(), faults) {
        ("VALID", None) => found.has_errors(&[]),
        ("ODD", None) => {
            found.has_errors(&[])?;
            case.notes
                .iter()
                .filter(|note| note.starts_with("W: "))
                .try_for_each(|note| answered(&found, note))
        }
        ("BROKEN" | "UNSAFE" | "INCOMPLETE", Some(faults)) => found.has_errors(faults),
        ("INCOMPLETE", None) => lacks(&found, &missing(&path)?),
        (verdict, _) => Err(format!("nothing is written down about a case that is {verdict}").into()),
    }
}

/// A remark about an odd case is answered by a finding.
fn answered(found: &Found, note: &str) -> Result<(), Failed> {
    let Some((_, rules)) = ANSWERS.iter().find(|(part, _)| note.contains(part)) else {
        return Err(format!("nothing is written down about the remark {note:?}").into());
    };
    let entry = note.split('\'').nth(1).filter(|_| note.contains("name '"));
    let answers = |finding: &Value| {
        let rule = finding["rule"].as_str().unwrap_or_default();
        let path = finding["primary"]["entry"].as_str();
        rules.contains(&rule) && entry.is_none_or(|entry| path == Some(entry))
    };
    if found.findings.iter().any(answers) {
        return Ok(());
    }
    let rules: Vec<_> = found.findings.iter().map(fault).collect();
    Err(format!("nothing says {note:?}, found {rules:#?}").into())
}

/// Every error is about a missing blob, and they are about these.
fn lacks(found: &Found, missing: &BTreeSet<String>) -> Result<(), Failed> {
    let mut named = BTreeSet::new();
    for finding in found.errors() {
        let message = finding["message"].as_str().unwrap_or_default();
        let digest = missing.iter().find(|digest| message.contains(digest.as_str()));
        match digest.filter(|_| finding["rule"] == "blob/missing") {
            Some(digest) => named.insert(digest.clone()),
            None => return Err(format!("not about a missing blob: {finding:#}").into()),
        };
    }
    if missing.is_empty() || named != *missing {
        return Err(format!("missing: {missing:#?}\nnamed: {named:#?}").into());
    }
    Ok(())
}

/// Digests that an OCI layout or `dir:` layout points at and does not hold.
fn missing(folder: &Path) -> Result<BTreeSet<String>, Failed> {
    let layout = folder.join("index.json").is_file();
    let file = |digest: &str| match layout {
        true => folder.join("blobs").join(digest.replace(':', "/")),
        false => folder.join(digest.split(':').next_back().unwrap_or_default()),
    };
    let start = folder.join(if layout { "index.json" } else { "manifest.json" });
    let mut pending = vec![start];
    let mut missing = BTreeSet::new();
    while let Some(path) = pending.pop() {
        // A config or layer that is there points at nothing.
        let Ok(document) = serde_json::from_slice::<Value>(&fs::read(path)?) else { continue };
        let lists = ["manifests", "layers"].iter().flat_map(|name| document[*name].as_array());
        for descriptor in lists.flatten().chain([&document["config"]]) {
            let Some(digest) = descriptor["digest"].as_str() else { continue };
            match file(digest) {
                path if path.is_file() => pending.push(path),
                _ => drop(missing.insert(digest.to_owned())),
            }
        }
    }
    Ok(missing)
}

/// Copies a folder with the files that stand for links made into what they lead to.
fn restored(top: &Path, from: &Path, to: &Path) -> Result<(), Failed> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let into = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            restored(top, &path, &into)?;
            continue;
        }
        let bytes = fs::read(&path)?;
        match std::str::from_utf8(&bytes).ok().filter(|text| text.starts_with("../")) {
            Some(target) => {
                let Ok(target) = from.join(target).canonicalize() else { continue };
                assert!(target.starts_with(top), "{} leads out of the case", target.display());
                fs::copy(&target, &into)?;
            }
            None => fs::write(&into, bytes)?,
        }
    }
    Ok(())
}
