//! Findings for people, by node, and for programs.

use crate::failure::Outcome;
use crate::output::{self, Output, printable};
use crate::paint::Paint;
use crate::views::Object;
use serde_json::json;
use std::fmt::Write;
use xenon_api::{Finding, Level};
use xenon_election::NodeId;

pub(super) fn print(nodes: &[NodeId], findings: &[Finding], verbose: bool, output: Output) -> Outcome {
    match output {
        Output::Table => output::print(&text(nodes, findings, verbose, Paint::stdout())),
        Output::Json => output::json(&Object::new(vec![
            ("ok", json!(count(findings, Level::Error) == 0)),
            ("errors", json!(count(findings, Level::Error))),
            ("warnings", json!(count(findings, Level::Warn))),
            ("unknown", json!(count(findings, Level::Unknown))),
            ("findings", json!(findings)),
        ])),
    }
}

fn count(findings: &[Finding], level: Level) -> usize {
    findings.iter().filter(|finding| finding.level == level).count()
}

fn text(nodes: &[NodeId], findings: &[Finding], verbose: bool, paint: Paint) -> String {
    let mut out = String::new();
    let groups = nodes.iter().map(Some).chain([None]);
    for group in groups {
        let mut own: Vec<&Finding> =
            findings.iter().filter(|finding| finding.node.as_ref() == group).collect();
        if own.is_empty() {
            continue;
        }
        own.sort_by_key(|finding| std::cmp::Reverse(finding.level));
        let name = group.map_or("all together".to_owned(), ToString::to_string);
        // Writing to a text cannot fail.
        let _ = writeln!(out, "{}", paint.strong(&name));
        let width = own.iter().map(|finding| finding.check.chars().count()).max().unwrap_or(0);
        for finding in own.iter().filter(|finding| verbose || finding.level != Level::Ok) {
            let level = paint.level(finding.level, &format!("{:<7}", finding.level.word()));
            let (check, text) = (printable(&finding.check), printable(&finding.text).replace('\n', " "));
            let _ = writeln!(out, "  {level}  {check:<width$}  {text}");
            if !finding.cure.is_empty() {
                let cure = printable(&finding.cure).replace('\n', " ");
                let _ =
                    writeln!(out, "  {:<7}  {:<width$}  {}", "", "", paint.faint(&format!("try: {cure}")));
            }
        }
        let well = own.iter().filter(|finding| finding.level == Level::Ok).count();
        if !verbose && well > 0 {
            let _ = writeln!(out, "  {}  {well} checks", paint.level(Level::Ok, &format!("{:<7}", "OK")));
        }
        out.push('\n');
    }
    let of = |level| count(findings, level);
    let _ = write!(
        out,
        "{} errors, {} warnings, {} unknown, {} well",
        of(Level::Error),
        of(Level::Warn),
        of(Level::Unknown),
        of(Level::Ok)
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grouped_by_node_with_the_worst_first() {
        let a = NodeId::new("10.0.0.1:8801");
        let of = |node: Option<&NodeId>, check: &str, level, cure: &str| Finding {
            node: node.cloned(),
            check: check.to_owned(),
            level,
            text: format!("{check} is so"),
            cure: cure.to_owned(),
        };
        let findings = [
            of(Some(&a), "binlog", Level::Ok, ""),
            of(Some(&a), "names", Level::Warn, "do this"),
            of(Some(&a), "gtid-mode", Level::Error, "do that"),
            of(None, "clocks", Level::Ok, ""),
        ];
        let nodes = [a];
        assert_eq!(
            text(&nodes, &findings, false, Paint::none()),
            "10.0.0.1:8801\n  ERROR    gtid-mode  gtid-mode is so\n                      try: do that\n  \
             WARN     names      names is so\n                      try: do this\n  OK       1 checks\n\n\
             all together\n  OK       1 checks\n\n1 errors, 1 warnings, 0 unknown, 2 well"
        );
        assert!(text(&nodes, &findings, true, Paint::none()).contains("OK       clocks  clocks is so"));
    }
}
