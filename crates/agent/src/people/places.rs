//! What a check-up sees of this host: disks, limits, rights of files, names. Blocking: run it on a thread for that.

use std::net::ToSocketAddrs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// One folder that matters.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// What it is for: `data`, `binary logs`, `agent's record`.
    pub(super) what: &'static str,
    pub(super) path: PathBuf,
    /// Free for users, bytes, and all there is; or why that is not known.
    pub(super) room: Result<(u64, u64), String>,
    /// It lies on the disk of the system itself.
    pub(super) on_root: bool,
}

/// What is known of this host.
#[derive(Debug, Clone, Default)]
pub(super) struct Host {
    pub(super) places: Vec<Place>,
    /// Files that the agent may open; `None` = without a limit, or not known.
    pub(super) open_files: Option<u64>,
    /// Mode of xenon.json; `None` = it cannot be looked at.
    pub(super) config_mode: Option<u32>,
    /// The system's own services that start a mysqld at boot.
    pub(super) services: Vec<String>,
    /// Hosts that no address is found for, with why.
    pub(super) unresolved: Vec<(String, String)>,
    /// Own certificate: when it ends, seconds since 1970, or why that is not known.
    pub(super) certificate: Option<Result<i64, String>>,
    /// The semi-sync plugins lie in the server's folder of plugins.
    pub(super) semi_sync_files: bool,
}

/// What is looked at.
pub(super) struct Where {
    pub(super) places: Vec<(&'static str, PathBuf)>,
    pub(super) config: PathBuf,
    pub(super) hosts: Vec<String>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) plugin_dir: Option<PathBuf>,
}

pub(super) fn look(at: &Where) -> Host {
    let root = std::fs::metadata("/").ok().map(|root| root.dev());
    let places = at
        .places
        .iter()
        .map(|(what, path)| Place {
            what,
            path: path.clone(),
            room: room(path),
            on_root: root.is_some() && std::fs::metadata(path).ok().map(|meta| meta.dev()) == root,
        })
        .collect();
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let unresolved = at
        .hosts
        .iter()
        .filter_map(|host| match (host.as_str(), 1).to_socket_addrs() {
            Ok(found) if found.len() > 0 => None,
            Ok(_) => Some((host.clone(), "it has no address".to_owned())),
            Err(error) => Some((host.clone(), error.to_string())),
        })
        .collect();
    Host {
        places,
        open_files: open_files(&limits),
        config_mode: std::fs::metadata(&at.config).ok().map(|meta| meta.mode() & 0o777),
        services: services(Path::new("/etc/systemd/system")),
        unresolved,
        certificate: at.certificate.as_deref().map(xenon_channel::certificate_ends),
        semi_sync_files: at.plugin_dir.as_deref().is_some_and(has_semi_sync),
    }
}

fn room(path: &Path) -> Result<(u64, u64), String> {
    let stat = rustix::fs::statvfs(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok((stat.f_bavail.saturating_mul(stat.f_frsize), stat.f_blocks.saturating_mul(stat.f_frsize)))
}

/// The soft limit, from `/proc/self/limits`.
fn open_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Services that systemd starts at boot, by the links that `systemctl enable` makes.
fn services(systemd: &Path) -> Vec<String> {
    ["mysql.service", "mysqld.service", "mariadb.service", "mysqld@.service"]
        .into_iter()
        .filter(|name| {
            ["multi-user.target.wants", "default.target.wants"]
                .iter()
                .any(|target| systemd.join(target).join(name).symlink_metadata().is_ok())
        })
        .map(str::to_owned)
        .collect()
}

fn has_semi_sync(folder: &Path) -> bool {
    [["semisync_source.so", "semisync_replica.so"], ["semisync_master.so", "semisync_slave.so"]]
        .iter()
        .any(|pair| pair.iter().all(|file| folder.join(file).is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max open files            1024                 524288               files     \n";
        assert_eq!(open_files(limits), Some(1024));
        assert_eq!(
            open_files("Max open files            unlimited            unlimited            files"),
            None
        );
        assert_eq!(open_files(""), None);
    }

    #[test]
    fn services_that_are_enabled() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(services(folder.path()).is_empty());
        let wants = folder.path().join("multi-user.target.wants");
        std::fs::create_dir(&wants).expect("made");
        std::os::unix::fs::symlink("/nowhere", wants.join("mysql.service")).expect("made");
        assert_eq!(services(folder.path()), ["mysql.service"]);
    }

    #[test]
    fn this_host() {
        let at = Where {
            places: vec![("data", PathBuf::from("/")), ("binary logs", PathBuf::from("/nowhere"))],
            config: PathBuf::from("/nowhere"),
            hosts: vec!["127.0.0.1".to_owned()],
            certificate: None,
            plugin_dir: None,
        };
        let host = look(&at);
        assert!(host.places[0].on_root && host.places[0].room.is_ok() && host.places[1].room.is_err());
        assert!(host.unresolved.is_empty() && host.config_mode.is_none());
    }
}
