//! Watching a service address from its hosts and from a client's.

use anyhow::{Context, Result, anyhow, bail, ensure};
use std::net::IpAddr;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use xenon_address::{Mac, Routes, Wire};
use xenon_api::{Reply, Request};
use xenon_testkit::{Network, Process, Sql, Struck};
use xenon_tests::{HEALS, Story, on_hosts_with};

pub(crate) const V4: &str = "10.77.0.100";
pub(crate) const V6: &str = "fd77::100";
pub(crate) const SOON: Duration = Duration::from_secs(15);
/// A client at the address is served again within this.
const FOUND: Duration = Duration::from_secs(20);
/// Pause between two looks at the hosts' addresses.
const LOOK_EVERY: Duration = Duration::from_millis(3);

/// A cluster on hosts, with a service address of both families.
pub(crate) fn on_service_hosts(
    nodes: usize,
    story: impl AsyncFnOnce(Story, usize, Arc<Network>) -> Result<()> + Send,
) -> Result<()> {
    let slot = Arc::new(Mutex::new(None));
    let filled = Arc::clone(&slot);
    let change = move |options: &mut xenon_testkit::Options| {
        options.server_lines.push("bind-address=*".to_owned());
        let list = serde_json::json!([format!("{V4}/24"), format!("{V6}/64")]);
        options.agent_keys.push(("address".to_owned(), "service-address".to_owned(), list));
        *lock(&filled) = options.network.clone();
    };
    on_hosts_with(nodes, change, async |told, leader| {
        let network = lock(&slot).take();
        story(told, leader, network.context("a network")?).await
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `ip -batch` on a node's host.
pub(crate) fn ip(network: &Network, host: usize, lines: &str) -> Result<()> {
    network.within(host, || {
        let mut child =
            Command::new("ip").args(["-batch", "-"]).stdin(std::process::Stdio::piped()).spawn()?;
        std::io::Write::write_all(&mut child.stdin.take().context("input")?, lines.as_bytes())?;
        ensure!(child.wait()?.success(), "ip does not do: {lines}");
        Ok(())
    })
}

/// The guard of a node's agent.
pub(crate) fn guard(story: &Story, node: usize) -> Result<Option<Process>> {
    let meta = story.cluster.node(node)?.meta();
    for entry in std::fs::read_dir(meta)? {
        let name = entry?.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix("address-guard.")?.parse::<i32>().ok());
        if let Some(process) = pid.and_then(Process::of) {
            return Ok(Some(process));
        }
    }
    Ok(None)
}

/// Asks again while the answer is "not right now".
pub(crate) async fn hand_over(story: &Story, leader: usize, target: usize) -> Result<Instant> {
    let (leader, target) = (story.cluster.node(leader)?, story.cluster.node(target)?);
    let until = Instant::now() + SOON;
    loop {
        let request = Request::HandOver { target: Some(target.id()) };
        let asked = Instant::now();
        match story.cluster.caller().call(&leader.endpoint, request, SOON).await? {
            Reply::Ok(_) => return Ok(asked),
            Reply::Refused(refusal) if refusal.is_for_the_moment() && asked < until => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Reply::Refused(refusal) => bail!("{refusal}"),
        }
    }
}

/// Everybody follows, and nobody is in doubt of what it has (S3): any node may lead next.
pub(crate) async fn whole(story: &Story) -> Result<()> {
    story.cluster.wait_all_following(2, HEALS).await?;
    let sure = "nobody is in doubt";
    story
        .cluster
        .wait_until(HEALS, sure, async || {
            let statuses = story.cluster.statuses().await;
            statuses.iter().flatten().all(|status| status.doubt.is_none()).then_some(())
        })
        .await
        .map(drop)
}

/// For certain, a host had an address from the first of these to the second.
type Held = (usize, IpAddr, Instant, Instant);

#[derive(Default)]
struct Seen {
    held: Vec<Held>,
    /// Looks in which a host had none of the addresses.
    without: Vec<(usize, Instant)>,
    /// Who said on the network that it has one.
    claims: Vec<(Instant, IpAddr, Mac)>,
    /// What a client at the address was told: which server, and whether it takes writes.
    served: Vec<(Instant, u32, bool)>,
}

/// What hosts hold, what the network hears, and whom a client reaches; while it lasts.
pub(crate) struct Watched {
    seen: Arc<Mutex<Seen>>,
    end: Arc<AtomicBool>,
    client: tokio::task::JoinHandle<()>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        self.client.abort();
    }
}

impl Watched {
    /// Called on the clients' host.
    pub(crate) fn begin(story: &Story, network: Arc<Network>) -> Result<Self> {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let end = Arc::new(AtomicBool::new(false));
        let nodes = story.cluster.nodes().len();
        let hosts = (0..nodes)
            .map(|host| network.within(host, || Ok(Routes::open()?)))
            .collect::<Result<Vec<_>>>()?;
        let links = Routes::open()?.links()?;
        let eth0 = links.iter().find(|link| link.name == "eth0").context("the clients' eth0")?;
        let wire = Wire::open(eth0, true)?.context("an Ethernet")?;
        let (into, stop) = (Arc::clone(&seen), Arc::clone(&end));
        std::thread::spawn(move || watch(hosts, &wire, &into, &stop));
        let mut at = story.cluster.node(0)?;
        at.address = V4.parse()?;
        let account = story.cluster.accounts().app;
        let into = Arc::clone(&seen);
        let client = tokio::spawn(async move {
            loop {
                let asked = async {
                    let mut sql = Sql::connect(&at, &account).await?;
                    sql.row::<(u32, u8)>("SELECT @@server_id, @@read_only", Duration::from_secs(1)).await
                };
                if let Ok(Ok((id, read_only))) = tokio::time::timeout(Duration::from_millis(250), asked).await
                {
                    lock(&into).served.push((Instant::now(), id, read_only == 0));
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        Ok(Self { seen, end, client })
    }

    fn holds(&self, node: usize, since: Instant) -> bool {
        let seen = lock(&self.seen);
        [V4, V6].iter().all(|ip| {
            seen.held
                .iter()
                .any(|(host, held, _, last)| *host == node && *last > since && Some(*held) == ip.parse().ok())
        })
    }

    /// Waits until a node has both addresses and serves a client there.
    pub(crate) async fn serves(&self, story: &Story, node: usize) -> Result<Instant> {
        self.serves_since(story, node, Instant::now()).await
    }

    async fn serves_since(&self, story: &Story, node: usize, since: Instant) -> Result<Instant> {
        let id = story.cluster.node(node)?.server_id;
        let what = format!("node{} serves at the service address", node + 1);
        let served = story
            .cluster
            .wait_until(FOUND, &what, async || {
                if !self.holds(node, since) {
                    return None;
                }
                let seen = lock(&self.seen);
                seen.served
                    .iter()
                    .find(|(at, by, open)| *at > since && *by == id && *open)
                    .map(|(at, ..)| *at)
            })
            .await?
            .value;
        // And by IPv6: whoever answers there is who has the address.
        let port = story.cluster.node(node)?.mysql_port;
        let connected = tokio::net::TcpStream::connect((V6.parse::<IpAddr>()?, port));
        tokio::time::timeout(SOON, connected).await.context("connecting by IPv6")??;
        Ok(served)
    }

    /// It came to this node after `begun`; prints how long a client at the address was without a server.
    pub(crate) async fn moved(&self, story: &Story, what: &str, begun: Instant, node: usize) -> Result<()> {
        let served = self.serves_since(story, node, begun).await?;
        let last = lock(&self.seen)
            .served
            .iter()
            .rev()
            .find(|(at, _, open)| *at < served && *open)
            .map(|(at, ..)| *at);
        let last = last.context("served before")?;
        println!(
            "{what}: a client at the address waited {:.0} ms, {:.0} ms after the fault",
            served.duration_since(last).as_secs_f64() * 1e3,
            served.duration_since(begun).as_secs_f64() * 1e3
        );
        let moves: Vec<String> = story
            .events(node)
            .await?
            .iter()
            .filter(|event| event.text.contains("is here and announced"))
            .map(|event| event.text.clone())
            .collect();
        println!("{what}: {}", moves.last().context("nothing was told")?);
        // Who had it before says nothing any more.
        let seen = lock(&self.seen);
        let mac = seen.claims.iter().rev().find(|(at, ..)| *at > begun).context("nothing was announced")?.2;
        let first = seen.claims.iter().find(|(at, _, by)| *at > begun && *by == mac).context("a claim")?.0;
        let late = seen.claims.iter().filter(|(at, _, by)| *at > first && *by != mac).count();
        ensure!(late == 0, "{late} claims of another host after the first announcement of the new holder");
        Ok(())
    }

    /// As [`Watched::moved`], to whoever leads instead of the node that was struck, which has it no more.
    pub(crate) async fn taken_over(
        &self,
        story: &Story,
        what: &str,
        struck: &Struck,
        from: usize,
    ) -> Result<usize> {
        let now = story
            .cluster
            .wait_until(FOUND, "another node leads", async || {
                story.cluster.leader().await.filter(|now| *now != from)
            })
            .await?
            .value;
        self.moved(story, what, struck.at, now).await?;
        Ok(now)
    }

    /// The agent has taken it up again.
    pub(crate) async fn announced_here(&self, story: &Story, node: usize) -> Result<()> {
        story
            .cluster
            .wait_until(SOON, "the agent has the address again", async || {
                let status = story.cluster.status(node).await.ok()?;
                let here = |service: &xenon_api::ServiceAddressStatus| {
                    service.state == xenon_api::AddressState::Here
                };
                (!status.service_address.is_empty() && status.service_address.iter().all(here)).then_some(())
            })
            .await
            .map(drop)
    }

    /// When this host was first seen without it.
    pub(crate) fn gone_since(&self, node: usize, since: Instant) -> Option<Instant> {
        lock(&self.seen).without.iter().find(|(host, at)| *host == node && *at > since).map(|(_, at)| *at)
    }

    /// Waits until this host has it no more.
    pub(crate) async fn wait_gone(&self, story: &Story, node: usize) -> Result<Instant> {
        let since = Instant::now();
        let what = format!("node{} has it no more", node + 1);
        Ok(story.cluster.wait_until(SOON, &what, async || self.gone_since(node, since)).await?.value)
    }

    /// I5.
    pub(crate) fn one_holder_at_a_time(&self) -> Result<()> {
        let seen = lock(&self.seen);
        for (index, (host, ip, from, until)) in seen.held.iter().enumerate() {
            for (other, other_ip, other_from, other_until) in seen.held.iter().skip(index + 1) {
                let both = until.min(other_until).checked_duration_since(*from.max(other_from));
                if host != other && ip == other_ip && both.is_some_and(|both| !both.is_zero()) {
                    return Err(anyhow!(
                        "node{} and node{} both had {ip} for {:.1} ms",
                        host + 1,
                        other + 1,
                        both.unwrap_or_default().as_secs_f64() * 1e3
                    ));
                }
            }
        }
        println!("one holder at a time, in {} periods", seen.held.len());
        Ok(())
    }
}

fn watch(mut hosts: Vec<Routes>, wire: &Wire, into: &Mutex<Seen>, end: &AtomicBool) {
    let ips: Vec<IpAddr> = [V4, V6].iter().filter_map(|ip| ip.parse().ok()).collect();
    // Of each host and address that is held now: its place in the list.
    let mut open: Vec<Option<usize>> = vec![None; hosts.len() * ips.len()];
    while !end.load(Ordering::Relaxed) {
        for (host, routes) in hosts.iter_mut().enumerate() {
            let before = Instant::now();
            let Ok(held) = routes.addresses() else { continue };
            let after = Instant::now();
            let mut seen = lock(into);
            let has: Vec<bool> =
                ips.iter().map(|ip| held.iter().any(|held| held.service.ip == *ip)).collect();
            if !has.contains(&true) {
                seen.without.push((host, before));
            }
            for ((ip, has), place) in ips.iter().zip(has).zip(open.iter_mut().skip(host * ips.len())) {
                match (*place, has) {
                    (Some(index), true) => {
                        if let Some((.., until)) = seen.held.get_mut(index) {
                            *until = before;
                        }
                    }
                    (None, true) => {
                        seen.held.push((host, *ip, after, after));
                        *place = Some(seen.held.len() - 1);
                    }
                    (_, false) => *place = None,
                }
            }
        }
        let now = Instant::now();
        let claims = wire.claims();
        let ours = claims.into_iter().filter(|claim| ips.contains(&claim.ip));
        lock(into).claims.extend(ours.filter_map(|claim| Some((now, claim.ip, claim.mac?))));
        std::thread::sleep(LOOK_EVERY);
    }
}
