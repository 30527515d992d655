//! From keys to timers.

use std::path::Path;
use xenon_config::parse;

#[test]
fn timers_follow_the_file() {
    // heartbeat, T, lease; probe interval, deadline, misses.
    let table = [
        ("", "", "200 1000 800; 250 1000 2"),
        (
            r#""heartbeat-timeout": 1000, "election-timeout": 3000"#,
            r#""ping-timeout": 1000"#,
            "1000 3000 2400; 1000 1000 2",
        ),
        (r#""heartbeat-timeout": 1000"#, r#""admit-defeat-ping-count": 5"#, "1000 3000 2400; 250 1000 5"),
        (r#""heartbeat-timeout": 50"#, "", "50 1000 800; 250 1000 2"),
        (r#""election-timeout": 10000"#, "", "200 10000 8000; 250 1000 2"),
        (r#""election-timeout": 501"#, "", "100 501 400; 250 1000 2"),
        (
            r#""heartbeat-timeout": 2000, "election-timeout": 10000"#,
            r#""ping-timeout": 2000, "admit-defeat-ping-count": 3"#,
            "2000 10000 8000; 2000 2000 3",
        ),
        ("", r#""ping-timeout": 60000"#, "200 1000 800; 2000 10000 2"),
        ("", r#""ping-timeout": 1"#, "200 1000 800; 50 1000 2"),
    ];
    for (raft, mysql, wanted) in table {
        let text = format!("{{raft: {{{raft}}}, mysql: {{{mysql}}}}}");
        let timers = parse(&text, Path::new("f")).unwrap().config.timers();
        let told = format!(
            "{} {} {}; {} {} {}",
            timers.heartbeat_ms,
            timers.election_ms,
            timers.lease_ms,
            timers.probe_interval_ms,
            timers.probe_deadline_ms,
            timers.probe_misses
        );
        assert_eq!(told, wanted, "{text}");
    }
}

#[test]
fn the_lease_is_shorter_than_t_and_longer_than_a_heartbeat() {
    for election in 100..2000 {
        let text = format!("{{raft: {{'election-timeout': {election}}}}}");
        let timers = parse(&text, Path::new("f")).unwrap().config.timers();
        assert!(
            timers.heartbeat_ms * 2 < timers.lease_ms && timers.lease_ms < timers.election_ms,
            "{timers:?}"
        );
    }
}
