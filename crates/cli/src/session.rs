//! Talking to agents: with this host's configuration, over the agents' own channel.

use crate::failure::{Failure, Outcome};
use crate::output::{self, Output};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use xenon_api::{Call, NodeStatus, PATH_CALL, PROTOCOL_VERSION, Reply, Request, Response};
use xenon_channel::{CLI_NAME, ChannelError, Client, ClientOptions, Identity};
use xenon_config::Config;
use xenon_election::NodeId;

/// A node that is asked how it is answers within this, or counts as down.
pub(crate) const LOOK: Duration = Duration::from_millis(900);
/// This host's agent, which is asked first for who the others are, and then the others, together.
const LOOK_ALL: Duration = Duration::from_millis(950);
/// However long this host's agent took, the others get at least this.
const LOOK_LEAST: Duration = Duration::from_millis(50);
/// A node that is told to do something answers within this.
pub(crate) const DO: Duration = Duration::from_secs(5);
/// Between two attempts at something that is refused for a moment only.
const PAUSE: Duration = Duration::from_millis(100);

/// One command's way to the agents.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    client: Client,
    local: String,
    config: PathBuf,
    who: String,
}

/// A node and its status, or why there is none.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) id: String,
    pub(crate) status: Result<Box<NodeStatus>, Failure>,
}

impl Answer {
    pub(crate) fn status(&self) -> Option<&NodeStatus> {
        self.status.as_deref().ok()
    }
}

impl Session {
    /// Reads this host's configuration.
    pub(crate) fn open(config: Option<&Path>) -> Outcome<Self> {
        let cwd = std::env::current_dir()?;
        let exe = std::env::current_exe().ok().and_then(|exe| exe.canonicalize().ok());
        let beside = exe.as_deref().and_then(Path::parent).unwrap_or(&cwd);
        let env = std::env::var_os(xenon_config::ENVIRONMENT);
        let path = xenon_config::locate(config, env.as_deref(), &cwd, beside)
            .map_err(|error| Failure::new(error.to_string()))?;
        let loaded = xenon_config::load(&path).map_err(|findings| {
            let list: Vec<String> = findings
                .of(xenon_config::Severity::Error)
                .map(|finding| format!("\n  {}", findings.line_of(finding)))
                .collect();
            Failure::new(format!("the configuration cannot be used:{}", list.concat()))
        })?;
        Self::with(&loaded.config, path)
    }

    /// With a configuration that was read from `path`.
    fn with(config: &Config, path: PathBuf) -> Outcome<Self> {
        let server = &config.server;
        let identity = match (&server.tls_ca, &server.tls_cert, &server.tls_key) {
            (Some(ca), Some(cert), Some(key)) => Identity::from_files(ca, cert, key, CLI_NAME),
            _ => {
                let secret = config.cluster_secret().map_err(|error| Failure::new(error.to_string()))?;
                if let Some(warning) = secret.warning() {
                    output::note(&format!("xenoncli: warning: {warning}"));
                }
                Identity::from_secret(&secret.bytes, CLI_NAME)
            }
        }
        .map_err(|error| Failure::new(error.to_string()))?;
        Ok(Self {
            client: Client::new(identity, ClientOptions::default()),
            local: server.endpoint.to_string(),
            config: path,
            who: who(),
        })
    }

    /// The endpoint of this host's agent.
    pub(crate) fn local(&self) -> &str {
        &self.local
    }

    /// The file that this was read from.
    pub(crate) fn config_path(&self) -> &Path {
        &self.config
    }

    /// Asks a node.
    pub(crate) async fn call(
        &self,
        node: &str,
        request: Request,
        deadline: Duration,
    ) -> Result<Reply, ChannelError> {
        let call = Call { version: PROTOCOL_VERSION, who: self.who.clone(), request };
        self.client.call(node, PATH_CALL, &call, deadline).await
    }

    fn failure(&self, node: &str, error: &ChannelError) -> Failure {
        match error {
            ChannelError::Unreachable { reason, .. } if node == self.local => {
                let config = self.config.display();
                Failure::new(format!("the agent of this host does not answer at {node}: {reason}")).cure(format!(
                    "start it: systemctl start xenon, or: xenon -c {config} (why it stopped is in its log: journalctl -u \
                     xenon); for another agent name its configuration with -c FILE"
                ))
            }
            other => Failure::call(other),
        }
    }

    /// Asks a node for something that it must not refuse.
    pub(crate) async fn ask(&self, node: &str, request: Request, deadline: Duration) -> Outcome<Response> {
        match self.call(node, request, deadline).await {
            Ok(Reply::Ok(response)) => Ok(response),
            Ok(Reply::Refused(refusal)) => Err(Failure::refused(node, &refusal)),
            Err(error) => Err(self.failure(node, &error)),
        }
    }

