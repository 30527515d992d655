//! The rounds, one after the other, and what must be so after each.

use crate::excuse::Excuses;
use crate::load;
use crate::report::Report;
use crate::schedule::{Round, Schedule, Settle, Target};
use anyhow::{Context, Result, bail};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use xenon_api::NodeStatus;
use xenon_testkit::{
    Check, Delay, History, Inserter, InserterOptions, LocalCluster, Sighting, Struck, WriterWatch, check,
};

/// The cluster comes up within this.
const COMES_UP: Duration = Duration::from_secs(90);
/// Clients are served within this after all faults are taken back.
const SERVES: Duration = Duration::from_secs(60);
/// All nodes follow within this after all faults are taken back, fresh data included.
const WHOLE: Duration = Duration::from_secs(180);
/// A node that is INVALID for so long gets fresh data.
const INVALID: Duration = Duration::from_secs(5);
/// Pause between two looks at the cluster.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Clients count as served after so many inserts.
const SERVED: u64 = 20;
/// A check of everything after so many rounds.
const CHECK_EVERY: usize = 10;

/// Breaks the cluster until the time is over, then checks everything.
pub(crate) async fn run(
    cluster: &LocalCluster,
    rounds: Schedule,
    time: Duration,
    report: &Report,
) -> Result<()> {
    let leader = cluster.serve(COMES_UP).await?;
    load::prepare(cluster, leader).await?;
    let options = InserterOptions { search_every: Duration::from_millis(5), ..InserterOptions::default() };
    let mut chaos = Chaos {
        cluster,
        report,
        round: 0,
        client: Inserter::start(cluster, options.clone()).await?,
        options,
        told: Vec::new(),
        loads: Vec::new(),
        watch: Some(WriterWatch::start(cluster)?),
        delays: Vec::new(),
        excuses: Excuses::default(),
        gaps: Vec::new(),
    };
    report.line(0, "begin", &format!("node{} leads {} nodes", leader + 1, cluster.nodes().len()));
    let until = Instant::now() + time;
    for round in rounds {
        if Instant::now() >= until {
            break;
        }
        chaos.round += 1;
        let doing = format!("round {}", chaos.round);
        chaos.play(&round).await.context(doing)?;
    }
    chaos.end().await
}

struct Chaos<'a> {
    cluster: &'a LocalCluster,
    report: &'a Report,
    round: usize,
    client: Inserter,
    options: InserterOptions,
    /// What clients before the present one were told.
    told: Vec<History>,
    loads: Vec<JoinHandle<()>>,
    watch: Option<WriterWatch>,
    delays: Vec<Delay>,
    excuses: Excuses,
    gaps: Vec<Duration>,
}

