//! The library as another program sees it: the five examples, and jobs that are told to stop.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use restow::convert::DockerFormat;
use restow::{Destination, End, ErrorKind, Options, Phase, Progress, Request, Source};

#[path = "../../examples/compare.rs"]
#[allow(dead_code, reason = "its `main` is for people")]
mod compare;
#[path = "../../examples/convert.rs"]
#[allow(dead_code, reason = "its `main` is for people")]
mod convert;
#[path = "../../examples/gate.rs"]
#[allow(dead_code, reason = "its `main` is for people")]
mod gate;
#[path = "../../examples/list.rs"]
#[allow(dead_code, reason = "its `main` is for people")]
mod list;
#[path = "../../examples/report.rs"]
#[allow(dead_code, reason = "its `main` is for people")]
mod report;

const SOUND: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/good/docker-archive/docker-20.10/archive.tar");

/// An archive with one fault that is an error.
fn broken() -> PathBuf {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/bad/blob/digest-mismatch");
    let archive = case.join("archive");
    if archive.exists() { archive } else { case.join("archive.tar") }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn the_example_lists_images() {
    let mut out = Vec::new();
    list::list(SOUND, &mut out).expect("opens");
    let out = text(out);
    let lines: Vec<Vec<&str>> = out.lines().map(|line| line.split('\t').collect()).collect();
    assert!(!lines.is_empty());
    for line in &lines {
        let [names, platform, id, layers] = line[..] else { panic!("{line:?}") };
        assert!(!names.is_empty() && platform.starts_with("linux/") && id.starts_with("sha256:"), "{line:?}");
        assert!(layers.ends_with(" layers"), "{line:?}");
    }
}

#[test]
fn the_example_gate_opens_for_what_is_sound_only() {
    let mut out = Vec::new();
    assert!(gate::gate(SOUND, &mut out).expect("opens"), "{}", text(out));
    let mut out = Vec::new();
    assert!(!gate::gate(&broken().to_string_lossy(), &mut out).expect("opens"));
    assert!(text(out).lines().any(|line| line.starts_with("blob/digest-mismatch: ")));
}

#[test]
fn the_examples_convert_and_compare() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let to = format!("oci:{}", dir.path().join("out").display());
    let mut out = Vec::new();
    convert::convert(SOUND, &to, u64::MAX, &mut out).expect("converts");
    assert!(!out.is_empty());
    let mut differs = Vec::new();
    assert!(compare::compare(SOUND, &to, &mut differs).expect("compares"), "{}", text(differs));
    let other = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/good/docker-archive/docker-1.9/archive.tar");
    let mut differs = Vec::new();
    assert!(!compare::compare(SOUND, other, &mut differs).expect("compares"));
    assert!(!differs.is_empty());
}

#[test]
fn the_example_reports_in_markdown() {
    let mut out = Vec::new();
    report::report(&broken().to_string_lossy(), &mut out).expect("opens");
    let out = text(out);
    let rows: Vec<&str> = out.lines().filter(|line| line.starts_with("| ")).collect();
    assert!(rows[0].starts_with("| Level |") && rows[1].starts_with("| error | "), "{out}");
    assert!(rows.iter().any(|row| row.contains("| blob/digest-mismatch | ")), "{out}");
    assert!(rows.iter().all(|row| row.matches(" | ").count() == 3), "{out}");
    assert!(out.lines().last().is_some_and(|line| line.contains("1 error")), "{out}");
}

/// Stops a job after so many bytes, and remembers whether every stretch that began came to its end.
#[derive(Default)]
struct Stop {
    after: u64,
    read: AtomicU64,
    open: AtomicU64,
}

impl Progress for Stop {
    fn begin(&self, _: Phase, _: u64) {
        self.open.fetch_add(1, Ordering::SeqCst);
    }

    fn read(&self, bytes: u64) {
        self.read.fetch_add(bytes, Ordering::SeqCst);
    }

    fn end(&self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }

    fn cancelled(&self) -> bool {
        self.read.load(Ordering::SeqCst) >= self.after
    }
}

