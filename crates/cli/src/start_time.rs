//! Times as people write them: `04:00`, `tomorrow 04:00`, `+10m`, RFC 3339.

use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp, Zoned};
use std::fmt;

/// Nobody keeps a command waiting for longer.
const LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A moment that is yet to come, or was a little while ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct When {
    at: Zoned,
}

impl When {
    /// How long it is until then; zero when it has passed.
    pub(crate) fn left(&self) -> std::time::Duration {
        self.left_at(Timestamp::now())
    }

    fn left_at(&self, now: Timestamp) -> std::time::Duration {
        std::time::Duration::try_from(self.at.timestamp().duration_since(now)).unwrap_or_default()
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.at.strftime("%Y-%m-%d %H:%M:%S %:z"))
    }
}

/// Reads a time, in the time zone of this host.
pub(crate) fn parse(text: &str) -> Result<When, String> {
    parse_at(text.trim(), &Zoned::now())
}

fn parse_at(text: &str, now: &Zoned) -> Result<When, String> {
    let when = moment(text, now)?;
    let left = when.timestamp().duration_since(now.timestamp());
    if left < SignedDuration::ZERO {
        return Err(format!("{} has passed", When { at: when }));
    }
    if left > LONGEST {
        return Err("that is more than a week away; leave it to cron, or to at".to_owned());
    }
    Ok(When { at: when })
}

fn moment(text: &str, now: &Zoned) -> Result<Zoned, String> {
    if let Some(rest) = text.strip_prefix('+') {
        let span = span(rest).ok_or("a time from now is written +90s, +10m or +2h")?;
        return now.checked_add(span).map_err(|_| "that is too far away".to_owned());
    }
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Ok(timestamp.to_zoned(now.time_zone().clone()));
    }
    let (day, clock) = match text.split_once(char::is_whitespace) {
        Some((day, clock)) => (Some(day), clock.trim()),
        None => (None, text),
    };
    let not_understood =
        || "not understood; write 04:00, 'tomorrow 04:00', 2026-11-29T04:00:00+01:00 or +10m".to_owned();
    let clock = clock_time(clock).ok_or_else(not_understood)?;
    let date = match day.map(str::to_ascii_lowercase).as_deref() {
        None => {
            // The next time that it is so late.
            let today = at(now, now.date(), clock)?;
            if today >= *now { now.date() } else { tomorrow(now)? }
        }
        Some("today") => now.date(),
        Some("tomorrow") => tomorrow(now)?,
        Some(date) => date.parse().map_err(|_| not_understood())?,
    };
    at(now, date, clock)
}

fn tomorrow(now: &Zoned) -> Result<jiff::civil::Date, String> {
    now.date().tomorrow().map_err(|_| "there is no tomorrow".to_owned())
}

fn at(now: &Zoned, date: jiff::civil::Date, clock: Time) -> Result<Zoned, String> {
    let zone = now.time_zone().clone();
    let ambiguous = zone.to_ambiguous_zoned(date.to_datetime(clock));
    if ambiguous.is_ambiguous() {
        // When clocks are changed an hour is missing, or comes twice.
        return Err("the clocks are changed then: say which is meant, with its offset, as in 2026-10-25T02:30:00+01:00".to_owned());
    }
    ambiguous.compatible().map_err(|_| "there is no such time".to_owned())
}

/// `04:00` or `04:00:30`.
fn clock_time(text: &str) -> Option<Time> {
    let parts: Vec<&str> = text.split(':').collect();
    let number = |part: &str| -> Option<i8> {
        (part.len() <= 2 && !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| part.parse().ok())?
    };
    match parts.as_slice() {
        [hour, minute] => Time::new(number(hour)?, number(minute)?, 0, 0).ok(),
        [hour, minute, second] => Time::new(number(hour)?, number(minute)?, number(second)?, 0).ok(),
        _ => None,
    }
}

/// `90s`, `10m`, `2h`.
fn span(text: &str) -> Option<SignedDuration> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        _ => return None,
    };
    let digits = &text[..text.len() - 1];
    let count: u32 = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
    Some(SignedDuration::from_secs(i64::from(count) * unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Central European time by its rule: not every machine that runs tests has a database of time zones.
    fn at_clock(time: &str) -> Zoned {
        let zone = jiff::tz::TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a rule");
        time.parse::<Timestamp>().expect("a time").to_zoned(zone)
    }

    fn now() -> Zoned {
        at_clock("2026-11-28T08:30:00+01:00")
    }

    #[test]
    fn when_clocks_are_changed() {
        for (now, text) in
            [("2026-10-24T12:00:00+02:00", "tomorrow 02:30"), ("2026-03-28T12:00:00+01:00", "tomorrow 02:30")]
        {
            let error = parse_at(text, &at_clock(now)).expect_err(text);
            assert!(error.contains("clocks are changed"), "{error}");
        }
        let now = at_clock("2026-10-24T12:00:00+02:00");
        let when = parse_at("tomorrow 12:00", &now).expect("noon");
        assert_eq!(when.left_at(now.timestamp()).as_secs(), 25 * 3600);
    }

    #[test]
    fn what_people_write() {
        let now = now();
        for (text, seconds) in [
            ("+10m", 600),
            ("+90s", 90),
            ("+2h", 7200),
            ("09:00", 1800),
            ("9:00:05", 1805),
            ("08:29", 86_400 - 60),
            ("today 10:00", 5400),
            ("Tomorrow 08:30", 86_400),
            ("2026-11-29 08:30", 86_400),
        ] {
            let when = parse_at(text, &now).expect(text);
            assert_eq!(when.left_at(now.timestamp()).as_secs(), seconds, "{text}: {when}");
        }
        let utc = parse_at("2026-11-28T12:00:00Z", &now).expect("RFC 3339");
        assert_eq!(utc.at.timestamp(), "2026-11-28T12:00:00Z".parse().expect("a time"));
    }

    #[test]
    fn what_is_refused() {
        for text in [
            "",
            "+",
            "+10",
            "+x",
            "+-1m",
            "+99999999999h",
            "25:00",
            "8",
            "08:60",
            "today",
            "yesterday 10:00",
            "today 08:00",
            "2026-11-28T08:00:00Z0",
            "2020-01-01T00:00:00Z",
            "+400h",
            "::",
            "1:2:3:4",
            "tomorrow tomorrow",
            "+1µ",
        ] {
            assert!(parse_at(text, &now()).is_err(), "{text}");
        }
    }
}
