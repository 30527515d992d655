//! `chaos`: for a bounded time, everything that can go wrong goes wrong on a cluster of real servers, in an order that a seed
//! gives; at the end it must be whole again, and nothing that a client was told may be lost.
//!
//! One line an event, in columns. Ends with 0 when all was well; else with 1, and the logs are in a folder that it names.

mod cluster;
mod excuse;
mod load;
mod report;
mod run;
mod schedule;

use anyhow::{Context, Result};
use clap::Parser;
use report::Report;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use xenon_testkit::Network;

/// Breaks a cluster of real servers in every way, for some minutes, and checks that nothing is lost.
#[derive(Parser)]
#[command(name = "chaos", version)]
struct Arguments {
    /// For how long new faults begin, minutes.
    #[arg(long, default_value_t = 5, env = "MINUTES", value_parser = clap::value_parser!(u64).range(1..=1440))]
    minutes: u64,
    /// The order of the faults; a random one is chosen, and printed, when it is not given.
    #[arg(long, env = "SEED")]
    seed: Option<u64>,
    /// Nodes of the cluster.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(3..=7))]
    nodes: u8,
    /// Only faults with one of these words in their names; the names are those in the lines.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// No faults with one of these words in their names.
    #[arg(long, value_delimiter = ',')]
    without: Vec<String>,
    /// Where a run that fails leaves its logs: a folder of its own in this one.
    #[arg(long, default_value = "target/chaos")]
    logs: PathBuf,
}

fn main() -> ExitCode {
    let mut arguments = Arguments::parse();
    // An empty variable is what a Makefile gives for one that is not set.
    arguments.only.retain(|word| !word.is_empty());
    match begin(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn begin(arguments: &Arguments) -> Result<()> {
    if let Some(obstacle) = Network::obstacle() {
        anyhow::bail!("{obstacle}");
    }
    let seed = arguments.seed.unwrap_or_else(rand::random);
    let again = format!("make chaos MINUTES={} SEED={seed}", arguments.minutes);
    println!("seed {seed}; the same faults again: {again}");
    let rounds = schedule::Schedule::new(seed, usize::from(arguments.nodes), |name| arguments.wants(name));
    let network = Arc::new(Network::create().context("hosts of their own")?);
    let folder = arguments.logs.join(format!("seed-{seed}"));
    network.clone().run_client(async || {
        let cluster = cluster::create(usize::from(arguments.nodes), network)?;
        let report = Report::begin();
        let time = Duration::from_secs(arguments.minutes * 60);
        match run::run(&cluster, rounds, time, &report).await {
            Ok(()) => cluster.end(),
            Err(error) => {
                let picture = cluster.picture().await;
                report.leave(&folder, &cluster, &format!("{error:#}\n\n{picture}"))?;
                // The first lines say what is wrong; the rest is in the file.
                let text = format!("{error:#}");
                let brief: Vec<&str> = text.lines().take(12).collect();
                anyhow::bail!("FAILED: {}\nlogs: {}\nagain: {again}", brief.join("\n"), folder.display())
            }
        }
    })
}

impl Arguments {
    fn wants(&self, name: &str) -> bool {
        let has = |words: &[String]| words.iter().any(|word| name.contains(word.as_str()));
        (self.only.is_empty() || has(&self.only)) && !has(&self.without)
    }
}
