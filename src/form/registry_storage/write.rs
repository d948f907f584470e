//! The filesystem storage of Docker Distribution, new or existing (formats.md E.2).
//!
//! The registry should be stopped meanwhile: it may cache what it has seen.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::digest::{Algorithm, Digest};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::form::preview::{Known, Members, Preview};
use crate::form::sink::{
    Displaced, Fate, OutBlob, OutBody, OutDocument, OutRoot, Output, Presence, Sink, Staged,
};
use crate::form::write::WriteOptions;
use crate::form::write::existing::Existing;
use crate::form::write::tree::{Place, Tree};
use crate::limits::LINK_BYTES;
use crate::reference::{is_repository_path, is_tag};

/// Where the storage lies below the registry's `rootdirectory`.
const BELOW: &str = "docker/registry/v2";

struct Storage {
    // Dropped first, while the lock is still held.
    tree: Tree,
    path: PathBuf,
    existing: Option<Existing>,
    /// [`BELOW`], or nothing if the user named that directory itself.
    prefix: &'static str,
}

/// Writes into the registry storage at `destination`: a registry's `rootdirectory`, or `docker/registry/v2` in it.
/// Its parent must exist; a directory that is there is locked until the sink is dropped.
///
/// # Errors
/// [`Error::Refused`] for a file and for a directory that holds something else; at `keep` and `document` for digests
/// that are not SHA-256, at `commit` for roots without repository.
pub fn storage(destination: &Path, options: &WriteOptions) -> Result<Box<dyn Sink>> {
    let itself = destination.ends_with(BELOW);
    let path = destination.to_owned();
    let Some(existing) = Existing::open(destination)? else {
        let tree = Tree::beside(destination, options.fsync)?;
        return Ok(Box::new(Storage { tree, path, existing: None, prefix: if itself { "" } else { BELOW } }));
    };
    let prefix = if existing.has_directory(BELOW) {
        BELOW
    } else if existing.has_directory("blobs") && existing.has_directory("repositories")
        || itself && (existing.is_empty() || existing.has_directory("blobs"))
    {
        ""
    } else if existing.is_empty() {
        BELOW
    } else {
        return Err(Error::refused_help(
            format!("{} is not empty and is no registry storage", destination.display()),
            "name the registry's rootdirectory, which holds docker/registry/v2",
        )
        .of(ErrorKind::Exists));
    };
    let tree = Tree::inside(destination, options.fsync)?;
    Ok(Box::new(Storage { tree, path, existing: Some(existing), prefix }))
}

fn hex(digest: &Digest) -> Result<&str> {
    match digest.algorithm() {
        Some(Algorithm::Sha256) => Ok(digest.encoded()),
        // The registry itself stores such a blob under its SHA-256 and refuses manifests by other digests.
        _ => Err(Error::refused_help(
            format!("registry storage cannot hold {digest}: it stores everything under SHA-256"),
            "use oci:",
        )
        .of(ErrorKind::Unsupported)),
    }
}

fn place_itself(digest: &Digest) -> Result<PathBuf> {
    let hex = hex(digest)?;
    Ok(format!("blobs/sha256/{}/{hex}/data", &hex[..2]).into())
}

fn place_below(digest: &Digest) -> Result<PathBuf> {
    Ok(Path::new(BELOW).join(place_itself(digest)?))
}

impl Storage {
    fn place(&self) -> Place {
        if self.prefix.is_empty() { place_itself } else { place_below }
    }

    /// What a tag names in the storage that is there; nothing of a broken one.
    fn tagged(&self, repository: &str, tag: &str) -> Result<Option<Digest>> {
        let Some(existing) = &self.existing else { return Ok(None) };
        let current = format!("repositories/{repository}/_manifests/tags/{tag}/current/link");
        let path = Path::new(self.prefix).join(current);
        let Some(link) = existing.file(&path)? else { return Ok(None) };
        let mut text = Vec::new();
        link.take(LINK_BYTES).read_to_end(&mut text).at("cannot read", existing.path().join(path))?;
        Ok(str::from_utf8(&text).ok().and_then(|text| Digest::parse(text.trim()).ok()))
    }

    /// Writes a link, and makes it visible if the storage is there already.
    fn link(&self, relative: &Path, digest: &Digest) -> Result<()> {
        // No newline: the registry fails on one.
        let text = digest.as_str().as_bytes();
        let path = Path::new(self.prefix).join(relative);
        match &self.existing {
            Some(existing) if existing.holds_bytes(&path, text)? => Ok(()),
            Some(existing) => {
                self.tree.put(&path, text)?;
                self.tree.move_into(existing, &path)?;
                self.tree.sync_moved(existing, &[path])
            }
            None => self.tree.put(&path, text),
        }
    }
}

