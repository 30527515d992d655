//! The service address, moved by the agent itself (`address.service-address`), by the two hooks of the config, or by both:
//! then the hook runs when the agent has moved it.

use crate::agent::Agent;
use crate::hooks::{self, HookFailure};
use crate::input::Input;
use crate::vip::VipNews;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;
use xenon_address::{Moment, News, Taken};
use xenon_api::EventKind;
use xenon_config::{Config, Hook};
use xenon_plan::{Address, Role};

/// Pause before a hook that was not done is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// The same for what the agent does itself, which costs next to nothing.
const RETRY_OWN: Duration = Duration::from_millis(500);
/// So long an agent may be away whose absence lets nobody else lead (T4, C5, a cluster of one): a restart.
const AWAY: Duration = Duration::from_secs(60);

/// Where [`Agent::note_address`] writes.
pub(crate) fn address_file(config: &Config) -> PathBuf {
    config.raft.meta_datadir.join("address")
}

impl From<VipNews> for Input {
    fn from(news: VipNews) -> Input {
        Input::Address(Box::new(news))
    }
}

impl Agent {
    pub(crate) fn move_address(&mut self, up: bool, why: &str) {
        if !self.vip.is_native() {
            return self.run_hook(up, why);
        }
        self.local.address = Address::Moving;
        let begun = match (up, self.address_until()) {
            (true, Some(until)) => self.vip.take(until),
            (true, None) => false,
            (false, _) => self.vip.give_up(),
        };
        if !begun {
            self.on_not_moved("its thread does not run, or does not keep up");
        }
    }

    /// D1: this node leads no more. Waits for nothing that is done at the server.
    pub(crate) fn leave_address(&mut self) {
        // One that is on its way here counts as here.
        if self.vip.is_wanted() || self.local.address == Address::Here {
            self.move_address(false, "this node leads no more");
        }
    }

    /// I5: until when nobody else can take the address (L1: the lease; and what is left of T until an election, a quarter of it,
    /// for a loop that is late). `None` while this node leads nobody, or does not know yet that it still does (T3).
    pub(crate) fn address_until(&self) -> Option<Moment> {
        if !self.core.leads_for_sure() {
            return None;
        }
        if self.core.outlives_its_lease() {
            return Some(Moment::now().after(AWAY));
        }
        let lease = self.clock.lease()?;
        Some(Moment::of(lease.into_std()).after(self.clock.beyond_lease() / 4))
    }

    /// What the plan is told: a primary does not ask for what may not be taken yet.
    pub(crate) fn seen_address(&self) -> Address {
        let now = Instant::now();
        match (self.local.address, self.local.address_retry) {
            (Address::Unknown, Some(at)) if at > now => Address::Moving,
            (Address::Unknown | Address::Away, _)
                if self.vip.is_native()
                    && matches!(self.local.role, Role::Primary { .. })
                    && self.address_until().is_none_or(|until| until.left().is_none()) =>
            {
                Address::Moving
            }
            (address, _) => address,
        }
    }

    /// What ends every turn of the loop, so that a loop which hangs holds nothing.
    pub(crate) fn hold_address(&mut self) {
        if let Some(leader) = self.core.leader().filter(|leader| *leader != self.core.id())
            && self.other_leader.as_ref() != Some(leader)
        {
            self.other_leader = Some(leader.clone());
        }
        if !self.vip.is_native() {
            return;
        }
        if let Some(text) = self.vip.tend_guard() {
            self.events.push(EventKind::Trouble, text);
        }
        if self.vip.is_wanted()
            && let Some(until) = self.address_until()
        {
            self.vip.hold(until);
        }
        if self.vip.is_stuck() {
            self.on_not_moved("its thread has not answered for 5 s");
        }
    }

    pub(crate) fn on_vip(&mut self, news: VipNews) {
        match news {
            VipNews::Keeper(news) => self.on_keeper(news),
            VipNews::Guard(news) => {
                let wanted = self.vip.is_wanted();
                if let Some(text) = self.vip.on_guard(news) {
                    self.events.push(EventKind::Trouble, text);
                }
                if wanted && !self.vip.is_wanted() {
                    self.on_lost();
                }
            }
        }
    }

    fn on_keeper(&mut self, news: News) {
        match news {
            News::Taken(taken) => self.on_taken(&taken),
            News::NotTaken(why) | News::NotDropped(why) => self.on_not_moved(&why),
            News::Dropped { removed, reset, ms } => {
                self.vip.note_gone((removed > 0).then_some(ms));
                if removed > 0 {
                    let text = format!(
                        "the service address is removed here, {reset} connection(s) to it reset [{ms:.1} ms]"
                    );
                    self.events.push(EventKind::Hook, text);
                }
                self.run_hook(false, "the service address is not here any more");
            }
            News::Lapsed => {
                if self.vip.is_wanted() {
                    self.vip.note_gone(None);
                    let text = "the service address was given up: this agent's loop did not say in time that it may stay";
                    self.events.push(EventKind::Trouble, text);
                    self.on_lost();
                }
            }
            News::PutBack { ip, link } => self.events.push(
                EventKind::Trouble,
                format!("somebody had removed the service address {ip}; it is back on {link}, and announced"),
            ),
            News::Uninvited(ip) => self.events.push(
                EventKind::Trouble,
                format!(
                    "somebody had added the service address {ip} here, where nobody leads; it is removed"
                ),
            ),
            News::Troubles(troubles) => self.vip.note_troubles(troubles),
        }
    }

