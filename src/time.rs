//! RFC 3339 times, as configs and annotations hold them (docs/architecture.md#own-time, formats.md D.7).
//!
//! Written out because neither date crate can judge: each accepts texts outside the grammar and rejects some within.
//! The measure is what *every* reader takes. Where RFC 3339 is wider than Go's parser, by which Docker, containerd
//! and podman read a config, the text is an error of its own kind, told apart by [`TimeError::rfc3339_allows`]:
//! an image with such a time does not load.

use std::fmt;

/// The day that it is now in UTC, as `2026-11-29`.
pub fn today() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    day(now.map_or(0, |since| since.as_secs() / 86_400))
}

/// The date so many days after 1970-01-01.
fn day(days: u64) -> String {
    // Years that begin in March, in spans of 400: Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let (month, year) = if month < 10 { (month + 3, year) } else { (month - 9, year + 1) };
    format!("{:04}-{month:02}-{date:02}", year + 400 * era)
}

/// A point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z in the proleptic Gregorian calendar; negative before it.
    pub seconds: i64,
    /// Nanoseconds after `seconds`, below 1 000 000 000; further digits are cut off, as Go does.
    pub nanos: u32,
}

/// What is wrong, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("at character {}: {kind}", .at + 1)]
pub struct TimeError {
    /// Character from the start of the text, counted from 0.
    pub at: usize,
    /// What is wrong there.
    pub kind: TimeErrorKind,
}

/// What is wrong with a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeErrorKind {
    /// Something else should stand here.
    Expected(&'static str),
    /// A number that no calendar or clock has.
    Range {
        /// Name of the part, such as `month`.
        part: &'static str,
        /// Lowest value.
        min: u32,
        /// Highest value, in this month for a day.
        max: u32,
        /// Value that was found.
        found: u32,
    },
    /// `t` or `z`: RFC 3339 allows them, Go does not.
    LowerCase,
    /// Second 60: RFC 3339 allows it, Go has no leap seconds and rejects it.
    LeapSecond,
    /// `,` before the fraction, as in ISO 8601: RFC 3339 has only `.`; of Go, 1.17 to 1.19 accept it.
    Comma,
}

impl TimeError {
    /// Whether the text obeys RFC 3339 all the same, and only Go's parser rejects it.
    pub fn rfc3339_allows(&self) -> bool {
        matches!(self.kind, TimeErrorKind::LowerCase | TimeErrorKind::LeapSecond)
    }
}

impl fmt::Display for TimeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expected(what) => write!(f, "expected {what}"),
            Self::Range { part, min, max, found } => {
                // `h` is silent in the one word that begins with it.
                let article = if part.starts_with(['h', 'o']) { "an" } else { "a" };
                write!(f, "expected {article} {part} from {min} to {max}, found {found}")
            }
            Self::LowerCase => f.write_str("expected upper-case `T` and `Z`, since Go rejects lower case"),
            Self::LeapSecond => f.write_str("expected a second from 0 to 59, since Go rejects leap seconds"),
            Self::Comma => f.write_str("expected `.` before the fraction, found `,`"),
        }
    }
}

/// A time of the system's clock as RFC 3339 in UTC, in whole seconds. What lies before 1970 is 1970.
pub fn rfc3339(time: std::time::SystemTime) -> String {
    let seconds = time.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (mut days, second) = (seconds / 86_400, seconds % 86_400);
    let is_leap = |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{:02}Z", days + 1, second % 60)
}

/// Parses `YYYY-MM-DDThh:mm:ss[.fraction](Z|±hh:mm)`, year 0001 to 9999, any number of fraction digits.
///
/// Year 0000 is refused although the RFC's grammar and Go have it: Go's own zero time is in year 0001.
///
/// # Errors
/// The first fact against RFC 3339; if there is none, the first that Go rejects.
pub fn parse_rfc3339(text: &str) -> Result<Timestamp, TimeError> {
    let mut cursor = Cursor { text: text.as_bytes(), at: 0, go_rejects: None };
    let year = cursor.number(4, "year", 1, 9999)?;
    cursor.byte(b'-', "`-` and a month")?;
    let month = cursor.number(2, "month", 1, 12)?;
    cursor.byte(b'-', "`-` and a day")?;
    let day = cursor.number(2, "day", 1, days_in(year, month))?;
    cursor.letter(b'T', "`T` and a time")?;
    let hour = cursor.number(2, "hour", 0, 23)?;
    cursor.byte(b':', "`:` and a minute")?;
    let minute = cursor.number(2, "minute", 0, 59)?;
    cursor.byte(b':', "`:` and a second")?;
    let second_at = cursor.at;
    let second = cursor.number(2, "second", 0, 60)?;
    if second == 60 {
        cursor.note(second_at, TimeErrorKind::LeapSecond);
    }
    let nanos = cursor.fraction()?;
    let offset = cursor.offset()?;
    if cursor.at < cursor.text.len() {
        return Err(cursor.error(TimeErrorKind::Expected("nothing after the zone")));
    }
    if let Some(error) = cursor.go_rejects {
        return Err(error);
    }
    let time = i64::from(hour * 3600 + minute * 60 + second);
    Ok(Timestamp { seconds: days_before(year, month, day) * 86_400 + time - offset, nanos })
}

