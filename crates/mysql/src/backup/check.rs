//! What is told before a backup begins: where it may go, and whether there is room.

use std::path::{Component, Path, PathBuf};

use crate::copy::walk;
use crate::{CopyError, Layout};

const WHAT: &str = "making a backup";

/// Free after the backup, at least, bytes.
const SPARE_BYTES: u64 = 64 << 20;

/// Where a backup goes, and how large it will be about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupRoom {
    /// The folder, links resolved.
    pub to: PathBuf,
    /// The folder above it.
    pub parent: PathBuf,
    /// The name under which it is made.
    pub incomplete: String,
    /// What will be copied, about, bytes.
    pub data_bytes: u64,
    /// What is free there, bytes.
    pub free_bytes: u64,
}

/// Looks at the folder that an operator named. Nothing is changed. Blocking.
pub(super) fn check_target(to: &Path, layout: &Layout) -> Result<BackupRoom, CopyError> {
    let no = |why: String| Err(CopyError::impossible(WHAT, why));
    let shown = to.display();
    if !to.is_absolute() {
        return no(format!(
            "{shown} is a relative path; the agent has another working folder than you: give it in full"
        ));
    }
    if to.components().any(|part| matches!(part, Component::ParentDir)) {
        return no(format!("{shown} has '..' in it; give the path itself"));
    }
    let (Some(parent), Some(name)) = (to.parent(), to.file_name().and_then(|name| name.to_str())) else {
        return no(format!("{shown} is no name for a new folder of UTF-8 text"));
    };
    let parent = match std::fs::canonicalize(parent) {
        Ok(parent) if parent.is_dir() => parent,
        Ok(parent) => return no(format!("{} is no folder", parent.display())),
        Err(error) => {
            return no(format!("the folder {} cannot be used: {error}; make it first", parent.display()));
        }
    };
    let to = parent.join(name);
    match std::fs::symlink_metadata(&to) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(CopyError::io("cannot look at", &to, error)),
        Ok(meta) if meta.is_dir() => {
            let mut entries =
                std::fs::read_dir(&to).map_err(|error| CopyError::io("cannot read", &to, error))?;
            if to.join(super::MANIFEST).exists() {
                return no(format!("{shown} is a backup already; name another folder"));
            }
            if entries.next().is_some() {
                return no(format!("{shown} is not empty; name a new folder"));
            }
        }
        Ok(_) => return no(format!("{shown} is there and is no folder; name a new one")),
    }
    if to.starts_with(&layout.data) {
        return no(format!(
            "{shown} is inside the data folder {}: mysqld would take it for its own, and it would be lost with it",
            layout.data.display()
        ));
    }
    let data_bytes = copied_bytes(&layout.data)?;
    let space = rustix::fs::statvfs(&parent)
        .map_err(|error| CopyError::io("cannot look at", &parent, error.into()))?;
    let free_bytes = space.f_bavail.saturating_mul(space.f_frsize);
    let wanted = data_bytes + data_bytes / 20 + SPARE_BYTES;
    if free_bytes < wanted {
        return Err(CopyError::NoSpace {
            what: WHAT.to_owned(),
            cause: format!(
                "about {} MiB are wanted in {}, and {} MiB are free",
                wanted >> 20,
                parent.display(),
                free_bytes >> 20
            ),
        });
    }
    // Tried rather than guessed from modes: mysqld's user makes the files, in a folder that the agent gives it.
    rustix::fs::access(&parent, rustix::fs::Access::WRITE_OK)
        .map_err(|error| CopyError::io("the agent cannot write to", &parent, error.into()))?;
    Ok(BackupRoom { incomplete: format!("{name}.incomplete"), to, parent, data_bytes, free_bytes })
}

/// What CLONE copies: tablespaces, without logs and temporary files.
fn copied_bytes(data: &Path) -> Result<u64, CopyError> {
    let mut bytes = 0;
    walk(data, &mut |path, meta| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let copied = name.ends_with(".ibd")
            || name.ends_with(".ibu")
            || name.starts_with("ibdata")
            || name.starts_with("undo_");
        if copied && meta.is_file() {
            bytes += std::os::unix::fs::MetadataExt::blocks(meta) * 512;
        }
        Ok(())
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_folders_are_told_before_it_starts() {
        let folder = tempfile::tempdir().expect("folder");
        let root = std::fs::canonicalize(folder.path()).expect("canonical");
        let data = root.join("data");
        std::fs::create_dir_all(data.join("d")).expect("create");
        std::fs::write(data.join("d/t.ibd"), vec![1; 100_000]).expect("write");
        std::fs::write(data.join("binlog.000001"), vec![1; 100_000]).expect("write");
        let layout = Layout { data, is_mount: false, logs: vec![] };
        for name in ["backup", "full"] {
            std::fs::create_dir(root.join(name)).expect("create");
        }
        std::fs::write(root.join("backup/manifest.json"), "").expect("write");
        std::fs::write(root.join("full/x"), "").expect("write");
        std::fs::write(root.join("file"), "").expect("write");
        for (to, says) in [
            (PathBuf::from("here"), "relative"),
            (root.join("x/../y"), "'..'"),
            (root.join("no/such"), "make it first"),
            (root.join("file/x"), "no folder"),
            (root.join("file"), "no folder"),
            (root.join("backup"), "a backup already"),
            (root.join("full"), "not empty"),
            (root.join("data/b"), "inside the data folder"),
        ] {
            let error = check_target(&to, &layout).expect_err(says).to_string();
            assert!(error.contains(says), "{error}");
        }
        std::fs::create_dir(root.join("empty")).expect("create");
        for name in ["new", "empty"] {
            let room = check_target(&root.join(name), &layout).expect("room");
            assert_eq!((room.incomplete, room.parent.clone()), (format!("{name}.incomplete"), root.clone()));
            assert!(room.data_bytes >= 100_000 && room.data_bytes < 200_000);
        }
    }
}
