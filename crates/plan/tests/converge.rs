//! From any state, with any interruption: the role is reached in a bounded number of steps, then there is nothing left to do,
//! and on the way nothing happens that must never happen.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test, in its helpers too")]

mod model;
mod support;

use model::{Outcome, PATIENCE, World, is_reached};
use proptest::prelude::*;
use support::*;
use xenon_plan::health::Verdict;
use xenon_plan::observation::{ReceiverState, SemiSyncReplica, SemiSyncSource, ServerState};
use xenon_plan::{Address, Role, Seen, Variables, plan};

/// Plans after which the role must be reached: hangs and shutdowns end after [`PATIENCE`] looks, a kill and a start take
/// three, a broken applier is tried a few times.
const PLANS: u32 = 8 * PATIENCE;
/// Steps of one plan.
const STEPS: usize = 18;

fn any_source() -> impl Strategy<Value = Option<SemiSyncSource>> {
    let source = (any::<bool>(), 1..3_u32, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(enabled, wait_for_replicas, for_ever, after_sync, wait_no_replica)| SemiSyncSource {
            wait_for_replicas,
            timeout_ms: if for_ever { FOR_EVER_MS } else { 10_000 },
            after_sync,
            wait_no_replica,
            ..semi_sync_source(enabled)
        },
    );
    proptest::option::weighted(0.9, source)
}

fn any_replication() -> impl Strategy<Value = Option<xenon_plan::observation::Replication>> {
    let receiver = prop_oneof![
        Just(ReceiverState::Running),
        Just(ReceiverState::Connecting),
        Just(ReceiverState::Stopped)
    ];
    let replication = (receiver, any::<[bool; 4]>(), 0..4_u64, 0..3_usize).prop_map(
        |(receiver, [applier_running, applier_error, receiver_error, ssl], unapplied, source)| {
            let host = ["old", "new", "elsewhere"][source];
            let mut replication = xenon_plan::observation::Replication {
                receiver,
                applier_running,
                ssl,
                retrieved: set(&format!("b:5-{}", 10 + unapplied)),
                ..replication(host)
            };
            if applier_error && !applier_running {
                replication.applier_error = "duplicate key".to_owned();
            }
            if receiver_error && receiver == ReceiverState::Stopped {
                replication.receiver_error = "connection lost".to_owned();
            }
            replication
        },
    );
    proptest::option::weighted(0.8, replication)
}

fn any_server() -> impl Strategy<Value = ServerState> {
    let replica = proptest::option::weighted(0.9, any::<(bool, bool)>());
    // Of the two variables, super_read_only cannot be on alone.
    let read_only = prop_oneof![Just((false, false)), Just((true, false)), Just((true, true))];
    (any_source(), replica, any_replication(), read_only, 3..6_u64).prop_map(
        |(source, replica, replication, (read_only, super_read_only), marker)| ServerState {
            read_only,
            super_read_only,
            executed: set(&format!("b:1-10,m:1-{marker}")),
            semi_sync_replica: replica.map(|(enabled, operational)| SemiSyncReplica {
                enabled,
                operational: operational
                    && replication.as_ref().is_some_and(|it| it.receiver == ReceiverState::Running),
            }),
            semi_sync_source: source,
            replication,
            ..fresh_server()
        },
    )
}

fn any_seen() -> impl Strategy<Value = Seen> {
    let health = prop_oneof![
        4 => Just(Verdict::Serving),
        1 => Just(Verdict::Missing(1)),
        1 => Just(Verdict::Hung),
        1 => Just(Verdict::Dying),
        1 => Just(Verdict::Starting)
    ];
    let address =
        prop_oneof![Just(Address::Here), Just(Address::Away), Just(Address::Unknown), Just(Address::Moving)];
    let variables = prop_oneof![Just(None), Just(Some(Variables::Primary)), Just(Some(Variables::Replica))];
    (any_server(), health, address, variables, any::<[bool; 6]>()).prop_map(
        |(
            server,
            health,
            address,
            variables,
            [account_checked, sessions_killed, drain_timed_out, retry_due, offline_mode, offline_is_ours],
        )| Seen {
            health,
            address,
            variables,
            account_checked,
            sessions_killed,
            drain_timed_out,
            retry_due,
            offline_is_ours,
            ..seen(ServerState { offline_mode, ..server })
        },
    )
}

fn any_world() -> impl Strategy<Value = World> {
    (any_seen(), any::<[bool; 3]>(), 0..3_u32, 0..3_u32).prop_map(
        |(seen, [acks, slow, down], commits, applier_fails)| {
            let server = seen.server.as_ref().unwrap();
            let waits = server.semi_sync_source.is_some_and(|source| source.enabled);
            // Commits wait only where semi-sync makes them, and hold super_read_only.
            let commits = if waits && !server.super_read_only { commits } else { 0 };
            let mut world = World::new(seen, commits);
            world.acks = acks;
            world.applier_is_slow = slow;
            world.applier_fails = applier_fails;
            if down {
                world.exit();
            }
            world
        },
    )
}

