//! The door to one MySQL server: dialects, probes with deadlines, the mysqld process.
//!
//! | to | go through |
//! |---|---|
//! | look at the server | [`Door::observe`] |
//! | see whether it still serves | [`Door::probe`] |
//! | change something | [`Door::control`], one at a time, then the methods of [`Control`] |
//! | make room in the binlog | [`Door::purge_binlogs`] |
//! | start, find, watch or end the process | [`Mysqld`] |
//! | cut off what only a dead primary has | [`binlog_tail_outside`], [`keep_tail`], [`Rewind`] |
//! | copy a server's data, prove a copy, put it in place | [`Door::clone_data`], [`Scratch`], [`Swap`] |
//! | copy by stream with xtrabackup or mariabackup | [`find_kit`], [`Give`], [`Take`], [`prepare_copy`], [`make_whole`] |
//! | make a backup, check it, bring it back | [`take_backup`], [`check_backup`], [`copy_backup`] |
//! | make, drop and list accounts, set variables | [`Door::create_account`], [`Door::set_globals`] |
//! | check a server's settings | [`Door::settings`], [`rights_at`] |
//! | know what a dead server has | [`Door::log_places`] while it lives, then [`position_on_disk`] |
//!
//! Nothing here decides: the plan decides, and this crate does what it is told within a deadline or says why not.

mod abandoned;
mod accounts;
mod backup;
mod check_up;
mod commits;
mod control;
mod copy;
mod dialect;
mod disk;
mod door;
mod error;
mod lag;
mod link;
mod literal;
mod look;
mod options;
mod places;
mod process;
mod purge;
mod quarantine;
mod session;
mod set_globals;
mod sleepers;
mod stream;
mod work;

pub use accounts::{AccountError, AccountRights, AccountRow};
pub use backup::{
    BackupFile, BackupOrder, BackupOrigin, BackupPhase, BackupProgress, BackupRoom, Manifest, abandon_backup,
    check_backup, check_backup_target, copy_backup, read_backup, take_backup,
};
pub use check_up::{ServerSettings, ServerThread, rights_at};
pub use control::{
    AccountState, Applied, Control, Ensured, Frozen, MarkerWritten, ReadOnlyOutcome, RescueFiles,
    SEMI_SYNC_TIMEOUT_MS,
};
pub use copy::{
    CloneFrom, CloneLimits, CloneOrder, Cloned, CopyError, CopyProgress, Donor, FolderFacts, Layout, LeftOut,
    LogsOutside, Scratch, ScratchOptions, ServerFacts, Swap, SwapState, WorkFolder, check_complete,
    clone_missing, folder_facts, own_like, strip_identity, sync_all,
};
pub use dialect::{Dialect, Family, ServerVersion, Words};
pub use disk::{
    BinlogTail, DiskError, DiskLimits, DiskPosition, FileRange, FileSeen, LogPlaces, OldData, REWIND_STEPS,
    Rewind, RewindError, binlog_tail_outside, keep_dropped, position_on_disk, relay_ranges,
};
pub use door::Door;
pub use error::SqlError;
pub use options::{DoorOptions, Secret};
pub use places::Places;
pub use process::{
    ExitRecord, ExitSeen, Mysqld, MysqldOptions, RestartDecision, RestartPolicy, SeenBy, StartError,
    find_mysqld, folder_of, mysqld_version,
};
pub use purge::Purged;
pub use quarantine::{
    Dropped, DroppedTransaction, QuarantineError, Summary as QuarantineSummary, keep_tail, kept_bytes,
    kind_in_words, quarantine_of,
};
pub use set_globals::{GlobalTo, GlobalValue};
pub use stream::{
    CopyPosition, Give, GiveOrder, Kit, StreamError, StreamLimits, Take, Tool, end_marked, find_kit,
    forget_given, give_to_server, make_whole, memory_bytes, prepare_copy, read_position, tidy_copy,
};
pub use xenon_binlog::Transaction as TailTransaction;
