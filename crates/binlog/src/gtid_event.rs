//! The three events with which a transaction begins.

use xenon_gtid::{Gtid, NUMBER_MAX, TAG_CHARS_MAX, Tag, Uuid};

use crate::bytes::Bytes;

/// The longest of them that is read, bytes: they have less than 200, and room for later fields is left.
pub(crate) const GTID_BYTES_MAX: u32 = 16 * 1024;

/// What is read of such an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GtidEvent {
    /// `None` when the transaction has none (`gtid_mode=OFF`).
    pub(crate) gtid: Option<Gtid>,
    /// When the first server committed it, microseconds since 1970; 0 if unknown.
    pub(crate) original_commit_us: u64,
    /// All events of the transaction together, this one included, bytes; 0 if unknown.
    pub(crate) transaction_bytes: u64,
}

/// Set in the first of two commit times when the second follows.
const TWO_TIMES: u64 = 1 << 55;

/// The value of the type of the logical clock since 5.7; without it nothing follows it.
const LOGICAL_CLOCK: u8 = 2;

/// Reads the body of a Gtid event, or of an Anonymous_gtid event. `None` when it is malformed.
pub(crate) fn read(body: &[u8], anonymous: bool) -> Option<GtidEvent> {
    let mut bytes = Bytes(body);
    let _flags = bytes.u8()?;
    let uuid = Uuid::from_bytes(bytes.array()?);
    let number = bytes.u64()?;
    let gtid = match anonymous {
        true => None,
        false => Some(Gtid::untagged(uuid, in_range(number)?)),
    };
    let unknown = GtidEvent { gtid, original_commit_us: 0, transaction_bytes: 0 };
    if bytes.is_empty() || bytes.u8()? != LOGICAL_CLOCK {
        return Some(unknown);
    }
    bytes.take(16)?;
    if bytes.is_empty() {
        return Some(unknown);
    }
    let time = bytes.number(7)?;
    let original_commit_us = if time & TWO_TIMES == 0 { time } else { bytes.number(7)? };
    let transaction_bytes = if bytes.is_empty() { 0 } else { bytes.packed()? };
    Some(GtidEvent { gtid, original_commit_us, transaction_bytes })
}

/// Numbers of the fields of a tagged event, in the order in which they stand there.
mod field {
    pub(super) const FLAGS: u64 = 0;
    pub(super) const UUID: u64 = 1;
    pub(super) const NUMBER: u64 = 2;
    pub(super) const TAG: u64 = 3;
    pub(super) const LAST_COMMITTED: u64 = 4;
    pub(super) const SEQUENCE_NUMBER: u64 = 5;
    pub(super) const IMMEDIATE_COMMIT: u64 = 6;
    pub(super) const ORIGINAL_COMMIT: u64 = 7;
    pub(super) const TRANSACTION_BYTES: u64 = 8;
}

/// The only version of the serialization form so far.
const SERIALIZATION_VERSION: u64 = 1;

/// Reads the body of a Gtid_tagged event, which is one message of MySQL's serialization library. `None` when it is
/// malformed, or when it has a field that may not be passed over and that is not known here.
pub(crate) fn read_tagged(body: &[u8]) -> Option<GtidEvent> {
    let mut bytes = Bytes(body);
    if bytes.varying()? != SERIALIZATION_VERSION || bytes.varying()? != u64::try_from(body.len()).ok()? {
        return None;
    }
    let _last_that_must_be_known = bytes.varying()?;
    let (mut uuid, mut number, mut tag) = (None, None, None);
    let (mut immediate_us, mut original_us, mut transaction_bytes) = (0, None, 0);
    let mut least = 0;
    while !bytes.is_empty() {
        let id = bytes.varying()?;
        if id < least {
            return None;
        }
        least = id + 1;
        match id {
            field::FLAGS => drop(bytes.varying()?),
            field::UUID => uuid = Some(varying_uuid(&mut bytes)?),
            field::NUMBER => number = Some(u64::try_from(bytes.varying_signed()?).ok()?),
            field::TAG => tag = Some(read_tag(&mut bytes)?),
            field::LAST_COMMITTED | field::SEQUENCE_NUMBER => drop(bytes.varying_signed()?),
            field::IMMEDIATE_COMMIT => immediate_us = bytes.varying()?,
            field::ORIGINAL_COMMIT => original_us = Some(bytes.varying()?),
            field::TRANSACTION_BYTES => transaction_bytes = bytes.varying()?,
            // Versions and the ticket of the commit group follow, and whatever later servers add; lengths of fields
            // are not written, so what follows an unknown one cannot be read, and is not needed.
            _ => break,
        }
    }
    let gtid = Gtid { uuid: uuid?, tag: tag?, number: in_range(number?)? };
    Some(GtidEvent {
        gtid: Some(gtid),
        original_commit_us: original_us.unwrap_or(immediate_us),
        transaction_bytes,
    })
}

/// Each byte is a number by itself there.
fn varying_uuid(bytes: &mut Bytes<'_>) -> Option<Uuid> {
    let mut uuid = [0; 16];
    for byte in &mut uuid {
        *byte = u8::try_from(bytes.varying()?).ok()?;
    }
    Some(Uuid::from_bytes(uuid))
}

/// A tag with its length in front. Length 0 is a GTID without one.
pub(crate) fn read_tag(bytes: &mut Bytes<'_>) -> Option<Option<Tag>> {
    let count = usize::try_from(bytes.varying()?).ok()?;
    if count == 0 {
        return Some(None);
    }
    if count > TAG_CHARS_MAX {
        return None;
    }
    let text = std::str::from_utf8(bytes.take(count)?).ok()?;
    let tag: Tag = text.parse().ok()?;
    // What is read as text may have spaces and capitals; what a server writes has not.
    (tag.as_str() == text).then_some(Some(tag))
}

fn in_range(number: u64) -> Option<u64> {
    (1..=NUMBER_MAX).contains(&number).then_some(number)
}
