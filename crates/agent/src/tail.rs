//! W2, the side of the dead server: the end of its binary log that another node lacks.

use crate::agent::Agent;
use crate::input::Input;
use std::io::SeekFrom;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::sync::mpsc;
use tokio::time::Instant;
use xenon_api::{BinlogTailHead, EventKind};
use xenon_channel::{Bytes, Outflow};
use xenon_election::{Message, Refusal};
use xenon_gtid::GtidSet;
use xenon_mysql::{DiskLimits, FileRange, LogPlaces, binlog_tail_outside, relay_ranges};
use xenon_plan::Process;

/// How long mysqld is not started because its log is being read, at most.
pub(crate) const SERVE: Duration = Duration::from_secs(60);
/// And after that, while the other one applies what it got and asks for this node's vote: a server that recovers answers
/// nobody for seconds.
const AFTERWARDS: Duration = Duration::from_secs(10);
/// Whoever is refused a vote for what only this server has asks for it within this: time enough for others to make that
/// needless, and for the request.
const ASKS: Duration = Duration::from_secs(1);
/// So long after its death a server is held back for that. Then it is started whoever asks.
pub(crate) const ASKED_WITHIN: Duration = Duration::from_secs(15);
/// Read at once.
const PIECE: usize = 64 << 10;

/// What was sent.
pub(crate) struct Served {
    transactions: u64,
    bytes: u64,
}

impl Agent {
    /// Where the log of the dead server is; or why nobody may read it.
    pub(crate) fn may_serve_tail(&self) -> Result<LogPlaces, String> {
        if self.rebuild.holds_mysqld() {
            return Err("the data of the server here is being replaced".to_owned());
        }
        if self.comeback.is_cutting() {
            return Err("the end of its binlog is being cut off (W1)".to_owned());
        }
        if self.local.in_transit && !self.local.is_running() {
            return Err(
                "mysqld here is being started, or has not ended yet; try again in a moment".to_owned()
            );
        }
        if self.seen().process == Process::Running {
            return Err("mysqld runs here: what it has it can be asked for".to_owned());
        }
        self.logs.places.clone().ok_or_else(|| "it is not known where mysqld here keeps its logs".to_owned())
    }

    /// W2: mysqld is not started by this agent for so long, unless a leader is there before.
    pub(crate) fn hold_start(&mut self, at_most: Duration) {
        self.local.start_held = Some(Instant::now() + at_most);
    }

    /// W2: a candidate that hears this may fetch what it lacks, which it cannot from a server that is being started.
    pub(crate) fn hold_for_asker(&mut self, message: &Message) {
        let Message::VoteReply { refusal: Some(Refusal::Behind { dead: true, .. }), .. } = message else {
            return;
        };
        let asks = Instant::now() + ASKS;
        let Some(until) = self.local.hold_until.map(|until| until.min(asks)) else { return };
        self.local.start_held = Some(self.local.start_held.map_or(until, |held| held.max(until)));
    }

    pub(crate) fn on_served(&mut self, result: Result<Served, String>) {
        match result {
            Ok(Served { transactions, bytes }) => {
                self.hold_start(AFTERWARDS);
                let text = format!("{transactions} transaction(s) of the dead server sent, {bytes} bytes");
                self.events.push(EventKind::Election, text);
            }
            Err(why) => {
                self.local.start_held = None;
                self.local.hold_until = None;
                let text = format!("what only the dead server here has was not sent: {why}");
                self.events.push(EventKind::Trouble, text);
            }
        }
    }
}

/// Writes the tail, or why there is none. Whole transactions only.
pub(crate) async fn serve(
    places: LogPlaces,
    received: GtidSet,
    bytes_max: u64,
    limits: DiskLimits,
    mut pen: Outflow,
    inputs: mpsc::Sender<Input>,
) {
    let writing = write(&places, &received, bytes_max, limits, &mut pen);
    let written = match tokio::time::timeout(SERVE, writing).await {
        Ok(written) => written,
        Err(_) => Err(format!("it took longer than {} s", SERVE.as_secs())),
    };
    let result = match written {
        Ok(served) => pen.finish().await.map(|()| served).map_err(|gone| gone.to_string()),
        Err(why) => {
            pen.fail(why.clone()).await;
            Err(why)
        }
    };
    // The loop is gone only when the agent ends.
    let _ = inputs.send(Input::Served(result)).await;
}

async fn write(
    places: &LogPlaces,
    received: &GtidSet,
    bytes_max: u64,
    limits: DiskLimits,
    pen: &mut Outflow,
) -> Result<Served, String> {
    let tail = binlog_tail_outside(places, received, limits).await.map_err(|error| error.to_string())?;
    let Some(tail) = tail else { return Err("the binary log here holds nothing that it lacks".to_owned()) };
    if let Some(inside) = tail.inside_after {
        return Err(format!(
            "the binary log here does not end in what it lacks: {inside}, which it has, stands behind {}; rebuild one of \
             the two",
            tail.gtids
        ));
    }
    if tail.gtids.count() != tail.count {
        return Err("some of what it lacks has no GTID; rebuild one of the two".to_owned());
    }
    let files = relay_ranges(places, &tail, limits).await.map_err(|error| error.to_string())?;
    let lengths: Vec<u64> = files.iter().map(|ranges| ranges.iter().map(FileRange::bytes).sum()).collect();
    let bytes: u64 = lengths.iter().sum();
    if bytes > bytes_max {
        return Err(format!(
            "{} transactions of {bytes} bytes are lacking, and {bytes_max} are taken at most: start mysqld here, or \
             rebuild this node from whoever leads",
            tail.count
        ));
    }
    let head = BinlogTailHead { gtids: tail.gtids.clone(), transactions: tail.count, files: lengths };
    let mut line = serde_json::to_vec(&head).map_err(|error| error.to_string())?;
    line.push(b'\n');
    send(pen, line).await?;
    for range in files.iter().flatten() {
        send_range(pen, range).await?;
    }
    // One that was started meanwhile may have cut off what was read.
    let again = relay_ranges(places, &tail, limits).await.map_err(|error| error.to_string())?;
    if again != files {
        return Err("the binary log here has changed while it was read".to_owned());
    }
    Ok(Served { transactions: tail.count, bytes })
}

async fn send_range(pen: &mut Outflow, range: &FileRange) -> Result<(), String> {
    let io = |error: std::io::Error| format!("cannot read {}: {error}", range.path.display());
    let mut file = tokio::fs::File::open(&range.path).await.map_err(io)?;
    file.seek(SeekFrom::Start(range.from)).await.map_err(io)?;
    let mut left = range.bytes();
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        let mut piece = vec![0; wanted];
        file.read_exact(&mut piece).await.map_err(io)?;
        send(pen, piece).await?;
        left -= wanted as u64;
    }
    Ok(())
}

async fn send(pen: &mut Outflow, bytes: Vec<u8>) -> Result<(), String> {
    pen.send(Bytes::from(bytes)).await.map_err(|gone| gone.to_string())
}
