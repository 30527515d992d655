//! `/metrics`: what the node's status, its counters and the kernel say, as Prometheus reads it.

mod names;
mod page;
mod process;
#[cfg(test)]
mod tests;

use crate::agent::Agent;
use crate::input::Input;
use crate::tally::{By, Tally};
use page::{Format, Page};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use xenon_api::{EventKind, JobKind, JobState, JobStatus, NodeStatus, ReplicationStatus, TimingStatus};
use xenon_election::{NodeId, Refusal, Standing, State};
use xenon_gtid::GtidSet;
use xenon_plan::Address;

/// All that a page shows, taken from the loop at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    pub(crate) status: NodeStatus,
    pub(crate) tally: Tally,
    /// Events by the word of their kind.
    pub(crate) events: BTreeMap<&'static str, u64>,
    pub(crate) started_unix_ms: u64,
    /// Seconds; `None` when it does not lead.
    pub(crate) lease_s: Option<f64>,
    /// Seconds since each other member was heard.
    pub(crate) heard_s: BTreeMap<NodeId, f64>,
    pub(crate) paused: bool,
    pub(crate) degraded: bool,
    /// It has no mysqld, and nothing is said of one.
    pub(crate) witness: bool,
    pub(crate) address_here: bool,
    pub(crate) server: Option<ServerFacts>,
}

/// Of the last look at the server; what the status does not have.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ServerFacts {
    read_only: bool,
    super_read_only: bool,
    offline_mode: bool,
    semi_sync_operational: bool,
    semi_sync_sessions: Option<u32>,
    received: u64,
    unapplied: u64,
}

/// A page and its `Content-Type` for a request with this `Accept` header; `None` when the loop does not answer in time.
pub(crate) async fn page(
    inputs: &mpsc::Sender<Input>,
    accept: &str,
    deadline: Duration,
) -> Option<(&'static str, String)> {
    let asked = async {
        let (reply, answer) = oneshot::channel();
        inputs.send(Input::Measure { reply }).await.ok()?;
        answer.await.ok()
    };
    let measured = tokio::time::timeout(deadline, asked).await.ok()??;
    let format = Format::of(accept);
    Some((format.content_type(), render(&measured, format)))
}

impl Agent {
    /// For one page. Cheap: nothing is asked of anybody.
    pub(crate) fn measured(&self) -> Measured {
        let members = self.core.record().config.as_ref().map(|config| &config.members);
        let heard =
            self.heard.iter().filter(|(id, _)| members.is_some_and(|members| members.contains_key(id)));
        let lease = self.clock.lease_until().filter(|_| self.core.state() == State::Leader);
        Measured {
            status: self.status(),
            tally: self.tally.clone(),
            events: self.events.counts(),
            started_unix_ms: self.events.started_unix_ms(),
            lease_s: lease.map(|until| until.saturating_duration_since(Instant::now()).as_secs_f64()),
            heard_s: heard.map(|(id, at)| (id.clone(), at.elapsed().as_secs_f64())).collect(),
            paused: self.core.is_paused(),
            degraded: self.core.degraded().is_some(),
            witness: self.config.raft.witness,
            address_here: self.local.address == Address::Here,
            server: self.local.server.as_ref().map(|server| ServerFacts {
                read_only: server.read_only,
                super_read_only: server.super_read_only,
                offline_mode: server.offline_mode,
                semi_sync_operational: server.semi_sync_source.is_some_and(|source| source.operational),
                semi_sync_sessions: server.semi_sync_source.map(|source| source.waiting_sessions),
                received: server.received().count(),
                unapplied: server.unapplied().count(),
            }),
        }
    }
}

/// The page.
fn render(measured: &Measured, format: Format) -> String {
    let mut page = Page::new(format);
    let status = &measured.status;
    put_node(&mut page, status);
    put_state(&mut page, measured);
    if !measured.witness {
        put_mysqld(&mut page, measured);
        put_positions(&mut page, measured);
        put_replication(&mut page, status.mysql.replication.as_ref());
        put_semi_sync(&mut page, measured);
    }
    put_elections(&mut page, &measured.tally);
    put_last_promotion(&mut page, measured);
    put_jobs(&mut page, &measured.tally, status.job.as_ref());
    put_binlogs(&mut page, status);
    for kind in EventKind::ALL.map(EventKind::word) {
        page.put(&names::EVENTS, &[kind], measured.events.get(kind).copied().unwrap_or(0));
    }
    process::put(&mut page, measured.started_unix_ms);
    page.finish()
}

fn flag(value: bool) -> u8 {
    u8::from(value)
}

fn put_node(page: &mut Page, status: &NodeStatus) {
    let cluster = status.cluster.map(|cluster| cluster.to_string()).unwrap_or_default();
    page.put(&names::BUILD, &[&status.version], 1);
    page.put(&names::NODE, &[status.id.as_str(), &cluster], 1);
    page.put(&names::UPTIME, &[], status.uptime_s);
}

