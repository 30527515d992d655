//! From bytes to transactions.

use xenon_gtid::GtidSet;

use crate::LogKind;
use crate::boundary::{Boundary, Event, Piece, piece_of};
use crate::end::{End, Tear, TearKind};
use crate::error::{Damage, ScanError};
use crate::format::{self, FORMAT_BYTES_MAX, Format};
use crate::frame::{CHECKSUM_BYTES, Frame, HeaderBytes, trailing_zeros};
use crate::gtid_event::{self, GTID_BYTES_MAX};
use crate::header::{EventKind, FLAG_IN_USE, HEADER_BYTES, Header};
use crate::previous::{self, PREVIOUS_BYTES_MAX};
use crate::query;
use crate::transaction::Transaction;

/// The first bytes of a log file.
const MAGIC: [u8; 4] = [0xfe, b'b', b'i', b'n'];

/// The first bytes of an encrypted one.
const MAGIC_ENCRYPTED: [u8; 4] = [0xfd, b'b', b'i', b'n'];

/// What a disk writes or does not write as a whole, bytes: the smallest sector there is.
const SECTOR_BYTES: u64 = 512;

/// The longest event that may stand outside of a transaction at a torn end of a relay log, bytes: Rotate has the name of
/// a file, the others less. Small, since a damaged length that points past the end of the file looks like a tear.
const SMALL_EVENT_BYTES_MAX: u32 = 640;

/// Reads one file, in pieces of any size.
///
/// Memory is bounded: what is kept is the sets, and at most one event of the few types whose bodies are read (the
/// largest, Previous_gtids, up to 32 MiB, and never more than has come).
#[derive(Debug)]
pub struct Scan {
    log: LogKind,
    file_bytes: u64,
    /// Offset of the next byte to come.
    at: u64,
    magic: Vec<u8>,
    state: State,
    format: Option<Format>,
    in_use: bool,
    previous: Option<GtidSet>,
    complete: GtidSet,
    transactions: u64,
    boundary: Boundary,
    /// End of the last event behind which no transaction is open.
    whole_until: u64,
    /// The last event was the server's last word in this file.
    closed: bool,
}

#[derive(Debug)]
enum State {
    Header(HeaderBytes),
    Body(Box<Frame>),
    /// The tail is torn at the event that begins here; what follows does not matter.
    Torn(u64),
    /// This is damage if a byte follows that is not zero, else the zeros of a torn tail.
    Zeros(u64, Damage),
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// All GTIDs of the files before it; `None` when the file ends before it says so (it had just been created).
    pub previous: Option<GtidSet>,
    /// The GTIDs of its complete transactions.
    pub complete: GtidSet,
    /// The number of its complete transactions, with and without GTID.
    pub transactions: u64,
    /// The server has it open, or died with it open (`LOG_EVENT_BINLOG_IN_USE_F`). Relay logs never say so.
    pub in_use: bool,
    /// Version of the server that wrote it; `None` when the file ends before it says so.
    pub server_version: Option<String>,
    /// How it ends.
    pub end: End,
    /// End of the last complete transaction, or of the events of the file itself if these come later: where to cut off
    /// what is torn. Bytes from the start of the file; 0 when not even its first four are there.
    pub whole_until: u64,
}

impl Summary {
    /// Everything that the log holds up to and with this file.
    #[must_use]
    pub fn all(&self) -> GtidSet {
        match &self.previous {
            Some(previous) => previous.union(&self.complete),
            None => self.complete.clone(),
        }
    }
}

/// Scans a file that is in memory as a whole; `each` gets every complete transaction, in the order of the file.
///
/// # Errors
/// When the bytes are damaged or no log: see [`ScanError`]. A torn tail is none.
pub fn scan(log: LogKind, bytes: &[u8], each: impl FnMut(&Transaction)) -> Result<Summary, ScanError> {
    let mut scan = Scan::new(log, bytes.len() as u64);
    scan.feed(bytes, each)?;
    scan.finish()
}

