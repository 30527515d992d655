//! A report as a person reads it.

use super::{in_lines, kind, outcome, took};
use crate::output::printable;
use crate::when;
use std::fmt::Write;
use xenon_api::{Report, ReportOutcome, ReportPhase, ReportVote};
use xenon_gtid::GtidSet;

/// Columns of a phase's bar.
const BAR: usize = 30;
/// Columns of a sentence.
const WIDTH: usize = 100;
/// Columns of a GTID set before it is cut.
const SET: usize = 60;

/// All of it.
pub(super) fn told(report: &Report) -> String {
    let mut text = String::new();
    title(report, &mut text);
    todo(report, &mut text);
    let evidence = report.evidence.iter().map(String::as_str);
    list("Evidence", evidence, &mut text);
    votes(report, &mut text);
    phases(report, &mut text);
    kept(report, &mut text);
    list("Afterwards", report.aftermath.iter().map(String::as_str), &mut text);
    events(report, &mut text);
    text
}

fn heading(word: &str, text: &mut String) {
    let _ = write!(text, "\n{word}\n");
}

fn sentences<'a>(mark: impl Fn(usize) -> String, all: impl Iterator<Item = &'a str>, text: &mut String) {
    for (number, sentence) in all.enumerate() {
        let mark = mark(number);
        let indent = " ".repeat(mark.chars().count() + 2);
        let lines = in_lines(&printable(sentence), WIDTH).replace('\n', &format!("\n{indent}"));
        let _ = writeln!(text, "  {mark}{lines}");
    }
}

fn list<'a>(word: &str, all: impl Iterator<Item = &'a str>, text: &mut String) {
    let mut all = all.peekable();
    if all.peek().is_some() {
        heading(word, text);
        sentences(|_| "- ".to_owned(), all, text);
    }
}

fn title(report: &Report, text: &mut String) {
    let head = &report.head;
    let mut word = kind(head.kind).to_owned();
    word.get_mut(..1).map(str::make_ascii_uppercase);
    let _ = writeln!(text, "{word} {}", head.id);
    heading("What", text);
    let mut field = |name: &str, value: String| {
        let value = in_lines(&printable(&value), WIDTH).replace('\n', "\n             ");
        let _ = writeln!(text, "  {name:<10} {value}");
    };
    let from = head.old_primary.as_ref().map_or("no primary known", |old| old.as_str());
    match head.outcome {
        ReportOutcome::Promoted => {
            field("primary", format!("{from} → {}, open for writes in term {}", head.node, head.term));
        }
        ReportOutcome::GivenUp => {
            field("outcome", format!("{}: {} is not the primary by it", outcome(head.outcome), head.node));
            field("before", from.to_owned());
        }
    }
    field("began", format!("{} by the clock of {}", when::with_zone(head.began_unix_ms), head.node));
    field("took", took(head.took_ms));
    field("cause", head.cause.clone());
    if let Some(by) = &head.by {
        field("asked by", by.clone());
    }
    if let Some(ms) = report.outage_at_most_ms {
        let since = report
            .last_good_unix_ms
            .map(|at| format!(": the old primary was last known to serve at {}", when::of_day(at)));
        field("no writes", format!("for at most {}{}", took(ms), since.unwrap_or_default()));
    }
}

fn votes(report: &Report, text: &mut String) {
    if report.votes.is_empty() {
        return;
    }
    heading("Votes", text);
    let own = report.votes.iter().find(|vote| vote.node == report.head.node && vote.received.is_some());
    let of_winner = own.and_then(|vote| vote.received.as_ref());
    let width = report.votes.iter().map(|vote| vote.node.as_str().len()).max().unwrap_or(0);
    for vote in &report.votes {
        let word = if vote.granted { "yes" } else { "no" };
        let is_own = vote.node == report.head.node;
        let position = match &vote.received {
            Some(received) if is_own => cut(received),
            Some(received) => compared(received, of_winner),
            None => "position not said".to_owned(),
        };
        let node = vote.node.as_str();
        let _ = writeln!(text, "  term {:<4} {node:<width$}  {word:<3}  {position}", vote.term);
        if let Some(why) = why(vote) {
            let indent = " ".repeat(width + 18);
            let why = in_lines(&printable(why), WIDTH - 20).replace('\n', &format!("\n{indent}"));
            let _ = writeln!(text, "{indent}{why}");
        }
    }
}

fn why(vote: &ReportVote) -> Option<&str> {
    Some(vote.why.as_str()).filter(|why| !why.is_empty())
}

fn compared(received: &GtidSet, of_winner: Option<&GtidSet>) -> String {
    let Some(winner) = of_winner else { return cut(received) };
    let (more, less) = (received.subtract(winner), winner.subtract(received));
    match (more.is_empty(), less.is_empty()) {
        (true, true) => "had received the same".to_owned(),
        (true, false) => format!("had received {} transaction(s) less", less.count()),
        (false, true) => format!("had received {} transaction(s) more: {}", more.count(), cut(&more)),
        (false, false) => format!(
            "had received {} transaction(s) more ({}) and {} less",
            more.count(),
            cut(&more),
            less.count()
        ),
    }
}

