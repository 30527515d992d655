//! What this host shows of its MySQL server and its own address, as answers to begin with.

use std::ffi::OsStr;
use std::net::UdpSocket;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Where distributions put the server's option file.
const OPTION_FILES: [&str; 5] = [
    "/etc/my.cnf",
    "/etc/mysql/my.cnf",
    "/etc/mysql/mysql.conf.d/mysqld.cnf",
    "/usr/local/etc/my.cnf",
    "/etc/my3306.cnf",
];
/// So much of an option file is read, bytes.
const LARGEST: u64 = 1 << 20;

/// What was found; `None` where there is nothing to go by.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) address: Option<String>,
    pub(super) defaults_file: Option<PathBuf>,
    pub(super) datadir: Option<PathBuf>,
    pub(super) socket: Option<PathBuf>,
    pub(super) port: Option<u16>,
    pub(super) basedir: Option<PathBuf>,
}

/// Looks at processes, option files and addresses.
pub(super) fn look() -> Found {
    let mut found = running(Path::new("/proc")).unwrap_or_default();
    if found.defaults_file.is_none() {
        found.defaults_file = OPTION_FILES.iter().map(PathBuf::from).find(|path| path.is_file());
    }
    if let Some(file) = &found.defaults_file {
        let said = of_file(file);
        found.datadir = found.datadir.or(said.datadir);
        found.socket = found.socket.or(said.socket);
        found.port = found.port.or(said.port);
        found.basedir = found.basedir.or(said.basedir);
    }
    found.address = own_address();
    found
}

/// What an option file says of its server.
pub(super) fn of_file(file: &Path) -> Found {
    let text = read(file);
    let path = |name: &str| option(&text, name).map(PathBuf::from);
    Found {
        address: None,
        defaults_file: Some(file.to_owned()),
        datadir: path("datadir"),
        socket: path("socket"),
        port: option(&text, "port").and_then(|port| port.parse().ok()),
        basedir: path("basedir"),
    }
}

fn read(file: &Path) -> String {
    use std::io::Read;
    let mut text = Vec::new();
    // What cannot be read says nothing.
    let _ = std::fs::File::open(file).and_then(|file| file.take(LARGEST).read_to_end(&mut text));
    String::from_utf8_lossy(&text).into_owned()
}

/// A mysqld that runs, by its arguments.
fn running(proc: &Path) -> Option<Found> {
    let mut processes: Vec<PathBuf> =
        std::fs::read_dir(proc).ok()?.flatten().map(|entry| entry.path()).collect();
    processes.sort();
    processes.iter().find_map(|process| of_arguments(&std::fs::read(process.join("cmdline")).ok()?))
}

fn of_arguments(cmdline: &[u8]) -> Option<Found> {
    let mut words = cmdline.split(|byte| *byte == 0).map(OsStr::from_bytes);
    let program = Path::new(words.next()?);
    if program.file_name()? != "mysqld" {
        return None;
    }
    let words: Vec<&str> = words.filter_map(OsStr::to_str).collect();
    let of = |name: &str| {
        words.iter().find_map(|word| word.strip_prefix("--")?.strip_prefix(name)?.strip_prefix('='))
    };
    Some(Found {
        address: None,
        defaults_file: of("defaults-file").map(PathBuf::from),
        datadir: of("datadir").map(PathBuf::from),
        socket: of("socket").map(PathBuf::from),
        port: of("port").and_then(|port| port.parse().ok()),
        basedir: of("basedir")
            .map(PathBuf::from)
            .or_else(|| program.parent()?.parent().filter(|base| base.is_absolute()).map(Path::to_owned)),
    })
}

/// The last value of an option in the group of the server.
fn option(text: &str, name: &str) -> Option<String> {
    let mut in_group = false;
    let mut found = None;
    for line in text.lines().map(str::trim) {
        if let Some(group) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            in_group = matches!(group.trim(), "mysqld" | "server") || group.trim().starts_with("mysqld-");
        } else if in_group
            && let Some((key, value)) = line.split_once('=')
            && key.trim().replace('-', "_") == name
        {
            found = Some(value.trim().trim_matches(['"', '\'']).to_owned());
        }
    }
    found.filter(|value| !value.is_empty())
}

/// The address from which this host would speak to others. Nothing is sent: a datagram socket only looks up the way.
fn own_address() -> Option<String> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // An address for documents: it is on nobody's network, so the default route decides.
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then(|| address.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_by_its_arguments() {
        let found =
            of_arguments(b"/usr/sbin/mysqld\0--defaults-file=/etc/m.cnf\0--datadir=/data\0--port=3307\0")
                .expect("a server");
        assert_eq!(found.defaults_file, Some(PathBuf::from("/etc/m.cnf")));
        assert_eq!((found.datadir, found.port), (Some(PathBuf::from("/data")), Some(3307)));
        assert_eq!(found.basedir, Some(PathBuf::from("/usr")));
        for other in [&b""[..], b"/usr/bin/mysqld_safe\0", b"mysql\0--port=1\0", b"\0\0", b"\xff\xfe\0"] {
            assert_eq!(of_arguments(other), None);
        }
    }

    #[test]
    fn an_option_file() {
        let text = "[client]\nsocket=/no\n[mysqld]\ndata-dir=/x\ndatadir = /a\n# datadir=/c\nsocket='/s'\ndatadir=\"/b\"\nport=\n[mysql]\ndatadir=/d\n";
        assert_eq!(option(text, "datadir").as_deref(), Some("/b"));
        assert_eq!(option(text, "socket").as_deref(), Some("/s"));
        assert_eq!(option(text, "port"), None);
    }
}
