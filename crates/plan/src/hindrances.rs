//! T1: what stands in the way when writes are to be closed for a handover: what closing would have to wait for, and what clients
//! would lose.

/// So many seconds make a statement or a transaction a long one.
const LONG_S: u64 = 1;
/// Words that statements begin with which change definitions or whole tables.
const DEFINING: [&str; 9] =
    ["ALTER", "CREATE", "DROP", "TRUNCATE", "RENAME", "OPTIMIZE", "ANALYZE", "REPAIR", "LOAD"];
/// Words that statements begin with which hold up nothing.
const READING: [&str; 8] = ["SELECT", "SHOW", "DO", "DESC", "DESCRIBE", "EXPLAIN", "USE", "KILL"];
/// More are counted and not named.
const NAMED: usize = 5;

/// What a client's session is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Work {
    /// The server's number of the session.
    pub session: u64,
    /// Whose.
    pub user: String,
    /// The statement that runs now, its beginning; empty when none does.
    pub statement: String,
    /// For so long, seconds; of an idle session since its last statement.
    pub seconds: u64,
    /// It holds LOCK TABLES … WRITE.
    pub locks_tables: bool,
    /// Rows that its open transaction has changed.
    pub rows_changed: u64,
    /// How long that has been open, seconds.
    pub open_s: u64,
}

/// One thing that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hindrance {
    /// What, and what it would come to.
    pub what: String,
    /// What to do about it.
    pub cure: String,
}

/// All that stands in the way of closing writes now, the worst first.
pub fn hindrances(work: &[Work]) -> Vec<Hindrance> {
    let mut found: Vec<Hindrance> = work.iter().filter_map(hindrance).collect();
    let more = found.len().saturating_sub(NAMED);
    if more > 0 {
        found.truncate(NAMED);
        found.push(Hindrance {
            what: format!("{more} more session(s) like these"),
            cure: "look at them on the primary: SHOW PROCESSLIST".to_owned(),
        });
    }
    found
}

fn hindrance(work: &Work) -> Option<Hindrance> {
    let Work { session, user, seconds, .. } = work;
    let whose = format!("session {session} of {user}");
    let kill = format!("or end it on the primary: KILL {session}");
    if work.locks_tables {
        return Some(Hindrance {
            what: format!("{whose} holds LOCK TABLES, behind which super_read_only waits"),
            cure: format!("let it UNLOCK TABLES, {kill}"),
        });
    }
    let word = work.statement.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
    if DEFINING.contains(&word.as_str()) {
        return Some(Hindrance {
            what: format!("{whose} runs {word} ({seconds} s so far), which super_read_only waits for"),
            cure: format!("wait for it (--wait SECONDS), {kill}"),
        });
    }
    if *seconds >= LONG_S && !word.is_empty() && !READING.contains(&word.as_str()) {
        return Some(Hindrance {
            what: format!("a {word} of {whose} runs for {seconds} s, and super_read_only waits for it"),
            cure: format!("wait for it (--wait SECONDS), {kill}"),
        });
    }
    (work.rows_changed > 0 && work.open_s >= LONG_S).then(|| Hindrance {
        what: format!(
            "{whose} has a transaction open for {} s that has changed {} row(s): its COMMIT would be refused",
            work.open_s, work.rows_changed
        ),
        cure: format!("wait for it (--wait SECONDS), {kill}"),
    })
}
