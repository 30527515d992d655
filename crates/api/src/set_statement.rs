//! `SET GLOBAL …` as people type it, and nothing else.
//!
//! Parsed here and put together anew by the agent, so that no other statement can come along.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest statement, bytes.
const LONGEST: usize = 8192;
/// So many assignments in one statement.
const MOST: usize = 32;

/// One variable and the value that it is to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Its name in lower case, without `@@global.`; of letters, digits, `_` and at most one dot.
    pub name: String,
    /// The value.
    pub value: Value,
    /// `SET PERSIST`: the server keeps it over a restart.
    #[serde(default)]
    pub persist: bool,
}

/// A value as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", content = "value", rename_all = "snake_case")]
pub enum Value {
    /// `DEFAULT`.
    Default,
    /// A number, as it was written.
    Number(String),
    /// Text: quoted, or a bare word such as `ON`.
    Text(String),
}

/// Why a text is no such statement: what and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotUnderstood(String);

impl fmt::Display for NotUnderstood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotUnderstood {}

fn no<T>(why: impl Into<String>) -> Result<T, NotUnderstood> {
    Err(NotUnderstood(why.into()))
}

/// Reads `SET GLOBAL a = 1, PERSIST b = 'x'`; `@@global.a` and `@@persist.b` are the same in other words.
///
/// # Errors
/// It is something else: another statement, a session variable, an expression, several statements.
pub fn parse_set(text: &str) -> Result<Vec<Assignment>, NotUnderstood> {
    if text.len() > LONGEST {
        return no(format!("the statement has more than {LONGEST} bytes"));
    }
    let mut rest = Rest(text.trim());
    // One semicolon at the end is habit, not a second statement.
    rest.0 = rest.0.strip_suffix(';').unwrap_or(rest.0).trim_end();
    if !rest.word("SET") {
        return no("only SET GLOBAL and SET PERSIST statements are taken");
    }
    let mut assignments = Vec::new();
    loop {
        assignments.push(rest.assignment()?);
        rest.skip();
        match rest.0.chars().next() {
            None => return Ok(assignments),
            Some(',') if assignments.len() >= MOST => return no(format!("more than {MOST} assignments")),
            Some(',') => rest.0 = &rest.0[1..],
            Some(c) => {
                return no(format!(
                    "{c:?} is unexpected behind a value; a value is a number, a word or 'text'"
                ));
            }
        }
    }
}

/// What is left to read.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn skip(&mut self) {
        self.0 = self.0.trim_start();
    }

    /// Takes a word when it stands there as a whole.
    fn word(&mut self, word: &str) -> bool {
        self.skip();
        let Some(head) = self.0.get(..word.len()) else { return false };
        let behind = &self.0[word.len()..];
        let ends = behind.chars().next().is_none_or(|c| !is_of_name(c));
        if head.eq_ignore_ascii_case(word) && ends {
            self.0 = behind;
            return true;
        }
        false
    }

    /// Takes letters as long as they may stand in a name.
    fn name(&mut self) -> &'a str {
        self.skip();
        let end = self.0.find(|c: char| !is_of_name(c)).unwrap_or(self.0.len());
        let (name, rest) = self.0.split_at(end);
        self.0 = rest;
        name
    }

    fn assignment(&mut self) -> Result<Assignment, NotUnderstood> {
        let persist = self.scope()?;
        let name = self.name().to_ascii_lowercase();
        if name.is_empty() || name.split('.').count() > 2 || name.split('.').any(str::is_empty) {
            return no("a name of a variable is missing");
        }
        self.skip();
        let behind = self.0.strip_prefix(":=").or_else(|| self.0.strip_prefix('='));
        let Some(behind) = behind else { return no(format!("= is missing behind {name}")) };
        self.0 = behind;
        Ok(Assignment { value: self.value(&name)?, name, persist })
    }

    /// Says whether it is to be kept over a restart.
    fn scope(&mut self) -> Result<bool, NotUnderstood> {
        self.skip();
        for (prefix, persist) in [("@@global.", false), ("@@persist.", true)] {
            if self.0.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix)) {
                self.0 = &self.0[prefix.len()..];
                return Ok(persist);
            }
        }
        if self.word("GLOBAL") {
            return Ok(false);
        }
        if self.word("PERSIST") {
            return Ok(true);
        }
        no("GLOBAL or PERSIST must stand before every variable: a session of the agent's is nobody else's")
    }

    fn value(&mut self, name: &str) -> Result<Value, NotUnderstood> {
        self.skip();
        let Some(first) = self.0.chars().next() else { return no(format!("a value for {name} is missing")) };
        if first == '\'' || first == '"' {
            return self.quoted(first);
        }
        let end = self.0.find(|c: char| c == ',' || c == ';' || c.is_whitespace()).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        if is_number(word) {
            return Ok(Value::Number(word.to_owned()));
        }
        if word.is_empty() || !word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        {
            return no(format!(
                "the value of {name} must be a number, a word such as ON, or 'text in quotes'"
            ));
        }
        if word.eq_ignore_ascii_case("default") {
            return Ok(Value::Default);
        }
        Ok(Value::Text(word.to_owned()))
    }

    fn quoted(&mut self, quote: char) -> Result<Value, NotUnderstood> {
        let mut text = String::new();
        let mut letters = self.0.char_indices().skip(1).peekable();
        while let Some((at, c)) = letters.next() {
            match c {
                '\\' => match letters.next() {
                    Some((_, escaped)) => text.push(escaped),
                    None => break,
                },
                c if c == quote => {
                    if letters.peek().is_some_and(|(_, next)| *next == quote) {
                        letters.next();
                        text.push(quote);
                        continue;
                    }
                    self.0 = &self.0[at + quote.len_utf8()..];
                    return Ok(Value::Text(text));
                }
                c => text.push(c),
            }
        }
        no("a quote is opened and never closed")
    }
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.')
}

