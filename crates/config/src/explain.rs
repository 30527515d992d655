//! Every setting with where it comes from, and the JSON schema of the file.

use crate::config::Config;
use crate::legacy::LEGACY_KEYS;
use crate::parse::Loaded;
use serde_json::{Value, json};
use std::fmt;

/// Where a setting comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The file does not give it.
    Default,
    /// The file gives it on this line, counted from 1.
    Line(usize),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::Line(line) => write!(f, "line {line}"),
        }
    }
}

/// One key with its value in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// `section.key`.
    pub key: String,
    /// The value as the file would spell it, text without quotes; `***` for a secret, empty for an absent value.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// Every key with its value in force and its origin, in the order of the documentation. Secrets are masked.
pub fn explain(loaded: &Loaded) -> Vec<Setting> {
    let settings = loaded.config.show().into_iter();
    settings
        .map(|(key, value)| {
            let origin = loaded.source.place(&key).map_or(Origin::Default, |place| Origin::Line(place.line));
            Setting { key, value: spelled(&value), origin }
        })
        .collect()
}

fn spelled(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The JSON schema of xenon.json, with descriptions and defaults. No key is required.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(Config).to_value();
    let defaults = Config::default().show();
    if let Some(root) = schema.as_object_mut() {
        root.insert("title".to_owned(), json!("xenon.json"));
        root.insert(
            "description".to_owned(),
            json!("The configuration of one Xenon node. No key is required."),
        );
        finish(root);
    }
    if let Some(sections) = schema.get_mut("$defs").and_then(Value::as_object_mut) {
        sections.values_mut().filter_map(Value::as_object_mut).for_each(finish);
    }
    for (path, value) in defaults {
        if let Some(property) = property(&mut schema, &path)
            && !value.is_null()
            && value != "***"
        {
            property.insert("default".to_owned(), value);
        }
    }
    for legacy in LEGACY_KEYS {
        if let Some(keys) = keys_of(&mut schema, legacy.section) {
            let description = "Accepted from files of the Go tool; not used.";
            keys.insert(legacy.key.to_owned(), json!({"description": description, "deprecated": true}));
        }
    }
    schema
}

/// What holds for the file as a whole and for each section alike.
fn finish(object: &mut serde_json::Map<String, Value>) {
    object.remove("required");
    // Keys that are comments, see the reader.
    object.insert("patternProperties".to_owned(), json!({"^([_#$]|//)": true}));
    let properties = object.get_mut("properties").and_then(Value::as_object_mut);
    for property in properties.into_iter().flat_map(|properties| properties.values_mut()) {
        if let Some(Value::String(text)) = property.get_mut("description") {
            *text = text.replace('\n', " ");
        }
    }
}

fn keys_of<'a>(schema: &'a mut Value, section: &str) -> Option<&'a mut serde_json::Map<String, Value>> {
    let reference =
        schema.get("properties")?.get(section)?.get("$ref")?.as_str()?.strip_prefix('#')?.to_owned();
    schema.pointer_mut(&reference)?.get_mut("properties")?.as_object_mut()
}

fn property<'a>(schema: &'a mut Value, path: &str) -> Option<&'a mut serde_json::Map<String, Value>> {
    let (section, key) = path.split_once('.')?;
    keys_of(schema, section)?.get_mut(key)?.as_object_mut()
}