fn cut(set: &GtidSet) -> String {
    let text = set.to_string();
    if text.is_empty() {
        return "nothing received".to_owned();
    }
    match text.char_indices().nth(SET) {
        Some((end, _)) => format!("{}… ({} in all)", text.get(..end).unwrap_or_default(), set.count()),
        None => text,
    }
}

/// When each was, as a bar on a line for the whole.
fn bar(phase: &ReportPhase, whole_ms: f64) -> String {
    let place = |ms: f64| ((ms / whole_ms).clamp(0.0, 1.0) * BAR as f64).round() as usize;
    let (from, to) =
        if whole_ms > 0.0 { (place(phase.at_ms - phase.took_ms), place(phase.at_ms)) } else { (0, 0) };
    let from = from.min(BAR - 1);
    let filled = to.saturating_sub(from).max(1);
    format!("{}{}{}", "·".repeat(from), "█".repeat(filled), "·".repeat(BAR - from - filled))
}

fn phases(report: &Report, text: &mut String) {
    if report.phases.is_empty() {
        return;
    }
    heading("Phases", text);
    let whole = report.head.took_ms;
    let width = report.phases.iter().map(|phase| phase.name.chars().count()).max().unwrap_or(0);
    for phase in &report.phases {
        let _ = writeln!(
            text,
            "  {:<width$}  {}  {:>9.1} ms  at {:>9.1}",
            phase.name,
            bar(phase, whole),
            phase.took_ms,
            phase.at_ms
        );
    }
}

fn kept(report: &Report, text: &mut String) {
    let nothing =
        report.rescued.is_empty() && report.rescue_failed.is_empty() && report.quarantined.is_empty();
    if nothing {
        return;
    }
    heading("Transactions", text);
    let mut lines = Vec::new();
    if !report.rescued.is_empty() {
        lines.push(format!(
            "rescued from the old primary's binary log: {} ({})",
            report.rescued.count(),
            cut(&report.rescued)
        ));
    }
    if !report.rescue_failed.is_empty() {
        lines.push(format!("not rescued: {}", report.rescue_failed));
    }
    if !report.quarantined.is_empty() {
        lines.push(format!(
            "set aside, and in the cluster no more: {} ({})",
            report.quarantined.count(),
            cut(&report.quarantined)
        ));
    }
    sentences(|_| "- ".to_owned(), lines.iter().map(String::as_str), text);
}

fn todo(report: &Report, text: &mut String) {
    heading("What to do now", text);
    if report.todo.is_empty() {
        let _ = writeln!(text, "  nothing");
    }
    sentences(|number| format!("{}. ", number + 1), report.todo.iter().map(String::as_str), text);
}

fn events(report: &Report, text: &mut String) {
    if report.events.is_empty() {
        return;
    }
    heading("Events", text);
    let width = report.events.iter().map(|event| event.node.as_str().len()).max().unwrap_or(0);
    for event in &report.events {
        let (node, kind) = (event.node.as_str(), event.kind.word());
        let line = printable(&event.text).replace('\n', " ");
        let _ = writeln!(text, "  {}  {node:<width$}  {kind:<8}  {line}", when::of_day(event.unix_ms));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_lie_where_their_phases_were() {
        let phase = |at_ms, took_ms| ReportPhase { name: String::new(), at_ms, took_ms };
        assert_eq!(bar(&phase(50.0, 50.0), 100.0), format!("{}{}", "█".repeat(15), "·".repeat(15)));
        assert_eq!(bar(&phase(100.0, 0.0), 100.0), format!("{}█", "·".repeat(29)));
        assert_eq!(bar(&phase(0.0, 0.0), 0.0), format!("█{}", "·".repeat(29)));
        for at in 0..200 {
            assert_eq!(bar(&phase(f64::from(at), 3.0), 100.0).chars().count(), BAR, "{at}");
        }
    }

    #[test]
    fn positions_against_the_winners() {
        let set = |text: &str| text.parse::<GtidSet>().expect("a set");
        let winner = set("4e11fa47-71ca-11e1-9e33-c80aa9429562:1-10");
        let to = |text| compared(&set(text), Some(&winner));
        assert_eq!(to("4e11fa47-71ca-11e1-9e33-c80aa9429562:1-10"), "had received the same");
        assert_eq!(to("4e11fa47-71ca-11e1-9e33-c80aa9429562:1-7"), "had received 3 transaction(s) less");
        assert!(to("4e11fa47-71ca-11e1-9e33-c80aa9429562:1-12").contains("2 transaction(s) more: 4e11"));
        assert_eq!(cut(&GtidSet::new()), "nothing received");
    }
}
