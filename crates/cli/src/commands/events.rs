//! `xenoncli cluster events` and `xenoncli cluster log`: what happened on all nodes, by time.

use crate::failure::{Failure, Outcome};
use crate::gather;
use crate::output::{self, Output};
use crate::session::Session;
use crate::when;
use clap::Args;
use std::collections::VecDeque;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};
use xenon_api::{Event, EventKind, EventPage, EventQuery, Reply, Request, Response};

/// Events that are shown where nobody says how many, or since when.
const SHOWN: u32 = 100;
/// And before those that are followed.
const SHOWN_BEFORE: u32 = 10;
/// How long an agent keeps the question for events, milliseconds.
const WAIT_MS: u64 = 8_000;
/// Its answer comes within this.
const DEADLINE: Duration = Duration::from_secs(10);
/// Events of different nodes that come within this are put into the order of their times.
const MERGE: Duration = Duration::from_millis(150);
/// Pause before an agent that does not answer is asked again.
const AGAIN: Duration = Duration::from_millis(200);

/// `cluster events`.
#[derive(Debug, Args)]
pub(crate) struct EventsArguments {
    /// Go on with what happens, until interrupted.
    #[arg(long, short = 'f')]
    pub(crate) follow: bool,
    /// Only those since so long ago: 90s, 30m, 1h, 2d.
    #[arg(long, value_name = "SPAN", value_parser = when::duration)]
    pub(crate) since: Option<Duration>,
    /// Only of this kind; may be given several times.
    #[arg(long, value_name = "KIND", value_parser = kind)]
    pub(crate) kind: Vec<EventKind>,
    /// Only of this node.
    #[arg(long, value_name = "NODE")]
    pub(crate) node: Option<String>,
    /// Only the last so many.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: Option<u32>,
}

/// `cluster log`.
#[derive(Debug, Args)]
pub(crate) struct LogArguments {
    /// Accepted from scripts of the Go tool, which read files there; the agents are asked instead.
    #[arg(long, value_name = "DIR")]
    pub(crate) logdir: Option<String>,
    /// From this time on: '2020-01-01 10:00:00' of this host's zone.
    #[arg(long, value_name = "TIME", value_parser = when::datetime)]
    pub(crate) start_datetime: Option<u64>,
    /// Up to this time.
    #[arg(long, value_name = "TIME", value_parser = when::datetime)]
    pub(crate) stop_datetime: Option<u64>,
    /// Only of this kind; may be given several times.
    #[arg(long, value_name = "KIND", value_parser = kind)]
    pub(crate) kind: Vec<EventKind>,
    /// Only of this node.
    #[arg(long, value_name = "NODE")]
    pub(crate) node: Option<String>,
    /// Only those with these words, large and small letters alike.
    #[arg(long, value_name = "WORDS")]
    pub(crate) grep: Option<String>,
}

fn kind(text: &str) -> Result<EventKind, String> {
    EventKind::ALL.into_iter().find(|kind| kind.word().eq_ignore_ascii_case(text)).ok_or_else(|| {
        let words: Vec<_> = EventKind::ALL.iter().map(|kind| kind.word()).collect();
        format!("one of {}", words.join(", "))
    })
}

/// Those of the cluster, or the one that is named.
async fn nodes(session: &Session, named: Option<&str>) -> Outcome<Vec<String>> {
    let Some(named) = named else { return gather::nodes(session).await };
    Ok(crate::session::endpoints(&[named.to_owned()])?.iter().map(ToString::to_string).collect())
}

pub(crate) async fn log(options: LogArguments, config: Option<&Path>, output: Output) -> Outcome {
    let session = Session::open(config)?;
    if options.logdir.is_some() {
        output::note("--logdir is not needed and not looked at: every agent tells its own events");
    }
    if options.start_datetime.zip(options.stop_datetime).is_some_and(|(start, stop)| start >= stop) {
        return Err(Failure::new("--stop-datetime is not after --start-datetime")
            .cure("exchange the two")
            .usage());
    }
    let nodes = nodes(&session, options.node.as_deref()).await?;
    let query = EventQuery {
        since_unix_ms: options.start_datetime.unwrap_or(0),
        until_unix_ms: options.stop_datetime,
        kinds: options.kind,
        limit: EventQuery::LIMIT_MAX,
        ..EventQuery::default()
    };
    let words = options.grep.map(|words| words.to_lowercase());
    let mut events = gather::events(&session, &nodes, &query).await;
    if let Some(words) = words {
        events.retain(|event| event.text.to_lowercase().contains(&words));
    }
    let mut lines = Lines::new(output, &nodes);
    lines.all(&events).map(drop)
}

