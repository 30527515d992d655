//! Members come and go.

use crate::fixture::{CLUSTER, Stage, done, join, lead, refused};
use xenon_api::{Refusal, Request};
use xenon_election::{NodeId, Standing};

#[test]
fn a_fresh_node_forms_the_cluster_and_waits_for_everybody() {
    let stage = Stage::of(3);
    let ids = stage.ids();
    let members = ids.clone();
    stage.agents[0].script(move |request, status| {
        matches!(request, Request::ClusterAdd { .. }).then(|| {
            join(status, &members, &members[0]);
            done("cluster formed with 3 members; they elect a leader now")
        })
    });
    for place in [1, 2] {
        let (members, leader) = (ids.clone(), ids[0].clone());
        stage.later(place, 300 * place as u64, move |status| join(status, &members, &leader));
    }
    stage.later(0, 900, lead);
    let outcome = stage.run(0, &format!("cluster add {},{}", ids[1], ids[2]));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(
        outcome.out,
        format!(
            "cluster formed with 3 members; they elect a leader now\n{} leads, and its server is open for writes\n",
            ids[0]
        )
    );
    assert_eq!(
        stage.agents[0].told(),
        [Request::ClusterAdd { nodes: vec![ids[1].clone(), ids[2].clone()], idle: false }]
    );
}

#[test]
fn a_member_asks_the_leader_and_follows_to_a_newer_one() {
    let stage = Stage::cluster(3);
    let ids = stage.ids();
    // The node still believes in the old leader.
    stage.agents[2].set(|status| status.leader = Some(NodeId::from(ids[1].as_str())));
    let leader = ids[0].clone();
    stage.agents[1].script(move |request, _| {
        let ask = matches!(request, Request::ClusterAdd { .. });
        ask.then(|| refused("this node does not lead", "ask the leader", Some(&leader)))
    });
    let outcome = stage.run(2, &format!("cluster addidle {} --no-wait --output json", ids[1]));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(outcome.json()["node"], ids[0].as_str());
    let request = Request::ClusterAdd { nodes: vec![ids[1].clone()], idle: true };
    assert_eq!(stage.agents[0].told(), [request]);
    assert_eq!(stage.agents[1].told(), stage.agents[0].told());
}

#[test]
fn a_change_that_has_not_settled_is_waited_for() {
    let stage = Stage::cluster(2);
    let mut attempts = 0;
    stage.agents[0].script(move |request, _| {
        attempts += usize::from(matches!(request, Request::ClusterAdd { .. }));
        let early = matches!(request, Request::ClusterAdd { .. }) && attempts < 3;
        early.then(|| refused("the last change of members has not settled", Refusal::LATER, None))
    });
    let outcome = stage.run(0, &format!("cluster add {}", stage.ids()[1]));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(stage.agents[0].told().len(), 3);
}

#[test]
fn add_on_a_fresh_node_joins_the_cluster_of_those_named() {
    let stage = Stage::of(3);
    let ids = stage.ids();
    for place in [0, 1] {
        stage.agents[place].set(|status| join(status, &ids[..2], &ids[0]));
    }
    stage.agents[0].set(lead);
    let outcome = stage.run(2, &format!("cluster add {} --no-wait", ids[1]));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.err.contains("asking it to take this node in"), "{}", outcome.err);
    assert_eq!(
        stage.agents[0].told(),
        [Request::ClusterAdd { nodes: vec![ids[1].clone(), ids[2].clone()], idle: false }]
    );
    assert!(stage.agents[2].told().is_empty());
}

#[test]
fn a_node_that_was_let_go_comes_back_by_add() {
    let stage = Stage::cluster(3);
    let ids = stage.ids();
    for agent in &stage.agents {
        agent.set(|status| status.members.retain(|member| member.id != ids[2]));
    }
    let outcome = stage.run(2, &format!("cluster add {} --no-wait", ids[1]));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let nodes = vec![ids[1].clone(), ids[2].clone()];
    assert_eq!(stage.agents[0].told(), [Request::ClusterAdd { nodes, idle: false }]);
}

#[test]
fn two_clusters_are_not_joined() {
    let stage = Stage::of(3);
    let ids = stage.ids();
    stage.agents[0].set(|status| join(status, &ids[..1], &ids[0]));
    stage.agents[1].set(|status| {
        join(status, &ids[1..2], &ids[1]);
        status.cluster = Some(CLUSTER.replace("4e", "5e").parse().unwrap());
    });
    let outcome = stage.run(2, &format!("cluster add {},{}", ids[0], ids[1]));
    assert_eq!(outcome.code, 1);
    assert!(outcome.err.contains("belong to two different clusters"), "{}", outcome.err);
    assert!(stage.agents.iter().all(|agent| agent.told().is_empty()));
}

#[test]
fn removing_waits_until_nobody_counts_the_node() {
    let stage = Stage::cluster(3);
    let ids = stage.ids();
    for (place, ms) in [(0, 300), (2, 600)] {
        let left = ids[..2].to_vec();
        stage.later(place, ms, move |status| {
            status.members.retain(|member| left.contains(&member.id));
            if place == 2 {
                status.members.clear();
                status.cluster = None;
            }
        });
    }
    let outcome = stage.run(1, &format!("cluster remove {}", ids[2]));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(outcome.out, format!("cluster remove is done\n{} is no longer counted by any node\n", ids[2]));
    assert_eq!(stage.agents[0].told(), [Request::ClusterRemove { nodes: vec![ids[2].clone()] }]);
    // And once more, on the node that has left.
    let again = stage.run(2, &format!("cluster remove {}", ids[2]));
    assert_eq!((again.code, again.out.as_str()), (0, "not a member (any more)\n"), "{}", again.err);
}

#[test]
fn a_node_that_is_down_can_be_removed() {
    let mut stage = Stage::cluster(3);
    stage.stop(2);
    let ids = stage.ids();
    let gone = ids[2].clone();
    stage.agents[0].script(move |request, status| {
        matches!(request, Request::ClusterRemove { .. }).then(|| {
            status.members.retain(|member| member.id != gone);
            done("removing it")
        })
    });
    assert_eq!(stage.run(0, &format!("cluster remove {}", ids[2])).code, 0);
}

#[test]
fn removeidle_spares_a_voter() {
    let stage = Stage::cluster(2);
    let ids = stage.ids();
    let outcome = stage.run(0, &format!("cluster removeidle {}", ids[1]));
    assert_eq!(outcome.code, 1);
    assert!(
        outcome
            .err
            .contains(&format!("try: if it is to go all the same: xenoncli cluster remove {}", ids[1]))
    );
    assert!(stage.agents[0].told().is_empty());
    stage.agents[0].set(|status| status.members[1].standing = Standing::Idle);
    assert_eq!(stage.run(0, &format!("cluster removeidle {} --no-wait", ids[1])).code, 0);
}

#[test]
fn what_is_waited_for_in_vain_is_said() {
    let mut stage = Stage::cluster(3);
    stage.stop(2);
    let outcome = stage.run(0, &format!("cluster add {} --output json", stage.ids()[2]));
    assert_eq!(outcome.code, 1);
    let json = outcome.json();
    assert_eq!(json["ok"], false);
    let what = json["what"].as_str().unwrap();
    assert!(what.contains("but after 10 s:") && what.contains("connection refused"), "{what}");
}
