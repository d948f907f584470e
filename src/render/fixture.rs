//! One fixed archive and list of findings, for the tests of every renderer.

use std::borrow::Cow;
use std::path::Path;

use bstr::{BStr, BString, ByteSlice};

use super::{Container, Image, Renderer, Source};
use crate::finding::{Document, Documents, Edit, Finding, Integrity, Level, Lowered, Rule, Target, sort};
use crate::json::{Json, Span, parse};
use crate::location::{At, Location, MemberId};

/// Members by position, as their ids number them.
pub(crate) struct Archive {
    members: Vec<(BString, Option<Text>)>,
}

/// A document's bytes and what they hold.
type Text = (Vec<u8>, Option<Json>);

impl Documents for Archive {
    fn name(&self, member: MemberId) -> Cow<'_, BStr> {
        Cow::Borrowed(self.members[member.0 as usize].0.as_bstr())
    }

    fn text(&self, member: MemberId) -> Option<Document<'_>> {
        let (text, json) = self.members[member.0 as usize].1.as_ref()?;
        Some(Document { text, json: json.as_ref() })
    }

    fn place(&self) -> &str {
        "app.tar"
    }
}

impl Archive {
    pub(crate) fn new() -> Archive {
        Archive { members: Vec::new() }
    }

    /// Adds a member that is a document.
    pub(crate) fn document(&mut self, name: impl Into<BString>, text: impl Into<Vec<u8>>) -> MemberId {
        let text = text.into();
        let json = parse(&text, 64).ok();
        self.add(name.into(), Some((text, json)))
    }

    /// Adds a member that is not.
    pub(crate) fn blob(&mut self, name: impl Into<BString>) -> MemberId {
        self.add(name.into(), None)
    }

    fn add(&mut self, name: BString, document: Option<Text>) -> MemberId {
        self.members.push((name, document));
        MemberId(self.members.len() as u32 - 1)
    }
}

const fn rule(name: &'static str, level: Level, mend: &'static str) -> Rule {
    let (checks, matters, example) = ("", "", "");
    Rule {
        name,
        level,
        integrity: Integrity::No,
        optional: false,
        breaks: &[],
        catalogue: &[],
        checks,
        matters,
        example,
        mend,
        remedy: crate::finding::Remedy::None,
    }
}

/// Mended by words that are wrapped.
pub(crate) static SIZE: Rule = rule(
    "descriptor/size-mismatch",
    Level::Error,
    "Set `size` to the length of the blob, then the digest of the manifest in whatever names it. `restow \
     convert` writes both.\n\nA second paragraph is for the page of the rule.",
);
pub(crate) static MISSING: Rule = rule("descriptor/missing-size", Level::Error, "");
pub(crate) static DUPLICATE: Rule = rule("json/duplicate-key", Level::Error, "Remove one of the two.");
pub(crate) static CASE: Rule = rule("json/key-case", Level::Warning, "");
pub(crate) static DIGEST: Rule = rule("blob/digest-mismatch", Level::Error, "");
pub(crate) static SYNTAX: Rule = rule("json/syntax", Level::Error, "");
pub(crate) static PADDING: Rule = rule("tar/padding", Level::Note, "");
pub(crate) static ENTRY: Rule = rule("layer/absolute-path", Level::Warning, "");

/// `blobs/sha256/` and 64 digits.
pub(crate) fn blob_name(digit: char) -> String {
    format!("blobs/sha256/{}", digest(digit))
}

fn digest(digit: char) -> String {
    let digits = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85";
    format!("{digit}{digits}")
}

fn layer(media_type: &str, size: u64, digit: char) -> String {
    format!(
        r#"{{"mediaType":"application/vnd.oci.image.layer.v1.{media_type}","size":{size},"digest":"sha256:{}"}}"#,
        digest(digit)
    )
}

/// A manifest of 20 kB in one line, with `layers` layers.
pub(crate) fn minified(layers: u64) -> String {
    let layers: Vec<_> = (0..layers).map(|n| layer("tar+gzip", 32 + n, 'a')).collect();
    let config = format!(
        r#"{{"mediaType":"application/vnd.oci.image.config.v1+json","size":581,"digest":"sha256:{}"}}"#,
        digest('c')
    );
    format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{config},"layers":[{}]}}"#,
        layers.join(",")
    )
}

