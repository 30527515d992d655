//! `raft trytoleader`: a planned handover to this node.

use crate::failure::{Failure, Outcome};
use crate::output::{self, Output};
use crate::session::{DO, Session, strange};
use std::time::Duration;
use tokio::time::Instant;
use xenon_api::{EventKind, NodeStatus, Request, Response};

/// How long this node may take until it serves.
const WAIT: Duration = Duration::from_secs(15);
/// Between two looks at this node.
const PAUSE: Duration = Duration::from_millis(20);
/// Between two looks at what the old leader tells.
const PAGE_PAUSE: Duration = Duration::from_millis(200);

pub(crate) async fn run(session: &Session, no_wait: bool, output: Output) -> Outcome {
    let local = session.local();
    let own = session.status(local).await?;
    if !own.members.iter().any(|member| member.id == own.id) {
        return Err(Failure::new(format!("this node, {local}, is no member of a cluster"))
            .cure("form one, or join one: xenoncli cluster add"));
    }
    if own.state == "STOPPED" {
        return Err(Failure::new(format!("this node, {local}, takes no part in elections"))
            .cure("let it first: xenoncli raft enable"));
    }
    if serves(&own) {
        return output::done(
            output,
            local,
            &format!("{local} leads already, and its server is open for writes"),
        );
    }
    if own.state == "LEADER" {
        if no_wait {
            return output::done(output, local, &format!("{local} leads already"));
        }
        wait(session, local, None).await?;
        return output::done(output, local, &format!("{local} leads, and its server is open for writes"));
    }
    let Some(leader) = own.leader.as_ref().map(ToString::to_string) else {
        return Err(Failure::new("no leader is known, so there is nobody to hand over")
            .cure("the nodes elect one by themselves; why they do not: xenoncli cluster status"));
    };
    // What the leader tells from here on is about this handover.
    let seen = if no_wait { 0 } else { last_event(session, &leader).await? };
    let begun = Instant::now();
    let retry_until = if no_wait { begun } else { begun + DO };
    let request = Request::HandOver { target: Some(own.id.clone()) };
    let (by, message) = session.tell(&leader, request, retry_until).await?;
    if no_wait {
        return output::done(output, &by, &message);
    }
    // Another leader than the one whose events were read: then they say nothing.
    let told = (by == leader).then_some((leader.as_str(), seen));
    wait(session, local, told).await?;
    let took = begun.elapsed().as_millis();
    output::done(output, local, &format!("{local} leads, and its server is open for writes, after {took} ms"))
}

/// It leads and is the open primary of this very term.
pub(crate) fn serves(status: &NodeStatus) -> bool {
    // What the last look at the server said may be older than the term.
    let promoted = status.last_promotion.as_ref().is_some_and(|timing| timing.term == status.view_id);
    status.state == "LEADER" && status.mysql.alive && (promoted || status.mysql.writable)
}

/// Waits until this node serves; `told` names the leader whose events tell why it might not, and the last one seen.
pub(crate) async fn wait(session: &Session, local: &str, told: Option<(&str, u64)>) -> Outcome {
    let until = Instant::now() + WAIT;
    let mut next_page = Instant::now() + PAGE_PAUSE;
    let mut seen = told.map_or(0, |(_, seen)| seen);
    loop {
        let status = session.status(local).await?;
        if serves(&status) {
            return Ok(());
        }
        let now = Instant::now();
        if let Some((leader, _)) = told.filter(|_| now >= next_page) {
            next_page = now + PAGE_PAUSE;
            // The old leader may be gone: then only this node's own state counts.
            for event in events(session, leader, seen).await.unwrap_or_default() {
                seen = event.0;
                if event.1.contains("given up") {
                    return Err(Failure::new(format!("{leader}: {}", event.1)).cure(
                        "cure what it names, and try again; xenoncli cluster status shows every node",
                    ));
                }
            }
        }
        if now >= until {
            let seconds = WAIT.as_secs();
            let leader = status.leader.as_ref().map_or("nobody".to_owned(), ToString::to_string);
            let doing = match status.doing.last() {
                Some(doing) => format!("; it is at: {doing}"),
                None => String::new(),
            };
            let what = format!(
                "after {seconds} s {local} does not serve: it is {}, the leader it knows is {leader}{doing}",
                status.state
            );
            return Err(Failure::new(what).cure("look at xenoncli cluster status, and at the agents' logs"));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Sequence number of the last event of a node.
pub(crate) async fn last_event(session: &Session, node: &str) -> Outcome<u64> {
    let mut last = 0;
    loop {
        let Response::Events(page) =
            session.ask(node, Request::Events { after: last, wait_ms: 0 }, DO).await?
        else {
            return Err(strange(node));
        };
        match page.events.last() {
            // It only ever rises; a node that answers otherwise must not keep this going for ever.
            Some(event) if event.seq > last => last = event.seq,
            _ => return Ok(last),
        }
    }
}

/// Events about handovers after one: number and text.
async fn events(session: &Session, node: &str, after: u64) -> Outcome<Vec<(u64, String)>> {
    let Response::Events(page) = session.ask(node, Request::Events { after, wait_ms: 0 }, PAGE_PAUSE).await?
    else {
        return Err(strange(node));
    };
    let about = page.events.into_iter().filter(|event| event.kind == EventKind::Handover);
    Ok(about.map(|event| (event.seq, event.text)).collect())
}
