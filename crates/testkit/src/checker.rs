//! The checker: what clients were told, compared with what the servers hold.

use crate::cluster::LocalCluster;
use crate::history::{History, Outcome};
use crate::sql::Sql;
use crate::watch::Sighting;
use crate::writers::{Delay, second_writers, turns};
use anyhow::{Context, Result, anyhow, bail};
use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

/// So many examples of one kind are shown.
pub(crate) const SHOWN: usize = 8;
/// Reading the whole table takes at most this.
const READ: Duration = Duration::from_secs(60);
/// Between two questions to a server that is away.
const AGAIN: Duration = Duration::from_millis(200);

/// What to compare.
#[derive(Debug, Default)]
pub struct Check<'a> {
    /// What clients were told.
    pub histories: Vec<&'a History>,
    /// What [`crate::WriterWatch`] has seen.
    pub sightings: Vec<Sighting>,
    /// When which node's answers were kept from the clients.
    pub delays: Vec<Delay>,
    /// Nodes, counted from 0, whose data is not looked at: they are down, or known to be INVALID.
    pub without: Vec<usize>,
    /// Every node must have the primary's transactions within this.
    pub bound: Duration,
}

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation(pub String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A check that found nothing wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The primary's node, counted from 0.
    pub primary: usize,
    /// Rows that clients were told OK for.
    pub acknowledged: usize,
    /// Inserts that were refused.
    pub refused: usize,
    /// Inserts without an answer, and how many of their rows are there.
    pub unknown: (usize, usize),
    /// Servers that were compared.
    pub servers: usize,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledged, refused, unknown: (unknown, present), servers, .. } = self;
        write!(
            f,
            "{acknowledged} acknowledged rows are on all {servers} servers, once; {refused} refused ones on none; \
             {unknown} without an answer, {present} of them there; one writer at a time"
        )
    }
}

type Rows = BTreeMap<(u32, u64), u32>;

/// What one server holds.
#[derive(Debug, Default)]
struct Held {
    /// How often each client's row is there.
    rows: Rows,
    /// The other tables: shape and checksum.
    others: BTreeMap<String, String>,
}

/// Compares.
///
/// # Errors
/// All violations, with examples, and the whole picture of the cluster; or that a server cannot be asked.
pub async fn check(cluster: &LocalCluster, what: Check<'_>) -> Result<Checked> {
    let bound = what.bound;
    let primary = cluster.wait_for_leader(bound).await?.value;
    let executed: String =
        cluster.admin(primary).await?.row("SELECT @@GLOBAL.gtid_executed", Duration::from_secs(5)).await?;
    let until = Instant::now() + bound;
    let mut tables = BTreeMap::new();
    let mut others = BTreeMap::new();
    let mut violations = Vec::new();
    for (index, node) in cluster.nodes().iter().enumerate() {
        if what.without.contains(&index) {
            continue;
        }
        match table(cluster, index, &executed, until).await {
            Ok(held) => {
                tables.insert(index, held.rows);
                others.insert(index, held.others);
            }
            Err(error) => violations.push(Violation(format!("{} cannot be compared: {error:#}", node.name))),
        }
    }
    let name = |index: usize| format!("node{}", index + 1);
    violations.extend(compare(&what.histories, &tables, primary, name));
    violations.extend(different(&others, primary, name));
    violations.extend(what.histories.iter().flat_map(|history| second_writers(history, &what.delays, name)));
    let terms = cluster.status(primary).await?.view_id;
    violations.extend(too_many_turns(&what.histories, terms));
    violations.extend(sightings(&what.sightings));
    if !violations.is_empty() {
        let list: Vec<String> = violations.iter().map(|violation| format!("- {violation}")).collect();
        return Err(anyhow!("{}\n{}", list.join("\n"), cluster.picture().await))
            .context("the checker found what must not be");
    }

    let none = Rows::new();
    let there = tables.get(&primary).unwrap_or(&none);
    let attempts = || what.histories.iter().flat_map(|h| h.attempts.iter().map(|a| (h.client, a)));
    let count = |wanted: fn(&Outcome) -> bool| attempts().filter(|(_, a)| wanted(&a.outcome)).count();
    let unknown = |outcome: &Outcome| matches!(outcome, Outcome::Unknown(_));
    Ok(Checked {
        primary,
        acknowledged: count(|outcome| *outcome == Outcome::Ok),
        refused: count(|outcome| matches!(outcome, Outcome::Refused(_))),
        unknown: (
            count(unknown),
            attempts().filter(|(c, a)| unknown(&a.outcome) && there.contains_key(&(*c, a.seq))).count(),
        ),
        servers: tables.len(),
    })
}