pub(crate) async fn run(options: EventsArguments, config: Option<&Path>, output: Output) -> Outcome {
    let session = Session::open(config)?;
    let nodes = nodes(&session, options.node.as_deref()).await?;
    let span = options.since.map(|since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
    let since_unix_ms = span.map_or(0, |span| when::now_ms().saturating_sub(span));
    let shown = if options.follow { SHOWN_BEFORE } else { SHOWN };
    let last = options.limit.or(options.since.is_none().then_some(shown));
    let mut lines = Lines::new(output, &nodes);
    let query = EventQuery {
        since_unix_ms,
        kinds: options.kind.clone(),
        newest: last.is_some_and(|last| last <= EventQuery::LIMIT_MAX),
        limit: last.unwrap_or(EventQuery::LIMIT_MAX).min(EventQuery::LIMIT_MAX),
        ..EventQuery::default()
    };
    // Told apart from what is shown: where nothing is, following begins with the last one all the same.
    let after = if options.follow { last_seqs(&session, &nodes).await } else { Vec::new() };
    let mut events = gather::events(&session, &nodes, &query).await;
    if options.follow {
        events.retain(|event| {
            after.iter().any(|(node, seq)| *node == *event.node.as_str() && event.seq <= *seq)
        });
    }
    if let Some(last) = last {
        events.drain(..events.len().saturating_sub(last as usize));
    }
    let goes_on = lines.all(&events)?;
    if !options.follow || !goes_on {
        return Ok(());
    }
    let (sender, news) = mpsc::channel(1_000);
    for node in nodes {
        let seen = after.iter().find(|(id, _)| *id == node).map(|(_, seq)| *seq);
        tokio::spawn(follow(session.clone(), node, seen, sender.clone()));
    }
    drop(sender);
    print_news(news, &options.kind, &mut lines).await
}

/// The last event of each node that answers.
async fn last_seqs(session: &Session, nodes: &[String]) -> Vec<(String, u64)> {
    let query = EventQuery { newest: true, limit: 1, ..EventQuery::default() };
    let answers = gather::ask_all(session, nodes, &Request::FindEvents(query)).await;
    let seq = |response| match response {
        Response::Events(page) => Some(page.events.last().map_or(0, |event| event.seq)),
        _ => None,
    };
    answers.into_iter().filter_map(|(node, answer)| Some((node, answer.ok().and_then(seq)?))).collect()
}

/// One node's events from then on; `None` = it did not answer yet.
async fn follow(session: Session, node: String, mut after: Option<u64>, news: mpsc::Sender<Event>) {
    let mut answers = after.is_some();
    if !answers {
        output::note(&format!("{node} does not answer; its events follow when it does"));
    }
    loop {
        let Some(seen) = after else {
            // What it told before this command is not news.
            after = last_seqs(&session, std::slice::from_ref(&node)).await.first().map(|(_, seq)| *seq);
            if after.is_none() {
                sleep(AGAIN).await;
            }
            continue;
        };
        let page = page(&session, &node, seen).await;
        if page.is_some() != answers {
            answers = page.is_some();
            let word = if answers { "answers again" } else { "does not answer" };
            output::note(&format!("{}  {node} {word}", when::of_day(when::now_ms())));
        }
        let Some(page) = page else {
            sleep(AGAIN).await;
            continue;
        };
        if page.gap {
            output::note(&format!(
                "{node} has dropped events in between: xenoncli cluster log has them from its disk"
            ));
        }
        if page.events.is_empty() {
            // Its numbers went back: what was kept on its disk is gone, and its clock was set back, too.
            let last = last_seqs(&session, std::slice::from_ref(&node)).await.first().map(|(_, seq)| *seq);
            if last.is_some_and(|last| last < seen) {
                after = last;
            }
        }
        for event in page.events {
            after = Some(event.seq);
            if news.send(event).await.is_err() {
                return;
            }
        }
    }
}

async fn page(session: &Session, node: &str, after: u64) -> Option<EventPage> {
    match session.call(node, Request::Events { after, wait_ms: WAIT_MS }, DEADLINE).await {
        Ok(Reply::Ok(Response::Events(page))) => Some(page),
        _ => None,
    }
}

async fn print_news(mut news: mpsc::Receiver<Event>, kinds: &[EventKind], lines: &mut Lines) -> Outcome {
    let mut tick = interval(MERGE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut waiting: VecDeque<Event> = VecDeque::new();
    loop {
        tokio::select! {
            event = news.recv() => match event {
                Some(event) if kinds.is_empty() || kinds.contains(&event.kind) => waiting.push_back(event),
                Some(_) => {}
                None => return Ok(()),
            },
            _ = tick.tick() => {
                // Of one node they came in their order, and a stable sort leaves it where times are equal.
                waiting.make_contiguous().sort_by_key(|event| event.unix_ms);
                let ready: Vec<Event> = waiting.drain(..).collect();
                if !lines.all(&ready)? {
                    return Ok(());
                }
            }
        }
    }
}

/// Prints events, one a line.
struct Lines {
    output: Output,
    /// Of the longest name.
    width: usize,
}

impl Lines {
    fn new(output: Output, nodes: &[String]) -> Self {
        Self { output, width: nodes.iter().map(|node| node.chars().count()).max().unwrap_or(0) }
    }

    /// `false`: nobody reads on.
    fn all(&mut self, events: &[Event]) -> Outcome<bool> {
        let mut out = std::io::stdout().lock();
        let mut print = || {
            for event in events {
                let line = match self.output {
                    Output::Table => shown(event, self.width),
                    Output::Json => serde_json::to_string(event)?,
                };
                writeln!(out, "{line}")?;
            }
            out.flush()
        };
        match print() {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(error.into()),
            Ok(()) => Ok(true),
        }
    }
}

/// When, where, of what kind, what.
fn shown(event: &Event, width: usize) -> String {
    let text = output::printable(&event.text).replace('\n', " ");
    let since = event.since_start_ms.map(|ms| format!("[+{ms:.1} ms] ")).unwrap_or_default();
    let (node, kind) = (event.node.as_str(), event.kind.word());
    format!("{}  {node:<width$}  {kind:<8}  {since}{text}", when::millisecond(event.unix_ms))
}
