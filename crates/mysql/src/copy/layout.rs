//! Where a node's data is, and what of it lies outside of the data folder: known before anything is moved.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::CopyError;
use crate::MysqldOptions;
use crate::process::Defaults;

const WHAT: &str = "replacing the data folder";

/// Longest list of mounts that is read, bytes.
const MOUNTS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Folders for parts of InnoDB that would have to be replaced with the data folder.
const INNODB_FOLDERS: [&str; 4] =
    ["innodb_data_home_dir", "innodb_log_group_home_dir", "innodb_undo_directory", "innodb_doublewrite_dir"];

/// Where a node's data is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// The data folder itself, links resolved. It may be missing: then a copy just takes its place.
    pub data: PathBuf,
    /// The data folder is a mount point: it cannot be renamed, its content is moved instead.
    pub is_mount: bool,
    /// Binary and relay logs in other folders. They go with the old data: a server that found them beside a copy would take
    /// their transactions for its own.
    pub logs: Vec<LogsOutside>,
}

/// The files of one log outside of the data folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogsOutside {
    /// Their folder.
    pub folder: PathBuf,
    /// `binlog` of `binlog.000001` and `binlog.index`.
    pub base: String,
}

impl Layout {
    /// Reads it from the option file and the arguments that the node's mysqld is started with. Blocking.
    ///
    /// # Errors
    /// [`CopyError::Impossible`] when the option file names no data folder, or keeps parts of InnoDB elsewhere.
    pub fn of(options: &MysqldOptions) -> Result<Self, CopyError> {
        let file = options.defaults_file.display();
        let defaults = Defaults::read(&options.defaults_file)
            .map_err(|error| CopyError::io("cannot read", &options.defaults_file, error))?
            .with_arguments(&options.extra_args);
        let Some(data) = defaults.data_dir().filter(|data| data.is_absolute()) else {
            return Err(CopyError::impossible(WHAT, format!("{file} names no datadir as an absolute path")));
        };
        let data = resolved(&data)?;
        for option in INNODB_FOLDERS {
            if let Some(folder) = defaults.value(option)
                && resolved(&data.join(folder))? != data
            {
                let why = format!(
                    "{file} has {option}={folder}, outside of the data folder {}; move it inside (remove the option), or \
                     replace the data by hand",
                    data.display()
                );
                return Err(CopyError::impossible(WHAT, why));
            }
        }
        if let Some(files) = defaults.value("innodb_data_file_path").filter(|files| files.contains('/')) {
            let why =
                format!("{file} has innodb_data_file_path={files}, with files outside of the data folder");
            return Err(CopyError::impossible(WHAT, why));
        }
        let mut logs: Vec<LogsOutside> = Vec::new();
        for option in ["log_bin", "log_bin_index", "relay_log", "relay_log_index"] {
            let outside = defaults.value(option).map(|base| log_outside(&data, base)).transpose()?.flatten();
            logs.extend(outside.filter(|outside| !logs.contains(outside)).into_iter().collect::<Vec<_>>());
        }
        Ok(Self { is_mount: is_mount(&data), data, logs })
    }

    /// Where a copy must be made to take the place of the data folder by renaming: on the same file system.
    ///
    /// Inside the data folder where that is a mount point; then the node's own mysqld cannot receive the copy (CLONE refuses
    /// a folder inside its own), and a [`super::Scratch`] does.
    pub fn beside(&self) -> &Path {
        if self.is_mount { &self.data } else { self.data.parent().unwrap_or(&self.data) }
    }
}

/// Links resolved as far as the path exists.
fn resolved(path: &Path) -> Result<PathBuf, CopyError> {
    if let Ok(path) = std::fs::canonicalize(path) {
        return Ok(path);
    }
    // The folder may be lost; the one above it must be there.
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(CopyError::impossible(WHAT, format!("{} is no folder", path.display())));
    };
    let parent =
        std::fs::canonicalize(parent).map_err(|error| CopyError::io("cannot find", parent, error))?;
    Ok(parent.join(name))
}

fn log_outside(data: &Path, base: &str) -> Result<Option<LogsOutside>, CopyError> {
    let path = data.join(base);
    let (Some(folder), Some(base)) = (path.parent(), path.file_name()) else { return Ok(None) };
    let folder = resolved(folder)?;
    if folder == data {
        return Ok(None);
    }
    // The server drops an extension of the base name.
    let base = Path::new(base).with_extension("");
    Ok(Some(LogsOutside { folder, base: base.to_string_lossy().into_owned() }))
}

