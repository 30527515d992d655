//! `cluster switchover`: a planned handover to any node, with a look at what stands in its way.

use crate::commands::handover;
use crate::failure::{Failure, Outcome};
use crate::output::{self, Output, note};
use crate::session::{self, DO, Session, strange};
use crate::start_time::When;
use crate::views::Object;
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::time::Duration;
use tokio::time::Instant;
use xenon_api::{Reply, Request, Response, SwitchoverPlan};
use xenon_election::NodeId;

pub(crate) async fn run(
    node: Option<String>,
    dry_run: bool,
    wait_s: u64,
    session: &Session,
    output: Output,
) -> Outcome {
    let target = node.map(|node| session::endpoints(&[node])).transpose()?.map(|mut nodes| nodes.remove(0));
    let own = session.status(session.local()).await?;
    let Some(leader) = own.leader.as_ref().map(ToString::to_string) else {
        return Err(Failure::new("no leader is known, so there is nobody to hand over")
            .cure("the nodes elect one by themselves; why they do not: xenoncli cluster status"));
    };
    if let Some(target) = target.as_ref().filter(|target| target.as_str() == leader && !dry_run) {
        let status = session.status(target.as_str()).await?;
        if handover::serves(&status) {
            let text = format!("{target} leads already, and its server is open for writes");
            return output::done(output, target.as_str(), &text);
        }
    }
    // What the leader tells from here on is about this handover.
    let seen = handover::last_event(session, &leader).await?;
    let begun = Instant::now();
    let wait = Duration::from_secs(wait_s);
    let wait_ms = wait_s.saturating_mul(1000);
    let request = Request::Switchover { target: target.clone(), dry_run, wait_ms };
    match session.call(&leader, request, DO + wait).await {
        Ok(Reply::Ok(Response::Switchover(plan))) => show(&plan, &leader, output),
        Ok(Reply::Ok(Response::Done { message })) => {
            let target = target.or_else(|| named_in(&message)).ok_or_else(|| strange(&leader))?;
            handover::wait(session, target.as_str(), Some((leader.as_str(), seen))).await?;
            let took = begun.elapsed().as_millis();
            let text = format!("{target} leads, and its server is open for writes, after {took} ms");
            output::done(output, target.as_str(), &text)
        }
        Ok(Reply::Ok(_)) => Err(strange(&leader)),
        Ok(Reply::Refused(refusal)) => Err(Failure::refused(&leader, &refusal)),
        Err(error) => Err(Failure::call(&error)),
    }
}

/// Without a terminal a line says so often how long it still is.
const SAY_EVERY: Duration = Duration::from_secs(600);

/// What stands in the way is looked at again so long before.
const LOOK_BEFORE: Duration = Duration::from_secs(30);

/// Waits for the time, here; what stands in the way is looked at before, so that a person is still there to read it. The switchover
/// itself looks again.
///
/// # Errors
/// It could not be done now whatever the time, or it was cancelled: then nothing was done.
pub(crate) async fn wait_until(at: &When, node: Option<&str>, session: &Session) -> Outcome {
    let target =
        node.map(|node| session::endpoints(&[node.to_owned()])).transpose()?.map(|mut nodes| nodes.remove(0));
    for hindrance in look_ahead(session, target.clone()).await? {
        note(&format!("in the way now: {hindrance}"));
    }
    note(&format!("the switchover begins at {at}; Ctrl-C cancels it"));
    let terminal = std::io::stderr().is_terminal();
    tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => {
            note("");
            Err(Failure::new("cancelled: nothing was done"))
        }
        () = async {
            count_down(at, LOOK_BEFORE, terminal).await;
            // A person who is still there can act on it; the switchover itself decides by its own look.
            match look_ahead(session, target).await {
                Ok(found) => found.iter().for_each(|hindrance| note(&format!("in the way now: {hindrance}"))),
                Err(failure) => note(&failure.to_string()),
            }
            count_down(at, Duration::ZERO, terminal).await;
        } => Ok(()),
    }
}

/// What would stand in its way now.
async fn look_ahead(session: &Session, target: Option<NodeId>) -> Outcome<Vec<String>> {
    let own = session.status(session.local()).await?;
    let Some(leader) = own.leader.as_ref().map(ToString::to_string) else {
        return Err(Failure::new("no leader is known, so there is nobody to hand over")
            .cure("the nodes elect one by themselves; why they do not: xenoncli cluster status"));
    };
    if target.as_ref().is_some_and(|target| target.as_str() == leader) {
        return Ok(vec![format!("{leader} leads already; if it still does then, nothing is done")]);
    }
    match session.ask(&leader, Request::Switchover { target, dry_run: true, wait_ms: 0 }, DO).await? {
        Response::Switchover(plan) => Ok(plan.hindrances),
        _ => Err(strange(&leader)),
    }
}

/// By the clock on the wall, looked at every second: it may be set meanwhile, and the host may sleep.
async fn count_down(at: &When, until: Duration, terminal: bool) {
    let mut said = Instant::now();
    loop {
        let left = at.left();
        if left <= until {
            break;
        }
        let seconds = left.as_secs();
        let text = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
        if terminal {
            // Standard error may be closed; the waiting is what counts.
            let _ = write!(std::io::stderr(), "\r{text} until the switchover ");
        } else if said.elapsed() >= SAY_EVERY {
            said = Instant::now();
            note(&format!("{text} until the switchover"));
        }
        tokio::time::sleep((left - until).min(Duration::from_secs(1))).await;
    }
    if terminal {
        note("");
    }
}

/// Whom the leader has chosen: the last word of its answer.
fn named_in(message: &str) -> Option<NodeId> {
    message.rsplit(' ').next().filter(|word| word.contains(':')).map(NodeId::from)
}

fn show(plan: &SwitchoverPlan, leader: &str, output: Output) -> Outcome {
    if output == Output::Json {
        return output::json(&Object::new(vec![
            ("ok", json!(plan.hindrances.is_empty())),
            ("leader", json!(leader)),
            ("target", json!(plan.target)),
            ("steps", json!(plan.steps)),
            ("hindrances", json!(plan.hindrances)),
        ]));
    }
    let mut lines: Vec<String> =
        plan.steps.iter().enumerate().map(|(at, step)| format!("{}. {step}", at + 1)).collect();
    match plan.hindrances.as_slice() {
        [] => lines.push("Nothing stands in the way. Nothing was done.".to_owned()),
        found => {
            lines.push("In the way now (nothing was done):".to_owned());
            lines.extend(found.iter().map(|line| format!("- {line}")));
        }
    }
    output::print(&lines.join("\n"))
}
