//! `--report`: which reports are wanted, where they go, and writing them whole.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::shell::{ArchiveDocuments, Shell};
use crate::error::{Context, Error, Result};
use crate::escape::escape_str;
use crate::finding::{Finding, Level};
use crate::form::place::{self, Place};
use crate::location::MemberId;
use crate::model::Form;
use crate::model::{Archive, Body, Name, NodeId, Root, select};
use crate::platform::Platform;
use crate::report::github::Github;
use crate::report::human::HumanOptions;
use crate::report::json::Json;
use crate::report::junit::Junit;
use crate::report::sarif::Sarif;
use crate::report::{Container, Image, Renderer, Source};

const FORMATS: &str = "human, json, sarif, junit or github";

/// The reports of one run.
pub(super) struct Reports {
    wanted: Vec<Report>,
    /// Whether to draw findings for people where the command does so by itself.
    pub human: bool,
}

struct Report {
    /// `None` is standard output.
    file: Option<PathBuf>,
    kind: Kind,
}

enum Kind {
    /// For people; what has been drawn so far, if it goes to a file.
    Human(String),
    Machine(Box<dyn Renderer>),
}

impl Reports {
    /// Reads the values of `--report`. `taken` says what standard output is already used for, if it is: two things
    /// on it are refused. `own` is the stream that the command draws findings for people on by itself.
    pub fn parse(values: &[String], taken: Option<&str>, own: Own) -> Result<Reports> {
        let mut wanted: Vec<Report> = Vec::new();
        for value in values {
            let (format, file) = match value.split_once('=') {
                Some((format, file)) => (format, Some(file)),
                None => (value.as_str(), None),
            };
            let kind = match format {
                "human" => Kind::Human(String::new()),
                "json" => Kind::Machine(Box::<Json>::default()),
                "sarif" => Kind::Machine(Box::<Sarif>::default()),
                "junit" => Kind::Machine(Box::<Junit>::default()),
                "github" => Kind::Machine(Box::<Github>::default()),
                _ => return Err(Error::refused(format!("--report takes {FORMATS}, not `{format}`"))),
            };
            if file == Some("") {
                return Err(Error::refused(format!("--report {value} names no file")));
            }
            let file = file.map(PathBuf::from);
            if wanted.iter().any(|report| report.file == file) {
                return Err(match &file {
                    Some(file) => Error::refused(format!("two reports cannot go to {}", file.display())),
                    None => only_one(format),
                });
            }
            if let (None, Some(taken)) = (&file, taken) {
                return Err(Error::refused_help(
                    format!("standard output carries {taken} and cannot carry the {format} report, too"),
                    format!("give the report a file: --report {format}=FILE"),
                ));
            }
            wanted.push(Report { file, kind });
        }
        let asked = wanted.iter().any(|report| matches!(report.kind, Kind::Human(_)));
        let free = own == Own::Stderr || wanted.iter().all(|report| report.file.is_some());
        let human = !asked && free || wanted.iter().any(Report::is_drawn_at_once);
        for file in wanted.iter().filter_map(|report| report.file.as_deref()) {
            writable(file)?;
        }
        Ok(Reports { wanted, human })
    }

    /// Whether `human` was asked for without a file.
    pub fn human_on_stdout(&self) -> bool {
        self.wanted.iter().any(Report::is_drawn_at_once)
    }

    /// Refuses a report that would replace a file which the command reads or writes.
    pub fn apart(&self, place: &Place) -> Result<()> {
        if place.is_remote() {
            return Ok(());
        }
        let mut files = self.wanted.iter().filter_map(|report| report.file.as_deref());
        match files.find(|file| place::is_part(file, &place.path)) {
            Some(file) => {
                let message =
                    format!("a report cannot replace {}: `{}` holds it", file.display(), place.text);
                Err(Error::refused(message))
            }
            None => Ok(()),
        }
    }

