//! Server threads of calls that were given up: their statements may still take effect, so they are hunted down.
//!
//! The failure this prevents: `START REPLICA` waits for a lock in the server, its caller gives up, a voter stops its
//! receiver and reads its position (V3), and only then the old statement starts the receiver again. The voter would
//! acknowledge for the old leader after its vote.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::SqlError;
use crate::link::{DOOR_ATTRIBUTE, Link, PROGRAM, PROGRAM_ATTRIBUTE, Purpose, Rows, named, text};
use crate::literal::quoted;

/// How often a killed thread is looked for until it is gone.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// "Unknown thread id": it ended by itself.
const NO_SUCH_THREAD: u16 = 1094;

/// Which connections of one door are open, and which were given up.
pub(crate) struct Abandoned {
    token: String,
    lists: Mutex<Lists>,
}

#[derive(Default)]
struct Lists {
    open: HashSet<u32>,
    given_up: BTreeMap<u32, Purpose>,
}

impl Abandoned {
    pub(crate) fn new() -> Self {
        // Random keys of the standard library: enough to tell this door from every other one.
        let mut hasher = std::hash::RandomState::new().build_hasher();
        hasher.write_u32(std::process::id());
        Self { token: format!("{:016x}", hasher.finish()), lists: Mutex::default() }
    }

