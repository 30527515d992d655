//! A cluster is formed by one command on one node.

use anyhow::Result;
use xenon_tests::Story;

#[tokio::test(flavor = "multi_thread")]
async fn three_fresh_nodes_form_a_cluster_and_serve() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    let statuses = story.cluster.statuses().await;
    let mut ids = Vec::new();
    for status in statuses.iter().flatten() {
        assert_eq!(status.members.len(), 3, "{status:?}");
        assert_eq!(status.cluster, statuses[leader].as_ref().and_then(|s| s.cluster));
        assert!(status.errant.is_empty(), "{status:?}");
        ids.push(status.mysql.server_uuid);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3, "every server has a server_uuid of its own");
    let leading = statuses[leader].as_ref().expect("the leader answers");
    assert_eq!(leading.mysql.semi_sync_source.map(|(on, wait, _)| (on, wait)), Some((true, 1)));
    story.end(2, Vec::new()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_is_a_cluster_too() -> Result<()> {
    let (story, _) = Story::begin(1).await?;
    story.end(0, Vec::new()).await?;
    Ok(())
}
