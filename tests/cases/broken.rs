//! Broken archives: each is refused with exit 1 and the place named, and nothing is written, not even a temporary file.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use libtest_mimic::Failed;

use crate::Test;
use crate::common::Restow;
use crate::common::tree_digest::{self, sha256};
use crate::stored::builder;

pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    for (form, case) in SOURCES {
        for fault in FAULTS.into_iter().filter(|fault| fault.fits(form)) {
            tests.push(Test::new(format!("{form}: {}", fault.name), move || {
                let dir = tempfile::tempdir()?;
                let source = source(dir.path(), form, case)?;
                (fault.break_it)(&source)?;
                refused(dir.path(), &source.place(dir.path())?, fault.rules)
            }));
        }
        for percent in [10, 35, 60, 85, 97] {
            tests.push(Test::new(format!("{form}: tar cut at {percent} %"), move || {
                let dir = tempfile::tempdir()?;
                let whole = source(dir.path(), form, case)?.tar(dir.path())?;
                let bytes = std::fs::read(&whole)?;
                if form.ends_with("in gzip") {
                    let packed = builder::gzip(&bytes);
                    std::fs::write(&whole, &packed[..packed.len() * percent / 100])?;
                    return refused(dir.path(), &whole.display().to_string(), &["archive/truncated"]);
                }
                // Losing zeros at the end loses nothing; a cut between two members looks like missing members.
                let end = bytes.iter().rposition(|b| *b != 0).ok_or("no bytes")?;
                let cut = (end * percent / 100) / 512 * 512 + 7;
                std::fs::write(&whole, &bytes[..cut])?;
                refused(dir.path(), &whole.display().to_string(), &["archive/truncated", "blob/cut"])
            }));
        }
    }
    for (codec, pack) in PACKERS {
        for percent in [30, 70, 99] {
            tests.push(Test::new(format!("docker-archive in {codec}: cut at {percent} %"), move || {
                let dir = tempfile::tempdir()?;
                let whole = source(dir.path(), "docker-archive", "docker-archive/jib")?.tar(dir.path())?;
                let packed = pack(&std::fs::read(&whole)?)?;
                std::fs::write(&whole, &packed[..packed.len() * percent / 100])?;
                refused(dir.path(), &whole.display().to_string(), &["archive/truncated"])
            }));
        }
    }
    for (name, bytes, needle) in [
        ("an empty file", &b""[..], "it is empty"),
        (
            "no archive",
            &b"hello, this is a text that is no archive at all"[..],
            "it is text, which begins with",
        ),
        ("a tar of something else", &[0; 1024][..], "no members"),
    ] {
        tests.push(Test::new(name, move || {
            let dir = tempfile::tempdir()?;
            let restow = Restow::new(dir.path());
            let file = dir.path().join("file");
            std::fs::write(&file, bytes)?;
            let place = format!("oci:{}", dir.path().join("out").display());
            restow.run(&["convert".into(), file.display().to_string(), place])?.expect(2)?.stderr_has(needle)
        }));
    }
    tests
}

type Pack = fn(&[u8]) -> std::io::Result<Vec<u8>>;

/// The compressions of whole archives other than gzip.
const PACKERS: [(&str, Pack); 3] = [
    ("zstd", |plain| zstd::stream::encode_all(plain, 1)),
    ("xz", |mut plain| {
        let mut packed = Vec::new();
        liblzma::read::XzEncoder::new(&mut plain, 1).read_to_end(&mut packed)?;
        Ok(packed)
    }),
    ("bzip2", |plain| {
        let mut packed = Vec::new();
        bzip2::read::BzEncoder::new(plain, bzip2::Compression::fast()).read_to_end(&mut packed)?;
        Ok(packed)
    }),
];

