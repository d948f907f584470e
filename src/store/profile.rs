//! What `aws configure` wrote: `~/.aws/credentials` and `~/.aws/config`, of which the profile that `AWS_PROFILE` names is read.

use std::collections::HashMap;
use std::path::Path;

use crate::error::{Context as _, Error, Result};
use crate::http::Environment;

/// Bytes of such a file that are read.
const MOST: u64 = 1 << 20;

/// The settings of a profile.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Configured(HashMap<String, String>);

impl Configured {
    /// The profile in force; one that holds nothing if there are no files and none was named.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or the profile that was named is in none of them.
    pub fn load(environment: &Environment) -> Result<Configured> {
        let named = environment.text("AWS_PROFILE").or_else(|| environment.text("AWS_DEFAULT_PROFILE"));
        let name = named.unwrap_or("default");
        let below = |file: &str| environment.home().map(|home| home.join(".aws").join(file));
        let credentials = environment.path("AWS_SHARED_CREDENTIALS_FILE").or_else(|| below("credentials"));
        let config = environment.path("AWS_CONFIG_FILE").or_else(|| below("config"));
        let mut found = None;
        // What stands in the file of credentials comes first.
        for (path, prefix) in [(config, "profile "), (credentials, "")] {
            let Some(path) = path else { continue };
            let Some(text) = read(&path)? else { continue };
            let titles = [name.to_owned(), format!("{prefix}{name}")];
            if let Some(settings) = section(&text, &titles) {
                found.get_or_insert_with(Configured::default).0.extend(settings);
            }
        }
        match (found, named) {
            (Some(profile), _) => Ok(profile),
            (None, None) => Ok(Configured::default()),
            (None, Some(name)) => {
                let message = format!(
                    "AWS_PROFILE names `{name}`, which ~/.aws/credentials and ~/.aws/config do not have"
                );
                Err(Error::refused_help(message, "aws configure list-profiles shows those that are there"))
            }
        }
    }

    /// A setting.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// How the profile gets its credentials, if that is none that is known here.
    pub fn unknown_way(&self) -> Option<&'static str> {
        ["role_arn", "sso_session", "sso_start_url", "credential_process", "web_identity_token_file"]
            .into_iter()
            .find(|way| self.get(way).is_some())
    }
}

/// The text of a file; `None` if there is none.
fn read(path: &Path) -> Result<Option<String>> {
    use std::io::Read as _;
    let file = match std::fs::File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.at("cannot open", path)?,
    };
    let mut text = String::new();
    file.take(MOST).read_to_string(&mut text).at("cannot read", path)?;
    Ok(Some(text))
}

/// The settings below one of these titles; those that are nested below another setting are none.
fn section(text: &str, titles: &[String]) -> Option<HashMap<String, String>> {
    let mut found = None;
    let mut inside = false;
    for line in text.lines() {
        let nested = line.starts_with([' ', '\t']);
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(title) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            let title: Vec<&str> = title.0.split_whitespace().collect();
            inside = titles.contains(&title.join(" "));
            if inside {
                found.get_or_insert_with(HashMap::new);
            }
            continue;
        }
        if let (true, false, Some((name, value))) = (inside, nested, line.split_once('=')) {
            let settings = found.get_or_insert_with(HashMap::new);
            settings.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_found_in_both_files() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let (credentials, config) = (dir.path().join("credentials"), dir.path().join("config"));
        std::fs::write(
            &credentials,
            "# mine\n[default]\naws_access_key_id = AKIA0\n[work]\naws_access_key_id=AKIA1\naws_secret_access_key = s=1\n",
        )
        .expect("written");
        std::fs::write(
            &config,
            "[profile work]\nregion = eu-central-1\naws_access_key_id = other\ns3 =\n  endpoint_url = http://nested\n\n[profile sso]\nsso_session = x\n",
        )
        .expect("written");
        let (credentials, config) = (credentials.to_string_lossy(), config.to_string_lossy());
        let with = |profile: &str| {
            let vars = [
                ("AWS_SHARED_CREDENTIALS_FILE", credentials.as_ref()),
                ("AWS_CONFIG_FILE", config.as_ref()),
                ("AWS_PROFILE", profile),
            ];
            Configured::load(&Environment::of(vars))
        };
        let work = with("work").expect("there");
        assert_eq!(work.get("aws_access_key_id"), Some("AKIA1"));
        assert_eq!(work.get("aws_secret_access_key"), Some("s=1"));
        assert_eq!((work.get("region"), work.get("endpoint_url")), (Some("eu-central-1"), None));
        assert_eq!(work.unknown_way(), None);
        assert_eq!(with("sso").expect("there").unknown_way(), Some("sso_session"));
        assert_eq!(with("").expect("the default").get("aws_access_key_id"), Some("AKIA0"));
        assert!(with("absent").is_err());
        assert_eq!(Configured::load(&Environment::default()).expect("none"), Configured::default());
    }
}
