//! The journal of a rebuild, on disk before each phase begins.

use crate::hands::Places;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use xenon_plan::rebuild::Journal;

/// In the agent's own folder.
const FILE: &str = "rebuild.json";
/// How long writing it may take.
const SAVE: Duration = Duration::from_secs(5);

/// What is durable of a rebuild: what it is, and where its folders are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) journal: Journal,
    #[serde(default)]
    pub(crate) places: Places,
}

pub(crate) fn file(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// `None` when there is none, or none that is understood: then a half copy beside the data folder is all that is left of
/// that rebuild, and the next one removes it.
pub(crate) fn load(file: &Path) -> Option<Kept> {
    let text = std::fs::read(file).ok()?;
    match serde_json::from_slice(&text) {
        Ok(kept) => Some(kept),
        Err(error) => {
            tracing::warn!(%error, file = %file.display(), "the journal of a rebuild is not understood");
            None
        }
    }
}

/// Whole or not at all, and on disk when it returns.
pub(crate) async fn save(file: &Path, kept: Kept) -> Result<(), String> {
    let text = serde_json::to_vec_pretty(&kept).map_err(|error| error.to_string())?;
    let path = file.to_owned();
    let write = move || -> std::io::Result<()> {
        let new = path.with_extension("new");
        let mut out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        out.write_all(&text)?;
        out.sync_all()?;
        std::fs::rename(&new, &path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    match tokio::time::timeout(SAVE, tokio::task::spawn_blocking(write)).await {
        Ok(Ok(result)) => result.map_err(|error| format!("{}: {error}", file.display())),
        Ok(Err(_)) => Err("its thread is gone".to_owned()),
        Err(_) => Err(format!("{}: the disk does not answer within {} s", file.display(), SAVE.as_secs())),
    }
}
