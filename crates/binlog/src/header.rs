//! The 19 bytes in front of every event.

use std::fmt;

use crate::bytes::Bytes;

/// Length of the header of an event, bytes.
pub(crate) const HEADER_BYTES: usize = 19;

/// Flag of the format description event: the server has the file open, or died with it open.
pub(crate) const FLAG_IN_USE: u16 = 0x1;

/// The header of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: EventKind,
    /// Of the server that made the event.
    pub(crate) server_id: u32,
    /// Of the whole event with header and checksum, bytes.
    pub(crate) event_bytes: u32,
    /// Offset of the end of the event in the file for which it was made, its lower 32 bits: in a relay log that is
    /// the source's file. 0 in events that are in no file of the source.
    pub(crate) end_position: u32,
    pub(crate) flags: u16,
}

impl Header {
    pub(crate) fn of(raw: &[u8; HEADER_BYTES]) -> Option<Self> {
        let mut bytes = Bytes(raw);
        let _created_s = bytes.u32()?;
        Some(Self {
            kind: EventKind(bytes.u8()?),
            server_id: bytes.u32()?,
            event_bytes: bytes.u32()?,
            end_position: bytes.u32()?,
            flags: bytes.u16()?,
        })
    }
}

/// The type code of an event.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EventKind(pub u8);

impl EventKind {
    pub(crate) const QUERY: Self = Self(2);
    pub(crate) const STOP: Self = Self(3);
    pub(crate) const ROTATE: Self = Self(4);
    pub(crate) const INTVAR: Self = Self(5);
    pub(crate) const APPEND_BLOCK: Self = Self(9);
    pub(crate) const RAND: Self = Self(13);
    pub(crate) const USER_VAR: Self = Self(14);
    pub(crate) const FORMAT: Self = Self(15);
    pub(crate) const XID: Self = Self(16);
    pub(crate) const BEGIN_LOAD: Self = Self(17);
    pub(crate) const EXECUTE_LOAD: Self = Self(18);
    pub(crate) const TABLE_MAP: Self = Self(19);
    pub(crate) const DELETE_ROWS_OLD: Self = Self(25);
    pub(crate) const INCIDENT: Self = Self(26);
    pub(crate) const WRITE_ROWS: Self = Self(30);
    pub(crate) const DELETE_ROWS: Self = Self(32);
    pub(crate) const GTID: Self = Self(33);
    pub(crate) const ANONYMOUS_GTID: Self = Self(34);
    pub(crate) const PREVIOUS_GTIDS: Self = Self(35);
    pub(crate) const VIEW_CHANGE: Self = Self(37);
    pub(crate) const XA_PREPARE: Self = Self(38);
    pub(crate) const PARTIAL_UPDATE_ROWS: Self = Self(39);
    pub(crate) const PAYLOAD: Self = Self(40);
    pub(crate) const TAGGED_GTID: Self = Self(42);
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match *self {
            Self::QUERY => "Query",
            Self::STOP => "Stop",
            Self::ROTATE => "Rotate",
            Self::FORMAT => "Format_description",
            Self::XID => "Xid",
            Self::INCIDENT => "Incident",
            Self::GTID => "Gtid",
            Self::ANONYMOUS_GTID => "Anonymous_gtid",
            Self::PREVIOUS_GTIDS => "Previous_gtids",
            Self::XA_PREPARE => "XA_prepare",
            Self::PAYLOAD => "Transaction_payload",
            Self::TAGGED_GTID => "Gtid_tagged",
            Self(code) => return write!(f, "type {code}"),
        };
        f.write_str(name)
    }
}

impl fmt::Debug for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
