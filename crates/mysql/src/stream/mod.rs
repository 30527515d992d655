//! Copying a server's data by stream: the programs of xtrabackup and mariabackup, run as they are documented.
//!
//! | on | what | by |
//! |---|---|---|
//! | both hosts | which programs are there, and of which version | [`find_kit`] |
//! | the donor's | the backup as a stream of bytes | [`Give`] |
//! | the recipient's | the stream unpacked into a folder | [`Take`] |
//! | the recipient's | the copy's own log applied to it | [`prepare_copy`] |
//! | the recipient's | what the copy has, and a data folder that a server starts on | [`read_position`], [`make_whole`] |
//!
//! A program counts as done only when it has ended with 0 *and* its last word is that it is (`completed OK!`): its authors
//! say that no other output means success. Each runs in a process group of its own, which is ended when its handle is
//! dropped, when nothing moves for [`StreamLimits::idle`], and when the agent dies.

mod child;
mod error;
mod give;
mod kit;
mod option_file;
mod owner;
mod position;
mod prepare;
mod take;
mod whole;

pub use child::end_marked;
pub use error::StreamError;
pub use give::{Give, GiveOrder, forget_given};
pub use kit::{Kit, Tool, find_kit};
pub use owner::give_to_server;
pub use position::{CopyPosition, read_position};
pub use prepare::{memory_bytes, prepare_copy};
pub use take::Take;
pub use whole::{make_whole, tidy_copy};

use std::time::Duration;

/// How long parts of a stream may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLimits {
    /// Ends a program that neither gives nor takes a byte for so long.
    pub idle: Duration,
    /// How long a program may take to end once its stream is over.
    pub ends_within: Duration,
    /// Ends a preparation that says nothing for so long: it reports its progress as it goes.
    pub prepare_silence: Duration,
    /// All of the copying, and all of the preparing.
    pub total: Duration,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(60),
            ends_within: Duration::from_secs(120),
            prepare_silence: Duration::from_secs(1800),
            total: Duration::from_secs(86_400),
        }
    }
}
