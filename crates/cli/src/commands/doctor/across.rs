//! What only means something when the nodes' facts stand side by side.

use super::Answered;
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};
use xenon_api::{Finding, Level, NodeFacts};

/// Clocks that differ by more make logs hard to read, ms; nothing is decided by them.
const CLOCKS_WARN_MS: u64 = 500;
/// And so much confuses certificates, backups and people.
const CLOCKS_ERROR_MS: u64 = 60_000;

pub(super) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn compare(answers: &[Answered]) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut add = |check: &str, level: Level, text: String, cure: &str| {
        let cure = if level == Level::Ok { "" } else { cure };
        found.push(Finding { node: None, check: check.to_owned(), level, text, cure: cure.to_owned() });
    };
    if answers.len() < 2 {
        return found;
    }
    let mut unique = |check: &str, what: &str, value: &dyn Fn(&NodeFacts) -> Option<String>, cure: &str| {
        let by = group(answers, value);
        let shared: Vec<String> = by
            .iter()
            .filter(|(_, nodes)| nodes.len() > 1)
            .map(|(value, nodes)| format!("{} have the same {what}, {value}", nodes.join(" and ")))
            .collect();
        match shared.is_empty() {
            true => add(check, Level::Ok, format!("every server has its own {what}"), ""),
            false => add(check, Level::Error, shared.join("; "), cure),
        }
    };
    unique(
        "server-ids",
        "server_id",
        &|facts| facts.server_id.map(|id| id.to_string()),
        "give each a number of its own in its option file, and restart mysqld",
    );
    unique(
        "server-uuids",
        "server_uuid",
        &|facts| Some(facts.server_uuid.clone()).filter(|uuid| !uuid.is_empty()),
        "a copied data folder: stop mysqld there, remove auto.cnf from its data folder, start it",
    );
    let mut equal =
        |check: &str, what: &str, value: &dyn Fn(&NodeFacts) -> Option<String>, level: Level, cure: &str| {
            let by = group(answers, value);
            if let (1, Some(value)) = (by.len(), by.keys().next()) {
                add(check, Level::Ok, format!("{what}: {value} everywhere"), "");
            } else if by.len() > 1 {
                let list: Vec<String> =
                    by.iter().map(|(value, nodes)| format!("{value} on {}", nodes.join(", "))).collect();
                add(check, level, format!("{what} differ: {}", list.join("; ")), cure);
            }
        };
    equal(
        "mysql-versions",
        "MySQL's versions",
        &|facts| Some(facts.mysql_version.clone()).filter(|text| !text.is_empty()),
        Level::Warn,
        "upgrade the older ones: replicas first, the primary last; a replica may be newer than its source, not older",
    );
    equal(
        "agent-versions",
        "the agents' versions",
        &|facts| Some(facts.agent_version.clone()),
        Level::Warn,
        "install the same version of xenon on all hosts, one after the other",
    );
    equal(
        "table-names",
        "lower_case_table_names",
        &|facts| facts.lower_case_table_names.map(|value| value.to_string()),
        Level::Error,
        "it is chosen when a data folder is made: make those anew, and let them be rebuilt",
    );
    equal(
        "time-zones",
        "the servers' offsets from UTC, s,",
        &|facts| facts.utc_offset_s.map(|value| value.to_string()),
        Level::Warn,
        "set the same time_zone on all servers, UTC for instance: else NOW() jumps at a failover",
    );
    clocks(answers, &mut add);
    found
}

fn group(
    answers: &[Answered],
    value: &dyn Fn(&NodeFacts) -> Option<String>,
) -> BTreeMap<String, Vec<String>> {
    let mut by: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for answer in answers {
        if let Some(value) = value(&answer.check_up.facts) {
            by.entry(value).or_default().push(answer.check_up.node.to_string());
        }
    }
    by
}

/// Each node's clock against this host's, which knows when the answer came: only their differences count.
fn clocks(answers: &[Answered], add: &mut dyn FnMut(&str, Level, String, &str)) {
    let ahead =
        |answer: &Answered| i128::from(answer.check_up.facts.unix_ms) - i128::from(answer.here_unix_ms);
    let first = answers.iter().min_by_key(|answer| ahead(answer));
    let last = answers.iter().max_by_key(|answer| ahead(answer));
    let (Some(first), Some(last)) = (first, last) else { return };
    let apart = u64::try_from(ahead(last) - ahead(first)).unwrap_or(u64::MAX);
    let text =
        format!("the clock of {} is {apart} ms ahead of that of {}", last.check_up.node, first.check_up.node);
    let cure = "let chrony or systemd-timesyncd set the clocks on every host";
    if apart <= CLOCKS_WARN_MS {
        add("clocks", Level::Ok, format!("the hosts' clocks are at most {apart} ms apart"), "");
    } else {
        let level = if apart <= CLOCKS_ERROR_MS { Level::Warn } else { Level::Error };
        add("clocks", level, text, cure);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xenon_api::CheckUp;
    use xenon_election::NodeId;

    fn node(number: u64) -> Answered {
        let facts = NodeFacts {
            unix_ms: 1_000_000,
            agent_version: "1".to_owned(),
            mysql_version: "9.7.4".to_owned(),
            server_id: Some(number),
            server_uuid: format!("uuid-{number}"),
            lower_case_table_names: Some(0),
            utc_offset_s: Some(0),
        };
        let node = NodeId::new(format!("10.0.0.{number}:8801"));
        Answered { check_up: CheckUp { node, facts, findings: Vec::new() }, here_unix_ms: 1_000_000 }
    }

    fn bad(answers: &[Answered]) -> Vec<(String, Level)> {
        let found = compare(answers).into_iter();
        found
            .filter(|finding| finding.level != Level::Ok)
            .map(|finding| (finding.check, finding.level))
            .collect()
    }

    #[test]
    fn nodes_side_by_side() {
        assert!(bad(&[node(1), node(2), node(3)]).is_empty());
        assert!(compare(&[node(1)]).is_empty());
        let mut twin = node(2);
        twin.check_up.facts.server_id = Some(1);
        twin.check_up.facts.server_uuid = "uuid-1".to_owned();
        assert_eq!(
            bad(&[node(1), twin]),
            [("server-ids".to_owned(), Level::Error), ("server-uuids".to_owned(), Level::Error)]
        );
        let mut other = node(2);
        other.check_up.facts.mysql_version = "8.4.0".to_owned();
        other.check_up.facts.agent_version = "2".to_owned();
        other.check_up.facts.lower_case_table_names = Some(1);
        other.check_up.facts.utc_offset_s = Some(3600);
        other.check_up.facts.unix_ms += 3_000;
        let names = ["mysql-versions", "agent-versions", "table-names", "time-zones", "clocks"];
        let found: Vec<String> = bad(&[node(1), other]).into_iter().map(|(check, _)| check).collect();
        assert_eq!(found, names);
        let mut late = node(2);
        late.here_unix_ms += 100_000;
        assert_eq!(bad(&[node(1), late]), [("clocks".to_owned(), Level::Error)]);
        let mut silent = node(2);
        silent.check_up.facts =
            NodeFacts { unix_ms: 1_000_000, agent_version: "1".to_owned(), ..NodeFacts::default() };
        assert!(bad(&[node(1), silent]).is_empty(), "what is not known differs from nothing");
    }
}
