//! `xenoncli playground`: a real cluster on this machine, to look at and to break.

mod detach;
mod events;
mod guard;
mod introduction;
mod progress;
mod start;
mod status;
mod stop;

use crate::failure::{Failure, Outcome};
use crate::output::Output;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  \
        xenoncli playground                         three nodes, until Ctrl-C\n  \
        xenoncli playground --nodes 5 --detach      five nodes, in the background\n  \
        xenoncli playground status --output json    endpoints, folders, accounts and processes\n  \
        xenoncli playground stop\n\n\
        It wants a MySQL server 8.0 or later: --basedir, MYSQL_BASEDIR, or mysqld on PATH."
)]
pub(crate) struct PlaygroundArguments {
    #[command(subcommand)]
    command: Option<PlaygroundCommand>,
    #[command(flatten)]
    start: StartArguments,
}

#[derive(Debug, Args)]
struct StartArguments {
    /// How many nodes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=15))]
    nodes: u8,
    #[command(flatten)]
    place: PlaceArguments,
    /// Leave it running in the background.
    #[arg(long)]
    detach: bool,
    /// Leave the data behind at the end.
    #[arg(long)]
    keep: bool,
    /// Base folder of the MySQL server.
    #[arg(long, value_name = "FOLDER")]
    basedir: Option<PathBuf>,
    /// This is the process in the background.
    #[arg(long, hide = true)]
    background: bool,
}

#[derive(Debug, Args)]
struct PlaceArguments {
    /// Its folder [default: xenon/playground below XDG_STATE_HOME, or below ~/.local/state].
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum PlaygroundCommand {
    /// End it, wherever it was started.
    #[command(after_help = "Example:\n  xenoncli playground stop --remove")]
    Stop {
        #[command(flatten)]
        place: PlaceArguments,
        /// Remove its data, too, though it was started with --keep.
        #[arg(long)]
        remove: bool,
    },
    /// Its nodes: endpoints, folders, accounts, processes.
    #[command(after_help = "Example:\n  xenoncli playground status --output json")]
    Status {
        #[command(flatten)]
        place: PlaceArguments,
    },
    /// End it when the process that started it is gone.
    #[command(hide = true)]
    Guard {
        #[command(flatten)]
        place: PlaceArguments,
    },
}

impl PlaceArguments {
    fn folder(&self) -> Outcome<PathBuf> {
        let given = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let folder = match &self.dir {
            Some(dir) => std::path::absolute(dir)?,
            None => given("XDG_STATE_HOME")
                .or_else(|| given("HOME").map(|home| home.join(".local/state")))
                .ok_or_else(|| {
                    Failure::new("neither XDG_STATE_HOME nor HOME is set").cure("give --dir FOLDER")
                })?
                .join("xenon/playground"),
        };
        // Its real path is what processes have in their arguments.
        Ok(folder.canonicalize().unwrap_or(folder))
    }
}

pub(crate) async fn run(arguments: PlaygroundArguments, output: Output) -> Outcome {
    match arguments.command {
        Some(PlaygroundCommand::Stop { place, remove }) => stop::run(&place.folder()?, remove, output),
        Some(PlaygroundCommand::Status { place }) => status::run(&place.folder()?, output).await,
        Some(PlaygroundCommand::Guard { place }) => guard::run(&place.folder()?),
        None => {
            let folder = arguments.start.place.folder()?;
            if arguments.start.detach {
                detach::run(&folder, &arguments.start, output).await
            } else {
                Box::pin(start::run(folder, arguments.start)).await
            }
        }
    }
}

/// The option that names the folder in further commands; nothing when it is the usual one.
fn dir_option(folder: &std::path::Path) -> String {
    let usual = PlaceArguments { dir: None }.folder();
    if usual.is_ok_and(|usual| usual == folder) {
        String::new()
    } else {
        format!(" --dir {}", quoted(folder))
    }
}

/// One word for the shell.
fn quoted(path: &std::path::Path) -> String {
    let text = path.display().to_string();
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+:@%,".contains(c));
    if plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
