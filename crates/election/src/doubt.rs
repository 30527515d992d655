//! S3: received(n) must not shrink unnoticed. A node that may have lost what it acknowledged votes, but its vote counts
//! only beside every other voter's, until it has caught up with a leader.

use crate::core::{Election, Out, Role};
use crate::effect::Delay;
use crate::event::{LocalView, Replaced, ServerView, Timer};
use crate::ids::Term;
use crate::record::Doubt;
use xenon_gtid::{GtidSet, Uuid};

/// How far a node in doubt has come in catching up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Recovery {
    /// Of the leader that is being caught up with.
    pub(crate) term: Term,
    /// The leader's first look that was heard of: it may be older than the loss.
    pub(crate) first_look: u64,
    /// What must be here: a later look of the leader's. It has all that was ever acknowledged (I2).
    pub(crate) wanted: Option<GtidSet>,
}

impl Election {
    /// S3: relay logs are not synced with every transaction unless a server is told to, so a loss of power may take
    /// back what was acknowledged.
    pub(crate) fn compare_boot(&mut self, boot: Option<String>, out: &mut Out) {
        self.boot = boot;
        if self.boot.is_none() || self.record.boot == self.boot || self.record.config.is_none() {
            return;
        }
        let before = std::mem::replace(&mut self.record.boot, self.boot.clone());
        self.dirty = true;
        if before.is_some() {
            self.doubt("this host was restarted", Doubt::after_reboot, out);
        }
    }

    /// Compares what is seen with what was: called before the old view is forgotten.
    pub(crate) fn doubt_what_shrank(&mut self, view: &LocalView, out: &mut Out) {
        let Some(server) = &view.server else { return };
        if self.record.config.is_none() {
            return;
        }
        if self.record.boot.is_none() && self.boot.is_some() {
            // It has become a member in this boot.
            self.record.boot = self.boot.clone();
            self.dirty = true;
        }
        if server.start.is_some() && server.start != self.record.server_start {
            let before = std::mem::replace(&mut self.record.server_start, server.start.clone());
            self.dirty = true;
            if before.is_some() && server.drops_relay_logs {
                self.doubt(
                    "mysqld was started with relay_log_recovery=ON, which throws away what was received and not applied",
                    Doubt::of_the_end,
                    out,
                );
            }
        }
        let known = self.record.server_uuid.replace(server.server_uuid);
        if known != Some(server.server_uuid) {
            self.dirty = true;
            if known.is_some() {
                self.doubt(
                    "mysqld has another server_uuid: its data folder is another one",
                    Doubt::with_holes,
                    out,
                );
            }
        }
        if let Some((uuid, received)) = &self.last_received {
            let lost = received.subtract(&server.received).subtract(&self.record.errant);
            if *uuid == server.server_uuid && !lost.is_empty() {
                let reason = format!("{} transaction(s) that were received here are gone", lost.count());
                self.doubt(&reason, Doubt::with_holes, out);
            }
        }
        self.remember_received(server);
        if self.record.doubt.as_ref().is_some_and(|doubt| doubt.by_reboot) && server.synced {
            self.trust_again(
                "its server syncs every transaction, so that a restart of the host lost nothing",
                out,
            );
        }
    }

    fn remember_received(&mut self, server: &ServerView) {
        let seen: (Uuid, GtidSet) = (server.server_uuid, server.received.clone());
        if self.last_received.as_ref() != Some(&seen) {
            self.last_received = Some(seen);
        }
    }

    /// W1, W4. What is there afterwards is in order, and may lack the end of what this node had acknowledged.
    pub(crate) fn on_data_replaced(&mut self, by: Replaced, reason: &str, out: &mut Out) {
        if let Role::Leader(_) = self.role {
            // Its server is the primary's, or is about to be: the agent asks for this of a dead follower only.
            return out.trouble("the data of a leader is not replaced");
        }
        // What it stood with, was about to vote with, or was last seen to have is not what it will have: a vote that comes in
        // later must not elect it with a position that its server has no more (I2).
        if let Role::Candidate(_) = self.role {
            self.role = Role::Follower;
            out.arm(Timer::Election, Delay::Election { rank: 1 });
        }
        self.freezing = None;
        self.catching_up = None;
        self.local.server = None;
        self.suspect = None;
        self.look_first = true;
        self.last_received = None;
        self.dirty = true;
        self.record.server_uuid = match by {
            // Any other one that turns up is a surprise as ever.
            Replaced::Rewound { server_uuid } => Some(server_uuid),
            Replaced::Copied => {
                // A copy has no holes, whatever the data before it had.
                self.record.doubt = None;
                None
            }
        };
        self.doubt(reason, Doubt::of_the_end, out);
    }

    fn doubt(&mut self, reason: &str, kind: fn(String) -> Doubt, out: &mut Out) {
        if self.record.config.is_none() || self.record.term == 0 || self.is_witness() {
            return;
        }
        self.recovery = None;
        let mut doubt = kind(reason.to_owned());
        if let Some(before) = &self.record.doubt {
            // The graver one stands.
            doubt.by_reboot &= before.by_reboot;
            doubt.holes |= before.holes;
        }
        if self.record.doubt.as_ref() == Some(&doubt) {
            return;
        }
        out.trouble(format!(
            "{reason}: this node may lack transactions that it has acknowledged, so its vote counts only beside all the \
             others' until it has caught up with a leader (S3)"
        ));
        self.record.doubt = Some(doubt);
        self.dirty = true;
    }

    pub(crate) fn trust_again(&mut self, why: &str, out: &mut Out) {
        if self.record.doubt.take().is_some() {
            self.recovery = None;
            self.dirty = true;
            out.trouble(format!("this node's vote counts again as any other: {why}"));
        }
    }

    /// Called with every heartbeat and every look, once they are in the picture.
    pub(crate) fn recover_from_doubt(&mut self, out: &mut Out) {
        if self.record.doubt.is_none() {
            return;
        }
        let (Some(leader), Some(server)) = (&self.leader, &self.local.server) else { return };
        let (term, look) = (self.record.term, leader.info.look);
        if look == 0 {
            return;
        }
        let recovery = match &mut self.recovery {
            Some(recovery) if recovery.term == term => recovery,
            other => other.insert(Recovery { term, first_look: look, wanted: None }),
        };
        // A look that was under way when this node was asked may have begun before the loss; the one after has not.
        if recovery.wanted.is_none() && look >= recovery.first_look + 2 {
            recovery.wanted = Some(leader.info.received.clone());
        }
        let caught_up = recovery.wanted.as_ref().is_some_and(|wanted| server.received.contains_set(wanted));
        if caught_up {
            self.trust_again("it has caught up with the leader", out);
        }
    }
}

impl Doubt {
    /// Power was lost: the end of the relay log may be gone.
    fn after_reboot(reason: String) -> Doubt {
        Doubt { reason, by_reboot: true, holes: false }
    }

    /// Only the end of what was received is gone: what comes next comes in order again.
    fn of_the_end(reason: String) -> Doubt {
        Doubt { reason, by_reboot: false, holes: false }
    }

    fn with_holes(reason: String) -> Doubt {
        Doubt { reason, by_reboot: false, holes: true }
    }
}
