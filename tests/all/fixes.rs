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
