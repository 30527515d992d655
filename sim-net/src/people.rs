//! Stands in for the agent's folder of this name: the servers here know no accounts, variables or threads, and there is no host.

use crate::agent::Agent;
use tokio::sync::oneshot;
use xenon_api::{Refusal, Reply, Request};

#[derive(Default)]
pub(crate) struct People {}

impl Agent {
    pub(crate) fn on_people_call(&mut self, request: Request, reply: oneshot::Sender<Reply>) {
        let People {} = self.people;
        let what = format!("{} is nothing for a simulation", request.name());
        let _ = reply.send(Reply::Refused(Refusal { what, cure: String::new(), ask: None }));
    }
}
