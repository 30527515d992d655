//! The gap that a client sees when something happens to the primary.

use crate::numbers::{Numbers, shown};
use crate::phases::Phases;
use anyhow::{Context, Result, anyhow};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use xenon_api::{Request, TimingStatus};
use xenon_testkit::{
    Base, Bins, Check, History, Inserter, InserterOptions, LocalCluster, Options, Signal, check, wait_until,
};

/// A cluster comes up, or heals, within this.
const COMES_UP: Duration = Duration::from_secs(90);
/// Quiet time before a fault: what the last change left to do is done.
const SETTLES: Duration = Duration::from_millis(1_500);
/// Clients beside the one that is measured, each with a row five times a second.
const CROWD: usize = 64;
/// A client that waits longer than this is not served any more.
const SERVED: Duration = Duration::from_secs(60);

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Switchover,
    SwitchoverBusy,
    SwitchoverMany,
    Killed,
    ShutDown,
    Hung,
    HostLost,
    AgentKilled,
}

impl Fault {
    pub(crate) const ALL: [Fault; 8] = [
        Fault::Switchover,
        Fault::SwitchoverBusy,
        Fault::SwitchoverMany,
        Fault::Killed,
        Fault::ShutDown,
        Fault::Hung,
        Fault::HostLost,
        Fault::AgentKilled,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Fault::Switchover => "switchover",
            Fault::SwitchoverBusy => "switchover-2ms",
            Fault::SwitchoverMany => "switchover-64",
            Fault::Killed => "killed",
            Fault::ShutDown => "shutdown",
            Fault::Hung => "hung",
            Fault::HostLost => "host-lost",
            Fault::AgentKilled => "agent-killed",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Fault::Switchover => "planned switchover",
            Fault::SwitchoverBusy => "planned switchover, inserts every 2 ms",
            Fault::SwitchoverMany => "planned switchover, 64 clients beside it",
            Fault::Killed => "kill -9 of the primary's mysqld",
            Fault::ShutDown => "clean shutdown of it",
            Fault::Hung => "hung mysqld (SIGSTOP)",
            Fault::HostLost => "host lost (agent and mysqld killed together)",
            Fault::AgentKilled => "agent killed, mysqld alive",
        }
    }

    /// What the median is to be at most, and the worst, milliseconds.
    pub(crate) fn targets(self) -> (f64, Option<f64>) {
        match self {
            Fault::Switchover => (12.0, Some(50.0)),
            Fault::SwitchoverBusy => (10.0, Some(50.0)),
            Fault::SwitchoverMany => (100.0, None),
            Fault::Killed => (120.0, None),
            Fault::ShutDown => (100.0, None),
            Fault::Hung => (2_500.0, None),
            Fault::HostLost | Fault::AgentKilled => (1_800.0, None),
        }
    }

    fn every(self) -> Duration {
        Duration::from_millis(if self == Fault::SwitchoverBusy { 2 } else { 10 })
    }

    fn is_planned(self) -> bool {
        matches!(self, Fault::Switchover | Fault::SwitchoverBusy | Fault::SwitchoverMany)
    }
}

/// What came of all runs of one fault.
#[derive(Debug)]
pub(crate) struct Gaps {
    pub(crate) fault: Fault,
    /// Milliseconds.
    pub(crate) numbers: Numbers,
    /// Rows that clients were told OK for and that the survivors have.
    pub(crate) acknowledged: usize,
    /// What the checker found, of all runs.
    pub(crate) violations: Vec<String>,
    /// How the promotions went, by the agents' own words.
    pub(crate) phases: Phases,
}

/// Runs a fault so often.
pub(crate) async fn measure(fault: Fault, runs: u32, base: &Base, bins: &Bins) -> Result<Gaps> {
    let mut gaps = Gaps {
        fault,
        numbers: Numbers::default(),
        acknowledged: 0,
        violations: Vec::new(),
        phases: Phases::default(),
    };
    let mut values = Vec::new();
    let mut cluster = None;
    for run in 1..=runs {
        // A planned change harms nothing, so the next one can follow it. After a crash everything is made anew.
        let current = match cluster.take() {
            Some(cluster) => cluster,
            None => fresh(base, bins).await?,
        };
        let gap = once(fault, &current, &mut gaps)
            .await
            .with_context(|| format!("{}, run {run}", fault.title()))?;
        eprintln!("{}: run {run} of {runs}: {}", fault.title(), shown(gap));
        values.push(gap);
        if fault.is_planned() {
            cluster = Some(current);
        } else {
            current.end()?;
        }
    }
    gaps.numbers = Numbers::new(values);
    Ok(gaps)
}

