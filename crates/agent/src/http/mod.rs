//! The HTTP API: a task beside the loop. It asks the loop by [`Input::Call`] as the command line does, and health checks
//! of load balancers are answered from the [`View`] that the loop publishes, so that a server that hangs holds none up.

mod answer;
mod ask;
mod auth;
mod bodies;
mod change;
mod compat;
mod events;
mod guard;
mod health;
mod limits;
mod listen;
mod metrics;
#[cfg(test)]
mod openapi;
mod read;
mod routes;
mod stall;
#[cfg(test)]
mod tests;
mod tls;
mod ui;
mod view;

use crate::input::Input;
use ask::Asker;
use auth::Logins;
use limits::Limits;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use view::{Known, View};
use xenon_channel::Client;
use xenon_config::Config;
use xenon_election::NodeId;

/// Streams of events at once.
const STREAMS_MAX: usize = 32;

/// What every request may use.
#[derive(Clone)]
pub(crate) struct App {
    inner: Arc<Inner>,
}

struct Inner {
    asker: Asker,
    logins: Logins,
    limits: Limits,
    view: watch::Receiver<View>,
    /// Anything older says nothing about now.
    view_max_age: Duration,
    streams: Arc<Semaphore>,
}

/// The loop's end of it. Dropped, it ends the task.
pub(crate) struct Outlet {
    view: watch::Sender<View>,
    trouble: watch::Receiver<Option<String>>,
    /// Published at least so often.
    every: Duration,
    published: Instant,
    known: Known,
    task: AbortHandle,
}

impl Outlet {
    /// When the loop must publish again though nothing came in.
    pub(crate) fn wake_at(&self) -> Instant {
        self.published + self.every
    }

    /// Why nobody can ask over HTTP at present.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.borrow().clone()
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl App {
    fn new(config: &Config, inputs: mpsc::Sender<Input>, client: Client, view: watch::Receiver<View>) -> App {
        let lease = Duration::from_millis(config.timers().lease_ms);
        let inner = Inner {
            asker: Asker::new(NodeId::new(config.server.endpoint.to_string()), inputs, client),
            logins: Logins::new(config),
            limits: Limits::default(),
            view,
            view_max_age: lease.max(view::MAX_AGE_LEAST),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
        };
        App { inner: Arc::new(inner) }
    }
}

/// Starts the task when the config asks for it.
pub(crate) fn start(config: &Config, inputs: mpsc::Sender<Input>, client: Client) -> Option<Outlet> {
    if !config.server.enable_apis {
        return None;
    }
    let lease = Duration::from_millis(config.timers().lease_ms);
    let (view, views) = watch::channel(View::unknown(Instant::now()));
    let (told, trouble) = watch::channel(None);
    let app = App::new(config, inputs, client, views);
    let address = config.server.peer_address.clone();
    let files = match (&config.server.api_tls_cert, &config.server.api_tls_key) {
        (Some(cert), Some(key)) => Some(tls::Files { cert: cert.clone(), key: key.clone() }),
        _ => None,
    };
    let task = tokio::spawn(listen::run(address, files, routes::router(app), told)).abort_handle();
    let every = (lease / 4).clamp(Duration::from_millis(20), Duration::from_millis(250));
    Some(Outlet { view, trouble, every, published: Instant::now(), known: Known::default(), task })
}
