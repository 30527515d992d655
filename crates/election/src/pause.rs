//! T4: pause, and what an operator sets at run time.

use crate::core::{Election, Out, Role};
use crate::effect::Delay;
use crate::event::Timer;
use crate::group::Rejoin;
use crate::ids::NodeId;

impl Election {
    /// T4: the config says that nobody stands.
    pub fn is_paused(&self) -> bool {
        self.config().is_some_and(|config| config.paused) && !self.resumed_here
    }

    pub(crate) fn pause(&mut self, out: &mut Out) {
        self.set_paused(true, out);
    }

    pub(crate) fn resume(&mut self, out: &mut Out) {
        if self.leader().is_none() && self.config().is_some_and(|config| config.paused) {
            // Nobody is there to change the config of all. The pause only says who stands, never who votes, so one node
            // that stands is enough; leading, it ends the pause for all.
            self.resumed_here = true;
            out.trouble(
                "the pause is ended on this node by an operator: it may stand although no leader ended it",
            );
            return out
                .answer("no leader is heard: this node may stand, and ends the pause for all once it leads");
        }
        self.set_paused(false, out);
    }

    fn set_paused(&mut self, paused: bool, out: &mut Out) {
        let Some(mut next) = self.record.config.clone() else {
            return out.refuse("this node belongs to no cluster", "form one: xenoncli cluster add");
        };
        let (done, what) = if paused {
            ("paused: nobody stands and nobody steps down for a lost lease", "paused by an operator")
        } else {
            ("resumed: elections are held again", "resumed by an operator")
        };
        if let Err((what, cure)) = self.may_change_config() {
            return out.refuse(what, cure);
        }
        if next.paused == paused {
            return out.answer(if paused { "paused already" } else { "not paused" });
        }
        next.paused = paused;
        self.change_config(next, what, out);
        if let Role::Leader(leader) = &self.role
            && !paused
        {
            // L1 holds again; it may have run out long ago.
            out.arm(Timer::Lease, Delay::LeaseFrom { round: leader.round });
        }
        out.answer(done);
    }

    /// W4: kept in the config, so that it holds on every node and outlives leaders and restarts.
    pub(crate) fn set_rejoin(&mut self, rejoin: Rejoin, out: &mut Out) {
        let Some(mut next) = self.record.config.clone() else {
            return out.refuse("this node belongs to no cluster", "form one: xenoncli cluster add");
        };
        if let Err((what, cure)) = self.may_change_config() {
            return out.refuse(what, cure);
        }
        let what = match rejoin {
            Rejoin::Auto => "a node that cannot come back as it is, is rebuilt by its agent (rejoin: auto)",
            Rejoin::Ask => "a node that cannot come back as it is, waits for an operator (rejoin: ask)",
        };
        if next.rejoin != rejoin {
            next.rejoin = rejoin;
            self.change_config(next, what, out);
        }
        out.answer(what);
    }

    /// V8, at run time: kept in the config, so that it outlives leaders and restarts.
    pub(crate) fn prefer(&mut self, node: &NodeId, priority: Option<u32>, out: &mut Out) {
        let Some(mut next) = self.record.config.clone() else {
            return out.refuse("this node belongs to no cluster", "form one: xenoncli cluster add");
        };
        let Some(member) = next.members.get_mut(node) else {
            return out.refuse(format!("{node} is no member"), "name one of: xenoncli raft nodes");
        };
        if let Some(priority) = priority.filter(|_| member.witness) {
            return out.refuse(
                format!("{node} is a witness: it never leads, whatever its priority ({priority})"),
                "name a node with data",
            );
        }
        member.pinned = priority.is_some();
        if let Some(priority) = priority {
            member.priority = priority;
        }
        let others_lead = next.members.values().any(|member| member.priority > 0 && !member.witness);
        if !others_lead {
            return out.refuse("no member could lead any more", "give another node a priority above 0 first");
        }
        if let Err((what, cure)) = self.may_change_config() {
            return out.refuse(what, cure);
        }
        let what = match priority {
            Some(0) => format!("{node} never leads from now on, as an operator said"),
            Some(priority) => format!("{node} has priority {priority} now, as an operator said"),
            None => format!("{node} has the priority of its own config file again"),
        };
        if Some(&next) != self.record.config.as_ref() {
            self.change_config(next, &what, out);
        }
        out.answer(what);
    }
}