/// Every byte passed is ASCII, so that a byte offset is a character offset too.
struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
    /// The first deviation that only Go minds; reported if the rest of the text is right.
    go_rejects: Option<TimeError>,
}

impl Cursor<'_> {
    fn error(&self, kind: TimeErrorKind) -> TimeError {
        TimeError { at: self.at, kind }
    }

    fn note(&mut self, at: usize, kind: TimeErrorKind) {
        self.go_rejects.get_or_insert(TimeError { at, kind });
    }

    fn eat(&mut self, wanted: u8) -> bool {
        let found = self.text.get(self.at) == Some(&wanted);
        self.at += usize::from(found);
        found
    }

    fn byte(&mut self, wanted: u8, what: &'static str) -> Result<(), TimeError> {
        if self.eat(wanted) { Ok(()) } else { Err(self.error(TimeErrorKind::Expected(what))) }
    }

    /// `wanted`, of either case.
    fn letter(&mut self, wanted: u8, what: &'static str) -> Result<(), TimeError> {
        if self.eat(wanted.to_ascii_lowercase()) {
            self.note(self.at - 1, TimeErrorKind::LowerCase);
            return Ok(());
        }
        self.byte(wanted, what)
    }

    fn digit(&mut self) -> Option<u32> {
        let digit = self.text.get(self.at).filter(|b| b.is_ascii_digit())?;
        self.at += 1;
        Some(u32::from(digit - b'0'))
    }

    /// Exactly `digits` digits; a range error points at the first.
    fn number(&mut self, digits: usize, part: &'static str, min: u32, max: u32) -> Result<u32, TimeError> {
        let start = self.at;
        let mut found = 0;
        for _ in 0..digits {
            let what = if digits == 4 { "a digit of the four-digit year" } else { "two digits" };
            found = found * 10 + self.digit().ok_or(self.error(TimeErrorKind::Expected(what)))?;
        }
        if !(min..=max).contains(&found) {
            return Err(TimeError { at: start, kind: TimeErrorKind::Range { part, min, max, found } });
        }
        Ok(found)
    }

    /// Nanoseconds.
    fn fraction(&mut self) -> Result<u32, TimeError> {
        if self.text.get(self.at) == Some(&b',') {
            return Err(self.error(TimeErrorKind::Comma));
        }
        if !self.eat(b'.') {
            return Ok(0);
        }
        let start = self.at;
        let (mut nanos, mut unit) = (0, 100_000_000);
        while let Some(digit) = self.digit() {
            nanos += digit * unit;
            unit /= 10;
        }
        if self.at == start {
            Err(self.error(TimeErrorKind::Expected("a digit after `.`")))
        } else {
            Ok(nanos)
        }
    }

    /// Seconds east of UTC.
    fn offset(&mut self) -> Result<i64, TimeError> {
        let sign = match self.text.get(self.at) {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return self.letter(b'Z', "`Z` or an offset such as `+01:00`").map(|()| 0),
        };
        self.at += 1;
        let hour = self.number(2, "offset hour", 0, 23)?;
        self.byte(b':', "`:` and the minutes of the offset")?;
        let minute = self.number(2, "offset minute", 0, 59)?;
        Ok(sign * i64::from(hour * 3600 + minute * 60))
    }
}

fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        2 => 28 + u32::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to this date.
fn days_before(year: u32, month: u32, day: u32) -> i64 {
    /// From 0001-01-01.
    const TO_1970: i64 = 719_162;
    let past = year - 1;
    let years = past * 365 + past / 4 - past / 100 + past / 400;
    let months: u32 = (1..month).map(|m| days_in(year, m)).sum();
    i64::from(years + months + day - 1) - TO_1970
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::TimeErrorKind as K;
    use super::*;

    fn refused(text: &str) -> (usize, K) {
        let error = parse_rfc3339(text).expect_err(text);
        (error.at, error.kind)
    }

    #[test]
    fn the_clock_is_written_and_read_again() {
        let day = 86_400;
        for seconds in [0, 951_782_399, 951_782_400, 951_868_800, 1_709_164_800, 4_107_542_400]
            .into_iter()
            .chain((0..800).map(|n| n * 47 * day + n))
        {
            let text = rfc3339(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds));
            assert_eq!(parse_rfc3339(&text).expect("a time").seconds, seconds as i64, "{text}");
        }
    }

    #[test]
    fn times_become_seconds() {
        for (text, seconds, nanos) in [
            ("1970-01-01T00:00:00Z", 0, 0),
            ("0001-01-01T00:00:00Z", -62_135_596_800, 0),
            ("9999-12-31T23:59:59Z", 253_402_300_799, 0),
            ("2000-02-29T12:00:00Z", 951_825_600, 0),
            ("2024-02-29T00:00:00.5Z", 1_709_164_800, 500_000_000),
            ("2015-05-09T22:05:00.123456789-07:00", 1_431_234_300, 123_456_789),
            ("1969-12-31T23:59:59.0000000019999Z", -1, 1),
            ("1970-01-01T05:30:00+05:30", 0, 0),
            ("1970-01-01T00:00:00-00:00", 0, 0),
            ("1970-01-01T00:00:00+23:59", -86_340, 0),
        ] {
            assert_eq!(parse_rfc3339(text), Ok(Timestamp { seconds, nanos }), "{text}");
        }
    }

    #[test]
    fn what_date_crates_accept_is_refused() {
        let range = |part, min, max, found| K::Range { part, min, max, found };
        for (text, at, kind) in [
            ("", 0, K::Expected("a digit of the four-digit year")),
            ("+2024-01-01T00:00:00Z", 0, K::Expected("a digit of the four-digit year")),
            ("20240101T000000Z", 4, K::Expected("`-` and a month")),
            ("2024-1-01T00:00:00Z", 6, K::Expected("two digits")),
            ("2024-01-01", 10, K::Expected("`T` and a time")),
            ("2024-01-01 00:00:00Z", 10, K::Expected("`T` and a time")),
            ("2024-01-01T00Z", 13, K::Expected("`:` and a minute")),
            ("2024-01-01T00:00Z", 16, K::Expected("`:` and a second")),
            ("2024-01-01T9:00:00Z", 12, K::Expected("two digits")),
            ("2024-01-01T00:00:00,5Z", 19, K::Comma),
            ("2024-01-01T00:00:00.Z", 20, K::Expected("a digit after `.`")),
            ("2024-01-01T00:00:00", 19, K::Expected("`Z` or an offset such as `+01:00`")),
            ("2024-01-01T00:00:00é", 19, K::Expected("`Z` or an offset such as `+01:00`")),
            ("2024-01-01T00:00:00+00", 22, K::Expected("`:` and the minutes of the offset")),
            ("2024-01-01T00:00:00+0100", 22, K::Expected("`:` and the minutes of the offset")),
            ("2024-01-01T00:00:00+01:00[Europe/Paris]", 25, K::Expected("nothing after the zone")),
            ("2024-01-01T00:00:00Z ", 20, K::Expected("nothing after the zone")),
            ("0000-01-01T00:00:00Z", 0, range("year", 1, 9999, 0)),
            ("2024-13-01T00:00:00Z", 5, range("month", 1, 12, 13)),
            ("2024-00-01T00:00:00Z", 5, range("month", 1, 12, 0)),
            ("2024-04-31T00:00:00Z", 8, range("day", 1, 30, 31)),
            ("2023-02-29T00:00:00Z", 8, range("day", 1, 28, 29)),
            ("1900-02-29T00:00:00Z", 8, range("day", 1, 28, 29)),
            ("2024-02-30T00:00:00Z", 8, range("day", 1, 29, 30)),
            ("2024-01-01T24:00:00Z", 11, range("hour", 0, 23, 24)),
            ("2024-01-01T00:60:00Z", 14, range("minute", 0, 59, 60)),
            ("2024-01-01T00:00:61Z", 17, range("second", 0, 60, 61)),
            ("2024-01-01T00:00:00+24:00", 20, range("offset hour", 0, 23, 24)),
            ("2024-01-01T00:00:00+00:60", 23, range("offset minute", 0, 59, 60)),
        ] {
            assert_eq!(refused(text), (at, kind), "{text}");
        }
        let error = parse_rfc3339("2024-13-01T00:00:00Z").expect_err("month");
        assert_eq!(error.to_string(), "at character 6: expected a month from 1 to 12, found 13");
        assert!(!error.rfc3339_allows());
        for (text, words) in
            [("T24:00:00Z", "expected an hour from"), ("T00:00:00+24:00", "expected an offset hour from")]
        {
            let error = parse_rfc3339(&format!("2024-01-01{text}")).expect_err("hour").to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn what_only_go_refuses_is_told_apart() {
        for (text, at, kind) in [
            ("2024-01-01t00:00:00Z", 10, K::LowerCase),
            ("2024-01-01T00:00:00z", 19, K::LowerCase),
            ("2016-12-31T23:59:60Z", 17, K::LeapSecond),
            ("2016-12-31t23:59:60z", 10, K::LowerCase),
        ] {
            assert_eq!(refused(text), (at, kind), "{text}");
            assert!(parse_rfc3339(text).is_err_and(|error| error.rfc3339_allows()));
        }
        // A fault by the RFC goes first.
        assert_eq!(refused("2024-01-01t00:00:00"), (19, K::Expected("`Z` or an offset such as `+01:00`")));
    }

    proptest! {
        #[test]
        fn consecutive_days_are_one_day_apart(year in 1u32..=9999, month in 1u32..=12, day in 1u32..=31) {
            prop_assume!(day <= days_in(year, month));
            let (y, m, d) = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                (m, d) if d == days_in(year, m) => (year, m + 1, 1),
                (m, d) => (year, m, d + 1),
            };
            prop_assert_eq!(days_before(y, m, d), days_before(year, month, day) + 1);
        }

        #[test]
        fn no_text_panics(text in "[0-9TtZz:.,é+-]{0,30}") {
            let _ = parse_rfc3339(&text);
        }
    }
}
