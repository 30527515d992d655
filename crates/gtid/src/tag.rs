//! The tag of a GTID.

use std::fmt;

/// The greatest length of a tag, in characters (MySQL's `mysql::gtids::Tag_base::max_size`).
pub const TAG_CHARS_MAX: usize = 32;

/// The tag of a GTID, since MySQL 8.3: 1 to 32 of `a-z`, `0-9` and `_`, not a digit first; upper case is read as lower.
///
/// A GTID without one has `None`, and sorts before all tags of the same UUID, as in servers' output.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    // Filled up with zeros, which sort before every character of a tag: the derived order is that of the text.
    chars: [u8; TAG_CHARS_MAX],
    len: u8,
}

impl Tag {
    /// The text of the tag, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Never empty: only `Tag::read` makes tags, of ASCII alone.
        self.chars
            .get(..usize::from(self.len))
            .and_then(|chars| std::str::from_utf8(chars).ok())
            .unwrap_or_default()
    }

    /// True if a tag may begin with this byte.
    pub(crate) fn may_begin_with(byte: u8) -> bool {
        byte.is_ascii_alphabetic() || byte == b'_'
    }

    /// Reads the tag at the beginning of `text`, which must not be empty and satisfy [`Tag::may_begin_with`]: the tag
    /// and its length, or `None` if it is too long.
    pub(crate) fn read(text: &[u8]) -> Option<(Tag, usize)> {
        let len = text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        let mut chars = [0; TAG_CHARS_MAX];
        chars.get_mut(..len)?.copy_from_slice(text.get(..len)?);
        chars.make_ascii_lowercase();
        Some((Tag { chars, len: u8::try_from(len).ok()? }, len))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
