//! `doctor`: this node looks at its server, its host, and its way to every other node.

use super::judge::{self, Beside, Findings};
use super::{busy, places};
use crate::agent::Agent;
use crate::events::unix_ms;
use futures_util::StreamExt;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use xenon_api::{
    Call, CheckUp, Finding, Level, NodeFacts, NodeStatus, PATH_CALL, PROTOCOL_VERSION, Reply, Request,
    Response,
};
use xenon_channel::Client;
use xenon_config::{Config, Endpoint};
use xenon_election::{NodeId, State};
use xenon_mysql::{Door, Secret, ServerSettings, rights_at};

/// How long another agent may take.
const PEER: Duration = Duration::from_secs(2);
/// How long one of our own questions to a server may take.
const SERVER: Duration = Duration::from_secs(4);
/// How long disks and names may take: a network disk that hangs, a DNS that does not answer.
const HOST: Duration = Duration::from_secs(6);
/// So many round trips to each.
const PINGS: u32 = 5;
/// Nodes asked at once, and at all.
const AT_ONCE: usize = 16;
const PEERS: usize = 600;

/// What the loop knows.
struct Order {
    config: Arc<Config>,
    config_path: PathBuf,
    me: NodeId,
    door: Door,
    client: Client,
    peers: Vec<NodeId>,
    data_dir: Option<PathBuf>,
    leads: bool,
}

impl Agent {
    pub(super) fn check_up(&mut self, others: Vec<NodeId>, reply: oneshot::Sender<Reply>) {
        let Ok(turn) = self.people.check_ups.clone().try_acquire_owned() else {
            let _ = reply.send(busy("two check-ups go on here already"));
            return;
        };
        let me = self.core.id().clone();
        let members = self.core.record().config.iter().flat_map(|config| config.members.keys().cloned());
        let wanted = others.into_iter().filter(|id| id.as_str().parse::<Endpoint>().is_ok());
        let peers: BTreeSet<NodeId> = members.chain(wanted).filter(|id| *id != me).collect();
        let order = Order {
            config: self.config.clone(),
            config_path: PathBuf::from(&self.config_path),
            me,
            door: self.means.door.clone(),
            client: self.client.clone(),
            peers: peers.into_iter().take(PEERS).collect(),
            data_dir: self.local.server.as_ref().map(|server| PathBuf::from(&server.data_dir)),
            leads: self.core.state() == State::Leader,
        };
        tokio::spawn(async move {
            let check_up = order.carry_out().await;
            drop(turn);
            let _ = reply.send(Reply::Ok(Response::CheckUp(Box::new(check_up))));
        });
    }
}

impl Order {
    async fn carry_out(self) -> CheckUp {
        let witness = self.config.raft.witness;
        let (settings, own_rights, peers) = tokio::join!(
            async { if witness { None } else { Some(self.door.settings(SERVER).await) } },
            async { if witness { None } else { Some(self.own_rights().await) } },
            self.reach_all(),
        );
        let beside = Beside {
            leads: self.leads,
            agent_purges: !self.config.raft.purge_binlog_disabled,
            agent_starts: !self.config.mysql.monitor_disabled && !witness,
            now_s: i64::try_from(unix_ms() / 1000).unwrap_or(i64::MAX),
        };
        let mut found = Findings::default();
        let known = settings.as_ref().and_then(|settings| settings.as_ref().ok());
        let host = self.host(known).await;
        match &settings {
            None => found.ok("server", "a witness has no server"),
            Some(Ok(settings)) => {
                let version = settings.variables.get("version").cloned().unwrap_or_default();
                found.ok("server", format!("it answers: MySQL {version}"));
                let files = host.as_ref().is_ok_and(|host| host.semi_sync_files);
                judge::server(settings, files, &beside, &mut found);
            }
            Some(Err(error)) => {
                found.add(
                    "server",
                    Level::Error,
                    error.to_string(),
                    "xenoncli mysql start, or look at its error log",
                );
                found.add(
                    "settings",
                    Level::Unknown,
                    "not looked at: the server does not answer",
                    "start the server, and repeat the check-up",
                );
            }
        }
        if let Some(rights) = own_rights.filter(|_| known.is_some()) {
            judge::replication_account(&rights, &self.config.replication.user, &mut found);
        }
        match &host {
            Ok(host) => judge::host(host, &beside, &mut found),
            Err(why) => found.add(
                "host",
                Level::Unknown,
                why.clone(),
                "look for a disk or a name server that does not answer",
            ),
        }
        if !self.config.address.service_address.is_empty() {
            judge::service_address(&xenon_address::check(), &mut found);
        }
        found.0.extend(peers.into_iter().flat_map(|found| found.0));
        let node = Some(self.me.clone());
        let findings = found
            .0
            .into_iter()
            .map(|(check, level, text, cure)| Finding { node: node.clone(), check, level, text, cure })
            .collect();
        CheckUp { node: self.me, facts: facts(known), findings }
    }

