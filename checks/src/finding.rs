//! One search, and the line of the table that it is told in.

use crate::cluster::Cluster;
use stateright::{Checker, HasDiscoveries, Model};
use std::fmt;
use std::time::{Duration, Instant};

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
    /// A mutant's counterexample: the property and the way there.
    pub counterexample: Option<(&'static str, Vec<String>)>,
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
        let mut checker = self.cluster.clone().checker().threads(threads).timeout(self.limit);
        if self.cluster.bounds.depth > 0 {
            checker = checker.target_max_depth(self.cluster.bounds.depth);
        }
        let checker = checker.finish_when(finish).spawn_bfs().join();
        let took = began.elapsed();
        let (mut wrong, mut counterexample) = (None, None);
        match self.breaks {
            Some(property) => match checker.discovery(property) {
                Some(path) => counterexample = Some((property, told(path))),
                None => wrong = Some(format!("the mutant does not break {property}")),
            },
            None => wrong = broken(&self.cluster, &checker),
        }
        if wrong.is_none() && self.breaks.is_none() && took >= self.limit {
            wrong = Some("not everything was searched within the time".to_owned());
        }
        Finding {
            name: self.name,
            bounds: self.cluster.to_string(),
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
                    return Some(format!("{} is broken:\n  {}", property.name, told(path).join("\n  ")));
                }
            }
            _ if found.is_none() => return Some(format!("never: {}", property.name)),
            _ => {}
        }
    }
    None
}

fn told(path: stateright::Path<crate::State, crate::Action>) -> Vec<String> {
    path.into_actions().iter().map(|action| format!("{action:?}")).collect()
}

impl Finding {
    /// The lines above the table.
    pub fn header() -> String {
        let titles = format!(
            "| {:<38} | {:<70} | {:>9} | {:>5} | {:>6} | outcome |",
            "run", "bounds", "states", "depth", "s"
        );
        format!("{titles}\n|{:-<40}|{:-<72}|{:->10}:|{:->6}:|{:->7}:|---------|", "", "", "", "", "")
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding { name, bounds, states, depth, .. } = self;
        let seconds = self.took.as_secs_f64();
        let outcome = match (&self.wrong, &self.counterexample) {
            (Some(_), _) => "WRONG".to_owned(),
            (None, Some((property, way))) => format!("{property} broken in {} steps", way.len()),
            (None, None) => "all hold".to_owned(),
        };
        write!(f, "| {name:<38} | {bounds:<70} | {states:>9} | {depth:>5} | {seconds:>6.1} | {outcome} |")
    }
}
