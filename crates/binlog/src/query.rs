//! What a Query event means for the transaction it is part of.

use crate::bytes::Bytes;

/// Fixed part of the body: thread, seconds, length of the schema's name, error, length of the status variables.
const FIXED_BYTES: usize = 4 + 4 + 1 + 2 + 2;

/// The longest statement that is looked at; longer ones begin a transaction no more than they end it.
const STATEMENT_BYTES_MAX: usize = 32;

/// What must be kept of the body of a Query event: the status variables and the name have 16 and 8 bits of length.
pub(crate) const KEPT_BYTES: usize =
    FIXED_BYTES + u16::MAX as usize + u8::MAX as usize + 1 + STATEMENT_BYTES_MAX;

/// What a statement does to the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Query {
    Begin,
    XaStart,
    Commit,
    Rollback,
    XaCommit,
    XaRollback,
    /// Any other: part of a transaction, or a transaction by itself (DDL).
    Statement,
}

/// Reads the beginning of a body (at least [`KEPT_BYTES`], if it has as many). `None` when it is malformed.
pub(crate) fn read(body: &[u8]) -> Option<Query> {
    let mut bytes = Bytes(body);
    bytes.take(8)?;
    let schema_bytes = usize::from(bytes.u8()?);
    bytes.take(2)?;
    let status_bytes = usize::from(bytes.u16()?);
    bytes.take(status_bytes)?;
    bytes.take(schema_bytes + 1)?;
    Some(classify(bytes.0))
}

/// The server writes these words itself; where a client's own words can get through, it compares without regard to case.
fn classify(statement: &[u8]) -> Query {
    let begins = |words: &str| {
        statement.get(..words.len()).is_some_and(|start| start.eq_ignore_ascii_case(words.as_bytes()))
    };
    match statement {
        b"BEGIN" => Query::Begin,
        b"COMMIT" => Query::Commit,
        _ if begins("XA START") => Query::XaStart,
        _ if begins("XA COMMIT") => Query::XaCommit,
        _ if begins("XA ROLLBACK") => Query::XaRollback,
        _ if begins("ROLLBACK") && !begins("ROLLBACK TO ") => Query::Rollback,
        _ => Query::Statement,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_by_their_words() {
        let table = [
            ("BEGIN", Query::Begin),
            ("BEGINNING", Query::Statement),
            ("COMMIT", Query::Commit),
            ("ROLLBACK", Query::Rollback),
            ("rollback to x", Query::Statement),
            ("ROLLBACK TO `s`", Query::Statement),
            ("SAVEPOINT `s`", Query::Statement),
            ("XA START X'71',X'',1", Query::XaStart),
            ("XA END X'71',X'',1", Query::Statement),
            ("XA COMMIT X'71',X'',1", Query::XaCommit),
            ("XA ROLLBACK X'71',X'',1", Query::XaRollback),
            ("", Query::Statement),
        ];
        for (statement, query) in table {
            assert_eq!(classify(statement.as_bytes()), query, "{statement}");
        }
    }
}
