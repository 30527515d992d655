//! A restore: a rebuild whose data comes from a backup. The same phases, the same journal, the same way back.

use super::calls::no;
use super::check::{Checked, Refused};
use super::{Job, journal_of};
use crate::agent::Agent;
use crate::hands;
use std::path::Path;
use tokio::sync::oneshot;
use xenon_api::{Reply, RestoreOptions};
use xenon_plan::rebuild::{Donor, Way};

impl Agent {
    /// The answer comes when the check has ended.
    pub(crate) fn on_restore_call(
        &mut self,
        options: RestoreOptions,
        who: &str,
        reply: oneshot::Sender<Reply>,
    ) {
        if let Some(refusal) = self.cannot_restore() {
            let _ = reply.send(refusal);
            return;
        }
        let mut journal = journal_of(who.to_owned(), "an operator asked for it".to_owned(), false);
        journal.backup = Some(options.from);
        journal.force = options.force;
        let mut job = Job::new(journal, hands::Places::default());
        job.reply = Some(reply);
        self.rebuild.job = Some(job);
    }

    fn cannot_restore(&self) -> Option<Reply> {
        if self.config.raft.witness {
            return Some(no("this node is a witness: it has no data", "name a node with data"));
        }
        if self.leads() {
            return Some(no(
                "this node leads, and a backup is never put in the place of a leader's data: all others follow it",
                "restore on a fresh node; or hand over first, on another node: xenoncli raft trytoleader",
            ));
        }
        if let Some(refused) = self.other_job() {
            return Some(refused);
        }
        if self.local.mysqld.is_none() && self.local.server.is_some() {
            return Some(no(
                "mysqld answers, but its process is not known to the agent, so it could not be ended",
                "run the agent on mysqld's host, as mysqld's user or root",
            ));
        }
        None
    }
}

/// All that can be told before it begins. Nothing is changed by it.
pub(super) async fn check(order: &hands::Order, backup: &Path, force: bool) -> Result<Checked, Refused> {
    let refused = |what: String, cure: &str| Err(Refused { what, cure: cure.to_owned() });
    let facts = match hands::backup_facts(order, backup).await {
        Ok(facts) => facts,
        Err(why) => return refused(why, "name a complete backup that suits this server"),
    };
    if let Some(data) = facts.own_data.filter(|_| !force) {
        return refused(
            format!("this node has data of its own: {data}"),
            "restore on a fresh node; or, if it is to be replaced: --force (it is moved aside and kept)",
        );
    }
    if facts.free_bytes < facts.wanted_bytes {
        return refused(
            format!(
                "{} MiB are wanted beside the data folder, and {} MiB are free",
                facts.wanted_bytes >> 20,
                facts.free_bytes >> 20
            ),
            "make room on that disk",
        );
    }
    let lines = vec![facts.line];
    let donor = Donor {
        id: format!("the backup {}", backup.display()),
        host: String::new(),
        port: 0,
        data_bytes: facts.data_bytes,
        executed: facts.executed,
    };
    Ok(Checked { donor, way: Way::Clone, lines })
}
