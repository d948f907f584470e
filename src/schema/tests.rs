mod beside;

use serde_json::Value as Plain;

use super::DocumentKind::*;
use super::*;
use crate::json::{self, Json};

const CONFIG: &str = r#"{"architecture":"amd64","config":{"Cmd":["/x"]},"history":[{"created":"1970-01-01T00:00:00Z","created_by":"x"}],"os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"]}}"#;

/// A sound document of each kind: formats.md J.1, J.2, B.2, D.8 and sparse ones with every allowed `null`.
const SOUND: &[(DocumentKind, &str)] = &[
    (Descriptor, r#"{"mediaType":"a/b","digest":"sha256:00","size":2}"#),
    (
        Descriptor,
        r#"{"mediaType":"","digest":"","size":-1,"urls":null,"annotations":null,"data":null,"artifactType":null,"platform":null,"new":[1.5]}"#,
    ),
    (
        OciIndex,
        r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:9272a73921ac9ee4a1989c1b5abafb8e2211276d7b4bf34076020f5296aeef12","size":400,"platform":{"architecture":"amd64","os":"linux"}}]}"#,
    ),
    (
        OciIndex,
        r#"{"schemaVersion":2,"mediaType":null,"artifactType":null,"manifests":null,"subject":null,"annotations":null}"#,
    ),
    (
        OciManifest,
        r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:7e866a286603fe0ee7018ed3db2a977251ff812cb5cc240b59af0d4b9e1a1b18","size":239},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4","size":32}]}"#,
    ),
    (
        OciManifest,
        r#"{"schemaVersion":2,"config":{"mediaType":"a/b","digest":"x","size":9007199254740992},"layers":null,"subject":null,"annotations":null}"#,
    ),
    (OciConfig, CONFIG),
    (
        OciConfig,
        r#"{"config":null,"history":null,"rootfs":{"type":"layers","diff_ids":null},"Healthcheck":7}"#,
    ),
    (
        OciConfig,
        r#"{"rootfs":{"type":"layers"},"config":{"Cmd":null,"Volumes":null,"Healthcheck":"docker's own"}}"#,
    ),
    (OciLayout, r#"{"imageLayoutVersion":"1.0.0","more":true}"#),
    (
        DockerManifestList,
        r#"{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.list.v2+json","manifests":[{"mediaType":"a/b","digest":"x","size":1}]}"#,
    ),
    (
        DockerManifest,
        r#"{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{"mediaType":"application/vnd.docker.container.image.v1+json","digest":"sha256:7e866a286603fe0ee7018ed3db2a977251ff812cb5cc240b59af0d4b9e1a1b18","size":239},"layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","digest":"sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4","size":32}]}"#,
    ),
    (
        DockerSchema1,
        r#"{"schemaVersion":1,"name":"lab/app","tag":"1","architecture":"amd64","fsLayers":[{"blobSum":"sha256:a3"}],"history":[{"v1Compatibility":"{}"}],"signatures":[{"header":{"jwk":{"crv":"P-256"},"alg":"ES256"},"signature":"spAM","protected":"eyJm"}]}"#,
    ),
    (DockerConfig, CONFIG),
    (
        DockerConfig,
        r#"{"architecture":"arm64","variant":"v8","os":"linux","created":"2026-01-02T03:04:05.6Z","config":{"User":"1000","Env":["PATH=/bin"],"Entrypoint":["/srv"],"Cmd":null,"Labels":{"a":"b"},"ExposedPorts":{"80":{}},"Healthcheck":{"Test":["CMD-SHELL","test -e /ok"],"Interval":30000000000,"Retries":3},"OnBuild":null},"rootfs":{"type":"layers","diff_ids":["sha256:5f"]},"history":[{"created":"2026-01-02T03:04:05.6Z","created_by":"COPY srv /srv"},{"empty_layer":true}]}"#,
    ),
    (
        DockerArchiveManifest,
        r#"[{"Config":"9d1b.json","RepoTags":["app:1"],"Layers":["2c61/layer.tar"],"Parent":"sha256:0","LayerSources":{"sha256:1":{"mediaType":"a/b","size":1,"digest":"x"}}},{"Config":"c","RepoTags":null,"Layers":null}]"#,
    ),
    // jib
    (DockerArchiveManifest, r#"[{"config":"config.json","repoTags":["a:1"],"layers":["1.tar.gz"]}]"#),
    // The exact name is the member, whatever a like-named one holds.
    (DockerArchiveManifest, r#"[{"Config":"c","config":1,"Layers":[]}]"#),
    (Repositories, r#"{"app":{"1":"4f0c","latest":"4f0c"}}"#),
    (Repositories, "{}"),
    (
        V1Json,
        r#"{"id":"4f0c","created":null,"config":{"Cmd":"/x","Entrypoint":["/y"]},"Size":12,"throwaway":true}"#,
    ),
];

/// Pointer, rule, message.
type Fault = (&'static str, &'static str, &'static str);

const FAULTS: &[(DocumentKind, &str, &[Fault])] = &[
    (
        OciManifest,
        r#"{"schemaVersion":"2","layers":{"0":{}}}"#,
        &[
            ("", "manifest/config-missing", "`config` is missing from the manifest"),
            (
                "/schemaVersion",
                "json/unexpected-shape",
                "`schemaVersion` is a string, an integer was expected",
            ),
            (
                "/layers",
                "json/unexpected-shape",
                "`layers` is an object, an array of descriptors was expected",
            ),
        ],
    ),
    (
        OciManifest,
        r#"{"config":null,"layers":[{"mediaType":"a/b","size":"3"},7,null]}"#,
        &[
            ("", "document/schema-version-missing", "`schemaVersion` is missing from the manifest"),
            ("/config", "json/null-for-required", "`config` is null, a descriptor was expected"),
            ("/layers/0", "descriptor/missing-member", "`digest` is missing from the descriptor `layers[0]`"),
            (
                "/layers/0/size",
                "json/unexpected-shape",
                "`layers[0].size` is a string, an integer was expected",
            ),
            ("/layers/1", "json/unexpected-shape", "`layers[1]` is a number, a descriptor was expected"),
            ("/layers/2", "json/null-for-required", "`layers[2]` is null, a descriptor was expected"),
        ],
    ),
    (
        OciManifest,
        r#"{"schemaVersion":2,"config":{"mediaType":"a/b","digest":"x","size":2},"layers":[],
            "annotations":{"a/b~c":1,"ok":""},"subject":{"size":1,"annotations":{"n":null}}}"#,
        &[
            (
                "/annotations/a~1b~0c",
                "annotation/value-not-string",
                "`annotations[\"a/b~c\"]` is a number, a string was expected",
            ),
            ("/subject", "descriptor/missing-member", "`digest` is missing from the descriptor `subject`"),
            ("/subject", "descriptor/missing-member", "`mediaType` is missing from the descriptor `subject`"),
            (
                "/subject/annotations/n",
                "annotation/value-not-string",
                "`subject.annotations.n` is null, a string was expected",
            ),
        ],
    ),
    (OciManifest, "[]", &[("", "json/unexpected-shape", "the manifest is an array, an object was expected")]),
    (
        OciManifest,
        r#"{"schemaVersion":2,"config":{"mediaType":"a/b","digest":"x","size":2}}"#,
        &[("", "manifest/layers-missing", "`layers` is missing from the manifest")],
    ),
    // The last of duplicate members counts.
    (
        Descriptor,
        r#"{"size":"1","mediaType":"a/b","digest":"x","size":1,"digest":2}"#,
        &[("/digest", "json/unexpected-shape", "`digest` is a number, a string was expected")],
    ),
    // Elsewhere names that differ in case are another rule's business.
    (
        Descriptor,
        r#"{"Size":1,"mediaType":"a/b","digest":"x"}"#,
        &[("", "descriptor/missing-member", "`size` is missing from the descriptor")],
    ),
    (
        Descriptor,
        r#"{"mediaType":"a/b","digest":"x","size":1.0}"#,
        &[("/size", "json/number-not-integer", "`size` is written as 1.0, an integer was expected")],
    ),
    (
        Descriptor,
        r#"{"mediaType":"a/b","digest":"x","size":1e3}"#,
        &[("/size", "json/number-not-integer", "`size` is written as 1e3, an integer was expected")],
    ),
    (
        Descriptor,
        r#"{"mediaType":"a/b","digest":"x","size":1.5}"#,
        &[("/size", "json/unexpected-shape", "`size` is 1.5, an integer was expected")],
    ),
    (
        Descriptor,
        r#"{"mediaType":"a/b","digest":"x","size":9007199254740993}"#,
        &[(
            "/size",
            "json/integer-too-large",
            "`size` is 9007199254740993, an integer of at most 2^53 was expected",
        )],
    ),
    (
        Descriptor,
        r#"{"mediaType":"a/b","digest":"x","size":18446744073709551616}"#,
        &[(
            "/size",
            "json/unexpected-shape",
            "`size` is 18446744073709551616, an integer of 64 bits was expected",
        )],
    ),
    (
        OciIndex,
        r#"{"schemaVersion":2,"manifests":[{"mediaType":"a/b","digest":"x","size":1,"platform":{"os":"linux"}}]}"#,
        &[(
            "/manifests/0/platform",
            "platform/missing-member",
            "`architecture` is missing from the platform `manifests[0].platform`",
        )],
    ),
    (
        OciIndex,
        r#"{"schemaVersion":2,"annotations":[]}"#,
        &[
            ("", "index/manifests-missing", "`manifests` is missing from the index"),
            (
                "/annotations",
                "json/unexpected-shape",
                "`annotations` is an array, a map of strings was expected",
            ),
        ],
    ),
    (
        DockerManifestList,
        r#"{"schemaVersion":2}"#,
        &[
            ("", "index/manifests-missing", "`manifests` is missing from the manifest list"),
            ("", "document/docker-media-type-missing", "`mediaType` is missing from the manifest list"),
        ],
    ),
    (
        DockerManifest,
        r#"{"schemaVersion":2,"config":{"mediaType":"a/b","digest":"x","size":2},"layers":null}"#,
        &[("", "document/docker-media-type-missing", "`mediaType` is missing from the manifest")],
    ),
    (
        OciLayout,
        "{}",
        &[("", "layout/version-missing", "`imageLayoutVersion` is missing from the layout file")],
    ),
    (
        OciLayout,
        r#"{"imageLayoutVersion":1}"#,
        &[(
            "/imageLayoutVersion",
            "json/unexpected-shape",
            "`imageLayoutVersion` is a number, a string was expected",
        )],
    ),
    (OciConfig, "{}", &[("", "config/rootfs-missing", "`rootfs` is missing from the config")]),
    (
        OciConfig,
        r#"{"rootfs":{"diff_ids":[1]},"config":{"Cmd":"/x","Entrypoint":[1],"Labels":{"a.b":true},"Env":null}}"#,
        &[
            ("/rootfs", "config/rootfs-type-missing", "`type` is missing from `rootfs`"),
            (
                "/rootfs/diff_ids/0",
                "json/unexpected-shape",
                "`rootfs.diff_ids[0]` is a number, a string was expected",
            ),
            (
                "/config/Cmd",
                "config/command-not-array",
                "`config.Cmd` is a string, an array of strings was expected",
            ),
            (
                "/config/Entrypoint/0",
                "config/command-not-array",
                "`config.Entrypoint[0]` is a number, a string was expected",
            ),
            (
                "/config/Labels/a.b",
                "config/label-not-string",
                "`config.Labels[\"a.b\"]` is a boolean, a string was expected",
            ),
        ],
    ),
    (
        DockerConfig,
        r#"{"rootfs":null,"config":{"Cmd":"/x","Healthcheck":{"Interval":1e9},"ExposedPorts":{"80":1}},"history":{}}"#,
        &[
            ("/rootfs", "json/null-for-required", "`rootfs` is null, an object was expected"),
            (
                "/config/Cmd",
                "config/command-not-array",
                "`config.Cmd` is a string, an array of strings was expected",
            ),
            (
                "/config/Healthcheck/Interval",
                "json/number-not-integer",
                "`config.Healthcheck.Interval` is written as 1e9, an integer was expected",
            ),
            (
                "/config/ExposedPorts/80",
                "json/unexpected-shape",
                "`config.ExposedPorts[80]` is a number, an object was expected",
            ),
            (
                "/history",
                "json/unexpected-shape",
                "`history` is an object, an array of history items was expected",
            ),
        ],
    ),
    (
        V1Json,
        r#"{"config":{"Cmd":1,"Labels":{"a":1}}}"#,
        &[
            (
                "/config/Cmd",
                "config/command-not-array",
                "`config.Cmd` is a number, an array of strings or a string was expected",
            ),
            (
                "/config/Labels/a",
                "config/label-not-string",
                "`config.Labels.a` is a number, a string was expected",
            ),
        ],
    ),
    (
        DockerArchiveManifest,
        "{}",
        &[(
            "",
            "docker-archive/manifest-not-array",
            "the archive manifest is an object, an array of images was expected",
        )],
    ),
    (
        DockerArchiveManifest,
        r#"[{"RepoTags":"a:1"},{"config":5,"layers":"x"}]"#,
        &[
            ("/0", "docker-archive/config-missing", "`Config` is missing from the image `[0]`"),
            ("/0", "docker-archive/layers-missing", "`Layers` is missing from the image `[0]`"),
            (
                "/0/RepoTags",
                "json/unexpected-shape",
                "`[0].RepoTags` is a string, an array of strings was expected",
            ),
            ("/1/config", "json/unexpected-shape", "`[1].config` is a number, a string was expected"),
            (
                "/1/layers",
                "json/unexpected-shape",
                "`[1].layers` is a string, an array of strings was expected",
            ),
        ],
    ),
    (
        Repositories,
        r#"{"a":[],"b/c":{"1":{}}}"#,
        &[
            ("/a", "json/unexpected-shape", "`a` is an array, a map of strings was expected"),
            ("/b~1c/1", "json/unexpected-shape", "`[\"b/c\"][1]` is an object, a string was expected"),
        ],
    ),
    (
        DockerSchema1,
        r#"{"schemaVersion":1,"name":"a","architecture":"","fsLayers":[{}],"history":null}"#,
        &[
            ("", "schema1/missing-member", "`tag` is missing from the schema 1 manifest"),
            ("/fsLayers/0", "schema1/missing-member", "`blobSum` is missing from the layer `fsLayers[0]`"),
            (
                "/history",
                "json/null-for-required",
                "`history` is null, an array of history items was expected",
            ),
        ],
    ),
];

fn read(text: &[u8]) -> Json {
    json::parse(text, 64).expect("JSON")
}

#[test]
fn sound_documents_have_no_faults() {
    for (kind, text) in SOUND {
        assert_eq!(validate(*kind, &read(text.as_bytes())), [], "{kind:?} {text}");
    }
    for kind in DocumentKind::ALL {
        assert!(SOUND.iter().any(|(of, _)| *of == kind), "{kind:?}");
    }
}

#[test]
fn faults_are_placed_named_and_worded() {
    for (kind, text, expected) in FAULTS {
        let json = read(text.as_bytes());
        let faults = validate(*kind, &json);
        let got: Vec<_> = faults.iter().map(|f| (f.pointer.as_str(), f.rule, f.message.as_str())).collect();
        assert_eq!(got, *expected, "{text}");
        for fault in &faults {
            assert!(json.root.at(&fault.pointer).is_some(), "{fault:?}");
        }
    }
}

#[test]
fn fields_agree_with_the_message() {
    let faults = validate(OciManifest, &read(br#"{"schemaVersion":2,"layers":7}"#));
    let fields: Vec<_> = faults
        .iter()
        .map(|f| (f.keyword, f.missing.as_deref(), f.expected.as_str(), f.found.as_str()))
        .collect();
    assert_eq!(
        fields,
        [
            ("required", Some("config"), "a descriptor", "nothing"),
            ("type", None, "an array of descriptors", "a number"),
        ]
    );
}

#[test]
fn every_rule_is_documented_and_used() {
    let page = include_str!("mod.rs");
    let used: Vec<_> =
        FAULTS.iter().flat_map(|(_, _, faults)| faults.iter().map(|(_, rule, _)| *rule)).collect();
    for rule in names::all() {
        assert!(page.contains(&format!("//! | `{rule}` |")), "{rule} is not in the module's table");
        assert!(used.contains(&rule), "{rule} is in no test");
    }
}

#[test]
fn schemas_keep_the_rules_of_their_folder() {
    for (position, kind) in DocumentKind::ALL.into_iter().enumerate() {
        assert_eq!(kind as usize, position);
        let schema: Plain = serde_json::from_str(kind.text()).expect("JSON");
        assert!(jsonschema::draft202012::meta::is_valid(&schema), "{kind:?}");
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["$id"], format!("urn:restow:schema:{}", kind.name()));
        assert!(schema["title"].is_string() && schema["description"].is_string(), "{kind:?}");
        keep_rules(kind, &schema);
    }
}

fn keep_rules(kind: DocumentKind, node: &Plain) {
    const KEYWORDS: &[&str] = &[
        "$schema",
        "$id",
        "$ref",
        "$defs",
        "title",
        "description",
        "type",
        "required",
        "properties",
        "items",
        "additionalProperties",
        "if",
        "else",
    ];
    let Some(object) = node.as_object() else { return };
    for (key, value) in object {
        assert!(KEYWORDS.contains(&key.as_str()), "{kind:?} uses {key}");
        match key.as_str() {
            "properties" | "$defs" => {
                value.as_object().expect("map").values().for_each(|child| keep_rules(kind, child));
            }
            "$ref" => {
                let found = text::subschema(value.as_str().expect("text"));
                assert!(found.is_object(), "{kind:?} refers to {value}");
            }
            _ => keep_rules(kind, value),
        }
    }
}

#[test]
fn hostile_documents_are_cut_short() {
    let members: Vec<_> = (0..5000).map(|n| format!("\"k{n}\":1")).collect();
    let text = format!("{{\"{}\":{{{}}}}}", "r".repeat(500), members.join(","));
    let faults = validate(Repositories, &read(text.as_bytes()));
    assert_eq!(faults.len(), MAX_FAULTS);
    assert!(faults[0].message.len() < 150, "{}", faults[0].message);
    assert!(
        faults[MAX_FAULTS - 1].message.ends_with("; so it is with 4000 more"),
        "{}",
        faults[MAX_FAULTS - 1].message
    );

    let digits = "9".repeat(5000);
    let faults = validate(Descriptor, &read(format!(r#"{{"size":{digits}}}"#).as_bytes()));
    assert_eq!(faults.len(), 3);
    assert!(faults[2].message.len() < 150, "{}", faults[2].message);
}

#[test]
fn faults_of_one_rule_hide_no_others() {
    let of = |spelled: usize| {
        let layer = |size: &str| format!(r#"{{"mediaType":"a","digest":"b","size":{size}}}"#);
        let mut layers = vec![layer("1.0"); spelled];
        layers.push(layer("\"1\""));
        layers.push(layer("null"));
        let text =
            format!(r#"{{"schemaVersion":2,"config":{},"layers":[{}]}}"#, layer("1"), layers.join(","));
        validate(OciManifest, &read(text.as_bytes()))
    };
    let last = |faults: &[ShapeFault]| -> Vec<_> {
        faults.iter().rev().take(2).rev().map(|fault| (fault.rule, fault.pointer.clone())).collect()
    };
    for spelled in [MAX_FAULTS, MAX_FAULTS + 1, MAX_FAULTS + 500] {
        let faults = of(spelled);
        assert_eq!(faults.len(), MAX_FAULTS + 2, "{spelled}");
        let expected = [
            ("json/unexpected-shape", format!("/layers/{spelled}/size")),
            ("json/null-for-required", format!("/layers/{}/size", spelled + 1)),
        ];
        assert_eq!(last(&faults), expected, "{spelled}");
        let told = faults.iter().filter(|fault| fault.message.contains("more")).count();
        assert_eq!(told, usize::from(spelled > MAX_FAULTS), "{spelled}");
    }
}
