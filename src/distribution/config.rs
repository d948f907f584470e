//! `registries.conf` of podman, skopeo and buildah (containers-registries.conf(5)): mirrors, other places, blocked hosts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::fault::Fault;
use crate::http::Environment;

/// What the files say.
#[derive(Debug, Clone, Default)]
pub struct Config {
    rules: Vec<Rule>,
}

/// A place at which a repository is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The domain.
    pub domain: String,
    /// The path there.
    pub path: String,
}

#[derive(Debug, Clone)]
struct Rule {
    table: Table,
    file: PathBuf,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct File {
    registry: Vec<Table>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Table {
    prefix: String,
    location: String,
    insecure: bool,
    blocked: bool,
    mirror_by_digest_only: bool,
    mirror: Vec<Mirror>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Mirror {
    location: String,
    insecure: bool,
    pull_from_mirror: Option<String>,
}

impl Config {
    /// Reads the files that hold here: `CONTAINERS_REGISTRIES_CONF`, else the user's, else the system's; and the folders
    /// beside them, whose tables count more.
    ///
    /// # Errors
    /// A file that cannot be read or understood.
    pub fn load(environment: &Environment) -> Result<Config, Fault> {
        if let Some(file) = environment.path("CONTAINERS_REGISTRIES_CONF") {
            return Config::read(&[file]);
        }
        let own = environment.home().map(|home| home.join(".config/containers"));
        let system = PathBuf::from("/etc/containers");
        let main = own
            .iter()
            .chain([&system])
            .map(|folder| folder.join("registries.conf"))
            .find(|file| file.exists());
        let mut files: Vec<PathBuf> = main.into_iter().collect();
        for folder in [Some(system), own].into_iter().flatten() {
            let entries = std::fs::read_dir(folder.join("registries.conf.d")).into_iter().flatten().flatten();
            let mut more: Vec<PathBuf> = entries
                .map(|entry| entry.path())
                .filter(|path| path.extension().is_some_and(|e| e == "conf"))
                .collect();
            more.sort();
            files.extend(more);
        }
        Config::read(&files)
    }

    /// Reads these files; of two tables for one prefix the later counts.
    ///
    /// # Errors
    /// A file that cannot be read or understood.
    pub fn read(files: &[PathBuf]) -> Result<Config, Fault> {
        let mut rules: Vec<Rule> = Vec::new();
        for file in files {
            let fault = |why: String| Fault::File { path: file.clone(), why };
            let text =
                std::fs::read_to_string(file).map_err(|error| fault(format!("cannot read it: {error}")))?;
            let parsed: File = toml::from_str(&text).map_err(|error| {
                let line =
                    error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
                let line = line.map(|line| format!("line {line}: ")).unwrap_or_default();
                fault(format!("{line}{}", super::answer::shown(error.message())))
            })?;
            for mut table in parsed.registry {
                if table.prefix.is_empty() {
                    table.prefix.clone_from(&table.location);
                }
                rules.retain(|rule| rule.table.prefix != table.prefix);
                rules.push(Rule { table, file: file.clone() });
            }
        }
        Ok(Config { rules })
    }

    /// The hosts whose certificates need not fit.
    pub fn insecure(&self) -> BTreeSet<String> {
        let host = |location: &str| location.split('/').next().unwrap_or_default().to_ascii_lowercase();
        let mut hosts = BTreeSet::new();
        for Rule { table, .. } in &self.rules {
            if table.insecure {
                hosts.insert(host(if table.location.is_empty() { &table.prefix } else { &table.location }));
            }
            hosts.extend(
                table.mirror.iter().filter(|mirror| mirror.insecure).map(|mirror| host(&mirror.location)),
            );
        }
        hosts
    }

    /// The table that holds for a name: that of the longest prefix.
    fn rule(&self, domain: &str, path: &str) -> Option<&Rule> {
        let fitting = self.rules.iter().filter(|rule| prefix_of(&rule.table.prefix, domain, path).is_some());
        fitting.max_by_key(|rule| rule.table.prefix.len())
    }

    /// The file that blocks a name, if one does.
    pub fn blocks(&self, domain: &str, path: &str) -> Option<&Path> {
        self.rule(domain, path).filter(|rule| rule.table.blocked).map(|rule| rule.file.as_path())
    }

    /// Where a repository is, mirrors apart.
    pub(super) fn primary(&self, domain: &str, path: &str) -> (String, String) {
        let moved = self.rule(domain, path).and_then(|rule| {
            let table = &rule.table;
            moved(&table.location, prefix_of(&table.prefix, domain, path)?)
        });
        moved.map_or_else(|| (domain.to_owned(), path.to_owned()), |place| (place.domain, place.path))
    }

    /// Where to look for a repository, in this order: its mirrors, then itself.
    pub fn endpoints(&self, domain: &str, path: &str, by_digest: bool) -> Vec<Endpoint> {
        let mut found = Vec::new();
        if let Some(Rule { table, .. }) = self.rule(domain, path) {
            let rest = prefix_of(&table.prefix, domain, path).unwrap_or_default();
            for mirror in &table.mirror {
                let fits = match mirror.pull_from_mirror.as_deref() {
                    Some("digest-only") => by_digest,
                    Some("tag-only") => !by_digest,
                    _ => by_digest || !table.mirror_by_digest_only,
                };
                found.extend(moved(&mirror.location, rest).filter(|_| fits));
            }
        }
        let (domain, path) = self.primary(domain, path);
        found.push(Endpoint { domain, path });
        found
    }
}

/// What follows a prefix in a name: `host`, `host/team`, `*.example.com`.
fn prefix_of<'a>(prefix: &str, domain: &str, path: &'a str) -> Option<&'a str> {
    if let Some(parent) = prefix.strip_prefix("*.") {
        let inside = domain.split(':').next().unwrap_or_default().strip_suffix(parent);
        return inside.is_some_and(|rest| rest.ends_with('.')).then_some(path);
    }
    let (host, team) = prefix.split_once('/').unwrap_or((prefix, ""));
    if host != domain {
        return None;
    }
    if team.is_empty() {
        return Some(path);
    }
    let rest = path.strip_prefix(team)?;
    (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_start_matches('/'))
}

/// A location with what follows the prefix.
fn moved(location: &str, rest: &str) -> Option<Endpoint> {
    let (domain, path) = location.split_once('/').unwrap_or((location, ""));
    if domain.is_empty() {
        return None;
    }
    let joined = [path, rest].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
    Some(Endpoint { domain: domain.to_owned(), path: joined })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        let dir = tempfile::tempdir().expect("temporary directory");
        let file = dir.path().join("registries.conf");
        std::fs::write(&file, text).expect("written");
        Config::read(&[file]).expect("understood")
    }

