//! What a copy has, by the word of the tool that made it.

use std::io::Read;
use std::path::{Path, PathBuf};

use xenon_gtid::GtidSet;

use super::StreamError;

/// In the order in which they are looked for: MariaDB from 11.1 on calls it by its own name.
const FILES: [&str; 2] = ["xtrabackup_binlog_info", "mariadb_backup_binlog_info"];
/// Longest such file, bytes: GTID sets can be long.
const BYTES_MAX: u64 = 16 << 20;

/// The position of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyPosition {
    /// A MySQL server's `gtid_executed` at the copy's moment.
    Gtids(GtidSet),
    /// A MariaDB server's `gtid_current_pos`, in its own form (`0-1-42`).
    MariaDb(String),
}

/// Reads it from the copy in `folder`. Blocking.
///
/// # Errors
/// [`StreamError::Position`] when there is none, or none that is understood.
pub fn read_position(folder: &Path) -> Result<CopyPosition, StreamError> {
    let path = FILES.iter().map(|name| folder.join(name)).find(|path| path.is_file());
    let Some(path) = path else {
        return Err(wrong(folder.join(FILES[0]), "it is missing: the copy does not say what it has"));
    };
    let mut text = String::new();
    let file = std::fs::File::open(&path).map_err(|error| StreamError::io("cannot read", &path, error))?;
    file.take(BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|error| StreamError::io("cannot read", &path, error))?;
    parse(&text).map_err(|why| wrong(path, why))
}

fn wrong(path: PathBuf, why: impl Into<String>) -> StreamError {
    StreamError::Position { path, why: why.into() }
}

/// `binlog.000003<tab>1234<tab>uuid:1-5,` and more of the set in further lines.
fn parse(text: &str) -> Result<CopyPosition, String> {
    let mut parts = text.splitn(3, '\t');
    let (Some(_), Some(_), Some(set)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("it holds no file, position and GTIDs".to_owned());
    };
    let set: String = set.chars().filter(|c| !c.is_whitespace()).collect();
    if is_mariadb(&set) {
        return Ok(CopyPosition::MariaDb(set));
    }
    let set: GtidSet = set.parse().map_err(|_| "its GTIDs are not understood".to_owned())?;
    if set.is_empty() {
        return Err("it holds no GTID".to_owned());
    }
    Ok(CopyPosition::Gtids(set))
}

/// `domain-server-sequence`, one for each domain.
fn is_mariadb(set: &str) -> bool {
    let three = |gtid: &str| {
        let mut count = 0;
        let numbers = gtid.split('-').all(|number| {
            count += 1;
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        });
        numbers && count == 3
    };
    !set.is_empty() && set.split(',').all(three)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_of_both_tools() {
        let (a, b) = ("3e11fa47-71ca-11e1-9e33-c80aa9429562", "4e11fa47-71ca-11e1-9e33-c80aa9429562");
        let text = format!("binlog.000003\t1234\t{a}:1-5,\n{b}:1-3:7\n");
        let set: GtidSet = format!("{a}:1-5,{b}:1-3:7").parse().expect("a set");
        assert_eq!(parse(&text).expect("parsed"), CopyPosition::Gtids(set));
        let maria = parse("mariadb-bin.000096\t568\t0-1-2,7-1-3\n").expect("parsed");
        assert_eq!(maria, CopyPosition::MariaDb("0-1-2,7-1-3".to_owned()));
        for text in
            ["", "binlog.000001\t4\n", "binlog.000001\t4\t\n", "binlog.000001\t4\tx:y\n", "a\tb\t0-1\n"]
        {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_copy_without_one_is_refused() {
        let folder = tempfile::tempdir().expect("folder");
        let error = read_position(folder.path()).expect_err("none").to_string();
        assert!(error.contains("xtrabackup_binlog_info") && error.contains("binary log"), "{error}");
        std::fs::write(folder.path().join("mariadb_backup_binlog_info"), "m.000001\t4\t0-1-9\n")
            .expect("write");
        let found = read_position(folder.path()).expect("read");
        assert_eq!(found, CopyPosition::MariaDb("0-1-9".to_owned()));
    }
}
