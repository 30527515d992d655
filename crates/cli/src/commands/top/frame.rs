//! What `top` shows at one moment. Pure: from answers to lines.

use crate::output::printable;
use crate::paint::Paint;
use crate::session::Answer;
use std::collections::BTreeMap;
use tokio::time::Instant;
use xenon_api::{Event, EventKind, Level, NodeStatus};

/// So many lines of events at most, and so many of troubles.
const EVENT_LINES: usize = 12;
const TROUBLE_LINES: usize = 8;

/// What one look found.
#[derive(Debug)]
pub(super) struct Frame {
    rows: Vec<Row>,
    leader: String,
    term: u64,
    commits_per_s: Option<f64>,
    troubles: Vec<String>,
    events: Vec<Event>,
}

#[derive(Debug)]
struct Row {
    level: Level,
    cells: [String; 9],
}

const COLUMNS: [&str; 9] = ["NODE", "STATE", "MYSQL", "TERM", "BEHIND", "LAG", "SEMI-SYNC", "ERRANT", "JOB"];

/// What is kept between two looks.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Transactions that each node had executed, and when.
    executed: BTreeMap<String, (u64, Instant)>,
}

impl History {
    pub(super) fn frame(&mut self, answers: Vec<Answer>, events: &[Event], now: Instant) -> Frame {
        let statuses: Vec<&NodeStatus> = answers.iter().filter_map(Answer::status).collect();
        let leader = statuses
            .iter()
            .filter(|status| status.state == "LEADER")
            .max_by_key(|status| status.view_id)
            .copied();
        let mut frame = Frame {
            rows: Vec::new(),
            leader: leader.map(|status| status.id.to_string()).unwrap_or_default(),
            term: statuses.iter().map(|status| status.view_id).max().unwrap_or(0),
            commits_per_s: leader.and_then(|leader| self.speed(leader, now)),
            troubles: Vec::new(),
            events: events.to_vec(),
        };
        for answer in &answers {
            match &answer.status {
                Ok(status) => {
                    frame.rows.push(row(status, leader));
                    let unfit = status.unfit.iter().map(|why| format!("may not lead: {why}"));
                    let told = status.troubles.iter().cloned().chain(unfit);
                    frame.troubles.extend(told.map(|trouble| format!("{}: {trouble}", status.id)));
                }
                Err(failure) => {
                    let mut cells: [String; 9] = Default::default();
                    cells[0].clone_from(&answer.id);
                    "UNKNOW".clone_into(&mut cells[1]);
                    frame.rows.push(Row { level: Level::Error, cells });
                    frame.troubles.push(failure.what().to_owned());
                }
            }
        }
        frame
    }

    fn speed(&mut self, leader: &NodeStatus, now: Instant) -> Option<f64> {
        if !leader.mysql.alive {
            return None;
        }
        let count = leader.mysql.executed.count();
        let before = self.executed.insert(leader.id.to_string(), (count, now));
        let (then, at) = before?;
        let seconds = now.duration_since(at).as_secs_f64();
        // A count that fell is another server's.
        (seconds > 0.05 && count >= then).then(|| (count - then) as f64 / seconds)
    }
}

fn row(status: &NodeStatus, leader: Option<&NodeStatus>) -> Row {
    let mysql = &status.mysql;
    let is_leader = leader.is_some_and(|leader| leader.id == status.id);
    let behind = leader.filter(|_| mysql.alive && !is_leader).map(|leader| {
        let missing = leader.mysql.executed.subtract(&mysql.executed);
        missing.count()
    });
    let lag = match &mysql.replication {
        _ if !mysql.alive || mysql.writable => String::new(),
        Some(replication) if !replication.io_running => "not connected".to_owned(),
        Some(replication) if !replication.sql_running => "stopped".to_owned(),
        Some(replication) => {
            replication.seconds_behind.map(|seconds| format!("{seconds} s")).unwrap_or_default()
        }
        None => "no source".to_owned(),
    };
    let semi_sync = match (mysql.semi_sync_source, mysql.semi_sync_replica) {
        (Some((true, wanted, have)), _) if mysql.writable => format!("{have} ack, {wanted} wanted"),
        (_, Some(true)) => "acks".to_owned(),
        _ => "-".to_owned(),
    };
    let server = match (mysql.alive, mysql.writable) {
        (false, _) if status.mysqld.running => "hangs",
        (false, _) => "down",
        (true, true) => "READWRITE",
        (true, false) => "readonly",
    };
    let errant = status.errant.count();
    let job = status
        .job
        .as_ref()
        .filter(|job| job.is_active())
        .map(|job| format!("{} {} {} %", job.kind.word(), job.phase, job.percent));
    let broken =
        mysql.replication.as_ref().is_some_and(|replication| !replication.sql_running && !mysql.writable);
    let level = match () {
        () if !mysql.alive || errant > 0 || broken => Level::Error,
        () if status.unfit.is_some() || !status.troubles.is_empty() => Level::Warn,
        () => Level::Ok,
    };
    let cells = [
        status.id.to_string(),
        status.state.clone(),
        server.to_owned(),
        status.view_id.to_string(),
        behind.map(|count| count.to_string()).unwrap_or_default(),
        lag,
        semi_sync,
        if errant == 0 { String::new() } else { errant.to_string() },
        job.unwrap_or_default(),
    ];
    Row { level, cells }
}

