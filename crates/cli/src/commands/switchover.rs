//! `cluster switchover`: a planned handover to any node, with a look at what stands in its way.

use crate::commands::handover;
use crate::failure::{Failure, Outcome};
use crate::output::{self, Output};
use crate::session::{self, DO, Session, strange};
use crate::views::Object;
use serde_json::json;
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
