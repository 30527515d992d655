//! Events of all agents, merged, one line each.

use crate::failure::Outcome;
use crate::output::print;
use crate::session::Session;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};
use xenon_api::{EventPage, Reply, Request, Response};
use xenon_testkit::{LocalCluster, Node};

/// How long an agent keeps the question for events, milliseconds.
const WAIT_MS: u64 = 8_000;
/// Its answer comes within this.
const DEADLINE: Duration = Duration::from_secs(10);
/// Events of different nodes that come within this are put into the order of their times.
const MERGE: Duration = Duration::from_millis(150);
/// Pause before an agent that does not answer is asked again.
const AGAIN: Duration = Duration::from_millis(200);
/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// One line: when, where, what.
struct Line {
    unix_ms: u64,
    name: String,
    kind: &'static str,
    text: String,
}

/// The lines of all nodes.
pub(super) struct Stream {
    lines: mpsc::Receiver<Line>,
}

impl Stream {
    /// Begins with what happens from now on.
    pub(super) async fn begin(nodes: &[Node], session: Session) -> Self {
        let (sender, lines) = mpsc::channel(1_000);
        for node in nodes {
            let last = match events(&session, &node.endpoint, 0, 0).await {
                Some(page) => last_seq(&page, 0),
                None => 0,
            };
            let (name, endpoint) = (node.name.clone(), node.endpoint.clone());
            tokio::spawn(follow(session.clone(), name, endpoint, last, sender.clone()));
        }
        Self { lines }
    }

    /// Prints until the process ends.
    pub(super) async fn run(mut self, cluster: &LocalCluster) -> Outcome {
        let mut tick = interval(MERGE);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut waiting: Vec<Line> = Vec::new();
        loop {
            tokio::select! {
                Some(line) = self.lines.recv() => waiting.push(line),
                _ = tick.tick() => {
                    for index in cluster.started() {
                        if let Some(how) = cluster.agent_exit(index) {
                            let name = cluster.node(index)?.name;
                            waiting.push(Line { unix_ms: now_ms(), name, kind: "agent", text: format!("the agent has ended ({how})") });
                        }
                    }
                    waiting.sort_by_key(|line| line.unix_ms);
                    for line in waiting.drain(..) {
                        print(&shown(&line))?;
                    }
                }
            }
        }
    }
}

async fn follow(session: Session, name: String, endpoint: String, mut seen: u64, lines: mpsc::Sender<Line>) {
    let mut answers = true;
    loop {
        let page = events(&session, &endpoint, seen, WAIT_MS).await;
        let is_there = page.is_some();
        if is_there != answers {
            answers = is_there;
            let text =
                if is_there { "the agent answers again" } else { "the agent does not answer" }.to_owned();
            if lines.send(Line { unix_ms: now_ms(), name: name.clone(), kind: "agent", text }).await.is_err()
            {
                return;
            }
        }
        let Some(page) = page else {
            sleep(AGAIN).await;
            continue;
        };
        seen = last_seq(&page, seen);
        for event in page.events {
            let line = Line {
                unix_ms: event.unix_ms,
                name: name.clone(),
                kind: event.kind.word(),
                text: event.text,
            };
            if lines.send(line).await.is_err() {
                return;
            }
        }
    }
}

async fn events(session: &Session, endpoint: &str, after: u64, wait_ms: u64) -> Option<EventPage> {
    match session.call(endpoint, Request::Events { after, wait_ms }, DEADLINE).await {
        Ok(Reply::Ok(Response::Events(page))) => Some(page),
        _ => None,
    }
}

fn last_seq(page: &EventPage, before: u64) -> u64 {
    page.events.last().map_or(before, |event| event.seq)
}

fn shown(line: &Line) -> String {
    let ms = line.unix_ms % DAY_MS;
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    let Line { name, kind, text, .. } = line;
    format!(
        "{hours:02}:{minutes:02}:{seconds:02}.{:03}Z  {name:<6} {kind:<9} {}",
        ms % 1_000,
        text.replace('\n', " ")
    )
}

fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_time_of_day_the_node_and_the_words() {
        let line = Line {
            unix_ms: DAY_MS + 3_723_004,
            name: "node2".to_owned(),
            kind: "step",
            text: "a\nb".to_owned(),
        };
        assert_eq!(shown(&line), "01:02:03.004Z  node2  step      a b");
    }
}
