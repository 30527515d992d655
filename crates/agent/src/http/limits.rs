//! How often one address may ask, and try logins.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Requests a second from one address in the long run: checks of several load balancers and a few dashboards are tens.
const RATE_PER_S: f64 = 200.0;
/// Requests at once.
const BURST: f64 = 400.0;
/// Wrong logins from one address before none are looked at for a while.
const WRONG_MAX: u32 = 10;
/// Counted from the first of them.
const WRONG_WINDOW: Duration = Duration::from_secs(60);
/// Addresses that are remembered; beyond, those heard longest ago are forgotten.
const ADDRESSES_MAX: usize = 4096;

/// Counts by address.
#[derive(Default)]
pub(crate) struct Limits {
    peers: Mutex<HashMap<IpAddr, Peer>>,
}

struct Peer {
    heard: Instant,
    /// Requests that it may make now.
    left: f64,
    wrong: u32,
    wrong_since: Instant,
}

impl Limits {
    /// Counts a request; how long to wait when it is one too many.
    pub(crate) fn request(&self, from: IpAddr) -> Result<(), Duration> {
        let now = Instant::now();
        let mut peers = self.peers(now);
        let peer = peers.entry(network(from)).or_insert_with(|| Peer::new(now));
        let gained = now.saturating_duration_since(peer.heard).as_secs_f64() * RATE_PER_S;
        peer.heard = now;
        peer.left = (peer.left + gained).min(BURST);
        if peer.left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - peer.left) / RATE_PER_S));
        }
        peer.left -= 1.0;
        Ok(())
    }

    /// Whether logins from there are looked at; else how long to wait. Right ones are refused then, too: otherwise the
    /// answer would tell a right guess.
    pub(crate) fn may_log_in(&self, from: IpAddr) -> Result<(), Duration> {
        let now = Instant::now();
        let peers = self.peers(now);
        let Some(peer) = peers.get(&network(from)) else { return Ok(()) };
        let over = peer.wrong_since + WRONG_WINDOW;
        if peer.wrong >= WRONG_MAX && now < over { Err(over - now) } else { Ok(()) }
    }

    /// Counts a wrong login; `true` for the last one that is looked at.
    pub(crate) fn wrong_login(&self, from: IpAddr) -> bool {
        let now = Instant::now();
        let mut peers = self.peers(now);
        let peer = peers.entry(network(from)).or_insert_with(|| Peer::new(now));
        if peer.wrong == 0 || now >= peer.wrong_since + WRONG_WINDOW {
            (peer.wrong, peer.wrong_since) = (0, now);
        }
        peer.wrong += 1;
        peer.wrong == WRONG_MAX
    }

    fn peers(&self, now: Instant) -> MutexGuard<'_, HashMap<IpAddr, Peer>> {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if peers.len() >= ADDRESSES_MAX {
            // First those of which nothing is worth knowing; whoever has guessed wrong is remembered longest.
            peers.retain(|_, peer| now.saturating_duration_since(peer.heard) < WRONG_WINDOW);
        }
        if peers.len() >= ADDRESSES_MAX {
            let mut oldest: Vec<_> =
                peers.iter().map(|(ip, peer)| (peer.wrong > 0, peer.heard, *ip)).collect();
            oldest.sort_unstable();
            for (_, _, ip) in oldest.into_iter().take(ADDRESSES_MAX / 4) {
                peers.remove(&ip);
            }
        }
        peers
    }
}

impl Peer {
    fn new(now: Instant) -> Peer {
        Peer { heard: now, left: BURST, wrong: 0, wrong_since: now }
    }
}

/// Whoever has an IPv6 address has a whole network of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let mut segments = address.segments();
            segments[4..].fill(0);
            IpAddr::V6(segments.into())
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 7));

    #[tokio::test(start_paused = true)]
    async fn a_burst_then_a_rate() {
        let limits = Limits::default();
        let burst = (0..1000).take_while(|_| limits.request(PEER).is_ok()).count();
        assert_eq!(burst, 400);
        assert!(limits.request(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)).is_ok(), "others may go on");
        tokio::time::advance(Duration::from_millis(100)).await;
        let more = (0..1000).take_while(|_| limits.request(PEER).is_ok()).count();
        assert_eq!(more, 20);
    }

    #[tokio::test(start_paused = true)]
    async fn wrong_logins_are_counted_by_address_and_forgotten() {
        let limits = Limits::default();
        for number in 1..=10 {
            assert!(limits.may_log_in(PEER).is_ok());
            assert_eq!(limits.wrong_login(PEER), number == 10);
        }
        let wait = limits.may_log_in(PEER).unwrap_err();
        assert!(wait <= Duration::from_secs(60) && wait > Duration::from_secs(59));
        assert!(limits.may_log_in(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)).is_ok());
        tokio::time::advance(Duration::from_secs(61)).await;
        assert!(limits.may_log_in(PEER).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn many_addresses_take_bounded_memory_and_hide_no_guesser() {
        let limits = Limits::default();
        for _ in 0..10 {
            limits.wrong_login(PEER);
        }
        for number in 0..20_000u32 {
            let _ = limits.request(IpAddr::V4((0x0b00_0000 + number).into()));
        }
        assert!(limits.peers.lock().unwrap().len() <= ADDRESSES_MAX);
        assert!(limits.may_log_in(PEER).is_err());
        let one: IpAddr = "2001:db8::1".parse().unwrap();
        let other: IpAddr = "2001:db8::ffff:1".parse().unwrap();
        assert_eq!(network(one), network(other));
    }
}
