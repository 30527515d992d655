//! Where transactions begin and end, event by event.

use xenon_gtid::Gtid;

use crate::gtid_event::GtidEvent;
use crate::header::{EventKind, Header};
use crate::query::Query;
use crate::transaction::{Transaction, TransactionKind};
use crate::{Damage, LogKind};

/// What an event means for the transaction around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A transaction begins.
    Gtid(GtidEvent),
    Query(Query),
    /// The engine's commit.
    Xid,
    /// The end of the first half of a distributed transaction; in one phase it is a commit.
    XaPrepare {
        one_phase: bool,
    },
    /// A whole transaction in one compressed event.
    Payload,
    /// Values for the statement that follows.
    BeforeStatement,
    /// Part of a transaction that has begun.
    Part,
    Incident,
    /// Of the file and not of a transaction.
    OfFile,
    /// Of a type that is passed over wherever it stands.
    Passed,
}

/// An event, and where it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    pub(crate) header: Header,
    pub(crate) start: u64,
    pub(crate) piece: Piece,
}

/// Follows the events of one file.
#[derive(Debug)]
pub(crate) struct Boundary {
    log: LogKind,
    open: Option<Open>,
}

/// A transaction that has begun and not ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Open {
    gtid: GtidEvent,
    pub(crate) start: u64,
    server_id: u32,
    /// The sum of its events so far.
    seen_bytes: u64,
    /// End of its last event in the source's file, lower 32 bits.
    end_position: u32,
    /// BEGIN or XA START was read.
    begun: bool,
    /// Something stands between BEGIN and its end.
    has_content: bool,
}

impl Open {
    pub(crate) fn gtid(&self) -> Option<Gtid> {
        self.gtid.gtid
    }

    /// An event with this header continues it: the source wrote them without a gap.
    pub(crate) fn is_continued_by(&self, header: &Header) -> bool {
        let seen_bytes = self.seen_bytes + u64::from(header.event_bytes);
        header.end_position == self.end_position.wrapping_add(header.event_bytes)
            && (self.gtid.transaction_bytes == 0 || seen_bytes <= self.gtid.transaction_bytes)
    }
}

impl Boundary {
    pub(crate) fn new(log: LogKind) -> Self {
        Self { log, open: None }
    }

    /// The transaction that has begun and not ended.
    pub(crate) fn open(&self) -> Option<&Open> {
        self.open.as_ref()
    }

    /// Takes the next event; the transaction that it completes, if it does.
    pub(crate) fn step(&mut self, event: &Event) -> Result<Option<Transaction>, Damage> {
        if let Piece::Gtid(gtid) = event.piece {
            self.begin(event, gtid)?;
            return Ok(None);
        }
        if matches!(event.piece, Piece::OfFile | Piece::Passed) {
            return self.beside(event).map(|()| None);
        }
        let out_of_place = Err(Damage::OutOfPlace { kind: event.header.kind });
        let Some(mut open) = self.open else { return out_of_place };
        open.seen_bytes += u64::from(event.header.event_bytes);
        open.end_position = event.header.end_position;

        let ended = match (open.begun, event.piece) {
            (false, Piece::Query(Query::Begin | Query::XaStart)) => {
                open.begun = true;
                None
            }
            (false, Piece::Query(Query::XaCommit)) => Some(TransactionKind::XaCommit),
            (_, Piece::Query(Query::XaRollback)) => Some(TransactionKind::XaRollback),
            (false, Piece::Query(Query::Statement { .. })) => Some(TransactionKind::Ddl),
            (false, Piece::Payload) => Some(TransactionKind::Dml),
            (true, Piece::Query(Query::Commit | Query::Rollback)) if !open.has_content => {
                Some(TransactionKind::Empty)
            }
            (true, Piece::Query(Query::Commit | Query::Rollback) | Piece::Xid) => Some(TransactionKind::Dml),
            (true, Piece::XaPrepare { one_phase: true }) => Some(TransactionKind::Dml),
            (true, Piece::XaPrepare { one_phase: false }) => Some(TransactionKind::XaPrepare),
            (true, Piece::Query(Query::Statement { .. }) | Piece::Part | Piece::BeforeStatement) => {
                open.has_content = true;
                None
            }
            (false, Piece::BeforeStatement) => None,
            (_, Piece::Incident) => Some(TransactionKind::Incident),
            _ => return out_of_place,
        };
        match ended {
            None => {
                self.open = Some(open);
                Ok(None)
            }
            Some(kind) => self.end(event, open, kind).map(Some),
        }
    }

