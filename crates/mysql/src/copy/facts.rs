//! What a copied folder is: how large, whether all parts are there, whose, and what the server on it says.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use xenon_gtid::{GtidSet, Uuid};

use super::work_folder::sync_folder;
use super::{CopyError, Scratch};
use crate::link::text;
use crate::{Door, SqlError};

/// More files than this are no data folder that is handled here.
const FILES_MAX: u64 = 5_000_000;
/// How deep a data folder goes.
const DEPTH_MAX: u32 = 16;

/// How large a folder is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FolderFacts {
    /// Lengths of all files, bytes.
    pub bytes: u64,
    /// What they take of the disk, bytes: less with holes and shared blocks.
    pub bytes_on_disk: u64,
    /// Files, without folders.
    pub files: u64,
}

/// What a server on a copy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFacts {
    /// `@@version`.
    pub version: String,
    /// `@@gtid_executed`: the copy's position.
    pub executed: GtidSet,
    /// `@@server_uuid` of this very server; not that of the one that was copied.
    pub server_uuid: Option<Uuid>,
    /// `@@innodb_page_size`, bytes.
    pub page_bytes: u32,
    /// Tables of applications.
    pub tables: u64,
}

impl Scratch {
    /// What the server on the copy says.
    ///
    /// # Errors
    /// See [`CopyError`].
    pub async fn facts(&self, deadline: Duration) -> Result<ServerFacts, CopyError> {
        Ok(self.door().facts(deadline).await?)
    }
}

impl Door {
    /// What the server says of its data as a whole.
    ///
    /// # Errors
    /// See [`SqlError`].
    pub async fn facts(&self, deadline: Duration) -> Result<ServerFacts, SqlError> {
        server_facts(self, deadline).await
    }
}

async fn server_facts(door: &Door, deadline: Duration) -> Result<ServerFacts, SqlError> {
    let what = "asking mysqld what data it has";
    let sql = "SELECT @@version, @@global.gtid_executed, @@server_uuid, @@innodb_page_size, \
               (SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' \
               AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema'))";
    let rows = door.ask(what, sql, deadline).await?;
    let row = rows.first().ok_or_else(|| SqlError::decode(what, "no row"))?;
    let column = |index| text(row, index).unwrap_or_default();
    Ok(ServerFacts {
        version: column(0),
        executed: column(1).parse().map_err(|_| SqlError::decode(what, "gtid_executed is not understood"))?,
        server_uuid: column(2).parse().ok(),
        page_bytes: column(3).parse().unwrap_or(0),
        tables: column(4).parse().unwrap_or(0),
    })
}

/// How large a folder is. Links are not followed. Blocking.
///
/// # Errors
/// When something in it cannot be read.
pub fn folder_facts(folder: &Path) -> Result<FolderFacts, CopyError> {
    let mut facts = FolderFacts::default();
    walk(folder, &mut |_, meta| {
        if meta.is_file() {
            facts.bytes += meta.len();
            facts.bytes_on_disk += meta.blocks() * 512;
            facts.files += 1;
        }
        Ok(())
    })?;
    Ok(facts)
}

/// Whether a copied data folder has all the parts without which no server starts on it, and was not left half-way. Cheap;
/// the proof is [`Scratch::start_on`]. Blocking.
///
/// # Errors
/// [`CopyError::Incomplete`], which names what is missing.
pub fn check_complete(data: &Path) -> Result<(), CopyError> {
    let missing = |what: &str| {
        Err(CopyError::incomplete(
            data,
            format!("{what} is missing: this is no complete copy of a data folder"),
        ))
    };
    if data.join("#clone/#status_in_progress").exists() {
        return Err(CopyError::incomplete(data, "CLONE was not finished in it; copy again"));
    }
    let is_filled =
        |path: PathBuf| std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() > 0);
    for name in ["ibdata1", "mysql.ibd"] {
        if !is_filled(data.join(name)) {
            return missing(name);
        }
    }
    let entries = std::fs::read_dir(data).map_err(|error| CopyError::io("cannot read", data, error))?;
    let names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let undo = names.iter().filter(|name| name.starts_with("undo_") && is_filled(data.join(name))).count();
    if undo < 2 {
        return missing("one of the two undo tablespaces");
    }
    let redo = std::fs::read_dir(data.join("#innodb_redo"))
        .is_ok_and(|entries| entries.flatten().any(|entry| is_filled(entry.path())));
    if !redo && !is_filled(data.join("ib_logfile0")) {
        return missing("the redo log");
    }
    Ok(())
}

