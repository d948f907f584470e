//! `restow.toml`: profiles, levels, and exceptions.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;
use toml::value::Datetime;

use super::exceptions::{Exception, Of};
use super::policy::{Policy, Profile, named};
use crate::digest::Digest;
use crate::error::{Context, Error, Result};
use crate::finding::{By, Integrity, Level, Lines, Position};

/// The shape of the file as a JSON Schema.
pub const SCHEMA: &str = include_str!("../../schemas/config-v1.json");

/// `restow.toml`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Profiles, as `--profile`.
    #[serde(default)]
    profiles: Vec<Spanned<String>>,
    /// Levels by rule or family: `"layer/sparse" = "deny"`.
    #[serde(default)]
    levels: BTreeMap<Spanned<String>, Word>,
    /// Exceptions.
    #[serde(default)]
    allow: Vec<Spanned<Allow>>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Allow,
    Note,
    #[serde(alias = "warning")]
    Warn,
    #[serde(alias = "error")]
    Deny,
}

/// What is accepted, why, and until when.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allow {
    digest: Option<Spanned<String>>,
    fingerprint: Option<Spanned<String>>,
    rule: Option<Spanned<String>>,
    reason: Spanned<String>,
    expires: Spanned<Datetime>,
}

/// The text of a file, for places in it.
struct Text<'a> {
    shown: &'a str,
    text: &'a str,
}

impl Text<'_> {
    fn at(&self, offset: usize) -> String {
        let Position { line, column } = Lines::new(self.text.as_bytes()).position(offset);
        format!("{}:{line}:{column}", self.shown)
    }

    fn line(&self, offset: usize) -> String {
        let Position { line, .. } = Lines::new(self.text.as_bytes()).position(offset);
        format!("{}:{line}", self.shown)
    }

    /// An error with its place.
    fn wrong<T>(&self, error: Error, value: &Spanned<T>) -> Error {
        let message = format!("{}: {error}", self.at(value.span().start));
        match error.help() {
            Some(help) => Error::refused_help(message, help.to_owned()),
            None => Error::refused(message),
        }
    }
}

impl Policy {
    /// Reads `restow.toml`: its profiles, its levels, and its exceptions.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is no such file, names what is none, or lowers a single rule that always blocks.
    pub fn read(&mut self, path: &Path) -> Result<()> {
        read(self, path, &path.display().to_string(), &crate::time::today())
    }
}

/// Reads the file into a policy: its profiles, then its levels, of which families come before single rules, whatever their
/// order in the file, then its exceptions. `shown` is how the file is told of, and `today` says which exceptions have ended.
fn read(policy: &mut Policy, path: &Path, shown: &str, today: &str) -> Result<()> {
    let text = std::fs::read_to_string(path).at("cannot read", path)?;
    let text = Text { shown, text: &text };
    let file: File = toml::from_str(text.text).map_err(|error| {
        let place = error.span().map_or_else(|| shown.to_owned(), |span| text.at(span.start));
        // The toml crate tells some things in several lines.
        let words: Vec<&str> = error.message().lines().map(str::trim).collect();
        Error::refused(format!("{place}: {}", words.join("; ")))
    })?;
    for name in &file.profiles {
        policy.profile(Profile::parse(name.get_ref()).map_err(|error| text.wrong(error, name))?);
    }
    let mut levels: Vec<_> = file.levels.iter().collect();
    levels.sort_by_key(|(name, _)| (name.get_ref() != "all", name.get_ref().contains('/')));
    for (selector, word) in levels {
        let level = match word {
            Word::Allow => Level::Allow,
            Word::Note => Level::Note,
            Word::Warn => Level::Warning,
            Word::Deny => Level::Error,
        };
        policy.set(selector.get_ref(), level).map_err(|error| text.wrong(error, selector))?;
    }
    for allow in &file.allow {
        let exception = exception(allow, &text)?;
        match &exception.by {
            By::Exception { at, expires, reason } if expires.as_str() < today => {
                policy.ended(format!("{at}: the exception ended on {expires} and lowers nothing: {reason}"));
            }
            _ => policy.except(exception),
        }
    }
    policy.file_was(shown);
    Ok(())
}