    /// Adds what was found in a source to every report that is written at the end. `sound` is what is told to people
    /// where there is nothing to draw.
    pub fn add(
        &mut self,
        shell: &Shell,
        place: &Place,
        archive: &Archive,
        findings: &[(Level, &Finding)],
        sound: &str,
    ) {
        if self.wanted.is_empty() {
            return;
        }
        let docs = ArchiveDocuments::of(archive);
        let images = images(archive);
        let container = match archive.form {
            Form::Document | Form::Layer => Container::Document,
            _ if archive.tree.is_folder() => Container::Folder,
            _ => Container::Tar,
        };
        let path = Some(place.path.as_path()).filter(|_| !place.is_standard() && !place.is_remote());
        let source =
            Source { docs: &docs, path, container, form: archive.form.id(), images: &images, findings };
        for report in &mut self.wanted {
            match &mut report.kind {
                Kind::Human(text) if report.file.is_some() => {
                    // A file is as wide as its readers' screens, which are not this one.
                    let color = shell.common.color == super::args::ColorWhen::Always;
                    let options = HumanOptions { color, unicode: true, width: 100 };
                    text.push_str(&shell.render(findings, archive, options));
                    if findings.is_empty() {
                        text.push_str(sound);
                    }
                }
                Kind::Human(_) => {}
                Kind::Machine(renderer) => renderer.add(&source),
            }
        }
    }

    /// Adds a source that could not be judged.
    pub fn failed(&mut self, place: &str, error: &Error) {
        let why = error.to_string();
        for report in &mut self.wanted {
            match &mut report.kind {
                Kind::Human(text) if report.file.is_some() => {
                    text.push_str(&format!("error: {}\n", escape_str(&why)));
                }
                Kind::Human(_) => {}
                Kind::Machine(renderer) => renderer.failed(place, &why),
            }
        }
    }

    /// Writes every report.
    pub fn finish(self, shell: &Shell) -> Result<()> {
        for report in self.wanted {
            let to = move |out: &mut dyn Write| match report.kind {
                Kind::Human(text) => out.write_all(text.as_bytes()),
                Kind::Machine(renderer) => renderer.finish(out),
            };
            match report.file {
                Some(file) => write_with(&file, to)?,
                None => shell.print_with(to)?,
            }
        }
        Ok(())
    }
}

/// Where a command draws findings for people by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    Stdout,
    Stderr,
}

impl Report {
    /// Whether people read it while the command runs.
    fn is_drawn_at_once(&self) -> bool {
        matches!(self.kind, Kind::Human(_)) && self.file.is_none()
    }
}

fn only_one(format: &str) -> Error {
    Error::refused_help(
        "only one report can go to standard output",
        format!("give the others a file, such as --report {format}=FILE or --report {format}=/dev/stderr"),
    )
}

/// Fails early if the file cannot come to be: a check may take long.
pub(super) fn writable(file: &Path) -> Result<()> {
    if file.is_dir() {
        return Err(Error::io("cannot write", file, io::ErrorKind::IsADirectory.into()));
    }
    let parent = parent(file);
    fs::metadata(parent).at("cannot write into", parent).map(|_| ())
}

fn parent(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes a file whole or not at all. A pipe or device is written to as it is, and may close early.
pub(super) fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    write_with(file, |out| out.write_all(bytes))
}

/// The same with what `to` writes.
fn write_with(file: &Path, to: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    // Those of this process may be regular files, which must not be replaced under it; /dev/shm is a folder like any.
    let own = ["/dev/fd", "/dev/stdout", "/dev/stderr", "/proc"];
    let special = own.iter().any(|place| file.starts_with(place));
    if special || fs::metadata(file).is_ok_and(|meta| !meta.is_file()) {
        return match File::options().write(true).open(file).and_then(|out| buffered(out, to)) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).at("cannot write", file),
            _ => Ok(()),
        };
    }
    // A symlink stays one.
    let target = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let staged = move || {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666); // less the umask
        let mut staged =
            tempfile::Builder::new().prefix(".restow-").permissions(mode).tempfile_in(parent(&target))?;
        buffered(staged.as_file_mut(), to)?;
        staged.persist(&target).map_err(|error| error.error)
    };
    staged().at("cannot write", file).map(|_| ())
}

/// Writes in pieces that are worth a call.
pub(super) fn buffered(out: impl Write, to: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = io::BufWriter::with_capacity(64 << 10, out);
    to(&mut out)?;
    out.flush()
}

/// Characters of a name and of a platform: each image below an index is called by the index's name, too.
const NAME: usize = 300;
const PLATFORM: usize = 100;

/// Roots that stand for the same node.
struct Tagged<'a> {
    roots: Vec<&'a Root>,
    /// Their names, each once.
    names: HashSet<String>,
}

