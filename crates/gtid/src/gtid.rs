//! One GTID.

use std::fmt;

use crate::tag::Tag;
use crate::uuid::Uuid;

/// The greatest number of a GTID: 2^63 - 2 (MySQL's `sequence_number_max_inclusive`). The least is 1.
pub const NUMBER_MAX: u64 = i64::MAX as u64 - 1;

/// The name of one transaction: `uuid:number` or `uuid:tag:number`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gtid {
    /// Where the transaction comes from.
    pub uuid: Uuid,
    /// The tag, since MySQL 8.3; numbers of each tag are counted apart.
    pub tag: Option<Tag>,
    /// 1 to [`NUMBER_MAX`]. Reading keeps to this range; a set takes no GTID outside of it.
    pub number: u64,
}

impl Gtid {
    /// The GTID without a tag: `uuid:number`.
    #[must_use]
    pub const fn untagged(uuid: Uuid, number: u64) -> Self {
        Gtid { uuid, tag: None, number }
    }
}

impl fmt::Display for Gtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tag {
            None => write!(f, "{}:{}", self.uuid, self.number),
            Some(tag) => write!(f, "{}:{tag}:{}", self.uuid, self.number),
        }
    }
}

impl fmt::Debug for Gtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
