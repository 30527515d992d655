//! Asking agents, as the command line does.

use anyhow::{Result, bail};
use std::time::Duration;
use xenon_api::{Call, NodeStatus, PATH_CALL, PROTOCOL_VERSION, Reply, Request, Response};
use xenon_channel::{CLI_NAME, Client, ClientOptions, Identity};

/// Calls agents of one cluster. Clones are cheap and share their connections.
#[derive(Debug, Clone)]
pub struct Caller {
    client: Client,
}

impl Caller {
    /// A caller that shares the cluster's secret.
    ///
    /// # Errors
    /// The secret is empty.
    pub fn new(secret: &[u8]) -> Result<Self> {
        let identity = Identity::from_secret(secret, CLI_NAME)?;
        Ok(Self { client: Client::new(identity, ClientOptions::default()) })
    }

    /// Asks one agent.
    ///
    /// # Errors
    /// It cannot be reached, or does not answer within the deadline.
    pub async fn call(&self, endpoint: &str, request: Request, deadline: Duration) -> Result<Reply> {
        let call = Call { version: PROTOCOL_VERSION, who: "testkit".to_owned(), request };
        Ok(self.client.call(endpoint, PATH_CALL, &call, deadline).await?)
    }

    /// Asks one agent for something that it must not refuse.
    ///
    /// # Errors
    /// As [`Caller::call`], and when it refuses.
    pub async fn demand(&self, endpoint: &str, request: Request, deadline: Duration) -> Result<Response> {
        let name = request.name();
        match self.call(endpoint, request, deadline).await? {
            Reply::Ok(response) => Ok(response),
            Reply::Refused(refusal) => bail!("{endpoint} refuses `{name}`: {refusal}"),
        }
    }

    /// The status of one node.
    ///
    /// # Errors
    /// As [`Caller::demand`].
    pub async fn status(&self, endpoint: &str, deadline: Duration) -> Result<NodeStatus> {
        match self.demand(endpoint, Request::Status, deadline).await? {
            Response::Status(status) => Ok(*status),
            other => bail!("{endpoint} answers {other:?} when asked for its status"),
        }
    }
}
