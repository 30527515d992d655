//! Bringing a backup back: its manifest read, every byte checked against it while it is copied.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::files::{PIECE_BYTES, digest, fill, list, stop_if_cancelled};
use super::manifest::hex;
use super::{BackupFile, DATA, Manifest};
use crate::copy::{blocking, sync_folder};
use crate::{CopyError, ServerVersion};

/// Reads a backup's manifest and compares it with the files that are there, by name and length. Nothing is changed.
///
/// # Errors
/// [`CopyError::Incomplete`], which says what is missing, too much, or of another length.
pub async fn read_backup(folder: &Path) -> Result<Manifest, CopyError> {
    let folder = folder.to_owned();
    blocking(move || {
        if !folder.is_absolute() {
            return Err(CopyError::impossible(
                "reading a backup",
                format!("{} is a relative path; give it in full", folder.display()),
            ));
        }
        let manifest = Manifest::read(&folder)?;
        compare(&manifest, &folder.join(DATA))?;
        Ok(manifest)
    })
    .await
}

fn compare(manifest: &Manifest, data: &Path) -> Result<(), CopyError> {
    let damaged = |path: &Path, what: String| {
        Err(CopyError::incomplete(path, format!("{what}; the backup is damaged: use another one")))
    };
    let mut there = list(data)?.into_iter().peekable();
    for file in &manifest.files {
        let path = data.join(&file.path);
        // Both are in order of their paths.
        match there.next_if(|(found, _)| *found == path) {
            Some((_, bytes)) if bytes == file.bytes => {}
            Some((_, bytes)) => {
                return damaged(
                    &path,
                    format!("it has {bytes} bytes, and had {} when it was made", file.bytes),
                );
            }
            None if path.exists() => {
                return damaged(&path, "the files are not in the order of the manifest".to_owned());
            }
            None => return damaged(&path, "it is missing".to_owned()),
        }
    }
    match there.next() {
        Some((path, _)) => damaged(&path, "the manifest does not name it".to_owned()),
        None => Ok(()),
    }
}

impl Manifest {
    /// Whether a server of that version can start on the backup.
    ///
    /// A server reads the data of its own series (8.0, 8.4, 9.7 …) from its own version or an earlier one.
    ///
    /// # Errors
    /// A sentence that says why not, and what to do.
    pub fn suits(&self, program: ServerVersion) -> Result<(), String> {
        let Some(backup) = ServerVersion::parse(&self.server_version) else {
            return Err(format!(
                "the backup is of version '{}', which is not understood",
                self.server_version
            ));
        };
        let series = |version: ServerVersion| (version.major, version.minor);
        if series(backup) == series(program) && program.patch >= backup.patch {
            return Ok(());
        }
        Err(format!(
            "the backup is of MySQL {backup}, and this node's mysqld is {program}: restore it with a server of the series \
             {}.{}, {backup} or later, and upgrade that",
            backup.major, backup.minor
        ))
    }
}

/// Reads every byte of a backup and compares it with the manifest. `each` is told how many bytes were read.
///
/// # Errors
/// [`CopyError::Incomplete`] names the first file that is not as it was.
pub async fn check_backup(
    folder: &Path,
    manifest: &Manifest,
    cancel: watch::Receiver<bool>,
    mut each: impl FnMut(u64) + Send + 'static,
) -> Result<(), CopyError> {
    let (data, manifest) = (folder.join(DATA), manifest.clone());
    blocking(move || {
        for file in &manifest.files {
            let path = data.join(&file.path);
            let found = digest(&path, file.path.clone(), &cancel, &mut each)?;
            same(&path, file, &found)?;
        }
        Ok(())
    })
    .await
}

/// Copies a backup's data to `to`, which must not be there, and checks every byte of it on the way. The backup stays as it
/// is. `each` is told how many bytes were copied. When it fails, `to` may be there, half filled.
///
/// # Errors
/// [`CopyError::Incomplete`] names the first file that is not as it was.
pub async fn copy_backup(
    folder: &Path,
    manifest: &Manifest,
    to: &Path,
    cancel: watch::Receiver<bool>,
    mut each: impl FnMut(u64) + Send + 'static,
) -> Result<(), CopyError> {
    let (data, manifest, to) = (folder.join(DATA), manifest.clone(), to.to_owned());
    blocking(move || {
        std::fs::create_dir(&to).map_err(|error| CopyError::io("cannot create", &to, error))?;
        make_folders(&data, &to)?;
        for file in &manifest.files {
            copy(&data.join(&file.path), &to.join(&file.path), file, &cancel, &mut each)?;
        }
        sync_folder(&to)
    })
    .await
}

/// Empty ones, too: a schema without tables is a folder.
fn make_folders(data: &Path, to: &Path) -> Result<(), CopyError> {
    let mut folders: Vec<PathBuf> = Vec::new();
    crate::copy::walk(data, &mut |path, meta| {
        if meta.is_dir() {
            folders.extend(path.strip_prefix(data).map(|path| to.join(path)));
        }
        Ok(())
    })?;
    folders.iter().try_for_each(|folder| {
        std::fs::create_dir_all(folder).map_err(|error| CopyError::io("cannot create", folder, error))
    })
}

