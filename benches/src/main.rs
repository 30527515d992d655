//! `bench`: how long clients wait when something happens to the primary, and what an agent costs when nothing does.
//!
//! All of it on real servers of this machine; the numbers go to a Markdown file and a picture beside it.

mod gaps;
mod idle;
mod latency;
mod numbers;
mod phases;
mod picture;
mod rejoin;
mod report;

use anyhow::{Context, Result};
use clap::Parser;
use gaps::Fault;
use std::path::{Path, PathBuf};
use xenon_testkit::{Base, Bins};

/// Measures failover, switchover and idle cost of three real servers on this machine.
#[derive(Parser)]
#[command(name = "bench", version)]
struct Arguments {
    /// Runs of every fault.
    #[arg(long, default_value_t = 10, env = "RUNS", value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// The Markdown file; the picture is written beside it, with the ending svg.
    #[arg(long, default_value = "docs/bench.md")]
    out: PathBuf,
    /// Only these faults, by their names; `rejoin`, `idle` and `status` are names, too.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// List the names and end.
    #[arg(long)]
    list: bool,
}

impl Arguments {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|wanted| wanted == name)
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let names = Fault::ALL.iter().map(|fault| fault.name()).chain([rejoin::NAME, idle::NAME, latency::NAME]);
    if arguments.list {
        names.for_each(|name| println!("{name}"));
        return Ok(());
    }
    let known: Vec<&str> = names.collect();
    if let Some(wrong) = arguments.only.iter().find(|name| !known.contains(&name.as_str())) {
        anyhow::bail!("there is nothing named {wrong} to measure; there are: {}", known.join(", "));
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace's folder")?;
    let programs = (Base::for_workspace(workspace)?, Bins::find()?);
    // The clients under measurement have runtimes of their own.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let measured = runtime.block_on(measure(&arguments, programs))?;
    let text = report::markdown(&measured, &arguments.out);
    write(&arguments.out, &text)?;
    write(&arguments.out.with_extension("svg"), &picture::svg(&measured))?;
    println!("{text}");
    Ok(())
}

async fn measure(arguments: &Arguments, (base, bins): (Base, Bins)) -> Result<report::Measured> {
    let mut measured = report::Measured::new(&base, arguments.runs);
    for fault in Fault::ALL.into_iter().filter(|fault| arguments.wants(fault.name())) {
        measured.gaps.push(gaps::measure(fault, arguments.runs, &base, &bins).await?);
    }
    if arguments.wants(rejoin::NAME) {
        measured.rejoin = Some(rejoin::measure().await?);
    }
    if arguments.wants(idle::NAME) {
        measured.idle = Some(idle::measure(&base, &bins).await?);
    }
    if arguments.wants(latency::NAME) {
        measured.latency = Some(latency::measure(&base, &bins).await?);
    }
    Ok(measured)
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}