impl Frame {
    /// Lines of at most `width` columns, at most `height` of them.
    pub(super) fn text(&self, width: usize, height: usize, paint: Paint) -> Vec<String> {
        let leader = if self.leader.is_empty() { "nobody" } else { &self.leader };
        let speed = self.commits_per_s.map(|speed| format!(", {speed:.0} commits/s")).unwrap_or_default();
        let mut lines =
            vec![paint.strong(&cut(&format!("{leader} leads in term {}{speed}", self.term), width))];
        lines.push(String::new());
        lines.push(paint.strong(&cut(&self.line(&COLUMNS.map(str::to_owned)), width)));
        for row in &self.rows {
            let line = cut(&self.line(&row.cells), width);
            lines.push(if row.level == Level::Ok { line } else { paint.level(row.level, &line) });
        }
        if !self.troubles.is_empty() {
            lines.push(String::new());
            for trouble in self.troubles.iter().take(TROUBLE_LINES) {
                lines.push(paint.level(Level::Warn, &cut(&one_line(trouble), width)));
            }
            if let more @ 1.. = self.troubles.len().saturating_sub(TROUBLE_LINES) {
                lines.push(cut(&format!("and {more} more"), width));
            }
        }
        let room = height.saturating_sub(lines.len() + 1).min(EVENT_LINES);
        if room > 0 && !self.events.is_empty() {
            lines.push(String::new());
            for event in self.events.iter().skip(self.events.len().saturating_sub(room)) {
                let text = cut(&one_line(&event_line(event)), width);
                let strong = matches!(event.kind, EventKind::Trouble);
                lines.push(if strong { paint.level(Level::Warn, &text) } else { paint.faint(&text) });
            }
        }
        lines.truncate(height);
        lines
    }

    fn line(&self, cells: &[String; 9]) -> String {
        let mut line = String::new();
        for (place, cell) in cells.iter().enumerate() {
            let widest = self.rows.iter().map(|row| row.cells[place].chars().count());
            let widest = widest.chain([COLUMNS[place].len()]).max().unwrap_or(0);
            line.push_str(&format!("{cell:<widest$}  "));
        }
        line.trim_end().to_owned()
    }
}

fn event_line(event: &Event) -> String {
    let when = jiff::Timestamp::from_millisecond(i64::try_from(event.unix_ms).unwrap_or(0))
        .map(|at| at.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S%.3f").to_string())
        .unwrap_or_default();
    format!("{when} {} {}: {}", event.node, event.kind.word(), event.text)
}

fn one_line(text: &str) -> String {
    printable(text).replace('\n', " ")
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    cut.push('\u{2026}');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_to_the_terminal() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab\u{2026}");
        assert_eq!(cut("abcd", 0), "\u{2026}");
        let frame = Frame {
            rows: Vec::new(),
            leader: String::new(),
            term: 3,
            commits_per_s: Some(12.3),
            troubles: (0..20).map(|number| format!("trouble\n{number} \x1b[2J")).collect(),
            events: Vec::new(),
        };
        let lines = frame.text(30, 10, Paint::none());
        assert_eq!(lines.len(), 10);
        assert_eq!(lines[0], "nobody leads in term 3, 12 co\u{2026}");
        assert!(
            lines.iter().all(|line| line.chars().count() <= 30 && !line.contains(['\n', '\x1b'])),
            "{lines:?}"
        );
    }
}
