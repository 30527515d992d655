//! The texts that docs/troubleshooting.md quotes are texts that the programs say.

use super::root;
use super::shell::{Document, code_spans};
use std::path::Path;

/// Shorter pieces between two placeholders say nothing.
const TELLING: usize = 14;

/// All source text of the crates, with the lines of a text joined as the compiler does.
fn sources(folder: &Path, into: &mut String) {
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let mut pieces = text.split("\\\n");
            into.push_str(pieces.next().unwrap_or_default());
            pieces.for_each(|piece| into.push_str(piece.trim_start()));
        }
    }
}

/// What stands between the placeholders: `…`, and `N`, `M`, `X` as words.
fn fragments(span: &str) -> Vec<String> {
    let words = span.split(' ').map(|word| {
        let bare = word.trim_matches(|letter: char| ".,;:()".contains(letter));
        if matches!(bare, "N" | "M" | "X") { "…" } else { word }
    });
    let text = words.collect::<Vec<_>>().join(" ");
    let pieces =
        text.split('…').map(|piece| piece.trim_matches(|letter| " ,;:()".contains(letter)).to_owned());
    pieces.filter(|piece| piece.len() >= TELLING && piece.contains(' ')).collect()
}

fn unsaid(text: &str, said: &str) -> Vec<String> {
    let mut all = Vec::new();
    for (index, line) in Document::of(text).prose.iter().enumerate() {
        // The first column of a table quotes; the others are ours.
        let quoted = line.strip_prefix('|').and_then(|row| row.split('|').next()).unwrap_or(line);
        for (_, span) in code_spans(quoted).into_iter().filter(|(_, span)| !span.starts_with("xenoncli")) {
            let missing = fragments(span).into_iter().filter(|piece| !said.contains(piece.as_str()));
            all.extend(missing.map(|piece| format!("{}: {piece}", index + 1)));
        }
    }
    all
}

#[test]
fn what_is_quoted_of_the_programs_is_said_by_them() {
    let mut said = String::new();
    for folder in std::fs::read_dir(root().join("crates")).unwrap() {
        sources(&folder.unwrap().path().join("src"), &mut said);
    }
    let text = std::fs::read_to_string(root().join("docs/troubleshooting.md")).unwrap();
    let wrong = unsaid(&text, &said);
    assert!(wrong.is_empty(), "docs/troubleshooting.md quotes what nobody says:\n{}", wrong.join("\n"));
}

#[test]
fn a_planted_quote_is_found() {
    let said = "the applier has stopped: {error}. This node falls behind";
    let text = "| `the applier has stopped: … This node falls behind` | `whatever we say here` |\n| `the applier went away` | |\n\
                `mysqld has eaten N files within M s`\n";
    assert_eq!(unsaid(text, said), ["2: the applier went away", "3: mysqld has eaten"]);
}
