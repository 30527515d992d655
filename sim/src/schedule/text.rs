//! Schedules as text: one entry a line, so that a failure can be kept, read and shortened by hand.
//!
//! ```text
//! # a sentence
//! seed 17 nodes 3 spares 1 length 20000
//! 4000 server-kill n1
//! 5000 cut n2 n3 all 3000
//! ```

use super::{Entry, Fault, Schedule, Traffic};
use std::fmt;

pub(super) fn write(schedule: &Schedule, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Schedule { seed, nodes, spares, witness, length_ms, entries } = schedule;
    let witness = if *witness { " witness 1" } else { "" };
    writeln!(f, "seed {seed} nodes {nodes} spares {spares}{witness} length {length_ms}")?;
    entries.iter().try_for_each(|Entry { at_ms, fault }| writeln!(f, "{at_ms} {fault}"))
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Traffic::Agents => "agents",
            Traffic::Servers => "servers",
            Traffic::All => "all",
        })
    }
}

/// A node's name out of its number.
pub(crate) fn name(node: usize) -> String {
    format!("n{}", node + 1)
}

fn group(bits: u32) -> String {
    let names: Vec<_> = (0..32).filter(|node| bits & (1 << node) != 0).map(name).collect();
    names.join("+")
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Fault as F;
        match *self {
            F::AgentKill { node, for_ms } => write!(f, "agent-kill {} {for_ms}", name(node)),
            F::AgentKillAtSave { node, landed, for_ms } => {
                let when = if landed { "after" } else { "before" };
                write!(f, "agent-kill-at-save {} {when} {for_ms}", name(node))
            }
            F::AgentHang { node, for_ms } => write!(f, "agent-hang {} {for_ms}", name(node)),
            F::ServerKill { node } => write!(f, "server-kill {}", name(node)),
            F::ServerHang { node, for_ms } => write!(f, "server-hang {} {for_ms}", name(node)),
            F::ServerStop { node } => write!(f, "server-stop {}", name(node)),
            F::ServerSlow { node, for_ms } => write!(f, "server-slow {} {for_ms}", name(node)),
            F::ApplierSlow { node, for_ms } => write!(f, "applier-slow {} {for_ms}", name(node)),
            F::PowerLoss { node, for_ms } => write!(f, "power-loss {} {for_ms}", name(node)),
            F::Cut { from, to, traffic, for_ms } => {
                write!(f, "cut {} {} {traffic} {for_ms}", name(from), name(to))
            }
            F::Split { group: bits, traffic, for_ms } => {
                write!(f, "split {} {traffic} {for_ms}", group(bits))
            }
            F::Loss { percent, for_ms } => write!(f, "loss {percent} {for_ms}"),
            F::Delay { up_to_ms, for_ms } => write!(f, "delay {up_to_ms} {for_ms}"),
            F::Lag { up_to_ms, for_ms } => write!(f, "lag {up_to_ms} {for_ms}"),
            F::Repeat { percent, for_ms } => write!(f, "repeat {percent} {for_ms}"),
            F::LostAcks { percent, for_ms } => write!(f, "lost-acks {percent} {for_ms}"),
            F::SavesFail { node, for_ms } => write!(f, "saves-fail {} {for_ms}", name(node)),
            F::SavesStall { node, for_ms } => write!(f, "saves-stall {} {for_ms}", name(node)),
            F::DiskFull { node, for_ms } => write!(f, "disk-full {} {for_ms}", name(node)),
            F::DropRelayLogs { node } => write!(f, "drop-relay-logs {}", name(node)),
            F::LeaderLost => write!(f, "leader-lost"),
            F::Pause { for_ms } => write!(f, "pause {for_ms}"),
            F::Prefer { node, priority } => write!(f, "prefer {} {priority}", name(node)),
            F::HandOver { target: Some(node) } => write!(f, "handover {}", name(node)),
            F::HandOver { target: None } => write!(f, "handover best"),
            F::Add { node } => write!(f, "add {}", name(node)),
            F::Remove { node } => write!(f, "remove {}", name(node)),
            F::Disable { node, for_ms } => write!(f, "disable {} {for_ms}", name(node)),
        }
    }
}

/// The words of one line, taken one by one.
struct Words<'a> {
    line: &'a str,
    rest: std::str::SplitWhitespace<'a>,
}

impl<'a> Words<'a> {
    fn of(line: &'a str) -> Words<'a> {
        Words { line, rest: line.split_whitespace() }
    }

    fn word(&mut self) -> Result<&'a str, String> {
        self.rest.next().ok_or_else(|| format!("{:?} ends too early", self.line))
    }

    fn number(&mut self) -> Result<u64, String> {
        let word = self.word()?;
        word.parse().map_err(|_| format!("{word:?} in {:?} is no number", self.line))
    }

    fn node(&mut self) -> Result<usize, String> {
        let word = self.word()?;
        node_of(word).ok_or_else(|| format!("{word:?} in {:?} is no node", self.line))
    }

