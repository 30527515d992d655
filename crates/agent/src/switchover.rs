//! `cluster switchover`: a planned handover (T1) with a look at what stands in its way first.

use crate::agent::Agent;
use crate::input::Input;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;
use xenon_api::{Refusal, Reply, Response, SwitchoverPlan};
use xenon_election::{NodeId, Request as Ask};
use xenon_mysql::SqlError;
use xenon_plan::{Work, hindrances};

/// Asking what clients do may take so long.
const LOOK: Duration = Duration::from_secs(2);
/// Between two looks while something is waited for.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest that an operator may have it wait.
const WAIT_MAX: Duration = Duration::from_secs(3600);

/// A switchover that was asked for and has not begun.
pub(crate) struct Wanted {
    target: Option<NodeId>,
    dry_run: bool,
    /// Tried again until then.
    until: Instant,
    reply: oneshot::Sender<Reply>,
}

impl Agent {
    /// The answer comes when it has begun, or is refused.
    pub(crate) fn switchover(
        &mut self,
        target: Option<NodeId>,
        dry_run: bool,
        wait_ms: u64,
        reply: oneshot::Sender<Reply>,
    ) {
        if self.switchover.as_ref().is_some_and(|wanted| !wanted.reply.is_closed()) {
            let what = "another switchover waits for what stands in its way".to_owned();
            let cure = "wait until it has begun or given up".to_owned();
            let _ = reply.send(Reply::Refused(Refusal { what, cure, ask: None }));
            return;
        }
        let until = Instant::now() + Duration::from_millis(wait_ms).min(WAIT_MAX);
        self.switchover = Some(Wanted { target, dry_run, until, reply });
        self.look_at_work(Duration::ZERO);
    }

    fn look_at_work(&self, pause: Duration) {
        let (door, inputs) = (self.means.door.clone(), self.inputs.clone());
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            // The loop is gone only when the agent ends.
            let _ = inputs.send(Input::Work(door.work(LOOK).await)).await;
        });
    }

    /// What clients are doing is known: begin, wait, or refuse.
    pub(crate) async fn on_work(&mut self, work: Result<Vec<Work>, SqlError>) {
        let Some(wanted) = self.switchover.take() else { return };
        if wanted.reply.is_closed() {
            // Whoever asked has given up waiting, and is not to be surprised later.
            return;
        }
        let mut in_the_way = Vec::new();
        match self.core.plan_handover(wanted.target.as_ref()) {
            Err(no) => in_the_way.push(Refusal { what: no.what, cure: no.cure, ask: None }),
            Ok(plan) if wanted.dry_run => {
                let found = self.in_the_way(work);
                let _ = wanted.reply.send(Reply::Ok(Response::Switchover(SwitchoverPlan {
                    target: plan.target.clone(),
                    steps: self.steps_of(&plan),
                    hindrances: found.iter().map(ToString::to_string).collect(),
                })));
                return;
            }
            Ok(_) => in_the_way = self.in_the_way(work),
        }
        if in_the_way.is_empty() {
            let answer = self.ask_core(Ask::HandOver { target: wanted.target }).await;
            let _ = wanted.reply.send(answer);
            return;
        }
        if Instant::now() + PAUSE < wanted.until && !wanted.dry_run {
            self.switchover = Some(wanted);
            self.look_at_work(PAUSE);
            return;
        }
        let mut found = in_the_way.into_iter();
        let Some(mut first) = found.next() else { return };
        for more in found {
            first.what = format!("{}; {}", first.what, more.what);
        }
        let _ = wanted.reply.send(Reply::Refused(first));
    }

    fn in_the_way(&self, work: Result<Vec<Work>, SqlError>) -> Vec<Refusal> {
        match work {
            Ok(work) => {
                let found = hindrances(&work).into_iter();
                found.map(|found| Refusal { what: found.what, cure: found.cure, ask: None }).collect()
            }
            Err(error) => vec![Refusal {
                what: format!("what clients do on the primary cannot be seen: {error}"),
                cure: "without that look: xenoncli raft trytoleader on the target".to_owned(),
                ask: None,
            }],
        }
    }

    /// Said before it is done.
    fn steps_of(&self, plan: &xenon_election::HandoverPlan) -> Vec<String> {
        let (me, target) = (self.core.id(), &plan.target);
        let mut steps = vec![format!(
            "{target} becomes the primary; it lacks {} transaction(s) of {me}, and has {} to apply",
            plan.lacks, plan.unapplied
        )];
        for id in &plan.below {
            steps.push(format!("{id} replicates from {target} beforehand, while {me} goes on taking writes"));
        }
        for id in &plan.stay {
            steps.push(format!(
                "{id} stays below {me}, whose commits wait for it, and follows {target} later"
            ));
        }
        steps.push(format!(
            "{me} closes writes (super_read_only), at most 2 s; if that does not do, it stays the primary"
        ));
        steps.push(format!("{target} applies the last transactions, is elected with {me}'s vote, and opens"));
        steps.push(format!("clients of {me} are sent away, and it follows {target}"));
        steps
    }
}
