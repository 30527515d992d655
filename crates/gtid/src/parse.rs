//! Text to values. The grammar is in the crate's documentation.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::error::{ParseError, ParseErrorKind};
use crate::gtid::{Gtid, NUMBER_MAX};
use crate::interval::Interval;
use crate::set::{GtidSet, Source};
use crate::tag::Tag;
use crate::uuid::Uuid;

/// The longest text that is read as a GTID set, in bytes: 64 MiB, many times what any server holds in practice.
/// Text comes from peers and servers, and memory must have a bound whatever they send.
pub const TEXT_BYTES_MAX: usize = 64 << 20;

/// The most intervals that one text may have, counted as written: 2^22, which take 64 MiB.
pub const INTERVALS_MAX: usize = 1 << 22;

/// Reads along a text, skipping white space before each token.
struct Cursor<'a> {
    text: &'a str,
    /// Offset of the next byte to read. Only ASCII is ever stepped over, so it is always between characters.
    at: usize,
}

impl<'a> Cursor<'a> {
    fn new(text: &'a str) -> Result<Self, ParseError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(ParseError::new(ParseErrorKind::TextTooLong, text, TEXT_BYTES_MAX));
        }
        Ok(Cursor { text, at: 0 })
    }

    fn error<T>(&self, kind: ParseErrorKind) -> Result<T, ParseError> {
        Err(ParseError::new(kind, self.text, self.at))
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// The next byte that is not white space, without reading it.
    fn peek(&mut self) -> Option<u8> {
        // C's isspace(), as in the server; Rust's own function leaves out the vertical tab.
        let spaces =
            self.rest().iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == b'\x0b').count();
        self.at += spaces;
        self.rest().first().copied()
    }

    /// Reads `byte`, if it comes next.
    fn take(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        if here {
            self.at += 1;
        }
        here
    }

    fn uuid(&mut self) -> Result<Uuid, ParseError> {
        self.peek();
        match Uuid::read(self.rest()) {
            Ok((uuid, len)) => {
                self.at += len;
                Ok(uuid)
            }
            Err(_) if looks_like_mariadb(self.rest()) => self.error(ParseErrorKind::LooksLikeMariaDb),
            Err(offset) => {
                self.at += offset;
                self.error(ParseErrorKind::ExpectedUuid)
            }
        }
    }

    /// Reads a tag, if one comes next.
    fn tag(&mut self) -> Result<Option<Tag>, ParseError> {
        if !self.peek().is_some_and(Tag::may_begin_with) {
            return Ok(None);
        }
        let Some((tag, len)) = Tag::read(self.rest()) else {
            return self.error(ParseErrorKind::TagTooLong);
        };
        self.at += len;
        Ok(Some(tag))
    }

    /// Reads a number from `least` to [`NUMBER_MAX`]; `otherwise` is the error if no digit comes next.
    fn number(&mut self, least: u64, otherwise: ParseErrorKind) -> Result<u64, ParseError> {
        self.peek();
        let digits = self.rest().iter().take_while(|byte| byte.is_ascii_digit());
        let (mut number, mut len) = (0_u64, 0);
        for digit in digits {
            number = number.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
            len += 1;
        }
        if len == 0 {
            return self.error(otherwise);
        }
        if number < least {
            return self.error(ParseErrorKind::NumberIsZero);
        }
        if number > NUMBER_MAX {
            return self.error(ParseErrorKind::NumberTooBig);
        }
        self.at += len;
        Ok(number)
    }

    fn end(&mut self) -> Result<(), ParseError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => self.error(ParseErrorKind::ExpectedEnd),
        }
    }
}

/// True if the text begins with three decimal numbers joined by dashes, and no fourth part as a UUID would have.
fn looks_like_mariadb(text: &[u8]) -> bool {
    let item = text.split(|byte| !byte.is_ascii_hexdigit() && *byte != b'-').next().unwrap_or_default();
    let mut parts = 0;
    item.split(|byte| *byte == b'-').all(|part| {
        parts += 1;
        !part.is_empty() && part.iter().all(u8::is_ascii_digit)
    }) && parts == 3
}

impl FromStr for GtidSet {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(text)?;
        let mut set = RawSet::default();
        while let Some(next) = cursor.peek() {
            if next == b',' {
                cursor.at += 1;
                continue;
            }
            item(&mut cursor, &mut set)?;
            if !matches!(cursor.peek(), None | Some(b',')) {
                return cursor.error(ParseErrorKind::ExpectedColonCommaOrEnd);
            }
        }
        Ok(GtidSet::from_raw(set.sources))
    }
}

/// Reads one UUID with all its tags and intervals.
fn item(cursor: &mut Cursor<'_>, set: &mut RawSet) -> Result<(), ParseError> {
    let uuid = cursor.uuid()?;
    let mut tag = None;
    while cursor.take(b':') {
        if let Some(new_tag) = cursor.tag()? {
            tag = Some(new_tag);
            continue;
        }
        let first = cursor.number(1, ParseErrorKind::ExpectedTagOrNumber)?;
        let last = match cursor.take(b'-') {
            // 0 is no number of a GTID, but may end an interval, which is then empty: the server says so.
            true => cursor.number(0, ParseErrorKind::ExpectedNumber)?,
            false => first,
        };
        if set.intervals == INTERVALS_MAX {
            return cursor.error(ParseErrorKind::TooManyIntervals);
        }
        set.intervals += 1;
        if first <= last {
            set.sources.entry((uuid, tag)).or_default().push(Interval { first, last });
        }
    }
    Ok(())
}

/// Intervals as they were written. They are sorted once, at the end, since inserting each in its place would take
/// quadratic time on a text that has them in falling order.
#[derive(Default)]
struct RawSet {
    sources: BTreeMap<Source, Vec<Interval>>,
    intervals: usize,
}

impl FromStr for Gtid {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(text)?;
        let uuid = cursor.uuid()?;
        let colon = |cursor: &mut Cursor<'_>| match cursor.take(b':') {
            true => Ok(()),
            false => cursor.error(ParseErrorKind::ExpectedColon),
        };
        colon(&mut cursor)?;
        let tag = cursor.tag()?;
        let number = match tag {
            None => cursor.number(1, ParseErrorKind::ExpectedTagOrNumber)?,
            Some(_) => {
                colon(&mut cursor)?;
                cursor.number(1, ParseErrorKind::ExpectedNumber)?
            }
        };
        cursor.end()?;
        Ok(Gtid { uuid, tag, number })
    }
}

impl FromStr for Uuid {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(text)?;
        let uuid = cursor.uuid()?;
        cursor.end()?;
        Ok(uuid)
    }
}

impl FromStr for Tag {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(text)?;
        let Some(tag) = cursor.tag()? else {
            return cursor.error(ParseErrorKind::ExpectedTag);
        };
        cursor.end()?;
        Ok(tag)
    }
}
