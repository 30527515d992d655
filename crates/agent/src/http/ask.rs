//! Asking the loop, and other agents over the agents' channel.

use super::answer::Problem;
use crate::input::Input;
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use xenon_api::{Call, NodeStatus, PATH_CALL, PROTOCOL_VERSION, Reply, Request, Response};
use xenon_channel::Client;
use xenon_election::NodeId;

/// How long the loop may take to say how it is.
pub(crate) const LOOK: Duration = Duration::from_millis(1000);
/// How long other nodes may take to say how they are: with what comes before and after, an answer within a second.
const LOOK_THERE: Duration = Duration::from_millis(800);
/// How long anything else may take; an agent itself gives up after 30 s.
pub(crate) const DO: Duration = Duration::from_secs(32);

/// Asks on behalf of those who asked over HTTP.
#[derive(Clone)]
pub(crate) struct Asker {
    me: NodeId,
    inputs: mpsc::Sender<Input>,
    client: Client,
}

impl Asker {
    pub(crate) fn new(me: NodeId, inputs: mpsc::Sender<Input>, client: Client) -> Asker {
        Asker { me, inputs, client }
    }

    pub(crate) fn me(&self) -> &NodeId {
        &self.me
    }

    async fn reply_here(&self, request: Request, who: &str, deadline: Duration) -> Result<Reply, Problem> {
        let call = Call { version: PROTOCOL_VERSION, who: who.to_owned(), request };
        let asked = async {
            let (reply, answer) = oneshot::channel();
            self.inputs.send(Input::Call { call, reply }).await.ok()?;
            answer.await.ok()
        };
        match timeout(deadline, asked).await {
            Ok(Some(reply)) => Ok(reply),
            Ok(None) => Err(Problem::unavailable("this agent is stopping")),
            Err(_) => Err(Problem::no_answer(format!(
                "the agent of {} did not come to an answer within {} ms",
                self.me,
                deadline.as_millis()
            ))),
        }
    }

    async fn reply_there(
        &self,
        node: &NodeId,
        request: Request,
        who: &str,
        deadline: Duration,
    ) -> Result<Reply, Problem> {
        let call = Call { version: PROTOCOL_VERSION, who: who.to_owned(), request };
        let answer = self.client.call(node.as_str(), PATH_CALL, &call, deadline).await;
        answer.map_err(|error| Problem::bad_gateway(error.to_string()))
    }

    /// Asks this node's loop.
    pub(crate) async fn here(
        &self,
        request: Request,
        who: &str,
        deadline: Duration,
    ) -> Result<Response, Problem> {
        response(self.reply_here(request, who, deadline).await?)
    }

    /// Asks the leader: this node, or whom it names. One step only, so that nodes that name each other make no circle.
    pub(crate) async fn leader(&self, request: Request, who: &str) -> Result<(NodeId, Response), Problem> {
        match self.reply_here(request.clone(), who, DO).await? {
            Reply::Refused(refusal) => match refusal.ask.clone() {
                Some(leader) if leader != self.me => {
                    let reply = self.reply_there(&leader, request, who, DO).await?;
                    Ok((leader, response(reply)?))
                }
                _ => Err(Problem::refused(refusal)),
            },
            reply => Ok((self.me.clone(), response(reply)?)),
        }
    }

    /// Asks one node; nobody but this one and members is ever connected to, whatever the request says.
    pub(crate) async fn node(
        &self,
        node: &NodeId,
        request: Request,
        who: &str,
        deadline: Duration,
    ) -> Result<Response, Problem> {
        if *node == self.me {
            return self.here(request, who, deadline).await;
        }
        let status = self.status().await?;
        if !status.members.iter().any(|member| member.id == *node) {
            return Err(Problem::not_found(
                format!("{node} is no member of this cluster"),
                "GET /api/v1/members lists them",
            ));
        }
        response(self.reply_there(node, request, who, deadline).await?)
    }

    /// This node's status.
    pub(crate) async fn status(&self) -> Result<NodeStatus, Problem> {
        match self.here(Request::Status, "http", LOOK).await? {
            Response::Status(status) => Ok(*status),
            _ => Err(strange(&self.me)),
        }
    }

    /// A page of metrics and its `Content-Type`, for this `Accept` header.
    pub(crate) async fn metrics(&self, accept: &str) -> Result<(&'static str, String), Problem> {
        let page = crate::metrics::page(&self.inputs, accept, LOOK).await;
        page.ok_or_else(|| {
            let ms = LOOK.as_millis();
            Problem::no_answer(format!("the agent of {} did not come to an answer within {ms} ms", self.me))
        })
    }

    /// Asks the other members, all at once; the answers by name.
    pub(crate) async fn others(
        &self,
        status: &NodeStatus,
        request: &Request,
        who: &str,
    ) -> BTreeMap<NodeId, Result<Response, Problem>> {
        let others = status.members.iter().map(|member| &member.id).filter(|id| **id != self.me);
        let answers = others.map(|id| async move {
            let reply = self.reply_there(id, request.clone(), who, LOOK_THERE).await;
            (id.clone(), reply.and_then(response))
        });
        join_all(answers).await.into_iter().collect()
    }
}

fn response(reply: Reply) -> Result<Response, Problem> {
    match reply {
        Reply::Ok(response) => Ok(response),
        Reply::Refused(refusal) => Err(Problem::refused(refusal)),
    }
}

/// An answer to another question.
pub(crate) fn strange(node: &NodeId) -> Problem {
    Problem::internal(format!("{node} gave an answer to another question"))
}
