//! The runs, and the table that they are told in.

use crate::model::{Bounds, Cluster, Elections};
use stateright::{Checker, HasDiscoveries, Model};
use std::fmt;
use std::time::{Duration, Instant};
use xenon_election::{Rule, Rules};

/// One search.
#[derive(Debug, Clone)]
pub struct Run {
    /// What is searched, in words.
    pub name: &'static str,
    /// The cluster and the bounds.
    pub cluster: Cluster,
    /// A mutant: the property that must be found broken.
    pub breaks: Option<&'static str>,
    /// The search is given up, and fails, beyond it.
    pub limit: Duration,
}

/// What came of a search.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The search.
    pub name: &'static str,
    /// Bounds, in words.
    pub bounds: String,
    /// Different states.
    pub states: usize,
    /// The longest path.
    pub depth: usize,
    /// It took so long.
    pub took: Duration,
    /// What is wrong with it, if anything: a broken property with the way there, or a mutant not found.
    pub wrong: Option<String>,
    /// The length of a mutant's counterexample.
    pub counterexample: Option<usize>,
}

impl Run {
    /// Searches until everything within the bounds is seen, or, for a mutant, until it is found.
    pub fn check(&self) -> Finding {
        let began = Instant::now();
        let finish = match self.breaks {
            Some(property) => HasDiscoveries::AnyOf([property].into_iter().collect()),
            None => HasDiscoveries::AnyFailures,
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let checker = self.cluster.clone().checker().threads(threads).timeout(self.limit);
        let checker = checker.finish_when(finish).spawn_bfs().join();
        let took = began.elapsed();
        let (mut wrong, mut counterexample) = (None, None);
        match self.breaks {
            Some(property) => match checker.discovery(property) {
                Some(path) => counterexample = Some(path.into_actions().len()),
                None => wrong = Some(format!("the mutant does not break {property}")),
            },
            None => wrong = broken(&self.cluster, &checker),
        }
        if wrong.is_none() && self.breaks.is_none() && took >= self.limit {
            wrong = Some("not everything was searched within the time".to_owned());
        }
        Finding {
            name: self.name,
            bounds: self.cluster.bounds.to_string(),
            states: checker.unique_state_count(),
            depth: checker.max_depth(),
            took,
            wrong,
            counterexample,
        }
    }
}

fn broken(cluster: &Cluster, checker: &impl Checker<Cluster>) -> Option<String> {
    for property in cluster.properties() {
        let found = checker.discovery(property.name);
        match property.expectation {
            stateright::Expectation::Always => {
                if let Some(path) = found {
                    let actions: Vec<_> =
                        path.into_actions().iter().map(|action| format!("  {action:?}")).collect();
                    return Some(format!("{} is broken:\n{}", property.name, actions.join("\n")));
                }
            }
            _ if found.is_none() => return Some(format!("never: {}", property.name)),
            _ => {}
        }
    }
    None
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "terms {}, writes {}", self.terms, self.writes)?;
        for (count, what) in
            [(self.restarts, "restarts"), (self.repeats, "repeats"), (self.config_changes, "config changes")]
        {
            if count > 0 {
                write!(f, ", {what} {count}")?;
            }
        }
        Ok(())
    }
}

/// The runs. `large`: the bounds of the binary; else those of the tests.
pub fn runs(large: bool) -> Vec<Run> {
    let none = Bounds { terms: 2, writes: 1, restarts: 0, repeats: 0, config_changes: 0 };
    let limit = Duration::from_secs(if large { 290 } else { 80 });
    let run = |name, rules, (elections, slow_servers), bounds, breaks| Run {
        name,
        cluster: Cluster { nodes: 3, rules, bounds, elections, slow_servers },
        breaks,
        limit,
    };
    let (slow, stand) = ((Elections::StandNow, true), (Elections::StandNow, false));
    let asked = (Elections::PreVotes, false);
    let servers = if large { slow } else { stand };
    let all = Rules::all();
    let mut runs = vec![
        run("elections and writes", all, slow, Bounds { writes: if large { 2 } else { 1 }, ..none }, None),
        run("a crash of an agent", all, servers, Bounds { restarts: 1, ..none }, None),
        run("a repeated message", all, servers, Bounds { repeats: 1, ..none }, None),
        run("with pre-votes", all, asked, Bounds { restarts: u8::from(large), ..none }, None),
        run("a config change", all, stand, Bounds { writes: 0, config_changes: 1, ..none }, None),
    ];
    if large {
        runs.push(run("three terms", all, stand, Bounds { terms: 3, writes: 2, ..none }, None));
        runs.push(run("three terms and a crash", all, stand, Bounds { terms: 3, restarts: 1, ..none }, None));
        let one_change = Bounds { config_changes: 1, ..none };
        runs.push(run("a config change and a write", all, stand, one_change, None));
        let three_terms = Bounds { terms: 3, writes: 0, ..one_change };
        runs.push(run("a config change, three terms", all, stand, three_terms, None));
    }
    runs.extend([
        run("mutant: vote without freeze", Rules::without(Rule::FreezeBeforeVote), stand, none, Some("I2")),
        run(
            "mutant: vote without comparison",
            Rules::without(Rule::ComparePositions),
            stand,
            none,
            Some("I2"),
        ),
        run("mutant: several votes a term", Rules::without(Rule::OneVoteATerm), stand, none, Some("I1")),
        run(
            "mutant: old configs may win",
            Rules::without(Rule::RefuseOldConfig),
            stand,
            Bounds { writes: 0, config_changes: 1, ..none },
            Some("I7"),
        ),
    ]);
    runs
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding { name, bounds, states, depth, .. } = self;
        let seconds = self.took.as_secs_f64();
        let outcome = match (&self.wrong, self.counterexample) {
            (Some(_), _) => "WRONG".to_owned(),
            (None, Some(steps)) => format!("found in {steps} steps"),
            (None, None) => "all hold".to_owned(),
        };
        write!(f, "| {name:<31} | {bounds:<38} | {states:>9} | {depth:>5} | {seconds:>6.1} | {outcome} |")
    }
}
