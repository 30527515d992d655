//! What the stories on real servers share: a cluster that serves, a client that writes, and the end of every story.

mod hosts;
pub mod http;
mod rebuilding;
mod tails;
mod told;

pub use hosts::{on_hosts, on_hosts_with};
pub use rebuilding::REBUILT;
pub use tails::Died;

use anyhow::{Context, Result, anyhow, bail};
use std::path::Path;
use std::time::{Duration, Instant};
use xenon_testkit::{
    Base, Bins, Check, Checked, Delay, Fault, Inserter, InserterOptions, LocalCluster, Options, Process,
    Signal, Sql, Struck, WriterWatch, check,
};

/// A cluster comes up within this.
pub const COMES_UP: Duration = Duration::from_secs(60);
/// A cluster is whole again within this after a fault that a restart of a server follows.
pub const HEALS: Duration = Duration::from_secs(60);
/// A client counts as served again after so many inserts.
const SERVED: u64 = 20;

/// A cluster that serves, clients that insert into it, and a watch for second writers.
pub struct Story {
    /// The cluster.
    pub cluster: LocalCluster,
    clients: Vec<Inserter>,
    watch: WriterWatch,
    delays: Vec<Delay>,
    without_agent: bool,
}

impl Story {
    /// Forms a cluster of so many nodes and begins to insert. Gives the index of the leader's node, too.
    ///
    /// # Errors
    /// The cluster does not come up; with the logs.
    pub async fn begin(nodes: usize) -> Result<(Self, usize)> {
        Self::begin_with(options(nodes)?, COMES_UP).await
    }

    /// As [`Story::begin`], with a cluster of another kind, which comes up within a bound of its own.
    ///
    /// # Errors
    /// The cluster does not come up; with the logs.
    pub async fn begin_with(options: Options, bound: Duration) -> Result<(Self, usize)> {
        let cluster = LocalCluster::create(options)?;
        let leader = cluster.serve(bound).await?;
        Ok((Self::of(cluster).await?, leader))
    }

    /// A story of a cluster that serves already.
    ///
    /// # Errors
    /// No client is served.
    pub async fn of(cluster: LocalCluster) -> Result<Self> {
        let story = Self {
            clients: vec![Inserter::start(&cluster, InserterOptions::default()).await?],
            watch: WriterWatch::start(&cluster)?,
            cluster,
            delays: Vec::new(),
            without_agent: false,
        };
        story.some_more().await?;
        Ok(story)
    }

