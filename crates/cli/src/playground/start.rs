//! Starting one, and staying with it until it is to end.

use super::events::Stream;
use super::progress::Progress;
use super::{StartArguments, dir_option, introduction};
use crate::commands;
use crate::failure::{Failure, Outcome};
use crate::output::{note, print};
use crate::session::Session;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use xenon_testkit::{Base, Bins, LocalCluster, Node, Options, State};

/// Every part of coming up takes at most this.
const COMES_UP: Duration = Duration::from_secs(90);

pub(super) async fn run(folder: PathBuf, arguments: StartArguments) -> Outcome {
    let options = prepare(&folder, &arguments)?;
    let mut stop = Stop::listen(arguments.background)?;
    let mut progress = Progress::new();
    progress.step(format!("making {} data folders for MySQL {}", options.nodes, options.base.version));
    let made = tokio::task::spawn_blocking(move || LocalCluster::create(options)).await;
    let cluster = match made {
        Ok(Ok(cluster)) => cluster,
        Ok(Err(error)) => return Err(Failure::from(error)),
        Err(error) => return Err(Failure::new(format!("making it was interrupted: {error}"))),
    };
    let outcome = tokio::select! {
        outcome = live(&cluster, progress, &arguments) => outcome,
        () = stop.asked() => Ok(()),
    };
    let kept = if arguments.keep { "; its data stays" } else { ", and removing its data" };
    note(&format!("\nending the cluster{kept}"));
    let ended = tokio::task::spawn_blocking(move || cluster.end()).await;
    outcome?;
    match ended {
        Ok(ended) => Ok(ended?),
        Err(error) => Err(Failure::new(format!("ending it was interrupted: {error}"))),
    }
}

/// Everything that can be told before anything is made.
pub(super) fn prepare(folder: &Path, arguments: &StartArguments) -> Outcome<Options> {
    if let Some(state) = State::read(folder)? {
        let dir = dir_option(folder);
        if state.is_owned() || state.is_running() {
            return Err(Failure::new(format!("a playground is running in {}", folder.display())).cure(
                format!("xenoncli playground status{dir}, or end it with: xenoncli playground stop{dir}"),
            ));
        }
        if state.keep {
            return Err(Failure::new(format!(
                "{} holds the data of an earlier playground (--keep)",
                folder.display()
            ))
            .cure(format!("another --dir, or remove it with: xenoncli playground stop --remove{dir}")));
        }
    }
    let base = match &arguments.basedir {
        Some(dir) => Base::at(dir)?,
        None => Base::from_environment()?.ok_or_else(|| {
            Failure::new("no MySQL server was found: mysqld is not on PATH, and MYSQL_BASEDIR is not set")
                .cure(
                    "install MySQL 8.0 or later, or give --basedir FOLDER (the one that holds bin/mysqld); \
                 in a checkout of Xenon, make play fetches one",
                )
        })?,
    };
    let mut options = Options::new(usize::from(arguments.nodes), base, Bins::find()?);
    options.dir = Some(folder.to_owned());
    options.keep = arguments.keep;
    // The dashboard of each node; on the loopback range only, as everything of it.
    options.agent_keys.push(("server".to_owned(), "enable-apis".to_owned(), true.into()));
    Ok(options)
}

async fn live(cluster: &LocalCluster, mut progress: Progress, arguments: &StartArguments) -> Outcome {
    come_up(cluster, &mut progress).await?;
    drop(progress);
    let nodes = cluster.nodes();
    let session = session(&nodes)?;
    if !arguments.background {
        print(&introduction::text(cluster.folder(), cluster.base(), cluster.bins(), &nodes, &session).await)?;
        print("\nEvents, as they happen (Ctrl-C ends the cluster):")?;
    }
    Stream::begin(&nodes, session).await.run(cluster).await
}

async fn come_up(cluster: &LocalCluster, progress: &mut Progress) -> Outcome {
    let nodes = cluster.nodes();
    let mut step = |what: &str| -> Outcome {
        progress.step(what);
        Ok(cluster.note(what, false)?)
    };
    step("starting an agent for each, which starts its server")?;
    cluster.start_agents()?;
    cluster.wait_for_agents(COMES_UP).await?;
    step("forming the cluster (xenoncli cluster add)")?;
    let others = nodes.iter().skip(1).map(Node::id).collect();
    commands::form(&session(&nodes)?, others).await?;
    step("electing a leader and opening its server for writes")?;
    cluster.wait_for_leader(COMES_UP).await?;
    step("pointing the replicas at it")?;
    cluster.wait_all_following(nodes.len().saturating_sub(1), COMES_UP).await?;
    progress.finish();
    Ok(cluster.note("serving", true)?)
}

/// As if by hand on the first node's host.
pub(super) fn session(nodes: &[Node]) -> Outcome<Session> {
    let first = nodes.first().ok_or_else(|| Failure::new("the playground has no nodes"))?;
    Session::open(Some(&first.config()))
}

/// The signals that end it.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    background: bool,
}

impl Stop {
    fn listen(background: bool) -> Outcome<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            background,
        })
    }

    async fn asked(&mut self) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                // The end of a terminal is no concern of the background.
                _ = self.hang_up.recv() => if !self.background { return },
            }
        }
    }
}
