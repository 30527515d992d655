//! `xenoncli`: forms clusters, shows them, and tells agents what to do.

mod arguments;
#[cfg(test)]
mod book;
mod commands;
mod failure;
mod gather;
mod output;
mod paint;
mod password;
mod playground;
mod reference;
mod session;
mod start_time;
mod table;
mod views;
mod when;
mod words;

use arguments::{Arguments, Command};
use clap::Parser;
use failure::{Failure, Outcome};
use output::Output;
use std::process::ExitCode;

/// Wrong usage.
const USAGE: u8 = 2;
/// Refused or failed.
const FAILED: u8 = 1;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nothing is left to do when even this cannot be printed.
            let _ = error.print();
            if !error.use_stderr() {
                return ExitCode::SUCCESS;
            }
            if wants_json(std::env::args()) {
                let what = error.to_string();
                let what = what.strip_prefix("error: ").unwrap_or(&what);
                tell_program(&Failure::new(what.lines().next().unwrap_or_default()).cure("xenoncli --help"));
            }
            return ExitCode::from(USAGE);
        }
    };
    // One thread: most of the time goes into waiting for agents, and starting threads would be seen in the time.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let output = arguments.output;
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(arguments)),
        Err(error) => Err(Failure::new(format!("no runtime: {error}"))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::note(&failure.to_string());
            if output == Output::Json {
                tell_program(&failure);
            }
            ExitCode::from(if failure.is_usage() { USAGE } else { FAILED })
        }
    }
}

/// A program reads standard output alone.
fn tell_program(failure: &Failure) {
    if let Some(json) = failure.json() {
        // Standard output may be closed; the exit code is left.
        let _ = output::json(&json);
    }
}

/// What the command line asks for though it cannot be understood as a whole.
fn wants_json(words: impl Iterator<Item = String>) -> bool {
    let words: Vec<String> = words.collect();
    let apart = words
        .windows(2)
        .any(|pair| matches!(pair, [key, word] if (key == "--output" || key == "-o") && word == "json"));
    apart || words.iter().any(|word| word == "--output=json" || word == "-ojson")
}

async fn run(arguments: Arguments) -> Outcome {
    let Arguments { config, output, command } = arguments;
    let config = config.as_deref();
    match command {
        Command::Cluster { command } => commands::cluster::run(command, config, output).await,
        Command::Raft { command } => commands::raft::run(command, config, output).await,
        Command::Mysql { command } => commands::mysql::run(command, config, output).await,
        Command::Xenon { command } => commands::xenon::run(command, config, output).await,
        Command::Failover { command } => commands::failover::run(command, config, output).await,
        Command::Explain(options) => commands::explain::run(options, config, output).await,
        Command::Init(options) => commands::init::run(*options, config, output),
        Command::Doctor(options) => commands::doctor::run(options, config, output).await,
        Command::Top(options) => commands::top::run(options, config, output).await,
        Command::Perf { command } => commands::perf::run(command, config, output).await,
        Command::Completions { shell } => commands::shell::completions(shell),
        Command::Man { dir } => commands::shell::man(&dir, output),
        Command::Reference => commands::shell::reference(),
        Command::Version => commands::version::run(config, output).await,
        // Its future holds a whole cluster.
        Command::Playground(options) => Box::pin(playground::run(options, output)).await,
    }
}
