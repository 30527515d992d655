//! What agents tell an operator: troubles and unfitness in their status, and events.

use crate::{COMES_UP, Story, options};
use anyhow::Result;
use std::time::{Duration, Instant};
use xenon_api::{Event, Request, Response};
use xenon_testkit::{LocalCluster, WriterWatch};

/// An agent answers within this.
const ANSWERS: Duration = Duration::from_secs(2);

impl Story {
    /// A cluster that serves, and nobody who writes to it: for stories in which a server is open that should not be, so that
    /// no client takes it for the primary.
    ///
    /// # Errors
    /// The cluster does not come up; with the logs.
    pub async fn quiet(nodes: usize) -> Result<(Self, usize)> {
        let cluster = LocalCluster::create(options(nodes)?)?;
        let leader = cluster.serve(COMES_UP).await?;
        let watch = WriterWatch::start(&cluster)?;
        Ok((Self { clients: Vec::new(), watch, cluster, delays: Vec::new(), without_agent: false }, leader))
    }

    /// Waits until a node's status names this among its troubles; says how long that took since a moment.
    ///
    /// # Errors
    /// It does not within the bound; with the logs.
    pub async fn trouble(
        &self,
        node: usize,
        text: &str,
        since: Instant,
        bound: Duration,
    ) -> Result<Duration> {
        let what = format!("the status of node{} says '{text}'", node + 1);
        let found = async || {
            let status = self.cluster.status(node).await.ok()?;
            status.troubles.into_iter().find(|trouble| trouble.contains(text))
        };
        let found = self.cluster.wait_until(bound, &what, found).await?;
        let took = since.elapsed();
        println!("{:.1} s: node{} is in trouble: {}", took.as_secs_f64(), node + 1, found.value);
        Ok(took)
    }

    /// Waits until a node says that it may not lead, and why.
    ///
    /// # Errors
    /// It does not within the bound; with the logs.
    pub async fn unfit(&self, node: usize, why: &str, since: Instant, bound: Duration) -> Result<Duration> {
        let what = format!("node{} says that it may not lead, because '{why}'", node + 1);
        let found = async || {
            let status = self.cluster.status(node).await.ok()?;
            status.unfit.filter(|reason| reason.contains(why))
        };
        let found = self.cluster.wait_until(bound, &what, found).await?;
        let took = since.elapsed();
        println!("{:.1} s: node{} may not lead: {}", took.as_secs_f64(), node + 1, found.value);
        Ok(took)
    }

    /// Waits until a node has told this as an event, and gives it.
    ///
    /// # Errors
    /// It does not within the bound; with the logs.
    pub async fn event(&self, node: usize, text: &str, since: Instant, bound: Duration) -> Result<Event> {
        let what = format!("node{} tells '{text}'", node + 1);
        let found =
            async || self.events(node).await.ok()?.into_iter().rev().find(|event| event.text.contains(text));
        let event = self.cluster.wait_until(bound, &what, found).await?.value;
        println!("{:.1} s: node{} has told: {}", since.elapsed().as_secs_f64(), node + 1, event.text);
        Ok(event)
    }

    /// All events that a node keeps.
    ///
    /// # Errors
    /// Its agent does not answer.
    pub async fn events(&self, node: usize) -> Result<Vec<Event>> {
        let endpoint = self.cluster.node(node)?.endpoint;
        let mut events: Vec<Event> = Vec::new();
        loop {
            let after = events.last().map_or(0, |event| event.seq);
            let request = Request::Events { after, wait_ms: 0 };
            match self.cluster.caller().demand(&endpoint, request, ANSWERS).await? {
                Response::Events(page) if !page.events.is_empty() => events.extend(page.events),
                _ => return Ok(events),
            }
        }
    }
}
