//! The lines of a comparison on a terminal: colours, digests in short, and nothing wider than it.

use super::wrap::folded;
use crate::colour::{self, AMBER, BOLD, DIM, GREEN, RED, STRONG_GREEN, STRONG_RED};
use crate::command::{Look, human};

/// Columns before the text of a difference: two, the word, and one.
const INDENT: usize = 14;

/// Adds a line: the heading of a thing, or what is the same or differs in it.
pub(super) fn line(text: &str, look: Look, out: &mut String) {
    let text = short(text, look);
    if let Some(rest) = text.strip_prefix("  ") {
        return nested(rest, look, out);
    }
    let mut found = false;
    for line in wrapped(&text, look.width.unwrap_or(usize::MAX), 4) {
        // A name may hold what stands before the word.
        let at = [": same", ": different", ": only in "].iter().filter_map(|word| line.rfind(word)).max();
        match at.filter(|_| !found) {
            Some(at) => {
                found = true;
                let (title, rest) = (&line[..at], &line[at + 2..]);
                let word = rest.split([' ', ',']).next().unwrap_or_default();
                let word = if word == "only" { &rest[.."only in A".len().min(rest.len())] } else { word };
                let color = match word {
                    "same" => GREEN,
                    "different" => RED,
                    _ => AMBER,
                };
                let tail = &rest[word.len()..];
                out.push_str(&format!("{}: {}{tail}\n", paint(BOLD, title, look), paint(color, word, look)));
            }
            // What stands before the word is the title, and what is the same behind it.
            None => out.push_str(&format!("{}\n", paint(if found { "" } else { BOLD }, &line, look))),
        }
    }
}

/// Lines of a list that is broken behind its commas, all but the first indented.
fn wrapped(text: &str, width: usize, indent: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for part in text.split_inclusive(", ") {
        let Some(last) = lines.last_mut() else { continue };
        if !last.is_empty() && last.chars().count() + part.trim_end().chars().count() > width {
            last.truncate(last.trim_end().len());
            lines.push(" ".repeat(indent) + part);
        } else {
            last.push_str(part);
        }
    }
    lines.iter().map(|line| clip(line, width)).collect()
}

/// Adds the last line.
pub(super) fn verdict(text: &str, look: Look, out: &mut String) {
    let word = text.split([':', ' ']).next().unwrap_or_default();
    let color = if word == "same" { STRONG_GREEN } else { STRONG_RED };
    let word = if text.starts_with("not sound") { "not sound" } else { word };
    // A letter stays with the place that it stands for.
    let rest = text[word.len()..].replace(" = ", "\u{a0}=\u{a0}");
    let line = format!("{}{rest}", paint(color, word, look));
    out.push_str(&folded(&line, look.width.unwrap_or(usize::MAX), 2).replace('\u{a0}', " "));
    out.push('\n');
}

/// What is the same or differs: a word, and of both sides what they have; a line for each where one is too short.
fn nested(text: &str, look: Look, out: &mut String) {
    let at = text.char_indices().nth(INDENT - 3).map_or(text.len(), |(at, _)| at);
    let (word, rest) = text.split_at(at);
    let word = format!("  {}", paint(if word.starts_with("same") { GREEN } else { DIM }, word, look));
    let width = look.width.unwrap_or(usize::MAX);
    let fits = rest.chars().count() + INDENT - 1 <= width;
    let sides = rest.rsplit_once(" in A, ").filter(|(_, b)| !fits && b.ends_with(" in B"));
    let room = width.saturating_sub(INDENT).max(20);
    if let Some((a, b)) = sides {
        // Both sides of a layer follow what is said of both.
        let (said, a) = a.trim_start().split_once(": ").map_or(("", a.trim_start()), |(said, a)| (said, a));
        let said = if said.is_empty() { String::new() } else { format!("{said}:") };
        // What is part of a document stands further in.
        let lead = rest.len() - rest.trim_start().len();
        let indent = " ".repeat(INDENT - 1 + lead);
        let room = room.saturating_sub(4 + lead);
        let a = clip(a, room);
        let b = clip(b.trim_end_matches(" in B"), room);
        let lead = " ".repeat(lead);
        let first = if said.is_empty() {
            format!("{lead}{a} in A")
        } else {
            format!("{lead}{said}\n{indent}{a} in A")
        };
        return out.push_str(&format!("{word}{first}\n{indent}{b} in B\n"));
    }
    // Of what one side alone has, that stays.
    if let Some(side) = [" only in A", " only in B"].into_iter().find(|side| !fits && rest.ends_with(side)) {
        let rest = clip(&rest[..rest.len() - side.len()], (room + 1).saturating_sub(side.len()));
        return out.push_str(&format!("{word}{rest}{side}\n"));
    }
    let mut lines = wrapped(rest, room + 1, 0).into_iter();
    out.push_str(&format!("{word}{}\n", lines.next().unwrap_or_default()));
    lines.for_each(|line| out.push_str(&format!("{}{line}\n", " ".repeat(INDENT))));
}

