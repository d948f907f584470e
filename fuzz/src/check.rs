//! Checking: any bytes are judged, and every report can be drawn.

use std::ffi::OsString;

/// Any bytes.
pub fn run(data: &[u8]) {
    let dir = crate::scratch();
    let path = crate::file(&dir, data);
    let report = dir.path().join("report");
    let mut words: Vec<OsString> = ["restow", "check", "-q", "--progress", "none"].map(Into::into).to_vec();
    for format in ["human", "json", "sarif", "junit", "github"] {
        words.push("--report".into());
        words.push(format!("{format}={}.{format}", report.display()).into());
    }
    words.push(path.into());
    let code = restow::cli::run(words);
    assert!(code <= 2);
    let text = std::fs::read(report.with_extension("json")).unwrap_or_default();
    let json: serde_json::Value = serde_json::from_slice(&text).expect("a report");
    let findings = json["sources"][0]["findings"].as_array().map_or(0, Vec::len);
    let errors = json["sources"][0]["summary"]["errors"].as_u64().unwrap_or(0);
    assert_eq!(code == 1, errors > 0, "exit {code} with {errors} errors among {findings} findings");
    let human = std::fs::read_to_string(report.with_extension("human")).expect("a report in UTF-8");
    assert!(human.chars().all(|c| c == '\n' || !c.is_control()), "{human:?}");
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_corpus() {
        crate::corpus().iter().for_each(|bytes| super::run(bytes));
    }
}
