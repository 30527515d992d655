//! Why the bytes do not tell what is in the file.

use std::fmt;

use crate::header::EventKind;

/// A file that cannot be relied upon. The caller knows its name and says it.
///
/// A file that merely ends too early is no error: see [`Tear`](crate::Tear).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// The first bytes are those of something else.
    #[error(
        "it is no binary log (it begins with {found:02x?}); is the path that of a binlog or relay log file?"
    )]
    NotALog {
        /// The first four bytes.
        found: [u8; 4],
    },
    /// The file is encrypted (`binlog_encryption=ON`), and the key is the server's.
    #[error(
        "it is encrypted (binlog_encryption=ON), so only its own server can read it; start that server, or rebuild this node"
    )]
    Encrypted,
    /// Bytes in the middle are not what the server wrote, or not what this crate knows.
    #[error(
        "damaged at offset {offset}: {damage}; keep the file, compare with mysqlbinlog --verify-binlog-checksum, and rebuild this node from another if it says so too"
    )]
    Corrupt {
        /// Where the event that is damaged or out of place begins, bytes from the start of the file.
        offset: u64,
        /// What is wrong with it.
        damage: Damage,
    },
    /// The file did not have as many bytes as it was said to have.
    #[error(
        "it changed from {promised_bytes} to at least {seen_bytes} bytes while it was read; does a mysqld run?"
    )]
    Grew {
        /// The length it had at first, bytes.
        promised_bytes: u64,
        /// What came, bytes.
        seen_bytes: u64,
    },
    /// The file ended before the length it was said to have.
    #[error("it changed from {promised_bytes} to {seen_bytes} bytes while it was read; does a mysqld run?")]
    Shrank {
        /// The length it had at first, bytes.
        promised_bytes: u64,
        /// What came, bytes.
        seen_bytes: u64,
    },
}

/// What is wrong with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// The header gives a length that no event can have there.
    Length {
        /// The length, bytes.
        event_bytes: u32,
    },
    /// The header's two statements on where the event ends contradict each other.
    EndPosition {
        /// By its length, lower 32 bits.
        by_length: u32,
        /// As the header has it.
        stated: u32,
    },
    /// The checksum is not that of the bytes.
    Checksum {
        /// Type of the event.
        kind: EventKind,
    },
    /// The body does not have the form of its type.
    Malformed {
        /// Type of the event.
        kind: EventKind,
    },
    /// The event's body is longer than what is read of its type.
    TooLong {
        /// Type of the event.
        kind: EventKind,
        /// Its length, bytes.
        event_bytes: u32,
    },
    /// The first event does not describe the format.
    NoFormat {
        /// Type of the event.
        kind: EventKind,
    },
    /// The format has another version, header length or checksum than the ones known.
    UnknownFormat,
    /// An event of this type cannot stand here.
    OutOfPlace {
        /// Type of the event.
        kind: EventKind,
    },
    /// A transaction has another length than its GTID event says.
    TransactionLength {
        /// As its GTID event says, bytes.
        stated_bytes: u64,
        /// The sum of its events, bytes.
        seen_bytes: u64,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { event_bytes } => {
                write!(f, "no event can have a length of {event_bytes} bytes there")
            }
            Self::EndPosition { by_length, stated } => {
                write!(f, "the event ends at {by_length} by its length, and at {stated} by its position")
            }
            Self::Checksum { kind } => write!(f, "the checksum of the {kind} event is wrong"),
            Self::Malformed { kind } => write!(f, "the {kind} event does not have the form of its type"),
            Self::TooLong { kind, event_bytes } => {
                write!(f, "the {kind} event has {event_bytes} bytes, more than are read of this type")
            }
            Self::NoFormat { kind } => {
                write!(f, "the first event is {kind}, where Format_description was expected")
            }
            Self::UnknownFormat => f.write_str("the format is none that MySQL 8.0 to 9.7 writes"),
            Self::OutOfPlace { kind } => write!(f, "a {kind} event cannot stand here"),
            Self::TransactionLength { stated_bytes, seen_bytes } => {
                write!(f, "the transaction has {seen_bytes} bytes, and {stated_bytes} by its Gtid event")
            }
        }
    }
}
