//! The numbers as Markdown.

use crate::gaps::Gaps;
use crate::idle::Idle;
use crate::latency::Latency;
use crate::numbers::{Numbers, shown};
use crate::rejoin::Rejoin;
use std::fmt::Write;
use std::path::Path;
use xenon_testkit::Base;

/// Of an agent, percent of a core and MiB.
const IDLE_TARGET: (f64, f64) = (0.5, 25.0);
/// `cluster status`, milliseconds: all up, and not.
const STATUS_TARGET: (f64, f64) = (100.0, 1_000.0);
/// Beyond a bare restart, milliseconds.
const REWOUND_TARGET: f64 = 3_000.0;
/// Times a bare CLONE.
const REBUILT_TARGET: f64 = 1.2;

/// Everything that was measured.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) gaps: Vec<Gaps>,
    pub(crate) rejoin: Option<Rejoin>,
    pub(crate) idle: Option<Idle>,
    pub(crate) latency: Option<Latency>,
    pub(crate) version: String,
    pub(crate) runs: u32,
    pub(crate) load: String,
}

impl Measured {
    pub(crate) fn new(base: &Base, runs: u32) -> Self {
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Self {
            gaps: Vec::new(),
            rejoin: None,
            idle: None,
            latency: None,
            version: base.version.clone(),
            runs,
            load: load.split(' ').next().unwrap_or_default().to_owned(),
        }
    }
}

/// The whole page.
pub(crate) fn markdown(measured: &Measured, out: &Path) -> String {
    let mut text = String::from("# Measured\n\n");
    let picture = out.with_extension("svg");
    let picture = picture.file_name().unwrap_or_default().display();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let _ = writeln!(
        text,
        "Three real servers (MySQL {}) and their agents on one machine with {cores} processor cores, which agents, servers and \
         clients share; load before the first run {}; {} runs of every fault. `make bench` makes this page.\n\n\
         ![The gaps, as a picture]({picture})\n",
        measured.version, measured.load, measured.runs
    );
    if !measured.gaps.is_empty() {
        gaps(&mut text, &measured.gaps);
        phases(&mut text, &measured.gaps);
    }
    if let Some(rejoin) = &measured.rejoin {
        rejoins(&mut text, rejoin);
    }
    if let Some(idle) = &measured.idle {
        idle_cost(&mut text, idle);
    }
    if let Some(latency) = &measured.latency {
        status(&mut text, latency);
    }
    text
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "**missed**" }
}

fn gaps(text: &mut String, gaps: &[Gaps]) {
    text.push_str(
        "## The gap that a client sees\n\n\
         A client inserts every 10 ms (where said: 2 ms), with connections to all nodes open and without TLS, and goes to the \
         node that takes its rows. The gap runs from the last OK before to the first OK of another node; it is never \
         shorter than the pause between two inserts. After every run all acknowledged rows are looked for on the servers \
         that were not struck.\n\n\
         | what happens | median | least | worst | target | | acknowledged rows, lost |\n|---|--:|--:|--:|--:|---|--:|\n",
    );
    for gap in gaps {
        let (median, worst) = gap.fault.targets();
        let numbers = &gap.numbers;
        let met = numbers.median() <= median && worst.is_none_or(|worst| numbers.max() <= worst);
        let target = match worst {
            Some(worst) => format!("≤ {}, worst ≤ {}", shown(median), shown(worst)),
            None => format!("≤ {}", shown(median)),
        };
        let lost = match gap.violations.len() {
            0 => format!("{}, none", gap.acknowledged),
            count => format!("**{count} runs with findings**"),
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {target} | {} | {lost} |",
            gap.fault.title(),
            shown(numbers.median()),
            shown(numbers.min()),
            shown(numbers.max()),
            verdict(met)
        );
    }
    text.push('\n');
    for gap in gaps {
        for finding in &gap.violations {
            let lines: Vec<&str> = finding.lines().take(6).collect();
            let _ = writeln!(text, "Finding in {}:\n\n```\n{}\n```\n", gap.fault.title(), lines.join("\n"));
        }
    }
}

