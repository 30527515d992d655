//! Data folders: made once for each server version, kept in the user's cache folder, and copied for every node.
//!
//! Making one takes five seconds, copying it a fraction of one. The accounts are made together with it, while the server
//! initialises itself: outside any binlog, so that no node begins with transactions of its own. Their passwords are
//! random, kept beside the data in a file that only its owner can read, and so are shared by the clusters of one user.

use crate::files::{random_text, write_private};
use crate::node::Account;
use crate::programs::Base;
use anyhow::{Context, Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// The redo log's size, for making the data and for running on it; a smaller one makes initialising wait for its own
/// checkpoints.
pub(crate) const REDO_CAPACITY: &str = "32M";

/// Goes up when what is in a template changes, so that an older one is not taken for it.
const LAYOUT: u32 = 1;
/// Longest that a server may take to make its data.
const INITIALISE: Duration = Duration::from_secs(180);
/// A half-made template this old was left behind by a process that is gone.
const ABANDONED: Duration = Duration::from_secs(900);
/// Holes are looked for in steps of this size, bytes.
const STEP: usize = 64 << 10;
/// Clients on this machine come from these addresses.
pub(crate) const LOOPBACK: &str = "127.0.0.0/255.0.0.0";

/// A folder with fresh data of one server version.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    folder: PathBuf,
    /// The accounts in it.
    pub(crate) logins: Logins,
}

/// The accounts in a template.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Logins {
    pub(crate) admin: Account,
    pub(crate) app: Account,
}

impl Template {
    /// The template for this server, with accounts that log in from the addresses `clients`: from the cache folder, else
    /// made there; without a cache folder, made in `spare`.
    pub(crate) fn obtain(base: &Base, clients: &str, spare: &Path) -> Result<Self> {
        let cache = cache_folder().filter(|cache| private_folder(cache).is_ok());
        let parent = cache.as_deref().unwrap_or(spare);
        let from = clients.split('/').next().unwrap_or_default();
        let name = format!("data-{}-{LAYOUT}-{from}-{}", base.version, rustix::process::geteuid().as_raw());
        let folder = parent.join(&name);
        if let Some(found) = Self::at(&folder) {
            return Ok(found);
        }
        remove_abandoned(parent, &name);
        let making = tempfile::Builder::new()
            .prefix(&format!("{name}.making-"))
            .tempdir_in(parent)
            .with_context(|| format!("{} cannot be written", parent.display()))?;
        make(base, clients, making.path())?;
        // Another process may have made one meanwhile: either is as good.
        let made = making.keep();
        if fs::rename(&made, &folder).is_err() {
            let found = Self::at(&folder);
            if found.is_none() {
                // Something that is no template has its name.
                let _ = fs::remove_dir_all(&folder);
                fs::rename(&made, &folder).with_context(|| format!("{} cannot be made", folder.display()))?;
            } else {
                let _ = fs::remove_dir_all(&made);
            }
        }
        Self::at(&folder).ok_or_else(|| anyhow!("{} was made, but cannot be read", folder.display()))
    }

    fn at(folder: &Path) -> Option<Self> {
        // Written last, so its presence says that the rest is whole.
        let text = fs::read_to_string(folder.join("logins.json")).ok()?;
        let logins = serde_json::from_str(&text).ok()?;
        Some(Self { folder: folder.to_owned(), logins })
    }

    /// Copies the data to a new folder.
    pub(crate) fn copy_to(&self, data: &Path) -> Result<()> {
        copy_folder(&self.folder.join("data"), data)
            .with_context(|| format!("the data folder {} cannot be filled", data.display()))
    }
}

fn cache_folder() -> Option<PathBuf> {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    from("XENON_CACHE")
        .or_else(|| from("XDG_CACHE_HOME").map(|folder| folder.join("xenon")))
        .or_else(|| from("HOME").map(|home| home.join(".cache/xenon")))
        .filter(|folder| folder.is_absolute())
}

