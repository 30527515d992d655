//! Nothing that a file may hold makes the reader panic, and what it says is well formed.

use proptest::prelude::*;
use std::ffi::OsStr;
use std::path::Path;
use xenon_config::{Endpoint, Findings, ListenAddress, Vip, explain, legacy_peers, parse};

const FILES: [&str; 3] = [
    include_str!("files/by-hand.json"),
    include_str!("files/by-the-go-tool.json"),
    include_str!("files/operator.json"),
];

/// Pieces that mean something to the reader.
const PIECES: [&str; 34] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "'",
    "\\",
    "//",
    "/*",
    "*/",
    "\n",
    "\r\n",
    "\u{2028}",
    "\u{feff}",
    "null",
    "true",
    "-",
    "1e999",
    "0x",
    "NaN",
    "Infinity",
    "\"raft\":{",
    "\"election-timeout\":",
    "\"heartbeat-timeout\":",
    "18446744073709551615",
    "\"master-sysvars\":\"a='",
    "\"endpoint\":\"[",
    "\"secret\":",
    "端",
    "\\u0041",
    "\\ud83d",
    "\0",
];

fn check(text: &str) {
    let lines = text.chars().filter(|c| matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}')).count() + 1;
    let places = |findings: &Findings| {
        for finding in findings {
            assert_eq!(finding.line.is_some(), finding.column.is_some());
            assert!(finding.line.is_none_or(|line| (1..=lines).contains(&line)), "{finding:?} in {text:?}");
            assert!(!finding.what.is_empty() && !findings.line_of(finding).contains('\n'), "{finding:?}");
        }
        assert!(findings.windows(2).all(|pair| pair[0].place() <= pair[1].place()));
    };
    match parse(text, Path::new("f")) {
        Ok(loaded) => {
            assert!(!loaded.warnings.has_errors());
            places(&loaded.warnings);
            let timers = loaded.config.timers();
            assert!(timers.heartbeat_ms > 0 && timers.heartbeat_ms * 2 < timers.election_ms, "{timers:?}");
            assert!(timers.heartbeat_ms < timers.lease_ms && timers.lease_ms < timers.election_ms);
            assert!(!explain(&loaded).is_empty());
        }
        Err(findings) => {
            assert!(findings.has_errors());
            places(&findings);
        }
    }
    let _ = legacy_peers(text);
    let _ = text.parse::<Endpoint>();
    let _ = text.parse::<ListenAddress>();
    let _ = text.parse::<Vip>();
}

/// A valid file in which some spans are replaced by pieces.
fn mutated() -> impl Strategy<Value = String> {
    let edit = (any::<prop::sample::Index>(), 0_usize..12, prop::sample::select(&PIECES[..]));
    (prop::sample::select(&FILES[..]), prop::collection::vec(edit, 1..6)).prop_map(|(file, edits)| {
        let mut text: Vec<char> = file.chars().collect();
        for (at, length, piece) in edits {
            let start = at.index(text.len() + 1);
            let end = (start + length).min(text.len());
            text.splice(start..end, piece.chars());
        }
        text.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_pieces(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..60)) {
        check(&pieces.concat());
    }

    #[test]
    fn mutated_files(text in mutated()) {
        check(&text);
    }

    #[test]
    fn any_value_of_any_key(
        (section, key) in prop::sample::select(vec![
            ("server", "endpoint"), ("server", "secret"), ("raft", "heartbeat-timeout"), ("raft", "election-timeout"),
            ("raft", "leader-start-command"), ("mysql", "master-sysvars"), ("mysql", "mysqld-args"), ("log", "level"),
        ]),
        number in any::<f64>(), whole in any::<u64>(), text in ".{0,40}", kind in 0..4_u8,
    ) {
        let value = match kind {
            0 => number.to_string(),
            1 => whole.to_string(),
            2 => serde_json::Value::from(text).to_string(),
            _ => format!("[{}]", serde_json::Value::from(text)),
        };
        check(&format!("{{\"{section}\": {{\"{key}\": {value}}}}}"));
    }

    #[test]
    fn what_passes_as_a_variable_is_one_value(text in "[a-c=;'\"\\\\ ()0-9x.,-]{0,20}") {
        let text = format!("{{\"mysql\": {{\"slave-sysvars\": {}}}}}", serde_json::Value::from(text));
        if let Ok(loaded) = parse(&text, Path::new("f")) {
            for variable in loaded.config.mysql.slave_sysvars.iter() {
                let value = variable.value.as_str();
                let quoted = value.len() > 1 && value.starts_with(['\'', '"']) && value.ends_with(&value[..1]);
                let inside = if quoted { &value[1..value.len() - 1] } else { value };
                prop_assert!(!inside.contains(['\'', '"', '\\']), "{value}");
                prop_assert!(quoted || !inside.contains([' ', '(', ')', ',', ';', '=']), "{value}");
            }
        }
    }
}

#[test]
fn a_name_that_is_no_text_is_found_all_the_same() {
    use std::os::unix::ffi::OsStrExt;
    let name = OsStr::from_bytes(b"/no/\xff.json");
    let found = xenon_config::locate(None, Some(name), Path::new("/"), Path::new("/"));
    assert_eq!(found.as_deref(), Ok(Path::new(name)));
    assert!(xenon_config::load(Path::new(name)).is_err());
}
