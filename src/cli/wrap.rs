//! Prose in lines of the terminal's width.

/// Longer lines are hard to read, however wide the terminal is.
pub(super) const WIDEST: usize = 88;

/// Adds a text in indented lines of at most `width` columns; a longer word stands alone.
pub(super) fn wrapped(page: &mut String, text: &str, width: usize) {
    const INDENT: &str = "  ";
    for paragraph in text.split("\n\n") {
        let mut columns = 0;
        for word in paragraph.split_whitespace() {
            let long = word.chars().count();
            if columns > 0 && columns + 1 + long > width {
                page.push('\n');
                columns = 0;
            }
            page.push_str(if columns == 0 { INDENT } else { " " });
            page.push_str(word);
            columns += long + if columns == 0 { INDENT.len() } else { 1 };
        }
        page.push('\n');
    }
}

/// A line that is broken between words where it is wider than `width`; all but the first are indented. What colours it
/// takes no room.
pub(super) fn folded(line: &str, width: usize, indent: usize) -> String {
    let mut out = String::new();
    let mut columns = 0;
    for (nth, word) in line.split(' ').enumerate() {
        let long = visible(word);
        if nth > 0 && columns + 1 + long > width && columns > indent {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            columns = indent;
        } else if nth > 0 {
            out.push(' ');
            columns += 1;
        }
        out.push_str(word);
        columns += long;
    }
    out
}

/// Lines in which no digest is broken at the terminal's edge: one that does not fit into what is left of its line begins
/// another, below the branches of a tree. What is wider than the terminal by itself stays.
pub(super) fn whole(text: &str, width: usize) -> String {
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        let wide = visible(line.trim_end()) > width && line.contains("sha256:");
        out.push_str(&if wide { below(line, width) } else { line.to_owned() });
    }
    out
}

/// One such line, broken between words.
fn below(line: &str, width: usize) -> String {
    let is_branch = |char: &char| matches!(char, ' ' | '\t' | '│' | '├' | '└' | '─');
    let branches: String = line.chars().take_while(is_branch).collect();
    let under = branches.chars().map(|char| match char {
        '├' | '│' => '│',
        _ => ' ',
    });
    let indent = under.chain("    ".chars()).collect::<String>();
    let mut rows = vec![String::new()];
    for word in line.split_inclusive(' ') {
        let Some(row) = rows.last_mut() else { continue };
        let is_full = visible(row) + visible(word.trim_end()) > width;
        if is_full && visible(row) > visible(&indent) && !word.trim().is_empty() {
            row.truncate(row.trim_end_matches(' ').len());
            rows.push(format!("{indent}{word}"));
        } else {
            row.push_str(word);
        }
    }
    rows.join("\n")
}

/// Columns of a text without the escape sequences of colours.
fn visible(text: &str) -> usize {
    let mut hidden = false;
    let shown = |char: &char| {
        let was = hidden;
        hidden = *char == '\u{1b}' || hidden && *char != 'm';
        !was && !hidden
    };
    text.chars().filter(shown).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_stay_in_one_piece() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let tree = format!(
            "├── layer 0  diff ID {digest}   10 KiB  ADD 1\n└── layer 1  diff ID {digest}\nx {digest}\n"
        );
        let shown = whole(&tree, 80);
        assert_eq!(
            shown,
            format!(
                "├── layer 0  diff ID\n│       {digest}\n│       10 KiB  ADD 1\n└── layer 1  diff ID\n        {digest}\nx {digest}\n"
            )
        );
        assert_eq!(whole(&tree, 200), tree);
        assert_eq!(whole("Name:        a@b\n", 10), "Name:        a@b\n", "no digest, no matter");
        let painted = format!("\x1b[1mone\x1b[0m {digest}\n");
        assert_eq!(whole(&painted, 75), painted, "colours take no room");
    }

    #[test]
    fn lines_are_folded_between_words_whatever_their_colour() {
        assert_eq!(folded("one two three", 80, 2), "one two three");
        assert_eq!(folded("one two three", 9, 2), "one two\n  three");
        assert_eq!(folded("  one two three", 9, 4), "  one two\n    three");
        let red = "\u{1b}[31mone two\u{1b}[0m three";
        assert_eq!(folded(red, 80, 2), red);
        assert_eq!(folded(red, 9, 2), "\u{1b}[31mone two\u{1b}[0m\n  three");
        assert_eq!(folded("a averyverylongword", 9, 2), "a averyverylongword", "nothing is gained");
    }

    #[test]
    fn text_is_wrapped_and_indented() {
        let mut page = String::new();
        wrapped(&mut page, "one two three\nfour averyverylongword five\n\nsix", 12);
        assert_eq!(page, "  one two\n  three four\n  averyverylongword\n  five\n  six\n");
    }
}