    /// Tells a node to do something; when that node names another one to ask, asks that one, and when it refuses for the
    /// moment only, asks again until the time given. Gives who did it and the sentence.
    pub(crate) async fn tell(
        &self,
        node: &str,
        request: Request,
        until: Instant,
    ) -> Outcome<(String, String)> {
        let mut node = node.to_owned();
        // A leader may change while it is being asked; more often than this is trouble.
        let mut hops = 3;
        while hops > 0 {
            match self.call(&node, request.clone(), DO).await {
                Ok(Reply::Ok(Response::Done { message })) => return Ok((node, message)),
                Ok(Reply::Ok(_)) => return Err(strange(&node)),
                Ok(Reply::Refused(refusal)) => match &refusal.ask {
                    Some(other) if other.as_str() != node => {
                        hops -= 1;
                        other.as_str().clone_into(&mut node);
                    }
                    _ if refusal.is_for_the_moment() && Instant::now() < until => {
                        tokio::time::sleep(PAUSE).await;
                    }
                    _ => return Err(Failure::refused(&node, &refusal)),
                },
                Err(error) => return Err(self.failure(&node, &error)),
            }
        }
        Err(Failure::new("the nodes send this command from one to the other; the leader is changing")
            .cure("look at xenoncli cluster status, then repeat the command"))
    }

    /// Tells this host's agent to do something, and prints what it did.
    pub(crate) async fn tell_local(&self, request: Request, output: Output) -> Outcome {
        let (by, message) = self.tell(&self.local, request, Instant::now()).await?;
        output::done(output, &by, &message)
    }

    /// A node's status.
    pub(crate) async fn status(&self, node: &str) -> Outcome<Box<NodeStatus>> {
        self.status_within(node, LOOK).await
    }

    async fn status_within(&self, node: &str, deadline: Duration) -> Outcome<Box<NodeStatus>> {
        match self.ask(node, Request::Status, deadline).await? {
            Response::Status(status) => Ok(status),
            _ => Err(strange(node)),
        }
    }

    /// The status of some nodes, in their order, all asked at once.
    pub(crate) async fn look(&self, nodes: &[String], deadline: Duration) -> Vec<Answer> {
        let mut asked = JoinSet::new();
        for (place, id) in nodes.iter().cloned().enumerate() {
            let session = self.clone();
            asked.spawn(async move {
                let status = session.status_within(&id, deadline).await;
                (place, Answer { id, status })
            });
        }
        let mut answers = asked.join_all().await;
        answers.sort_by_key(|(place, _)| *place);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    /// The status of all members that this host's agent knows, in their order, all asked at once; of a node that belongs to
    /// no cluster its own alone. When this host's agent is down there is one answer: that it is.
    pub(crate) async fn cluster(&self) -> Vec<Answer> {
        let begun = Instant::now();
        let status = self.status(&self.local).await;
        let members: Vec<String> = match &status {
            Ok(status) => status.members.iter().map(|member| member.id.to_string()).collect(),
            Err(_) => Vec::new(),
        };
        let own = Answer { id: self.local.clone(), status };
        let before = members.iter().position(|id| *id == self.local).unwrap_or(0);
        let others: Vec<String> = members.into_iter().filter(|id| *id != self.local).collect();
        let deadline = LOOK_ALL.saturating_sub(begun.elapsed()).clamp(LOOK_LEAST, LOOK);
        let mut answers = self.look(&others, deadline).await;
        answers.insert(before.min(answers.len()), own);
        answers
    }
}

/// An answer to another question.
pub(crate) fn strange(node: &str) -> Failure {
    Failure::new(format!("{node} answers something else than what was asked"))
        .cure("use an agent and a xenoncli of the same version")
}

/// Endpoints as a person lists them: separated by commas or blanks, each once.
pub(crate) fn endpoints(lists: &[String]) -> Outcome<Vec<NodeId>> {
    let mut nodes: Vec<NodeId> = Vec::new();
    for word in
        lists.iter().flat_map(|list| list.split([',', ' '])).map(str::trim).filter(|word| !word.is_empty())
    {
        let endpoint: xenon_config::Endpoint = word
            .parse()
            .map_err(|error: xenon_config::AddressError| Failure::new(error.what).cure(error.cure).usage())?;
        let node = NodeId::new(endpoint.to_string());
        if !nodes.contains(&node) {
            nodes.push(node);
        }
    }
    if nodes.is_empty() {
        return Err(Failure::new("no node is named")
            .cure("name endpoints, like 192.168.0.12:8801,192.168.0.13:8801")
            .usage());
    }
    Ok(nodes)
}

/// `user@host`, for the agents' event logs.
fn who() -> String {
    let user = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}@{}", user.as_deref().unwrap_or("someone"), host.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_endpoints() {
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let nodes =
            endpoints(&words(&[",10.0.0.1:8801,10.0.0.2:8801,", "10.0.0.1:8801"])).expect("endpoints");
        assert_eq!(nodes, [NodeId::from("10.0.0.1:8801"), NodeId::from("10.0.0.2:8801")]);
        for bad in [&[","][..], &["10.0.0.1"], &["10.0.0.1:99999"], &["0.0.0.0:8801"]] {
            assert!(endpoints(&words(bad)).is_err(), "{bad:?}");
        }
    }
}
