//! The reference of all commands (`docs/reference/xenoncli.md`), made from the command line's own description.

use clap::{Arg, Command};
use std::fmt::Write;

/// The whole document.
pub(crate) fn document(command: &Command) -> String {
    let mut command = command.clone().disable_help_subcommand(true);
    command.build();
    let mut out = String::from(
        "# xenoncli: all commands\n\nMade by `xenoncli reference`; change the program, not this page. \
         Every command also takes `-c FILE` (the configuration), `-o table|json` and `--help`.\n",
    );
    if let Some(about) = command.get_about() {
        line(&mut out, &format!("\n{about}"));
    }
    after(&mut out, &command);
    for sub in shown(&command) {
        section(&mut out, sub, &format!("xenoncli {}", sub.get_name()), 2);
    }
    out
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|sub| !sub.is_hide_set())
}

fn line(out: &mut String, text: &str) {
    // Writing to a text cannot fail.
    let _ = writeln!(out, "{text}");
}

fn section(out: &mut String, command: &Command, name: &str, depth: usize) {
    line(out, &format!("\n{} `{name}`\n", "#".repeat(depth)));
    if let Some(about) = command.get_long_about().or(command.get_about()) {
        line(out, &about.to_string());
    }
    if shown(command).next().is_none() || command.get_arguments().any(is_own) {
        let usage = command.clone().render_usage().to_string();
        line(
            out,
            &format!(
                "\n`{}`",
                usage
                    .trim_start_matches("Usage: ")
                    .replace('\n', " ")
                    .split_whitespace()
                    .collect::<Vec<_>>()
                    .join(" ")
            ),
        );
    }
    let arguments: Vec<&Arg> = command.get_arguments().filter(|argument| is_own(argument)).collect();
    if !arguments.is_empty() {
        line(out, "\n| argument | meaning |\n|---|---|");
        for argument in arguments {
            line(out, &format!("| {} | {} |", spelled(argument), meaning(argument)));
        }
    }
    after(out, command);
    for sub in shown(command) {
        section(out, sub, &format!("{name} {}", sub.get_name()), depth + 1);
    }
}

fn is_own(argument: &Arg) -> bool {
    !argument.is_hide_set()
        && !argument.is_global_set()
        && !matches!(argument.get_id().as_str(), "help" | "version")
}

fn spelled(argument: &Arg) -> String {
    let names: Vec<&str> =
        argument.get_value_names().unwrap_or_default().iter().map(clap::builder::Str::as_str).collect();
    let takes_value = argument.get_num_args().is_some_and(|range| range.takes_values());
    let value = if takes_value { names.join(" ") } else { String::new() };
    let text = match argument.get_long() {
        Some(long) if value.is_empty() => format!("--{long}"),
        Some(long) => format!("--{long} {value}"),
        None => value,
    };
    format!("`{}`", text.replace('|', "\\|"))
}

fn meaning(argument: &Arg) -> String {
    let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut text = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let takes_value = argument.get_num_args().is_some_and(|range| range.takes_values());
    let values: Vec<String> =
        argument.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
    if takes_value && !values.is_empty() {
        text.push_str(&format!(" One of {}.", values.join(", ")));
    }
    let defaults: Vec<String> =
        argument.get_default_values().iter().map(|value| format!("`{}`", value.to_string_lossy())).collect();
    if takes_value && !defaults.is_empty() {
        text.push_str(&format!(" Default: {}.", defaults.join(", ")));
    }
    text.replace('|', "\\|")
}

fn after(out: &mut String, command: &Command) {
    if let Some(text) = command.get_after_long_help().or(command.get_after_help()) {
        line(out, &format!("\n```text\n{text}\n```"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Arguments;
    use clap::CommandFactory;

    /// To write it anew: `XENON_WRITE_REFERENCE=1 cargo nextest run -p xenon-cli the_reference_is_current`.
    #[test]
    fn the_reference_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/xenoncli.md");
        let document = document(&Arguments::command());
        if std::env::var_os("XENON_WRITE_REFERENCE").is_some() {
            std::fs::write(path, &document).expect("the document is ours");
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            kept == document,
            "docs/reference/xenoncli.md is old; write it anew: xenoncli reference > docs/reference/xenoncli.md"
        );
    }

    #[test]
    fn every_command_shows_an_example() {
        fn look(command: &Command, name: &str, without: &mut Vec<String>) {
            let is_leaf = command.get_subcommands().next().is_none();
            let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            if is_leaf && !text.contains("Example") {
                without.push(name.to_owned());
            }
            for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
                look(sub, &format!("{name} {}", sub.get_name()), without);
            }
        }
        let mut without = Vec::new();
        look(&Arguments::command(), "xenoncli", &mut without);
        assert!(without.is_empty(), "{without:#?}");
    }
}