fn is_number(word: &str) -> bool {
    let digits = word.strip_prefix('-').unwrap_or(word);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    all_digits(whole) && all_digits(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, value: Value, persist: bool) -> Assignment {
        Assignment { name: name.to_owned(), value, persist }
    }

    #[test]
    fn what_people_write() {
        let text = |text: &str| Value::Text(text.to_owned());
        let number = |text: &str| Value::Number(text.to_owned());
        for (statement, expected) in [
            ("SET GLOBAL sync_binlog = 1", vec![one("sync_binlog", number("1"), false)]),
            ("set global Sync_Binlog=default;", vec![one("sync_binlog", Value::Default, false)]),
            ("SET @@GLOBAL.a=ON", vec![one("a", text("ON"), false)]),
            ("SET PERSIST a := 'it''s'", vec![one("a", text("it's"), true)]),
            (
                r#"SET GLOBAL a = "x\"y\\", PERSIST b.c = -0.5"#,
                vec![one("a", text(r#"x"y\"#), false), one("b.c", number("-0.5"), true)],
            ),
            ("SET GLOBAL a = ''", vec![one("a", text(""), false)]),
            ("SET GLOBAL a = '; DROP TABLE t'", vec![one("a", text("; DROP TABLE t"), false)]),
        ] {
            assert_eq!(parse_set(statement), Ok(expected), "{statement}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for statement in [
            "",
            "SELECT 1",
            "SETGLOBAL a = 1",
            "SET a = 1",
            "SET SESSION a = 1",
            "SET @a = 1",
            "SET @@a = 1",
            "SET PERSIST_ONLY a = 1",
            "SET GLOBAL a",
            "SET GLOBAL = 1",
            "SET GLOBAL a = 1; DROP TABLE t",
            "SET GLOBAL a = 1 b",
            "SET GLOBAL a = (SELECT 1)",
            "SET GLOBAL a = @@b",
            "SET GLOBAL a = 1 + 1",
            "SET GLOBAL a = 'x",
            "SET GLOBAL a = 1, b = 2",
            "SET GLOBAL a.b.c = 1",
            "SET GLOBAL a`b = 1",
            "SET GLOBAL a = 1 -- x",
            "SET GLOBAL a = /*x*/1",
            "SET GLOBAL ä = 1",
            "SET PASSWORD = 'x'",
            "SET GLOBAL TRANSACTION READ ONLY",
        ] {
            assert!(parse_set(statement).is_err(), "{statement}");
        }
        assert!(parse_set(&format!("SET GLOBAL a = '{}'", "x".repeat(LONGEST))).is_err());
    }
}
