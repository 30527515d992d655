//! What a Query event means for the transaction it is part of.

use crate::bytes::Bytes;

/// Fixed part of the body: thread, seconds, length of the schema's name, error, length of the status variables.
const FIXED_BYTES: usize = 4 + 4 + 1 + 2 + 2;

/// How much of a statement is looked at. Longer ones begin a transaction no more than they end it.
const STATEMENT_BYTES_MAX: usize = 16 * 1024;

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
    Statement {
        /// The engine has prepared it and commits it when it is in the log (atomic DDL), so that recovery undoes it when it
        /// is not; or there is nothing to undo.
        undone: bool,
    },
}

/// Reads the beginning of a body (at least [`KEPT_BYTES`], if it has as many). `None` when it is malformed.
pub(crate) fn read(body: &[u8]) -> Option<Query> {
    let mut bytes = Bytes(body);
    bytes.take(8)?;
    let schema_bytes = usize::from(bytes.u8()?);
    bytes.take(2)?;
    let status_bytes = usize::from(bytes.u16()?);
    let status = bytes.take(status_bytes)?;
    bytes.take(schema_bytes + 1)?;
    Some(match classify(bytes.0) {
        Query::Statement { .. } => Query::Statement {
            undone: changes_nothing(bytes.0)
                || has_xid(Bytes(status)).unwrap_or(false) && !takes_files_away(bytes.0),
        },
        query => query,
    })
}

/// Statements of maintenance: they are in the log, and no row is another one afterwards.
fn changes_nothing(statement: &[u8]) -> bool {
    ["ANALYZE TABLE ", "OPTIMIZE TABLE ", "FLUSH "].iter().any(|words| begins(statement, words))
}

/// `ALTER TABLE … DISCARD TABLESPACE` deletes the file before it commits (seen on 9.7.4), and `IMPORT` works on one that
/// somebody has put there. What is too long to be looked at is taken for one of them.
fn takes_files_away(statement: &[u8]) -> bool {
    let has = |word: &[u8]| statement.windows(word.len()).any(|at| at.eq_ignore_ascii_case(word));
    statement.len() >= STATEMENT_BYTES_MAX || has(b"TABLESPACE") && (has(b"DISCARD") || has(b"IMPORT"))
}

fn begins(statement: &[u8], words: &str) -> bool {
    statement.get(..words.len()).is_some_and(|start| start.eq_ignore_ascii_case(words.as_bytes()))
}

/// Codes of the status variables, in the order of their numbers.
mod status {
    pub(super) const CATALOG_OLD: u8 = 2;
    pub(super) const TIME_ZONE: u8 = 5;
    pub(super) const CATALOG: u8 = 6;
    pub(super) const INVOKER: u8 = 11;
    pub(super) const UPDATED_SCHEMAS: u8 = 12;
    pub(super) const XID_OF_DDL: u8 = 17;
}

/// Instead of their number: more schemas than are named.
const TOO_MANY_SCHEMAS: u8 = 254;

/// Whether the XID of an atomic DDL statement (since 8.0) is among the status variables. `None` when one is not known, so
/// that its length is not either.
fn has_xid(mut bytes: Bytes<'_>) -> Option<bool> {
    while !bytes.is_empty() {
        let code = bytes.u8()?;
        let length = match code {
            status::XID_OF_DDL => return Some(true),
            0 | 3 | 10 => 4,
            1 | 9 => 8,
            4 => 6,
            7 | 8 | 18 => 2,
            13 => 3,
            16 | 19 | 20 => 1,
            status::TIME_ZONE | status::CATALOG => usize::from(bytes.u8()?),
            status::CATALOG_OLD => usize::from(bytes.u8()?) + 1,
            status::INVOKER => {
                let user = usize::from(bytes.u8()?);
                bytes.take(user)?;
                usize::from(bytes.u8()?)
            }
            status::UPDATED_SCHEMAS => {
                let count = bytes.u8()?;
                for _ in 0..if count == TOO_MANY_SCHEMAS { 0 } else { count } {
                    while bytes.u8()? != 0 {}
                }
                0
            }
            _ => return None,
        };
        bytes.take(length)?;
    }
    Some(false)
}

/// The server writes these words itself; where a client's own words can get through, it compares without regard to case.
fn classify(statement: &[u8]) -> Query {
    let begins = |words: &str| begins(statement, words);
    match statement {
        b"BEGIN" => Query::Begin,
        b"COMMIT" => Query::Commit,
        _ if begins("XA START") => Query::XaStart,
        _ if begins("XA COMMIT") => Query::XaCommit,
        _ if begins("XA ROLLBACK") => Query::XaRollback,
        _ if begins("ROLLBACK") && !begins("ROLLBACK TO ") => Query::Rollback,
        _ => Query::Statement { undone: false },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATEMENT: Query = Query::Statement { undone: false };

    #[test]
    fn the_xid_of_atomic_ddl_is_found_among_the_status_variables() {
        let body = |status: &[u8], statement: &str| {
            let mut body = vec![0; 8];
            body.extend([1, 0, 0]);
            body.extend(u16::try_from(status.len()).unwrap().to_le_bytes());
            body.extend(status);
            body.extend(b"d\0");
            body.extend(statement.as_bytes());
            read(&body)
        };
        let xid = |undone| Some(Query::Statement { undone });
        // As 9.7 writes them: flags, mode, catalog, charset, zone, schemas, microseconds, XID.
        let mut status = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 6, 3];
        status.extend(b"std\x04\x21\0\x21\0\xff\0\x05\x06SYSTEM\x0c\x01d\0\x0d\x11\x11\x11");
        assert_eq!(body(&status, "DROP TABLE x"), xid(false));
        status.extend([17, 9, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(body(&status, "DROP TABLE x"), xid(true));
        assert_eq!(body(&status, "BEGIN"), Some(Query::Begin));
        assert_eq!(
            body(&status, "alter table t2 discard tablespace"),
            xid(false),
            "the file is gone at once"
        );
        assert_eq!(body(&status, "ALTER TABLE t IMPORT PARTITION p TABLESPACE"), xid(false));
        assert_eq!(body(&[], "analyze table t"), xid(true), "nothing to undo");
        // One that is not known: what follows it cannot be read.
        assert_eq!(body(&[99, 17, 0, 0, 0, 0, 0, 0, 0, 0], "DROP TABLE x"), xid(false));
        assert_eq!(body(&[11, 200, 17], "DROP TABLE x"), xid(false), "cut off");
    }

    #[test]
    fn statements_by_their_words() {
        let table = [
            ("BEGIN", Query::Begin),
            ("BEGINNING", STATEMENT),
            ("COMMIT", Query::Commit),
            ("ROLLBACK", Query::Rollback),
            ("rollback to x", STATEMENT),
            ("ROLLBACK TO `s`", STATEMENT),
            ("SAVEPOINT `s`", STATEMENT),
            ("XA START X'71',X'',1", Query::XaStart),
            ("XA END X'71',X'',1", STATEMENT),
            ("XA COMMIT X'71',X'',1", Query::XaCommit),
            ("XA ROLLBACK X'71',X'',1", Query::XaRollback),
            ("", STATEMENT),
        ];
        for (statement, query) in table {
            assert_eq!(classify(statement.as_bytes()), query, "{statement}");
        }
    }
}
