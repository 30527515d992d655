//! The morning after: what a failover and a switchover leave for their operator, on every node and over restarts.

use anyhow::{Context, Result, ensure};
use assert_cmd::Command;
use std::time::Duration;
use xenon_api::{EventKind, Explanation, Report, ReportKind, ReportOutcome};
use xenon_testkit::Signal;
use xenon_tests::{HEALS, Story, strike};

const SHORT: Duration = Duration::from_secs(10);

/// What the program prints on a node's host.
fn xenoncli(story: &Story, node: usize, words: &[&str]) -> Result<String> {
    let config = story.cluster.node(node)?.config();
    let mut command = Command::new(&story.cluster.bins().xenoncli);
    let output = command.arg("-c").arg(config).args(words).timeout(Duration::from_secs(30)).output()?;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{words:?}: {out}{err}");
    Ok(out.into_owned())
}

fn last(story: &Story, node: usize) -> Result<Report> {
    Ok(serde_json::from_str(&xenoncli(story, node, &["failover", "show", "-o", "json"])?)?)
}

fn sums_up(report: &Report) -> bool {
    let sum: f64 = report.phases.iter().map(|phase| phase.took_ms).sum();
    report.phases.len() >= 3 && (sum - report.head.took_ms).abs() < 1.0
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_of_a_failover_and_a_switchover() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    let (target, third) = ((leader + 1) % 3, (leader + 2) % 3);
    let names: Vec<_> = story.cluster.nodes().iter().map(|node| node.id()).collect();

    // Somebody asks for a switchover, on a node that has to pass it on.
    xenoncli(&story, third, &["cluster", "switchover", names[target].as_str(), "--wait", "20"])?;
    let what = "the switchover is told of";
    let told = async || last(&story, leader).ok().filter(|report| report.head.kind == ReportKind::Switchover);
    let report = story.cluster.wait_until(SHORT, what, told).await?.value;
    ensure!(
        report.head.node == names[target] && report.head.old_primary.as_ref() == Some(&names[leader]),
        "{report:?}"
    );
    ensure!(
        report.head.by.as_ref().is_some_and(|by| by.contains('@') && by.contains("127.0.0.1")),
        "{report:?}"
    );
    ensure!(report.head.cause.contains("hands over: cluster switchover to"), "{report:?}");
    ensure!(sums_up(&report), "{report:?}");
    let events = story.events(leader).await?;
    let asked = |words: &str| {
        events.iter().any(|event| event.kind == EventKind::Operator && event.text.contains(words))
    };
    ensure!(asked("asked by") && asked("done: handing over to"), "{events:?}");
    story.cluster.wait_all_following(2, HEALS).await?;

    // The new primary dies with a client writing.
    let fault = strike(story.cluster.mysqld(target)?, Signal::KILL)?;
    story.served_again(fault, Duration::from_secs(20)).await?;
    let now = story.cluster.wait_for_leader(SHORT).await?.value;
    let what = "the old primary is back in the report";
    let whole = async || {
        let report = last(&story, target).ok()?;
        let after = report.aftermath.join("\n");
        (after.contains("had ended: ") && after.contains("follows this node again")).then_some(report)
    };
    let report = story.cluster.wait_until(HEALS, what, whole).await?.value;
    println!("{}", xenoncli(&story, target, &["failover", "show"])?);
    println!("{}", xenoncli(&story, target, &["failover", "list"])?);
    ensure!(
        report.head.kind == ReportKind::Failover && report.head.outcome == ReportOutcome::Promoted,
        "{report:?}"
    );
    ensure!(
        report.head.node == names[now] && report.head.old_primary.as_ref() == Some(&names[target]),
        "{report:?}"
    );
    ensure!(report.head.cause.contains("mysqld has died"), "{report:?}");
    ensure!(sums_up(&report), "{report:?}");
    ensure!(report.outage_at_most_ms.is_some_and(|ms| ms >= report.head.took_ms), "{report:?}");
    let positions = report.votes.iter().filter(|vote| vote.granted && vote.received.is_some()).count();
    ensure!(positions >= 2, "{report:?}");
    ensure!(report.todo.iter().all(|todo| !todo.contains("is away")), "{report:?}");

    // Everybody says the same of who leads.
    let explained = xenoncli(&story, target, &["explain", "-o", "json"])?;
    let explained: Explanation = serde_json::from_str(&explained)?;
    println!("{}", xenoncli(&story, target, &["explain"])?);
    let of = |node: usize| explained.nodes.iter().find(|one| one.node == names[node]).context("a member");
    ensure!(of(now)?.leads && !of(target)?.leads, "{explained:?}");
    ensure!(explained.next.as_ref().is_some_and(|next| next.contains("would be elected")), "{explained:?}");

    // An agent that is started anew has both, and counts on.
    let before = story.events(now).await?;
    story.cluster.kill_agent(now)?;
    story.cluster.start_agent(now)?;
    let what = "its agent has what it had";
    let back = async || {
        let events = story.events(now).await.ok()?;
        (events.len() > before.len()).then_some(events)
    };
    let after = story.cluster.wait_until(SHORT, what, back).await?.value;
    let known: Vec<_> = before.iter().map(|event| (event.seq, &event.text)).collect();
    let kept: Vec<_> = after.iter().map(|event| (event.seq, &event.text)).take(known.len()).collect();
    // The last lines before a SIGKILL may be lost.
    let same = known.iter().zip(&kept).take_while(|(a, b)| a == b).count();
    ensure!(same + 5 >= known.len(), "{same} of {} are the same", known.len());
    ensure!(after.windows(2).all(|pair| pair[0].seq < pair[1].seq), "the numbers go on");
    story.cluster.wait_all_following(2, HEALS).await?;
    let kept = xenoncli(&story, third, &["failover", "show", &report.head.id, "-o", "json"])?;
    let kept: Report = serde_json::from_str(&kept)?;
    ensure!(kept.votes == report.votes && kept.aftermath.starts_with(&report.aftermath), "{kept:?}");
    let log =
        xenoncli(&story, third, &["cluster", "log", "--grep", "open for writes as the primary of term"])?;
    ensure!(log.lines().count() >= 3, "{log}");
    Ok(())
}
