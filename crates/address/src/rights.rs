//! The two capabilities that the address takes.

use std::fmt;

/// Bits of `CapEff`.
const NET_ADMIN: u32 = 12;
const NET_RAW: u32 = 13;

/// Capabilities that this process lacks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Missing {
    names: Vec<&'static str>,
}

impl Missing {
    /// Their names, `CAP_NET_ADMIN` or `CAP_NET_RAW`.
    pub fn names(&self) -> &[&'static str] {
        &self.names
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = if self.names.is_empty() { "a right".to_owned() } else { self.names.join(" and ") };
        write!(
            f,
            "the agent lacks {names}: give it both with AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW in its systemd unit, or \
             with setcap cap_net_admin,cap_net_raw+ep on the xenon binary"
        )
    }
}

impl std::error::Error for Missing {}

/// Whether this process may move addresses and announce them.
///
/// # Errors
/// Which capability is missing, and how it is given.
pub fn check() -> Result<(), Missing> {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    match missing(&status) {
        names if names.is_empty() => Ok(()),
        names => Err(Missing { names }),
    }
}

fn missing(status: &str) -> Vec<&'static str> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let Some(held) = line.and_then(|text| u64::from_str_radix(text.trim(), 16).ok()) else {
        // Not known: the kernel says it when it is asked.
        return Vec::new();
    };
    [(NET_ADMIN, "CAP_NET_ADMIN"), (NET_RAW, "CAP_NET_RAW")]
        .into_iter()
        .filter(|(bit, _)| held & (1 << bit) == 0)
        .map(|(_, name)| name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_which_one_is_missing() {
        assert_eq!(missing("Name:\tx\nCapEff:\t000001ffffffffff\n"), [""; 0]);
        assert_eq!(missing("CapEff:\t0000000000000000\n"), ["CAP_NET_ADMIN", "CAP_NET_RAW"]);
        assert_eq!(missing("CapEff:\t0000000000001000\n"), ["CAP_NET_RAW"]);
        assert_eq!(missing("CapEff: what\n"), [""; 0]);
        let text = Missing { names: vec!["CAP_NET_RAW"] }.to_string();
        assert!(text.contains("lacks CAP_NET_RAW:") && text.contains("setcap"), "{text}");
    }
}
