//! Every relative link leads somewhere, and the table of contents to every document.

use super::root;
use super::shell::{Document, code_spans, documents};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Targets of links and images, with the line.
fn links(text: &str) -> Vec<(usize, String)> {
    let prose = Document::of(text).prose.join("\n");
    let mut text = prose.clone();
    for (at, span) in code_spans(&prose) {
        let begin = at + prose.get(at..).unwrap_or_default().find(span).unwrap_or_default();
        // As long as it was, so that what comes behind it stays where it is.
        let blank =
            |letter: char| if letter == '\n' { "\n".to_owned() } else { "x".repeat(letter.len_utf8()) };
        text.replace_range(begin..begin + span.len(), &span.chars().map(blank).collect::<String>());
    }
    let mut all = Vec::new();
    for (at, _) in text.match_indices("](") {
        let target = text.get(at + 2..).and_then(|rest| rest.split_once(')')).map(|(target, _)| target);
        let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
        all.extend(target.map(|target| (line, target.trim().to_owned())));
    }
    all
}

/// As GitHub makes the anchor of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading
        .trim_start_matches('#')
        .trim()
        .chars()
        .filter(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_' | ' '));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn anchors(text: &str) -> BTreeSet<String> {
    Document::of(text).prose.iter().filter(|line| line.starts_with('#')).map(|line| anchor(line)).collect()
}

/// The file or folder that a link leads to; `None` for another site.
fn target_of(from: &Path, target: &str) -> Option<(PathBuf, Option<String>)> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = match target.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor.to_owned())),
        None => (target, None),
    };
    let folder = from.parent().unwrap_or(from);
    Some((if path.is_empty() { from.to_owned() } else { folder.join(path) }, anchor))
}

fn dead(path: &Path, text: &str) -> Vec<String> {
    let why = |target: &str| -> Option<String> {
        let (to, wanted) = target_of(path, target)?;
        if !to.exists() {
            return Some("is not there".to_owned());
        }
        let wanted = wanted.filter(|_| to.extension().is_some_and(|extension| extension == "md"))?;
        let there = std::fs::read_to_string(&to).unwrap_or_default();
        (!anchors(&there).contains(&wanted)).then(|| "has no such heading".to_owned())
    };
    links(text)
        .into_iter()
        .filter_map(|(line, target)| {
            why(&target).map(|why| format!("{}:{line}: {target} {why}", path.display()))
        })
        .collect()
}

#[test]
fn no_link_leads_nowhere() {
    let wrong: Vec<String> =
        documents(&root()).unwrap().iter().flat_map(|(path, text)| dead(path, text)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_document_is_reached_from_the_table_of_contents() {
    let docs = root().join("docs");
    let begin = docs.join("README.md");
    let (mut seen, mut next) = (BTreeSet::from([begin.clone()]), vec![begin]);
    while let Some(path) = next.pop() {
        let text = std::fs::read_to_string(&path).unwrap();
        for (_, target) in links(&text) {
            let Some((to, _)) = target_of(&path, &target) else { continue };
            let Ok(to) = to.canonicalize() else { continue };
            // A folder shows its files.
            let files: Vec<PathBuf> = match std::fs::read_dir(&to) {
                Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
                Err(_) => vec![to],
            };
            let documents = files.into_iter().filter(|file| file.extension().is_some_and(|end| end == "md"));
            for file in documents.filter(|file| file.starts_with(&docs)) {
                if seen.insert(file.clone()) {
                    next.push(file);
                }
            }
        }
    }
    let all = documents(&root()).unwrap().into_iter().map(|(path, _)| path);
    let left: Vec<PathBuf> = all.filter(|path| path.starts_with(&docs) && !seen.contains(path)).collect();
    assert!(left.is_empty(), "docs/README.md leads to none of {left:#?}");
}

#[test]
fn a_planted_dead_link_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.md");
    let text = "# The way\n\n[x](b.md) ![y](c.png#z) `…[code](d.md)`\n[out](https://e.f/g)\n\
                ```sh\n[in](h.md)\n```\n[self](#the-way) [no](#nothing)\n";
    std::fs::write(&path, text).unwrap();
    let found = dead(&path, text);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert_eq!(anchor("## W1, W3: what's *kept* (and `why`)"), "w1-w3-whats-kept-and-why");
}
