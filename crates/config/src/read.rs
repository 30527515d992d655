//! From the tree to the typed configuration: known and unknown keys, keys given twice, values that do not fit.

use crate::config::Config;
use crate::finding::{Finding, Findings, Place, Severity};
use crate::legacy::legacy_key;
use crate::near::nearest;
use crate::node::{Member, Node, Value, quoted};
use crate::section::Section;
use std::collections::BTreeMap;

/// Where the file gives a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) key: Option<Place>,
    pub(crate) value: Option<Place>,
    /// Its value fits the key; otherwise that is told, and the default stands in for it.
    pub(crate) fits: bool,
}

/// Every `section` and `section.key` that the file gives, with a value other than `null`.
pub(crate) type GivenKeys = BTreeMap<String, Given>;

/// A section's name with its keys.
type KeyList = (&'static str, &'static [&'static str]);

fn key_list<S: Section>() -> KeyList {
    (S::NAME, S::KEYS)
}

/// All sections, in the order of the documentation.
pub(crate) fn sections() -> [KeyList; 8] {
    use crate::config::{Address, Backup, Log, Mysql, Raft, Replication, Rpc, Server};
    [
        key_list::<Server>(),
        key_list::<Raft>(),
        key_list::<Address>(),
        key_list::<Mysql>(),
        key_list::<Replication>(),
        key_list::<Backup>(),
        key_list::<Rpc>(),
        key_list::<Log>(),
    ]
}

/// Reads the tree; what does not fit is told in `findings` and keeps its default.
pub(crate) fn read(root: &Node, findings: &mut Findings) -> (Config, GivenKeys) {
    let mut reader = Reader { findings, given: BTreeMap::new() };
    let mut config = Config::default();
    let Value::Object(members) = &root.value else {
        reader.error(
            root.place,
            "",
            format!("expected an object with sections, found {}", root.kind()),
            "begin with { and end with }",
        );
        return (config, reader.given);
    };
    for member in members {
        reader.top(member, &mut config);
    }
    (config, reader.given)
}

struct Reader<'a> {
    findings: &'a mut Findings,
    given: GivenKeys,
}

impl Reader<'_> {
    fn error(
        &mut self,
        place: Option<Place>,
        key: impl Into<String>,
        what: impl Into<String>,
        cure: impl Into<String>,
    ) {
        self.findings.push(Finding::new(Severity::Error, place, key, what, cure));
    }

    /// Notes a key as given; `false` when it was given before.
    fn first(&mut self, name: &str, member: &Member) -> bool {
        if let Some(before) = self.given.get(name) {
            let line = before.key.map_or(String::new(), |place| format!(", first on line {}", place.line));
            self.error(member.place, name, format!("given twice{line}"), "keep one of them");
            return false;
        }
        let given = Given { key: member.place, value: member.node.place, fits: true };
        self.given.insert(name.to_owned(), given);
        true
    }

    /// The known name that a key means. The Go tool ignored case, so its files may spell keys in any.
    fn known(&mut self, section: &str, member: &Member, known: &[&'static str]) -> Option<&'static str> {
        let found = known.iter().copied().find(|known| known.eq_ignore_ascii_case(&member.key))?;
        if found != member.key {
            let name = path(section, &member.key);
            let cure = format!("write \"{found}\"");
            self.findings.push(Finding::new(Severity::Warning, member.place, name, "capital letters", cure));
        }
        Some(found)
    }

    fn top(&mut self, member: &Member, config: &mut Config) {
        if is_comment(&member.key) {
            return;
        }
        let names = sections().map(|(name, _)| name);
        let Some(section) = self.known("", member, &names) else {
            return self.unknown_section(member, &names);
        };
        match section {
            "server" => self.section(member, &mut config.server),
            "raft" => self.section(member, &mut config.raft),
            "address" => self.section(member, &mut config.address),
            "mysql" => self.section(member, &mut config.mysql),
            "replication" => self.section(member, &mut config.replication),
            "backup" => self.section(member, &mut config.backup),
            "rpc" => self.section(member, &mut config.rpc),
            _ => self.section(member, &mut config.log),
        }
    }

    fn section<S: Section>(&mut self, member: &Member, section: &mut S) {
        let members = match &member.node.value {
            Value::Null => return,
            Value::Object(members) => members,
            _ => {
                let what = format!("expected an object with keys, found {}", member.node.kind());
                let cure = format!("write \"{}\": {{ … }}", S::NAME);
                return self.error(member.node.place, S::NAME, what, cure);
            }
        };
        if !self.first(S::NAME, member) {
            return;
        }
        for member in members {
            self.key(member, section);
        }
    }

    fn key<S: Section>(&mut self, member: &Member, section: &mut S) {
        if is_comment(&member.key) {
            return;
        }
        // Before the known keys in any case: the Go tool wrote "Passwd" beside "ssh-passwd".
        let exact = S::KEYS.contains(&member.key.as_str());
        if let (false, Some(legacy)) = (exact, legacy_key(S::NAME, &member.key)) {
            if !legacy.why.is_empty() {
                let name = path(S::NAME, legacy.key);
                self.findings.push(Finding::new(
                    Severity::Note,
                    member.place,
                    name,
                    legacy.why,
                    "it can be removed",
                ));
            }
            return;
        }
        let Some(key) = self.known(S::NAME, member, S::KEYS) else {
            return self.unknown_key(member, S::NAME, S::KEYS);
        };
        let name = path(S::NAME, key);
        if member.node.value == Value::Null || !self.first(&name, member) {
            return;
        }
        let Err(problems) = section.set(key, &member.node) else { return };
        for problem in problems {
            self.error(member.node.place, &name, problem.what, problem.cure);
        }
        if let Some(given) = self.given.get_mut(&name) {
            given.fits = false;
        }
    }

    fn unknown_section(&mut self, member: &Member, names: &[&'static str]) {
        let cure = match (nearest(&member.key, names.iter().copied()), home_of(&member.key, "")) {
            (Some(name), _) => format!("did you mean \"{name}\"?"),
            (None, Some(home)) => format!("it belongs into the section {home}"),
            (None, None) => format!("the sections are {}", names.join(", ")),
        };
        let what =
            if matches!(member.node.value, Value::Object(_)) { "unknown section" } else { "unknown key" };
        self.error(member.place, shortened(&member.key), what, cure);
    }

    fn unknown_key(&mut self, member: &Member, section: &str, keys: &[&'static str]) {
        let elsewhere = sections().into_iter().filter(|(name, _)| *name != section);
        let all = elsewhere.flat_map(|(_, keys)| keys.iter().copied());
        let cure = if let Some(home) = home_of(&member.key, section) {
            format!("it belongs into the section {home}")
        } else if let Some(near) = nearest(&member.key, keys.iter().copied()) {
            format!("did you mean \"{near}\"?")
        } else if let Some(near) = nearest(&member.key, all) {
            let home = home_of(near, section).unwrap_or_default();
            format!("did you mean \"{near}\" of the section {home}?")
        } else {
            format!("the keys of \"{section}\" are {}", keys.join(", "))
        };
        self.error(member.place, path(section, &shortened(&member.key)), "unknown key", cure);
    }
}

fn path(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

/// A key as it stands when it is plain; otherwise in quotes, escaped and shortened.
fn shortened(key: &str) -> String {
    let plain = !key.is_empty()
        && key.len() <= 64
        && !key.contains(char::is_whitespace)
        && !key.contains(char::is_control);
    if plain { key.to_owned() } else { quoted(key) }
}

/// Files without `//` comments say things in keys of their own: `"_comment"`, `"//"`, `"#"`. An editor may want `"$schema"`.
fn is_comment(key: &str) -> bool {
    key.starts_with(['_', '#', '$']) || key.starts_with("//")
}

/// The sections, other than this one, that know the key: `"mysql" or "replication"`.
fn home_of(key: &str, section: &str) -> Option<String> {
    let knows = |(name, keys): &KeyList| *name != section && keys.contains(&key);
    let homes: Vec<String> =
        sections().into_iter().filter(knows).map(|(name, _)| format!("\"{name}\"")).collect();
    if homes.is_empty() { None } else { Some(homes.join(" or ")) }
}
