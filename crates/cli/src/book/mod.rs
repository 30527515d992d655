//! The book against the program: every command that a document shows is one that the command line understands, every target
//! of make exists, and no link leads nowhere.

mod links;
mod quotes;
mod shell;

use crate::arguments::Arguments;
use clap::Parser;
use clap::error::ErrorKind;
use shell::{Document, Shown, documents};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Why a command is none, if it is one of ours.
fn mistake(shown: &Shown, makefile: &str) -> Option<String> {
    match shown.words.first().map(String::as_str) {
        Some("xenoncli") => wrong_words(shown),
        Some("make") => wrong_target(shown, makefile),
        _ => None,
    }
}

fn wrong_words(shown: &Shown) -> Option<String> {
    let error = Arguments::try_parse_from(&shown.words).err()?;
    let fine = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => true,
        // A name alone, or with a placeholder in the place of a value.
        ErrorKind::MissingRequiredArgument
        | ErrorKind::MissingSubcommand
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        | ErrorKind::ValueValidation
        | ErrorKind::InvalidValue => shown.cut,
        _ => false,
    };
    (!fine).then(|| error.to_string().lines().next().unwrap_or_default().to_owned())
}

fn wrong_target(shown: &Shown, makefile: &str) -> Option<String> {
    shown.words.iter().skip(1).find_map(|word| match word.split_once('=') {
        Some((variable, _)) => (!makefile.contains(&format!("$({variable})"))
            && !makefile.lines().any(|line| line.starts_with(&format!("{variable} "))))
        .then(|| format!("the Makefile has no variable {variable}")),
        None => (!makefile.lines().any(|line| line.starts_with(&format!("{word}:"))))
            .then(|| format!("the Makefile has no target {word}")),
    })
}

fn mistakes(text: &str, makefile: &str) -> Vec<String> {
    let document = Document::of(text);
    let all = document.commands().into_iter().chain(document.mentioned(&["xenoncli"]));
    all.filter_map(|shown| {
        let why = mistake(&shown, makefile)?;
        Some(format!("{}: {}: {why}", shown.line, shown.words.join(" ")))
    })
    .collect()
}

#[test]
fn every_command_that_is_shown_is_understood() {
    let root = root();
    let makefile = std::fs::read_to_string(root.join("Makefile")).unwrap();
    let mut wrong = Vec::new();
    let mut count = 0;
    for (path, text) in documents(&root).unwrap() {
        count += Document::of(&text).commands().len();
        let name = path.strip_prefix(&root).unwrap_or(&path).display().to_string();
        wrong.extend(mistakes(&text, &makefile).into_iter().map(|mistake| format!("{name}:{mistake}")));
    }
    assert!(wrong.is_empty(), "shown and not understood:\n{}", wrong.join("\n"));
    assert!(count > 100, "only {count} commands were found: are they still looked for where they stand?");
}

#[test]
fn a_planted_mistake_is_found() {
    let makefile = "ARGS ?=\nplay: setup ## Start\n\t@run $(ARGS)\n";
    let text = "\
# xenoncli nonsense in a heading is no command

```sh
xenoncli cluster status | jq .   # and a comment
xenoncli cluster statsu
sudo xenoncli -c 'a b' raft trytoleader --now > file 2>&1 && make plya
make play ARGS=\"--nodes 5\" SPEED=9
xenoncli cluster add
```

   ```console
   $ xenoncli cluster pause \\
         --until tomorrow
   xenoncli what it prints is no command
   # xenoncli cluster set 10.0.0.1:8801 --priority 0
   ```

Use `xenoncli cluster add`, `xenoncli cluster set NODE --priority N`, or
`xenoncli cluster
subtract`; a row `cat xenoncli` is none.

```json
{\"xenoncli\": \"nonsense\"}
```
";
    let found = mistakes(text, makefile);
    let lines: Vec<&str> = found.iter().filter_map(|mistake| mistake.split(": ").next()).collect();
    assert_eq!(lines, ["5", "6", "6", "7", "8", "12", "19"], "{found:#?}");
}

#[test]
fn blocks_that_are_run_are_told_from_those_that_are_shown() {
    let document = Document::of("```sh run\na\n```\n```sh\nb\n```\n````md\n```sh run\nc\n```\n````\n");
    let run: Vec<&str> =
        document.blocks.iter().filter(|block| block.is_run()).map(|block| block.text.as_str()).collect();
    assert_eq!(run, ["a\n"]);
}
