//! Whether a running mysqld still works in the folder that its data folder's name leads to.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use xenon_plan::Folder;

/// How the kernel names a folder that has no name any more.
const DELETED: &str = " (deleted)";

/// Compares the folder in which the process works (mysqld changes into its data folder at its start) with the one that
/// `data` names for it now. Blocking.
pub fn folder_of(pid: i32, data: &Path) -> Folder {
    // Both through the process, so that a container's own view of the files is compared with itself.
    let (Ok(works_in), Ok(link)) =
        (std::fs::metadata(format!("/proc/{pid}/cwd")), std::fs::read_link(format!("/proc/{pid}/cwd")))
    else {
        return Folder::Unknown;
    };
    let root = format!("/proc/{pid}/root");
    let inside = Path::new(&root).join(data.strip_prefix("/").unwrap_or(data));
    match std::fs::metadata(inside) {
        Ok(named) if (named.dev(), named.ino()) == (works_in.dev(), works_in.ino()) => return Folder::Right,
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        // No right to look, or the disk fails: others notice that.
        Err(_) => return Folder::Unknown,
    }
    let link = link.to_string_lossy();
    if link.ends_with(DELETED) { Folder::Deleted } else { Folder::Moved(link.into_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_folder_is_right_moved_and_deleted() {
        let parent = tempfile::tempdir().expect("folder");
        let (data, elsewhere) = (parent.path().join("data"), parent.path().join("elsewhere"));
        std::fs::create_dir(&data).expect("create");
        let mut child = Command::new("sleep").arg("60").current_dir(&data).spawn().expect("sleep runs");
        let pid = i32::try_from(child.id()).expect("pid");
        let now = || folder_of(pid, &data);
        let right = now();
        std::fs::rename(&data, &elsewhere).expect("move");
        let moved = now();
        // Another one in its place is not it.
        std::fs::create_dir(&data).expect("create");
        let replaced = now();
        std::fs::remove_dir(&elsewhere).expect("remove");
        let deleted = now();
        child.kill().expect("kill");
        child.wait().expect("reap");
        let elsewhere = Folder::Moved(elsewhere.to_string_lossy().into_owned());
        assert_eq!(
            [right, moved, replaced, deleted],
            [Folder::Right, elsewhere.clone(), elsewhere, Folder::Deleted]
        );
        assert_eq!(now(), Folder::Unknown, "the process is gone");
    }
}
