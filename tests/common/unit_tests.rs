//! What the unit tests of rules expect, found in the sources.
//!
//! rustfmt holds every source to one shape, which makes this simple: a test begins at `#[test]` and ends at the first
//! `}` of the same indent, a table begins at `const` and ends at `];`. Comments do not count.

use std::path::{Path, PathBuf};

/// A test function, or a table of cases for some.
pub struct Test {
    /// Where it stands, for messages.
    pub file: PathBuf,
    text: String,
    /// Whether the file has a table of sound documents, which tests of its other tables are run on too.
    sound_table: bool,
}

/// The tests in `src/rules/` and `src/schema/`.
pub fn all() -> std::io::Result<Vec<Test>> {
    let mut tests = Vec::new();
    for folder in ["src/rules", "src/schema"] {
        let mut pending = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
        while let Some(path) = pending.pop() {
            if path.is_dir() {
                for entry in std::fs::read_dir(path)? {
                    pending.push(entry?.path());
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                tests.extend(in_file(&path, &std::fs::read_to_string(&path)?));
            }
        }
    }
    Ok(tests)
}

fn in_file(path: &Path, text: &str) -> Vec<Test> {
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| format!("{line}\n"))
        .collect();
    // A file of its own, or the module at the end of one.
    let whole = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"tests"));
    let start = if whole { Some(0) } else { code.find("#[cfg(test)]\nmod tests {") };
    let Some(code) = start.map(|at| &code[at..]) else { return Vec::new() };
    let sound_table = code.contains("const SOUND:");
    let mut found = Vec::new();
    let mut add = |from: usize, end: &str| {
        let rest = &code[from..];
        let text = rest.find(end).map_or(rest, |at| &rest[..at]).to_owned();
        found.push(Test { file: path.to_owned(), text, sound_table });
    };
    for (at, _) in code.match_indices("#[test]\n") {
        let indent = code[..at].rsplit('\n').next().unwrap_or_default().len();
        add(at, &format!("\n{}}}\n", " ".repeat(indent)));
    }
    for (at, _) in code.match_indices("\nconst ") {
        add(at + 1, "\n];\n");
    }
    found
}

impl Test {
    /// Whether it expects that a rule fires: its name stands in an assertion, or in a table that is asserted.
    pub fn expects(&self, rule: &str) -> bool {
        let asserts = self.text.contains("assert") || self.text.starts_with("const");
        asserts && self.text.contains(&format!("\"{rule}\""))
    }

    /// Whether it also expects, of something, that nothing is found.
    pub fn expects_nothing(&self) -> bool {
        const NOTHING: [&str; 9] =
            ["[\"\"; 0]", "&[]", "&[][..]", "vec![]", ", [])", "is_empty()", "Vec::<", "None", "assert!(!"];
        let table = self.sound_table && self.text.starts_with("const");
        table || NOTHING.iter().any(|text| self.text.contains(text))
    }
}