impl Scan {
    /// Begins with a file of this length. It must be that of the file as a whole: it is what a torn tail is told by.
    #[must_use]
    pub fn new(log: LogKind, file_bytes: u64) -> Self {
        Self {
            log,
            file_bytes,
            at: 0,
            magic: Vec::new(),
            state: State::Header(HeaderBytes::default()),
            format: None,
            in_use: false,
            previous: None,
            complete: GtidSet::new(),
            transactions: 0,
            boundary: Boundary::new(log),
            whole_until: 0,
            closed: false,
        }
    }

    /// All GTIDs of the files before this one, as soon as they have been read: soon after the beginning.
    #[must_use]
    pub fn previous(&self) -> Option<&GtidSet> {
        self.previous.as_ref()
    }

    /// Takes the next bytes of the file; `each` gets every transaction that they complete.
    ///
    /// # Errors
    /// When the bytes are damaged or no log. Nothing more is to be fed then.
    pub fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(&Transaction)) -> Result<(), ScanError> {
        let end = self.at.saturating_add(bytes.len() as u64);
        if end > self.file_bytes {
            return Err(ScanError::Grew { promised_bytes: self.file_bytes, seen_bytes: end });
        }
        let mut left = bytes;
        self.take_magic(&mut left)?;
        while !left.is_empty() {
            self.at = end - left.len() as u64;
            match &mut self.state {
                State::Torn(_) => break,
                State::Zeros(offset, damage) => {
                    if left.iter().any(|byte| *byte != 0) {
                        return Err(ScanError::Corrupt { offset: *offset, damage: *damage });
                    }
                    break;
                }
                State::Header(partial) => {
                    let start = self.at - partial.filled() as u64;
                    if let Some(raw) = partial.fill(&mut left) {
                        self.state = self.on_header(start, &raw)?;
                    }
                }
                State::Body(frame) => {
                    if frame.fill(&mut left) {
                        self.take_frame(&mut each)?;
                    }
                }
            }
            // An event without a body is complete with its header.
            if let State::Body(frame) = &mut self.state
                && frame.fill(&mut &[][..])
            {
                self.take_frame(&mut each)?;
            }
        }
        self.at = end;
        Ok(())
    }

    /// Says what the file holds, when all of its bytes have been fed.
    ///
    /// # Errors
    /// When fewer bytes came than were promised.
    pub fn finish(self) -> Result<Summary, ScanError> {
        if self.at < self.file_bytes {
            return Err(ScanError::Shrank { promised_bytes: self.file_bytes, seen_bytes: self.at });
        }
        let open = self.boundary.open();
        let torn = |at, kind| End::Torn(Tear { at, kind, incomplete: open.and_then(|open| open.gtid()) });
        let end = match &self.state {
            _ if self.magic.len() < MAGIC.len() => torn(0, TearKind::Event),
            State::Torn(at) => torn(*at, TearKind::Event),
            State::Zeros(at, _) => torn(*at, TearKind::Zeros),
            State::Body(frame) => torn(frame.start, TearKind::Event),
            State::Header(partial) if partial.filled() > 0 => {
                torn(self.at - partial.filled() as u64, TearKind::Event)
            }
            State::Header(_) if open.is_some() => torn(self.at, TearKind::Transaction),
            State::Header(_) if self.closed => End::Closed,
            State::Header(_) => End::Whole,
        };
        Ok(Summary {
            previous: self.previous,
            complete: self.complete,
            transactions: self.transactions,
            in_use: self.in_use,
            server_version: self.format.map(|format| format.server_version),
            end,
            whole_until: self.whole_until,
        })
    }

    fn take_magic(&mut self, left: &mut &[u8]) -> Result<(), ScanError> {
        while self.magic.len() < MAGIC.len() {
            let Some((byte, rest)) = left.split_first() else { return Ok(()) };
            self.magic.push(*byte);
            *left = rest;
            let begins = |magic: &[u8]| magic.starts_with(&self.magic);
            if self.magic == MAGIC_ENCRYPTED {
                return Err(ScanError::Encrypted);
            }
            // A file of zeros is one whose creation never reached the disk.
            if self.magic == [0; 4] {
                self.state = State::Zeros(0, Damage::UnknownFormat);
                return Ok(());
            }
            if !begins(&MAGIC) && !begins(&MAGIC_ENCRYPTED) && !begins(&[0; 4]) {
                let mut found = [0; 4];
                found.iter_mut().zip(self.magic.iter().chain(left.iter())).for_each(|(to, from)| *to = *from);
                return Err(ScanError::NotALog { found });
            }
        }
        if self.magic == MAGIC {
            self.whole_until = self.whole_until.max(MAGIC.len() as u64);
        }
        Ok(())
    }

    /// Checks a header; what comes next.
    fn on_header(&mut self, start: u64, raw: &[u8; HEADER_BYTES]) -> Result<State, ScanError> {
        let header_end = start + HEADER_BYTES as u64;
        let zeros = trailing_zeros(raw);
        let Some(header) = Header::of(raw) else {
            return suspect(start, header_end, zeros, Damage::UnknownFormat);
        };
        let kind = header.kind;
        let checksummed =
            kind == EventKind::FORMAT || self.format.as_ref().is_some_and(|format| format.checksummed);
        let least_bytes = HEADER_BYTES as u32 + if checksummed { CHECKSUM_BYTES } else { 0 };
        let end = start + u64::from(header.event_bytes);
        // Only the lower half is in the header, as in the server's own files above 4 GiB.
        let by_length = (end & u64::from(u32::MAX)) as u32;
        let damage = if header.event_bytes < least_bytes {
            Some(Damage::Length { event_bytes: header.event_bytes })
        } else if self.log == LogKind::Binlog && header.end_position != by_length {
            Some(Damage::EndPosition { by_length, stated: header.end_position })
        } else if self.format.is_none() && kind != EventKind::FORMAT {
            Some(Damage::NoFormat { kind })
        } else {
            None
        };
        if let Some(damage) = damage {
            return suspect(start, header_end, zeros, damage);
        }
        if header.event_bytes > bytes_max(kind) {
            let damage = Damage::TooLong { kind, event_bytes: header.event_bytes };
            return suspect(start, header_end, zeros, damage);
        }
        if end > self.file_bytes {
            // A damaged length in the middle looks like this, too: then the rest of the header does not fit to it.
            if self.log == LogKind::Relay && !self.fits_a_torn_relay_log(&header, by_length) {
                return suspect(start, header_end, zeros, Damage::Length { event_bytes: header.event_bytes });
            }
            return Ok(State::Torn(start));
        }
        let raw = if kind == EventKind::FORMAT { format::header_as_checksummed(raw) } else { *raw };
        Ok(State::Body(Box::new(Frame::new(header, &raw, start, checksummed, kept_max(kind)))))
    }

    /// The header could be that of the event that was being written. Positions in it are those of the source's file, but
    /// they follow one another without a gap within a transaction.
    fn fits_a_torn_relay_log(&self, header: &Header, by_length: u32) -> bool {
        match self.boundary.open() {
            Some(open) if open.is_continued_by(header) => true,
            _ if header.kind == EventKind::PREVIOUS_GTIDS => header.end_position == by_length,
            _ => header.event_bytes <= SMALL_EVENT_BYTES_MAX && piece_begins(header.kind),
        }
    }

    /// The frame in hand is complete.
    fn take_frame(&mut self, each: &mut impl FnMut(&Transaction)) -> Result<(), ScanError> {
        let State::Body(frame) = std::mem::replace(&mut self.state, State::Header(HeaderBytes::default()))
        else {
            return Ok(());
        };
        let kind = frame.header.kind;
        let wrong = |damage| suspect(frame.start, frame.end(), frame.trailing_zeros, damage);
        if !frame.is_intact() {
            self.state = wrong(Damage::Checksum { kind })?;
            return Ok(());
        }
        let Some(piece) = self.read_body(&frame) else {
            let damage =
                if kind == EventKind::FORMAT { Damage::UnknownFormat } else { Damage::Malformed { kind } };
            self.state = wrong(damage)?;
            return Ok(());
        };
        let corrupt = |damage| ScanError::Corrupt { offset: frame.start, damage };
        if !self.may_stand_here(&frame, piece) {
            return Err(corrupt(Damage::OutOfPlace { kind }));
        }
        let event = Event { header: frame.header, start: frame.start, piece };
        if let Some(transaction) = self.boundary.step(&event).map_err(corrupt)? {
            self.complete.extend(transaction.gtid);
            self.transactions += 1;
            each(&transaction);
        }
        self.closed = kind == EventKind::STOP
            || kind == EventKind::ROTATE
                && u64::from(frame.header.end_position) == frame.end() & u64::from(u32::MAX);
        if self.boundary.open().is_none() {
            self.whole_until = frame.end();
        }
        Ok(())
    }

    /// What the event is, with what it says of the file noted.
    fn read_body(&mut self, frame: &Frame) -> Option<Piece> {
        let body = frame.kept.as_slice();
        let kind = frame.header.kind;
        match kind {
            EventKind::FORMAT => {
                let format = format::read(body)?;
                if self.format.is_none() {
                    self.in_use = frame.header.flags & FLAG_IN_USE != 0;
                    self.format = Some(format);
                } else if let Some(ours) = &mut self.format {
                    // The source's, in a relay log: it rules how events are read, and says nothing of this server.
                    ours.checksummed = format.checksummed;
                }
            }
            // A later one in a relay log would be the source's.
            EventKind::PREVIOUS_GTIDS if self.previous.is_none() => {
                self.previous = Some(previous::read(body)?)
            }
            EventKind::GTID => return gtid_event::read(body, false).map(Piece::Gtid),
            EventKind::ANONYMOUS_GTID => return gtid_event::read(body, true).map(Piece::Gtid),
            EventKind::TAGGED_GTID => return gtid_event::read_tagged(body).map(Piece::Gtid),
            EventKind::QUERY => return query::read(body).map(Piece::Query),
            EventKind::XA_PREPARE => return Some(Piece::XaPrepare { one_phase: *body.first()? != 0 }),
            _ => {}
        }
        Some(piece_of(kind))
    }

    /// The rules for files: the set of what came before stands in front of all transactions; a binary log has one
    /// description of its format, and one such set.
    fn may_stand_here(&self, frame: &Frame, piece: Piece) -> bool {
        let is_first = frame.start == MAGIC.len() as u64;
        match piece {
            Piece::OfFile if self.log == LogKind::Relay => true,
            Piece::OfFile if frame.header.kind == EventKind::FORMAT => is_first,
            Piece::OfFile if frame.header.kind == EventKind::PREVIOUS_GTIDS => self.transactions == 0,
            Piece::OfFile | Piece::Passed => true,
            _ => self.previous.is_some(),
        }
    }
}

