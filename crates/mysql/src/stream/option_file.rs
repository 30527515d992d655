//! The password on its way to a program: in a file that nobody else can read, for as long as the program runs.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::StreamError;
use crate::Secret;

/// Groups that the programs read as clients; the first is MySQL's own.
const GROUPS: [&str; 4] = ["client", "xtrabackup", "mariabackup", "mariadb-backup"];

/// Dropping it removes the file.
#[derive(Debug)]
pub(super) struct OptionFile {
    path: PathBuf,
}

impl OptionFile {
    /// An option file that reads the server's own first and then has the password. Mode 0600 from its first moment, in a
    /// folder of mode 0700. Blocking.
    pub(super) fn write(folder: &Path, server: &Path, password: &Secret) -> Result<Self, StreamError> {
        let path = folder.join("login.cnf");
        let text = text(server, password)?;
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(StreamError::io("cannot remove", &path, error));
            }
            _ => {}
        }
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&path);
        let made = Self { path: path.clone() };
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| StreamError::io("cannot write", &path, error))?;
        Ok(made)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for OptionFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "cannot remove a file with a password");
        }
    }
}

fn text(server: &Path, password: &Secret) -> Result<String, StreamError> {
    let wrong = |setting, why: &str| StreamError::Setting { setting, why: why.to_owned() };
    // The program reads it from where it stands, which is where the agent does; the file that includes it stands elsewhere.
    let server =
        std::path::absolute(server).map_err(|error| StreamError::io("cannot find", server, error))?;
    let Some(server) = server.to_str().filter(|path| !path.contains('\n')) else {
        return Err(wrong("mysql.defaults-file", "must be a path of UTF-8 text without a line break"));
    };
    let password = quoted(password.reveal())
        .ok_or_else(|| wrong("mysql.passwd", "has a line break or a NUL, which no option file can hold"))?;
    let mut text = format!("!include {server}\n");
    for group in GROUPS {
        text.push_str(&format!("[{group}]\npassword={password}\n"));
    }
    Ok(text)
}

/// As option files want it: quotes around, and backslashes before what would end or change it.
fn quoted(value: &str) -> Option<String> {
    if value.contains(['\n', '\r', '\0']) {
        return None;
    }
    Some(format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_its_owner_reads_it_and_it_goes() {
        let folder = tempfile::tempdir().expect("folder");
        let server = Path::new("/etc/my.cnf");
        let path = {
            let file = OptionFile::write(folder.path(), server, &r#"a"b\c#d"#.into()).expect("written");
            let mode = std::fs::metadata(file.path()).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            let text = std::fs::read_to_string(file.path()).expect("text");
            assert!(text.starts_with("!include /etc/my.cnf\n[client]\n"), "{text}");
            assert!(text.contains(r#"password="a\"b\\c#d""#), "{text}");
            // An earlier one may have been left by a crash.
            std::mem::forget(OptionFile::write(folder.path(), server, &"x".into()).expect("again"));
            folder.path().join("login.cnf")
        };
        assert!(!path.exists());
        let error = OptionFile::write(folder.path(), server, &"hun\nter2".into()).expect_err("a line break");
        assert!(!error.to_string().contains("hun"), "{error}");
    }
}
