//! GTID sets of MySQL: parse, print, compare.
//!
//! A GTID names one transaction for ever: `uuid:number`, or `uuid:tag:number` since MySQL 8.3. What a server has
//! executed or received is a set of them, and the whole of Xenon's safety is arithmetic on such sets: who has
//! everything that was acknowledged, what a failed primary has too many, how far the term markers go. This crate
//! is that arithmetic and nothing else: no IO, no clock, no randomness.
//!
//! ```
//! use xenon_gtid::GtidSet;
//!
//! let leader: GtidSet = "3E11FA47-71CA-11E1-9E33-C80AA9429562:1-5:7".parse()?;
//! let follower: GtidSet = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-4".parse()?;
//! assert!(leader.contains_set(&follower));
//! assert_eq!(leader.subtract(&follower).to_string(), "3e11fa47-71ca-11e1-9e33-c80aa9429562:5:7");
//! # Ok::<(), xenon_gtid::ParseError>(())
//! ```
//!
//! # What text is accepted
//!
//! What MySQL 9.7.4's `GTID_SUBSET` and `GTID_SUBTRACT` accept; `tests/server_oracle.rs` compares the two on
//! thousands of texts. In short:
//!
//! ```text
//! set      = item { "," item }                      items may be empty: ",,", "" and "  " are the empty set
//! item     = [ uuid { ":" ( tag | interval ) } ]    a tag holds for the intervals after it, until the next tag
//! interval = number [ "-" number ]                  "5-3" is an empty interval, no error
//! uuid     = 32 hex digits, with all 4 dashes or none, or with dashes in "{" and "}"
//! tag      = 1 to 32 of a-z 0-9 _, not a digit first
//! number   = decimal, 1 to 2^63-2 (the end of an interval may be 0)
//! ```
//!
//! White space (space, `\t`, `\n`, `\v`, `\f`, `\r`) may stand between all of these; letters may be of either case;
//! UUIDs, tags and intervals may repeat, overlap and come in any order. Servers before 9.7 read numbers as C does
//! (`010` is eight, `0x10` is sixteen, `+1` is one); nothing prints such text, and this crate follows 9.7.
//!
//! One text is refused here on purpose that 9.7.4 accepts: a letter outside ASCII within a tag. The server
//! reads past the end of a table there and prints a tag with bytes that are not UTF-8.

mod error;
mod gtid;
mod interval;
mod parse;
mod set;
mod tag;
mod text;
mod uuid;

pub use error::{ParseError, ParseErrorKind};
pub use gtid::{Gtid, NUMBER_MAX};
pub use parse::{INTERVALS_MAX, TEXT_BYTES_MAX};
pub use set::{GtidSet, SourceInterval};
pub use tag::{TAG_CHARS_MAX, Tag};
pub use uuid::Uuid;
