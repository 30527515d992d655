//! Messages to one peer, one after the other, without waiting for what becomes of them.

use crate::client::Client;
use crate::limits::end_of;
use hyper::body::Bytes;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// A task that sends messages to one path of one peer, in order. Dropping it ends the task and forgets the queue.
///
/// Each message is worth delivering for [`crate::ClientOptions::link_deadline`] from `send` on; one that has waited
/// longer is forgotten. When the queue is full, its oldest message is forgotten: newer ones supersede it. One message
/// is in flight at a time. There is no back-off: each message is one attempt, so a peer that has come back gets the
/// next one at once, and without messages nothing is tried and nothing wakes up.
#[derive(Debug)]
pub struct Link {
    shared: Arc<Shared>,
    task: AbortHandle,
}

/// How a link is doing, for status displays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkState {
    /// The last message was delivered, and the connection has not been seen to close since.
    pub connected: bool,
    /// Why the last message that failed did, in words; kept until one is delivered.
    pub last_error: Option<String>,
    /// Messages that failed since the last one that was delivered.
    pub consecutive_failures: u64,
    /// Messages delivered: the peer answered with a status of 200–299.
    pub delivered: u64,
    /// Messages that were tried and failed.
    pub failed: u64,
    /// Messages forgotten untried: the queue was full, or they had become too old.
    pub forgotten: u64,
}

#[derive(Debug)]
struct Shared {
    client: Client,
    peer: String,
    path: String,
    capacity: usize,
    deadline: Duration,
    queue: Mutex<VecDeque<Message>>,
    state: Mutex<LinkState>,
    wake: Notify,
}

#[derive(Debug)]
struct Message {
    until: Instant,
    body: Bytes,
}

impl Link {
    /// Starts a link to `path` of the node `peer` with a queue of `capacity` messages (at least one); must be called
    /// inside a tokio runtime.
    pub fn spawn(client: Client, peer: &str, path: &str, capacity: usize) -> Self {
        let deadline = client.options().link_deadline;
        let shared = Arc::new(Shared {
            client,
            peer: peer.to_owned(),
            path: path.to_owned(),
            capacity: capacity.max(1),
            deadline,
            queue: Mutex::default(),
            state: Mutex::default(),
            wake: Notify::new(),
        });
        let task = tokio::spawn(run(shared.clone()));
        Self { shared, task: task.abort_handle() }
    }

    /// Queues a message; never waits.
    pub fn send(&self, body: Bytes) {
        let until = end_of(Instant::now(), self.shared.deadline);
        let mut queue = self.shared.queue();
        let full = queue.len() >= self.shared.capacity;
        if full {
            queue.pop_front();
        }
        queue.push_back(Message { until, body });
        drop(queue);
        if full {
            self.shared.state().forgotten += 1;
        }
        self.shared.wake.notify_one();
    }

    /// The endpoint it sends to.
    pub fn peer(&self) -> &str {
        &self.shared.peer
    }

    /// How it is doing now.
    pub fn state(&self) -> LinkState {
        let mut state = self.shared.state().clone();
        state.connected = state.connected && self.shared.client.may_be_connected(&self.shared.peer);
        state
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, VecDeque<Message>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, LinkState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The oldest message that is still worth delivering, and the time left for it.
    fn next(&self) -> Option<(Bytes, Duration)> {
        loop {
            let message = self.queue().pop_front()?;
            let left = message.until.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                return Some((message.body, left));
            }
            self.state().forgotten += 1;
        }
    }
}

async fn run(shared: Arc<Shared>) {
    loop {
        let Some((body, left)) = shared.next() else {
            shared.wake.notified().await;
            continue;
        };
        let outcome = shared.client.call_bytes(&shared.peer, &shared.path, body, left).await;
        let mut state = shared.state();
        match outcome {
            Ok(_) => {
                state.connected = true;
                state.last_error = None;
                state.consecutive_failures = 0;
                state.delivered += 1;
            }
            Err(error) => {
                state.connected = false;
                state.last_error = Some(error.to_string());
                state.consecutive_failures += 1;
                state.failed += 1;
            }
        }
    }
}
