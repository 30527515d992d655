//! In place of the agent's `signals.rs`: a simulation sends them.

use crate::input::Input;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep;

const LOOK_EVERY: Duration = Duration::from_millis(5);

thread_local! {
    /// Hosts whose agent is asked to stop.
    static STOPS: RefCell<BTreeSet<&'static str>> = const { RefCell::new(BTreeSet::new()) };
}

tokio::task_local! {
    /// Whose agent runs in this task.
    pub(crate) static HOST: &'static str;
}

/// SIGTERM to the agent of `host`.
pub(crate) fn terminate(host: &'static str) {
    STOPS.with_borrow_mut(|stops| stops.insert(host));
}

pub(crate) struct Signals(&'static str);

impl Signals {
    pub(crate) fn hold() -> io::Result<Signals> {
        let host = HOST.try_with(|host| *host).map_err(io::Error::other)?;
        // One that an earlier agent was sent says nothing to this one.
        STOPS.with_borrow_mut(|stops| stops.remove(host));
        Ok(Signals(host))
    }

    pub(crate) fn report(self, inputs: mpsc::Sender<Input>) {
        tokio::spawn(async move {
            loop {
                sleep(LOOK_EVERY).await;
                let asked = STOPS.with_borrow_mut(|stops| stops.remove(self.0));
                if asked && inputs.send(Input::Stop).await.is_err() {
                    return;
                }
            }
        });
    }
}
