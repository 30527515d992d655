//! L6: dead, hung, or merely slow. Probes have their own connections and deadlines; the process is watched
//! beside them.

/// What is to be thought of the local server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The process does not run.
    Dead,
    /// The process runs and has not answered yet: recovery may take long, and is no hang.
    Starting,
    /// It answers.
    Serving,
    /// It answered, and the last probes (so many) got nothing.
    Missing(u32),
    /// No probe got anything for the bounded number of times, though it answered once, or is long past its start.
    Hung,
    /// It refuses new connections and sends old ones away: a shutdown is under way.
    Dying,
}

/// How a probe ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Probe {
    /// Answered.
    Answered,
    /// Not within its deadline.
    TimedOut,
    /// The server (or the kernel) refused the connection, or said that it shuts down.
    Refused,
    /// The server answered that it has no connection left, or does not let us in: alive, by its own word.
    TurnedAway,
}

/// Keeps count of probes; restarted with every process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    verdict: Verdict,
    /// Misses that make a hang.
    misses_to_hang: u32,
    /// So many connections that were taken and never greeted, in a row, make one of a process that has not answered yet;
    /// `None` when nothing does.
    silences_to_hang: Option<u32>,
    silences: u32,
}

impl Health {
    /// Of a process that does not run yet.
    pub fn new(misses_to_hang: u32) -> Health {
        Health {
            verdict: Verdict::Dead,
            misses_to_hang: misses_to_hang.max(1),
            silences_to_hang: None,
            silences: 0,
        }
    }

    /// The present verdict.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// A process was found that somebody else has started, perhaps long ago: it may have hung before anybody could see it
    /// answer. A server that starts, or recovers, refuses connections until it is done; one that takes them and greets
    /// nobody for so many probes in a row hangs.
    pub fn on_found(&mut self, silences_to_hang: u32) {
        self.on_start();
        self.silences_to_hang = Some(silences_to_hang.max(1));
    }

    /// A process was started, or found.
    pub fn on_start(&mut self) {
        self.silences_to_hang = None;
        self.silences = 0;
        if self.verdict == Verdict::Dead {
            self.verdict = Verdict::Starting;
        }
    }

    /// The process is gone.
    pub fn on_exit(&mut self) {
        self.verdict = Verdict::Dead;
    }

    /// A probe has ended.
    pub fn on_probe(&mut self, probe: Probe) {
        self.silences = if probe == Probe::TimedOut { self.silences.saturating_add(1) } else { 0 };
        self.verdict = match (probe, self.verdict) {
            // What a probe heard of a process that is gone by now says nothing.
            (_, Verdict::Dead) => Verdict::Dead,
            (Probe::Answered | Probe::TurnedAway, _) => Verdict::Serving,
            (_, Verdict::Starting) if self.silences_to_hang.is_some_and(|bound| self.silences >= bound) => {
                Verdict::Hung
            }
            (_, Verdict::Starting) => Verdict::Starting,
            // A server that stopped taking connections soon refuses them too, when its queue of new ones is full. It is
            // no shutdown for that: only a server that hangs may be killed for hanging (D3).
            (Probe::Refused | Probe::TimedOut, Verdict::Hung) => Verdict::Hung,
            (Probe::Refused, _) => Verdict::Dying,
            (Probe::TimedOut, Verdict::Dying) => Verdict::Dying,
            (Probe::TimedOut, Verdict::Missing(misses)) => self.missed(misses + 1),
            (Probe::TimedOut, Verdict::Serving) => self.missed(1),
        };
    }

    fn missed(&self, misses: u32) -> Verdict {
        if misses >= self.misses_to_hang { Verdict::Hung } else { Verdict::Missing(misses) }
    }

    /// L6: why a primary in this state cannot serve; `None` when it can, or may yet.
    pub fn cannot_serve(&self) -> Option<&'static str> {
        match self.verdict {
            Verdict::Dead => Some("mysqld has died"),
            Verdict::Hung => Some("mysqld hangs"),
            Verdict::Dying => Some("mysqld shuts down"),
            Verdict::Starting => Some("mysqld is starting"),
            Verdict::Serving | Verdict::Missing(_) => None,
        }
    }
}
