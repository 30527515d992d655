//! A folder that this agent has made for a copy, and may therefore remove.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::CopyError;

/// The file by which a folder is known as ours.
const MARK: &str = "made-by-xenon";
const MARK_TEXT: &str = "Xenon made this folder for a copy and removes it when it is done or has failed.\n";

/// A folder of our own: mode 0700, with a mark in it. Nothing without that mark is ever removed.
///
/// Dropping it leaves it where it is: another agent may go on with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkFolder {
    path: PathBuf,
}

impl WorkFolder {
    /// Makes `parent/name`, or takes it as it is when it bears our mark. Owned by the owner of `parent`'s neighbour
    /// `owner_of` (the data folder), since mysqld's user must be able to write there. Blocking.
    ///
    /// # Errors
    /// When it cannot be made, or something else is there by that name.
    pub fn open(parent: &Path, name: &str, owner_of: &Path) -> Result<Self, CopyError> {
        let path = parent.join(name);
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => {
                std::fs::write(path.join(MARK), MARK_TEXT)
                    .map_err(|error| CopyError::io("cannot write", &path.join(MARK), error))?;
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if !path.join(MARK).is_file() {
                    let source =
                        io::Error::new(io::ErrorKind::AlreadyExists, "it is there and not made by Xenon");
                    return Err(CopyError::io("cannot use", &path, source));
                }
            }
            Err(error) => return Err(CopyError::io("cannot create", &path, error)),
        }
        if rustix::process::geteuid().is_root()
            && let Ok(meta) = std::fs::metadata(owner_of)
        {
            std::os::unix::fs::chown(&path, Some(meta.uid()), Some(meta.gid()))
                .map_err(|error| CopyError::io("cannot give away", &path, error))?;
        }
        sync_folder(parent)?;
        Ok(Self { path })
    }

    /// The one that an earlier agent left at `parent/name`. Blocking.
    pub fn find(parent: &Path, name: &str) -> Option<Self> {
        let path = parent.join(name);
        path.join(MARK).is_file().then_some(Self { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes one folder or file in it. Nothing happens when it is not there. Blocking.
    ///
    /// # Errors
    /// When it cannot be removed, or is not inside.
    pub fn clear(&self, name: &str) -> Result<(), CopyError> {
        if name.is_empty()
            || name.contains('/')
            || name == "."
            || name == ".."
            || !self.path.join(MARK).is_file()
        {
            let source = io::Error::other("it is not inside a folder made by Xenon");
            return Err(CopyError::io("cannot remove", &self.path.join(name), source));
        }
        remove(&self.path.join(name))
    }

    /// Makes it a folder like any other, with nothing in it but these: what was made in it is to stay. Blocking.
    ///
    /// # Errors
    /// When something in it cannot be removed; it is still ours then.
    pub(crate) fn keep_only(self, names: &[&str]) -> Result<PathBuf, CopyError> {
        let entries =
            std::fs::read_dir(&self.path).map_err(|error| CopyError::io("cannot read", &self.path, error))?;
        for entry in entries {
            let entry = entry.map_err(|error| CopyError::io("cannot read", &self.path, error))?;
            let kept = entry.file_name().to_str().is_some_and(|name| name == MARK || names.contains(&name));
            if !kept {
                remove(&entry.path())?;
            }
        }
        remove(&self.path.join(MARK))?;
        sync_folder(&self.path)?;
        Ok(self.path)
    }

    /// Removes it with all that is in it, the mark last. Blocking.
    ///
    /// # Errors
    /// When something in it cannot be removed.
    pub fn remove(self) -> Result<(), CopyError> {
        let entries = match std::fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(CopyError::io("cannot read", &self.path, error)),
        };
        if !self.path.join(MARK).is_file() {
            let source = io::Error::other("it has lost its mark, so it is not removed");
            return Err(CopyError::io("cannot remove", &self.path, source));
        }
        for entry in entries {
            let entry = entry.map_err(|error| CopyError::io("cannot read", &self.path, error))?;
            if entry.file_name() != MARK {
                remove(&entry.path())?;
            }
        }
        std::fs::remove_dir_all(&self.path).map_err(|error| CopyError::io("cannot remove", &self.path, error))
    }
}

fn remove(path: &Path) -> Result<(), CopyError> {
    let meta = match std::fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(CopyError::io("cannot remove", path, error)),
    };
    // A link is removed, never what it leads to.
    let removed = if meta.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    removed.map_err(|error| CopyError::io("cannot remove", path, error))
}

/// So that a name made, changed or removed in the folder survives a loss of power. Blocking.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), CopyError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| CopyError::io("cannot sync", folder, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_ours_is_removed() {
        let parent = tempfile::tempdir().expect("folder");
        let theirs = parent.path().join("theirs");
        std::fs::create_dir(&theirs).expect("create");
        assert!(WorkFolder::open(parent.path(), "theirs", parent.path()).is_err());
        assert_eq!(WorkFolder::find(parent.path(), "theirs"), None);

        let work = WorkFolder::open(parent.path(), "work", parent.path()).expect("made");
        assert_eq!(WorkFolder::open(parent.path(), "work", parent.path()).expect("again"), work);
        std::fs::create_dir(work.path().join("data")).expect("create");
        std::os::unix::fs::symlink(&theirs, work.path().join("link")).expect("link");
        assert!(work.clear("..").is_err() && work.clear("a/b").is_err() && work.clear("").is_err());
        work.clear("data").expect("cleared");
        work.clear("data").expect("nothing to clear");
        assert!(!work.path().join("data").exists());
        let path = work.path().to_owned();
        work.clone().remove().expect("removed");
        assert!(!path.exists() && theirs.is_dir());
        work.remove().expect("nothing to remove");
    }
}
