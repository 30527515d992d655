//! What other agents and the command line send.

use serde::Serialize;
use serde::de::DeserializeOwned;
use xenon_api::{Call, Envelope, Reply};
use xenon_election::{
    ConfigId, Effect, Election, Event, GroupConfig, LocalView, Member, NodeId, Record, Rejoin, Rules,
    ServerView, Start, Timer,
};
use xenon_gtid::Uuid;

const MEMBERS: [&str; 3] = ["a:1", "b:1", "c:1"];

/// At most so many lines are read: longer inputs teach nothing new.
const LINES_MAX: usize = 64;

/// Each line is a message of another node (or a word: `timer N`, `frozen`, `saved`). What is read writes and reads as
/// itself; and one node's election core takes all of it in turn without a panic, and never lowers its term.
pub fn peer(data: &[u8]) {
    let mut core = core();
    let mut term = 0;
    for line in data.split(|byte| *byte == b'\n').take(LINES_MAX) {
        let _ = round_trip::<Call>(line);
        let _ = round_trip::<Reply>(line);
        let event = match round_trip::<Envelope>(line) {
            Some(envelope) => {
                Event::Message { from: envelope.from, cluster: envelope.cluster, message: envelope.message }
            }
            None => match word(line) {
                Some(event) => event,
                None => continue,
            },
        };
        let effects = core.step(event);
        assert!(core.record().term >= term);
        term = core.record().term;
        answer_freezes(&mut core, effects);
    }
}

fn round_trip<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(line: &[u8]) -> Option<T> {
    let value: T = serde_json::from_slice(line).ok()?;
    let text = serde_json::to_string(&value).unwrap();
    assert_eq!(serde_json::from_str::<T>(&text).unwrap(), value, "{text}");
    Some(value)
}

fn word(line: &[u8]) -> Option<Event> {
    let timers = [
        Timer::Election,
        Timer::LeaderFresh,
        Timer::Heartbeat,
        Timer::Lease,
        Timer::HandOver,
        Timer::SaveRetry,
        Timer::Offer,
    ];
    match line {
        b"saved" => Some(Event::Saved),
        b"looked" => Some(Event::Looked(Box::new(local()))),
        [b't', number] => timers.get(usize::from(number.wrapping_sub(b'0'))).cloned().map(Event::Timer),
        _ => None,
    }
}

/// The server stops its receiver at once, so that votes and candidacies go on.
fn answer_freezes(core: &mut Election, effects: Vec<Effect>) {
    let mut tickets = Vec::new();
    freezes(effects, &mut tickets);
    for ticket in tickets {
        let received = local().server.map(|server| server.received).unwrap_or_default();
        core.step(Event::Frozen { ticket, result: Ok(received) });
    }
}

fn freezes(effects: Vec<Effect>, tickets: &mut Vec<xenon_election::Ticket>) {
    for effect in effects {
        match effect {
            Effect::Freeze { ticket, .. } => tickets.push(ticket),
            Effect::Save { then, .. } => freezes(then, tickets),
            _ => {}
        }
    }
}

fn cluster() -> Uuid {
    Uuid::from_bytes([0xcc; 16])
}

fn local() -> LocalView {
    LocalView {
        server: Some(ServerView {
            server_uuid: Uuid::from_bytes([0xaa; 16]),
            received: "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa:1-10".parse().unwrap(),
            unapplied: 0,
            acknowledging: true,
            acknowledging_clients: 2,
            ..ServerView::default()
        }),
        source_host: "a".to_owned(),
        source_port: 3306,
        ..LocalView::default()
    }
}

fn core() -> Election {
    let members = MEMBERS.iter().map(|name| (NodeId::new(*name), Member::voter())).collect();
    let config = GroupConfig {
        cluster: cluster(),
        id: ConfigId { term: 0, version: 1 },
        members,
        paused: false,
        rejoin: Rejoin::default(),
    };
    let (core, _) = Election::start(Start {
        id: NodeId::new(MEMBERS[0]),
        record: Record { config: Some(config), ..Record::default() },
        local: local(),
        primary_of_term: false,
        boot: None,
        rules: Rules::all(),
    });
    core
}
