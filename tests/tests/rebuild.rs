//! W4: a node that cannot come back as it is, is built anew from another's data, by hand and by itself.

use anyhow::{Result, ensure};
use xenon_election::Rejoin;
use xenon_tests::Story;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_node_by_hand() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    story.rejoin(Rejoin::Ask).await?;
    let (node, donor) = ((leader + 1) % 3, (leader + 2) % 3);
    story.make_invalid(node).await?;
    let before = story.cluster.status(node).await?.mysql.server_uuid;

    let refused = story.xenoncli(leader, &["mysql", "rebuildme"]).await?;
    ensure!(
        refused.status.code() == Some(1) && text(&refused.stderr).contains("never rebuilt"),
        "the leader is refused"
    );
    let dry = story.xenoncli(node, &["mysql", "rebuildme", "--dry-run"]).await?;
    ensure!(
        dry.status.success() && text(&dry.stdout).contains(&story.cluster.node(donor)?.endpoint),
        "a replica gives"
    );

    let done = story.xenoncli(node, &["mysql", "rebuildme"]).await?;
    ensure!(done.status.success() && text(&done.stdout).contains("rebuilt"), "rebuilt");
    let after = story.cluster.status(node).await?;
    ensure!(after.mysql.server_uuid != before, "a server_uuid of its own");
    story.end(2, Vec::new()).await?;
    Ok(())
}
