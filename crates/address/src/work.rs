//! What the thread of the [`Keeper`](crate::Keeper) does.

use crate::keeper::{Command, News, Settings, Taken};
use crate::link::{self, Link};
use crate::moment::Moment;
use crate::route::{Change, Changes, Held, Routes};
use crate::schedule::Schedule;
use crate::wire::{Wire, timespec};
use crate::{Error, Mac, Service, reset};
use rustix::event::{PollFd, PollFlags, poll};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// An answer to a probe comes within this on a local network.
const ANSWER: Duration = Duration::from_millis(5);
/// An old holder that is just giving it up is waited for so long. What is longer is not worth the clients' time: the newer
/// term takes it.
const PATIENCE: Duration = Duration::from_millis(15);
/// A probe that nobody has answered says so for this long.
const FRESH: Duration = Duration::from_secs(1);
/// How often it is looked at while held, beside the kernel's events.
const LOOK: Duration = Duration::from_secs(1);
/// Another holder that has not been heard for so long is gone.
const GONE: Duration = Duration::from_secs(30);
/// Connections are reset within this before the address goes.
const RESET: Duration = Duration::from_millis(20);
/// The kernel itself removes the address so long after the moment until which it may stay: when nobody is left to do it.
const BEYOND: Duration = Duration::from_secs(4);
/// That is put off again when it has come so near.
const RENEW: Duration = Duration::from_secs(2);
/// Other holders that are kept apart.
const OTHERS: usize = 8;

/// Which address belongs where.
type Places = Vec<(Service, Link)>;

/// One address that is here.
struct Here {
    link: Link,
    added: Service,
    /// When the kernel removes it; `None` when it is not ours to last.
    ends: Option<Moment>,
    schedule: Schedule,
}

pub(crate) struct Work {
    settings: Settings,
    tell: Box<dyn Fn(News) + Send>,
    routes: Routes,
    changes: Changes,
    /// By the interface's index; open while the address is wanted here.
    wires: BTreeMap<u32, Wire>,
    until: Option<Moment>,
    here: BTreeMap<Service, Here>,
    /// When it was asked who has them, and who answered since.
    asked: Option<Instant>,
    answers: BTreeMap<IpAddr, Option<Mac>>,
    /// Others that were heard while it was here.
    others: BTreeMap<(IpAddr, Option<Mac>), Instant>,
    look_at: Option<Instant>,
    troubles: Vec<String>,
}

impl Work {
    pub(crate) fn new(settings: Settings, tell: Box<dyn Fn(News) + Send>) -> Result<Work, Error> {
        Ok(Work {
            settings,
            tell,
            routes: Routes::open()?,
            changes: Changes::open()?,
            wires: BTreeMap::new(),
            until: None,
            here: BTreeMap::new(),
            asked: None,
            answers: BTreeMap::new(),
            others: BTreeMap::new(),
            look_at: None,
            troubles: Vec::new(),
        })
    }

    /// Until the agent has let go of its end.
    pub(crate) fn run(mut self, queue: &mpsc::Receiver<(Instant, Command)>, wake: &OwnedFd) {
        loop {
            self.wait(wake);
            let mut drained = [0; 8];
            let _ = rustix::io::read(wake, &mut drained);
            if !self.obey(queue) {
                return;
            }
            self.watch();
        }
    }