/// A server that ends itself and is started again meanwhile, as mysqld does after a full disk, is asked again when it is
/// back; one that stays away fails by `until`.
async fn caught_up(cluster: &LocalCluster, index: usize, executed: &str, until: Instant) -> Result<Sql> {
    loop {
        match wait_for(cluster, index, executed, until).await {
            Err(_) if Instant::now() + AGAIN < until => tokio::time::sleep(AGAIN).await,
            outcome => return outcome,
        }
    }
}

async fn wait_for(cluster: &LocalCluster, index: usize, executed: &str, until: Instant) -> Result<Sql> {
    let mut sql = cluster.admin(index).await?;
    let left = until.saturating_duration_since(Instant::now());
    let statement = format!(
        "SELECT WAIT_FOR_EXECUTED_GTID_SET('{}', {})",
        executed.replace('\n', ""),
        left.as_secs().max(1)
    );
    let waited: u8 = sql.row(&statement, left + Duration::from_secs(5)).await?;
    if waited != 0 {
        let has: String = sql.row("SELECT @@GLOBAL.gtid_executed", Duration::from_secs(5)).await?;
        bail!("it has not executed {executed}, only {has}");
    }
    Ok(sql)
}

/// What a server holds, once it has executed what the primary had.
async fn table(cluster: &LocalCluster, index: usize, executed: &str, until: Instant) -> Result<Held> {
    let mut sql = caught_up(cluster, index, executed, until).await?;
    let rows: Vec<(u32, u64, u32)> = sql
        .rows("SELECT client, seq, CAST(COUNT(*) AS UNSIGNED) FROM app.history GROUP BY client, seq", READ)
        .await?;
    let rows = rows.into_iter().map(|(client, seq, count)| ((client, seq), count)).collect();
    Ok(Held { rows, others: other_tables(&mut sql).await? })
}

/// Tables of the application that no [`History`] tells about, with shape and checksum.
async fn other_tables(sql: &mut Sql) -> Result<BTreeMap<String, String>> {
    let names: Vec<String> = sql
        .rows(
            "SELECT table_name FROM information_schema.tables \
             WHERE table_schema = 'app' AND table_name <> 'history'",
            READ,
        )
        .await?;
    let mut others = BTreeMap::new();
    for name in names {
        let (_, shape): (String, String) = sql.row(&format!("SHOW CREATE TABLE app.{name}"), READ).await?;
        let (_, sum): (String, Option<u64>) = sql.row(&format!("CHECKSUM TABLE app.{name}"), READ).await?;
        others.insert(name, format!("checksum {}, {shape}", sum.unwrap_or_default()));
    }
    Ok(others)
}

/// Tables that are not the same as on the primary.
fn different(
    others: &BTreeMap<usize, BTreeMap<String, String>>,
    primary: usize,
    name: impl Fn(usize) -> String,
) -> Vec<Violation> {
    let Some(original) = others.get(&primary) else { return Vec::new() };
    let differs = |(index, tables): (&usize, &BTreeMap<String, String>)| {
        (tables != original).then(|| {
            let (there, here) = (name(primary), name(*index));
            Violation(format!("tables differ: {there} has {original:?}, {here} has {tables:?}"))
        })
    };
    others.iter().filter_map(differs).collect()
}