    fn begin(&mut self, event: &Event, gtid: GtidEvent) -> Result<(), Damage> {
        // A receiver that was cut off in the middle of a transaction gets it once more from its beginning; what it had
        // of it stays in the relay log. A server never does so in its own binary log.
        if self.open.is_some() && self.log == LogKind::Binlog {
            return Err(Damage::OutOfPlace { kind: event.header.kind });
        }
        self.open = Some(Open {
            gtid,
            start: event.start,
            server_id: event.header.server_id,
            seen_bytes: u64::from(event.header.event_bytes),
            end_position: event.header.end_position,
            begun: false,
            has_content: false,
        });
        Ok(())
    }

    /// An event that is not part of the transaction, though it may stand between its events.
    fn beside(&mut self, event: &Event) -> Result<(), Damage> {
        let Some(open) = &mut self.open else { return Ok(()) };
        match (event.piece, self.log) {
            (Piece::Passed, _) => {
                open.seen_bytes += u64::from(event.header.event_bytes);
                open.end_position = event.header.end_position;
                Ok(())
            }
            // What the receiver writes when it connects again. What follows is the transaction's beginning once more.
            (_, LogKind::Relay) => Ok(()),
            (_, LogKind::Binlog) => Err(Damage::OutOfPlace { kind: event.header.kind }),
        }
    }

    fn end(&mut self, event: &Event, open: Open, kind: TransactionKind) -> Result<Transaction, Damage> {
        let stated_bytes = open.gtid.transaction_bytes;
        if stated_bytes != 0 && stated_bytes != open.seen_bytes {
            return Err(Damage::TransactionLength { stated_bytes, seen_bytes: open.seen_bytes });
        }
        self.open = None;
        Ok(Transaction {
            gtid: open.gtid.gtid,
            kind,
            in_two_phases: is_in_two_phases(kind, event.piece),
            compressed: event.piece == Piece::Payload,
            start: open.start,
            end: event.start + u64::from(event.header.event_bytes),
            server_id: open.server_id,
            original_commit_us: open.gtid.original_commit_us,
        })
    }
}

/// By its last event: see [`Transaction::in_two_phases`].
fn is_in_two_phases(kind: TransactionKind, last: Piece) -> bool {
    match kind {
        // Nothing was done in the engine.
        TransactionKind::Empty => true,
        TransactionKind::Ddl => matches!(last, Piece::Query(Query::Statement { undone: true })),
        // Without an XID it ends with a COMMIT that means nothing to the engine. The server compresses nothing that tables
        // without transactions have part in.
        TransactionKind::Dml => {
            matches!(last, Piece::Xid | Piece::Payload | Piece::XaPrepare { one_phase: true })
        }
        // The first half is undone as a whole; without the second half the first one stays prepared, as it does where the
        // second half never came (seen on 9.7.4).
        TransactionKind::XaPrepare | TransactionKind::XaCommit | TransactionKind::XaRollback => true,
        TransactionKind::Incident => false,
    }
}

/// What an event of this type is to the transaction, as far as the type alone tells.
pub(crate) fn piece_of(kind: EventKind) -> Piece {
    match kind {
        EventKind::STOP | EventKind::ROTATE | EventKind::FORMAT | EventKind::PREVIOUS_GTIDS => Piece::OfFile,
        EventKind::INTVAR | EventKind::RAND | EventKind::USER_VAR => Piece::BeforeStatement,
        EventKind::XID => Piece::Xid,
        EventKind::PAYLOAD => Piece::Payload,
        EventKind::INCIDENT => Piece::Incident,
        EventKind::APPEND_BLOCK
        | EventKind::BEGIN_LOAD
        | EventKind::EXECUTE_LOAD
        | EventKind::VIEW_CHANGE
        | EventKind::PARTIAL_UPDATE_ROWS => Piece::Part,
        EventKind(code) if (EventKind::TABLE_MAP.0..=EventKind::DELETE_ROWS_OLD.0).contains(&code) => {
            Piece::Part
        }
        EventKind(code) if (EventKind::WRITE_ROWS.0..=EventKind::DELETE_ROWS.0).contains(&code) => {
            Piece::Part
        }
        _ => Piece::Passed,
    }
}