fn put_state(page: &mut Page, measured: &Measured) {
    const STATES: [State; 7] = [
        State::Leader,
        State::Candidate,
        State::Follower,
        State::Learner,
        State::Idle,
        State::Invalid,
        State::Stopped,
    ];
    let status = &measured.status;
    for state in STATES.map(State::word) {
        page.put(&names::STATE, &[&state.to_ascii_lowercase()], flag(status.state == state));
    }
    page.put(&names::STATE_AGE, &[], status.state_uptime_s);
    page.put(&names::IS_LEADER, &[], flag(status.state == State::Leader.word()));
    page.put(&names::HAS_LEADER, &[], flag(status.leader.is_some()));
    if let Some(leader) = &status.leader {
        page.put(&names::LEADER, &[leader.as_str()], 1);
    }
    page.put_known(&names::LEASE, measured.lease_s);
    page.put(&names::TERM, &[], status.view_id);
    page.put(&names::CONFIG, &[], status.epoch_id);
    for member in &status.members {
        page.put(&names::MEMBER, &[member.id.as_str(), standing(member.standing)], 1);
    }
    for member in &status.members {
        page.put(&names::PRIORITY, &[member.id.as_str()], member.priority);
    }
    for (id, ago) in &measured.heard_s {
        page.put(&names::HEARD, &[id.as_str()], ago);
    }
    page.put(&names::WITNESS, &[], flag(measured.witness));
    page.put(&names::PAUSED, &[], flag(measured.paused));
    page.put(&names::DEGRADED, &[], flag(measured.degraded));
    page.put(&names::MAY_LEAD, &[], flag(status.unfit.is_none()));
    page.put(&names::DOUBT, &[], flag(status.doubt.is_some()));
    page.put(&names::TROUBLES, &[], status.troubles.len());
    page.put(&names::ADDRESS, &[], flag(measured.address_here));
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Voter => "voter",
        Standing::Joining => "joining",
        Standing::Leaving => "leaving",
        Standing::Idle => "idle",
    }
}

fn put_mysqld(page: &mut Page, measured: &Measured) {
    let (mysqld, mysql) = (&measured.status.mysqld, &measured.status.mysql);
    page.put(&names::MYSQLD_UP, &[], flag(mysqld.running));
    page.put(&names::MYSQLD_ANSWERS, &[], flag(mysql.alive));
    page.put(&names::MYSQLD_MONITORED, &[], flag(mysqld.monitor));
    page.put(&names::MYSQLD_STARTS, &[], mysqld.starts);
    if let Some(uuid) = &mysql.server_uuid {
        page.put(&names::MYSQL, &[&mysql.version, &uuid.to_string()], 1);
    }
    page.put(&names::WRITABLE, &[], flag(mysql.writable));
    page.put_known(&names::READ_ONLY, measured.server.map(|server| flag(server.read_only)));
    page.put_known(&names::SUPER_READ_ONLY, measured.server.map(|server| flag(server.super_read_only)));
    page.put_known(&names::OFFLINE, measured.server.map(|server| flag(server.offline_mode)));
}

fn put_positions(page: &mut Page, measured: &Measured) {
    // Of a server that was not seen nothing is known; 0 would be a claim.
    let known = |set: &GtidSet| measured.server.is_some().then(|| set.count());
    page.put_known(&names::EXECUTED, known(&measured.status.mysql.executed));
    page.put_known(&names::RECEIVED, measured.server.map(|server| server.received));
    page.put_known(&names::UNAPPLIED, measured.server.map(|server| server.unapplied));
    page.put(&names::ERRANT, &[], measured.status.errant.count());
}

fn put_replication(page: &mut Page, replication: Option<&ReplicationStatus>) {
    let Some(replication) = replication else { return };
    page.put(&names::RECEIVER, &[], flag(replication.io_running));
    page.put(&names::APPLIER, &[], flag(replication.sql_running));
    let whole = replication.seconds_behind.map(|seconds| seconds.saturating_mul(1_000_000));
    let lag = replication.lag_us.or(whole);
    page.put_known(&names::LAG, lag.map(|us| Duration::from_micros(us).as_secs_f64()));
    page.put(&names::SOURCE, &[&replication.source], 1);
}

fn put_semi_sync(page: &mut Page, measured: &Measured) {
    let mysql = &measured.status.mysql;
    let facts = measured.server.unwrap_or_default();
    let source = mysql.semi_sync_source;
    let on = source.map(|(enabled, ..)| flag(enabled && facts.semi_sync_operational));
    page.put_known(&names::SEMI_SOURCE, on);
    page.put_known(&names::SEMI_WAIT, source.map(|(_, wanted, _)| wanted));
    page.put_known(&names::SEMI_CLIENTS, source.map(|(_, _, clients)| clients));
    page.put_known(&names::SEMI_SESSIONS, facts.semi_sync_sessions);
    page.put_known(&names::SEMI_REPLICA, mysql.semi_sync_replica.map(flag));
}

