//! One data folder for another: the old one aside by renaming, the new one in its place, and back again (W4).
//!
//! Each step is one renaming, synced, and each call looks at what is there first: an agent that crashed half-way goes on,
//! or back, from what it finds. The caller writes the [`Swap`] down before the first step. No mysqld may run in either.
//!
//! Where the data folder is a mount point it cannot be renamed, so its content is moved, entry by entry, into a hidden
//! folder inside it. A server does not look into that: one started beside a hidden folder that held copies of all its
//! tablespaces (seen on 9.7.4).

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::work_folder::sync_folder;
use super::{CopyError, Layout, LogsOutside};

/// In the name of all that is put aside.
const OLD: &str = "xenon-old";
/// Begins the name of what is ours inside a data folder.
const OURS: &str = ".xenon-";
/// Not part of the data of a file system's top folder.
const LOST_AND_FOUND: &str = "lost+found";
/// In a folder of what was put aside file by file: all of it is there, and what is in its old place now belongs to the new.
const ALL_ASIDE: &str = ".all-aside";
/// The longest stamp.
const STAMP_BYTES_MAX: usize = 64;

/// A swap: what takes the place of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swap {
    layout: Layout,
    /// The copy that takes the place of the data folder.
    new: PathBuf,
    /// Where the old data goes.
    old: PathBuf,
    /// There was a data folder.
    had_data: bool,
    stamp: String,
}

/// How far a swap is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwapState {
    /// The data folder is the old one.
    Before,
    /// In between: no server may start.
    Between,
    /// The data folder is the new one.
    After,
}

