//! Which of the programs are on this host, and of which version.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time::timeout;

/// How long a program may take to say its version.
const ASK: Duration = Duration::from_secs(5);
/// More than any says, bytes.
const ANSWER_MAX: u64 = 64 << 10;
/// What `backup.xtrabackup-bindir` holds when nobody has set it.
const NOT_SET: &str = ".";

/// A family of programs that copy by stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tool {
    /// Percona XtraBackup: `xtrabackup` and `xbstream`, for MySQL and Percona Server.
    Xtrabackup,
    /// MariaDB's: `mariadb-backup` (or `mariabackup`) and `mbstream`, for MariaDB.
    Mariabackup,
}

impl Tool {
    /// Its name, as `--method` has it.
    pub fn word(self) -> &'static str {
        match self {
            Tool::Xtrabackup => "xtrabackup",
            Tool::Mariabackup => "mariabackup",
        }
    }

    /// Names of the program that copies and prepares; the first that is there is taken.
    fn programs(self) -> &'static [&'static str] {
        match self {
            Tool::Xtrabackup => &["xtrabackup"],
            Tool::Mariabackup => &["mariadb-backup", "mariabackup"],
        }
    }

    /// Name of the program that unpacks.
    fn unpacker(self) -> &'static str {
        match self {
            Tool::Xtrabackup => "xbstream",
            Tool::Mariabackup => "mbstream",
        }
    }
}

/// The programs of one family on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kit {
    /// Which family.
    pub tool: Tool,
    /// Copies and prepares.
    pub program: PathBuf,
    /// Unpacks a stream.
    pub unpacker: PathBuf,
    /// As the first says: `8.4.0-1`, `10.11.19-MariaDB`.
    pub version: String,
    /// `setpriv`, which makes a program end with the agent. Without it one that the agent leaves behind ends as soon as it
    /// reads from or writes to its pipe, and is looked for before the next copy.
    pub(super) guard: Option<PathBuf>,
}

/// Looks in `folder` (`backup.xtrabackup-bindir`), then along `PATH`, and asks for the version.
///
/// # Errors
/// What is missing or does not run, and what to install, as a sentence without the host's name.
pub async fn find_kit(tool: Tool, folder: &Path) -> Result<Kit, String> {
    let lacks = |name: &str| {
        let place = match folder == Path::new(NOT_SET) {
            true => "on PATH (backup.xtrabackup-bindir is not set)".to_owned(),
            false => format!("in backup.xtrabackup-bindir ({}) or on PATH", folder.display()),
        };
        let package = match tool {
            Tool::Xtrabackup => "Percona XtraBackup of the server's own series",
            Tool::Mariabackup => "the package mariadb-backup",
        };
        format!("{name} is not {place}: install {package}")
    };
    let program = tool.programs().iter().find_map(|name| find(folder, name));
    let program = program.ok_or_else(|| lacks(tool.programs().first().copied().unwrap_or_default()))?;
    let unpacker = find(folder, tool.unpacker()).ok_or_else(|| lacks(tool.unpacker()))?;
    let said = first_words(&program, &["--no-defaults", "--version"]).await?;
    let version = version_in(tool, &said).ok_or_else(|| {
        let said: String = said.chars().filter(|c| !c.is_control()).take(200).collect();
        format!("{} says no version of {}: {said}", program.display(), tool.word())
    })?;
    let guard = match find(Path::new(NOT_SET), "setpriv") {
        Some(setpriv) if runs(&setpriv).await => Some(setpriv),
        _ => None,
    };
    Ok(Kit { tool, program, unpacker, version, guard })
}

/// Blocking, briefly.
fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let first = (folder != Path::new(NOT_SET)).then(|| folder.to_owned());
    first.into_iter().chain(std::env::split_paths(&path)).map(|folder| folder.join(name)).find(|file| {
        std::fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    })
}

/// Both outputs of a program that ends at once: xtrabackup says its version on standard error.
async fn first_words(program: &Path, arguments: &[&str]) -> Result<String, String> {
    let io = |error: std::io::Error| format!("{} does not run: {error}", program.display());
    let asked = async {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().map_err(io)?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(format!("{} has no output", program.display()));
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let (mut stdout, mut stderr) = (stdout.take(ANSWER_MAX), stderr.take(ANSWER_MAX));
        let (read_out, read_err) = tokio::join!(stdout.read_to_end(&mut out), stderr.read_to_end(&mut err));
        read_out.and(read_err).map_err(io)?;
        Ok([out, b"\n".to_vec(), err].concat())
    };
    let said = timeout(ASK, asked).await;
    let said = said.map_err(|_| {
        format!("{} does not say its version within {} s", program.display(), ASK.as_secs())
    })??;
    Ok(String::from_utf8_lossy(&said).into_owned())
}

/// Some builds (busybox) lack the option.
async fn runs(setpriv: &Path) -> bool {
    let mut command = Command::new(setpriv);
    command.args(["--pdeathsig", "KILL", "--", "true"]).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    matches!(timeout(ASK, command.status()).await, Ok(Ok(status)) if status.success())
}

/// `xtrabackup version 8.4.0-1 based on MySQL server 8.4.0 …`, `mariadb-backup based on MariaDB server 10.11.19-MariaDB …`.
fn version_in(tool: Tool, said: &str) -> Option<String> {
    let before = match tool {
        Tool::Xtrabackup if said.contains("MariaDB") => return None,
        Tool::Xtrabackup => "xtrabackup version ",
        Tool::Mariabackup => "MariaDB server ",
    };
    let word = said.split_once(before)?.1.split_ascii_whitespace().next()?;
    let good = word.starts_with(|c: char| c.is_ascii_digit()) && word.len() <= 64;
    good.then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        let percona = "2024-01-01T00:00:00 0 [Note] recognized server arguments: --x=1\n\
                       xtrabackup version 8.4.0-1 based on MySQL server 8.4.0 Linux (x86_64) (revision id: da6e1abe)";
        assert_eq!(version_in(Tool::Xtrabackup, percona).as_deref(), Some("8.4.0-1"));
        let maria = "mariadb-backup based on MariaDB server 10.11.19-MariaDB debian-linux-gnu (x86_64)";
        assert_eq!(version_in(Tool::Mariabackup, maria).as_deref(), Some("10.11.19-MariaDB"));
        // Some distributions link one name to the other.
        assert_eq!(version_in(Tool::Xtrabackup, maria), None);
        assert_eq!(version_in(Tool::Mariabackup, percona), None);
        assert_eq!(version_in(Tool::Xtrabackup, "xtrabackup version unknown"), None);
    }

    #[tokio::test]
    async fn what_is_missing_is_named() {
        let folder = tempfile::tempdir().expect("folder");
        let why = find_kit(Tool::Xtrabackup, folder.path()).await.expect_err("none");
        assert!(
            why.contains("xtrabackup is not in backup.xtrabackup-bindir") && why.contains("install"),
            "{why}"
        );
    }
}
