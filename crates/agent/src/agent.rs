//! The loop: one task that owns the election core and the picture of the local server, and decides nothing
//! itself. What happens comes in as [`Input`]; the core and the plans say what follows; workers do it.

use crate::backup::Backups;
use crate::clock::Clock;
use crate::dead::Logs;
use crate::events::Events;
use crate::faults::FaultWatch;
use crate::http::Outlet;
use crate::input::Input;
use crate::life::LifeNote;
use crate::local::Local;
use crate::people::People;
use crate::purge::Purge;
use crate::rebuild::Rebuild;
use crate::rewind::Comeback;
use crate::store::Store;
use crate::supervisor::Supervisor;
use crate::switchover::Wanted;
use crate::tally::Tally;
use crate::telling::Past;
use crate::vip::Vip;
use crate::worker::Means;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::time::Instant;
use xenon_api::{Counters, EventKind};
use xenon_channel::{Client, Link};
use xenon_config::Config;
use xenon_election::{Election, Event, NodeId, Note, Refused, Request, State};
use xenon_gtid::Uuid;

/// How long a save may take before the node counts as one that cannot save.
pub(crate) const SAVE: Duration = Duration::from_secs(2);
/// How long a clean stop may take: a handover, and following the new leader.
const STOP: Duration = Duration::from_secs(20);
/// How long a refused handover is asked for again before the agent goes without.
const STOP_PATIENCE: Duration = Duration::from_secs(4);
/// Between two of these.
const STOP_AGAIN: Duration = Duration::from_millis(200);

/// Everything the loop owns.
pub(crate) struct Agent {
    pub(crate) config: Arc<Config>,
    pub(crate) config_path: String,
    pub(crate) core: Election,
    pub(crate) clock: Clock,
    pub(crate) store: Store,
    pub(crate) events: Events,
    /// What reports tell beside the story under way.
    pub(crate) past: Past,
    pub(crate) inputs: mpsc::Sender<Input>,
    pub(crate) client: Client,
    pub(crate) links: BTreeMap<NodeId, Link>,
    /// Asks for a look now.
    pub(crate) look: Arc<Notify>,
    pub(crate) means: Arc<Means>,
    pub(crate) local: Local,
    pub(crate) logs: Logs,
    pub(crate) life: LifeNote,
    pub(crate) comeback: Comeback,
    /// When each member was heard last.
    pub(crate) heard: BTreeMap<NodeId, Instant>,
    pub(crate) watch: FaultWatch,
    pub(crate) purge: Purge,
    pub(crate) rebuild: Rebuild,
    pub(crate) backups: Backups,
    /// W4: one copy by stream at a time is given to others.
    pub(crate) donations: Arc<Semaphore>,
    /// What people look at and change beside the agent's own work.
    pub(crate) people: People,
    pub(crate) counters: Counters,
    pub(crate) tally: Tally,
    pub(crate) supervisor: Supervisor,
    pub(crate) began: Instant,
    pub(crate) state: (State, Instant),
    /// Of the last message, for answers of a node that has no cluster yet.
    pub(crate) heard_cluster: Option<Uuid>,
    /// The service address.
    pub(crate) vip: Box<Vip>,
    /// The leader of another node that was heard last.
    pub(crate) other_leader: Option<NodeId>,
    /// The answer to the operator's request under way.
    pub(crate) answer: Option<Result<String, Refused>>,
    /// T1: a switchover that waits for what stands in its way.
    pub(crate) switchover: Option<Wanted>,
    /// SIGTERM came; be gone by then.
    pub(crate) stopping: Option<Instant>,
    /// Until when, and when next, a handover is asked for that was refused.
    pub(crate) stop_again: Option<(Instant, Instant)>,
    /// Where the HTTP API sees how this node is; `None` when it is off.
    pub(crate) http: Option<Outlet>,
}

impl Agent {
    /// Runs until SIGTERM or SIGINT.
    pub(crate) async fn run(mut self, mut inbox: mpsc::Receiver<Input>) {
        self.supervisor.ready();
        loop {
            let again = self.stop_again.map(|(_, next)| next);
            let wake = [
                self.clock.next(),
                self.local.wake_at(),
                self.comeback.wake_at(),
                self.purge.wake_at(),
                self.watch.sleepers.wake_at(),
                self.vip.wake_at().map(Instant::from_std),
                self.stopping,
                self.supervisor.wake_at(),
                again,
                self.http.as_ref().map(Outlet::wake_at),
            ]
            .into_iter()
            .flatten()
            .min();
            let wake = wake.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            tokio::select! {
                biased;
                input = inbox.recv() => match input {
                    Some(input) => self.on_input(input).await,
                    None => return,
                },
                () = tokio::time::sleep_until(wake) => {
                    while let Some(timer) = self.clock.pop() {
                        self.step(Event::Timer(timer)).await;
                    }
                }
            }
            self.after().await;
            if self.may_stop() {
                self.supervisor.stopping();
                return;
            }
        }
    }

