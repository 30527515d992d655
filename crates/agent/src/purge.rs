//! Binlog purge: every so often all members are asked what they have executed, and what nobody can need any more goes.
//!
//! Each node asks for itself, and decides for its own server (`xenon_plan::purge`). Asking and purging are tasks that only
//! report back; the server is reached over a connection of their own, so neither a failover nor a look waits for them.

use crate::agent::Agent;
use crate::input::Input;
use futures_util::StreamExt;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;
use xenon_api::{
    Call, EventKind, NodeStatus, PATH_CALL, PROTOCOL_VERSION, PurgeHold, PurgeStatus, Reply, Request,
    Response,
};
use xenon_channel::Client;
use xenon_config::Config;
use xenon_election::{GroupConfig, NodeId, State};
use xenon_mysql::{Purged, SqlError};
use xenon_plan::observation::ServerState;
use xenon_plan::purge::{PurgeAnswer, PurgeRound, PurgeStage, PurgeVerdict, PurgeWatch, Standpoint};

/// How long one member may take to answer.
const ANSWER: Duration = Duration::from_secs(2);
/// Members that are asked at once.
const ASKED_AT_ONCE: usize = 16;
/// How long the server may take for one round.
const PURGE: Duration = Duration::from_secs(60);
/// The first round comes soon after the start, so that a server that purges by itself is kept from it soon.
const FIRST: Duration = Duration::from_secs(5);

/// What an option file that says nothing of it, or the opposite, does not change: a server purges by age when it starts, too,
/// and asks nobody. Servers before 8.0.29 do not know it, and are told otherwise.
pub(crate) const NO_EXPIRY: &str = "--loose-binlog-expire-logs-auto-purge=OFF";

/// The state of it.
pub(crate) struct Purge {
    /// The config says that this is nothing for the agent.
    configured: bool,
    /// An operator has not switched it off.
    on: bool,
    interval: Duration,
    next: Instant,
    running: bool,
    watch: PurgeWatch,
    began: Instant,
    status: PurgeStatus,
    /// What a failure says that was told already.
    told: String,
    /// For whom files are kept, as far as that was told.
    told_holders: BTreeSet<String>,
    told_troubles: BTreeSet<(String, PurgeStage)>,
}

impl Purge {
    pub(crate) fn new(config: &Config) -> Purge {
        let raft = &config.raft;
        let interval = Duration::from_millis(raft.purge_binlog_interval_ms.max(1));
        let now = Instant::now();
        Purge {
            configured: !raft.purge_binlog_disabled && !raft.witness,
            on: true,
            interval,
            next: now + interval.min(FIRST),
            running: false,
            watch: PurgeWatch::new(raft.purge_binlog_interval_ms, raft.purge_binlog_wait_ms),
            began: now,
            status: PurgeStatus::default(),
            told: String::new(),
            told_holders: BTreeSet::new(),
            told_troubles: BTreeSet::new(),
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.configured && self.on
    }

    /// When the loop must come back though nothing came in.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        (self.is_on() && !self.running).then_some(self.next)
    }

    pub(crate) fn status(&self, server: Option<&ServerState>) -> PurgeStatus {
        let gtid_purged = server.map(|server| server.purged.clone()).unwrap_or_default();
        PurgeStatus { on: self.is_on(), gtid_purged, ..self.status.clone() }
    }