    fn wait(&mut self, wake: &OwnedFd) {
        let now = Instant::now();
        let next = self.here.values().filter_map(|here| here.schedule.next()).chain(self.look_at).min();
        let next = next.map(|at| at.saturating_duration_since(now));
        let lapse = self.until.map(|until| until.left().unwrap_or_default());
        let timeout = next.into_iter().chain(lapse).min();
        let mut fds = vec![
            PollFd::from_borrowed_fd(wake.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.changes.fd(), PollFlags::IN),
        ];
        let ears = self.wires.values().flat_map(Wire::fds);
        fds.extend(ears.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        // Whatever ends the waiting: everything is looked at.
        let _ = poll(&mut fds, timeout.map(timespec).as_ref());
    }

    /// `false`: the agent has let go of its end.
    fn obey(&mut self, queue: &mpsc::Receiver<(Instant, Command)>) -> bool {
        let mut commands = Vec::new();
        let gone = loop {
            match queue.try_recv() {
                Ok(command) => commands.push(command),
                Err(mpsc::TryRecvError::Empty) => break false,
                Err(mpsc::TryRecvError::Disconnected) => break true,
            }
        };
        // The last of taking and giving up is what is wanted; what was wanted before is over.
        let turn =
            commands.iter().rposition(|(_, command)| matches!(command, Command::Take { .. } | Command::Drop));
        for (index, (sent, command)) in commands.iter().enumerate() {
            match command {
                Command::Prepare => self.prepare(),
                Command::Take { until } if turn == Some(index) => self.take(*sent, *until),
                Command::Drop if turn == Some(index) => self.drop_all(*sent),
                Command::Hold { until } => self.hold(*until),
                Command::Take { .. } | Command::Drop => {}
            }
        }
        !gone
    }

    fn may_stay(&self) -> bool {
        self.until.is_some_and(|until| until.left().is_some())
    }

    /// Where each belongs, with what this host has now.
    fn places(&mut self) -> Result<(Places, Vec<Held>), Error> {
        let (links, held) = (self.routes.links()?, self.routes.addresses()?);
        let name = self.settings.interface.as_deref();
        let places = self
            .settings
            .services
            .iter()
            .map(|service| Ok((*service, link::choose(*service, name, &links, &held)?)))
            .collect::<Result<_, Error>>()?;
        Ok((places, held))
    }

    fn open(&mut self, link: &Link) -> Result<Option<&Wire>, Error> {
        if !self.wires.contains_key(&link.index) {
            let ipv6 = self.settings.services.iter().any(|service| service.ip.is_ipv6());
            if let Some(wire) = Wire::open(link, ipv6)? {
                self.wires.insert(link.index, wire);
            }
        }
        Ok(self.wires.get(&link.index))
    }

    fn ask(&mut self, places: &[(Service, Link)]) -> Result<(), Error> {
        self.hear();
        self.answers.clear();
        for (service, link) in places {
            if let Some(wire) = self.open(link)? {
                wire.ask(service.ip)?;
            }
        }
        self.asked = Some(Instant::now());
        Ok(())
    }

    /// The marker of the term waits for its acknowledgement meanwhile: the answer costs clients nothing.
    fn prepare(&mut self) {
        if self.until.is_some() {
            return;
        }
        if let Ok((places, _)) = self.places() {
            // Whoever cannot ask now is told when it is taken.
            let _ = self.ask(&places);
        }
    }

    fn take(&mut self, sent: Instant, until: Moment) {
        self.until = Some(until);
        self.look_at = Some(Instant::now() + LOOK);
        match self.take_all() {
            Ok(others) => {
                let ms = sent.elapsed().as_secs_f64() * 1e3;
                let places =
                    self.here.iter().map(|(service, here)| (*service, here.link.name.clone())).collect();
                (self.tell)(News::Taken(Taken { ms, places, others }));
            }
            Err(error) => {
                (self.tell)(News::NotTaken(error.to_string()));
                // Part of it may be here. Whoever wants it asks again; what cannot be removed is what the guard is for.
                let _ = self.give_up();
            }
        }
    }

    fn take_all(&mut self) -> Result<Vec<(IpAddr, Option<Mac>)>, Error> {
        let (places, held) = self.places()?;
        let is_here = |ip: IpAddr| held.iter().any(|held| held.service.ip == ip);
        let others = if places.iter().all(|(service, _)| is_here(service.ip)) {
            // Taken up again by an agent that was away for a moment.
            Vec::new()
        } else {
            // A probe that does not leave (the interface is down) is no reason to leave clients without an address.
            self.find_others(&places).unwrap_or_default()
        };
        for (service, link) in &places {
            self.add(*service, link, &held)?;
        }
        Ok(others)
    }

    /// Who says that it has one of the addresses, and goes on saying so.
    fn find_others(&mut self, places: &[(Service, Link)]) -> Result<Vec<(IpAddr, Option<Mac>)>, Error> {
        let until = Instant::now() + PATIENCE;
        let fresh = self.asked.is_some_and(|asked| asked.elapsed() < FRESH);
        self.hear();
        if !fresh || !self.answers.is_empty() {
            self.ask(places)?;
        }
        loop {
            let answered_by = self.asked.unwrap_or_else(Instant::now) + ANSWER;
            while self.answers.is_empty() && Instant::now() < answered_by {
                if let Some(wire) = self.wires.values().next() {
                    wire.wait(answered_by);
                }
                self.hear();
                if self.wires.is_empty() {
                    break;
                }
            }
            if self.answers.is_empty() || Instant::now() + ANSWER > until {
                return Ok(self.answers.iter().map(|(ip, mac)| (*ip, *mac)).collect());
            }
            // It may be giving it up in this moment.
            std::thread::sleep(Duration::from_millis(1));
            self.ask(places)?;
        }
    }

    /// Reads what others say.
    fn hear(&mut self) {
        let now = Instant::now();
        for claim in self.wires.values().flat_map(Wire::claims) {
            if !self.settings.services.iter().any(|service| service.ip == claim.ip) {
                continue;
            }
            self.answers.insert(claim.ip, claim.mac);
            if self.others.len() < OTHERS && self.here.keys().any(|service| service.ip == claim.ip) {
                self.others.insert((claim.ip, claim.mac), now);
            }
        }
    }

    fn add(&mut self, service: Service, link: &Link, held: &[Held]) -> Result<(), Error> {
        let there = held.iter().find(|held| held.service.ip == service.ip && held.link == link.index);
        let added = there.map_or_else(|| link::as_added(service, link, held), |held| held.service);
        let ends = self.renew(link, added)?;
        if !self.may_stay() {
            // This thread may have been stopped for seconds between its look at the clock and the kernel's answer.
            self.routes.remove(service.ip)?;
            return Err(Error::of(
                "taking the address",
                std::io::Error::other("leadership has ended meanwhile"),
            ));
        }
        if let Some(wire) = self.open(link)? {
            // When the interface is down, it is announced again when it is up.
            let _ = wire.announce(service.ip);
        }
        let mut schedule = Schedule::default();
        schedule.begin(Instant::now());
        self.here.insert(service, Here { link: link.clone(), added, ends: Some(ends), schedule });
        Ok(())
    }

    /// Adds it, or lets it last longer.
    fn renew(&mut self, link: &Link, added: Service) -> Result<Moment, Error> {
        let until = self.until.unwrap_or_else(Moment::now);
        let ends = until.after(BEYOND);
        let left = ends.left().unwrap_or_default().as_secs().saturating_add(1);
        self.routes.add(link, added, u32::try_from(left).unwrap_or(u32::MAX - 1))?;
        Ok(ends)
    }

    fn hold(&mut self, until: Moment) {
        if self.until.is_none() {
            return;
        }
        self.until = Some(until);
        let late = until.after(BEYOND);
        let due: Vec<(Service, Link, Service)> = self
            .here
            .iter()
            .filter(|(_, here)| here.ends.is_some_and(|ends| late.since(ends).is_some_and(|by| by >= RENEW)))
            .map(|(service, here)| (*service, here.link.clone(), here.added))
            .collect();
        for (service, link, added) in due {
            // One that is not there any more is put back, and told, by the look.
            if !self.is_there(service.ip) {
                continue;
            }
            if let Ok(ends) = self.renew(&link, added)
                && let Some(here) = self.here.get_mut(&service)
            {
                here.ends = Some(ends);
            }
        }
    }

    fn is_there(&mut self, ip: IpAddr) -> bool {
        self.routes.addresses().is_ok_and(|held| held.iter().any(|held| held.service.ip == ip))
    }

    fn drop_all(&mut self, sent: Instant) {
        match self.give_up() {
            Ok((removed, reset)) => {
                let ms = sent.elapsed().as_secs_f64() * 1e3;
                (self.tell)(News::Dropped { removed, reset, ms });
            }
            Err(error) => (self.tell)(News::NotDropped(error.to_string())),
        }
    }

    fn give_up(&mut self) -> Result<(usize, usize), Error> {
        self.until = None;
        self.here.clear();
        self.others.clear();
        (self.asked, self.look_at) = (None, None);
        let removed = remove(&mut self.routes, self.settings.services.iter().map(|service| service.ip));
        self.close();
        removed
    }

    /// The kernel takes 10 ms to close a packet socket, and this thread may be wanted sooner.
    fn close(&mut self) {
        let wires = std::mem::take(&mut self.wires);
        if !wires.is_empty() {
            let closing = std::thread::Builder::new().name("address-close".to_owned());
            let _ = closing.spawn(move || drop(wires));
        }
    }

    /// What every turn ends with.
    fn watch(&mut self) {
        let changes = self.changes.read();
        if self.until.is_some() && !self.may_stay() {
            // I5: others may take it from now on.
            let news = match self.give_up() {
                Ok(_) => News::Lapsed,
                Err(error) => News::NotDropped(error.to_string()),
            };
            (self.tell)(news);
        }
        if self.until.is_none() {
            self.turn_away(&changes);
            // Asked, and not wanted yet: what is said is read, or the waiting would never wait.
            self.hear();
            if self.asked.is_some_and(|asked| asked.elapsed() > FRESH) {
                self.asked = None;
                self.close();
            }
            return self.set_troubles(Vec::new());
        }
        let now = Instant::now();
        self.hear();
        let ours = |ip: &IpAddr| self.settings.services.iter().any(|service| service.ip == *ip);
        let missed = changes.iter().any(|change| match change {
            Change::Removed(ip) => ours(ip),
            Change::Link | Change::Lost => true,
            Change::Added(_) => false,
        });
        if missed || self.look_at.is_some_and(|at| at <= now) {
            self.look_at = Some(now + LOOK);
            self.look();
        }
        self.announce_again(now);
    }

    /// Not wanted here, and somebody has added it.
    fn turn_away(&mut self, changes: &[Change]) {
        for change in changes {
            let Change::Added(ip) = change else { continue };
            if self.settings.services.iter().any(|service| service.ip == *ip)
                && self.routes.remove(*ip).is_ok_and(|removed| removed > 0)
            {
                (self.tell)(News::Uninvited(*ip));
            }
        }
    }

    /// Puts back what is missing, and says what is wrong.
    fn look(&mut self) {
        let mut troubles = Vec::new();
        let (links, held) = match self.routes.links().and_then(|links| Ok((links, self.routes.addresses()?)))
        {
            Ok(found) => found,
            Err(error) => return self.set_troubles(vec![error.to_string()]),
        };
        for (service, old) in
            self.here.iter().map(|(service, here)| (*service, here.link.clone())).collect::<Vec<_>>()
        {
            let now = links.iter().find(|link| link.index == old.index);
            match now {
                Some(link) if !link.up => {
                    troubles
                        .push(format!("interface {} is down, so {} is not reached", link.name, service.ip));
                }
                Some(link) if !link.carrier => troubles.push(format!(
                    "interface {} is not connected, so {} is not reached",
                    link.name, service.ip
                )),
                Some(_) => {}
                None => {
                    troubles.push(format!("interface {} is gone, and {} with it", old.name, service.ip));
                    self.wires.remove(&old.index);
                }
            }
            if now.is_some_and(|link| link.up && link.carrier) && !(old.up && old.carrier) {
                // It is back: whoever asked meanwhile knows nothing.
                if let Some(here) = self.here.get_mut(&service) {
                    here.schedule.begin(Instant::now());
                }
                if let Some(wire) = self.wires.get(&old.index) {
                    let _ = wire.announce(service.ip);
                }
            }
            if let (Some(link), Some(here)) = (now, self.here.get_mut(&service)) {
                here.link = link.clone();
            }
            if held.iter().any(|held| held.service.ip == service.ip) {
                continue;
            }
            let name = self.settings.interface.as_deref();
            let back = link::choose(service, name, &links, &held)
                .map_err(Error::from)
                .and_then(|link| self.add(service, &link, &held).map(|()| link.name));
            match back {
                Ok(link) => (self.tell)(News::PutBack { ip: service.ip, link }),
                Err(error) => {
                    troubles.push(format!("{} was removed and cannot be put back: {error}", service.ip))
                }
            }
        }
        self.set_troubles(troubles);
    }

    fn announce_again(&mut self, now: Instant) {
        self.others.retain(|_, heard| now.duration_since(*heard) < GONE);
        for (service, here) in &mut self.here {
            let contested =
                self.others.iter().any(|((ip, _), heard)| *ip == service.ip && *heard >= now - LOOK);
            let defends = contested && here.schedule.defends(now);
            if (here.schedule.take_due(now) || defends)
                && let Some(wire) = self.wires.get(&here.link.index)
            {
                // One that is lost is one of several.
                let _ = wire.announce(service.ip);
            }
        }
        if !self.others.is_empty() {
            self.set_troubles(self.troubles.clone());
        }
    }

    fn set_troubles(&mut self, mut troubles: Vec<String>) {
        troubles.extend(self.others.keys().map(|(ip, mac)| also_at(*ip, *mac)));
        troubles.sort_unstable();
        troubles.dedup();
        if self.troubles != troubles {
            self.troubles.clone_from(&troubles);
            (self.tell)(News::Troubles(troubles));
        }
    }
}

/// The sentence about another holder.
fn also_at(ip: IpAddr, mac: Option<Mac>) -> String {
    let whose = mac.map_or("without saying its hardware address".to_owned(), |mac| format!("at {mac}"));
    format!(
        "another host answers for {ip}, {whose}: this node's leadership is the newer one, so it goes on announcing it; find \
         that host and take the address away from it"
    )
}

/// Takes them away from this host. The clients of their connections are told first, for nothing can be sent from an address
/// that is gone.
pub(crate) fn remove(
    routes: &mut Routes,
    ips: impl Iterator<Item = IpAddr>,
) -> Result<(usize, usize), Error> {
    let ips: Vec<IpAddr> = ips.collect();
    let held = routes.addresses()?;
    if !held.iter().any(|held| ips.contains(&held.service.ip)) {
        return Ok((0, 0));
    }
    // A kernel that cannot do it leaves clients to their own patience; the address goes all the same.
    let reset = reset(&ips, RESET).unwrap_or(0);
    let mut removed = 0;
    let mut failed = None;
    for ip in ips {
        match routes.remove(ip) {
            Ok(count) => removed += count,
            // The others go, whatever becomes of this one.
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok((removed, reset)), Err)
}
