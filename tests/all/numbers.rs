//! Numbers in what reads archives: whatever bounds how much of one is read, followed or judged is a field of `Limits`, with its
//! reason and its option. Any other number says here what it is instead, so that nobody writes a cap beside them unseen.

use std::collections::BTreeSet;

/// The rooms that read what nobody trusts.
const ROOMS: &[&str] = &[
    "blob",
    "codec",
    "form",
    "inventory",
    "json",
    "layer",
    "model",
    "read",
    "rules",
    "schema",
    "source",
    "tar",
];

/// What a number is that is no cap, and those that are it: a file, and names in it (`*` for all).
const NUMBERS: &[(&str, &[(&str, &str)])] = &[
    (
        "what a format, an operating system, another tool or the meaning of a bit fixes",
        &[
            ("codec/gzip.rs", "*"),
            ("codec/zstd_frame.rs", "LONGEST"),
            ("codec/mod.rs", "LOOKAHEAD"),
            ("form/apart.rs", "MAX_LINKS"),
            ("layer/climb.rs", "HOPS LENGTH"),
            ("layer/evidence.rs", "KINDS"),
            ("layer/magic.rs", "LONGEST"),
            ("layer/own.rs", "*"),
            ("layer/scan.rs", "PATH_MAX NAME_MAX"),
            ("layer/stack.rs", "*"),
            ("layer/table.rs", "RECORD"),
            ("layer/trail.rs", "DIRECTORY HARD_LINK OTHER SYMLINK"),
            ("rules/annotation.rs", "MAX_BYTES"),
            ("rules/config.rs", "YEAR_TWO"),
            ("rules/container.rs", "MAX_OCTAL"),
            ("rules/descriptor.rs", "MAX_DATA"),
            ("rules/layer.rs", "LARGE RATIO"),
            ("rules/manifest.rs", "*"),
            ("rules/run_config.rs", "MILLISECOND"),
            ("schema/shape.rs", "EXACT"),
            ("source/name.rs", "DIGITS"),
            ("source/names.rs", "MAX_HOPS"),
            ("tar/field.rs", "*"),
            ("tar/mod.rs", "BLOCK"),
            ("tar/write.rs", "SIZE_LIMIT"),
        ],
    ),
    (
        "how much is read, written, held or done at once: with any other it comes to the same",
        &[
            ("blob/pipeline.rs", "SMALL"),
            ("blob/threads.rs", "DEPTH"),
            ("codec/deflate.rs", "*"),
            ("codec/encode.rs", "*"),
            ("codec/mod.rs", "CHUNK XZ_BESIDES"),
            ("codec/packed.rs", "LEVEL"),
            ("codec/reader.rs", "APART"),
            ("form/at_once.rs", "AT_ONCE"),
            ("form/registry/live.rs", "MANY"),
            ("form/mend/in_bucket.rs", "*"),
            ("form/oci_layout/stored.rs", "TRIES"),
            ("form/registry_storage/piece.rs", "BLOB"),
            ("form/registry_storage/in_bucket.rs", "*"),
            ("form/write/packed.rs", "*"),
            ("form/write/tar_out.rs", "*"),
            ("form/write/tree.rs", "BUFFER"),
            ("json/parse.rs", "FEW_MEMBERS"),
            ("json/pointer.rs", "SMALL"),
            ("layer/contents.rs", "ITEM"),
            ("layer/names.rs", "BLOCK"),
            ("layer/table.rs", "RUN BLOCK IN_MEMORY"),
            ("model/texts.rs", "ALLOWANCE RECENT VALUE"),
            ("source/bytes.rs", "*"),
            ("source/foreign.rs", "FIRST"),
            ("source/mod.rs", "HEAD"),
            ("source/objects.rs", "*"),
            ("source/spool.rs", "PACKED"),
            ("tar/read.rs", "READ_AHEAD READ_AFTER_JUMP"),
        ],
    ),
    (
        "how much is told of what was found, and that there is more",
        &[
            ("form/detect.rs", "SHOWN"),
            ("form/docker_archive/v1.rs", "MAX_ODD"),
            ("layer/contents.rs", "LARGEST"),
            ("layer/evidence.rs", "KEPT TEXT CUT PATH_KEPT"),
            ("rules/capped.rs", "MAX_FINDINGS"),
            ("rules/members.rs", "MAX_NAMES"),
            ("rules/reach.rs", "*"),
            ("rules/run/parts.rs", "MAX_RELATED"),
            ("rules/stray.rs", "SHOWN"),
            ("schema/mod.rs", "*"),
            ("tar/read.rs", "MAX_ANOMALIES"),
            ("tar/scan.rs", "MAX_CHAIN_ANOMALIES"),
        ],
    ),
    (
        "under every setting of a limit, what keeps the program from ending by a signal or running for hours",
        &[
            ("json/parse.rs", "DEPTH_CEILING LENGTH_CEILING POINTER_BYTES"),
            ("layer/climb.rs", "LINKS BYTES WORK"),
            ("layer/scan.rs", "DEPTH"),
            ("read/across.rs", "*"),
            ("read/mod.rs", "CONTENTS"),
            ("source/spool.rs", "FREE"),
        ],
    ),
];

