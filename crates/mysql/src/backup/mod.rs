//! Backups: a copy of a node's data that was proved by a server before it got its name, with a manifest of what it is.
//!
//! | file | what |
//! |---|---|
//! | `manifest.json` | [`Manifest`]: where it came from, its GTID position, every file with length and SHA-256 |
//! | `manifest.json.sha256` | the manifest's own SHA-256, in the form that `sha256sum -c` reads |
//! | `data/` | the data folder: recovered and shut down in order, so it starts without recovery |
//!
//! A backup is made in `NAME.incomplete`, and renamed when all of it is on disk: what bears its name is whole.

mod check;
mod files;
mod manifest;
mod pages;
mod restore;
mod take;

pub use check::BackupRoom;
pub use manifest::{BackupFile, BackupOrigin, Manifest};
pub use restore::{check_backup, copy_backup, read_backup};
pub use take::{BackupOrder, BackupPhase, BackupProgress, abandon_backup, check_backup_target, take_backup};

/// The data folder in a backup.
const DATA: &str = "data";
/// The manifest.
const MANIFEST: &str = "manifest.json";
/// Its checksum.
const MANIFEST_SUM: &str = "manifest.json.sha256";
