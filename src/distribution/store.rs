//! Files of credentials: `auth.json` of podman and skopeo, `config.json` of Docker. One grammar.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::BASE64;
use serde::Deserialize;

use super::fault::Fault;
use super::helper;
use super::login::Credential;
use crate::http::Secret;

/// Bytes of such a file.
const MOST: u64 = 4 << 20;

/// A file that was read.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Store {
    auths: BTreeMap<String, Entry>,
    #[serde(rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    #[serde(rename = "credsStore")]
    store: Option<String>,
    #[serde(skip)]
    path: PathBuf,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

impl Store {
    /// Reads a file; `None` if there is none.
    ///
    /// # Errors
    /// It cannot be read, or is not such a file.
    pub fn read(path: &Path) -> Result<Option<Store>, Fault> {
        let fault = |why: String| Fault::File { path: path.to_owned(), why };
        let bytes = match std::fs::File::open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fault(format!("cannot open it: {error}"))),
            Ok(file) => {
                use std::io::Read as _;
                let mut bytes = Vec::new();
                let end = file.take(MOST).read_to_end(&mut bytes);
                end.map_err(|error| fault(format!("cannot read it: {error}")))?;
                bytes
            }
        };
        if bytes.trim_ascii().is_empty() {
            return Ok(None);
        }
        // Where, not what: the text at fault may be a password.
        let unreadable =
            |error: serde_json::Error| fault(format!("line {}: it is no file of credentials", error.line()));
        let mut store: Store = serde_json::from_slice(&bytes).map_err(unreadable)?;
        store.path = path.to_owned();
        Ok(Some(store))
    }

    /// The credentials for a repository, by its domain and path, and where they come from.
    ///
    /// # Errors
    /// A helper fails, or an entry cannot be understood.
    pub fn find(
        &self,
        domain: &str,
        path: &str,
        limit: Duration,
    ) -> Result<Option<(Credential, String)>, Fault> {
        let file = self.path.display();
        for host in hosts(domain) {
            if let Some(name) = self.helpers.get(host) {
                let found = helper::ask(name, host, limit)?;
                return Ok(found.map(|found| (found, format!("docker-credential-{name}"))));
            }
        }
        for key in keys(domain, path) {
            let entry = self.auths.iter().find(|(written, _)| plain(written) == key).map(|(_, entry)| entry);
            if let Some(found) = entry.map(|entry| self.entry(entry, &key)).transpose()?.flatten() {
                return Ok(Some((found, file.to_string())));
            }
        }
        let Some(name) = &self.store else { return Ok(None) };
        for server in servers(domain) {
            if let Some(found) = helper::ask(name, server, limit)? {
                return Ok(Some((found, format!("docker-credential-{name}"))));
            }
        }
        Ok(None)
    }

    fn entry(&self, entry: &Entry, key: &str) -> Result<Option<Credential>, Fault> {
        let some = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if let Some(token) = some(&entry.registrytoken) {
            return Ok(Some(Credential::Token(Secret::new(token))));
        }
        if let Some(token) = some(&entry.identitytoken) {
            return Ok(Some(Credential::Identity(Secret::new(token))));
        }
        if let Some(auth) = some(&entry.auth) {
            let unreadable = || Fault::File {
                path: self.path.clone(),
                why: format!("the entry of {key} is no name and password in base64"),
            };
            let bytes = BASE64.decode(auth.trim().as_bytes()).map_err(|_| unreadable())?;
            let text = String::from_utf8(bytes).map_err(|_| unreadable())?;
            let (user, password) = text.split_once(':').ok_or_else(unreadable)?;
            let password = Secret::new(password.trim_end_matches('\0'));
            return Ok(Some(Credential::Password { user: user.to_owned(), password }));
        }
        let pair = some(&entry.username).zip(some(&entry.password));
        Ok(pair.map(|(user, password)| Credential::Password { user, password: Secret::new(password) }))
    }
}

/// The hosts under which a domain's credentials are kept: Docker Hub has had several.
fn hosts(domain: &str) -> Vec<&str> {
    match domain {
        "docker.io" | super::HUB => vec!["docker.io", "index.docker.io", super::HUB],
        other => vec![other],
    }
}