    fn traffic(&mut self) -> Result<Traffic, String> {
        match self.word()? {
            "agents" => Ok(Traffic::Agents),
            "servers" => Ok(Traffic::Servers),
            "all" => Ok(Traffic::All),
            word => Err(format!("{word:?} in {:?}: agents, servers or all", self.line)),
        }
    }
}

/// A node's number out of its name.
pub(crate) fn node_of(name: &str) -> Option<usize> {
    name.strip_prefix('n')?.parse::<usize>().ok()?.checked_sub(1)
}

impl std::str::FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Schedule, String> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut head = Words::of(lines.next().ok_or("the schedule is empty")?);
        let mut schedule =
            Schedule { seed: 0, nodes: 0, spares: 0, witness: false, length_ms: 0, entries: Vec::new() };
        while let Ok(word) = head.word() {
            let value = head.number()?;
            let count = usize::try_from(value).map_err(|error| error.to_string());
            match word {
                "seed" => schedule.seed = value,
                "nodes" => schedule.nodes = count?,
                "spares" => schedule.spares = count?,
                "witness" => schedule.witness = value > 0,
                "length" => schedule.length_ms = value,
                _ => return Err(format!("{word:?} in {:?} is not understood", head.line)),
            }
        }
        schedule.entries = lines.map(entry).collect::<Result<Vec<_>, _>>()?;
        Ok(schedule)
    }
}

fn entry(line: &str) -> Result<Entry, String> {
    let mut words = Words::of(line);
    let at_ms = words.number()?;
    Ok(Entry { at_ms, fault: fault(&mut words)? })
}

fn fault(words: &mut Words<'_>) -> Result<Fault, String> {
    use Fault as F;
    let fault = match words.word()? {
        "agent-kill" => F::AgentKill { node: words.node()?, for_ms: words.number()? },
        "agent-kill-at-save" => F::AgentKillAtSave {
            node: words.node()?,
            landed: words.word()? == "after",
            for_ms: words.number()?,
        },
        "agent-hang" => F::AgentHang { node: words.node()?, for_ms: words.number()? },
        "server-kill" => F::ServerKill { node: words.node()? },
        "server-hang" => F::ServerHang { node: words.node()?, for_ms: words.number()? },
        "server-stop" => F::ServerStop { node: words.node()? },
        "server-slow" => F::ServerSlow { node: words.node()?, for_ms: words.number()? },
        "applier-slow" => F::ApplierSlow { node: words.node()?, for_ms: words.number()? },
        "power-loss" => F::PowerLoss { node: words.node()?, for_ms: words.number()? },
        "cut" => F::Cut {
            from: words.node()?,
            to: words.node()?,
            traffic: words.traffic()?,
            for_ms: words.number()?,
        },
        "split" => {
            let names = words.word()?;
            let mut nodes = names.split('+').map(|name| node_of(name).filter(|node| *node < 32));
            let group = nodes
                .try_fold(0, |bits, node| Some(bits | 1 << node?))
                .ok_or_else(|| format!("{names:?} in {:?} is no group of nodes", words.line))?;
            F::Split { group, traffic: words.traffic()?, for_ms: words.number()? }
        }
        "loss" => F::Loss { percent: words.number()?, for_ms: words.number()? },
        "delay" => F::Delay { up_to_ms: words.number()?, for_ms: words.number()? },
        "lag" => F::Lag { up_to_ms: words.number()?, for_ms: words.number()? },
        "repeat" => F::Repeat { percent: words.number()?, for_ms: words.number()? },
        "lost-acks" => F::LostAcks { percent: words.number()?, for_ms: words.number()? },
        "saves-fail" => F::SavesFail { node: words.node()?, for_ms: words.number()? },
        "saves-stall" => F::SavesStall { node: words.node()?, for_ms: words.number()? },
        "disk-full" => F::DiskFull { node: words.node()?, for_ms: words.number()? },
        "drop-relay-logs" => F::DropRelayLogs { node: words.node()? },
        "leader-lost" => F::LeaderLost,
        "pause" => F::Pause { for_ms: words.number()? },
        "prefer" => F::Prefer {
            node: words.node()?,
            priority: u32::try_from(words.number()?).map_err(|error| error.to_string())?,
        },
        "handover" => {
            let word = words.word()?;
            F::HandOver { target: node_of(word) }
        }
        "add" => F::Add { node: words.node()? },
        "remove" => F::Remove { node: words.node()? },
        "disable" => F::Disable { node: words.node()?, for_ms: words.number()? },
        word => return Err(format!("{word:?} in {:?} is no fault", words.line)),
    };
    Ok(fault)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::generate;

    #[test]
    fn what_is_written_is_read_again() {
        for seed in 0..300 {
            let schedule = generate::schedule(seed);
            assert_eq!(schedule.to_string().parse::<Schedule>(), Ok(schedule));
        }
    }

    #[test]
    fn a_mistake_is_named() {
        let error = "seed 1 nodes 3 spares 0 length 9\n5 cut n1 n0 all 7".parse::<Schedule>().unwrap_err();
        assert_eq!(error, "\"n0\" in \"5 cut n1 n0 all 7\" is no node");
    }
}