fn copy(
    from: &Path,
    to: &Path,
    wanted: &BackupFile,
    cancel: &watch::Receiver<bool>,
    each: &mut dyn FnMut(u64),
) -> Result<(), CopyError> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut source = File::open(from).map_err(|error| CopyError::io("cannot read", from, error))?;
    let cannot_write = |error| CopyError::io("cannot write", to, error);
    let mut target = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o640)
        .open(to)
        .map_err(cannot_write)?;
    let (mut sum, mut bytes, mut piece) = (Sha256::new(), 0, vec![0; PIECE_BYTES]);
    loop {
        stop_if_cancelled(cancel)?;
        let count =
            fill(&mut source, &mut piece).map_err(|error| CopyError::io("cannot read", from, error))?;
        let Some(read) = piece.get(..count).filter(|read| !read.is_empty()) else { break };
        sum.update(read);
        target.write_all(read).map_err(cannot_write)?;
        bytes += count as u64;
        each(count as u64);
    }
    target.sync_all().map_err(cannot_write)?;
    same(from, wanted, &BackupFile { path: wanted.path.clone(), bytes, sha256: hex(&sum.finalize()) })
}

fn same(path: &Path, wanted: &BackupFile, found: &BackupFile) -> Result<(), CopyError> {
    if wanted == found {
        return Ok(());
    }
    let why = format!(
        "its SHA-256 is {}, and the manifest says {}: the backup is damaged; use another one",
        found.sha256, wanted.sha256
    );
    Err(CopyError::incomplete(path, why))
}

#[cfg(test)]
mod tests {
    use super::super::manifest::example;
    use super::*;

    fn backup() -> (tempfile::TempDir, Manifest) {
        let folder = tempfile::tempdir().expect("folder");
        let data = folder.path().join(DATA);
        std::fs::create_dir_all(data.join("empty")).expect("create");
        std::fs::create_dir_all(data.join("d")).expect("create");
        std::fs::write(data.join("d/a"), "a".repeat(3_000_000)).expect("write");
        std::fs::write(data.join("b"), "b").expect("write");
        let (_hold, cancel) = watch::channel(false);
        let files = list(&data).expect("list").into_iter();
        let files = files.map(|(path, _)| {
            let name = path.strip_prefix(&data).expect("below").to_string_lossy().into_owned();
            digest(&path, name, &cancel, &mut |_| {}).expect("digest")
        });
        let manifest = Manifest { files: files.collect(), ..example() };
        manifest.write(folder.path()).expect("write");
        (folder, manifest)
    }

    #[tokio::test]
    async fn a_backup_comes_back_whole_or_not_at_all() {
        let (folder, manifest) = backup();
        let to = tempfile::tempdir().expect("folder");
        let to = to.path().join("data");
        let (_hold, never) = watch::channel(false);
        let cancel = || never.clone();
        assert_eq!(read_backup(folder.path()).await.expect("read"), manifest);
        check_backup(folder.path(), &manifest, cancel(), |_| {}).await.expect("checked");
        copy_backup(folder.path(), &manifest, &to, cancel(), |_| {}).await.expect("copied");
        assert!(to.join("empty").is_dir() && std::fs::read(to.join("b")).expect("read") == b"b");
        assert!(copy_backup(folder.path(), &manifest, &to, cancel(), |_| {}).await.is_err(), "it is there");

        // One bit; same length, so only its checksum tells.
        let a = folder.path().join("data/d/a");
        let mut bytes = std::fs::read(&a).expect("read");
        bytes[2_000_000] ^= 1;
        std::fs::write(&a, &bytes).expect("write");
        read_backup(folder.path()).await.expect("names and lengths are right");
        let error = check_backup(folder.path(), &manifest, cancel(), |_| {}).await.expect_err("damaged");
        assert!(error.to_string().contains("d/a") && error.to_string().contains("SHA-256"), "{error}");
        let again = to.with_extension("2");
        assert!(copy_backup(folder.path(), &manifest, &again, cancel(), |_| {}).await.is_err());
        let error =
            copy_backup(folder.path(), &manifest, &to.with_extension("3"), watch::channel(true).1, |_| {})
                .await;
        assert!(matches!(error, Err(CopyError::Cancelled { .. })));

        let says = async |what: &str| {
            let error = read_backup(folder.path()).await.expect_err(what).to_string();
            assert!(error.contains(what), "{error}");
        };
        std::fs::write(&a, "short").expect("write");
        says("5 bytes").await;
        std::fs::remove_file(&a).expect("remove");
        says("missing").await;
        std::fs::write(&a, "a".repeat(3_000_000)).expect("write");
        std::fs::write(folder.path().join("data/d/more"), "").expect("write");
        says("does not name it").await;
        std::fs::remove_file(folder.path().join("data/d/more")).expect("remove");
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("data/link")).expect("link");
        says("neither a file").await;
        assert!(read_backup(Path::new("relative")).await.is_err());
    }

    #[test]
    fn only_the_own_series_and_not_an_older_server() {
        let of = |backup: &str, program: &str| {
            let manifest = Manifest { server_version: backup.to_owned(), ..example() };
            manifest.suits(ServerVersion::parse(program).expect("version")).is_ok()
        };
        assert!(of("9.7.4-2", "9.7.4") && of("8.0.36-28", "8.0.40"));
        assert!(
            !of("9.7.4", "9.7.3") && !of("8.4.0", "8.0.40") && !of("8.0.40", "8.4.0") && !of("x", "8.0.1")
        );
    }
}
