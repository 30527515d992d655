//! What all nodes of the cluster tell, each asked at the same time, and those that did not answer.

use crate::failure::{Failure, Outcome};
use crate::output;
use crate::session::{DO, Session, strange};
use tokio::task::JoinSet;
use xenon_api::{Event, EventQuery, Request, Response};

/// Of one node no more events are taken at once.
const EVENTS_MAX: usize = 100_000;

/// The nodes of the cluster, as this host's agent knows them.
pub(crate) async fn nodes(session: &Session) -> Outcome<Vec<String>> {
    let status = session.status(session.local()).await?;
    let members: Vec<String> = status.members.iter().map(|member| member.id.to_string()).collect();
    Ok(if members.is_empty() { vec![session.local().to_owned()] } else { members })
}

/// One request to all of them: who answered, and what.
pub(crate) async fn ask_all(
    session: &Session,
    nodes: &[String],
    request: &Request,
) -> Vec<(String, Result<Response, Failure>)> {
    let mut asked = JoinSet::new();
    for (place, node) in nodes.iter().cloned().enumerate() {
        let (session, request) = (session.clone(), request.clone());
        asked.spawn(async move {
            let answer = session.ask(&node, request, DO).await;
            (place, node, answer)
        });
    }
    let mut answers = asked.join_all().await;
    answers.sort_by_key(|(place, ..)| *place);
    answers.into_iter().map(|(_, node, answer)| (node, answer)).collect()
}

/// The events of all nodes that a query wants, by time. Who does not answer is told on standard error.
pub(crate) async fn events(session: &Session, nodes: &[String], query: &EventQuery) -> Vec<Event> {
    let mut asked = JoinSet::new();
    for node in nodes.iter().cloned() {
        let (session, query) = (session.clone(), query.clone());
        asked.spawn(async move {
            let events = all_of(&session, &node, query).await;
            (node, events)
        });
    }
    let mut all = Vec::new();
    for (node, events) in asked.join_all().await {
        match events {
            Ok(events) => all.push(events),
            Err(failure) => output::note(&format!("without the events of {node}: {}", failure.what())),
        }
    }
    merged(all)
}

/// Page by page, unless only the last ones are wanted.
async fn all_of(session: &Session, node: &str, mut query: EventQuery) -> Outcome<Vec<Event>> {
    let mut events: Vec<Event> = Vec::new();
    loop {
        let Response::Events(page) = session.ask(node, Request::FindEvents(query.clone()), DO).await? else {
            return Err(strange(node));
        };
        let last = page.events.last().map(|event| event.seq);
        let full = page.events.len() >= query.limit as usize;
        events.extend(page.events);
        match last.filter(|last| full && !query.newest && *last > query.after && events.len() < EVENTS_MAX) {
            Some(last) => query.after = last,
            None => return Ok(events),
        }
    }
}

/// By time; those of one node stay in their order whatever its clock did.
pub(crate) fn merged(of_nodes: Vec<Vec<Event>>) -> Vec<Event> {
    let mut all: Vec<(u64, Event)> = Vec::new();
    for events in of_nodes {
        let mut latest = 0;
        for event in events {
            latest = event.unix_ms.max(latest);
            all.push((latest, event));
        }
    }
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, event)| event).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use xenon_api::EventKind;
    use xenon_election::NodeId;

    #[test]
    fn a_clock_that_was_set_back_does_not_turn_a_node_around() {
        let event = |node: &str, seq, unix_ms| Event {
            seq,
            unix_ms,
            node: NodeId::from(node),
            kind: EventKind::Step,
            text: String::new(),
            since_start_ms: None,
        };
        let a = vec![event("a", 1, 100), event("a", 2, 50), event("a", 3, 200)];
        let b = vec![event("b", 1, 99), event("b", 2, 150)];
        let order: Vec<_> =
            merged(vec![a, b]).iter().map(|event| format!("{}{}", event.node, event.seq)).collect();
        assert_eq!(order, ["b1", "a1", "a2", "b2", "a3"]);
    }
}
