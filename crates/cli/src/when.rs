//! Times as people read and write them: of this host's zone (`TZ`, else `/etc/localtime`).

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn zoned(unix_ms: u64) -> Zoned {
    let ms = i64::try_from(unix_ms).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX).to_zoned(TimeZone::system())
}

/// `2026-11-28 10:43:12`.
pub(crate) fn second(unix_ms: u64) -> String {
    zoned(unix_ms).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `2026-11-28 10:43:12.345`.
pub(crate) fn millisecond(unix_ms: u64) -> String {
    zoned(unix_ms).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

/// `10:43:12.345`.
pub(crate) fn of_day(unix_ms: u64) -> String {
    zoned(unix_ms).strftime("%H:%M:%S%.3f").to_string()
}

/// `2026-11-28 10:43:12.345 +01:00`.
pub(crate) fn with_zone(unix_ms: u64) -> String {
    zoned(unix_ms).strftime("%Y-%m-%d %H:%M:%S%.3f %:z").to_string()
}

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// For clap: `2020-01-01 10:00:00` of this host's zone, a date alone, or a time with its zone (`2020-01-01T09:00:00Z`).
pub(crate) fn datetime(text: &str) -> Result<u64, String> {
    let in_zone = text.parse::<Timestamp>().ok().or_else(|| {
        let local: DateTime = text.trim().parse().ok()?;
        Some(local.to_zoned(TimeZone::system()).ok()?.timestamp())
    });
    let timestamp = in_zone.ok_or("a time like '2020-01-01 10:00:00', or 2020-01-01T09:00:00Z")?;
    u64::try_from(timestamp.as_millisecond()).map_err(|_| "a time after 1970".to_owned())
}

/// For clap: `90s`, `30m`, `1h`, `2d`, `1h 30m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a time span like 90s, 30m, 1h or 2d".to_owned();
    // Days have 24 hours here.
    let hours = |days: &str| {
        let days = days.trim().parse::<u16>().ok()?;
        Some(SignedDuration::from_hours(i64::from(days) * 24))
    };
    let span = match text.trim().strip_suffix('d') {
        Some(days) => hours(days).ok_or_else(wrong)?,
        None => text.parse::<SignedDuration>().map_err(|_| wrong())?,
    };
    Duration::try_from(span).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_with_a_zone_and_without() {
        assert_eq!(datetime("1970-01-01T00:00:01Z"), Ok(1000));
        assert_eq!(datetime("1970-01-02T01:00:00+01:00"), Ok(86_400_000));
        let local = datetime("2020-01-01 10:00:00").expect("the Go tool's form");
        assert_eq!(second(local), "2020-01-01 10:00:00");
        assert_eq!(millisecond(local + 7), "2020-01-01 10:00:00.007");
        assert_eq!(datetime("2020-01-01").map(second), Ok("2020-01-01 00:00:00".to_owned()));
        for wrong in ["", "yesterday", "10:00:00", "2020-13-01 10:00:00", "1969-01-01T00:00:00Z"] {
            assert!(datetime(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn spans_of_time() {
        for (text, seconds) in [("90s", 90), ("30m", 1800), ("1h", 3600), ("2d", 172_800), ("1h 30m", 5400)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for wrong in ["", "1", "d", "-1h", "soon", "99999999999999999d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