    pub(crate) fn troubles(&self) -> Vec<String> {
        let troubles = if self.is_on() { self.watch.troubles() } else { Vec::new() };
        troubles.into_iter().map(|trouble| trouble.text).collect()
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Agent {
    /// Asks everybody when it is time.
    pub(crate) fn ask_for_purge(&mut self) {
        let purge = &mut self.purge;
        if !purge.is_on() || purge.running || purge.next > Instant::now() {
            return;
        }
        let (me, state) = (self.core.id().clone(), self.core.state());
        let config = self.core.record().config.clone().filter(|config| config.members.contains_key(&me));
        let Some(config) = config.filter(|_| self.local.server.is_some() && state != State::Stopped) else {
            purge.next = Instant::now() + purge.interval.min(FIRST);
            return;
        };
        purge.next = Instant::now() + purge.interval;
        purge.running = true;
        let (client, inputs) = (self.client.clone(), self.inputs_for_task());
        tokio::spawn(async move {
            let answers = ask_all(&client, &config, &me).await;
            let _ = inputs.send(Input::PurgeAnswers(answers)).await;
        });
    }

    /// What everybody said.
    pub(crate) fn on_purge_answers(&mut self, answers: BTreeMap<String, PurgeAnswer>) {
        let (Some(config), Some(server)) = (&self.core.record().config, &self.local.server) else {
            self.purge.running = false;
            return;
        };
        let standpoint = match (self.core.state(), self.core.leader()) {
            (State::Leader, _) if self.core.is_open_leader() => Standpoint::Leads,
            (State::Follower | State::Idle | State::Learner, Some(leader)) => {
                Standpoint::Follows(leader.to_string())
            }
            // What an errant node has that the leader lacks is kept (W3); a candidate knows nothing.
            _ => Standpoint::Neither,
        };
        let round = PurgeRound {
            now_ms: self.purge.now_ms(),
            standpoint,
            members: with_data(config, self.core.id()).map(ToString::to_string).collect(),
            answers,
            own_hold: self.holds_binlogs(),
            executed: server.executed.clone(),
            purged: server.purged.clone(),
        };
        let verdict = self.purge.watch.round(round);
        self.tell_purge_troubles();
        let within = match verdict {
            PurgeVerdict::Within(set) if self.purge.is_on() => {
                self.purge.status.waits = None;
                Some(set)
            }
            PurgeVerdict::Within(_) => None,
            PurgeVerdict::Nothing(why) => {
                self.purge.status.waits = Some(why);
                None
            }
        };
        let (door, inputs) = (self.means.door.clone(), self.inputs_for_task());
        tokio::spawn(async move {
            let result = door.purge_binlogs(within.as_ref(), PURGE).await;
            let _ = inputs.send(Input::Purged(Box::new(result))).await;
        });
    }

    /// Each member and stage once: among lasting troubles, which are told apart without their numbers, two members would be one.
    fn tell_purge_troubles(&mut self) {
        let before = std::mem::take(&mut self.purge.told_troubles);
        for trouble in self.purge.watch.troubles() {
            let key = (trouble.node, trouble.stage);
            if !before.contains(&key) {
                self.events.push(EventKind::Trouble, trouble.text);
            }
            self.purge.told_troubles.insert(key);
        }
    }

    /// What came of it at the server.
    pub(crate) fn on_purged(&mut self, result: Result<Purged, SqlError>) {
        self.purge.running = false;
        let purged = match result {
            Ok(purged) => purged,
            Err(error) => {
                let text = format!("binlogs could not be purged: {error}");
                // Once, and not every few minutes: it is tried again all the time.
                if self.purge.told != text {
                    self.purge.told.clone_from(&text);
                    self.events.push(EventKind::Trouble, text);
                }
                return;
            }
        };
        self.purge.told.clear();
        if purged.stopped_expiry {
            self.events.push(
                EventKind::Mysqld,
                "the server purged its binlogs by age (binlog_expire_logs_seconds): switched off, since it would not wait for \
                 a replica; this agent purges them instead",
            );
        }
        if purged.files > 0 {
            self.events.push(
                EventKind::Mysqld,
                format!(
                    "{} binlog file(s) purged, {} bytes: every member had executed all of them; {} is the oldest now",
                    purged.files, purged.bytes, purged.first_left
                ),
            );
        }
        let now_ms = self.purge.now_ms();
        let holders = self.purge.watch.holders(now_ms, purged.blocked.as_ref());
        // A member that follows is a round behind, and that is no news.
        let lasts = u64::try_from(self.purge.interval.as_millis()).unwrap_or(u64::MAX).saturating_mul(3);
        let lasting = holders.iter().filter(|holder| holder.for_ms >= lasts);
        let told = std::mem::take(&mut self.purge.told_holders);
        for holder in lasting {
            if !told.contains(&holder.node) {
                self.events
                    .push(EventKind::Mysqld, format!("binlogs are kept for {}: {}", holder.node, holder.why));
            }
            self.purge.told_holders.insert(holder.node.clone());
        }
        let status = &mut self.purge.status;
        status.held_by = holders
            .into_iter()
            .map(|holder| PurgeHold {
                node: NodeId::new(holder.node),
                why: holder.why,
                for_s: holder.for_ms / 1000,
            })
            .collect();
        status.keeps_younger_s = purged.young;
        status.files = purged.files_left;
        status.bytes = purged.bytes_left;
        status.oldest = purged.first_left;
        status.purged_files += purged.files;
    }

    /// `raft enablepurgebinlog` and `disablepurgebinlog`.
    pub(crate) fn set_purge(&mut self, on: bool) -> Reply {
        if on && !self.purge.configured {
            return Reply::Refused(xenon_api::Refusal {
                what: "this node's config says that it purges no binlogs (raft.purge-binlog-disabled, or a witness)".to_owned(),
                cure: "take raft.purge-binlog-disabled out of its xenon.json and restart the agent".to_owned(),
                ask: None,
            });
        }
        self.purge.on = on;
        let message = if on {
            self.purge.next = Instant::now();
            "binlogs are purged on this node as soon as nobody can need them"
        } else if self.purge.configured {
            "no binlogs are purged on this node until it is enabled again or the agent restarts: watch its disk"
        } else {
            "no binlogs are purged on this node by the agent, as its config says"
        };
        Reply::Ok(Response::Done { message: message.to_owned() })
    }

    /// Why this node wants nobody's binlogs purged for the time being; the others read it in its status.
    pub(crate) fn holds_binlogs(&self) -> Option<String> {
        // A copy is as old as its beginning, and what came since then must come by replication.
        self.rebuild.phase().map(|phase| format!("it is being rebuilt, phase {phase}"))
    }
}

/// The other members that have data.
fn with_data<'a>(config: &'a GroupConfig, me: &'a NodeId) -> impl Iterator<Item = &'a NodeId> {
    config.members.iter().filter(move |(id, member)| *id != me && !member.witness).map(|(id, _)| id)
}

/// Asks every other member with data; one that does not answer in time is left out.
async fn ask_all(client: &Client, config: &GroupConfig, me: &NodeId) -> BTreeMap<String, PurgeAnswer> {
    let asked: Vec<NodeId> = with_data(config, me).cloned().collect();
    let members: BTreeSet<&NodeId> = config.members.keys().collect();
    let answers = futures_util::stream::iter(asked)
        .map(|id| async move {
            let call =
                Call { version: PROTOCOL_VERSION, who: format!("agent of {me}"), request: Request::Status };
            let reply = client.call::<_, Reply>(id.as_str(), PATH_CALL, &call, ANSWER).await;
            (id, reply)
        })
        .buffer_unordered(ASKED_AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    answers
        .into_iter()
        .filter_map(|(id, reply)| match reply {
            Ok(Reply::Ok(Response::Status(status))) => {
                let agrees = status.cluster == Some(config.cluster)
                    && status.members.iter().map(|member| &member.id).collect::<BTreeSet<_>>() == members;
                Some((id.to_string(), answer(*status, agrees)))
            }
            _ => None,
        })
        .collect()
}

fn answer(status: NodeStatus, agrees: bool) -> PurgeAnswer {
    PurgeAnswer {
        agrees,
        executed: status.mysql.alive.then_some(status.mysql.executed),
        hold: status.holds_binlogs,
    }
}