/// The images of an archive, each with the members that only matter to it and others like it. An image of many names
/// is called by the first and their number; what many names stand for is looked at once.
fn images(archive: &Archive) -> Vec<Image> {
    let mut tagged: Vec<Tagged<'_>> = Vec::new();
    let mut place: HashMap<NodeId, usize> = HashMap::new();
    for root in &archive.roots {
        let nth = *place.entry(root.node).or_insert(tagged.len());
        if nth == tagged.len() {
            tagged.push(Tagged { roots: Vec::new(), names: HashSet::new() });
        }
        tagged[nth].roots.push(root);
        if root.name != Name::None {
            tagged[nth].names.insert(root.name.shown());
        }
    }
    /// An image, the name that it has without its platform, and how many others.
    struct Found {
        image: Image,
        name: Option<String>,
        more: usize,
    }
    let mut found: Vec<Found> = Vec::new();
    let mut known: HashMap<NodeId, usize> = HashMap::new();
    for Tagged { roots, names } in &tagged {
        let Some(first) = roots.iter().find(|root| root.name != Name::None).or(roots.first()) else {
            continue;
        };
        let below = |root: &Root| select::images_below(archive, root.node, root.descriptor.as_ref());
        // What one descriptor of an image says of its platform, another may not.
        let alike = if select::is_image(archive, first.node) { roots.len() } else { 1 };
        let below = roots.iter().take(alike).map(|root| below(root)).find(|below| !below.is_empty());
        let below = below.unwrap_or_default();
        let many = below.len() > 1;
        for (node, platform) in below {
            let named = || image_name(archive, node, &first.name, many.then_some(&platform));
            let nth = *known.entry(node).or_insert(found.len());
            if nth == found.len() {
                let image = Image { name: named(), members: members(archive, node) };
                found.push(Found { image, name: None, more: 0 });
            }
            let held = &mut found[nth];
            match &held.name {
                Some(name) => held.more += names.len() - usize::from(names.contains(name)),
                None if names.is_empty() => {}
                None => {
                    held.image.name = named();
                    held.name = Some(first.name.shown());
                    held.more = names.len() - 1;
                }
            }
        }
    }
    let whole = |Found { mut image, more, .. }: Found| {
        match more {
            0 => {}
            1 => image.name.push_str(" and 1 more name"),
            more => image.name.push_str(&format!(" and {more} more names")),
        }
        image
    };
    found.into_iter().map(whole).collect()
}

fn image_name(archive: &Archive, node: NodeId, name: &Name, platform: Option<&Platform>) -> String {
    let name = match name {
        Name::None => {
            let digest = archive.node(node).digest.as_ref().map(ToString::to_string);
            digest.or_else(|| select::image_id(archive, node)).unwrap_or_else(|| name.shown())
        }
        name => name.shown(),
    };
    match platform {
        Some(platform) => {
            let platform = platform.normalised().to_string();
            format!("{} {}", cut(&name, NAME), cut(&platform, PLATFORM))
        }
        None => cut(&name, NAME),
    }
}

