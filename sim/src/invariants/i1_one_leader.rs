//! I1: at most one leader per term.

use crate::world::World;
use xenon_election::State;

impl World {
    /// Looks after every turn of an agent whether it has just begun to lead.
    pub(crate) fn note_leadership(&mut self, at: usize) {
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        let leads = agent.core.state() == State::Leader;
        if leads == agent.led {
            return;
        }
        agent.led = leads;
        if leads {
            self.on_elected(at);
        }
    }

    fn on_elected(&mut self, at: usize) {
        let Some(agent) = self.nodes[at].agent.as_ref() else { return };
        let term = agent.core.record().term;
        self.tell(at, "leader", || format!("leads in term {term}"));
        match self.history.leaders.get(&term) {
            // Taken up again (T3): the same leader, elected once.
            Some((other, _)) if *other == at => {}
            Some((other, _)) => {
                let (other, me) = (self.nodes[*other].id.clone(), self.nodes[at].id.clone());
                self.history.broken("I1", format!("both {other} and {me} lead in term {term}"));
            }
            None => {
                let received = self.nodes[at].mysqld.on_disk();
                self.check_config_of_winner(at);
                self.check_winner_has_all(at, term, &received);
                self.history.leaders.insert(term, (at, received));
            }
        }
    }
}
