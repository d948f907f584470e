//! What the surroundings say, asked for in one place so that a test can say something else.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;

/// Environment variables.
#[derive(Debug, Clone, Default)]
pub struct Environment(HashMap<String, OsString>);

impl Environment {
    /// Those of this process.
    pub fn of_process() -> Environment {
        let named = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        Environment(named.collect())
    }

    /// These and no other.
    pub fn of<'a>(vars: impl IntoIterator<Item = (&'a str, &'a str)>) -> Environment {
        Environment(vars.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
    }

    /// A variable that is set, not empty, and text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().filter(|value| !value.is_empty())
    }

    /// Variables whose names begin so, that are not empty and are text.
    #[cfg(feature = "cloud")]
    pub fn beginning(&self, with: &str) -> impl Iterator<Item = (&str, &str)> {
        let named = self.0.iter().filter(move |(name, _)| name.starts_with(with));
        named.filter_map(|(name, _)| Some((name.as_str(), self.text(name)?)))
    }

    /// A variable that is set, not empty, and names a file or folder.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.0.get(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// The user's own folder.
    pub fn home(&self) -> Option<PathBuf> {
        self.path("HOME")
    }
}
