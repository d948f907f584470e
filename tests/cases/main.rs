//! Tests of which there is one for each archive, fault or destination, named by family:
//! `cargo test --test cases corpus::` runs one family, and makes the tests of no other.

/// Advice is executed.
mod advice;
/// Broken archives are refused, and nothing is written.
mod broken;
/// What tests of several binaries share.
#[path = "../common/mod.rs"]
mod common;
/// Every sound archive to every form and back.
mod convert;
/// Every case of `corpus/bad/` is reported as it says.
mod corpus;
/// Every fix of the corpus is made.
mod fixed;
/// Every case of `corpus/good/` holds what it says.
mod good;
/// Conversions that are killed.
mod kills;
/// Single bytes and bits changed at random.
mod mutations;
/// A reader of the tests' own, which judges restow's.
mod oracle;
/// Archives that other projects test with.
mod real;
/// Dry runs refuse what runs refuse.
mod rehearsal;
/// The report for people, of each family of rules.
mod render;
/// Public reports, and what is said of the cases that stand for them.
mod reported;
/// What every rule of the registry must have.
mod rules;
/// File, folder and stream say the same.
mod same;
/// The cases of `corpus/`, and what makes their archives.
mod stored;
/// Conversions that are killed at every system call that changes the disk.
mod syscalls;

use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Failed, Trial};

/// A family: its name, and its tests.
type Family = (&'static str, fn() -> Vec<Test>);

/// `good` is first: `BLESS=1` writes the archives that the others list.
const FAMILIES: &[Family] = &[
    ("good", good::tests),
    ("corpus", corpus::tests),
    ("rules", rules::tests),
    ("render", render::tests),
    ("same", same::tests),
    ("advice", advice::tests),
    ("fixed", fixed::tests),
    ("reported", reported::tests),
    ("broken", broken::tests),
    ("convert", convert::tests),
    ("rehearsal", rehearsal::tests),
    ("mutations", mutations::tests),
    ("kills", kills::tests),
    ("syscalls", syscalls::tests),
    ("real", real::tests),
];

/// A test, named without its family.
struct Test {
    name: String,
    body: Box<dyn FnOnce() -> Result<(), Failed> + Send>,
    ignored: bool,
}

impl Test {
    fn new(name: impl Into<String>, body: impl FnOnce() -> Result<(), Failed> + Send + 'static) -> Test {
        Test { name: name.into(), body: Box::new(body), ignored: false }
    }

    /// One that panics when it fails.
    fn plain(name: &str, body: fn()) -> Test {
        Test::new(name, move || {
            body();
            Ok(())
        })
    }
}

fn main() {
    let arguments = Arguments::from_args();
    let chosen = arguments.filter.as_deref().and_then(|filter| filter.split_once("::"));
    let named = chosen.and_then(|(name, _)| FAMILIES.iter().find(|family| family.0 == name));
    let mut trials = Vec::new();
    for (family, tests) in named.map_or(FAMILIES, std::slice::from_ref) {
        for Test { name, body, ignored } in tests() {
            trials.push(Trial::test(format!("{family}::{name}"), body).with_ignored_flag(ignored));
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    mutations::print_sums();
    conclusion.exit();
}

/// The folder with samples and real archives, if it is here.
fn shared() -> Option<PathBuf> {
    let named = std::env::var_os("RESTOW_SHARED").map(PathBuf::from);
    let found = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"));
    found.join("real/INDEX.tsv").is_file().then_some(found)
}

/// Two files or folders hold the same bytes.
fn same_bytes(a: &Path, b: &Path) -> Result<(), Failed> {
    let (a, b) = (common::tree_digest::files(a)?, common::tree_digest::files(b)?);
    if a == b { Ok(()) } else { Err(format!("two runs differ: {:?} and {:?}", a.keys(), b.keys()).into()) }
}
