//! Calls of the command line.

use crate::agent::Agent;
use crate::chance;
use crate::telling::Learnt;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;
use xenon_api::{Call, EventKind, Refusal, Reply, Request, Response};
use xenon_election::{Event, NodeId, Request as Ask, State};

/// The longest wait for an event.
const EVENTS_WAIT_MS: u64 = 10_000;

impl Agent {
    pub(crate) async fn on_call(&mut self, call: Call, reply: oneshot::Sender<Reply>) {
        let reply = self.audited(&call, reply);
        let answer = match call.request {
            Request::Events { after, wait_ms } => {
                let events = self.events.clone();
                tokio::spawn(async move {
                    let page = events.page(after, Duration::from_millis(wait_ms.min(EVENTS_WAIT_MS))).await;
                    let _ = reply.send(Reply::Ok(Response::Events(page)));
                });
                return;
            }
            Request::FindEvents(query) => {
                let events = self.events.clone();
                tokio::spawn(async move {
                    let _ = reply.send(Reply::Ok(Response::Events(events.find(query).await)));
                });
                return;
            }
            Request::Reports => {
                let events = self.events.clone();
                tokio::spawn(async move { reply.send(events.reports().await) });
                return;
            }
            Request::Report { id } => {
                let events = self.events.clone();
                tokio::spawn(async move { reply.send(events.report(id).await) });
                return;
            }
            Request::Aftermath { node, what, quarantined, decide } => {
                self.hear_aftermath(node, Learnt { what, quarantined, decide })
            }
            Request::Explain => Reply::Ok(Response::Explanation(self.explanation())),
            Request::Status => Reply::Ok(Response::Status(Box::new(self.status()))),
            Request::Ping => Reply::Ok(Response::Pong { id: self.core.id().clone() }),
            Request::ClusterAdd { nodes, idle } => self.cluster_add(nodes, idle).await,
            Request::ClusterRemove { nodes } => match self.must_lead() {
                Some(refused) => refused,
                None => self.ask_core(Ask::Remove { nodes }).await,
            },
            Request::HandOver { target } => match self.must_lead() {
                Some(refused) => refused,
                None => self.ask_core(Ask::HandOver { target }).await,
            },
            Request::Switchover { target, dry_run, wait_ms } => match self.must_lead() {
                Some(refused) => refused,
                None => return self.switchover(target, dry_run, wait_ms, reply),
            },
            Request::Pause => match self.must_lead() {
                Some(refused) => refused,
                None => self.ask_core(Ask::Pause).await,
            },
            // Without a leader nobody could end a pause; the core knows what may be done then.
            Request::Resume => match self.must_lead().filter(|_| self.core.leader().is_some()) {
                Some(refused) => refused,
                None => self.ask_core(Ask::Resume).await,
            },
            Request::SetPriority { node, priority } => match self.must_lead() {
                Some(refused) => refused,
                None if priority.is_some_and(|priority| priority > 100) => {
                    refused("a priority is at most 100", "give a number from 0 (never leads) to 100")
                }
                None => self.ask_core(Ask::Prefer { node, priority }).await,
            },
            Request::RaftDisable => self.ask_core(Ask::Disable).await,
            Request::RaftEnable => self.ask_core(Ask::Enable).await,
            Request::PurgeBinlog { on } => self.set_purge(on),
            Request::SetRejoin { rejoin } => match self.must_lead() {
                Some(refused) => refused,
                None => self.ask_core(Ask::Rejoin(rejoin)).await,
            },
            Request::Rebuild(options) => return self.on_rebuild_call(options, &printable(&call.who), reply),
            Request::CancelRebuild => self.cancel_rebuild(),
            Request::Backup(options) => return self.on_backup_call(options, &printable(&call.who), reply),
            Request::CancelBackup => self.cancel_backup(),
            Request::Restore(options) => return self.on_restore_call(options, &printable(&call.who), reply),
            Request::DonorFacts { streams } => return self.on_donor_facts(streams, reply),
            Request::MayRebuild { node, over } => self.may_rebuild(&node, over),
            request @ (Request::Accounts
            | Request::CreateAccount(_)
            | Request::DropAccount { .. }
            | Request::ChangePassword { .. }
            | Request::SetGlobals { .. }
            | Request::Stacks { .. }
            | Request::Doctor { .. }) => return self.on_people_call(request, reply),
            Request::MysqlStart => self.mysql_start(),
            Request::MysqlShutdown => self.mysql_shutdown().await,
            Request::MysqlKill => self.mysql_kill(),
            Request::Monitor { on } => self.set_monitor(on),
        };
        // Whoever asked may be gone.
        let _ = reply.send(answer);
    }

    async fn cluster_add(&mut self, nodes: Vec<NodeId>, idle: bool) -> Reply {
        if let Some(bad) = nodes.iter().find(|id| id.as_str().parse::<xenon_config::Endpoint>().is_err()) {
            return refused(format!("{bad:?} is no endpoint"), "give each node as host:port");
        }
        let Some(config) = &self.core.record().config else {
            let me = self.core.id().clone();
            let (mut voters, mut idle_nodes) = if idle { (Vec::new(), nodes) } else { (nodes, Vec::new()) };
            if self.config.raft.super_idle { &mut idle_nodes } else { &mut voters }.push(me);
            let cluster = chance::uuid();
            return self.ask_core(Ask::Form { cluster, voters, idle: idle_nodes }).await;
        };
        if nodes.iter().all(|id| config.members.contains_key(id)) {
            return done("already members");
        }
        match self.must_lead() {
            Some(refused) => refused,
            None => self.ask_core(Ask::Add { nodes, idle }).await,
        }
    }