/// Forms, and the sound case that each is made from.
const SOURCES: [(&str, &str); 9] = [
    ("docker-archive", "docker-archive/docker-29-containerd"),
    ("docker-archive of a classic store", "docker-archive/docker-29-classic"),
    ("docker-archive of the second era", "docker-archive/docker-20.10"),
    ("docker-archive of the first era", "docker-archive/docker-1.9"),
    ("docker-archive in gzip", "docker-archive/rules_oci"),
    ("oci", "oci/multiplatform-attestation-nested"),
    ("oci-archive", "oci/skopeo"),
    ("dir", "oci/skopeo"),
    ("registry-storage", "docker-archive/ctr-2.4"),
];

/// A way of breaking an archive, and the rules of which one must say so.
struct Fault {
    name: &'static str,
    break_it: fn(&Source) -> Result<(), Failed>,
    rules: &'static [&'static str],
    /// Forms of which a part has no such thing.
    not_in: &'static [&'static str],
}

/// v1 images have neither configs nor digests of layers: what is changed there is another image.
const FIRST: &str = "docker-archive of the first era";
/// No manifests.
const OLD: [&str; 3] = [FIRST, "docker-archive of the second era", "docker-archive in gzip"];

const FAULTS: [Fault; 11] = [
    Fault {
        name: "flipped byte in a layer",
        break_it: flip_layer,
        rules: &["blob/digest-mismatch", "config/diff-id-mismatch", "layer/corrupt"],
        not_in: &[FIRST],
    },
    Fault {
        name: "flipped byte in the config",
        break_it: flip_config,
        rules: &["blob/digest-mismatch", "docker-archive/config-name-mismatch", "json/"],
        not_in: &[FIRST],
    },
    Fault {
        name: "flipped byte in the manifest",
        break_it: flip_manifest,
        // What defines the manifest of dir: is its bytes: a flip in a digest there is a blob that is missing.
        rules: &["blob/digest-mismatch", "blob/missing", "json/"],
        not_in: &OLD,
    },
    Fault { name: "layer missing", break_it: remove_layer, rules: &["blob/missing"], not_in: &[] },
    Fault { name: "config missing", break_it: remove_config, rules: &["blob/missing"], not_in: &[FIRST] },
    Fault {
        name: "manifest missing",
        break_it: remove_manifest,
        rules: &["blob/missing", "docker-archive/halves-disagree"],
        // dir: without its manifest is no archive; a child of an index may be absent.
        not_in: &[FIRST, "docker-archive of the second era", "docker-archive in gzip", "dir", "oci"],
    },
    Fault {
        name: "ancestor missing",
        break_it: remove_ancestor,
        rules: &["v1/broken-ancestry"],
        not_in: &["*"],
    },
    Fault {
        name: "wrong diff ID",
        break_it: wrong_diff_id,
        rules: &["config/diff-id-mismatch"],
        not_in: &[FIRST],
    },
    Fault {
        name: "wrong count of diff IDs",
        break_it: wrong_count,
        rules: &["config/layer-count"],
        not_in: &[FIRST],
    },
    Fault {
        name: "layers swapped",
        break_it: swap_diff_ids,
        rules: &["config/diff-id-mismatch"],
        not_in: &[FIRST],
    },
    Fault {
        name: "wrong size",
        break_it: wrong_size,
        rules: &["descriptor/size-mismatch", "blob/digest-mismatch", "config/"],
        // Nothing there says a size, and zeros behind a gzip stream change no layer.
        not_in: &[FIRST, "docker-archive in gzip"],
    },
];

impl Fault {
    fn fits(&self, form: &str) -> bool {
        if self.not_in.contains(&"*") { form == FIRST } else { !self.not_in.contains(&form) }
    }
}

/// An archive as a folder of files.
struct Source {
    folder: PathBuf,
    form: &'static str,
}

fn source(dir: &Path, form: &'static str, case: &str) -> Result<Source, Failed> {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/good").join(case).join("archive.tar");
    let folder = dir.join("source");
    if form.starts_with("docker-archive") || form == "oci" || form == "oci-archive" {
        let mut tar = tar::Archive::new(std::fs::File::open(archive)?);
        tar.unpack(&folder)?;
    } else {
        let restow = Restow::new(dir);
        let suffix = if form == "registry-storage" { ":lab/app" } else { "" };
        let place = format!("{form}:{}{suffix}", folder.display());
        restow.run(&["convert".into(), archive.display().to_string(), place])?.expect(0)?;
    }
    Ok(Source { folder, form })
}

