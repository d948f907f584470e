//! Where levels come from: `restow.toml`, the profiles and flags that were typed, and a baseline.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::ArgMatches;

use super::args::Levels;
use super::shell::Shell;
use crate::command::Baseline;
use crate::error::{Error, Result};
use crate::{Level, Place, Policy, Profile};

/// What the file is called.
const NAME: &str = "restow.toml";

/// The file of a user, below the folder of configurations.
const OF_USER: &str = "restow/restow.toml";

/// The file, then the profiles that were typed, then `-A`, `-W` and `-D` in the order in which they were: the last one wins.
/// `looks` says whether a file is looked for that nobody named.
pub(super) fn policy(
    levels: &Levels,
    baseline: Option<&Path>,
    looks: bool,
    shell: &Shell,
    matches: &ArgMatches,
) -> Result<Policy> {
    let mut policy = Policy::default();
    let surroundings = Surroundings::of_process();
    if let Some(file) = surroundings.file(levels, looks, shell)? {
        policy.read(&file)?;
    }
    for name in &levels.profile {
        policy.profile(Profile::parse(name)?);
    }
    if let Some(file) = baseline {
        policy.baseline(Baseline::read(file)?);
    }
    let Some((_, matches)) = matches.subcommand() else { return Ok(policy) };
    let matches = matches.subcommand().map_or(matches, |(_, below)| below);
    let mut flags: Vec<(usize, Level, &String)> = Vec::new();
    for (id, level) in [("allow", Level::Allow), ("warn", Level::Warning), ("deny", Level::Error)] {
        let indices = matches.indices_of(id).into_iter().flatten();
        let values = matches.get_many::<String>(id).into_iter().flatten();
        flags.extend(indices.zip(values).map(|(index, value)| (index, level, value)));
    }
    flags.sort_by_key(|(index, ..)| *index);
    for (_, level, selector) in flags {
        policy.set(selector, level)?;
    }
    Ok(policy)
}

/// What decides where the file is.
struct Surroundings {
    /// The working directory.
    here: PathBuf,
    /// `$HOME`
    home: Option<PathBuf>,
    /// `$XDG_CONFIG_HOME`, or what stands for it.
    configurations: Option<PathBuf>,
    /// `$RESTOW_CONFIG`, if it is not empty.
    named: Option<OsString>,
    /// Who runs this.
    user: u32,
}

/// What was found when a file was looked for.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    File(PathBuf),
    /// A file, and why it is not read.
    PassedOver(PathBuf, &'static str),
}