/// Text with its digests in short, where it is cut.
fn short(text: &str, look: Look) -> String {
    match look.width {
        Some(width) if text.chars().count() > width => human::shortened(text, "…"),
        _ => text.to_owned(),
    }
}

fn clip(text: &str, room: usize) -> String {
    match text.char_indices().nth(room) {
        Some(_) => text.chars().take(room.saturating_sub(1)).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

fn paint(code: &str, text: &str, look: Look) -> String {
    colour::paint(code, text, look.color)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "sha256:62bc6247129b1af744b487128ec8e280c5a0d76acdf58611e2e330ffd7b217e1";
    const B: &str = "sha256:ddfbd5e3ef2cbf70f78ceb1c702811420b8686b547f3abff3ed9c791c5055084";

    fn drawn(text: &str, look: Look) -> String {
        let mut out = String::new();
        line(text, look, &mut out);
        out
    }

    fn lines() -> Vec<String> {
        vec![
            format!("registry.example:5000/a/very/long/name/of/an/image:1.2.3 linux/amd64: same image ID {A}, 3 layers, manifest, platform, name"),
            "app:1 linux/arm64: different".into(),
            format!("app:2: only in A, image ID {A}"),
            "  same        3 layers, platform, name".into(),
            format!("  image ID    {A} in A, {B} in B"),
            format!("  layer 0     the same, compressed anew: plain 684544 bytes {A} in A, gzip 200000 bytes {B} in B"),
            "                /config/Env/0: PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin in A, PATH=/bin in B".into(),
            "                /history/2: {\"created\":\"2024-01-02T03:04:05Z\",\"created_by\":\"COPY 2 / and more\"} only in B".into(),
        ]
    }

    #[test]
    fn a_pipe_gets_what_was_said() {
        let look = Look { color: false, width: None };
        for text in lines() {
            assert_eq!(drawn(&text, look), format!("{text}\n"));
        }
    }

    #[test]
    fn nothing_is_wider_than_the_terminal() {
        for width in [40, 60, 80, 100, 160] {
            let look = Look { color: false, width: Some(width) };
            for text in lines() {
                let drawn = drawn(&text, look);
                assert!(drawn.lines().all(|line| line.chars().count() <= width), "{width}:\n{drawn}");
                assert!(
                    !text.ends_with("only in B") || drawn.ends_with("… only in B\n") || width > 110,
                    "{drawn}"
                );
                let both = text.starts_with(' ') && text.contains(" in A, ");
                assert!(!both || drawn.contains(" in A") && drawn.contains(" in B"), "{drawn}");
            }
        }
        let heading = drawn(&lines()[0], Look { color: false, width: Some(60) });
        assert!(
            heading.contains("\n    manifest, platform, name\n") || heading.contains("platform, name\n"),
            "{heading}"
        );
        let narrow = drawn(&lines()[4], Look { color: false, width: Some(40) });
        assert_eq!(
            narrow,
            "  image ID    sha256:62bc6247129b… in A\n              sha256:ddfbd5e3ef2c… in B\n"
        );
    }

    #[test]
    fn colours_say_what_differs() {
        let look = Look { color: true, width: None };
        assert_eq!(drawn("app:1: different", look), "\x1b[1mapp:1\x1b[0m: \x1b[38;5;160mdifferent\x1b[0m\n");
        assert_eq!(drawn("app: same name", look), "\x1b[1mapp\x1b[0m: \x1b[38;5;28msame\x1b[0m name\n");
        assert_eq!(
            drawn("app: only in A, x", look),
            "\x1b[1mapp\x1b[0m: \x1b[38;5;130monly in A\x1b[0m, x\n"
        );
        let mut out = String::new();
        verdict("not sound: A = x has 1 error", look, &mut out);
        verdict("same: 1 image", look, &mut out);
        verdict("different: 1 of 1 image (A = a, B = b)", look, &mut out);
        assert_eq!(
            out,
            "\x1b[1;38;5;160mnot sound\x1b[0m: A = x has 1 error\n\x1b[1;38;5;28msame\x1b[0m: 1 image\n\x1b[1;38;5;160mdifferent\x1b[0m: 1 of 1 image (A = a, B = b)\n"
        );
    }
}
