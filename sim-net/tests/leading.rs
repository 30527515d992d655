//! Who leads, when everything is well and when something is not: the agents' own code, servers that are values.

#![allow(clippy::expect_used)]

use std::time::Duration;
use xenon_api::{Reply, Request};
use xenon_mysql::servers;
use xenon_sim_net::cluster::{Cluster, follow, is_open, primary};

const SECOND: Duration = Duration::from_secs(1);
const OFTEN: Duration = Duration::from_millis(20);

/// The nodes that are not `leader`, in order.
fn others(leader: usize) -> (usize, usize) {
    ((leader + 1) % 3, (leader + 2) % 3)
}

fn formed(seed: u64) -> (Cluster, usize) {
    let mut cluster = Cluster::new(seed, 3, &[]);
    let leader = cluster.form(3);
    cluster.write_every(OFTEN);
    cluster.run_until_written("the first commits", SECOND);
    (cluster, leader)
}

/// Another than `old` serves, and clients are told OK again.
fn another_serves(cluster: &mut Cluster, old: usize, limit: Duration) -> usize {
    cluster.run_until("another primary", limit, |_| (0..3).any(|at| at != old && is_open(at)));
    cluster.run_until_written("commits at the new primary", 2 * SECOND);
    (0..3).find(|at| *at != old && is_open(*at)).expect("it was there a line above")
}

fn all_follow(cluster: &mut Cluster, leader: usize) {
    cluster.run_until("everybody follows", 20 * SECOND, |_| follow(leader, 0..3));
    cluster.assert_safe();
}

#[test]
fn three_agents_elect_a_leader_that_serves() {
    let (mut cluster, leader) = formed(1);
    cluster.run_for(3 * SECOND);
    let id = cluster.node(leader).id();
    for at in 0..3 {
        let status = cluster.status(at).expect("an answer");
        assert_eq!((status.leader.as_ref(), status.view_id), (Some(&id), 1), "{}", cluster.tail());
    }
    all_follow(&mut cluster, leader);
}

#[test]
fn an_isolated_leader_is_closed_and_another_leads() {
    let (mut cluster, leader) = formed(2);
    cluster.write_no_more();
    cluster.isolate(leader);
    cluster.run_until("the old one is closed", 2 * SECOND, |_| !is_open(leader));
    cluster.write_every(OFTEN);
    let new = another_serves(&mut cluster, leader, 5 * SECOND);
    cluster.heal();
    all_follow(&mut cluster, new);
}

#[test]
fn what_an_isolated_leader_could_not_get_acknowledged_is_told_to_nobody() {
    let (mut cluster, leader) = formed(3);
    cluster.isolate(leader);
    cluster.run_until("the old one is closed", 2 * SECOND, |_| !is_open(leader));
    let new = another_serves(&mut cluster, leader, 5 * SECOND);
    cluster.heal();
    // Its tail waits for acknowledgements that nobody sends: killed (D3), and then errant until somebody judges it (F2).
    cluster.run_until("its tail is seen", 20 * SECOND, |cluster| {
        cluster.run_for(SECOND);
        cluster.status(leader).is_some_and(|status| status.state == "INVALID")
    });
    assert_eq!(primary(0..3), Some(new));
    cluster.assert_safe();
}

#[test]
fn a_leader_that_hears_nobody_gives_way() {
    let (mut cluster, leader) = formed(4);
    let (one, two) = others(leader);
    cluster.write_no_more();
    cluster.cut(one, leader);
    cluster.cut(two, leader);
    cluster.run_until("the old one is closed", 2 * SECOND, |_| !is_open(leader));
    cluster.write_every(OFTEN);
    let new = another_serves(&mut cluster, leader, 10 * SECOND);
    cluster.heal();
    all_follow(&mut cluster, new);
}

#[test]
fn a_leader_that_nobody_hears_gives_way() {
    let (mut cluster, leader) = formed(5);
    let (one, two) = others(leader);
    cluster.write_no_more();
    cluster.cut(leader, one);
    cluster.cut(leader, two);
    cluster.run_until("the old one is closed", 3 * SECOND, |_| !is_open(leader));
    cluster.write_every(OFTEN);
    let new = another_serves(&mut cluster, leader, 10 * SECOND);
    cluster.heal();
    all_follow(&mut cluster, new);
}

#[test]
fn a_follower_that_the_leader_cannot_reach_disturbs_nobody() {
    let (mut cluster, leader) = formed(6);
    let (one, _) = others(leader);
    cluster.cut(leader, one);
    cluster.cut(one, leader);
    for _ in 0..10 {
        cluster.run_until_written("commits go on", SECOND);
        cluster.run_for(SECOND);
        assert!(is_open(leader));
    }
    let status = cluster.status(leader).expect("an answer");
    assert_eq!((status.state.as_str(), status.view_id), ("LEADER", 1), "{}", cluster.tail());
    cluster.heal();
    all_follow(&mut cluster, leader);
}

