//! Which credentials are for whom, and where they are looked for.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::fault::Fault;
use super::login::{Credential, Login};
use super::store::Store;
use crate::http::Environment;

/// Finds credentials: those that were given, else those in files, the first file first.
#[derive(Debug, Default)]
pub struct Credentials {
    /// Given for one host.
    given: HashMap<String, Login>,
    /// Where to look, in this order.
    files: Vec<PathBuf>,
    limit: Duration,
    known: Mutex<HashMap<(String, String), Option<Login>>>,
}

impl Credentials {
    /// None at all.
    pub fn none() -> Credentials {
        Credentials::default()
    }

    /// Looks where everybody does (containers-auth.json(5), then Docker), or in one file only. `limit` is for helpers.
    pub fn of(file: Option<PathBuf>, environment: &Environment, limit: Duration) -> Credentials {
        let only = file.or_else(|| environment.path("REGISTRY_AUTH_FILE"));
        let files = only.map_or_else(|| usual(environment), |file| vec![file]);
        Credentials { files, limit, ..Credentials::default() }
    }

    /// Takes these for a host, whatever files say.
    pub fn give(&mut self, host: &str, credential: Credential, from: &str) {
        self.given.insert(host.to_owned(), Login { credential, from: from.to_owned() });
    }

    /// The credentials for a repository, if there are any.
    ///
    /// # Errors
    /// A file cannot be understood, or a helper fails.
    pub fn find(&self, domain: &str, path: &str) -> Result<Option<Login>, Fault> {
        if let Some(login) = self.given.get(domain) {
            return Ok(Some(login.clone()));
        }
        let key = (domain.to_owned(), path.to_owned());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(&key) {
            return Ok(found.clone());
        }
        let mut found = None;
        for file in &self.files {
            let Some(store) = Store::read(file)? else { continue };
            if let Some((credential, from)) = store.find(domain, path, self.limit)? {
                found = Some(Login { credential, from });
                break;
            }
        }
        known.insert(key, found.clone());
        Ok(found)
    }

    /// The files that were looked in, for people; those that are not there are marked.
    pub fn looked(&self) -> Vec<String> {
        let absent = |file: &PathBuf| if file.exists() { "" } else { " (not there)" };
        self.files.iter().map(|file| format!("{}{}", file.display(), absent(file))).collect()
    }
}

fn usual(environment: &Environment) -> Vec<PathBuf> {
    let home = environment.home();
    let runtime = environment.path("XDG_RUNTIME_DIR").map(|folder| folder.join("containers/auth.json"));
    let config =
        environment.path("XDG_CONFIG_HOME").or_else(|| home.as_ref().map(|home| home.join(".config")));
    let docker = environment.path("DOCKER_CONFIG").or_else(|| home.as_ref().map(|home| home.join(".docker")));
    let own = config.map(|folder| folder.join("containers/auth.json"));
    runtime.into_iter().chain(own).chain(docker.map(|folder| folder.join("config.json"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Secret;

    #[test]
    fn files_are_looked_for_in_order() {
        let vars = Environment::of([("HOME", "/h"), ("XDG_RUNTIME_DIR", "/r"), ("DOCKER_CONFIG", "/d")]);
        assert_eq!(
            usual(&vars),
            ["/r/containers/auth.json", "/h/.config/containers/auth.json", "/d/config.json"]
                .map(PathBuf::from)
        );
        let vars = Environment::of([("HOME", "/h"), ("REGISTRY_AUTH_FILE", "/a.json")]);
        assert_eq!(Credentials::of(None, &vars, Duration::ZERO).files, [PathBuf::from("/a.json")]);
        let given = Credentials::of(Some("/b.json".into()), &vars, Duration::ZERO);
        assert_eq!(given.files, [PathBuf::from("/b.json")]);
        assert_eq!(given.looked(), ["/b.json (not there)"]);
        assert_eq!(given.find("r.io", "x"), Ok(None));
    }

    #[test]
    fn given_ones_come_first_and_for_their_host_only() {
        let mut credentials = Credentials::none();
        let password = Secret::new("p");
        credentials.give("r.io", Credential::Password { user: "u".into(), password }, "--creds");
        let found = credentials.find("r.io", "x").expect("found").expect("there");
        assert_eq!(found.shown(), "u (from --creds)");
        assert_eq!(credentials.find("s.io", "x"), Ok(None));
    }
}
