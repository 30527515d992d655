//! The cluster that is broken.

use anyhow::Result;
use std::sync::Arc;
use xenon_testkit::{LocalCluster, Network, Volume};

/// On hosts of its own, everything on disks of its own, with few connections, so that they can be used up.
pub(crate) fn create(nodes: usize, network: Arc<Network>) -> Result<LocalCluster> {
    let mut options = xenon_tests::options(nodes)?;
    options.network = Some(network);
    options.disks = Volume::ALL.to_vec();
    options.server_lines.push("max-connections=60".to_owned());
    LocalCluster::create(options)
}
