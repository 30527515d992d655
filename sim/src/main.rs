//! The simulator's command line.
//!
//! ```text
//! sim [--seeds N] [--from S] [--nodes N] [--mutant NAME] [--keep-going]   many seeds; N = 0: until stopped
//! sim --seed S [--nodes N] [--log] [--messages] [--shrink] [--mutant NAME]  one seed
//! sim --schedule FILE [--log] [--messages] [--shrink] [--mutant NAME]       one schedule
//! sim --scale [--nodes N]                                                   how elections grow with the nodes
//! ```

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use xenon_sim::{Batch, Outcome, SIZES, Schedule, Subject, View, run, scale, schedule_of, shrink};

const USAGE: &str = "\
sim [--seeds N] [--from SEED] [--nodes N] [--threads N] [--mutant NAME] [--keep-going]
    runs many seeds; --seeds 0: until stopped. Ends at the first failure unless told to keep going.
sim --seed SEED | --schedule FILE  [--nodes N] [--log] [--messages] [--shrink] [--mutant NAME]
    runs one of them; --log prints every event, --shrink the shortest schedule that still fails.
sim --scale [--nodes N]
    how long elections take, and how many messages, from 3 to 511 nodes.";

/// As `println!`, and no panic when nobody reads on (`sim … | head`).
macro_rules! say {
    ($($words:tt)*) => {
        if writeln!(std::io::stdout(), $($words)*).is_err() {
            std::process::exit(0);
        }
    };
}

/// Lines of the log that a failure shows.
const LAST_LINES: usize = 40;

struct Arguments {
    seeds: u64,
    from: u64,
    seed: Option<u64>,
    schedule: Option<PathBuf>,
    nodes: Option<usize>,
    threads: usize,
    subject: Subject,
    view: View,
    shrink: bool,
    keep_going: bool,
    scale: bool,
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if arguments.scale {
        return scales(arguments.nodes);
    }
    let schedule = match (&arguments.schedule, arguments.seed) {
        (Some(path), _) => match read(path) {
            Ok(schedule) => Some(schedule),
            Err(problem) => {
                eprintln!("{}: {problem}", path.display());
                return ExitCode::from(2);
            }
        },
        (None, Some(seed)) => Some(schedule_of(seed, arguments.nodes)),
        (None, None) => None,
    };
    match schedule {
        Some(schedule) => one(&schedule, &arguments, arguments.shrink),
        None => many(&arguments),
    }
}

/// How elections grow.
fn scales(nodes: Option<usize>) -> ExitCode {
    say!("| nodes | forming ms | messages | failover ms | messages | idle messages / s |");
    say!("|------:|-----------:|---------:|------------:|---------:|------------------:|");
    let sizes = nodes.map_or(SIZES.to_vec(), |nodes| vec![nodes]);
    sizes.into_iter().for_each(|nodes| say!("{}", scale(nodes)));
    ExitCode::SUCCESS
}

fn read(path: &PathBuf) -> Result<Schedule, String> {
    std::fs::read_to_string(path).map_err(|error| error.to_string())?.parse()
}

fn one(schedule: &Schedule, arguments: &Arguments, shorten: bool) -> ExitCode {
    say!("{schedule}");
    let outcome = run(schedule, arguments.subject, View { log: true, ..arguments.view });
    if arguments.view.log {
        outcome.lines.iter().for_each(|line| say!("{line}"));
        say!();
    }
    let code = tell(&outcome, !arguments.view.log);
    if shorten && outcome.violation.is_some() {
        let shortest = shrink(schedule, arguments.subject);
        say!("\nthe shortest that still fails so:\n\n{shortest}");
        tell(&run(&shortest, arguments.subject, View { log: true, ..View::default() }), true);
    }
    code
}

fn tell(outcome: &Outcome, with_lines: bool) -> ExitCode {
    let Some(violation) = &outcome.violation else {
        say!(
            "clean: {} elections, {} writes told OK, {} messages, {:.1} virtual seconds",
            outcome.elections,
            outcome.acknowledged,
            outcome.messages,
            outcome.took_us as f64 / 1e6
        );
        return ExitCode::SUCCESS;
    };
    if with_lines {
        let from = outcome.lines.len().saturating_sub(LAST_LINES);
        outcome.lines.iter().skip(from).for_each(|line| say!("{line}"));
        say!();
    }
    say!("{} is broken: {}", violation.invariant, violation.sentence);
    ExitCode::FAILURE
}

fn many(arguments: &Arguments) -> ExitCode {
    let batch = Batch {
        from: arguments.from,
        count: arguments.seeds,
        nodes: arguments.nodes,
        subject: arguments.subject,
        stops_at_failure: !arguments.keep_going,
        threads: arguments.threads,
    };
    let summary = batch.run(&|line| say!("{line}"));
    let Some((seed, _)) = summary.failures.first() else { return ExitCode::SUCCESS };
    say!("\nseed {seed} again, shortened (sim --seed {seed} --log shows all of it):\n");
    one(&schedule_of(*seed, arguments.nodes), arguments, true)
}

fn arguments() -> Result<Arguments, String> {
    let mut arguments = Arguments {
        seeds: 1_000,
        from: 1,
        seed: None,
        schedule: None,
        nodes: None,
        threads: 0,
        subject: Subject::real(),
        view: View::default(),
        shrink: false,
        keep_going: false,
        scale: false,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} wants a value"));
        let number = |text: String| text.parse::<u64>().map_err(|_| format!("{text:?} is no number"));
        match word.as_str() {
            "--seeds" => arguments.seeds = number(value()?)?,
            "--from" => arguments.from = number(value()?)?,
            "--seed" => arguments.seed = Some(number(value()?)?),
            "--schedule" => arguments.schedule = Some(PathBuf::from(value()?)),
            "--nodes" => arguments.nodes = usize::try_from(number(value()?)?).ok(),
            "--threads" => arguments.threads = usize::try_from(number(value()?)?).unwrap_or(0),
            "--mutant" => arguments.subject = mutant(&value()?)?,
            "--scale" => arguments.scale = true,
            "--log" => arguments.view.log = true,
            "--messages" => arguments.view = View { log: true, messages: true },
            "--shrink" => arguments.shrink = true,
            "--keep-going" => arguments.keep_going = true,
            _ => return Err(format!("{word:?} is not understood")),
        }
    }
    Ok(arguments)
}

fn mutant(name: &str) -> Result<Subject, String> {
    let known = Subject::mutants();
    let found = known.iter().find(|(known, _)| *known == name).map(|(_, subject)| *subject);
    found.ok_or_else(|| {
        let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
        format!("no mutant is called {name:?}; there are {}", names.join(", "))
    })
}
