//! How long it takes until a node that failed follows again, beside what it takes without us.

use crate::numbers::{Numbers, shown};
use anyhow::{Context, Result, bail};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use xenon_testkit::Signal;
use xenon_tests::{HEALS, REBUILT, Story, strike};

/// Its name on the command line.
pub(crate) const NAME: &str = "rejoin";
/// Of what takes seconds.
const RUNS: usize = 5;
/// Of a copy of some hundred MB.
const COPIES: usize = 3;
/// The rows of the copied table are doubled so often: 64 KB times 4096.
const DOUBLINGS: u32 = 12;
const STATEMENT: Duration = Duration::from_secs(10);
/// A CLONE, or the end of a server.
const LONG: Duration = Duration::from_secs(120);

/// Milliseconds.
#[derive(Debug)]
pub(crate) struct Rejoin {
    /// From the death of a primary with an unacknowledged transaction until it follows, rewound.
    pub(crate) rewound: Numbers,
    /// From `kill -9` until the same server answers, started at once and by nobody's agent.
    pub(crate) restarted: Numbers,
    /// From `xenoncli mysql rebuildme` until the node follows.
    pub(crate) rebuilt: Numbers,
    /// From CLONE in place until the server answers with the donor's data: the restart is in it, following is not.
    pub(crate) cloned: Numbers,
}

pub(crate) async fn measure() -> Result<Rejoin> {
    let (rewound, restarted) = crashes().await?;
    let (rebuilt, cloned) = copies().await?;
    eprintln!(
        "rejoin: rewound {}, a bare restart {}; rebuilt {}, bare CLONE {}",
        shown(rewound.median()),
        shown(restarted.median()),
        shown(rebuilt.median()),
        shown(cloned.median())
    );
    Ok(Rejoin { rewound, restarted, rebuilt, cloned })
}

fn ms(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

async fn crashes() -> Result<(Numbers, Numbers)> {
    let (story, mut leader) = Story::begin(3).await?;
    let mut sql = story.cluster.admin(leader).await?;
    sql.run("CREATE TABLE app.t (id INT PRIMARY KEY)", STATEMENT).await?;
    let (mut rewound, mut restarted) = (Vec::new(), Vec::new());
    for run in 0..RUNS {
        let node = (leader + 1) % 3;
        story.cluster.kill_agent(node)?;
        let command = Mysqld::of(&story, node)?;
        let mysqld = story.cluster.mysqld(node)?;
        let killed = strike(mysqld, Signal::KILL)?;
        if !mysqld.wait_dead(LONG) {
            bail!("a killed server does not end");
        }
        command.start()?;
        restarted.push(ms(answers(&story, node, killed).await?));
        story.cluster.start_agent(node)?;
        story.cluster.wait_for_agents(HEALS).await?;
        leader = story.cluster.wait_all_following(2, HEALS).await?.value;

        let insert = format!("INSERT INTO app.t VALUES ({run})");
        let died = story.die_with_tail(leader, &[&[insert.as_str()]]).await?;
        rewound.push(ms(story.rewound(leader, &died, HEALS).await?));
        story.trusted_again(leader, HEALS).await?;
        leader = story.cluster.wait_all_following(2, HEALS).await?.value;
    }
    story.end(2, Vec::new()).await?;
    Ok((Numbers::new(rewound), Numbers::new(restarted)))
}

async fn copies() -> Result<(Numbers, Numbers)> {
    let (story, leader) = Story::quiet(3).await?;
    let (node, donor) = ((leader + 1) % 3, (leader + 2) % 3);
    story.fill(leader, DOUBLINGS).await?;
    let (mut rebuilt, mut cloned) = (Vec::new(), Vec::new());
    for _ in 0..COPIES {
        cloned.push(ms(bare_clone(&story, node, donor).await?));
        story.cluster.start_agent(node)?;
        story.cluster.wait_for_agents(HEALS).await?;
        story.cluster.wait_all_following(2, HEALS).await?;

        let begun = Instant::now();
        let done = story.xenoncli(node, &["mysql", "rebuildme"]).await?;
        if !done.status.success() {
            bail!("the rebuild failed: {}", String::from_utf8_lossy(&done.stderr));
        }
        rebuilt.push(ms(begun.elapsed()));
        story.cluster.wait_all_following(2, REBUILT).await?;
    }
    story.cluster.end()?;
    Ok((Numbers::new(rebuilt), Numbers::new(cloned)))
}

/// As a person would do it: CLONE in place, and the server started again.
async fn bare_clone(story: &Story, node: usize, donor: usize) -> Result<Duration> {
    let (at, accounts) = (story.cluster.node(donor)?, story.cluster.accounts());
    story.cluster.kill_agent(node)?;
    let (command, mysqld) = (Mysqld::of(story, node)?, story.cluster.mysqld(node)?);
    let mut sql = story.cluster.admin(node).await?;
    let allow = format!(
        "SET GLOBAL super_read_only = 0, GLOBAL clone_valid_donor_list = '{}:{}'",
        at.address, at.mysql_port
    );
    sql.run(&allow, STATEMENT).await?;
    let begun = Instant::now();
    let clone = format!(
        "CLONE INSTANCE FROM '{}'@'{}':{} IDENTIFIED BY '{}'",
        accounts.replication.user, at.address, at.mysql_port, accounts.replication.password
    );
    // Without a monitor the server ends after it, which the client hears as an error.
    match sql.run(&clone, LONG).await {
        Err(error) if !format!("{error:#}").contains("3707") => return Err(error),
        _ => {}
    }
    if !mysqld.wait_dead(LONG) {
        bail!("the server does not end after CLONE");
    }
    command.start()?;
    answers(story, node, begun).await
}

async fn answers(story: &Story, node: usize, since: Instant) -> Result<Duration> {
    let serves = async || story.cluster.admin(node).await.ok().map(drop);
    story.cluster.wait_until(HEALS, "the server answers", serves).await?;
    Ok(since.elapsed())
}

/// A server's command line, to start it again as it was.
struct Mysqld(Vec<String>);

impl Mysqld {
    fn of(story: &Story, node: usize) -> Result<Self> {
        let pid = story.cluster.mysqld(node)?.pid;
        let command = std::fs::read(format!("/proc/{pid}/cmdline"))?;
        let words = command.split(|byte| *byte == 0).filter(|word| !word.is_empty());
        Ok(Self(words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()))
    }

    fn start(&self) -> Result<()> {
        let (program, arguments) = self.0.split_first().context("a command line")?;
        Command::new(program).args(arguments).stdin(Stdio::null()).spawn()?;
        Ok(())
    }
}
