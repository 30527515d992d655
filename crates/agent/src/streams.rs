//! Streams for other agents: who may have which.

use crate::agent::Agent;
use crate::{dead, tail};
use tokio::sync::oneshot;
use xenon_api::{EventKind, StreamRequest, Wanted};
use xenon_channel::{StreamedAnswer, stream};

impl Agent {
    /// Only members of this node's own config get anything; a stream is read by a task of its own.
    pub(crate) fn on_stream_request(
        &mut self,
        request: StreamRequest,
        reply: oneshot::Sender<Result<StreamedAnswer, String>>,
    ) {
        // Whoever asked may be gone.
        let _ = reply.send(self.answer_stream(&request));
    }

    fn answer_stream(&mut self, request: &StreamRequest) -> Result<StreamedAnswer, String> {
        let from = &request.from;
        let member = self
            .core
            .record()
            .config
            .as_ref()
            .is_some_and(|config| config.cluster == request.cluster && config.members.contains_key(from));
        if !member {
            return Err(format!("{from} is no member of this node's cluster"));
        }
        match &request.what {
            Wanted::BinlogTail { received, bytes_max } => {
                let places = self.may_serve_tail()?;
                let (pen, answer) = stream();
                self.events.push(EventKind::Election, format!("{from} asks for {}", request.what));
                self.hold_start(tail::SERVE);
                let (received, bytes_max) = (received.clone(), *bytes_max);
                let inputs = self.inputs_for_task();
                tokio::spawn(tail::serve(places, received, bytes_max, dead::LIMITS, pen, inputs));
                Ok(answer)
            }
            Wanted::Copy { method, throttle_mib_s } => self.give_copy(from, *method, *throttle_mib_s),
        }
    }
}
