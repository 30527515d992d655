//! `xenon`: the agent beside every mysqld.

mod agent;
mod boot;
mod calls;
mod clock;
mod effects;
mod events;
mod hooks;
mod input;
mod legacy;
mod local;
mod mysqld;
mod observer;
mod peers;
mod status;
mod store;
mod worker;

use clap::{Parser, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;
use tracing_subscriber::filter::LevelFilter;
use xenon_config::{LogFormat, LogLevel};

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
    start_log(config.log.level, config.log.format);
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

fn start_log(level: LogLevel, format: LogFormat) {
    let level = match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Error | LogLevel::Panic => LevelFilter::ERROR,
    };
    // Libraries speak at the level of a developer: only their warnings are of interest.
    let filter = tracing_subscriber::filter::Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("xenon", level)
        .with_target("xenon_channel", level)
        .with_target("xenon_mysql", level);
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Text => registry
            .with(
                tracing_subscriber::fmt::layer()
                    .with_writer(std::io::stderr)
                    .with_target(false)
                    .with_ansi(false),
            )
            .init(),
        LogFormat::Json => registry
            .with(tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(std::io::stderr))
            .init(),
    }
}