fn compare(
    histories: &[&History],
    tables: &BTreeMap<usize, Rows>,
    primary: usize,
    name: impl Fn(usize) -> String + Copy,
) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (index, rows) in tables {
        let mut lost = Vec::new();
        let mut refused = Vec::new();
        for history in histories {
            for attempt in &history.attempts {
                let there = rows.contains_key(&(history.client, attempt.seq));
                match &attempt.outcome {
                    Outcome::Ok if !there => {
                        lost.push(format!(
                            "{}/{} (told by {})",
                            history.client,
                            attempt.seq,
                            name(attempt.node)
                        ));
                    }
                    Outcome::Refused(why) if there => {
                        refused.push(format!("{}/{} ({why})", history.client, attempt.seq));
                    }
                    Outcome::Ok | Outcome::Refused(_) | Outcome::Unknown(_) => {}
                }
            }
        }
        let twice =
            rows.iter().filter(|(_, count)| **count > 1).map(|((c, s), n)| format!("{c}/{s} ({n} times)"));
        violations.extend(found("acknowledged rows are lost on", &name(*index), lost));
        violations.extend(found("refused rows are on", &name(*index), refused));
        violations.extend(found("rows are there more than once on", &name(*index), twice.collect()));
        if let Some(original) = tables.get(&primary) {
            let more = rows.keys().filter(|key| !original.contains_key(key)).map(|(c, s)| format!("{c}/{s}"));
            violations.extend(found(
                "rows that the primary does not have are on",
                &name(*index),
                more.collect(),
            ));
        }
    }
    violations
}

fn found(what: &str, place: &str, mut examples: Vec<String>) -> Option<Violation> {
    let count = examples.len();
    examples.truncate(SHOWN);
    let more = if count > SHOWN { " …" } else { "" };
    (count > 0).then(|| Violation(format!("{count} {what} {place}: {}{more}", examples.join(", "))))
}

/// Every change of primary is a term of its own.
fn too_many_turns(histories: &[&History], terms: u64) -> Option<Violation> {
    let turns = turns(histories);
    (turns > terms).then(|| {
        Violation(format!(
            "nodes took turns at acknowledging {turns} times, and there were only {terms} terms"
        ))
    })
}

fn sightings(sightings: &[Sighting]) -> Option<Violation> {
    let (first, last) = (sightings.first()?, sightings.last()?);
    let lasted = last.at.duration_since(first.at);
    Some(Violation(format!("{first}; seen {} times in {:.3} s", sightings.len(), lasted.as_secs_f64())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Attempt;

    fn name(index: usize) -> String {
        format!("node{}", index + 1)
    }

    fn history(attempts: &[(u64, usize, u64, u64, Outcome)]) -> History {
        let zero = Instant::now();
        let at = |ms: u64| zero + Duration::from_millis(ms);
        let attempts = attempts
            .iter()
            .map(|(seq, node, start, end, outcome)| Attempt {
                seq: *seq,
                node: *node,
                start: at(*start),
                end: at(*end),
                outcome: outcome.clone(),
            })
            .collect();
        History { client: 7, attempts }
    }

    fn rows(list: &[(u64, u32)]) -> Rows {
        list.iter().map(|(seq, count)| ((7, *seq), *count)).collect()
    }

    #[test]
    fn lost_refused_doubled_and_foreign_rows_are_found() {
        let refused = Outcome::Refused("1290: read-only".to_owned());
        let unknown = Outcome::Unknown("broken".to_owned());
        let told = history(&[
            (1, 0, 0, 1, Outcome::Ok),
            (2, 0, 2, 3, Outcome::Ok),
            (3, 1, 4, 5, refused),
            (4, 0, 6, 7, unknown),
        ]);
        let compare = |primary: Rows, replica: Rows| {
            let tables = BTreeMap::from([(0, primary), (1, replica)]);
            let found = compare(&[&told], &tables, 0, name);
            found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(compare(rows(&[(1, 1), (2, 1)]), rows(&[(1, 1), (2, 1)])), "");
        assert_eq!(compare(rows(&[(1, 1), (2, 1), (4, 1)]), rows(&[(1, 1), (2, 1), (4, 1)])), "");
        let text = compare(rows(&[(1, 1), (2, 2)]), rows(&[(1, 1), (3, 1), (4, 1)]));
        assert_eq!(
            text,
            "1 rows are there more than once on node1: 7/2 (2 times)\n\
             1 acknowledged rows are lost on node2: 7/2 (told by node1)\n\
             1 refused rows are on node2: 7/3 (1290: read-only)\n\
             2 rows that the primary does not have are on node2: 7/3, 7/4"
        );
    }
}