    fn shown(endpoints: Vec<Endpoint>) -> Vec<String> {
        endpoints.into_iter().map(|place| format!("{}/{}", place.domain, place.path)).collect()
    }

    #[test]
    fn mirrors_places_and_blocks() {
        let config = config(
            r#"
            unqualified-search-registries = ["docker.io"]
            [[registry]]
            location = "r.io"
            insecure = true
            [[registry.mirror]]
            location = "m.io:5000/cache"
            insecure = true
            [[registry.mirror]]
            location = "d.io"
            pull-from-mirror = "digest-only"
            [[registry]]
            prefix = "r.io/team"
            location = "other.io/x"
            [[registry]]
            prefix = "*.evil.io"
            blocked = true
            "#,
        );
        assert_eq!(shown(config.endpoints("r.io", "a/b", false)), ["m.io:5000/cache/a/b", "r.io/a/b"]);
        assert_eq!(shown(config.endpoints("r.io", "a", true)), ["m.io:5000/cache/a", "d.io/a", "r.io/a"]);
        assert_eq!(shown(config.endpoints("r.io", "team/a", true)), ["other.io/x/a"]);
        assert_eq!(shown(config.endpoints("r.io", "teams", false))[1], "r.io/teams");
        assert_eq!(shown(config.endpoints("s.io", "a", true)), ["s.io/a"]);
        assert!(config.blocks("a.evil.io", "x").is_some() && config.blocks("evil.io", "x").is_none());
        assert_eq!(config.insecure(), ["m.io:5000", "r.io"].map(str::to_owned).into());
    }

    #[test]
    fn files_that_cannot_be_understood_are_told_with_the_line() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let file = dir.path().join("registries.conf");
        std::fs::write(&file, "[[registry]]\nlocation = 5\n").expect("written");
        let fault = Config::read(&[file]).expect_err("a number is no place").to_string();
        assert!(fault.contains("registries.conf: line 2: "), "{fault}");
    }
}
