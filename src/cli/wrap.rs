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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_and_indented() {
        let mut page = String::new();
        wrapped(&mut page, "one two three\nfour averyverylongword five\n\nsix", 12);
        assert_eq!(page, "  one two\n  three four\n  averyverylongword\n  five\n  six\n");
    }
}
