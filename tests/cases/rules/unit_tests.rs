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
    /// Of a table: whether what goes through it also expects nothing.
    other_side: bool,
}

/// The tests in `src/rules/`, `src/schema/` and `src/form/`.
pub fn all() -> std::io::Result<Vec<Test>> {
    let mut tests = Vec::new();
    for folder in ["src/rules", "src/schema", "src/form"] {
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
    let whole = path.file_name().is_some_and(|name| name.to_string_lossy().contains("tests"));
    let start = if whole { Some(0) } else { code.find("#[cfg(test)]\nmod tests {") };
    let Some(code) = start.map(|at| &code[at..]) else { return Vec::new() };
    let mut found = Vec::new();
    let mut add = |from: usize, end: &str| {
        let rest = &code[from..];
        let text = rest.find(end).map_or(rest, |at| &rest[..at]).to_owned();
        found.push(Test { file: path.to_owned(), text, other_side: false });
    };
    for (at, _) in code.match_indices("#[test]\n") {
        let indent = code[..at].rsplit('\n').next().unwrap_or_default().len();
        add(at, &format!("\n{}}}\n", " ".repeat(indent)));
    }
    for (at, _) in code.match_indices("\nconst ") {
        add(at + 1, "\n];\n");
    }
    // A table has its other side in the tests that go through it, or in a table of what is sound.
    let sound = code.contains("const SOUND:");
    let using = |table: &Test| {
        let name =
            table.text.strip_prefix("const ").and_then(|rest| rest.split_once(':')).map(|(name, _)| name);
        let uses =
            |test: &&Test| test.text.starts_with("#[test]") && name.is_some_and(|n| test.text.contains(n));
        sound || found.iter().filter(uses).any(|test| test.expects_otherwise(""))
    };
    let sides: Vec<bool> = found.iter().map(|test| test.text.starts_with("const ") && using(test)).collect();
    for (test, side) in found.iter_mut().zip(sides) {
        test.other_side = side;
    }
    found
}

impl Test {
    /// Whether it expects that a rule fires: its name stands in an assertion, or in a table that is asserted.
    pub fn expects(&self, rule: &str) -> bool {
        let asserts = self.text.contains("assert") || self.text.starts_with("const");
        asserts && self.text.contains(&format!("\"{rule}\""))
    }

    /// Whether it also expects, of something, that nothing is found, or something other than this rule.
    pub fn expects_otherwise(&self, rule: &str) -> bool {
        const NOTHING: [&str; 5] = ["[\"\"; 0]", "&[]", "&[][..]", "vec![]", ", [])"];
        self.other_side
            || NOTHING.iter().any(|text| self.text.contains(text))
            || lists(&self.text).any(|list| !list.contains(&format!("\"{rule}\"")))
    }
}

/// Lists of names of rules, such as `["config/bad-port"]`.
fn lists(text: &str) -> impl Iterator<Item = &str> {
    let inner = text.split('[').skip(1).filter_map(|rest| Some(rest.split_once(']')?.0.trim()));
    inner.filter(|list| {
        !list.is_empty()
            && list.trim_end_matches(',').split(',').all(|name| {
                let name = name.trim();
                name.starts_with('"') && name.ends_with('"') && name.contains('/')
            })
    })
}
