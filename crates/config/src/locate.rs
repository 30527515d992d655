//! Which file is the configuration.

use std::ffi::OsStr;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Used when nothing names another file.
pub const DEFAULT_PATH: &str = "/etc/xenon/xenon.json";

/// The environment variable that names the file.
pub const ENVIRONMENT: &str = "XENON_CONFIG";

/// The file whose one line names the configuration, in the current folder or beside the binary.
pub const POINTER: &str = "config.path";

/// Nothing names a configuration, and the default one is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocateError {
    /// What was tried, in order, and why it was of no use.
    pub tried: Vec<(String, String)>,
}

impl fmt::Display for LocateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no configuration found; tried ")?;
        for (index, (place, why)) in self.tried.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{place} ({why})")?;
        }
        write!(f, "; name the file with -c FILE or {ENVIRONMENT}")
    }
}

impl std::error::Error for LocateError {}

/// Finds the configuration file: `-c`, then `XENON_CONFIG`, then the file named by `config.path` in the current folder,
/// else beside the binary, last /etc/xenon/xenon.json.
///
/// Whatever names a file wins, even when that file is not there: falling through to another configuration would be worse
/// than the error that [`crate::load`] then gives.
///
/// # Errors
/// Nothing names a file and the last one does not exist. Lists what was tried.
pub fn locate(
    explicit: Option<&Path>,
    env: Option<&OsStr>,
    cwd: &Path,
    exe_dir: &Path,
) -> Result<PathBuf, LocateError> {
    locate_or(explicit, env, cwd, exe_dir, Path::new(DEFAULT_PATH))
}

fn locate_or(
    explicit: Option<&Path>,
    env: Option<&OsStr>,
    cwd: &Path,
    exe_dir: &Path,
    last: &Path,
) -> Result<PathBuf, LocateError> {
    let mut tried = Vec::new();
    match explicit {
        Some(path) => return Ok(path.to_owned()),
        None => tried.push(("-c".to_owned(), "not given".to_owned())),
    }
    match env {
        Some(path) if !path.is_empty() => return Ok(PathBuf::from(path)),
        Some(_) => tried.push((ENVIRONMENT.to_owned(), "empty".to_owned())),
        None => tried.push((ENVIRONMENT.to_owned(), "not set".to_owned())),
    }
    let folders = if cwd == exe_dir { vec![cwd] } else { vec![cwd, exe_dir] };
    for folder in folders {
        let pointer = folder.join(POINTER);
        match first_line(&pointer) {
            Ok(line) => return Ok(named(&line, cwd, folder)),
            Err(why) => tried.push((pointer.display().to_string(), why)),
        }
    }
    if last.exists() {
        return Ok(last.to_owned());
    }
    tried.push((last.display().to_string(), "no such file".to_owned()));
    Err(LocateError { tried })
}

/// A relative path is meant from the current folder, as with the Go tool; from the pointer's folder when only that exists.
fn named(line: &str, cwd: &Path, folder: &Path) -> PathBuf {
    let here = cwd.join(line);
    let beside = folder.join(line);
    if !here.exists() && beside.exists() { beside } else { here }
}

fn first_line(pointer: &Path) -> Result<String, String> {
    match std::fs::metadata(pointer) {
        Ok(metadata) if !metadata.is_file() => return Err("no regular file".to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err("no such file".to_owned()),
        _ => {}
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(pointer).map_err(|error| error.to_string())?;
    file.take(8192).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    let text = String::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())?;
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    line.map(str::to_owned).ok_or_else(|| "empty".to_owned())
}

#[cfg(test)]
mod tests;
