//! Hosts on one machine: each a network namespace with an address, all on one bridge, with the clients on a host of their
//! own. What a switch and its cables can do to them is done at the bridge, so that a host sees silence and no error.
//!
//! ```text
//!   node1 10.77.0.1 ──┐
//!   node2 10.77.0.2 ──┼── bridge (in a namespace of its own) ── clients 10.77.0.250
//!   node3 10.77.0.3 ──┘
//! ```
//!
//! The addresses exist in these namespaces only, so any number of such networks can be there at the same time.

use crate::namespace::Namespace;
use anyhow::{Context, Result, anyhow};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::process::{Child, Command};
use std::sync::{Mutex, PoisonError};

/// The last octet of the clients' address; the nodes' begin at 1.
const CLIENTS: u8 = 250;
/// Who may log in: everybody on such a network.
pub(crate) const EVERYBODY: &str = "10.77.0.0/255.255.255.0";

/// Which packets of a host are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Those that it sends and those that it should get.
    Both,
    /// Those that it should get: others hear it, it hears nobody.
    Incoming,
    /// Those that it sends: it hears others, nobody hears it.
    Outgoing,
}

/// From whom a host is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// From the other nodes; clients still reach it, and it them: the one that might go on alone.
    Nodes,
    /// From the other nodes and the clients: the host is gone.
    Everybody,
}

/// A bridge with hosts. Dropping it is the end of its namespaces once nothing runs in them any more.
#[derive(Debug)]
pub struct Network {
    bridge: Namespace,
    clients: Namespace,
    hosts: Mutex<Hosts>,
}

#[derive(Debug, Default)]
struct Hosts {
    namespaces: BTreeMap<usize, Namespace>,
    cuts: BTreeSet<(usize, Way, Reach)>,
}

impl Network {
    /// Why this process cannot make networks, `None` when it can. A story that needs one is skipped then, and says so.
    pub fn obstacle() -> Option<String> {
        if !rustix::process::geteuid().is_root() {
            return Some("hosts of their own (network namespaces) need root".to_owned());
        }
        let made = Namespace::create().err()?;
        Some(format!("hosts of their own (network namespaces) cannot be made here: {made:#}"))
    }

    /// A bridge with the clients' host and no nodes.
    ///
    /// # Errors
    /// Not root, or a program is missing: which, and what installs it.
    pub fn create() -> Result<Self> {
        let network =
            Self { bridge: Namespace::create()?, clients: Namespace::create()?, hosts: Mutex::default() };
        // Without spanning tree a port forwards as soon as it is up.
        network.bridge.run("ip", &["-batch", "-"], "link add br0 type bridge\nlink set br0 up\n")?;
        // Forwarded packets only: what hosts send each other passes here, and only here.
        let filter = "add table bridge faults\n\
             add chain bridge faults cuts { type filter hook forward priority 0; }\n";
        network.bridge.run("nft", &["-f", "-"], filter)?;
        network.connect("clients", &network.clients, CLIENTS)?;
        Ok(network)
    }

    /// Lays a cable from the bridge to a host.
    fn connect(&self, port: &str, host: &Namespace, octet: u8) -> Result<()> {
        let path = host.path();
        let cable = format!(
            "link add {port} type veth peer name eth0 netns {}\nlink set {port} master br0\nlink set {port} up\n",
            path.display()
        );
        self.bridge.run("ip", &["-batch", "-"], &cable)?;
        let address = Ipv4Addr::new(10, 77, 0, octet);
        // A host reaches its own address through its loopback device. Nobody else can have its IPv6 address: no second of
        // looking for a duplicate.
        let inside = format!(
            "link set lo up\naddress add {address}/24 dev eth0\nlink set eth0 up\naddress add fd77::{octet}/64 dev eth0 nodad\n"
        );
        host.run("ip", &["-batch", "-"], &inside)
    }

    /// Adds the host of a node, counted from 0.
    pub(crate) fn add_host(&self, index: usize) -> Result<()> {
        let host = Namespace::create()?;
        self.connect(&port(index), &host, u8::try_from(index + 1)?)?;
        self.lock().namespaces.insert(index, host);
        Ok(())
    }

    /// Starts a program on a node's host.
    pub(crate) fn spawn(&self, index: usize, command: &mut Command) -> Result<Child> {
        let hosts = self.lock();
        let host = hosts.namespaces.get(&index).ok_or_else(|| anyhow!("there is no host {}", index + 1))?;
        host.within(|| Ok(command.spawn()?))
    }

    /// Runs something on the clients' host, on a runtime and threads of its own: every thread and process that it starts is
    /// there, too.
    ///
    /// # Errors
    /// What the work fails with; or no runtime can be made.
    pub fn run_client<T: Send>(&self, work: impl AsyncFnOnce() -> Result<T> + Send) -> Result<T> {
        self.clients.within(|| {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            runtime.block_on(work())
        })
    }