    async fn on_input(&mut self, input: Input) {
        match input {
            Input::Peer(envelope) => self.on_peer(envelope).await,
            Input::Call { call, reply } => self.on_call(call, reply).await,
            // Whoever asked may be gone.
            Input::Measure { reply } => drop(reply.send(Box::new(self.measured()))),
            Input::Stream { request, reply } => self.on_stream_request(request, reply),
            Input::Looked { began, result } => self.on_looked(began, *result).await,
            Input::Probed { began, probe, detail } => self.on_probed(began, probe, &detail).await,
            Input::SessionLost { began, detail } => self.on_session_lost(began, &detail),
            Input::Started(mysqld) => self.on_started(*mysqld),
            Input::NotFound => self.on_not_found(),
            Input::StartFailed(why) => self.on_start_failed(&why),
            Input::NoData(folder) => self.on_no_data(folder),
            Input::Exiting { pid } => self.on_exiting(pid),
            Input::Gone { pid, record } => self.on_gone(pid, &record),
            Input::Places(places) => self.on_places(places),
            Input::Disk(news) => self.on_disk(*news),
            Input::Committing { began, sessions } => self.on_committing(began, &sessions),
            Input::Woken(result) => self.on_woken(result),
            Input::Work(work) => self.on_work(work).await,
            Input::Logs(places) => self.on_logs(*places),
            Input::Rewind(news) => self.on_rewind_news(news).await,
            Input::PurgeAnswers(answers) => self.on_purge_answers(answers),
            Input::Purged(result) => self.on_purged(*result),
            Input::Step(report) => self.on_step_report(report).await,
            Input::Done(done) => self.on_done(done).await,
            Input::Served(result) => self.on_served(result),
            Input::Given(given) => self.on_given(given),
            Input::Rebuild(news) => self.on_rebuild_news(*news).await,
            Input::Backup(news) => self.on_backup_news(*news),
            Input::Hook { up, result } => self.on_hook(up, result),
            Input::Address(news) => self.on_vip(*news),
            Input::Stop => self.on_stop().await,
        }
    }

    /// What every turn of the loop ends with: whatever came in, the same checks follow (level-triggered).
    async fn after(&mut self) {
        if self.local.look_again.take_if(|at| *at <= Instant::now()).is_some() {
            self.look.notify_one();
        }
        self.gather_faults().await;
        self.check_serving().await;
        self.save_life().await;
        self.come_back().await;
        self.drive_rebuild().await;
        self.replan().await;
        self.ask_for_purge();
        self.hold_address();
        self.tell_troubles();
        self.go_on_telling();
        self.shut_down_after_handover();
        self.ask_again_to_stop().await;
        let state = self.core.state();
        if state != self.state.0 {
            self.count_state(state);
            self.state = (state, Instant::now());
        }
        self.count_turn();
        self.tell_supervisor();
        self.publish();
    }

    fn count_state(&mut self, state: State) {
        match state {
            State::Leader => self.counters.leader_promotes += 1,
            State::Candidate => self.counters.candidate_promotes += 1,
            State::Idle => self.counters.idle_count += 1,
            _ => {}
        }
        match (self.state.0, state) {
            (State::Leader, _) => self.counters.leader_degrades += 1,
            (State::Candidate, to) if to != State::Leader => self.counters.candidate_degrades += 1,
            _ => {}
        }
    }

    async fn on_stop(&mut self) {
        if self.stopping.is_some() {
            // Asked twice: at once.
            self.stopping = Some(Instant::now());
            return;
        }
        self.stopping = Some(Instant::now() + STOP);
        if !self.core.is_open_leader() {
            self.events.push(EventKind::Agent, "asked to stop");
            return;
        }
        self.events.push(EventKind::Agent, "asked to stop: handing leadership over first");
        self.step(Event::Request(Request::HandOver { target: None })).await;
        self.after_stop_request();
    }

