//! Keys of files for the Go tool that mean nothing any longer. They are accepted, so that such files load unchanged.

/// A key that is accepted and not used.
pub(crate) struct LegacyKey {
    pub(crate) section: &'static str,
    pub(crate) key: &'static str,
    /// Said once as a note; empty when there is nothing to say.
    pub(crate) why: &'static str,
}

const fn legacy(section: &'static str, key: &'static str, why: &'static str) -> LegacyKey {
    LegacyKey { section, key, why }
}

/// Found in files of the Kubernetes operator and in those that the Go tool wrote itself: it wrote its internal copies of
/// other sections' values too, under these capitalised names, and overwrote them after reading.
pub(crate) const LEGACY_KEYS: &[LegacyKey] = &[
    legacy(
        "raft",
        "semi-sync-degrade",
        "not used: a primary never stops waiting for acknowledgements by itself",
    ),
    legacy("raft", "RequestTimeout", ""),
    legacy("mysql", "ReplHost", ""),
    legacy("mysql", "ReplUser", ""),
    legacy("mysql", "ReplPasswd", ""),
    legacy("mysql", "ReplGtidPurged", ""),
    legacy("backup", "Admin", ""),
    legacy("backup", "Passwd", ""),
    legacy("backup", "Host", ""),
    legacy("backup", "Port", ""),
    legacy("backup", "basedir", ""),
    legacy("backup", "DefaultsFile", ""),
];

/// The accepted key of this name; the Go tool ignored case.
pub(crate) fn legacy_key(section: &str, key: &str) -> Option<&'static LegacyKey> {
    LEGACY_KEYS.iter().find(|known| known.section == section && known.key.eq_ignore_ascii_case(key))
}
