//! One run, from a schedule to its outcome.

use crate::invariants::Violation;
use crate::log::Log;
use crate::mutants::Mutant;
use crate::schedule::{Schedule, generate};
use crate::world::Setup;
use crate::world::World;
use crate::world::queue::SECOND;
use xenon_election::{Rule, Rules};

/// What a run is checked with: the real cores, or one with a planted mistake.
#[derive(Debug, Clone, Copy)]
pub struct Subject {
    pub(crate) rules: Rules,
    pub(crate) mutant: Option<Mutant>,
}

/// How a run is looked at.
#[derive(Debug, Clone, Copy, Default)]
pub struct View {
    /// Every event as a line.
    pub log: bool,
    /// Every message between agents, too.
    pub messages: bool,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What was broken, if anything.
    pub violation: Option<Violation>,
    /// Virtual time that the run took, microseconds.
    pub took_us: u64,
    /// From the end of all faults until all was well, microseconds.
    pub healing_us: Option<u64>,
    /// Elections won.
    pub elections: u64,
    /// Transactions told OK.
    pub acknowledged: u64,
    /// Of them by an orderly shutdown past the agent (decision 6): not held against the protocol.
    pub forced: u64,
    /// It ended with an INVALID node that alone has something that was acknowledged: an operator must judge.
    pub judged: bool,
    /// Messages between agents.
    pub messages: u64,
    /// The log, if it was wanted.
    pub lines: Vec<String>,
}

impl Subject {
    /// The real cores.
    pub const fn real() -> Subject {
        Subject { rules: Rules::all(), mutant: None }
    }

    /// The planted mistakes, each with its name.
    pub fn mutants() -> Vec<(&'static str, Subject)> {
        let rules = RULES.iter().map(|(name, rule)| {
            let rules = Rules::without(*rule);
            (*name, Subject { rules, mutant: None })
        });
        let steps =
            Mutant::ALL.map(|mutant| (mutant.name(), Subject { rules: Rules::all(), mutant: Some(mutant) }));
        rules.chain(steps).collect()
    }
}

/// Rules of the election core that a mutant may break.
const RULES: [(&str, Rule); 23] = [
    ("freeze-before-standing", Rule::FreezeBeforeStanding),
    ("votes-of-this-term", Rule::VotesOfThisTerm),
    ("one-vote-a-term", Rule::OneVoteATerm),
    ("refuse-old-config", Rule::RefuseOldConfig),
    ("freeze-before-vote", Rule::FreezeBeforeVote),
    ("compare-positions", Rule::ComparePositions),
    ("compare-markers", Rule::CompareMarkers),
    ("compare-data", Rule::CompareData),
    ("only-voters-vote", Rule::OnlyVotersVote),
    ("larger-w", Rule::LargerW),
    ("wait-for-strays", Rule::WaitForStrays),
    ("only-voters-acknowledge", Rule::OnlyVotersAcknowledge),
    ("errant-do-not-follow", Rule::ErrantDoNotFollow),
    ("catch-up-first", Rule::CatchUpFirst),
    ("open-again", Rule::OpenAgain),
    ("majority-to-resume", Rule::MajorityToResume),
    ("one-voter-at-a-time", Rule::OneVoterAtATime),
    ("settle-first", Rule::SettleFirst),
    ("carry-over-first", Rule::CarryOverFirst),
    ("newer-configs-only", Rule::NewerConfigsOnly),
    ("weigh-doubt", Rule::WeighDoubt),
    ("lower-only-alone", Rule::LowerOnlyAlone),
    ("harden-before-third", Rule::HardenBeforeThird),
];

/// The schedule of a seed; `nodes` voters, or as many as the seed says.
pub fn schedule_of(seed: u64, nodes: Option<usize>) -> Schedule {
    match nodes {
        Some(nodes) => generate::schedule_of(seed, nodes),
        None => generate::schedule(seed),
    }
}

/// Runs a schedule. The same one always comes to the same outcome.
pub fn run(schedule: &Schedule, subject: Subject, view: View) -> Outcome {
    let setup = Setup {
        seed: schedule.seed,
        rules: subject.rules,
        mutant: subject.mutant,
        messages_are_told: view.messages,
        clients: 3,
        forms_at_us: 2 * SECOND,
    };
    let mut world = World::new(schedule, setup, Log::new(view.log));
    world.run();
    let healing_us =
        world.settled.filter(|_| !world.judged).zip(world.healed).map(|(settled, healed)| settled - healed);
    Outcome {
        violation: world.history.violation.clone(),
        took_us: world.now,
        healing_us,
        elections: world.history.elections(),
        acknowledged: world.history.acknowledged_count(),
        forced: world.history.forced,
        judged: world.judged,
        messages: world.messages,
        lines: world.log.into_lines(),
    }
}