fn put_elections(page: &mut Page, tally: &Tally) {
    let by_reason = |page: &mut Page, family, by: &By| {
        for reason in Refusal::WORDS {
            page.put(family, &[reason], by.get(reason).copied().unwrap_or(0));
        }
    };
    page.put(&names::PRE_VOTES_ASKED, &[], tally.pre_votes_asked);
    page.put(&names::ELECTIONS_BEGUN, &[], tally.elections_begun);
    page.put(&names::ELECTIONS_WON, &[], tally.elections_won);
    page.put(&names::ELECTIONS_LOST, &[], tally.elections_lost);
    page.put(&names::RESUMED, &[], tally.leaderships_resumed);
    page.put(&names::VOTES_GRANTED, &[], tally.votes_granted);
    by_reason(page, &names::VOTES_REFUSED, &tally.votes_refused);
    page.put(&names::VOTES_RECEIVED, &[], tally.votes_received);
    by_reason(page, &names::REFUSALS, &tally.refusals_received);
    page.put(&names::PROMOTIONS, &[], tally.promotions);
    page.put(&names::DEMOTIONS, &[], tally.demotions);
    page.put(&names::HANDOVERS_BEGUN, &[], tally.handovers_begun);
    page.put(&names::HANDOVERS_DONE, &[], tally.handovers_done);
}

fn put_last_promotion(page: &mut Page, measured: &Measured) {
    let at = Some(measured.tally.promoted_unix_ms).filter(|at| *at > 0);
    page.put_known(&names::LAST_PROMOTION, at.map(seconds));
    if let Some(timing) = &measured.status.last_promotion {
        page.put(&names::LAST_CAUSE, &[cause(&timing.cause)], 1);
        let total = timing.phases.last().map_or(0.0, |(_, ms)| *ms);
        page.put(&names::LAST_TOTAL, &[], total / 1e3);
        for (phase, took) in phases(timing) {
            page.put(&names::LAST_PHASE, &[phase], took);
        }
    }
    page.put(&names::RESCUED, &[], measured.tally.rescued_transactions);
}

/// Of what sort a promotion's cause is; the sentence itself has names in it and would make ever new series.
fn cause(sentence: &str) -> &'static str {
    const SORTS: [(&str, &str); 10] = [
        ("no leader is known", "start"),
        ("not heard any more", "leader-lost"),
        ("nothing heard of leader", "leader-lost"),
        ("handover", "handover"),
        ("handing over", "handover"),
        ("hands over", "handover"),
        ("said so", "told"),
        ("found this node ahead", "told"),
        ("mysqld", "mysqld"),
        ("cannot serve any more", "told"),
    ];
    SORTS.iter().find(|(part, _)| sentence.contains(part)).map_or("other", |(_, sort)| sort)
}

/// How long each phase took, seconds. One that came twice is one; a number in a name would make ever new series.
fn phases(timing: &TimingStatus) -> Vec<(&str, f64)> {
    let mut phases: Vec<(&str, f64)> = Vec::new();
    let mut before = 0.0;
    for (name, at_ms) in &timing.phases {
        let name = name.split_ascii_whitespace().next().unwrap_or_default();
        let took = ((at_ms - before) * 1e3).round().max(0.0) / 1e6;
        before = *at_ms;
        match phases.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += took,
            None => phases.push((name, took)),
        }
    }
    phases
}

fn put_jobs(page: &mut Page, tally: &Tally, job: Option<&JobStatus>) {
    const KINDS: [JobKind; 3] = [JobKind::Rebuild, JobKind::Backup, JobKind::Restore];
    const ENDS: [JobState; 3] = [JobState::Done, JobState::Failed, JobState::Cancelled];
    for outcome in ["done", "failed"] {
        page.put(&names::REWINDS, &[outcome], tally.rewinds.get(outcome).copied().unwrap_or(0));
    }
    for kind in KINDS.map(JobKind::word) {
        for outcome in ENDS.map(JobState::word) {
            let count = tally.jobs.get(&(kind, outcome)).copied().unwrap_or(0);
            page.put(&names::JOBS, &[kind, outcome], count);
        }
    }
    let job = job.filter(|job| job.is_active());
    for kind in KINDS {
        page.put(&names::JOB_ACTIVE, &[kind.word()], flag(job.is_some_and(|job| job.kind == kind)));
    }
    page.put_known(&names::JOB_DONE, job.map(|job| job.bytes_done));
    page.put_known(&names::JOB_TOTAL, job.map(|job| job.bytes_total));
    page.put_known(&names::JOB_TRIES, job.map(|job| job.tries));
}

fn put_binlogs(page: &mut Page, status: &NodeStatus) {
    let purge = &status.purge;
    // Nothing is known of them before the first round.
    let known = !purge.oldest.is_empty();
    page.put_known(&names::BINLOG_BYTES, known.then_some(purge.bytes));
    page.put_known(&names::BINLOG_FILES, known.then_some(purge.files));
    page.put(&names::BINLOG_PURGED, &[], purge.purged_files);
    page.put(&names::BINLOG_PURGE, &[], flag(purge.on));
    page.put(&names::BINLOG_HELD, &[], purge.held_by.len());
}

/// Milliseconds as seconds, with three decimals.
fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}
