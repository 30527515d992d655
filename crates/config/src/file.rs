//! The file itself: reading it, and who else can.

use crate::finding::{Finding, Findings, Place, Severity};
use crate::parse::{Loaded, TEXT_LIMIT_BYTES, parse, too_large};
use crate::secret::Secret;
use crate::tokens::parse_tokens;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The longest shared secret in a file of its own, bytes.
const SECRET_LIMIT_BYTES: u64 = 4096;
/// The longest file of tokens, bytes.
const TOKENS_LIMIT_BYTES: u64 = 128 << 10;

/// Reads, checks and completes the configuration in a file, including `server.secret-file`.
///
/// # Errors
/// The file or the secret's file cannot be read (why, as which user, what to do), or see [`parse`].
pub fn load(path: &Path) -> Result<Loaded, Findings> {
    let (text, metadata) = match read(path, TEXT_LIMIT_BYTES as u64) {
        Ok(read) => read,
        Err(finding) => {
            let mut findings = Findings::new(path);
            findings.push(finding);
            return Err(findings);
        }
    };
    let mut loaded = parse(&text, path)?;
    open_to_others(&metadata, &mut loaded);
    read_secret(&mut loaded);
    read_tokens(&mut loaded);
    loaded.warnings.sort();
    if loaded.warnings.has_errors() { Err(loaded.warnings) } else { Ok(loaded) }
}

/// Text and metadata of a regular file, both of the same open file.
fn read(path: &Path, limit: u64) -> Result<(String, Metadata), Finding> {
    let unreadable = |error: io::Error| unreadable(&error, &user_name());
    // Looked at before it is opened: opening a pipe would wait for its writer.
    let before = std::fs::metadata(path).map_err(unreadable)?;
    if !before.is_file() {
        let what = if before.is_dir() { "is a folder" } else { "is no regular file" };
        return Err(Finding::new(Severity::Error, None, "", what, "name the file"));
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.by_ref().take(limit + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        return Err(too_large(metadata.len().max(limit + 1)));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok((text, metadata)),
        Err(error) => Err(not_utf8(error.as_bytes(), error.utf8_error().valid_up_to())),
    }
}

fn unreadable(error: &io::Error, user: &str) -> Finding {
    let (what, cure) = match error.kind() {
        ErrorKind::NotFound => {
            ("no such file".to_owned(), "name the file with -c, or make one with xenoncli init".to_owned())
        }
        ErrorKind::PermissionDenied => (
            format!("{user} may not read it"),
            "make that user its owner, or run as the user who is".to_owned(),
        ),
        _ => (format!("{user} cannot read it: {error}"), String::new()),
    };
    Finding::new(Severity::Error, None, "", what, cure)
}

fn not_utf8(bytes: &[u8], valid: usize) -> Finding {
    let before = String::from_utf8_lossy(bytes.get(..valid).unwrap_or_default());
    let place = crate::places::places_end(&before);
    let cure = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "it is UTF-16: save it as UTF-8",
        _ => "save it as UTF-8",
    };
    Finding::new(Severity::Error, Some(place), "", "not UTF-8 from here on", cure)
}

/// `user mysql (uid 27)`: who this process is to the file system.
fn user_name() -> String {
    let uid = rustix::process::geteuid().as_raw();
    let names = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = names.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    match name {
        Some(name) => format!("user {name} (uid {uid})"),
        None => format!("uid {uid}"),
    }
}

/// Who besides the owner can read secrets in the file, or change what the agent runs.
fn open_to_others(metadata: &Metadata, loaded: &mut Loaded) {
    let mode = metadata.permissions().mode() & 0o777;
    let config = &loaded.config;
    let secrets = [
        ("server.secret", config.server.secret.as_ref().is_some_and(|secret| !secret.is_empty())),
        ("mysql.passwd", !config.mysql.passwd.is_empty()),
        ("replication.passwd", loaded.source.gives("replication.passwd")),
        ("backup.ssh-passwd", !config.backup.ssh_passwd.is_empty()),
    ];
    let file = loaded.source.path.display().to_string();
    if let Some((key, _)) = secrets.iter().find(|(_, present)| *present)
        && let Some((severity, what)) = readable(mode)
    {
        let place = loaded.source.place(key);
        let cure = format!("chmod 600 {file}");
        loaded.warnings.push(Finding::new(
            severity,
            place,
            *key,
            format!("a secret in a file that {what}"),
            cure,
        ));
    }
    if mode & 0o022 != 0 {
        let who = if mode & 0o002 != 0 { "everybody on this host" } else { "its group" };
        let what = format!(
            "{who} can change it (mode {mode:04o}), and the agent runs the commands that stand in it"
        );
        loaded.warnings.push(Finding::new(Severity::Warning, None, "", what, format!("chmod go-w {file}")));
    }
}

