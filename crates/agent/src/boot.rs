//! From the config to a running loop.

use crate::address::address_file;
use crate::agent::{Agent, SAVE};
use crate::backup::Backups;
use crate::clock::Clock;
use crate::dead::Logs;
use crate::events::Events;
use crate::faults::FaultWatch;
use crate::keeper::Keeper;
use crate::life::LifeNote;
use crate::local::{Local, configured_unfit, server_view, wish};
use crate::people::People;
use crate::purge::Purge;
use crate::rebuild::Rebuild;
use crate::rewind::Comeback;
use crate::signals::Signals;
use crate::store::Store;
use crate::supervisor::Supervisor;
use crate::tally::Tally;
use crate::telling::Past;
use crate::vip::Vip;
use crate::worker::Means;
use crate::{http, legacy, mysqld, observer, peers};
use anyhow::{Context, anyhow};
use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use xenon_api::{Counters, EventKind};
use xenon_channel::{Client, ClientOptions, Identity, Limits, Server};
use xenon_config::{Config, Endpoint};
use xenon_election::{Election, LocalView, NodeId, Record, Rules, Start};
use xenon_mysql::{Door, DoorOptions, Mysqld, Rewind};
use xenon_plan::health::Probe;
use xenon_plan::{Address, is_promoted};

/// Inputs that may wait for the loop.
const INBOX: usize = 1024;
/// How long the first look at the server may take; a server that is still starting is looked at later.
const FIRST_LOOK: Duration = Duration::from_secs(1);
/// How long one connection attempt to the local server may take.
const CONNECT: Duration = Duration::from_secs(2);
/// The least time the marker may wait for its acknowledgements: replicas reconnect within a second of losing their source.
const MARKER_LEAST: Duration = Duration::from_secs(5);

/// Who this agent is, for its peers.
pub(crate) fn identity(config: &Config) -> anyhow::Result<Identity> {
    let name = config.server.endpoint.to_string();
    let server = &config.server;
    if let (Some(ca), Some(cert), Some(key)) = (&server.tls_ca, &server.tls_cert, &server.tls_key) {
        return Ok(Identity::from_files(ca, cert, key, &name)?);
    }
    let secret = config.cluster_secret().map_err(|_| anyhow!("server.secret-file could not be read"))?;
    if let Some(warning) = secret.warning() {
        tracing::warn!("{warning}");
    }
    Ok(Identity::from_secret(&secret.bytes, &name)?)
}

fn door(config: &Config) -> Door {
    Door::new(DoorOptions {
        host: config.mysql.host.clone(),
        port: config.mysql.port,
        socket: config.mysql.socket.clone(),
        user: config.mysql.admin.clone(),
        password: config.mysql.passwd.expose().into(),
        connect_deadline: CONNECT,
    })
}

fn variables(list: &xenon_config::SysVars) -> Vec<(String, String)> {
    list.iter()
        // These two are the agent's own: they say who is the primary.
        .filter(|variable| !matches!(variable.name.as_str(), "read_only" | "super_read_only"))
        .map(|variable| (variable.name.clone(), variable.value.clone()))
        .collect()
}

fn listen_address(endpoint: &Endpoint) -> anyhow::Result<SocketAddr> {
    (endpoint.host(), endpoint.port())
        .to_socket_addrs()
        .with_context(|| format!("server.endpoint: {} cannot be resolved", endpoint.host()))?
        .next()
        .ok_or_else(|| anyhow!("server.endpoint: {} has no address", endpoint.host()))
}