impl Source {
    /// Files by relative path.
    fn files(&self) -> Result<BTreeMap<String, Vec<u8>>, Failed> {
        let mut files = BTreeMap::new();
        for path in tree_digest::files(&self.folder)?.into_keys() {
            let mut bytes = Vec::new();
            std::fs::File::open(self.folder.join(&path))?.read_to_end(&mut bytes)?;
            files.insert(path, bytes);
        }
        Ok(files)
    }

    /// What restow is given: the folder, or a tar of it.
    fn place(&self, dir: &Path) -> Result<String, Failed> {
        if matches!(self.form, "oci" | "dir" | "registry-storage") {
            return Ok(self.folder.display().to_string());
        }
        let tar = self.tar(dir)?;
        if self.form.ends_with("in gzip") {
            let bytes = std::fs::read(&tar)?;
            std::fs::write(&tar, builder::gzip(&bytes))?;
        }
        Ok(tar.display().to_string())
    }

    /// The folder as a tar, documents last; links stay links.
    fn tar(&self, dir: &Path) -> Result<PathBuf, Failed> {
        let path = dir.join("source.tar");
        let mut builder = tar::Builder::new(std::fs::File::create(&path)?);
        builder.follow_symlinks(false);
        for name in self.files()?.into_keys() {
            builder.append_path_with_name(self.folder.join(&name), &name)?;
        }
        builder.finish()?;
        Ok(path)
    }

    /// The one image config, by path.
    fn config(&self) -> Result<(String, Vec<u8>), Failed> {
        let found = self.files()?.into_iter().find(|(name, bytes)| {
            let regular = !self.folder.join(name).is_symlink();
            regular
                && bytes.starts_with(b"{")
                && contains(bytes, b"\"diff_ids\"")
                && contains(bytes, b"linux")
        });
        found.ok_or_else(|| "no config".into())
    }

