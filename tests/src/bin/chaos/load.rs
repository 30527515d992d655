//! Something large that is under way when a fault comes. Whether it succeeds says nothing; that it is there wholly or not at
//! all, and on all servers the same, the checker sees.

use crate::schedule::Load;
use anyhow::Result;
use std::time::Duration;
use tokio::task::JoinHandle;
use xenon_testkit::{LocalCluster, Sql};

/// One statement may take so long.
const LONG: Duration = Duration::from_secs(30);
/// Rows of 1 MiB.
const ROWS: u32 = 40;

/// Makes the table that the loads change.
pub(crate) async fn prepare(cluster: &LocalCluster, primary: usize) -> Result<()> {
    let mut sql = connect(cluster, primary).await?;
    sql.run("CREATE TABLE app.large (id INT UNSIGNED PRIMARY KEY, body LONGBLOB NOT NULL)", LONG).await
}

/// Begins with one; it ends by itself, if only because its server dies.
pub(crate) async fn begin(cluster: &LocalCluster, primary: usize, load: Load) -> Option<JoinHandle<()>> {
    if load == Load::None {
        return None;
    }
    // A server that is in trouble already gets no load.
    let sql = connect(cluster, primary).await.ok()?;
    Some(tokio::spawn(async move {
        let _ = put(sql, load).await;
    }))
}

async fn connect(cluster: &LocalCluster, node: usize) -> Result<Sql> {
    Sql::connect(&cluster.node(node)?, &cluster.accounts().app).await
}

async fn put(mut sql: Sql, load: Load) -> Result<()> {
    match load {
        Load::None => Ok(()),
        Load::LargeTransaction => {
            sql.run("BEGIN", LONG).await?;
            sql.run("DELETE FROM app.large", LONG).await?;
            for id in 0..ROWS {
                let row = format!("INSERT INTO app.large VALUES ({id}, REPEAT('{}', 1 << 20))", id % 10);
                sql.run(&row, LONG).await?;
            }
            sql.run("COMMIT", LONG).await
        }
        Load::Alter => sql.run("ALTER TABLE app.large FORCE, ALGORITHM=COPY", LONG).await,
    }
}
