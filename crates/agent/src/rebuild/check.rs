//! The check: who can give, whether the cluster allows it, whether there is room. Nothing is changed by it.

use super::job::bytes;
use super::turns::{ask_turn, call};
use crate::donation::way_of;
use crate::hands;
use std::path::PathBuf;
use std::time::Duration;
use tokio::task::JoinSet;
use xenon_api::{DonorFacts, JobStatus, NodeStatus, Reply, Request, Response};
use xenon_channel::Client;
use xenon_election::NodeId;
use xenon_gtid::GtidSet;
use xenon_mysql::MysqldOptions;
use xenon_plan::rebuild::{
    Candidate, ClusterSeen, Donor, Recipient, Side, ToolSeen, Way, choose, choose_way, permit, room_needed,
};

/// How long a member may take to say how it is.
const LOOK: Duration = Duration::from_secs(2);
/// How long the donor may take to count its data.
const FACTS: Duration = Duration::from_secs(25);
/// A donor that has yet to apply what this node has is waited for so often, and so long.
const LOOKS: u32 = 6;
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// All that the check needs to know.
pub(super) struct CheckOrder {
    pub(super) client: Client,
    pub(super) me: NodeId,
    pub(super) leader: Option<NodeId>,
    /// The other members that have data, and whether they are voters.
    pub(super) others: Vec<(NodeId, bool)>,
    pub(super) is_voter: bool,
    pub(super) paused: bool,
    pub(super) recipient: Recipient,
    pub(super) from: Option<String>,
    pub(super) force: bool,
    pub(super) dry_run: bool,
    pub(super) automatic: bool,
    pub(super) mysqld: MysqldOptions,
    /// The way to copy that the operator wants.
    pub(super) wanted: Option<Way>,
    /// Where this host's tools for streams are looked for first.
    pub(super) bindir: PathBuf,
}

/// It may begin.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) donor: Donor,
    pub(crate) way: Way,
    pub(crate) lines: Vec<String>,
}

/// It may not; what, and what to try.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) what: String,
    pub(crate) cure: String,
}

fn refused(what: impl Into<String>, cure: impl Into<String>) -> Refused {
    Refused { what: what.into(), cure: cure.into() }
}

/// A node that turns INVALID time after time has a cause that a person must find; and each time costs a data folder's room.
const KEPT_MAX: usize = 2;
const LOOK_AT_IT: &str = "look at: xenoncli cluster status";

/// A copy may take hours, in which this node went on acknowledging, and others may have been lost: asked again before it gives
/// up what it has.
pub(super) async fn still_permitted(order: CheckOrder) -> Result<(), String> {
    let mut looks = 0;
    loop {
        looks += 1;
        match permit(&cluster_seen(&order, &look(&order).await)) {
            Err(_) if looks < LOOKS => tokio::time::sleep(LOOK_AGAIN).await,
            outcome => return outcome,
        }
    }
}