/// Everybody is a warning; a group may be meant, so it is a note.
fn readable(mode: u32) -> Option<(Severity, String)> {
    if mode & 0o004 != 0 {
        Some((Severity::Warning, format!("everybody on this host can read (mode {mode:04o})")))
    } else if mode & 0o040 != 0 {
        Some((Severity::Note, format!("its group can read (mode {mode:04o})")))
    } else {
        None
    }
}

/// Fills in the secret from its own file.
fn read_secret(loaded: &mut Loaded) {
    const KEY: &str = "server.secret-file";
    let Some(path) = loaded.config.server.secret_file.clone() else { return };
    let place = loaded.source.place(KEY);
    let name = path.display();
    let mut tell = |severity, what: String, cure: String| {
        loaded.warnings.push(Finding::new(severity, place, KEY, what, cure));
    };
    let (text, metadata) = match read(&path, SECRET_LIMIT_BYTES) {
        Ok(read) => read,
        Err(problem) => {
            let cure = if problem.what == "no such file" {
                "make it, or correct the path".to_owned()
            } else {
                problem.cure
            };
            return tell(Severity::Error, format!("{name}: {}", problem.what), cure);
        }
    };
    // Editors and `echo` end a line; the secret is the same as when it stands in server.secret.
    let secret = Secret::from(text.trim_end_matches(['\n', '\r']));
    if secret.is_empty() {
        return tell(
            Severity::Error,
            format!("{name}: is empty"),
            "write a random text of 32 characters".to_owned(),
        );
    }
    if let Some((severity, what)) = readable(metadata.permissions().mode() & 0o777) {
        tell(severity, format!("{name}: a file that {what}"), format!("chmod 600 {name}"));
    }
    loaded.warnings.list_weak(&secret, KEY, place);
    loaded.config.file_secret = Some(secret);
}

/// Fills in the tokens of the HTTP API from their file. Whoever reads that file may operate the cluster, so unlike the
/// file of the secret, which others of the group may share, it is refused when anybody but its owner can.
fn read_tokens(loaded: &mut Loaded) {
    const KEY: &str = "server.api-tokens-file";
    let Some(path) = loaded.config.server.api_tokens_file.clone() else { return };
    let place = loaded.source.place(KEY);
    let name = path.display();
    let mut refuse = |what: String, cure: String| {
        loaded.warnings.push(Finding::new(Severity::Error, place, KEY, format!("{name}: {what}"), cure));
    };
    let (text, metadata) = match read(&path, TOKENS_LIMIT_BYTES) {
        Ok(read) => read,
        Err(problem) if problem.what == "no such file" => {
            return refuse(problem.what, "make it, or correct the path".to_owned());
        }
        Err(problem) => return refuse(problem.what, problem.cure),
    };
    if let Some((_, what)) = readable(metadata.permissions().mode() & 0o777) {
        return refuse(format!("tokens in a file that {what}"), format!("chmod 600 {name}"));
    }
    match parse_tokens(&text) {
        Ok(tokens) => loaded.config.api_tokens = tokens,
        Err((line, what, cure)) => refuse(format!("line {line} {what}"), cure),
    }
}

impl Loaded {
    /// Where a key stands, for a message about it: `xenon.json:12:9`, or the file alone when a default is meant.
    pub fn place_of(&self, key: &str) -> String {
        match self.source.place(key) {
            Some(Place { line, column }) => format!("{}:{line}:{column}", self.source.path.display()),
            None => self.source.path.display().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_file_cannot_be_read_and_as_which_user() {
        let table = [
            (ErrorKind::NotFound, "no such file; name the file with -c, or make one with xenoncli init"),
            (
                ErrorKind::PermissionDenied,
                "user mysql (uid 27) may not read it; make that user its owner, or run as the user who is",
            ),
            (ErrorKind::TimedOut, "user mysql (uid 27) cannot read it: timed out"),
        ];
        for (kind, wanted) in table {
            assert_eq!(unreadable(&kind.into(), "user mysql (uid 27)").to_string(), wanted);
        }
        assert!(user_name().contains("uid "));
    }
}
