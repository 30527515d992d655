//! The checker: what clients were told, compared with what the servers hold.

use crate::cluster::LocalCluster;
use crate::history::{Attempt, History, Outcome};
use crate::watch::Sighting;
use anyhow::{Context, Result, anyhow, bail};
use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

/// A late answer counts as one of a second writer when it comes this long after the first OK of the next primary: below
/// this, the order in which a client's own thread sees two answers says nothing.
const REORDERED: Duration = Duration::from_millis(20);
/// Two changes of the primary, there and back, take longer than this.
const IN_TURN: Duration = Duration::from_millis(60);
/// So many examples of one kind are shown.
const SHOWN: usize = 8;
/// Reading the whole table takes at most this.
const READ: Duration = Duration::from_secs(60);

/// What to compare.
#[derive(Debug, Default)]
pub struct Check<'a> {
    /// What clients were told.
    pub histories: Vec<&'a History>,
    /// What [`crate::WriterWatch`] has seen.
    pub sightings: Vec<Sighting>,
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
    let mut violations = Vec::new();
    for (index, node) in cluster.nodes().iter().enumerate() {
        if what.without.contains(&index) {
            continue;
        }
        match table(cluster, index, &executed, until).await {
            Ok(rows) => {
                tables.insert(index, rows);
            }
            Err(error) => violations.push(Violation(format!("{} cannot be compared: {error:#}", node.name))),
        }
    }
    let name = |index: usize| format!("node{}", index + 1);
    violations.extend(compare(&what.histories, &tables, primary, name));
    violations.extend(what.histories.iter().flat_map(|history| second_writers(history, name)));
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

/// A server's rows with how often each is there, once it has executed what the primary had.
async fn table(cluster: &LocalCluster, index: usize, executed: &str, until: Instant) -> Result<Rows> {
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
    let rows: Vec<(u32, u64, u32)> = sql
        .rows("SELECT client, seq, CAST(COUNT(*) AS UNSIGNED) FROM app.history GROUP BY client, seq", READ)
        .await?;
    Ok(rows.into_iter().map(|(client, seq, count)| ((client, seq), count)).collect())
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

/// OKs of a node that come after the first OK of the next one, and OKs of two nodes in turn.
fn second_writers(history: &History, name: impl Fn(usize) -> String) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut current: Option<&Attempt> = None;
    // When each node's turn ended: its own last OK then, and the next one's first.
    let mut former: BTreeMap<usize, (Instant, Instant)> = BTreeMap::new();
    for attempt in history.acknowledged() {
        let Some(last) = current.replace(attempt).filter(|last| last.node != attempt.node) else { continue };
        let row = format!("row {}/{}", history.client, attempt.seq);
        if let Some((own, others)) = former.get(&attempt.node).copied() {
            let late = attempt.end.saturating_duration_since(others);
            if attempt.start < others {
                // Sent before it was replaced. A node that is the primary again got its row sent later.
                current = Some(last);
                if late > REORDERED {
                    violations.push(Violation(format!(
                        "{} acknowledged {row} {} ms after {} had acknowledged its first",
                        name(attempt.node),
                        late.as_millis(),
                        name(last.node)
                    )));
                }
                continue;
            }
            if attempt.start.saturating_duration_since(own) < IN_TURN {
                violations.push(Violation(format!(
                    "{} and {} acknowledged rows in turn, the last of them {row}",
                    name(last.node),
                    name(attempt.node)
                )));
            }
        }
        former.insert(last.node, (last.end, attempt.end));
    }
    violations.truncate(SHOWN);
    violations
}

fn sightings(sightings: &[Sighting]) -> Option<Violation> {
    let (first, last) = (sightings.first()?, sightings.last()?);
    let lasted = last.at.duration_since(first.at);
    Some(Violation(format!("{first}; seen {} times in {:.3} s", sightings.len(), lasted.as_secs_f64())))
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_late_ok_of_the_old_primary_is_a_second_writer() {
        let clean = history(&[
            (1, 0, 0, 1, Outcome::Ok),
            (2, 1, 50, 51, Outcome::Ok),
            (3, 1, 60, 61, Outcome::Ok),
            // Handed back.
            (4, 0, 90, 91, Outcome::Ok),
        ]);
        assert_eq!(second_writers(&clean, name), []);
        let late = history(&[
            (1, 0, 0, 1, Outcome::Ok),
            (3, 1, 50, 51, Outcome::Ok),
            (2, 0, 10, 200, Outcome::Ok),
            (4, 1, 210, 211, Outcome::Ok),
        ]);
        let found = second_writers(&late, name);
        assert_eq!(found.len(), 1);
        assert!(found[0].0.starts_with("node1 acknowledged row 7/2 149 ms after"), "{}", found[0]);
    }

    #[test]
    fn two_that_write_in_turn_are_second_writers() {
        // Each insert was sent after the other's OK: two primaries, and no hand-over is that fast.
        let turns: Vec<_> =
            (0..6_u64).map(|n| (n, usize::from(n % 2 == 1), n * 10, n * 10 + 1, Outcome::Ok)).collect();
        assert!(!second_writers(&history(&turns), name).is_empty());
    }
}