/// Takes away what makes two servers the same one, or what belongs to one run of one: a copy gets a `server_uuid` of its
/// own at its first start (I4). Blocking.
///
/// # Errors
/// When a file cannot be removed.
pub fn strip_identity(data: &Path) -> Result<(), CopyError> {
    for name in ["auto.cnf", "mysqld-auto.cnf", "mysqld-auto.cnf.backup"] {
        let path = data.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(CopyError::io("cannot remove", &path, error));
            }
            _ => {}
        }
    }
    sync_folder(data)
}

/// Gives a folder and all in it to the owner and group of `model`, and the folder itself the model's mode. Links are
/// neither followed nor changed. Only root gives files away; without that right the owner must be right already. Blocking.
///
/// # Errors
/// When it has another owner and cannot be given away.
pub fn own_like(folder: &Path, model: &Path) -> Result<(), CopyError> {
    let like = std::fs::metadata(model).map_err(|error| CopyError::io("cannot look at", model, error))?;
    let give = |path: &Path, meta: &std::fs::Metadata| {
        if meta.is_symlink() || (meta.uid(), meta.gid()) == (like.uid(), like.gid()) {
            return Ok(());
        }
        std::os::unix::fs::chown(path, Some(like.uid()), Some(like.gid()))
            .map_err(|error| CopyError::io("cannot change the owner of", path, error))
    };
    walk(folder, &mut |path, meta| give(path, meta))?;
    let meta =
        std::fs::symlink_metadata(folder).map_err(|error| CopyError::io("cannot look at", folder, error))?;
    give(folder, &meta)?;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(like.mode() & 0o7777))
        .map_err(|error| CopyError::io("cannot change the mode of", folder, error))
}

/// Syncs every file and folder, so that a copy survives a loss of power. Blocking.
///
/// # Errors
/// When one cannot be synced: then the disk is not to be trusted with it.
pub fn sync_all(folder: &Path) -> Result<(), CopyError> {
    walk(folder, &mut |path, meta| {
        if meta.is_symlink() {
            return Ok(());
        }
        File::open(path)
            .and_then(|file| file.sync_all())
            .map_err(|error| CopyError::io("cannot sync", path, error))
    })?;
    sync_folder(folder)
}

/// Everything below a folder, each folder after what is in it.
pub(crate) fn walk(
    folder: &Path,
    each: &mut dyn FnMut(&Path, &std::fs::Metadata) -> Result<(), CopyError>,
) -> Result<(), CopyError> {
    let mut left = FILES_MAX;
    below(folder, each, &mut left, DEPTH_MAX)
}

fn below(
    folder: &Path,
    each: &mut dyn FnMut(&Path, &std::fs::Metadata) -> Result<(), CopyError>,
    left: &mut u64,
    depth: u32,
) -> Result<(), CopyError> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(CopyError::incomplete(folder, "it is nested too deeply for a data folder"));
    };
    let entries = std::fs::read_dir(folder).map_err(|error| CopyError::io("cannot read", folder, error))?;
    for entry in entries {
        let path = entry.map_err(|error| CopyError::io("cannot read", folder, error))?.path();
        let meta = match std::fs::symlink_metadata(&path) {
            Ok(meta) => meta,
            // A server that works in the folder removes its files meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(CopyError::io("cannot look at", &path, error)),
        };
        *left = left.checked_sub(1).ok_or_else(|| {
            CopyError::incomplete(folder, format!("more than {FILES_MAX} files are below it"))
        })?;
        if meta.is_dir() {
            match below(&path, each, left, depth) {
                Err(CopyError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => continue,
                outcome => outcome?,
            }
        }
        each(&path, &meta)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let folder = tempfile::tempdir().expect("folder");
        let data = folder.path();
        let says = |what: &str| {
            let error = check_complete(data).expect_err(what).to_string();
            assert!(error.contains(what), "{error}");
        };
        says("ibdata1");
        std::fs::write(data.join("ibdata1"), "x").expect("write");
        std::fs::write(data.join("mysql.ibd"), "").expect("write");
        says("mysql.ibd");
        std::fs::write(data.join("mysql.ibd"), "x").expect("write");
        std::fs::write(data.join("undo_001"), "x").expect("write");
        says("undo");
        std::fs::write(data.join("undo_002"), "x").expect("write");
        says("redo log");
        std::fs::create_dir(data.join("#innodb_redo")).expect("create");
        says("redo log");
        std::fs::write(data.join("#innodb_redo/#ib_redo0"), "x").expect("write");
        check_complete(data).expect("complete");
        std::fs::create_dir(data.join("#clone")).expect("create");
        std::fs::write(data.join("#clone/#status_in_progress"), "").expect("write");
        says("not finished");
        assert_eq!(folder_facts(data).expect("facts").files, 6);
        sync_all(data).expect("synced");
    }
}