    /// More clients, which insert less often than the first one.
    ///
    /// # Errors
    /// One cannot insert.
    pub async fn add_clients(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            self.clients.push(Inserter::start(&self.cluster, InserterOptions::one_of_many()).await?);
        }
        Ok(())
    }

    /// The first client.
    fn client(&self) -> Result<&Inserter> {
        self.clients.first().context("a client")
    }

    /// Does something bad to a node.
    ///
    /// # Errors
    /// It cannot be done.
    pub async fn strike(&self, fault: Fault) -> Result<Struck> {
        self.cluster.strike(fault).await
    }

    /// Takes it back.
    ///
    /// # Errors
    /// It cannot be taken back.
    pub async fn heal(&mut self, struck: Struck) -> Result<()> {
        // Before it is taken back: an answer may be there at once.
        if struck.fault.delays_answers() {
            self.delays.push(Delay { node: struck.fault.node(), from: struck.at, until: Instant::now() });
        }
        self.cluster.heal(struck).await
    }

    /// Waits until clients can write nothing to a node any more, and its agent says that it does not lead.
    ///
    /// # Errors
    /// They still can after the bound; with the logs.
    pub async fn steps_down(&self, node: usize, bound: Duration) -> Result<()> {
        let what = format!("node{} does not lead, and takes no client's writes", node + 1);
        self.cluster
            .wait_until(bound, &what, async || {
                let status = self.cluster.status(node).await.ok()?;
                (status.state != "LEADER" && self.is_closed(node).await).then_some(())
            })
            .await
            .map(drop)
    }

    /// A client is turned away, or finds the server read-only.
    async fn is_closed(&self, node: usize) -> bool {
        let Ok(at) = self.cluster.node(node) else { return false };
        // Whoever is let in as an application counts; an agent's own view may be older.
        match Sql::connect(&at, &self.cluster.accounts().app).await {
            Ok(mut sql) => sql
                .row::<(u8,)>("SELECT @@read_only", Duration::from_secs(1))
                .await
                .is_ok_and(|(read_only,)| read_only == 1),
            Err(_) => true,
        }
    }

    /// Waits until the client is served again after a fault.
    ///
    /// # Errors
    /// It is not within the bound; with the logs.
    pub async fn served_again(&self, fault: Instant, bound: Duration) -> Result<Duration> {
        let gap = self
            .cluster
            .wait_until(bound, "the client is served again", async || {
                self.client().ok()?.seen(|history| history.gap(fault))
            })
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
        let gap = self
            .cluster
            .wait_until(bound, what, async || self.client().ok()?.seen(|history| history.takeover(begun)))
            .await?
            .value;
        println!("gap: {:.1} ms", gap.as_secs_f64() * 1e3);
        Ok(gap)
    }

    /// The longest time between two OKs since a moment.
    pub fn longest_gap(&self, from: Instant) -> Option<Duration> {
        self.client().ok()?.seen(|history| history.longest_gap(from)).map(|(gap, _)| gap)
    }

    /// Waits for more inserts, so that whatever follows has data of the present primary.
    ///
    /// # Errors
    /// The client is not served.
    pub async fn some_more(&self) -> Result<()> {
        match self.client()?.wait_acknowledged(SERVED, Duration::from_secs(10)).await {
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

    /// As [`Story::end`], when the server of one node has crashed as a primary: it follows again (W1), whether its binlog
    /// ended with transactions that nobody acknowledged or not. Where it had to start before a leader was there, or there
    /// was no room for what is dropped, it may be INVALID instead, and says why it was not rewound.
    ///
    /// # Errors
    /// What is not so; with the logs.
    pub async fn end_with_returned(self, returned: usize) -> Result<Checked> {
        let what = "the crashed primary follows again, or is INVALID and says why it was not rewound";
        let all = self.cluster.nodes().len() - 1;
        let refused = self
            .cluster
            .wait_until(HEALS, what, async || {
                if self.cluster.followed_by(all).await.is_some() {
                    return Some(None);
                }
                let status = self.cluster.status(returned).await.ok()?;
                let says =
                    status.troubles.into_iter().find(|trouble| trouble.contains("not rewound (W1)"))?;
                (status.state == "INVALID" && !status.errant.is_empty()).then_some(Some(says))
            })
            .await?
            .value;
        let Some(why) = refused else { return self.end_with_rewound(returned).await };
        println!("node{} is INVALID: {why}", returned + 1);
        let status = self.cluster.status(returned).await?;
        // Those that were under way at the crash: a client has no more than one open on one server.
        if status.errant.count() > self.clients.len().try_into()? {
            bail!("node{} has {} too much: more than were under way", returned + 1, status.errant);
        }
        self.cluster.wait_all_following(all - 1, HEALS).await?;
        self.compare(vec![returned]).await
    }

    /// As [`Story::end_with_returned`], where nothing excuses it from following again.
    ///
    /// # Errors
    /// What is not so; with the logs.
    pub async fn end_with_rewound(self, returned: usize) -> Result<Checked> {
        let all = self.cluster.nodes().len() - 1;
        self.cluster.wait_all_following(all, HEALS).await?;
        let rewound =
            self.events(returned).await?.into_iter().find(|event| event.text.starts_with("rewound: "));
        println!(
            "node{}: {}",
            returned + 1,
            rewound.map_or("nothing to rewind".to_owned(), |event| event.text)
        );
        self.compare(Vec::new()).await
    }

    async fn compare(self, without: Vec<usize>) -> Result<Checked> {
        self.some_more().await?;
        let Self { cluster, clients, watch, delays, without_agent } = self;
        let histories = clients.into_iter().map(Inserter::finish).collect::<Result<Vec<_>>>()?;
        let mut sightings = watch.finish()?;
        if without_agent {
            for sighting in &sightings {
                println!("{sighting}");
            }
            sightings.clear();
        }
        // A thread of the server that found its disk full looks again after a minute only, whatever has been freed meanwhile
        // (seen on 9.7.4): its node has everything in its relay log, and has yet to apply it.
        let bound = Duration::from_secs(90);
        let what = Check { histories: histories.iter().collect(), sightings, delays, without, bound };
        let checked = check(&cluster, what).await?;
        println!("{checked}");
        let first = histories.first();
        let begun = first.and_then(|history| Some((history, history.attempts.first()?.start)));
        if let Some((gap, _)) = begun.and_then(|(history, begun)| history.longest_gap(begun)) {
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
