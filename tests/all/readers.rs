//! Two readers, one archive: `tests/readers/differential.py`, some hundred archives of it. Its own words say how it is run
//! for hours.

use std::path::Path;
use std::process::Command;

/// Whenever two loaders take different images out of an archive, or restow sees another one than they, it finds an error.
#[test]
fn whenever_two_readers_differ_there_is_an_error() {
    if !Command::new("python3").arg("--version").output().is_ok_and(|out| out.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "there is no python3");
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let kept = tempfile::tempdir().expect("a folder");
    let out = Command::new("python3")
        .arg("-B")
        .arg(root.join("tests/readers/differential.py"))
        .args([env!("CARGO_BIN_EXE_restow"), "--archives", "400", "--seed", "22", "--keep"])
        .arg(kept.path())
        .output()
        .expect("python3 runs");
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{text}{}", String::from_utf8_lossy(&out.stderr));
    // It is no proof of anything unless readers did differ, and sound archives were among them.
    let count = |what: &str| {
        let before = text.split(&format!(" {what}")).next().unwrap_or_default();
        before.rsplit([' ', '\n']).next().and_then(|number| number.replace(',', "").parse().ok()).unwrap_or(0)
    };
    assert_eq!(
        (count("archives"), count("readers differ") > 10, count("no error") > 40),
        (400, true, true),
        "{text}"
    );
}
