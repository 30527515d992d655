//! How a copy is made: by the servers themselves, or by a tool's stream.

use super::donor::series;
use serde::{Deserialize, Serialize};

/// A way to copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The servers' own CLONE.
    #[default]
    Clone,
    /// A stream of xtrabackup.
    Xtrabackup,
    /// A stream of mariabackup.
    Mariabackup,
}

impl Way {
    /// As the command line has it.
    pub fn word(self) -> &'static str {
        match self {
            Way::Clone => "clone",
            Way::Xtrabackup => "xtrabackup",
            Way::Mariabackup => "mariabackup",
        }
    }
}

/// What is known of a tool on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolSeen {
    /// Which: never [`Way::Clone`].
    pub way: Way,
    /// Its version; or what is missing, and what to install.
    pub found: Result<String, String>,
}

/// The donor or the recipient.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Side {
    /// The endpoint of its agent.
    pub id: String,
    /// `@@version` of its server; empty when not known.
    pub version: String,
    /// Why its server cannot take part in a CLONE.
    pub no_clone: Option<String>,
    /// The tools on its host.
    pub tools: Vec<ToolSeen>,
}

fn is_mariadb(version: &str) -> bool {
    version.contains("MariaDB")
}

/// Why the tool never copies such a server.
fn unfit(way: Way, server: &str) -> Option<String> {
    match way {
        Way::Mariabackup if !server.is_empty() && !is_mariadb(server) => Some(format!(
            "mariabackup copies MariaDB only (it does not know the log and the dictionary of MySQL 8.0 and later), and the \
             servers here are MySQL {server}: use --method clone or xtrabackup"
        )),
        Way::Xtrabackup if is_mariadb(server) => Some(format!(
            "xtrabackup copies MySQL and Percona Server only, and the servers here are MariaDB ({server}): use --method \
             mariabackup"
        )),
        Way::Clone if is_mariadb(server) => Some(format!(
            "CLONE is MySQL's, and the servers here are MariaDB ({server}): use --method mariabackup"
        )),
        _ => None,
    }
}

/// Percona's rule: 8.0 copies 8.0 and 8.4 copies 8.4; the release after an innovation release copies that, too.
fn tool_suits(way: Way, tool: &str, server: &str) -> bool {
    if way != Way::Xtrabackup || server.is_empty() {
        return true;
    }
    let numbers = |version: &str| {
        let mut parts = series(version).split('.').map(|part| part.parse::<u32>().ok());
        Some((parts.next()??, parts.next()??))
    };
    match (numbers(tool), numbers(server)) {
        (Some((8, tool)), Some((8, server))) => tool == server,
        (Some((tool_major, tool)), Some((major, server))) => tool_major == major && tool >= server,
        // A version that is not understood is left to the tool itself, which checks it, too.
        _ => true,
    }
}

/// Why `side` cannot copy this way; `None` when it can.
fn lacks(way: Way, side: &Side, server: &str) -> Option<String> {
    let id = &side.id;
    if way == Way::Clone {
        return side.no_clone.as_ref().map(|why| format!("{id}: {why}"));
    }
    let Some(tool) = side.tools.iter().find(|tool| tool.way == way) else {
        return Some(format!("{id}: its agent does not know of {}", way.word()));
    };
    match &tool.found {
        Err(why) => Some(format!("{id}: {why}")),
        Ok(version) if !tool_suits(way, version, server) => Some(format!(
            "{id}: its {} is {version}, which does not copy MySQL {server}: install that of series {}",
            way.word(),
            series(server)
        )),
        Ok(_) => None,
    }
}

fn objections(way: Way, donor: &Side, recipient: &Side) -> Vec<String> {
    let server = if donor.version.is_empty() { &recipient.version } else { &donor.version };
    if let Some(why) = unfit(way, server) {
        return vec![why];
    }
    [donor, recipient].iter().filter_map(|side| lacks(way, side, server)).collect()
}

