//! What an agent costs while nothing happens.

use crate::gaps::fresh;
use crate::numbers::Numbers;
use anyhow::{Context, Result};
use rustix::param::clock_ticks_per_second;
use std::time::Duration;
use xenon_testkit::{Base, Bins, Process};

/// Its name on the command line.
pub(crate) const NAME: &str = "idle";
/// For so long it is watched.
const WATCHED: Duration = Duration::from_secs(20);
/// Before that, what the start left to do is done.
const SETTLES: Duration = Duration::from_secs(5);

/// Processor time in percent of one core, and memory in MiB: of the leader's agent, and of the two others.
#[derive(Debug)]
pub(crate) struct Idle {
    pub(crate) leader_cpu: f64,
    pub(crate) leader_rss: f64,
    pub(crate) follower_cpu: Numbers,
    pub(crate) follower_rss: Numbers,
}

pub(crate) async fn measure(base: &Base, bins: &Bins) -> Result<Idle> {
    let cluster = fresh(base, bins).await?;
    tokio::time::sleep(SETTLES).await;
    let leader = cluster.leader().await.context("there is a leader")?;
    let agents: Vec<Process> = cluster
        .nodes()
        .iter()
        .map(|node| node.agent().with_context(|| format!("the agent of {}", node.name)))
        .collect::<Result<_>>()?;
    let before = agents.iter().map(ticks).collect::<Result<Vec<_>>>()?;
    tokio::time::sleep(WATCHED).await;
    let mut of_leader = (0.0, 0.0);
    let (mut cpu, mut rss) = (Vec::new(), Vec::new());
    for (index, (agent, before)) in agents.iter().zip(before).enumerate() {
        let seconds = (ticks(agent)? - before) / clock_ticks_per_second() as f64;
        let percent = seconds / WATCHED.as_secs_f64() * 100.0;
        let memory = resident(agent)?;
        if index == leader {
            of_leader = (percent, memory);
        } else {
            cpu.push(percent);
            rss.push(memory);
        }
    }
    cluster.end()?;
    eprintln!("idle: the leader's agent {:.2} % of a core, {:.1} MiB", of_leader.0, of_leader.1);
    Ok(Idle {
        leader_cpu: of_leader.0,
        leader_rss: of_leader.1,
        follower_cpu: Numbers::new(cpu),
        follower_rss: Numbers::new(rss),
    })
}

/// Processor time that a process has used, in the clock's ticks.
fn ticks(process: &Process) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{}/stat", process.pid))?;
    let (_, rest) = text.rsplit_once(')').context("a name in parentheses")?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let mut next = || fields.next().and_then(|field| field.parse::<f64>().ok()).context("a number of ticks");
    Ok(next()? + next()?)
}

/// Its memory, MiB.
fn resident(process: &Process) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{}/status", process.pid))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().context("a number of KiB")?;
    Ok(kib / 1024.0)
}