/// What one repository is to hold.
#[derive(Default)]
struct Repository<'a> {
    layers: BTreeSet<&'a Digest>,
    revisions: BTreeSet<&'a Digest>,
    /// Tags with their targets.
    tags: BTreeMap<&'a str, &'a Digest>,
}

/// The links of all repositories by name.
fn repositories(output: &Output) -> Result<BTreeMap<&str, Repository<'_>>> {
    let documents: HashMap<&Digest, &OutDocument> = output.documents.iter().map(|d| (&d.digest, d)).collect();
    let mut repositories: BTreeMap<&str, Repository<'_>> = BTreeMap::new();
    for root in &output.roots {
        let (name, tag) = named(root)?;
        let repository = repositories.entry(name).or_default();
        let mut open = vec![&root.target];
        while let Some(digest) = open.pop() {
            let Some(document) = documents.get(digest).filter(|_| repository.revisions.insert(digest)) else {
                continue;
            };
            let mut blobs: Vec<&OutBlob> = Vec::new();
            match &document.body {
                OutBody::Index { children } => open.extend(children),
                OutBody::Manifest { config, layers, .. } => {
                    blobs.extend(std::iter::once(config).chain(layers))
                }
                OutBody::Opaque { blobs: all } => blobs.extend(all),
            }
            repository.layers.extend(blobs.into_iter().filter(|blob| blob.present).map(|blob| &blob.digest));
        }
        if let Some(tag) = tag
            && repository.tags.insert(tag, &root.target).is_some_and(|other| other != &root.target)
        {
            let message = format!("{name}:{tag} would name two images");
            return Err(Error::refused_help(message, "select one with --image, or rename one with --rename"));
        }
    }
    Ok(repositories)
}

/// Repository and tag of a root. They become paths, so their grammar is checked here once more.
fn named(root: &OutRoot) -> Result<(&str, Option<&str>)> {
    match &root.repository {
        Some((name, tag)) if is_repository_path(name) && tag.as_deref().is_none_or(is_tag) => {
            Ok((name, tag.as_deref()))
        }
        _ => Err(Error::refused_help(
            format!("{} has no name that registry storage can hold", root.target),
            "give it one with registry-storage:DIR:REPO:TAG",
        )),
    }
}

fn link_path(repository: &str, kind: &str, digest: &Digest) -> Result<PathBuf> {
    Ok(format!("repositories/{repository}/{kind}/sha256/{}/link", hex(digest)?).into())
}

impl Sink for Storage {
    fn ordered(&self) -> bool {
        false
    }

    fn spool_dir(&self) -> Option<&Path> {
        Some(self.tree.spool())
    }

