//! Searches every model at its large bounds and prints a table; fails if a property is broken or a mutant is
//! not found. An argument picks the runs whose names contain it; a second one says how many seconds a run may take.

use std::process::ExitCode;
use std::time::Duration;
use xenon_checks::runs;

fn main() -> ExitCode {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    println!(
        "| {:<31} | {:<38} | {:>9} | {:>5} | {:>6} | outcome |",
        "run", "bounds", "states", "depth", "s"
    );
    println!("|{:-<33}|{:-<40}|{:->10}:|{:->6}:|{:->7}:|---------|", "", "", "", "", "");
    let mut code = ExitCode::SUCCESS;
    let seconds = std::env::args().nth(2).and_then(|seconds| seconds.parse().ok());
    for mut run in runs(true).into_iter().filter(|run| run.name.contains(&wanted)) {
        run.limit = seconds.map_or(run.limit, Duration::from_secs);
        let finding = run.check();
        println!("{finding}");
        if let Some(wrong) = finding.wrong {
            eprintln!("{}: {wrong}", finding.name);
            code = ExitCode::FAILURE;
        }
    }
    code
}
