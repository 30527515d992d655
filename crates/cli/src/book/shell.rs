//! The commands that the documents show: taken out of their blocks of shell, and out of the text between them.

use std::path::{Path, PathBuf};

/// A block of code between two fences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// Line of its first line, counted from 1.
    pub(crate) line: usize,
    /// What stands behind the opening fence, as words: `sh`, `run`.
    pub(crate) info: Vec<String>,
    /// Its text, without the indent of its fence.
    pub(crate) text: String,
}

impl Block {
    fn is(&self, language: &str) -> bool {
        self.info.first().is_some_and(|word| word == language)
    }

    /// To be run by a test, in order, in one shell for all blocks of a document.
    pub(crate) fn is_run(&self) -> bool {
        self.is("sh") && self.info.iter().any(|word| word == "run")
    }
}

/// One command with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Where it stands, counted from 1.
    pub(crate) line: usize,
    /// The program and its arguments, without quotes.
    pub(crate) words: Vec<String>,
    /// Only a part of it is shown: an ellipsis stood in it, or it stands in the text.
    pub(crate) cut: bool,
}

/// A document: its blocks, and what is left of its lines when they are taken out (empty lines in their place).
#[derive(Debug, Clone, Default)]
pub(crate) struct Document {
    /// Its blocks, in order.
    pub(crate) blocks: Vec<Block>,
    /// Its lines outside of blocks.
    pub(crate) prose: Vec<String>,
}

impl Document {
    /// Reads Markdown.
    pub(crate) fn of(text: &str) -> Self {
        let mut document = Self::default();
        let mut open: Option<(String, usize, Block)> = None;
        for (index, line) in text.lines().enumerate() {
            let bare = line.trim_start();
            let indent = line.len() - bare.len();
            document.prose.push(String::new());
            match &mut open {
                Some((fence, ..))
                    if bare.starts_with(fence.as_str()) && bare.trim_end().len() == fence.len() =>
                {
                    document.blocks.extend(open.take().map(|(.., block)| block));
                }
                Some((_, margin, block)) => {
                    let own = (*margin).min(indent);
                    block.text.push_str(line.get(own..).unwrap_or(bare));
                    block.text.push('\n');
                }
                None if bare.starts_with("```") => {
                    let ticks = bare.len() - bare.trim_start_matches('`').len();
                    let (fence, info) = bare.split_at(ticks);
                    let info = info.split_whitespace().map(str::to_owned).collect();
                    open = Some((
                        fence.to_owned(),
                        indent,
                        Block { line: index + 2, info, text: String::new() },
                    ));
                }
                None => {
                    if let Some(last) = document.prose.last_mut() {
                        line.clone_into(last);
                    }
                }
            }
        }
        document
    }

    /// Every command of its blocks: all lines of `sh`, the lines behind a prompt of all others.
    pub(crate) fn commands(&self) -> Vec<Shown> {
        let mut all = Vec::new();
        for block in &self.blocks {
            let session = ["console", ""].contains(&block.info.first().map_or("", String::as_str));
            if !session && !block.is("sh") {
                continue;
            }
            let mut joined = String::new();
            let mut first = 0;
            for (index, line) in block.text.lines().enumerate() {
                let line = match (session && joined.is_empty(), line.get(..2)) {
                    (false, _) => line,
                    (true, Some("$ " | "# ")) => line.get(2..).unwrap_or_default(),
                    (true, _) => continue,
                };
                if joined.is_empty() {
                    first = block.line + index;
                }
                match line.strip_suffix('\\') {
                    Some(begun) => joined.push_str(begun),
                    None => {
                        joined.push_str(line);
                        all.extend(
                            simple_commands(&joined).into_iter().filter_map(|words| shown(first, words)),
                        );
                        joined.clear();
                    }
                }
            }
        }
        all
    }

    /// What stands between two backticks in the text and begins with one of these programs.
    pub(crate) fn mentioned(&self, programs: &[&str]) -> Vec<Shown> {
        let mut all = Vec::new();
        // A span may go over the end of a line, but not over the end of a paragraph.
        for (line, paragraph) in paragraphs(&self.prose) {
            for (place, span) in code_spans(&paragraph) {
                let here = line + paragraph.get(..place).unwrap_or_default().matches('\n').count();
                let begins = |program: &&str| span.split_whitespace().next() == Some(*program);
                if programs.iter().any(begins) {
                    let commands = simple_commands(&span.replace('\n', " "));
                    let found = commands.into_iter().filter_map(|words| shown(here, words));
                    all.extend(found.map(|shown| Shown { cut: true, ..shown }));
                }
            }
        }
        all
    }
}

