//! What a tool said, in short and the same each time: no paths of the run, times, ports or numbers of processes.

/// More than this of a tool's words is not kept.
const LENGTH: usize = 160;

/// The line that says what went wrong. `names` are of the run and are left out.
pub fn short(said: &str, names: &[&str]) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let telling =
        |line: &&&str| ["rror", "FATA", "fatal", "⨯", "ctr:"].iter().any(|mark| line.contains(mark));
    let line = lines.iter().filter(|line| !line.starts_with("See '")).rev().find(telling).or(lines.last());
    let mut line = line.map_or_else(|| "no words".to_owned(), |line| message(line));
    for name in names.iter().filter(|name| !name.is_empty()) {
        line = line.replace(name, "…");
    }
    let mut text = String::new();
    let mut word = String::new();
    let part = |c: char| c.is_ascii_alphanumeric() || "/._-:@+".contains(c);
    for c in line.chars().chain(['\n']) {
        if part(c) {
            word.push(c);
            continue;
        }
        text.push_str(&stable(&word));
        word.clear();
        text.push(if c.is_control() { ' ' } else { c });
    }
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(LENGTH) {
        Some((at, _)) => format!("{}…", text[..at].trim_end()),
        None => text,
    }
}

/// The message of a line of a log, without what stands before it.
fn message(line: &str) -> String {
    let mut line = line.to_owned();
    if let Some((_, rest)) = line.split_once("msg=\"") {
        line = rest.strip_suffix('"').unwrap_or(rest).replace("\\\"", "\"").replace("\\\\", "\\");
    }
    let marks = ["Error:", "error:", "docker:", "ctr:", "Error response from daemon:", "⨯", "fatal:"];
    // `docker://` begins a place.
    let behind = |line: &str| {
        let rest =
            marks.iter().find_map(|mark| line.strip_prefix(mark)).filter(|rest| !rest.starts_with("//"));
        rest.map(|rest| rest.trim_start().to_owned())
    };
    while let Some(rest) = behind(&line) {
        line = rest;
    }
    match line.strip_prefix("FATA[").and_then(|rest| rest.split_once(']')) {
        Some((_, rest)) => rest.trim_start().to_owned(),
        None => line,
    }
}

/// A word without what differs from run to run.
fn stable(word: &str) -> String {
    let hex = |part: &str| part.len() >= 64 && part.bytes().all(|b| b.is_ascii_hexdigit());
    let number = |part: &str| part.len() >= 6 && part.bytes().all(|b| b.is_ascii_digit());
    if word.starts_with('/') && (word.contains("restow-evidence-") || word.starts_with("/var/tmp/")) {
        let end = word.trim_end_matches([':', '.']);
        let name = end.rsplit('/').next().unwrap_or_default();
        return format!("…/{}{}", stable(name), &word[end.len()..]);
    }
    if let Some((before, rest)) = word.split_once("127.0.0.1:") {
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        return format!("{before}registry{}", stable(rest));
    }
    let mut text = String::new();
    for part in word.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let bare = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let end = &part[bare.len()..];
        let letters = bare.trim_end_matches(|c: char| c.is_ascii_digit());
        if hex(bare) {
            text.push_str(&bare[..12]);
            text.push('…');
        } else if number(&bare[letters.len()..]) && !letters.chars().any(|c| c.is_ascii_digit()) {
            text.push_str(letters);
            text.push('N');
        } else {
            text.push_str(bare);
        }
        text.push_str(end);
    }
    text
}

/// Words are of the fault alone, and the same each time.
pub fn test() -> Result<(), String> {
    let log = "time=\"2026-11-29T06:23:58Z\" level=fatal msg=\"open /tmp/restow-evidence-Ab1/x/layer.tar: no \\\"such\\\"\"";
    let digest = format!("Error: sha256:{} is wrong", "ab".repeat(32));
    let cases = [
        (log, "open …/layer.tar: no \"such\""),
        ("docker: Error response from daemon: bad.\nSee 'docker run --help'.", "bad."),
        ("ctr: pull 127.0.0.1:4123/case-9: no", "pull registry/…: no"),
        ("Error: docker://127.0.0.1:4123/case-9: no", "docker://registry/…: no"),
        (&digest, "sha256:abababababab… is wrong"),
        ("error: storage123456789 is gone", "storageN is gone"),
    ];
    for (said, wanted) in cases {
        let found = short(said, &["case-9"]);
        if found != wanted {
            return Err(format!("{said}\nfound  {found}\nwanted {wanted}"));
        }
    }
    Ok(())
}
