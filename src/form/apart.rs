//! Whether a file that is written beside an archive is the archive, or a part of it, whatever it is called: by a link to what
//! is not there yet, by another name of its folder, by a name of a standard stream.

use std::collections::VecDeque;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use super::place::Place;

/// What a command does with a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Used {
    /// It reads it: a file that is there must stay as it is.
    Read,
    /// It writes it: nothing else may be there, either.
    Written,
}

/// Links are followed so many times, as Linux does.
const MAX_LINKS: usize = 40;

/// Whether writing `file` would replace the place, or a part of it; or, in a place that is written, add to it.
pub fn replaces(file: &Path, place: &Place, used: Used) -> bool {
    if place.is_remote() {
        return false;
    }
    if place.is_standard() {
        return match used {
            Used::Read => is_stream(file, rustix::fs::fstat(io::stdin())),
            Used::Written => is_stream(file, rustix::fs::fstat(io::stdout())),
        };
    }
    // What reads a folder alone minds no new file in it.
    if file != place.path && used == Used::Read && !file.is_file() {
        return false;
    }
    let (file, place) = (resolved(file), resolved(&place.path));
    let identity = |path: &Path| path.metadata().ok().map(|meta| of(&meta));
    // A folder that is mounted elsewhere has two names that no link tells of.
    let same = |whole| file.ancestors().any(|above| identity(above) == Some(whole));
    file.starts_with(&place) || identity(&place).is_some_and(same)
}

fn of(meta: &Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

/// Whether a file is what a standard stream leads to. What goes into a device, such as `/dev/null`, replaces nothing.
fn is_stream(file: &Path, stream: rustix::io::Result<rustix::fs::Stat>) -> bool {
    let (Ok(meta), Ok(stream)) = (file.metadata(), stream) else { return false };
    !meta.file_type().is_char_device() && of(&meta) == (stream.st_dev, stream.st_ino)
}

/// The absolute path without links and `..`, also of what is not there, or will be where a link leads.
fn resolved(path: &Path) -> PathBuf {
    let mut here =
        if path.is_absolute() { PathBuf::new() } else { std::env::current_dir().unwrap_or_default() };
    here = here.canonicalize().unwrap_or(here);
    let mut ahead: VecDeque<PathBuf> = path.components().map(|part| part.as_os_str().into()).collect();
    let mut links = 0;
    while let Some(part) = ahead.pop_front() {
        match part.components().next() {
            Some(Component::ParentDir) => drop(here.pop()),
            Some(Component::Normal(name)) => match here.join(name).read_link() {
                Ok(target) if links < MAX_LINKS => {
                    links += 1;
                    let parts = target.components().map(|part| PathBuf::from(part.as_os_str()));
                    parts.rev().for_each(|part| ahead.push_front(part));
                }
                _ => here.push(name),
            },
            Some(Component::RootDir) => here = PathBuf::from("/"),
            _ => {}
        }
    }
    here
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn place(path: &Path) -> Place {
        Place::parse(path.to_str().expect("UTF-8")).expect("a place")
    }

    #[test]
    fn no_alias_of_what_is_written_may_be_replaced() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let at = |name: &str| dir.path().join(name);
        let written = |file: &str, to: &str| replaces(&at(file), &place(&at(to)), Used::Written);
        // What is not there yet, by its name, by a link to it, and below it.
        symlink("out", at("dangling")).expect("link");
        symlink(at("out/index.json"), at("deep")).expect("link");
        assert!(written("out", "out") && written("dangling", "out") && written("x/../out", "out"));
        assert!(written("out/index.json", "out") && written("deep", "out") && written("dangling/x", "out"));
        assert!(!written("beside", "out") && !written("outer", "out"));
        // A folder that is there and empty, by two names; a file by two.
        fs::create_dir(at("empty")).expect("folder");
        symlink("empty", at("other")).expect("link");
        assert!(written("empty/report.json", "empty") && written("other/report.json", "empty"));
        assert!(written("empty/report.json", "other"));
        fs::write(at("a.tar"), b"x").expect("file");
        fs::hard_link(at("a.tar"), at("b.tar")).expect("hard link");
        assert!(written("b.tar", "a.tar"));
        // Links in a circle end.
        symlink("round", at("round")).expect("link");
        assert!(!written("round", "out"));
    }

    #[test]
    fn what_is_read_keeps_its_files_and_takes_new_ones() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let at = |name: &str| dir.path().join(name);
        let read = |file: &str, from: &str| replaces(&at(file), &place(&at(from)), Used::Read);
        fs::create_dir(at("layout")).expect("folder");
        fs::write(at("layout/index.json"), b"{}").expect("file");
        symlink("layout/index.json", at("link")).expect("link");
        assert!(read("layout/index.json", "layout") && read("link", "layout"));
        assert!(!read("layout/report.json", "layout") && !read("new", "layout"));
        // A report has the name of what cannot be read.
        assert!(read("gone.tar", "gone.tar"));
    }

    #[test]
    fn no_file_is_part_of_a_registry() {
        let place = Place::parse("docker://localhost/a").expect("a place");
        assert!(!replaces(Path::new("localhost/a"), &place, Used::Written));
    }
}
