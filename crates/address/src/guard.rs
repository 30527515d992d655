//! The guard: a process of its own that takes the address away when nobody says in time that it may stay.
//!
//! It hears the agent on its standard input and answers there. It trusts its clock and nothing else: the agent may be dead,
//! stopped, or stuck, and a message that is late says a moment that is over. It outlives the agent for as long as the address
//! may stay, so that an agent which comes back in time finds it where it was.

use crate::moment::Moment;
use crate::route::Routes;
use crate::wire::timespec;
use crate::work;
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Pause before a removal that failed is tried again.
const RETRY: Duration = Duration::from_millis(50);
/// The longest line that is read.
const LINE: usize = 4096;

/// What the agent says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Of which addresses.
    Watch(Vec<IpAddr>),
    /// They may stay until then.
    Until(Moment),
    /// They are not here any more.
    Free,
}

/// What the guard answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The last order is known.
    Heard,
    /// The time was over, and so many addresses were removed; why there were any.
    Removed(usize),
    /// They could not be removed.
    Failed(String),
}

impl Order {
    /// As a line, without its end.
    pub fn line(&self) -> String {
        match self {
            Order::Watch(ips) => {
                let ips: Vec<String> = ips.iter().map(ToString::to_string).collect();
                format!("watch {}", ips.join(" "))
            }
            Order::Until(moment) => format!("until {}", moment.0),
            Order::Free => "free".to_owned(),
        }
    }

    /// `None` for what is no order.
    pub fn parse(line: &str) -> Option<Order> {
        let mut words = line.split_ascii_whitespace();
        let order = match words.next()? {
            "watch" => Order::Watch(words.map(|word| word.parse().ok()).collect::<Option<_>>()?),
            "until" => Order::Until(Moment(words.next()?.parse().ok()?)),
            "free" => Order::Free,
            _ => return None,
        };
        Some(order)
    }
}

impl Answer {
    /// As a line, without its end.
    pub fn line(&self) -> String {
        match self {
            Answer::Heard => "heard".to_owned(),
            Answer::Removed(count) => format!("removed {count}"),
            Answer::Failed(why) => format!("failed {}", why.replace('\n', " ")),
        }
    }

    /// `None` for what is no answer.
    pub fn parse(line: &str) -> Option<Answer> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "heard" => Some(Answer::Heard),
            "removed" => Some(Answer::Removed(rest.parse().ok()?)),
            "failed" => Some(Answer::Failed(rest.to_owned())),
            _ => None,
        }
    }
}

/// Guards until the agent is gone and nothing is left to guard. `said`: what was done, and whether
/// the agent is not there to hear it.
///
/// # Errors
/// There is no netlink, or the agent's socket cannot be read.
pub fn serve(agent: UnixStream, mut said: impl FnMut(&str, bool)) -> io::Result<()> {
    agent.set_nonblocking(true)?;
    let mut guard = Guard {
        routes: Routes::open().map_err(io::Error::other)?,
        ips: Vec::new(),
        until: None,
        retry: false,
    };
    let mut lines = Vec::new();
    let mut open = true;
    loop {
        guard.wait(&agent, open);
        if open {
            open = guard.read(&agent, &mut lines);
        }
        if guard.until.is_some_and(|until| until.left().is_none()) {
            let again = guard.retry;
            let answer = guard.remove();
            if again && matches!(answer, Answer::Failed(_)) {
                // Told once.
                continue;
            }
            if let Some(text) = told(&answer, open) {
                said(&text, !open);
            }
            write(&agent, &answer);
        }
        if !open && guard.until.is_none() {
            return Ok(());
        }
    }
}

fn told(answer: &Answer, agent_is_there: bool) -> Option<String> {
    match answer {
        Answer::Heard | Answer::Removed(0) => None,
        Answer::Removed(_) if agent_is_there => Some(
            "the agent did not say in time that the service address may stay (it hangs, or was stopped), so the guard took it \
             away"
                .to_owned(),
        ),
        Answer::Removed(_) => Some(
            "the agent was gone for as long as the service address may stay, so the guard took it away".to_owned(),
        ),
        Answer::Failed(why) => Some(format!("the guard cannot take the service address away: {why}")),
    }
}

struct Guard {
    routes: Routes,
    ips: Vec<IpAddr>,
    /// Until when they may stay; `None` when they are known not to be here.
    until: Option<Moment>,
    /// A removal has failed.
    retry: bool,
}

impl Guard {
    fn wait(&self, agent: &UnixStream, open: bool) {
        let left = self.until.map(|until| match until.left() {
            None if self.retry => RETRY,
            left => left.unwrap_or_default(),
        });
        let mut fds = vec![PollFd::new(agent, PollFlags::IN)];
        if !open {
            // It would say for ever that nobody is there.
            fds.clear();
        }
        let _ = poll(&mut fds, left.map(timespec).as_ref());
    }

    /// `false`: the agent is gone.
    fn read(&mut self, agent: &UnixStream, lines: &mut Vec<u8>) -> bool {
        let mut bytes = [0; 1024];
        loop {
            match rustix::io::read(agent, &mut bytes) {
                Ok(0) => return false,
                Ok(length) => lines.extend(bytes.get(..length).unwrap_or_default()),
                Err(rustix::io::Errno::AGAIN) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return false,
            }
        }
        while let Some(end) = lines.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = lines.drain(..=end).collect();
            match Order::parse(&String::from_utf8_lossy(&line)) {
                Some(Order::Watch(ips)) => self.ips = ips,
                // One that is over already is acted upon like any other: the agent may have acted upon its beginning.
                Some(Order::Until(until)) => (self.until, self.retry) = (Some(until), false),
                Some(Order::Free) => (self.until, self.retry) = (None, false),
                None => continue,
            }
            write(agent, &Answer::Heard);
        }
        lines.len() < LINE
    }

    fn remove(&mut self) -> Answer {
        match work::remove(&mut self.routes, self.ips.iter().copied()) {
            Ok((removed, _)) => {
                self.until = None;
                Answer::Removed(removed)
            }
            Err(error) => {
                self.retry = true;
                Answer::Failed(error.to_string())
            }
        }
    }
}

/// Whether the agent hears it is its own matter.
fn write(mut agent: &UnixStream, answer: &Answer) {
    let _ = agent.write_all(format!("{}\n", answer.line()).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_and_answers_survive_the_way() {
        let ips = vec!["10.0.0.100".parse().unwrap(), "fd00::100".parse().unwrap()];
        for order in
            [Order::Watch(ips), Order::Watch(Vec::new()), Order::Until(Moment(u64::MAX)), Order::Free]
        {
            assert_eq!(Order::parse(&order.line()), Some(order));
        }
        for answer in [Answer::Heard, Answer::Removed(2), Answer::Failed("not allowed: a b".to_owned())] {
            assert_eq!(Answer::parse(&answer.line()), Some(answer));
        }
        for nonsense in ["", "until", "until x", "watch 10.0.0.256", "hold 1"] {
            assert_eq!(Order::parse(nonsense), None, "{nonsense}");
        }
    }
}
