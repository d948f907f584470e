//! When to try again, and how long to wait before.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime};

/// Whether an answer asks for, or allows, another try.
pub(super) fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
}

/// Whether an answer says that the host has too much to do.
pub(super) fn is_too_much(status: u16) -> bool {
    matches!(status, 429 | 503)
}

/// The pause before try number `attempt` (from 1): half a second, then twice as long each time, at most 30 s, with a
/// random half so that many clients do not come again at once.
pub(super) fn pause(attempt: u32) -> Duration {
    let whole = Duration::from_millis(500).saturating_mul(1 << attempt.saturating_sub(1).min(6));
    let whole = whole.min(Duration::from_secs(30));
    let random = RandomState::new().hash_one(attempt) % 1000;
    whole / 2 + (whole / 2).mul_f64(random as f64 / 1000.0)
}

/// What `Retry-After` asks for: seconds, or a date of RFC 9110 (5.6.7) in its first form.
pub(super) fn asked(header: &str, now: SystemTime) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let since = now.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    Some(Duration::from_secs(http_date(header)?.saturating_sub(since)))
}

/// Seconds since 1970 of `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut parts = text.split_once(", ")?.1.split_ascii_whitespace();
    let day: u64 = parts.next()?.parse().ok()?;
    let month = parts.next()?;
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let year: u64 = parts.next()?.parse().ok()?;
    let mut clock = parts.next()?.split(':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let zone = parts.next()?;
    if zone != "GMT" || !(1970..10_000).contains(&year) || !(1..=31).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Days from the civil calendar, years beginning in March.
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    let days = days.checked_sub(719_468)?;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        for (attempt, most) in [(1, 500), (2, 1000), (3, 2000), (7, 30_000), (40, 30_000)] {
            let pause = pause(attempt).as_millis();
            assert!(pause >= most / 2 && pause <= most, "{attempt}: {pause}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(asked(" 7 ", now), Some(Duration::from_secs(7)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:47 GMT", now), Some(Duration::from_secs(10)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::ZERO));
        assert_eq!(asked("Sun, 06 Nov 1993 08:49:37 GMT", now), Some(Duration::ZERO));
        for text in
            ["", "-1", "soon", "Sun, 06 Nov 1994", "x, 99 Nov 1994 08:49:37 GMT", "x, 1 Nov 1 1:1:1 GMT"]
        {
            assert_eq!(asked(text, now), None, "{text}");
        }
        assert_eq!(http_date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(http_date("Tue, 29 Feb 2000 12:00:00 GMT"), Some(951_825_600));
    }
}
