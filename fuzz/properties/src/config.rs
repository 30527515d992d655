//! The text of `xenon.json`.

use std::path::Path;

use xenon_config::{Endpoint, Findings, ListenAddress, Vip, explain, legacy_peers, parse};

/// Whatever the text: findings stand within it, timers keep their order (lease below T, heartbeat far below both).
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let lines = text.chars().filter(|c| matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}')).count() + 1;
    let well_formed = |findings: &Findings| {
        for finding in findings {
            assert_eq!(finding.line.is_some(), finding.column.is_some());
            assert!(finding.line.is_none_or(|line| (1..=lines).contains(&line)), "{finding:?}");
            assert!(!finding.what.is_empty() && !findings.line_of(finding).contains('\n'), "{finding:?}");
        }
    };
    match parse(&text, Path::new("f")) {
        Ok(loaded) => {
            assert!(!loaded.warnings.has_errors());
            well_formed(&loaded.warnings);
            let timers = loaded.config.timers();
            assert!(timers.heartbeat_ms > 0 && timers.heartbeat_ms * 2 < timers.election_ms, "{timers:?}");
            assert!(timers.heartbeat_ms < timers.lease_ms && timers.lease_ms < timers.election_ms);
            assert!(!explain(&loaded).is_empty());
        }
        Err(findings) => {
            assert!(findings.has_errors());
            well_formed(&findings);
        }
    }
    let _ = legacy_peers(&text);
    let _ = text.parse::<Endpoint>();
    let _ = text.parse::<ListenAddress>();
    let _ = text.parse::<Vip>();
}
