//! Effects as text, short enough to be compared whole and read at a glance.

use xenon_election::{
    ConfigId, Delay, Directive, Effect, GroupConfig, Message, Note, Position, Refusal, Standing, Timer,
};
use xenon_gtid::{GtidSet, Uuid};

/// The server of node `n<number>`.
pub(crate) fn server_uuid(number: u8) -> Uuid {
    Uuid([number; 16])
}

/// The cluster `<number>`; its UUID names the markers.
pub(crate) fn cluster_uuid(number: u8) -> Uuid {
    Uuid([0xc0 + number; 16])
}

/// `n1:1-2,M:1`: servers by their node's name, markers as `M`.
pub(crate) fn set(set: &GtidSet) -> String {
    if set.is_empty() {
        return "-".to_owned();
    }
    let text = set.intervals().map(|interval| {
        let first = interval.uuid.0[0];
        let name = if first >= 0xc0 { "M".to_owned() } else { format!("n{first}") };
        match interval.first == interval.last {
            true => format!("{name}:{}", interval.first),
            false => format!("{name}:{}-{}", interval.first, interval.last),
        }
    });
    text.collect::<Vec<_>>().join(",")
}

pub(crate) fn position(position: &Position) -> String {
    let errant =
        if position.errant.is_empty() { String::new() } else { format!(" errant {}", set(&position.errant)) };
    format!("(marker {} data {}{errant})", position.marker, set(&position.data))
}

pub(crate) fn config(config: &GroupConfig) -> String {
    let members = config.members.iter().map(|(id, member)| match member.standing {
        Standing::Voter => id.to_string(),
        Standing::Joining => format!("{id}(joining)"),
        Standing::Leaving => format!("{id}(leaving)"),
        Standing::Idle => format!("{id}(idle)"),
    });
    format!("{}[{}]", config.id, members.collect::<Vec<_>>().join(" "))
}

fn refusal(refusal: &Option<Refusal>) -> String {
    match refusal {
        None => "yes".to_owned(),
        Some(Refusal::Behind { mine, dead: true, .. }) => {
            format!("no: behind {}, which is dead", position(mine))
        }
        Some(Refusal::Behind { mine, can_stand, .. }) => {
            format!("no: behind {}{}", position(mine), if *can_stand { "" } else { ", which may not stand" })
        }
        Some(other) => format!("no: {other}"),
    }
}

fn ids(id: &ConfigId) -> String {
    format!("config {id}")
}

pub(crate) fn message(message: &Message) -> String {
    match message {
        Message::Offer { config: offered } => format!("Offer {}", config(offered)),
        Message::PreVote { term, config } => format!("PreVote {term} {}", ids(config)),
        Message::PreVoteReply { term, asked, refusal: why } => {
            format!("PreVoteReply {asked} from term {term}: {}", refusal(why))
        }
        Message::Vote { term, config, position: at, .. } => {
            format!("Vote {term} {} {}", ids(config), position(at))
        }
        Message::VoteReply { term, refusal: why } => format!("VoteReply {term}: {}", refusal(why)),
        Message::Heartbeat { term, round, config: id, members, info, rank } => {
            let members = members.as_ref().map_or(ids(id), config);
            let open = if info.open { " open" } else { "" };
            let open = if info.suspended { " suspended" } else { open };
            format!("Heartbeat {term}.{round} {members} has {}{open} rank {rank}", set(&info.received))
        }
        Message::HeartbeatReply { term, round, config, report } => {
            let at = report.position.as_ref().map_or("no position".to_owned(), position);
            let unfit = report.unfit.as_ref().map_or(String::new(), |why| format!(" unfit: {why}"));
            format!("HeartbeatReply {term}.{round} {} {at}{unfit}", ids(config))
        }
        Message::Stand { term, after } => {
            let after = after.as_ref().map_or(String::new(), |after| format!(" after {}", set(after)));
            format!("Stand {term}{after}")
        }
        Message::StandRefused { term, reason } => format!("StandRefused {term}: {reason}"),
    }
}

pub(crate) fn directive(directive: &Directive) -> String {
    match directive {
        Directive::Unmanaged => "unmanaged".to_owned(),
        Directive::Hold => "hold".to_owned(),
        Directive::Lead { term, acknowledgements, soft, closed, .. } => {
            let (soft, closed) = (if *soft { " soft" } else { "" }, if *closed { " closed" } else { "" });
            format!("lead term {term} W={acknowledgements}{soft}{closed}")
        }
        Directive::Fence { .. } => "fence".to_owned(),
        Directive::Suspend { .. } => "suspend".to_owned(),
        Directive::Follow { term, leader, acknowledge, .. } => {
            format!(
                "follow {leader} of term {term}{}",
                if *acknowledge { "" } else { " without acknowledging" }
            )
        }
        Directive::Invalid { errant } => format!("invalid {}", set(errant)),
        Directive::Removed => "removed".to_owned(),
        Directive::Stopped => "stopped".to_owned(),
    }
}

