//! How one value of the file becomes one typed field, and back into text.

use crate::node::{Node, Value, quoted};
use crate::secret::Secret;
use serde_json::json;
use std::path::PathBuf;

/// Why a value does not fit its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mismatch {
    pub(crate) what: String,
    pub(crate) cure: String,
}

impl Mismatch {
    pub(crate) fn new(what: impl Into<String>, cure: impl Into<String>) -> Vec<Mismatch> {
        vec![Mismatch { what: what.into(), cure: cure.into() }]
    }
}

/// A typed field of a section.
pub(crate) trait Field: Sized {
    /// The value of the file, or every reason why it does not fit. The caller has dealt with `null`.
    fn read(node: &Node) -> Result<Self, Vec<Mismatch>>;

    /// The value as the file would spell it; `***` for a secret, `null` for an absent one.
    fn show(&self) -> serde_json::Value;
}

/// The text of a value.
pub(crate) fn text(node: &Node) -> Result<&str, Vec<Mismatch>> {
    match &node.value {
        Value::Text(text) => Ok(text),
        Value::Whole(_) | Value::Number(_) | Value::Bool(_) => {
            Err(Mismatch::new(format!("expected text, found {}", node.kind()), "put it in double quotes"))
        }
        _ => {
            Err(Mismatch::new(format!("expected text, found {}", node.kind()), "write text in double quotes"))
        }
    }
}

/// Text of one line that may end up in a path, a name or a command.
fn line(node: &Node) -> Result<&str, Vec<Mismatch>> {
    let text = text(node)?;
    if text.contains('\0') {
        return Err(Mismatch::new("holds a NUL character", "remove it"));
    }
    Ok(text)
}

fn whole(node: &Node) -> Result<u64, Vec<Mismatch>> {
    match &node.value {
        Value::Whole(number) => Ok(*number),
        Value::Text(text) if text.trim().parse::<u64>().is_ok() => Err(Mismatch::new(
            format!("expected a whole number, found the text {}", node.told()),
            format!("write {} without quotes", text.trim()),
        )),
        Value::Number(number) => {
            Err(Mismatch::new(format!("expected a whole number, not below 0, found {number}"), "correct it"))
        }
        _ => Err(Mismatch::new(
            format!("expected a whole number, found {}", node.kind()),
            "write digits without quotes",
        )),
    }
}

impl Field for u64 {
    fn read(node: &Node) -> Result<Self, Vec<Mismatch>> {
        whole(node)
    }

    fn show(&self) -> serde_json::Value {
        json!(self)
    }
}

impl Field for u32 {
    fn read(node: &Node) -> Result<Self, Vec<Mismatch>> {
        let number = whole(node)?;
        u32::try_from(number).map_err(|_| {
            Mismatch::new(format!("{number} is too large"), format!("give at most {}", u32::MAX))
        })
    }

    fn show(&self) -> serde_json::Value {
        json!(self)
    }
}

/// Every 16-bit number of the file is a TCP port.
impl Field for u16 {
    fn read(node: &Node) -> Result<Self, Vec<Mismatch>> {
        let number = whole(node)?;
        match u16::try_from(number) {
            Ok(port) if port > 0 => Ok(port),
            _ => Err(Mismatch::new(format!("{number} is no port"), "give a port from 1 to 65535")),
        }
    }

    fn show(&self) -> serde_json::Value {
        json!(self)
    }
}

impl Field for bool {
    fn read(node: &Node) -> Result<Self, Vec<Mismatch>> {
        match &node.value {
            Value::Bool(value) => Ok(*value),
            Value::Text(text) if matches!(text.to_ascii_lowercase().as_str(), "true" | "false") => {
                Err(Mismatch::new(
                    format!("expected true or false, found the text {}", node.told()),
                    format!("write {} without quotes", text.to_ascii_lowercase()),
                ))
            }
            _ => Err(Mismatch::new(
                format!("expected true or false, found {}", node.kind()),
                "write true or false without quotes",
            )),
        }
    }

    fn show(&self) -> serde_json::Value {
        json!(self)
    }
}

impl Field for String {
    fn read(node: &Node) -> Result<Self, Vec<Mismatch>> {
        line(node).map(str::to_owned)
    }

    fn show(&self) -> serde_json::Value {
        json!(self)
    }
}

impl Field for PathBuf {
    fn read(node: &Node) -> Result<Self, Vec<Mismatch>> {
        match line(node)? {
            "" => Err(Mismatch::new("is empty", "give a path, or remove the key")),
            path => Ok(PathBuf::from(path)),
        }
    }

    fn show(&self) -> serde_json::Value {
        json!(self.to_string_lossy())
    }
}

impl Field for Secret {
    fn read(node: &Node) -> Result<Self, Vec<Mismatch>> {
        line(node).map(Secret::from)
    }

    fn show(&self) -> serde_json::Value {
        if self.is_empty() { json!("") } else { json!("***") }
    }
}

impl Field for Vec<String> {
    fn read(node: &Node) -> Result<Self, Vec<Mismatch>> {
        let Value::List(items) = &node.value else {
            return Err(Mismatch::new(
                format!("expected a list of texts, found {}", node.kind()),
                "write it like [\"--first\", \"--second\"]",
            ));
        };
        items.iter().map(|item| line(item).map(str::to_owned)).collect()
    }

    fn show(&self) -> serde_json::Value {
        json!(self)
    }
}

/// Empty text counts as absent: files written by tools name every key.
impl<T: Field> Field for Option<T> {
    fn read(node: &Node) -> Result<Self, Vec<Mismatch>> {
        match &node.value {
            Value::Null => Ok(None),
            Value::Text(text) if text.is_empty() => Ok(None),
            _ => T::read(node).map(Some),
        }
    }

    fn show(&self) -> serde_json::Value {
        self.as_ref().map_or(serde_json::Value::Null, Field::show)
    }
}

/// One word of a closed list, in any case; `T` is what it stands for.
pub(crate) fn choice<T: Copy>(node: &Node, words: &[(&str, T)]) -> Result<T, Vec<Mismatch>> {
    let text = text(node)?;
    let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text.trim()));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let list = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        Mismatch::new(format!("{} is not known here", quoted(text)), format!("choose one of {list}"))
    })
}