fn exception(allow: &Spanned<Allow>, text: &Text<'_>) -> Result<Exception> {
    let value = allow.get_ref();
    let of = match (&value.digest, &value.fingerprint) {
        (Some(digest), None) => {
            let parsed = Digest::parse(digest.get_ref());
            Of::Digest(parsed.map_err(|error| text.wrong(Error::refused(error.to_string()), digest))?)
        }
        (None, Some(print)) => Of::Fingerprint(fingerprint(print, text)?),
        _ => {
            let error = Error::refused("an exception has either a digest or a fingerprint");
            return Err(text.wrong(error, allow));
        }
    };
    let rules = match &value.rule {
        None => Vec::new(),
        Some(selector) => {
            let rules = named(selector.get_ref()).map_err(|error| text.wrong(error, selector))?;
            if let [rule] = rules[..] {
                if rule.integrity == Integrity::Hard {
                    let message = format!("`{}` always blocks, so there are no exceptions of it", rule.name);
                    let help = format!("`restow explain {}` says why", rule.name);
                    return Err(text.wrong(Error::refused_help(message, help), selector));
                }
            }
            rules.into_iter().map(|rule| rule.name).collect()
        }
    };
    let reason = value.reason.get_ref().trim().to_owned();
    if reason.is_empty() {
        return Err(text.wrong(Error::refused("an exception has a reason"), &value.reason));
    }
    let Datetime { date: Some(date), time: None, offset: None } = value.expires.get_ref() else {
        let error = Error::refused("an exception ends on a date, such as 2027-01-31");
        return Err(text.wrong(error, &value.expires));
    };
    let by = By::Exception { at: text.line(allow.span().start), reason, expires: date.to_string() };
    Ok(Exception { of, rules, by })
}

