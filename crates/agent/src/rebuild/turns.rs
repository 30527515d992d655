//! At most one rebuild at a time in a cluster: the leader says whose turn it is.

use crate::agent::Agent;
use std::time::Duration;
use tokio::time::Instant;
use xenon_api::{Call, PATH_CALL, PROTOCOL_VERSION, Refusal, Reply, Request, Response};
use xenon_channel::Client;
use xenon_election::NodeId;

/// A turn that is not asked for again ends after this.
const HOLDS: Duration = Duration::from_secs(30);
/// How often it is asked for again.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// How long the leader may take to answer.
const ASK: Duration = Duration::from_secs(3);

impl Agent {
    /// As the leader.
    pub(crate) fn may_rebuild(&mut self, node: &NodeId, over: bool) -> Reply {
        if let Some(refused) = self.must_lead() {
            return refused;
        }
        let now = Instant::now();
        let turn = self.rebuild.turn.as_ref().filter(|(_, until)| *until > now);
        if let Some((other, _)) = turn.filter(|(other, _)| other != node) {
            let what = format!("{other} is being rebuilt, one node at a time");
            return Reply::Refused(Refusal { what, cure: Refusal::LATER.to_owned(), ask: None });
        }
        self.rebuild.turn = (!over).then(|| (node.clone(), now + HOLDS));
        Reply::Ok(Response::Done { message: "your turn".to_owned() })
    }

    /// While it goes on, the turn is held.
    pub(super) fn renew_turn(&mut self) {
        let now = Instant::now();
        let Some(job) =
            self.rebuild.job.as_mut().filter(|job| job.is_active() && job.journal.donor.is_some())
        else {
            return;
        };
        if job.turn_asked.is_some_and(|at| now - at < ASK_EVERY) {
            return;
        }
        job.turn_asked = Some(now);
        self.tell_turn(false);
    }

    pub(super) fn end_turn_if_over(&mut self) {
        if self.rebuild.job.as_ref().is_some_and(|job| !job.is_active()) {
            self.tell_turn(true);
        }
    }

    fn tell_turn(&self, over: bool) {
        let Some(leader) = self.core.leader().cloned() else { return };
        let (client, me) = (self.client.clone(), self.core.id().clone());
        tokio::spawn(async move {
            // A leader that does not hear it lets the turn run out.
            let _ = ask_turn(&client, &leader, &me, over).await;
        });
    }
}

/// Asks the leader.
pub(super) async fn ask_turn(
    client: &Client,
    leader: &NodeId,
    me: &NodeId,
    over: bool,
) -> Result<(), String> {
    let request = Request::MayRebuild { node: me.clone(), over };
    match call(client, leader, me, request, ASK).await? {
        Reply::Ok(_) => Ok(()),
        Reply::Refused(refusal) => Err(refusal.what),
    }
}

/// Asks another agent something.
pub(super) async fn call(
    client: &Client,
    node: &NodeId,
    me: &NodeId,
    request: Request,
    deadline: Duration,
) -> Result<Reply, String> {
    let call = Call { version: PROTOCOL_VERSION, who: me.to_string(), request };
    client.call(node.as_str(), PATH_CALL, &call, deadline).await.map_err(|error| error.to_string())
}
