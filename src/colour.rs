//! Colours of terminals that can be read on black and on white: such of the 256 as no theme makes its own, dark enough for the
//! one and light enough for the other.

/// Heavier letters, in the usual colour.
pub const BOLD: &str = "1";
/// Fainter letters.
pub const DIM: &str = "2";
/// What is wrong.
pub const RED: &str = "38;5;160";
/// What is wrong, where it is said first.
pub const STRONG_RED: &str = "1;38;5;160";
/// What may be wrong, or is gone.
pub const AMBER: &str = "38;5;130";
/// What may be wrong, where it is said first.
pub const STRONG_AMBER: &str = "1;38;5;130";
/// What is as it should be.
pub const GREEN: &str = "38;5;28";
/// What is as it should be, where it is said first.
pub const STRONG_GREEN: &str = "1;38;5;28";
/// What helps, and what changed.
pub const TEAL: &str = "38;5;30";

/// A text in a colour, if there are any: `code` are the parameters of the terminal's escape sequence.
pub fn paint(code: &str, text: &str, colours: bool) -> String {
    match colours && !code.is_empty() && !text.is_empty() {
        true => format!("\x1b[{code}m{text}\x1b[0m"),
        false => text.to_owned(),
    }
}

/// The number of a colour among the 256.
pub fn number(code: &str) -> Option<u8> {
    code.rsplit_once("38;5;")?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance of one of the 6 × 6 × 6 colours (WCAG 2, "relative luminance").
    fn luminance(number: u8) -> f64 {
        let place = f64::from(number - 16);
        let level = |step: f64| if step == 0.0 { 0.0 } else { (55.0 + 40.0 * step) / 255.0 };
        let linear = |level: f64| match level <= 0.040_45 {
            true => level / 12.92,
            false => ((level + 0.055) / 1.055).powf(2.4),
        };
        let part = |step: f64| linear(level(step));
        0.2126 * part((place / 36.0).floor())
            + 0.7152 * part((place / 6.0).floor() % 6.0)
            + 0.0722 * part(place % 6.0)
    }

    #[test]
    fn each_can_be_read_on_black_and_on_white() {
        for code in [RED, STRONG_RED, AMBER, STRONG_AMBER, GREEN, STRONG_GREEN, TEAL] {
            let light = luminance(number(code).expect("one of the 256"));
            let contrasts = [(1.0 + 0.05) / (light + 0.05), (light + 0.05) / 0.05];
            // 3 is what is asked of large letters, 4.5 of a page of text.
            assert!(contrasts.iter().all(|contrast| *contrast > 3.8), "{code}: {contrasts:?}");
        }
        let of = |number| (luminance(number) * 1000.0).round();
        assert_eq!((of(16), of(231), of(46)), (0.0, 1000.0, 715.0));
    }

    #[test]
    fn without_colours_a_text_is_as_it_is() {
        assert_eq!(paint(RED, "x", false), "x");
        assert_eq!(paint("", "x", true), "x");
        assert_eq!(paint(BOLD, "x", true), "\x1b[1mx\x1b[0m");
    }
}