    fn on_taken(&mut self, taken: &Taken) {
        if !self.vip.is_wanted() {
            // Overtaken by a deposition, whose end is on its way.
            return;
        }
        self.vip.note_taken(taken);
        self.local.address_retry = None;
        let places: Vec<String> =
            taken.places.iter().map(|(service, link)| format!("{service} on {link}")).collect();
        self.events.phase("address-here");
        self.events.push(
            EventKind::Hook,
            format!("the service address is here and announced: {} [{:.1} ms]", places.join(", "), taken.ms),
        );
        for (ip, mac) in &taken.others {
            let whose = mac.map_or("without its hardware address".to_owned(), |mac| format!("from {mac}"));
            self.events.push(
                EventKind::Trouble,
                format!("{ip} was answered for by another host, {whose}; it is taken all the same: the newer leadership counts"),
            );
        }
        if self.vip.hooked {
            self.local.address = Address::Here;
            return;
        }
        self.run_hook(true, "the service address is here");
    }

    /// It may be here, or not.
    fn on_not_moved(&mut self, why: &str) {
        self.local.address = Address::Unknown;
        self.local.address_retry = Some(Instant::now() + RETRY_OWN);
        if self.vip.note_failed(why) {
            self.events.push(
                EventKind::Trouble,
                format!(
                    "the service address cannot be moved: {why}; tried again every {} ms",
                    RETRY_OWN.as_millis()
                ),
            );
        }
    }

    /// It was taken away behind the loop's back; what the start hook did is still done.
    fn on_lost(&mut self) {
        let has_hook = self.config.raft.leader_stop_command.command().is_some();
        self.local.address = if has_hook { Address::Unknown } else { Address::Away };
        self.note_address();
    }

    fn run_hook(&mut self, up: bool, why: &str) {
        let hook =
            if up { &self.config.raft.leader_start_command } else { &self.config.raft.leader_stop_command };
        match hook {
            Hook::Nothing => self.local.address = if up { Address::Here } else { Address::Away },
            Hook::Command(command) => {
                let word = if up { "leader-start-command" } else { "leader-stop-command" };
                self.events.push(EventKind::Hook, format!("running {word}: {why}"));
                self.local.address = Address::Moving;
                let bound = Duration::from_millis(self.config.raft.hook_timeout_ms);
                let environment = self.hook_environment(up, why);
                hooks::spawn(command.clone(), environment, up, bound, self.inputs.clone());
            }
        }
    }

    /// What a hook is told (docs/guides/service-address.md).
    fn hook_environment(&self, up: bool, why: &str) -> Vec<(&'static str, String)> {
        let id = self.core.id().to_string();
        let other = self.other_leader.as_ref().map(ToString::to_string).unwrap_or_default();
        let (role, event) = if up { ("primary", "start") } else { ("replica", "stop") };
        let (old, new) = if up {
            (other, id.clone())
        } else {
            let new = self.core.leader().filter(|leader| *leader != self.core.id());
            (id.clone(), new.map(ToString::to_string).unwrap_or_default())
        };
        let interface = self.config.address.service_interface.clone().unwrap_or_default();
        vec![
            ("XENON_EVENT", event.to_owned()),
            ("XENON_ROLE", role.to_owned()),
            ("XENON_NODE", id),
            ("XENON_TERM", self.core.record().term.to_string()),
            ("XENON_ADDRESS", self.vip.words()),
            ("XENON_INTERFACE", interface),
            ("XENON_OLD_PRIMARY", old),
            ("XENON_NEW_PRIMARY", new),
            ("XENON_MYSQL", format!("{}:{}", self.config.replication_host(), self.config.mysql.port)),
            ("XENON_WHY", why.to_owned()),
        ]
    }

    pub(crate) fn on_hook(&mut self, up: bool, result: Result<String, HookFailure>) {
        let word = if up { "leader-start-command" } else { "leader-stop-command" };
        self.local.address_retry = None;
        let (address, retry) = match (up, &result) {
            (true, Ok(_)) => (Address::Here, false),
            // The usual stop command fails when the address is not there, which is what was wanted.
            (false, Ok(_) | Err(HookFailure::Exited(_))) => (Address::Away, false),
            (true, Err(_)) | (false, Err(HookFailure::NotDone(_))) => (Address::Unknown, true),
        };
        self.local.address = address;
        self.vip.hooked = up && address == Address::Here;
        if up && self.vip.is_native() && !self.vip.is_wanted() {
            // It went while the hook ran, and the hook's doing is to be undone.
            self.local.address = Address::Unknown;
        }
        if retry {
            self.local.address_retry = Some(Instant::now() + RETRY);
        }
        self.note_address();
        match result {
            Ok(output) => {
                self.events.push(EventKind::Hook, format!("{word} done {output}").trim_end().to_owned())
            }
            Err(failure) if retry => {
                let seconds = RETRY.as_secs();
                self.events.push(
                    EventKind::Trouble,
                    format!("{word} failed: {failure}; tried again in {seconds} s"),
                );
            }
            Err(failure) => self.events.push(
                EventKind::Hook,
                format!("{word} ended with an error (usual when the address was not here): {failure}"),
            ),
        }
    }

    /// Where the address was left, for the agent's next start (T3 must not guess).
    fn note_address(&self) {
        let path = address_file(&self.config);
        let here = self.local.address == Address::Here;
        // In a thread of its own: the disk may not answer. A note that is missing costs a run of the start hook.
        std::mem::drop(tokio::task::spawn_blocking(move || {
            std::fs::write(path, if here { "here\n" } else { "away\n" })
        }));
    }
}