/// CLONE where both servers can, else the tool that suits the server, where both hosts have it. What an operator wants is
/// taken, or refused with the reason.
///
/// # Errors
/// What is lacking on which host, and what to install.
pub fn choose_way(wanted: Option<Way>, donor: &Side, recipient: &Side) -> Result<Way, String> {
    if let Some(way) = wanted {
        let why = objections(way, donor, recipient);
        if why.is_empty() {
            return Ok(way);
        }
        let hint = match way {
            Way::Clone if !is_mariadb(&donor.version) => {
                "; a stream may do where both hosts have Percona XtraBackup: --method xtrabackup"
            }
            _ => "",
        };
        return Err(format!("no copy by {}: {}{hint}", way.word(), why.join("; ")));
    }
    let tool = if is_mariadb(&donor.version) { Way::Mariabackup } else { Way::Xtrabackup };
    let clone = objections(Way::Clone, donor, recipient);
    if clone.is_empty() {
        return Ok(Way::Clone);
    }
    let stream = objections(tool, donor, recipient);
    if stream.is_empty() {
        return Ok(tool);
    }
    Err(format!(
        "there is no way to copy: by CLONE: {}; by {}: {}",
        clone.join("; "),
        tool.word(),
        stream.join("; ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(id: &str, version: &str, xtrabackup: Option<&str>) -> Side {
        let found = xtrabackup.map(str::to_owned).ok_or("xtrabackup is not on PATH: install it".to_owned());
        let maria = Err("mariadb-backup is not on PATH: install it".to_owned());
        Side {
            id: id.to_owned(),
            version: version.to_owned(),
            no_clone: None,
            tools: vec![
                ToolSeen { way: Way::Xtrabackup, found },
                ToolSeen { way: Way::Mariabackup, found: maria },
            ],
        }
    }

    #[test]
    fn clone_first_then_the_tool_that_suits() {
        let (mut donor, mut here) =
            (side("d", "8.4.3", Some("8.4.0-1")), side("r", "8.4.3", Some("8.4.0-1")));
        assert_eq!(choose_way(None, &donor, &here), Ok(Way::Clone));
        assert_eq!(choose_way(Some(Way::Xtrabackup), &donor, &here), Ok(Way::Xtrabackup));
        here.no_clone = Some("it has no plugin".to_owned());
        assert_eq!(choose_way(None, &donor, &here), Ok(Way::Xtrabackup));
        let why = choose_way(Some(Way::Clone), &donor, &here).expect_err("not by CLONE");
        assert!(why.contains("r: it has no plugin") && why.contains("--method xtrabackup"), "{why}");
        donor.tools.clear();
        let why = choose_way(None, &donor, &here).expect_err("no way");
        assert!(why.contains("r: it has no plugin") && why.contains("d: its agent does not know"), "{why}");
    }

    #[test]
    fn what_is_lacking_is_said_of_each_host() {
        let (donor, here) = (side("d", "9.7.4", None), side("r", "9.7.4", None));
        let why = choose_way(Some(Way::Xtrabackup), &donor, &here).expect_err("none");
        assert!(why.contains("d: xtrabackup is not") && why.contains("r: xtrabackup is not"), "{why}");
        let other = side("r", "9.7.4", Some("8.0.35-30"));
        let why =
            choose_way(Some(Way::Xtrabackup), &side("d", "9.7.4", Some("9.7.0-1")), &other).expect_err("8.0");
        assert!(why.contains("r: its xtrabackup is 8.0.35-30") && why.contains("series 9.7"), "{why}");
    }

    #[test]
    fn each_tool_has_its_servers() {
        let (donor, here) = (side("d", "9.7.4", None), side("r", "9.7.4", None));
        let why = choose_way(Some(Way::Mariabackup), &donor, &here).expect_err("MySQL");
        assert!(why.contains("MariaDB only") && !why.contains("install"), "{why}");
        let (mut donor, mut here) = (side("d", "10.11.19-MariaDB-log", None), side("r", "", None));
        let why = choose_way(Some(Way::Xtrabackup), &donor, &here).expect_err("MariaDB");
        assert!(why.contains("--method mariabackup"), "{why}");
        for side in [&mut donor, &mut here] {
            side.tools[1].found = Ok("10.11.19-MariaDB".to_owned());
        }
        assert_eq!(choose_way(None, &donor, &here), Ok(Way::Mariabackup));
    }

    #[test]
    fn perconas_rule_of_versions() {
        let suits = |tool, server| tool_suits(Way::Xtrabackup, tool, server);
        assert!(suits("8.0.35-30", "8.0.36-28") && suits("9.1.0-1", "9.0.1") && suits("x", "8.0.1"));
        assert!(!suits("8.0.35-30", "8.4.3") && !suits("8.4.0-1", "8.0.36") && !suits("9.0.0", "9.1.0"));
    }
}