    /// The replication account at this node's own server, as the others come to it: over TCP.
    async fn own_rights(&self) -> Result<Vec<String>, String> {
        self.rights(self.config.replication_host(), self.config.mysql.port).await
    }

    async fn rights(&self, host: &str, port: u16) -> Result<Vec<String>, String> {
        let account = &self.config.replication;
        let password = Secret::from(account.passwd.expose());
        let asked = rights_at(host, port, &account.user, &password, account.ssl, SERVER);
        asked.await.map_err(|error| error.to_string())
    }

    async fn host(&self, settings: Option<&ServerSettings>) -> Result<places::Host, String> {
        let folder_of = |name: &str| {
            let value = settings?.variables.get(name).filter(|value| !value.is_empty())?;
            Some(PathBuf::from(value))
        };
        let data = folder_of("datadir")
            .or_else(|| self.data_dir.clone())
            .or_else(|| self.config.backup.backupdir.clone());
        let binlogs = folder_of("log_bin_basename").and_then(|base| base.parent().map(Path::to_owned));
        let mut all = Vec::new();
        all.extend(data.clone().map(|path| ("data", path)));
        all.extend(
            binlogs
                .filter(|path| data.as_deref().is_none_or(|data| !same(path, data)))
                .map(|path| ("binary logs", path)),
        );
        all.push(("agent's record", self.config.raft.meta_datadir.clone()));
        let hosts: BTreeSet<String> = self
            .peers
            .iter()
            .chain([&self.me])
            .filter_map(|id| id.as_str().parse::<Endpoint>().ok())
            .map(|endpoint| endpoint.host().to_owned())
            .collect();
        let at = places::Where {
            places: all,
            config: self.config_path.clone(),
            hosts: hosts.into_iter().collect(),
            certificate: self.config.server.tls_cert.clone(),
            plugin_dir: folder_of("plugin_dir"),
        };
        match timeout(HOST, tokio::task::spawn_blocking(move || places::look(&at))).await {
            Ok(Ok(host)) => Ok(host),
            Ok(Err(_)) => Err("looking at the host failed".to_owned()),
            Err(_) => Err(format!("the host's disks and names did not answer within {} s", HOST.as_secs())),
        }
    }

    async fn reach_all(&self) -> Vec<Findings> {
        let peers = self.peers.clone();
        let calls = peers.into_iter().map(|peer| async move { self.reach(&peer).await });
        futures_util::stream::iter(calls).buffered(AT_ONCE).collect().await
    }

