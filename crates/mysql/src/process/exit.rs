//! What is known of a mysqld that has ended: for the operator to read.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};

use super::Mysqld;

/// Lines of the error log that are shown.
const LAST_LINES: usize = 20;
/// And how much of its end is read for them, bytes.
const LAST_BYTES: u64 = 16 * 1024;

/// How a mysqld ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExitRecord {
    /// Exit code; `None` when a signal ended it or when the agent is not its parent.
    pub code: Option<i32>,
    /// Signal that ended it.
    pub signal: Option<i32>,
    /// Where its messages are.
    pub log_file: Option<PathBuf>,
    /// The last of them, oldest first, at most 20; none older than its start if this agent started it.
    pub last_lines: Vec<String>,
}

impl std::fmt::Display for ExitRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.code, self.signal) {
            (Some(code), _) => write!(f, "exit code {code}")?,
            (None, Some(signal)) => write!(f, "signal {signal}")?,
            (None, None) => write!(f, "exit code unknown")?,
        }
        if let Some(path) = &self.log_file {
            write!(f, "; last lines of {}:", path.display())?;
        }
        self.last_lines.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl Mysqld {
    /// What is known of its end. Code and signal are known once it is reaped: call it after [`Mysqld::gone`].
    pub async fn exit_record(&self) -> ExitRecord {
        let status = self.reaped.as_ref().and_then(|reaped| *reaped.borrow());
        let mut record = ExitRecord {
            code: status.and_then(|s| s.code()),
            signal: status.and_then(|s| s.signal()),
            ..ExitRecord::default()
        };
        if let Some((path, from)) = self.log.clone() {
            record.log_file = Some(path.clone());
            // The log may be on the very disk that is failing: no panic and no blocked runtime for its sake.
            record.last_lines =
                tokio::task::spawn_blocking(move || last_lines(&path, from)).await.unwrap_or_default();
        }
        record
    }
}

fn last_lines(path: &Path, from: u64) -> Vec<String> {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        // Shorter than at the start: it was rotated, all of it is new.
        let from = if length < from { 0 } else { from };
        file.seek(SeekFrom::Start(from.max(length.saturating_sub(LAST_BYTES))))?;
        let mut bytes = Vec::new();
        file.take(LAST_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let text = read().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].iter().map(|line| (*line).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_since_the_start() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("log");
        let old = "old line\n";
        let new: String = (0..30).map(|i| format!("line {i}\n")).collect();
        std::fs::write(&path, format!("{old}{new}")).expect("write");
        let lines = last_lines(&path, old.len() as u64);
        assert_eq!((lines.len(), lines[0].as_str(), lines[19].as_str()), (20, "line 10", "line 29"));
        std::fs::write(&path, format!("{old}line 0\n")).expect("write");
        assert_eq!(last_lines(&path, old.len() as u64), ["line 0"]);
        assert_eq!(last_lines(&path, 1_000_000), ["old line", "line 0"]);
        assert!(last_lines(Path::new("/nowhere"), 0).is_empty());
    }
}