/// The integer constants of a source, whatever their types are called.
fn constants(code: &str) -> BTreeSet<String> {
    let integer = |kind: &str| {
        let kind = kind.trim();
        ["u", "i"].iter().any(|sign| {
            kind.strip_prefix(sign).is_some_and(|bits| ["8", "16", "32", "64", "128", "size"].contains(&bits))
        })
    };
    let constant = |line: &str| {
        let line = line.trim();
        let (name, rest) = line.split_once("const ").and_then(|(_, rest)| rest.split_once(": "))?;
        let (kind, _) = rest.split_once('=')?;
        (integer(kind) && !name.contains([' ', '('])).then(|| name.to_owned())
    };
    code.lines().filter_map(constant).collect()
}

/// Numbers of this code that are listed under no class.
fn unlisted(path: &str, code: &str) -> Vec<String> {
    let listed = |name: &str| {
        let all = NUMBERS.iter().flat_map(|(_, numbers)| numbers.iter());
        let mut here = all.filter(|(file, _)| *file == path);
        here.any(|(_, names)| *names == "*" || names.split(' ').any(|known| known == name))
    };
    constants(code).into_iter().filter(|name| !listed(name)).map(|name| format!("{path} {name}")).collect()
}

#[test]
fn what_bounds_an_archive_is_a_limit() {
    let mut wrong = Vec::new();
    let mut seen: BTreeSet<(String, String)> = BTreeSet::new();
    for (path, code) in crate::house::production() {
        let room = path.split('/').next().unwrap_or_default().trim_end_matches(".rs");
        if ROOMS.contains(&room) {
            seen.extend(constants(&code).into_iter().map(|name| (path.clone(), name)));
            wrong.extend(unlisted(&path, &code));
        }
    }
    assert!(
        wrong.is_empty(),
        "a cap is a field of Limits; any other number says in this file what it is: {wrong:#?}"
    );
    for (path, names) in NUMBERS.iter().flat_map(|(_, numbers)| numbers.iter()) {
        let there = |name: &str| match name {
            "*" => seen.iter().any(|(file, _)| file == path),
            _ => seen.contains(&((*path).to_owned(), name.to_owned())),
        };
        assert!(names.split(' ').all(there), "{path} has not all of {names} any more");
    }
}

#[test]
fn a_cap_beside_the_limits_is_seen() {
    for line in [
        "const MAX_LAYERS_OF_MINE: usize = 100;",
        "    pub(super) const MOST: u64 = 1 << 20;",
        "pub const DEPTH: u32 = 64;",
    ] {
        let code = format!("use std::io;\n{line}\nfn f() {{}}\n");
        assert_eq!(unlisted("model/select.rs", &code).len(), 1, "{line}");
    }
    assert!(
        unlisted("model/select.rs", "const NAME: &str = \"a\";\nconst fn f(a: usize) -> u64 { 0 }\n")
            .is_empty()
    );
}
