//! Converting: what is written is sound, and nothing is left of what is not.

use std::ffi::OsString;

const FORMS: [&str; 6] = [
    "oci:out",
    "oci-archive:out",
    "docker-archive:out",
    "dir:out",
    "registry-storage:out:lab/app:1",
    "legacy",
];

/// The first byte says where to and how; the others are the archive.
pub fn run(data: &[u8]) {
    let Some((&how, bytes)) = data.split_first() else { return };
    let dir = crate::scratch();
    let path = crate::file(&dir, bytes);
    to(&dir, &path, how);
}

/// Converts a file to the form that a byte chooses.
pub(crate) fn to(dir: &tempfile::TempDir, path: &std::path::Path, how: u8) {
    let form = FORMS[usize::from(how) % FORMS.len()];
    let compress = ["keep", "none", "gzip:1", "zstd:1"][usize::from(how / 6) % 4];
    let out = |form: &str| form.replacen("out", &dir.path().join("out").display().to_string(), 1);
    let (form, extra) = if form == "legacy" {
        (out("docker-archive:out"), &["--docker-format", "legacy"][..])
    } else {
        (out(form), &["--compress", compress][..])
    };
    let restow = |words: &[&str]| restow::cli::run(["restow"].iter().chain(words).map(OsString::from));
    let source = path.display().to_string();
    let quiet = ["-q", "--progress", "none"];
    let code = restow(&[&["convert"], &quiet[..], extra, &[&source, &form]].concat());
    let target = dir.path().join("out");
    assert_eq!(code == 0, target.exists(), "exit {code}");
    if code == 0 {
        let check = ["-q", "--progress", "none", "-A", "all", "-D", "blob", "-D", "json", "-D", "layer"];
        let place = form.split_once(':').map_or(form.as_str(), |(prefix, _)| prefix).to_owned();
        let sound = restow(&[&["check"], &check[..], &[&format!("{place}:{}", target.display())]].concat());
        // A source with faults that do not stop a conversion hands them on; the bytes themselves are right.
        assert!(sound <= 1, "what was written cannot be read");
    }
    let left = std::fs::read_dir(dir.path()).into_iter().flatten().flatten();
    let left: Vec<_> =
        left.map(|entry| entry.file_name()).filter(|name| name != "archive" && name != "out").collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_corpus_to_every_form() {
        for (i, bytes) in crate::corpus().iter().enumerate().filter(|(i, _)| i % 5 == 0) {
            super::run(&[&[i as u8], &bytes[..]].concat());
        }
    }
}
