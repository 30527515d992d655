//! Searches every model and every mutant and prints a table; fails if a property is broken or a mutant is not
//! found.
//!
//! `--deep` searches larger bounds instead, half an hour a run at most; `--seconds N` gives every search so long; `--trace` tells the way to every
//! mutant's mistake; any other argument picks the runs whose names contain it.

use std::process::ExitCode;
use std::time::Duration;
use xenon_checks::{Effort, Finding, Run, mutants, runs};

#[derive(Default)]
struct Asked {
    deep: bool,
    trace: bool,
    seconds: Option<u64>,
    name: String,
}

fn main() -> ExitCode {
    let mut asked = Asked::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--deep" => asked.deep = true,
            "--trace" => asked.trace = true,
            "--seconds" => asked.seconds = arguments.next().and_then(|seconds| seconds.parse().ok()),
            name => name.clone_into(&mut asked.name),
        }
    }
    let mut code = ExitCode::SUCCESS;
    println!("{}", Finding::header());
    for run in all(&asked) {
        let finding = run.check();
        println!("{finding}");
        if let (true, Some((_, way))) = (asked.trace, &finding.counterexample) {
            println!("  {}", way.join("\n  "));
        }
        if let Some(wrong) = finding.wrong {
            eprintln!("{}: {wrong}", finding.name);
            code = ExitCode::FAILURE;
        }
    }
    code
}

fn all(asked: &Asked) -> Vec<Run> {
    let mut all = if asked.deep { runs(Effort::Deep) } else { runs(Effort::Usual) };
    if !asked.deep {
        all.extend(mutants());
    }
    all.retain(|run| run.name.contains(&asked.name));
    for run in &mut all {
        run.limit = asked.seconds.map_or(run.limit, Duration::from_secs);
    }
    all
}
