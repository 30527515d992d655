//! W4, the side of the donor: this node's data as a stream for a node that is built anew.

use crate::agent::Agent;
use crate::hands;
use crate::input::Input;
use crate::rebuild::bytes;
use std::path::PathBuf;
use xenon_api::{EventKind, Method};
use xenon_channel::{StreamedAnswer, stream};
use xenon_election::NodeId;
use xenon_plan::health::Verdict;
use xenon_plan::rebuild::Way;

/// A copy was given to `to`, or why not.
pub(crate) struct Given {
    pub(crate) to: NodeId,
    pub(crate) result: Result<u64, String>,
}

/// The same thing in the words of the plan.
pub(crate) fn way_of(method: Method) -> Way {
    match method {
        Method::Clone => Way::Clone,
        Method::Xtrabackup => Way::Xtrabackup,
        Method::Mariabackup => Way::Mariabackup,
    }
}

/// And in those of the agents' talk.
pub(crate) fn method_of(way: Way) -> Method {
    match way {
        Way::Clone => Method::Clone,
        Way::Xtrabackup => Method::Xtrabackup,
        Way::Mariabackup => Method::Mariabackup,
    }
}

impl Agent {
    /// Begins to give; one at a time, since each reads all data of the disk that clients wait for.
    pub(crate) fn give_copy(
        &mut self,
        to: &NodeId,
        method: Method,
        throttle_mib_s: u32,
    ) -> Result<StreamedAnswer, String> {
        let Some(tool) = hands::tool_of(way_of(method)) else {
            return Err("CLONE is between the servers, and no stream of the agents".to_owned());
        };
        if let Some(phase) = self.rebuild.phase() {
            return Err(format!("the server here is being rebuilt itself (phase {phase})"));
        }
        if self.backups.is_active() {
            return Err("a backup is being made here; wait for it".to_owned());
        }
        let server = self.local.server.as_ref().filter(|_| self.local.health.verdict() == Verdict::Serving);
        let Some(server) = server else { return Err("mysqld here does not serve".to_owned()) };
        let Ok(turn) = self.donations.clone().try_acquire_owned() else {
            return Err("it gives a copy to another node now; one at a time".to_owned());
        };
        let backup = &self.config.backup;
        let order = hands::GiveOrder {
            door: self.means.door.clone(),
            defaults_file: crate::mysqld::options(&self.config).defaults_file,
            data_dir: PathBuf::from(&server.data_dir),
            parent: self.config.raft.meta_datadir.clone(),
            parallel: backup.backup_parallel,
            iops: backup.backup_iops_limits,
            throttle_mib_s,
        };
        let bindir = backup.xtrabackup_bindir.clone();
        let (pen, answer) = stream();
        let text = format!("{to} asks for a copy of the data here, by {}: it is being given", method.word());
        self.events.push(EventKind::Job, text);
        let (to, inputs) = (to.clone(), self.inputs_for_task());
        tokio::spawn(async move {
            let result = hands::give(order, tool, bindir, pen).await;
            drop(turn);
            // The loop is gone only when the agent ends.
            let _ = inputs.send(Input::Given(Given { to, result })).await;
        });
        Ok(answer)
    }

    pub(crate) fn on_given(&mut self, given: Given) {
        let Given { to, result } = given;
        match result {
            Ok(count) => {
                self.events.push(
                    EventKind::Job,
                    format!("{to} was given a copy of the data here, {}", bytes(count)),
                );
            }
            Err(why) => {
                self.events
                    .push(EventKind::Trouble, format!("{to} was not given a copy of the data here: {why}"));
            }
        }
    }
}