/// Something is wrong with the event at `start`. If it ends (`checked_until`) in zeros that no write left, all depends
/// on what follows; else it is damage.
fn suspect(start: u64, checked_until: u64, zeros: u64, damage: Damage) -> Result<State, ScanError> {
    let zeros_from = checked_until.saturating_sub(zeros);
    let unwritten = zeros_from <= start || zeros_from.next_multiple_of(SECTOR_BYTES) < checked_until;
    match unwritten {
        true => Ok(State::Zeros(start, damage)),
        false => Err(ScanError::Corrupt { offset: start, damage }),
    }
}

/// The longest event of a type that is taken for one, bytes.
fn bytes_max(kind: EventKind) -> u32 {
    match kind {
        EventKind::FORMAT => FORMAT_BYTES_MAX,
        EventKind::PREVIOUS_GTIDS => PREVIOUS_BYTES_MAX,
        EventKind::GTID | EventKind::ANONYMOUS_GTID | EventKind::TAGGED_GTID => GTID_BYTES_MAX,
        _ => u32::MAX,
    }
}

/// How much of the body is kept, bytes.
fn kept_max(kind: EventKind) -> usize {
    match kind {
        EventKind::QUERY => query::KEPT_BYTES,
        EventKind::XA_PREPARE => 1,
        EventKind::FORMAT | EventKind::PREVIOUS_GTIDS => bytes_max(kind) as usize,
        EventKind::GTID | EventKind::ANONYMOUS_GTID | EventKind::TAGGED_GTID => bytes_max(kind) as usize,
        _ => 0,
    }
}

/// An event of this type may stand outside of a transaction in a relay log.
fn piece_begins(kind: EventKind) -> bool {
    matches!(kind, EventKind::GTID | EventKind::ANONYMOUS_GTID | EventKind::TAGGED_GTID | EventKind::ROTATE)
        || matches!(kind, EventKind::FORMAT | EventKind::STOP)
}
