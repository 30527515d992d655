//! Who asked for what, and what came of it: both are events, refusals as well.

use crate::agent::Agent;
use crate::telling::{Answered, Asked};
use std::sync::{Arc, OnceLock};
use tokio::sync::oneshot;
use tokio::time::Instant;
use xenon_api::{Call, EventKind, Reply, Request, Response};

/// The longest that is told of a request, and of its answer, characters.
const ABOUT: usize = 500;

impl Agent {
    /// Tells of a request that changes something. Whoever answers it does so through what comes back, which tells the
    /// outcome, too.
    pub(crate) fn audited(&mut self, call: &Call, reply: oneshot::Sender<Reply>) -> oneshot::Sender<Reply> {
        if call.request.is_read_only() {
            return reply;
        }
        let (what, who) = (on_a_line(&call.request.told()), on_a_line(&call.who));
        let asked = format!("{what}, asked by {who}");
        self.events.push(EventKind::Operator, asked.clone());
        let answered = Arc::new(OnceLock::new());
        if moves_the_primary(&call.request) {
            self.past.asked = Some(Asked { by: who, what, answered: Arc::clone(&answered) });
        }
        let (outcome, told) = oneshot::channel();
        let events = self.events.clone();
        let mut reply = reply;
        tokio::spawn(async move {
            let answer = tokio::select! {
                biased;
                answer = told => answer.ok(),
                // Dropping the other end says so to whoever is about to answer.
                () = reply.closed() => None,
            };
            let how = match &answer {
                Some(Reply::Ok(_)) => Answered::Done,
                Some(Reply::Refused(_)) | None => Answered::Refused,
            };
            // Set once: by nobody else.
            let _ = answered.set((how, Instant::now()));
            let Some(answer) = answer else {
                let text = format!("{asked}: no answer was waited for");
                return events.push(EventKind::Operator, text);
            };
            events.push(EventKind::Operator, format!("{asked}: {}", outcome_of(&answer)));
            // Whoever asked may be gone.
            let _ = reply.send(answer);
        });
        outcome
    }
}

fn moves_the_primary(request: &Request) -> bool {
    matches!(
        request,
        Request::HandOver { .. } | Request::Switchover { .. } | Request::MysqlShutdown | Request::MysqlKill
    )
}

fn outcome_of(reply: &Reply) -> String {
    match reply {
        Reply::Ok(Response::Done { message }) => format!("done: {}", on_a_line(message)),
        Reply::Ok(_) => "done".to_owned(),
        Reply::Refused(refusal) => format!("refused: {}", on_a_line(&refusal.what)),
    }
}

/// Callers name themselves, and what they name: nothing of it may break a line.
fn on_a_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(ABOUT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use xenon_api::Refusal;

    #[test]
    fn outcomes_in_words() {
        let refusal = Refusal { what: "this node\ndoes not lead".into(), cure: "ask b".into(), ask: None };
        assert_eq!(outcome_of(&Reply::Refused(refusal)), "refused: this node does not lead");
        let done = Response::Done { message: "paused".into() };
        assert_eq!(outcome_of(&Reply::Ok(done)), "done: paused");
        assert_eq!(on_a_line(&"x".repeat(1000)).len(), ABOUT);
    }
}