fn private_folder(folder: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn remove_abandoned(parent: &Path, name: &str) {
    let prefix = format!("{name}.making-");
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let old = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .is_ok_and(|made| SystemTime::now().duration_since(made).is_ok_and(|age| age > ABANDONED));
        if old && entry.file_name().to_string_lossy().starts_with(&prefix) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn make(base: &Base, clients: &str, folder: &Path) -> Result<()> {
    let account = |user: &str| Account { user: user.to_owned(), password: random_text(24) };
    let logins = Logins { admin: account("root"), app: account("app") };
    let init = folder.join("init.sql");
    write_private(&init, &init_statements(&logins, clients))?;

    let log = folder.join("initialize.log");
    let data = folder.join("data");
    let mut command = Command::new(&base.mysqld);
    command
        .arg("--no-defaults")
        .arg("--initialize-insecure")
        .arg(with_path("--basedir=", &base.dir))
        .arg(with_path("--datadir=", &data))
        .arg(with_path("--init-file=", &init))
        .arg("--disable-log-bin")
        .arg("--innodb-buffer-pool-size=64M")
        .arg(format!("--innodb-redo-log-capacity={REDO_CAPACITY}"))
        // Its power may go while it works: then the folder is made anew.
        .arg("--innodb-flush-log-at-trx-commit=2");
    if rustix::process::geteuid().is_root() {
        command.arg("--user=root");
    }
    let said = File::create(&log).with_context(|| format!("{} cannot be written", log.display()))?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(said.try_clone()?)
        .stderr(said)
        .spawn()
        .with_context(|| format!("{} does not run", base.mysqld.display()))?;
    let until = Instant::now() + INITIALISE;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > until {
            child.kill()?;
            child.wait()?;
            bail!("mysqld --initialize-insecure did not end within {} s", INITIALISE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    if !status.success() {
        let said = fs::read_to_string(&log).unwrap_or_default();
        let last: Vec<&str> = said.lines().rev().take(8).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        bail!("mysqld --initialize-insecure failed ({status}); its last words:\n{}", last.join("\n"));
    }
    // Every copy is a server of its own.
    fs::remove_file(data.join("auto.cnf")).ok();
    fs::remove_file(&init)?;
    write_private(&folder.join("logins.json"), &serde_json::to_string(&logins)?)
}

fn with_path(option: &str, path: &Path) -> std::ffi::OsString {
    let mut argument = std::ffi::OsString::from(option);
    argument.push(path);
    argument
}

/// One statement a line: that is what a server reads from such a file.
fn init_statements(logins: &Logins, clients: &str) -> String {
    let Logins { admin, app } = logins;
    format!(
        "ALTER USER 'root'@'localhost' IDENTIFIED BY '{admin_password}';\n\
         CREATE USER '{admin}'@'{clients}' IDENTIFIED BY '{admin_password}';\n\
         GRANT ALL ON *.* TO '{admin}'@'{clients}' WITH GRANT OPTION;\n\
         CREATE DATABASE app;\n\
         CREATE USER '{app}'@'{clients}' IDENTIFIED BY '{app_password}';\n\
         GRANT ALL ON app.* TO '{app}'@'{clients}';\n",
        admin = admin.user,
        admin_password = admin.password,
        app = app.user,
        app_password = app.password,
    )
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::DirBuilder::new().mode(0o700).create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else if kind.is_file() {
            copy_file(&entry.path(), &target)?;
        }
    }
    Ok(())
}

/// Leaves out what is zero, which is most of a fresh server's data; except in the redo log, where every commit would
/// have to wait until the file system has found room for the hole that it writes to.
fn copy_file(from: &Path, to: &Path) -> Result<()> {
    let mut source = File::open(from)?;
    let metadata = source.metadata()?;
    let keep_zeros = from.parent().and_then(Path::file_name).is_some_and(|name| name == "#innodb_redo");
    let mut target =
        File::options().write(true).create_new(true).mode(metadata.permissions().mode() & 0o777).open(to)?;
    target.set_len(metadata.size())?;
    let mut buffer = vec![0_u8; STEP];
    loop {
        let length = source.read(&mut buffer)?;
        let Some(bytes) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
        if keep_zeros || bytes.iter().any(|byte| *byte != 0) {
            target.write_all(bytes)?;
        } else {
            target.seek(SeekFrom::Current(i64::try_from(length)?))?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_equal_holes_included() {
        let folder = tempfile::tempdir().expect("folder");
        let from = folder.path().join("from");
        fs::create_dir_all(from.join("inner")).expect("folder");
        let mut bytes = vec![0_u8; 3 * STEP + 17];
        bytes[STEP + 5] = 7;
        fs::write(from.join("inner/holes"), &bytes).expect("write");
        fs::write(from.join("zeros"), vec![0_u8; 100]).expect("write");
        fs::write(from.join("empty"), b"").expect("write");
        let to = folder.path().join("to");
        copy_folder(&from, &to).expect("copy");
        assert_eq!(fs::read(to.join("inner/holes")).expect("read"), bytes);
        assert_eq!(fs::read(to.join("zeros")).expect("read"), vec![0_u8; 100]);
        assert_eq!(fs::read(to.join("empty")).expect("read"), b"");
    }
}