    /// The other's agent by the agents' channel, and its server as a replica would come to it.
    async fn reach(&self, peer: &NodeId) -> Findings {
        let mut found = Findings::default();
        let status = match self.ask(peer, Request::Status).await {
            Ok(Response::Status(status)) => status,
            Ok(_) => {
                found.add(
                    "reach-agent",
                    Level::Error,
                    format!("{peer} answers something else than what was asked"),
                    "install the same version on all hosts",
                );
                return found;
            }
            Err(why) => {
                found.add(
                    "reach-agent",
                    Level::Error,
                    format!("the agent of {peer} is not reached from here: {why}"),
                    "start it; let its port through the firewalls, in both directions; compare server.secret",
                );
                found.add(
                    "reach-mysql",
                    Level::Unknown,
                    format!("{peer}: its agent would have to say where its server is"),
                    "",
                );
                return found;
            }
        };
        match self.round_trip(peer).await {
            Ok(ms) => {
                let text = format!("{peer}: its agent answers in {ms:.1} ms");
                let heartbeat = self.config.timers().heartbeat_ms;
                if ms * 2.0 < f64::from(u32::try_from(heartbeat).unwrap_or(u32::MAX)) {
                    found.ok("reach-agent", text);
                } else {
                    found.add("reach-agent", Level::Warn, format!("{text}, with a heartbeat every {heartbeat} ms"),
                        "raise raft.heartbeat-timeout and raft.election-timeout on all nodes, or bring the nodes closer");
                }
            }
            Err(why) => found.add(
                "reach-agent",
                Level::Warn,
                format!("{peer}: its agent answered once, and then not: {why}"),
                "repeat the check-up; look at the network",
            ),
        }
        self.reach_server(peer, &status, &mut found).await;
        found
    }

    /// The shortest of some: a check-up makes hosts busy itself. Milliseconds.
    async fn round_trip(&self, peer: &NodeId) -> Result<f64, String> {
        let mut shortest = f64::INFINITY;
        for _ in 0..PINGS {
            let begun = Instant::now();
            self.ask(peer, Request::Ping).await?;
            shortest = shortest.min(begun.elapsed().as_secs_f64() * 1000.0);
        }
        Ok(shortest)
    }

    async fn reach_server(&self, peer: &NodeId, status: &NodeStatus, found: &mut Findings) {
        if self.config.raft.witness {
            return;
        }
        let Ok(address) = status.mysql.address.parse::<Endpoint>() else { return };
        let check = "reach-mysql";
        if !status.mysql.alive {
            found.add(
                check,
                Level::Unknown,
                format!("{peer}: its server does not answer its own agent now"),
                "start it, and repeat the check-up",
            );
            return;
        }
        let begun = Instant::now();
        match self.rights(address.host(), address.port()).await {
            Ok(_) => {
                let ms = begun.elapsed().as_secs_f64() * 1000.0;
                found.ok(check, format!("{peer}: the replication account gets into its server, {address}, in {ms:.0} ms"));
            }
            Err(why) if status.cluster.is_none() => {
                found.add(check, Level::Unknown, format!("{peer}: it belongs to no cluster yet, and {why}"), "the agents make the account when the cluster is formed; repeat the check-up then");
            }
            Err(why) => found.add(check, Level::Error, format!("{peer}: the replication account does not get into its server from here: {why}"),
                "let the server's port through the firewalls; compare replication.user and replication.passwd; see replication.host"),
        }
    }

    async fn ask(&self, peer: &NodeId, request: Request) -> Result<Response, String> {
        let call = Call { version: PROTOCOL_VERSION, who: format!("doctor of {}", self.me), request };
        match self.client.call(peer.as_str(), PATH_CALL, &call, PEER).await {
            Ok(Reply::Ok(response)) => Ok(response),
            Ok(Reply::Refused(refusal)) => Err(refusal.what),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn same(a: &Path, b: &Path) -> bool {
    a.components().eq(b.components())
}

fn facts(settings: Option<&ServerSettings>) -> NodeFacts {
    let of = |name: &str| settings.and_then(|settings| settings.variables.get(name)).cloned();
    NodeFacts {
        // Last, so that it is as young as can be when the answer arrives.
        unix_ms: unix_ms(),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        mysql_version: of("version").unwrap_or_default(),
        server_id: of("server_id").and_then(|text| text.parse().ok()),
        server_uuid: of("server_uuid").unwrap_or_default(),
        lower_case_table_names: of("lower_case_table_names").and_then(|text| text.parse().ok()),
        utc_offset_s: settings.and_then(|settings| settings.utc_offset_s),
    }
}
