//! Copying a server's data: CLONE, the scratch server that receives or proves a copy, facts of a copied folder, and the
//! swap of one data folder for another.
//!
//! | to | go through |
//! |---|---|
//! | copy all data of a server into a new folder | [`Door::clone_data`](crate::Door::clone_data) |
//! | receive a copy where the node's own mysqld cannot run | [`Scratch::start_empty`] |
//! | prove that a copy starts, and read its GTID set | [`Scratch::start_on`], then [`Scratch::facts`] |
//! | make a folder that is surely ours to remove | [`WorkFolder`] |
//! | put a copy in the place of the data folder, and undo it | [`Layout`], then [`Swap`] |
//!
//! Nothing here removes a data folder: [`Swap`] renames the old one, and [`WorkFolder::remove`] removes nothing that it
//! has not made (W4).

mod clone;
mod donor;
mod error;
mod facts;
mod layout;
mod progress;
mod scratch;
mod swap;
mod work_folder;

pub(crate) use facts::walk;
pub(crate) use scratch::blocking;
pub(crate) use work_folder::sync_folder;

pub use clone::{CloneFrom, CloneLimits, CloneOrder, Cloned, Donor};
pub use donor::{LeftOut, clone_missing};
pub use error::CopyError;
pub use facts::{FolderFacts, ServerFacts, check_complete, folder_facts, own_like, strip_identity, sync_all};
pub use layout::{Layout, LogsOutside};
pub use progress::CopyProgress;
pub use scratch::{Scratch, ScratchOptions};
pub use swap::{Swap, SwapState};
pub use work_folder::WorkFolder;
