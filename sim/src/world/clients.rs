//! Applications: each writes one transaction after another, wherever it is let in, and remembers what was told OK.

use super::World;
use super::queue::{Happening, MS, SECOND, Us};
use crate::mysqld::Tx;
use crate::mysqld::commit::Write;

/// How long a client waits for its OK before it goes elsewhere; the commit knows nothing of it.
const PATIENCE: Us = 4 * SECOND;

/// One application session.
#[derive(Debug, Default)]
pub(crate) struct Client {
    /// Counts its attempts; the outcome of an older one is void.
    turn: u64,
    waiting: bool,
}

impl World {
    pub(crate) fn on_client(&mut self, client: usize, turn: u64) {
        if self.clients[client].turn != turn || self.healed.is_some_and(|at| self.now > at + 2 * SECOND) {
            return;
        }
        let turn = turn + 1;
        self.clients[client] = Client { turn, waiting: true };
        let Some(at) = self.where_to() else { return self.next_turn(client, 50 * MS) };
        match self.write(at, client, turn) {
            Write::Refused => self.next_turn(client, 30 * MS),
            Write::UnderWay if !self.clients[client].waiting => {}
            Write::Silence | Write::UnderWay => {
                self.plan(PATIENCE, Happening::Client { client, turn });
            }
        }
    }

    /// Mostly by the address; now and then straight to some node, as one does who knows no address.
    fn where_to(&mut self) -> Option<usize> {
        if self.rng.percent(30) {
            let at = self.rng.index(self.nodes.len());
            return Some(at).filter(|at| self.nodes[*at].host_up);
        }
        let holders: Vec<usize> = (0..self.nodes.len())
            .filter(|at| self.nodes[*at].address_held && self.nodes[*at].host_up)
            .collect();
        holders.get(self.rng.index(holders.len())).copied()
    }

    fn next_turn(&mut self, client: usize, pause: Us) {
        let state = &mut self.clients[client];
        state.waiting = false;
        let turn = state.turn;
        let pause = self.rng.between(pause / 2, pause * 3);
        self.plan(pause, Happening::Client { client, turn });
    }

    /// A commit was told OK. From now on it must never be lost, whether its client still listens or not.
    pub(crate) fn told_ok(&mut self, at: usize, client: usize, turn: u64, tx: &Tx) {
        self.check_ok(at, tx);
        if self.clients[client].turn == turn && self.clients[client].waiting {
            self.next_turn(client, 60 * MS);
        }
    }

    /// Its connection has ended: what has become of the commit is unknown.
    pub(crate) fn client_lost(&mut self, client: usize, turn: u64) {
        if self.clients[client].turn == turn && self.clients[client].waiting {
            self.next_turn(client, 30 * MS);
        }
    }
}
