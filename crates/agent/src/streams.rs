//! Streams for other agents: who may have which.

use crate::agent::Agent;
use tokio::sync::oneshot;
use xenon_api::{StreamRequest, Wanted};
use xenon_channel::StreamedAnswer;

impl Agent {
    /// Only members of this node's own config get anything; a stream is read by a task of its own.
    pub(crate) fn on_stream_request(
        &mut self,
        request: StreamRequest,
        reply: oneshot::Sender<Result<StreamedAnswer, String>>,
    ) {
        let StreamRequest { from, cluster, what, .. } = request;
        let member = self
            .core
            .record()
            .config
            .as_ref()
            .is_some_and(|config| config.cluster == cluster && config.members.contains_key(&from));
        if !member {
            // Whoever asked may be gone.
            let _ = reply.send(Err(format!("{from} is no member of this node's cluster")));
            return;
        }
        match what {
            Wanted::BinlogTail { .. } => {
                let _ = reply.send(Err("not built yet".to_owned()));
            }
        }
    }
}