#[test]
fn lost_and_late_messages_break_no_promise() {
    for seed in 10..13 {
        let (mut cluster, _) = formed(seed);
        cluster.sim.set_max_message_latency(Duration::from_millis(150));
        cluster.sim.set_fail_rate(0.01);
        cluster.run_for(20 * SECOND);
        cluster.sim.set_fail_rate(0.0);
        cluster.sim.set_max_message_latency(Duration::from_millis(3));
        cluster.heal();
        cluster.run_until_written("commits afterwards", 10 * SECOND);
        cluster.assert_safe();
    }
}

#[test]
fn t3_a_restarted_agent_leads_on() {
    let (mut cluster, leader) = formed(7);
    cluster.crash_agent(leader);
    cluster.run_for(Duration::from_millis(150));
    cluster.start_agent(leader);
    let before = servers::acknowledged().len();
    cluster.run_for(2 * SECOND);
    // 20 ms apart, and none was missing.
    assert!(servers::acknowledged().len() >= before + 99, "{}", cluster.tail());
    let status = cluster.status(leader).expect("an answer");
    assert_eq!((status.state.as_str(), status.view_id), ("LEADER", 1), "{}", cluster.tail());
    assert_eq!(cluster.story.count("", "taken up again"), 1);
    all_follow(&mut cluster, leader);
}

#[test]
fn an_agent_that_stays_away_is_replaced_and_comes_back_as_a_follower() {
    let (mut cluster, leader) = formed(8);
    cluster.write_no_more();
    cluster.crash_agent(leader);
    cluster.run_until("another primary", 5 * SECOND, |_| (0..3).any(|at| at != leader && is_open(at)));
    // Nobody closes the old one, and nobody is told OK there: its replicas have gone.
    assert!(is_open(leader));
    cluster.start_agent(leader);
    cluster.run_until("the old one is closed", 5 * SECOND, |_| !is_open(leader));
    cluster.write_every(OFTEN);
    let new = another_serves(&mut cluster, leader, SECOND);
    all_follow(&mut cluster, new);
}

#[test]
fn a_cluster_whose_agents_all_crash_remembers_its_term() {
    let (mut cluster, _) = formed(9);
    (0..3).for_each(|at| cluster.crash_agent(at));
    cluster.run_for(3 * SECOND);
    (0..3).for_each(|at| cluster.start_agent(at));
    cluster.run_until("one serves", 10 * SECOND, |_| primary(0..3).is_some());
    cluster.run_until_written("commits", 5 * SECOND);
    let leader = primary(0..3).expect("it was there two lines above");
    assert!(cluster.status(leader).expect("an answer").view_id >= 1);
    all_follow(&mut cluster, leader);
}

#[test]
fn a_leader_that_is_asked_to_stop_hands_over_first() {
    let (mut cluster, leader) = formed(14);
    // Until then it does not know that the others have its term's marker.
    cluster.run_for(2 * SECOND);
    cluster.stop_agent(leader);
    let new = another_serves(&mut cluster, leader, 3 * SECOND);
    cluster.start_agent(leader);
    all_follow(&mut cluster, new);
}

#[test]
fn an_operator_hands_leadership_over() {
    let (mut cluster, leader) = formed(15);
    cluster.run_for(2 * SECOND);
    let (target, _) = others(leader);
    let wanted = Request::HandOver { target: Some(cluster.node(target).id()) };
    let reply = cluster.call(leader, wanted);
    assert!(matches!(reply, Ok(Reply::Ok(_))), "{reply:?}");
    assert_eq!(another_serves(&mut cluster, leader, 2 * SECOND), target);
    all_follow(&mut cluster, target);
}

#[test]
fn t2_a_leader_whose_server_dies_names_its_successor() {
    let (mut cluster, leader) = formed(16);
    cluster.write_no_more();
    servers::kill(leader);
    cluster.write_every(OFTEN);
    // Less than an election timeout: nobody waits for one.
    let new = another_serves(&mut cluster, leader, Duration::from_millis(900));
    all_follow(&mut cluster, new);
}

#[test]
fn l6_a_leader_whose_server_hangs_gives_way() {
    let (mut cluster, leader) = formed(17);
    cluster.write_no_more();
    servers::hang(leader, true);
    cluster.write_every(OFTEN);
    let new = another_serves(&mut cluster, leader, 5 * SECOND);
    all_follow(&mut cluster, new);
}
