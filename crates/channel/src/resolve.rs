//! From an endpoint to addresses, without letting a sick name service hurt the channel.

use crate::sockets;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// With addresses of an earlier lookup at hand, a name service gets this long before those are used.
const PATIENCE: Duration = Duration::from_millis(250);

type Answer = Option<Result<Arc<[SocketAddr]>, String>>;

/// The addresses of one endpoint.
pub(crate) struct Resolver {
    host: String,
    port: u16,
    lookup: Mutex<Lookup>,
}

#[derive(Default)]
struct Lookup {
    /// What the last successful lookup found.
    known: Option<Arc<[SocketAddr]>>,
    /// The lookup in progress, or the last one. A lookup cannot be cancelled and may take many seconds, so there is
    /// never more than one for a peer.
    running: Option<watch::Receiver<Answer>>,
}

impl Resolver {
    pub(crate) fn new(host: &str, port: u16) -> Self {
        Self { host: host.to_owned(), port, lookup: Mutex::default() }
    }

    /// The addresses to try, in order; never empty.
    pub(crate) async fn addresses(self: &Arc<Self>) -> Result<Arc<[SocketAddr]>, String> {
        if let Ok(ip) = self.host.parse::<IpAddr>() {
            return Ok(Arc::new([SocketAddr::new(ip, self.port)]));
        }
        let (known, mut running) = self.begin();
        let answer = async {
            match running.wait_for(Option::is_some).await {
                Ok(answer) => answer.clone().unwrap_or_else(|| Err("no answer".to_owned())),
                Err(_) => Err("the lookup was interrupted".to_owned()),
            }
        };
        let Some(known) = known else { return answer.await };
        match timeout(PATIENCE, answer).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(_)) | Err(_) => Ok(known),
        }
    }

    fn begin(self: &Arc<Self>) -> (Option<Arc<[SocketAddr]>>, watch::Receiver<Answer>) {
        let mut lookup = self.lookup.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = &lookup.running {
            let in_progress = running.borrow().is_none() && running.has_changed().is_ok();
            if in_progress {
                return (lookup.known.clone(), running.clone());
            }
        }
        let (answered, running) = watch::channel(None);
        lookup.running = Some(running.clone());
        let this = self.clone();
        tokio::spawn(async move {
            let answer = look_up(&this.host, this.port).await;
            if let Ok(found) = &answer {
                this.lookup.lock().unwrap_or_else(PoisonError::into_inner).known = Some(found.clone());
            }
            answered.send_replace(Some(answer));
        });
        (lookup.known.clone(), running)
    }
}

async fn look_up(host: &str, port: u16) -> Result<Arc<[SocketAddr]>, String> {
    match sockets::look_up(host, port).await {
        Ok(found) if found.is_empty() => Err(format!("{host} has no address")),
        Ok(found) => Ok(found.into()),
        Err(error) => Err(format!("cannot resolve {host}: {error}")),
    }
}
