//! W1, W3: a primary that dies with transactions that nobody acknowledged follows again by itself, and they are kept.

use anyhow::{Context, Result, ensure};
use std::path::PathBuf;
use std::time::Duration;
use xenon_tests::Story;

const BOUND: Duration = Duration::from_secs(30);
const STATEMENT: Duration = Duration::from_secs(5);

/// The folders of a node's quarantine, in order.
fn quarantine(story: &Story, node: usize) -> Result<Vec<PathBuf>> {
    let root = story.cluster.node(node)?.meta().join("quarantine");
    let mut folders: Vec<_> =
        std::fs::read_dir(root)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    folders.sort();
    Ok(folders)
}

#[tokio::test(flavor = "multi_thread")]
async fn by_itself_and_within_seconds() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    let mut sql = story.cluster.admin(leader).await?;
    sql.run(
        "CREATE TABLE app.t (id INT PRIMARY KEY, v TEXT); INSERT INTO app.t VALUES (1, 'kept')",
        STATEMENT,
    )
    .await?;
    let died = story
        .die_with_tail(
            leader,
            &[&["INSERT INTO app.t VALUES (2, 'tail')"], &["INSERT INTO app.t VALUES (3, 'tail')"]],
        )
        .await?;
    story.served_again(died.at, BOUND).await?;
    story.rewound(leader, &died, BOUND).await?;
    let rows: Vec<(u32,)> =
        story.cluster.admin(leader).await?.rows("SELECT id FROM app.t", STATEMENT).await?;
    ensure!(rows == [(1,)], "{rows:?}");
    let folders = quarantine(&story, leader)?;
    let folder = folders.first().context("something is kept")?;
    let summary: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join("summary.json"))?)?;
    let count = summary["count"].as_u64().context("a count")?;
    ensure!((2..=3).contains(&count), "two of ours, perhaps one of the story's client: {summary}");
    println!("{}", std::fs::read_to_string(folder.join("summary.txt"))?);
    story.end(2, Vec::new()).await?;
    Ok(())
}

/// Whatever the tail is made of; every kind of it is in `xenon-mysql`'s `server_rewind`, some are told here with a cluster.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_it_is_made_of() -> Result<()> {
    rewound_tails(&[
        &[&["CREATE TABLE app.n (id INT)"], &["INSERT INTO app.t VALUES (4, REPEAT('x', 5000000))"]],
        &[
            &["SET binlog_transaction_compression = ON", "INSERT INTO app.t VALUES (5, REPEAT('x', 100000))"],
            &["SET gtid_next = 'AUTOMATIC:some_tag'", "INSERT INTO app.t VALUES (6, 'tail')"],
        ],
    ])
    .await
}

/// How the story sees that these have come to wait has failed beside its own client, for a reason that is not known yet.
#[tokio::test(flavor = "multi_thread")]
async fn nightly_prepared_or_a_definition() -> Result<()> {
    rewound_tails(&[
        &[&["XA START 'a'", "INSERT INTO app.t VALUES (7, 'tail')", "XA END 'a'", "XA PREPARE 'a'"]],
        &[&["ALTER TABLE app.t ADD COLUMN w INT DEFAULT 7"]],
    ])
    .await
}

/// The cluster is the same one, and each of its nodes may be the primary that dies next.
async fn rewound_tails(tails: &[&[&[&str]]]) -> Result<()> {
    let (story, mut leader) = Story::begin(3).await?;
    let mut sql = story.cluster.admin(leader).await?;
    sql.run(
        "CREATE TABLE app.t (id INT PRIMARY KEY, v LONGTEXT); INSERT INTO app.t VALUES (1, 'kept')",
        STATEMENT,
    )
    .await?;
    for tail in tails {
        let died = story.die_with_tail(leader, tail).await?;
        story.served_again(died.at, BOUND).await?;
        story.rewound(leader, &died, BOUND).await?;
        story.trusted_again(leader, BOUND).await?;
        let prepared: Vec<(u32, u32, u32, String)> =
            story.cluster.admin(leader).await?.rows("XA RECOVER", STATEMENT).await?;
        ensure!(prepared.is_empty(), "{prepared:?}");
        leader = story.cluster.wait_all_following(2, BOUND).await?.value;
        story.some_more().await?;
    }
    story.end(2, Vec::new()).await?;
    Ok(())
}

/// What recovery does not undo is not cut off: the node is INVALID, and says why.
#[tokio::test(flavor = "multi_thread")]
async fn or_not_and_says_why() -> Result<()> {
    let (story, leader) = Story::begin(3).await?;
    let mut sql = story.cluster.admin(leader).await?;
    sql.run("CREATE TABLE app.m (id INT PRIMARY KEY) ENGINE = MyISAM", STATEMENT).await?;
    let died = story.die_with_tail(leader, &[&["INSERT INTO app.m VALUES (2)"]]).await?;
    story.served_again(died.at, BOUND).await?;
    story
        .event(leader, "tables without transactions) is not undone by crash recovery", died.at, BOUND)
        .await?;
    story.trouble(leader, "is not rewound (W1)", died.at, BOUND).await?;
    let invalid = async || {
        let status = story.cluster.status(leader).await.ok()?;
        (status.state == "INVALID" && status.errant.count() >= 1).then_some(())
    };
    story.cluster.wait_until(BOUND, "it is INVALID", invalid).await?;
    story.trouble(leader, "is not rewound (W1)", died.at, BOUND).await?;
    story.end(1, vec![leader]).await?;
    Ok(())
}