    pub(crate) fn must_lead(&self) -> Option<Reply> {
        if self.core.state() == State::Leader {
            return None;
        }
        let ask = self.core.leader().cloned();
        let cure = match &ask {
            Some(leader) => format!("ask {leader}"),
            None => "wait until a leader is elected: xenoncli cluster status".to_owned(),
        };
        let what = match &ask {
            Some(_) => "this node does not lead".to_owned(),
            None => "no leader is known here".to_owned(),
        };
        Some(Reply::Refused(Refusal { what, cure, ask }))
    }

    pub(crate) async fn ask_core(&mut self, ask: Ask) -> Reply {
        self.answer = None;
        self.step(Event::Request(ask)).await;
        match self.answer.take() {
            Some(Ok(message)) => done(message),
            Some(Err(no)) => refused(no.what, no.cure),
            // The answer waits for the record like every message (S1).
            None => {
                refused("the agent's record could not be saved", "make room on the disk of raft.meta-datadir")
            }
        }
    }

    fn mysql_start(&mut self) -> Reply {
        if let Some(mysqld) = &self.local.mysqld {
            return done(format!("mysqld runs already, as process {}", mysqld.pid()));
        }
        if self.rebuild.holds_mysqld() {
            return refused(
                "a rebuild is putting other data in the data folder's place",
                "wait: it starts mysqld itself when it is done",
            );
        }
        self.local.restarts.reset();
        self.local.monitor = true;
        if !self.local.in_transit && !self.local.is_running() {
            // Not left to the plan: a node that takes no part (raft disable) plans nothing.
            self.start_mysqld();
        }
        done("mysqld is being started; the monitor is on")
    }

    /// A primary that shuts down in order tells waiting commits OK though no voter has them (D2), so leadership is handed
    /// over first.
    async fn mysql_shutdown(&mut self) -> Reply {
        if self.local.mysqld.is_none() {
            self.local.monitor = false;
            return done("mysqld does not run; the monitor is off, so it stays down");
        }
        if self.core.state() == State::Leader {
            if let Reply::Refused(mut no) = self.ask_core(Ask::HandOver { target: None }).await {
                no.what = format!("this node leads, and leadership cannot be handed over: {}", no.what);
                no.cure = format!(
                    "{}; or, if writes may stop: xenoncli mysql kill after xenoncli mysql stopmonitor",
                    no.cure
                );
                return Reply::Refused(no);
            }
            self.local.shutdown_after_handover = true;
            return done(
                "leadership is handed over first; then mysqld shuts down and stays down until: xenoncli mysql start",
            );
        }
        self.terminate_mysqld()
    }

    fn terminate_mysqld(&mut self) -> Reply {
        let Some(mysqld) = &self.local.mysqld else { return done("mysqld does not run") };
        let pid = mysqld.pid();
        match mysqld.terminate() {
            Ok(()) => {
                // Otherwise it would be started again at once.
                self.local.monitor = false;
                done(format!(
                    "mysqld (process {pid}) is shutting down; the monitor is off, so it stays down until: xenoncli mysql start"
                ))
            }
            Err(error) => refused(
                format!("mysqld (process {pid}) cannot be told: {error}"),
                "run the agent as mysqld's user",
            ),
        }
    }

    /// Goes on with [`Agent::mysql_shutdown`] once the handover has ended one way or the other.
    pub(crate) fn shut_down_after_handover(&mut self) {
        if !self.local.shutdown_after_handover || self.core.is_handing_over() {
            return;
        }
        if self.core.state() == State::Leader {
            self.local.shutdown_after_handover = false;
            let why = "mysqld is not shut down: the handover before it was given up";
            return self.events.push(EventKind::Trouble, why);
        }
        // Its sessions are ended as part of the fence: only then is it a replica like any other.
        if self.local.sessions_killed && self.local.op.is_none() {
            self.local.shutdown_after_handover = false;
            if let Reply::Refused(no) = self.terminate_mysqld() {
                self.events.push(EventKind::Trouble, no.to_string());
            }
        }
    }

    fn mysql_kill(&mut self) -> Reply {
        let Some(mysqld) = &self.local.mysqld else {
            return refused("mysqld does not run", "nothing to kill");
        };
        let pid = mysqld.pid();
        match mysqld.kill() {
            Ok(()) => done(format!(
                "mysqld (process {pid}) killed; {}",
                if self.local.monitor { "the monitor starts it again" } else { "the monitor is off" }
            )),
            Err(error) => refused(
                format!("mysqld (process {pid}) cannot be killed: {error}"),
                "run the agent as mysqld's user",
            ),
        }
    }

    fn set_monitor(&mut self, on: bool) -> Reply {
        self.local.monitor = on;
        if on {
            self.local.restarts.reset();
            if self.local.mysqld.is_none() && !self.local.in_transit {
                self.local.start_at = Some(Instant::now());
            }
        }
        done(if on { "mysqld is started again whenever it ends" } else { "mysqld is left as it is" })
    }
}

fn done(message: impl Into<String>) -> Reply {
    Reply::Ok(Response::Done { message: message.into() })
}

fn refused(what: impl Into<String>, cure: impl Into<String>) -> Reply {
    Reply::Refused(Refusal { what: what.into(), cure: cure.into(), ask: None })
}

/// A caller names itself: nothing of it may break a log line.
pub(crate) fn printable(who: &str) -> String {
    who.chars().filter(|c| !c.is_control()).take(140).collect()
}
