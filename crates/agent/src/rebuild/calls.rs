//! What operators and other agents ask about rebuilds.

use super::check::{CheckOrder, Refused, check};
use super::{Job, What, journal_of};
use crate::agent::Agent;
use crate::donation::way_of;
use crate::hands;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;
use xenon_api::{EventKind, RebuildOptions, Refusal, Reply, Response};
use xenon_election::State;
use xenon_plan::rebuild::{Ended, Journal, Need, Phase, Recipient};

/// What the check refuses is checked again so often, and so long.
const CHECK_AGAIN: Duration = Duration::from_secs(2);
/// A node that was to be rebuilt must follow for so long before that is given up.
const WELL_FOR: Duration = Duration::from_secs(1);
const CHECKS_FOR: Duration = Duration::from_secs(60);
/// An agent that has just started does not know yet what its server is like.
const JUST_STARTED: Duration = Duration::from_secs(20);

pub(super) fn no(what: impl Into<String>, cure: impl Into<String>) -> Reply {
    Reply::Refused(Refusal { what: what.into(), cure: cure.into(), ask: None })
}

impl Agent {
    /// The answer comes when the check has ended.
    pub(crate) fn on_rebuild_call(
        &mut self,
        options: RebuildOptions,
        who: &str,
        reply: oneshot::Sender<Reply>,
    ) {
        if let Some(refusal) = self.cannot_rebuild() {
            let _ = reply.send(refusal);
            return;
        }
        if options.dry_run {
            let order = CheckOrder {
                wanted: options.method.map(way_of),
                ..self.check_order(options.from.as_ref().map(ToString::to_string), options.force, true)
            };
            tokio::spawn(async move {
                let answer = match check(order).await {
                    Ok(checked) => Reply::Ok(Response::Done { message: dry_run(&checked) }),
                    Err(refused) => no(refused.what, refused.cure),
                };
                let _ = reply.send(answer);
            });
            return;
        }
        let mut journal = journal_of(who.to_owned(), "an operator asked for it".to_owned(), false);
        journal.from = options.from.as_ref().map(ToString::to_string);
        journal.wanted = options.method.map(way_of);
        journal.throttle_mib_s = options.throttle_mib_s;
        journal.force = options.force;
        let mut job = Job::new(journal, hands::Places::default());
        job.reply = Some(reply);
        self.rebuild.job = Some(job);
    }

    fn cannot_rebuild(&self) -> Option<Reply> {
        if self.config.raft.witness {
            return Some(no("this node is a witness: it has no data", "name a node with data"));
        }
        if self.leads() {
            return Some(no(
                "this node leads, and a leader is never rebuilt: its data is what all others follow",
                "hand over first, on another node: xenoncli raft trytoleader",
            ));
        }
        if self.core.record().config.is_none() {
            return Some(no("this node belongs to no cluster", "take it in first: xenoncli cluster add"));
        }
        if self.core.state() == State::Stopped {
            return Some(no(
                "this node takes no part in the cluster (STOPPED)",
                "xenoncli raft enable, or take it in: xenoncli cluster add",
            ));
        }
        if let Some(refused) = self.other_job() {
            return Some(refused);
        }
        if let Some(phase) = self.rebuild.phase() {
            return Some(no(
                format!("this node is being rebuilt already (phase {phase})"),
                "look at it with xenoncli cluster status, or end it: xenoncli mysql cancelrebuild",
            ));
        }
        if self.local.mysqld.is_none() && self.local.server.is_some() {
            return Some(no(
                "mysqld answers, but its process is not known to the agent, so it could not be ended",
                "run the agent on mysqld's host, as mysqld's user or root",
            ));
        }
        None
    }

