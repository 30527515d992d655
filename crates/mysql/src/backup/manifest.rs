//! What a backup says of itself.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use xenon_gtid::{GtidSet, Uuid};

use super::{MANIFEST, MANIFEST_SUM};
use crate::CopyError;

/// The form of the manifest that this version writes and reads.
const FORMAT: u32 = 1;
/// Longest manifest that is read, bytes: room for a million files.
const BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A backup's description, `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Form of this file; another one is refused.
    pub format: u32,
    /// Where it comes from.
    pub origin: BackupOrigin,
    /// How it was copied: `clone`.
    pub method: String,
    /// `@@version` of the server that it is of.
    pub server_version: String,
    /// `@@server_uuid` of the server that it is of. A server that starts on the backup makes one of its own.
    pub server_uuid: Uuid,
    /// The position: all transactions whose effects are in it, and no others.
    pub gtid_executed: GtidSet,
    /// `@@innodb_page_size`, bytes; a server that reads it must have the same.
    pub page_bytes: u32,
    /// Tables of applications.
    pub tables: u64,
    /// When it began, milliseconds since 1970.
    pub started_unix_ms: u64,
    /// When it was proved, milliseconds since 1970.
    pub ended_unix_ms: u64,
    /// All files together, bytes.
    pub bytes: u64,
    /// Every file below `data/`, by name.
    pub files: Vec<BackupFile>,
}

/// Where a backup comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupOrigin {
    /// Endpoint of the node.
    pub node: String,
    /// The cluster's UUID, if the node was in one.
    pub cluster: Option<Uuid>,
    /// `xenon` with its version.
    pub tool: String,
}

/// One file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupFile {
    /// Relative to `data/`, with `/` between folders.
    pub path: String,
    /// Its length, bytes.
    pub bytes: u64,
    /// Its SHA-256, 64 hexadecimal digits.
    pub sha256: String,
}

impl Manifest {
    /// The form that this version writes.
    pub(super) const FORMAT: u32 = FORMAT;

    /// Writes both files. Blocking.
    pub(super) fn write(&self, folder: &Path) -> Result<(), CopyError> {
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| CopyError::incomplete(folder, format!("no manifest can be made: {error}")))?;
        let path = folder.join(MANIFEST);
        std::fs::write(&path, &text).map_err(|error| CopyError::io("cannot write", &path, error))?;
        let sum = format!("{}  {MANIFEST}\n", hex(&Sha256::digest(&text)));
        let path = folder.join(MANIFEST_SUM);
        std::fs::write(&path, sum).map_err(|error| CopyError::io("cannot write", &path, error))
    }

    /// Reads it, and checks what can be checked without reading the data. Blocking.
    pub(super) fn read(folder: &Path) -> Result<Self, CopyError> {
        let path = folder.join(MANIFEST);
        let meta = match std::fs::metadata(&path) {
            Ok(meta) => meta,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let why = format!(
                    "it has no {MANIFEST}, so it is no complete backup of Xenon's; one that is still being made has a \
                     name that ends in .incomplete"
                );
                return Err(CopyError::incomplete(folder, why));
            }
            Err(error) => return Err(CopyError::io("cannot read", &path, error)),
        };
        if meta.len() > BYTES_MAX {
            return Err(CopyError::incomplete(&path, "it is too long for a manifest"));
        }
        let text = std::fs::read(&path).map_err(|error| CopyError::io("cannot read", &path, error))?;
        let sum = folder.join(MANIFEST_SUM);
        let wanted =
            std::fs::read_to_string(&sum).map_err(|error| CopyError::io("cannot read", &sum, error))?;
        if wanted.split_whitespace().next() != Some(hex(&Sha256::digest(&text)).as_str()) {
            let why = format!(
                "its SHA-256 is not the one in {MANIFEST_SUM}: the backup is damaged; use another one"
            );
            return Err(CopyError::incomplete(&path, why));
        }
        let manifest: Self = serde_json::from_slice(&text).map_err(|error| {
            CopyError::incomplete(
                &path,
                format!("it is not understood ({error}); was it made by a newer Xenon?"),
            )
        })?;
        manifest.check(&path)?;
        Ok(manifest)
    }

    fn check(&self, path: &Path) -> Result<(), CopyError> {
        if self.format != FORMAT {
            let why = format!(
                "its format is {}, and this version of Xenon reads {FORMAT}; use the one that made it",
                self.format
            );
            return Err(CopyError::incomplete(path, why));
        }
        if let Some(bad) = self.files.iter().find(|file| !is_inside(&file.path)) {
            let why = format!("it names a file outside of the backup ({:?}); it is not used", bad.path);
            return Err(CopyError::incomplete(path, why));
        }
        Ok(())
    }
}

/// A relative path of plain names: a manifest must not make a restore write anywhere else.
fn is_inside(path: &str) -> bool {
    !path.is_empty() && path.split('/').all(|name| !matches!(name, "" | "." | "..")) && !path.contains('\0')
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
pub(super) fn example() -> Manifest {
    Manifest {
        format: FORMAT,
        origin: BackupOrigin { node: "10.0.0.1:8080".into(), cluster: None, tool: "xenon 0.1.0".into() },
        method: "clone".into(),
        server_version: "9.7.4-2".into(),
        server_uuid: "aaaaaaaa-0000-4000-8000-000000000001".parse().expect("uuid"),
        gtid_executed: "aaaaaaaa-0000-4000-8000-000000000001:1-7".parse().expect("set"),
        page_bytes: 16384,
        tables: 1,
        started_unix_ms: 1,
        ended_unix_ms: 2,
        bytes: 0,
        files: vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_and_any_change_is_noticed() {
        let folder = tempfile::tempdir().expect("folder");
        let says = |what: &str| {
            let error = Manifest::read(folder.path()).expect_err(what).to_string();
            assert!(error.contains(what), "{error}");
        };
        says("no complete backup");
        let manifest = example();
        manifest.write(folder.path()).expect("write");
        assert_eq!(Manifest::read(folder.path()).expect("read"), manifest);
        let path = folder.path().join(MANIFEST);
        let text = std::fs::read_to_string(&path).expect("read");
        std::fs::write(&path, text.replace(":1-7", ":1-8")).expect("write");
        says("damaged");
        Manifest { format: 2, ..manifest.clone() }.write(folder.path()).expect("write");
        says("format is 2");
        for path in ["../x", "/etc/x", "a//b", "a/./b", ""] {
            let file = BackupFile { path: path.into(), bytes: 0, sha256: String::new() };
            Manifest { files: vec![file], ..manifest.clone() }.write(folder.path()).expect("write");
            says("outside");
        }
    }
}
