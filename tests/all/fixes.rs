//! What the JSON report says would mend a fault, does: the changes are applied as `docs/reports.md` says, and the
//! finding is gone.

use std::path::Path;

use crate::common::Restow;
use serde_json::Value;

/// Documents that stand alone: what they are taken for, their text, and the rules whose fix is applied.
const DOCUMENTS: &[(&str, &str, &[&str])] = &[
    ("manifest", r#"{"schemaVersion":3,"config":CONFIG,"layers":[]}"#, &["document/unknown-schema-version"]),
    ("manifest", r#"{"config":CONFIG,"layers":[],"subject":null}"#, &["document/schema-version-missing"]),
    ("manifest", r#"{"schemaVersion":2,"config":CONFIG,"layers":null}"#, &["manifest/layers-null"]),
    (
        "manifest",
        "{\n  \"schemaVersion\": 2,\n  \"config\": CONFIG,\n  \"layers\": [],\n  \"artifactType\": \"a/b\"\n}\n",
        &["document/media-type-missing"],
    ),
    (
        "manifest",
        r#"{"schemaVersion":2,"config":CONFIG,"layers":[{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","size":3,"data":"x"}]}"#,
        &["descriptor/bad-empty"],
    ),
    (
        "manifest",
        r#"{"schemaVersion":2,"config":CONFIG,"layers":[{"mediaType":"a/b","digest":"sha256:44136FA355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2,"data":"e30"}]}"#,
        &["descriptor/bad-digest"],
    ),
    (
        "manifest",
        r#"{"schemaVersion":2,"config":CONFIG,"layers":[{"mediaType":"a/b","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2.0,"data":"e30"}]}"#,
        &["descriptor/bad-data", "json/number-not-integer"],
    ),
    (
        "manifest",
        r#"{"schemaVersion":2,"config":CONFIG,"layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}],"annotations":{"a.b":7,"c.d":true},"subject":null}"#,
        &["manifest/mixed-types", "annotation/value-not-string", "json/null-member"],
    ),
    ("manifest", "\u{feff}{\"schemaVersion\":2,\"config\":CONFIG,\"layers\":[]}", &["json/byte-order-mark"]),
    ("manifest", "{\"schemaVersion\":2,\"config\":CONFIG,\"layers\":[]}\n{\"x\":1}", &["json/trailing-data"]),
    ("index", r#"{"schemaVersion":2,"manifests":null}"#, &["index/manifests-null"]),
    (
        "index",
        r#"{"schemaVersion":2,"manifests":[ITEM,ITEM,{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","size":2,"platform":{"OS":"linux","os":"linux","architecture":"aarch64"}}]}"#,
        &["index/repeated-item", "platform/not-normalised"],
    ),
    (
        "config",
        r#"{"architecture":"armhf","os":"linux","created":"2024-01-02 03:04:05","rootfs":{"type":"snapshots","diff_ids":null},"history":[{"Created":"2024-01-02T03:04:05Z"}]}"#,
        &[
            "config/architecture-alias",
            "config/bad-created",
            "config/unknown-rootfs-type",
            "config/diff-ids-missing",
        ],
    ),
    (
        "config",
        r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:44136FA355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"]},"history":[{"empty_layer":false},{"created":"2024-01-02"}],"config":{"Env":["A=1","A=2"],"WorkingDir":"./app","Cmd":"ls","Labels":{"a":1,"":"x"},"Volumes":{"/a":null,"b":{}},"ArgsEscaped":true,"Healthcheck":{"Test":["NONE"],"Interval":30}}}"#,
        &[
            "config/bad-created",
            "config/duplicate-env",
            "config/relative-working-dir",
            "config/command-not-array",
            "config/label-not-string",
            "config/set-value",
            "config/args-escaped",
            "config/bad-healthcheck",
            "config/relative-volume",
            "config/empty-label-key",
        ],
    ),
    (
        "manifest",
        r#"{"schemaVersion":2,"config":CONFIG,"layers":[],"annotations":{"":"x","org.opencontainers.image.created":"2024-01-02 03:04:05","org.opencontainers.image.base.name":"alpine"}}"#,
        &["annotation/empty-key", "annotation/bad-time", "annotation/base-name-not-full"],
    ),
];

const CONFIG: &str = r#"{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}"#;
const ITEM: &str = r#"{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}"#;

fn report(restow: &Restow, arguments: &[&str]) -> Vec<Value> {
    let arguments = [&["check", "--report", "json", "--profile", "portable"], arguments].concat();
    let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
    let output = restow.run(&arguments).expect("restow runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    report["sources"][0]["findings"].as_array().expect("findings").clone()
}

fn named<'v>(findings: &'v [Value], rule: &str) -> Vec<&'v Value> {
    findings.iter().filter(|finding| finding["rule"] == rule).collect()
}

/// Applies one change to the members below a folder.
fn apply(folder: &Path, change: &Value) {
    let text = |name: &str| change[name].as_str().unwrap_or_else(|| panic!("{name}: {change}"));
    let file = folder.join(text("member"));
    match text("action") {
        "set" | "remove" | "rename" | "cut" => {
            let at = |end: &str| change["span"][end].as_u64().expect("a span") as usize;
            let mut bytes = std::fs::read(&file).expect("the document");
            bytes.splice(at("start")..at("end"), text("text").bytes());
            if change["action"] != "cut" {
                let document: Value = serde_json::from_slice(&bytes).expect("still JSON");
                let found = document.pointer(text("pointer"));
                match text("action") {
                    "set" => assert_eq!(found, Some(&change["value"])),
                    "rename" => assert!(found.is_none()),
                    _ => {}
                }
            }
            std::fs::write(&file, bytes).expect("written");
        }
        "write" => std::fs::write(&file, text("text")).expect("written"),
        "move" => std::fs::rename(&file, folder.join(text("value"))).expect("moved"),
        "delete" => std::fs::remove_file(&file).expect("removed"),
        other => panic!("no such action: {other}"),
    }
}

/// Applies the changes of a fix, the last bytes first.
fn mend(folder: &Path, finding: &Value) {
    let mut changes =
        finding["fix"]["changes"].as_array().unwrap_or_else(|| panic!("no fix: {finding}")).clone();
    let rank = |change: &Value| (change["span"]["start"].as_u64(), change["action"] != "move");
    changes.sort_by_key(|change| std::cmp::Reverse(rank(change)));
    changes.iter().for_each(|change| apply(folder, change));
}

#[test]
fn documents_are_mended() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let restow = Restow::new(dir.path());
    for (kind, text, rules) in DOCUMENTS {
        let text = text.replace("CONFIG", CONFIG).replace("ITEM", ITEM);
        let file = dir.path().join("document.json");
        std::fs::write(&file, text).expect("written");
        let path = file.display().to_string();
        let judged = || report(&restow, &["--as", kind, &path]);
        for rule in *rules {
            let found = judged();
            let before = named(&found, rule);
            let first = before.first().unwrap_or_else(|| panic!("{rule} is not found: {found:?}"));
            mend(dir.path(), first);
            let found = judged();
            assert_eq!(named(&found, rule).len(), before.len() - 1, "{rule} in {found:#?}");
            assert!(named(&found, "json/syntax").is_empty());
        }
    }
}

/// A layout in a folder whose only fault is made by `spoil`; the rule that is expected, and whether it is mended
/// without another being made.
fn layout(rule: &str, spoil: impl Fn(&Path)) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let restow = Restow::new(dir.path());
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/good/oci/minimal/archive");
    let to = dir.path().join("layout");
    let place = format!("oci:{}", to.display());
    let arguments = ["convert", &source.display().to_string(), &place].map(str::to_owned);
    assert_eq!(restow.run(&arguments).expect("restow runs").code, 0);
    let before = report(&restow, &[&place]);
    spoil(&to);
    let found = report(&restow, &[&place]);
    let faults = named(&found, rule);
    assert_eq!(faults.len(), 1, "{rule}: {found:#?}");
    mend(&to, faults[0]);
    let after = report(&restow, &[&place]);
    let names = |findings: &[Value]| findings.iter().map(|f| f["rule"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&after), names(&before), "{rule}");
}

/// Changes the index of a layout.
fn edit(layout: &Path, edit: impl Fn(&mut Value)) {
    let path = layout.join("index.json");
    let mut index = serde_json::from_slice(&std::fs::read(&path).expect("an index")).expect("JSON");
    edit(&mut index);
    std::fs::write(&path, index.to_string()).expect("written");
}

#[test]
fn layouts_are_mended() {
    layout("descriptor/size-mismatch", |layout| {
        edit(layout, |index| index["manifests"][0]["size"] = 7.into())
    });
    layout("descriptor/size-mismatch", |layout| {
        edit(layout, |index| index["manifests"][0]["size"] = (-1).into())
    });
    layout("descriptor/missing-member", |layout| {
        edit(layout, |index| {
            index["manifests"][0].as_object_mut().expect("object").remove("size");
        });
    });
    layout("manifest/type-mismatch", |layout| {
        let docker = "application/vnd.docker.distribution.manifest.v2+json";
        edit(layout, |index| index["manifests"][0]["mediaType"] = docker.into());
    });
    layout("archive/missing-oci-layout", |layout| {
        std::fs::remove_file(layout.join("oci-layout")).expect("removed");
    });
    layout("blob/unreferenced", |layout| {
        let empty = "blobs/sha256/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        std::fs::write(layout.join(empty), "").expect("written");
    });
    layout("blob/unreferenced-mismatch", |layout| {
        let zeros = format!("blobs/sha256/{}", "0".repeat(64));
        std::fs::write(layout.join(zeros), "x").expect("written");
    });
    layout("blob/digest-mismatch", |layout| {
        edit(layout, |index| {
            let digest = index["manifests"][0]["digest"].as_str().expect("a digest").to_owned();
            let name = |digest: &str| layout.join("blobs/sha256").join(&digest[7..]);
            let zeros = format!("sha256:{}", "0".repeat(64));
            std::fs::rename(name(&digest), name(&zeros)).expect("moved");
            index["manifests"][0]["digest"] = zeros.into();
        });
    });
}

/// A layout of the minimal image, in a folder.
fn minimal(restow: &Restow, to: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/good/oci/minimal/archive");
    let arguments =
        ["convert", &source.display().to_string(), &format!("oci:{}", to.display())].map(str::to_owned);
    assert_eq!(restow.run(&arguments).expect("restow runs").code, 0);
}

/// The blob of a layout by its digest.
fn blob(layout: &Path, digest: &str) -> std::path::PathBuf {
    layout.join("blobs/sha256").join(&digest[7..])
}

/// Puts a blob into a layout; its descriptor's digest and size.
fn put(layout: &Path, bytes: &[u8]) -> (String, usize) {
    let digest = restow::digest::Digest::sha256(bytes).to_string();
    std::fs::write(blob(layout, &digest), bytes).expect("written");
    (digest, bytes.len())
}

fn convert(restow: &Restow, options: &[&str], from: &Path, to: &str) -> (i32, String) {
    let from = from.display().to_string();
    let arguments: Vec<String> =
        [&["convert"], options, &[&from, to]].concat().iter().map(|word| (*word).to_owned()).collect();
    let out = restow.run(&arguments).expect("restow runs");
    (out.code, out.stderr)
}

/// A fault deep in an image is fixed, all digests above it are carried up, and what signs the old digest is told; in every form.
#[test]
fn digests_are_carried_up_and_stale_signatures_told() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let restow = Restow::new(dir.path());
    let layout = dir.path().join("layout");
    minimal(&restow, &layout);
    let index: Value =
        serde_json::from_slice(&std::fs::read(layout.join("index.json")).expect("there")).expect("JSON");
    let old = index["manifests"][0]["digest"].as_str().expect("a digest").to_owned();
    let mut manifest: Value =
        serde_json::from_slice(&std::fs::read(blob(&layout, &old)).expect("there")).expect("JSON");
    let config = manifest["config"]["digest"].as_str().expect("a digest").to_owned();
    let text = std::fs::read(blob(&layout, &config)).expect("there");
    let mut text: Value = serde_json::from_slice(&text).expect("JSON");
    text["config"]["Env"] = serde_json::json!(["A=1", "A=2"]);
    let text = text.to_string();
    let (digest, size) = put(&layout, text.as_bytes());
    (manifest["config"]["digest"], manifest["config"]["size"]) = (digest.clone().into(), size.into());
    let text = manifest.to_string();
    let (faulty, size) = put(&layout, text.as_bytes());
    let signature = serde_json::json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "artifactType": "a/b",
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "size": 2,
            "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},
        "layers": [{"mediaType": "application/vnd.oci.empty.v1+json", "size": 2,
            "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}],
        "subject": {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": faulty, "size": size},
    });
    put(&layout, b"{}");
    let (signed, signed_size) = put(&layout, signature.to_string().as_bytes());
    edit(&layout, |index| {
        index["manifests"][0]["digest"] = faulty.clone().into();
        index["manifests"][0]["size"] = size.into();
        index["manifests"][0]["annotations"] =
            serde_json::json!({"io.containerd.image.name": "docker.io/lab/app:1"});
        let about = serde_json::json!({"mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": "a/b", "digest": signed, "size": signed_size});
        index["manifests"].as_array_mut().expect("a list").push(about);
    });
    let storage = format!("registry-storage:{}", dir.path().join("storage").display());
    let (code, said) = convert(&restow, &[], &layout, &storage);
    assert_eq!(code, 0, "{said}");
    let archive = dir.path().join("app.tar");
    assert_eq!(convert(&restow, &[], &layout, &format!("docker-archive:{}", archive.display())).0, 0);
    let found = report(&restow, &[&format!("oci:{}", layout.display())]);
    assert_eq!(named(&found, "config/duplicate-env").len(), 1, "{found:#?}");
    for (at, source) in [&layout, &dir.path().join("storage"), &archive].into_iter().enumerate() {
        for form in ["oci", "registry-storage", "docker-archive"] {
            let to = format!("{form}:{}", dir.path().join(format!("{form}{at}")).display());
            let account = dir.path().join("account.json");
            let (code, said) = convert(
                &restow,
                &["--fix", "safe", "--account", &account.display().to_string()],
                source,
                &to,
            );
            assert_eq!(code, 0, "{to}: {said}");
            let after = report(&restow, &[&to]);
            assert!(named(&after, "config/duplicate-env").is_empty(), "{to}: {after:#?}");
            assert!(!after.iter().any(|finding| finding["level"] == "error"), "{to}: {after:#?}");
            let account: Value =
                serde_json::from_slice(&std::fs::read(&account).expect("written")).expect("JSON");
            let entries = account["entries"].as_array().expect("entries");
            let fixed: Vec<_> = entries.iter().filter(|entry| entry["action"] == "fixed").collect();
            assert_eq!(fixed.len(), 1, "{entries:#?}");
            let before = |digest: &str| entries.iter().filter(|entry| entry["before"] == *digest).count();
            assert!(before(&faulty) == 1 && before(&digest) == 1, "{to}: {entries:#?}");
            if form != "docker-archive" || at == 0 {
                let stale = entries.iter().any(|entry| entry["why"] == "its subject is the old digest");
                assert!(stale, "{to} from {at}: {entries:#?}");
            }
        }
    }
    let (code, said) = convert(
        &restow,
        &["--fix", "safe", "--preserve-digests"],
        &layout,
        &format!("oci:{}", dir.path().join("no").display()),
    );
    assert!(code == 2 && said.contains("--preserve-digests: fixes would change"), "{said}");
    assert!(!dir.path().join("no").exists());
}

/// Two fixes that change one value otherwise are both left and counted.
#[test]
fn conflicts_are_counted_and_nothing_is_guessed() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let restow = Restow::new(dir.path());
    let layout = dir.path().join("layout");
    minimal(&restow, &layout);
    edit(&layout, |index| {
        index["manifests"][0]["platform"] = serde_json::json!({"os": "linux", "architecture": "aarch64"});
    });
    let list = ["check", "--fixes", "-", &format!("oci:{}", layout.display())].map(str::to_owned);
    let out = restow.run(&list).expect("restow runs");
    let list: Value = serde_json::from_slice(&out.stdout).expect("a list");
    let fixes = list["sources"][0]["fixes"].as_array().expect("fixes");
    let conflicts = fixes.iter().filter(|fix| fix["together"] == "conflict").count();
    assert_eq!(conflicts, 2, "{list:#}");
    let to = format!("oci:{}", dir.path().join("out").display());
    let (code, said) = convert(&restow, &["--fix", "all", "-A", "platform/config-mismatch"], &layout, &to);
    assert!(code == 0 && said.contains("fixed        1 fault"), "one alone is no conflict: {said}");
    let to = format!("oci:{}", dir.path().join("both").display());
    let (_, said) = convert(&restow, &["--fix", "all"], &layout, &to);
    assert!(said.contains("not fixed: 2 since another fix changes the same otherwise"), "{said}");
}

/// A document whose bytes are not what its digest says is not given another digest: that would hide it.
#[test]
fn a_broken_document_is_not_made_good_by_a_new_digest() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let restow = Restow::new(dir.path());
    let layout = dir.path().join("layout");
    minimal(&restow, &layout);
    let index: Value =
        serde_json::from_slice(&std::fs::read(layout.join("index.json")).expect("there")).expect("JSON");
    let digest = index["manifests"][0]["digest"].as_str().expect("a digest");
    let text = std::fs::read_to_string(blob(&layout, digest)).expect("there");
    let text = text.replacen("\"schemaVersion\":2", "\"schemaVersion\":3", 1);
    std::fs::write(blob(&layout, digest), text).expect("written");
    let to = format!("oci:{}", dir.path().join("out").display());
    let (code, said) = convert(&restow, &["--fix", "safe"], &layout, &to);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("not fixed: 1 since a document in the way is not what its digest says"), "{said}");
    assert!(!dir.path().join("out").exists());
}