    fn has(&self, digest: &Digest) -> Result<Presence<'_>> {
        let path = self.place()(digest)?;
        let Some(existing) = &self.existing else { return Ok(Presence::No) };
        Ok(existing.file(&path)?.map_or(Presence::No, |file| Presence::ToVerify(Box::new(file))))
    }

    fn stage(&self, expected: Option<(&Digest, u64)>) -> Result<Box<dyn Staged + '_>> {
        expected.map_or(Ok(()), |(digest, _)| self.accepts(digest))?;
        self.tree.stage(self.place())
    }

    fn document(&self, document: &OutDocument) -> Result<()> {
        let path = self.place()(&document.digest)?;
        match &self.existing {
            Some(existing) if existing.holds_bytes(&path, &document.bytes)? => Ok(()),
            _ => self.tree.put(&path, &document.bytes),
        }
    }

    fn accepts(&self, digest: &Digest) -> Result<()> {
        hex(digest).map(drop)
    }

    fn prepare(&self, output: &Output) -> Result<Vec<Displaced>> {
        let mut displaced = Vec::new();
        for (name, repository) in &repositories(output)? {
            for (tag, digest) in &repository.tags {
                let before = self.tagged(name, tag)?;
                if let Some(before) = before.filter(|before| before != *digest) {
                    let fate = Fate::Moves((*digest).clone());
                    displaced.push(Displaced { name: format!("{name}:{tag}"), before: Some(before), fate });
                }
            }
        }
        Ok(displaced)
    }

    fn preview(&self, output: &Output, _: Known<'_>) -> Result<Preview> {
        let mut members = Members::default();
        let documents = output.documents.iter().map(|document| &document.digest);
        let digests: BTreeSet<&Digest> = documents.chain(output.held().map(|blob| &blob.digest)).collect();
        for digest in digests {
            let name = format!("{BELOW}/{}", place_itself(digest)?.display());
            self.tree.show(self.existing.as_ref(), &self.place()(digest)?, name, &mut members)?;
        }
        for (name, repository) in &repositories(output)? {
            let mut link = |path: PathBuf, digest: &Digest| {
                members.bytes(format!("{BELOW}/{}", path.display()), digest.as_str().as_bytes());
            };
            for digest in &repository.layers {
                link(link_path(name, "_layers", digest)?, digest);
            }
            for digest in &repository.revisions {
                link(link_path(name, "_manifests/revisions", digest)?, digest);
            }
            for (tag, digest) in &repository.tags {
                let tag = format!("_manifests/tags/{tag}");
                link(link_path(name, &format!("{tag}/index"), digest)?, digest);
                link(format!("repositories/{name}/{tag}/current/link").into(), digest);
            }
        }
        Ok(members.preview(super::open))
    }

    fn commit(self: Box<Self>, output: &Output) -> Result<()> {
        let repositories = repositories(output)?;
        // Blobs before links, links before tags: whatever a reader finds is complete.
        if let Some(existing) = &self.existing {
            let moved = self.tree.kept();
            moved.iter().try_for_each(|path| self.tree.move_into(existing, path))?;
            self.tree.sync_moved(existing, &moved)?;
        }
        for (name, repository) in &repositories {
            for digest in &repository.layers {
                self.link(&link_path(name, "_layers", digest)?, digest)?;
            }
            for digest in &repository.revisions {
                self.link(&link_path(name, "_manifests/revisions", digest)?, digest)?;
            }
        }
        for (name, repository) in &repositories {
            for (tag, digest) in &repository.tags {
                let tag = format!("_manifests/tags/{tag}");
                let index = link_path(name, &format!("{tag}/index"), digest)?;
                let folder = PathBuf::from(format!("repositories/{name}/{tag}"));
                let current = folder.join("current/link");
                match &self.existing {
                    // A tag without `current` is a broken one, so a new tag comes as a whole.
                    Some(existing)
                        if !existing.has(&Path::new(self.prefix).join(&folder).to_string_lossy()) =>
                    {
                        let links = [index, current].map(|link| Path::new(self.prefix).join(link));
                        for link in &links {
                            self.tree.put(link, digest.as_str().as_bytes())?;
                        }
                        self.tree.move_into(existing, &Path::new(self.prefix).join(folder))?;
                        self.tree.sync_moved(existing, &links)?;
                    }
                    _ => {
                        self.link(&index, digest)?;
                        self.link(&current, digest)?;
                    }
                }
            }
        }
        match &self.existing {
            Some(_) => Ok(()),
            None => self.tree.publish(&self.path),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::form::write::testing::{
        self, CONFIG, INDEX, LAYER, MANIFEST, names, out_document, write_blob, write_image,
    };
    use crate::media;

    fn named(mut output: Output, repository: &str, tag: Option<&str>) -> Output {
        output.roots[0].repository = Some((repository.into(), tag.map(str::to_owned)));
        output
    }

    fn write(dest: &Path, repository: &str, tag: Option<&str>) {
        let sink = storage(dest, &WriteOptions { fsync: true, ..Default::default() }).expect("a sink");
        let output = named(write_image(&*sink, "a:1"), repository, tag);
        sink.commit(&output).expect("committed");
    }

    fn files(dir: &Path) -> Vec<String> {
        let mut found = Vec::new();
        let mut open = vec![dir.to_owned()];
        while let Some(next) = open.pop() {
            for name in names(&next) {
                let path = next.join(name);
                match path.is_dir() {
                    true => open.push(path),
                    false => found.push(path.strip_prefix(dir).expect("below").display().to_string()),
                }
            }
        }
        found.sort();
        found
    }

    #[test]
    fn a_new_storage() {
        let dir = tempfile::tempdir().expect("a directory");
        let dest = dir.path().join("registry");
        write(&dest, "lab/app", Some("1"));
        let (config, layer, manifest) = (
            "7e866a286603fe0ee7018ed3db2a977251ff812cb5cc240b59af0d4b9e1a1b18",
            "a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4",
            "9272a73921ac9ee4a1989c1b5abafb8e2211276d7b4bf34076020f5296aeef12",
        );
        let expected = [
            format!("blobs/sha256/7e/{config}/data"),
            format!("blobs/sha256/92/{manifest}/data"),
            format!("blobs/sha256/a3/{layer}/data"),
            format!("repositories/lab/app/_layers/sha256/{config}/link"),
            format!("repositories/lab/app/_layers/sha256/{layer}/link"),
            format!("repositories/lab/app/_manifests/revisions/sha256/{manifest}/link"),
            "repositories/lab/app/_manifests/tags/1/current/link".to_owned(),
            format!("repositories/lab/app/_manifests/tags/1/index/sha256/{manifest}/link"),
        ];
        assert_eq!(files(&dest.join(BELOW)), expected);
        let current = fs::read_to_string(dest.join(BELOW).join(&expected[6])).expect("read");
        assert_eq!(current, format!("sha256:{manifest}"));
        assert_eq!(fs::read(dest.join(BELOW).join(&expected[1])).expect("read"), MANIFEST.as_bytes());
        assert_eq!(names(dir.path()), ["registry"]);
    }

    #[test]
    fn tags_move_and_others_stay() {
        let dir = tempfile::tempdir().expect("a directory");
        write(dir.path(), "app", Some("1"));
        write(dir.path(), "other", None);
        fs::write(dir.path().join("mine"), b"").expect("written");
        let v2 = dir.path().join(BELOW);
        // The v2 directory itself, and an index over the image.
        let sink = storage(&v2, &WriteOptions::default()).expect("a sink");
        let mut output = testing::output("app:1");
        let children = vec![output.documents[0].digest.clone()];
        let index = out_document(INDEX, media::OCI_INDEX, OutBody::Index { children });
        output.roots[0].target = index.digest.clone();
        output.documents.push(index);
        for (bytes, held) in [(CONFIG.as_bytes(), true), (b"no such", false)] {
            assert_eq!(
                matches!(sink.has(&Digest::sha256(bytes)).expect("read"), Presence::ToVerify(_)),
                held
            );
        }
        output.documents.iter().for_each(|document| sink.document(document).expect("written"));
        sink.commit(&named(output, "app", Some("1"))).expect("committed");
        let tag = v2.join("repositories/app/_manifests/tags/1");
        let index = "b43736f367ecc5789553365b36721bb697494ddf45aa2afa3209273d4287d9d6";
        assert_eq!(fs::read_to_string(tag.join("current/link")).expect("read"), format!("sha256:{index}"));
        assert_eq!(names(&tag.join("index/sha256")).len(), 2);
        assert_eq!(names(&v2.join("repositories/app/_manifests/revisions/sha256")).len(), 2);
        assert_eq!(names(&v2.join("repositories/other/_manifests")), ["revisions"]);
        assert_eq!((names(dir.path()), names(&v2).len()), (vec!["docker".to_owned(), "mine".to_owned()], 2));
    }

    #[test]
    fn absent_blobs_have_no_link_and_nothing_stays_without_commit() {
        let dir = tempfile::tempdir().expect("a directory");
        let dest = dir.path().join("docker/registry/v2");
        fs::create_dir_all(dest.parent().expect("a parent")).expect("made");
        let sink = storage(&dest, &WriteOptions::default()).expect("a sink");
        write_image(&*sink, "a:1");
        drop(sink);
        assert!(files(dir.path()).is_empty());
        let sink = storage(&dest, &WriteOptions::default()).expect("a sink");
        let mut output = named(testing::output("a:1"), "app", None);
        let OutBody::Manifest { layers, .. } = &mut output.documents[0].body else { panic!("a manifest") };
        layers[0].present = false;
        write_blob(&*sink, CONFIG.as_bytes(), true);
        sink.document(&output.documents[0]).expect("written");
        sink.commit(&output).expect("committed");
        assert_eq!(
            names(&dest.join("repositories/app/_layers/sha256")),
            [Digest::sha256(CONFIG.as_bytes()).encoded()]
        );
        assert!(!dest.join("blobs/sha256/a3").join(Digest::sha256(&LAYER).encoded()).exists());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let dest = dir.path().join("out");
        let open = || storage(&dest, &WriteOptions::default()).expect("a sink");
        let wide = Digest::parse(&format!("sha512:{}", "0".repeat(128))).expect("a digest");
        let sink = open();
        assert!(matches!(sink.stage(None).expect("staged").keep(&wide, 0), Err(Error::Refused { .. })));
        assert!(sink.stage(Some((&wide, 0))).is_err() && sink.has(&wide).is_err());
        drop(sink);
        for (repository, tag) in [("", None), ("_x", None), ("../x", None), ("a", Some("..")), ("a/B", None)]
        {
            let sink = open();
            let output = named(write_image(&*sink, "a:1"), repository, tag);
            assert!(matches!(sink.commit(&output), Err(Error::Refused { .. })), "{repository}");
        }
        let sink = open();
        let mut output = named(write_image(&*sink, "a:1"), "app", Some("1"));
        let other = out_document("other", media::OCI_MANIFEST, OutBody::Opaque { blobs: vec![] });
        let mut second = output.roots[0].clone();
        second.target = other.digest.clone();
        output.documents.push(other);
        output.roots.push(second);
        assert!(matches!(sink.commit(&output), Err(Error::Refused { .. })));
        assert!(names(dir.path()).is_empty());
        fs::write(dir.path().join("file"), b"").expect("written");
        assert!(matches!(storage(dir.path(), &WriteOptions::default()), Err(Error::Refused { .. })));
    }
}
