//! The local process and the service address, as in `crates/agent/src/{mysqld,address}.rs`.

use super::input::Input;
use crate::world::World;
use crate::world::queue::{Happening, MS, SECOND, Us};
use xenon_plan::Address;
use xenon_plan::health::{Probe, Verdict};

/// See AFTER_ELECTION of the agent.
const AFTER_ELECTION: Us = 300 * MS;
/// Pause before a hook that was not done is tried again.
const HOOK_RETRY: Us = 5 * SECOND;
/// An uptime from which the server counts as well again.
const WELL_AFTER: Us = 60 * SECOND;

impl World {
    /// Something reaches this node's agent after `delay`.
    pub(crate) fn tell_agent(&mut self, at: usize, delay: Us, input: Input) {
        let Some(agent) = self.nodes[at].agent.as_ref().map(|agent| agent.number) else { return };
        self.plan(delay, Happening::Input { at, agent, input: Box::new(input) });
    }

    pub(crate) fn start_mysqld(&mut self, at: usize) {
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        agent.local.in_transit = true;
        agent.local.start_at = None;
        let process = self.start_server(at).unwrap_or(self.nodes[at].mysqld.number);
        let delay = self.rng.between(10 * MS, 80 * MS);
        self.tell_agent(at, delay, Input::Started { process });
    }

    pub(crate) fn find_mysqld(&mut self, at: usize) {
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        agent.local.in_transit = true;
        let process = self.nodes[at].mysqld.number;
        let delay = self.rng.between(2 * MS, 20 * MS);
        self.tell_agent(at, delay, Input::Started { process });
    }

    pub(crate) fn on_started(&mut self, at: usize, process: u64) {
        let now = self.now;
        let is_gone = self.nodes[at].mysqld.number != process;
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        agent.replan = true;
        let local = &mut agent.local;
        local.in_transit = false;
        local.mysqld = Some(process);
        local.started = now;
        local.health.on_start();
        local.account_checked = false;
        local.variables = None;
        local.sessions_killed = true;
        local.drain_timed_out = false;
        local.watch.commits = Default::default();
        self.poke(at);
        if is_gone {
            self.tell_agent(at, 0, Input::Exiting { process });
            self.tell_agent(at, 50 * MS, Input::Gone { process });
        }
    }

    /// The process has ended; its agent watches it.
    pub(crate) fn agent_sees_exit(&mut self, at: usize) {
        let process = self.nodes[at].mysqld.number - 1;
        let Some(agent) = self.nodes[at].agent.as_ref() else { return };
        if agent.local.mysqld != Some(process) {
            return;
        }
        let seen = if agent.local.role_is_primary() { 20 * MS } else { 200 * MS };
        let seen = self.rng.between(MS / 2, seen);
        let gone = seen + self.rng.between(10 * MS, 100 * MS);
        self.agent_sees_shutdown(at);
        self.tell_agent(at, seen, Input::Exiting { process });
        self.tell_agent(at, gone, Input::Gone { process });
    }

    /// The watching session has ended, and the probe that follows at once finds nobody.
    pub(crate) fn agent_sees_shutdown(&mut self, at: usize) {
        let delay = self.rng.between(MS, 5 * MS);
        let began_us = self.now;
        self.tell_agent(at, delay, Input::Probed { began_us, probe: Probe::Refused });
    }

    pub(crate) fn on_exiting(&mut self, at: usize, process: u64) {
        let now = self.now;
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        if agent.local.mysqld != Some(process) {
            return;
        }
        agent.replan = true;
        let local = &mut agent.local;
        if local.role_is_primary() {
            local.note_failure(now);
        }
        local.health.on_exit();
        local.watch.commits = Default::default();
        local.mysqld = None;
        local.in_transit = true;
        local.server = None;
        local.changed = now;
        self.poke(at);
    }

    pub(crate) fn on_gone(&mut self, at: usize, _process: u64) {
        let now = self.now;
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        agent.replan = true;
        let local = &mut agent.local;
        local.in_transit = false;
        if now.saturating_sub(local.started) >= WELL_AFTER {
            local.exits = 0;
        }
        local.exits += 1;
        let mut after = match local.exits {
            0 | 1 => 0,
            exits @ 2..=6 => (1 << (exits - 2)) * SECOND,
            _ => 300 * SECOND,
        };
        if local.was_primary {
            after = after.max(AFTER_ELECTION);
        }
        local.start_at = Some(now + after);
    }

    pub(crate) fn kill_mysqld(&mut self, at: usize) {
        let (now, current) = (self.now, self.nodes[at].mysqld.number);
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        agent.local.retry_at = Some(now + SECOND);
        match agent.local.mysqld {
            None => agent.local.drain_timed_out = false,
            Some(process) if process == current => self.end_server(at, "killed by its agent (D3)"),
            Some(_) => {}
        }
    }

    pub(crate) fn on_probed(&mut self, at: usize, began: Us, probe: Probe) {
        let now = self.now;
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        if began < agent.local.started {
            return;
        }
        let before = agent.local.health.verdict();
        agent.local.health.on_probe(probe);
        let verdict = agent.local.health.verdict();
        if before == verdict {
            return;
        }
        agent.replan = true;
        if verdict == Verdict::Hung && agent.local.role_is_primary() {
            agent.local.note_failure(now);
        }
        self.tell(at, "health", || format!("{verdict:?}"));
        if before == Verdict::Starting && verdict == Verdict::Serving {
            self.poke(at);
        }
        self.show_core(at);
    }

    pub(crate) fn move_address(&mut self, at: usize, up: bool) {
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        agent.local.address = Address::Moving;
        agent.replan = true;
        let number = agent.number;
        let delay = self.rng.skewed(2 * MS, 100 * MS);
        let done = !self.rng.percent(2);
        self.plan(delay, Happening::Hook { at, agent: number, up, done });
    }

    /// The hook's program ends, if its agent has not ended before it.
    pub(crate) fn on_hook_ends(&mut self, at: usize, number: u64, up: bool, done: bool) {
        if self.agent(at, number).is_none() {
            return;
        }
        if done {
            self.nodes[at].address_held = up;
            let word = if up { "held here" } else { "not here" };
            self.tell(at, "address", || word.to_owned());
        }
        self.tell_agent(at, MS / 10, Input::Hook { up, done });
    }

    pub(crate) fn on_hook(&mut self, at: usize, up: bool, done: bool) {
        let now = self.now;
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        agent.replan = true;
        agent.local.address_retry = None;
        agent.local.address = match (up, done) {
            (true, true) => Address::Here,
            (false, true) => Address::Away,
            _ => Address::Unknown,
        };
        if !done {
            agent.local.address_retry = Some(now + HOOK_RETRY);
        }
        self.nodes[at].address_note = up && done;
    }
}