impl Swap {
    /// Plans to put `new` in the place of the data folder. `stamp`, a time or a name, is part of the name under which the old
    /// data is kept; it must be another one each time. Nothing is changed. Blocking.
    ///
    /// # Errors
    /// When `new` is not there or is on another file system, or the name for the old data is taken.
    pub fn plan(layout: Layout, new: &Path, stamp: &str) -> Result<Self, CopyError> {
        let what = "replacing the data folder";
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':');
        if stamp.is_empty() || stamp.len() > STAMP_BYTES_MAX || !stamp.chars().all(good) {
            return Err(CopyError::impossible(what, format!("'{stamp}' cannot be part of a file name")));
        }
        let new = std::fs::canonicalize(new).map_err(|error| CopyError::io("cannot find", new, error))?;
        let name =
            layout.data.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let old = if layout.is_mount {
            let inside = new.strip_prefix(&layout.data).ok().and_then(|inside| inside.components().next());
            if !inside.is_some_and(|first| first.as_os_str().to_string_lossy().starts_with(OURS)) {
                let why = format!(
                    "{} is a mount point, so a copy must be made inside it, in a folder whose name begins with {OURS}",
                    layout.data.display()
                );
                return Err(CopyError::impossible(what, why));
            }
            layout.data.join(format!(".{OLD}-{stamp}"))
        } else {
            layout.beside().join(format!("{name}.{OLD}-{stamp}"))
        };
        if old.symlink_metadata().is_ok() {
            return Err(CopyError::impossible(what, format!("{} is there already", old.display())));
        }
        if device(&new)? != device(layout.beside())? {
            let why = format!(
                "{} and {} are on different file systems, so the one cannot be renamed to the other",
                new.display(),
                layout.data.display()
            );
            return Err(CopyError::impossible(what, why));
        }
        let had_data = layout.data.exists();
        Ok(Self { layout, new, old, had_data, stamp: stamp.to_owned() })
    }

    /// Where the old data is after the swap.
    pub fn old(&self) -> &Path {
        &self.old
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.layout.data
    }

    /// How far it is. Blocking.
    pub fn state(&self) -> SwapState {
        match self.state_of_data() {
            // A server on the old data would begin without its binlog, and roll back what only that has.
            SwapState::Before if self.layout.logs.iter().any(|log| self.log_aside(log).exists()) => {
                SwapState::Between
            }
            state => state,
        }
    }

    fn state_of_data(&self) -> SwapState {
        let (new, old) = (self.new.exists(), self.old.exists());
        if self.layout.is_mount {
            return match (new, old) {
                (true, false) => SwapState::Before,
                (false, _) => SwapState::After,
                (true, true) => SwapState::Between,
            };
        }
        match (new, old, self.layout.data.exists()) {
            (true, false, data) if data == self.had_data => SwapState::Before,
            (false, _, true) => SwapState::After,
            _ => SwapState::Between,
        }
    }

    /// Puts the old data aside and the new in its place, from wherever it is. Blocking.
    ///
    /// # Errors
    /// When a step fails; call it again, or [`Swap::undo`].
    pub fn forward(&self) -> Result<(), CopyError> {
        // After the swap those in place are the new data's.
        if self.state() != SwapState::After {
            self.layout.logs.iter().try_for_each(|log| self.log_goes_aside(log))?;
        }
        if self.layout.is_mount { self.forward_inside() } else { self.forward_beside() }
    }

    fn forward_beside(&self) -> Result<(), CopyError> {
        let (data, new, old) = (&self.layout.data, &self.new, &self.old);
        if !new.exists() {
            return if data.exists() { Ok(()) } else { Err(self.lost()) };
        }
        if data.exists() {
            if old.exists() || !self.had_data {
                return Err(CopyError::incomplete(
                    data,
                    format!(
                        "something has made this folder while {} was to take its place; move it away if it is not wanted",
                        new.display()
                    ),
                ));
            }
            rename(data, old)?;
        }
        rename(new, data)
    }

    fn forward_inside(&self) -> Result<(), CopyError> {
        let (data, new, old) = (&self.layout.data, &self.new, &self.old);
        if !new.exists() {
            return Ok(());
        }
        let all_aside = old.join(ALL_ASIDE);
        if !all_aside.exists() {
            make(old, data)?;
            for name in data_entries(data)? {
                rename(&data.join(&name), &old.join(&name))?;
            }
            // From here on what is in the data folder is the new data's.
            mark(&all_aside)?;
        }
        for name in all_entries(new)? {
            rename(&new.join(&name), &data.join(&name))?;
        }
        std::fs::remove_dir(new).map_err(|error| CopyError::io("cannot remove", new, error))
    }

    /// Puts everything back as it was, from wherever it is; the copy is then where it was made. Blocking.
    ///
    /// # Errors
    /// When a step fails; call it again.
    pub fn undo(&self) -> Result<(), CopyError> {
        if self.had_data && self.state() == SwapState::After && !self.old.exists() {
            let why = format!("the old data is not there any more, so {} stays", self.layout.data.display());
            return Err(CopyError::incomplete(&self.old, why));
        }
        // First, so that old data that is in its place again has its binlog, whenever this ends.
        self.layout.logs.iter().try_for_each(|log| self.log_comes_back(log))?;
        if self.layout.is_mount { self.undo_inside() } else { self.undo_beside() }
    }

    fn undo_beside(&self) -> Result<(), CopyError> {
        let (data, new, old) = (&self.layout.data, &self.new, &self.old);
        // The data folder is the new one only when nothing is where the new one was made.
        if !new.exists() && data.exists() {
            rename(data, new)?;
        }
        if !self.had_data || !old.exists() {
            return Ok(());
        }
        if data.exists() {
            return Err(CopyError::incomplete(
                data,
                format!("something has made this folder; move it away, {} is to come back", old.display()),
            ));
        }
        rename(old, data)
    }

    fn undo_inside(&self) -> Result<(), CopyError> {
        let (data, new, old) = (&self.layout.data, &self.new, &self.old);
        if !old.exists() {
            return Ok(());
        }
        let all_aside = old.join(ALL_ASIDE);
        if all_aside.exists() {
            make(new, data)?;
            for name in data_entries(data)? {
                rename(&data.join(&name), &new.join(&name))?;
            }
            unmark(&all_aside)?;
        }
        for name in all_entries(old)? {
            rename(&old.join(&name), &data.join(&name))?;
        }
        std::fs::remove_dir(old).map_err(|error| CopyError::io("cannot remove", old, error))
    }

    /// Removes the old data, for good: when the node follows again, and not before (W4). Blocking.
    ///
    /// # Errors
    /// When the swap is not done, or something cannot be removed; call it again.
    pub fn remove_old(&self) -> Result<(), CopyError> {
        if self.state() != SwapState::After {
            let why = "its replacement is not in place, so it is kept";
            return Err(CopyError::incomplete(&self.old, why));
        }
        let folders = self.layout.logs.iter().map(|log| self.log_aside(log));
        for folder in folders.chain([self.old.clone()]) {
            match std::fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(CopyError::io("cannot remove", &folder, error));
                }
                _ => {}
            }
        }
        sync_folder(self.layout.beside())
    }

    fn log_goes_aside(&self, log: &LogsOutside) -> Result<(), CopyError> {
        let aside = self.log_aside(log);
        let all_aside = aside.join(ALL_ASIDE);
        if all_aside.exists() {
            return Ok(());
        }
        make(&aside, &log.folder)?;
        for file in log.files()? {
            rename(&file, &aside.join(file.file_name().unwrap_or_default()))?;
        }
        mark(&all_aside)
    }

    fn log_comes_back(&self, log: &LogsOutside) -> Result<(), CopyError> {
        let aside = self.log_aside(log);
        if !aside.exists() {
            return Ok(());
        }
        let all_aside = aside.join(ALL_ASIDE);
        // Without the mark, what is in place is what had not gone aside yet.
        if all_aside.exists() {
            // What the new data has written is of no use without it.
            for file in log.files()? {
                std::fs::remove_file(&file).map_err(|error| CopyError::io("cannot remove", &file, error))?;
            }
            unmark(&all_aside)?;
        }
        for name in all_entries(&aside)? {
            rename(&aside.join(&name), &log.folder.join(&name))?;
        }
        std::fs::remove_dir(&aside).map_err(|error| CopyError::io("cannot remove", &aside, error))
    }

    /// Of each log its own: binary and relay logs often share a folder, and the mark says of one of them that all is aside.
    fn log_aside(&self, log: &LogsOutside) -> PathBuf {
        log.folder.join(format!(".{OLD}-{}-{}", self.stamp, log.base))
    }

    fn lost(&self) -> CopyError {
        CopyError::incomplete(
            &self.layout.data,
            format!(
                "neither it nor the copy at {} is there; the old data is at {}",
                self.new.display(),
                self.old.display()
            ),
        )
    }
}