const INDEX: &str = r#"{
  "schemaVersion": 2,
  "manifests": [
    {
      "mediaType": "application/vnd.oci.image.manifest.v1+json",
      "digest": "sha256:6e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85",
      "size": 424,
      "platform": {
        "architecture": "amd64",
        "os": "linux"
      },
      "annotations": {"org.opencontainers.image.ref.name": "latest"}
    },
    {
      "mediaType": "application/vnd.oci.image.manifest.v1+json",
      "digest": "sha256:7e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85",
      "platform": {
        "Architecture": "arm64",
        "os": "linux"
      }
    }
  ]
}
"#;

const TWICE: &str =
    r#"{"os":"linux","architecture":"amd64","a":1,"b":2,"os":"windows","rootfs":{"type":"layers"}}"#;

/// Every kind of place once.
pub(crate) fn everything() -> (Archive, Vec<Finding>) {
    let mut archive = Archive::new();
    let index = archive.document("index.json", INDEX);
    let manifest = archive.document(blob_name('6'), minified(120));
    let layer = archive.blob(blob_name('a'));
    let hostile = archive.document(
        b"evil\x1b[2J\x1b]0;owned\x07/\xe2\x80\xaegpj.\xff".to_vec(),
        b"{\"name\": \"\x7f\xe2\x80\xaered\xff\", \"\xc2\x9b31mkey\": [1, 2, 3]}".to_vec(),
    );
    let broken = archive
        .document("manifest.json", "[{\"Config\": \"a.json\",\n  \"Layers\": [\"a.tar\" \"b.tar\"]}]\n");
    let cut = archive.document("oci-layout", "{\"imageLayoutVersion\": ");
    let config = archive.document("twice.json", TWICE);
    let twice = Location { member: Some(config), at: At::Span(Span { start: 49, end: 53 }) };
    let once = Location { member: Some(config), at: At::Span(Span { start: 1, end: 5 }) };
    let findings = vec![
        Finding::new(
            &SIZE,
            Location::pointer(manifest, "/layers/99/size"),
            "layer 99 is 33 bytes, the manifest says 131",
        )
        .label("the manifest says 131")
        .related(Location::member(layer), "this blob is 33 bytes")
        .change(
            Target::Member(manifest),
            Edit::Set { pointer: "/layers/99/size".into(), value: "33".into() },
        ),
        Finding::new(&MISSING, Location::pointer(index, "/manifests/1"), "manifest 1 has no `size`")
            .label("`size` is missing here")
            .set(&Location::pointer(index, "/manifests/1/size"), "424")
            .assuming("the manifest is the one that was meant"),
        Finding::new(
            &CASE,
            Location { member: Some(index), at: At::Key("/manifests/1/platform/Architecture".into()) },
            "`Architecture` is written `architecture` by the specification",
        )
        .label("Go reads this as `architecture`, most other languages do not read it at all")
        .help("write `architecture`")
        .rename(&Location::pointer(index, "/manifests/1/platform/Architecture"), "architecture"),
        Finding::new(&DUPLICATE, twice, "`os` stands twice in one object")
            .label("again here")
            .related(once, "first here"),
        Finding::new(
            &DIGEST,
            Location { member: Some(layer), at: At::Offset(123) },
            "the blob has another digest than its name says",
        )
        .label("the gzip stream ends here")
        .related(Location::pointer(manifest, "/layers/0/digest"), "declared here")
        .related(Location::pointer(index, "/manifests/0/digest"), "the manifest is declared here")
        .related(Location::pointer(hostile, "/name"), "and here"),
        Finding::new(&SYNTAX, Location { member: Some(broken), at: At::Offset(43) }, "expected `,` or `]`")
            .label("found a string"),
        Finding::new(
            &SYNTAX,
            Location { member: Some(cut), at: At::Offset(23) },
            "the document ends inside an object",
        )
        .label("expected a value"),
        Finding::new(&PADDING, Location::archive(), "3 blocks of padding follow the end of the archive")
            .change(Target::Named(b"oci\xff-layout".to_vec().into()), Edit::Write("{}".into())),
        Finding::new(&PADDING, Location { member: None, at: At::Offset(10240) }, "no end-of-archive marker")
            .help("two blocks of zeros end a tar"),
        Finding::new(
            &ENTRY,
            Location { member: Some(layer), at: At::entry("/etc/\x1b[2Jpasswd", 1536) },
            "`/etc/\u{1b}[2Jpasswd` begins with `/`",
        ),
        Finding::new(&CASE, Location::pointer(hostile, "/name"), "the name is `\u{1b}[31m\u{202e}red`")
            .label("\u{202e}here")
            .related(
                Location { member: Some(hostile), at: At::Key("/\u{9b}31mkey".into()) },
                "this name, too",
            ),
        Finding::new(
            &CASE,
            Location { member: Some(hostile), at: At::Span(Span { start: 5000, end: 6000 }) },
            "a span out of range",
        ),
        Finding::new(&CASE, Location::pointer(hostile, "/no/such/place"), "a pointer to nothing"),
    ];
    (archive, findings)
}

