//! The service address that the agent itself moves: what is wanted of its thread and of the guard, and what both said last.

mod guard;
mod leftover;
mod watch;

pub(crate) use guard::{GuardNews, run as run_guard};

use crate::input::Input;
use guard::Guard;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use xenon_address::guard::{Answer, Order};
use xenon_address::{Command, Keeper, Moment, News, Service, Settings, Taken};
use xenon_api::{AddressState, ServiceAddressStatus};
use xenon_config::Config;

/// News of the thread that wait for the loop.
const QUEUE: usize = 64;
/// The thread answers within this: what it does takes milliseconds.
const ANSWERS: Duration = Duration::from_secs(5);
/// The moment until which the address may stay is told again when it has moved by this.
const TOLD_AGAIN: Duration = Duration::from_millis(50);

/// What the address has to say to the loop.
#[derive(Debug)]
pub(crate) enum VipNews {
    /// The thread.
    Keeper(News),
    /// The guard.
    Guard(GuardNews),
}

/// The service address of this node.
pub(crate) struct Vip {
    services: Vec<Service>,
    keeper: Option<Keeper>,
    guard: Option<Guard>,
    /// It was asked to be here last, and did not say that it is gone.
    wanted: bool,
    /// Since when an answer of the thread is waited for.
    asked: Option<Instant>,
    until: Option<Moment>,
    /// The start hook is known to be done.
    pub(crate) hooked: bool,
    state: AddressState,
    places: Vec<(Service, String)>,
    last_error: String,
    moved_ms: Option<f64>,
    /// What is wrong with the whole of it.
    broken: Option<String>,
    troubles: Vec<String>,
    /// What was found at the start, to be told.
    pub(crate) found: Vec<String>,
}

impl Vip {
    /// Starts what it takes, and removes what another life of this agent left behind. `resumes`: this node may take up its
    /// leadership again (T3), and then the address stays for as long as a guard lets it.
    pub(crate) fn open(config: &Config, resumes: bool, inputs: &mpsc::Sender<Input>) -> Vip {
        let services: Vec<Service> = config
            .address
            .service_address
            .iter()
            .filter(|_| !config.raft.witness)
            .map(|vip| Service { ip: vip.address, prefix: vip.prefix })
            .collect();
        let mut vip = Vip {
            keeper: None,
            guard: None,
            wanted: false,
            asked: None,
            until: None,
            hooked: false,
            state: AddressState::Unknown,
            places: Vec::new(),
            last_error: String::new(),
            moved_ms: None,
            broken: None,
            troubles: Vec::new(),
            found: Vec::new(),
            services,
        };
        if vip.is_native() {
            vip.start(config, resumes, inputs);
        }
        vip
    }

    fn start(&mut self, config: &Config, resumes: bool, inputs: &mpsc::Sender<Input>) {
        let folder = &config.raft.meta_datadir;
        let old = leftover::guards(folder);
        self.found.extend(leftover::said(folder));
        self.remove_left_over(resumes && !old.is_empty());
        if let Err(missing) = xenon_address::check() {
            self.broken = Some(format!("the service address cannot be moved: {missing}"));
        }
        let settings =
            Settings { services: self.services.clone(), interface: config.address.service_interface.clone() };
        match Keeper::start(settings, forward(inputs)) {
            Ok(keeper) => self.keeper = Some(keeper),
            Err(error) => {
                self.broken = Some(format!("the service address cannot be moved: {error}"));
                return;
            }
        }
        let watch = Order::Watch(self.services.iter().map(|service| service.ip).collect());
        self.guard = Some(Guard::start(folder, watch, old, inputs.clone()));
    }

    /// I5: this node does not lead, or nobody would take it away if it does not lead any more.
    fn remove_left_over(&mut self, may_stay: bool) {
        let here = match leftover::here(&self.services) {
            Ok(here) => here,
            Err(error) => {
                return self.found.push(format!("whether a service address is here is not known: {error}"));
            }
        };
        if here.is_empty() {
            self.state = AddressState::Away;
            return;
        }
        if may_stay {
            return;
        }
        let list: Vec<String> = here.iter().map(ToString::to_string).collect();
        let list = list.join(", ");
        match leftover::remove(&here) {
            Ok(()) => {
                self.state = AddressState::Away;
                self.found.push(format!(
                    "{list} was left here by an earlier start, and is removed: this node does not lead now"
                ));
            }
            Err(error) => {
                self.last_error = format!("{list} was left here and cannot be removed: {error}");
                self.found.push(self.last_error.clone());
            }
        }
    }

    /// The config names addresses that the agent itself moves.
    pub(crate) fn is_native(&self) -> bool {
        !self.services.is_empty()
    }

    /// The addresses, as hooks get them.
    pub(crate) fn words(&self) -> String {
        let words: Vec<String> = self.services.iter().map(ToString::to_string).collect();
        words.join(" ")
    }

    /// It was asked to come here, and not to go again.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// It may be wanted soon: finds out meanwhile who has it.
    pub(crate) fn prepare(&self) {
        if let Some(keeper) = &self.keeper
            && !self.wanted
        {
            keeper.send(Command::Prepare);
        }
    }

