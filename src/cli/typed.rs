//! The words of a command line as they were typed: options before the command, and the line once more, for a help that is to
//! be typed next.

use std::borrow::Cow;
use std::cell::LazyCell;
use std::ffi::OsString;

use clap::{Arg, Args};

use super::args::Common;

/// What was typed.
#[derive(Debug, Clone, Default)]
pub(super) struct Typed {
    /// Behind the program's name, as far as it is text.
    pub words: Vec<String>,
    /// Those of them that are places to read.
    pub sources: Vec<String>,
    /// The one that is a place to write.
    pub destination: Option<String>,
}

impl Typed {
    /// The words behind the program's name.
    pub fn of(words: &[OsString]) -> Typed {
        let text = |word: &OsString| word.to_string_lossy().into_owned();
        Typed { words: words.iter().skip(1).map(text).collect(), ..Typed::default() }
    }

    /// All of it on one line, without what may be a password.
    pub fn told(&self) -> String {
        without_secrets(&self.words).join(" ")
    }
}

/// What stands where a password may have stood.
const SECRET: &str = "…";

/// The words without what may be a password.
pub(super) fn without_secrets(words: &[String]) -> Vec<String> {
    let mut secret = false;
    let shown = |word: &String| {
        let (name, given) = word.split_once('=').map_or((word.as_str(), false), |(name, _)| (name, true));
        let named = name.starts_with("--") && name.ends_with("creds");
        let word = match (std::mem::take(&mut secret), named && given) {
            (true, _) => SECRET.to_owned(),
            (false, true) => format!("{name}={SECRET}"),
            (false, false) => word.clone(),
        };
        secret = named && !given;
        word
    };
    words.iter().map(shown).collect()
}

/// A line that a shell reads as these words.
pub(super) fn line(words: &[String]) -> String {
    without_secrets(words).iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A word as a shell must be given it.
pub(super) fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=@,+%…".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => Cow::Borrowed(word),
        false => Cow::Owned(format!("'{}'", word.replace('\'', r"'\''"))),
    }
}

/// The words with the command before the common options that stood before it: `restow -q check app.tar`.
pub(super) fn command_first(mut words: Vec<OsString>) -> Vec<OsString> {
    // Most lines begin with the command, and need none of it.
    let known = LazyCell::new(|| Common::augment_args(clap::Command::new("restow")));
    let mut at = 1;
    while let Some(word) = words.get(at).and_then(|word| word.to_str()).filter(|word| word.starts_with('-')) {
        match taken(&known, word) {
            Some(count) => at += count,
            // It is not one of them, and clap has the better words for it.
            None => return words,
        }
    }
    if at < words.len() {
        words[1..=at].rotate_right(1);
    }
    words
}

/// How many words an option takes with its value, if it is known.
fn taken(known: &clap::Command, word: &str) -> Option<usize> {
    let with_value = |option: &Arg| option.get_action().takes_values() && !option.is_require_equals_set();
    if let Some(long) = word.strip_prefix("--") {
        let (name, given) = long.split_once('=').map_or((long, false), |(name, _)| (name, true));
        let option = known.get_arguments().find(|option| option.get_long() == Some(name))?;
        return Some(if with_value(option) && !given { 2 } else { 1 });
    }
    // `-qv`, `-j4`, `-j 4`.
    let letters = word.strip_prefix('-').filter(|letters| !letters.is_empty())?;
    for (i, letter) in letters.char_indices() {
        let option = known.get_arguments().find(|option| option.get_short() == Some(letter))?;
        if with_value(option) {
            return Some(if letters.len() == i + letter.len_utf8() { 2 } else { 1 });
        }
    }
    Some(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(line: &str) -> String {
        let words = line.split(' ').map(OsString::from).collect();
        let words = command_first(words);
        words.iter().map(|word| word.to_str().expect("UTF-8")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn common_options_may_stand_before_the_command() {
        for (typed, read) in [
            ("restow check a", "restow check a"),
            ("restow -q check a", "restow check -q a"),
            ("restow --color always check a", "restow check --color always a"),
            ("restow --color=always -vq check a", "restow check --color=always -vq a"),
            ("restow -j 4 -v check -q a", "restow check -j 4 -v -q a"),
            ("restow -vj4 check a", "restow check -vj4 a"),
            ("restow --tls-verify=false inspect a", "restow inspect --tls-verify=false a"),
            ("restow --tls-verify inspect a", "restow inspect --tls-verify a"),
            // What is none of them is left where it is.
            ("restow --version", "restow --version"),
            ("restow -q --sparse convert a", "restow -q --sparse convert a"),
            ("restow -x check a", "restow -x check a"),
            ("restow - check", "restow - check"),
            ("restow -q", "restow -q"),
            ("restow --color", "restow --color"),
            ("restow", "restow"),
        ] {
            assert_eq!(first(typed), read);
        }
    }

    #[test]
    fn a_line_is_read_back_as_the_same_words_and_tells_no_password() {
        let words = ["convert", "a b.tar", "oci:it's", "", "--creds", "me:pw", "--src-creds=me:pw", "x:y@z"];
        let words: Vec<String> = words.map(str::to_owned).to_vec();
        assert_eq!(line(&words), r"convert 'a b.tar' 'oci:it'\''s' '' --creds … --src-creds=… x:y@z");
        assert_eq!(quoted("$HOME"), "'$HOME'");
    }
}
