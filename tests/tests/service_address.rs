//! The service address follows the primary, is held by one node at a time, and clients beyond a bridge find it.

mod service;

use anyhow::{Context, Result, ensure};
use service::{SOON, V4, Watched, on_service_hosts};
use std::time::{Duration, Instant};
use xenon_api::AddressState;
use xenon_testkit::{Fault, Reach, Way, Whom};
use xenon_tests::{HEALS, SERVES_AGAIN, at_most};

#[test]
fn it_follows_the_primary() -> Result<()> {
    on_service_hosts(3, async |mut story, first, network| {
        let watched = Watched::begin(&story, network)?;
        watched.serves(&story, first).await?;
        let status = story.cluster.status(first).await?;
        ensure!(
            status.service_address.len() == 2
                && status.service_address.iter().all(|service| service.state == AddressState::Here
                    && service.interface.as_deref() == Some("eth0")),
            "{:?}",
            status.service_address
        );

        // Handed over.
        let target = (first + 1) % 3;
        let begun = service::hand_over(&story, first, target).await?;
        watched.moved(&story, "switchover", begun, target).await?;
        service::whole(&story).await?;

        // The primary dies, and its agent gives the address up.
        let struck = story.strike(Fault::Kill(target, Whom::Mysqld)).await?;
        let now = watched.taken_over(&story, "kill -9 of mysqld", &struck, target).await?;
        service::whole(&story).await?;

        // The agent hangs: its guard takes the address away before anybody else may have it.
        story.old_primary_has_no_agent();
        let struck = story.strike(Fault::Stop(now, Whom::Agent)).await?;
        let next = watched.taken_over(&story, "SIGSTOP of the agent", &struck, now).await?;
        story.heal(struck).await?;
        service::whole(&story).await?;
        watched.serves(&story, next).await?;
        let said = story.events(now).await?;
        ensure!(
            said.iter().any(|event| event.text.contains("guard took the service address away")),
            "nobody says what the guard did: {said:#?}"
        );

        // Somebody removes it by hand: it is back at once.
        service::ip(
            story.cluster.network().context("hosts")?,
            next,
            "address del 10.77.0.100/32 dev eth0\n",
        )?;
        watched.serves(&story, next).await?;
        watched.one_holder_at_a_time()?;
        story.end(2, Vec::new()).await?;
        Ok(())
    })
}

#[test]
fn nightly_the_guard_takes_it_from_a_dead_agent() -> Result<()> {
    on_service_hosts(3, async |mut story, leader, network| {
        let watched = Watched::begin(&story, network)?;
        watched.serves(&story, leader).await?;

        // Restarted at once: it never goes.
        let term = story.cluster.status(leader).await?.view_id;
        let fault = Instant::now();
        story.cluster.kill_agent(leader)?;
        story.cluster.start_agent(leader)?;
        watched.announced_here(&story, leader).await?;
        ensure!(story.cluster.status(leader).await?.view_id == term, "the term has changed");
        ensure!(watched.gone_since(leader, fault).is_none(), "the address was away meanwhile");
        // That nothing happens is seen by waiting only: a guard of the old agent would act within the lease, 0.85 s.
        tokio::time::sleep(Duration::from_secs(3)).await;
        ensure!(watched.gone_since(leader, fault).is_none(), "an old guard took it away");

        // Not restarted.
        story.old_primary_has_no_agent();
        let struck = story.strike(Fault::Kill(leader, Whom::Agent)).await?;
        watched.taken_over(&story, "kill -9 of the agent", &struck, leader).await?;
        story.heal(struck).await?;
        watched.one_holder_at_a_time()?;
        story.end_with_returned(leader).await?;
        Ok(())
    })
}

#[test]
fn nightly_the_guard_is_killed_and_then_the_agent() -> Result<()> {
    on_service_hosts(3, async |mut story, leader, network| {
        let watched = Watched::begin(&story, network)?;
        watched.serves(&story, leader).await?;
        let guard = service::guard(&story, leader)?.context("a guard")?;
        guard.signal(xenon_testkit::Signal::KILL)?;
        let another = story
            .cluster
            .wait_until(SOON, "another guard", async || {
                service::guard(&story, leader).ok().flatten().filter(|now| now.pid != guard.pid)
            })
            .await?
            .value;
        ensure!(
            story
                .events(leader)
                .await?
                .iter()
                .any(|event| event.text.contains("guard of the service address ended"))
        );
        // Both at once: what is left is the kernel, and an address that has its end with it.
        story.old_primary_has_no_agent();
        another.signal(xenon_testkit::Signal::STOP)?;
        let struck = story.strike(Fault::Kill(leader, Whom::Agent)).await?;
        watched.taken_over(&story, "kill -9 of the agent, guard stopped", &struck, leader).await?;
        let left = watched.wait_gone(&story, leader).await?;
        println!("the kernel removed it {:.1} s after", left.duration_since(struck.at).as_secs_f64());
        another.signal(xenon_testkit::Signal::KILL)?;
        story.heal(struck).await?;
        story.end_with_returned(leader).await?;
        Ok(())
    })
}

fn cut_off(way: Way, reach: Reach) -> Result<()> {
    on_service_hosts(3, async move |mut story, leader, network| {
        let watched = Watched::begin(&story, network)?;
        watched.serves(&story, leader).await?;
        let struck = story.strike(Fault::Cut(leader, way, reach)).await?;
        watched.taken_over(&story, "cut off", &struck, leader).await?;
        at_most(story.taken_over(struck.at, SERVES_AGAIN).await?, SERVES_AGAIN)?;
        story.heal(struck).await?;
        story.steps_down(leader, HEALS).await?;
        watched.one_holder_at_a_time()?;
        story.end_with_returned(leader).await?;
        Ok(())
    })
}

#[test]
fn nightly_a_primary_that_is_cut_off_from_the_other_nodes() -> Result<()> {
    cut_off(Way::Both, Reach::Nodes)
}

#[test]
fn nightly_a_host_that_is_lost() -> Result<()> {
    cut_off(Way::Both, Reach::Everybody)
}

#[test]
fn nightly_a_primary_that_hears_no_other_node() -> Result<()> {
    cut_off(Way::Incoming, Reach::Nodes)
}

#[test]
fn nightly_what_is_left_over_is_removed_at_the_start() -> Result<()> {
    on_service_hosts(3, async |story, leader, network| {
        let watched = Watched::begin(&story, network)?;
        watched.serves(&story, leader).await?;
        let other = (leader + 1) % 3;
        story.cluster.stop_agent(other, SOON)?;
        let hosts = story.cluster.network().context("hosts")?;
        service::ip(hosts, other, &format!("address add {V4}/24 dev eth0\n"))?;
        story.cluster.start_agent(other)?;
        watched.wait_gone(&story, other).await?;
        let said = story.events(other).await?;
        ensure!(said.iter().any(|event| event.text.contains("left here by an earlier start")), "{said:#?}");
        story.end(2, Vec::new()).await?;
        Ok(())
    })
}
