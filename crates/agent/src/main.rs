//! `xenon`: the agent beside every mysqld.

mod address;
mod agent;
mod audit;
mod backup;
mod boot;
mod calls;
mod chance;
mod clock;
mod dead;
mod disk;
mod donation;
mod effects;
mod events;
mod faults;
mod hands;
mod hooks;
mod http;
mod input;
mod keeper;
mod legacy;
mod life;
mod local;
mod log;
mod metrics;
mod mysqld;
mod observer;
mod peers;
mod people;
mod purge;
mod rebuild;
mod reports;
mod rescue;
mod rewind;
mod saver;
mod signals;
mod sleepers;
mod status;
mod steps;
mod store;
mod streams;
mod supervisor;
mod switchover;
mod tail;
mod tally;
mod telling;
mod troubles;
mod vip;
mod worker;

use clap::{Parser, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;

/// The agent that keeps a MySQL group writable and loses nothing.
///
/// It runs beside every mysqld, as mysqld's user, and takes everything else from its configuration file.
/// Clusters are formed and looked at with xenoncli.
#[derive(Parser)]
#[command(name = "xenon", version)]
struct Arguments {
    /// The configuration file (xenon.json).
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// Accepted from scripts of the Go tool. IDLE: this node follows for ever, as with raft.super-idle.
    #[arg(short, long, ignore_case = true)]
    role: Option<RoleWord>,
}

#[derive(Clone, Copy, ValueEnum, PartialEq, Eq)]
#[value(rename_all = "UPPER")]
enum RoleWord {
    Leader,
    Follower,
    Idle,
}

fn main() -> ExitCode {
    if let Some(guarded) = vip::run_guard(std::env::args_os().skip(1)) {
        return guarded;
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            // As the Go tool: usage and 1; help and version are no failure.
            return if error.use_stderr() { ExitCode::from(1) } else { ExitCode::SUCCESS };
        }
    };
    let loaded = match xenon_config::load(&arguments.config) {
        Ok(loaded) => loaded,
        Err(findings) => {
            eprintln!("{findings}");
            return ExitCode::from(1);
        }
    };
    let mut config = loaded.config;
    let _flush = log::start(config.log.level, config.log.format);
    for finding in loaded.warnings.iter() {
        tracing::warn!("{}", loaded.warnings.line_of(finding));
    }
    match arguments.role {
        Some(RoleWord::Idle) => config.raft.super_idle = true,
        Some(_) => tracing::info!("the election decides who leads; -r is accepted and changes nothing"),
        None => {}
    }
    // One thread: the loop never waits, and what may (the disk, the hooks) has threads or processes of its own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(4).build();
    // As others can open it: they may stand in another folder.
    let path = std::path::absolute(&arguments.config).unwrap_or(arguments.config);
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(boot::run(config, &path)),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xenon: {error:#}");
            ExitCode::from(1)
        }
    }
}
