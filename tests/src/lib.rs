//! What the stories on real servers share: a cluster that serves, a client that writes, and the end of every story.

use anyhow::{Context, Result, anyhow, bail};
use std::path::Path;
use std::time::{Duration, Instant};
use xenon_testkit::{
    Base, Bins, Check, Checked, Inserter, InserterOptions, LocalCluster, Options, Process, Signal,
    WriterWatch, check,
};

/// A cluster comes up within this.
pub const COMES_UP: Duration = Duration::from_secs(60);
/// A cluster is whole again within this after a fault that a restart of a server follows.
pub const HEALS: Duration = Duration::from_secs(60);
/// A client counts as served again after so many inserts.
const SERVED: u64 = 20;
/// Inserts that a client may have open on one server.
const IN_FLIGHT: u64 = 1;

/// A cluster that serves, a client that inserts into it, and a watch for second writers.
pub struct Story {
    /// The cluster.
    pub cluster: LocalCluster,
    client: Inserter,
    watch: WriterWatch,
    without_agent: bool,
}

impl Story {
    /// Forms a cluster of so many nodes and begins to insert. Gives the index of the leader's node, too.
    ///
    /// # Errors
    /// The cluster does not come up; with the logs.
    pub async fn begin(nodes: usize) -> Result<(Self, usize)> {
        let cluster = LocalCluster::create(options(nodes)?)?;
        let leader = cluster.serve(COMES_UP).await?;
        let story = Self {
            client: Inserter::start(&cluster, InserterOptions::default()).await?,
            watch: WriterWatch::start(&cluster)?,
            cluster,
            without_agent: false,
        };
        story.client.wait_acknowledged(SERVED, Duration::from_secs(10)).await?;
        Ok((story, leader))
    }

    /// Waits until the client is served again after a fault.
    ///
    /// # Errors
    /// It is not within the bound; with the logs.
    pub async fn served_again(&self, fault: Instant, bound: Duration) -> Result<Duration> {
        let gap = self
            .cluster
            .wait_until(bound, "the client is served again", async || self.client.history().gap(fault))
            .await?
            .value;
        println!("gap: {:.1} ms", gap.as_secs_f64() * 1e3);
        Ok(gap)
    }

    /// Waits until another node serves the client, and gives the gap that it saw.
    ///
    /// # Errors
    /// None does within the bound; with the logs.
    pub async fn taken_over(&self, begun: Instant, bound: Duration) -> Result<Duration> {
        let what = "another node serves the client";
        let gap =
            self.cluster.wait_until(bound, what, async || self.client.history().takeover(begun)).await?.value;
        println!("gap: {:.1} ms", gap.as_secs_f64() * 1e3);
        Ok(gap)
    }

    /// The longest time between two OKs since a moment.
    pub fn longest_gap(&self, from: Instant) -> Option<Duration> {
        self.client.history().longest_gap(from).map(|(gap, _)| gap)
    }

    /// Waits for more inserts, so that whatever follows has data of the present primary.
    ///
    /// # Errors
    /// The client is not served.
    pub async fn some_more(&self) -> Result<()> {
        match self.client.wait_acknowledged(SERVED, Duration::from_secs(10)).await {
            Ok(()) => Ok(()),
            Err(error) => Err(anyhow!("{error}\n{}", self.cluster.picture().await)),
        }
    }

    /// From here on an old primary may be left without an agent: its server stays open because nobody closes it, but
    /// nobody acknowledges its commits either. That no client was told OK by it is checked all the same.
    pub fn old_primary_has_no_agent(&mut self) {
        self.without_agent = true;
    }

    /// The end of a story: so many nodes replicate from the leader, nothing acknowledged is lost, nobody else wrote.
    /// `without` names nodes whose data is not looked at.
    ///
    /// # Errors
    /// What is not so; with the logs.
    pub async fn end(self, followers: usize, without: Vec<usize>) -> Result<Checked> {
        self.cluster.wait_all_following(followers, HEALS).await?;
        self.compare(without).await
    }

    /// As [`Story::end`], when the server of one node has crashed as a primary: it follows again, or, when its binlog ends
    /// with transactions that nobody acknowledged, it is INVALID and names them. A rebuild is another story.
    ///
    /// # Errors
    /// What is not so; with the logs.
    pub async fn end_with_returned(self, returned: usize) -> Result<Checked> {
        let what = "the crashed primary follows again, or is INVALID and names what it has too much";
        let all = self.cluster.nodes().len() - 1;
        let follows = self
            .cluster
            .wait_until(HEALS, what, async || {
                if self.cluster.followed_by(all).await.is_some() {
                    return Some(true);
                }
                let status = self.cluster.status(returned).await.ok()?;
                (status.state == "INVALID" && !status.errant.is_empty()).then_some(false)
            })
            .await?
            .value;
        if follows {
            return self.compare(Vec::new()).await;
        }
        let status = self.cluster.status(returned).await?;
        println!("node{} is INVALID, with {}", returned + 1, status.errant);
        // Those that were under way at the crash: one of the client's, and no more than the client had open.
        if status.errant.count() > IN_FLIGHT {
            bail!("node{} has {} too much: more than were under way", returned + 1, status.errant);
        }
        self.cluster.wait_all_following(all - 1, HEALS).await?;
        self.compare(vec![returned]).await
    }

    async fn compare(self, without: Vec<usize>) -> Result<Checked> {
        let Self { cluster, client, watch, without_agent } = self;
        if let Err(error) = client.wait_acknowledged(SERVED, Duration::from_secs(10)).await {
            return Err(anyhow!("{error}\n{}", cluster.picture().await));
        }
        let history = client.finish()?;
        let mut sightings = watch.finish()?;
        if without_agent {
            for sighting in &sightings {
                println!("{sighting}");
            }
            sightings.clear();
        }
        let what = Check { histories: vec![&history], sightings, without, bound: Duration::from_secs(20) };
        let checked = check(&cluster, what).await?;
        println!("{checked}");
        if let Some((gap, _)) = history.attempts.first().and_then(|first| history.longest_gap(first.start)) {
            println!("longest gap of the whole story: {:.1} ms", gap.as_secs_f64() * 1e3);
        }
        cluster.end()?;
        Ok(checked)
    }
}

/// What a story's cluster is made with.
///
/// # Errors
/// There is no server, or our programs are not built.
pub fn options(nodes: usize) -> Result<Options> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace's folder")?;
    Ok(Options::new(nodes, Base::for_workspace(workspace)?, Bins::find()?))
}

/// Sends a signal to a process, and says when.
///
/// # Errors
/// It is gone.
pub fn strike(process: Process, signal: Signal) -> Result<Instant> {
    let at = Instant::now();
    process.signal(signal).with_context(|| format!("process {}", process.pid))?;
    Ok(at)
}

/// How long clients may wait in a story before something is wrong. No claim of speed, for that is the bench's: only that it
/// was the agents that helped, and on a busy machine, too.
pub const SERVES_AGAIN: Duration = Duration::from_secs(30);

/// Fails when a gap was longer than the bound.
///
/// # Errors
/// It was.
pub fn at_most(gap: Duration, bound: Duration) -> Result<()> {
    if gap > bound {
        bail!(
            "the client waited {:.3} s, at most {:.3} s is allowed",
            gap.as_secs_f64(),
            bound.as_secs_f64()
        );
    }
    Ok(())
}

/// Makes a file readable by its owner only.
///
/// # Errors
/// It is not ours.
pub fn make_private(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .with_context(|| format!("{} cannot be made private", path.display()))
}