impl LogsOutside {
    /// The files of this log that are there: `base.index`, `base.000001` … Blocking.
    pub(super) fn files(&self) -> Result<Vec<PathBuf>, CopyError> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(CopyError::io("cannot read", &self.folder, error)),
        };
        let is_ours = |name: &str| {
            let rest = name.strip_prefix(&self.base).and_then(|rest| rest.strip_prefix('.'));
            rest.is_some_and(|rest| {
                matches!(rest, "index" | "~rec~" | "index_crash_safe")
                    || (rest.len() >= 6 && rest.bytes().all(|b| b.is_ascii_digit()))
            })
        };
        let mut files: Vec<PathBuf> = entries
            .flatten()
            .filter(|entry| entry.file_name().to_str().is_some_and(is_ours))
            .map(|entry| entry.path())
            .collect();
        files.sort();
        Ok(files)
    }
}

/// The folder is a mount point, of a part of the same file system, too. Blocking.
fn is_mount(folder: &Path) -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let Some(folder) = folder.to_str() else { return false };
    mounts.len() <= MOUNTS_BYTES_MAX && mounts_include(&mounts, folder)
}

/// Field 5 of each line, in which blanks and backslashes are octal.
fn mounts_include(mounts: &str, folder: &str) -> bool {
    let unescaped = |field: &str| {
        field.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
    };
    mounts.lines().any(|line| line.split(' ').nth(4).is_some_and(|field| unescaped(field) == folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, folder: &Path) -> Result<Layout, String> {
        let defaults_file = folder.join("my.cnf");
        std::fs::write(&defaults_file, format!("[mysqld]\n{text}\n")).expect("write");
        let options = MysqldOptions {
            mysqld: "mysqld".into(),
            defaults_file,
            extra_args: vec![],
            user: None,
            meta_dir: folder.to_owned(),
        };
        Layout::of(&options).map_err(|error| error.to_string())
    }

    #[test]
    fn logs_elsewhere_are_known_and_innodb_elsewhere_is_refused() {
        let folder = tempfile::tempdir().expect("folder");
        let root = std::fs::canonicalize(folder.path()).expect("canonical");
        let (data, logs) = (root.join("data"), root.join("logs"));
        std::fs::create_dir(&logs).expect("create");
        let datadir = format!("datadir = {}", data.display());
        // The data folder is lost.
        let layout = of(&datadir, &root).expect("layout");
        assert_eq!(layout, Layout { data: data.clone(), is_mount: false, logs: vec![] });
        assert_eq!(layout.beside(), root);
        std::fs::create_dir(&data).expect("create");
        let inside = format!("{datadir}\nlog-bin=binlog\nrelay-log=./relay\ninnodb_log_group_home_dir=./");
        assert_eq!(of(&inside, &root).expect("layout").logs, []);
        let outside = format!(
            "{datadir}\nlog-bin={logs}/mysql-bin.log\nlog_bin_index={logs}/mysql-bin.index\nrelay-log=../logs/relay",
            logs = logs.display()
        );
        let found = of(&outside, &root).expect("layout").logs;
        let log = |base: &str| LogsOutside { folder: logs.clone(), base: base.to_owned() };
        assert_eq!(found, [log("mysql-bin"), log("relay")]);
        for name in
            ["mysql-bin.000001", "mysql-bin.index", "mysql-bin.x", "relay.000002", "mysql-bin2.000001"]
        {
            std::fs::write(logs.join(name), "").expect("write");
        }
        assert_eq!(
            found[0].files().expect("files"),
            [logs.join("mysql-bin.000001"), logs.join("mysql-bin.index")]
        );
        for (text, says) in [
            ("port=1".to_owned(), "names no datadir"),
            ("datadir=data".to_owned(), "absolute"),
            (format!("{datadir}\ninnodb-undo-directory={}", logs.display()), "innodb_undo_directory"),
            (format!("{datadir}\ninnodb_data_file_path=/x/ibdata1:12M"), "innodb_data_file_path"),
        ] {
            let error = of(&text, &root).expect_err(says);
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn mount_points_are_read() {
        let mounts = "36 35 98:0 /mnt1 /var/lib/my\\040sql rw,noatime - ext3 /dev/root rw\n";
        assert!(mounts_include(mounts, "/var/lib/my sql"));
        assert!(!mounts_include(mounts, "/mnt1"));
    }
}
