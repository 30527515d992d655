//! Where the keys and values of a JSON5 text begin.
//!
//! The parser (json5) tells places only of mistakes. This walk finds strings, comments and brackets, and nothing more:
//! on a text that the parser accepts it yields the place of every key and every value, in the order of the text.

use crate::finding::Place;
use json5::char::{is_json5_line_terminator, is_json5_whitespace};

/// Places of one text, each list in the order of the text.
#[derive(Debug, Default)]
pub(crate) struct Places {
    pub(crate) keys: Vec<Place>,
    pub(crate) values: Vec<Place>,
    /// The deepest nesting of brackets, and where it is first reached.
    ///
    /// Never less than what the parser would meet: as far as a text is valid both see the same brackets.
    pub(crate) depth: usize,
    pub(crate) deepest: Option<Place>,
    /// The innermost bracket that the text never closes.
    pub(crate) open: Option<Place>,
    /// Just behind the last character.
    pub(crate) end: Place,
}

/// Walks the text once; never fails, whatever the text.
pub(crate) fn places(text: &str) -> Places {
    let mut walk = Walk { rest: text.chars().peekable(), at: Place::default() };
    let mut found = Places::default();
    let mut open = Vec::new();
    let mut pending: Option<Place> = None;

    while let Some(c) = walk.peek() {
        let here = walk.at;
        match c {
            '/' => walk.comment(),
            ':' => {
                walk.next();
                found.keys.extend(pending.take());
            }
            ',' => {
                walk.next();
                found.values.extend(pending.take());
            }
            '{' | '[' => {
                walk.next();
                found.values.extend(pending.take());
                found.values.push(here);
                open.push(here);
                if open.len() > found.depth {
                    found.depth = open.len();
                    found.deepest = Some(here);
                }
            }
            '}' | ']' => {
                walk.next();
                found.values.extend(pending.take());
                open.pop();
            }
            '"' | '\'' => {
                found.values.extend(pending.replace(here));
                walk.string(c);
            }
            c if is_json5_whitespace(c) => {
                walk.next();
            }
            _ => {
                found.values.extend(pending.replace(here));
                walk.word();
            }
        }
    }
    found.values.extend(pending);
    found.open = open.pop();
    found.end = walk.at;
    found
}

/// Just behind the last character of a text.
pub(crate) fn places_end(text: &str) -> Place {
    let mut walk = Walk { rest: text.chars().peekable(), at: Place::default() };
    while walk.next().is_some() {}
    walk.at
}

struct Walk<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    at: Place,
}

impl Walk<'_> {
    fn peek(&mut self) -> Option<char> {
        self.rest.peek().copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        if !is_json5_line_terminator(c) {
            self.at.column += 1;
        } else if c != '\r' || self.peek() != Some('\n') {
            self.at.line += 1;
            self.at.column = 1;
        }
        Some(c)
    }

    fn comment(&mut self) {
        self.next();
        match self.peek() {
            Some('/') => {
                while let Some(c) = self.next() {
                    if is_json5_line_terminator(c) {
                        break;
                    }
                }
            }
            Some('*') => {
                self.next();
                while let Some(c) = self.next() {
                    if c == '*' && self.peek() == Some('/') {
                        self.next();
                        break;
                    }
                }
            }
            _ => {}
        }
    }

    fn string(&mut self, quote: char) {
        self.next();
        while let Some(c) = self.next() {
            if c == '\\' {
                self.next();
            } else if c == quote {
                break;
            }
        }
    }

    /// A number, a literal, or a key without quotes.
    fn word(&mut self) {
        while let Some(c) = self.peek() {
            if is_json5_whitespace(c) || matches!(c, '{' | '}' | '[' | ']' | ':' | ',' | '"' | '\'' | '/') {
                break;
            }
            self.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        let found = places(text);
        let list = |places: &[Place]| {
            places.iter().map(|p| format!("{}:{}", p.line, p.column)).collect::<Vec<_>>().join(" ")
        };
        format!("keys {}; values {}; depth {}", list(&found.keys), list(&found.values), found.depth)
    }

    #[test]
    fn keys_and_values_in_the_order_of_the_text() {
        let table = [
            (r#"{"a":1}"#, "keys 1:2; values 1:1 1:6; depth 1"),
            ("{ // \"x\":\n\t\"a\" :\r\n\"v\" }", "keys 2:2; values 1:1 3:1; depth 1"),
            ("{a:{b:[1,'}',{}]}}", "keys 1:2 1:5; values 1:1 1:4 1:7 1:8 1:10 1:14; depth 4"),
            ("/* { */ [\"\\\"[\", 2]", "keys ; values 1:9 1:10 1:17; depth 1"),
            ("{\"端\":1,//注\n\"b\":2}", "keys 1:2 2:1; values 1:1 1:6 2:5; depth 1"),
            ("1", "keys ; values 1:1; depth 0"),
            ("", "keys ; values ; depth 0"),
        ];
        for (text, wanted) in table {
            assert_eq!(told(text), wanted, "{text}");
        }
    }
}