fn mark(path: &Path) -> Result<(), CopyError> {
    File::create(path)
        .and_then(|file| file.sync_all())
        .map_err(|error| CopyError::io("cannot create", path, error))?;
    sync_folder(path.parent().unwrap_or(path))
}

fn unmark(path: &Path) -> Result<(), CopyError> {
    std::fs::remove_file(path).map_err(|error| CopyError::io("cannot remove", path, error))?;
    sync_folder(path.parent().unwrap_or(path))
}

/// Names in a data folder without what is ours and what is the file system's.
fn data_entries(data: &Path) -> Result<Vec<std::ffi::OsString>, CopyError> {
    let mut names = all_entries(data)?;
    names.retain(|name| {
        let name = name.to_string_lossy();
        !name.starts_with(OURS) && name != LOST_AND_FOUND
    });
    Ok(names)
}

fn all_entries(folder: &Path) -> Result<Vec<std::ffi::OsString>, CopyError> {
    let cannot = |error| CopyError::io("cannot read", folder, error);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        names.push(entry.map_err(cannot)?.file_name());
    }
    names.sort();
    Ok(names)
}

fn make(folder: &Path, model: &Path) -> Result<(), CopyError> {
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(CopyError::io("cannot create", folder, error));
        }
        _ => {}
    }
    super::own_like(folder, model)?;
    sync_folder(folder.parent().unwrap_or(folder))
}

/// Renames and syncs both folders, so that after a loss of power either the one or the other is there.
fn rename(from: &Path, to: &Path) -> Result<(), CopyError> {
    std::fs::rename(from, to).map_err(|error| CopyError::io("cannot rename", from, error))?;
    let (old, new) = (from.parent(), to.parent());
    if let Some(new) = new {
        sync_folder(new)?;
    }
    match old.filter(|_| old != new) {
        Some(old) => sync_folder(old),
        None => Ok(()),
    }
}

fn device(path: &Path) -> Result<u64, CopyError> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path)
        .map(|meta| meta.dev())
        .map_err(|error| CopyError::io("cannot look at", path, error))
}

#[cfg(test)]
mod tests;
