//! `xenoncli`: forms clusters, shows them, and tells agents what to do.

mod arguments;
mod commands;
mod failure;
mod output;
mod playground;
mod session;
mod table;
mod views;
mod words;

use arguments::{Arguments, Command};
use clap::Parser;
use failure::{Failure, Outcome};
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
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
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
            // A program reads standard output alone.
            if let (output::Output::Json, Some(json)) = (output, failure.json()) {
                let _ = output::print(&json.to_string());
            }
            ExitCode::from(FAILED)
        }
    }
}

async fn run(arguments: Arguments) -> Outcome {
    let Arguments { config, output, command } = arguments;
    let config = config.as_deref();
    match command {
        Command::Cluster { command } => commands::cluster::run(command, config, output).await,
        Command::Raft { command } => commands::raft::run(command, config, output).await,
        Command::Mysql { command } => commands::mysql::run(command, config, output).await,
        Command::Xenon { command } => commands::xenon::run(command, config, output).await,
        Command::Init(options) => commands::init::run(*options, output),
        Command::Version => commands::version::run(config, output).await,
        // Its future holds a whole cluster.
        Command::Playground(options) => Box::pin(playground::run(options, output)).await,
    }
}
