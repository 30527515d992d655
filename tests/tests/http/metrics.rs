//! What `/metrics` says of a real cluster, held against what is so.

use super::{HEALS, health};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use xenon_testkit::LocalCluster;

/// A page: series with its number.
pub(super) struct Page(BTreeMap<String, f64>);

impl Page {
    async fn of(cluster: &LocalCluster, node: usize) -> Result<Page> {
        let got = health(cluster, node, "/metrics").await?;
        ensure!(got.status == 200, "{}: {}", got.status, got.json);
        let samples = got.text.lines().filter(|line| !line.starts_with('#'));
        let series = samples.map(|line| {
            let (name, number) = line.rsplit_once(' ').with_context(|| format!("no sample: {line:?}"))?;
            Ok((name.to_owned(), number.parse().with_context(|| format!("no number: {line:?}"))?))
        });
        Ok(Page(series.collect::<Result<_>>()?))
    }

    fn has(&self, series: &str) -> bool {
        self.0.contains_key(series)
    }

    fn get(&self, series: &str) -> Result<f64> {
        self.0.get(series).copied().with_context(|| format!("{series} is not on the page"))
    }

    fn sum(&self, family: &str) -> f64 {
        let of_family = self.0.iter().filter(|(name, _)| name.split('{').next() == Some(family));
        of_family.map(|(_, number)| number).sum()
    }
}

/// What a page says is as of a look, which comes once a second, and later where a server has just been started: what is
/// expected is waited for, as a whole.
async fn becomes(
    cluster: &LocalCluster,
    what: &str,
    mut expected: impl AsyncFnMut() -> Result<()>,
) -> Result<()> {
    let mut lacks = None;
    let waited = cluster
        .wait_until(HEALS, what, async || match expected().await {
            Ok(()) => Some(()),
            Err(error) => {
                lacks = Some(error);
                None
            }
        })
        .await;
    match (waited, lacks) {
        (Err(late), Some(lacks)) => Err(late.context(format!("{lacks:#}"))),
        (waited, _) => waited.map(drop),
    }
}

pub(super) async fn of_a_quiet_cluster(cluster: &LocalCluster, leader: usize) -> Result<()> {
    becomes(cluster, "metrics of a quiet cluster", async || quiet(cluster, leader).await).await
}

async fn quiet(cluster: &LocalCluster, leader: usize) -> Result<()> {
    let leaders = cluster.node(leader)?.endpoint;
    for node in 0..3 {
        let page = Page::of(cluster, node).await?;
        let leads = f64::from(u8::from(node == leader));
        for series in ["xenon_is_leader", "xenon_mysql_writable", "xenon_state{state=\"leader\"}"] {
            ensure!(page.get(series)? == leads, "{series} of node{}", node + 1);
        }
        ensure!(page.has(&format!("xenon_leader_info{{leader=\"{leaders}\"}}")), "the leader's name");
        for (series, is) in [
            ("xenon_mysqld_up", 1.0),
            ("xenon_mysqld_answers", 1.0),
            ("xenon_paused", 0.0),
            ("xenon_degraded", 0.0),
            ("xenon_gtid_errant_transactions", 0.0),
            ("xenon_mysql_super_read_only", 1.0 - leads),
        ] {
            ensure!(page.get(series)? == is, "{series} of node{}", node + 1);
        }
        ensure!(page.sum("xenon_member_info") == 3.0);
        ensure!(page.get("xenon_gtid_executed_transactions")? > 0.0);
        if node != leader {
            let lag = page.get("xenon_replication_lag_seconds")?;
            ensure!((0.0..5.0).contains(&lag), "lag {lag}");
        }
        ensure!(page.has("xenon_lease_remaining_seconds") == (node == leader), "a lease is the leader's");
        ensure!(page.has("xenon_replication_receiver_running") == (node != leader));
        let resident = page.get("process_resident_memory_bytes")?;
        ensure!((1e6..2e8).contains(&resident), "{resident}");
        ensure!(page.get("process_open_fds")? > 3.0 && page.get("process_cpu_seconds_total")? > 0.0);
    }
    let page = Page::of(cluster, leader).await?;
    ensure!(page.get("xenon_semi_sync_clients")? == 2.0 && page.get("xenon_semi_sync_source_on")? == 1.0);
    ensure!(page.sum("xenon_member_heard_age_seconds") < 20.0);
    ensure!(page.get("xenon_promotions_total")? >= 1.0 && page.get("xenon_elections_won_total")? >= 1.0);
    Ok(())
}

/// From `old` to `new`.
pub(super) async fn of_a_switchover(cluster: &LocalCluster, old: usize, new: usize) -> Result<()> {
    becomes(cluster, "metrics of a switchover", async || switched(cluster, old, new).await).await
}

async fn switched(cluster: &LocalCluster, old: usize, new: usize) -> Result<()> {
    let page = Page::of(cluster, new).await?;
    ensure!(page.get("xenon_promotions_total")? >= 1.0 && page.get("xenon_mysql_writable")? == 1.0);
    ensure!(page.get("xenon_last_promotion_info{cause=\"handover\"}")? == 1.0);
    let (whole, phases) =
        (page.get("xenon_last_promotion_seconds")?, page.sum("xenon_last_promotion_phase_seconds"));
    ensure!(whole > 0.0 && (whole - phases).abs() < 1e-4, "{phases} of {whole}");
    ensure!(page.get("xenon_last_promotion_phase_seconds{phase=\"open\"}")? >= 0.0);
    let page = Page::of(cluster, old).await?;
    for series in ["xenon_demotions_total", "xenon_handovers_begun_total", "xenon_handovers_done_total"] {
        ensure!(page.get(series)? >= 1.0, "{series}");
    }
    ensure!(page.get("xenon_votes_granted_total")? >= 1.0 && page.sum("xenon_events_total") > 5.0);
    Ok(())
}