/// A cluster that serves.
pub(crate) async fn fresh(base: &Base, bins: &Bins) -> Result<LocalCluster> {
    let cluster = LocalCluster::create(Options::new(3, base.clone(), bins.clone()))?;
    cluster.serve(COMES_UP).await?;
    Ok(cluster)
}

async fn once(fault: Fault, cluster: &LocalCluster, gaps: &mut Gaps) -> Result<f64> {
    let followers = cluster.nodes().len() - 1;
    let leader = cluster.wait_all_following(followers, COMES_UP).await?.value;
    let options = InserterOptions { every: fault.every(), ..InserterOptions::default() };
    let client = Inserter::start(cluster, options).await?;
    let mut crowd = Vec::new();
    if fault == Fault::SwitchoverMany {
        for _ in 0..CROWD {
            crowd.push(Inserter::start(cluster, InserterOptions::one_of_many()).await?);
        }
    }
    tokio::time::sleep(SETTLES).await;
    // The fault comes at any moment between two inserts.
    tokio::time::sleep(Duration::from_micros(rand::random_range(0..20_000))).await;

    let begun = strike(fault, cluster, leader).await?;
    let what = format!("{}: another node serves the client", fault.title());
    wait_until(SERVED, &what, async || client.history().takeover(begun)).await?;
    client.wait_acknowledged(20, SERVED).await?;
    let now = cluster.wait_for_leader(COMES_UP).await?.value;
    if let Some(TimingStatus { phases, .. }) = cluster.status(now).await?.last_promotion {
        gaps.phases.add(&phases);
    }
    let without = if fault.is_planned() { Vec::new() } else { vec![leader] };
    if without.is_empty() {
        cluster.wait_all_following(followers, COMES_UP).await?;
    }
    let history: History = client.finish()?;
    let crowd: Vec<History> = crowd.into_iter().map(Inserter::finish).collect::<Result<_>>()?;
    let gap = history.takeover(begun).ok_or_else(|| anyhow!("the history has no gap"))?;
    let what = Check {
        histories: std::iter::once(&history).chain(&crowd).collect(),
        without,
        bound: COMES_UP,
        ..Check::default()
    };
    match check(cluster, what).await {
        Ok(checked) => gaps.acknowledged += checked.acknowledged,
        Err(error) => gaps.violations.push(format!("{error:#}")),
    }
    Ok(gap.as_secs_f64() * 1e3)
}

/// Does it, and says when.
async fn strike(fault: Fault, cluster: &LocalCluster, leader: usize) -> Result<Instant> {
    let signalled = |signal: Signal| -> Result<Instant> {
        let mysqld = cluster.mysqld(leader)?;
        let begun = Instant::now();
        mysqld.signal(signal)?;
        Ok(begun)
    };
    match fault {
        Fault::Switchover | Fault::SwitchoverBusy | Fault::SwitchoverMany => {
            let target = cluster.node((leader + 1) % cluster.nodes().len())?.id();
            let endpoint = cluster.node(leader)?.endpoint;
            let begun = Instant::now();
            let request = Request::HandOver { target: Some(target) };
            cluster.caller().demand(&endpoint, request, Duration::from_secs(10)).await?;
            Ok(begun)
        }
        Fault::Killed => signalled(Signal::KILL),
        Fault::Hung => signalled(Signal::STOP),
        Fault::ShutDown => {
            let login = format!("--defaults-file={}", cluster.node(leader)?.admin_login().display());
            let begun = Instant::now();
            let mut command = Command::new(cluster.base().client("mysqladmin"));
            let mut child = command.arg(login).arg("shutdown").stdout(Stdio::null()).spawn()?;
            child.wait().context("mysqladmin")?;
            Ok(begun)
        }
        Fault::HostLost => {
            let (agent, mysqld) =
                (cluster.node(leader)?.agent().context("the agent")?, cluster.mysqld(leader)?);
            let begun = Instant::now();
            agent.signal(Signal::KILL)?;
            mysqld.signal(Signal::KILL)?;
            Ok(begun)
        }
        Fault::AgentKilled => {
            let agent = cluster.node(leader)?.agent().context("the agent")?;
            let begun = Instant::now();
            agent.signal(Signal::KILL)?;
            Ok(begun)
        }
    }
}