/// What a store is asked for.
fn servers(domain: &str) -> Vec<&str> {
    match domain {
        "docker.io" | super::HUB => vec!["https://index.docker.io/v1/", "docker.io", "index.docker.io"],
        other => vec![other],
    }
}

/// The keys of a repository, the longest first: `host/team/app`, `host/team`, `host`.
fn keys(domain: &str, path: &str) -> Vec<String> {
    let hosts = hosts(domain);
    let mut keys = Vec::new();
    let mut prefix = path;
    while !prefix.is_empty() {
        keys.extend(hosts.iter().map(|host| format!("{host}/{prefix}")));
        prefix = prefix.rfind('/').map_or("", |at| &prefix[..at]);
    }
    keys.extend(hosts.iter().map(|host| (*host).to_owned()));
    keys
}

/// A key without scheme, and without the version that old Dockers wrote behind the host.
fn plain(key: &str) -> &str {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let key = key.trim_end_matches('/');
    key.strip_suffix("/v1").or_else(|| key.strip_suffix("/v2")).unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(json: &str, domain: &str, path: &str) -> Option<String> {
        let dir = tempfile::tempdir().expect("temporary directory");
        let file = dir.path().join("auth.json");
        std::fs::write(&file, json).expect("written");
        let store = Store::read(&file).expect("readable").expect("there");
        let found = store.find(domain, path, Duration::from_secs(5)).expect("found or not");
        found.map(|(found, _)| match found {
            Credential::Password { user, password } => format!("{user}:{}", password.expose()),
            Credential::Identity(token) => format!("identity {}", token.expose()),
            Credential::Token(token) => format!("token {}", token.expose()),
        })
    }

    fn auth(text: &str) -> String {
        BASE64.encode(text.as_bytes())
    }

    #[test]
    fn the_longest_key_is_taken() {
        let json = format!(
            r#"{{"auths":{{"r.io":{{"auth":"{}"}},"r.io/team":{{"auth":"{}"}},"https://index.docker.io/v1/":{{"auth":"{}"}},
            "s.io":{{}},"t.io":{{"identitytoken":"i"}},"u.io":{{"username":"a","password":"b"}},"v.io":{{"registrytoken":"t"}}}}}}"#,
            auth("a:1"),
            auth("b:2:3"),
            auth("hub:x\0\0"),
        );
        let of = |domain, path| found(&json, domain, path);
        assert_eq!(of("r.io", "x").as_deref(), Some("a:1"));
        assert_eq!(of("r.io", "team/app").as_deref(), Some("b:2:3"));
        assert_eq!(of("r.io", "teams/app").as_deref(), Some("a:1"));
        assert_eq!(of("docker.io", "library/x").as_deref(), Some("hub:x"));
        assert_eq!(of("s.io", "x"), None);
        assert_eq!(of("t.io", "x").as_deref(), Some("identity i"));
        assert_eq!(of("u.io", "x").as_deref(), Some("a:b"));
        assert_eq!(of("v.io", "x").as_deref(), Some("token t"));
        assert_eq!(of("r.io:5000", "x"), None);
    }

    #[test]
    fn files_that_are_none_are_told_without_what_they_hold() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let file = dir.path().join("auth.json");
        assert!(Store::read(&file).expect("absent is none").is_none());
        std::fs::write(&file, " \n").expect("written");
        assert!(Store::read(&file).expect("empty is none").is_none());
        std::fs::write(&file, "{\"auths\":\n{\"a\": hunter2}}").expect("written");
        let fault = Store::read(&file).err().expect("no JSON").to_string();
        assert!(fault.ends_with("auth.json: line 2: it is no file of credentials"), "{fault}");
        std::fs::write(&file, r#"{"auths":{"a":{"auth":"hunter2!"}}}"#).expect("written");
        let store = Store::read(&file).expect("readable").expect("there");
        let fault = store.find("a", "x", Duration::ZERO).expect_err("no base64").to_string();
        assert!(!fault.contains("hunter2") && fault.contains("the entry of a"), "{fault}");
    }
}
