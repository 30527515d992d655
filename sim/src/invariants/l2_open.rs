//! L2 and L4: a client is let in only where the marker of the server's term is acknowledged, and commits wait.

use crate::schedule::Fault;
use crate::world::World;
use crate::world::operator::MARKERS;
use xenon_gtid::Gtid;

impl World {
    /// A client's write is let in.
    pub(crate) fn check_open(&mut self, at: usize) {
        self.check_address();
        let node = &self.nodes[at];
        let server = &node.mysqld;
        let marked = server.executed.contains(&Gtid::untagged(MARKERS, server.term));
        // One voter alone, or one of two (C5), need not wait; and with changes of members that may be anybody's case.
        let changes = self
            .schedule
            .entries
            .iter()
            .any(|entry| matches!(entry.fault, Fault::Remove { .. } | Fault::Add { .. }));
        let waits = server.source_on || changes || self.schedule.nodes < 3 || self.schedule.witness;
        let problem = match (server.term, marked, waits) {
            (0, ..) => "it never wrote a marker",
            (_, false, _) => "its term's marker is not acknowledged",
            (_, _, false) => "its commits wait for nobody",
            _ => return,
        };
        let sentence = format!("{} lets a client write, but {problem}", node.id);
        self.history.broken("L2", sentence);
    }
}
