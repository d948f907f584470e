//! A form that nobody else knows: a shelf, where every blob is a file called by its hex digits, and `shelf` lists what is
//! meant. It is here to show what adding a form takes: what stands in this file, and a line in a list. Only for tests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::form::format::{Capabilities, Format, Forms, HeldNames, Out, Reading, Writing};
use crate::form::place::Place;
use crate::form::preview::{Known, Members, Preview};
use crate::form::sink::{Displaced, OutDocument, OutName, Output, Presence, Sink, Staged};
use crate::form::write::WriteOptions;
use crate::form::write::tree::Tree as Staging;
use crate::form::{Input, OpenOptions, docker_archive, oci_layout, open_among};
use crate::jobs::check;
use crate::jobs::convert::{self, Destination, End, Request, Target};
use crate::limits::Limits;
use crate::location::{Location, MemberId};
use crate::model::build::Builder;
use crate::model::{Anomaly, Archive, Form, Name, Root, Sought, Standing};
use crate::read;
use crate::reference::Reference;
use crate::source::{Ingested, SpoolDir, Tree};

const LIST: &str = "shelf";

static SHELF: Format = Format {
    form: Form::Other("shelf"),
    title: "shelf",
    transports: &[("shelf", &FOLDER)],
    named: true,
    reading: Some(Reading {
        detect,
        accepts_damaged: |_| false,
        standing: |name| if name == LIST { Standing::Own } else { Standing::Nothing },
        place: |_, digest, _| Some(digest.encoded().into()),
        open,
    }),
};

static FOLDER: Writing = Writing {
    id: "shelf",
    can: Capabilities {
        stream: false,
        spool: true,
        names: HeldNames::Full,
        referrers: true,
        revisions: false,
    },
    create: |out, options| shelf(out, options),
};

/// The list of forms with one more: this is the line.
static MORE: Forms = Forms(&[&SHELF, &docker_archive::FORMAT, &oci_layout::FORMAT]);

fn detect(tree: &Tree) -> bool {
    tree.file(LIST.as_bytes()).is_some()
}

fn find(tree: &Tree, digest: &Digest, _: Sought) -> Option<MemberId> {
    tree.file(digest.encoded().as_bytes())
}

/// Each line of the list is a digest, a media type and a name.
fn open(tree: Tree, ingested: Ingested, limits: &Limits) -> Result<Archive> {
    let mut builder = Builder::new(SHELF.form, tree, ingested, limits, find);
    let list = builder.file(LIST).map(|list| (list, builder.archive.tree.read(list, 1 << 20)));
    if let Some((list, bytes)) = list {
        let at = Location::member(list);
        let text = String::from_utf8_lossy(&bytes?.unwrap_or_default()).into_owned();
        for line in text.lines() {
            let mut words = line.split(' ');
            let (digest, kind, name) = (words.next(), words.next(), words.next());
            let Some(digest) = digest.and_then(|digest| Digest::parse(digest).ok()) else {
                builder.odd(Anomaly::BadLink { member: list, content: line.to_owned() });
                continue;
            };
            let name = match name.map(|name| (name, Reference::parse(name))) {
                None => Name::None,
                Some((_, Ok(name))) => Name::Full(name),
                Some((text, Err(problem))) => {
                    let (text, problem) = (text.to_owned(), problem.to_string());
                    builder.odd(Anomaly::BadName { at: at.clone(), text: text.clone(), problem });
                    Name::Unreadable(text)
                }
            };
            if let Some(node) = builder.manifest(digest, kind.map(crate::media::kept), &at)? {
                let at = at.clone();
                builder.archive.roots.push(Root { name, ..Root::listed(at, node) });
            }
        }
    }
    if builder.archive.roots.is_empty() {
        builder.odd(Anomaly::Empty { at: Location::archive() });
    }
    Ok(builder.archive)
}

struct Shelf {
    tree: Staging,
    path: PathBuf,
}

fn shelf(out: Out<'_>, options: &WriteOptions) -> Result<Box<dyn Sink>> {
    let path = out.path("shelf")?;
    if path.exists() {
        return Err(Error::refused(format!("{} exists", path.display())));
    }
    Ok(Box::new(Shelf { tree: Staging::beside(path, options.fsync)?, path: path.to_owned() }))
}

impl Sink for Shelf {
    fn ordered(&self) -> bool {
        false
    }

    fn spool_dir(&self) -> Option<&Path> {
        Some(self.tree.spool())
    }

    fn has(&self, _: &Digest) -> Result<Presence<'_>> {
        Ok(Presence::No)
    }

    fn stage(&self, _: Option<(&Digest, u64)>) -> Result<Box<dyn Staged + '_>> {
        self.tree.stage(|digest| Ok(digest.encoded().into()))
    }

    fn document(&self, document: &OutDocument) -> Result<()> {
        self.tree.put(Path::new(document.digest.encoded()), &document.bytes)
    }

    fn prepare(&self, _: &Output) -> Result<Vec<Displaced>> {
        Ok(Vec::new())
    }

    fn preview(&self, output: &Output, _: Known<'_>) -> Result<Preview> {
        let mut members = Members::default();
        members.bytes(LIST, list(output).into_bytes());
        let documents = output.documents.iter().map(|document| &document.digest);
        let held: BTreeSet<&Digest> = documents.chain(output.held().map(|blob| &blob.digest)).collect();
        for digest in held {
            self.tree.show(None, Path::new(digest.encoded()), digest.encoded().to_owned(), &mut members)?;
        }
        Ok(members.preview(open))
    }

    fn commit(self: Box<Self>, output: &Output) -> Result<()> {
        self.tree.put(Path::new(LIST), list(output).as_bytes())?;
        self.tree.publish(&self.path)
    }
}

