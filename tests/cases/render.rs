//! The report for people, for one archive of each family of rules: at 80 and at 200 columns, with and without colour,
//! in `tests/snapshots/FAMILY.txt`, where `␛` stands for an escape. `SNAPSHOTS=overwrite cargo test --test cases render::`
//! writes them anew; then read them, best with `sed s/␛/\\x1b/g` in a terminal.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Output;

use snapbox::{Data, assert_data_eq};

use crate::Test;
use crate::common::Restow;
use crate::stored::bad::{self, Bad};

/// The case that shows a family.
const CASES: &[(&str, &str)] = &[
    ("annotation", "annotation/value-not-string"),
    ("archive", "archive/duplicate-member"),
    ("attestation", "attestation/target-missing"),
    ("blob", "blob/digest-mismatch"),
    ("config", "config/diff-id-mismatch"),
    ("descriptor", "descriptor/bad-empty"),
    ("dir", "dir/signature-gap"),
    ("docker-archive", "docker-archive/config-name-mismatch"),
    ("document", "document/media-type-missing"),
    ("entry", "entry/duplicate-path"),
    ("graph", "graph/wrong-referrer"),
    ("index", "index/repeated-item"),
    ("json", "json/duplicate-key"),
    ("layer", "layer/codec-mismatch"),
    ("layout", "layout/version-missing"),
    ("manifest", "manifest/type-mismatch"),
    ("many", "many/ten-faults"),
    ("name", "name/duplicate-tag"),
    ("platform", "platform/config-mismatch"),
    ("readers", "readers/below-a-link"),
    ("reported", "reported/platforms-under-one-name"),
    ("schema1", "schema1/broken-chain"),
    ("storage", "storage/bad-link"),
    ("tar", "tar/hidden-data"),
    ("v1", "v1/broken-ancestry"),
    ("whiteout", "whiteout/hides-own-path"),
];

/// Lines of one fault, without the empty one behind it (`render/human.rs`).
const SCREEN: usize = 23;

pub fn tests() -> Vec<Test> {
    vec![
        Test::plain("a_report_of_each_family", a_report_of_each_family),
        Test::plain("when_there_are_colours", when_there_are_colours),
    ]
}

fn check(case: &Bad, columns: usize, environment: &[(&str, &str)]) -> String {
    let dir = tempfile::tempdir().expect("temporary directory");
    let place = case.place().expect("an archive");
    let mut command = Restow::new(dir.path()).command();
    command.current_dir(&case.folder).env("COLUMNS", columns.to_string()).envs(environment.iter().copied());
    let Output { status, stdout, stderr } =
        command.args(["check", "-v"]).args(&case.spec.args).arg(&place).output().expect("restow runs");
    assert!(status.code().is_some_and(|code| code < 2), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("UTF-8")
}

/// The text without colours.
fn stripped(text: &str) -> String {
    let mut parts = text.split('\x1b');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| out + part.split_once('m').map_or("", |(_, rest)| rest))
}

fn a_report_of_each_family() {
    let all = bad::all().expect("cases");
    let families: BTreeSet<&str> = all.iter().filter_map(|case| case.name.split('/').next()).collect();
    let shown: BTreeSet<&str> = CASES.iter().map(|(family, _)| *family).collect();
    assert_eq!(shown, families, "each family of corpus/bad has one case here");
    for (family, name) in CASES {
        let case = all.iter().find(|case| case.name == *name).unwrap_or_else(|| panic!("no case {name}"));
        let mut page = String::new();
        for columns in [80, 200] {
            let plain = check(case, columns, &[]);
            let color = check(case, columns, &[("CLICOLOR_FORCE", "1")]);
            assert!(!plain.contains('\x1b') && color.contains("\x1b["), "{name}");
            assert_eq!(stripped(&color), plain, "{name}: colours change nothing else");
            for line in plain.lines().filter(|line| line.chars().count() > columns) {
                // A name of the archive that is longer than the line is not broken.
                let longest = line.split(' ').map(|word| word.chars().count()).max();
                assert!(longest > Some(columns - 12), "{name}: {line}");
            }
            for fault in plain.split("\n\n") {
                assert!(fault.lines().count() <= SCREEN, "{name}: more than a screen:\n{fault}");
            }
            page += &format!("── {columns} columns\n\n{plain}\n── {columns} columns, colour\n\n{color}\n");
        }
        let path = format!("tests/snapshots/{family}.txt");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        assert_data_eq!(page.replace('\x1b', "␛"), Data::read_from(&path, None).raw());
    }
}

fn when_there_are_colours() {
    let all = bad::all().expect("cases");
    let case = all.iter().find(|case| case.name == "descriptor/size-mismatch").expect("a case");
    for (environment, expected) in [
        (&[][..], false),
        (&[("CLICOLOR_FORCE", "1")], true),
        (&[("CLICOLOR_FORCE", "0")], false),
        (&[("CLICOLOR_FORCE", "")], false),
        (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
        (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "")], true),
    ] {
        assert_eq!(check(case, 80, environment).contains('\x1b'), expected, "{environment:?}");
    }
}
