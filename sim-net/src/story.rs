//! What the agents of a simulation log, as lines of virtual time: the same seed must give the same lines.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Metadata, Subscriber};

/// Turmoil lets each host run inside a span of this name, with the host's name as its only field.
const HOST_SPAN: &str = "node";

/// The lines of one simulation; collected while it lives, on its own thread.
pub struct Story {
    lines: Arc<Mutex<Lines>>,
    _collecting: DefaultGuard,
}

#[derive(Default)]
struct Lines {
    lines: Vec<String>,
    hosts: BTreeMap<String, u64>,
    host: Option<u64>,
}

impl Story {
    /// Begins.
    pub(crate) fn begin() -> Story {
        let lines = Arc::new(Mutex::new(Lines::default()));
        let collecting = tracing::subscriber::set_default(Collector(lines.clone()));
        Story { lines, _collecting: collecting }
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<String> {
        lock(&self.lines).lines.clone()
    }

    /// Lines of `host` that contain `words`; of every host when it is empty.
    pub fn count(&self, host: &str, words: &str) -> usize {
        let host = format!(" {host}: ");
        let lines = lock(&self.lines);
        lines
            .lines
            .iter()
            .filter(|line| (host == " : " || line.contains(&host)) && line.contains(words))
            .count()
    }
}

fn lock(lines: &Mutex<Lines>) -> MutexGuard<'_, Lines> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Collector(Arc<Mutex<Lines>>);

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        if metadata.is_span() {
            return metadata.name() == HOST_SPAN;
        }
        *metadata.level() <= Level::INFO && metadata.target().starts_with("xenon")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut text = Text::default();
        span.record(&mut text);
        let mut lines = lock(&self.0);
        let next = lines.hosts.len() as u64 + 1;
        Id::from_u64(*lines.hosts.entry(text.name).or_insert(next))
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let at_ms = turmoil::sim_elapsed().unwrap_or_default().as_millis();
        let mut lines = lock(&self.0);
        let host = lines.host.and_then(|id| lines.hosts.iter().find(|(_, other)| **other == id));
        let host = host.map_or("-", |(name, _)| name.as_str());
        let line = format!("{at_ms:>6} {host}: {}{}", text.message, text.others);
        lines.lines.push(line);
    }

    fn enter(&self, span: &Id) {
        lock(&self.0).host = Some(span.into_u64());
    }

    fn exit(&self, _span: &Id) {
        lock(&self.0).host = None;
    }
}

#[derive(Default)]
struct Text {
    message: String,
    name: String,
    others: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing into a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            // The message says both.
            "kind" | "ms" => Ok(()),
            name => write!(self.others, " {name}={value:?}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "name" => self.name.push_str(value),
            _ => self.record_debug(field, &value),
        }
    }
}
