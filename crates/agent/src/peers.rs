//! The agent's side of the channel: who may say what, and into the loop with it.

use crate::calls::printable;
use crate::input::Input;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use xenon_api::{
    Call, Envelope, PATH_CALL, PATH_PEER, PATH_STREAM, PROTOCOL_VERSION, Refusal, Reply, StreamRequest,
};
use xenon_channel::{Answer, Incoming, Outgoing};

/// How long a call may wait for the loop's answer; the longest are waits for events.
const CALL: Duration = Duration::from_secs(30);

/// Answers one request of the channel.
pub(crate) async fn handle(incoming: Incoming, inputs: mpsc::Sender<Input>) -> Answer {
    match incoming.path.as_str() {
        PATH_PEER => on_message(&incoming, &inputs).into(),
        PATH_CALL => on_call(&incoming, &inputs).await.into(),
        PATH_STREAM => on_stream(&incoming, &inputs).await,
        other => Outgoing::text(404, format!("there is nothing at {other}")).into(),
    }
}

fn on_message(incoming: &Incoming, inputs: &mpsc::Sender<Input>) -> Outgoing {
    let envelope: Envelope = match serde_json::from_slice(&incoming.body) {
        Ok(envelope) => envelope,
        Err(error) => return Outgoing::text(400, format!("not a message of an agent: {error}")),
    };
    if envelope.version != PROTOCOL_VERSION {
        let (theirs, ours) = (envelope.version, PROTOCOL_VERSION);
        return Outgoing::text(
            400,
            format!(
                "this agent speaks version {ours} of the agents' words, the sender {theirs}: install the same version on both"
            ),
        );
    }
    if !incoming.peer.is_named(envelope.from.as_str()) {
        return Outgoing::text(
            403,
            format!("the certificate names {}, not the sender {}", incoming.peer.names(), envelope.from),
        );
    }
    // Never waits: a loop that is behind had better hear the next message than all the old ones.
    match inputs.try_send(Input::Peer(envelope)) {
        Ok(()) => Outgoing { status: 200, body: b"{}".to_vec() },
        Err(_) => Outgoing::text(503, "this agent is behind with its messages"),
    }
}

/// A member proves who it is as with every message; whether it may have what it asks for, and whether that can be had
/// now, the loop decides.
async fn on_stream(incoming: &Incoming, inputs: &mpsc::Sender<Input>) -> Answer {
    let request: StreamRequest = match serde_json::from_slice(&incoming.body) {
        Ok(request) => request,
        Err(error) => {
            return Outgoing::text(400, format!("not a request that this agent understands: {error}")).into();
        }
    };
    if request.version != PROTOCOL_VERSION {
        let (theirs, ours) = (request.version, PROTOCOL_VERSION);
        return Outgoing::text(400, format!("this agent speaks version {ours}, the sender {theirs}")).into();
    }
    if !incoming.peer.is_named(request.from.as_str()) {
        let names = incoming.peer.names();
        return Outgoing::text(403, format!("the certificate names {names}, not {}", request.from)).into();
    }
    let (reply, answer) = oneshot::channel();
    if inputs.send(Input::Stream { request, reply }).await.is_err() {
        return Outgoing::text(503, "this agent is stopping").into();
    }
    match tokio::time::timeout(CALL, answer).await {
        Ok(Ok(Ok(stream))) => stream.into(),
        Ok(Ok(Err(why))) => Outgoing::text(409, why).into(),
        Ok(Err(_)) => Outgoing::text(503, "this agent is stopping").into(),
        Err(_) => {
            Outgoing::text(503, format!("this agent did not come to an answer within {} s", CALL.as_secs()))
                .into()
        }
    }
}

async fn on_call(incoming: &Incoming, inputs: &mpsc::Sender<Input>) -> Outgoing {
    let call: Call = match serde_json::from_slice(&incoming.body) {
        Ok(call) => call,
        Err(error) => {
            return Outgoing::text(
                400,
                format!("not a call that this agent understands (is xenoncli of the same version?): {error}"),
            );
        }
    };
    if call.version != PROTOCOL_VERSION {
        let (theirs, ours) = (call.version, PROTOCOL_VERSION);
        return Outgoing::text(
            400,
            format!("this agent speaks version {ours} of the calls, the caller {theirs}"),
        );
    }
    let mut call = call;
    // It names itself; where it comes from is seen.
    call.who = format!("{} ({})", printable(&call.who), incoming.peer.addr().ip());
    let (reply, answer) = oneshot::channel();
    if inputs.send(Input::Call { call, reply }).await.is_err() {
        return Outgoing::text(503, "this agent is stopping");
    }
    match tokio::time::timeout(CALL, answer).await {
        Ok(Ok(reply)) => Outgoing::json(&reply),
        Ok(Err(_)) => Outgoing::text(503, "this agent is stopping"),
        Err(_) => Outgoing::json(&Reply::Refused(Refusal {
            what: format!("this agent did not come to an answer within {} s", CALL.as_secs()),
            cure: "look at its log".to_owned(),
            ask: None,
        })),
    }
}
