//! What is wrong with a text that is no JSON5, in words.

use crate::finding::{Finding, Place, Severity};
use crate::places::Places;
use json5::ErrorCode;

/// The finding for a mistake of syntax; the parser stops at the first, so there is one.
pub(crate) fn finding(error: &json5::Error, places: &Places) -> Finding {
    let at = |place, what: String, cure| Finding::new(Severity::Error, Some(place), "", what, cure);
    let place = error.position().map_or(places.end, |at| Place { line: at.line + 1, column: at.column + 1 });
    let Some(code) = error.code() else {
        return at(place, error.to_string(), "correct it");
    };
    let (what, cure) = words(code);
    if !what.starts_with("the file ends") {
        return at(place, what.to_owned(), cure);
    }
    // The parser gives some of these the place of an enclosing bracket, and others none.
    match places.open {
        Some(open) => {
            at(places.end, format!("{what} (the innermost bracket is open since line {})", open.line), cure)
        }
        None => at(places.end, what.to_owned(), cure),
    }
}

fn words(code: ErrorCode) -> (&'static str, &'static str) {
    use ErrorCode as E;
    match code {
        E::EofParsingObject => ("the file ends inside an object", "add the missing }"),
        E::EofParsingArray => ("the file ends inside a list", "add the missing ]"),
        E::EofParsingString | E::EofParsingEscapeSequence => {
            ("the file ends inside a text", "add the closing quote")
        }
        E::EofParsingComment => ("the file ends inside a comment", "add the closing */"),
        E::EofParsingValue
        | E::EofParsingNull
        | E::EofParsingBool
        | E::EofParsingNumber
        | E::EofParsingIdentifier => {
            ("the file ends where a value should be", "add what is missing at the end")
        }
        E::ExpectedClosingBrace | E::ExpectedComma => {
            ("expected a comma or } here", "look for a comma missing before this place")
        }
        E::ExpectedClosingBracket => {
            ("expected a comma or ] here", "look for a comma missing before this place")
        }
        E::ExpectedColon => ("expected a colon between key and value here", "write \"key\": value"),
        E::ExpectedComment => ("a single / is no comment", "begin a comment with //"),
        E::ExpectedIdentifier | E::InvalidKey => {
            ("expected a key here", "put keys in double quotes, and look for a comma too much")
        }
        E::ExpectedValue | E::ExpectedNull | E::ExpectedBool | E::ExpectedNumber => {
            ("expected a value here", "put text in double quotes; otherwise a number, true or false")
        }
        E::ExpectedString | E::ExpectedStringOrObject => ("expected text here", "put it in double quotes"),
        E::ExpectedOpeningBrace => ("expected { here", "begin with {"),
        E::ExpectedOpeningBracket => ("expected [ here", "begin with ["),
        E::LineTerminatorInString => {
            ("the line ends inside a text", "add the closing quote before the end of the line")
        }
        E::InvalidEscapeSequence | E::InvalidBytes => {
            ("\\ begins an unknown escape here", "write \\\\ for a backslash")
        }
        E::LeadingZero => ("a number begins with 0", "remove the zeros before it"),
        E::OverflowParsingNumber => ("the number is too large", "correct it"),
        E::TrailingCharacters => {
            ("something follows the end of the object", "remove it, or the } that ends it too early")
        }
    }
}
