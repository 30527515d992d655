//! What is made from the command line's own description: completions, manual pages, the reference.

use crate::arguments::{Arguments, Shell};
use crate::failure::{Failure, Outcome};
use crate::output::{self, Output};
use crate::reference;
use clap::CommandFactory;
use std::path::Path;

pub(crate) fn completions(shell: Shell) -> Outcome {
    let shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "xenoncli", &mut text);
    output::print(&String::from_utf8_lossy(&text))
}

pub(crate) fn man(dir: &Path, output: Output) -> Outcome {
    let failed = |error: std::io::Error| {
        Failure::new(format!("{}: {error}", dir.display())).cure("name a folder that this user may write to")
    };
    std::fs::create_dir_all(dir).map_err(failed)?;
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    let mut count = 0;
    pages(&command, "xenoncli", &mut |name, page| {
        count += 1;
        std::fs::write(dir.join(format!("{name}.1")), page)
    })
    .map_err(failed)?;
    output::done(output, "", &format!("{count} manual pages are in {}", dir.display()))
}

fn pages(
    command: &clap::Command,
    name: &str,
    write: &mut impl FnMut(&str, &[u8]) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).title(name).render(&mut page)?;
    write(name, &page)?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        pages(sub, &format!("{name}-{}", sub.get_name()), write)?;
    }
    Ok(())
}

pub(crate) fn reference() -> Outcome {
    output::print(&reference::document(&Arguments::command()))
}