fn phases(text: &mut String, gaps: &[Gaps]) {
    text.push_str(
        "## What the time goes into\n\n\
         Medians of how long each phase of the promotion took by the new leader's own clock, from the first it heard of it; \
         what came before (until the death was seen, or an election timeout ran out) is not in it.\n\n\
         | what happens | phases, milliseconds | longest |\n|---|---|---|\n",
    );
    for gap in gaps {
        let list: Vec<String> = gap
            .phases
            .numbers()
            .iter()
            .map(|(name, numbers)| format!("{name} {:.1}", numbers.median()))
            .collect();
        let longest =
            gap.phases.longest().map_or_else(String::new, |(name, ms)| format!("{name}, {}", shown(ms)));
        let _ = writeln!(text, "| {} | {} | {longest} |", gap.fault.title(), list.join(" · "));
    }
    text.push('\n');
}

fn rejoins(text: &mut String, rejoin: &Rejoin) {
    let Rejoin { rewound, restarted, rebuilt, cloned } = rejoin;
    text.push_str(
        "## Until a node follows again\n\n\
         A primary dies with a transaction in its binlog that nobody acknowledged, and comes back as a replica (W1). Beside it: the \
         same server killed and started at once by hand, until it answers. A node is rebuilt from a replica with 260 MB. Beside \
         it: the server's own CLONE in place and the start after it, until it answers.\n\n\
         | | median | least | worst | runs | target | |\n|---|--:|--:|--:|--:|---|---|\n",
    );
    let mut row = |what: &str, numbers: &Numbers, target: Option<(String, bool)>| {
        let (target, met) = target.map_or((String::new(), ""), |(target, met)| (target, verdict(met)));
        let _ = writeln!(
            text,
            "| {what} | {} | {} | {} | {} | {target} | {met} |",
            shown(numbers.median()),
            shown(numbers.min()),
            shown(numbers.max()),
            numbers.values().len()
        );
    };
    let bound = restarted.median() + REWOUND_TARGET;
    let target = format!("≤ {} (a restart and {})", shown(bound), shown(REWOUND_TARGET));
    row("crashed primary follows again, rewound", rewound, Some((target, rewound.median() <= bound)));
    row("a restart without us, until it answers", restarted, None);
    let bound = cloned.median() * REBUILT_TARGET;
    let target = format!("≤ {} ({REBUILT_TARGET} × bare CLONE)", shown(bound));
    row("`rebuildme` until it follows", rebuilt, Some((target, rebuilt.median() <= bound)));
    row("bare CLONE in place and a start, until it answers", cloned, None);
    text.push('\n');
}

fn idle_cost(text: &mut String, idle: &Idle) {
    let (cpu, rss) = IDLE_TARGET;
    let worst_cpu = idle.leader_cpu.max(idle.follower_cpu.max());
    let worst_rss = idle.leader_rss.max(idle.follower_rss.max());
    let _ = write!(
        text,
        "## What an idle agent costs\n\nOver 20 s without clients.\n\n\
         | | leader's agent | followers' agents | target | |\n|---|--:|--:|--:|---|\n\
         | processor, of one core | {:.2} % | {:.2} % | ≤ {cpu} % | {} |\n\
         | memory | {:.1} MiB | {:.1} MiB | ≤ {rss} MiB | {} |\n\n",
        idle.leader_cpu,
        idle.follower_cpu.median(),
        verdict(worst_cpu <= cpu),
        idle.leader_rss,
        idle.follower_rss.median(),
        verdict(worst_rss <= rss),
    );
}

fn status(text: &mut String, latency: &Latency) {
    let (all_up, not) = STATUS_TARGET;
    text.push_str(
        "## `xenoncli cluster status`\n\nThe whole command, 20 runs.\n\n\
         | | median | least | worst | target | |\n|---|--:|--:|--:|--:|---|\n",
    );
    for (what, numbers, target) in [
        ("all nodes up", &latency.up, all_up),
        ("one agent killed", &latency.one_down, not),
        ("one agent hung", &latency.one_hung, not),
    ] {
        let _ = writeln!(
            text,
            "| {what} | {} | {} | {} | ≤ {} | {} |",
            shown(numbers.median()),
            shown(numbers.min()),
            shown(numbers.max()),
            shown(target),
            verdict(numbers.max() <= target)
        );
    }
    text.push('\n');
}