    /// Value of our connection attribute, by which a thread is known as ours even after the server has restarted and given
    /// the same number to somebody else.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    pub(crate) fn opened(&self, id: u32) {
        let mut lists = self.lists();
        lists.open.insert(id);
        // The server numbers from the start again after a restart: then the old thread of that number is long gone.
        lists.given_up.remove(&id);
    }

    pub(crate) fn closed(&self, id: u32) {
        self.lists().open.remove(&id);
    }

    pub(crate) fn give_up(&self, id: u32, purpose: Purpose) {
        let mut lists = self.lists();
        lists.open.remove(&id);
        lists.given_up.insert(id, purpose);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lists().given_up.is_empty()
    }

    /// How many were given up and are not known to be gone.
    pub(crate) fn count(&self) -> usize {
        self.lists().given_up.len()
    }

    pub(crate) fn is_open(&self, id: u32) -> bool {
        self.lists().open.contains(&id)
    }

    fn forget(&self, id: u32) {
        self.lists().given_up.remove(&id);
    }

    fn given_up(&self) -> Vec<(u32, Purpose)> {
        self.lists().given_up.iter().map(|(id, purpose)| (*id, *purpose)).collect()
    }

    fn lists(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills them over `link` and waits until each that might change something is gone.
    ///
    /// One kind counts as gone while it is still there: a killed thread in its COMMIT, which waits for a semi-sync
    /// acknowledgement, or behind another commit that does ("closing tables", seen on 9.7.4). KILL does not release it (D2),
    /// but it does nothing more afterwards: the server runs no further statement of a killed session.
    pub(crate) async fn end_all(&self, link: &mut Link, until: Instant) -> Result<(), SqlError> {
        let what = "ending statements that were given up";
        let started = Instant::now();
        let mut owners: Option<Owners> = None;
        loop {
            let ids = self.given_up();
            if ids.is_empty() {
                return Ok(());
            }
            let sessions = sessions(link, what, until).await?;
            let owners = match &owners {
                Some(owners) => owners,
                None => owners.insert(Owners::read(link, what, until).await?),
            };
            let mut wait_for_any = false;
            for (id, purpose) in ids {
                let Some(session) = sessions.iter().find(|s| s.id == id) else {
                    self.forget(id);
                    continue;
                };
                if !owners.may_be_of(session, &self.token) || session.is_harmless() {
                    self.forget(id);
                    continue;
                }
                if !session.is_killed() {
                    kill(link, id, what, until).await?;
                }
                wait_for_any |= purpose == Purpose::Changing;
            }
            if !wait_for_any {
                return Ok(());
            }
            if Instant::now() + LOOK_AGAIN >= until {
                let after_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                let what = format!("{what}: KILL was sent, and they are still there");
                return Err(SqlError::Timeout { what, after_ms });
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// Ends what an earlier agent of this server left behind: it may have been killed in the middle of a statement, which
/// would take effect at any later moment. Two agents never share a server: the record's lock sees to that.
pub(crate) async fn end_predecessors(link: &mut Link, token: &str, until: Instant) -> Result<(), SqlError> {
    let what = "ending sessions of an earlier agent";
    let started = Instant::now();
    loop {
        let sessions = sessions(link, what, until).await?;
        let owners = Owners::read(link, what, until).await?;
        let theirs: Vec<_> = sessions
            .iter()
            .filter(|session| {
                let other = owners.doors.get(&session.id).is_some_and(|door| door != token);
                other && owners.is_agent(session.id) && !session.is_harmless()
            })
            .collect();
        if theirs.is_empty() {
            return Ok(());
        }
        for session in theirs.iter().filter(|session| !session.is_killed()) {
            kill(link, session.id, what, until).await?;
        }
        if Instant::now() + LOOK_AGAIN >= until {
            let after_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            return Err(SqlError::Timeout { what: what.to_owned(), after_ms });
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Kills one session. `false` when it had ended by itself.
pub(crate) async fn kill(link: &mut Link, id: u32, what: &str, until: Instant) -> Result<bool, SqlError> {
    match link.run(what, format!("KILL CONNECTION {id}"), until).await {
        Ok(()) => Ok(true),
        Err(error) if error.is_code(NO_SUCH_THREAD) => Ok(false),
        Err(error) => Err(error),
    }
}

/// One line of the process list.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: u32,
    user: String,
    host: String,
    command: String,
    state: String,
    statement: String,
}

impl Session {
    fn is_killed(&self) -> bool {
        self.command.eq_ignore_ascii_case("Killed")
    }

    fn is_harmless(&self) -> bool {
        let waits = self.state.to_ascii_lowercase().starts_with("waiting for semi-sync ack");
        let commits =
            self.statement.trim_start().get(..6).is_some_and(|word| word.eq_ignore_ascii_case("commit"));
        self.is_killed() && (waits || commits)
    }

    /// It sends binlogs to a replica, to the one at `host` if given.
    pub(crate) fn serves_replica(&self, host: Option<&str>) -> bool {
        let from = self.host.rsplit_once(':').map_or(self.host.as_str(), |(host, _)| host);
        self.command.to_ascii_lowercase().starts_with("binlog dump") && host.is_none_or(|host| host == from)
    }

    /// A client, not a thread of the server or of replication.
    pub(crate) fn is_client(&self) -> bool {
        const SERVER_USERS: [&str; 6] = [
            "system user",
            "event_scheduler",
            "unauthenticated user",
            "mysql.session",
            "mysql.sys",
            "mysql.infoschema",
        ];
        const SERVER_COMMANDS: [&str; 6] =
            ["daemon", "binlog dump", "binlog dump gtid", "connect", "group replication data", "killed"];
        !SERVER_USERS.contains(&self.user.as_str())
            && !SERVER_COMMANDS.contains(&self.command.to_ascii_lowercase().as_str())
    }
}

/// The process list. SHOW and not a table: it needs no performance schema and exists in every version.
pub(crate) async fn sessions(link: &mut Link, what: &str, until: Instant) -> Result<Vec<Session>, SqlError> {
    let sets = link.ask(what, "SHOW PROCESSLIST", until).await?;
    let rows: Rows = sets.into_iter().next().unwrap_or_default();
    Ok(rows
        .iter()
        .filter_map(|row| {
            Some(Session {
                id: named(row, &["Id"])?.parse().ok()?,
                user: named(row, &["User"]).unwrap_or_default(),
                host: named(row, &["Host"]).unwrap_or_default(),
                command: named(row, &["Command"]).unwrap_or_default(),
                state: named(row, &["State"]).unwrap_or_default(),
                statement: named(row, &["Info"]).unwrap_or_default(),
            })
        })
        .collect())
}

/// Whose sessions those are, by the attributes their clients sent.
pub(crate) struct Owners {
    programs: HashSet<u32>,
    doors: HashMap<u32, String>,
    /// Our own attributes are to be seen, so those of others are, too. Not so without performance schema.
    usable: bool,
}

impl Owners {
    pub(crate) async fn read(link: &mut Link, what: &str, until: Instant) -> Result<Self, SqlError> {
        let sql = format!(
            "SELECT PROCESSLIST_ID, ATTR_NAME, ATTR_VALUE FROM performance_schema.session_connect_attrs \
             WHERE ATTR_NAME IN ({}, {})",
            quoted(PROGRAM_ATTRIBUTE),
            quoted(DOOR_ATTRIBUTE)
        );
        let mut owners = Self { programs: HashSet::new(), doors: HashMap::new(), usable: false };
        let rows = match link.ask(what, sql, until).await {
            Ok(sets) => sets.into_iter().next().unwrap_or_default(),
            // No right to read it, or no such table: no attributes.
            Err(error) if error.code().is_some() => return Ok(owners),
            Err(error) => return Err(error),
        };
        for row in &rows {
            let (Some(id), Some(name), value) =
                (text(row, 0), text(row, 1), text(row, 2).unwrap_or_default())
            else {
                continue;
            };
            let Ok(id) = id.parse::<u32>() else { continue };
            if name == DOOR_ATTRIBUTE {
                owners.doors.insert(id, value);
            } else if value == PROGRAM {
                owners.programs.insert(id);
            }
        }
        owners.usable = owners.doors.contains_key(&link.id());
        Ok(owners)
    }

    /// The session is a Xenon agent's.
    pub(crate) fn is_agent(&self, id: u32) -> bool {
        self.programs.contains(&id)
    }

    /// The session may be the one that the door with this token gave up.
    fn may_be_of(&self, session: &Session, token: &str) -> bool {
        !self.usable || self.doors.get(&session.id).is_some_and(|door| door == token)
    }
}
