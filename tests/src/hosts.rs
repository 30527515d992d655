//! Stories whose nodes are on hosts of their own.

use crate::{COMES_UP, Story, options};
use anyhow::{Context, Result};
use std::sync::Arc;
use xenon_testkit::{Network, Options};

/// Tells a story of so many nodes on hosts of their own. Where no hosts can be made the story is skipped, and says why.
///
/// # Errors
/// What the story fails with.
pub fn on_hosts(nodes: usize, story: impl AsyncFnOnce(Story, usize) -> Result<()> + Send) -> Result<()> {
    on_hosts_with(nodes, |_| {}, story)
}

/// As [`on_hosts`], with something else about the cluster.
///
/// # Errors
/// What the story fails with.
pub fn on_hosts_with(
    nodes: usize,
    change: impl FnOnce(&mut Options) + Send,
    story: impl AsyncFnOnce(Story, usize) -> Result<()> + Send,
) -> Result<()> {
    if let Some(obstacle) = Network::obstacle() {
        eprintln!("SKIPPED, nothing was tested: {obstacle}");
        return Ok(());
    }
    let network = Arc::new(Network::create().context("hosts of their own")?);
    network.clone().run_client(async || {
        let mut options = options(nodes)?;
        options.network = Some(network);
        change(&mut options);
        let (begun, leader) = Story::begin_with(options, COMES_UP).await?;
        story(begun, leader).await
    })
}
