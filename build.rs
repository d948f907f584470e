//! Which commit a release is built of: `RESTOW_COMMIT` if whoever builds says it, else what git says. Other builds say
//! nothing, so that a commit alone makes no build anew.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=RESTOW_COMMIT");
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let given = std::env::var("RESTOW_COMMIT").ok().filter(|commit| !commit.is_empty());
    let commit = given.or_else(|| if release { head() } else { None });
    println!("cargo::rustc-env=RESTOW_BUILT_OF={}", commit.unwrap_or_default());
}

/// The commit that is checked out here; `None` outside a clone.
fn head() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output =
            Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
    };
    // A package unpacked inside another repository is not that one's commit.
    let top = git(&["rev-parse", "--show-toplevel"])?;
    let here = std::env::var("CARGO_MANIFEST_DIR").ok()?;
    if std::fs::canonicalize(top).ok()? != std::fs::canonicalize(here).ok()? {
        return None;
    }
    let directory = git(&["rev-parse", "--absolute-git-dir"])?;
    println!("cargo::rerun-if-changed={directory}/HEAD");
    println!("cargo::rerun-if-changed={directory}/logs/HEAD");
    git(&["rev-parse", "--short=12", "HEAD"])
}
