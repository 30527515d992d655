//! The same seed, the same story: whatever a simulation finds can be looked at again.

use std::time::Duration;
use xenon_sim_net::cluster::Cluster;

fn story(seed: u64) -> Vec<String> {
    let mut cluster = Cluster::new(seed, 3, &[]);
    let leader = cluster.form(3);
    cluster.write_every(Duration::from_millis(20));
    cluster.sim.set_fail_rate(0.005);
    cluster.run_for(Duration::from_secs(3));
    cluster.isolate(leader);
    cluster.run_for(Duration::from_secs(5));
    cluster.heal();
    cluster.crash_agent((leader + 1) % 3);
    cluster.run_for(Duration::from_secs(2));
    cluster.start_agent((leader + 1) % 3);
    cluster.run_for(Duration::from_secs(5));
    cluster.assert_safe();
    cluster.story.lines()
}

#[test]
fn a_seed_gives_the_same_story_every_time() {
    for seed in 100..102 {
        let (once, again) = (story(seed), story(seed));
        assert!(once.len() > 50, "{once:#?}");
        let differs = once.iter().zip(&again).position(|(a, b)| a != b);
        if let Some(at) = differs {
            panic!("seed {seed}, line {at}:\n{}\n{}", once[at], again[at]);
        }
        assert_eq!(once.len(), again.len());
    }
    assert_ne!(story(100), story(101));
}