/// The beginning of a text.
fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The manifest, config and layers of an image.
fn members(archive: &Archive, node: NodeId) -> BTreeSet<MemberId> {
    let held = archive.node(node);
    let document = |id| archive.document(id).member;
    let chain = match &held.body {
        Body::V1 { chain, .. } => chain.as_slice(),
        _ => &[],
    };
    let item = matches!(held.body, Body::Item { .. });
    let blobs = held.all_parts().into_iter().filter_map(|part| part.blob);
    // Items share one document, which is about the archive.
    let own = held.document.filter(|_| !item).map(document);
    own.into_iter()
        .chain(chain.iter().copied().map(document))
        .chain(blobs.filter_map(|blob| archive.blob(blob).member))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::fixture::{self, Layout};

    fn parse(values: &[&str], taken: Option<&str>, own: Own) -> Result<(bool, bool), String> {
        let values: Vec<String> = values.iter().map(ToString::to_string).collect();
        let reports = Reports::parse(&values, taken, own).map_err(|error| error.to_string())?;
        Ok((reports.human, reports.human_on_stdout()))
    }

    #[test]
    fn who_gets_standard_output() {
        use Own::{Stderr, Stdout};
        assert_eq!(parse(&[], None, Stdout), Ok((true, false)));
        assert_eq!(parse(&["json"], None, Stdout), Ok((false, false)));
        assert_eq!(parse(&["json=a"], None, Stdout), Ok((true, false)));
        assert_eq!(parse(&["json=a", "human"], None, Stdout), Ok((true, true)));
        assert_eq!(parse(&["human=a"], None, Stdout), Ok((false, false)));
        assert_eq!(parse(&["json"], None, Stderr), Ok((true, false)));
        assert_eq!(parse(&["sarif", "human=a", "junit=b"], None, Stdout), Ok((false, false)));
        assert!(parse(&["json", "human"], None, Stdout).is_err());
        assert!(parse(&["json", "sarif"], None, Stdout).is_err());
        assert!(parse(&["github"], Some("the archive"), Stderr).is_err());
        assert_eq!(parse(&["github=a"], Some("the archive"), Stderr), Ok((true, false)));
    }

    #[test]
    fn what_is_no_report() {
        for bad in
            [&["xml"][..], &["json="], &["json=a", "sarif=a"], &["json=/no/such/folder/a"], &["json=/"]]
        {
            assert!(parse(bad, None, Own::Stdout).is_err(), "{bad:?}");
        }
    }

    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    const INDEX: &str = "application/vnd.oci.image.index.v1+json";

    /// An index of so many images, each of an architecture of its own, under so many names.
    fn tagged(children: usize, tags: usize, name: &str) -> Vec<Image> {
        let layout = Layout::new();
        let config = |i| fixture::config(&[]).replace("amd64", &format!("a{i}"));
        let child = |i| {
            let config = layout.descriptor("application/vnd.oci.image.config.v1+json", config(i).as_bytes());
            let text =
                format!(r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{config},"layers":[]}}"#);
            layout.open_descriptor(MANIFEST, text.as_bytes())
                + &format!(r#","platform":{{"os":"linux","architecture":"a{i}"}}}}"#)
        };
        let children: Vec<String> = (0..children).map(child).collect();
        let index =
            format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#, children.join(","));
        let root = layout.open_descriptor(INDEX, index.as_bytes());
        let name =
            |i| format!(r#"{root},"annotations":{{"org.opencontainers.image.ref.name":"{name}{i}"}}}}"#);
        layout.index_json(&(0..tags).map(name).collect::<Vec<_>>());
        images(&layout.open())
    }

    #[test]
    fn an_image_is_called_by_its_first_name() {
        let names = |children, tags, name: &str| {
            let images = tagged(children, tags, name).into_iter();
            images.map(|image| image.name).collect::<Vec<_>>()
        };
        assert_eq!(names(1, 1, "v"), [":v0"]);
        assert_eq!(names(2, 1, "v"), [":v0 linux/a0", ":v0 linux/a1"]);
        assert_eq!(names(1, 2, "v"), [":v0 and 1 more name"]);
        assert_eq!(names(2, 3, "v"), [":v0 linux/a0 and 2 more names", ":v0 linux/a1 and 2 more names"]);
        let long = format!("{}… linux/a1", "é".repeat(NAME));
        assert_eq!(names(2, 1, &"é".repeat(NAME)).last(), Some(&long));
    }

    #[test]
    fn names_of_images_cost_in_proportion() {
        let bytes = |tags| tagged(20, tags, "v").iter().map(|image| image.name.len()).sum::<usize>();
        assert!(bytes(200) < 2 * bytes(2), "{} bytes for 2 names, {} for 200", bytes(2), bytes(200));
    }

    #[test]
    fn files_are_replaced_whole_and_links_followed() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let (file, link) = (dir.path().join("a"), dir.path().join("link"));
        write(&file, b"long before").expect("written");
        std::os::unix::fs::symlink("a", &link).expect("link");
        write(&link, b"new").expect("written");
        assert_eq!(fs::read(&file).expect("there"), b"new");
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
        assert_eq!(fs::read_dir(dir.path()).expect("there").count(), 2, "something is left");
        write(Path::new("/dev/null"), b"x").expect("written");
    }

    #[test]
    fn a_report_never_replaces_what_is_read() {
        let file = tempfile::NamedTempFile::new().expect("file");
        let name = file.path().to_str().expect("UTF-8");
        let reports = Reports::parse(&[format!("json={name}")], None, Own::Stdout).expect("good");
        assert!(reports.apart(&Place::parse(name).expect("a place")).is_err());
        assert!(reports.apart(&Place::parse("/dev").expect("a place")).is_ok());
    }
}
