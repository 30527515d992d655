//! SIGTERM and SIGINT: the agent is asked to stop.

use crate::input::Input;
use std::io;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// The signals, held from now on; the loop need not run yet.
pub(crate) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    /// Takes them over from the system's defaults.
    pub(crate) fn hold() -> io::Result<Signals> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Signals { terminate, interrupt })
    }

    /// Tells the loop of each.
    pub(crate) fn report(mut self, inputs: mpsc::Sender<Input>) {
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = self.terminate.recv() => {}
                    _ = self.interrupt.recv() => {}
                }
                if inputs.send(Input::Stop).await.is_err() {
                    return;
                }
            }
        });
    }
}