impl Chaos<'_> {
    fn say(&self, event: &str, what: &str) {
        self.report.line(self.round, event, what);
    }

    async fn play(&mut self, round: &Round) -> Result<()> {
        let leader = self.cluster.wait_for_leader(SERVES).await?.value;
        let nodes = self.cluster.nodes().len();
        self.loads.extend(load::begin(self.cluster, leader, round.load).await);
        let begun = Instant::now();
        let mut struck = Vec::new();
        for (target, kind, pause) in &round.faults {
            // The schedule's own time, not a wait for anything.
            tokio::time::sleep(*pause).await;
            let node = match target {
                Target::Primary => leader,
                Target::Replica(steps) => (leader + steps) % nodes,
            };
            let fault = kind(node);
            self.excuses.on_strike(self.cluster, fault);
            match self.cluster.strike(fault).await {
                Ok(done) => {
                    self.say("strike", &format!("{fault}{}", if node == leader { " (leads)" } else { "" }));
                    struck.push(done);
                }
                // The process does not run, or the server does not answer: an earlier fault has seen to that.
                Err(error) => self.say("skip", &format!("{fault}: {error}")),
            }
        }
        tokio::time::sleep(round.hold).await;
        for struck in struck {
            self.heal(struck).await?;
        }
        self.excuses.on_healed();
        self.revive()?;
        self.serves(begun).await?;
        let statuses = self.cluster.statuses().await;
        let invalid = statuses.iter().flatten().any(is_invalid);
        if round.settle == Settle::Whole || invalid {
            self.whole().await?;
        }
        if self.round.is_multiple_of(CHECK_EVERY) {
            self.whole().await?;
            self.check(Vec::new()).await?;
            self.client = Inserter::start(self.cluster, self.options.clone()).await?;
        }
        Ok(())
    }

    async fn heal(&mut self, struck: Struck) -> Result<()> {
        let fault = struck.fault;
        if fault.delays_answers() {
            self.delays.push(Delay { node: fault.node(), from: struck.at, until: Instant::now() });
        }
        let lasted = struck.at.elapsed();
        self.cluster.heal(struck).await.with_context(|| format!("taking back: {fault}"))?;
        self.say("heal", &format!("{fault}, after {:.1} s", lasted.as_secs_f64()));
        Ok(())
    }

    /// Starts agents that have ended by themselves, as systemd does.
    fn revive(&self) -> Result<()> {
        for index in 0..self.cluster.nodes().len() {
            if let Some(how) = self.cluster.agent_exit(index) {
                self.say("revive", &format!("node{}: its agent has ended by itself: {how}", index + 1));
                self.cluster.start_agent(index)?;
            }
        }
        Ok(())
    }

    async fn serves(&mut self, begun: Instant) -> Result<()> {
        let healed = Instant::now();
        let wanted = self.client.acknowledged() + SERVED;
        let mut invalid = None;
        while self.client.acknowledged() < wanted {
            if healed.elapsed() > SERVES {
                bail!("clients are not served within {} s", SERVES.as_secs());
            }
            self.tend(&mut invalid).await?;
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let waited = self.client.seen(|history| history.longest_gap(begun));
        let (gap, node) = waited.context("an OK")?;
        self.gaps.push(gap);
        let what = format!(
            "by node{}; clients waited {:.2} s, {:.2} s of it healed",
            node + 1,
            gap.as_secs_f64(),
            gap.as_secs_f64().min(healed.elapsed().as_secs_f64())
        );
        self.say("served", &what);
        Ok(())
    }

    /// What a machine's service manager and an operator do: agents that have ended are started again, and a node that has been
    /// INVALID for a while gets fresh data: one that had to start before it could be rewound (W1), say. Of three nodes two that are INVALID leave nobody to acknowledge, and no agent
    /// mends that yet. A leader was elected then, open for writes or not, so it has everything that was acknowledged (I2).
    async fn tend(&self, invalid: &mut Option<(usize, Instant)>) -> Result<()> {
        self.revive()?;
        let statuses = self.cluster.statuses().await;
        let Some(node) = statuses.iter().position(|status| status.as_ref().is_some_and(is_invalid)) else {
            *invalid = None;
            return Ok(());
        };
        let since = invalid.filter(|(same, _)| *same == node).map_or_else(Instant::now, |(_, since)| since);
        *invalid = Some((node, since));
        let led = statuses.iter().flatten().any(|status| status.state == "LEADER");
        if led && since.elapsed() > INVALID {
            let status = statuses.get(node).and_then(Option::as_ref);
            let errant = status.map(|status| status.errant.to_string()).unwrap_or_default();
            let why = status
                .and_then(|status| status.troubles.iter().find(|trouble| trouble.contains("not rewound")));
            let why = why.map_or("no word on why it was not rewound", String::as_str);
            self.say("fresh", &format!("node{} was INVALID with {errant}: {why}", node + 1));
            self.cluster.give_fresh_data(node)?;
            *invalid = None;
        }
        Ok(())
    }

    /// Waits until all follow.
    async fn whole(&self) -> Result<()> {
        let until = Instant::now() + WHOLE;
        let followers = self.cluster.nodes().len() - 1;
        let mut invalid = None;
        while self.cluster.followed_by(followers).await.is_none() {
            if Instant::now() > until {
                bail!("not all nodes follow within {} s", WHOLE.as_secs());
            }
            self.tend(&mut invalid).await?;
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.applied(until).await?;
        self.say("whole", "all nodes follow");
        Ok(())
    }

    /// Waits until all have applied what the primary has now: a node that has received it could lead, after a long wait.
    async fn applied(&self, until: Instant) -> Result<()> {
        let leader = self.cluster.wait_for_leader(SERVES).await?.value;
        let there = self.cluster.status(leader).await?.mysql.executed;
        let left = until.saturating_duration_since(Instant::now());
        let what = "all nodes have applied what the primary had";
        self.cluster
            .wait_until(left, what, async || {
                let statuses = self.cluster.statuses().await;
                let has = |status: &NodeStatus| status.mysql.executed.contains_set(&there);
                statuses.iter().all(|status| status.as_ref().is_some_and(has)).then_some(())
            })
            .await
            .map(drop)
    }

    /// Compares what clients were told with what the servers hold, while nobody writes.
    async fn check(&mut self, sightings: Vec<Sighting>) -> Result<()> {
        for load in self.loads.drain(..) {
            // Its statements have deadlines of their own.
            load.await?;
        }
        self.told.push(self.client.stop()?);
        let what = Check {
            histories: self.told.iter().collect(),
            sightings,
            delays: self.delays.clone(),
            without: Vec::new(),
            bound: WHOLE,
        };
        let checked = check(self.cluster, what).await?;
        self.say("check", &checked.to_string());
        Ok(())
    }

    async fn end(mut self) -> Result<()> {
        self.serves(Instant::now()).await?;
        self.whole().await?;
        let sightings = self.watch.take().map_or(Ok(Vec::new()), WriterWatch::finish)?;
        let sightings = self.excuses.unexcused(sightings);
        self.check(sightings).await?;
        self.gaps.sort_unstable();
        let seconds = |place: usize| self.gaps.get(place).copied().unwrap_or_default().as_secs_f64();
        let count = self.gaps.len();
        let (median, last) = (seconds(count / 2), seconds(count.saturating_sub(1)));
        self.say(
            "end",
            &format!("{} rounds; clients waited {median:.2} s (median), at most {last:.2} s", self.round),
        );
        Ok(())
    }
}

/// It holds what nobody acknowledged; seen on its server, not remembered from before a restart.
fn is_invalid(status: &NodeStatus) -> bool {
    status.state == "INVALID" && status.mysql.alive && !status.errant.is_empty()
}
