//! `cluster add|addidle|remove|removeidle`: ask the one who may, then wait until every node knows.

use crate::arguments::ChangeArguments;
use crate::failure::{Failure, Outcome};
use crate::output::{self, Output};
use crate::session::{self, Answer, LOOK, Session};
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;
use xenon_api::{NodeStatus, Request};
use xenon_election::{NodeId, Standing};

/// How long it may take until every node knows.
const WAIT: Duration = Duration::from_secs(10);
/// Between two looks at all nodes.
const PAUSE: Duration = Duration::from_millis(100);
/// After this long a person wants to know what is waited for.
const SAY_AFTER: Duration = Duration::from_secs(1);

/// A change of members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Add,
    AddIdle,
    Remove,
    RemoveIdle,
}

impl Change {
    fn adds(self) -> bool {
        matches!(self, Change::Add | Change::AddIdle)
    }

    fn request(self, nodes: Vec<NodeId>) -> Request {
        match self {
            Change::Add => Request::ClusterAdd { nodes, idle: false },
            Change::AddIdle => Request::ClusterAdd { nodes, idle: true },
            Change::Remove | Change::RemoveIdle => Request::ClusterRemove { nodes },
        }
    }
}

/// Whom to ask for what, and which nodes must know in the end.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    ask: String,
    request: Vec<NodeId>,
    must_know: Vec<NodeId>,
}

pub(crate) async fn run(
    change: Change,
    options: ChangeArguments,
    config: Option<&Path>,
    output: Output,
) -> Outcome {
    let nodes = session::endpoints(&options.nodes)?;
    let session = Session::open(config)?;
    let until = Instant::now() + WAIT;
    let own = session.status(session.local()).await?;
    let Some(plan) = plan(&session, change, nodes, &own).await? else {
        return output::done(output, session.local(), "not a member (any more)");
    };
    let retry_until = if options.no_wait { Instant::now() } else { until };
    let (by, mut message) = session.tell(&plan.ask, change.request(plan.request), retry_until).await?;
    if !options.no_wait {
        let known = own.members.iter().map(|member| member.id.clone()).chain(plan.must_know.iter().cloned());
        let mut asked: Vec<String> = known.map(|id| id.to_string()).collect();
        asked.extend([session.local().to_owned(), by.clone()]);
        asked.sort();
        asked.dedup();
        message = wait(&session, change, &plan.must_know, &asked, &by, message, until).await?;
    }
    output::done(output, &by, &message)
}

/// Forms a cluster of this host's node and others, or takes them into its cluster, and waits for nothing.
pub(crate) async fn form(session: &Session, others: Vec<NodeId>) -> Outcome<String> {
    let request = Change::Add.request(others);
    Ok(session.tell(session.local(), request, Instant::now()).await?.1)
}

/// `None`: there is nothing to do.
async fn plan(
    session: &Session,
    change: Change,
    nodes: Vec<NodeId>,
    own: &NodeStatus,
) -> Outcome<Option<Plan>> {
    let leader = own.leader.as_ref().unwrap_or(&own.id).to_string();
    if is_member(own) {
        if change == Change::RemoveIdle
            && let Some(voter) = own
                .members
                .iter()
                .find(|member| nodes.contains(&member.id) && member.standing == Standing::Voter)
        {
            return Err(Failure::new(format!("{} is no idle node: it votes", voter.id))
                .cure(format!("if it is to go all the same: xenoncli cluster remove {}", voter.id)));
        }
        return Ok(Some(Plan { ask: leader, request: nodes.clone(), must_know: nodes }));
    }
    if !change.adds() {
        if nodes == [own.id.clone()] {
            return Ok(None);
        }
        return Err(Failure::new(format!("this node, {}, is no member of a cluster", own.id))
            .cure("run the command on a member of the cluster"));
    }
    // People who know the Go tool run `cluster add` on every node. Were a second cluster formed by that, its nodes
    // would have to be taken apart by hand.
    let names: Vec<String> = nodes.iter().filter(|node| **node != own.id).map(NodeId::to_string).collect();
    let answers = session.look(&names, LOOK).await;
    let members: Vec<&NodeStatus> =
        answers.iter().filter_map(Answer::status).filter(|status| is_member(status)).collect();
    let mut must_know = nodes.clone();
    if !must_know.contains(&own.id) {
        must_know.push(own.id.clone());
    }
    let Some(first) = members.first() else {
        return Ok(Some(Plan { ask: own.id.to_string(), request: nodes, must_know }));
    };
    if let Some(other) = members.iter().find(|status| status.cluster != first.cluster) {
        return Err(Failure::new(format!("{} and {} belong to two different clusters", first.id, other.id))
            .cure("name nodes of one cluster; a node leaves its own with: xenoncli cluster remove"));
    }
    if change == Change::AddIdle {
        return Err(Failure::new(format!(
            "{} belongs to a cluster already, and this node to none",
            first.id
        ))
        .cure(format!("run on {}: xenoncli cluster add {}", first.id, own.id)));
    }
    output::note(&format!("{} belongs to a cluster already: asking it to take this node in", first.id));
    let ask = first.leader.as_ref().unwrap_or(&first.id).to_string();
    Ok(Some(Plan { ask, request: must_know.clone(), must_know }))
}