/// Runs the agent until it is told to stop.
pub(crate) async fn run(config: Config, path: &Path) -> anyhow::Result<()> {
    let config = Arc::new(config);
    let id = NodeId::new(config.server.endpoint.to_string());
    let identity = identity(&config)?;
    let (mut store, record) = Store::open(&config.raft.meta_datadir)?;
    let (keeper, earlier) = Keeper::open(&config.raft.meta_datadir);
    let events = Events::new(id.clone(), keeper, earlier);
    let record = match record {
        Some(record) => record,
        None => first_record(&config, &id, &mut store, &events).await?,
    };
    let (inputs, inbox) = mpsc::channel(INBOX);
    let times = config.timers();
    let door = door(&config);
    let means = Arc::new(Means {
        door: door.clone(),
        replication_user: config.replication.user.clone(),
        replication_password: config.replication.passwd.expose().into(),
        replication_ssl: config.replication.ssl,
        primary_variables: variables(&config.mysql.master_sysvars),
        replica_variables: variables(&config.mysql.slave_sysvars),
        marker_deadline: MARKER_LEAST.max(Duration::from_millis(times.election_ms.saturating_mul(3))),
    });

    let signals = Signals::hold()?;
    let mut local = Local::new(times.probe_misses, !config.mysql.monitor_disabled && !config.raft.witness);
    let witness = config.raft.witness;
    let found = if witness { None } else { Mysqld::find(&mysqld::options(&config), &door, FIRST_LOOK).await };
    local.server = if witness { None } else { door.observe(FIRST_LOOK).await.ok() };
    let primary_of_term = is_primary_of(&local, &record);
    let mut vip = Vip::open(&config, primary_of_term, &inputs);
    if primary_of_term {
        // T3: the address stays where it is, too, if the start hook was known to be done. One that the agent moves itself
        // stays for as long as it may, and is taken up again when it is known that this node still leads.
        let known = std::fs::read_to_string(address_file(&config)).is_ok_and(|word| word.trim() == "here");
        vip.hooked = known;
        local.address = if known && !vip.is_native() { Address::Here } else { Address::Unknown };
        local.was_primary = true;
    }
    if local.server.is_some() {
        local.health.on_start();
        local.health.on_probe(Probe::Answered);
    }

    let options =
        ClientOptions { link_deadline: Duration::from_millis(times.election_ms), ..ClientOptions::default() };
    let client = Client::new(identity.clone(), options);
    let handler_inputs = inputs.clone();
    let handler = move |incoming| peers::handle(incoming, handler_inputs.clone());
    let server = Server::bind(
        listen_address(&config.server.endpoint)?,
        &identity,
        Limits::default(),
        Arc::new(handler),
    )?;

    events.push(
        EventKind::Agent,
        format!("xenon {} starts as {id}, process {}", env!("CARGO_PKG_VERSION"), std::process::id()),
    );
    for text in std::mem::take(&mut vip.found) {
        events.push(EventKind::Trouble, text);
    }
    let look = if witness { Arc::default() } else { observer::spawn(door, times, inputs.clone()) };
    // Complete from the start: a leader that resumes tells the others at once where its server is (T3).
    let view = LocalView {
        server: local.server.as_ref().map(server_view),
        unfit: configured_unfit(&config)
            .or_else(|| local.server.is_none().then(|| "its mysqld has not answered yet".to_owned())),
        source_host: config.replication_host().to_owned(),
        source_port: config.mysql.port,
        wish: Some(wish(&config)),
        ..LocalView::default()
    };
    let (core, first) = Election::start(Start {
        id,
        record,
        local: view,
        primary_of_term,
        boot: boot_id(),
        rules: Rules::all(),
    });
    let begun = match Rewind::load(&config.raft.meta_datadir) {
        Ok(begun) => begun,
        Err(error) => {
            // Every step of it is harmless by itself.
            events.push(EventKind::Trouble, format!("a rewind was begun, and is not gone on with: {error}"));
            None
        }
    };
    let http = http::start(&config, inputs.clone(), client.clone());
    let mut agent = Agent {
        config_path: path.display().to_string(),
        core,
        clock: Clock::new(times),
        store,
        events: events.clone(),
        past: Past::default(),
        inputs: inputs.clone(),
        client,
        links: BTreeMap::new(),
        look,
        means,
        local,
        logs: Logs::open(&config.raft.meta_datadir),
        life: LifeNote::open(&config.raft.meta_datadir),
        comeback: Comeback::open(begun),
        heard: BTreeMap::new(),
        watch: FaultWatch::default(),
        purge: Purge::new(&config),
        rebuild: Rebuild::new(&config.raft.meta_datadir),
        backups: Backups::new(&config.raft.meta_datadir),
        donations: Arc::new(Semaphore::new(1)),
        vip: Box::new(vip),
        other_leader: None,
        people: People::default(),
        counters: Counters::default(),
        tally: Tally::default(),
        supervisor: Supervisor::of_environment(),
        began: Instant::now(),
        state: (xenon_election::State::Follower, Instant::now()),
        heard_cluster: None,
        answer: None,
        switchover: None,
        stopping: None,
        stop_again: None,
        http,
        config,
    };
    if let Some(mysqld) = found {
        agent.on_started(mysqld);
    }
    agent.take_up_rebuild().await;
    agent.clean_up_backup();
    signals.report(inputs);
    agent.carry_out(first).await;
    // All that the agent owns is in it.
    Box::pin(agent.run(inbox)).await;
    server.shutdown().await;
    events.keeper().flush();
    Ok(())
}

/// A first start: perhaps with the members that the Go tool knew.
async fn first_record(
    config: &Config,
    id: &NodeId,
    store: &mut Store,
    events: &Events,
) -> anyhow::Result<Record> {
    let Some(record) = legacy::record(&config.raft.meta_datadir, id)? else { return Ok(Record::default()) };
    store.save(&record, SAVE).await?;
    let count = record.config.as_ref().map_or(0, |config| config.members.len());
    events.push(EventKind::Config, format!("{count} members taken over from the Go tool's peers.json"));
    Ok(record)
}

/// S3: names this boot of the host, as the kernel does.
pub(crate) fn boot_id() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned()).filter(|id| !id.is_empty())
}

/// T3: open for writes, with the marker of the very term in which this node voted for itself.
fn is_primary_of(local: &Local, record: &Record) -> bool {
    match (&local.server, &record.config) {
        (Some(server), Some(config)) => {
            // Following nobody: a loser of that election gets the winner's marker, too.
            let follows_nobody = server.replication.is_none();
            record.term > 0 && follows_nobody && is_promoted(server, record.term, &config.cluster)
        }
        _ => false,
    }
}