fn any_role() -> impl Strategy<Value = Role> {
    prop_oneof![
        4 => (0..3_u32).prop_map(primary_with),
        1 => (1..3_u32).prop_map(|acknowledgements| Role::Primary {
            term: TERM,
            markers: uuid(MARKERS),
            acknowledgements,
            soft: false,
            closed: true,
            handed_over: false,
        }),
        1 => Just(Role::Primary { term: TERM, markers: uuid(MARKERS), acknowledgements: 1, soft: true, closed: false, handed_over: false }),
        1 => Just(Role::Suspended { reason: "no majority".to_owned() }),
        2 => Just(fenced()),
        4 => any::<bool>().prop_map(|acknowledge| Role::Replica { source: address("new"), acknowledge }),
        1 => Just(Role::Replica { source: address("elsewhere"), acknowledge: true }),
        1 => Just(Role::Invalid { errant: set("a:1") }),
        1 => Just(Role::Removed),
        1 => Just(Role::Hold),
        1 => Just(Role::Unmanaged),
        1 => Just(Role::Stopped),
    ]
}

/// How far a plan is carried out before something comes between.
#[derive(Debug, Clone, Copy)]
struct Interruption {
    steps: usize,
    agent_crashes: bool,
}

fn any_interruption() -> impl Strategy<Value = Interruption> {
    (0..STEPS, any::<bool>()).prop_map(|(steps, agent_crashes)| Interruption { steps, agent_crashes })
}

/// One look, one plan, its first `steps` steps. Says whether there was anything to do.
fn one_plan(role: &Role, world: &mut World, steps: usize) -> bool {
    world.look();
    let plan = plan(role, &world.seen);
    assert!(plan.steps.len() <= STEPS, "{plan:?}");
    for planned in plan.steps.iter().take(steps) {
        let outcome = world.carry_out(&planned.step, role);
        assert!(world.rules.is_empty(), "{:?}\nat {:?} of {plan:#?}\n{world:#?}", world.rules, planned.step);
        if outcome == Outcome::Stop {
            break;
        }
    }
    !plan.is_empty()
}

fn converges(role: &Role, world: &mut World) {
    for _ in 0..PLANS {
        if !one_plan(role, world, STEPS) && is_reached(role, world) {
            if world.seen.health == Verdict::Serving {
                // And it stays so.
                assert!(!one_plan(role, world, STEPS) && is_reached(role, world), "{role:?}\n{world:#?}");
            }
            return;
        }
    }
    let plan = plan(role, &world.seen);
    panic!("{role:?} is not reached after {PLANS} plans; the next would be {plan:#?}\nof {world:#?}");
}

/// A leader that nobody acknowledges does not get further; it hands over (L2).
fn may_be_reached(role: &Role, world: &mut World) {
    if matches!(role, Role::Primary { acknowledgements, .. } if *acknowledgements > 0) {
        world.acks = true;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_role_is_reached_from_every_state(role in any_role(), world in any_world()) {
        let mut world = world;
        world.take_role(&role);
        may_be_reached(&role, &mut world);
        converges(&role, &mut world);
    }

    #[test]
    fn interrupted_anywhere_with_the_agent_restarted(
        role in any_role(),
        world in any_world(),
        interruptions in proptest::collection::vec(any_interruption(), 0..6),
    ) {
        let mut world = world;
        world.take_role(&role);
        for interruption in interruptions {
            one_plan(&role, &mut world, interruption.steps);
            if interruption.agent_crashes {
                world.crash_agent();
                world.take_role(&role);
            }
        }
        may_be_reached(&role, &mut world);
        converges(&role, &mut world);
    }

    #[test]
    fn roles_that_change_before_they_are_reached(
        world in any_world(),
        roles in proptest::collection::vec((any_role(), any::<bool>(), proptest::collection::vec(any_interruption(), 0..4)), 1..5),
        last in any_role(),
    ) {
        let mut world = world;
        for (role, acks, interruptions) in roles {
            world.take_role(&role);
            world.acks = acks;
            for interruption in interruptions {
                one_plan(&role, &mut world, interruption.steps);
                if interruption.agent_crashes {
                    world.crash_agent();
                    world.take_role(&role);
                }
            }
        }
        world.take_role(&last);
        may_be_reached(&last, &mut world);
        converges(&last, &mut world);
    }

    #[test]
    fn roles_that_leave_mysqld_alone_have_no_steps(
        role in prop_oneof![Just(Role::Hold), Just(Role::Unmanaged), Just(Role::Stopped)],
        seen in any_seen(),
    ) {
        prop_assert!(plan(&role, &seen).is_empty());
    }

    #[test]
    fn a_plan_says_why(role in any_role(), seen in any_seen()) {
        let plan = plan(&role, &seen);
        for planned in &plan.steps {
            prop_assert!(planned.why.len() > 8, "{planned:?}");
        }
        prop_assert_eq!(&plan, &xenon_plan::plan(&role, &seen), "the same twice");
    }
}