/// 200 faults of one kind and one of another.
pub(crate) fn many() -> (Archive, Vec<Finding>) {
    of_one_kind(200)
}

/// So many faults of one kind in one document, and one of another.
pub(crate) fn of_one_kind(count: u64) -> (Archive, Vec<Finding>) {
    let mut archive = Archive::new();
    let manifest = archive.document(blob_name('6'), minified(count));
    let findings = (0..count)
        .map(|n| {
            let at = Location::pointer(manifest, format!("/layers/{n}/size"));
            let message = format!("layer {n} is 33 bytes, the manifest says {}", 32 + n);
            Finding::new(&SIZE, at, message)
                .change(Target::Member(manifest), Edit::Remove { pointer: format!("/layers/{n}/size") })
        })
        .chain([Finding::new(&PADDING, Location::archive(), "no end-of-archive marker")])
        .collect();
    (archive, findings)
}

/// So many faults of one kind in the names of one object.
pub(crate) fn of_names(count: u64) -> (Archive, Vec<Finding>) {
    let mut archive = Archive::new();
    let members: Vec<_> = (0..count).map(|n| format!("\"port {n}\":{{}}")).collect();
    let config = archive.document(blob_name('c'), format!("{{{}}}", members.join(",")));
    let findings = (0..count).map(|n| {
        let at = Location { member: Some(config), at: At::Key(format!("/port {n}")) };
        Finding::new(&CASE, at.clone(), format!("`port {n}` is not a port")).remove(&at)
    });
    (archive, findings.collect())
}

/// What a format makes of [`everything`] in a folder, [`many`] in a file, and a source that could not be opened.
pub(crate) fn rendered(mut renderer: Box<dyn Renderer>) -> String {
    let (docs, mut findings) = everything();
    sort(&mut findings, &docs);
    let levelled: Vec<_> = findings.iter().map(|finding| (finding.rule.level, finding)).collect();
    let image = |name: &str, members: &[u32]| Image {
        name: name.into(),
        members: members.iter().copied().map(MemberId).collect(),
    };
    let images = [image("app:latest", &[1, 2]), image("\u{1b}[31mother\u{fffe}", &[2])];
    let path = Some(Path::new("lay out/app.tar"));
    let source = Source {
        docs: &docs,
        path,
        container: Container::Folder,
        form: "oci",
        images: &images,
        findings: &levelled,
        lowered: Lowered::NONE,
        suggest: &[],
        proved: None,
    };
    renderer.add(&source);
    let (docs, mut findings) = many();
    sort(&mut findings, &docs);
    let levelled: Vec<_> = findings.iter().map(|finding| (finding.rule.level, finding)).collect();
    let path = Some(Path::new("/tmp/app.tar"));
    let form = "oci-archive";
    renderer.add(&Source {
        docs: &docs,
        path,
        container: Container::Tar,
        form,
        images: &[],
        findings: &levelled,
        lowered: Lowered::NONE,
        suggest: &[],
        proved: None,
    });
    renderer.failed("gone.tar", "cannot open \u{1b}[2Jgone.tar");
    text(renderer)
}

/// The whole document.
pub(crate) fn text(renderer: Box<dyn Renderer>) -> String {
    let mut out = Vec::new();
    renderer.finish(&mut out).expect("memory");
    String::from_utf8(out).expect("UTF-8")
}