    pub(crate) fn cancel_rebuild(&mut self) -> Reply {
        let Some(job) = self.rebuild.job.as_mut().filter(|job| job.is_active()) else {
            return no("no rebuild or restore goes on here", "nothing to cancel");
        };
        let phase = job.journal.phase;
        if !phase.may_be_cancelled() {
            let what = format!(
                "the {} is at \"{phase}\": the copy is proved, and this node's data is being replaced by it",
                job.journal.word()
            );
            return no(what, "wait until it is done; the old data is kept until then");
        }
        if let Some(work) = job.work.take() {
            work.task.abort();
        }
        job.journal.ended = Some(Ended::Cancelled);
        job.cancelled_by_hand = true;
        let text = format!(
            "the {} was cancelled at \"{phase}\"; this node's own data is untouched",
            job.journal.word()
        );
        job.line(text.clone());
        if let Some(reply) = job.reply.take() {
            let _ = reply.send(no("the rebuild was cancelled", "begin it again: xenoncli mysql rebuildme"));
        }
        self.events.push(EventKind::Job, text.clone());
        self.end_turn_if_over();
        self.end_copy();
        Reply::Ok(Response::Done { message: text })
    }

    /// Ends the copy in the server, and removes what is there of it.
    fn end_copy(&mut self) {
        let order = self.copy_order();
        let Some(job) = &self.rebuild.job else { return };
        let kept = super::journal::Kept { journal: job.journal.clone(), places: job.places.clone() };
        let file = self.rebuild.file.clone();
        self.work(|_| async move {
            // Of the copying only the half copy is left to worry about; the next one removes it, too.
            if let Err(error) = hands::give_up(&order).await {
                tracing::warn!(error, "what was copied is still there");
            }
            What::Noted(super::journal::save(&file, kept).await)
        });
    }

    pub(super) fn check_for_rebuild(&mut self) {
        if self.leads() {
            return self.on_check_refused(Refused {
                what: "this node leads now, and a leader is not rebuilt".to_owned(),
                cure: "hand over first".to_owned(),
            });
        }
        if self.rebuild.job.as_ref().is_some_and(|job| job.journal.automatic) && !self.still_needed() {
            return;
        }
        let Some(job) = &self.rebuild.job else { return };
        if let Some(backup) = job.journal.backup.clone() {
            let (order, force) = (self.copy_order(), job.journal.force);
            return self.work(|_| async move {
                What::Checked(Box::new(super::restore::check(&order, backup.as_ref(), force).await))
            });
        }
        let order = self.check_order(job.journal.from.clone(), job.journal.force, false);
        self.work(|_| async move { What::Checked(Box::new(check(order).await)) });
    }

    /// A rebuild of this agent's own idea is begun only while there is a reason: an operator may have brought the data back
    /// while the agent was down.
    fn still_needed(&mut self) -> bool {
        if !self.follows_well() {
            if let Some(job) = &mut self.rebuild.job {
                job.well_since = None;
            }
            // What its server is like may not be known yet.
            let folder = &self.watch.faults.folder;
            let need = Need::of(folder, self.local.server.as_ref(), &self.core.record().errant);
            return need.is_some() || self.began.elapsed() > JUST_STARTED;
        }
        if let Some(job) = &mut self.rebuild.job {
            // A receiver that was just started again has not yet heard that what it lacks is purged.
            let now = Instant::now();
            if now - *job.well_since.get_or_insert(now) < WELL_FOR {
                job.again = Some(now + CHECK_AGAIN);
                return false;
            }
            job.journal.ended = Some(Ended::Cancelled);
            let text =
                "no rebuild is needed any more: this node has its data, and nothing that the leader lacks"
                    .to_owned();
            job.line(text.clone());
            self.events.push(EventKind::Job, text);
        }
        self.end_turn_if_over();
        self.end_copy();
        false
    }

    /// To an operator who waits it is the answer; what was begun before, or by the agent itself, is tried again.
    pub(super) fn on_check_refused(&mut self, refused: Refused) {
        let Some(job) = &mut self.rebuild.job else { return };
        let Refused { what, cure } = refused;
        if let Some(reply) = job.reply.take() {
            self.events.push(EventKind::Trouble, format!("no rebuild: {what}"));
            let _ = reply.send(no(what, cure));
            // Nothing was begun, so nothing has failed.
            self.rebuild.job = None;
            return;
        }
        if job.journal.automatic && job.journal.tries == 0 {
            // Nothing was begun: it waits until the cluster allows it, and says why it does not.
            self.rebuild.auto.refused(what);
            self.rebuild.job = None;
            return;
        }
        // After a restart no leader may be heard yet, and members change: a no costs a try only when it lasts.
        let since = *job.checks_since.get_or_insert_with(Instant::now);
        if since.elapsed() < CHECKS_FOR {
            job.again = Some(Instant::now() + CHECK_AGAIN);
            return;
        }
        job.checks_since = None;
        job.journal.tries += 1;
        self.attempt_failed(&what, true);
    }