pub(super) async fn check(order: CheckOrder) -> Result<Checked, Refused> {
    let mut looks = 0;
    let (statuses, best) = loop {
        looks += 1;
        let statuses = look(&order).await;
        if let Some(other) = statuses.iter().find_map(rebuilds) {
            return Err(refused(
                format!("{other} is being rebuilt, one node at a time"),
                "wait until it is done",
            ));
        }
        let permitted = if order.force { Ok(()) } else { permit(&cluster_seen(&order, &statuses)) };
        if let Err(why) = permitted {
            if looks < LOOKS {
                // A member between two connections is well again in a moment.
                tokio::time::sleep(LOOK_AGAIN).await;
                continue;
            }
            return Err(refused(
                why,
                "see to the other nodes first; if this must go on all the same: --force",
            ));
        }
        let candidates = candidates(&order, &statuses);
        match choose(&candidates, &order.recipient, order.from.as_deref()) {
            // A replica that lags for a moment is still better than the primary.
            Ok(best) if best.leads && order.from.is_none() && candidates.len() > 1 && looks < LOOKS => {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            Ok(best) => break (statuses, best.clone()),
            Err(none) if looks == LOOKS => {
                return Err(refused(
                    none.to_string(),
                    "name another with --from, or cure what is said of them",
                ));
            }
            // A replica applies what this node has received a moment later.
            Err(_) => tokio::time::sleep(LOOK_AGAIN).await,
        }
    };
    let donor_id = NodeId::new(best.id.clone());
    let facts = donor_facts(&order, &donor_id).await?;
    let way = way(&order, &best.id, &facts).await?;
    let room = hands::room(&order.mysqld).await.map_err(|why| {
        refused(format!("this node's data folder cannot be replaced: {why}"), "cure what is said")
    })?;
    if order.automatic && room.kept >= KEPT_MAX {
        let what = format!(
            "the old data of {} earlier rebuilds is still kept beside {}",
            room.kept,
            room.data.display()
        );
        return Err(refused(what, "judge what it has, remove it, and run: xenoncli mysql rebuildme"));
    }
    let needed = room_needed(facts.data_bytes);
    if room.free_bytes < needed {
        return Err(refused(
            format!(
                "{} are wanted beside {} (the data of {donor_id} and a little more), and {} are free: the old data is kept \
                 until the new data is proved",
                bytes(needed),
                room.data.display(),
                bytes(room.free_bytes)
            ),
            "make room on that disk, or give the node a larger one",
        ));
    }
    if !order.dry_run {
        let Some(leader) = &order.leader else { return Err(refused("no leader is known", LOOK_AT_IT)) };
        ask_turn(&order.client, leader, &order.me, false)
            .await
            .map_err(|why| refused(why, "try again in a moment"))?;
    }
    let position = statuses.iter().filter(|(_, status)| status.is_ok()).count();
    let lines = vec![
        format!(
            "S1-S3  donor: {donor_id}, {}{}, {} of data; {position} member(s) answer",
            if best.leads { "the primary, for nobody else can" } else { "a replica" },
            best.lag_s.map(|lag| format!(" {lag} s behind")).unwrap_or_default(),
            bytes(facts.data_bytes),
        ),
        format!("S3  by {}", way_in_words(way, &facts)),
        format!("S3  room: {} free, {} wanted", bytes(room.free_bytes), bytes(needed)),
    ];
    let DonorFacts { data_bytes, host, port, .. } = facts;
    Ok(Checked { way, donor: Donor { id: best.id, host, port, data_bytes, executed: best.executed }, lines })
}

type Looked = (NodeId, Result<Box<NodeStatus>, String>);

async fn look(order: &CheckOrder) -> Vec<Looked> {
    let mut asked = JoinSet::new();
    for (id, _) in order.others.iter().cloned() {
        let (client, me) = (order.client.clone(), order.me.clone());
        asked.spawn(async move {
            let status = match call(&client, &id, &me, Request::Status, LOOK).await {
                Ok(Reply::Ok(Response::Status(status))) => Ok(status),
                Ok(Reply::Refused(refusal)) => Err(refusal.what),
                Ok(_) => Err("it answers something else".to_owned()),
                Err(why) => Err(why),
            };
            (id, status)
        });
    }
    let mut looked = asked.join_all().await;
    looked.sort_by(|a, b| a.0.cmp(&b.0));
    looked
}

fn active(status: &NodeStatus) -> Option<&JobStatus> {
    status.job.as_ref().filter(|job| job.is_active())
}

/// It has begun to copy, or is about to.
fn rebuilds((id, status): &Looked) -> Option<&NodeId> {
    let job = active(status.as_ref().ok()?)?;
    (job.kind == xenon_api::JobKind::Rebuild && job.donor.is_some()).then_some(id)
}

fn cluster_seen(order: &CheckOrder, statuses: &[Looked]) -> ClusterSeen {
    let well = |status: &NodeStatus| {
        let follows = status.mysql.replication.as_ref().is_some_and(|r| r.io_running && r.sql_running);
        let role = status.state == "LEADER" && status.mysql.writable || status.state == "FOLLOWER" && follows;
        role && status.mysql.alive && status.doubt.is_none() && status.errant.is_empty()
    };
    let is_voter = |id: &NodeId| order.others.iter().any(|(other, votes)| other == id && *votes);
    let healthy =
        statuses.iter().filter(|(id, status)| is_voter(id) && status.as_ref().is_ok_and(|s| well(s)));
    let leader = statuses.iter().find(|(id, _)| order.leader.as_ref() == Some(id));
    ClusterSeen {
        leader_serves: leader
            .is_some_and(|(_, status)| status.as_ref().is_ok_and(|s| s.state == "LEADER" && well(s))),
        paused: order.paused,
        data_voters: order.others.iter().filter(|(_, votes)| *votes).count() + usize::from(order.is_voter),
        is_voter: order.is_voter,
        healthy_others: healthy.count(),
    }
}

fn candidates(order: &CheckOrder, statuses: &[Looked]) -> Vec<Candidate> {
    let donors_of_others = |id: &NodeId| {
        let jobs =
            statuses.iter().filter_map(|(other, status)| Some((other, active(status.as_ref().ok()?)?)));
        jobs.filter(|(_, job)| job.donor.as_ref() == Some(id))
            .map(|(other, _)| format!("it gives its data to {other}"))
            .next()
    };
    statuses
        .iter()
        .map(|(id, status)| {
            let name = id.to_string();
            let status = match status {
                Ok(status) => status,
                Err(why) => return Candidate { id: name, silent: Some(why.clone()), ..Candidate::default() },
            };
            let busy = active(status).map(|job| format!("a {} goes on there", job.kind.word()));
            let replication = status.mysql.replication.as_ref();
            Candidate {
                id: name,
                state: status.state.clone(),
                alive: status.mysql.alive,
                leads: order.leader.as_ref() == Some(id) || status.state == "LEADER",
                idle: status.state == "IDLE",
                executed: status.mysql.executed.clone(),
                follows: replication.is_some_and(|r| r.io_running && r.sql_running),
                lag_s: replication.and_then(|r| r.seconds_behind),
                unapplied: replication
                    .map_or_else(GtidSet::new, |r| r.retrieved.subtract(&status.mysql.executed))
                    .count(),
                doubt: status.doubt.clone(),
                busy: busy.or_else(|| donors_of_others(id)),
                version: status.mysql.version.clone(),
                silent: None,
            }
        })
        .collect()
}

async fn donor_facts(order: &CheckOrder, donor: &NodeId) -> Result<DonorFacts, Refused> {
    let asked = call(&order.client, donor, &order.me, Request::DonorFacts { streams: true }, FACTS).await;
    match asked {
        Ok(Reply::Ok(Response::Donor(facts))) => Ok(facts),
        Ok(Reply::Refused(refusal)) => Err(refused(format!("{donor}: {}", refusal.what), refusal.cure)),
        Ok(_) => Err(refused(format!("{donor} answers something else"), "use agents of one version")),
        Err(why) => Err(refused(format!("{donor} does not answer: {why}"), LOOK_AT_IT)),
    }
}

/// How the copy is made; each host is asked what it has before anything begins.
async fn way(order: &CheckOrder, donor: &str, facts: &DonorFacts) -> Result<Way, Refused> {
    let tools = facts.tools.iter().map(|tool| ToolSeen {
        way: way_of(tool.method),
        found: tool.version.clone().ok_or_else(|| tool.lacks.clone()),
    });
    let no_address =
        facts.host.contains(':').then(|| format!("CLONE takes no IPv6 address ({})", facts.host));
    let donor = Side {
        id: donor.to_owned(),
        version: facts.version.clone(),
        no_clone: facts.no_clone.clone().or(no_address),
        tools: tools.collect(),
    };
    let (tools, no_clone) = tokio::join!(hands::tools(&order.bindir), hands::no_clone_here(&order.mysqld));
    let here = Side { id: order.me.to_string(), version: order.recipient.version.clone(), no_clone, tools };
    choose_way(order.wanted, &donor, &here)
        .map_err(|why| refused(why, "cure what is said, or name another donor with --from"))
}

fn way_in_words(way: Way, facts: &DonorFacts) -> String {
    let tool = facts.tools.iter().find(|tool| way_of(tool.method) == way);
    match (way, tool.and_then(|tool| tool.version.as_deref())) {
        (Way::Clone, _) => "the servers' own CLONE".to_owned(),
        (way, version) => {
            format!("a stream of {} {} through the agents", way.word(), version.unwrap_or_default())
        }
    }
}
