//! One fixed list of findings, drawn in every way. `SNAPSHOTS=overwrite cargo test` renews the drawings.

use snapbox::{IntoData, assert_data_eq, str};

use super::*;
use crate::finding::sort;
use crate::location::Location;
use crate::render::fixture;

fn draw(color: bool, unicode: bool, width: usize) -> String {
    let (docs, findings) = fixture::everything();
    drawn(&docs, findings, HumanOptions { color, unicode, width, least: Level::Note, short: false })
}

fn drawn(docs: &fixture::Archive, mut findings: Vec<Finding>, opts: HumanOptions) -> String {
    sort(&mut findings, docs);
    let findings: Vec<_> = findings.iter().map(|f| (f.rule.level, f)).collect();
    let lowered = crate::finding::Lowered::NONE;
    let verdict = Verdict {
        place: docs.place(),
        what: "1 image",
        findings: &findings,
        images: &[],
        hints: &[],
        lowered,
    };
    let out = report(&verdict, docs, opts);
    assert!(out.ends_with('\n') && !out.ends_with("\n\n"));
    assert!(out.lines().all(|line| !line.ends_with(' ')), "a space at the end of a line");
    out
}

#[test]
fn narrow() {
    assert_data_eq!(
        draw(false, true, 80),
        str![[r#"
app.tar: not sound, 1 image, 6 errors, 5 warnings, 2 notes

note[tar/padding]: 3 blocks of padding follow the end of the archive
  --> app.tar

note[tar/padding]: no end-of-archive marker
  --> app.tar at byte 10240
  help: two blocks of zeros end a tar

error[descriptor/missing-size]: manifest 1 has no `size`
    ╭─[index.json:14:5 /manifests/1]
 14 │ {
    · ┬
    · ╰── `size` is missing here
 15 │   "mediaType": "application/vnd.oci.image.manifest.v1+json",
 16 │   "digest": "sha256:7e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca…",
 17 │   "platform": {"Architecture": "arm64", "os": "linux"}
 21 │ }
    ╰────
  help: write `424`, if the manifest is the one that was meant

warning[json/key-case]: `Architecture` is written `architecture` by the
    specification
    ╭─[index.json:18:9 /manifests/1/platform/Architecture]
 17 │ "platform": {
 18 │   "Architecture": "arm64",
    ·   ───────┬──────
    ·          ╰─┤ Go reads this as `architecture`, most other languages do not
    ·            │ read it at all
 19 │   "os": "linux"
 20 │ }
    ╰────
  help: write `architecture`

error[descriptor/size-mismatch]: layer 99 is 33 bytes, the manifest says 131
   ╭─[blobs/sha256/6e3b0c44298f…:1:15491 /layers/99/size]
   │ {
   │   "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
   │   "size": 131,
   ·           ─┬─
   ·            ╰── the manifest says 131
   │   "digest": "sha256:ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca4…"
   │ }
   ╰────
  note: blobs/sha256/ae3b0c44298f…: this blob is 33 bytes
  help: set `size` to the length of the blob, then the digest of the manifest
        in whatever names it. `restow convert` writes both

error[blob/digest-mismatch]: the blob has another digest than its name says
  --> blobs/sha256/ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85
      at byte 123: the gzip stream ends here
   ╭─[blobs/sha256/6e3b0c44298f…:1:325 /layers/0/digest]
   │ {
   │   "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
   │   "size": 32,
   │   "digest": "sha256:ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca4…"
   ·             ──────────────────────────────┬──────────────────────────────
   ·                                           ╰── declared here
   │ }
   ╰────
    ╭─[index.json:6:17 /manifests/0/digest]
  4 │ {
    │   …
  6 │   "digest": "sha256:6e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca…",
    ·             ──────────────────────────────┬─────────────────────────────
    ·                                           ╰─┤ the manifest is declared
    ·                                             │ here
    │   …
 13 │ }
    ╰────
  note: evil\x1b[2J\x1b]0;owned\x07/\u{202e}gpj.\xff:1:10 /name: and here

warning[layer/absolute-path]: `/etc/\x1b[2Jpasswd` begins with `/`
  --> blobs/sha256/ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85:
      /etc/\x1b[2Jpasswd at byte 1536

warning[json/key-case]: a pointer to nothing
   ╭─[evil\x1b[2J\x1b]0;owned\x07/\u{202e}gpj.\xff:1:1 /no/such/place]
   │ {
   · ─
   │   "name": "\x7f\u{202e}red\xff",
   │   "\u{9b}31mkey": [1, 2, 3]
   │ }
   ╰────

warning[json/key-case]: the name is `\x1b[31m\u{202e}red`
   ╭─[evil\x1b[2J\x1b]0;owned\x07/\u{202e}gpj.\xff:1:10 /name]
   │ {
   │   "name": "\x7f\u{202e}red\xff",
   ·           ──────────┬──────────
   ·                     ╰── \u{202e}here
   │   "\u{9b}31mkey": [1, 2, 3]
   ·   ───────┬──────
   ·          ╰── this name, too
   │ }
   ╰────

warning[json/key-case]: a span out of range
   ╭─[evil\x1b[2J\x1b]0;owned\x07/\u{202e}gpj.\xff:1:41]
 1 │ {"name": "\x7f\u{202e}red\xff", "\u{9b}31mkey": [1, 2, 3]}
   ·                                                           ─
   ╰────

error[json/syntax]: expected `,` or `]`
   ╭─[manifest.json:2:22]
 1 │ [{"Config": "a.json",
 2 │   "Layers": ["a.tar" "b.tar"]}]
   ·                      ┬
   ·                      ╰── found a string
   ╰────

error[json/syntax]: the document ends inside an object
   ╭─[oci-layout:1:24]
 1 │ {"imageLayoutVersion":
   ·                        ┬
   ·                        ╰── expected a value
   ╰────

error[json/duplicate-key]: `os` stands twice in one object
   ╭─[twice.json:1:50]
   │ {
   │   "os": "linux",
   ·   ──┬─
   ·     ╰── first here
   │   "architecture": "amd64",
   │   "a": 1,
   │   "b": 2,
   │   "os": "windows",
   ·   ──┬─
   ·     ╰── again here
   │   "rootfs": {"type": "layers"}
   │ }
   ╰────
  help: remove one of the two

app.tar: not sound, 1 image, 6 errors, 5 warnings, 2 notes

"#]]
        .raw()
    );
}

#[test]
fn wide() {
    assert_data_eq!(draw(false, true, 200), str![[r#"
app.tar: not sound, 1 image, 6 errors, 5 warnings, 2 notes

note[tar/padding]: 3 blocks of padding follow the end of the archive
  --> app.tar

note[tar/padding]: no end-of-archive marker
  --> app.tar at byte 10240
  help: two blocks of zeros end a tar

error[descriptor/missing-size]: manifest 1 has no `size`
    ╭─[index.json:14:5 /manifests/1]
 14 │ {
    · ┬
    · ╰── `size` is missing here
 15 │   "mediaType": "application/vnd.oci.image.manifest.v1+json",
 16 │   "digest": "sha256:7e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85",
 17 │   "platform": {"Architecture": "arm64", "os": "linux"}
 21 │ }
    ╰────
  help: write `424`, if the manifest is the one that was meant

warning[json/key-case]: `Architecture` is written `architecture` by the specification
    ╭─[index.json:18:9 /manifests/1/platform/Architecture]
 17 │ "platform": {
 18 │   "Architecture": "arm64",
    ·   ───────┬──────
    ·          ╰── Go reads this as `architecture`, most other languages do not read it at all
 19 │   "os": "linux"
 20 │ }
    ╰────
  help: write `architecture`

error[descriptor/size-mismatch]: layer 99 is 33 bytes, the manifest says 131
   ╭─[blobs/sha256/6e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85:1:15491 /layers/99/size]
   │ {
   │   "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
   │   "size": 131,
   ·           ─┬─
   ·            ╰── the manifest says 131
   │   "digest": "sha256:ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85"
   │ }
   ╰────
  note: blobs/sha256/ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85: this blob is 33 bytes
  help: set `size` to the length of the blob, then the digest of the manifest in whatever names it. `restow convert` writes both

error[blob/digest-mismatch]: the blob has another digest than its name says
  --> blobs/sha256/ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85 at byte 123: the gzip stream ends here
   ╭─[blobs/sha256/6e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85:1:325 /layers/0/digest]
   │ {
   │   "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
   │   "size": 32,
   │   "digest": "sha256:ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85"
   ·             ────────────────────────────────────┬────────────────────────────────────
   ·                                                 ╰── declared here
   │ }
   ╰────
    ╭─[index.json:6:17 /manifests/0/digest]
  4 │ {
  5 │   "mediaType": "application/vnd.oci.image.manifest.v1+json",
  6 │   "digest": "sha256:6e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85",
    ·             ────────────────────────────────────┬────────────────────────────────────
    ·                                                 ╰── the manifest is declared here
  7 │   "size": 424,
  8 │   "platform": {"architecture": "amd64", "os": "linux"},
 12 │   "annotations": {"org.opencontainers.image.ref.name": "latest"}
 13 │ }
    ╰────
  note: evil\x1b[2J\x1b]0;owned\x07/\u{202e}gpj.\xff:1:10 /name: and here

warning[layer/absolute-path]: `/etc/\x1b[2Jpasswd` begins with `/`
  --> blobs/sha256/ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85: /etc/\x1b[2Jpasswd at byte 1536

warning[json/key-case]: a pointer to nothing
   ╭─[evil\x1b[2J\x1b]0;owned\x07/\u{202e}gpj.\xff:1:1 /no/such/place]
   │ {
   · ─
   │   "name": "\x7f\u{202e}red\xff",
   │   "\u{9b}31mkey": [1, 2, 3]
   │ }
   ╰────

warning[json/key-case]: the name is `\x1b[31m\u{202e}red`
   ╭─[evil\x1b[2J\x1b]0;owned\x07/\u{202e}gpj.\xff:1:10 /name]
   │ {
   │   "name": "\x7f\u{202e}red\xff",
   ·           ──────────┬──────────
   ·                     ╰── \u{202e}here
   │   "\u{9b}31mkey": [1, 2, 3]
   ·   ───────┬──────
   ·          ╰── this name, too
   │ }
   ╰────

warning[json/key-case]: a span out of range
   ╭─[evil\x1b[2J\x1b]0;owned\x07/\u{202e}gpj.\xff:1:41]
 1 │ {"name": "\x7f\u{202e}red\xff", "\u{9b}31mkey": [1, 2, 3]}
   ·                                                           ─
   ╰────

error[json/syntax]: expected `,` or `]`
   ╭─[manifest.json:2:22]
 1 │ [{"Config": "a.json",
 2 │   "Layers": ["a.tar" "b.tar"]}]
   ·                      ┬
   ·                      ╰── found a string
   ╰────

error[json/syntax]: the document ends inside an object
   ╭─[oci-layout:1:24]
 1 │ {"imageLayoutVersion":
   ·                        ┬
   ·                        ╰── expected a value
   ╰────

error[json/duplicate-key]: `os` stands twice in one object
   ╭─[twice.json:1:50]
   │ {
   │   "os": "linux",
   ·   ──┬─
   ·     ╰── first here
   │   "architecture": "amd64",
   │   "a": 1,
   │   "b": 2,
   │   "os": "windows",
   ·   ──┬─
   ·     ╰── again here
   │   "rootfs": {"type": "layers"}
   │ }
   ╰────
  help: remove one of the two

app.tar: not sound, 1 image, 6 errors, 5 warnings, 2 notes

"#]].raw());
}

#[test]
fn ascii() {
    let out = draw(false, false, 80);
    assert!(out.is_ascii());
    assert_data_eq!(
        out,
        str![[r#"
app.tar: not sound, 1 image, 6 errors, 5 warnings, 2 notes

note[tar/padding]: 3 blocks of padding follow the end of the archive
  --> app.tar

note[tar/padding]: no end-of-archive marker
  --> app.tar at byte 10240
  help: two blocks of zeros end a tar

error[descriptor/missing-size]: manifest 1 has no `size`
    ,-[index.json:14:5 /manifests/1]
 14 | {
    : ^
    : `-- `size` is missing here
 15 |   "mediaType": "application/vnd.oci.image.manifest.v1+json",
 16 |   "digest": "sha256:7e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934...",
 17 |   "platform": {"Architecture": "arm64", "os": "linux"}
 21 | }
    `----
  help: write `424`, if the manifest is the one that was meant

warning[json/key-case]: `Architecture` is written `architecture` by the
    specification
    ,-[index.json:18:9 /manifests/1/platform/Architecture]
 17 | "platform": {
 18 |   "Architecture": "arm64",
    :   ^^^^^^^^^^^^^^
    :          `-| Go reads this as `architecture`, most other languages do not
    :            | read it at all
 19 |   "os": "linux"
 20 | }
    `----
  help: write `architecture`

error[descriptor/size-mismatch]: layer 99 is 33 bytes, the manifest says 131
   ,-[blobs/sha256/6e3b0c44298f...:1:15491 /layers/99/size]
   | {
   |   "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
   |   "size": 131,
   :           ^^^
   :            `-- the manifest says 131
   |   "digest": "sha256:ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934c..."
   | }
   `----
  note: blobs/sha256/ae3b0c44298f...: this blob is 33 bytes
  help: set `size` to the length of the blob, then the digest of the manifest
        in whatever names it. `restow convert` writes both

error[blob/digest-mismatch]: the blob has another digest than its name says
  --> blobs/sha256/ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85
      at byte 123: the gzip stream ends here
   ,-[blobs/sha256/6e3b0c44298f...:1:325 /layers/0/digest]
   | {
   |   "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
   |   "size": 32,
   |   "digest": "sha256:ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934c..."
   :             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
   :                                           `-- declared here
   | }
   `----
    ,-[index.json:6:17 /manifests/0/digest]
  4 | {
    |   ...
  6 |   "digest": "sha256:6e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934...",
    :             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    :                                           `-| the manifest is declared
    :                                             | here
    |   ...
 13 | }
    `----
  note: evil\x1b[2J\x1b]0;owned\x07/\u{202e}gpj.\xff:1:10 /name: and here

warning[layer/absolute-path]: `/etc/\x1b[2Jpasswd` begins with `/`
  --> blobs/sha256/ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85:
      /etc/\x1b[2Jpasswd at byte 1536

warning[json/key-case]: a pointer to nothing
   ,-[evil\x1b[2J\x1b]0;owned\x07/\u{202e}gpj.\xff:1:1 /no/such/place]
   | {
   : ^
   |   "name": "\x7f\u{202e}red\xff",
   |   "\u{9b}31mkey": [1, 2, 3]
   | }
   `----

warning[json/key-case]: the name is `\x1b[31m\u{202e}red`
   ,-[evil\x1b[2J\x1b]0;owned\x07/\u{202e}gpj.\xff:1:10 /name]
   | {
   |   "name": "\x7f\u{202e}red\xff",
   :           ^^^^^^^^^^^^^^^^^^^^^
   :                     `-- \u{202e}here
   |   "\u{9b}31mkey": [1, 2, 3]
   :   ^^^^^^^^^^^^^^
   :          `-- this name, too
   | }
   `----

warning[json/key-case]: a span out of range
   ,-[evil\x1b[2J\x1b]0;owned\x07/\u{202e}gpj.\xff:1:41]
 1 | {"name": "\x7f\u{202e}red\xff", "\u{9b}31mkey": [1, 2, 3]}
   :                                                           ^
   `----

error[json/syntax]: expected `,` or `]`
   ,-[manifest.json:2:22]
 1 | [{"Config": "a.json",
 2 |   "Layers": ["a.tar" "b.tar"]}]
   :                      ^
   :                      `-- found a string
   `----

error[json/syntax]: the document ends inside an object
   ,-[oci-layout:1:24]
 1 | {"imageLayoutVersion":
   :                        ^
   :                        `-- expected a value
   `----

error[json/duplicate-key]: `os` stands twice in one object
   ,-[twice.json:1:50]
   | {
   |   "os": "linux",
   :   ^^^^
   :     `-- first here
   |   "architecture": "amd64",
   |   "a": 1,
   |   "b": 2,
   |   "os": "windows",
   :   ^^^^
   :     `-- again here
   |   "rootfs": {"type": "layers"}
   | }
   `----
  help: remove one of the two

app.tar: not sound, 1 image, 6 errors, 5 warnings, 2 notes

"#]]
        .raw()
    );
}

/// `␛` stands for the escape character.
#[test]
fn color() {
    assert_data_eq!(
        draw(true, true, 80).replace('\x1b', "␛"),
        str![[r#"
␛[1mapp.tar␛[0m: ␛[1;38;5;160mnot sound␛[0m, 1 image, ␛[1;38;5;160m6 errors␛[0m, ␛[1;38;5;130m5 warnings␛[0m, 2 notes

␛[1;38;5;28mnote[tar/padding]␛[0m␛[1m: 3 blocks of padding follow the end of the archive␛[0m
␛[38;5;30m  --> ␛[0mapp.tar

␛[1;38;5;28mnote[tar/padding]␛[0m␛[1m: no end-of-archive marker␛[0m
␛[38;5;30m  --> ␛[0mapp.tar at byte 10240
␛[38;5;30m  help: ␛[0mtwo blocks of zeros end a tar

␛[1;38;5;160merror[descriptor/missing-size]␛[0m␛[1m: manifest 1 has no `size`␛[0m
    ╭─[␛[38;5;30mindex.json:14:5 /manifests/1␛[0m]
 ␛[2m14␛[0m │ {
    · ␛[38;5;160;1m┬␛[0m
    · ␛[38;5;160;1m╰── ␛[38;5;160;1m`size` is missing here␛[0m␛[0m
 ␛[2m15␛[0m │   "mediaType": "application/vnd.oci.image.manifest.v1+json",
 ␛[2m16␛[0m │   "digest": "sha256:7e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca…",
 ␛[2m17␛[0m │   "platform": {"Architecture": "arm64", "os": "linux"}
 ␛[2m21␛[0m │ }
    ╰────
␛[38;5;30m  help: ␛[0mwrite `424`, if the manifest is the one that was meant

␛[1;38;5;130mwarning[json/key-case]␛[0m␛[1m: `Architecture` is written `architecture` by the␛[0m
    ␛[1mspecification␛[0m
    ╭─[␛[38;5;30mindex.json:18:9 /manifests/1/platform/Architecture␛[0m]
 ␛[2m17␛[0m │ "platform": {
 ␛[2m18␛[0m │   "Architecture": "arm64",
    · ␛[38;5;130;1m  ───────┬──────␛[0m
    ·          ␛[38;5;130;1m╰─┤ ␛[38;5;130;1mGo reads this as `architecture`, most other languages do not␛[0m␛[0m
    ·          ␛[38;5;130;1m  │ ␛[38;5;130;1mread it at all␛[0m␛[0m
 ␛[2m19␛[0m │   "os": "linux"
 ␛[2m20␛[0m │ }
    ╰────
␛[38;5;30m  help: ␛[0mwrite `architecture`

␛[1;38;5;160merror[descriptor/size-mismatch]␛[0m␛[1m: layer 99 is 33 bytes, the manifest says 131␛[0m
   ╭─[␛[38;5;30mblobs/sha256/6e3b0c44298f…:1:15491 /layers/99/size␛[0m]
 ␛[2m ␛[0m │ {
 ␛[2m ␛[0m │   "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
 ␛[2m ␛[0m │   "size": 131,
   · ␛[38;5;160;1m          ─┬─␛[0m
   ·            ␛[38;5;160;1m╰── ␛[38;5;160;1mthe manifest says 131␛[0m␛[0m
 ␛[2m ␛[0m │   "digest": "sha256:ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca4…"
 ␛[2m ␛[0m │ }
   ╰────
␛[38;5;30m  note: ␛[0mblobs/sha256/ae3b0c44298f…: this blob is 33 bytes
␛[38;5;30m  help: ␛[0mset `size` to the length of the blob, then the digest of the manifest
        in whatever names it. `restow convert` writes both

␛[1;38;5;160merror[blob/digest-mismatch]␛[0m␛[1m: the blob has another digest than its name says␛[0m
␛[38;5;30m  --> ␛[0mblobs/sha256/ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85
      at byte 123: the gzip stream ends here
   ╭─[␛[38;5;30mblobs/sha256/6e3b0c44298f…:1:325 /layers/0/digest␛[0m]
 ␛[2m ␛[0m │ {
 ␛[2m ␛[0m │   "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
 ␛[2m ␛[0m │   "size": 32,
 ␛[2m ␛[0m │   "digest": "sha256:ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca4…"
   · ␛[38;5;30m            ──────────────────────────────┬──────────────────────────────␛[0m
   ·                                           ␛[38;5;30m╰── ␛[38;5;30mdeclared here␛[0m␛[0m
 ␛[2m ␛[0m │ }
   ╰────
    ╭─[␛[38;5;30mindex.json:6:17 /manifests/0/digest␛[0m]
 ␛[2m 4␛[0m │ {
 ␛[2m  ␛[0m │   …
 ␛[2m 6␛[0m │   "digest": "sha256:6e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca…",
    · ␛[38;5;30m            ──────────────────────────────┬─────────────────────────────␛[0m
    ·                                           ␛[38;5;30m╰─┤ ␛[38;5;30mthe manifest is declared␛[0m␛[0m
    ·                                           ␛[38;5;30m  │ ␛[38;5;30mhere␛[0m␛[0m
 ␛[2m  ␛[0m │   …
 ␛[2m13␛[0m │ }
    ╰────
␛[38;5;30m  note: ␛[0mevil\x1b[2J\x1b]0;owned\x07/\u{202e}gpj.\xff:1:10 /name: and here

␛[1;38;5;130mwarning[layer/absolute-path]␛[0m␛[1m: `/etc/\x1b[2Jpasswd` begins with `/`␛[0m
␛[38;5;30m  --> ␛[0mblobs/sha256/ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85:
      /etc/\x1b[2Jpasswd at byte 1536

␛[1;38;5;130mwarning[json/key-case]␛[0m␛[1m: a pointer to nothing␛[0m
   ╭─[␛[38;5;30mevil\x1b[2J\x1b]0;owned\x07/\u{202e}gpj.\xff:1:1 /no/such/place␛[0m]
 ␛[2m ␛[0m │ {
   · ␛[38;5;130;1m─␛[0m
 ␛[2m ␛[0m │   "name": "\x7f\u{202e}red\xff",
 ␛[2m ␛[0m │   "\u{9b}31mkey": [1, 2, 3]
 ␛[2m ␛[0m │ }
   ╰────

␛[1;38;5;130mwarning[json/key-case]␛[0m␛[1m: the name is `\x1b[31m\u{202e}red`␛[0m
   ╭─[␛[38;5;30mevil\x1b[2J\x1b]0;owned\x07/\u{202e}gpj.\xff:1:10 /name␛[0m]
 ␛[2m ␛[0m │ {
 ␛[2m ␛[0m │   "name": "\x7f\u{202e}red\xff",
   · ␛[38;5;130;1m          ──────────┬──────────␛[0m
   ·                     ␛[38;5;130;1m╰── ␛[38;5;130;1m\u{202e}here␛[0m␛[0m
 ␛[2m ␛[0m │   "\u{9b}31mkey": [1, 2, 3]
   · ␛[38;5;30m  ───────┬──────␛[0m
   ·          ␛[38;5;30m╰── ␛[38;5;30mthis name, too␛[0m␛[0m
 ␛[2m ␛[0m │ }
   ╰────

␛[1;38;5;130mwarning[json/key-case]␛[0m␛[1m: a span out of range␛[0m
   ╭─[␛[38;5;30mevil\x1b[2J\x1b]0;owned\x07/\u{202e}gpj.\xff:1:41␛[0m]
 ␛[2m1␛[0m │ {"name": "\x7f\u{202e}red\xff", "\u{9b}31mkey": [1, 2, 3]}
   · ␛[38;5;130;1m                                                          ─␛[0m
   ╰────

␛[1;38;5;160merror[json/syntax]␛[0m␛[1m: expected `,` or `]`␛[0m
   ╭─[␛[38;5;30mmanifest.json:2:22␛[0m]
 ␛[2m1␛[0m │ [{"Config": "a.json",
 ␛[2m2␛[0m │   "Layers": ["a.tar" "b.tar"]}]
   · ␛[38;5;160;1m                     ┬␛[0m
   ·                      ␛[38;5;160;1m╰── ␛[38;5;160;1mfound a string␛[0m␛[0m
   ╰────

␛[1;38;5;160merror[json/syntax]␛[0m␛[1m: the document ends inside an object␛[0m
   ╭─[␛[38;5;30moci-layout:1:24␛[0m]
 ␛[2m1␛[0m │ {"imageLayoutVersion":
   · ␛[38;5;160;1m                       ┬␛[0m
   ·                        ␛[38;5;160;1m╰── ␛[38;5;160;1mexpected a value␛[0m␛[0m
   ╰────

␛[1;38;5;160merror[json/duplicate-key]␛[0m␛[1m: `os` stands twice in one object␛[0m
   ╭─[␛[38;5;30mtwice.json:1:50␛[0m]
 ␛[2m ␛[0m │ {
 ␛[2m ␛[0m │   "os": "linux",
   · ␛[38;5;30m  ──┬─␛[0m
   ·     ␛[38;5;30m╰── ␛[38;5;30mfirst here␛[0m␛[0m
 ␛[2m ␛[0m │   "architecture": "amd64",
 ␛[2m ␛[0m │   "a": 1,
 ␛[2m ␛[0m │   "b": 2,
 ␛[2m ␛[0m │   "os": "windows",
   · ␛[38;5;160;1m  ──┬─␛[0m
   ·     ␛[38;5;160;1m╰── ␛[38;5;160;1magain here␛[0m␛[0m
 ␛[2m ␛[0m │   "rootfs": {"type": "layers"}
 ␛[2m ␛[0m │ }
   ╰────
␛[38;5;30m  help: ␛[0mremove one of the two

␛[1mapp.tar␛[0m: ␛[1;38;5;160mnot sound␛[0m, 1 image, ␛[1;38;5;160m6 errors␛[0m, ␛[1;38;5;130m5 warnings␛[0m, 2 notes

"#]]
        .raw()
    );
}

#[test]
fn color_wide() {
    let strip = |text: &str| {
        let mut parts = text.split('\x1b');
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |out, part| out + part.split_once('m').map_or("", |(_, rest)| rest))
    };
    assert_eq!(strip(&draw(true, true, 200)), draw(false, true, 200), "colours change nothing else");
}

#[test]
fn faults_alike_are_counted() {
    let (docs, findings) = fixture::many();
    let out = drawn(
        &docs,
        findings,
        HumanOptions { color: false, unicode: true, width: 80, least: Level::Note, short: false },
    );
    assert_eq!(out.matches("error[").count(), ALIKE);
    assert_eq!(out.matches("help:").count(), 1, "advice is given once");
    let end: Vec<_> = out.lines().rev().take(5).collect();
    assert_data_eq!(
        end.into_iter().rev().collect::<Vec<_>>().join("\n"),
        str![[r#"
    /layers/3/size, /layers/4/size, /layers/5/size, /layers/6/size,
    /layers/7/size, /layers/8/size, /layers/9/size, …; --report json lists all
    200

app.tar: not sound, 1 image, 200 errors, 1 note
"#]]
        .raw()
    );
}

#[test]
fn nothing_is_drawn_for_nothing() {
    let (docs, findings) = fixture::everything();
    let opts = HumanOptions { color: false, unicode: true, width: 80, least: Level::Note, short: false };
    assert_eq!(render(&[], &docs, opts), "");
    assert_eq!(render(&[(Level::Allow, &findings[0])], &docs, opts), "");
}

/// Archive text of any length and kind: the report stays a screen long and nothing of it is raw.
#[test]
fn hostile_text_is_bounded_and_escaped() {
    let mut docs = fixture::Archive::new();
    let nasty = "\x1b[2J\u{202e}\n".repeat(2000);
    let member = docs.document(nasty.clone(), format!("{{\"a\x7f{}\": 1}}", "\u{202e}".repeat(5000)));
    let mut finding = Finding::new(&fixture::CASE, Location::pointer(member, ""), nasty.clone())
        .label(nasty.clone())
        .help(&*nasty);
    for _ in 0..500 {
        finding = finding.related(Location::member(member), nasty.clone());
    }
    for width in [0, 1, 80, usize::MAX] {
        let out = drawn(
            &docs,
            vec![finding.clone()],
            HumanOptions { color: false, unicode: true, width, least: Level::Note, short: false },
        );
        assert!(out.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'));
        let lines = out.lines().count();
        // A screen, and the summary.
        assert!(out.len() < 20_000 && lines <= SCREEN + 1, "{lines} lines of {width}:\n{out}");
    }
}

/// Every offset of every document of the fixture: miette has assertions that must not be reached.
#[test]
fn any_offset_can_be_drawn() {
    let (docs, _) = fixture::everything();
    for member in [0, 3, 4, 5, 6].map(MemberId) {
        let len = docs.text(member).expect("a document").text.len() as u64;
        for offset in 0..=len + 1 {
            let at = |offset| Location { member: Some(member), at: At::Offset(offset) };
            let finding =
                Finding::new(&fixture::SYNTAX, at(offset), "here").related(at(offset / 2), "and there");
            let out = drawn(
                &docs,
                vec![finding],
                HumanOptions { color: false, unicode: true, width: 60, least: Level::Note, short: false },
            );
            assert!(out.contains('╭'), "{out}");
        }
    }
}

#[test]
fn texts_are_wrapped_and_cut() {
    assert_eq!(wrap("aa bb cc dd", 5, 2, 0), ["aa", "bb cc", "dd"]);
    assert_eq!(wrap("a_word_longer_than_that b", 5, 0, 0), ["a_word_longer_than_that", "b"]);
    assert_eq!(wrap("run `a b c`, or d", 11, 0, 2), ["run", "`a b c`,", "or d"], "a command stays whole");
    assert_eq!(wrap("run `a b c d e f`", 9, 0, 2), ["run `a b", "c d e", "f`"], "if it fits");
    assert_eq!(wrap("an ` alone and so", 6, 0, 0), ["an `", "alone", "and so"]);
    assert_eq!(clip("abcdefgh", 5, "…"), "ab…gh");
    let name = fixture::blob_name('a');
    assert_eq!(fit(&name, 77, "…"), name);
    assert_eq!(fit(&format!("{name}:1:2 /é"), 77, "…"), "blobs/sha256/ae3b0c44298f…:1:2 /é");
}
