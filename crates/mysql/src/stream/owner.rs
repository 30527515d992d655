//! Whose the copy's files are to be.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::StreamError;
use crate::copy::walk;
use crate::process::{Defaults, user};
use crate::{CopyError, MysqldOptions};

/// Longest list of users that is read, bytes.
const USERS_MAX: u64 = 16 << 20;

/// Gives an unpacked copy to the user that the server runs as: that of `model`, the old data folder, or where that is lost
/// the one that the option file or the agent's settings name. Nothing is done when it is that user's already. Blocking.
///
/// # Errors
/// It cannot be given away, or nobody says to whom.
pub fn give_to_server(
    options: &MysqldOptions,
    copy: &Path,
    model: &Path,
    had_data: bool,
) -> Result<(), StreamError> {
    if had_data {
        return Ok(crate::own_like(copy, model)?);
    }
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let defaults = Defaults::read(&options.defaults_file)
        .map_err(|error| CopyError::io("cannot read", &options.defaults_file, error))?;
    let named = user(options, &defaults).ok().flatten();
    let Some(name) = named.or_else(|| defaults.value("user").map(str::to_owned)) else {
        let why = format!("put user=mysql into [mysqld] of {}", options.defaults_file.display());
        return Err(CopyError::impossible("giving the copy to mysqld's user", why).into());
    };
    let (uid, gid) = ids(&name).ok_or_else(|| {
        CopyError::impossible("giving the copy to mysqld's user", format!("this host has no user {name}"))
    })?;
    let give = |path: &Path, meta: &std::fs::Metadata| {
        if meta.is_symlink() || (meta.uid(), meta.gid()) == (uid, gid) {
            return Ok(());
        }
        std::os::unix::fs::chown(path, Some(uid), Some(gid))
            .map_err(|error| CopyError::io("cannot change the owner of", path, error))
    };
    walk(copy, &mut |path, meta| give(path, meta))?;
    let meta =
        std::fs::symlink_metadata(copy).map_err(|error| CopyError::io("cannot look at", copy, error))?;
    Ok(give(copy, &meta)?)
}

/// User and group of a name or number, by the host's own list.
fn ids(name: &str) -> Option<(u32, u32)> {
    let mut users = String::new();
    let file = std::fs::File::open("/etc/passwd").ok()?;
    file.take(USERS_MAX).read_to_string(&mut users).ok()?;
    ids_in(&users, name)
}

fn ids_in(users: &str, name: &str) -> Option<(u32, u32)> {
    users.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let (uid, gid) = (fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?);
        (*fields.first()? == name || *fields.get(2)? == name).then_some((uid, gid))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name_and_number() {
        let users =
            "root:x:0:0:root:/root:/bin/bash\nbroken\nmysql:x:106:112:MySQL:/nonexistent:/bin/false\n";
        assert_eq!(ids_in(users, "mysql"), Some((106, 112)));
        assert_eq!(ids_in(users, "106"), Some((106, 112)));
        assert_eq!(ids_in(users, "nobody"), None);
    }
}
