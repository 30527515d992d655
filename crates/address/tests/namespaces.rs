//! The address on two hosts beside each other: taken, announced, watched, guarded and given up.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};
use support::{Host, neighbours, until};
use xenon_address::guard::{Answer, Order, serve};
use xenon_address::{Command, Keeper, Moment, News, Routes, Service, Settings, Taken, Wire};

const SOON: Duration = Duration::from_secs(10);

fn services(texts: &[&str]) -> Vec<Service> {
    let service = |text: &&str| {
        let (ip, prefix) = text.split_once('/').unwrap();
        Service { ip: ip.parse().unwrap(), prefix: prefix.parse().unwrap() }
    };
    texts.iter().map(service).collect()
}

fn keeper(host: &Host, addresses: &[&str]) -> (Keeper, Receiver<News>) {
    let (tell, news) = mpsc::channel();
    let settings = Settings { services: services(addresses), interface: None };
    let keeper = host.within(|| Keeper::start(settings, move |said| tell.send(said).unwrap_or(())).unwrap());
    (keeper, news)
}

fn next(news: &Receiver<News>) -> News {
    news.recv_timeout(SOON).expect("news")
}

fn take(keeper: &Keeper, news: &Receiver<News>, left: Duration) -> Taken {
    assert!(keeper.send(Command::Take { until: Moment::now().after(left) }));
    match next(news) {
        News::Taken(taken) => taken,
        other => panic!("{other:?}"),
    }
}

/// What a host hears and says; its sockets stay on that host.
fn wire(host: &Host) -> Wire {
    host.within(|| {
        let links = Routes::open().unwrap().links().unwrap();
        let eth0 = links.iter().find(|link| link.name == "eth0").unwrap();
        Wire::open(eth0, true).unwrap().expect("an Ethernet")
    })
}

#[test]
fn taken_announced_given_up() {
    let Some((host, peer)) = neighbours() else { return };
    for (address, ip, own) in
        [("10.9.0.100/24", "10.9.0.100", "10.9.0.1"), ("fd09::100/64", "fd09::100", "fd09::1")]
    {
        let (keeper, news) = keeper(&host, &[address]);
        // At once and again: lost frames are usual.
        let ear = wire(&peer);
        let taken = take(&keeper, &news, Duration::from_secs(60));
        assert!(taken.others.is_empty() && taken.ms < 1000.0, "{taken:?}");
        assert_eq!(taken.places[0].1, "eth0");
        let mut heard = 0;
        until(SOON, "announcements", || {
            heard +=
                ear.claims().iter().filter(|claim| claim.ip.to_string() == ip && claim.mac.is_some()).count();
            heard >= 4
        });
        assert!(host.has(ip));
        // A host address beside the host's own, and the kernel itself would remove it.
        let shown = host.said(&["addr", "show", "dev", "eth0"]);
        let line = shown.lines().skip_while(|line| !line.contains(ip)).take(2).collect::<String>();
        assert!(line.contains("/32") || line.contains("/128"), "{line}");
        assert!(!line.contains("forever") && line.contains("valid_lft"), "{line}");
        keeper.send(Command::Drop);
        let dropped = next(&news);
        assert!(matches!(dropped, News::Dropped { removed: 1, .. }), "{dropped:?}");
        assert!(!host.has(ip) && host.has(own));
        // Asked again: harmless.
        keeper.send(Command::Drop);
        assert!(matches!(next(&news), News::Dropped { removed: 0, reset: 0, .. }));
    }
}

#[test]
fn a_neighbour_that_knew_the_old_holder_knows_the_new_one() {
    let Some((host, peer)) = neighbours() else { return };
    let (keeper, news) = keeper(&host, &["10.9.0.100/24", "fd09::100/64"]);
    // As if another host had them before.
    peer.ip("neigh replace 10.9.0.100 lladdr 02:00:00:00:00:99 dev eth0 nud reachable\n\
         neigh replace fd09::100 lladdr 02:00:00:00:00:99 dev eth0 nud reachable\n");
    take(&keeper, &news, Duration::from_secs(60));
    for ip in ["10.9.0.100", "fd09::100"] {
        until(SOON, "the neighbour has the new hardware address", || {
            !peer.said(&["neigh", "show", "to", ip]).contains("02:00:00:00:00:99")
        });
    }
}

