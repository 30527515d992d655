//! Values that are one of a few words, and the two hooks.

use crate::field::{Field, Mismatch, choice, text};
use crate::node::Node;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;
use std::fmt;

/// How much the agent logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// What happens in normal work.
    #[default]
    Info,
    /// What a person should look at.
    Warning,
    /// What failed.
    Error,
    /// Only what ends the agent.
    Panic,
}

impl LogLevel {
    const WORDS: [(&'static str, LogLevel); 5] = [
        ("DEBUG", LogLevel::Debug),
        ("INFO", LogLevel::Info),
        ("WARNING", LogLevel::Warning),
        ("ERROR", LogLevel::Error),
        ("PANIC", LogLevel::Panic),
    ];

    /// As the file spells it: `INFO`.
    pub fn as_str(self) -> &'static str {
        match self {
            LogLevel::Debug => "DEBUG",
            LogLevel::Info => "INFO",
            LogLevel::Warning => "WARNING",
            LogLevel::Error => "ERROR",
            LogLevel::Panic => "PANIC",
        }
    }
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    const WORDS: [(&'static str, LogFormat); 2] = [("text", LogFormat::Text), ("json", LogFormat::Json)];

    /// As the file spells it: `text`.
    pub fn as_str(self) -> &'static str {
        match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        }
    }
}

macro_rules! word_field {
    ($type:ty, $name:literal) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Field for $type {
            fn read(node: &Node) -> Result<Self, Vec<Mismatch>> {
                choice(node, &Self::WORDS)
            }

            fn show(&self) -> serde_json::Value {
                self.as_str().into()
            }
        }

        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "enum": Self::WORDS.map(|(word, _)| word)})
            }
        }
    };
}

word_field!(LogLevel, "LogLevel");
word_field!(LogFormat, "LogFormat");

/// A command that runs when the node becomes or stops being leader.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Hook {
    /// Nothing runs: the file says `nop`, nothing but blanks, or nothing at all.
    #[default]
    Nothing,
    /// Run with `bash -c`.
    Command(String),
}

impl Hook {
    /// The command for `bash -c`.
    pub fn command(&self) -> Option<&str> {
        match self {
            Hook::Nothing => None,
            Hook::Command(command) => Some(command),
        }
    }
}

impl From<&str> for Hook {
    fn from(text: &str) -> Self {
        match text.trim() {
            "" | "nop" => Hook::Nothing,
            command => Hook::Command(command.to_owned()),
        }
    }
}

impl Field for Hook {
    fn read(node: &Node) -> Result<Self, Vec<Mismatch>> {
        let text = text(node)?;
        if text.contains('\0') {
            return Err(Mismatch::new("holds a NUL character", "remove it"));
        }
        Ok(Hook::from(text))
    }

    fn show(&self) -> serde_json::Value {
        self.command().unwrap_or("nop").into()
    }
}

impl JsonSchema for Hook {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Hook".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "examples": ["nop"]})
    }
}