fn note(note: &Note) -> Option<String> {
    Some(match note {
        Note::Standing { term, why } => format!("standing in term {term}: {why}"),
        Note::Leading { term, resumed } => {
            format!("leading in term {term}{}", if *resumed { ", resumed" } else { "" })
        }
        Note::Suspended { term, why } => format!("suspended in term {term}: {why}"),
        Note::SteppedDown { term, why } => format!("stepped down from term {term}: {why}"),
        Note::LeaderLost { leader, term } => format!("leader {leader} of term {term} is lost"),
        Note::MayNotStand { why } => format!("may not stand: {why}"),
        Note::Errant { errant } => format!("errant: {}", set(errant)),
        Note::Config { what } => what.clone(),
        Note::HandOver { what, .. } => what.clone(),
        Note::Trouble { what } => format!("TROUBLE {what}"),
        // The messages say it.
        _ => return None,
    })
}

fn delay(delay: &Delay) -> String {
    match delay {
        Delay::Election { rank } => format!("random rank {rank}"),
        Delay::LeaseFrom { round } => format!("from round {round}"),
        other => format!("{other:?}"),
    }
}

/// Which effects a reader wants to see.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// All but notes.
    Timers,
    /// All but timers.
    Notes,
}

/// One effect a line; what waits for a save is indented below it.
pub(crate) fn effects(effects: &[Effect], detail: Detail) -> Vec<String> {
    let mut lines = Vec::new();
    add(effects, detail, 0, &mut lines);
    lines
}

fn add(effects: &[Effect], detail: Detail, depth: usize, lines: &mut Vec<String>) {
    for effect in effects {
        let line = match effect {
            Effect::Save { record, .. } => {
                let vote = record.vote.as_ref().map_or("-".to_owned(), ToString::to_string);
                let config = record.config.as_ref().map_or("-".to_owned(), |config| config.id.to_string());
                let errant = match record.errant.is_empty() {
                    true => String::new(),
                    false => format!(" errant {}", set(&record.errant)),
                };
                let doubt = if record.doubt.is_some() { " in doubt" } else { "" };
                Some(format!("save term {} vote {vote} config {config}{errant}{doubt}", record.term))
            }
            Effect::ReportSaved => Some("report saved".to_owned()),
            Effect::Send { to, message: sent } => Some(format!("→ {to} {}", message(sent))),
            Effect::Freeze { .. } => Some("freeze".to_owned()),
            Effect::Quiesce { .. } => Some("close writes".to_owned()),
            Effect::CatchUp { set: wanted, .. } => Some(format!("catch up to {}", set(wanted))),
            Effect::Rescue { from, lacks, .. } => Some(format!("rescue from {from}: {}", set(lacks))),
            Effect::Direct(wanted) => Some(format!("mysqld: {}", directive(wanted))),
            Effect::Arm { timer, delay: after } => {
                (detail == Detail::Timers).then(|| format!("arm {timer:?} {}", delay(after)))
            }
            Effect::Disarm(timer) => (detail == Detail::Timers).then(|| format!("disarm {timer:?}")),
            Effect::Answer(Ok(text)) => Some(format!("answer: {text}")),
            Effect::Answer(Err(refused)) => Some(format!("refused: {}; {}", refused.what, refused.cure)),
            Effect::Note(what) => (detail == Detail::Notes).then(|| note(what)).flatten(),
        };
        if let Some(line) = line {
            lines.push(format!("{}{line}", "  ".repeat(depth)));
        }
        if let Effect::Save { then, .. } = effect {
            add(then, detail, depth + 1, lines);
        }
    }
}

/// Timers by the name that scripts use.
#[allow(dead_code)]
pub(crate) fn timer(name: &str) -> Option<Timer> {
    let all = [
        Timer::Election,
        Timer::LeaderFresh,
        Timer::Heartbeat,
        Timer::Lease,
        Timer::HandOver,
        Timer::SaveRetry,
        Timer::Offer,
        Timer::Rescue,
    ];
    all.into_iter().find(|timer| format!("{timer:?}").eq_ignore_ascii_case(name))
}