    /// A layer, by path.
    fn layer(&self) -> Result<(String, Vec<u8>), Failed> {
        let found = self.files()?.into_iter().find(|(name, bytes)| {
            let regular = !self.folder.join(name).is_symlink();
            regular
                && (bytes.starts_with(&[0x1f, 0x8b]) || (bytes.len() > 512 && &bytes[257..262] == b"ustar"))
        });
        found.ok_or_else(|| "no layer".into())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Failed> {
        let path = self.folder.join(name);
        std::fs::remove_file(&path)?;
        Ok(std::fs::write(path, bytes)?)
    }

    /// Replaces a document, and everywhere its digest by the new one, upwards to the top.
    fn replace(&self, name: &str, new: &[u8]) -> Result<(), Failed> {
        let mut pending = vec![(name.to_owned(), new.to_vec())];
        while let Some((name, new)) = pending.pop() {
            let old = std::fs::read(self.folder.join(&name))?;
            if old == new {
                continue;
            }
            let (before, after) = (sha256(&old), sha256(&new));
            std::fs::remove_file(self.folder.join(&name))?;
            let renamed = name
                .replace(&before, &after)
                .replace(&format!("/{}/", &before[..2]), &format!("/{}/", &after[..2]));
            let target = self.folder.join(&renamed);
            std::fs::create_dir_all(target.parent().ok_or("no parent")?)?;
            std::fs::write(&target, &new)?;
            let sizes = (format!("\"size\":{}", old.len()), format!("\"size\":{}", new.len()));
            for (other, bytes) in self.files()? {
                if !contains(&bytes, before.as_bytes()) || self.folder.join(&other).is_symlink() {
                    continue;
                }
                let text = String::from_utf8(bytes)?;
                let text = text.replace(&before, &after);
                let text = with_size(&text, &after, &sizes);
                if other.ends_with("link") {
                    self.write(&other, text.as_bytes())?;
                    let moved = other.replace(&before, &after);
                    if moved != other {
                        let target = self.folder.join(&moved);
                        std::fs::create_dir_all(target.parent().ok_or("no parent")?)?;
                        std::fs::rename(self.folder.join(&other), target)?;
                    }
                } else {
                    pending.push((other, text.into_bytes()));
                }
            }
        }
        Ok(())
    }
}

/// Sets the size in the descriptor that has a digest.
fn with_size(text: &str, digest: &str, sizes: &(String, String)) -> String {
    let Some(at) = text.find(digest) else { return text.to_owned() };
    let from = text[..at].rfind('{').unwrap_or(0);
    let to = text[at..].find('}').map_or(text.len(), |n| at + n);
    format!("{}{}{}", &text[..from], text[from..to].replace(&sizes.0, &sizes.1), &text[to..])
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

fn flip_layer(source: &Source) -> Result<(), Failed> {
    let (name, mut bytes) = source.layer()?;
    // Where the content of a file stands in a plain tar, and inside the stream of a compressed one.
    let at = if bytes.starts_with(&[0x1f, 0x8b]) { bytes.len() / 2 } else { 100 };
    bytes[at] ^= 0x01;
    source.write(&name, &bytes)
}

fn flip_config(source: &Source) -> Result<(), Failed> {
    let (name, mut bytes) = source.config()?;
    let at = bytes.windows(5).position(|w| w == b"linux").ok_or("no os")?;
    bytes[at] ^= 0x20;
    source.write(&name, &bytes)
}

/// The manifest, by path: what names a config and layers.
fn manifest(source: &Source) -> Result<(String, Vec<u8>), Failed> {
    let found = source.files()?.into_iter().find(|(name, bytes)| {
        name != "index.json" && contains(bytes, b"\"layers\":") && contains(bytes, b"\"config\":")
    });
    found.ok_or_else(|| "no manifest".into())
}

fn flip_manifest(source: &Source) -> Result<(), Failed> {
    let (name, mut bytes) = manifest(source)?;
    let at = bytes.windows(7).rposition(|w| w == b"sha256:").ok_or("no digest")? + 10;
    bytes[at] ^= 0x01;
    source.write(&name, &bytes)
}

fn remove_manifest(source: &Source) -> Result<(), Failed> {
    Ok(std::fs::remove_file(source.folder.join(manifest(source)?.0))?)
}

/// The folder of a v1 image that is another one's parent.
fn remove_ancestor(source: &Source) -> Result<(), Failed> {
    let parent = source.files()?.into_iter().find_map(|(name, bytes)| {
        let text = String::from_utf8(bytes).ok().filter(|_| name.ends_with("/json"))?;
        Some(text.split_once("\"parent\":\"")?.1.get(..64)?.to_owned())
    });
    Ok(std::fs::remove_dir_all(source.folder.join(parent.ok_or("no parent")?))?)
}

fn remove_layer(source: &Source) -> Result<(), Failed> {
    Ok(std::fs::remove_file(source.folder.join(source.layer()?.0))?)
}

fn remove_config(source: &Source) -> Result<(), Failed> {
    Ok(std::fs::remove_file(source.folder.join(source.config()?.0))?)
}

fn edit_config(source: &Source, edit: impl Fn(&str) -> String) -> Result<(), Failed> {
    let (name, bytes) = source.config()?;
    let text = String::from_utf8(bytes)?;
    source.replace(&name, edit(&text).as_bytes())
}

fn wrong_diff_id(source: &Source) -> Result<(), Failed> {
    edit_config(source, |text| {
        let at = text.find("\"diff_ids\"").map_or(0, |at| at + text[at..].find("sha256:").unwrap_or(0) + 7);
        format!("{}{}{}", &text[..at], "0".repeat(64), &text[at + 64..])
    })
}

fn swap_diff_ids(source: &Source) -> Result<(), Failed> {
    edit_config(source, |text| {
        let from = text.find("\"diff_ids\"").unwrap_or(0);
        let at: Vec<usize> = text[from..].match_indices("sha256:").map(|(at, _)| from + at).take(2).collect();
        let [a, b] = at[..] else { return text.replace("sha256:", "sha256:0") };
        let (first, second) = (&text[a..a + 71], &text[b..b + 71]);
        format!("{}{second}{}{first}{}", &text[..a], &text[a + 71..b], &text[b + 71..])
    })
}

fn wrong_count(source: &Source) -> Result<(), Failed> {
    edit_config(source, |text| {
        let at = text.find("\"diff_ids\"").map_or(0, |at| at + text[at..].find('[').unwrap_or(0) + 1);
        format!("{}\"sha256:{}\",{}", &text[..at], "0".repeat(64), &text[at..])
    })
}

/// A size that is one too large; an archive without descriptors gets a layer that is longer instead.
fn wrong_size(source: &Source) -> Result<(), Failed> {
    let size = |text: &str| {
        let at = text.find("\"layers\"").and_then(|at| Some(at + text[at..].find("\"size\":")? + 7))?;
        let end = at + text[at..].find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = text[at..end].parse().ok()?;
        Some(format!("{}{}{}", &text[..at], number + 1, &text[end..]))
    };
    for (name, bytes) in source.files()? {
        if let Some(text) =
            std::str::from_utf8(&bytes).ok().filter(|text| text.contains("\"config\":{\"mediaType\""))
        {
            if let Some(text) = size(text) {
                return source.replace(&name, text.as_bytes());
            }
        }
    }
    let (name, mut bytes) = source.layer()?;
    bytes.extend([0; 512]);
    source.write(&name, &bytes)
}

/// Exit 1 for every destination, one of the rules named, and nothing left.
fn refused(dir: &Path, place: &str, rules: &[&str]) -> Result<(), Failed> {
    let restow = Restow::new(dir);
    let out = dir.join("destination");
    std::fs::create_dir_all(&out)?;
    let check = restow.run(&["check".into(), place.to_owned()])?.expect(1)?;
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    if !rules.iter().any(|rule| said.contains(rule)) {
        return Err(format!("none of {rules:?} was reported:\n{said}").into());
    }
    for form in ["oci", "oci-archive", "docker-archive", "dir", "registry-storage"] {
        let suffix = if form == "registry-storage" { ":lab/app" } else { "" };
        let destination = format!("{form}:{}{suffix}", out.join("new").display());
        let output = restow.run(&["convert".into(), place.to_owned(), destination])?.expect(1)?;
        output.stderr_has("nothing was written")?;
        // The place: a member, or the archive as a whole.
        output.stderr_has("-->").or_else(|_| output.stderr_has("╭─["))?;
        restow.left_nothing_in(&out)?;
        if std::fs::read_dir(&out)?.next().is_some() {
            return Err(format!("something is left at the destination {form}").into());
        }
    }
    // Nor in the folder for temporary files.
    if std::fs::read_dir(dir.join("tmp"))?.next().is_some() {
        return Err("something is left in TMPDIR".into());
    }
    // On standard output the documents are the commit record: none may get out.
    let output = restow.run(&["convert".into(), place.to_owned(), "oci-archive:-".into()])?.expect(1)?;
    if ["index.json", "manifest.json", "oci-layout"]
        .iter()
        .any(|name| contains(&output.stdout, name.as_bytes()))
    {
        return Err("documents went to standard output".into());
    }
    Ok(())
}

impl Restow {
    /// Nothing that restow staged is left, neither here nor in a folder.
    fn left_nothing_in(&self, folder: &Path) -> Result<(), Failed> {
        for place in [folder, &self.tmp] {
            for entry in std::fs::read_dir(place)? {
                let name = entry?.file_name();
                if name.as_encoded_bytes().starts_with(b".restow-") {
                    return Err(format!("{} was left in {}", name.display(), place.display()).into());
                }
            }
        }
        Ok(())
    }
}
