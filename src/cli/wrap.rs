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