fn paragraphs(prose: &[String]) -> Vec<(usize, String)> {
    let mut all: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (index, line) in prose.iter().enumerate() {
        // A row of a table is a paragraph of its own.
        let alone = line.trim_start().starts_with('|');
        if line.trim().is_empty() {
            goes_on = false;
            continue;
        }
        match all.last_mut().filter(|_| goes_on && !alone) {
            Some((_, text)) => {
                text.push('\n');
                text.push_str(line);
            }
            None => all.push((index + 1, line.clone())),
        }
        goes_on = !alone;
    }
    all
}

/// Where each span between backticks begins, and what stands in it.
pub(crate) fn code_spans(text: &str) -> Vec<(usize, &str)> {
    let mut spans = Vec::new();
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find('`')) {
        let begin = at + found;
        let rest = text.get(begin..).unwrap_or_default();
        let ticks = rest.len() - rest.trim_start_matches('`').len();
        let Some(length) = rest.get(ticks..).and_then(|inside| inside.find(&"`".repeat(ticks))) else {
            break;
        };
        spans.push((begin, text.get(begin + ticks..begin + ticks + length).unwrap_or_default()));
        at = begin + ticks + length + ticks;
    }
    spans
}

/// Without what stands before the program: variables, `sudo`, another program that runs it.
fn shown(line: usize, mut words: Vec<String>) -> Option<Shown> {
    let name = |word: &String| word.rsplit('/').next().unwrap_or_default().to_owned();
    let before =
        |word: &String| word == "sudo" || word == "exec" || word.split_once('=').is_some_and(is_variable);
    let skipped = words.iter().take_while(|word| before(word)).count();
    words.drain(..skipped);
    if let Some(run) = words.iter().position(|word| name(word) == "xenoncli") {
        words.drain(..run);
    }
    let all = words.len();
    // A line of usage: `xenoncli raft add [OPTIONS] <NODE>`.
    let usage = words.iter().position(|word| word.starts_with('[')).unwrap_or(all);
    words.truncate(usage);
    words.retain(|word| !word.contains('…'));
    let cut = words.len() < all;
    let program = name(words.first()?);
    if let Some(first) = words.first_mut() {
        *first = program;
    }
    Some(Shown { line, words, cut })
}

fn is_variable((name, _): (&str, &str)) -> bool {
    !name.is_empty() && name.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_')
}

/// A piece of a line of shell.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Word(String),
    /// The word behind it is a file.
    Redirection,
    /// `|`, `&`, `;`, a parenthesis.
    End,
}

/// The commands of a line, without redirections and comments. A substitution stays in its word as it is written.
fn simple_commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut to_file = false;
    for piece in pieces(line) {
        match piece {
            Piece::End => commands.push(Vec::new()),
            Piece::Redirection => to_file = true,
            Piece::Word(_) if std::mem::take(&mut to_file) => {}
            Piece::Word(word) => {
                commands.iter_mut().last().into_iter().for_each(|last| last.push(word.clone()))
            }
        }
    }
    commands.retain(|command| !command.is_empty());
    commands
}

fn pieces(line: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    // Of parentheses of a substitution.
    let mut depth = 0_usize;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        let begun = word.as_deref().unwrap_or_default();
        if depth > 0 || letter == '(' && begun.ends_with('$') {
            match letter {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            word.get_or_insert_default().push(letter);
            continue;
        }
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (Some('"') | None, '\\') => word.get_or_insert_default().extend(letters.next()),
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            // 2>&1
            (None, '&') if word.is_none() && pieces.last() == Some(&Piece::Redirection) => {
                word = Some(letter.to_string());
            }
            (None, '|' | '&' | ';' | '(' | ')' | '<' | '>') => {
                let redirects = matches!(letter, '<' | '>');
                // 2>: the number belongs to it.
                let number = begun.chars().all(|digit| digit.is_ascii_digit());
                pieces.extend(word.take().filter(|_| !(redirects && number)).map(Piece::Word));
                pieces.push(if redirects { Piece::Redirection } else { Piece::End });
            }
            (None, _) if letter.is_whitespace() => pieces.extend(word.take().map(Piece::Word)),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    pieces.extend(word.map(Piece::Word));
    pieces
}

/// Every Markdown file that people read: those at the root, and all below `docs`.
///
/// # Errors
/// A folder or a file cannot be read.
pub(crate) fn documents(root: &Path) -> std::io::Result<Vec<(PathBuf, String)>> {
    let mut folders = vec![root.join("docs")];
    let mut files: Vec<PathBuf> =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].iter().map(|name| root.join(name)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                files.push(path);
            }
        }
    }
    files.sort();
    files.into_iter().map(|path| std::fs::read_to_string(&path).map(|text| (path, text))).collect()
}
