//! `master-sysvars` and `slave-sysvars`: `name=value;name=value`, each to become `SET GLOBAL name = value`.
//!
//! The value goes into an SQL statement as it stands, so only what cannot be anything but one value passes.

use crate::field::{Field, Mismatch, text};
use crate::node::{Node, quoted};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;
use std::fmt;

/// One global variable and the value to give it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SysVar {
    /// The variable's name in small letters: letters, digits, `_` and `.` only.
    pub name: String,
    /// A number, a word (`default`, `ON`, `ROW`) or a text in quotes: safe to write into a statement as it stands.
    pub value: String,
}

impl SysVar {
    /// The statement that sets it.
    pub fn statement(&self) -> String {
        format!("SET GLOBAL {} = {}", self.name, self.value)
    }
}

impl fmt::Display for SysVar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

/// The variables of one key, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct SysVars(pub Vec<SysVar>);

impl std::ops::Deref for SysVars {
    type Target = [SysVar];

    fn deref(&self) -> &[SysVar] {
        &self.0
    }
}

impl fmt::Display for SysVars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, variable) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(";")?;
            }
            write!(f, "{variable}")?;
        }
        Ok(())
    }
}

impl Field for SysVars {
    fn read(node: &Node) -> Result<Self, Vec<Mismatch>> {
        let mut variables: Vec<SysVar> = Vec::new();
        let mut problems = Vec::new();
        for item in items(text(node)?) {
            match variable(item) {
                Ok(found) if variables.iter().any(|known| known.name == found.name) => {
                    problems.push(Mismatch {
                        what: format!("{} is set twice", found.name),
                        cure: "keep one of them".to_owned(),
                    });
                }
                Ok(found) => variables.push(found),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(SysVars(variables)) } else { Err(problems) }
    }

    fn show(&self) -> serde_json::Value {
        self.to_string().into()
    }
}

impl JsonSchema for SysVars {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "SysVars".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "examples": ["sync_binlog=default;innodb_flush_log_at_trx_commit=default"]})
    }
}

/// The parts between semicolons that are outside of quotes, without blanks around them and without empty ones.
fn items(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut quote = None;
    let mut start = 0;
    for (at, c) in text.char_indices() {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (';', None) => {
                parts.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn variable(item: &str) -> Result<SysVar, Mismatch> {
    let problem = |what: String, cure: &str| Err(Mismatch { what, cure: cure.to_owned() });
    let Some((name, value)) = item.split_once('=') else {
        return problem(format!("{} has no value", quoted(item)), "write name=value, with ; between them");
    };
    let (name, value) = (name.trim(), value.trim());
    let name_fits = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    if !name_fits {
        return problem(
            format!("{} is no name of a variable", quoted(name)),
            "use letters, digits, _ and . only, without @@ or GLOBAL",
        );
    }
    if value.is_empty() {
        return problem(format!("{name} has no value"), "give one, or write default");
    }
    if let Some(digits) = with_unit(value) {
        return problem(
            format!("{value} as the value of {name} is no number for SET GLOBAL"),
            &digits.map_or("write the number in full".to_owned(), |bytes| format!("write {bytes}")),
        );
    }
    if !(is_number(value) || is_word(value) || is_quoted(value)) {
        return problem(
            format!("{} as the value of {name} is not one plain value", quoted(value)),
            "give a number, a word, or a text in single quotes",
        );
    }
    Ok(SysVar { name: name.to_ascii_lowercase(), value: value.to_owned() })
}

/// `1G`: fine in my.cnf, an error in `SET GLOBAL`. The number of bytes when it is not too large.
fn with_unit(value: &str) -> Option<Option<u64>> {
    let unit = value.chars().last()?;
    let shift = match unit.to_ascii_uppercase() {
        'K' => 10,
        'M' => 20,
        'G' => 30,
        'T' => 40,
        _ => return None,
    };
    let digits = value.strip_suffix(unit)?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift)))
}

fn is_number(value: &str) -> bool {
    let digits = value.strip_prefix(['-', '+']).unwrap_or(value);
    if let Some(hex) = digits.strip_prefix("0x") {
        return !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit());
    }
    digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'-' | b'+'))
        && digits.parse::<f64>().is_ok()
}

fn is_word(value: &str) -> bool {
    value.starts_with(|c: char| c.is_ascii_alphabetic())
        && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// In quotes, with neither quotes nor backslashes nor control characters inside.
fn is_quoted(value: &str) -> bool {
    let inside = |quote: char| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    inside('\'')
        .or_else(|| inside('"'))
        .is_some_and(|text| !text.chars().any(|c| matches!(c, '\'' | '"' | '\\') || c.is_control()))
}