    /// Does something on a node's host, on a thread of its own: sockets that it opens stay there.
    ///
    /// # Errors
    /// There is no such host, or the work fails.
    pub fn within<T: Send>(&self, host: usize, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let hosts = self.lock();
        let namespace =
            hosts.namespaces.get(&host).ok_or_else(|| anyhow!("there is no host {}", host + 1))?;
        namespace.within(work)
    }

    /// Cuts a host off. Connections that are there stay, and nothing arrives on them.
    ///
    /// # Errors
    /// The rules cannot be set.
    pub fn cut(&self, host: usize, way: Way, reach: Reach) -> Result<()> {
        self.change(|cuts| {
            cuts.insert((host, way, reach));
        })
    }

    /// Takes back a cut.
    ///
    /// # Errors
    /// The rules cannot be set.
    pub fn mend(&self, host: usize, way: Way, reach: Reach) -> Result<()> {
        self.change(|cuts| {
            cuts.remove(&(host, way, reach));
        })
    }

    fn change(&self, change: impl FnOnce(&mut BTreeSet<(usize, Way, Reach)>)) -> Result<()> {
        let mut hosts = self.lock();
        change(&mut hosts.cuts);
        // One transaction: no packet ever meets half of the rules.
        self.bridge.run("nft", &["-f", "-"], &rules(&hosts.cuts)).context("hosts cannot be cut off")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Hosts> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of a node's port at the bridge.
fn port(index: usize) -> String {
    format!("node{}", index + 1)
}

fn rules(cuts: &BTreeSet<(usize, Way, Reach)>) -> String {
    let mut text = "flush chain bridge faults cuts\n".to_owned();
    for (host, way, reach) in cuts {
        let port = port(*host);
        let (from_clients, to_clients) = match reach {
            Reach::Nodes => (" iifname != \"clients\"", " oifname != \"clients\""),
            Reach::Everybody => ("", ""),
        };
        if *way != Way::Outgoing {
            let _ = writeln!(text, "add rule bridge faults cuts oifname \"{port}\"{from_clients} drop");
        }
        if *way != Way::Incoming {
            let _ = writeln!(text, "add rule bridge faults cuts iifname \"{port}\"{to_clients} drop");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream};

    #[test]
    fn rules_say_who_is_not_heard() {
        let cuts = BTreeSet::from([(0, Way::Both, Reach::Everybody), (1, Way::Outgoing, Reach::Nodes)]);
        assert_eq!(
            rules(&cuts),
            "flush chain bridge faults cuts\n\
             add rule bridge faults cuts oifname \"node1\" drop\n\
             add rule bridge faults cuts iifname \"node1\" drop\n\
             add rule bridge faults cuts iifname \"node2\" oifname != \"clients\" drop\n"
        );
    }

    #[test]
    fn a_host_is_reached_cut_off_and_reached_again() {
        if let Some(obstacle) = Network::obstacle() {
            eprintln!("SKIPPED: {obstacle}");
            return;
        }
        let network = Network::create().expect("a network");
        network.add_host(0).expect("a host");
        // A process on the host answers nothing but that it is there: its address takes connections.
        let reached = |network: &Network| {
            network.run_client(async || {
                let connected =
                    tokio::time::timeout(Duration::from_millis(300), TcpStream::connect("10.77.0.1:7"));
                // Nobody listens, so a host that is reached refuses.
                Ok(connected.await.is_ok())
            })
        };
        assert!(reached(&network).expect("ask"));
        network.cut(0, Way::Both, Reach::Nodes).expect("cut");
        assert!(reached(&network).expect("ask"), "clients still reach it");
        for way in [Way::Both, Way::Incoming, Way::Outgoing] {
            network.cut(0, way, Reach::Everybody).expect("cut");
            assert!(!reached(&network).expect("ask"), "{way:?}");
            network.mend(0, way, Reach::Everybody).expect("mend");
            assert!(reached(&network).expect("ask"), "{way:?} is mended");
        }
    }

    #[test]
    fn two_networks_have_the_same_addresses_and_nothing_in_common() {
        if Network::obstacle().is_some() {
            return;
        }
        let networks = [Network::create().expect("one"), Network::create().expect("another")];
        let [one, another] = networks;
        one.run_client(async || {
            let listener = TcpListener::bind("10.77.0.250:7").await?;
            another.run_client(async || {
                assert!(TcpStream::connect("10.77.0.250:7").await.is_err());
                Ok(())
            })?;
            let mut inside = TcpStream::connect("10.77.0.250:7").await?;
            drop(listener.accept().await?);
            assert_eq!(inside.read(&mut [0]).await?, 0);
            Ok(())
        })
        .expect("reached from its own network only");
    }
}
