//! How long `xenoncli cluster status` takes.

use crate::gaps::fresh;
use crate::numbers::{Numbers, shown};
use anyhow::{Result, bail};
use std::process::{Command, Stdio};
use std::time::Instant;
use xenon_testkit::{Base, Bins, LocalCluster, Signal};

/// Its name on the command line.
pub(crate) const NAME: &str = "status";
/// So often.
const RUNS: usize = 20;

/// Milliseconds: with all nodes up, with one agent killed, and with one that hangs.
#[derive(Debug)]
pub(crate) struct Latency {
    pub(crate) up: Numbers,
    pub(crate) one_down: Numbers,
    pub(crate) one_hung: Numbers,
}

pub(crate) async fn measure(base: &Base, bins: &Bins) -> Result<Latency> {
    let cluster = fresh(base, bins).await?;
    let up = runs(&cluster)?;
    let agent = cluster.node(2)?.agent();
    if let Some(agent) = agent {
        agent.signal(Signal::STOP)?;
    }
    let one_hung = runs(&cluster)?;
    cluster.kill_agent(2)?;
    let one_down = runs(&cluster)?;
    cluster.end()?;
    eprintln!("cluster status: {}, one node hung: {}", shown(up.median()), shown(one_hung.median()));
    Ok(Latency { up, one_down, one_hung })
}

fn runs(cluster: &LocalCluster) -> Result<Numbers> {
    let config = cluster.node(0)?.config();
    let mut values = Vec::new();
    for _ in 0..RUNS {
        let begun = Instant::now();
        let mut command = Command::new(&cluster.bins().xenoncli);
        let output =
            command.arg("-c").arg(&config).args(["cluster", "status"]).stdin(Stdio::null()).output()?;
        values.push(begun.elapsed().as_secs_f64() * 1e3);
        if !output.status.success() {
            bail!("xenoncli cluster status: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
    Ok(Numbers::new(values))
}
