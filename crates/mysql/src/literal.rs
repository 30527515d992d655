//! Text as SQL literals. Every link sets its own `sql_mode` (see `link.rs`), so that a backslash always escapes.

use crate::SqlError;

/// `'…'` with quotes and backslashes escaped.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for c in text.chars() {
        match c {
            '\'' => out.push_str("\\'"),
            '\\' => out.push_str("\\\\"),
            '\0' => out.push_str("\\0"),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// As [`quoted`], for the places whose grammar takes no line break (hosts, accounts, passwords of replication).
pub(crate) fn quoted_line(what: &str, text: &str) -> Result<String, SqlError> {
    if text.chars().any(|c| matches!(c, '\n' | '\r' | '\0')) {
        return Err(SqlError::unsupported(
            what,
            "a host, account or password with a line break or NUL in it is not accepted",
        ));
    }
    Ok(quoted(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_are_escaped() {
        for (text, literal) in [
            ("a", "'a'"),
            ("a'b", r"'a\'b'"),
            (r"a\", r"'a\\'"),
            (r"\' OR 1 -- ", r"'\\\' OR 1 -- '"),
            ("", "''"),
        ] {
            assert_eq!(quoted(text), literal);
        }
    }

    #[test]
    fn line_breaks_are_refused() {
        assert!(quoted_line("x", "a\nb").is_err());
        assert!(quoted_line("x", "a\"b").is_ok());
    }
}