/// Every job stops where it is told to, with an error that says so, and leaves nothing behind, neither at the destination
/// nor where temporary files are; a job beside it that nobody stopped goes on.
#[test]
fn a_job_that_is_cancelled_leaves_nothing() {
    let dir = tempfile::tempdir().expect("temporary directory");
    for after in [0, 1, 1000] {
        let (here, tmp) = (dir.path().join(format!("here-{after}")), dir.path().join(format!("tmp-{after}")));
        std::fs::create_dir(&here).expect("folder");
        std::fs::create_dir(&tmp).expect("folder");
        let stop = || Stop { after, ..Stop::default() };

        let archive = restow::open(Path::new(SOUND), &Options::default()).expect("opens");
        let progress = stop();
        let options = Options { progress: &progress, tmpdir: Some(tmp.clone()), ..Options::default() };
        let error = restow::check(&archive, &options).map(|_| ()).expect_err("cancelled");
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
        assert_eq!(progress.open.load(Ordering::SeqCst), 0, "a stretch has no end");

        for form in ["oci", "dir", "registry-storage", "oci-archive", "docker-archive"] {
            let name = if form == "registry-storage" { ":team/app:1" } else { "" };
            let place = here.join("out");
            let progress = stop();
            let options = Options { progress: &progress, tmpdir: Some(tmp.clone()), ..Options::default() };
            let to = |place: &Path| {
                let text = format!("{form}:{}{name}", place.display());
                Destination::parse(&text, DockerFormat::Universal).expect("a place")
            };
            let beside = dir.path().join(format!("beside-{after}-{form}"));
            std::thread::scope(|scope| {
                let other = scope.spawn(|| {
                    restow::convert(Path::new(SOUND), to(&beside), Request::default(), &Options::default())
                });
                let stopped = restow::convert(Path::new(SOUND), to(&place), Request::default(), &options);
                let error = stopped.map(|_| ()).expect_err("cancelled");
                assert_eq!(error.kind(), ErrorKind::Cancelled, "{form}: {error}");
                let other = other.join().expect("no panic").expect("nobody stopped it");
                assert!(matches!(other.end, End::Written { .. }), "{form}");
            });
            assert_eq!(std::fs::read_dir(&here).expect("listed").count(), 0, "{form}: something is left");
            assert_eq!(std::fs::read_dir(&tmp).expect("listed").count(), 0, "{form}: something is left");
        }

        // A stream is stopped while it is spooled.
        let progress = stop();
        let options = Options { progress: &progress, tmpdir: Some(tmp.clone()), ..Options::default() };
        let stream = std::fs::File::open(SOUND).expect("there");
        let source = Source::parse("-").expect("a place").reading(stream);
        let error = restow::open(source, &options).map(|_| ()).expect_err("cancelled");
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
        assert_eq!(std::fs::read_dir(&tmp).expect("listed").count(), 0, "something is left of the stream");
    }
}

/// What stands in the way can be told apart without reading prose.
#[test]
fn errors_have_kinds() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let options = Options::default();
    let opened = |text: &str| match Source::parse(text) {
        Ok(source) => restow::open(source, &options).map(|_| ()).map_err(|error| error.kind()),
        Err(error) => Err(error.kind()),
    };
    let file = dir.path().join("no-archive.bin");
    std::fs::write(&file, b"nothing that anybody knows").expect("written");
    assert_eq!(opened("/no/such/file"), Err(ErrorKind::Io));
    assert_eq!(opened("oci:"), Err(ErrorKind::Request));
    assert_eq!(opened(&file.to_string_lossy()), Err(ErrorKind::NotAnArchive));
    let archive = restow::open(Path::new(SOUND), &options).expect("opens");
    let error = restow::inspect(&archive, &["no/such:1".to_owned()]).map(|_| ()).expect_err("no such image");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    let there = dir.path().join("there.tar");
    std::fs::write(&there, b"mine").expect("written");
    let to = Destination::parse(&format!("oci-archive:{}", there.display()), DockerFormat::Universal);
    let error = restow::convert(Path::new(SOUND), to.expect("a place"), Request::default(), &options);
    let error = error.map(|_| ()).expect_err("it is there");
    assert_eq!((error.kind(), error.help().is_some()), (ErrorKind::Exists, true), "{error}");
    assert_eq!(std::fs::read(&there).expect("there"), b"mine");
}
