//! The file as a tree: values of the JSON5 parser, with the place of every key and value.

use crate::finding::Place;
use crate::places::Places;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A value of the file and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) place: Option<Place>,
}

/// What a value is. Objects keep their order and keys given twice.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Whole(u64),
    /// Negative or with a fraction.
    Number(f64),
    Text(String),
    List(Vec<Node>),
    Object(Vec<Member>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Member {
    pub(crate) key: String,
    pub(crate) place: Option<Place>,
    pub(crate) node: Node,
}

impl Node {
    /// Parses a text whose nesting was checked before: the parser has no limit of its own.
    pub(crate) fn parse(text: &str, places: &Places) -> Result<Node, json5::Error> {
        let mut node: Node = json5::from_str(text)?;
        let mut keys = places.keys.iter().copied();
        let mut values = places.values.iter().copied();
        node.locate(&mut keys, &mut values);
        Ok(node)
    }

    fn locate(&mut self, keys: &mut impl Iterator<Item = Place>, values: &mut impl Iterator<Item = Place>) {
        self.place = values.next();
        match &mut self.value {
            Value::List(items) => items.iter_mut().for_each(|item| item.locate(keys, values)),
            Value::Object(members) => {
                for member in members {
                    member.place = keys.next();
                    member.node.locate(keys, values);
                }
            }
            _ => {}
        }
    }

    /// The kind of value, for a message; safe for secrets.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Whole(_) | Value::Number(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Object(_) => "an object",
        }
    }

    /// The value itself, shortened, for a message; not for secrets.
    pub(crate) fn told(&self) -> String {
        match &self.value {
            Value::Bool(value) => value.to_string(),
            Value::Whole(value) => value.to_string(),
            Value::Number(value) => value.to_string(),
            Value::Text(value) => quoted(value),
            _ => self.kind().to_owned(),
        }
    }
}

/// Text in quotes with control characters escaped, at most about 60 characters of it.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = deserializer.deserialize_any(AnyValue)?;
        Ok(Node { value, place: None })
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Whole(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(u64::try_from(value).map_or(Value::Number(value as f64), Value::Whole))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        // 1e3 and 1000.0 are whole numbers too; below 2^53 the conversion is exact.
        let whole = value.fract() == 0.0 && (0.0..9e15).contains(&value);
        Ok(if whole { Value::Whole(value as u64) } else { Value::Number(value) })
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Vec::new();
        while let Some((key, node)) = map.next_entry()? {
            members.push(Member { key, place: None, node });
        }
        Ok(Value::Object(members))
    }
}
