//! What must always hold, one file per invariant of section 10 of the protocol; and what must be reachable so that
//! the rest means something.

mod i1;
mod i2;
mod i3;
mod i4;
mod i5;
mod i7;
mod orders;

use crate::cluster::{Cluster, Elections};
use crate::state::State;
use stateright::Property;
use xenon_election::State as Shown;

pub(crate) fn all(cluster: &Cluster) -> Vec<Property<Cluster>> {
    let mut properties = vec![
        Property::always("I1", |_, state: &State| i1::holds(state)),
        Property::always("I2", |_, state: &State| i2::holds(state)),
        Property::always("I3", |_, state: &State| i3::holds(state)),
        Property::always("I4", |_, state: &State| i4::holds(state)),
        Property::always("I7", |_, state: &State| i7::holds(state)),
    ];
    // A core that has not looked since does not know.
    if cluster.seats.len() <= 3 || cluster.replies() {
        properties.push(Property::always("F2", |_, state: &State| orders::errant_do_not_follow(state)));
    }
    if cluster.elections == Elections::Timed {
        properties.push(Property::always("I5", |_, state: &State| i5::holds(state)));
    }
    if cluster.bounds.crashes > 0 {
        properties
            .push(Property::always("W1", |_, state: &State| orders::rewinds_drop_no_acknowledged(state)));
    }
    if !cluster.changes.is_empty() {
        properties.push(Property::always("C1 settled", |_, state: &State| {
            orders::changes_follow_settled_configs(state)
        }));
        properties.push(Property::always("C1 carried over", |_, state: &State| {
            orders::nothing_is_left_behind(state)
        }));
    }
    if cluster.bounds.handovers > 0 {
        properties.push(Property::always("T1 set", |_, state: &State| orders::target_has_the_set(state)));
        properties.push(Property::always("T1 undone", |_, state: &State| {
            orders::undone_handovers_leave_it_open(state)
        }));
    }
    if cluster.bounds.depth == 0 {
        properties.extend(reachable(cluster));
    }
    properties
}

/// Asked for where everything within the bounds is searched.
fn reachable(cluster: &Cluster) -> Vec<Property<Cluster>> {
    let mut properties = Vec::new();
    if cluster.bounds.terms >= 2 {
        properties.push(Property::sometimes("a leader of term 2", |_, state: &State| leads(state, 2)));
    }
    if cluster.bounds.terms >= 3 {
        properties.push(Property::sometimes("a leader of term 3", |_, state: &State| leads(state, 3)));
    }
    if cluster.bounds.writes > 0 && cluster.prelude.actions.is_empty() {
        properties.push(Property::sometimes("a write acknowledged in term 1", |_, state: &State| {
            acknowledged_write(state, 1)
        }));
    }
    if cluster.bounds.writes > 1 || cluster.bounds.writes > 0 && cluster.prelude.actions.is_empty() {
        properties.push(Property::sometimes("a write acknowledged in term 2", |_, state: &State| {
            acknowledged_write(state, 2)
        }));
    }
    if !cluster.changes.is_empty() {
        properties.push(Property::sometimes("a settled new config", |_, state: &State| {
            state.history.settled.version > 1
        }));
    }
    if cluster.bounds.rescues > 0 {
        // Voters acknowledge whatever they receive from a source.
        properties.push(Property::sometimes("a leader with a rescued transaction", |_, state: &State| {
            state.nodes.iter().any(|node| node.leads() && !node.mysqld.silent.is_empty())
        }));
    }
    if cluster.bounds.crashes > 0 && cluster.bounds.writes > 0 && cluster.bounds.rescues == 0 {
        properties.push(Property::sometimes("a rewound server", |_, state: &State| {
            state.nodes.iter().any(|node| node.mysqld.uuid.generation > 0)
        }));
    }
    if cluster.bounds.crashes > 0 && cluster.bounds.writes > 0 && cluster.bounds.beats > 2 {
        properties.push(Property::sometimes("an errant node found", |_, state: &State| {
            state.nodes.iter().any(|node| node.core.state() == Shown::Invalid)
        }));
    }
    if cluster.bounds.handovers > 0 {
        properties.push(Property::sometimes("a handover to its end", |_, state: &State| {
            state.history.target_stood && leads(state, 2)
        }));
    }
    properties
}

fn leads(state: &State, term: u64) -> bool {
    state.history.leaders.contains_key(&term)
}

fn acknowledged_write(state: &State, term: u64) -> bool {
    state.history.acknowledged.iter().any(|(of, item)| *of == term && state.history.written.contains(item))
}