/// A node that was let go still knows of its old cluster.
fn is_member(status: &NodeStatus) -> bool {
    status.members.iter().any(|member| member.id == status.id)
}

/// Waits until nothing is missing, and gives the sentence that tells it.
async fn wait(
    session: &Session,
    change: Change,
    nodes: &[NodeId],
    asked: &[String],
    by: &str,
    message: String,
    until: Instant,
) -> Outcome<String> {
    let say_at = Instant::now() + SAY_AFTER;
    let mut said = false;
    loop {
        let answers = session.look(asked, LOOK).await;
        let missing = match change.adds() {
            true => missing_members(nodes, by, &answers),
            false => lingering_members(nodes, &answers),
        };
        let now = Instant::now();
        if missing.is_empty() {
            return Ok(match change.adds() {
                true => format!("{message}\n{}", formed(nodes, &answers)),
                false => format!("{message}\n{} no longer counted by any node", listed(nodes)),
            });
        }
        if now >= until {
            let what = format!("{message}; but after {} s: {}", WAIT.as_secs(), missing.join("; "));
            let cure = "it goes on by itself once the nodes answer; look at xenoncli cluster status, and at the logs \
                        of the agents named here";
            return Err(Failure::new(what).cure(cure));
        }
        if now >= say_at && !said {
            said = true;
            output::note(&format!("waiting, since {}", missing.join("; ")));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn leading(answers: &[Answer]) -> Option<&NodeStatus> {
    let leaders = answers.iter().filter_map(Answer::status).filter(|status| status.state == "LEADER");
    leaders.max_by_key(|status| status.view_id)
}

/// Which of these nodes do not say yet that they are members, and whether nobody can write yet.
fn missing_members(nodes: &[NodeId], by: &str, answers: &[Answer]) -> Vec<String> {
    let of = |id: &str| answers.iter().find(|answer| answer.id == id);
    let cluster = of(by).and_then(Answer::status).and_then(|status| status.cluster);
    let mut missing = Vec::new();
    for node in nodes {
        match of(node.as_str()).map(|answer| &answer.status) {
            Some(Ok(status)) if is_member(status) && cluster.is_some() && status.cluster != cluster => {
                missing.push(format!("{node} belongs to another cluster"));
            }
            Some(Ok(status)) if !is_member(status) || status.cluster != cluster => {
                missing.push(format!("{node} does not know yet that it is a member"));
            }
            Some(Ok(_)) => {}
            Some(Err(failure)) => missing.push(failure.what().to_owned()),
            None => missing.push(format!("{node} was not asked")),
        }
    }
    match leading(answers) {
        Some(leader) if leader.mysql.alive && leader.mysql.writable => {}
        Some(leader) => missing.push(format!("{} leads and is not open for writes yet", leader.id)),
        None => missing.push("no leader is elected yet".to_owned()),
    }
    missing
}

/// Which of these nodes the leader, or they themselves, still count as members. A node that is down cannot be told.
fn lingering_members(nodes: &[NodeId], answers: &[Answer]) -> Vec<String> {
    let counts = |status: &NodeStatus, node: &NodeId| status.members.iter().any(|member| member.id == *node);
    let leader = leading(answers);
    let mut missing = Vec::new();
    if leader.is_none() {
        missing.push("no leader is known".to_owned());
    }
    for node in nodes {
        if leader.is_some_and(|leader| counts(leader, node)) {
            missing.push(format!("{node} is still a member"));
            continue;
        }
        let own = answers.iter().find(|answer| answer.id == node.as_str()).and_then(Answer::status);
        if own.is_some_and(|own| counts(own, node)) {
            missing.push(format!("{node} does not know yet that it was let go"));
        }
    }
    missing
}

fn listed(nodes: &[NodeId]) -> String {
    let names: Vec<&str> = nodes.iter().map(NodeId::as_str).collect();
    let verb = if names.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", names.join(", "))
}

fn formed(nodes: &[NodeId], answers: &[Answer]) -> String {
    let Some(leader) = leading(answers) else { return String::new() };
    let joining: Vec<String> = leader
        .members
        .iter()
        .filter(|member| nodes.contains(&member.id) && member.standing == Standing::Joining)
        .map(|member| member.id.to_string())
        .collect();
    let mut text = format!("{} leads, and its server is open for writes", leader.id);
    if !joining.is_empty() {
        text.push_str(&format!("; {} will vote once caught up", joining.join(", ")));
    }
    text
}