    /// Takes it. `false`: nobody does.
    pub(crate) fn take(&mut self, until: Moment) -> bool {
        // The guard first: from the moment on at which the address is here, somebody takes it away.
        if let Some(guard) = &mut self.guard {
            guard.send(&Order::Until(until));
        }
        self.begin(Command::Take { until })
    }

    /// Gives it up. `false`: nobody does.
    pub(crate) fn give_up(&mut self) -> bool {
        self.begin(Command::Drop)
    }

    fn begin(&mut self, command: Command) -> bool {
        let sent = self.keeper.as_ref().is_some_and(|keeper| keeper.send(command));
        if sent {
            self.wanted |= command != Command::Drop;
            self.asked = Some(Instant::now());
            self.state = AddressState::Moving;
            if let Command::Take { until } = command {
                self.until = Some(until);
            }
        }
        sent
    }

    /// The loop lives, and its lease lasts until then.
    pub(crate) fn hold(&mut self, until: Moment) {
        let news = self.until.is_none_or(|told| until.since(told).is_some_and(|by| by >= TOLD_AGAIN));
        if !self.wanted || !news {
            return;
        }
        self.until = Some(until);
        if let Some(guard) = &mut self.guard {
            guard.send(&Order::Until(until));
        }
        if let Some(keeper) = &self.keeper {
            keeper.send(Command::Hold { until });
        }
    }

    /// The thread has not answered in time.
    pub(crate) fn is_stuck(&mut self) -> bool {
        self.asked.take_if(|asked| asked.elapsed() > ANSWERS).is_some()
    }

    pub(crate) fn note_taken(&mut self, taken: &Taken) {
        self.asked = None;
        self.state = AddressState::Here;
        self.places.clone_from(&taken.places);
        self.last_error.clear();
        self.moved_ms = Some(taken.ms);
    }

    /// Says whether the reason is another one than before.
    pub(crate) fn note_failed(&mut self, why: &str) -> bool {
        self.asked = None;
        self.state = AddressState::Unknown;
        let news = self.last_error != why;
        why.clone_into(&mut self.last_error);
        news
    }

    pub(crate) fn note_gone(&mut self, ms: Option<f64>) {
        self.asked = None;
        self.state = AddressState::Away;
        self.wanted = false;
        self.until = None;
        self.places.clear();
        self.last_error.clear();
        self.moved_ms = ms.or(self.moved_ms);
        if let Some(guard) = &mut self.guard {
            guard.send(&Order::Free);
            guard.end_old();
        }
    }

    pub(crate) fn note_troubles(&mut self, troubles: Vec<String>) {
        self.troubles = troubles;
    }

    /// What the guard says; the sentence that is to be told.
    pub(crate) fn on_guard(&mut self, news: GuardNews) -> Option<String> {
        let guard = self.guard.as_mut()?;
        if let GuardNews::Said { answer: Answer::Removed(1..), .. } = &news {
            self.wanted = false;
            self.until = None;
            self.state = AddressState::Away;
        }
        guard.on_news(news)
    }

    /// Keeps a guard running. What is to be told.
    pub(crate) fn tend_guard(&mut self) -> Option<String> {
        self.guard.as_mut()?.tend()
    }

    /// When the loop must look after the guard though nothing came in.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        let stuck = self.asked.map(|asked| asked + ANSWERS);
        [stuck, self.guard.as_ref().and_then(Guard::wake_at)].into_iter().flatten().min()
    }

    /// What is wrong now.
    pub(crate) fn troubles(&self) -> impl Iterator<Item = String> + '_ {
        let guard = self.guard.as_ref().and_then(Guard::trouble);
        let failed = Some(&self.last_error).filter(|error| !error.is_empty()).cloned();
        self.broken.clone().into_iter().chain(failed).chain(guard).chain(self.troubles.iter().cloned())
    }

    pub(crate) fn status(&self) -> Vec<ServiceAddressStatus> {
        let place = |service: &Service| self.places.iter().find(|(placed, _)| placed == service);
        self.services
            .iter()
            .map(|service| ServiceAddressStatus {
                address: service.to_string(),
                interface: place(service).map(|(_, link)| link.clone()),
                state: self.state,
                last_error: self.last_error.clone(),
                moved_ms: self.moved_ms,
            })
            .collect()
    }
}

/// From the thread, which must not wait, to the loop.
fn forward(inputs: &mpsc::Sender<Input>) -> impl Fn(News) + Send + 'static {
    let (tell, mut news) = mpsc::channel(QUEUE);
    let inputs = inputs.clone();
    tokio::spawn(async move {
        while let Some(news) = news.recv().await {
            if inputs.send(VipNews::Keeper(news).into()).await.is_err() {
                return;
            }
        }
    });
    move |news| {
        // Full only when the loop hangs, which then asks again.
        let _ = tell.try_send(news);
    }
}

/// Where guards leave their marks.
fn mark(folder: &Path, pid: u32) -> std::path::PathBuf {
    folder.join(format!("address-guard.{pid}"))
}