/// The digits of a fingerprint; SARIF counts equal ones behind a colon.
fn fingerprint(print: &Spanned<String>, text: &Text<'_>) -> Result<String> {
    let digits = print.get_ref().split(':').next().unwrap_or_default();
    if digits.len() != 32 || !digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        let message = "a fingerprint has 32 digits, as `restow check --report json` tells it";
        return Err(text.wrong(Error::refused(message), print));
    }
    Ok(digits.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::archive;

    #[test]
    fn a_file_sets_profiles_and_levels() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("restow.toml");
        let text =
            "profiles = [\"strict\"]\n[levels]\n\"archive/data-after-end\" = \"allow\"\narchive = \"deny\"\n";
        std::fs::write(&path, text).expect("file");
        let mut policy = Policy::default();
        policy.read(&path).expect("good");
        assert_eq!(policy.level(&archive::DATA_AFTER_END), Level::Allow);
        assert_eq!(policy.level(&archive::HALF_INCOMPLETE), Level::Error);
        for (word, level) in [
            ("allow", Level::Allow),
            ("note", Level::Note),
            ("warn", Level::Warning),
            ("warning", Level::Warning),
            ("deny", Level::Error),
            ("error", Level::Error),
        ] {
            std::fs::write(&path, format!("[levels]\narchive = \"{word}\"\n")).expect("file");
            let mut policy = Policy::default();
            policy.read(&path).expect("good");
            assert_eq!(policy.level(&archive::HALF_INCOMPLETE), level, "{word}");
        }
        for (text, place, words) in [
            ("levels = 1", "1:10", "expected a map"),
            ("[levels]\n\"blob/mising\" = \"deny\"\n", "2:1", "`blob/mising`"),
            ("profiles = [\"spec\",\n  \"docke\"]", "2:3", "`docke`"),
            ("[levels]\narchive = \"fatal\"\n", "2:11", "`fatal`"),
            ("[levels]\n\"blob/missing\" = \"warn\"\n", "2:1", "always blocks"),
            ("[levels\n", "1:8", ""),
            ("level = {}\n", "1:1", "`level`"),
        ] {
            std::fs::write(&path, text).expect("file");
            let error = policy.read(&path).expect_err("wrong").to_string();
            assert!(error.starts_with(&format!("{}:{place}: ", path.display())), "{error}");
            assert!(error.contains(words) && !error.contains('\n'), "{error}");
        }
    }

    /// The policy of a file on a day.
    fn of(text: &str) -> Result<Policy> {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("restow.toml");
        std::fs::write(&path, text).expect("file");
        let mut policy = Policy::default();
        read(&mut policy, &path, "restow.toml", "2026-11-29").map(|()| policy)
    }

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn exceptions_have_a_reason_and_an_end() {
        let all = format!("digest = \"{DIGEST}\"\nreason = \"r\"\nexpires = 2026-11-29\n");
        of(&format!("[[allow]]\n{all}")).expect("good");
        of(&format!("[[allow]]\nrule = \"config\"\n{all}")).expect("of a family");
        for (text, place, words) in [
            ("reason = \"r\"\nexpires = 2027-01-31".to_owned(), "1:1", "either a digest or a fingerprint"),
            (format!("{all}fingerprint = \"0123456789abcdef0123456789abcdef\""), "1:1", "either a digest"),
            (all.replace("sha256:", "sha256"), "2:10", ""),
            (all.replace("= \"r\"", "= \" \""), "3:10", "has a reason"),
            (all.replace("2026-11-29", "2026-11-29T00:00:00Z"), "4:11", "ends on a date"),
            (all.replace("2026-11-29", "\"soon\""), "4:11", ""),
            (all.replace("reason", "because"), "3:1", "`because`"),
            (format!("{all}rule = \"blob/missing\""), "5:8", "always blocks"),
            (format!("{all}rule = \"blob/mising\""), "5:8", "`blob/mising`"),
            ("fingerprint = \"12\"\nreason = \"r\"\nexpires = 2027-01-31".into(), "2:15", "32 digits"),
        ] {
            let error = of(&format!("[[allow]]\n{text}")).expect_err(&text).to_string();
            assert!(error.starts_with(&format!("restow.toml:{place}: ")) && error.contains(words), "{error}");
        }
    }

    /// The schema says what the reader takes, no more and no less.
    #[test]
    fn the_schema_holds() {
        let schema: serde_json::Value = serde_json::from_str(SCHEMA).expect("JSON");
        let validator = jsonschema::options().offline().build(&schema).expect("a schema");
        let allow = format!("[[allow]]\ndigest = \"{DIGEST}\"\nreason = \"r\"\nexpires = 2027-01-31\n");
        let print = allow.replace(
            &format!("digest = \"{DIGEST}\""),
            "fingerprint = \"0123456789abcdef0123456789abcdef:1\"",
        );
        for good in [
            "",
            "profiles = [\"spec\", \"docker\", \"containerd\", \"portable\", \"strict\"]",
            "[levels]\nall = \"note\"\nconfig = \"allow\"\n\"config/bad-port\" = \"deny\"\nentry = \"warning\"",
            &allow,
            &print,
            &format!("{allow}rule = \"config\""),
            include_str!("../../docs/configuration.md")
                .split("```toml\n")
                .nth(1)
                .and_then(|rest| rest.split("```").next())
                .expect("an example"),
        ] {
            of(good).unwrap_or_else(|error| panic!("{good}: {error}"));
            let value = json(good);
            assert!(validator.is_valid(&value), "{good}: {:?}", validator.validate(&value));
        }
        for bad in [
            "profile = []",
            "profiles = [\"dokcer\"]",
            "[levels]\nconfig = \"fatal\"",
            "[levels]\n\"Config!\" = \"deny\"",
            &allow.replace("reason", "because"),
            &allow.replace("reason = \"r\"\n", ""),
            &allow.replace("expires = 2027-01-31", ""),
            &format!("{allow}fingerprint = \"0123456789abcdef0123456789abcdef\""),
            &allow.replace(&format!("digest = \"{DIGEST}\"\n"), ""),
            &print.replace("0123", "zzzz"),
            &allow.replace("2027-01-31", "\"soon\""),
        ] {
            assert!(of(bad).is_err(), "{bad}");
            assert!(!validator.is_valid(&json(bad)), "{bad}");
        }
        let named: Vec<&str> = crate::rules::policy::PROFILES.iter().map(|(name, _)| *name).collect();
        assert_eq!(schema["properties"]["profiles"]["items"]["enum"], serde_json::json!(named));
    }

    /// A file as editors hand it to a schema: dates are texts.
    fn json(text: &str) -> serde_json::Value {
        fn of(value: toml::Value) -> serde_json::Value {
            match value {
                toml::Value::Datetime(date) => date.to_string().into(),
                toml::Value::Array(items) => items.into_iter().map(of).collect(),
                toml::Value::Table(table) => {
                    table.into_iter().map(|(name, value)| (name, of(value))).collect()
                }
                other => serde_json::to_value(other).expect("JSON"),
            }
        }
        of(toml::Value::Table(text.parse().expect("TOML")))
    }
}
