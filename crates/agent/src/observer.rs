//! Looking at the server: looks, probes, and a session that notices a shutdown at once.

use crate::input::Input;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, MissedTickBehavior};
use xenon_config::Timers;
use xenon_mysql::{Door, SqlError};
use xenon_plan::health::Probe;

/// Pause between two looks when nobody asks for one sooner.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a look may take.
const LOOK_DEADLINE: Duration = Duration::from_secs(2);
/// Pause before the watching session is opened again.
const SESSION_RETRY: Duration = Duration::from_millis(500);

/// Starts the looking tasks; `poke` asks for a look now.
pub(crate) fn spawn(door: Door, times: Timers, inputs: mpsc::Sender<Input>) -> Arc<Notify> {
    let poke = Arc::new(Notify::new());
    tokio::spawn(looks(door.clone(), Arc::clone(&poke), inputs.clone()));
    tokio::spawn(probes(door.clone(), times, inputs.clone()));
    tokio::spawn(session(door, times, inputs));
    poke
}

async fn looks(door: Door, poke: Arc<Notify>, inputs: mpsc::Sender<Input>) {
    loop {
        let began = Instant::now();
        let result = Box::new(door.observe(LOOK_DEADLINE).await);
        if inputs.send(Input::Looked { began, result }).await.is_err() {
            return;
        }
        let _ = tokio::time::timeout(LOOK_EVERY, poke.notified()).await;
    }
}

/// L6: probes with their own deadline on their own connections. They overlap: a server that hangs is found after one
/// deadline and a pause, not after two deadlines.
async fn probes(door: Door, times: Timers, inputs: mpsc::Sender<Input>) {
    let mut ticks = tokio::time::interval(Duration::from_millis(times.probe_interval_ms));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let deadline = Duration::from_millis(times.probe_deadline_ms);
    loop {
        ticks.tick().await;
        if inputs.is_closed() {
            return;
        }
        let (door, inputs) = (door.clone(), inputs.clone());
        tokio::spawn(async move { probe(&door, deadline, &inputs).await });
    }
}

async fn probe(door: &Door, deadline: Duration, inputs: &mpsc::Sender<Input>) {
    let began = Instant::now();
    let result = door.probe(deadline).await;
    let detail = result.as_ref().err().map(ToString::to_string).unwrap_or_default();
    let probe = match &result {
        Ok(()) => Probe::Answered,
        Err(SqlError::Timeout { .. }) => Probe::TimedOut,
        // Only "nobody listens" says that it goes down; a connection that was dropped is a miss like a late answer.
        Err(SqlError::Unreachable { cause, .. }) if nobody_listens(cause) => Probe::Refused,
        Err(SqlError::Lost { .. }) => Probe::TimedOut,
        // The agent's own trouble (no descriptor, no address, a name that does not resolve) says nothing of the server.
        Err(SqlError::Unreachable { .. }) => {
            tracing::warn!(detail, "mysqld could not be probed");
            return;
        }
        Err(_) => Probe::TurnedAway,
    };
    let _ = inputs.send(Input::Probed { began, probe, detail }).await;
}

fn nobody_listens(cause: &str) -> bool {
    cause.contains("refused") || cause.contains("No such file")
}

/// A session that only sleeps in the server: a shutdown ends sessions first of all, a second before the process ends.
async fn session(door: Door, times: Timers, inputs: mpsc::Sender<Input>) {
    let deadline = Duration::from_millis(times.probe_deadline_ms);
    loop {
        let began = Instant::now();
        let (held, error) = door.hold_session().await;
        if inputs.is_closed() {
            return;
        }
        if held {
            if inputs.send(Input::SessionLost { began, detail: error.to_string() }).await.is_err() {
                return;
            }
            // Lost for whatever reason (an operator's KILL, too): a probe tells whether the server goes down.
            probe(&door, deadline, &inputs).await;
        }
        tokio::time::sleep(SESSION_RETRY).await;
    }
}
