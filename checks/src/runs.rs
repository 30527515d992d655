//! The runs of the real rules.

use crate::cluster::{Change, Cluster, Elections};
use crate::finding::Run;
use crate::model::Action;
use std::time::Duration;

/// How much a search may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// What `make test` can afford.
    Test,
    /// `make model`.
    Usual,
    /// `make model ARGS=--deep`: what goes beyond the usual, half an hour a run at most.
    Deep,
}

/// The runs.
pub fn runs(effort: Effort) -> Vec<Run> {
    let (limit, runs) = match effort {
        Effort::Test => (80, test()),
        Effort::Usual => (200, usual()),
        Effort::Deep => (1800, deep()),
    };
    let limit = Duration::from_secs(limit);
    runs.into_iter().map(|(name, cluster)| Run { name, cluster, breaks: None, limit }).collect()
}

type Named = (&'static str, Cluster);

fn three() -> Cluster {
    Cluster::of_voters(3)
}

/// C5: the primary of a pair has acknowledged a write alone, for its replica was down, and then died.
pub(crate) fn alone_with_a_tail() -> Cluster {
    let degraded = vec![
        Action::Crash(1),
        Action::Write(0),
        Action::Acknowledge(0),
        Action::Recover(1),
        Action::Crash(0),
    ];
    Cluster::of_voters(2).writes(1).crashes(2).after(degraded)
}

/// A primary of three died with a tail that nobody else has.
fn lost_tail_of_three() -> Cluster {
    three().writes(1).crashes(1).after(vec![Action::Write(0), Action::Crash(0)])
}

fn test() -> Vec<Named> {
    vec![
        ("elections and writes", three().writes(1).slow().only_stands(&[1])),
        ("an agent crashes", three().restarts(1).once().only_stands(&[1])),
        ("a message arrives twice", three().writes(1).repeats(1)),
        ("with pre-votes", three().writes(1).elections(Elections::PreVotes).only_stands(&[0, 1])),
        ("with leases", three().beats(1).once().elections(Elections::Timed).only_stands(&[1])),
        ("a config change", three().changes(&[Change::Remove(2)]).once()),
        ("a server crashes", three().writes(1).crashes(1).only_stands(&[1])),
        ("a host loses power", three().writes(1).power_losses(1).only_stands(&[1, 2])),
        ("two voters", Cluster::of_voters(2).writes(1).restarts(1).once()),
        ("a handover", three().writes(1).handovers(1).once().only_stands(&[1])),
        ("a handover, prepared", three().writes(1).handover_prepared().once().only_stands(&[1])),
        ("a rescue", alone_with_a_tail().terms(3).rescues(1).once()),
    ]
}

fn usual() -> Vec<Named> {
    let remove = &[Change::Remove(2)];
    let out_and_in = &[Change::Remove(2), Change::Add(2)];
    let lost_tail = || vec![Action::Write(0), Action::Crash(0), Action::StandNow(1)];
    let growing = Cluster::of_voters(2).and(None).writes(1).changes(&[Change::Add(2)]).once();
    let crashed = |writes| three().writes(writes).crashes(1).once().after_all_of(lost_tail());
    vec![
        ("elections and writes", three().writes(2).slow()),
        ("three terms", three().terms(3).writes(2)),
        ("an agent crashes", three().writes(1).restarts(1).once()),
        ("a message arrives twice", three().writes(1).repeats(1)),
        ("with pre-votes", three().writes(1).elections(Elections::PreVotes)),
        (
            "with leases, an agent crashes",
            three().restarts(1).once().elections(Elections::Timed).only_stands(&[1]),
        ),
        ("with leases", three().beats(1).once().elections(Elections::Timed).only_stands(&[1])),
        ("a config change", three().writes(1).changes(remove).once()),
        ("overtaken news", three().changes(remove).overtaking().once()),
        ("two voters leave", three().beats(2).changes(&[Change::RemoveBoth(2, 1)]).once().only_stands(&[1])),
        ("a voter leaves and comes back", three().beats(1).changes(out_and_in).once().only_stands(&[1])),
        ("a server crashes", three().writes(2).crashes(1)),
        ("an errant node", crashed(1).beats(3)),
        ("a rewound server leads", crashed(2).terms(3)),
        ("a handover", three().writes(1).handovers(1).once()),
        ("a handover, prepared", three().writes(1).handover_prepared().once()),
        (
            "a prepared handover, a server crashes",
            three().writes(1).handover_prepared().crashes(1).once().only_stands(&[1]),
        ),
        ("a handover of two", Cluster::of_voters(2).writes(1).handover_prepared().once()),
        ("a handover of five", Cluster::of_voters(5).writes(1).handover_prepared().once().only_stands(&[1])),
        ("a handover, a server crashes", three().writes(1).handovers(1).crashes(1).once().only_stands(&[1])),
        ("a handover and a config change", three().handovers(1).changes(remove).once().only_stands(&[1])),
        ("a host loses power", three().writes(1).power_losses(1)),
        ("two voters", Cluster::of_voters(2).writes(2).restarts(1).once()),
        ("two voters, and a third", growing.beats(2).only_stands(&[1])),
        ("five voters", Cluster::of_voters(5).writes(1).only_stands(&[1]).once()),
        ("two voters, rescues", alone_with_a_tail().terms(4).rescues(2).restarts(1).once()),
        ("three voters, a rescue", lost_tail_of_three().terms(3).rescues(1).once().only_stands(&[1])),
    ]
}

fn deep() -> Vec<Named> {
    let remove = &[Change::Remove(2)];
    let both = &[Change::RemoveBoth(2, 1)];
    let pre_votes = Elections::PreVotes;
    vec![
        ("three terms, an agent crashes", three().terms(3).restarts(1).once()),
        ("a slow message twice", three().writes(1).repeats(1).slow()),
        ("pre-votes, an agent crashes", three().restarts(1).elections(pre_votes).only_stands(&[1]).once()),
        ("leases of all", three().beats(1).once().elections(Elections::Timed)),
        ("overtaken news for all", three().changes(remove).overtaking().only_stands(&[1])),
        ("two voters leave, and a write", three().writes(1).beats(1).changes(both).once().only_stands(&[1])),
        ("two crashes", three().writes(2).crashes(2).once()),
        ("a handover, a crash, and all stand", three().writes(1).handovers(1).crashes(1).once()),
        (
            "handover, config change and write",
            three().writes(1).handovers(1).changes(remove).once().only_stands(&[1]),
        ),
        ("five voters, two stand", Cluster::of_voters(5).writes(1).only_stands(&[1, 2]).once()),
    ]
}