    pub(super) fn check_order(&self, from: Option<String>, force: bool, dry_run: bool) -> CheckOrder {
        let me = self.core.id().clone();
        let record = self.core.record();
        let config = record.config.as_ref();
        let others = config.map_or_else(Vec::new, |config| {
            let with_data = config.members.iter().filter(|(id, member)| **id != me && !member.witness);
            with_data.map(|(id, _)| (id.clone(), config.is_voter(id))).collect()
        });
        let lost = self.watch.faults.folder.is_lost();
        let server = self.local.server.as_ref();
        let received = server.filter(|_| !lost).map(|server| server.received().subtract(&record.errant));
        CheckOrder {
            client: self.client.clone(),
            leader: self.core.leader().cloned(),
            is_voter: config.is_some_and(|config| config.is_voter(&me)),
            paused: self.core.is_paused(),
            recipient: Recipient {
                id: me.to_string(),
                received: received.unwrap_or_default(),
                version: server.map(|server| server.version.clone()).unwrap_or_default(),
            },
            me,
            others,
            from,
            force,
            dry_run,
            automatic: self.rebuild.job.as_ref().is_some_and(|job| job.is_active() && job.journal.automatic),
            mysqld: crate::mysqld::options(&self.config),
            wanted: self.rebuild.job.as_ref().and_then(|job| job.journal.wanted),
            bindir: self.config.backup.xtrabackup_bindir.clone(),
        }
    }

    /// What the hands need to know.
    pub(super) fn copy_order(&self) -> hands::Order {
        let empty = (Journal::default(), hands::Places::default());
        let (journal, places) =
            self.rebuild.job.as_ref().map_or((&empty.0, &empty.1), |job| (&job.journal, &job.places));
        let donor = journal.donor.as_ref();
        hands::Order {
            mysqld: crate::mysqld::options(&self.config),
            door: self.means.door.clone(),
            host: donor.map(|donor| donor.host.clone()).unwrap_or_default(),
            port: donor.map(|donor| donor.port).unwrap_or_default(),
            user: self.means.replication_user.clone(),
            password: self.means.replication_password.clone(),
            require_tls: self.means.replication_ssl,
            throttle_mib_s: journal.throttle_mib_s.unwrap_or(0),
            places: places.clone(),
            stamp: format!("{}-{}", journal.started_unix_ms, journal.tries),
            stream: self.stream_order(journal),
            // W4: what an operator put a backup over may be the only copy of something.
            keep_old: !journal.errant.is_empty() || journal.backup.is_some() && journal.force,
            dropped: self.dropped_by(journal),
        }
    }

    /// W3. `None` of a restore over data by force: there all of it is an operator's to judge.
    fn dropped_by(&self, journal: &Journal) -> Option<hands::Dropped> {
        let server = self.local.server.as_ref()?;
        (!journal.errant.is_empty() && journal.backup.is_none()).then(|| hands::Dropped {
            meta_dir: self.config.raft.meta_datadir.clone(),
            errant: journal.errant.clone(),
            known: server.executed.clone(),
            node: self.core.id().to_string(),
            why: format!(
                "This node was built anew from {}, and the leader had none of them",
                self.donor_name()
            ),
        })
    }
}

fn dry_run(checked: &super::Checked) -> String {
    let mut text = format!("this node would be rebuilt from {}:\n", checked.donor.id);
    for line in &checked.lines {
        text.push_str(&format!("  {line}\n"));
    }
    text.push_str(&format!(
        "  then: copy beside the data folder; look whether it is whole; end mysqld; old data aside, copy in place; start; \
         follow; remove the old data\nnothing was changed (phases: {} … {})",
        Phase::Check,
        Phase::Clean
    ));
    text
}