/// What stands in the list.
fn list(output: &Output) -> String {
    let kind = |digest: &Digest| {
        let document = output.documents.iter().find(|document| document.digest == *digest);
        document.map_or("", |document| &document.media_type).to_owned()
    };
    let line = |(target, name): (&Digest, &OutName)| match name {
        OutName::Full(name) => format!("{target} {} {}\n", kind(target), name.familiar()),
        _ => format!("{target} {}\n", kind(target)),
    };
    output.roots.iter().map(|root| line((&root.target, &root.name))).collect()
}

fn opened(path: &Path) -> Archive {
    let options = OpenOptions {
        place: "here",
        form: None,
        limits: &Limits::default(),
        spool: &mut || SpoolDir::new(None),
        lone: crate::form::Alone::No,
        progress: &(),
    };
    open_among(MORE, Input::Path(path.to_owned()), options).expect("opens")
}

fn converted(from: &str, to: &str) {
    let source = Place::among(MORE, from).expect("a place");
    let place = Place::among(MORE, to).expect("a place");
    let target = Target::of(place.transport.expect("a prefix"));
    let policy = crate::rules::Policy::default();
    let done = convert::run(
        convert::Source::at(&source),
        Destination::at(&place),
        &Request::to(target),
        &policy,
        &(),
    );
    assert!(matches!(done.expect("converted").end, End::Written { .. }), "{from} to {to}");
}

/// Names, digests of what they lead to, and digests of blobs.
fn held(archive: &Archive) -> (Vec<(String, String)>, Vec<String>) {
    let digest = |root: &Root| archive.node(root.node).digest.as_ref().expect("a digest").to_string();
    let mut roots: Vec<_> = archive.roots.iter().map(|root| (root.name.shown(), digest(root))).collect();
    let blobs = archive.blobs.iter().filter(|blob| blob.member.is_some());
    let mut blobs: Vec<_> = blobs.filter_map(|blob| Some(blob.digest.as_ref()?.to_string())).collect();
    roots.sort();
    blobs.sort();
    (roots, blobs)
}

#[test]
fn a_form_is_a_folder_and_a_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    for (n, corpus) in
        ["docker-archive/docker-29-containerd/archive.tar", "oci/two-platforms/archive"].iter().enumerate()
    {
        let corpus = Path::new("corpus/good").join(corpus);
        let (shelf, layout, tar) =
            (at(&format!("shelf-{n}")), at(&format!("oci-{n}")), at(&format!("{n}.tar")));
        // Found from its content, converted to by its prefix, and from it with and without.
        converted(&corpus.display().to_string(), &format!("oci:{}", layout.display()));
        converted(&format!("oci:{}", layout.display()), &format!("shelf:{}", shelf.display()));
        let archive = opened(&shelf);
        assert_eq!(archive.form, Form::Other("shelf"));
        assert_eq!(archive.form.to_string(), "shelf");
        let expected = held(&opened(&layout));
        assert_eq!(held(&archive), expected);
        let report = check::run(&archive, &read::Options::default(), &()).expect("checked");
        let errors: Vec<_> =
            report.findings.iter().filter(|f| f.rule.level == crate::finding::Level::Error).collect();
        assert!(errors.is_empty(), "{errors:?}");
        let back = at(&format!("back-{n}"));
        converted(&format!("shelf:{}", shelf.display()), &format!("oci:{}", back.display()));
        assert_eq!(held(&opened(&back)), expected);
        converted(&format!("shelf:{}", shelf.display()), &format!("docker-archive:{}", tar.display()));
        assert_eq!(held(&opened(&tar)).0, expected.0);
    }
}

#[test]
fn a_form_that_is_not_in_the_list_is_not_known() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join(LIST), "").expect("written");
    assert_eq!(opened(dir.path()).form, Form::Other("shelf"));
    let known = crate::open(dir.path(), &crate::Options::default());
    assert!(matches!(known, Err(Error::NotAnArchive { .. })));
    // Without its line the prefix is part of a path.
    assert!(Place::parse("shelf:x").expect("a place").transport.is_none());
    assert!(Place::destination("shelf:x").is_err());
    let place = Place::among(MORE, "shelf:x:lab/app:1").expect("a place");
    assert_eq!((place.path.to_str(), place.name.as_deref()), (Some("x"), Some("lab/app:1")));
    assert!(
        MORE.listed(|transport| !transport.is_remote(), ":").starts_with("shelf:, docker-archive:, oci: or ")
    );
}
