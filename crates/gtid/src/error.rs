//! Why a text is no GTID, and where.

use std::fmt;

use crate::gtid::NUMBER_MAX;
use crate::tag::TAG_CHARS_MAX;

/// The longest excerpt of a refused text that an error carries, in characters.
const EXCERPT_CHARS_MAX: usize = 24;

/// A text is not what it should be: which byte, what stands there, and what was expected.
///
/// The message is one line, fit for a log or an operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ParseError {
    /// Offset, in bytes, of the first byte that does not fit. Equal to the length of the text when the text ends
    /// too early.
    pub position: usize,
    /// What is wrong there.
    pub kind: ParseErrorKind,
    /// The text from `position` on, cut to a few characters; empty at the end of the text.
    pub found: String,
}

/// What is wrong with a text, as the part of [`ParseError`] to branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// A UUID should stand here, or the one that began ends or goes wrong here.
    ExpectedUuid,
    /// The text is a position of MariaDB (`domain-server-sequence`), which these types cannot hold.
    LooksLikeMariaDb,
    /// A colon was read, and neither a tag nor a number follows.
    ExpectedTagOrNumber,
    /// A number should stand here: after the dash of an interval, or as the last part of a GTID.
    ExpectedNumber,
    /// A tag should stand here.
    ExpectedTag,
    /// The tag that begins here has more than [`TAG_CHARS_MAX`] characters.
    TagTooLong,
    /// Numbers of GTIDs begin at 1.
    NumberIsZero,
    /// The number that begins here is greater than [`NUMBER_MAX`].
    NumberTooBig,
    /// A colon should stand here.
    ExpectedColon,
    /// An item of a set is complete, and something else than a colon, a comma or the end of the text follows.
    ExpectedColonCommaOrEnd,
    /// The value is complete, and more text follows.
    ExpectedEnd,
    /// The text is longer than [`TEXT_BYTES_MAX`](crate::TEXT_BYTES_MAX) bytes: not read at all.
    TextTooLong,
    /// The text has more than [`INTERVALS_MAX`](crate::INTERVALS_MAX) intervals.
    TooManyIntervals,
}

impl ParseError {
    /// An error at byte `position` of `text`.
    pub(crate) fn new(kind: ParseErrorKind, text: &str, position: usize) -> Self {
        let rest = text.get(position..).unwrap_or_default();
        ParseError { position, kind, found: rest.chars().take(EXCERPT_CHARS_MAX).collect() }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bad GTID text at byte {}: {}, found ", self.position, self.kind)?;
        match self.found.is_empty() {
            true => f.write_str("the end of the text"),
            false => write!(f, "{:?}", self.found),
        }
    }
}

impl fmt::Display for ParseErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ExpectedUuid => {
                f.write_str("expected a UUID (32 hex digits, as 3e11fa47-71ca-11e1-9e33-c80aa9429562)")
            }
            Self::LooksLikeMariaDb => f.write_str(
                "this looks like a GTID position of MariaDB (domain-server-sequence); \
                 expected a GTID of MySQL, which begins with a UUID",
            ),
            Self::ExpectedTagOrNumber => f.write_str("expected a tag or a number after ':'"),
            Self::ExpectedNumber => f.write_str("expected a number"),
            Self::ExpectedTag => f.write_str("expected a tag (letters, digits and _, not a digit first)"),
            Self::TagTooLong => write!(f, "expected a tag of at most {TAG_CHARS_MAX} characters"),
            Self::NumberIsZero => f.write_str("expected a number from 1 on"),
            Self::NumberTooBig => write!(f, "expected a number of at most {NUMBER_MAX}"),
            Self::ExpectedColon => f.write_str("expected ':'"),
            Self::ExpectedColonCommaOrEnd => f.write_str("expected ':', ',' or the end of the text"),
            Self::ExpectedEnd => f.write_str("expected the end of the text"),
            Self::TextTooLong => write!(f, "expected at most {} bytes of text", crate::TEXT_BYTES_MAX),
            Self::TooManyIntervals => write!(f, "expected at most {} intervals", crate::INTERVALS_MAX),
        }
    }
}