#[test]
fn another_holder_is_named_and_overruled() {
    let Some((host, peer)) = neighbours() else { return };
    peer.ip("addr add 10.9.0.100/32 dev eth0\naddr add fd09::100/128 dev eth0 nodad\n");
    let mac = peer.said(&["-br", "link", "show", "dev", "eth0"]);
    let mac = mac.split_whitespace().nth(2).unwrap_or_default().to_owned();
    let (keeper, news) = keeper(&host, &["10.9.0.100/24", "fd09::100/64"]);
    let mut named = std::collections::BTreeSet::new();
    // Its answer may come later than it is waited for, on a machine that is busy; then the next one names it.
    for _ in 0..20 {
        let taken = take(&keeper, &news, Duration::from_secs(60));
        assert!(taken.ms < 1000.0, "it waits for nobody: {taken:?}");
        assert!(host.has("10.9.0.100") && host.has("fd09::100"));
        named.extend(taken.others.iter().filter_map(|(ip, mac)| Some((*ip, mac.as_ref()?.to_string()))));
        if named.len() == 2 {
            break;
        }
        keeper.send(Command::Drop);
        until(SOON, "it is given up", || matches!(next(&news), News::Dropped { .. }));
    }
    let said: Vec<&String> = named.iter().map(|(_, mac)| mac).collect();
    assert_eq!(said, [&mac, &mac]);
    // It speaks up again later, and is named.
    wire(&peer).announce("10.9.0.100".parse().unwrap()).unwrap();
    until(SOON, "a trouble that names it", || match next(&news) {
        News::Troubles(troubles) => {
            troubles.iter().any(|trouble| trouble.contains(&mac) && trouble.contains("10.9.0.100"))
        }
        other => panic!("{other:?}"),
    });
}

#[test]
fn one_that_is_just_giving_it_up_is_waited_for() {
    let Some((host, peer)) = neighbours() else { return };
    let (old, old_news) = keeper(&peer, &["10.9.0.100/24"]);
    take(&old, &old_news, Duration::from_secs(60));
    let (keeper, news) = keeper(&host, &["10.9.0.100/24"]);
    keeper.send(Command::Prepare);
    old.send(Command::Drop);
    let taken = take(&keeper, &news, Duration::from_secs(60));
    assert!(taken.others.is_empty(), "{taken:?}");
}

#[test]
fn what_somebody_removes_is_put_back() {
    let Some((host, _peer)) = neighbours() else { return };
    let (keeper, news) = keeper(&host, &["10.9.0.100/24"]);
    take(&keeper, &news, Duration::from_secs(60));
    host.ip("addr del 10.9.0.100/32 dev eth0\n");
    let back = next(&news);
    assert!(matches!(&back, News::PutBack { link, .. } if link == "eth0"), "{back:?}");
    assert!(host.has("10.9.0.100"));
    host.ip("link set eth0 down\n");
    let News::Troubles(troubles) = next(&news) else { panic!("no trouble") };
    assert!(troubles[0].contains("eth0 is down"), "{troubles:?}");
    host.ip("link set eth0 up\n");
    until(SOON, "the trouble is over", || matches!(next(&news), News::Troubles(left) if left.is_empty()));
    // And what somebody adds where it is not wanted is removed.
    keeper.send(Command::Drop);
    assert!(matches!(next(&news), News::Dropped { removed: 1, .. }));
    host.ip("addr add 10.9.0.100/24 dev eth0\n");
    assert_eq!(next(&news), News::Uninvited("10.9.0.100".parse().unwrap()));
    assert!(!host.has("10.9.0.100"));
}

#[test]
fn nobody_says_that_it_may_stay() {
    let Some((host, _peer)) = neighbours() else { return };
    let (keeper, news) = keeper(&host, &["10.9.0.100/24"]);
    let left = Duration::from_millis(300);
    let until_first = Moment::now().after(left);
    take(&keeper, &news, left);
    // Said again in time, it stays.
    let until_then = Moment::now().after(Duration::from_millis(600));
    keeper.send(Command::Hold { until: until_then });
    assert_eq!(next(&news), News::Lapsed);
    assert!(until_then.left().is_none() && until_first < until_then);
    assert!(!host.has("10.9.0.100"));
}

#[test]
fn the_kernel_removes_it_when_nobody_is_left_to() {
    let Some((host, _peer)) = neighbours() else { return };
    let ip = "10.9.0.100";
    host.within(|| {
        let mut routes = Routes::open().unwrap();
        let eth0 = routes.links().unwrap().into_iter().find(|link| link.name == "eth0").unwrap();
        let service = services(&["10.9.0.100/32"])[0];
        routes.add(&eth0, service, 1).unwrap();
    });
    assert!(host.has(ip));
    until(Duration::from_secs(5), "the kernel has removed it", || !host.has(ip));
}

