//! `top`: all nodes, live.

mod frame;
mod screen;

use crate::arguments::TopArguments;
use crate::failure::Outcome;
use crate::output::{self, Output};
use crate::paint::Paint;
use crate::session::{LOOK, Session};
use crate::views;
use frame::{Frame, History};
use screen::{Key, Screen};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use xenon_api::{Event, Request, Response};

/// So many events are kept.
const EVENTS: usize = 50;
/// Pages of old events that are skipped at the start.
const PAGES: usize = 8;

pub(crate) async fn run(options: TopArguments, config: Option<&Path>, output: Output) -> Outcome {
    let session = Session::open(config)?;
    if output == Output::Json {
        let answers = session.cluster().await;
        return output::json(&views::STATUS.json(&answers, false));
    }
    let live = std::io::stdout().is_terminal() && std::io::stdin().is_terminal() && !options.once;
    let mut look = Look::new(session);
    if !live {
        let frame = look.take().await;
        let width = screen::width().unwrap_or(100);
        return output::print(&frame.text(width, usize::MAX, Paint::stdout()).join("\n"));
    }
    let mut screen = Screen::begin()?;
    let interval = Duration::from_secs(options.interval);
    loop {
        let begun = Instant::now();
        let frame = tokio::select! {
            frame = look.take() => frame,
            Key::Quit = screen.key() => return Ok(()),
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        screen.show(&frame)?;
        tokio::select! {
            () = tokio::time::sleep_until(begun + interval) => {}
            Key::Quit = screen.key() => return Ok(()),
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}

/// Looks at all nodes, and remembers what the next look is compared with.
struct Look {
    session: Session,
    history: History,
    /// The last event of each node that was seen.
    seen: BTreeMap<String, u64>,
    events: Vec<Event>,
}

impl Look {
    fn new(session: Session) -> Self {
        Self { session, history: History::default(), seen: BTreeMap::new(), events: Vec::new() }
    }

    async fn take(&mut self) -> Frame {
        let answers = self.session.cluster().await;
        let up =
            answers.iter().filter(|answer| answer.status.is_ok()).map(|answer| answer.id.clone()).collect();
        self.read_events(up).await;
        self.history.frame(answers, &self.events, Instant::now())
    }

    async fn read_events(&mut self, nodes: Vec<String>) {
        let mut asked = JoinSet::new();
        for node in nodes {
            let (session, after) = (self.session.clone(), self.seen.get(&node).copied().unwrap_or(0));
            asked.spawn(async move {
                let read = new_events(&session, &node, after).await;
                (node, read)
            });
        }
        for (node, (seen, events)) in asked.join_all().await {
            self.seen.insert(node, seen);
            self.events.extend(events);
        }
        self.events.sort_by_key(|event| (event.unix_ms, event.seq));
        let surplus = self.events.len().saturating_sub(EVENTS);
        self.events.drain(..surplus);
    }
}

/// The number of the last one, and the newest.
async fn new_events(session: &Session, node: &str, after: u64) -> (u64, Vec<Event>) {
    let (mut seen, mut newest) = (after, Vec::new());
    for _ in 0..PAGES {
        let asked = session.ask(node, Request::Events { after: seen, wait_ms: 0 }, LOOK).await;
        let Ok(Response::Events(page)) = asked else { break };
        match page.events.last() {
            Some(last) if last.seq > seen => seen = last.seq,
            // An agent that was started anew counts from 1 again.
            None if seen > 0 && after > 0 && page.gap => seen = 0,
            _ => break,
        }
        newest.extend(page.events);
        let surplus = newest.len().saturating_sub(EVENTS);
        newest.drain(..surplus);
    }
    (seen, newest)
}
