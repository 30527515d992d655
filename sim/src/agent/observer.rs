//! Looks and probes, as in `crates/agent/src/observer.rs`.

use super::input::Input;
use crate::mysqld::Process;
use crate::world::World;
use crate::world::queue::{Happening, MS, SECOND, Us};
use xenon_plan::health::{Probe, Verdict};

const LOOK_EVERY: Us = SECOND;
const LOOK_DEADLINE: Us = 2 * SECOND;
const PROBE_EVERY: Us = 250 * MS;
const PROBE_DEADLINE: Us = SECOND;
/// What hangs is looked at again after so long.
const AGAIN: Us = 50 * MS;

impl World {
    /// Asks for a look now, or right after the one under way.
    pub(crate) fn poke(&mut self, at: usize) {
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        if agent.looking {
            agent.poked = true;
            return;
        }
        agent.looking = true;
        agent.look_turn += 1;
        let (agent, turn) = (agent.number, agent.look_turn);
        self.plan(0, Happening::Look { at, agent, turn });
    }

    pub(crate) fn on_look(&mut self, at: usize, number: u64, turn: u64) {
        let now = self.now;
        let Some(agent) = self.agent(at, number) else { return };
        if agent.look_turn != turn {
            return;
        }
        if agent.hung {
            return self.plan(AGAIN, Happening::Look { at, agent: number, turn });
        }
        agent.looking = true;
        let delay = self.rng.skewed(MS / 5, 3 * MS);
        self.plan(delay, Happening::LookReads { at, agent: number, began_us: now });
    }

    pub(crate) fn on_look_reads(&mut self, at: usize, number: u64, began_us: Us) {
        if self.agent(at, number).is_none() {
            return;
        }
        let server = &self.nodes[at].mysqld;
        let waits = server.hung && server.process != Process::Down;
        if waits && self.now < began_us + LOOK_DEADLINE {
            return self.plan(AGAIN, Happening::LookReads { at, agent: number, began_us });
        }
        let result = if server.answers() { Ok(Box::new(self.server_state(at))) } else { Err(waits) };
        let delay = self.rng.skewed(MS / 10, 2 * MS);
        self.tell_agent(at, delay, Input::Looked { began_us, result });
        let Some(agent) = self.agent(at, number) else { return };
        agent.looking = false;
        agent.look_turn += 1;
        let turn = agent.look_turn;
        let pause = if std::mem::take(&mut agent.poked) { delay } else { LOOK_EVERY };
        self.plan(pause, Happening::Look { at, agent: number, turn });
    }

    pub(crate) fn on_probe(&mut self, at: usize, number: u64) {
        let began_us = self.now;
        let Some(agent) = self.agent(at, number) else { return };
        let (hung, verdict) = (agent.hung, agent.local.health.verdict());
        self.plan(PROBE_EVERY, Happening::Probe { at, agent: number });
        let server = &self.nodes[at].mysqld;
        if hung || verdict == Verdict::Serving && server.answers() {
            // Nothing new is heard.
            return;
        }
        let delay = match server.hung && server.process != Process::Down {
            true => PROBE_DEADLINE,
            false => self.rng.between(MS / 5, MS),
        };
        self.plan(delay, Happening::ProbeEnds { at, agent: number, began_us });
    }

    pub(crate) fn on_probe_ends(&mut self, at: usize, number: u64, began_us: Us) {
        if self.agent(at, number).is_none() {
            return;
        }
        let server = &self.nodes[at].mysqld;
        let probe = match server.process {
            Process::Running | Process::Ending if server.hung => Probe::TimedOut,
            Process::Running => Probe::Answered,
            _ => Probe::Refused,
        };
        self.tell_agent(at, 0, Input::Probed { began_us, probe });
    }
}