impl Surroundings {
    fn of_process() -> Surroundings {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let home = set("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
        let own = set("XDG_CONFIG_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
        Surroundings {
            here: std::env::current_dir().unwrap_or_default(),
            configurations: own.or_else(|| home.as_ref().map(|home| home.join(".config"))),
            home,
            named: set("RESTOW_CONFIG"),
            user: rustix::process::geteuid().as_raw(),
        }
    }

    /// The file to read: the one that was named, else the nearest, if one is looked for.
    fn file(&self, levels: &Levels, looks: bool, shell: &Shell) -> Result<Option<PathBuf>> {
        if levels.no_config {
            return Ok(None);
        }
        if let Some(file) = &levels.config {
            return Ok(Some(file.clone()));
        }
        if let Some(file) = &self.named {
            return Ok(Some(file.into()));
        }
        if !looks {
            return Ok(None);
        }
        let sources: Vec<PathBuf> = shell.typed.sources.iter().filter_map(|text| local(text)).collect();
        match self.nearest(&sources)? {
            Found::Nothing => Ok(None),
            Found::File(file) => Ok(Some(file)),
            Found::PassedOver(file, why) => {
                let file = file.display();
                shell.say(&format!("{file} is passed over: {why} (--config {file} reads it all the same)"));
                Ok(None)
            }
        }
    }

    /// The file in the working directory or above it, up to the root of the repository or the home folder, which are as far
    /// as somebody may be taken to have meant it; else the user's.
    fn nearest(&self, sources: &[PathBuf]) -> Result<Found> {
        for (up, folder) in self.folders().into_iter().enumerate() {
            // As it is typed: `../restow.toml`.
            let shown: PathBuf = std::iter::repeat_n("..", up).chain([NAME]).collect();
            let file = folder.join(NAME);
            match file.symlink_metadata() {
                Ok(_) => return Ok(self.trusted(&file, shown, sources)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io("cannot read", shown, error)),
            }
        }
        let own = self.configurations.as_ref().map(|folder| folder.join(OF_USER));
        match own.filter(|file| file.symlink_metadata().is_ok()) {
            Some(file) => Ok(self.trusted(&file, file.clone(), sources)),
            None => Ok(Found::Nothing),
        }
    }

    /// The folders that are looked into, the nearest first.
    fn folders(&self) -> Vec<&Path> {
        let all: Vec<&Path> = self.here.ancestors().collect();
        let is_root = |folder: &&Path| folder.join(".git").exists() || self.home.as_deref() == Some(*folder);
        // Below neither, nobody says how far up it is still one's own.
        let last = all.iter().position(is_root).unwrap_or(0);
        all.into_iter().take(last + 1).collect()
    }

    /// Whether a file says what the user, or the system's administrator, wants said.
    fn trusted(&self, file: &Path, shown: PathBuf, sources: &[PathBuf]) -> Found {
        // A folder, or a link to nothing of that name, is told when it is read.
        let Ok(meta) = file.metadata() else { return Found::File(shown) };
        let real = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        let inside = |source: &PathBuf| {
            source.is_dir() && source.canonicalize().is_ok_and(|source| real.starts_with(source))
        };
        if sources.iter().any(inside) {
            return Found::PassedOver(shown, "it lies in what is judged");
        }
        if meta.uid() != self.user && meta.uid() != 0 {
            return Found::PassedOver(shown, "it belongs to another user");
        }
        if meta.mode() & 0o002 != 0 {
            return Found::PassedOver(shown, "everybody may write it");
        }
        Found::File(shown)
    }
}

/// The path of a place on disk.
fn local(text: &str) -> Option<PathBuf> {
    let place = Place::parse(text).ok()?;
    (!place.is_remote() && !place.is_standard()).then_some(place.path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    /// A home with a repository in it, and a folder three deep in the repository.
    struct Bench(tempfile::TempDir);

    impl Bench {
        fn new() -> Bench {
            let dir = tempfile::tempdir().expect("temporary directory");
            fs::create_dir_all(dir.path().join("home/repo/a/b/c")).expect("folders");
            fs::create_dir_all(dir.path().join("home/repo/.git")).expect("folders");
            fs::create_dir_all(dir.path().join("home/.config/restow")).expect("folders");
            fs::create_dir_all(dir.path().join("elsewhere/x")).expect("folders");
            Bench(dir)
        }

        fn write(&self, folder: &str) {
            fs::write(self.0.path().join(folder).join(NAME), "").expect("written");
        }

        fn at(&self, folder: &str) -> Surroundings {
            let home = self.0.path().join("home");
            Surroundings {
                here: self.0.path().join(folder),
                configurations: Some(home.join(".config")),
                home: Some(home),
                named: None,
                user: rustix::process::geteuid().as_raw(),
            }
        }

        fn found(&self, folder: &str) -> String {
            match self.at(folder).nearest(&[]).expect("read") {
                Found::File(file) => file.display().to_string(),
                other => format!("{other:?}"),
            }
        }
    }

    #[test]
    fn the_nearest_file_up_to_the_repository_or_the_home_is_read() {
        let bench = Bench::new();
        assert_eq!(bench.found("home/repo/a/b/c"), "Nothing");
        let own = bench.0.path().join("home/.config").join(OF_USER).display().to_string();
        fs::write(&own, "").expect("written");
        assert_eq!(bench.found("home/repo/a/b/c"), own, "the user's");
        bench.write("home");
        assert_eq!(bench.found("home/repo/a/b/c"), own, "above the repository");
        bench.write("home/repo");
        assert_eq!(bench.found("home/repo/a/b/c"), "../../../restow.toml");
        bench.write("home/repo/a/b");
        assert_eq!(bench.found("home/repo/a/b/c"), "../restow.toml");
        assert_eq!(bench.found("home/repo/a/b"), "restow.toml");
        fs::create_dir(bench.0.path().join("home/x")).expect("folder");
        assert_eq!(bench.found("home/x"), "../restow.toml", "no repository, but below the home");
        bench.write("elsewhere");
        assert_eq!(bench.found("elsewhere/x"), own, "below neither");
        assert_eq!(bench.found("elsewhere"), "restow.toml");
    }

    #[test]
    fn files_that_others_may_have_written_are_passed_over() {
        let bench = Bench::new();
        bench.write("home/repo");
        let file = bench.0.path().join("home/repo").join(NAME);
        let found = |user: u32, sources: &[&str]| {
            let sources: Vec<PathBuf> = sources.iter().map(|source| bench.0.path().join(source)).collect();
            let surroundings = Surroundings { user, ..bench.at("home/repo/a") };
            surroundings.nearest(&sources).expect("read")
        };
        let me = rustix::process::geteuid().as_raw();
        let shown = PathBuf::from("../restow.toml");
        assert_eq!(found(me, &["home/repo/a"]), Found::File(shown.clone()));
        let inside = Found::PassedOver(shown.clone(), "it lies in what is judged");
        assert_eq!(found(me, &["elsewhere", "home/repo"]), inside);
        if me != 0 {
            let other = Found::PassedOver(shown.clone(), "it belongs to another user");
            assert_eq!(found(me + 1, &[]), other);
        } else {
            std::os::unix::fs::chown(&file, Some(1), None).expect("given away");
            assert_eq!(found(me, &[]), Found::PassedOver(shown.clone(), "it belongs to another user"));
            std::os::unix::fs::chown(&file, Some(0), None).expect("taken back");
            assert_eq!(found(1, &[]), Found::File(shown.clone()), "the administrator's");
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).expect("mode");
        assert_eq!(found(me, &[]), Found::PassedOver(shown, "everybody may write it"));
    }
}