    /// A follower is known to have caught up by its looks, once a second: a no for the moment is asked again for some seconds.
    async fn ask_again_to_stop(&mut self) {
        let Some((until, next)) = self.stop_again else { return };
        let now = Instant::now();
        if now < next {
            return;
        }
        if !self.core.is_open_leader() || self.core.is_handing_over() {
            self.stop_again = None;
            return;
        }
        self.stop_again = Some((until, now + STOP_AGAIN));
        self.step(Event::Request(Request::HandOver { target: None })).await;
        self.after_stop_request();
    }

    fn after_stop_request(&mut self) {
        let Some(Err(refused)) = self.answer.take() else {
            self.stop_again = None;
            return;
        };
        let now = Instant::now();
        let (until, _) = *self.stop_again.get_or_insert((now + STOP_PATIENCE, now + STOP_AGAIN));
        if now < until && self.core.has_successor() {
            return;
        }
        self.stop_again = None;
        self.events.push(
            EventKind::Trouble,
            format!("leadership cannot be handed over: {}; mysqld stays as it is", refused.what),
        );
        self.stopping = Some(Instant::now());
    }

    fn may_stop(&self) -> bool {
        let Some(until) = self.stopping else { return false };
        if Instant::now() >= until {
            return true;
        }
        let leads = matches!(self.core.state(), State::Leader);
        // A former primary is left following the new one, not fenced and alone.
        let settled = !self.local.is_busy() && (self.core.leader().is_some() || !self.local.was_primary);
        !leads && settled
    }

    /// A sentence of the core to the log.
    pub(crate) fn tell(&mut self, note: Note) {
        use EventKind as Kind;
        self.tally.on_note(&note);
        let (kind, text) = match note {
            Note::AskingPreVotes { term, why } => {
                self.events.story_begins(&why);
                (Kind::Election, format!("would anyone elect me in term {term}? ({why})"))
            }
            Note::Standing { term, why } => {
                self.events.story_begins(&why);
                (Kind::Election, format!("standing in term {term}: {why}"))
            }
            Note::VoteReceived { from, term, votes, needed } => {
                (Kind::Election, format!("{from} votes for me in term {term}: {votes} of {needed} needed"))
            }
            Note::VoteRefused { from, term, why } => {
                (Kind::Election, format!("{from} does not vote for me in term {term}: {why}"))
            }
            Note::VoteGranted { to, term } => {
                (Kind::Election, format!("my vote of term {term} goes to {to}"))
            }
            Note::VoteDenied { to, term, why } => {
                (Kind::Election, format!("no vote of mine for {to} in term {term}: {why}"))
            }
            Note::Leading { term, resumed: false } => {
                self.events.phase("elected");
                (Kind::Election, format!("this node leads in term {term}"))
            }
            Note::Leading { term, resumed: true } => {
                (Kind::Election, format!("leadership of term {term} taken up again"))
            }
            Note::Suspended { term, why } => (
                Kind::Trouble,
                format!(
                    "leader of term {term} without a lease: {why}; no client is served until a majority is heard again"
                ),
            ),
            Note::SteppedDown { term, why } => {
                (Kind::Election, format!("no longer leader of term {term}: {why}"))
            }
            Note::Following { leader, term } => {
                let what = format!("{leader} leads in term {term}");
                let story = self.events.story_ends();
                self.report_given_up(story, what.clone());
                (Kind::Election, what)
            }
            Note::LeaderLost { leader, term } => {
                let why = format!("leader {leader} of term {term} is not heard any more");
                self.events.story_begins(&why);
                (Kind::Election, why)
            }
            Note::Rescuing { from, transactions } => (
                Kind::Election,
                format!(
                    "{from} alone has {transactions} transaction(s) more, and its mysqld is dead: fetching them from its \
                     binary log (W2)"
                ),
            ),
            // The story told how many.
            Note::Rescued { result: Ok(()), .. } => return,
            Note::Rescued { from, result: Err(why) } => {
                (Kind::Trouble, format!("what only the dead server of {from} has was not rescued: {why}"))
            }
            Note::MayNotStand { why } => (Kind::Election, format!("this node does not stand: {why}")),
            Note::Errant { errant } if errant.is_empty() => {
                (Kind::Election, "no errant transactions here any more".to_owned())
            }
            Note::Errant { errant } => (
                Kind::Trouble,
                format!(
                    "INVALID: {} transaction(s) here that the leader does not have: {errant}",
                    errant.count()
                ),
            ),
            Note::Config { what } => (Kind::Config, what),
            Note::HandOver { what, .. } => {
                self.events.story_begins(&what);
                (Kind::Handover, what)
            }
            Note::Trouble { what } => (Kind::Trouble, what),
        };
        self.events.push(kind, text);
    }
}