#[test]
fn clients_of_an_address_that_goes_are_told_at_once() {
    let Some((host, peer)) = neighbours() else { return };
    // A server that listens for both families has its IPv4 connections as mapped IPv6.
    for (listen, address) in
        [("0.0.0.0:7", "10.9.0.100/24"), ("[::]:8", "10.9.0.101/24"), ("[::]:9", "fd09::100/64")]
    {
        let (keeper, news) = keeper(&host, &[address]);
        let listener = host.within(|| TcpListener::bind(listen).unwrap());
        take(&keeper, &news, Duration::from_secs(60));
        let (ip, _) = address.split_once('/').unwrap();
        let port = listener.local_addr().unwrap().port();
        let connect =
            |ip: &str| peer.within(|| TcpStream::connect((ip.parse::<IpAddr>().unwrap(), port)).unwrap());
        let mut client = connect(ip);
        let own = if ip.contains(':') { "fd09::1" } else { "10.9.0.1" };
        let other = connect(own);
        let served = [listener.accept().unwrap(), listener.accept().unwrap()];
        client.set_read_timeout(Some(SOON)).unwrap();
        keeper.send(Command::Drop);
        let dropped = next(&news);
        assert!(matches!(dropped, News::Dropped { removed: 1, reset: 1, .. }), "{dropped:?}");
        let error = std::io::Read::read(&mut client, &mut [0]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{address}: {error}");
        // Those to the host's own address stay.
        other.set_nonblocking(true).unwrap();
        let still = std::io::Read::read(&mut &other, &mut [0]).unwrap_err();
        assert_eq!(still.kind(), std::io::ErrorKind::WouldBlock, "{address}");
        drop(served);
    }
}

/// A guard on a thread of the host, and the agent's end of it.
struct Guarded {
    agent: Option<UnixStream>,
    answers: BufReader<UnixStream>,
    said: Receiver<(String, bool)>,
    ended: std::thread::JoinHandle<()>,
}

impl Guarded {
    fn start(host: &Host) -> Guarded {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (tell, said) = mpsc::channel();
        let ended = host.within(|| {
            std::thread::spawn(move || {
                serve(theirs, |text, gone| tell.send((text.to_owned(), gone)).unwrap_or(())).unwrap();
            })
        });
        ours.set_read_timeout(Some(SOON)).unwrap();
        let answers = BufReader::new(ours.try_clone().unwrap());
        Guarded { agent: Some(ours), answers, said, ended }
    }

    fn say(&mut self, order: &Order) -> Answer {
        let mut agent = self.agent.as_ref().unwrap();
        agent.write_all(format!("{}\n", order.line()).as_bytes()).unwrap();
        self.answer()
    }

    fn answer(&mut self) -> Answer {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        Answer::parse(line.trim_end()).unwrap_or_else(|| panic!("{line:?}"))
    }
}

#[test]
fn the_guard_removes_it_when_the_time_is_over_and_not_before() {
    let Some((host, _peer)) = neighbours() else { return };
    let mut guarded = Guarded::start(&host);
    host.ip("addr add 10.9.0.100/24 dev eth0\naddr add fd09::100/64 dev eth0 nodad\n");
    let ips = ["10.9.0.100", "fd09::100"].map(|ip| ip.parse().unwrap()).to_vec();
    assert_eq!(guarded.say(&Order::Watch(ips)), Answer::Heard);
    for _ in 0..5 {
        assert_eq!(
            guarded.say(&Order::Until(Moment::now().after(Duration::from_millis(400)))),
            Answer::Heard
        );
        std::thread::sleep(Duration::from_millis(100));
        assert!(host.has("10.9.0.100"));
    }
    // An agent that is alive and says nothing, as one that is stopped.
    assert_eq!(guarded.answer(), Answer::Removed(2));
    assert!(!host.has("10.9.0.100") && !host.has("fd09::100") && host.has("10.9.0.1"));
    let (text, gone) = guarded.said.recv_timeout(SOON).unwrap();
    assert!(text.contains("did not say in time") && !gone, "{text}");
    // An order that was late says a moment that is over: what is here goes.
    host.ip("addr add 10.9.0.100/24 dev eth0\n");
    assert_eq!(guarded.say(&Order::Until(Moment(1))), Answer::Heard);
    assert_eq!(guarded.answer(), Answer::Removed(1));
    // An agent that gave it up itself, and ends.
    host.ip("addr add 10.9.0.100/24 dev eth0\n");
    guarded.say(&Order::Until(Moment::now().after(Duration::from_secs(60))));
    guarded.say(&Order::Free);
    drop(guarded.agent.take());
    drop(guarded.answers);
    guarded.ended.join().unwrap();
    assert!(host.has("10.9.0.100"), "it was none of the guard's any more");
}

#[test]
fn the_guard_outlives_its_agent_until_the_time_is_over() {
    let Some((host, _peer)) = neighbours() else { return };
    let mut guarded = Guarded::start(&host);
    host.ip("addr add 10.9.0.100/24 dev eth0\n");
    guarded.say(&Order::Watch(vec!["10.9.0.100".parse().unwrap()]));
    let end = Moment::now().after(Duration::from_millis(500));
    guarded.say(&Order::Until(end));
    drop(guarded.agent.take());
    drop(guarded.answers);
    while end.left().is_some_and(|left| left > Duration::from_millis(50)) {
        assert!(host.has("10.9.0.100") || end.left().is_none(), "too early");
    }
    let (text, gone) = guarded.said.recv_timeout(SOON).unwrap();
    assert!(end.left().is_none() && gone && text.contains("was gone"), "{text}");
    guarded.ended.join().unwrap();
    assert!(!host.has("10.9.0.100"));
}

#[test]
fn without_an_interface_it_says_so() {
    let Some((host, _peer)) = neighbours() else { return };
    let (keeper, news) = keeper(&host, &["192.0.2.7/24"]);
    keeper.send(Command::Take { until: Moment::now().after(SOON) });
    let News::NotTaken(why) = next(&news) else { panic!("taken") };
    assert!(why.contains("192.0.2.7/24") && why.contains("service-interface"), "{why}");
}
